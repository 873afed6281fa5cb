"""Tests of the callbacks, those of the package and the user's own."""

import functools
import inspect
import io
import pickle
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import skmlp.callbacks
from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    ProgressBar,
    ReduceLROnPlateau,
    WeightRecorder,
)
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.training.state import HOOKS

pytestmark = pytest.mark.usefixtures("one_blas_thread")

SMALL = {
    "hidden_layer_sizes": (5,),
    "learning_rate_init": 0.05,
    "max_iter": 12,
    "random_state": 0,
}
SHIPPED = {
    "Callback": Callback,
    "Checkpoint": Checkpoint,
    "EarlyStopping": EarlyStopping,
    "ProgressBar": ProgressBar,
    "ReduceLROnPlateau": ReduceLROnPlateau,
    "WeightRecorder": WeightRecorder,
}


class Log:
    """Notes what it is told, without the base class."""

    def __init__(self, calls, name="", fails_at=None, stop_after=None):
        self.calls, self.name = calls, name
        self.fails_at, self.stop_after = fails_at, stop_after

    def _note(self, hook, training):
        self.calls.append((self.name, hook, training.n_iter))
        if self.fails_at == (hook, training.n_iter):
            raise RuntimeError(f"{self.name} failed")

    def on_fit_begin(self, training):
        self._note("begin", training)

    def on_epoch_end(self, training):
        self._note("epoch", training)
        return training.n_iter == self.stop_after

    def on_fit_end(self, training):
        self._note("end", training)


@pytest.fixture
def data(datasets):
    return datasets["multiclass"]


def classifier(callbacks=None, **params):
    return MLPClassifierScratch(**SMALL | params, callbacks=callbacks)


def assert_same_network(actual, desired):
    for a, d in zip(
        actual.coefs_ + actual.intercepts_,
        desired.coefs_ + desired.intercepts_,
        strict=True,
    ):
        assert_array_equal(a, d)


# The protocol.


def test_every_shipped_callback_has_the_same_methods():
    assert set(skmlp.callbacks.__all__) == set(SHIPPED)
    for name, cls in SHIPPED.items():
        assert getattr(skmlp.callbacks, name) is cls
        assert issubclass(cls, Callback)
        assert {name for name in dir(cls) if name.startswith("on_")} == HOOKS
        for hook in HOOKS:
            signature = inspect.signature(getattr(cls, hook))
            assert list(signature.parameters) == ["self", "training"], (name, hook)
        assert isinstance(cls.needs_gradient, bool)
        required = ["path"] if cls is Checkpoint else []
        assert repr(cls(*required)).startswith(f"{name}(")


def test_order_of_the_calls(data):
    calls = []
    callbacks = [Log(calls, "a"), Log(calls, "b")]
    plain = classifier(max_iter=2).fit(data.X, data.y)
    watched = classifier(callbacks, max_iter=2).fit(data.X, data.y)
    assert_same_network(watched, plain)  # looking changes nothing
    assert calls == [
        ("a", "begin", 0),
        ("b", "begin", 0),
        ("a", "epoch", 1),
        ("b", "epoch", 1),
        ("a", "epoch", 2),
        ("b", "epoch", 2),
        ("a", "end", 2),
        ("b", "end", 2),
    ]


@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: [c], lambda c: (c,)])
def test_single_callback_without_a_list(data, wrap):
    calls = []
    classifier(wrap(Log(calls)), max_iter=3).fit(data.X, data.y)
    assert len(calls) == 5


def test_returning_true_stops(data):
    """But all of the callbacks are told of the epoch."""
    calls = []
    callbacks = [Log(calls, "a", stop_after=4), Log(calls, "b")]
    clf = classifier(callbacks).fit(data.X, data.y)
    assert clf.n_iter_ == 4
    assert calls[-4:] == [("a", "epoch", 4), ("b", "epoch", 4)] + [
        (name, "end", 4) for name in "ab"
    ]
    assert_same_network(clf, classifier(max_iter=4).fit(data.X, data.y))


