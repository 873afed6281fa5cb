"""Runge data and networks of D, and the comparison with the plain loop."""

import numpy as np
from plain import PlainNetwork, adam
from report import UNTIL_THE_END, initial_weights, side_by_side
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_squared_error, r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from skmlp import MLPClassifierScratch, MLPRegressorScratch

HIDDEN = ["relu", "leaky_relu", "elu", "logistic", "tanh"]
NOISE = 0.1
COLORS = ("#D55E00", "#009E73", "#CC79A7")  # safe for colour-blind readers


def runge(x):
    """Return the Runge function."""
    return 1 / (1 + 25 * x**2)


def runge_points(noise=0.0):
    """Return the 100 points, with or without noise."""
    x = np.linspace(-1, 1, 100)
    y = runge(x) + noise * np.random.default_rng(0).normal(size=len(x))
    return x[:, np.newaxis], y


def runge_split(noise=0.0):
    """Training and test data, X not yet standardized."""
    return train_test_split(*runge_points(noise), test_size=0.2, random_state=0)


def standardized(X, X_test, y, y_test):
    """Return the data with X standardized by the training samples."""
    scaler = StandardScaler().fit(X)
    return scaler.transform(X), scaler.transform(X_test), y, y_test


def network(sizes=(100, 100), **params):
    """Return a network of the document."""
    defaults = {
        "hidden_layer_sizes": sizes,
        "activation": "logistic",
        "alpha": 0,
        "learning_rate_init": 5e-3,
        "momentum": 0,
        "batch_size": "full",
        "shuffle": False,
        "max_iter": 500,
        "random_state": 0,
        **UNTIL_THE_END,
    }
    return MLPRegressorScratch(**{**defaults, **params})


def polynomial(degree=13):
    """Return a model of ordinary least squares on powers of x."""
    return make_pipeline(
        PolynomialFeatures(degree, include_bias=False), LinearRegression()
    )


def penalized(optimizer, model, strength):
    """Return an optimizer that adds the gradient of an L2 penalty."""

    def step(grads):
        n_layers = len(model.coefs)
        coefs = [
            g + strength * W for g, W in zip(grads[:n_layers], model.coefs, strict=True)
        ]
        return optimizer([*coefs, *grads[n_layers:]])

    return step


def training(estimator, weights, X, y):
    """Train a clone of an estimator, from these weights."""
    coefs, intercepts = weights
    return clone(estimator).fit(X, y, coefs_init=coefs, intercepts_init=intercepts)


def plain_training(estimator, weights, X, Y, optimizer):
    """Train the plain loop with an estimator's parameters, from these weights."""
    hidden = [estimator.activation] * len(estimator.hidden_layer_sizes)
    is_classifier = isinstance(estimator, MLPClassifierScratch)
    output = "softmax" if is_classifier else "identity"
    model = PlainNetwork(*weights, [*hidden, output])
    batch_size = len(X) if estimator.batch_size == "full" else estimator.batch_size
    step = optimizer(estimator.learning_rate_init)
    if estimator.alpha:
        step = penalized(step, model, estimator.alpha / batch_size)
    return model.train(X, Y, step, estimator.max_iter, batch_size)


def beside_plain_loop(estimator, X, y, optimizer=adam):
    """Train both from the same weights, and time them.

    Returns
    -------
    our_result, our_seconds, loop, loop_seconds
    """
    weights = initial_weights(estimator, X, y)
    return side_by_side(
        lambda: training(estimator, weights, X, y),
        lambda: plain_training(estimator, weights, X, y[:, np.newaxis], optimizer),
    )


def scores(y, predicted):
    """Return the MSE and R^2 as text."""
    mse = mean_squared_error(y, predicted)
    return f"MSE {mse:.2g}, R² {r2_score(y, predicted):.4f}"
