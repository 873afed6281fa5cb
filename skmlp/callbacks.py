"""Callbacks: objects that are told of training, and can steer it.

A callback has one or more of these methods, which are called hooks: `on_fit_begin`,
`on_epoch_begin`, `on_epoch_end`, `on_epoch_settled` and `on_fit_end`. It need not
derive from `Callback`. A function ``f(training)`` is also a callback, which is called
as `on_epoch_end`. Each hook is given the `skmlp.training.loop.TrainingState`, whose
attributes it may read, and some of which it may change:

- `history`: the record of this run, a dict of lists with one value for each
  epoch so far (see `history_`);
- `n_iter`, `max_iter`: epochs done, and the largest number of them;
- `theta`: the weights and biases (`theta.coefs`, `theta.intercepts`,
  `theta.copy()`, `theta.assign(other)`);
- `optimizer.base_learning_rate`: the learning rate that a schedule scales;
- `gradient`: the gradient of the last batch, as one vector of the layout of
  `theta.flat`, if the callback has ``needs_gradient = True``;
- `estimator`: the estimator that is being fitted, whose fitted attributes are
  those of an earlier call, if it has any, until training has ended;
- `fitted_estimator()`: a copy of it that is ready to predict, as if training had
  ended here;
- `has_validation`: whether there is a validation set.

Each call of `fit` or `partial_fit` is a run of its own; the latter has one epoch,
so that what waits for several has no effect there.

Callbacks keep what they record, so that it can be read after training. `clone`, and
with it `GridSearchCV`, constructs them anew from their settings, without what was
recorded; `copy.deepcopy` and `pickle` keep the records. The settings are the parameters
of the constructor, which stores them unchanged under their names, as those of
scikit-learn's estimators do. A callback whose class does not follow this convention is
copied as a whole. `Callback.transient_attributes` names what cannot be copied.
"""

from __future__ import annotations

import inspect
import math
import os
import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils import check_scalar

from skmlp.callback_copies import (
    clone_callback,
    settings,
    state_to_copy,
    transient_names,
)
from skmlp.core.constraints import euclidean_norm

if TYPE_CHECKING:
    from skmlp.core.parameters import Parameters
    from skmlp.training.loop import TrainingState

__all__ = [
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "ProgressBar",
    "ReduceLROnPlateau",
    "WeightRecorder",
]


def attributes(callback: object) -> dict[str, Any]:
    """What a callback has got since it was made, and its settings that are numbers.

    Other settings are given again to the callback that goes on, which may share them
    with its maker.
    """
    given = inspect.signature(type(callback)).parameters
    transient = transient_names(callback)
    return {
        name: value
        for name, value in vars(callback).items()
        if name not in transient
        and (name not in given or isinstance(value, bool | int | float | str | None))
    }


