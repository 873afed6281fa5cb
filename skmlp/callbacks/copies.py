"""Copies of callbacks: what `clone`, `deepcopy` and `pickle` make of them.

A clone has the settings of a callback and nothing of what training recorded. A deep
copy and a pickle have both. Attributes that are named in `transient_attributes`, such
as locks and open files, are in none of them.
"""

import copy
import inspect
import pickle
import types
import weakref
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone

from skmlp.training.state import HOOKS

_SKIPPED = (
    # Functions and classes: cloudpickle, which joblib uses, accepts all of them.
    type,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.ModuleType,
    # Deep copies share these.
    types.CodeType,
    property,
    weakref.ref,
    # They check their own callbacks.
    BaseEstimator,
)


def settings(callback: Any) -> dict[str, Any]:
    """Return the constructor's arguments of a callback, by the parameters' names."""
    values: dict = {}
    for name, parameter in inspect.signature(type(callback)).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            values.update(getattr(callback, name, {}))
        elif hasattr(callback, name):
            values[name] = getattr(callback, name)
    return values


def transient_names(callback: Any) -> set[str]:
    """Return the names in `transient_attributes`, of the class and of its bases."""
    names: set = set()
    for cls in type(callback).__mro__:
        given = vars(cls).get("transient_attributes", ())
        names.update([given] if isinstance(given, str) else given)
    return names


def state_to_copy(callback: Any, state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a callback without what copies leave out.

    Parameters
    ----------
    callback : Callback
        The callback.

    state : dict
        Its attributes.

    Returns
    -------
    state : dict
        For `deepcopy` and `pickle`.

    Raises
    ------
    PicklingError
        If an attribute can be neither copied nor left out. The message names it.
    """
    transient = transient_names(callback)
    if transient:
        parameters = inspect.signature(type(callback)).parameters
        kept = {}
        for name, value in state.items():
            parameter = parameters.get(name)
            if parameter is None and name in transient:
                continue
            if name in transient:
                value = _Shared(value)
            elif (
                parameter is not None
                and parameter.kind is parameter.VAR_KEYWORD
                and isinstance(value, dict)
            ):
                value = {
                    key: _Shared(item) if key in transient else item
                    for key, item in value.items()
                }
            kept[name] = value
        state = kept
    for name, value in state.items():
        try:
            _try_to_pickle(value)
        except Exception as error:
            raise _error(callback, error, name) from error
    return state


def check_copyable(callback: Any) -> None:
    """Raise an error that names the attribute if a callback cannot be pickled.

    Parameters
    ----------
    callback : object
        A callback that need not derive from `Callback`.

    Raises
    ------
    PicklingError
        If it cannot be pickled. Functions and classes are not checked.
    """
    try:
        _try_to_pickle(callback)
    except Exception as error:
        for name, value in getattr(callback, "__dict__", {}).items():
            try:
                _try_to_pickle(value)
            except Exception as cause:
                raise _error(callback, cause, name) from cause
        raise _error(callback, error) from error


def clone_callbacks(callbacks: Any) -> Any:
    """Return a copy of the parameter `callbacks` for a clone of the estimator.

    Parameters
    ----------
    callbacks : object
        A callback, a list or a tuple of them, or None.

    Returns
    -------
    callbacks : object
        The same with a clone of each callback.
    """
    if type(callbacks) in (list, tuple):
        return type(callbacks)(map(clone_callbacks, callbacks))
    is_plain = not (
        isinstance(callbacks, type)
        or hasattr(callbacks, "__sklearn_clone__")
        or hasattr(callbacks, "get_params")
    )
    if is_plain and any(hasattr(callbacks, hook) for hook in HOOKS):
        return clone_callback(callbacks)
    return clone(callbacks, safe=False)


def clone_callback(callback: Any) -> Any:
    """Return a callback with the same settings and without records.

    The convention is scikit-learn's: the constructor stores its arguments, unchanged,
    under the names of its parameters. A callback whose class does not follow it is
    copied with all that it has.

    Parameters
    ----------
    callback : object
        A callback.

    Returns
    -------
    callback : object
        The clone.

    Raises
    ------
    PicklingError
        If an attribute cannot be copied. The message names it.
    """
    made = _construct_again(callback)
    if made is not None:
        return made
    try:
        return copy.deepcopy(callback)
    except Exception:
        check_copyable(callback)
        raise


def _construct_again(callback: Any) -> Any:
    """Return a new callback, or None if the class does not follow the convention."""
    if HOOKS & getattr(callback, "__dict__", {}).keys():
        return None  # the constructor does not know of hooks that were set later
    try:
        parameters = inspect.signature(type(callback)).parameters.values()
    except (TypeError, ValueError):  # a class that is written in C
        return None
    for parameter in parameters:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            return None
        if not hasattr(callback, parameter.name):
            return None
        value = getattr(callback, parameter.name)
        if parameter.kind is parameter.VAR_KEYWORD and not isinstance(value, dict):
            return None
    transient = transient_names(callback)
    arguments = {}
    for name, value in settings(callback).items():
        if name not in transient:
            try:
                value = clone(value, safe=False)
            except Exception as error:
                raise _error(callback, error, name) from error
        arguments[name] = value
    made = type(callback)(**arguments)
    stored = settings(made)
    if any(stored.get(name, made) is not arguments[name] for name in arguments):
        return None
    return made


class _Shared:
    """A setting that deep copies share, and that is None in a pickle."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __deepcopy__(self, memo: dict) -> object:
        return self._value

    def __reduce__(self) -> tuple:
        return type(None), ()


_NOTHING = int, ()  # what stands for an object that is not tried


class _TrialPickler(pickle.Pickler):
    """Pickles everything except what it is of no use to try."""

    def reducer_override(self, obj: object) -> Any:
        """Replace an object that is not tried."""
        if type(obj) is np.ndarray:  # of which there may be many
            return _NOTHING
        if obj is int:
            return NotImplemented
        if (
            isinstance(obj, _SKIPPED)
            or hasattr(type(obj), "__deepcopy__")
            or hasattr(type(obj), "transient_attributes")
        ):
            return _NOTHING
        return NotImplemented


class _Nowhere:
    """A file that keeps nothing."""

    def write(self, data: bytes) -> int:
        """Return the number of bytes, as files do."""
        return len(data)


def _try_to_pickle(value: object) -> None:
    """Raise the error of pickling a value."""
    _TrialPickler(_Nowhere(), protocol=4).dump(value)


def _error(
    callback: Any, error: BaseException, name: str | None = None
) -> pickle.PicklingError:
    """Return the error about a callback that cannot be copied."""
    cause = "" if name is None else f" because of its attribute {name!r}"
    remedy = "Name such attributes in the class attribute transient_attributes"
    if not hasattr(type(callback), "transient_attributes"):
        remedy = (
            "Derive the class from skmlp.callbacks.Callback, name such attributes in "
            "the class attribute transient_attributes"
        )
    # Not a TypeError, for which joblib.hash would try something else.
    return pickle.PicklingError(
        f"The callback {type(callback).__name__} cannot be copied or pickled{cause}: "
        f"{error}. {remedy}, and create them in on_fit_begin."
    )
