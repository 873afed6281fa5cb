"""Conversion of the objects of skmlp, see `skmlp.persistence.codec`.

Only the classes of the package itself are supported. A derived class may compute
something else.
"""

import math
from copy import copy
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np

from skmlp import callbacks
from skmlp.callbacks.copies import settings as settings_of
from skmlp.core.activations import ACTIVATIONS, Activation
from skmlp.core.losses import LOSSES, Loss
from skmlp.core.network import Network
from skmlp.core.optimizers import OPTIMIZERS, Optimizer
from skmlp.core.parameters import Layout, Parameters
from skmlp.layers import LAYERS, make_mlp
from skmlp.persistence.checks import check, is_count
from skmlp.persistence.codec import Kind, add_array, decode, encode


def _settings(value, arrays):
    """Return the numbers of an activation, a loss or an optimizer, by name."""
    settings = decode(value, arrays)
    check(
        isinstance(settings, dict)
        and all(isinstance(number, Real) for number in settings.values())
        and all(map(math.isfinite, settings.values())),
        "settings are not finite numbers",
    )
    return settings


class _Formula:
    """An activation or a loss: its name and its numbers."""

    @staticmethod
    def encode(value, where, arrays):
        settings = {name: float(number) for name, number in vars(value).items()}
        return {"name": value.name, "settings": encode(settings, where, arrays)}


class ActivationKind(_Formula, Kind, name="activation"):
    """An activation of the package, which may have other numbers than the default."""

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
    """A loss of the package."""

    @staticmethod
    def takes(value):
        return type(value) in LOSSES.values()

    @staticmethod
    def decode(arrays, name, settings):
        return LOSSES[name](**_settings(settings, arrays))


class CallbackKind(Kind, name="callback"):
    """A callback of the package, with its settings and without its records.

    The path of a `Checkpoint` is not stored. Otherwise a file from another person could
    determine where files are written.
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


def check_layers(layers: Any) -> None:
    """Raise if layers are not those of a network."""
    check(isinstance(layers, list) and len(layers) > 1, "a network has no layers")
    for layer in layers:
        check(LayerKind.takes(layer), f"a network has the layer {layer!r}")
        layer.check()
    for layer, following in pairwise(layers):
        check(layer.n_out == following.n_in, "layers of a network do not fit together")
    has_weights = ["coefs" in layer.parameters for layer in layers]
    check(
        has_weights[-2:] == [True, False]
        and layers[-1].name == "activation"
        and sum(has_weights) == sum(layer.name == "activation" for layer in layers),
        "a network does not have an activation for each dense layer",
    )
    n_members = math.prod(layer.n_rows_out for layer in layers)
    check(
        all(getattr(layer, "n_members", n_members) == n_members for layer in layers)
        and (layers[-2].name == "heads") == (n_members > 1),
        "the layers of a network have other numbers of members",
    )
    # A layer must not overwrite the input of the network, or an input that is kept.
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


def network_from(parts: dict) -> Network:
    """Return the network of a file or pickle of a version without layers.

    Parameters
    ----------
    parts : dict
        The attributes layer_sizes, activations, loss, dropout, batch_norm_epsilon and
        frozen.

    Returns
    -------
    network : Network
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
            "flat": add_array(value.flat, f"{where}/flat", arrays),
            "running": add_array(value.running, f"{where}/running", arrays),
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
    """Return the layout of parameters.

    Files of version 1 have the number of units of each layer, and whether there is
    batch normalization. Later files have the shapes.
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
    """An optimizer and its state."""

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


def check_state(optimizer: Optimizer, state: Any) -> None:
    """Raise if a state is not valid for an optimizer."""
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
