"""What the tests of the pictures share."""

import pytest


@pytest.fixture(autouse=True)
def _close_figures(one_blas_thread):
    yield
    pytest.importorskip("matplotlib.pyplot").close("all")
