"""Networks to look at."""

import pytest
from sklearn.datasets import load_digits

from skmlp import MLPClassifierScratch


@pytest.fixture(autouse=True)
def _quickly(one_blas_thread):
    """Small networks are no faster with more threads."""


@pytest.fixture(scope="session")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:300] / 16, y[:300]


@pytest.fixture(scope="session")
def clf(digits):
    """A network that was trained on images of 8 x 8 pixels."""
    return MLPClassifierScratch((12, 6), max_iter=10, random_state=0).fit(*digits)
