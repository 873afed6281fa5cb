"""The compiled engine: whole epochs in C, without the interpreter.

It computes what `skmlp.core` and `skmlp.training.step` do, from the same objects.
`UNAVAILABLE` says why it is not there: it needs a C compiler when the package is
installed.
"""

try:
    from skmlp.compiled._engine import instruction_set
    from skmlp.compiled.engine import CompiledEngine
except ImportError as error:
    UNAVAILABLE: str | None = str(error)
else:
    UNAVAILABLE = None

__all__ = ["UNAVAILABLE", "CompiledEngine", "instruction_set"]
