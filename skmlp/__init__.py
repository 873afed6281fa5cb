"""Multilayer perceptrons for scikit-learn, with backpropagation in NumPy."""

# First, and from here: where it is imported from deeper down, CPython 3.11 takes a
# tenth longer, for its stack then begins a new block inside a loop of SciPy's.
import sklearn.base  # noqa: F401

from skmlp._show_versions import show_versions
from skmlp.classifier import MLPClassifierScratch
from skmlp.gradcheck import GradientCheck, check_gradient
from skmlp.persistence.model import load, save
from skmlp.persistence.trusted import SKOPS_TRUSTED
from skmlp.regressor import MLPRegressorScratch

__version__ = "0.1.0"

__all__ = [
    "SKOPS_TRUSTED",
    "GradientCheck",
    "MLPClassifierScratch",
    "MLPRegressorScratch",
    "check_gradient",
    "load",
    "save",
    "show_versions",
]
