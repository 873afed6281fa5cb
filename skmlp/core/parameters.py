"""Weights and biases of a network in one flat vector."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from skmlp.core._typing import Array

Shape = tuple[int, ...]


class Layout(NamedTuple):
    """Shapes of the parameters and running statistics of a network, by group.

    Attributes
    ----------
    parameters : dict of str to tuple of shapes
        Shapes of the parameters. The groups are 'coefs' and 'intercepts', which have an
        array for each dense layer, and those that other layers add.

    statistics : dict of str to tuple of shapes
        Shapes of the running statistics.
    """

    parameters: Mapping[str, tuple[Shape, ...]]
    statistics: Mapping[str, tuple[Shape, ...]]

    @classmethod
    def of(cls, layers: Iterable[Any]) -> tuple[Self, list[list[tuple[str, int]]]]:
        """Return the layout of the parameters of layers, see `skmlp.layers`.

        Returns
        -------
        layout : Layout

        places : list of list of (str, int)
            For each layer, the group of each of its arrays and the index in it: first
            of its parameters, then of its running statistics.
        """
        parameters: dict = {"coefs": (), "intercepts": ()}
        statistics: dict = {}
        places = []
        for layer in layers:
            of_layer = []
            for groups, shapes in (
                (parameters, layer.parameters),
                (statistics, layer.statistics),
            ):
                for name, shape in shapes.items():
                    of_group = groups.get(name, ())
                    of_layer.append((name, len(of_group)))
                    groups[name] = (*of_group, shape)
            places.append(of_layer)
        return cls(parameters, statistics), places

    @classmethod
    def dense(cls, layer_sizes: Iterable[int]) -> Self:
        """Return the layout of dense layers, from their number of units."""
        shapes = tuple(pairwise(int(size) for size in layer_sizes))
        return cls({"coefs": shapes, "intercepts": tuple((n,) for _, n in shapes)}, {})

    @property
    def groups(self) -> dict[str, tuple[Shape, ...]]:
        """Shapes of all arrays, by group."""
        return {**self.parameters, **self.statistics}

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Number of units of the input and of the output of each dense layer."""
        coefs = self.parameters["coefs"]
        return (coefs[0][0], *(n_out for _, n_out in coefs))

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return _size(self.parameters)

    @property
    def n_statistics(self) -> int:
        """Number of running statistics."""
        return _size(self.statistics)


class Parameters:
    r"""Weights :math:`W^l` and biases :math:`b^l`, stored in one vector.

    .. math:: \theta = (W^1, \dots, W^L, b^1, \dots, b^L, \dots)

    Code that acts on all parameters at once (an optimizer, L-BFGS, a penalty, a
    snapshot, the gradient check) uses `flat`. The network uses views of the same
    memory, such as `coefs` and `intercepts`. A gradient is stored in the same way.

    Normalizations have scales :math:`\gamma^l`, too. The running statistics of batch
    normalization are not optimized and not part of :math:`\theta`, but part of a
    snapshot.

    Parameters
    ----------
    layout : Layout or sequence of int
        Shapes of the arrays. A sequence is the number of units of every layer, input
        and output included, of a network of dense layers.

    dtype : dtype, default=np.float64
        Data type of the parameters. Ignored if `flat` is given.

    flat : ndarray of shape (n_parameters,), default=None
        Memory to use, C-contiguous. New zeros by default.

    running : ndarray of shape (n_statistics,), default=None
        Memory to use for the running statistics. New zeros by default.

    Attributes
    ----------
    flat : ndarray of shape (n_parameters,)
        All parameters: first all weights, then all biases, then the other groups.

    running : ndarray of shape (n_statistics,)
        All running statistics.

    weights : ndarray of shape (n_weights,)
        The weights alone, a view of `flat`.

    groups : dict of str to list of ndarray
        Views of `flat` and `running`, by group.

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

    def __init__(
        self,
        layout: Layout | Iterable[int],
        dtype: npt.DTypeLike = np.float64,
        flat: Array | None = None,
        running: Array | None = None,
    ) -> None:
        if not isinstance(layout, Layout):
            layout = Layout.dense(layout)
        self.layout = layout
        self.flat = np.zeros(layout.n_parameters, dtype) if flat is None else flat
        if running is None:
            running = np.zeros(layout.n_statistics, self.flat.dtype)
        self.running = running
        self.groups = {
            **_views(self.flat, layout.parameters),
            **_views(self.running, layout.statistics),
        }
        self.coefs = self.groups["coefs"]
        self.intercepts = self.groups["intercepts"]
        self.weights = self.flat[: sum(W.size for W in self.coefs)]

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Number of units of the input and of the output of each dense layer."""
        return self.layout.layer_sizes

    def fill(self, groups: Mapping[str, Sequence[npt.ArrayLike]]) -> Self:
        """Copy arrays into the parameters and statistics, and return them.

        Parameters
        ----------
        groups : dict of str to list of array-like
            The arrays, by group.
        """
        for name, views in self.groups.items():
            for view, array in zip(views, groups[name], strict=True):
                view[...] = array
        return self

    def zeros_like(self) -> Parameters:
        """Return parameters of the same layout that are zero."""
        return Parameters(self.layout, self.flat.dtype)

    def copy(self) -> Parameters:
        """Return a copy with its own memory."""
        return Parameters(
            self.layout, flat=self.flat.copy(), running=self.running.copy()
        )

    def assign(self, other: Parameters) -> None:
        """Copy the values of parameters of the same layout, in place."""
        self.flat[...] = other.flat
        self.running[...] = other.running

    def isfinite(self) -> bool:
        """Return whether all parameters and running statistics are finite."""
        finite = bool(np.isfinite(self.flat).all())
        if self.running.size:
            finite = finite and bool(np.isfinite(self.running).all())
        return finite

    def __reduce__(self) -> tuple:
        # pickle and deepcopy would turn the views into separate arrays.
        return Parameters, (self.layout, self.flat.dtype, self.flat, self.running)


def _size(groups: Mapping[str, tuple[Shape, ...]]) -> int:
    return sum(map(math.prod, chain.from_iterable(groups.values())))


def _views(
    memory: Array, groups: Mapping[str, tuple[Shape, ...]]
) -> dict[str, list[Array]]:
    """Return consecutive views of a vector, by group."""
    start = 0
    views: dict[str, list[Array]] = {}
    for name, shapes in groups.items():
        views[name] = []
        for shape in shapes:
            stop = start + math.prod(shape)
            views[name].append(memory[start:stop].reshape(shape))
            start = stop
    return views
