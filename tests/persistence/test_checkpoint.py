"""Tests of checkpoints, and of training that goes on from them.

What happens to a training that is killed is tested in `test_killed.py`.
"""

import functools
import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skmlp
from skmlp import MLPClassifierScratch, MLPRegressorScratch, compiled
from skmlp.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    ProgressBar,
    ReduceLROnPlateau,
    WeightRecorder,
)
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.schedules import SCHEDULES
from skmlp.persistence import archive

X, Y = make_classification(
    90, 6, n_informative=4, n_classes=3, flip_y=0.2, random_state=0
)
X_VAL, Y_VAL = X[60:], Y[60:]
SMALL = {"hidden_layer_sizes": (6,), "max_iter": 9, "random_state": 0}
ENGINES = ["numpy"] if compiled.UNAVAILABLE else ["numpy", "compiled"]


class Failure(Callback):
    """Ends a training as a failure of the machine would."""

    observes_only = True

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, training):
        if training.n_iter == self.epoch:
            raise InterruptedError


class Count(Callback):
    """Has a state from its first epoch on."""

    def on_epoch_end(self, training):
        self.n_ = getattr(self, "n_", 0) + 1


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoint"


def train_until(epoch, estimator, path, *data, **options):
    """A training with checkpoints that fails in an epoch."""
    estimator = clone(estimator)
    callbacks = [Checkpoint(path), *(estimator.callbacks or []), Failure(epoch)]
    with pytest.raises(InterruptedError):
        estimator.set_params(callbacks=callbacks).fit(*data, **options)
    assert not hasattr(estimator, "coefs_")


def assert_same(actual, expected):
    names = {name for name in vars(expected) if name.endswith("_")}
    assert {name for name in vars(actual) if name.endswith("_")} == names
    for name in sorted(names - {"history_"}):
        a, e = getattr(actual, name), getattr(expected, name)
        if isinstance(e, list) and e and isinstance(e[0], np.ndarray):
            for one, other in zip(a, e, strict=True):
                np.testing.assert_array_equal(one, other, strict=True)
        else:
            np.testing.assert_array_equal(a, e, err_msg=name)
    for name in expected.history_.keys() - {"seconds"}:
        np.testing.assert_array_equal(actual.history_[name], expected.history_[name])
    assert len(actual.history_["seconds"]) == len(expected.history_["seconds"])


def assert_goes_on(estimator, path, data=(X, Y), epoch=5, **options):
    """That training goes on as if nothing had been."""
    expected = clone(estimator).fit(*data, **options)
    assert expected.n_iter_ >= epoch
    train_until(epoch, estimator, path, *data, **options)
    actual = clone(estimator).fit(*data, **options, resume_from=path)
    assert_same(actual, expected)
    return actual, expected


# What goes on.


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_every_optimizer_continues(path, solver, engine, dtype):
    params = {"solver": solver, "engine": engine, "dtype": dtype}
    params |= {"dropout": 0.2, "batch_norm": True, "l1_ratio": 0.5, "alpha": 0.1}
    assert_goes_on(MLPClassifierScratch(**SMALL | params, batch_size=20), path)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_continues(path, schedule, engine):
    params = {"learning_rate": schedule, "solver": "sgd", "engine": engine}
    params |= {"warmup_steps": 20, "tol": 0.1, "n_iter_no_change": 1}
    if schedule not in ("adaptive", "invscaling", "plateau"):
        params["n_iter_no_change"] = 9
    assert_goes_on(MLPClassifierScratch(**SMALL | params, batch_size=20), path, epoch=3)


def rate(step):
    return 0.01 / (1 + step)


def noise(X, rng):
    return X + rng.normal(size=X.shape).astype(X.dtype)


def accuracy(estimator, X, y):
    return estimator.score(X, y)


