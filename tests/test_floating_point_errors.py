"""Tests under ``np.errstate(all="raise")``, as a user's program may set it."""

import warnings

import numpy as np
import pytest

import skmlp
from skmlp import MLPClassifierScratch, MLPRegressorScratch, check_gradient, compiled
from skmlp.core.activations import HIDDEN_ACTIVATIONS
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.schedules import SCHEDULES

RNG = np.random.default_rng(0)
# Inputs that saturate the units: exp underflows.
X = RNG.normal(size=(60, 4)) * 300
Y_BINARY = (X[:, 0] > 0).astype(int)
Y_CLASSES = np.digitize(X[:, 0], [-200, 200])
Y_LABELS = (X[:, :3] > 0).astype(int)
Y_NUMBERS = X[:, 0] / 300
W = RNG.random(60) * 1e-100  # so that some products underflow

ENGINES = ["numpy"] + ["compiled"] * (compiled.UNAVAILABLE is None)
CLASSIFIERS = [
    {"activation": name, "output_activation": output}
    for name in HIDDEN_ACTIVATIONS
    for output in ("auto", "softmax")
    if name in ("tanh", "relu") or output == "auto"
]
SHARED = [
    *(
        {"solver": solver, "learning_rate_init": 1e-6 if solver == "sgd" else 1e-3}
        for solver in ("lbfgs", *OPTIMIZERS)
    ),
    *({"learning_rate": schedule, "solver": "adamw"} for schedule in SCHEDULES),
    {"dropout": 0.3, "batch_norm": True},
    {"residual": True, "layer_norm": True},
    {"n_members": 3},
    {"early_stopping": True},
    {"early_stopping": True, "early_stopping_metric": "loss"},
    {"alpha": 1e-200, "l1_ratio": 0.5, "max_norm": 1e-3, "clip_norm": 1e-3},
    {"init": "orthogonal"},
    {"dtype": "float32"},
    {"dtype": "float32", "solver": "lbfgs"},
]
CASES = [
    *((MLPClassifierScratch, Y_CLASSES, params) for params in CLASSIFIERS[:-1]),
    *(
        (cls, y, params)
        for params in SHARED
        for cls, y in (
            (MLPClassifierScratch, Y_BINARY),
            (MLPClassifierScratch, Y_LABELS),
            (MLPRegressorScratch, Y_NUMBERS),
        )
    ),
    (MLPClassifierScratch, Y_CLASSES, {"class_weight": "balanced"}),
    (MLPClassifierScratch, Y_CLASSES, {"label_smoothing": 0.1}),
    (MLPClassifierScratch, Y_CLASSES, {"loss": "squared_error"}),
    *(
        (MLPRegressorScratch, np.abs(Y_NUMBERS), {"loss": loss})
        for loss in ("absolute_error", "huber", "quantile", "poisson")
    ),
]


def everything(cls, y, params, weighted, path):
    """All that an estimator computes, as arrays."""
    estimator = cls(hidden_layer_sizes=(6,), max_iter=5, random_state=0)
    estimator.set_params(**{"output_activation": "auto", **params})
    weights = None
    if weighted:  # without a penalty, which is divided by their sum
        weights = W
        estimator.set_params(alpha=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(X, y, sample_weight=weights)
    results = [*estimator.coefs_, estimator.predict(X), estimator.score(X, y)]
    results.append(estimator.score(X, y, sample_weight=np.ones(60)))
    for name in "predict_proba", "predict_log_proba", "decision_function":
        if hasattr(estimator, name):
            results.append(getattr(estimator, name)(X))
    results += estimator.hidden_activations(X)
    results.append(estimator.input_gradient(X[:5], output=0))
    skmlp.save(estimator, path)
    results.append(skmlp.load(path).predict(X))
    excluded = {"early_stopping", "class_weight"} & params.keys()
    if params.get("solver") != "lbfgs" and not excluded:
        results += estimator.partial_fit(X, y).coefs_
    return results


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", range(len(CASES)))
def test_results_are_those_without(case, engine, tmp_path):
    cls, y, params = CASES[case]
    path = tmp_path / "model.skmlp"
    if params.get("init") == "orthogonal" and engine == "compiled":
        pytest.skip("initialization does not depend on the engine")
    for weighted in (False, True):
        if weighted and params.get("dtype") == "float32":
            continue  # float32 has no such small weights
        expected = everything(cls, y, {**params, "engine": engine}, weighted, path)
        with np.errstate(all="raise"):
            results = everything(cls, y, {**params, "engine": engine}, weighted, path)
        for one, other in zip(results, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_diverging_training_is_still_reported():
    regressor = MLPRegressorScratch(
        solver="sgd", learning_rate_init=1e200, activation="identity", random_state=0
    )
    with np.errstate(all="raise"), pytest.raises(ValueError, match="diverged"):
        regressor.fit(X, Y_NUMBERS)


def test_gradient_check():
    regressor = MLPRegressorScratch(hidden_layer_sizes=(3,), random_state=0)
    expected = check_gradient(regressor, X[:9] / 300, Y_NUMBERS[:9])
    with np.errstate(all="raise"):
        result = check_gradient(regressor, X[:9] / 300, Y_NUMBERS[:9])
    assert result.max_relative_error == expected.max_relative_error


def test_reconstructed_input():
    classifier = MLPClassifierScratch(hidden_layer_sizes=(3,), random_state=0)
    classifier.fit(X / 300, Y_BINARY)
    expected = classifier.reconstruct_input(0, random_state=0)
    with np.errstate(all="raise"):
        result = classifier.reconstruct_input(0, random_state=0)
    np.testing.assert_array_equal(result, expected)
