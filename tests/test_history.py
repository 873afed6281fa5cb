"""Tests of history_, the record of training, and of what verbose prints of it."""

import pickle
import re
from copy import copy, deepcopy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.neural_network import MLPClassifier

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.core.optimizers import OPTIMIZERS

pytestmark = pytest.mark.usefixtures("one_blas_thread")

KEYS = ["loss", "val_loss", "val_score", "learning_rate", "grad_norm", "seconds"]
SMALL = {"hidden_layer_sizes": (5,), "max_iter": 8, "random_state": 0}


@pytest.fixture
def data(datasets):
    return datasets["multiclass"]


def classifier(**params):
    return MLPClassifierScratch(**SMALL | params)


def linear(**params):
    """Least squares by full-batch descent."""
    fixed = {"hidden_layer_sizes": (), "solver": "sgd", "batch_size": "full"}
    return MLPRegressorScratch(**SMALL | fixed | params)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", sorted(OPTIMIZERS))
def test_one_entry_for_each_epoch(data, solver, early_stopping):
    clf = classifier(solver=solver, early_stopping=early_stopping)
    history = clf.fit(data.X, data.y).history_
    assert list(history) == KEYS
    for name, values in history.items():
        assert isinstance(values, list), name
        assert len(values) == clf.n_iter_, name
        assert all(isinstance(value, float) for value in values), name
    assert history["loss"] == clf.loss_curve_
    assert history["loss"][-1] == clf.loss_
    assert min(history["seconds"]) > 0
    assert np.isnan(history["grad_norm"]).all() == (solver == "random_search")
    assert np.isfinite(history["val_loss"]).all() == early_stopping
    if early_stopping:
        assert history["val_score"] == clf.validation_scores_


def test_history_grows_with_warm_start_and_is_reset_without(data):
    clf = classifier(warm_start=True, max_iter=3)
    lengths = []
    for _ in range(3):
        clf.fit(data.X, data.y)
        lengths.append([len(values) for values in clf.history_.values()])
    assert lengths == [[3] * 6, [6] * 6, [9] * 6]
    assert clf.history_["loss"] == clf.loss_curve_
    clf.set_params(warm_start=False).fit(data.X, data.y)
    assert len(clf.loss_curve_) == 3
    assert len(clf.history_["seconds"]) == 3


def test_it_grows_over_partial_fit(data):
    clf = classifier()
    for n_calls in 1, 2, 3, 4:
        clf.partial_fit(data.X, data.y, classes=[0, 1, 2])
        assert [len(values) for values in clf.history_.values()] == [n_calls] * 6
        assert len(clf.loss_curve_) == n_calls
    clf.fit(data.X, data.y)
    assert len(clf.loss_curve_) == 8


def test_copy_is_independent(data):
    original = classifier().fit(data.X, data.y)
    copied = copy(original).partial_fit(data.X, data.y)
    assert len(original.loss_curve_) == len(original.history_["loss"]) == 8
    assert len(copied.loss_curve_) == len(copied.history_["loss"]) == 9
    unfitted = copy(classifier(alpha=0.5))
    assert unfitted.alpha == 0.5
    assert not hasattr(unfitted, "history_")


def test_lbfgs_leaves_no_threads(data):
    clf = classifier().fit(data.X, data.y)
    clf.set_params(solver="lbfgs").fit(data.X, data.y)
    assert not hasattr(clf, "history_")
    assert not hasattr(clf, "loss_curve_")


def test_failing_call_does_not_change_the_history(data):
    clf = classifier(warm_start=True).fit(data.X, data.y)
    before = {name: list(values) for name, values in clf.history_.items()}
    with pytest.raises(ValueError, match="diverged"):
        clf.set_params(solver="sgd", learning_rate_init=1e200).fit(data.X, data.y)
    assert clf.history_ == before


# The learning rate.

