r"""Layer normalization of a hidden layer.

.. math::

    \hat u_{ij} = \frac{u_{ij} - \mu_i}{\sqrt{\sigma_i^2 + \epsilon}}, \qquad
    z_{ij} = \gamma_j \hat u_{ij} + b_j

The mean :math:`\mu_i` and the variance :math:`\sigma_i^2` are those of the units of
sample *i*. So a sample does not depend on the others of its batch, and prediction
computes the same as training. With :math:`h = \gamma \odot \partial E / \partial Z`,
the mean over units :math:`\langle \cdot \rangle`, and :math:`s_i = 1 / \sqrt{\sigma_i^2
+ \epsilon}`, the derivative is

.. math:: \frac{\partial E}{\partial u_{ij}} = s_i \left( h_{ij} - \langle h_i \rangle
          - \hat u_{ij} \langle h_i \odot \hat u_i \rangle \right).

References
----------
J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", arXiv:1607.06450, 2016.
"""

from typing import Any

import numpy as np

from skmlp.layers.base import Layer


class LayerNorm(Layer, name="layer_norm"):
    """Layer normalization.

    Parameters
    ----------
    n_units : int
        Number of units.

    epsilon : float, default=1e-5
        Constant added to the variance.

    frozen : bool, default=False
        Whether the parameters are not trained.
    """

    option = "layer_norm"
    operation = "layer_norm"
    parameter_groups = ("layer_norm_scales", "intercepts")
    U_hat: Any = None
    inverse_std: Any = None
    _mean: Any = None
    _work: Any = None

    def __init__(
        self, n_units: int, epsilon: float = 1e-5, frozen: bool = False
    ) -> None:
        self.n_units = self.n_in = self.n_out = n_units
        self.epsilon = float(epsilon)
        self.frozen = frozen

    @property
    def summary(self):
        return {"layer norm": True}

    @property
    def constants(self):
        return (self.epsilon,)

    @property
    def buffers(self):
        return self.U_hat, self.inverse_std

    def initialize(self, arrays, random_state):
        arrays[0][...] = 1

    def allocate(self, workspace, needs_delta):
        self.U_hat = workspace.empty(self.n_units)
        if workspace.is_training:
            self.delta = workspace.empty(self.n_units)
        self.inverse_std, self._mean = workspace.empty(1), workspace.empty(1)
        self._work = workspace.scratch(self.n_units)

    def forward(self, A, arrays, context):
        gamma, b = arrays
        U, n = A, self.n_units
        mean = np.add.reduce(U, axis=1, keepdims=True, out=self._mean)
        mean /= n
        U -= mean
        U_hat = np.square(U, out=self.U_hat)
        inverse_std = np.add.reduce(U_hat, axis=1, keepdims=True, out=self.inverse_std)
        inverse_std /= n
        inverse_std += self.epsilon
        np.sqrt(inverse_std, out=inverse_std)
        np.reciprocal(inverse_std, out=inverse_std)
        np.multiply(U, inverse_std, out=U_hat)
        np.multiply(U_hat, gamma, out=U)
        U += b
        return U

    def backward(self, delta, arrays, grad, context):
        gamma, U_hat, work, mean = arrays[0], self.U_hat, self._work, self._mean
        if self.trains:
            np.add.reduce(delta, axis=0, out=grad[1])
            np.multiply(delta, U_hat, out=work)
            np.add.reduce(work, axis=0, out=grad[0])
        h = np.multiply(delta, gamma, out=self.delta)
        np.multiply(h, U_hat, out=work)
        np.add.reduce(work, axis=1, keepdims=True, out=mean)
        mean /= self.n_units
        np.multiply(U_hat, mean, out=work)
        np.add.reduce(h, axis=1, keepdims=True, out=mean)
        mean /= self.n_units
        h -= mean
        h -= work
        h *= self.inverse_std
        return h
