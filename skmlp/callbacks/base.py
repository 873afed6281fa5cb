"""Base class of the callbacks, and the state that a checkpoint stores."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from skmlp.callbacks.copies import (
    clone_callback,
    settings,
    state_to_copy,
    transient_names,
)

if TYPE_CHECKING:
    from skmlp.training.state import TrainingState


def attributes(callback: object) -> dict[str, Any]:
    """Return the attributes of a callback that a checkpoint stores.

    These are all attributes except transient ones and parameters of the constructor
    that are neither a number, a string nor None. Users pass these parameters again when
    they resume a training.
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
    """Base class of the callbacks. Its hooks do nothing.

    A custom callback does not have to derive from it. It must have at least one of the
    hooks `on_fit_begin`, `on_epoch_begin`, `on_epoch_end`, `on_epoch_settled` and
    `on_fit_end`.

    Attributes
    ----------
    needs_gradient : bool
        Whether the callback reads `training.gradient`.

    observes_only : bool
        Whether the callback neither changes the training nor keeps a state.
        `Checkpoint` does not store it, and a training can be resumed without it or
        with other callbacks of this kind.

    transient_attributes : tuple of str
        Names of attributes that are not copied, pickled or stored in checkpoints,
        such as locks, open files and sockets. The names of the base classes are added.
        The copy does not have these attributes. Create them in `on_fit_begin`, or in
        the constructor, which `clone` calls. An attribute that is a parameter of the
        constructor is shared by clones and deep copies, and is None after unpickling.

    Examples
    --------
    Stop when the training loss is less than a bound:

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

    Keep a file open during training. The callback can be cloned and pickled:

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
            The state of the training.

        Returns
        -------
        stop : bool or None
            If True, training ends.
        """

    def on_epoch_settled(self, training: TrainingState) -> None:
        """Called after each epoch and after the stopping rules.

        All callbacks have returned from `on_epoch_end`, and `training.done` is set.
        """

    def on_fit_end(self, training: TrainingState) -> None:
        """Called at the end, even if training is interrupted or fails."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state that a `Checkpoint` stores.

        Returns
        -------
        state : dict
            None, booleans, numbers, strings, arrays of them, `Parameters`, random
            generators, and lists, tuples and dicts of all these. By default these are
            all attributes except transient ones and parameters of the constructor that
            are neither a number, a string nor None.
        """
        return attributes(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state. Called after `on_fit_begin`.

        Parameters
        ----------
        state : dict
            The result of `state_dict`.
        """
        vars(self).update(state)


class FunctionCallback(Callback):
    """Callback that calls a function at the end of each epoch.

    Parameters
    ----------
    function : callable
        Its argument is the `TrainingState`. If it returns True, training ends.
    """

    def __init__(self, function: Callable[[TrainingState], bool | None]) -> None:
        self.function = function

    def on_epoch_end(self, training: TrainingState) -> bool | None:
        """Call the function."""
        return self.function(training)
