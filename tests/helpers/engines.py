"""Marks for tests of both engines."""

import pytest

from skmlp import compiled

needs_compiled = pytest.mark.skipif(
    compiled.UNAVAILABLE is not None,
    reason=f"there is no compiled engine: {compiled.UNAVAILABLE}",
)
ENGINES = ["numpy", pytest.param("compiled", marks=needs_compiled)]
parametrize_engine = pytest.mark.parametrize("engine", ENGINES)