def test_state_that_callbacks_receive(data):
    """The network as it is after each epoch, and what was recorded of it."""
    seen = []

    class Look(Callback):
        def on_epoch_end(self, training):
            assert training.max_iter == 5
            assert training.estimator is clf
            assert training.gradient is None
            assert len(training.history["loss"]) == training.n_iter
            assert training.history["loss"][-1] == training.loss
            seen.append(training.theta.copy())

    clf = classifier(Look(), max_iter=5)
    clf.fit(data.X, data.y)
    for n_iter, theta in enumerate(seen, 1):
        stopped = classifier(max_iter=n_iter).fit(data.X, data.y)
        for a, d in zip(theta.coefs, stopped.coefs_, strict=True):
            assert_array_equal(a, d)


def test_the_fitted_estimator_is_that_of_a_shorter_training(data):
    class Look(Callback):
        def on_fit_begin(self, training):
            self.seen = []

        def on_epoch_end(self, training):
            self.seen.append(training.fitted_estimator())

    look = Look()
    classifier(look, max_iter=3).fit(data.X, data.y)
    for n_iter, fitted in enumerate(look.seen, 1):
        shorter = classifier(max_iter=n_iter).fit(data.X, data.y)
        assert_array_equal(fitted.predict_proba(data.X), shorter.predict_proba(data.X))


def test_a_callback_may_change_weights_and_learning_rate(data):
    class Halve(Callback):
        def on_epoch_end(self, training):
            training.optimizer.base_learning_rate /= 2

        def on_fit_end(self, training):
            training.theta.coefs[0][...] = 0

    clf = classifier(Halve(), max_iter=4).fit(data.X, data.y)
    assert clf.history_["learning_rate"] == [0.05 / 2**k for k in range(4)]
    assert not clf.coefs_[0].any()


@pytest.mark.parametrize("Estimator", [MLPClassifierScratch, MLPRegressorScratch])
def test_in_partial_fit(data, Estimator):
    calls = []
    est = Estimator(**SMALL, callbacks=[Log(calls)])
    plain = Estimator(**SMALL)
    for _ in range(3):
        kwargs = {"classes": [0, 1, 2]} if Estimator is MLPClassifierScratch else {}
        est.partial_fit(data.X, data.y, **kwargs)
        plain.partial_fit(data.X, data.y, **kwargs)
    assert calls == [("", "begin", 0), ("", "epoch", 1), ("", "end", 1)] * 3
    assert_same_network(est, plain)


# Hooks are optional, and a function is a hook.


@pytest.mark.parametrize("hook", sorted(HOOKS))
@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: [c]])
def test_one_hook_is_enough(data, hook, wrap):
    epochs = []
    cls = type("One", (), {hook: lambda self, training: epochs.append(training.n_iter)})
    clf = classifier(wrap(cls()), max_iter=2).fit(data.X, data.y)
    assert_same_network(clf, classifier(max_iter=2).fit(data.X, data.y))
    assert (
        epochs
        == {
            "on_fit_begin": [0],
            "on_epoch_begin": [0, 1],
            "on_epoch_end": [1, 2],
            "on_epoch_settled": [1, 2],
            "on_fit_end": [2],
        }[hook]
    )


def test_the_order_of_the_hooks(data):
    calls = []
    hooks = {h: lambda self, training, h=h: calls.append(h) for h in HOOKS}
    classifier(type("All", (), hooks)(), max_iter=1).fit(data.X, data.y)
    assert calls == [
        "on_fit_begin",
        "on_epoch_begin",
        "on_epoch_end",
        "on_epoch_settled",
        "on_fit_end",
    ]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: [c, Callback()]])
def test_a_function_is_called_after_each_epoch(data, wrap, method):
    losses = []

    def record(training):
        losses.append(training.loss)

    clf = classifier(wrap(record))
    kwargs = {"classes": [0, 1, 2]} if method == "partial_fit" else {}
    getattr(clf, method)(data.X, data.y, **kwargs)
    assert losses == clf.loss_curve_
    assert clf.callbacks is record or clf.callbacks[0] is record


