"""Tests of the training loop: stopping, best weights, interruption, output."""

import re
import signal
import threading
import warnings
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from skmlp import MLPClassifierScratch
from skmlp.core.optimizers import OPTIMIZERS, Optimizer
from skmlp.core.parameters import Parameters
from skmlp.core.schedules import SCHEDULES
from skmlp.training.batches import EpochOrder
from skmlp.training.engine import Engine
from skmlp.training.session import TrainingConfig, TrainingSession
from skmlp.training.state import HISTORY, Scores, TrainingState, new_history


class Script(Engine):
    """Engine of a training whose epochs end as written down.

    An epoch is its loss, or an exception that is raised in the middle of it.
    After epoch i every parameter is i, half of that in the middle.
    """

    def __init__(self, theta, losses, diverges_at=None, overflows_at=None):
        self.theta, self.losses, self.diverges_at = theta, losses, diverges_at
        self.overflows_at = overflows_at
        self.n_epochs, self.grad_norm, self.gradient = 0, np.nan, None

    def run_epoch(self, order):
        loss = self.losses[self.n_epochs]
        self.n_epochs += 1
        if isinstance(loss, BaseException):
            self.theta.flat[:] = self.n_epochs / 2
            raise loss
        self.theta.flat[:] = self.n_epochs
        self.grad_norm = 100 + self.n_epochs
        if self.n_epochs == self.diverges_at:
            self.theta.flat[-1] = np.nan
        if self.n_epochs == self.overflows_at:
            self.grad_norm = np.inf
        return loss


class Rates(Optimizer, name="rates", hyperparameters=(), state=("t", "memory")):
    """Takes no steps; has a learning rate, and a memory."""

    memory = 0.0


del OPTIMIZERS["rates"]


def run(losses, scores=None, schedule="constant", best_score=-np.inf, **options):
    """Run the script; returns the state and the base rates of the epochs.

    A score is also, negated, the validation loss.
    """
    theta = Parameters([2, 1])
    optimizer = options.pop("optimizer", Rates(learning_rate=0.1))
    state = TrainingState(theta, optimizer, EpochOrder(10))
    state.max_iter = options.pop("max_iter", 100)
    state.incremental = options.pop("incremental", False)
    ends = (options.pop(name, None) for name in ("diverges_at", "overflows_at"))
    engine = Script(theta, losses, *ends)
    engine.step = SimpleNamespace(optimizer=state.optimizer)
    rates, validate = [], None
    if scores is not None:
        if options.setdefault("early_stopping", True):
            state.best_loss, state.best_validation_score = None, best_score

        def validate(theta):
            assert (theta.flat[:-1] == engine.n_epochs).all()
            score = scores[engine.n_epochs - 1]
            return Scores(-score, score + 10, score)

    run_epoch = engine.run_epoch

    def noting_the_rate(order):
        rates.append(state.optimizer.base_learning_rate)
        return run_epoch(order)

    engine.run_epoch = noting_the_rate
    options = {"tol": 0.01, "n_iter_no_change": 2, **options}
    callbacks, diagnosis = options.pop("callbacks", ()), options.pop("diagnosis", None)
    session = TrainingSession(
        TrainingConfig(**options),
        state,
        engine,
        SCHEDULES[schedule](0.1),
        validate=validate,
        callbacks=callbacks,
        diagnosis=diagnosis,
    )
    session.run()
    return state, rates


def test_training_stops_when_the_loss_no_longer_improves():
    """After more than n_iter_no_change epochs in a row, none below the least."""
    state, _ = run([1, 0.5, 0.6, 0.4, 0.5, 0.45, 0.42, 0.1])
    assert state.n_iter == 7
    assert state.history["loss"] == pytest.approx([1, 0.5, 0.6, 0.4, 0.5, 0.45, 0.42])
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


def test_large_n_iter_no_change():
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(60\)"):
        state, _ = run([1.0] * 60, max_iter=60, n_iter_no_change=np.inf)
    assert state.no_improvement_count == 59


@pytest.mark.parametrize("scores", [None, [0.5]])
def test_incremental_run_is_one_epoch_without_warnings(scores):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state, _ = run([1.0] * 9, scores, incremental=True, max_iter=100)
        run([1.0], scores, incremental=True, max_iter=1)
    assert state.n_iter == 1
    assert state.t == 10


