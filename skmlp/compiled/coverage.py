"""What the compiled engine can train."""

import numpy as np
from scipy.sparse import issparse

from skmlp import compiled
from skmlp.core.activations import ACTIVATIONS
from skmlp.core.losses import LOSSES
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.penalties import PENALTIES

# The classes of the package. A user may register others later, and a class derived from
# one of these may compute something else.
_ACTIVATIONS = {type(activation) for activation in ACTIVATIONS.values()}
_LOSSES = set(LOSSES.values())
_OPTIMIZERS = set(OPTIMIZERS.values())
_PENALTIES = set(PENALTIES.values())


_LONGEST = 2**31 - 1
"""Largest number of rows and of columns that BLAS is asked for: an int in C."""


def unsupported(network, optimizer, X, augment, penalty=None):
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

    Returns
    -------
    reasons : list of str
        Descriptions of what is not supported, such as "activation=Sine()". Empty if
        everything is supported.
    """
    *hidden, output = network.activations
    reasons = [f"activation={g!r}" for g in unsupported_activations(hidden)]
    reasons += [f"output_activation={g!r}" for g in unsupported_activations([output])]
    if not _is_covered(network.loss, _LOSSES, "LOSSES"):
        reasons.append(f"loss={network.loss!r}")
    if optimizer is not None and not _is_covered_optimizer(optimizer):
        reasons.append(f"solver={optimizer.name!r}")
    if penalty is not None and not _is_covered(penalty, _PENALTIES, "PENALTIES"):
        reasons.append(f"penalty={penalty!r}")
    reasons += unsupported_input(X)
    # A layer's gradient is a product over all rows of a batch, which may be those of X.
    if max(X.shape[0], *network.layer_sizes) > _LONGEST:
        reasons.append(f"more than {_LONGEST} samples, or units of a layer")
    if augment is not None:
        reasons.append("augment")
    return list(dict.fromkeys(reasons))  # layers may share an activation


def unsupported_activations(activations):
    """Return the activations that are not supported."""
    return [g for g in activations if not _is_covered(g, _ACTIVATIONS, "ACTIVATIONS")]


def unsupported_input(X):
    """Return descriptions of what is not supported in the samples."""
    if issparse(X):
        return ["sparse X"]
    if not X.flags.aligned or any(stride % X.itemsize for stride in X.strides):
        return ["X that is not aligned in memory"]
    return []


def unsupported_parameters(coefs, intercepts, n_features):
    """Return whether weights and biases are not those of one network and dtype.

    The user may have set them. If they do not fit together, NumPy computes with them or
    raises an error, while compiled code would read beyond their memory. A layer may not
    have more units than BLAS can count.
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
    """Return whether a class is one of the package, and the extension has its name.

    Without the extension there are no names, and only the class is checked.
    """
    extension = getattr(compiled, "_engine", None)
    return type(instance) in own_classes and (
        extension is None or instance.name in getattr(extension, names)
    )


def _is_covered_optimizer(optimizer):
    if optimizer.full_batch:  # a search: only its objective is computed in C
        return type(optimizer) in _OPTIMIZERS
    return _is_covered(optimizer, _OPTIMIZERS, "OPTIMIZERS")
