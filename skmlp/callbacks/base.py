"""The base class of the callbacks, and what a checkpoint stores of them."""

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
