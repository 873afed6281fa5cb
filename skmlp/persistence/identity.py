"""The parameters and data of a training, to compare it with another training."""

import hashlib
import inspect
import math
import re
from collections.abc import Iterator
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.sparse import issparse

from skmlp import callbacks
from skmlp.core.schedules import SCHEDULES, Schedule, followed_by

# Parameters that do not change the result, or that are compared elsewhere.
_IGNORED = {"callbacks", "engine", "on_interrupt", "verbose", "warm_start"}

_CHUNK = 2**20  # elements
_DEPTH = 4  # of nested objects, which may contain themselves


def identify(estimator: Any, data: Any, validation_data: Any) -> dict:
    """Return the parameters and hashes of the data, in types of JSON.

    Parameters with their default value are omitted, and so are those that a later
    version adds.

    Parameters
    ----------
    estimator : BaseMLP
        The estimator. A classifier must have `classes_`.

    data, validation_data : Data
        The training data, and the validation data of the user or None.

    Returns
    -------
    identity : dict of dicts
        The argument of `differences`.
    """
    cls = type(estimator)
    defaults = inspect.signature(cls).parameters
    parameters = {
        name: describe(value)
        for name, value in estimator.get_params(deep=False).items()
        if name not in _IGNORED
    }
    schedule = followed_by(estimator.solver, estimator.learning_rate)
    parameters["learning_rate"] = describe(schedule)
    schedule_class = SCHEDULES[schedule] if isinstance(schedule, str) else Schedule
    if not schedule_class.ends:
        del parameters["max_iter"]  # more epochs begin with the same ones
    # Checkpoints of earlier versions, whose default was 0, do not have it.
    smallest = getattr(schedule_class, "learning_rate_min", 0.0)
    if parameters["learning_rate_min"] == smallest:
        parameters["learning_rate_min"] = None
    fingerprints = {}
    classes = getattr(estimator, "classes_", np.empty(0)).tolist()
    for suffix, samples in {"": data, "_val": validation_data}.items():
        if samples is not None:
            fingerprints[f"X{suffix}"] = fingerprint(samples.X)
            fingerprints[f"y{suffix}"] = fingerprint(samples.Y, repr(classes))
            fingerprints[f"sample_weight{suffix}"] = fingerprint(samples.w)
    return {
        "estimator": {"class": cls.__name__},
        "parameters": {
            name: value
            for name, value in parameters.items()
            if value != describe(defaults[name].default)
        },
        "data": fingerprints,
    }


def describe(value: Any, depth: int = _DEPTH) -> Any:
    """Return a description of a value in types of JSON.

    Descriptions of equal values are equal, also in another process. A function is
    described by its name. A local function or a lambda is described by its default
    values and the variables that it captures, too. An object is described by its class
    and its representation or its attributes.

    Parameters
    ----------
    value : object
        The value.

    depth : int, default=4
        Number of levels of nested objects that are described.

    Returns
    -------
    description : None, bool, int, float, str or list
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.dtype) or (
        isinstance(value, type) and issubclass(value, np.generic)
    ):
        return np.dtype(value).name
    if isinstance(value, np.generic | np.ndarray):
        return describe(value.tolist(), depth)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        return number if math.isfinite(number) else repr(number)
    if depth == 0 or isinstance(value, type):
        return name_of(value)
    parts: list = []
    if isinstance(value, list | tuple):
        return [describe(item, depth) for item in value]
    if isinstance(value, dict):
        return [
            [describe(key, depth), describe(item, depth)] for key, item in value.items()
        ]
    if isinstance(value, np.random.RandomState | np.random.Generator):
        return name_of(value)  # its state changes during training
    if isinstance(value, partial):
        parts = [value.func, value.args, value.keywords]
    elif inspect.isfunction(value) and "<" not in value.__qualname__:
        return name_of(value)
    elif inspect.isfunction(value):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        parts = [value.__defaults__, value.__kwdefaults__, cells]
    elif type(value).__repr__ is object.__repr__:
        parts = [getattr(value, "__dict__", None)]
    else:
        return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
    return [name_of(value), *(describe(part, depth - 1) for part in parts if part)]


def name_of(value: Any) -> str:
    """Return the name of a class or a function, or of an object's class.

    A public callback has the name of its package, where users import it.
    """
    of = value if hasattr(value, "__qualname__") else type(value)
    module = of.__module__
    if getattr(callbacks, of.__qualname__, None) is of:
        module = callbacks.__name__
    return f"{module}.{of.__qualname__}"


def fingerprint(array: Any, *more: object) -> str | None:
    """Return a hash of an array, its shape, its dtype and its order in memory.

    The array is read in small parts, without a copy.

    Parameters
    ----------
    array : {ndarray, CSR matrix} or None
        The array.

    *more : str
        Other values to include in the hash.

    Returns
    -------
    fingerprint : str or None
        SHA-256, in hexadecimal digits. None if the array is None.
    """
    if array is None:
        return None
    parts, order = [array], ""
    if issparse(array):
        parts = [array.indptr, array.indices, array.data]
    else:  # the rounding errors of BLAS depend on the order
        order = "".join(c for c in "CF" if array.flags[f"{c}_CONTIGUOUS"])
    what = repr((array.shape, array.dtype.str, order, *more))
    sha256 = hashlib.sha256(what.encode())
    for part in parts:
        # Indices of sparse matrices may be 32-bit or 64-bit.
        dtype = np.int64 if part.dtype.kind == "i" else part.dtype
        n_rows = max(1, _CHUNK // max(1, part[:1].size))
        for start in range(0, len(part), n_rows):
            rows = part[start : start + n_rows]
            sha256.update(np.ascontiguousarray(rows, dtype).data)
    return sha256.hexdigest()


def differences(saved: Any, given: Any) -> Iterator[str]:
    """Yield descriptions of the differences between two trainings.

    Parameters
    ----------
    saved, given : dict of dicts
        Results of `identify`.

    Yields
    ------
    difference : str
    """
    for part, values in given.items():
        for name in sorted(saved[part].keys() | values.keys()):
            before, now = saved[part].get(name), values.get(name)
            if before == now and (name in saved[part]) == (name in values):
                continue
            if part != "data":
                words = (
                    repr(of[name]) if name in of else "the default"
                    for of in (saved[part], values)
                )
                yield "{} was {} and is {}".format(name, *words)
            elif before is None or now is None:
                yield f"{name} was {'not ' if before is None else ''}given"
            else:
                yield f"{name} has other values, or another shape, dtype or order"