def test_schedule_is_called_after_each_epoch_and_at_each_plateau():
    _, rates = run([1.0, 0.5, 0.1] + [0.1] * 3, schedule="invscaling")
    t = 10 * np.arange(1, 6)
    np.testing.assert_allclose(rates, [0.1, *(0.1 / np.sqrt(t + 1))])

    # Three epochs without improvement, again and again, until 1e-6 is reached.
    state, rates = run([1.0] * 100, schedule="adaptive")
    expected = [0.1] + [0.1 / 5**k for k in range(9) for _ in range(3)]
    np.testing.assert_allclose(rates, expected)
    assert state.n_iter == 28


@pytest.mark.parametrize("scores", [None, [0.1, 0.5, 0.3]])
def test_interruption_keeps_the_current_parameters(scores):
    """With a validation set, the weights of the best complete epoch."""
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        state, _ = run([3, 2, 1, KeyboardInterrupt()], scores)
    assert state.n_iter == 3
    assert state.t == 30
    assert state.history["loss"] == pytest.approx([3, 2, 1])
    assert state.theta.flat.tolist() == [2.0] * 3  # in the middle of the fourth


@pytest.mark.parametrize("scores", [None, [0.1]])
def test_an_interruption_of_the_first_epoch_keeps_how_far_it_came(scores):
    with pytest.warns(UserWarning, match="interrupted by user, after 0 of at most 100"):
        state, _ = run([KeyboardInterrupt()], scores)
    assert state.n_iter == state.t == 0
    assert np.isnan(state.loss)
    assert state.theta.flat.tolist() == [0.5] * 3


def test_an_interruption_of_an_incremental_training_is_passed_on():
    """Or a loop of calls to partial_fit could not be interrupted."""
    with pytest.raises(KeyboardInterrupt):
        run([KeyboardInterrupt()], incremental=True)


class RunsAhead(Script):
    """Is interrupted when it has run more epochs than the loop has looked at."""

    def run_epochs(self, order, n_epochs, t, epochs):
        for _ in range(n_epochs):
            super().run_epochs(order, 1, t, epochs)
        raise KeyboardInterrupt


def test_an_interruption_loses_no_epoch_that_has_run(monkeypatch):
    """The history is as long as the parameters are trained."""
    monkeypatch.setitem(globals(), "Script", RunsAhead)
    with pytest.warns(UserWarning, match="interrupted by user, after 3 of at most 100"):
        state, _ = run([3, 2, 1, 0.5], schedule="invscaling")
    assert state.history["loss"] == [3, 2, 1]
    assert state.n_iter == 3
    assert state.t == 30
    assert state.theta.flat.tolist() == [3.0] * 3
    assert state.best_loss == 1
    assert state.optimizer.base_learning_rate < 0.1


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