ETA = 0.08
N_STEPS = 3  # of an epoch: 120 samples by 50
RATES = {  # of the last step of epoch e, from 0
    "constant": lambda e: ETA,
    "invscaling": lambda e: ETA / (120 * e + 1) ** 0.5 if e else ETA,
    "step": lambda e: ETA * 0.5 ** (e // 3),
    "exponential": lambda e: ETA * 0.5**e,
    "cosine": lambda e: (
        0.01 + (ETA - 0.01) * (1 + np.cos(np.pi * (3 * e + 2) / (3 * 8))) / 2
    ),
}


@pytest.mark.parametrize("solver", ["sgd", "adam", "rmsprop"])
@pytest.mark.parametrize("schedule", RATES)
def test_the_learning_rate_of_schedules(data, schedule, solver):
    clf = classifier(
        solver=solver,
        learning_rate=schedule,
        learning_rate_init=ETA,
        decay_rate=0.5,
        decay_epochs=3,
        learning_rate_min=0.01,
        batch_size=50,
    ).fit(data.X, data.y)
    if (solver, schedule) == ("adam", "invscaling"):  # as in scikit-learn
        schedule = "constant"
    expected = [RATES[schedule](epoch) for epoch in range(8)]
    assert_allclose(clf.history_["learning_rate"], expected)


def test_the_learning_rate_of_warm_up_and_functions(data):
    clf = classifier(
        solver="sgd", batch_size=50, learning_rate_init=ETA, warmup_steps=12
    ).fit(data.X, data.y)
    expected = [ETA * min(1, (3 * e + 3) / 12) for e in range(8)]
    assert_allclose(clf.history_["learning_rate"], expected)
    clf.set_params(learning_rate=lambda step: 0.1 / (1 + step), warmup_steps=0)
    clf.fit(data.X, data.y)
    expected = [0.1 / (1 + 3 * e + 2) for e in range(8)]
    assert_allclose(clf.history_["learning_rate"], expected)


def test_the_adaptive_learning_rate(data):
    clf = classifier(
        solver="sgd",
        learning_rate="adaptive",
        learning_rate_init=ETA,
        tol=100.0,
        n_iter_no_change=2,
        max_iter=10,
    ).fit(data.X, data.y)
    # No epoch improves after the first; more than two in a row are a plateau.
    expected = [ETA / 5 ** (max(0, e - 1) // 3) for e in range(10)]
    assert_allclose(clf.history_["learning_rate"], expected)


@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize(
    "solver", [s for s in OPTIMIZERS if not OPTIMIZERS[s].full_batch]
)
def test_the_plateau_learning_rate(data, solver, engine):
    """For every solver. Training stops at the plateau after the floor is reached."""
    clf = classifier(
        solver=solver,
        engine=engine,
        learning_rate="plateau",
        learning_rate_init=ETA,
        decay_rate=0.5,
        learning_rate_min=ETA / 4,
        tol=100.0,
        n_iter_no_change=2,
        max_iter=50,
    ).fit(data.X, data.y)
    expected = [ETA / 2 ** (max(0, e - 1) // 3) for e in range(10)]
    assert clf.history_["learning_rate"] == expected


@pytest.mark.parametrize("solver", ["sgd", "adamw", "rmsprop"])
def test_plateau_is_adaptive_with_its_defaults(data, solver):
    params = {"solver": solver, "learning_rate_init": ETA, "max_iter": 60}
    params |= {"tol": 0.01, "n_iter_no_change": 1}
    adaptive = classifier(learning_rate="adaptive", **params).fit(data.X, data.y)
    plateau = classifier(learning_rate="plateau", **params).fit(data.X, data.y)
    assert plateau.loss_curve_ == adaptive.loss_curve_
    assert len(set(plateau.history_["learning_rate"])) > 3


def test_plateau_watches_the_validation_score_with_early_stopping(data):
    """As 'adaptive' of scikit-learn's 'sgd' does."""
    clf = classifier(
        learning_rate="plateau",
        learning_rate_init=ETA,
        early_stopping=True,
        n_iter_no_change=1,
        tol=1.0,  # no score improves by more
        max_iter=9,
    ).fit(data.X, data.y)
    expected = [ETA, ETA, ETA, ETA / 5, ETA / 5, *[ETA / 25] * 2, *[ETA / 125] * 2]
    assert_allclose(clf.history_["learning_rate"], expected)


def test_partial_fit_continues_with_the_schedule(data):
    clf = classifier(learning_rate="exponential", decay_rate=0.5, batch_size=50)
    for _ in range(4):
        clf.partial_fit(data.X, data.y, classes=[0, 1, 2])
    expected = [1e-3, 5e-4, 2.5e-4, 1.25e-4]
    assert_allclose(clf.history_["learning_rate"], expected)


# The norm of the gradient.


@pytest.mark.parametrize("clip_norm", [None, 0.1])
def test_the_norm_of_the_gradient(datasets, clip_norm):
    """Computed along a descent that is written out; it is not the bounded one."""
    data = datasets["regression"]
    X, y, n = data.X, data.y, 120
    W, b = np.zeros(8), 0.0
    reg = linear(momentum=0.0, alpha=2.0, learning_rate_init=0.1, clip_norm=clip_norm)
    reg.fit(X, y, coefs_init=[W[:, np.newaxis]], intercepts_init=[[b]])
    for epoch in range(8):
        r = X @ W + b - y
        g = np.r_[(X.T @ r + 2.0 * W) / n, r.sum() / n]
        loss = (r @ r / 2 + 2.0 * (W @ W) / 2) / n
        assert_allclose(reg.history_["loss"][epoch], loss)
        assert_allclose(reg.history_["grad_norm"][epoch], np.linalg.norm(g))
        if clip_norm is not None:
            g *= min(1, clip_norm / np.linalg.norm(g))
        W, b = W - 0.1 * g[:-1], b - 0.1 * g[-1]


def test_the_norm_is_the_mean_over_the_batches(datasets):
    data = datasets["regression"]
    X, y = data.X, data.y
    reg = linear(
        alpha=0.0, learning_rate_init=1e-12, batch_size=50, shuffle=False, max_iter=1
    )
    reg.fit(X, y, coefs_init=[np.zeros((8, 1))], intercepts_init=[[0.0]])
    norms = []
    for rows in slice(0, 50), slice(50, 100), slice(100, 120):
        r = -y[rows]
        norms.append(np.linalg.norm(np.r_[X[rows].T @ r, r.sum()] / len(r)))
    assert_allclose(reg.history_["grad_norm"], np.mean(norms), rtol=1e-6)


# What is printed.


def test_verbose_3_prints_the_first_and_every_third_epoch(data, capsys):
    clf = classifier(verbose=3, max_iter=8)
    clf.fit(data.X, data.y, X_val=data.X, y_val=data.y)
    lines = capsys.readouterr().out.splitlines()
    history = clf.history_
    assert lines == [
        f"Iteration {k}, loss = {history['loss'][k - 1]:.8f}, "
        f"validation loss = {history['val_loss'][k - 1]:.8f}"
        for k in (1, 3, 6)
    ]
    clf.fit(data.X, data.y)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"Iteration {k}, loss = {clf.loss_curve_[k - 1]:.8f}" for k in (1, 3, 6)
    ]


def test_verbose_3_with_early_stopping(data, capsys):
    clf = classifier(verbose=3, max_iter=6, early_stopping=True).fit(data.X, data.y)
    lines = capsys.readouterr().out.splitlines()
    pattern = r"Iteration {}, loss = \d\.\d{{8}}, validation loss = \d\.\d{{8}}"
    assert len(lines) == 6
    for i, epoch in enumerate([1, 3, 6]):
        assert re.fullmatch(pattern.format(epoch), lines[2 * i])
        score = clf.validation_scores_[epoch - 1]
        assert lines[2 * i + 1] == f"Validation score: {score:f}"


@pytest.mark.parametrize("verbose", [True, 1])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_verbose_true_prints_like_scikit_learn(
    datasets, capsys, early_stopping, verbose
):
    data = datasets["binary"]
    params = {**SMALL, "early_stopping": early_stopping, "verbose": verbose}
    MLPClassifier(**params).fit(data.X, data.y)
    expected = capsys.readouterr().out
    params["engine"] = "numpy"
    MLPClassifierScratch(**params).fit(data.X, data.y)
    assert capsys.readouterr().out == expected
    assert expected.count("Iteration") == 8
    # With a validation set of the user's, too.
    if not early_stopping:
        est = MLPClassifierScratch(**params)
        est.fit(data.X, data.y, X_val=data.X, y_val=data.y)
        assert capsys.readouterr().out == expected


def test_nothing_is_printed_by_default(data, capsys):
    classifier(early_stopping=True).fit(data.X, data.y, X_val=data.X, y_val=data.y)
    assert capsys.readouterr().out == ""


def test_recording_does_not_change_the_training(datasets):
    data = datasets["binary"]
    theirs = MLPClassifier(**SMALL).fit(data.X, data.y)
    ours = MLPClassifierScratch(**SMALL, engine="numpy").fit(data.X, data.y)
    assert_allclose(ours.history_["loss"], theirs.loss_curve_, rtol=1e-12)
    assert_array_equal(ours.history_["loss"], ours.loss_curve_)


def test_a_pickle_grows_little_with_each_partial_fit():
    """By the loss, the norm of the gradient and the seconds, of 8 bytes each."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 3))
    regressor = MLPRegressorScratch(hidden_layer_sizes=(4,), random_state=0)

    def size_after(n):
        for _ in range(n):
            regressor.partial_fit(X, X[:, 0])
        return len(pickle.dumps(regressor))

    size_after(300)
    before = size_after(1)
    assert (size_after(1000) - before) / 1000 <= 25


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_pickle_restores_the_history(early_stopping):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    regressor = MLPRegressorScratch(
        hidden_layer_sizes=(4,),
        early_stopping=early_stopping,
        learning_rate="cosine",
        max_iter=7,
        warm_start=True,
        random_state=0,
    )
    regressor.fit(X, X[:, 0])
    for restored in pickle.loads(pickle.dumps(regressor)), deepcopy(regressor):
        np.testing.assert_equal(restored.history_, regressor.history_)
        assert restored.loss_curve_ == regressor.loss_curve_
        assert restored.loss_curve_ is not restored.history_["loss"]
        assert all(type(value) is float for value in restored.history_["val_loss"])
        n_epochs = len(regressor.loss_curve_) + restored.fit(X, X[:, 0]).n_iter_
        assert len(restored.loss_curve_) == len(restored.history_["loss"]) == n_epochs