class Callback:
    """Base class of the callbacks, whose hooks do nothing.

    A class of your own need not derive from it. It must have at least one of the
    hooks `on_fit_begin`, `on_epoch_begin`, `on_epoch_end`, `on_epoch_settled` and
    `on_fit_end`.

    Attributes
    ----------
    needs_gradient : bool
        Whether `training.gradient` has to be kept.

    observes_only : bool
        Whether it neither steers the training nor remembers it. `Checkpoint` stores
        nothing of it, and a training may go on without it, or with others like it.

    transient_attributes : tuple of str
        Names of attributes that are not copied, pickled or stored in checkpoints,
        such as locks, open files and sockets; those of the base classes are added.
        The copy does not have the attribute. Create it in `on_fit_begin`, or in the
        constructor, which `clone` calls. An attribute that is a parameter of the
        constructor is shared by clones and deep copies, and is None after unpickling.

    Examples
    --------
    Stop when the training loss is below a bound:

    >>> from sklearn.datasets import load_iris
    >>> from skmlp import MLPClassifierScratch
    >>> from skmlp.callbacks import Callback
    >>> class StopBelow(Callback):
    ...     def __init__(self, bound):
    ...         self.bound = bound
    ...
    ...     def on_epoch_end(self, training):
    ...         return training.history["loss"][-1] < self.bound
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifierScratch(callbacks=[StopBelow(0.5)], random_state=0)
    >>> clf.fit(X, y).loss_ < 0.5 <= clf.history_["loss"][-2]
    True

    Keep a file open during training, in a callback that can be cloned and pickled:

    >>> import os, tempfile
    >>> class LossFile(Callback):
    ...     observes_only = True
    ...     transient_attributes = ("_file",)
    ...
    ...     def __init__(self, path):
    ...         self.path = path
    ...
    ...     def on_fit_begin(self, training):
    ...         self._file = open(self.path, "w")
    ...
    ...     def on_epoch_end(self, training):
    ...         print(training.loss, file=self._file)
    ...
    ...     def on_fit_end(self, training):
    ...         self._file.close()
    >>> path = os.path.join(tempfile.mkdtemp(), "losses.txt")
    >>> clf = MLPClassifierScratch(callbacks=LossFile(path), max_iter=500)
    >>> _ = clf.fit(X, y)
    >>> with open(path) as file:
    ...     len(file.readlines()) == clf.n_iter_
    True
    """

    needs_gradient = False
    observes_only = False
    transient_attributes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        values = [f"{name}={value!r}" for name, value in settings(self).items()]
        return f"{type(self).__name__}({', '.join(values)})"

    def __sklearn_clone__(self) -> Any:
        return clone_callback(self)

    def __copy__(self) -> Self:
        copied = type(self).__new__(type(self))
        state: Any = super().__getstate__()
        for part in state if isinstance(state, tuple) else (state,):  # dict, slots
            for name, value in (part or {}).items():
                object.__setattr__(copied, name, value)
        return copied

    def __getstate__(self) -> object:
        state: Any = super().__getstate__()
        if isinstance(state, tuple):  # a derived class has slots
            return tuple(part and state_to_copy(self, part) for part in state)
        return state and state_to_copy(self, state)

    def on_fit_begin(self, training: TrainingState) -> None:
        """Called before the first epoch of each `fit` or `partial_fit`."""

    def on_epoch_begin(self, training: TrainingState) -> None:
        """Called before each epoch."""

    def on_epoch_end(self, training: TrainingState) -> bool | None:
        """Called after each epoch.

        Parameters
        ----------
        training : TrainingState
            What training has reached.

        Returns
        -------
        stop : bool or None
            True ends training.
        """

    def on_epoch_settled(self, training: TrainingState) -> None:
        """Called after each epoch, when it is known whether training ends.

        All callbacks have then returned from `on_epoch_end`, and `training.done` is
        set.
        """

    def on_fit_end(self, training: TrainingState) -> None:
        """Called at the end, also if training is interrupted or fails."""

    def state_dict(self) -> dict[str, Any]:
        """What a `Checkpoint` has to store of this callback.

        Returns
        -------
        state : dict
            None, booleans, numbers, strings, arrays of them, `Parameters`, random
            generators, and lists, tuples and dicts of all these. By default all
            attributes, but of those that the constructor was given only numbers,
            strings and None.
        """
        return attributes(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what was stored; called after `on_fit_begin`.

        Parameters
        ----------
        state : dict
            As from `state_dict`.
        """
        vars(self).update(state)


class _Monitor(Callback):
    """Watches an entry of the history for improvement."""

    def __init__(self, monitor: str, min_delta: float, patience: int) -> None:
        self.monitor = monitor
        self.min_delta = min_delta
        self.patience = patience

    def on_fit_begin(self, training: TrainingState) -> None:
        if self.monitor not in training.history:
            raise ValueError(
                f"monitor must be one of {list(training.history)}, got "
                f"{self.monitor!r}."
            )
        if self.monitor.startswith("val_") and not training.has_validation:
            raise ValueError(
                f"monitor={self.monitor!r} needs a validation set: set "
                "early_stopping=True, or pass X_val and y_val to fit."
            )
        check_scalar(self.patience, "patience", Integral, min_val=1)
        check_scalar(self.min_delta, "min_delta", Real, min_val=0)
        # Of a score more is better, of all the rest less.
        self._sign = 1 if self.monitor == "val_score" else -1
        self.best_ = -math.inf * self._sign
        self.best_epoch_: int | None = None
        self.wait_ = 0

    def _improves(self, training: TrainingState) -> bool:
        """Note the last epoch; whether it is better than all before."""
        value = training.history[self.monitor][-1]
        if self._sign * (value - self.best_) > self.min_delta:
            self.best_, self.best_epoch_, self.wait_ = value, training.n_iter, 0
            return True
        self.wait_ += 1  # also if it is NaN
        return False


class EarlyStopping(_Monitor):
    """Stop when an entry of the history improves no more.

    It may serve beside the estimator's own `early_stopping`; the weights that it
    restores are then the ones that stay.

    Parameters
    ----------
    monitor : str, default='val_loss'
        The entry of `history_`: 'loss', 'val_loss', 'val_score', 'grad_norm'.

    min_delta : float, default=0.0
        Improvement above which an epoch counts as better.

    patience : int, default=10
        Number of epochs without improvement after which training stops.

    restore_best : bool, default=True
        Whether the weights of the best epoch are restored at the end.

    Attributes
    ----------
    best_ : float
        The best value.

    best_epoch_ : int
        The epoch that had it, from 1, counted in this run.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import train_test_split
    >>> from skmlp import MLPClassifierScratch
    >>> from skmlp.callbacks import EarlyStopping
    >>> X, X_val, y, y_val = train_test_split(
    ...     *load_iris(return_X_y=True), stratify=None, random_state=0
    ... )
    >>> stop = EarlyStopping(patience=5)
    >>> clf = MLPClassifierScratch(
    ...     callbacks=stop, learning_rate_init=0.05, max_iter=500, random_state=0
    ... )
    >>> _ = clf.fit(X, y, X_val=X_val, y_val=y_val)
    >>> clf.n_iter_ == stop.best_epoch_ + 5
    True
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        min_delta: float = 0.0,
        patience: int = 10,
        restore_best: bool = True,
    ) -> None:
        super().__init__(monitor, min_delta, patience)
        self.restore_best = restore_best

    def on_fit_begin(self, training: TrainingState) -> None:
        # First, for on_fit_end is called after errors, too.
        self._best_theta: Parameters | None = None
        super().on_fit_begin(training)

    def on_epoch_end(self, training: TrainingState) -> bool | None:
        if self._improves(training) and self.restore_best:
            self._best_theta = training.theta.copy()
        return self.wait_ >= self.patience

    def on_fit_end(self, training: TrainingState) -> None:
        if self._best_theta is not None:
            training.theta.assign(self._best_theta)
            self._best_theta = None


