"""The compiled engine: whole epochs in C, without the interpreter.

It computes what `skmlp.core` and `skmlp.training.step` do, from the same objects. It
does not cover everything: `uncovered` says what a configuration needs NumPy for.
"""

from skmlp.compiled.coverage import (
    uncovered,
    uncovered_activations,
    uncovered_input,
    uncovered_parameters,
)

UNAVAILABLE: str | None = None
"""Why there is no compiled engine, or None if there is one."""

try:
    from skmlp.compiled._engine import instruction_set
except ModuleNotFoundError:
    UNAVAILABLE = (
        "it was not built when skmlp was installed, perhaps for lack of a C compiler"
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
    "decision_function",
    "instruction_set",
    "uncovered",
    "uncovered_activations",
    "uncovered_input",
    "uncovered_parameters",
]
