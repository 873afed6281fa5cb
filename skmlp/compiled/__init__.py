"""The engine in C, where it was built.

It stands behind the same seam as `skmlp.training.engine.NumpyEngine`, and covers
less: `uncovered` says what a configuration needs NumPy for.
"""

from collections.abc import Callable

from skmlp.compiled.coverage import uncovered

__all__ = ["UNAVAILABLE", "CompiledEngine", "uncovered"]

UNAVAILABLE: str | None = "it was not built"
"""Why there is no compiled engine, or None if there is one."""

CompiledEngine: type | None = None

instruction_set: Callable[[], str]  # only there with the engine