@pytest.mark.parametrize(
    "params",
    [
        {"early_stopping": True},
        {"early_stopping": True, "shuffle": False, "n_iter_no_change": 2},
        {"early_stopping": True, "early_stopping_metric": "neg_log_loss"},
        {"early_stopping": True, "early_stopping_metric": accuracy},
        {"shuffle": False},
        {"batch_size": "full"},
        {"learning_rate": rate},
        {"augment": noise},
        {"frozen_layers": [0]},
        {"max_norm": 1.0, "clip_norm": 0.1, "weight_decay": 0.1},
        {"class_weight": "balanced", "label_smoothing": 0.1},
        {"random_state": np.random.RandomState(5)},
    ],
    ids="-".join,
)
@pytest.mark.parametrize("n_samples", [90])
def test_every_way_of_training_continues(path, params, n_samples):
    estimator = MLPClassifierScratch(**SMALL | params)
    assert_goes_on(estimator, path, epoch=4)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_training_with_a_validation_set_continues(path, early_stopping):
    estimator = MLPClassifierScratch(**SMALL, early_stopping=early_stopping)
    weights = np.linspace(0, 1, 90)
    assert_goes_on(estimator, path, sample_weight=weights, X_val=X_VAL, y_val=Y_VAL)


@pytest.mark.parametrize(
    "data",
    [
        (scipy.sparse.csr_matrix(X), Y),
        (np.asfortranarray(X), Y),
        (X.astype(np.float32), np.array(["a", "b", "c"])[Y]),
        (X[::-1, ::2], Y[::-1]),
        (X, (Y[:, np.newaxis] == [0, 1, 2]).astype(int)),
        (X > 0, Y > 0),
    ],
    ids=["sparse", "Fortran", "float32", "strided", "multilabel", "bool"],
)
def test_training_on_other_data_continues(path, data):
    assert_goes_on(MLPClassifierScratch(**SMALL), path, data)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_training_that_was_warm_started_continues(path, solver):
    """In a process that knows nothing of the training before."""
    params = {"solver": solver, "early_stopping": True}
    estimator = MLPClassifierScratch(**SMALL | params, warm_start=True).fit(X, Y)
    expected = pickle.loads(pickle.dumps(estimator)).fit(X, Y)
    callbacks = [Checkpoint(path), Failure(4)]
    with pytest.raises(InterruptedError):
        estimator.set_params(callbacks=callbacks).fit(X, Y)
    actual = MLPClassifierScratch(**SMALL | params).fit(X, Y, resume_from=path)
    assert_same(actual, expected)
    assert len(actual.loss_curve_) > actual.n_iter_


def test_weights_to_start_from_do_not_matter_any_more(path):
    start = [np.ones((6, 6)), None]
    estimator = MLPRegressorScratch(**SMALL)
    expected = clone(estimator).fit(X, Y, coefs_init=start)
    train_until(3, estimator, path, X, Y, coefs_init=start)
    assert_same(clone(estimator).fit(X, Y, resume_from=path), expected)


