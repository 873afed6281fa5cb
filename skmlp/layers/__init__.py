"""The layers of a network, each in a module of its own."""

from skmlp.layers.activation import ActivationLayer
from skmlp.layers.base import LAYERS, Layer
from skmlp.layers.batch_norm import BatchNorm
from skmlp.layers.dense import Dense
from skmlp.layers.dropout import Dropout
from skmlp.layers.layer_norm import LayerNorm
from skmlp.layers.members import Heads, Members
from skmlp.layers.mlp import make_mlp
from skmlp.layers.residual import Add, Branch

__all__ = [
    "LAYERS",
    "ActivationLayer",
    "Add",
    "BatchNorm",
    "Branch",
    "Dense",
    "Dropout",
    "Heads",
    "Layer",
    "LayerNorm",
    "Members",
    "make_mlp",
]
