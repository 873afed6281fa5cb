"""Tests of callbacks that are cloned, copied and pickled."""

import copy
import io
import logging
import pickle
import sys
import threading
import weakref

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import MLPClassifierScratch
from skmlp.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    ProgressBar,
    ReduceLROnPlateau,
    WeightRecorder,
)

rng = np.random.RandomState(0)
X = rng.standard_normal((60, 4))
y = (X[:, 0] > 0).astype(int)


def classifier(callbacks, **params):
    params = {"max_iter": 4, "random_state": 0} | params
    return MLPClassifierScratch((3,), **params, callbacks=callbacks)


class Locked(Callback):
    """Has a lock that cannot be copied, and does not say so."""

    def __init__(self, every=1):
        self.every = every

    def on_fit_begin(self, training):
        self.lock_ = threading.Lock()


class Duck:
    """The same without the base class."""

    def __init__(self, every=1):
        self.every = every

    def on_epoch_end(self, training):
        self.lock_ = threading.Lock()


class KeepsLock(Callback):
    """Has a lock for a setting."""

    def __init__(self, lock):
        self.lock = lock


class DuckKeepsLock:
    """The same without the base class."""

    def __init__(self, lock):
        self.lock = lock

    def on_epoch_end(self, training):
        pass


class Opens(Callback):
    """Has a file, a lock and a logger, and says what cannot be copied."""

    transient_attributes = ("_file", "_lock")

    def __init__(self, path):
        self.path = path
        self.logger = logging.getLogger("skmlp.test")
        self._lock = threading.Lock()

    def on_fit_begin(self, training):
        self.losses_ = []
        self._lock = threading.Lock()
        self._file = open(self.path, "w")

    def on_epoch_end(self, training):
        with self._lock:
            self.losses_.append(training.loss)
            print(training.loss, file=self._file, flush=True)

    def on_fit_end(self, training):
        self._file.close()


class Stream(Callback):
    """Has a stream for a setting, and a lock in addition to that of its base class."""

    transient_attributes = ("stream",)

    def __init__(self, stream=None):
        self.stream = stream

    def on_epoch_end(self, training):
        print(training.n_iter, file=self.stream)


# What cannot be copied is named.


@pytest.mark.parametrize("copier", [copy.deepcopy, pickle.dumps, joblib.hash])
@pytest.mark.parametrize("cls", [Locked, Duck])
def test_the_error_names_the_callback_and_the_attribute(copier, cls):
    clf = classifier([EarlyStopping("loss"), cls()]).fit(X, y)
    with pytest.raises(
        pickle.PicklingError, match=rf"{cls.__name__} .*'lock_'.*transient_attr"
    ):
        copier(clf)
    clone(clf).fit(X, y)  # the lock is no setting


@pytest.mark.parametrize("cls", [KeepsLock, DuckKeepsLock])
def test_the_error_names_a_setting(cls):
    clf = classifier(cls(threading.Lock()))
    message = rf"{cls.__name__} .*attribute 'lock'.*_thread.lock"
    for copier in clone, copy.deepcopy, pickle.dumps:
        with pytest.raises(pickle.PicklingError, match=message):
            copier(clf)
    with pytest.raises(pickle.PicklingError, match=message):
        GridSearchCV(clf, {"alpha": [0]}, cv=2).fit(X, y)


def test_error_of_a_callback_without_the_convention():
    """Such callbacks are copied as a whole, with their lock."""

    class Other:
        def __init__(self, n):
            self._n, self._socket = n, threading.Lock()

        def on_epoch_end(self, training):
            pass

    with pytest.raises(pickle.PicklingError, match=r"callback Other .*'_socket'"):
        clone(classifier(Other(1)))


def test_copyable_attributes_do_not_raise():
    """Although pickle would refuse some of it."""

    class Copies:
        def on_epoch_end(self, training):
            self.cls, self.function = Duck, lambda: 0
            self.reference, self.estimator = weakref.ref(Duck), training.estimator
            self.itself, self.state = self, training

    for bases in (Copies,), (Copies, Callback):
        callback = type("Copies", bases, {})()
        clf = classifier(callback).fit(X, y)
        copied = copy.deepcopy(clf).callbacks
        assert copied.itself is copied
        assert copied.cls is Duck