class ReduceLROnPlateau(_Monitor):
    """Lower the learning rate when an entry of the history improves no more.

    It lowers the rate that the schedule scales. The schedule 'invscaling' sets
    that anew after each epoch, so that it is lower for one epoch only; the
    solvers 'armijo' and 'random_search' do not use it.

    Parameters
    ----------
    monitor : str, default='val_loss'
        The entry of `history_`.

    factor : float, default=0.1
        The learning rate is multiplied by it, in (0, 1).

    min_delta : float, default=1e-4
        Improvement above which an epoch counts as better.

    patience : int, default=10
        Number of epochs without improvement after which the rate is lowered.

    min_lr : float, default=0.0
        Least learning rate.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmlp import MLPClassifierScratch
    >>> from skmlp.callbacks import ReduceLROnPlateau
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifierScratch(
    ...     callbacks=[ReduceLROnPlateau("loss", min_delta=1.0, patience=2)],
    ...     max_iter=6,
    ...     random_state=0,
    ... )
    >>> rates = clf.fit(X, y).history_["learning_rate"]
    >>> [f"{rate:.0e}" for rate in rates]
    ['1e-03', '1e-03', '1e-03', '1e-04', '1e-04', '1e-05']
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        factor: float = 0.1,
        min_delta: float = 1e-4,
        patience: int = 10,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, min_delta, patience)
        self.factor = factor
        self.min_lr = min_lr

    def on_fit_begin(self, training: TrainingState) -> None:
        bounds = {"min_val": 0, "max_val": 1, "include_boundaries": "neither"}
        check_scalar(self.factor, "factor", Real, **bounds)
        check_scalar(self.min_lr, "min_lr", Real, min_val=0)
        super().on_fit_begin(training)

    def on_epoch_end(self, training: TrainingState) -> None:
        if not self._improves(training) and self.wait_ >= self.patience:
            rate = training.optimizer.base_learning_rate
            training.optimizer.base_learning_rate = min(
                rate, max(rate * self.factor, self.min_lr)
            )
            self.wait_ = 0


class WeightRecorder(Callback):
    """Record the parameters, and how the gradient turns, on the way.

    Parameters
    ----------
    every : int, default=1
        Record after each `every` epochs; the start is recorded, too.

    Attributes
    ----------
    epochs_ : list of int
        Epochs after which was recorded, 0 for the start.

    coefs_, intercepts_ : list of lists of ndarray
        Weights and biases of each layer, for each of `epochs_`.

    grad_norms_ : list of float
        Norm of the gradient of the last step before; NaN for the start.

    angles_ : list of float
        Angle between that gradient and the one that was recorded before, in
        degrees; NaN for the first two, and where a gradient is zero.
    """

    needs_gradient = True

    def __init__(self, every: int = 1) -> None:
        self.every = every

    def on_fit_begin(self, training: TrainingState) -> None:
        check_scalar(self.every, "every", Integral, min_val=1)
        self.epochs_: list[int] = []
        self.coefs_: list[list[np.ndarray]] = []
        self.intercepts_: list[list[np.ndarray]] = []
        self.grad_norms_: list[float] = []
        self.angles_: list[float] = []
        self._previous: np.ndarray | None = None
        self._record(training, None)

    def on_epoch_end(self, training: TrainingState) -> None:
        if training.n_iter % self.every == 0:
            self._record(training, training.gradient)

    def _record(self, training: TrainingState, gradient: np.ndarray | None) -> None:
        self.epochs_.append(training.n_iter)
        self.coefs_.append([W.copy() for W in training.theta.coefs])
        self.intercepts_.append([b.copy() for b in training.theta.intercepts])
        gradient = None if gradient is None else gradient.astype(np.float64)
        self.grad_norms_.append(
            math.nan if gradient is None else euclidean_norm(gradient)
        )
        self.angles_.append(_angle(self._previous, gradient))
        self._previous = gradient

    def on_fit_end(self, training: TrainingState) -> None:
        self._previous = None

    def state_dict(self) -> dict[str, Any]:
        """What it has recorded, as one array for all epochs of a layer.

        Returns
        -------
        state : dict
        """
        state = attributes(self)
        for name in ("coefs_", "intercepts_"):
            state[name] = [np.stack(l) for l in zip(*state[name], strict=True)]
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with what was recorded."""
        super().load_state_dict(state)
        for name in ("coefs_", "intercepts_"):
            setattr(self, name, [list(e) for e in zip(*state[name], strict=True)])


