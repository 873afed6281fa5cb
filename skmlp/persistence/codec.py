"""Values as JSON and arrays, and back.

None, booleans, integers, finite numbers, strings and lists stand for themselves.
Everything else is an object with a ``kind``, of which there are those below and no
more: a name in a file is looked up in a table, and never imported. Where a file has
something else, `decode` raises ValueError, TypeError or LookupError.

To add a kind, write its class here. It has ``takes(value)``, whether it can encode a
value; ``encode(encoder, value, where)``, which returns the object without its kind; and
``decode(decoder, **content)``, which checks whatever its caller relies on.
"""

import math
from copy import copy
from itertools import pairwise
from numbers import Real

import numpy as np

from skmlp import callbacks
from skmlp.callbacks.copies import settings as settings_of
from skmlp.core.activations import ACTIVATIONS, Activation
from skmlp.core.losses import LOSSES, Loss
from skmlp.core.network import Network
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.parameters import Layout, Parameters
from skmlp.layers import LAYERS, make_mlp
from skmlp.training.state import HISTORY

_KINDS: dict = {}


def encode(value, where, arrays):
    """Turn a value into what the json module takes.

    Parameters
    ----------
    value : object
        The value.

    where : str
        What the value is, as a path: for errors, and for the names of its arrays.

    arrays : dict
        Where its arrays are put, by name.

    Returns
    -------
    encoded : object

    Raises
    ------
    TypeError
        If there is no kind for it, or for something in it.
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


def _add(array, where, arrays):
    """Put an array among the others, by a name that none of them has."""
    name = where
    while name in arrays:  # the keys of a dict are in the place of the dict
        name = f"{where}#{len(arrays)}"
    arrays[name] = np.asarray(array)
    return name


def decode(encoded, arrays):
    """Turn what `encode` has returned into a value again.

    Parameters
    ----------
    encoded : object
        The value encoded.

    arrays : dict of str to ndarray
        Its arrays.

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


def is_count(value):
    """Whether it counts something, and could be counted on from in C."""
    return type(value) is int and 0 <= value < 2**53


def check_number(value, what):
    """Raise if a value is not a number, or is an integer too large for a float."""
    check(isinstance(value, Real), f"{what} is {value!r}")
    float(value)


def check_numbers(values, what):
    """Raise if a value is not a list of numbers, which may include NaN."""
    check(isinstance(values, list), f"{what} is {type(values)}")
    for value in values:
        check_number(value, f"a number in {what}")


def check_history(history, n_epochs, what):
    """Raise if a history does not have the given number of epochs."""
    check(history.keys() == set(HISTORY), f"{what} has other entries")
    for name, values in history.items():
        check_numbers(values, what)
        check(len(values) == n_epochs, f"{what} has {len(values)} epochs in {name}")


def check_earlier(fitted):
    """Refuse fitted attributes that a training could not extend."""
    check(
        ("history_" in fitted) == ("loss_curve_" in fitted),
        "its history is not complete",
    )
    if "history_" in fitted:
        check_numbers(fitted["loss_curve_"], "its loss_curve_")
        check_history(fitted["history_"], len(fitted["loss_curve_"]), "its history_")
    if fitted.get("validation_scores_") is not None:
        check_numbers(fitted["validation_scores_"], "its validation_scores_")


def check(condition, message):
    """Raise ValueError unless the condition holds."""
    if not condition:
        raise ValueError(message)


class Kind:
    """Base class of the kinds, whose names are those in the files."""

    def __init_subclass__(cls, name):
        _KINDS[name] = cls


class NonFinite(Kind, name="number"):
    """inf, -inf and nan, which JSON does not have."""

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


def _is_series(value):
    return bool(value) and all(type(v) is float for v in value)


class Series(Kind, name="series"):
    """A list of numbers, NaN perhaps among them: an array has them exactly."""

    @staticmethod
    def takes(value):
        return type(value) is list

    @staticmethod
    def encode(value, where, arrays):
        return {"array": _add(value, where, arrays)}

    @staticmethod
    def decode(arrays, array):
        values = arrays[array]
        check(values.ndim == 1 and values.dtype == np.float64, "a series is no list")
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
    """A dict, whose keys need not be strings."""

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
        return {"array": _add(array, where, arrays)}

    @staticmethod
    def decode(arrays, array):
        return arrays[array]


class ObjectArray(Kind, name="object array"):
    """An array of objects, such as the names of features, or classes of strings."""

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
    """A number of one of NumPy's types."""

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
    """The parameter `dtype`, where it is no string."""

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


# What training draws from. NumPy's own readers of their states do not check them all,
# and would read beyond their memory.


