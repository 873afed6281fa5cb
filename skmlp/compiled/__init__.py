"""The compiled engine, which runs epochs in C.

It computes the same as `skmlp.core` and `skmlp.training.step`, with the same objects.
`unsupported` returns what it does not support in a configuration.
"""

from skmlp.compiled.coverage import (
    can_predict,
    unsupported,
    unsupported_input,
    unsupported_parameters,
)

UNAVAILABLE: str | None = None
"""The reason why there is no compiled engine, or None if there is one."""

try:
    from skmlp.compiled._engine import instruction_set
except ModuleNotFoundError:
    UNAVAILABLE = (
        "it was not built when skmlp was installed, possibly without a C compiler"
    )
except (ImportError, TypeError) as error:  # TypeError: SciPy's BLAS has changed
    UNAVAILABLE = f"it was built, but not for this Python and SciPy ({error})"
else:
    from skmlp.compiled.engine import CompiledEngine
    from skmlp.compiled.inference import decision_function
    from skmlp.compiled.objective import CompiledObjective

__all__ = [
    "UNAVAILABLE",
    "CompiledEngine",
    "CompiledObjective",
    "can_predict",
    "decision_function",
    "instruction_set",
    "unsupported",
    "unsupported_input",
    "unsupported_parameters",
]