def test_fitted_attributes_do_not_matter(path):
    """It is as if it had never been fitted, whatever the warm start."""
    estimator = MLPClassifierScratch(**SMALL)
    expected = clone(estimator).fit(X, Y)
    train_until(5, estimator, path, X, Y)
    other = clone(estimator).fit(X[:50, :3], Y[:50]).set_params(warm_start=True)
    assert_same(other.fit(X, Y, resume_from=path), expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_more_epochs(path, engine):
    """A training that has come to its end goes on where there may be more of them."""
    estimator = MLPClassifierScratch(**SMALL, engine=engine)
    expected = clone(estimator).set_params(max_iter=14).fit(X, Y)
    clone(estimator).set_params(callbacks=Checkpoint(path, every=4)).fit(X, Y)
    actual = clone(estimator).set_params(max_iter=14).fit(X, Y, resume_from=path)
    assert_same(actual, expected)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_training_that_has_ended_stays_as_it_is(path, early_stopping):
    params = {"early_stopping": early_stopping, "n_iter_no_change": 2, "tol": 0.1}
    estimator = MLPClassifierScratch(**SMALL | params | {"max_iter": 50})
    expected = clone(estimator).set_params(callbacks=[Checkpoint(path)]).fit(X, Y)
    assert expected.n_iter_ < 50
    before = path.read_bytes()
    resumed = clone(estimator).set_params(callbacks=[Checkpoint(path)])
    assert_same(resumed.fit(X, Y, resume_from=path), expected)
    assert path.read_bytes() == before


def test_resumed_training_at_max_iter_warns_again(path):
    estimator = MLPClassifierScratch(**SMALL, callbacks=Checkpoint(path)).fit(X, Y)
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(9\)"):
        estimator.fit(X, Y, resume_from=path)


def test_a_training_is_resumed_repeatedly(path):
    estimator = MLPClassifierScratch(**SMALL, dropout=0.3)
    expected = clone(estimator).fit(X, Y)
    train_until(2, estimator, path, X, Y)
    for epoch in (4, 5, 8):
        train_until(epoch, estimator, path, X, Y, resume_from=path)
    assert_same(clone(estimator).fit(X, Y, resume_from=path), expected)


def test_progress_is_printed_from_the_resumed_epoch(path, capsys):
    estimator = MLPClassifierScratch(**SMALL, verbose=True).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    train_until(7, estimator, path, X, Y)
    capsys.readouterr()
    clone(estimator).fit(X, Y, resume_from=path)
    assert capsys.readouterr().out.splitlines() == lines[6:]


# Callbacks.


def callbacks_with_states():
    return [
        EarlyStopping("loss", patience=20, min_delta=0.01),
        ReduceLROnPlateau("loss", min_delta=0.5, patience=2),
        WeightRecorder(every=2),
        Count(),
    ]


def test_callbacks_continue(path):
    """As if they had seen all of it."""
    estimator = MLPClassifierScratch(**SMALL)
    expected = callbacks_with_states()
    estimator.set_params(callbacks=expected).fit(X, Y)
    own = callbacks_with_states()
    fails = MLPClassifierScratch(
        **SMALL, callbacks=[*own, Checkpoint(path), Failure(6)]
    )
    with pytest.raises(InterruptedError):
        fails.fit(X, Y)
    actual = callbacks_with_states()
    resumed = MLPClassifierScratch(**SMALL, callbacks=[Checkpoint(path), *actual])
    assert_same(resumed.fit(X, Y, resume_from=path), estimator)
    for a, e in zip(actual, expected, strict=True):
        assert vars(a).keys() == vars(e).keys()
        assert pickle.dumps(vars(a)) == pickle.dumps(vars(e)) or isinstance(
            a, WeightRecorder
        )
    recorded, wanted = actual[2], expected[2]
    assert recorded.epochs_ == wanted.epochs_ == [0, 2, 4, 6, 8]
    np.testing.assert_array_equal(recorded.angles_, wanted.angles_)
    np.testing.assert_array_equal(recorded.coefs_[3][0], wanted.coefs_[3][0])


def test_a_bar_continues(path):
    """It has no state, and shows the epochs that there were."""
    pytest.importorskip("tqdm")
    with open(os.devnull, "w", encoding="utf-8") as file:
        bar = ProgressBar(file=file)
        train_until(6, MLPClassifierScratch(**SMALL), path, X, Y)
        shown = []
        end = bar.on_fit_end
        bar.on_fit_end = lambda training: (
            shown.extend([bar._bar.initial, bar._bar.n]),
            end(training),
        )
        bar.state_dict = dict
        MLPClassifierScratch(**SMALL, callbacks=[bar]).fit(X, Y, resume_from=path)
    assert shown == [5, 9]


@pytest.mark.parametrize("wrap", [lambda f: f, lambda f: functools.partial(f)])
def test_a_function_continues(path, wrap):
    """It is known by its name. What it has recorded is not stored."""
    losses = []

    def record(training):
        losses.append(training.loss)

    expected = MLPClassifierScratch(**SMALL).fit(X, Y)
    estimator = MLPClassifierScratch(**SMALL, callbacks=[wrap(record)])
    train_until(5, estimator, path, X, Y)
    assert losses == expected.loss_curve_[:5]
    resumed = MLPClassifierScratch(**SMALL, callbacks=wrap(record))
    assert_same(resumed.fit(X, Y, resume_from=path), expected)
    assert losses == [*expected.loss_curve_[:5], *expected.loss_curve_[4:]]


def test_another_function_raises(path):
    def other(training):
        pass

    train_until(5, MLPClassifierScratch(**SMALL, callbacks=[print]), path, X, Y)
    for callbacks, message in (
        ([other], r"callbacks .*builtins.print.*<locals>.other"),
        (None, r"callbacks .*builtins.print.*and the estimator has \[\]"),
    ):
        estimator = MLPClassifierScratch(**SMALL, callbacks=callbacks)
        with pytest.raises(ValueError, match=message):
            estimator.fit(X, Y, resume_from=path)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ([Count()], [], r"with the callbacks .*Count.*and the estimator has \[\]"),
        ([], [EarlyStopping("loss")], r"with the callbacks \[\], and .*EarlyStop"),
        (
            [EarlyStopping("loss", patience=3)],
            [EarlyStopping("loss", patience=4)],
            r"patience.*3.*patience.*4",
        ),
    ],
)
def test_other_callbacks_raise(path, before, after, message):
    train_until(5, MLPClassifierScratch(**SMALL, callbacks=before), path, X, Y)
    estimator = MLPClassifierScratch(**SMALL, callbacks=after)
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, Y, resume_from=path)
    assert not hasattr(estimator, "coefs_")


