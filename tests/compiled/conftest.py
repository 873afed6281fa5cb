"""Fixtures shared by the tests of the compiled engine."""

import os

import pytest

from skmlp import compiled


@pytest.fixture(autouse=True)
def _needs_the_extension():
    """Skip without the extension, unless it has to be there."""
    if compiled.UNAVAILABLE is None:
        return
    reason = f"there is no compiled engine: {compiled.UNAVAILABLE}"
    if os.environ.get("SKMLP_REQUIRE_ENGINE") == "compiled":
        pytest.fail(f"SKMLP_REQUIRE_ENGINE=compiled, but {reason}")
    pytest.skip(reason)


@pytest.fixture
def extension(_needs_the_extension):
    """The extension module."""
    from skmlp.compiled import _engine

    return _engine
