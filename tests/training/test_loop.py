"""Tests of the training loop: stopping, best weights, interruption, output."""

import re
import warnings
from functools import partial
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from skmlp import MLPClassifierScratch
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.parameters import Parameters
from skmlp.core.schedules import SCHEDULES
from skmlp.training.batches import EpochOrder
from skmlp.training.loop import TrainingState, run_epochs


class Script:
    """Engine of a training whose epochs end as written down.

    An epoch is its loss, or an exception that is raised in the middle of it.
    After epoch i every parameter is i, half of that in the middle.
    """

    def __init__(self, theta, losses, diverges_at=None):
        self.theta, self.losses, self.diverges_at = theta, losses, diverges_at
        self.n_epochs = 0

    def run_epoch(self, order):
        loss = self.losses[self.n_epochs]
        self.n_epochs += 1
        if isinstance(loss, BaseException):
            self.theta.flat[:] = self.n_epochs / 2
            raise loss
        self.theta.flat[:] = self.n_epochs
        if self.n_epochs == self.diverges_at:
            self.theta.flat[-1] = np.nan
        return loss


def run(losses, scores=None, schedule="constant", best_score=-np.inf, **options):
    """Run the script; returns the state and the learning rates of the epochs."""
    theta = Parameters([2, 1])
    state = TrainingState(theta, SimpleNamespace(learning_rate=0.1))
    engine = Script(theta, losses, options.pop("diverges_at", None))
    rates, validate = [], None
    if scores is not None:
        state.best_loss, state.best_validation_score = None, best_score

        def validate(theta):
            assert (theta.flat[:-1] == engine.n_epochs).all()
            return scores[engine.n_epochs - 1]

    run_epoch = engine.run_epoch

    def noting_the_rate(order):
        rates.append(state.optimizer.learning_rate)
        return run_epoch(order)

    engine.run_epoch = noting_the_rate
    options = {"max_iter": 100, "tol": 0.01, "n_iter_no_change": 2, **options}
    run_epochs(
        state,
        engine,
        EpochOrder(10),
        SCHEDULES[schedule](0.1),
        validate=validate,
        **options,
    )
    return state, rates


def test_training_stops_when_the_loss_no_longer_improves():
    """After more than n_iter_no_change epochs in a row, none below the least."""
    state, _ = run([1, 0.5, 0.6, 0.4, 0.5, 0.45, 0.42, 0.1])
    assert state.n_iter == 7
    assert state.loss_curve == pytest.approx([1, 0.5, 0.6, 0.4, 0.5, 0.45, 0.42])
    assert state.loss == pytest.approx(0.42)
    assert state.best_loss == pytest.approx(0.4)
    assert state.t == 70
    assert state.theta.flat.tolist() == [7, 7, 7]


def test_an_improvement_of_less_than_tol_does_not_count_but_is_noted():
    """Each loss is compared with the least so far, not with the last that counted."""
    state, _ = run([1, 0.98, 0.975, 0.970, 0.965, 0.5])
    assert state.n_iter == 5
    assert state.best_loss == pytest.approx(0.965)


def test_training_stops_when_the_score_no_longer_improves():
    """And has the weights of the best epoch, the first of equals."""
    losses = [5.0] * 10
    state, _ = run(losses, [0.1, 0.5, 0.505, 0.505, 0.2, 0.9])
    assert state.n_iter == 5
    assert state.validation_scores == [0.1, 0.5, 0.505, 0.505, 0.2]
    assert state.best_validation_score == 0.505
    assert state.best_loss is None
    assert state.theta.flat.tolist() == [3, 3, 3]


def test_weights_that_were_better_before_are_restored():
    """The training goes on from weights whose score was better."""
    state, _ = run([1.0] * 5, [0.1, 0.5, 0.4, 0.3], best_score=0.8)
    assert state.n_iter == 3
    assert state.best_validation_score == 0.8
    assert state.theta.flat.tolist() == [0, 0, 0]


@pytest.mark.parametrize("scores", [None, [0.1, 0.2, 0.3]])
def test_reaching_max_iter_warns(scores):
    message = (
        "Stochastic Optimizer: Maximum iterations (3) reached and the optimization "
        "hasn't converged yet."
    )
    with pytest.warns(ConvergenceWarning, match=re.escape(message)):
        state, _ = run([1, 0.5, 0.1], scores, max_iter=3)
    assert state.n_iter == 3


def test_no_number_of_epochs_without_improvement_may_be_too_many():
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(60\)"):
        state, _ = run([1.0] * 60, max_iter=60, n_iter_no_change=np.inf)
    assert state.no_improvement_count == 59


@pytest.mark.parametrize("scores", [None, [0.5]])
def test_an_incremental_run_is_one_epoch_and_warns_of_nothing(scores):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state, _ = run([1.0] * 9, scores, incremental=True, max_iter=100)
        run([1.0], scores, incremental=True, max_iter=1)
    assert state.n_iter == 1
    assert state.t == 10


def test_the_schedule_is_asked_after_every_epoch_and_at_every_plateau():
    _, rates = run([1.0, 0.5, 0.1] + [0.1] * 3, schedule="invscaling")
    t = 10 * np.arange(1, 6)
    np.testing.assert_allclose(rates, [0.1, *(0.1 / np.sqrt(t + 1))])

    # Three epochs without improvement, again and again, until 1e-6 is reached.
    state, rates = run([1.0] * 100, schedule="adaptive")
    expected = [0.1] + [0.1 / 5**k for k in range(9) for _ in range(3)]
    np.testing.assert_allclose(rates, expected)
    assert state.n_iter == 28


