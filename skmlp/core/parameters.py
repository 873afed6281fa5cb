"""Weights and biases of a network in one flat vector."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt

from skmlp.core._typing import Array


def count_parameters(layer_sizes: Sequence[int], batch_norm: bool = False) -> int:
    """Count the weights and biases, and the scales of batch normalization.

    Parameters
    ----------
    layer_sizes : sequence of int
        Number of units of every layer, input and output included.

    batch_norm : bool, default=False
        Whether the hidden layers have scales.

    Returns
    -------
    n_parameters : int
    """
    n_scales = sum(layer_sizes[1:-1]) if batch_norm else 0
    return n_scales + sum((n_in + 1) * n_out for n_in, n_out in pairwise(layer_sizes))


class Parameters:
    r"""Weights :math:`W^l` and biases :math:`b^l`, stored in one vector.

    .. math:: \theta = (W^1, \dots, W^L, b^1, \dots, b^L,
                        \gamma^1, \dots, \gamma^{L-1})

    Code that acts on all parameters at once (an optimizer, L-BFGS, a penalty, a
    snapshot, the gradient check) uses `flat`. The network uses the views `coefs`,
    `intercepts` and `scales` of the same memory. A gradient is stored in the same way.

    With batch normalization there are also the scales :math:`\gamma^l` of the hidden
    layers. The running statistics are not optimized and not part of :math:`\theta`, but
    part of a snapshot.

    Parameters
    ----------
    layer_sizes : sequence of int
        Number of units of every layer, input and output included.

    dtype : dtype, default=np.float64
        Data type of the parameters. Ignored if `flat` is given.

    batch_norm : bool, default=False
        Whether the hidden layers have scales and running statistics.

    flat : ndarray of shape (n_parameters,), default=None
        Memory to use, C-contiguous. New zeros by default.

    running : ndarray of shape (2 * n_hidden_units,), default=None
        Memory to use for the running statistics. New zeros by default. Empty
        without batch normalization.

    Attributes
    ----------
    flat : ndarray of shape (n_parameters,)
        All parameters: first all weights, then all biases, then all scales.

    weights : ndarray of shape (n_weights,)
        The weights alone, a view of `flat`.

    coefs : list of ndarray of shape (layer_sizes[l], layer_sizes[l + 1])
        Weight matrices, views of `flat`.

    intercepts : list of ndarray of shape (layer_sizes[l + 1],)
        Bias vectors, views of `flat`.

    scales : list of ndarray of shape (layer_sizes[l + 1],)
        Scales of the hidden layers, views of `flat`. Empty without batch
        normalization.

    means, variances : list of ndarray of shape (layer_sizes[l + 1],)
        Running statistics of the hidden layers, views of `running`.

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

    def __init__(
        self,
        layer_sizes: Iterable[int],
        dtype: npt.DTypeLike = np.float64,
        batch_norm: bool = False,
        flat: Array | None = None,
        running: Array | None = None,
    ) -> None:
        self.layer_sizes = tuple(int(size) for size in layer_sizes)
        self.batch_norm = batch_norm
        shapes = list(pairwise(self.layer_sizes))
        biases = [(fan_out,) for _, fan_out in shapes]
        hidden = biases[:-1] if batch_norm else []
        n_weights = sum(fan_in * fan_out for fan_in, fan_out in shapes)
        n_hidden = sum(size for (size,) in hidden)
        if flat is None:
            flat = np.zeros(count_parameters(self.layer_sizes, batch_norm), dtype)
        self.flat = flat
        self.running = (
            np.zeros(2 * n_hidden, self.flat.dtype) if running is None else running
        )
        self.weights = self.flat[:n_weights]
        self.coefs, self.intercepts, self.scales = _views(
            self.flat, shapes, biases, hidden
        )
        self.means, self.variances = _views(self.running, hidden, hidden)

    @classmethod
    def from_arrays(
        cls,
        coefs: Sequence[npt.ArrayLike],
        intercepts: Sequence[npt.ArrayLike],
        dtype: npt.DTypeLike,
        batch_norm: Sequence[Sequence[npt.ArrayLike]] | None = None,
    ) -> Self:
        """Copy arrays into new parameters.

        Parameters
        ----------
        coefs, intercepts : list of array-like
            Weight matrices and bias vectors.

        dtype : dtype
            Data type of the parameters.

        batch_norm : tuple of three lists of array-like, default=None
            Scales, means and variances of the hidden layers.
        """
        layer_sizes = [np.shape(coefs[0])[0], *(np.shape(W)[1] for W in coefs)]
        theta = cls(layer_sizes, dtype, batch_norm is not None)
        views = theta.coefs + theta.intercepts
        arrays = [*coefs, *intercepts]
        if batch_norm is not None:
            views += theta.scales + theta.means + theta.variances
            arrays += [array for part in batch_norm for array in part]
        for view, array in zip(views, arrays, strict=True):
            view[...] = array
        return theta

    def zeros_like(self) -> Parameters:
        """Return parameters of the same layout that are zero."""
        return Parameters(self.layer_sizes, self.flat.dtype, self.batch_norm)

    def copy(self) -> Parameters:
        """Return a copy with its own memory."""
        return Parameters(
            self.layer_sizes,
            batch_norm=self.batch_norm,
            flat=self.flat.copy(),
            running=self.running.copy(),
        )

    def assign(self, other: Parameters) -> None:
        """Copy the values of parameters of the same layout, in place."""
        self.flat[...] = other.flat
        self.running[...] = other.running

    def isfinite(self) -> bool:
        """Return whether all parameters and running statistics are finite."""
        finite = bool(np.isfinite(self.flat).all())
        if self.batch_norm:
            finite = finite and bool(np.isfinite(self.running).all())
        return finite

    def __reduce__(self) -> tuple:
        # pickle and deepcopy would turn the views into separate arrays.
        dtype = self.flat.dtype
        return Parameters, (
            self.layer_sizes,
            dtype,
            self.batch_norm,
            self.flat,
            self.running,
        )


def _views(memory: Array, *groups: Sequence[tuple[int, ...]]) -> list[list[Array]]:
    """Return lists of consecutive views of a vector, one for each list of shapes."""
    start, lists = 0, []
    for shapes in groups:
        views = []
        for shape in shapes:
            stop = start + math.prod(shape)
            views.append(memory[start:stop].reshape(shape))
            start = stop
        lists.append(views)
    return lists
