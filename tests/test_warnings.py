"""Tests that warnings point to the line that called skmlp."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skmlp
from skmlp import MLPClassifierScratch, MLPRegressorScratch

X = np.random.default_rng(0).normal(size=(30, 3))
Y = X[:, 0]


def interrupt(training):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("message", "fit"),
    [
        (
            "Maximum iterations",
            lambda: MLPRegressorScratch(max_iter=1).fit(X, Y),
        ),
        (
            "batch_size",
            lambda: MLPRegressorScratch(max_iter=1, batch_size=50).fit(X, Y),
        ),
        (
            "interrupted",
            lambda: MLPRegressorScratch(callbacks=interrupt).fit(X, Y),
        ),
        (
            "y_val does not seem",
            lambda: MLPRegressorScratch(max_iter=1).fit(
                X, Y, X_val=X, y_val=1000 * Y + 500
            ),
        ),
        (
            "cannot stratify",
            lambda: MLPClassifierScratch(max_iter=1, early_stopping=True).fit(
                X, np.arange(30) // 3
            ),
        ),
    ],
)
def test_a_warning_points_to_the_call_of_fit(message, fit):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit()
    found = [w.filename for w in caught if message in str(w.message)]
    assert found == [__file__]


def test_a_warning_in_a_pipeline_points_out_of_skmlp():
    pipeline = make_pipeline(StandardScaler(), MLPRegressorScratch(max_iter=1))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pipeline.fit(X, Y)
    (warning,) = caught
    assert Path(skmlp.__file__).parent not in Path(warning.filename).parents