class Calls:
    """Stops training, by a method or by being called."""

    def stop(self, training):
        return training.n_iter == 3

    __call__ = stop


@pytest.mark.parametrize(
    "function",
    [
        lambda training: training.n_iter == 3,
        functools.partial(lambda n, training: training.n_iter == n, 3),
        Calls().stop,
        Calls(),
    ],
    ids=["lambda", "partial", "method", "callable object"],
)
def test_a_function_that_returns_true_stops(data, function):
    assert classifier(function).fit(data.X, data.y).n_iter_ == 3
    assert classifier([function, print]).fit(data.X, data.y).n_iter_ == 3


def test_an_estimator_with_a_lambda_and_pickle(data):
    """The error of pickle names the function. Processes of joblib take it."""
    clf = classifier(lambda training: training.n_iter == 2).fit(data.X, data.y)
    with pytest.raises((pickle.PicklingError, AttributeError), match="<lambda>"):
        pickle.dumps(clf)
    search = GridSearchCV(clf, {"alpha": [0, 1]}, cv=2, n_jobs=2)
    assert search.fit(data.X, data.y).best_estimator_.n_iter_ == 2


# What is wrong.


class NotCallable(Callback):
    on_epoch_end = None


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        ([object()], "object without any of them"),
        ([Callback(), object()], "object without any of them"),
        ([NotCallable()], "whose on_epoch_end is not callable"),
        ([EarlyStopping], "is a class: pass an instance"),
        (EarlyStopping, "is a class: pass an instance"),
        (3, "'callbacks' parameter"),
        ("verbose", "'callbacks' parameter"),
        ([None], "at least one of on_fit_begin, .* and on_fit_end; got None"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_invalid_callback(data, callbacks, message, method):
    clf = classifier(callbacks)
    kwargs = {"classes": [0, 1, 2]} if method == "partial_fit" else {}
    with pytest.raises(ValueError, match=message):
        getattr(clf, method)(data.X, data.y, **kwargs)
    assert not hasattr(clf, "coefs_")


def test_not_for_lbfgs(data):
    with pytest.raises(ValueError, match=r"callbacks=.* needs a first-order solver"):
        classifier([Callback()], solver="lbfgs").fit(data.X, data.y)
    for none in None, [], ():
        classifier(none, solver="lbfgs", max_iter=2).fit(data.X, data.y)


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("fails_at", [("begin", 0), ("epoch", 3), ("end", 12)])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_an_exception_leaves_the_estimator_as_it_was(data, fails_at, fitted, method):
    """And every callback that was told of the beginning is told of the end."""
    calls = []
    clf = classifier(warm_start=True)
    if fitted:
        clf.fit(data.X, data.y)
    if method == "partial_fit":
        fails_at = (fails_at[0], min(fails_at[1], 1))
    callbacks = [Log(calls, "a"), Log(calls, "b", fails_at), Log(calls, "c")]
    clf.set_params(callbacks=callbacks)
    before = pickle.dumps({k: v for k, v in vars(clf).items() if k != "callbacks"})
    kwargs = {"classes": [0, 1, 2]} if method == "partial_fit" else {}
    with pytest.raises(RuntimeError, match="b failed"):
        getattr(clf, method)(data.X, data.y, **kwargs)
    after = pickle.dumps({k: v for k, v in vars(clf).items() if k != "callbacks"})
    assert after == before
    begun = [name for name, hook, _ in calls if hook == "begin"]
    assert begun == (["a", "b"] if fails_at[0] == "begin" else ["a", "b", "c"])
    assert [name for name, hook, _ in calls if hook == "end"] == begun


def test_on_fit_end_is_called_after_an_interruption(data):
    calls = []

    class Interrupt(Callback):
        def on_epoch_end(self, training):
            if training.n_iter == 3:
                raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted"):
        clf = classifier([Interrupt(), Log(calls)]).fit(data.X, data.y)
    assert clf.n_iter_ == 3
    assert calls[-1] == ("", "end", 3)


# In scikit-learn's tools.


def test_clone_copies_them(data):
    stop = EarlyStopping("loss", patience=3)
    clf = classifier([stop]).fit(data.X, data.y)
    other = clone(clf)
    assert other.callbacks[0] is not stop
    assert repr(other.callbacks[0]) == repr(stop)
    other.fit(data.X, data.y)
    assert other.callbacks[0].best_ == stop.best_


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search_over_callbacks(data, n_jobs):
    stop = EarlyStopping("loss", min_delta=10, patience=2)
    search = GridSearchCV(
        classifier(), {"callbacks": [None, stop, [stop]]}, cv=2, n_jobs=n_jobs
    )
    search.fit(data.X, data.y)
    scores = search.cv_results_["mean_test_score"]
    assert scores[1] == scores[2]
    short = classifier(max_iter=1)  # the best epoch is the first
    expected = GridSearchCV(short, {"alpha": [1e-4]}, cv=2).fit(data.X, data.y)
    assert scores[1] == expected.best_score_
    assert not hasattr(stop, "best_")  # the copies have it


def test_a_fitted_estimator_with_callbacks_can_be_pickled(data):
    callbacks = [EarlyStopping("loss"), ReduceLROnPlateau("loss"), WeightRecorder()]
    clf = classifier(callbacks).fit(data.X, data.y)
    copy = pickle.loads(pickle.dumps(clf))
    assert_same_network(copy, clf)
    assert len(copy.callbacks[2].coefs_) == 13


# EarlyStopping.


@pytest.mark.parametrize("restore_best", [True, False])
@pytest.mark.parametrize("monitor", ["val_loss", "val_score", "loss", "grad_norm"])
def test_early_stopping(data, monitor, restore_best):
    X, y, X_val, y_val = data.X[:60], data.y[:60], data.X[60:], data.y[60:]
    stop = EarlyStopping(monitor, patience=4, restore_best=restore_best)
    params = {"solver": "sgd", "learning_rate_init": 0.3, "n_iter_no_change": np.inf}
    clf = classifier(stop, max_iter=300, **params)
    clf.fit(X, y, X_val=X_val, y_val=y_val)
    values = np.array(clf.history_[monitor])
    sign = -1 if monitor == "val_score" else 1
    # The first epoch after which four in a row were no better than the best.
    best = [np.argmin((sign * values)[:n]) for n in range(1, len(values) + 1)]
    waits = [n - 1 - b for n, b in enumerate(best, 1)]
    assert stop.best_epoch_ == best[-1] + 1
    assert stop.best_ == values[best[-1]]
    if clf.n_iter_ < 300:
        assert waits[-1] == 4
    assert max(waits[:-1]) < 4
    n_iter = stop.best_epoch_ if restore_best else clf.n_iter_
    same = classifier(max_iter=n_iter, **params).fit(X, y)
    assert_same_network(clf, same)


def test_early_stopping_by_min_delta(data):
    stop = EarlyStopping("loss", min_delta=5.0, patience=3)
    assert classifier(stop).fit(data.X, data.y).n_iter_ == 4
    assert stop.best_epoch_ == 1


def test_early_stopping_restores_running_statistics(data):
    stop = EarlyStopping("loss", min_delta=5.0, patience=3)
    clf = classifier(stop, batch_norm=True).fit(data.X, data.y)
    one = classifier(batch_norm=True, max_iter=1).fit(data.X, data.y)
    assert_same_network(clf, one)
    assert_array_equal(clf.batch_norm_means_, one.batch_norm_means_)
    assert_array_equal(clf.predict_proba(data.X), one.predict_proba(data.X))


@pytest.mark.parametrize("cls", [EarlyStopping, ReduceLROnPlateau])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"monitor": "accuracy"}, "monitor must be one of .*'val_loss'.*'accuracy'"),
        ({}, "monitor='val_loss' needs a validation set"),
        ({"monitor": "loss", "patience": 0}, "patience == 0, must be >= 1"),
        ({"monitor": "loss", "min_delta": -1}, "min_delta == -1, must be >= 0"),
    ],
)
def test_bad_settings_of_monitors(data, cls, settings, message):
    with pytest.raises(ValueError, match=message):
        classifier(cls(**settings)).fit(data.X, data.y)


