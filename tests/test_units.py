"""Tests of the warning of validation data in another unit."""

import warnings

import numpy as np
import pytest
from sklearn import config_context
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.estimators.units import warn_of_other_units
from skmlp.training.data import Data

PARAMS = {"hidden_layer_sizes": (3,), "max_iter": 3, "random_state": 0}


@pytest.fixture
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return train_test_split(X, y, random_state=0)


@pytest.fixture
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return train_test_split(X, y, random_state=0)


def test_a_transformed_target_whose_validation_target_is_not(diabetes):
    X, X_val, y, y_val = diabetes
    regressor = MLPRegressorScratch(early_stopping=True, **PARAMS)
    model = TransformedTargetRegressor(regressor, transformer=StandardScaler())
    with pytest.warns(UserWarning, match="y_val does not .* Transform y_val like y"):
        model.fit(X, y, X_val=X_val, y_val=y_val)
    scaler = StandardScaler().fit(y[:, np.newaxis])
    y_val = scaler.transform(y_val[:, np.newaxis]).ravel()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.filterwarnings("ignore", "Stochastic Optimizer")
        model.fit(X, y, X_val=X_val, y_val=y_val)
    assert model.regressor_.history_["val_loss"][-1] < 2


@pytest.mark.parametrize("transform", [lambda y: y / 1000, np.log, scale])
def test_targets_that_are_not_transformed(diabetes, transform):
    """And validation targets that are, where the targets are not."""
    X, X_val, y, y_val = diabetes
    regressor = MLPRegressorScratch(**PARAMS)
    for target, target_val in (transform(y), y_val), (y, transform(y_val)):
        with pytest.warns(
            UserWarning, match="y_val does not seem to be in the unit of y"
        ):
            regressor.fit(X, target, X_val=X_val, y_val=target_val)


def test_the_warning_names_both_distributions_and_the_line_of_the_user():
    y = np.arange(100.0)
    with pytest.warns(UserWarning, match="y_val does not") as record:
        MLPRegressorScratch(**PARAMS).fit(
            y[:, np.newaxis], y, X_val=y[:, np.newaxis], y_val=1e6 + y
        )
    warning = next(w for w in record if "y_val" in str(w.message))
    assert "1e+06" in str(warning.message)
    assert "28.9" in str(warning.message)
    assert warning.filename == __file__


@pytest.mark.parametrize("swapped", [False, True])
def test_features_that_are_not_transformed(cancer, swapped):
    X, X_val, y, y_val = cancer
    scaler = StandardScaler().fit(X)
    if swapped:
        X_val = scaler.transform(X_val)
    else:
        X = scaler.transform(X)
    with pytest.warns(
        UserWarning, match=r"X_val does not seem .* of 30 features differ"
    ):
        MLPClassifierScratch(**PARAMS).fit(X, y, X_val=X_val, y_val=y_val)


def test_a_pipeline_that_transforms_both(cancer):
    X, X_val, y, y_val = cancer
    with (
        config_context(enable_metadata_routing=True),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error", UserWarning)
        warnings.filterwarnings("ignore", "Stochastic Optimizer")
        classifier = MLPClassifierScratch(**PARAMS)
        classifier.set_fit_request(X_val=True, y_val=True)
        model = make_pipeline(StandardScaler(), classifier)
        model.set_params(transform_input=["X_val"])
        model.fit(X, y, X_val=X_val, y_val=y_val)


def series(name, n, rng):
    t = np.arange(n) / n
    return {
        "random walk": np.cumsum(rng.normal(size=n)),
        "exponential growth": np.exp(5 * t) + 0.01 * rng.normal(size=n),
        "trend": t + 0.1 * rng.normal(size=n),
        "heavy tails": rng.pareto(1.5, size=n),
        "mostly zero": (rng.random(n) < 0.02) * rng.lognormal(0, 2, size=n),
        "constant": np.ones(n),
    }[name]


@pytest.mark.parametrize("n_val", [2, 5, 20])
@pytest.mark.parametrize(
    "name",
    [
        "random walk",
        "exponential growth",
        "trend",
        "heavy tails",
        "mostly zero",
        "constant",
    ],
)
def test_honest_validation_sets(name, n_val):
    """Of which some are of a later time."""
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(100):
            y = series(name, int(rng.integers(60, 500)), rng)[:, np.newaxis]
            train, val = y[:-n_val], y[-n_val:]
            warn_of_other_units(
                Data(train, train, train, None),
                Data(val, val, val, None),
                is_regression=True,
            )