def interrupt(monkeypatch, solver, at_epoch):
    """Let the user interrupt the solver in the middle of an epoch, in NumPy."""
    method = "search" if OPTIMIZERS[solver].full_batch else "step"
    step = getattr(OPTIMIZERS[solver], method)
    n_steps = {"search": 1, "step": 10}[method]
    at_step = n_steps * at_epoch - n_steps // 2
    count = iter(range(1, 10**6))

    def interrupted(self, *args):
        E = step(self, *args)
        if next(count) == at_step:
            raise KeyboardInterrupt
        return E

    monkeypatch.setattr(OPTIMIZERS[solver], method, interrupted)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_an_interrupted_estimator_is_fitted(monkeypatch, solver, early_stopping):
    """In the middle of the third epoch, and can go on from there."""
    interrupt(monkeypatch, solver, at_epoch=3)
    clf = MLPClassifierScratch(
        solver=solver,
        early_stopping=early_stopping,
        n_iter_no_change=50,
        engine="numpy",
        **PARAMS,
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


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_an_estimator_is_fitted_if_its_first_epoch_is_interrupted(
    monkeypatch, solver, early_stopping
):
    """As far as it came; what it says of epochs is that there is none."""
    interrupt(monkeypatch, solver, at_epoch=1)
    clf = MLPClassifierScratch(
        solver=solver, early_stopping=early_stopping, engine="numpy", **PARAMS
    )
    with pytest.warns(UserWarning, match="interrupted by user, after 0 of at most 200"):
        clf.fit(X, Y)
    assert clf.n_iter_ == len(clf.loss_curve_) == len(clf.history_["loss"]) == 0
    assert np.isnan(clf.loss_)
    assert np.isfinite(clf.predict_proba(X)).all()
    clf.set_params(early_stopping=False, max_iter=2, warm_start=True).fit(X, Y)
    assert len(clf.loss_curve_) == 2


@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_an_interruption_of_partial_fit_changes_nothing(monkeypatch, solver):
    """And is passed on, for the user's loop over the parts of the data."""
    params = {"solver": solver, "engine": "numpy", **PARAMS}
    fitted = MLPClassifierScratch(max_iter=3, **params).fit(X, Y)
    unfitted = MLPClassifierScratch(**params)
    before = joblib.hash(vars(fitted))
    for clf in (fitted, unfitted):
        with monkeypatch.context() as patch:
            interrupt(patch, solver, at_epoch=1)
            with pytest.raises(KeyboardInterrupt):
                clf.partial_fit(X, Y, classes=[0, 1])
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
    expected = capsys.readouterr().out
    ours = MLPClassifierScratch(**params, engine="numpy").fit(X, Y)
    assert capsys.readouterr().out == expected
    assert ours.n_iter_ == theirs.n_iter_ > 3
    assert "did not improve more than tol=" in expected
    ours.set_params(verbose=False).fit(X, Y)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("scores", [None, [0.5] + [np.nan] * 9])
def test_nan_is_not_an_improvement(scores):
    state, _ = run([1] + [np.nan] * 9, scores, n_iter_no_change=2, max_iter=10)
    assert state.n_iter == 4


def lengths(history):
    assert tuple(history) == HISTORY
    return {len(values) for values in history.values()}


def test_the_history_has_a_value_of_everything_for_each_epoch():
    assert lengths(new_history()) == {0}
    state, _ = run([3.0, 2.0, 2.5, 2.2, 2.1])
    assert lengths(state.history) == {5}
    assert state.history["loss"] == [3.0, 2.0, 2.5, 2.2, 2.1]
    assert state.history["grad_norm"] == [101, 102, 103, 104, 105]
    assert state.history["learning_rate"] == [0.1] * 5
    assert np.isnan(state.history["val_loss"] + state.history["val_score"]).all()
    assert all(0 <= seconds < 1 for seconds in state.history["seconds"])


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_validation_set_is_in_the_history_whether_it_rules_or_not(early_stopping):
    """Early stopping looks at the last of what `validate` returns."""
    losses, scores = (
        [5.0, 5.0, 4.0, 3.0, 3.0, 3.0, 3.0],
        [0.1, 0.5, 0.4, 0.3, 0.2, 0, 0],
    )
    state, _ = run(losses, scores, early_stopping=early_stopping)
    n_iter = 5 if early_stopping else 7
    assert state.n_iter == n_iter
    assert lengths(state.history) == {n_iter}
    assert state.history["val_loss"] == [-s for s in scores[:n_iter]]
    assert state.history["val_score"] == [s + 10 for s in scores[:n_iter]]
    assert state.validation_scores == (scores[:n_iter] if early_stopping else [])
    assert state.theta.flat.tolist() == [2 if early_stopping else 7] * 3


@pytest.mark.parametrize(
    "end",
    [
        {"losses": [3.0, 2.0, KeyboardInterrupt()]},
        {"losses": [3.0, 2.0, 1.0], "diverges_at": 3, "scores": [0.1, 0.2, 0.3]},
        {"losses": [3.0, 2.0, 1.0], "max_iter": 3},
    ],
    ids=["interrupted", "diverged", "at max_iter"],
)
def test_the_history_is_whole_however_training_ends(end):
    with pytest.warns(UserWarning, match=r"interrupted|diverged|Maximum"):
        state, _ = run(**end)
    assert lengths(state.history) == {state.n_iter}


@pytest.mark.parametrize("memory", [np.nan, np.inf])
def test_an_optimizer_that_a_large_gradient_has_frozen_has_diverged(memory):
    """Although the parameters are finite: it may never move them again."""
    optimizer = Rates(learning_rate=0.1)
    optimizer.memory = memory
    with pytest.raises(ValueError, match="diverged in epoch 1 of 100"):
        run([1.0], overflows_at=1, optimizer=optimizer)
    with pytest.warns(ConvergenceWarning, match="best epoch are kept, but"):
        state, _ = run([1.0], [0.5], overflows_at=1, optimizer=optimizer)
    assert state.theta.isfinite()


def test_large_gradient_is_not_divergence():
    """Its norm may have been bounded, or the optimizer may not square it."""
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        run([1.0], overflows_at=1, max_iter=1)


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_search_from_a_loss_that_is_not_finite_has_diverged(loss):
    optimizer = Rates(learning_rate=0.1)
    optimizer.full_batch = True
    with pytest.raises(ValueError, match="diverged in epoch 1 of 100"):
        run([loss], optimizer=optimizer)


@pytest.mark.parametrize("max_iter", [3, 4])
def test_a_stationary_search_ends_training_without_a_warning(max_iter):
    """Also in the last epoch that there may be."""

    class Search(Told):
        def on_epoch_end(self, training):
            training.optimizer.stationary = training.n_iter == 3

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state, _ = run([4.0, 3.0, 2.0, 1.0], max_iter=max_iter, callbacks=[Search([])])
    assert state.n_iter == 3


class Told:
    """A callback that notes what it is told of, with the epoch."""

    def __init__(self, calls, name="", stop_at=None, fails_in=None):
        self.calls, self.name = calls, name
        self.stop_at, self.fails_in = stop_at, fails_in

    def note(self, hook, training):
        self.calls.append((hook + self.name, training.n_iter))
        if hook == self.fails_in:
            raise RuntimeError(f"{hook} failed")

    def on_fit_begin(self, training):
        self.note("begin", training)

    def on_epoch_end(self, training):
        assert lengths(training.history) == {training.n_iter}
        assert training.loss == training.history["loss"][-1]
        self.note("epoch", training)
        return training.n_iter == self.stop_at

    def on_fit_end(self, training):
        self.note("end", training)


class ToldOfBeginnings(Told):
    def on_epoch_begin(self, training):
        self.note("epoch begin", training)


def test_callbacks_are_called_in_order():
    calls = []
    callbacks = [ToldOfBeginnings(calls, " a"), Told(calls, " b", stop_at=2)]
    state, _ = run([3.0, 2.0, 1.0], callbacks=callbacks)
    assert calls == [
        ("begin a", 0),
        ("begin b", 0),
        ("epoch begin a", 0),
        ("epoch a", 1),
        ("epoch b", 1),
        ("epoch begin a", 1),
        ("epoch a", 2),
        ("epoch b", 2),
        ("end a", 2),
        ("end b", 2),
    ]
    assert state.n_iter == 2
    assert state.max_iter == 100


@pytest.mark.parametrize("stops", [(1, None), (None, 1), (1, 1)])
def test_any_callback_can_stop_and_all_are_called(stops):
    calls = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state, _ = run([3.0] * 3, callbacks=[Told(calls, stop_at=s) for s in stops])
    assert state.n_iter == 1
    assert calls == 2 * [("begin", 0)] + 2 * [("epoch", 1)] + 2 * [("end", 1)]


def test_stopping_in_the_last_epoch_is_no_lack_of_convergence():
    calls = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state, _ = run(
            [3.0] * 100,
            n_iter_no_change=np.inf,
            max_iter=100,
            callbacks=[Told(calls, stop_at=100)],
        )
    assert state.n_iter == 100


def test_early_stopping_restores_the_best_weights_after_a_callback_has_stopped():
    state, _ = run([1.0] * 5, [0.1, 0.9, 0.3, 0.2], callbacks=[Told([], stop_at=3)])
    assert state.n_iter == 3
    assert state.theta.flat.tolist() == [2, 2, 2]


@pytest.mark.parametrize("what", ["begin", "epoch begin", "epoch", "end"])
def test_on_fit_end_is_called_for_all_callbacks_that_began_if_one_fails(what):
    calls = []
    callbacks = [
        Told(calls, " a"),
        ToldOfBeginnings(calls, " b", stop_at=2, fails_in=what),
        Told(calls, " c"),
    ]
    with pytest.raises(RuntimeError, match=f"^{what} failed"):
        run([3.0, 2.0, 1.0], callbacks=callbacks)
    begun = [call[-1] for call, _ in calls if call.startswith("begin")]
    assert begun == (["a", "b"] if what == "begin" else ["a", "b", "c"])
    assert [call[-1] for call, _ in calls if call.startswith("end")] == begun


def test_of_several_ends_that_fail_each_is_run():
    calls = []
    callbacks = [Told(calls, name, 1, "end") for name in (" a", " b")]
    with pytest.raises(RuntimeError, match="end failed"):
        run([3.0], callbacks=callbacks)
    assert [call for call, _ in calls] == [
        "begin a",
        "begin b",
        "epoch a",
        "epoch b",
        "end a",
        "end b",
    ]


@pytest.mark.parametrize(
    ("options", "error", "n_iter"),
    [
        ({"losses": [3.0, RuntimeError("out of luck")]}, RuntimeError, 1),
        ({"losses": [KeyboardInterrupt()], "incremental": True}, KeyboardInterrupt, 0),
        ({"losses": [3.0, np.nan], "diverges_at": 2}, ValueError, 2),
    ],
)
def test_on_fit_end_is_called_if_training_fails(options, error, n_iter):
    calls = []
    with pytest.raises(error):
        run(callbacks=[Told(calls)], **options)
    assert calls[-1] == ("end", n_iter)
    assert calls.count(calls[-1]) == 1


def test_on_fit_end_is_called_if_training_is_interrupted():
    calls = []
    with pytest.warns(UserWarning, match="interrupted by user"):
        run([3.0, 2.0, KeyboardInterrupt()], callbacks=[Told(calls)])
    assert calls == [("begin", 0), ("epoch", 1), ("epoch", 2), ("end", 2)]


def test_callbacks_see_the_validation_set_and_the_gradient():
    class Note(Told):
        def on_fit_begin(self, training):
            self.calls.append((training.has_validation, training.gradient))

    for scores in (None, [0.5]):
        note = Note([])
        run([1.0], scores, callbacks=[note], incremental=True)
        assert note.calls[0] == (scores is not None, None)


def test_a_callback_may_change_the_learning_rate():
    class Halve(Told):
        def on_epoch_end(self, training):
            training.optimizer.base_learning_rate /= 2

    _, rates = run([1.0] * 4, callbacks=[Halve([])])
    np.testing.assert_allclose(rates, [0.1, 0.05, 0.025, 0.0125])


@pytest.mark.parametrize("verbose", [True, 1, 2, 3, 10])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_verbose_is_the_number_of_epochs_between_two_lines(
    verbose, early_stopping, capsys
):
    """After the first. More than 1 of them also have the validation loss."""
    losses, scores = [7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], [0.1 * k for k in range(7)]
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        run(losses, scores, early_stopping=early_stopping, verbose=verbose, max_iter=7)
    expected = []
    for epoch in range(1, 8):
        if epoch > 1 and epoch % verbose:
            continue
        line = f"Iteration {epoch}, loss = {losses[epoch - 1]:.8f}"
        if verbose > 1:
            line += f", validation loss = {-scores[epoch - 1]:.8f}"
        expected.append(line)
        if early_stopping:
            expected.append(f"Validation score: {scores[epoch - 1]:f}")
    assert capsys.readouterr().out.splitlines() == expected


@pytest.mark.parametrize("verbose", [1, 3])
def test_without_a_validation_set_there_is_no_validation_loss(verbose, capsys):
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        run([3.0, 2.0, 1.0], verbose=verbose, max_iter=3)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"Iteration {epoch}, loss = {4 - epoch:.8f}"
        for epoch in range(1, 4)
        if epoch == 1 or epoch % verbose == 0
    ]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no timer")