def test_state_that_cannot_be_stored_raises_at_once(path):
    class Keeps(Callback):
        def on_fit_begin(self, training):
            self.training = training

    estimator = MLPClassifierScratch(**SMALL, callbacks=[Keeps(), Checkpoint(path)])
    with pytest.raises(
        ValueError, match=r"cannot store this training: callbacks/0.*Train"
    ):
        estimator.fit(X, Y)
    assert not path.exists()


# What is refused.


CHANGES = {
    "alpha": ({"alpha": 0.5}, "alpha was the default and is 0.5"),
    "solver": ({"solver": "sgd"}, "solver was the default and is 'sgd'"),
    "random_state": ({"random_state": 1}, "random_state was 0 and is 1"),
    "layers": (
        {"hidden_layer_sizes": (7,)},
        r"hidden_layer_sizes was \[6\] and is \[7",
    ),
    "max_iter": ({"max_iter": 3}, "it was written after epoch 4, and max_iter is 3"),
    "activation": ({"activation": "tanh"}, "activation was the default and is 'tanh'"),
    "schedule": (
        {"learning_rate": rate},
        r"learning_rate was the default and is .*rate",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_other_parameters_raise(path, name):
    params, message = CHANGES[name]
    train_until(5, MLPClassifierScratch(**SMALL), path, X, Y)
    estimator = MLPClassifierScratch(**SMALL | params)
    with pytest.raises(ValueError, match=message) as info:
        estimator.fit(X, Y, resume_from=path)
    assert str(info.value).startswith(f"resume_from={str(path)!r} cannot be resumed")
    assert not hasattr(estimator, "coefs_")


COSINE, PLATEAU = {"learning_rate": "cosine"}, {"learning_rate": "plateau"}


@pytest.mark.parametrize(
    ("before", "now"),
    [
        # 'adam' ignores the schedules of 'sgd'.
        ({"learning_rate": "adaptive"}, {}),
        ({}, {"learning_rate": "invscaling"}),
        # None is what it stands for.
        (COSINE, COSINE | {"learning_rate_min": 0.0}),
        (COSINE | {"learning_rate_min": 0}, COSINE),
        (PLATEAU, PLATEAU | {"learning_rate_min": 1e-6}),
    ],
    ids=str,
)
def test_parameters_that_mean_the_same_are_taken(path, before, now):
    train_until(5, MLPClassifierScratch(**SMALL | before), path, X, Y)
    resumed = MLPClassifierScratch(**SMALL | now).fit(X, Y, resume_from=path)
    assert_same(resumed, MLPClassifierScratch(**SMALL | now).fit(X, Y))


def test_plateau_with_another_minimum_raises(path):
    estimator = MLPClassifierScratch(**SMALL, learning_rate="plateau")
    train_until(5, estimator, path, X, Y)
    message = "learning_rate_min was the default and is 0.0"
    with pytest.raises(ValueError, match=message):
        estimator.set_params(learning_rate_min=0.0).fit(X, Y, resume_from=path)


def test_schedule_with_an_end_requires_the_same_end(path):
    estimator = MLPClassifierScratch(**SMALL, learning_rate="cosine")
    train_until(5, estimator, path, X, Y)
    with pytest.raises(ValueError, match="max_iter was 9 and is 10"):
        estimator.set_params(max_iter=10).fit(X, Y, resume_from=path)


def changed(array):
    array = array.copy()
    array[-1] = array[0]
    return array


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ((changed(X), Y), {}, "another training: X has other values"),
        ((X, changed(Y)), {}, "y has other values"),
        ((X, Y + 1), {}, "y has other values"),  # the same targets, other classes
        (
            (X[:-1], Y[:-1]),
            {},
            "X has other values, or another shape, dtype or order; y",
        ),
        ((X.astype(np.float32), Y), {}, "X has other values"),
        ((X, Y), {"sample_weight": np.ones(90)}, "sample_weight was not given"),
        ((X, Y), {"X_val": X, "y_val": Y}, "X_val was not given"),
    ],
)
def test_other_data_raise(path, data, options, message):
    train_until(5, MLPClassifierScratch(**SMALL), path, X, Y)
    estimator = MLPClassifierScratch(**SMALL)
    with pytest.raises(ValueError, match=message):
        estimator.fit(*data, **options, resume_from=path)
    assert not hasattr(estimator, "coefs_")


