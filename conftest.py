"""What pytest collects, and what it cleans up."""

import sys
from importlib.util import find_spec

import pytest

from skmlp import compiled

# Most modules of the compiled engine cannot be imported without it.
collect_ignore_glob = [] if compiled.UNAVAILABLE is None else ["skmlp/compiled/*.py"]

# What builds the documentation, what it builds, and scripts that are run by hand.
collect_ignore = ["docs/conf.py", "docs/_build", "docs/gallery", "tests/benchmarks"]

# The examples of the displays need something to plot with.
if find_spec("matplotlib") is None:
    collect_ignore_glob.append("skmlp/plotting/*.py")


@pytest.fixture(autouse=True)
def _no_figures_left():
    """Close what a test or an example has plotted: pyplot keeps it otherwise."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