@pytest.mark.usefixtures("without_gc")
@pytest.mark.filterwarnings("ignore:Training interrupted")
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("engine", ["numpy", "auto"])
def test_whenever_it_is_interrupted_an_estimator_is_consistent(engine, early_stopping):
    """All that it says of its epochs is of the same epochs."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("only the main thread hears signals")
    params = PARAMS | {"tol": 0.0, "n_iter_no_change": 10**6}
    clf = MLPClassifierScratch(
        engine=engine, early_stopping=early_stopping, warm_start=True, **params
    )
    clf.set_params(max_iter=1).fit(X, Y).set_params(max_iter=5_000)

    def interrupt(number, frame):
        raise KeyboardInterrupt

    rng, before = np.random.RandomState(0), signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(20):
            n_before, t_before = len(clf.loss_curve_), clf.t_
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.005, 0.02))
            try:
                clf.fit(X, Y)
            except KeyboardInterrupt:  # before the first epoch: nothing has changed
                assert clf.t_ == t_before
                continue
            assert clf.n_iter_ == len(clf.loss_curve_) - n_before
            assert clf.t_ == t_before + clf.n_iter_ * (90 if early_stopping else 100)
            assert {len(v) for v in clf.history_.values()} == {len(clf.loss_curve_)}
            assert clf.loss_curve_ == clf.history_["loss"]
            if clf.n_iter_:
                assert clf.loss_ == clf.loss_curve_[-1]
            if early_stopping:
                assert len(clf.validation_scores_) == len(clf.loss_curve_)
                assert clf.best_validation_score_ == max(clf.validation_scores_)
            else:
                assert clf.best_loss_ == min(clf.loss_curve_)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
