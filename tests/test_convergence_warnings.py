"""Tests that fits which do not converge say why, and that others say nothing."""

import re
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
    make_moons,
    make_regression,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler, scale

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.training import diagnosis

pytestmark = pytest.mark.usefixtures("one_blas_thread")

X, Y = make_regression(300, 8, noise=5, random_state=0)
X, Y = scale(X), scale(Y)
X_CLASSES, LABELS = make_classification(400, 8, n_informative=5, random_state=0)
X_CLASSES = scale(X_CLASSES)
ONE_LARGE = np.array([1e6, 1, 1, 1, 1, 1, 1, 1])

SENTENCES = {
    "targets": "[Tt]argets ha(ve|s) a mean",
    "features": "features have|of X has",
    "units": "In hidden layer",
    "rate": "smaller learning_rate_init[.]",
    "fall": "still falling",
}
MAX_ITER = "Stochastic Optimizer: Maximum iterations"
HOPELESS = "Training has ended, but the predictions of the network"


def regressor(**params):
    return MLPRegressorScratch(**{"random_state": 0, **params})


def classifier(**params):
    return MLPClassifierScratch(**{"random_state": 0, **params})


def messages(estimator, *data, **fit_params):
    """Fit, and return the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(*data, **fit_params)
    return [w for w in caught if issubclass(w.category, ConvergenceWarning)]


def causes(text):
    return [cause for cause, pattern in SENTENCES.items() if re.search(pattern, text)]


BROKEN = {
    "large targets": (regressor(), X, Y * 1e8, MAX_ITER, ["targets"]),
    "an offset": (regressor(), X, Y + 1e6, MAX_ITER, ["targets"]),
    "both": (regressor(), X, 1e8 * Y + 7e8, MAX_ITER, ["targets"]),
    "small targets": (regressor(), X, Y * 1e-4, HOPELESS, ["targets"]),
    "small targets, lbfgs": (
        regressor(solver="lbfgs"),
        X,
        Y * 1e-4,
        f"lbfgs: {HOPELESS}",
        ["targets"],
    ),
    "large targets, lbfgs": (
        regressor(solver="lbfgs", max_iter=50),
        X,
        Y * 1e8,
        "lbfgs failed to converge after 50",
        ["targets"],
    ),
    "a large feature": (
        classifier(solver="sgd", max_iter=5),
        X_CLASSES * ONE_LARGE,
        LABELS,
        MAX_ITER,
        ["features"],
    ),
    "a large feature, lbfgs": (
        regressor(solver="lbfgs", max_iter=5),
        X * ONE_LARGE,
        Y,
        "lbfgs failed to converge after 5",
        ["features"],
    ),
    "few epochs": (classifier(max_iter=15), X_CLASSES, LABELS, MAX_ITER, ["fall"]),
    "a small rate": (
        classifier(max_iter=30, learning_rate_init=1e-6, tol=0),
        X_CLASSES,
        LABELS,
        MAX_ITER,
        ["fall"],
    ),
    "a large rate": (
        classifier(solver="sgd", learning_rate_init=10),
        X_CLASSES,
        LABELS,
        HOPELESS,
        ["rate"],
    ),
    "a large rate, oscillating": (
        regressor(solver="sgd", learning_rate_init=0.5, max_iter=30),
        X,
        Y,
        MAX_ITER,
        ["rate"],
    ),
}


@pytest.mark.parametrize("engine", ["auto", "numpy"])
@pytest.mark.parametrize("case", BROKEN)
def test_cause_of_a_failed_training_is_reported(case, engine):
    """In one warning, and nothing else is."""
    estimator, samples, targets, beginning, expected = BROKEN[case]
    estimator = estimator.set_params(engine=engine)
    (warning,) = messages(estimator, samples, targets)
    text = str(warning.message)
    assert beginning in text
    if "rate" not in expected:  # the large feature makes the loss rise, too
        text = text.replace("if this continues, use", "")
        text = text.replace("smaller learning_rate_init.", "")
    assert causes(text) == expected


def test_dead_units_are_reported():
    """All of them: the network is a constant."""
    dead = [np.full(100, -1e3), None]
    (warning,) = messages(classifier(), X_CLASSES, LABELS, intercepts_init=dead)
    text = str(warning.message)
    assert HOPELESS in text
    assert "100 of 100 relu units give 0 for all 400 training samples" in text
    assert causes(text.replace("smaller learning_rate_init, ", "")) == ["units"]


def test_the_remedy_works():
    scaled = TransformedTargetRegressor(
        regressor(max_iter=1000, tol=1e-3), transformer=StandardScaler()
    )
    assert messages(scaled, X, 1e8 * Y + 7e8) == []
    assert scaled.score(X, 1e8 * Y + 7e8) > 0.95


def test_errors_of_divergence_have_the_same_explanation():
    with pytest.raises(ValueError, match="training diverged in epoch") as error:
        regressor(solver="sgd").fit(X, Y * 1e8)
    assert causes(str(error.value)) == ["targets"]
    with pytest.raises(ValueError, match="training diverged in epoch") as error:
        regressor(solver="sgd").fit(X * ONE_LARGE, Y)
    assert causes(str(error.value)) == ["features"]
    with pytest.raises(ValueError, match="training diverged in epoch") as error:
        regressor(solver="sgd", learning_rate_init=1e3).fit(X, Y)
    assert str(error.value).endswith("for example with StandardScaler.")
    with pytest.raises(ValueError, match="training diverged in iteration") as error:
        regressor(solver="lbfgs").fit(X, Y * 1e200)
    assert causes(str(error.value)) == ["targets"]


def test_non_finite_loss_has_the_same_explanation():
    params = {"solver": "sgd", "dtype": "float32", "clip_norm": 1.0, "max_iter": 5}
    found = messages(regressor(**params), X, Y * 1e25)
    assert len(found) == 2  # as before
    for warning in found:
        assert causes(str(warning.message)) == ["targets"]


def test_partial_fit_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        regressor().partial_fit(X, Y * 1e8)
    estimator = regressor(solver="sgd", learning_rate_init=1e300)
    with pytest.raises(ValueError, match=r"for example with StandardScaler\.$"):
        estimator.partial_fit(X, Y * 1e3)


HEALTHY = {
    "iris": (classifier, scale(load_iris().data), load_iris().target),
    "wine": (classifier, scale(load_wine().data), load_wine().target),
    "cancer": (
        classifier,
        scale(load_breast_cancer().data),
        load_breast_cancer().target,
    ),
    "iris as it is": (classifier, *load_iris(return_X_y=True)),
    "digits": (classifier, load_digits().data[:300] / 16, load_digits().target[:300]),
    "moons": (classifier, *make_moons(200, noise=0.2, random_state=0)),
    "regression": (regressor, X, Y),
    "random labels": (classifier, X, np.arange(300) * 7 % 3),
    "random labels, unscaled": (classifier, X + 100, np.arange(300) * 7 % 3),
    "random targets": (regressor, X, np.random.default_rng(0).permutation(Y)),
    "rare class": (classifier, X, (np.arange(300) < 2).astype(int)),
    "one class": (classifier, X, np.zeros(300)),
    "constant target": (regressor, X, np.ones(300)),
    "sparse": (classifier, csr_matrix(X_CLASSES * (X_CLASSES > 1)), LABELS),
}
SETTINGS = {
    "adam": {},
    "few epochs": {"max_iter": 2},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.05},
    "lbfgs": {"solver": "lbfgs"},
    "tanh": {"activation": "tanh", "learning_rate_init": 0.01},
    "logistic": {"activation": "logistic"},
    "early stopping": {"early_stopping": True, "validation_fraction": 0.3},
    "cosine": {"learning_rate": "cosine", "max_iter": 30},
    "L1": {"alpha": 100.0, "l1_ratio": 1.0},
    "dropout": {"dropout": 0.5, "batch_norm": True},
    "float32": {"dtype": "float32", "batch_size": 20, "max_iter": 30},
}


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_fits_warn_no_more_than_without_a_diagnosis(
    name, settings, monkeypatch
):
    build, samples, targets = HEALTHY[name]
    if name == "rare class" and settings == "early stopping":
        targets = np.arange(300) % 30 == 0
    params = {"hidden_layer_sizes": (20,), "max_iter": 60, **SETTINGS[settings]}
    found = messages(build(**params), samples, targets)
    with monkeypatch.context() as patch:
        patch.setattr(diagnosis, "_guarded", lambda call, default: default)
        silent = messages(build(**params), samples, targets)
    assert len(found) == len(silent)
    allowed = {"fall"} | (
        {"features", "rate", "units"} if "unscaled" in name else set()
    )
    for with_causes, without in zip(found, silent, strict=True):
        text = str(with_causes.message)
        assert text.startswith(str(without.message))
        assert set(causes(text)) <= allowed


def fitted_state(estimator):
    """What a fit has left, but for the seconds."""
    state = dict(vars(estimator))
    for name in "history_", "_rng", "_network", "_optimizer", "_trained_with":
        state.pop(name, None)
    state["random_state"] = estimator.random_state.get_state()[1].tolist()
    return state


@pytest.mark.parametrize("case", ["large targets", "small targets", "few epochs"])
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"solver": "lbfgs"}])
def test_the_fit_is_the_same_with_and_without_a_diagnosis(case, options, monkeypatch):
    estimator, samples, targets, *_ = BROKEN[case]
    params = estimator.get_params() | {"max_iter": 20} | options
    state = []
    for _ in range(2):
        params["random_state"] = np.random.RandomState(0)
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        fitted = type(estimator)(**params)
        messages(fitted, samples, targets)
        state.append(fitted_state(fitted))
        after = np.random.get_state()[1]  # noqa: NPY002
        np.testing.assert_array_equal(before, after)
        monkeypatch.setattr(diagnosis, "_guarded", lambda call, default: default)
    np.testing.assert_equal(*state)


def test_a_warning_of_a_hopeless_fit_is_attributed_to_the_caller():
    for solver in "adam", "lbfgs":
        (warning,) = messages(regressor(solver=solver), X, Y * 1e-4)
        assert warning.filename == __file__


def test_rows_of_zero_weight_do_not_matter():
    w = np.ones(300)
    w[::4] = 0
    targets, samples = Y.copy(), X.copy()
    targets[::4], samples[::4] = 1e9, 1e9
    params = {"max_iter": 10, "early_stopping": False}
    (warning,) = messages(regressor(**params), samples, targets, sample_weight=w)
    assert causes(str(warning.message)) == ["fall"]


def test_no_advice_on_targets_if_the_output_is_not_the_identity():
    """Counts cannot be standardized."""
    counts = np.round(np.exp(Y) * 1e4)
    found = messages(regressor(loss="poisson", max_iter=5), X, counts)
    assert [causes(str(w.message)) for w in found if MAX_ITER in str(w.message)]
    assert not any("targets" in causes(str(w.message)) for w in found)


def test_other_ends_of_a_training_are_not_commented_on():
    """A callback may stop whenever it wants to."""
    from skmlp.callbacks import Callback

    class Stop(Callback):
        def on_epoch_end(self, training):
            return training.n_iter == 15

    assert messages(regressor(callbacks=[Stop()]), X, Y + 1e6) == []


def test_no_diagnosis_for_a_warning_that_is_ignored(monkeypatch):
    """As in a grid search, whose user has silenced the warnings."""
    asked = []
    monkeypatch.setattr(
        "skmlp.training.diagnosis.Diagnosis.causes",
        lambda self, losses=(): asked.append(losses) or [],
    )
    regressor = MLPRegressorScratch(max_iter=2, random_state=0)
    X = np.random.default_rng(0).normal(size=(20, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        regressor.fit(X, X[:, 0])
    assert not asked
    with pytest.warns(ConvergenceWarning):
        regressor.fit(X, X[:, 0])
    assert len(asked) == 1
