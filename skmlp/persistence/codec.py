"""Conversion of values to JSON and arrays, and back.

None, booleans, integers, finite numbers, strings and lists are stored as they are in
JSON. Any other value is stored as an object with a ``kind``, which is the name of one
of the classes below or in `skmlp.persistence.objects`. Names in a file are looked up in
a table, and never imported. For other content, `decode` raises ValueError, TypeError or
LookupError.

To add a kind, derive a class from `Kind` and give it a name.
"""

import math
from typing import Any

import numpy as np

from skmlp.persistence.checks import check

_KINDS: dict = {}


def encode(value: Any, where: str, arrays: dict) -> Any:
    """Convert a value to what the json module can write.

    Parameters
    ----------
    value : object
        The value.

    where : str
        Path of the value in the document. It is the name of its array, and is part of
        error messages.

    arrays : dict of str to ndarray
        The arrays of the value are added to it.

    Returns
    -------
    encoded : object

    Raises
    ------
    TypeError
        If there is no kind for the value, or for an object in it.
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is list and not _is_series(value):
        return [encode(v, f"{where}/{i}", arrays) for i, v in enumerate(value)]
    for name, kind in _KINDS.items():
        if kind.takes(value):
            return {"kind": name, **kind.encode(value, where, arrays)}
    raise TypeError(f"{where} is {value!r}, of {type(value)}")


def add_array(array: Any, where: str, arrays: dict) -> str:
    """Add an array to the others, and return its name, which no other array has."""
    name = where
    while name in arrays:  # the keys of a dict have the path of the dict
        name = f"{where}#{len(arrays)}"
    arrays[name] = np.asarray(array)
    return name


def decode(encoded: Any, arrays: dict) -> Any:
    """Convert the result of `encode` back to the value.

    Parameters
    ----------
    encoded : object
        The encoded value.

    arrays : dict of str to ndarray
        The arrays.

    Returns
    -------
    value : object
    """
    if isinstance(encoded, list):
        return [decode(e, arrays) for e in encoded]
    if not isinstance(encoded, dict):
        return encoded
    kind, content = encoded["kind"], encoded.copy()
    del content["kind"]
    return _KINDS[kind].decode(arrays, **content)


def _is_series(value):
    return bool(value) and all(type(v) is float for v in value)


class Kind:
    """Base class of the kinds of values. The files have their names.

    A derived class has three static methods:

    - ``takes(value)`` returns whether the kind can encode a value;
    - ``encode(value, where, arrays)`` returns the content of the JSON object as a dict;
    - ``decode(arrays, **content)`` returns the value, and raises if the content is not
      valid.
    """

    takes: Any
    encode: Any
    decode: Any

    def __init_subclass__(cls, name: str) -> None:
        _KINDS[name] = cls


class NonFinite(Kind, name="number"):
    """inf, -inf and nan, which JSON does not support."""

    @staticmethod
    def takes(value):
        return type(value) is float

    @staticmethod
    def encode(value, where, arrays):
        return {"value": repr(value)}

    @staticmethod
    def decode(arrays, value):
        check(value in ("inf", "-inf", "nan"), f"a number is {value!r}")
        return float(value)


class Series(Kind, name="series"):
    """A list of floats, which may be NaN. It is stored as an array."""

    @staticmethod
    def takes(value):
        return type(value) is list

    @staticmethod
    def encode(value, where, arrays):
        return {"array": add_array(value, where, arrays)}

    @staticmethod
    def decode(arrays, array):
        values = arrays[array]
        check(
            values.ndim == 1 and values.dtype == np.float64,
            "a series is not a list of numbers",
        )
        return values.tolist()


class Tuple(Kind, name="tuple"):
    """A tuple."""

    @staticmethod
    def takes(value):
        return type(value) is tuple

    @staticmethod
    def encode(value, where, arrays):
        return {"items": encode(list(value), where, arrays)}

    @staticmethod
    def decode(arrays, items):
        return tuple(decode(items, arrays))


class Dict(Kind, name="dict"):
    """A dict. Its keys may be other values than strings."""

    @staticmethod
    def takes(value):
        return type(value) is dict

    @staticmethod
    def encode(value, where, arrays):
        items = [
            [encode(k, where, arrays), encode(v, f"{where}/{k}", arrays)]
            for k, v in value.items()
        ]
        return {"items": items}

    @staticmethod
    def decode(arrays, items):
        return dict(decode(items, arrays))


class Array(Kind, name="array"):
    """An array of numbers, booleans or strings."""

    @staticmethod
    def takes(value):
        return type(value) in (np.ndarray, np.memmap) and value.dtype.kind in "biufUS"

    @staticmethod
    def encode(value, where, arrays):
        array = value.astype(value.dtype.newbyteorder("="), copy=False)
        return {"array": add_array(array, where, arrays)}

    @staticmethod
    def decode(arrays, array):
        return arrays[array]


class ObjectArray(Kind, name="object array"):
    """An array of objects, such as names of features or of classes."""

    @staticmethod
    def takes(value):
        return type(value) is np.ndarray and value.dtype == object and value.ndim == 1

    @staticmethod
    def encode(value, where, arrays):
        return {"items": encode(list(value), where, arrays)}

    @staticmethod
    def decode(arrays, items):
        items = decode(items, arrays)
        array = np.empty(len(items), object)
        array[:] = items
        return array


class Scalar(Kind, name="scalar"):
    """A NumPy scalar."""

    @staticmethod
    def takes(value):
        return isinstance(value, np.generic) and value.dtype.kind in "biufUS"

    @staticmethod
    def encode(value, where, arrays):
        return Array.encode(np.asarray(value), where, arrays)

    @staticmethod
    def decode(arrays, array):
        return arrays[array][()]


class DType(Kind, name="dtype"):
    """The parameter `dtype`, if it is not a string."""

    @staticmethod
    def takes(value):
        return isinstance(value, type | np.dtype) and value in (np.float32, np.float64)

    @staticmethod
    def encode(value, where, arrays):
        return {"name": np.dtype(value).name, "is_type": isinstance(value, type)}

    @staticmethod
    def decode(arrays, name, is_type):
        check(name in ("float32", "float64"), f"a dtype is {name!r}")
        dtype = np.dtype(name)
        return dtype.type if is_type else dtype


# The states of random number generators. NumPy does not check all values, and would
# read beyond the end of its memory.


def _mt19937(key, pos, has_gauss, gauss):
    check(key.shape == (624,) and key.dtype == np.uint32, "an MT19937 has another key")
    check(type(pos) is int and 0 <= pos <= 624, f"an MT19937 has the position {pos!r}")
    check(has_gauss in (0, 1) and isinstance(gauss, float), "an MT19937 is malformed")
    return {
        "bit_generator": "MT19937",
        "state": {"key": key, "pos": pos},
        "has_gauss": has_gauss,
        "gauss": gauss,
    }


def _pcg64(state, inc, has_uint32, uinteger):
    for value, bits in (state, 128), (inc, 128), (has_uint32, 1), (uinteger, 32):
        check(type(value) is int and 0 <= value < 2**bits, "a PCG64 is malformed")
    return {
        "bit_generator": "PCG64",
        "state": {"state": state, "inc": inc},
        "has_uint32": has_uint32,
        "uinteger": uinteger,
    }


class RandomState(Kind, name="RandomState"):
    """A RandomState with a Mersenne Twister."""

    @staticmethod
    def takes(value):
        return type(value) is np.random.RandomState and (
            type(value._bit_generator) is np.random.MT19937
        )

    @staticmethod
    def encode(value, where, arrays):
        _, key, pos, has_gauss, gauss = value.get_state()
        return {
            "key": add_array(key, where, arrays),
            "pos": pos,
            "has_gauss": has_gauss,
            "gauss": encode(gauss, where, arrays),
        }

    @staticmethod
    def decode(arrays, key, pos, has_gauss, gauss):
        state = _mt19937(arrays[key], pos, has_gauss, decode(gauss, arrays))
        random_state = np.random.RandomState(0)
        random_state.set_state(state)
        return random_state


class Generator(Kind, name="Generator"):
    """A Generator with PCG64."""

    @staticmethod
    def takes(value):
        return type(value) is np.random.Generator and (
            type(value.bit_generator) is np.random.PCG64
        )

    @staticmethod
    def encode(value, where, arrays):
        state = value.bit_generator.state
        return {
            **state["state"],
            "has_uint32": state["has_uint32"],
            "uinteger": state["uinteger"],
        }

    @staticmethod
    def decode(arrays, state, inc, has_uint32, uinteger):
        generator = np.random.Generator(np.random.PCG64(0))
        generator.bit_generator.state = _pcg64(state, inc, has_uint32, uinteger)
        return generator
