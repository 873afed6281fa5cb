"""What the compiled engine can train."""

import numpy as np
from scipy.sparse import issparse

from skmlp import compiled
from skmlp.core.activations import ACTIVATIONS
from skmlp.core.losses import LOSSES
from skmlp.core.optimizers import OPTIMIZERS

# The package's own classes: a user's may enter the registries later. What is derived
# from one of them may do something else.
_ACTIVATIONS = {type(activation) for activation in ACTIVATIONS.values()}
_LOSSES = set(LOSSES.values())
_OPTIMIZERS = set(OPTIMIZERS.values())


_LONGEST = 2**31 - 1
"""Largest number of rows and of columns that BLAS is asked for: an int in C."""


def uncovered(network, optimizer, X, augment):
    """What this configuration needs NumPy for.

    Parameters
    ----------
    network : Network
        The network to train.

    optimizer : Optimizer or None
        What trains it; None for L-BFGS.

    X : {ndarray, sparse matrix}
        The samples.

    augment : callable or None
        What changes each batch.

    Returns
    -------
    reasons : list of str
        What is not covered, as in "activation=Sine()"; empty if everything is.
    """
    *hidden, output = network.activations
    reasons = [f"activation={g!r}" for g in uncovered_activations(hidden)]
    reasons += [f"output_activation={g!r}" for g in uncovered_activations([output])]
    if not _is_covered(network.loss, _LOSSES, "LOSSES"):
        reasons.append(f"loss={network.loss!r}")
    if optimizer is not None and not _is_covered_optimizer(optimizer):
        reasons.append(f"solver={optimizer.name!r}")
    reasons += uncovered_input(X)
    # A layer's gradient is a product over all rows of a batch, which may be those of X.
    if max(X.shape[0], *network.layer_sizes) > _LONGEST:
        reasons.append(f"more than {_LONGEST} samples, or units of a layer")
    if augment is not None:
        reasons.append("augment")
    return list(dict.fromkeys(reasons))  # layers may share an activation


def uncovered_activations(activations):
    """Those of these activations that are not covered."""
    return [g for g in activations if not _is_covered(g, _ACTIVATIONS, "ACTIVATIONS")]


def uncovered_input(X):
    """What about the samples is not covered."""
    if issparse(X):
        return ["sparse X"]
    if not X.flags.aligned or any(stride % X.itemsize for stride in X.strides):
        return ["X that is not aligned in memory"]
    return []


def uncovered_parameters(coefs, intercepts, n_features):
    """Whether these are anything but the weights and biases of one network and dtype,
    of no more units in a layer than BLAS can count.

    They may have been set by hand. If they do not fit together, NumPy computes with
    them, or raises its error; compiled code would read beyond their memory.
    """
    dtype = getattr(coefs[0], "dtype", None)
    if dtype not in (np.float32, np.float64) or len(intercepts) != len(coefs):
        return True
    n_in = n_features
    for W, b in zip(coefs, intercepts, strict=True):
        if not all(isinstance(a, np.ndarray) and a.dtype == dtype for a in (W, b)):
            return True
        if W.ndim != 2 or W.shape[0] != n_in or b.shape != W.shape[1:]:
            return True
        if max(W.shape) > _LONGEST:
            return True
        n_in = W.shape[1]
    return False


def _is_covered(instance, own_classes, names):
    """Whether its class is the package's own, and the extension knows its name.

    Where the extension was not built, there are no names, and the class decides.
    """
    extension = getattr(compiled, "_engine", None)
    return type(instance) in own_classes and (
        extension is None or instance.name in getattr(extension, names)
    )


def _is_covered_optimizer(optimizer):
    if optimizer.full_batch:  # a search: only its objective is computed in C
        return type(optimizer) in _OPTIMIZERS
    return _is_covered(optimizer, _OPTIMIZERS, "OPTIMIZERS")
