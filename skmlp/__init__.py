"""Multilayer perceptrons for scikit-learn, with backpropagation in NumPy."""

# Imported first, at the top level. A deeper import takes 10 % longer on CPython 3.11,
# because a new block of the interpreter's stack then begins inside a loop of SciPy.
import sklearn.base  # noqa: F401

from skmlp._show_versions import show_versions
from skmlp._trusted import SKOPS_TRUSTED
from skmlp._version import __version__ as __version__
from skmlp.estimators.classifier import MLPClassifierScratch
from skmlp.estimators.gradient_check import GradientCheck, check_gradient
from skmlp.estimators.regressor import MLPRegressorScratch
from skmlp.persistence.model import load, save
from skmlp.tabular.pipelines import (
    make_tabular_mlp_classifier,
    make_tabular_mlp_regressor,
)
from skmlp.tabular.preprocessor import TabularPreprocessor

__all__ = [
    "SKOPS_TRUSTED",
    "GradientCheck",
    "MLPClassifierScratch",
    "MLPRegressorScratch",
    "TabularPreprocessor",
    "check_gradient",
    "load",
    "make_tabular_mlp_classifier",
    "make_tabular_mlp_regressor",
    "save",
    "show_versions",
]
