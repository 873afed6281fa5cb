"""Adagrad and RMSProp."""

import numpy as np

from skmlp.core._typing import Array, Proximal
from skmlp.core.optimizers.base import NO_PARAMETERS, Optimizer


class Adagrad(
    Optimizer,
    name="adagrad",
    hyperparameters=("epsilon",),
    state=("t", "v"),
    divisors=("epsilon",),
):
    r"""Adagrad: step sizes that decrease with the sum of squared gradients.

    .. math::

        v \leftarrow v + g^2, \qquad
        \theta \leftarrow \theta - \eta \frac{g}{\sqrt{v} + \epsilon}

    A proximal operator is applied with the step size of each parameter,
    :math:`\eta / (\sqrt{v} + \epsilon)`.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,), default=NO_PARAMETERS
        The parameters. Only their shape and dtype are used.

    learning_rate : float, default=0.001
        Step size, eta.

    epsilon : float, default=1e-8
        Added to the root of the sum of squares.

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online
    learning and stochastic optimization", JMLR 12, 2011. The proximal step is its
    composite mirror descent.
    """

    def __init__(
        self,
        theta: Array = NO_PARAMETERS,
        learning_rate: float = 0.001,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(learning_rate)
        self.epsilon = float(epsilon)
        self.v = np.zeros_like(theta)

    def step(
        self, theta: Array, grad: Array, work: Array, prox: Proximal | None = None
    ) -> None:
        self.t += 1
        np.square(grad, out=work)
        self._accumulate(work)
        np.sqrt(self.v, out=work)
        work += self.epsilon
        grad *= self.learning_rate
        grad /= work
        theta -= grad
        if prox is not None:
            np.divide(self.learning_rate, work, out=work)
            prox(theta, work)

    def _accumulate(self, square: Array) -> None:
        """Add the squared gradient, which may be overwritten, to v."""
        self.v += square


class RMSProp(
    Adagrad,
    name="rmsprop",
    hyperparameters=("rho", "epsilon"),
    state=("t", "v"),
    divisors=("epsilon",),
):
    r"""RMSProp: Adagrad with a decaying mean instead of a sum.

    .. math::

        v \leftarrow \rho v + (1 - \rho) g^2, \qquad
        \theta \leftarrow \theta - \eta \frac{g}{\sqrt{v} + \epsilon}

    Parameters
    ----------
    theta, learning_rate, epsilon
        See `Adagrad`.

    rho : float, default=0.99
        Decay of the mean square.

    References
    ----------
    T. Tieleman and G. Hinton, "Lecture 6.5: rmsprop", Coursera: Neural
    networks for machine learning, 2012.
    """

    def __init__(
        self,
        theta: Array = NO_PARAMETERS,
        learning_rate: float = 0.001,
        rho: float = 0.99,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(theta, learning_rate, epsilon)
        self.rho = float(rho)

    def _accumulate(self, square: Array) -> None:
        self.v *= self.rho
        square *= 1 - self.rho
        self.v += square
