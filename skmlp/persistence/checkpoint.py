"""Checkpoints: the state of a training, in a file."""

import hashlib
import json
import os
from dataclasses import dataclass, fields
from functools import cached_property
from numbers import Real
from typing import cast

import numpy as np

from skmlp._warnings import warn
from skmlp.callbacks import EarlyStopping, ReduceLROnPlateau, WeightRecorder
from skmlp.callbacks.base import FunctionCallback, attributes
from skmlp.callbacks.copies import settings
from skmlp.core.parameters import Parameters
from skmlp.persistence import archive, codec
from skmlp.persistence.checks import (
    check,
    check_earlier,
    check_history,
    check_number,
    check_numbers,
    is_count,
)
from skmlp.persistence.identity import describe, differences, identify, name_of
from skmlp.persistence.objects import check_state

KIND, VERSION = "skmlp checkpoint", 2

# The attributes in the state of each callback of the package, with their types.
_MONITOR: dict = {"best_": Real, "best_epoch_": int | None, "wait_": int, "_sign": int}
_STATES: dict = {
    EarlyStopping: {**_MONITOR, "_best_theta": Parameters | None},
    ReduceLROnPlateau: _MONITOR,
    WeightRecorder: {
        **dict.fromkeys(("epochs_", "coefs_", "intercepts_"), list),
        **dict.fromkeys(("grad_norms_", "angles_"), list),
        "_previous": np.ndarray | None,
    },
}


@dataclass
class Snapshot:
    """The content of a checkpoint.

    It has the attributes of `TrainingState` that are necessary to resume training, and
    those below.

    Attributes
    ----------
    identity : dict
        Parameters and fingerprints of the data.

    engine : str
        Name of the engine.

    earlier : dict
        Fitted attributes of an earlier call, to which training appends.

    rows, random_state : ndarray or None, RandomState or None
        Attributes of the order of the samples.

    optimizer : dict
        State of the optimizer.

    callbacks : list of tuple
        Description and state of each callback that changes the training.

    average, n_averaged : Parameters or None, int
        Average of the parameters, and the number of its epochs.

    path : str or os.PathLike
        Path of the file.
    """

    identity: dict
    engine: str
    earlier: dict
    n_iter: int
    t: int
    done: bool
    loss: float
    best_loss: float | None
    best_validation_score: float | None
    no_improvement_count: int
    history: dict
    validation_scores: list
    theta: Parameters
    best_theta: Parameters | None
    optimizer: dict
    rng: np.random.Generator | None
    random_state: np.random.RandomState | None
    rows: np.ndarray | None
    val_rows: np.ndarray | None
    callbacks: list
    path: str | os.PathLike = ""
    average: Parameters | None = None
    n_averaged: int = 0

    def __post_init__(self):
        for field in fields(self):
            value, types = getattr(self, field.name), cast(type, field.type)
            check(isinstance(value, types), f"{field.name} is {value!r}")

    def check_progress(self, extended):
        """Raise if this is not a possible state of a training.

        Parameters
        ----------
        extended : collection of str
            Names of the fitted attributes that training extends.
        """
        check(
            self.earlier.keys() <= set(extended),
            "its earlier attributes are not those of an estimator",
        )
        for name in "n_iter", "t", "no_improvement_count", "n_averaged":
            value = getattr(self, name)
            check(is_count(value), f"{name} is {value!r}")
        check_earlier(self.earlier)
        check_history(self.history, self.n_iter, "its history")
        check_numbers(self.validation_scores, "its validation_scores")

    def check_rows(self, n_samples, has_split):
        """Raise if the rows are not rows of the data.

        Parameters
        ----------
        n_samples : int
            Number of samples.

        has_split : bool
            Whether some of the samples are the validation set.
        """
        n_val = 0 if self.val_rows is None else self.val_rows.size
        check(
            (0 < n_val < n_samples) == has_split
            and (has_split or self.val_rows is None)
            and (self.rows is not None or not has_split),
            "its validation set has other rows",
        )
        for rows, size in (self.rows, n_samples - n_val), (self.val_rows, n_val):
            if rows is not None:
                fit = rows.shape == (size,) and rows.dtype == np.intp
                fit = fit and ((rows >= 0) & (rows < n_samples)).all()
                check(fit, "its rows are not those of X")

    def choose_rng(self, rng):
        """Return the generator of the checkpoint, or `rng` if there is none.

        After a warm start, a training can have a generator that it does not use.
        """
        with value_errors(self.path):
            check(self.rng is not None or rng is None, "it has no generator")
        return self.rng

    def restore(self, state):
        """Write the content of the checkpoint to the state of a training.

        Parameters
        ----------
        state : TrainingState
            State of a training before its first epoch. Its generator is the one that
            `choose_rng` has returned.

        Raises
        ------
        ValueError
            If the checkpoint does not fit to the training.
        """
        with value_errors(self.path):
            self._check(state)
        state.theta.assign(self.theta)
        state.optimizer.load_state_dict(self.optimizer)
        order = state.order
        order.rows = self.rows
        if self.random_state is not None:
            if state.estimator.random_state is None:  # not the global one
                order.random_state = self.random_state
            else:
                order.random_state.set_state(self.random_state.get_state())
        for name in (*_NUMBERS, "history", "validation_scores", "best_theta"):
            setattr(state, name, getattr(self, name))
        if state.average is not None:
            state.average.theta.assign(self.average)
            state.average.n_epochs = self.n_averaged

    def _check(self, state):
        layout = _layout(state.theta)
        check(
            all(
                theta is None or _layout(theta) == layout
                for theta in (self.theta, self.best_theta, self.average)
            ),
            "its network is different",
        )
        check(
            (self.average is None) == (state.average is None),
            "its average of the weights does not fit",
        )
        check_state(state.optimizer, self.optimizer)
        for name in "best_loss", "best_validation_score":
            is_none = getattr(state, name) is None
            check((getattr(self, name) is None) == is_none, f"its {name} does not fit")
        order = state.order
        check(
            (self.random_state is None) == (order.random_state is None)
            and (self.rows is None) == (order.rows is None),
            "its order of the samples does not fit",
        )


