r"""The activation of a layer.

.. math::

    A = g(Z), \qquad \frac{\partial E}{\partial Z} = \frac{\partial E}{\partial A}
    \odot g'(Z)
"""

from typing import Any

from skmlp.core.activations import Activation
from skmlp.layers.base import Layer


class ActivationLayer(Layer, name="activation"):
    """An activation function, see `skmlp.core.activations`.

    The output overwrites the input, unless the derivative needs the input.

    Parameters
    ----------
    n_units : int
        Number of units.

    g : Activation
        The activation function.
    """

    operation = "activation"
    ends_block = True
    Z: Any = None
    A: Any = None
    work: Any = None

    def __init__(self, n_units: int, g: Activation) -> None:
        self.n_units = self.n_in = self.n_out = n_units
        self.g = g

    def allocate(self, workspace, needs_delta):
        if self.g.needs_z:
            self.out = workspace.empty(self.n_units)
        self.work = workspace.scratch(self.n_units)

    def forward(self, A, arrays, context):
        if self.work is None:
            return self.g.apply(A)
        self.Z = A
        self.A = A if self.out is None else self.out
        self.g.forward(self.Z, self.A)
        return self.A

    def backward(self, delta, arrays, grad, context):
        self.g.backward(self.Z, self.A, delta, self.work)
        return delta
