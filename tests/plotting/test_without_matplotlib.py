"""Tests that Matplotlib is asked for when something is plotted, and not before."""

import subprocess
import sys

import numpy as np
import pytest

from skmlp.plotting import ActivationDisplay, SaliencyDisplay, WeightsDisplay


def test_it_is_not_imported_with_the_displays():
    code = "import sys, skmlp.plotting; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("plot", "name"),
    [
        (ActivationDisplay.from_activation, "ActivationDisplay"),
        (SaliencyDisplay(np.ones((1, 4))).plot, "SaliencyDisplay"),
        (WeightsDisplay([np.ones((4, 1))]).plot, "WeightsDisplay"),
    ],
)
def test_error_names_the_parameter_that_requires_it(monkeypatch, plot, name):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=rf"{name}\.plot requires matplotlib"):
        plot()
