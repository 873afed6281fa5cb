"""The compiled engine: whole epochs in C, without the interpreter.

It computes what `skmlp.core` and `skmlp.training.step` do, from the same objects, and
covers less: `uncovered` says what a configuration needs NumPy for.
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
    from skmlp.compiled.engine import CompiledEngine
    from skmlp.compiled.inference import decision_function
    from skmlp.compiled.objective import CompiledObjective
except ImportError as error:
    UNAVAILABLE = str(error)

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
