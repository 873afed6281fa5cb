"""Copies of callbacks by `clone`, `deepcopy` and `pickle`.

A clone has the parameters of a callback and no records of a training. A deep copy and a
pickle have both. None of them has the attributes that are named in
`transient_attributes`, such as locks and open files.
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
    # joblib uses cloudpickle, which accepts all functions and classes.
    type,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.ModuleType,
    # Deep copies share these.
    types.CodeType,
    property,
    weakref.ref,
    # Estimators check their own callbacks.
    BaseEstimator,
)


def settings(callback: Any) -> dict[str, Any]:
    """Return the parameters of a callback's constructor by name."""
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
    """Return the attributes of a callback that its copies have.

    Parameters
    ----------
    callback : Callback
        The callback.

    state : dict
        The attributes of the callback.

    Returns
    -------
    state : dict
        The attributes for `deepcopy` and `pickle`.

    Raises
    ------
    PicklingError
        If an attribute cannot be copied and is not transient. The message names it.
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
    """Raise if a callback cannot be pickled.

    Parameters
    ----------
    callback : object
        The callback. It does not have to derive from `Callback`.

    Raises
    ------
    PicklingError
        If it cannot be pickled. The message names the attribute. Functions and
        classes are not checked.
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
        Clones of the callbacks, in a list or tuple like the argument.
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
    """Return a callback with the same parameters and without records.

    This follows the convention of scikit-learn: the constructor stores its arguments,
    unchanged, under the names of its parameters. A callback whose class does not follow
    the convention is copied with all its attributes.

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
        return None  # hooks that were set on the instance would be lost
    try:
        parameters = inspect.signature(type(callback)).parameters.values()
    except (TypeError, ValueError):  # a class from an extension module
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
    """A parameter that deep copies share, and that is None in a pickle."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __deepcopy__(self, memo: dict) -> object:
        return self._value

    def __reduce__(self) -> tuple:
        return type(None), ()


_PLACEHOLDER = int, ()  # replaces an object that is not pickled


class _TrialPickler(pickle.Pickler):
    """Pickler that skips large arrays and objects that can always be copied."""

    def reducer_override(self, obj: object) -> Any:
        """Replace an object that is not pickled."""
        if type(obj) is np.ndarray:  # to save time, as records can be large
            return _PLACEHOLDER
        if obj is int:
            return NotImplemented
        if (
            isinstance(obj, _SKIPPED)
            or hasattr(type(obj), "__deepcopy__")
            or hasattr(type(obj), "transient_attributes")
        ):
            return _PLACEHOLDER
        return NotImplemented


class _NullFile:
    """File that discards its data."""

    def write(self, data: bytes) -> int:
        """Return the number of bytes."""
        return len(data)


def _try_to_pickle(value: object) -> None:
    """Raise if a value cannot be pickled."""
    _TrialPickler(_NullFile(), protocol=4).dump(value)


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
    # Not a TypeError, which joblib.hash would catch.
    return pickle.PicklingError(
        f"The callback {type(callback).__name__} cannot be copied or pickled{cause}: "
        f"{error}. {remedy}, and create them in on_fit_begin."
    )
