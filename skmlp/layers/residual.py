r"""Residual connections: the input of some layers is added to their output.

.. math:: A = f(B) + B, \qquad
          \frac{\partial E}{\partial B} = \left( \frac{\partial f}{\partial B} \right)^T
          \delta + \delta

Two layers enclose *f*: `Branch` keeps its input *B*, and `Add` adds it.

References
----------
K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition",
CVPR 2016.
"""

from typing import Any

import numpy as np

from skmlp.layers.base import Layer


class Branch(Layer, name="branch"):
    """The beginning of a residual connection.

    Parameters
    ----------
    n_units : int
        Number of units.
    """

    option = "residual"
    operation = "branch"
    keeps_input = True

    def __init__(self, n_units: int) -> None:
        self.n_units = self.n_in = self.n_out = n_units

    def forward(self, A, arrays, context):
        context.kept.append(A)
        return A

    def backward(self, delta, arrays, grad, context):
        delta += context.kept.pop()
        return delta


class Add(Layer, name="add"):
    """The end of a residual connection.

    Parameters
    ----------
    n_units : int
        Number of units.
    """

    option = "residual"
    operation = "add"
    takes_kept = True
    _kept: Any = None
    ends_block = True

    def __init__(self, n_units: int) -> None:
        self.n_units = self.n_in = self.n_out = n_units

    @property
    def summary(self):
        return {"residual": True}

    @property
    def buffers(self):
        return (self._kept,)

    def allocate(self, workspace, needs_delta):
        self.out = workspace.empty(self.n_units)
        self._kept = workspace.empty(self.n_units)

    def forward(self, A, arrays, context):
        return np.add(A, context.kept.pop(), out=self.out)

    def backward(self, delta, arrays, grad, context):
        self._kept[...] = delta
        context.kept.append(self._kept)
        return delta
