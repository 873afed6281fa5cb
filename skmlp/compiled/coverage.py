"""The options that the compiled engine supports."""

from functools import lru_cache
from inspect import signature

import numpy as np
from scipy.sparse import issparse

from skmlp import compiled
from skmlp.core.activations import ACTIVATIONS
from skmlp.core.losses import LOSSES
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.penalties import PENALTIES
from skmlp.layers import LAYERS
from skmlp.training.step import TrainingStep

# The classes of the package. Users can register other classes later. Subclasses are not
# supported, because they can override methods.
_ACTIVATIONS = {type(activation) for activation in ACTIVATIONS.values()}
_LOSSES = set(LOSSES.values())
_OPTIMIZERS = set(OPTIMIZERS.values())
_PENALTIES = set(PENALTIES.values())


_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))

_LONGEST = 2**31 - 1
"""Maximum number of rows and columns of an operand of BLAS, whose integers are int."""


def unsupported(network, optimizer, X, augment, penalty=None, step_options=None):
    """Return what the compiled engine does not support in a configuration.

    Parameters
    ----------
    network : Network
        The network to train.

    optimizer : Optimizer or None
        The optimizer. None for L-BFGS.

    X : {ndarray, sparse matrix}
        The samples.

    augment : callable or None
        Function that augments each batch.

    penalty : Penalty, default=None
        Penalty on the weights. None for no penalty.

    step_options : dict, default=None
        Options of `TrainingStep`, by name. None for no options.

    Returns
    -------
    reasons : list of str
        Descriptions of what is not supported, such as "activation=Sine()". Empty if
        everything is supported.
    """
    reasons = unsupported_layers(network.layers)
    if not _is_covered(network.loss, _LOSSES, "LOSSES"):
        reasons.append(f"loss={network.loss!r}")
    if optimizer is not None and not _is_covered_optimizer(optimizer):
        is_named = OPTIMIZERS.get(optimizer.name) is type(optimizer)
        reasons.append(f"solver={optimizer.name if is_named else optimizer!r}")
    if penalty is not None and not _is_covered(penalty, _PENALTIES, "PENALTIES"):
        reasons.append(f"penalty={penalty!r}")
    reasons += _unsupported_options(step_options or {})
    reasons += unsupported_input(X)
    # The gradient of a layer is a product over all rows of a batch, at most those of X.
    if max(X.shape[0], *network.layer_sizes) > _LONGEST:
        reasons.append(f"more than {_LONGEST} samples, or units of a layer")
    if augment is not None:
        reasons.append("augment")
    return list(dict.fromkeys(reasons))  # layers can share an activation


@lru_cache(maxsize=128)
def can_predict(network):
    """Return whether the layers of a network are supported in prediction."""
    return not unsupported_layers(network.layers[:-1])


def unsupported_layers(layers):
    """Return descriptions of what is not supported in layers."""
    reasons = []
    for layer in layers:
        if not hasattr(layer, "g"):
            if not _is_known(layer, LAYERS.values(), layer.operation, "OPERATIONS"):
                reasons.append(repr(layer))
        elif not _is_covered(layer.g, _ACTIVATIONS, "ACTIVATIONS"):
            kind = "output_activation" if layer is layers[-1] else "activation"
            reasons.append(f"{kind}={layer.g!r}")
    return reasons


def unsupported_input(X):
    """Return descriptions of what is not supported in the samples."""
    if issparse(X):
        return ["sparse X"]
    if not X.flags.aligned or any(stride % X.itemsize for stride in X.strides):
        return ["X that is not aligned in memory"]
    return []


def unsupported_parameters(network, arrays, n_features):
    """Return whether arrays do not have the shapes of the network or a common dtype.

    Users can set the arrays. If the shapes do not match, NumPy raises an exception, but
    compiled code would read beyond the arrays. The number of units of a layer is
    limited by the integers of BLAS.
    """
    if n_features != network.layer_sizes[0] or max(network.layer_sizes) > _LONGEST:
        return True
    dtype = getattr(arrays[-2][0], "dtype", None)
    if dtype not in _DTYPES:
        return True
    for theta, shapes in zip(arrays, network.shapes, strict=True):
        for array, shape in zip(theta, shapes, strict=True):
            if not isinstance(array, np.ndarray):
                return True
            if array.dtype != dtype or array.shape != shape:
                return True
    return False


def _unsupported_options(options):
    """Return descriptions of the options of a step that the extension ignores.

    An option that has its default value is supported, because it changes nothing.
    """
    extension = getattr(compiled, "_engine", None)
    if extension is None:
        return []
    return [
        f"{name}={value!r}"
        for name, value in options.items()
        if name not in extension.STEP_OPTIONS and value != _default_option(name)
    ]


def _default_option(name):
    return signature(TrainingStep).parameters[name].default


def _is_covered(instance, own_classes, names):
    """Return whether an instance is of a class of the package and compiled.

    Without the extension, only the class is checked.
    """
    return _is_known(instance, own_classes, instance.name, names)


def _is_known(instance, own_classes, name, names):
    extension = getattr(compiled, "_engine", None)
    return type(instance) in own_classes and (
        extension is None or name in getattr(extension, names)
    )


def _is_covered_optimizer(optimizer):
    if optimizer.full_batch:  # a search, whose objective is computed in C
        return type(optimizer) in _OPTIMIZERS
    return _is_covered(optimizer, _OPTIMIZERS, "OPTIMIZERS")