# What a callback says that it cannot copy is left out.


@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: [c], lambda c: (c,)])
@pytest.mark.parametrize(
    "copier",
    [clone, copy.deepcopy, lambda clf: pickle.loads(pickle.dumps(clf))],
    ids=["clone", "deepcopy", "pickle"],
)
def test_copies_leave_it_out_and_create_it_again(tmp_path, copier, wrap):
    path = tmp_path / "losses"
    clf = classifier(wrap(Opens(path)))
    for estimator in clf, clf.fit(X, y):
        copied = copier(estimator)
        callback = next(iter(np.ravel(copied.callbacks)))
        assert not hasattr(callback, "_file")
        assert callback.logger is logging.getLogger("skmlp.test")
        copied.fit(X, y)
        assert path.read_text().splitlines() == list(map(str, copied.loss_curve_))
        assert callback.losses_ == copied.loss_curve_


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_callback_with_a_file_in_searches(tmp_path, n_jobs):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), classifier(Opens(tmp_path / "a"))),
        {
            "mlpclassifierscratch__callbacks": [
                Opens(tmp_path / "a"),
                [Opens(tmp_path / "b"), EarlyStopping("loss")],
            ]
        },
        cv=2,
        n_jobs=n_jobs,
        error_score="raise",
    )
    best = search.fit(X, y).best_estimator_[-1]
    assert next(iter(np.ravel(best.callbacks))).losses_ == best.loss_curve_
    assert len((tmp_path / "b").read_text().splitlines()) == 4


def test_transient_parameter_is_shared_by_copies_and_none_after_unpickling():
    callback = Stream(sys.__stderr__)
    clf = classifier([callback])
    for copier in clone, copy.deepcopy, copy.copy:
        assert copier(clf).callbacks[0].stream is sys.__stderr__
        assert copier(callback).stream is sys.__stderr__
    assert pickle.loads(pickle.dumps(clf)).callbacks[0].stream is None


def test_names_of_the_base_classes_are_added():
    class Derived(Opens):
        transient_attributes = "_socket"  # one name needs no tuple

    callback = Derived("a")
    callback._socket = threading.Lock()
    assert vars(copy.deepcopy(callback)).keys() == {"path", "logger"}


def test_a_class_with_slots_is_copied_with_them():
    class Slots(Callback):
        __slots__ = ("slot",)

        def __init__(self, a):
            self.a, self.slot = a, None

    callback = Slots(1)
    callback.slot = [2]
    for copier in copy.deepcopy, copy.copy:
        copied = copier(callback)
        assert (copied.a, copied.slot) == (1, [2])


def test_custom_copy_methods_are_used():
    class Own(Callback):
        def __init__(self, a):
            self.a, self.lock = a, threading.Lock()

        def __getstate__(self):
            return {"a": self.a}

        def __setstate__(self, state):
            self.__init__(**state)

    copied = copy.deepcopy(classifier(Own(1))).callbacks
    assert copied.a == 1
    assert isinstance(copied.lock, type(threading.Lock()))


def test_a_shallow_copy_shares_everything():
    callback = Opens("a")
    assert vars(copy.copy(callback)) == vars(callback)


def test_checkpoints_leave_out_transient_attributes(tmp_path):
    path = tmp_path / "checkpoint"
    params = {"learning_rate_init": 0.01, "random_state": 0}
    callback = Opens(str(tmp_path / "losses"))
    callback.logger = None
    clf = MLPClassifierScratch((3,), max_iter=3, **params)
    clf.set_params(callbacks=[callback, Checkpoint(path)]).fit(X, y)
    resumed = Opens(str(tmp_path / "losses"))
    resumed.logger = None
    clf = clone(clf).set_params(callbacks=[resumed], max_iter=6)
    clf.fit(X, y, resume_from=path)
    assert resumed.losses_ == clf.loss_curve_
    assert len(resumed.losses_) == 6