def _angle(g: np.ndarray | None, h: np.ndarray | None) -> float:
    """Angle between two vectors in degrees, NaN if there is none."""
    if g is None or h is None or not (g.any() and h.any()):
        return math.nan
    g, h = g / euclidean_norm(g), h / euclidean_norm(h)
    # Exact for small angles too, where the arc cosine would lose half the digits.
    return math.degrees(2 * math.atan2(euclidean_norm(g - h), euclidean_norm(g + h)))


class Checkpoint(Callback):
    """Write to a file, every so many epochs, all that it takes to go on from there.

    ``fit(X, y, resume_from=path)``, with the same parameters and data, goes on from
    the last epoch that was written. The result is that of a training that was never
    interrupted, to the last bit, if it is by the same engine; see
    docs/reliability.md.

    A file is complete or not there: it is written beside its place, flushed to the
    disk and renamed. It has arrays and JSON, and no code. Where writing fails, as on
    a full disk, there is a warning, and training goes on.

    Parameters
    ----------
    path : str or os.PathLike
        The file, in a directory that exists. It is replaced; two trainings at a time,
        such as those of a grid search, need one each.

    every : int, default=1
        Write after each `every` epochs, and at the end.

    Examples
    --------
    Here is a training that fails on the way, and goes on:

    >>> import os, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from skmlp import MLPClassifierScratch
    >>> from skmlp.callbacks import Callback, Checkpoint
    >>> class Failure(Callback):
    ...     observes_only = True
    ...
    ...     def on_epoch_end(self, training):
    ...         if training.n_iter == 7:
    ...             raise RuntimeError("power failure")
    >>> X, y = load_iris(return_X_y=True)
    >>> path = os.path.join(tempfile.mkdtemp(), "iris.skmlp")
    >>> clf = MLPClassifierScratch(max_iter=10, random_state=0)
    >>> clf.set_params(callbacks=[Checkpoint(path), Failure()]).fit(X, y)
    Traceback (most recent call last):
        ...
    RuntimeError: power failure
    >>> clf.set_params(callbacks=Checkpoint(path)).fit(X, y, resume_from=path).n_iter_
    10
    """

    observes_only = True

    def __init__(self, path: str | os.PathLike, every: int = 1) -> None:
        self.path = path
        self.every = every

    def on_fit_begin(self, training: TrainingState) -> None:
        check_scalar(self.every, "every", Integral, min_val=1)
        if not isinstance(self.path, str | os.PathLike):
            raise TypeError(f"path must be a str or os.PathLike, got {self.path!r}.")
        # Somebody may change the directory on the way.
        self._path = os.path.abspath(self.path)
        directory = os.path.dirname(self._path)
        if os.path.isdir(self._path) or not os.path.isdir(directory):
            raise ValueError(
                f"path must name a file in a directory that exists, got {self.path!r}."
            )
        if not os.access(directory, os.W_OK):
            raise ValueError(
                "path must be in a directory that can be written to, got "
                f"{self.path!r}."
            )
        if training.incremental:
            raise ValueError(
                "Checkpoint is for fit. After partial_fit, keep the estimator itself: "
                "skmlp.save(estimator, path)."
            )
        training.run.begin()
        self._is_tested = False

    def on_epoch_settled(self, training: TrainingState) -> None:
        """Called when all callbacks and the stopping rules have had their say."""
        ends = training.done or training.n_iter == training.max_iter
        is_due = ends or training.n_iter % self.every == 0
        if not is_due and self._is_tested:
            return
        try:
            content = training.run.encode(training)
            self._is_tested = True
            if is_due:
                training.run.write_checkpoint(self._path, *content)
        except (OSError, TypeError) as error:
            if not self._is_tested:
                raise ValueError(
                    f"Checkpoint cannot store this training: {error}. A callback that "
                    "remembers it can say by state_dict what is to be stored, and take "
                    "it up again by load_state_dict."
                ) from error
            # The same words in each epoch: they are shown once.
            warnings.warn(
                f"A checkpoint could not be written: {error}. Training goes on; the "
                "file is what it was, and is tried again.",
                RuntimeWarning,
                stacklevel=2,
            )