@pytest.mark.parametrize("scores", [None, [0.1, 0.5, 0.3]])
def test_an_interruption_keeps_what_has_been_reached(scores):
    """With a validation set, the weights of the best complete epoch."""
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        state, _ = run([3, 2, 1, KeyboardInterrupt()], scores)
    assert state.n_iter == 3
    assert state.t == 30
    assert state.loss_curve == pytest.approx([3, 2, 1])
    assert state.theta.flat.tolist() == [2.0] * 3  # in the middle of the fourth


def test_an_interruption_of_the_first_epoch_is_passed_on():
    with pytest.raises(KeyboardInterrupt):
        run([KeyboardInterrupt()])


@pytest.mark.parametrize("scores", [None, [np.nan, np.nan]])
def test_a_diverging_run_is_an_error(scores):
    with pytest.raises(ValueError, match=r"diverged in epoch 2 of 9, at learning rate"):
        run([2.0, np.nan], scores, diverges_at=2, max_iter=9)


def test_a_run_that_diverges_after_good_epochs_keeps_the_best():
    message = "weights of the best epoch are kept, but training diverged in epoch 4 of"
    with pytest.warns(ConvergenceWarning, match=message):
        state, _ = run([1.0] * 4, [0.1, 0.9, 0.8, np.nan], diverges_at=4)
    assert state.theta.flat.tolist() == [2, 2, 2]
    assert state.best_validation_score == 0.9
    assert state.n_iter == 4


X, Y = make_classification(100, 6, random_state=0)
PARAMS = {
    "hidden_layer_sizes": (5,),
    "batch_size": 10,
    "learning_rate_init": 0.01,
    "random_state": 0,
}


def interrupt(monkeypatch, solver, at_step):
    """Let the n-th step of the solver be interrupted by the user."""
    step = OPTIMIZERS[solver].step
    count = iter(range(1, 10**6))

    def interrupted(self, *args):
        step(self, *args)
        if next(count) == at_step:
            raise KeyboardInterrupt

    monkeypatch.setattr(OPTIMIZERS[solver], "step", interrupted)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_an_interrupted_estimator_is_fitted(monkeypatch, solver, early_stopping):
    """In the middle of the third epoch, and can go on from there."""
    interrupt(monkeypatch, solver, at_step=25)
    clf = MLPClassifierScratch(
        solver=solver, early_stopping=early_stopping, n_iter_no_change=50, **PARAMS
    )
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        clf.fit(X, Y)
    assert clf.n_iter_ == len(clf.loss_curve_) == 2
    assert all(np.isfinite(W).all() for W in clf.coefs_)
    assert clf.predict(X).shape == (100,)
    if early_stopping:
        assert clf.best_validation_score_ == max(clf.validation_scores_)
        assert len(clf.validation_scores_) == 2
    clf.set_params(early_stopping=False).partial_fit(X, Y)
    assert len(clf.loss_curve_) == 3


@pytest.mark.parametrize("method", ["fit", "warm_start", "partial_fit"])
@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_an_interruption_of_the_first_epoch_changes_nothing(
    monkeypatch, solver, method
):
    fitted = MLPClassifierScratch(solver=solver, max_iter=3, **PARAMS).fit(X, Y)
    fitted.set_params(warm_start=method == "warm_start")
    unfitted = MLPClassifierScratch(solver=solver, **PARAMS)
    before = joblib.hash(vars(fitted))
    for clf in (fitted, unfitted):
        train = clf.fit
        if method == "partial_fit":
            train = partial(clf.partial_fit, classes=[0, 1])
        with monkeypatch.context() as patch:
            interrupt(patch, solver, at_step=5)
            with pytest.raises(KeyboardInterrupt):
                train(X, Y)
    assert joblib.hash(vars(fitted)) == before
    assert set(vars(unfitted)) == set(unfitted.get_params())


@pytest.mark.parametrize(
    "params",
    [
        {"solver": "adam", "tol": 1e-2},
        {"solver": "sgd", "tol": 1e-2, "learning_rate": "adaptive"},
        {"solver": "adam", "early_stopping": True},
        {"solver": "sgd", "early_stopping": True, "learning_rate": "adaptive"},
    ],
)
def test_verbose_output_is_scikit_learns(params, capsys):
    """Line by line, to the message that tells why it stopped."""
    params = {**PARAMS, **params, "verbose": True, "n_iter_no_change": 3}
    theirs = MLPClassifier(**params).fit(X, Y)
    # Of the schedule the loop only knows that there is no next learning rate.
    expected = capsys.readouterr().out.replace(" Learning rate too small.", "")
    ours = MLPClassifierScratch(**params).fit(X, Y)
    assert capsys.readouterr().out == expected
    assert ours.n_iter_ == theirs.n_iter_ > 3
    assert "did not improve more than tol=" in expected
    ours.set_params(verbose=False).fit(X, Y)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("scores", [None, [0.5] + [np.nan] * 9])
def test_what_is_not_a_number_is_no_improvement(scores):
    state, _ = run([1] + [np.nan] * 9, scores, n_iter_no_change=2, max_iter=10)
    assert state.n_iter == 4
