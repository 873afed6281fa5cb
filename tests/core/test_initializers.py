"""Tests of the initial weights against scikit-learn's and the rule's bounds."""

import numpy as np
import pytest
from sklearn.neural_network import MLPRegressor

from skmlp.core.activations import HIDDEN_ACTIVATIONS
from skmlp.core.initializers import glorot
from skmlp.core.parameters import Parameters

LAYER_SIZES = (30, 40, 20, 1)


def drawn(activation, dtype=np.float64):
    theta = Parameters(LAYER_SIZES, dtype)
    glorot(np.random.RandomState(5), HIDDEN_ACTIVATIONS[activation], theta)
    return theta


@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
def test_initial_weights_are_scikit_learns(activation):
    """Same bounds, and random numbers drawn in the same order."""
    theirs = MLPRegressor(
        hidden_layer_sizes=LAYER_SIZES[1:-1],
        activation=activation,
        solver="sgd",
        learning_rate_init=1e-300,  # too little to move anything
        max_iter=1,
        random_state=5,
    ).fit(np.ones((2, 30)), [0, 1])
    theta = drawn(activation)
    for ours, reference in zip(
        theta.coefs + theta.intercepts,
        theirs.coefs_ + theirs.intercepts_,
        strict=True,
    ):
        np.testing.assert_array_equal(ours, reference)


@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
def test_initial_weights_are_spread_over_the_bounds_of_the_rule(activation):
    theta = drawn(activation)
    c = 2 if activation == "logistic" else 6
    for W, b in zip(theta.coefs, theta.intercepts, strict=True):
        bound = np.sqrt(c / sum(W.shape))
        assert 0.7 * bound < W.max() <= bound
        assert -bound <= W.min() < -0.7 * bound
        assert abs(W.mean()) < 0.3 * bound
        assert np.abs(b).max() <= bound
        assert b.any()


def test_float32_weights_are_the_rounded_float64_weights():
    theta = drawn("relu", np.float32)
    assert theta.flat.dtype == np.float32
    np.testing.assert_array_equal(theta.flat, drawn("relu").flat.astype(np.float32))
