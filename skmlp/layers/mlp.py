"""The layers of a multilayer perceptron."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

from skmlp.core.activations import Activation
from skmlp.core.losses import Loss
from skmlp.core.network import Network
from skmlp.layers.activation import ActivationLayer
from skmlp.layers.base import Layer
from skmlp.layers.batch_norm import BatchNorm
from skmlp.layers.dense import Dense
from skmlp.layers.dropout import Dropout
from skmlp.layers.layer_norm import LayerNorm
from skmlp.layers.members import Heads, Members
from skmlp.layers.residual import Add, Branch


def make_mlp(
    layer_sizes: Sequence[int],
    activations: Sequence[Activation],
    loss: Loss,
    *,
    dropout: Sequence[float] | None = None,
    batch_norm_epsilon: float | None = None,
    layer_norm: bool = False,
    residual: bool = False,
    n_members: int = 1,
    frozen: Collection[int] = (),
) -> Network:
    """Return a multilayer perceptron.

    A hidden layer consists of dropout of its input, the dense layer, batch or layer
    normalization, the activation, and a residual connection around all of them. The
    output layer has dropout of its input, the dense layer and the activation. Several
    members have an input and an output layer of their own, see `skmlp.layers.members`.

    Parameters
    ----------
    layer_sizes : sequence of int
        Number of units of every layer, input and output included.

    activations : sequence of Activation
        One for each layer after the input.

    loss : Loss
        Compares the targets with the output.

    dropout : sequence of float, default=None
        Dropout rate of the input and of every hidden layer. None for no dropout.

    batch_norm_epsilon : float, default=None
        Constant added to the variances by the batch normalization of the hidden
        layers. None for no batch normalization.

    layer_norm : bool, default=False
        Whether the hidden layers have layer normalization. It cannot be combined with
        batch normalization.

    residual : bool, default=False
        Whether to add the input of each hidden layer after the first to its output, if
        they have the same number of units.

    n_members : int, default=1
        Number of members of an ensemble that share weights.

    frozen : collection of int, default=()
        Indices of layers that are not trained, 0 for the first. Their gradient is
        zero, and their batch normalization uses the running statistics.

    Returns
    -------
    network : Network

    Examples
    --------
    >>> from skmlp.core.activations import ACTIVATIONS
    >>> from skmlp.core.losses import SquaredError
    >>> from skmlp.layers.mlp import make_mlp
    >>> activations = [ACTIVATIONS["relu"], ACTIVATIONS["identity"]]
    >>> network = make_mlp((4, 8, 1), activations, SquaredError(), layer_norm=True)
    >>> for layer in network.layers:
    ...     print(layer)
    Dense(n_in=4, n_out=8, bias=False, frozen=False)
    LayerNorm(n_units=8, epsilon=1e-05, frozen=False)
    ActivationLayer(n_units=8, g=ReLU())
    Dense(n_in=8, n_out=1, bias=True, frozen=False)
    ActivationLayer(n_units=1, g=Identity())
    """
    layer_sizes = [int(size) for size in layer_sizes]
    n_layers = len(layer_sizes) - 1
    layers: list[Layer] = []
    for l, (n_in, n_out) in enumerate(pairwise(layer_sizes)):
        is_hidden, is_frozen = l < n_layers - 1, l in frozen
        norm: list[Layer] = []
        if is_hidden and batch_norm_epsilon is not None:
            norm.append(BatchNorm(n_out, batch_norm_epsilon, is_frozen))
        elif is_hidden and layer_norm:
            norm.append(LayerNorm(n_out, frozen=is_frozen))
        if is_hidden or n_members == 1:
            dense: Layer = Dense(n_in, n_out, not norm, is_frozen)
        else:
            dense = Heads(n_in, n_out, n_members, is_frozen)
        block: list[Layer] = [
            dense,
            *norm,
            ActivationLayer(n_out, activations[l]),
        ]
        if dropout is not None and dropout[l]:
            block.insert(0, Dropout(n_in, dropout[l]))
        if residual and is_hidden and l > 0 and n_in == n_out:
            block = [Branch(n_in), *block, Add(n_out)]
        if n_members > 1 and l == 0:
            block.insert(0, Members(n_in, n_members, is_frozen))
        layers += block
    return Network(layers, loss)
