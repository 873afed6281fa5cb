"""The base class of the layers of a network.

A layer is one operation: a matrix product, a normalization, an activation. Its module
holds everything about it: the shapes of its parameters, the forward pass of training
and of prediction, the backward pass, and its settings in files and summaries.

A layer works on arrays of shape (n_samples, n_units). `Layer.for_batch` returns a copy
with buffers for a batch, which training uses. A layer without buffers computes the
forward pass of prediction.
"""

from __future__ import annotations

import math
from functools import cached_property
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from skmlp.core._typing import Array

if TYPE_CHECKING:
    from skmlp.core.network import Context, Workspace

LAYERS: dict[str, type[Layer]] = {}
"""The layers by name. A class statement with ``name=`` enters a class."""

Shapes = dict[str, tuple[int, ...]]
"""Shapes of arrays, by the group of the parameters that they belong to."""


class Layer:
    """Base class of the layers.

    The constructor of a layer takes its settings, and stores each in an attribute of
    the same name. They are written to files, so that they must be numbers, strings,
    bools, or activations.

    Attributes
    ----------
    n_in, n_out : int
        Number of units of the input and of the output.

    parameter_groups, statistic_groups : tuple of str
        Groups of the parameters and of the running statistics, in the order in which
        `forward` takes them. The fitted attributes of the estimators have these names,
        with an underscore at the end.

    n_rows_out : int
        Number of rows of the output for each row of the input.

    frozen : bool
        Whether the parameters are not trained.

    option : str or None
        The parameter of the estimators that adds the layer to a network, and must not
        change with `warm_start`. None for other layers.

    out : ndarray of shape (n_samples, n_out) or None
        Buffer of the output. None for a layer that overwrites its input, or that has
        no buffers.

    delta : ndarray of shape (n_samples, n_in) or None
        Buffer of the derivative with respect to the input, in training. None for a
        layer that overwrites the derivative with respect to its output.

    ends_block : bool
        Whether the output of a hidden layer may be the output of this one.

    in_place : bool
        Whether the output of prediction has the memory of the input.

    keeps_input, takes_kept : bool
        Whether the layer keeps its input for a later one, and whether it takes the last
        input that was kept.

    draws : bool
        Whether `draw` draws random numbers.

    trains : bool
        Whether `backward` computes the gradient with respect to the parameters.

    operation : str or None
        Name of the operation in the compiled engine. None if it has none: then NumPy
        trains the network.
    """

    name: ClassVar[str]
    option: ClassVar[str | None] = None
    operation: ClassVar[str | None] = None
    parameter_groups: ClassVar[tuple[str, ...]] = ()
    statistic_groups: ClassVar[tuple[str, ...]] = ()
    n_in: int
    n_out: int
    n_rows_out = 1
    frozen = False
    ends_block: ClassVar[bool] = False
    in_place: ClassVar[bool] = True
    keeps_input: ClassVar[bool] = False
    takes_kept: ClassVar[bool] = False
    draws: ClassVar[bool] = False
    trains = False
    out: Array | None = None
    delta: Array | None = None

    def __init_subclass__(cls, name: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if name is not None:
            cls.name = name
            LAYERS[name] = cls

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in self.settings.items())
        return f"{type(self).__name__}({settings})"

    def __getstate__(self) -> dict[str, Any]:
        return self.settings

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    def check(self) -> None:
        """Raise a ValueError if a setting, which may be of a file, is not valid."""
        for name, parameter in signature(type(self)).parameters.items():
            value, kind = getattr(self, name), parameter.annotation
            valid = isinstance(value, kind) and isinstance(value, bool) == (
                kind is bool
            )
            if valid and kind in (int, float):
                valid = math.isfinite(value) and value > 0
            if not valid:
                raise ValueError(f"{self!r} has a {name} that is not valid.")

    @cached_property
    def parameters(self) -> Shapes:
        """Shapes of the parameters, by group. One number for each unit by default."""
        return dict.fromkeys(self.parameter_groups, (self.n_out,))

    @cached_property
    def statistics(self) -> Shapes:
        """Shapes of the running statistics, by group."""
        return dict.fromkeys(self.statistic_groups, (self.n_out,))

    @property
    def buffers(self) -> tuple[Array, ...]:
        """Further buffers that the compiled engine uses, in the order of its header."""
        return ()

    @property
    def constants(self) -> tuple[float, ...]:
        """Numbers that the compiled engine uses, in the order of its header."""
        return ()

    @property
    def summary(self) -> dict[str, Any]:
        """Columns of the table that `summary()` prints, and their values."""
        return {}

    def initialize(
        self, arrays: list[Array], random_state: np.random.RandomState
    ) -> None:
        """Write the initial values of parameters other than weights and biases."""

    def for_batch(self, workspace: Workspace, needs_delta: bool) -> Self:
        """Return a copy with buffers.

        Parameters
        ----------
        workspace : Workspace
            Gives the size of the batch, the dtype and new buffers.

        needs_delta : bool
            Whether `backward` must return the derivative with respect to the input.
        """
        layer = object.__new__(type(self))
        layer.__dict__.update(vars(self))
        layer.trains = workspace.is_training and not self.frozen
        layer.allocate(workspace, needs_delta)
        return layer

    def allocate(self, workspace: Workspace, needs_delta: bool) -> None:
        """Allocate the buffers, see `for_batch`."""

    def draw(self, rng: np.random.Generator) -> None:
        """Draw the random numbers of the next forward passes."""

    def forward(self, A: Any, arrays: list[Array], context: Context) -> Any:
        """Return the output.

        Parameters
        ----------
        A : {ndarray, sparse matrix} of shape (n_samples, n_in)
            Input. It may be overwritten, unless it is the input of the network.

        arrays : list of ndarray
            Parameters and running statistics.

        context : Context
            Sample weights, and what other layers have left.

        Returns
        -------
        A : ndarray of shape (n_samples, n_out)
        """
        raise NotImplementedError

    def backward(
        self, delta: Array, arrays: list[Array], grad: list[Array], context: Context
    ) -> Any:
        """Return the derivative of the loss with respect to the input.

        Parameters
        ----------
        delta : ndarray of shape (n_samples, n_out)
            Derivative with respect to the output. It may be overwritten.

        arrays : list of ndarray
            Parameters and running statistics.

        grad : list of ndarray
            Arrays of the same shapes. If the layer `trains`, the gradient with respect
            to the parameters is written to them.

        context : Context
            As for `forward`.

        Returns
        -------
        delta : ndarray of shape (n_samples, n_in) or None
        """
        raise NotImplementedError

    def update_statistics(
        self, arrays: list[Array], momentum: float, context: Context
    ) -> None:
        """Update the running statistics after a forward pass of training."""