def test_another_class_raises(path):
    train_until(5, MLPClassifierScratch(**SMALL), path, X, Y)
    with pytest.raises(ValueError, match="class was 'MLPClassifierScratch' and is"):
        MLPRegressorScratch(**SMALL).fit(X, Y, resume_from=path)


def test_invalid_checkpoint_does_not_change_the_estimator(path):
    """The estimator, and the file; the checkpoint before it still works."""
    estimator = MLPClassifierScratch(**SMALL)
    expected = clone(estimator).fit(X, Y)
    train_until(4, estimator, path, X, Y)
    good = path.read_bytes()
    train_until(7, estimator, path, X, Y)
    bad = path.read_bytes()[:-100]
    path.write_bytes(bad)
    fitted = clone(estimator).fit(X, Y)
    before = {k: id(v) for k, v in vars(fitted).items()}
    with pytest.raises(ValueError, match="it is incomplete"):
        fitted.fit(X, Y, resume_from=path)
    assert {k: id(v) for k, v in vars(fitted).items()} == before
    assert path.read_bytes() == bad
    path.write_bytes(good)
    assert_same(fitted.fit(X, Y, resume_from=path), expected)


def test_a_model_is_no_checkpoint(path):
    estimator = MLPClassifierScratch(**SMALL).fit(X, Y)
    skmlp.save(estimator, path)
    with pytest.raises(ValueError, match="as a skmlp checkpoint: its format is"):
        estimator.fit(X, Y, resume_from=path)


def test_missing_file(path):
    with pytest.raises(FileNotFoundError):
        MLPClassifierScratch(**SMALL).fit(X, Y, resume_from=path)