def _mt19937(key, pos, has_gauss, gauss):
    check(key.shape == (624,) and key.dtype == np.uint32, "an MT19937 has another key")
    check(type(pos) is int and 0 <= pos <= 624, f"an MT19937 is at {pos!r}")
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
    """A RandomState as `check_random_state` makes it."""

    @staticmethod
    def takes(value):
        return type(value) is np.random.RandomState and (
            type(value._bit_generator) is np.random.MT19937
        )

    @staticmethod
    def encode(value, where, arrays):
        _, key, pos, has_gauss, gauss = value.get_state()
        return {
            "key": _add(key, where, arrays),
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
    """A Generator as `default_rng` makes it."""

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


# The package's own classes. What is derived from them may do something else.


def _settings(value, arrays):
    """Numbers that a formula has, by name."""
    settings = decode(value, arrays)
    check(
        isinstance(settings, dict)
        and all(isinstance(number, Real) for number in settings.values())
        and all(map(math.isfinite, settings.values())),
        "settings are not finite numbers",
    )
    return settings


class _Formula:
    """What a formula of the package's is: its name, and numbers."""

    @staticmethod
    def encode(value, where, arrays):
        settings = {name: float(number) for name, number in vars(value).items()}
        return {"name": value.name, "settings": encode(settings, where, arrays)}


class ActivationKind(_Formula, Kind, name="activation"):
    """An activation of the package's, with settings of its own or as registered."""

    @staticmethod
    def takes(value):
        return any(type(value) is type(own) for own in ACTIVATIONS.values())

    @staticmethod
    def decode(arrays, name, settings):
        registered, settings = ACTIVATIONS[name], _settings(settings, arrays)
        check(settings.keys() == vars(registered).keys(), f"{name} has other settings")
        if settings == vars(registered):
            return registered
        activation = copy(registered)
        vars(activation).update(settings)
        return activation


class LossKind(_Formula, Kind, name="loss"):
    """A loss of the package's."""

    @staticmethod
    def takes(value):
        return type(value) in LOSSES.values()

    @staticmethod
    def decode(arrays, name, settings):
        return LOSSES[name](**_settings(settings, arrays))


class CallbackKind(Kind, name="callback"):
    """A callback of the package's with its settings, not with what it has recorded.

    Nor with the path of a `Checkpoint`: a file is not to say where another is written.
    """

    @staticmethod
    def takes(value):
        return type(value) in _CALLBACKS.values()

    @staticmethod
    def encode(value, where, arrays):
        settings = settings_of(value) | _without_path(type(value))
        return {
            "name": type(value).__name__,
            "settings": encode(settings, where, arrays),
        }

    @staticmethod
    def decode(arrays, name, settings):
        cls = _CALLBACKS[name]
        return cls(**decode(settings, arrays) | _without_path(cls))


def _without_path(cls):
    return {"path": None} if cls is callbacks.Checkpoint else {}


_CALLBACKS = {
    name: getattr(callbacks, name) for name in callbacks.__all__ if name != "Callback"
}


class LayerKind(Kind, name="layer"):
    """A layer of a network, without its parameters."""

    @staticmethod
    def takes(value):
        return type(value) in LAYERS.values()

    @staticmethod
    def encode(value, where, arrays):
        return {"name": value.name, "settings": encode(value.settings, where, arrays)}

    @staticmethod
    def decode(arrays, name, settings):
        return LAYERS[name](**decode(settings, arrays))


class NetworkKind(Kind, name="network"):
    """A network, without its parameters."""

    @staticmethod
    def takes(value):
        return type(value) is Network

    @staticmethod
    def encode(value, where, arrays):
        parts = {"layers": value.layers, "loss": value.loss}
        return {
            name: encode(part, f"{where}/{name}", arrays)
            for name, part in parts.items()
        }

    @staticmethod
    def decode(arrays, **parts):
        parts = {name: decode(part, arrays) for name, part in parts.items()}
        if "layers" not in parts:
            return network_from(parts)
        check_layers(parts["layers"])
        check(LossKind.takes(parts["loss"]), "a network has no loss")
        return Network(**parts)


def check_layers(layers):
    """Raise if layers are not those of a network."""
    check(isinstance(layers, list) and len(layers) > 1, "a network has no layers")
    for layer in layers:
        check(LayerKind.takes(layer), f"a network has the layer {layer!r}")
        layer.check()
    for layer, following in pairwise(layers):
        check(layer.n_out == following.n_in, "layers of a network do not fit together")
    kinds = [layer.name for layer in layers]
    check(
        kinds[-2:] == ["dense", "activation"]
        and kinds.count("dense") == kinds.count("activation"),
        "a network does not have an activation for each dense layer",
    )
    # A layer that overwrites its input must not have an input that others need.
    is_needed, kept = True, []
    for layer in layers:
        check(layer.draws or not (is_needed and layer.in_place), "a layer overwrites X")
        is_needed = layer.keeps_input or (is_needed and layer.draws)
        if layer.keeps_input:
            kept.append(layer.n_in)
        if layer.takes_kept:
            fits = bool(kept) and kept.pop() == layer.n_in
            check(fits, "residual connections of a network do not fit together")
    check(not kept, "residual connections of a network do not fit together")
    is_trained = any(layer.parameters and not layer.frozen for layer in layers)
    check(is_trained, "no layer of a network is trained")


def network_from(parts):
    """Return the network of a file or pickle that was written before it had layers.

    Parameters
    ----------
    parts : dict
        Its attributes: layer_sizes, activations, loss, dropout, batch_norm_epsilon and
        frozen.
    """
    sizes, dropout, epsilon, frozen = (
        parts[name]
        for name in ("layer_sizes", "dropout", "batch_norm_epsilon", "frozen")
    )
    n_layers = len(sizes) - 1
    check(
        n_layers > 0
        and all(type(size) is int and size > 0 for size in sizes)
        and len(parts["activations"]) == n_layers
        and all(isinstance(g, Activation) for g in parts["activations"])
        and isinstance(parts["loss"], Loss)
        and len(dropout) == n_layers
        and all(isinstance(p, float) and 0 <= p < 1 for p in dropout)
        and isinstance(epsilon, float | None)
        and set(frozen) < set(range(n_layers)),
        "a network is malformed",
    )
    return make_mlp(
        sizes,
        parts["activations"],
        parts["loss"],
        dropout=dropout,
        batch_norm_epsilon=epsilon,
        frozen=frozen,
    )


class ParametersKind(Kind, name="parameters"):
    """Weights and biases of a network, in one vector."""

    @staticmethod
    def takes(value):
        return type(value) is Parameters

    @staticmethod
    def encode(value, where, arrays):
        parameters, statistics = (
            {name: [list(shape) for shape in shapes] for name, shapes in groups.items()}
            for groups in value.layout
        )
        return {
            "parameters": parameters,
            "statistics": statistics,
            "flat": _add(value.flat, f"{where}/flat", arrays),
            "running": _add(value.running, f"{where}/running", arrays),
        }

    @staticmethod
    def decode(arrays, flat, running, **parts):
        flat, running = arrays[flat], arrays[running]
        layout = _layout_of(**parts)
        check(
            flat.shape == (layout.n_parameters,)
            and running.shape == (layout.n_statistics,)
            and flat.dtype == running.dtype
            and flat.dtype in (np.float32, np.float64),
            "the parameters of a network have other shapes",
        )
        return Parameters(layout, flat.dtype, flat, running)


def _layout_of(layer_sizes=None, batch_norm=False, parameters=None, statistics=None):
    """Return a layout from a file.

    Files of version 1 have the number of units of each layer, and whether there is
    batch normalization.
    """
    if layer_sizes is not None:
        check(
            len(layer_sizes) > 1
            and all(type(size) is int and size > 0 for size in layer_sizes),
            "a network has no layers, or layers without units",
        )
        layout = Layout.dense(layer_sizes)
        if not batch_norm:
            return layout
        hidden = layout.parameters["intercepts"][:-1]
        return Layout(
            {**layout.parameters, "batch_norm_scales": hidden},
            {"batch_norm_means": hidden, "batch_norm_variances": hidden},
        )
    layout = Layout(
        *(
            {name: tuple(map(tuple, shapes)) for name, shapes in groups.items()}
            for groups in (parameters, statistics)
        )
    )
    check(
        list(layout.parameters)[:2] == ["coefs", "intercepts"]
        and all(
            0 < len(shape) < 3 and all(type(n) is int and n > 0 for n in shape)
            for shapes in layout.groups.values()
            for shape in shapes
        )
        and all(len(shape) == 2 for shape in layout.parameters["coefs"])
        and len(layout.parameters["coefs"]) > 0,
        "the parameters of a network have other shapes",
    )
    return layout


class OptimizerKind(Kind, name="optimizer"):
    """An optimizer, with what it remembers."""

    @staticmethod
    def takes(value):
        return type(value) in OPTIMIZERS.values()

    @staticmethod
    def encode(value, where, arrays):
        settings = {name: getattr(value, name) for name in value.hyperparameters}
        return {
            "name": value.name,
            "settings": encode(settings, where, arrays),
            "state": encode(value.state_dict(), where, arrays),
        }

    @staticmethod
    def decode(arrays, name, settings, state):
        cls, state = OPTIMIZERS[name], decode(state, arrays)
        vectors = [v for v in state.values() if isinstance(v, np.ndarray)]
        theta = vectors[0] if vectors else np.empty(0)
        check(theta.dtype in (np.float32, np.float64), f"{name} has another dtype")
        optimizer = cls(theta, 1.0, **_settings(settings, arrays))
        check_state(optimizer, state)
        optimizer.load_state_dict(state)
        return optimizer


def check_state(optimizer, state):
    """Refuse a state that is not one of this optimizer's."""
    own = optimizer.state_dict()
    check(own.keys() == state.keys(), f"{optimizer.name} has another state")
    for name, value in own.items():
        other = state[name]
        if isinstance(value, np.ndarray):
            fits = isinstance(other, np.ndarray) and (
                (other.shape, other.dtype) == (value.shape, value.dtype)
            )
        elif isinstance(value, bool):
            fits = isinstance(other, bool)
        elif isinstance(value, int):
            fits = is_count(other)
        else:
            least, greatest = optimizer.scalars.get(name, (-math.inf, math.inf))
            fits = isinstance(other, Real) and math.isfinite(other)
            fits = fits and least <= other <= greatest
        check(fits, f"{optimizer.name} has another {name}")
