"""Stochastic gradient descent."""

import numpy as np

from skmlp.core._typing import Array, Proximal
from skmlp.core.optimizers.base import NO_PARAMETERS, Optimizer


class SGD(
    Optimizer,
    name="sgd",
    hyperparameters=("momentum", "nesterovs_momentum"),
    state=("t", "velocity"),
):
    r"""Stochastic gradient descent with momentum.

    .. math:: v \leftarrow \mu v - \eta g, \qquad \theta \leftarrow \theta + v

    With Nesterov momentum, :math:`\theta` is the look-ahead point
    :math:`x + \mu v` of the iterate :math:`x`, and moves by :math:`\mu v -
    \eta g`.

    With a proximal operator, the new iterate is the value of the operator, and the
    velocity is the change of the iterate. The velocity of a weight that stays zero
    is therefore zero.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,), default=NO_PARAMETERS
        The parameters. Only their shape and dtype are used.

    learning_rate : float, default=0.001
        Step size, eta.

    momentum : float, default=0.9
        Momentum, mu.

    nesterovs_momentum : bool, default=True
        Whether to use Nesterov momentum.

    References
    ----------
    I. Sutskever et al., "On the importance of initialization and momentum in
    deep learning", ICML 2013, equations 1 to 4. P. Ochs et al., "iPiano:
    inertial proximal algorithm for nonconvex optimization", SIAM J. Imaging
    Sciences 7(2), 2014, and A. Beck and M. Teboulle, "A fast iterative
    shrinkage-thresholding algorithm", SIAM J. Imaging Sciences 2(1), 2009, for
    the proximal steps.
    """

    def __init__(
        self,
        theta: Array = NO_PARAMETERS,
        learning_rate: float = 0.001,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
    ) -> None:
        super().__init__(learning_rate)
        self.momentum = float(momentum)
        self.nesterovs_momentum = nesterovs_momentum
        self.velocity = np.zeros_like(theta)

    def step(
        self, theta: Array, grad: Array, work: Array, prox: Proximal | None = None
    ) -> None:
        mu, v = self.momentum, self.velocity
        self.t += 1
        grad *= self.learning_rate
        if prox is None:
            v *= mu
            v -= grad
            if self.nesterovs_momentum:
                np.multiply(v, mu, out=work)
                work -= grad
                theta += work
            else:
                theta += v
        elif self.nesterovs_momentum:
            np.multiply(v, mu, out=work)
            np.subtract(theta, work, out=work)  # x
            theta -= grad
            prox(theta, self.learning_rate)  # the new x
            np.subtract(theta, work, out=v)
            np.multiply(v, mu, out=work)
            theta += work
        else:
            v *= mu
            v -= grad
            np.add(theta, v, out=work)
            prox(work, self.learning_rate)
            np.subtract(work, theta, out=v)
            theta[...] = work