class ProgressBar(Callback):
    """Show the progress of the epochs, with the time that is left.

    It needs tqdm (``pip install "skmlp[progress]"``).

    Parameters
    ----------
    **options
        Passed to `tqdm.auto.tqdm`: `file`, `leave`, `desc`, ... Copies share
        `file`; it is None, which stands for standard error, after unpickling.
    """

    observes_only = True
    transient_attributes = ("file", "_bar")

    def __init__(self, **options: Any) -> None:
        self.options = options

    def on_fit_begin(self, training: TrainingState) -> None:
        try:
            from tqdm.auto import tqdm
        except ImportError as error:
            raise ImportError(
                'ProgressBar needs tqdm: pip install "skmlp[progress]".'
            ) from error
        options = {"desc": "epochs", "unit": "epoch", **self.options}
        self._bar = tqdm(
            total=training.max_iter, **{"initial": training.n_iter, **options}
        )

    def on_epoch_end(self, training: TrainingState) -> None:
        shown = {"loss": training.history["loss"][-1]}
        for name in ("val_loss", "val_score"):
            value = training.history[name][-1]
            if not math.isnan(value):
                shown[name] = value
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()

    def on_fit_end(self, training: TrainingState) -> None:
        bar = self.__dict__.pop("_bar", None)
        if bar is not None:
            bar.close()


class FunctionCallback(Callback):
    """Calls a function as `on_epoch_end`.

    Parameters
    ----------
    function : callable
        It is given the `TrainingState`. If it returns True, training ends.
    """

    def __init__(self, function: Callable[[TrainingState], bool | None]) -> None:
        self.function = function

    def on_epoch_end(self, training: TrainingState) -> bool | None:
        """Call the function."""
        return self.function(training)
