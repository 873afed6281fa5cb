"""Checkpoints: all that training needs to go on, in a file."""

import hashlib
import json
import math
import os
import warnings
from dataclasses import dataclass, fields
from functools import cached_property
from inspect import signature
from numbers import Real
from types import UnionType

import numpy as np
from scipy.sparse import issparse

from skmlp.callbacks import EarlyStopping, ReduceLROnPlateau, WeightRecorder
from skmlp.core.parameters import Parameters
from skmlp.core.schedules import SCHEDULES
from skmlp.persistence import archive, codec
from skmlp.persistence.codec import check

KIND, VERSION = "skmlp checkpoint", 1

# Parameters that say nothing of what is computed, or of which more is said elsewhere.
_OTHERWISE = {"callbacks", "engine", "verbose", "warm_start"}

# Fitted attributes that a training with warm_start extends.
_EARLIER = ("history_", "loss_curve_", "validation_scores_")

_CHUNK = 2**20  # elements

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
class Checkpoint:
    """What a checkpoint says of a training, beside its identity.

    Its attributes are those of `TrainingState`, but for these.

    Attributes
    ----------
    engine : str
        Name of the engine that has trained so far.

    earlier : dict
        Fitted attributes of the call before, which training extends.

    rows, random_state : ndarray or None, RandomState or None
        Of the order of the samples.

    optimizer : dict
        State of the optimizer.

    callbacks : list of tuple
        Description and state of each callback that has one.

    path : str or os.PathLike
        Where it was read from.
    """

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
            value, types = getattr(self, field.name), field.type
            assert isinstance(types, type | UnionType)
            check(isinstance(value, types), f"{field.name} is {value!r}")
        check(self.earlier.keys() <= set(_EARLIER), "it goes on from something else")

    def check_progress(self):
        """Refuse what no training has reached."""
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

    def restore(self, state):
        """Let training go on from here.

        Parameters
        ----------
        state : TrainingState
            That of a training which is about to start.

        Raises
        ------
        ValueError
            If the checkpoint does not fit to it.
        """
        with _refusing(self.path):
            self._check(state)
        state.theta.assign(self.theta)
        state.optimizer.load_state_dict(self.optimizer)
        if self.rng is not None:
            state.rng.bit_generator.state = self.rng.bit_generator.state
        state.order.rows, state.order.random_state = self.rows, self.random_state
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
        for name in "rng", "best_loss", "best_validation_score":
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
    return theta.layer_sizes, theta.batch_norm, theta.flat.dtype


class Run:
    """What a training is: its parameters, its data, its callbacks.

    A checkpoint says it, too, and is refused if it says otherwise.

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

    Attributes
    ----------
    engine : str
        Name of the engine.

    earlier : dict
        Fitted attributes of the call before, which training extends.
    """

    def __init__(self, estimator, engine, data, validation_data, callbacks):
        self.engine = engine
        self._estimator = estimator
        self._data = {"": data, "_val": validation_data}
        self._callbacks = callbacks
        self.earlier = {
            name: getattr(estimator, name)
            for name in _EARLIER
            if hasattr(estimator, name)
        }

    @cached_property
    def identity(self):
        """Parameters, and fingerprints of the data, as JSON has them.

        Parameters that have their default are left out: so will be those that a later
        version adds.
        """
        cls = type(self._estimator)
        parameters = self._estimator.get_params(deep=False)
        schedule = parameters["learning_rate"]
        if not (isinstance(schedule, str) and SCHEDULES[schedule].ends):
            del parameters["max_iter"]  # more epochs begin with the same ones
        data = {}
        classes = getattr(self._estimator, "classes_", np.empty(0)).tolist()
        for suffix, samples in self._data.items():
            if samples is not None:
                data[f"X{suffix}"] = _fingerprint(samples.X)
                data[f"y{suffix}"] = _fingerprint(samples.Y, repr(classes))
                data[f"sample_weight{suffix}"] = _fingerprint(samples.w)
        defaults = signature(cls).parameters
        described = {
            name: _describe(value)
            for name, value in parameters.items()
            if name not in _OTHERWISE
        }
        return {
            "estimator": {"class": cls.__name__},
            "parameters": {
                name: value
                for name, value in described.items()
                if value != _describe(defaults[name].default)
            },
            "data": data,
        }

    def write_checkpoint(self, path, state):
        """Write what training has reached.

        Parameters
        ----------
        path : str or os.PathLike
            Where to.

        state : TrainingState
            What training has reached.

        Raises
        ------
        OSError
            If the file cannot be written.

        ValueError
            If a callback has what cannot be stored.
        """
        checkpoint = Checkpoint(
            engine=self.engine,
            earlier=self.earlier,
            history=state.history,
            validation_scores=state.validation_scores,
            theta=state.theta,
            best_theta=state.best_theta,
            optimizer=state.optimizer.state_dict(),
            rng=state.rng,
            random_state=state.order.random_state,
            rows=state.order.rows,
            val_rows=state.val_rows,
            callbacks=[
                (_describe(callback), callback.state_dict())
                for callback in _with_state(self._callbacks)
            ],
            **{name: getattr(state, name) for name in _NUMBERS},
        )
        content: dict = {"identity": self.identity}
        arrays: dict = {}
        try:
            for field in fields(checkpoint):
                if field.name != "path":
                    part = getattr(checkpoint, field.name)
                    content[field.name] = codec.encode(part, field.name, arrays)
        except TypeError as error:
            raise ValueError(f"Checkpoint cannot store everything: {error}.") from error
        # The same each time: what is left by a process that was killed is replaced.
        digest = hashlib.sha256(json.dumps(self.identity).encode()).hexdigest()
        temporary = f".{os.path.basename(path)}.{digest[:16]}"
        archive.write(path, KIND, VERSION, content, arrays, temporary)

    def read_checkpoint(self, path):
        """Read a checkpoint of this training.

        Parameters
        ----------
        path : str or os.PathLike
            Where from.

        Returns
        -------
        checkpoint : Checkpoint

        Raises
        ------
        OSError
            If the file cannot be opened.

        ValueError
            If it is no checkpoint, or one of another training.
        """
        content, arrays = archive.read(path, KIND, VERSION)
        with _refusing(path):
            identity = content.pop("identity")
            differences = list(_differences(identity, self.identity))
            check(
                not differences,
                f"it is of another training: {'; '.join(differences)}",
            )
            checkpoint = Checkpoint(
                **{name: codec.decode(part, arrays) for name, part in content.items()},
                path=path,
            )
            has_split = self._estimator.early_stopping and self._data["_val"] is None
            checkpoint.check_progress()
            checkpoint.check_rows(self._data[""].X.shape[0], has_split)
            max_iter = self._estimator.max_iter
            check(
                checkpoint.n_iter <= max_iter,
                f"it is of epoch {checkpoint.n_iter}, and max_iter={max_iter}",
            )
        if checkpoint.engine != self.engine:
            warnings.warn(
                f"resume_from={path!r} was written with engine={checkpoint.engine!r}, "
                f"and training goes on with engine={self.engine!r}: the numbers will "
                "differ by rounding from those of a training in one piece.",
                stacklevel=6,
            )
        self.earlier = checkpoint.earlier
        return checkpoint


