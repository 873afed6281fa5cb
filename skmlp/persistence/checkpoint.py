"""Checkpoints: all that training needs to go on, in a file."""

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
from skmlp.persistence.codec import check
from skmlp.persistence.identity import describe, differences, identify, name_of

KIND, VERSION = "skmlp checkpoint", 2

# What the package's callbacks remember, each with the types that it can have.
_MONITOR: dict = {"best_": Real, "best_epoch_": int | None, "wait_": int, "_sign": int}
_REMEMBERED: dict = {
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

    It has the attributes of `TrainingState` that training continues from, and these.

    Attributes
    ----------
    identity : dict
        Parameters and fingerprints of the data.

    engine : str
        Name of the engine that has trained so far.

    earlier : dict
        Fitted attributes of the call before, which training extends.

    rows, random_state : ndarray or None, RandomState or None
        Of the order of the samples.

    optimizer : dict
        State of the optimizer.

    callbacks : list of tuple
        Description and state of each callback that matters.

    path : str or os.PathLike
        Where it was read from.
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

    def __post_init__(self):
        for field in fields(self):
            value, types = getattr(self, field.name), cast(type, field.type)
            check(isinstance(value, types), f"{field.name} is {value!r}")

    def check_progress(self, extended):
        """Raise if no training can have reached this state.

        Parameters
        ----------
        extended : collection of str
            Names of the fitted attributes that training extends.
        """
        check(self.earlier.keys() <= set(extended), "it goes on from something else")
        for name in "n_iter", "t", "no_improvement_count":
            value = getattr(self, name)
            check(codec.is_count(value), f"{name} is {value!r}")
        codec.check_earlier(self.earlier)
        codec.check_history(self.history, self.n_iter, "its history")
        codec.check_numbers(self.validation_scores, "its validation_scores")

    def check_rows(self, n_samples, has_split):
        """Refuse rows that there are not.

        Parameters
        ----------
        n_samples : int
            Number of samples in all.

        has_split : bool
            Whether some of them are set aside for validation.
        """
        n_val = 0 if self.val_rows is None else self.val_rows.size
        check(
            (0 < n_val < n_samples) == has_split
            and (has_split or self.val_rows is None)
            and (self.rows is not None or not has_split),
            "it sets other rows aside",
        )
        for rows, size in (self.rows, n_samples - n_val), (self.val_rows, n_val):
            if rows is not None:
                fit = rows.shape == (size,) and rows.dtype == np.intp
                fit = fit and ((rows >= 0) & (rows < n_samples)).all()
                check(fit, "its rows are not those of X")

    def choose_rng(self, rng):
        """The generator to go on with: this one's, or `rng` if it has none.

        A training that was warm-started may have one though it needs none.
        """
        with refusing(self.path):
            check(self.rng is not None or rng is None, "it has no generator")
        return self.rng

    def restore(self, state):
        """Let training go on from here.

        Parameters
        ----------
        state : TrainingState
            That of a training which is about to start, with this one's generator.

        Raises
        ------
        ValueError
            If the checkpoint does not fit to it.
        """
        with refusing(self.path):
            self._check(state)
        state.theta.assign(self.theta)
        state.optimizer.load_state_dict(self.optimizer)
        order = state.order
        order.rows = self.rows
        if self.random_state is not None:
            if state.estimator.random_state is None:  # not the one that all share
                order.random_state = self.random_state
            else:
                order.random_state.set_state(self.random_state.get_state())
        for name in (*_NUMBERS, "history", "validation_scores", "best_theta"):
            setattr(state, name, getattr(self, name))

    def _check(self, state):
        layout = _layout(state.theta)
        check(
            _layout(self.theta) == layout
            and (self.best_theta is None or _layout(self.best_theta) == layout),
            "its network is another",
        )
        codec.check_state(state.optimizer, self.optimizer)
        for name in "best_loss", "best_validation_score":
            is_none = getattr(state, name) is None
            check((getattr(self, name) is None) == is_none, f"its {name} is another")
        order = state.order
        check(
            (self.random_state is None) == (order.random_state is None)
            and (self.rows is None) == (order.rows is None),
            "its order of the samples is another",
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
    """Read a checkpoint, of whatever training.

    Parameters
    ----------
    path : str or os.PathLike
        Where from.

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
        If it is no checkpoint.
    """
    content, arrays = archive.read(path, KIND, VERSION)
    with refusing(path):
        identity = content.pop("identity")
        parts = {name: codec.decode(part, arrays) for name, part in content.items()}
        checkpoint = Snapshot(identity, path=path, **parts)
        checkpoint.check_progress(extended)
    return checkpoint


def refusing(path):
    """The context in which a checkpoint is found not to fit."""
    return archive.refusing(f"resume_from={os.fspath(path)!r} cannot be resumed")


class Run:
    """A training, which can write checkpoints and knows its own.

    Parameters
    ----------
    estimator : BaseMLP
        The estimator, which knows its classes.

    engine : str
        Name of the engine.

    data, validation_data : Data
        The samples; the latter the user's own, or None.

    callbacks : list of Callback
        The user's.

    earlier : dict
        Fitted attributes of the call before, which training extends.

    Attributes
    ----------
    watched : list of tuple
        Callbacks that matter, and their descriptions when training began.
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
        """Callbacks that matter, and their descriptions."""
        return [
            (callback, _description(callback))
            for callback in self._callbacks
            if not getattr(callback, "observes_only", False)
        ]

    def begin(self):
        """Find out what the training is, before anything changes."""
        return self._identity, self.watched

    def check(self, checkpoint):
        """Refuse a checkpoint of another training.

        Parameters
        ----------
        checkpoint : Snapshot
            The checkpoint.

        Raises
        ------
        ValueError
            If it is of another training.
        """
        data, validation_data = self._data
        max_iter = self._estimator.max_iter
        with refusing(checkpoint.path):
            others = "; ".join(differences(checkpoint.identity, self._identity))
            check(not others, f"it is of another training: {others}")
            check(
                checkpoint.n_iter <= max_iter,
                f"it is of epoch {checkpoint.n_iter}, and max_iter={max_iter}",
            )
            has_split = self._estimator.early_stopping and validation_data is None
            checkpoint.check_rows(data.X.shape[0], has_split)
            saved = [name for name, _ in checkpoint.callbacks]
            given = [name for _, name in self.watched]
            check(
                saved == given,
                f"it was written with the callbacks {saved}, and there are {given}",
            )
        if checkpoint.engine != self._engine:
            warn(
                f"resume_from={os.fspath(checkpoint.path)!r} was written with "
                f"engine={checkpoint.engine!r}, and training goes on with "
                f"engine={self._engine!r}: the numbers will differ by rounding from "
                "those of a training in one piece.",
            )

    def encode(self, state):
        """What a checkpoint has to say, and its arrays.

        Parameters
        ----------
        state : TrainingState
            What training has reached.

        Returns
        -------
        content : dict
            For `archive.write`.

        arrays : dict of str to ndarray
            Those of the training itself, not copies.

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
        )
        content: dict = {"identity": self._identity}
        arrays: dict = {}
        for field in fields(checkpoint):
            if field.name not in ("identity", "path"):
                part = getattr(checkpoint, field.name)
                content[field.name] = codec.encode(part, field.name, arrays)
        return content, arrays

    def write_checkpoint(self, path, content, arrays):
        """Write what `encode` has returned.

        Parameters
        ----------
        path : str
            Where to.

        content, arrays
            As `encode` returned them.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        # The same each time: what is left by a process that was killed is replaced.
        what = json.dumps([os.path.basename(path), self._identity])
        temporary = f".checkpoint-{hashlib.sha256(what.encode()).hexdigest()[:16]}"
        archive.write(path, KIND, VERSION, content, arrays, temporary)


class RestoredCallbacks:
    """A callback that gives the others their states, after they have begun.

    Parameters
    ----------
    run : Run
        The training, which knows them.

    checkpoint : Snapshot
        What has their states.
    """

    def __init__(self, run, checkpoint):
        self._run = run
        self._checkpoint = checkpoint

    def on_fit_begin(self, training):
        """Give them their states."""
        with refusing(self._checkpoint.path):
            for (callback, _), (_, state) in zip(
                self._run.watched, self._checkpoint.callbacks, strict=True
            ):
                if type(callback) in _REMEMBERED:
                    _check_remembered(callback, state, training.theta)
                _restore(callback, state)


def _description(callback):
    """What a callback is known by: its class and settings, or a function's name."""
    if isinstance(callback, FunctionCallback):
        # Variables that it captures may be what it records.
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


def _check_remembered(callback, state, theta):
    """Raise if a callback of the package cannot have stored a state."""
    types, name = _REMEMBERED[type(callback)], type(callback).__name__
    own = settings(callback)
    check(state.keys() - own.keys() == types.keys(), f"{name} has another state")
    for key, value in state.items():
        if key in own:
            check(value == own[key], f"{name} has another {key}")
            continue
        check(isinstance(value, types[key]), f"{key} of {name} is {value!r}")
        if isinstance(value, Real):
            codec.check_number(value, f"{key} of {name}")
        elif isinstance(value, Parameters):
            check(_layout(value) == _layout(theta), f"{name} is of another network")
        elif isinstance(value, np.ndarray):
            fits = value.shape == theta.flat.shape and value.dtype == np.float64
            check(fits, f"{name} is of another network")
