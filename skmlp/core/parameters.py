"""Weights and biases of a network in one flat vector."""

from itertools import pairwise

import numpy as np


class Parameters:
    r"""Weights :math:`W^l` and biases :math:`b^l`, stored in one vector.

    .. math:: \theta = (W^1, \dots, W^L, b^1, \dots, b^L)

    Whatever acts on all parameters at once (an optimizer, L-BFGS, a penalty, a
    snapshot, the gradient check) uses `flat`; the network uses the views
    `coefs` and `intercepts` of the same memory. A gradient is stored the same
    way.

    Parameters
    ----------
    layer_sizes : sequence of int
        Number of units of every layer, input and output included.

    dtype : dtype, default=np.float64
        Type of the parameters; ignored when `flat` is given.

    flat : ndarray of shape (n_parameters,), default=None
        Memory to use, C-contiguous; zeros by default.

    Attributes
    ----------
    flat : ndarray of shape (n_parameters,)
        All parameters: first every weight, then every bias.

    weights : ndarray of shape (n_weights,)
        The weights alone, a view of `flat`.

    coefs : list of ndarray of shape (layer_sizes[l], layer_sizes[l + 1])
        Weight matrices, views of `flat`.

    intercepts : list of ndarray of shape (layer_sizes[l + 1],)
        Bias vectors, views of `flat`.

    Examples
    --------
    >>> from skmlp.core.parameters import Parameters
    >>> theta = Parameters([2, 3, 1])
    >>> theta.flat.size
    13
    >>> theta.coefs[1][:] = 7
    >>> theta.weights
    array([0., 0., 0., 0., 0., 0., 7., 7., 7.])
    """

    def __init__(self, layer_sizes, dtype=np.float64, flat=None):
        self.layer_sizes = tuple(int(size) for size in layer_sizes)
        shapes = list(pairwise(self.layer_sizes))
        n_weights = sum(fan_in * fan_out for fan_in, fan_out in shapes)
        n_parameters = n_weights + sum(fan_out for _, fan_out in shapes)
        self.flat = np.zeros(n_parameters, dtype) if flat is None else flat
        self.weights = self.flat[:n_weights]
        self.coefs, self.intercepts = [], []
        w, b = 0, n_weights
        for fan_in, fan_out in shapes:
            W = self.flat[w : w + fan_in * fan_out]
            self.coefs.append(W.reshape(fan_in, fan_out))
            self.intercepts.append(self.flat[b : b + fan_out])
            w += fan_in * fan_out
            b += fan_out

    @classmethod
    def from_arrays(cls, coefs, intercepts, dtype):
        """Copy weight matrices and bias vectors into new parameters."""
        layer_sizes = [np.shape(coefs[0])[0], *(np.shape(W)[1] for W in coefs)]
        theta = cls(layer_sizes, dtype)
        for view, array in zip(
            theta.coefs + theta.intercepts, [*coefs, *intercepts], strict=True
        ):
            view[...] = array
        return theta

    def zeros_like(self):
        """Parameters of the same layout, all zero."""
        return Parameters(self.layer_sizes, self.flat.dtype)

    def copy(self):
        """Parameters of the same layout and values, in memory of their own."""
        return Parameters(self.layer_sizes, flat=self.flat.copy())

    def isfinite(self):
        """Whether every weight and bias is a finite number."""
        return bool(np.isfinite(self.flat).all())

    def __reduce__(self):
        # pickle and deepcopy would turn the views into arrays of their own.
        return Parameters, (self.layer_sizes, self.flat.dtype, self.flat)