def test_the_set_that_early_stopping_sets_aside_can_be_monitored(data):
    stop = EarlyStopping("val_loss", patience=2)
    clf = classifier(stop, early_stopping=True).fit(data.X, data.y)
    assert stop.best_ == min(clf.history_["val_loss"])


# ReduceLROnPlateau.


@pytest.mark.parametrize("solver", sorted(set(OPTIMIZERS) - {"armijo"}))
def test_reduce_lr_on_plateau(data, solver):
    """With every solver: the rates of the epochs, by hand."""
    reduce = ReduceLROnPlateau(
        "loss", factor=0.5, min_delta=100.0, patience=2, min_lr=0.01
    )
    clf = classifier(reduce, solver=solver, max_iter=8).fit(data.X, data.y)
    # The first epoch is the best, and every second one after it a plateau.
    expected = [0.05, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125, 0.01]
    assert_allclose(clf.history_["learning_rate"], expected)


def test_reduce_lr_scales_the_rate_of_the_schedule(data):
    reduce = ReduceLROnPlateau("loss", factor=0.5, min_delta=100.0, patience=1)
    clf = classifier(
        reduce, learning_rate="exponential", decay_rate=0.9, max_iter=6
    ).fit(data.X, data.y)
    expected = [0.05 * 0.9**k * 0.5 ** max(0, k - 1) for k in range(6)]
    assert_allclose(clf.history_["learning_rate"], expected)


