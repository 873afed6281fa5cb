"""Multilayer perceptrons for scikit-learn, with backpropagation in NumPy."""

from skmlp._show_versions import show_versions
from skmlp.classifier import MLPClassifierScratch
from skmlp.gradcheck import GradientCheck, check_gradient
from skmlp.regressor import MLPRegressorScratch

__version__ = "0.1.0"

__all__ = [
    "GradientCheck",
    "MLPClassifierScratch",
    "MLPRegressorScratch",
    "check_gradient",
    "show_versions",
]
