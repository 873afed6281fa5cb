"""Fixtures shared by the tests."""

import gc
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.preprocessing import scale
from threadpoolctl import ThreadpoolController

from skmlp import MLPClassifierScratch, MLPRegressorScratch

try:
    import matplotlib
except ImportError:  # the tests that plot are skipped
    pass
else:
    matplotlib.use("Agg")  # draws without a display


@pytest.fixture
def global_random_seed():
    """The seed that scikit-learn's own tests ask for."""
    return 42


@pytest.fixture(scope="session")
def _threadpools():
    return ThreadpoolController()


@pytest.fixture
def one_blas_thread(_threadpools):
    """Compute on one thread: with small matrices, more of them are no faster.

    They are much slower when other processes compete for the cores.
    """
    with _threadpools.limit(limits=1, user_api="blas"):
        yield


@pytest.fixture
def without_gc():
    """No garbage collection, whose callbacks would swallow a KeyboardInterrupt."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="session")
def datasets():
    """Small data sets by the kind of their targets.

    Each has the samples `X`, the targets `y`, the class of ours that learns
    them as `Estimator`, and `params` that it needs for that. The arrays cannot
    be written to.
    """
    rng = np.random.RandomState(7)
    X, y = make_classification(
        120, 8, n_informative=5, n_classes=3, flip_y=0.2, random_state=7
    )
    X = scale(X)
    signal = X @ rng.randn(8, 3) / 3 + np.tanh(X[:, :3])
    noisy = signal + 0.5 * rng.randn(120, 3)
    targets = {
        "binary": (y > 0).astype(int),
        "multiclass": y,
        "multilabel": (noisy > 0).astype(int),
        "strings": np.array(["setosa", "a", "versicolor"], dtype=object)[y],
        "regression": noisy[:, 0],
        "multioutput": noisy,
        "poisson": rng.poisson(np.exp(signal[:, 0].clip(-2, 2))).astype(float),
    }
    kinds = {}
    for kind, target in targets.items():
        target.flags.writeable = False
        regression = kind in ("regression", "multioutput", "poisson")
        kinds[kind] = SimpleNamespace(
            X=X,
            y=target,
            Estimator=MLPRegressorScratch if regression else MLPClassifierScratch,
            params={"loss": "poisson"} if kind == "poisson" else {},
        )
    X.flags.writeable = False
    return kinds