def test_lbfgs_has_no_checkpoints(path):
    estimator = MLPClassifierScratch(**SMALL, solver="lbfgs")
    with pytest.raises(ValueError, match="resume_from needs a first-order solver"):
        estimator.fit(X, Y, resume_from=path)
    with pytest.raises(ValueError, match=r"callbacks=.* needs a first-order solver"):
        estimator.set_params(callbacks=[Checkpoint(path)]).fit(X, Y)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rows", np.arange(1, 91)),
        ("rows", np.arange(-1, 89)),
        ("rows", np.arange(89)),
        ("rows", np.zeros((90, 1), int)),
        ("rows", np.zeros(90)),
        ("theta/flat", np.zeros(3)),
        ("optimizer/m", np.zeros(3)),
        ("optimizer/v", np.zeros(63, np.float32)),
        ("history/loss", np.zeros(3)),
        ("random_state", np.zeros(3, np.uint32)),
    ],
)
def test_arrays_that_do_not_fit_raise(path, name, value):
    """Compiled code would read beyond them."""
    train_until(5, MLPClassifierScratch(**SMALL), path, X, Y)
    content, arrays = archive.read(path, "skmlp checkpoint", 2)
    assert name in arrays
    arrays[name] = value
    archive.write(path, "skmlp checkpoint", 2, content, arrays)
    with pytest.raises(ValueError, match=r"resume_from=.* cannot be resumed: "):
        MLPClassifierScratch(**SMALL).fit(X, Y, resume_from=path)


@pytest.mark.skipif(len(ENGINES) < 2, reason="there is one engine")
def test_another_engine_is_warned_of(path):
    """Its numbers differ by rounding, and nothing else does."""
    expected = MLPClassifierScratch(**SMALL, engine="numpy").fit(X, Y)
    train_until(5, MLPClassifierScratch(**SMALL, engine="compiled"), path, X, Y)
    with pytest.warns(
        UserWarning, match="written with engine='compiled', and training"
    ):
        actual = MLPClassifierScratch(**SMALL, engine="numpy").fit(
            X, Y, resume_from=path
        )
    np.testing.assert_allclose(actual.loss_curve_, expected.loss_curve_, rtol=1e-9)


# The callback.


@pytest.mark.parametrize("every", [1, 4])
def test_checkpoints_are_written_every_few_epochs(path, every):
    """And at the end; the file is the last of them."""
    seen = []

    class Look(Callback):
        def on_epoch_end(self, training):
            if path.exists():
                seen.append(archive.read(path, "skmlp checkpoint", 2)[0]["n_iter"])

    params = SMALL | {"callbacks": [Look(), Checkpoint(path, every=every)]}
    MLPClassifierScratch(**params).fit(X, Y)
    assert sorted(set(seen)) == list(range(every, 9, every))
    assert archive.read(path, "skmlp checkpoint", 2)[0]["n_iter"] == 9
    assert os.listdir(path.parent) == [path.name]


def test_checkpoints_do_not_change_the_training(path):
    estimator = MLPClassifierScratch(**SMALL, dropout=0.1, early_stopping=True)
    expected = clone(estimator).fit(X, Y)
    assert_same(estimator.set_params(callbacks=Checkpoint(path)).fit(X, Y), expected)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"path": 3}, TypeError, "path must be a str or os.PathLike, got 3"),
        ({"path": "no/such/directory/file"}, ValueError, "in a directory that exists"),
        ({"path": "."}, ValueError, "path must name a file in a directory that exists"),
        ({"path": "file", "every": 0}, ValueError, "every == 0, must be >= 1"),
        ({"path": "file", "every": 1.5}, TypeError, "every must be an instance of int"),
    ],
)
def test_settings_that_are_not_valid(settings, error, message):
    """Are found before the first epoch."""
    estimator = MLPClassifierScratch(**SMALL, callbacks=Checkpoint(**settings))
    with pytest.raises(error, match=message):
        estimator.fit(X, Y)
    assert not hasattr(estimator, "coefs_")


def test_partial_fit_has_no_checkpoints(path):
    estimator = MLPClassifierScratch(**SMALL, callbacks=Checkpoint(path))
    with pytest.raises(ValueError, match=r"not supported by partial_fit.*skmlp\.save"):
        estimator.partial_fit(X, Y, classes=[0, 1, 2])


