"""Tests of standardized targets of the regressor."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_regression
from sklearn.preprocessing import StandardScaler

import skmlp
from skmlp import MLPRegressorScratch
from skmlp.callbacks import Checkpoint

SMALL = {"hidden_layer_sizes": (8,), "max_iter": 20, "random_state": 0}


@pytest.fixture
def data():
    X, y = make_regression(120, 4, noise=5, random_state=0)
    return X, 1e4 + 100 * y


def regressor(**params):
    return MLPRegressorScratch(**{**SMALL, "target_transform": "standardize", **params})


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_predictions_are_those_of_transformed_target_regressor(solver, n_outputs):
    X, y = make_regression(120, 4, n_targets=n_outputs, random_state=0)
    y = 1e4 + 100 * y
    ours = regressor(solver=solver).fit(X, y)
    theirs = TransformedTargetRegressor(
        MLPRegressorScratch(**SMALL, solver=solver), transformer=StandardScaler()
    ).fit(X, y)
    expected = np.clip(theirs.predict(X), y.min(axis=0), y.max(axis=0))
    assert_allclose(ours.predict(X), expected, rtol=1e-6)
    assert_allclose(ours.target_mean_, y.mean(axis=0))
    assert_allclose(ours.target_scale_, y.std(axis=0))


def test_predictions_are_within_the_range_of_the_targets(data):
    X, y = data
    predicted = regressor().fit(X, y).predict(1e3 * X)
    assert predicted.min() == y.min()
    assert predicted.max() == y.max()


@pytest.mark.parametrize("early_stopping", [False, True])
def test_the_loss_does_not_depend_on_the_unit(data, early_stopping):
    X, y = data
    params = {"early_stopping": early_stopping, "max_iter": 60}
    one = regressor(**params).fit(X, y)
    other = regressor(**params).fit(X, 1e-6 * y + 3)
    assert_allclose(one.loss_curve_, other.loss_curve_, rtol=1e-5)
    assert one.n_iter_ == other.n_iter_
    assert_allclose(1e-6 * one.predict(X) + 3, other.predict(X), rtol=1e-6)


def test_weights_are_equivalent_to_repetitions(data):
    X, y = data
    w = np.random.RandomState(0).randint(3, size=len(y))
    y[w == 0] = 1e12
    weighted = regressor(solver="lbfgs").fit(X, y, sample_weight=w)
    repeated = regressor(solver="lbfgs").fit(np.repeat(X, w, 0), np.repeat(y, w))
    assert_allclose(weighted.target_mean_, repeated.target_mean_)
    assert_allclose(weighted.target_scale_, repeated.target_scale_)
    assert_allclose(weighted.target_high_, repeated.target_high_)
    assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-3)


@pytest.mark.parametrize("value", [0.0, 7.5, 1e300])
def test_constant_targets(data, value):
    y = np.full(len(data[1]), value)
    assert_array_equal(regressor().fit(data[0], y).predict(data[0]), y)


def test_continued_training_keeps_the_unit_and_extends_the_range(data):
    X, y = data
    reg = regressor().partial_fit(X[:60], y[:60])
    mean = reg.target_mean_.copy()
    reg.partial_fit(X[60:], 2 * y[60:])
    assert_array_equal(reg.target_mean_, mean)
    assert reg.target_high_ == max(y[:60].max(), 2 * y[60:].max())
    reg.fit(X, y)
    assert_allclose(reg.target_mean_, y.mean())


def test_a_training_that_is_resumed_has_the_same_unit(data, tmp_path):
    X, y = data
    X_new, y_new = X[:80], 3 * y[:80]
    path = tmp_path / "checkpoint"
    first = regressor(warm_start=True).fit(X, y)
    first.set_params(callbacks=Checkpoint(path, every=7), max_iter=21)
    first.fit(X_new, y_new)
    params = {"max_iter": 25, "callbacks": None}
    expected = regressor(warm_start=True).fit(X, y).set_params(**params)
    expected.fit(X_new, y_new)
    resumed = regressor(warm_start=True, **params).fit(X_new, y_new, resume_from=path)
    assert_array_equal(resumed.target_mean_, expected.target_mean_)
    assert_allclose(resumed.predict(X), expected.predict(X), rtol=1e-12)


def test_without_the_transform_there_are_no_attributes(data):
    reg = regressor().fit(*data)
    assert hasattr(reg, "target_mean_")
    reg.set_params(target_transform=None).fit(*data)
    assert not hasattr(reg, "target_mean_")


def test_input_gradient_is_that_of_the_predictions(data):
    X, y = data
    reg = regressor(activation="tanh").fit(X, y)
    inside = (reg.predict(X) > y.min()) & (reg.predict(X) < y.max())
    X = X[inside][:5]
    step = 1e-5 * np.eye(4)
    numeric = [(reg.predict(X + h) - reg.predict(X - h)) / 2e-5 for h in step]
    assert_allclose(reg.input_gradient(X), np.transpose(numeric), rtol=1e-5)


def test_a_file_has_the_unit(data, tmp_path):
    X, y = data
    reg = regressor().fit(X, y)
    skmlp.save(reg, tmp_path / "model.skmlp")
    other = skmlp.load(tmp_path / "model.skmlp")
    assert_array_equal(other.predict(X), reg.predict(X))
    reg.target_scale_ = -reg.target_scale_
    with pytest.raises(ValueError, match="its target_scale_ is not valid"):
        skmlp.save(reg, tmp_path / "model.skmlp")


@pytest.mark.parametrize(
    "params", [{"loss": "poisson"}, {"output_activation": "softplus"}], ids=str
)
def test_positive_outputs_cannot_be_standardized(data, params):
    with pytest.raises(ValueError, match="needs a loss for all real numbers"):
        regressor(**params).fit(data[0], np.abs(data[1]))