def test_progress_bar():
    pytest.importorskip("tqdm")
    bar = ProgressBar(file=sys.__stderr__, disable=True)
    clf = classifier(bar).fit(X, y)
    for copier in clone, copy.deepcopy:
        assert copier(clf).callbacks.options == bar.options
    copied = pickle.loads(pickle.dumps(clf))
    assert copied.callbacks.options == {"file": None, "disable": True}
    copied.fit(X, y)
    file = io.StringIO()
    clone(classifier(ProgressBar(file=file))).fit(X, y)
    assert "4/4" in file.getvalue()


@pytest.mark.filterwarnings("ignore:The default of 'n_jobs'")
def test_a_progress_bar_in_processes():
    pytest.importorskip("tqdm")
    clf = classifier(ProgressBar(file=sys.__stderr__, disable=True))
    results = cross_validate(clf, X, y, cv=2, n_jobs=2, error_score="raise")
    assert len(results["test_score"]) == 2


# A clone has nothing of what was recorded.


class Plain:
    """Follows scikit-learn's convention without the base class."""

    def __init__(self, every=1, *, names=("a",), **options):
        self.every, self.names, self.options = every, names, options
        self.seen = []

    def on_epoch_end(self, training):
        self.seen.append(training.n_iter)
        self.last_ = self._last = training.loss


class Estimator(BaseEstimator):
    """A callback with scikit-learn's get_params."""

    def __init__(self, every=1):
        self.every = every

    def on_epoch_end(self, training):
        self.last_ = training.loss


CALLBACKS = {
    "EarlyStopping": lambda: EarlyStopping("loss", patience=3),
    "ReduceLROnPlateau": lambda: ReduceLROnPlateau("loss", factor=0.5),
    "WeightRecorder": lambda: WeightRecorder(every=2),
    "ProgressBar": lambda: ProgressBar(disable=True),
    "Plain": lambda: Plain(2, names=["b"], color="red"),
    "Estimator": lambda: Estimator(3),
    "Callback": Callback,
    "function": lambda: print,
    "list": lambda: [EarlyStopping("loss"), Plain(), Estimator()],
    "tuple": lambda: (WeightRecorder(), Plain()),
    "none": lambda: None,
}


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_clone_of_a_fitted_estimator_is_that_of_an_unfitted_one(name, capsys):
    if name == "ProgressBar":
        pytest.importorskip("tqdm")
    make = CALLBACKS[name]
    unfitted = joblib.hash(clone(classifier(make())))
    fitted = classifier(make()).fit(X, y)
    assert joblib.hash(clone(fitted)) == unfitted
    assert joblib.hash(clone(clone(fitted))) == unfitted
    assert joblib.hash(clone(fitted.partial_fit(X, y))) == unfitted
    refitted = clone(fitted).fit(X, y)
    np.testing.assert_array_equal(refitted.loss_curve_, fitted.loss_curve_[:4])


def test_checkpoint_of_a_clone_has_only_its_parameters(tmp_path):
    clf = classifier(Checkpoint(tmp_path / "a", every=2)).fit(X, y)
    assert vars(clone(clf).callbacks) == {"path": tmp_path / "a", "every": 2}


def test_a_deep_copy_and_a_pickle_keep_the_records():
    callbacks = [WeightRecorder(), Plain(), EarlyStopping("loss")]
    clf = classifier(callbacks).fit(X, y)
    for copied in copy.deepcopy(clf), pickle.loads(pickle.dumps(clf)):
        recorder, plain, stop = copied.callbacks
        assert recorder.epochs_ == [0, 1, 2, 3, 4]
        np.testing.assert_array_equal(recorder.coefs_[-1][0], clf.coefs_[0])
        assert plain.seen == [1, 2, 3, 4]
        assert stop.best_ == callbacks[2].best_


def test_settings_are_copied():
    plain = Plain(names=["a"])
    copied = clone(classifier(plain)).callbacks
    assert copied.names == plain.names
    assert copied.names is not plain.names


class Modifies:
    """Does not store what it is given."""

    def __init__(self, every):
        self.every = every * 2

    def on_epoch_end(self, training):
        self.seen_ = training.n_iter