def _refusing(path):
    return archive.refusing(f"resume_from={os.fspath(path)!r} cannot be gone on from")


class RestoredCallbacks:
    """A callback that gives the others their states, after they have begun.

    Parameters
    ----------
    callbacks : list of Callback
        The user's.

    checkpoint : Checkpoint
        What has their states.
    """

    def __init__(self, callbacks, checkpoint):
        self._callbacks = callbacks
        self._checkpoint = checkpoint

    def on_fit_begin(self, training):
        """Give them their states."""
        with _refusing(self._checkpoint.path):
            others = list(self._callbacks)
            for name, state in self._checkpoint.callbacks:
                names = [_describe(callback) for callback in others]
                check(name in names, f"it needs the callback {name}, got {names}")
                callback = others.pop(names.index(name))
                if type(callback) in _REMEMBERED:
                    _check_remembered(callback, state, training.theta)
                callback.load_state_dict(state)
            added = [_describe(callback) for callback in _with_state(others)]
            check(not added, f"it is of a training without the callbacks {added}")

    def on_fit_end(self, training):
        """Nothing."""


def _check_remembered(callback, state, theta):
    """Refuse what a callback of the package's cannot have stored."""
    types, name = _REMEMBERED[type(callback)], type(callback).__name__
    check(state.keys() == types.keys(), f"{name} has another state")
    for key, value in state.items():
        check(isinstance(value, types[key]), f"{key} of {name} is {value!r}")
        if isinstance(value, Real):
            codec.check_number(value, f"{key} of {name}")
        elif isinstance(value, Parameters):
            check(_layout(value) == _layout(theta), f"{name} is of another network")
        elif isinstance(value, np.ndarray):
            fits = value.shape == theta.flat.shape and value.dtype == np.float64
            check(fits, f"{name} is of another network")


def _with_state(callbacks):
    """The callbacks that have something to store."""
    return (c for c in callbacks if hasattr(c, "state_dict") and c.state_dict())


def _describe(value):
    """What JSON can say of a parameter, to compare it with another.

    Of functions and foreign objects that is what they are called.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, np.generic | np.ndarray):
        return _describe(value.tolist())
    if isinstance(value, list | tuple):
        return [_describe(item) for item in value]
    if isinstance(value, dict):
        return [[_describe(key), _describe(item)] for key, item in value.items()]
    if isinstance(value, np.random.RandomState):
        return "RandomState"  # its state has changed meanwhile
    name = getattr(value, "__qualname__", None)
    if name is not None:
        return f"{value.__module__}.{name}"
    # The default representation has an address, which says nothing.
    if type(value).__repr__ is object.__repr__:
        return f"{type(value).__module__}.{type(value).__qualname__}"
    return repr(value)


def _differences(saved, given):
    """What the identities do not agree in, in words."""
    for part, values in given.items():
        for name in sorted(saved[part].keys() | values.keys()):
            before, now = (
                repr(of[name]) if name in of else "the default"
                for of in (saved[part], values)
            )
            if before == now:
                continue
            if part == "data":
                yield f"{name} has other values, another shape or another dtype"
            else:
                yield f"{name} was {before} and is {now}"


def _fingerprint(array, *more):
    """A hash of the values, shape and dtype of an array, read in small parts."""
    if array is None:
        return None
    sha256 = hashlib.sha256(repr((array.shape, array.dtype.str, *more)).encode())
    parts = [array]
    if issparse(array):
        parts = [array.indptr, array.indices, array.data]
    for part in parts:
        # Numbers of rows come in two sizes, whatever they are.
        dtype = np.int64 if part.dtype.kind == "i" else part.dtype
        n_rows = max(1, _CHUNK // max(1, part[:1].size))
        for start in range(0, len(part), n_rows):
            rows = part[start : start + n_rows]
            sha256.update(np.ascontiguousarray(rows, dtype).data)
    return sha256.hexdigest()