def test_reduce_lr_never_raises_it(data):
    reduce = ReduceLROnPlateau("loss", min_delta=100.0, patience=1, min_lr=1.0)
    clf = classifier(reduce).fit(data.X, data.y)
    assert set(clf.history_["learning_rate"]) == {0.05}


@pytest.mark.parametrize("factor", [0, 1, -0.5, 2.0])
def test_bad_factor(data, factor):
    with pytest.raises(ValueError, match=rf"factor == {factor}, must be [<>] "):
        classifier(ReduceLROnPlateau("loss", factor=factor)).fit(data.X, data.y)


# WeightRecorder.


def test_weight_recorder_on_full_batch_descent(datasets):
    """A linear least-squares problem, whose descent is written out."""
    data = datasets["regression"]
    X, y, eta, n = data.X, data.y, 0.1, 120
    recorder = WeightRecorder()
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(),
        solver="sgd",
        momentum=0.0,
        batch_size="full",
        alpha=0.5,
        learning_rate_init=eta,
        max_iter=6,
        clip_norm=0.2,  # the gradient is recorded before it is bounded
        random_state=0,
        callbacks=recorder,
    ).fit(X, y)
    W, b = recorder.coefs_[0][0][:, 0].copy(), recorder.intercepts_[0][0][0]
    previous = None
    for epoch in range(1, 7):
        r = X @ W + b - y
        g = np.r_[(X.T @ r + 0.5 * W) / n, r.sum() / n]
        assert_allclose(recorder.grad_norms_[epoch], np.linalg.norm(g))
        if previous is None:
            assert np.isnan(recorder.angles_[epoch])
        else:
            cosine = g @ previous / np.linalg.norm(g) / np.linalg.norm(previous)
            angle = np.degrees(np.arccos(cosine))
            assert_allclose(recorder.angles_[epoch], angle, rtol=1e-6)
        previous = g
        g = g * min(1, 0.2 / np.linalg.norm(g))
        W, b = W - eta * g[:-1], b - eta * g[-1]
        assert_allclose(recorder.coefs_[epoch][0][:, 0], W)
        assert_allclose(recorder.intercepts_[epoch][0], b)
    assert recorder.epochs_ == list(range(7))
    assert np.isnan(recorder.grad_norms_[0])
    assert np.isnan(recorder.angles_[0])
    assert_allclose(recorder.grad_norms_[1:], reg.history_["grad_norm"])
    assert_array_equal(recorder.coefs_[-1][0], reg.coefs_[0])