class HasNot:
    """Stores it under another name."""

    def __init__(self, every):
        self.interval = every

    def on_epoch_end(self, training):
        self.seen_ = training.n_iter


class Positional:
    """Takes any number of arguments."""

    def __init__(self, *names):
        self.names = names

    def on_epoch_end(self, training):
        self.seen_ = training.n_iter


class SetLater:
    """Has a hook that is not its class's."""

    def __init__(self):
        self.on_epoch_begin = self.on_epoch_end = print
        self.seen_ = 4


@pytest.mark.parametrize(
    "callback", [Modifies(1), HasNot(1), Positional(1), SetLater()]
)
def test_without_the_convention_a_clone_has_everything(callback, capsys):
    """Rather than settings that it was not given."""
    clf = classifier(callback).fit(X, y)
    copied = clone(clf).callbacks
    assert copied is not callback
    assert vars(copied) == vars(callback)
    assert copied.seen_ == 4


class HiddenLayer(TransformerMixin, MLPClassifierScratch):
    """Transforms samples to the activations of the last hidden layer."""

    n_fits = 0

    def fit(self, X, y):
        """Count the call."""
        type(self).n_fits += 1
        return super().fit(X, y)

    def transform(self, X):
        """Return the activations."""
        return self.hidden_activations(X)[-1]


def test_a_pipeline_with_memory_finds_its_fit(tmp_path):
    HiddenLayer.n_fits = 0
    callbacks = [EarlyStopping("loss"), WeightRecorder(), Plain()]
    hidden = HiddenLayer((3,), max_iter=4, random_state=0, callbacks=callbacks)
    pipe = make_pipeline(hidden, LogisticRegression(), memory=str(tmp_path))
    pipe.fit(X, y)
    assert HiddenLayer.n_fits == 1
    pipe.fit(X, y)
    clone(pipe).fit(X, y)
    pipe.set_params(logisticregression__C=0.5).fit(X, y)
    assert HiddenLayer.n_fits == 1
    assert pipe[0].callbacks[2].seen == [1, 2, 3, 4]  # those of the fit


def test_a_cached_function_of_a_clone_is_called_once(tmp_path):
    calls = []
    clf = classifier([WeightRecorder(), Plain()])

    def fit(estimator):
        calls.append(estimator)
        return estimator.fit(X, y)

    cached = joblib.Memory(tmp_path, verbose=0).cache(fit)
    cached(clone(clf))
    cached(clone(clf.fit(X, y)))
    assert len(calls) == 1


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_search_does_not_change_its_estimator(n_jobs):
    callbacks = [WeightRecorder(), Plain()]
    clf = classifier(callbacks).fit(X, y)
    before = joblib.hash(clf)
    search = GridSearchCV(clf, {"alpha": [0, 1]}, cv=2, n_jobs=n_jobs).fit(X, y)
    assert joblib.hash(clf) == before
    assert search.best_estimator_.callbacks[1].seen == [1, 2, 3, 4]
    assert not hasattr(clone(search).estimator.callbacks[1], "last_")


def test_a_subclass_without_the_parameter_can_be_cloned():
    class Small(MLPClassifierScratch):
        def __init__(self, alpha=0.1):
            super().__init__((3,), alpha=alpha, max_iter=3, callbacks=Plain())

    clf = Small(0.5).fit(X, y)
    copied = clone(clf)
    assert copied.alpha == 0.5
    assert copied.callbacks.seen == []


def test_warm_start_and_set_params(tmp_path):
    clf = classifier(Opens(tmp_path / "a"), warm_start=True).fit(X, y)
    clf.fit(X, y)
    assert len(clf.callbacks.losses_) == 4  # each call is a run of its own
    assert clf.callbacks.losses_ == clf.loss_curve_[4:]
    clf.set_params(callbacks=[Plain(), lambda training: training.n_iter == 2]).fit(X, y)
    assert clf.callbacks[0].seen == [1, 2]
    assert len(clf.loss_curve_) == 10
    clone(clf).fit(X, y)
