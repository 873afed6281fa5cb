"""Tests of the declaration of parameters as fields."""

import pickle
from dataclasses import fields
from numbers import Real

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp._sklearn import Interval
from skmlp.estimators.parameters import param, parameters

ESTIMATORS = [MLPClassifierScratch, MLPRegressorScratch]
X = np.random.default_rng(0).normal(size=(20, 3))
Y = X[:, 0]


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_every_parameter_is_a_field_with_constraints(Estimator):
    names = {field.name for field in fields(Estimator)}
    assert names == Estimator().get_params().keys()
    assert names == Estimator._parameter_constraints.keys()
    assert all(Estimator._parameter_constraints.values())


def test_a_field_of_a_derived_class_is_a_parameter():
    @parameters
    class Scaled(MLPRegressorScratch):
        factor: float = param(Interval(Real, 0, None, closed="neither"), default=2.0)

        def predict(self, X):
            return self.factor * super().predict(X)

    estimator = Scaled(max_iter=2, factor=3.0)
    assert estimator.get_params() == {
        **MLPRegressorScratch(max_iter=2).get_params(),
        "factor": 3.0,
    }
    assert clone(estimator).factor == 3.0
    fitted = clone(estimator).fit(X, Y)
    plain = super(Scaled, fitted).predict(X)
    np.testing.assert_array_equal(fitted.predict(X), 3 * plain)
    with pytest.raises(InvalidParameterError, match="'factor' parameter of Scaled"):
        Scaled(factor=-1.0).fit(X, Y)


def test_derived_class_with_custom_constructor():
    class Small(MLPRegressorScratch):
        def __init__(self, alpha=0.5):
            super().__init__(hidden_layer_sizes=(3,), alpha=alpha, max_iter=2)

    estimator = Small(alpha=0.25)
    assert estimator.get_params() == {"alpha": 0.25}
    assert clone(estimator).fit(X, Y).coefs_[0].shape == (3, 3)


def test_a_pickle_without_a_parameter_has_its_default():
    estimator = MLPClassifierScratch(engine="numpy")
    del vars(estimator)["clip_norm"]  # as in a pickle of an earlier version
    loaded = pickle.loads(pickle.dumps(estimator))
    assert "clip_norm" not in vars(loaded)
    assert loaded.get_params() == MLPClassifierScratch(engine="numpy").get_params()


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_other_arguments_raise(Estimator):
    with pytest.raises(TypeError, match="unexpected keyword argument 'layers'"):
        Estimator(layers=3)
    with pytest.raises(TypeError, match="positional argument"):
        Estimator(*["squared_error", (3,), "relu", "sgd"])