def test_weight_recorder_every_few_epochs(data):
    often, seldom = WeightRecorder(), WeightRecorder(every=np.int64(5))
    clf = classifier([often, seldom]).fit(data.X, data.y)
    assert seldom.epochs_ == [0, 5, 10]
    for i, epoch in enumerate(seldom.epochs_):
        for a, d in zip(seldom.coefs_[i], often.coefs_[epoch], strict=True):
            assert_array_equal(a, d)
    assert_array_equal(seldom.grad_norms_[1:], often.grad_norms_[5::5])
    assert_array_equal(often.coefs_[12][1], clf.coefs_[1])
    clf.fit(data.X, data.y)
    assert seldom.epochs_ == [0, 5, 10]  # it begins anew


def test_weight_recorder_of_opposite_and_of_no_gradients(datasets):
    """A step of twice the curvature's inverse turns the gradient round."""
    recorder = WeightRecorder()
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(),
        solver="sgd",
        momentum=0.0,
        batch_size="full",
        alpha=0.0,
        learning_rate_init=1.0,
        max_iter=3,
        callbacks=recorder,
    )
    X, y = np.array([[1.0], [-1.0]]), np.array([1.0, -1.0])
    reg.set_params(learning_rate_init=1.5)
    reg.fit(X, y, coefs_init=[[[0.0]]], intercepts_init=[[0.0]])
    assert_allclose(recorder.angles_[2:], 180)
    reg.fit(X, y, coefs_init=[[[1.0]]], intercepts_init=[[0.0]])  # the solution
    assert recorder.grad_norms_[1:] == [0, 0, 0]
    assert np.isnan(recorder.angles_).all()


@pytest.mark.parametrize("solver", sorted(OPTIMIZERS))
def test_weight_recorder_with_every_solver(data, solver):
    recorder = WeightRecorder()
    clf = classifier(recorder, solver=solver, max_iter=5, batch_size="full")
    clf.fit(data.X, data.y)
    assert len(recorder.coefs_) == 6
    # NaN where a solver has none.
    assert_allclose(recorder.grad_norms_[1:], clf.history_["grad_norm"])


@pytest.mark.parametrize(("every", "error"), [(0, ValueError), (1.5, TypeError)])
def test_bad_every(data, every, error):
    with pytest.raises(error):
        classifier(WeightRecorder(every)).fit(data.X, data.y)


# ProgressBar.


def test_progress_bar(data):
    pytest.importorskip("tqdm")
    file = io.StringIO()
    bar = ProgressBar(file=file, desc="learning", mininterval=0)
    clf = classifier(bar).fit(data.X, data.y, X_val=data.X, y_val=data.y)
    shown = file.getvalue()
    assert "learning: 100%" in shown
    assert "12/12" in shown
    assert f"loss={clf.loss_:.3g}" in shown
    assert "val_loss=" in shown
    assert "val_score=" in shown
    file.truncate(0)
    classifier(bar, max_iter=2).fit(data.X, data.y)
    assert "2/2" in file.getvalue()
    assert "val_loss" not in file.getvalue()


def test_progress_bar_is_closed_on_errors(data):
    pytest.importorskip("tqdm")
    bar = ProgressBar(file=io.StringIO())
    failing = Log([], "b", fails_at=("epoch", 2))
    with pytest.raises(RuntimeError, match="b failed"):
        classifier([bar, failing]).fit(data.X, data.y)
    assert not hasattr(bar, "_bar")


def test_progress_bar_to_a_stream_can_be_cloned(data, capsys):
    """Although the stream cannot be copied."""
    pytest.importorskip("tqdm")
    clf = clone(classifier(ProgressBar(file=sys.__stderr__, disable=True)))
    clf.fit(data.X, data.y)
    assert clf.callbacks.options == {"file": sys.__stderr__, "disable": True}


def test_progress_bar_without_tqdm(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    clf = classifier(ProgressBar())
    with pytest.raises(
        ImportError, match=r'requires tqdm: pip install "skmlp\[progress'
    ):
        clf.fit(data.X, data.y)
    assert not hasattr(clf, "coefs_")