def test_a_full_disk_does_not_end_training(path, monkeypatch):
    """There is a warning, and the last checkpoint stays."""
    fsync, count = os.fsync, iter(range(100))

    def full(handle):
        if next(count) >= 6:  # the file, and its directory
            raise OSError(28, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    expected = MLPClassifierScratch(**SMALL).fit(X, Y)
    estimator = MLPClassifierScratch(**SMALL, callbacks=Checkpoint(path))
    message = r"A checkpoint could not be written: .*space.* Training continues"
    with pytest.warns(RuntimeWarning, match=message) as record:
        estimator.fit(X, Y)
    assert sum(w.category is RuntimeWarning for w in record) == 6  # epochs 4 to 9
    assert_same(estimator, expected)
    assert archive.read(path, "skmlp checkpoint", 2)[0]["n_iter"] == 3
    assert os.listdir(path.parent) == [path.name]


def test_path_is_resolved_when_training_begins(path, monkeypatch):
    """Also if it is relative, as a string or a Path."""
    monkeypatch.chdir(path.parent)
    for relative in ("checkpoint", Path("checkpoint")):
        train_until(5, MLPClassifierScratch(**SMALL), relative, X, Y)
        MLPClassifierScratch(**SMALL).fit(X, Y, resume_from=relative)
        os.remove(path)


def test_in_a_pipeline(path):
    expected = make_pipeline(StandardScaler(), MLPClassifierScratch(**SMALL)).fit(X, Y)
    train_until(
        5, MLPClassifierScratch(**SMALL), path, StandardScaler().fit_transform(X), Y
    )
    pipeline = make_pipeline(StandardScaler(), MLPClassifierScratch(**SMALL))
    pipeline.fit(X, Y, mlpclassifierscratch__resume_from=path)
    assert_same(pipeline[-1], expected[-1])


def test_it_is_a_parameter_like_any_other(path):
    estimator = MLPClassifierScratch(callbacks=[Checkpoint(path, every=3)])
    for copied in (clone(estimator), pickle.loads(pickle.dumps(estimator))):
        assert repr(copied) == repr(estimator)
        assert vars(copied.callbacks[0]) == {"path": path, "every": 3}


def test_the_fingerprint_of_a_memory_map_is_that_of_its_values(path, tmp_path):
    X.tofile(tmp_path / "X")
    mapped = np.memmap(tmp_path / "X", X.dtype, "r", shape=X.shape)
    expected = MLPClassifierScratch(**SMALL).fit(X, Y)
    train_until(5, MLPClassifierScratch(**SMALL), path, X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        actual = MLPClassifierScratch(**SMALL).fit(mapped, Y, resume_from=path)
    assert_same(actual, expected)


# What is not as usual.


class Duck:
    """A callback without the base class, which steers by what it remembers."""

    def __init__(self, factor):
        self.factor = factor

    def on_fit_begin(self, training):
        self.seen = []

    def on_epoch_end(self, training):
        self.seen.append(training.n_iter)
        self.factor *= 0.9
        training.optimizer.base_learning_rate = 0.01 * self.factor * len(self.seen)

    def on_fit_end(self, training):
        pass


def test_callbacks_without_the_base_class_continue(path):
    """Also with a setting that they have changed."""
    expected = MLPClassifierScratch(**SMALL, callbacks=[Duck(1.0)]).fit(X, Y)
    fails = [Checkpoint(path), Duck(1.0), Failure(5)]
    with pytest.raises(InterruptedError):
        MLPClassifierScratch(**SMALL, callbacks=fails).fit(X, Y)
    actual = MLPClassifierScratch(**SMALL, callbacks=[Duck(1.0)])
    assert_same(actual.fit(X, Y, resume_from=path), expected)
    assert actual.callbacks[0].seen == list(range(1, 10))


def test_the_users_random_state_is_where_it_would_be(path):
    """What is drawn from it after training is the same, too."""
    one_piece, resumed = np.random.RandomState(3), np.random.RandomState(3)
    params = SMALL | {"dropout": 0.1}
    expected = MLPClassifierScratch(**params).set_params(random_state=one_piece)
    expected.fit(X, Y)
    fails = MLPClassifierScratch(**params, callbacks=[Checkpoint(path), Failure(5)])
    with pytest.raises(InterruptedError):
        fails.set_params(random_state=np.random.RandomState(3)).fit(X, Y)
    actual = MLPClassifierScratch(**params).set_params(random_state=resumed)
    assert_same(actual.fit(X, Y, resume_from=path), expected)
    assert resumed.randint(10**9) == one_piece.randint(10**9)


def test_global_random_state_is_unchanged(path):
    train_until(5, MLPClassifierScratch(**SMALL | {"random_state": None}), path, X, Y)
    resumed = MLPClassifierScratch(**SMALL | {"random_state": None})
    curves = []
    for seed in (0, 1):
        np.random.seed(seed)  # noqa: NPY002
        curves.append(resumed.fit(X, Y, resume_from=path).loss_curve_)
    assert curves[0] == curves[1]


@pytest.mark.parametrize("change", ["dtype", "dropout"])
def test_a_warm_started_training_is_resumed(path, change):
    """The dtype of the first training, or its generator."""
    estimator = MLPClassifierScratch(**SMALL, warm_start=True)
    if change == "dtype":
        estimator.fit(X.astype(np.float32), Y)
    else:
        estimator.set_params(dropout=0.2).fit(X, Y).set_params(dropout=0.0)
    expected = pickle.loads(pickle.dumps(estimator)).fit(X, Y)
    with pytest.raises(InterruptedError):
        estimator.set_params(callbacks=[Checkpoint(path), Failure(4)]).fit(X, Y)
    actual = MLPClassifierScratch(**SMALL, warm_start=True)
    assert_same(actual.fit(X, Y, resume_from=path), expected)
    assert actual.coefs_[0].dtype == expected.coefs_[0].dtype


def test_later_failure_to_store_does_not_end_training(path):
    class Opens(Callback):
        def on_epoch_end(self, training):
            if training.n_iter == 4:
                self.file = object()

    estimator = MLPClassifierScratch(**SMALL, callbacks=[Opens(), Checkpoint(path)])
    with pytest.warns(
        RuntimeWarning, match=r"could not be written: callbacks/0/.*file"
    ):
        estimator.fit(X, Y)
    assert estimator.n_iter_ == 9
    assert archive.read(path, "skmlp checkpoint", 2)[0]["n_iter"] == 3


def test_many_records_are_few_members(path):
    """Or each checkpoint would take longer than all epochs before it."""
    callbacks = [WeightRecorder(), Checkpoint(path)]
    MLPClassifierScratch(**SMALL, callbacks=callbacks).fit(X, Y)
    _, arrays = archive.read(path, "skmlp checkpoint", 2)
    assert len(arrays) < 40


def test_working_directory_that_changes_during_training(path, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)

    class Moves(Callback):
        observes_only = True

        def on_epoch_end(self, training):
            os.chdir(tmp_path / "other")

    callbacks = [Checkpoint(path.name), Moves()]
    MLPClassifierScratch(**SMALL, callbacks=callbacks).fit(X, Y)
    assert os.listdir(tmp_path / "other") == []
    assert path.exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may")
def test_a_directory_that_cannot_be_written_to(tmp_path):
    tmp_path.chmod(0o500)
    estimator = MLPClassifierScratch(**SMALL, callbacks=Checkpoint(tmp_path / "file"))
    with pytest.raises(ValueError, match="in a directory that can be written to"):
        estimator.fit(X, Y)


@pytest.mark.parametrize("resume_from", [3, ["file"], True])
def test_invalid_path_raises(resume_from):
    with pytest.raises(
        TypeError, match=r"resume_from must be a str or os\.PathLike, got"
    ):
        MLPClassifierScratch(**SMALL).fit(X, Y, resume_from=resume_from)


def test_a_name_as_long_as_names_can_be(tmp_path):
    path = tmp_path / ("n" * 250)
    MLPClassifierScratch(**SMALL, callbacks=Checkpoint(path)).fit(X, Y)
    assert os.listdir(tmp_path) == [path.name]
