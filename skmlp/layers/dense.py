r"""The dense layer: a matrix product and the biases.

.. math::

    Z = A W + b, \qquad
    \frac{\partial E}{\partial W} = A^T \delta, \qquad
    \frac{\partial E}{\partial b} = \sum_i \delta_i, \qquad
    \frac{\partial E}{\partial A} = \delta W^T
"""

from functools import cached_property
from typing import Any

import numpy as np

from skmlp.layers.base import Layer


class Dense(Layer, name="dense"):
    """A dense layer.

    Parameters
    ----------
    n_in, n_out : int
        Number of units of the input and of the output.

    bias : bool, default=True
        Whether to add biases. They belong to the normalization that follows if there
        is one.

    frozen : bool, default=False
        Whether the parameters are not trained.
    """

    operation = "dense"
    in_place = False
    input: Any = None
    parameter_groups = ("coefs", "intercepts")

    def __init__(
        self, n_in: int, n_out: int, bias: bool = True, frozen: bool = False
    ) -> None:
        self.n_in = n_in
        self.n_out = n_out
        self.bias = bias
        self.frozen = frozen

    @cached_property
    def parameters(self):
        shapes: dict = {"coefs": (self.n_in, self.n_out)}
        if self.bias:
            shapes["intercepts"] = (self.n_out,)
        return shapes

    def allocate(self, workspace, needs_delta):
        self.out = workspace.empty(self.n_out)
        self.needs_delta = needs_delta
        if needs_delta and workspace.is_training:
            self.delta = workspace.empty(self.n_in)

    def forward(self, A, arrays, context):
        if self.out is None:
            Z = A @ arrays[0]
        else:
            self.input = A
            Z = self.out
            dot(A, arrays[0], Z)
        if context.has_absent:
            context.replace_absent(Z)
        if self.bias:
            Z += arrays[1]
        return Z

    def backward(self, delta, arrays, grad, context):
        if self.trains:
            if self.bias:
                np.add.reduce(delta, axis=0, out=grad[1])
            dot(self.input.T, delta, grad[0])
        if not self.needs_delta:
            return None
        return np.dot(delta, arrays[0].T, self.delta)


def dot(A, B, out):
    """Write the matrix product A B into `out`. A may be sparse."""
    if type(A) is np.ndarray:  # faster than a test for sparse
        np.dot(A, B, out)
    else:
        out[...] = A @ B