_NUMBERS = (
    "n_iter",
    "t",
    "done",
    "loss",
    "best_loss",
    "best_validation_score",
    "no_improvement_count",
)


def _layout(theta):
    return theta.layout, theta.flat.dtype


def read(path, extended):
    """Read a checkpoint.

    Parameters
    ----------
    path : str or os.PathLike
        Path of the file.

    extended : collection of str
        Names of the fitted attributes that training extends.

    Returns
    -------
    checkpoint : Snapshot

    Raises
    ------
    OSError
        If the file cannot be opened.

    ValueError
        If the file is not a checkpoint.
    """
    content, arrays = archive.read(path, KIND, VERSION)
    with value_errors(path):
        identity = content.pop("identity")
        parts = {name: codec.decode(part, arrays) for name, part in content.items()}
        checkpoint = Snapshot(identity, path=path, **parts)
        checkpoint.check_progress(extended)
    return checkpoint


def value_errors(path):
    """Return a context in which an exception means that a checkpoint does not fit."""
    return archive.value_errors(f"resume_from={os.fspath(path)!r} cannot be resumed")


class Run:
    """A training, which writes checkpoints and recognizes those of the same training.

    Parameters
    ----------
    estimator : BaseMLP
        The estimator.

    engine : str
        Name of the engine.

    data, validation_data : Data
        The training data, and the validation data of the user or None.

    callbacks : list of Callback
        The callbacks of the user.

    earlier : dict
        Fitted attributes of an earlier call, to which training appends.
    """

    def __init__(self, estimator, engine, data, validation_data, callbacks, earlier):
        self._estimator = estimator
        self._engine = engine
        self._data = data, validation_data
        self._callbacks = callbacks
        self._earlier = earlier

    @cached_property
    def _identity(self):
        return identify(self._estimator, *self._data)

    @cached_property
    def watched(self):
        """Callbacks that change the training, and their descriptions at its start."""
        return [
            (callback, _description(callback))
            for callback in self._callbacks
            if not getattr(callback, "observes_only", False)
        ]

    def begin(self):
        """Compute what describes the training, before its objects change."""
        return self._identity, self.watched

    def check(self, checkpoint):
        """Raise if a checkpoint is of another training.

        Parameters
        ----------
        checkpoint : Snapshot
            The checkpoint.

        Raises
        ------
        ValueError
            If the checkpoint is of another training.
        """
        data, validation_data = self._data
        max_iter = self._estimator.max_iter
        with value_errors(checkpoint.path):
            others = "; ".join(differences(checkpoint.identity, self._identity))
            check(not others, f"it is of another training: {others}")
            check(
                checkpoint.n_iter <= max_iter,
                f"it was written after epoch {checkpoint.n_iter}, and max_iter is "
                f"{max_iter}",
            )
            has_split = self._estimator.early_stopping and validation_data is None
            checkpoint.check_rows(data.X.shape[0], has_split)
            saved = [name for name, _ in checkpoint.callbacks]
            given = [name for _, name in self.watched]
            check(
                saved == given,
                f"it was written with the callbacks {saved}, and the estimator has "
                f"{given}",
            )
        if checkpoint.engine != self._engine:
            warn(
                f"resume_from={os.fspath(checkpoint.path)!r} was written with "
                f"engine={checkpoint.engine!r}, and training continues with "
                f"engine={self._engine!r}. The results differ by rounding errors from "
                "those of an uninterrupted training.",
            )

    def encode(self, state):
        """Return the content and the arrays of a checkpoint.

        Parameters
        ----------
        state : TrainingState
            The state of the training.

        Returns
        -------
        content : dict
            Content for `archive.write`.

        arrays : dict of str to ndarray
            The arrays of the training, which are not copied.

        Raises
        ------
        TypeError
            If something cannot be stored.
        """
        checkpoint = Snapshot(
            identity=self._identity,
            engine=self._engine,
            earlier=self._earlier,
            history=state.history,
            validation_scores=state.validation_scores,
            theta=state.theta,
            best_theta=state.best_theta,
            optimizer=state.optimizer.state_dict(),
            rng=state.rng,
            random_state=state.order.random_state,
            rows=state.order.rows,
            val_rows=state.val_rows,
            callbacks=[(name, _state_of(callback)) for callback, name in self.watched],
            **{name: getattr(state, name) for name in _NUMBERS},
            average=None if state.average is None else state.average.theta,
            n_averaged=0 if state.average is None else state.average.n_epochs,
        )
        content: dict = {"identity": self._identity}
        arrays: dict = {}
        for field in fields(checkpoint):
            if field.name not in ("identity", "path"):
                part = getattr(checkpoint, field.name)
                content[field.name] = codec.encode(part, field.name, arrays)
        return content, arrays

    def write_checkpoint(self, path, content, arrays):
        """Write the result of `encode` to a file.

        Parameters
        ----------
        path : str
            Path of the file.

        content : dict
            The content.

        arrays : dict of str to ndarray
            The arrays.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        # The name is the same each time, so that the next checkpoint replaces the
        # temporary file of a process that was killed.
        what = json.dumps([os.path.basename(path), self._identity])
        temporary = f".checkpoint-{hashlib.sha256(what.encode()).hexdigest()[:16]}"
        archive.write(path, KIND, VERSION, content, arrays, temporary)


class RestoredCallbacks:
    """A callback that restores the states of the others after their `on_fit_begin`.

    Parameters
    ----------
    run : Run
        The training.

    checkpoint : Snapshot
        The checkpoint that contains the states.
    """

    def __init__(self, run, checkpoint):
        self._run = run
        self._checkpoint = checkpoint

    def on_fit_begin(self, training):
        """Restore the states."""
        with value_errors(self._checkpoint.path):
            for (callback, _), (_, state) in zip(
                self._run.watched, self._checkpoint.callbacks, strict=True
            ):
                if type(callback) in _STATES:
                    _check_state(callback, state, training.theta)
                _restore(callback, state)


def _description(callback):
    """Return the class and the settings of a callback, or the name of a function."""
    if isinstance(callback, FunctionCallback):
        # The variables that it captures may be its records.
        function = callback.function
        return [name_of(getattr(function, "func", function)), []]
    return [name_of(callback), describe(settings(callback))]


def _state_of(callback):
    if hasattr(callback, "state_dict"):
        return callback.state_dict()
    return attributes(callback)


def _restore(callback, state):
    if hasattr(callback, "load_state_dict"):
        callback.load_state_dict(state)
    else:
        vars(callback).update(state)


def _check_state(callback, state, theta):
    """Raise if a state is not valid for a callback of the package."""
    types, name = _STATES[type(callback)], type(callback).__name__
    own = settings(callback)
    check(state.keys() - own.keys() == types.keys(), f"{name} has another state")
    for key, value in state.items():
        if key in own:
            check(value == own[key], f"{name} has another {key}")
            continue
        check(isinstance(value, types[key]), f"{key} of {name} is {value!r}")
        if isinstance(value, Real):
            check_number(value, f"{key} of {name}")
        elif isinstance(value, Parameters):
            check(_layout(value) == _layout(theta), f"{name} is of another network")
        elif isinstance(value, np.ndarray):
            fits = value.shape == theta.flat.shape and value.dtype == np.float64
            check(fits, f"{name} is of another network")
