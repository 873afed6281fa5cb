"""Adam and its variants."""

import math

import numpy as np

from skmlp.core._typing import Array, Proximal
from skmlp.core.optimizers.base import NO_PARAMETERS, Optimizer


class Adam(
    Optimizer,
    name="adam",
    hyperparameters=("beta_1", "beta_2", "epsilon"),
    divisors=("epsilon",),
    state=("t", "m", "v"),
    ignored_schedules=("adaptive", "invscaling"),  # as in scikit-learn
):
    r"""Adam, in the efficient order of section 2 of its paper.

    .. math::

        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        \theta &\leftarrow \theta - \eta
            \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}
            \frac{m}{\sqrt{v} + \epsilon}

    A proximal operator is applied with the step size of each parameter,
    :math:`\eta \sqrt{1 - \beta_2^t} / (\sqrt{v} + \epsilon)`. With one step size
    for all parameters, the solution would not be a minimum of the objective.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,), default=NO_PARAMETERS
        The parameters. Only their shape and dtype are used.

    learning_rate : float, default=0.001
        Step size, eta.

    beta_1, beta_2 : float, default=0.9, 0.999
        Decay of the first and second moment's estimate.

    epsilon : float, default=1e-8
        Added to the root of the second moment.

    References
    ----------
    D. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR
    2015. J. Yun, A. Lozano and E. Yang, "Adaptive proximal gradient methods
    for structured neural networks", NeurIPS 2021, for the proximal step.
    """

    def __init__(
        self,
        theta: Array = NO_PARAMETERS,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(learning_rate)
        self.beta_1, self.beta_2 = float(beta_1), float(beta_2)
        self.epsilon = float(epsilon)
        self.m = np.zeros_like(theta)
        self.v = np.zeros_like(theta)

    def step(
        self, theta: Array, grad: Array, work: Array, prox: Proximal | None = None
    ) -> None:
        m, v = self.m, self.v
        self.t += 1
        m *= self.beta_1
        np.multiply(grad, 1 - self.beta_1, out=work)
        m += work
        v *= self.beta_2
        np.square(grad, out=grad)
        grad *= 1 - self.beta_2
        v += grad

        # From here, the memory of the gradient holds sqrt(v) + epsilon.
        correction = math.sqrt(1 - self.beta_2**self.t)
        np.sqrt(self._second_moment(), out=grad)
        grad += self._epsilon(correction)
        eta = self._move(theta, self.learning_rate * correction, work, grad)
        if prox is not None:
            np.divide(eta, grad, out=grad)
            prox(theta, grad)

    def _second_moment(self) -> Array:
        """Return the array whose square root divides the step."""
        return self.v

    def _epsilon(self, correction: float) -> float:
        """Return what is added to this root, without the factor 1 / `correction`."""
        return self.epsilon

    def _move(self, theta: Array, eta: float, work: Array, divisor: Array) -> float:
        """Move theta, and return the step size before the division by `divisor`.

        `work` holds 1 - beta_1 times the gradient. The step size is the factor of a
        gradient that is the same in all steps.
        """
        np.multiply(self.m, -(eta / (1 - self.beta_1**self.t)), out=work)
        work /= divisor
        theta += work
        return eta


class AdamW(
    Adam,
    name="adamw",
    hyperparameters=("beta_1", "beta_2", "epsilon"),
    divisors=("epsilon",),
    state=("t", "m", "v"),
    default_weight_decay=0.01,
):
    r"""Adam with epsilon outside the bias correction, for decoupled weight decay.

    .. math::

        \theta \leftarrow \theta - \frac{\eta}{1 - \beta_1^t}
            \frac{m}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    The training step applies the decay :math:`W \leftarrow W - \eta \lambda W`
    before the step of any optimizer.

    Parameters
    ----------
    theta, learning_rate, beta_1, beta_2, epsilon
        See `Adam`.

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR
    2019, algorithm 2.
    """

    def _epsilon(self, correction: float) -> float:
        return self.epsilon * correction


class AMSGrad(
    AdamW,
    name="amsgrad",
    hyperparameters=("beta_1", "beta_2", "epsilon"),
    divisors=("epsilon",),
    state=("t", "m", "v", "v_max"),
):
    r"""Adam with step sizes that do not increase.

    .. math::

        \hat v \leftarrow \max(\hat v, v), \qquad
        \theta \leftarrow \theta - \frac{\eta}{1 - \beta_1^t}
            \frac{m}{\sqrt{\hat v / (1 - \beta_2^t)} + \epsilon}

    The paper has no bias corrections. Other implementations have them.

    Parameters
    ----------
    theta, learning_rate, beta_1, beta_2, epsilon
        See `Adam`.

    References
    ----------
    S. Reddi, S. Kale and S. Kumar, "On the convergence of Adam and beyond",
    ICLR 2018, algorithm 2.
    """

    def __init__(
        self,
        theta: Array = NO_PARAMETERS,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(theta, learning_rate, beta_1, beta_2, epsilon)
        self.v_max = np.zeros_like(theta)

    def _second_moment(self) -> Array:
        return np.maximum(self.v_max, self.v, out=self.v_max)


class NAdam(
    AdamW,
    name="nadam",
    hyperparameters=("beta_1", "beta_2", "epsilon", "momentum_decay"),
    divisors=("epsilon",),
    state=("t", "m", "v", "mu_product"),
    scalars={"mu_product": (0.0, 1.0)},  # a product of momenta
):
    r"""Adam with Nesterov momentum.

    .. math::

        \mu_t &= \beta_1 \left( 1 - 0.96^{t \psi} / 2 \right) \\
        \hat m &= \frac{1 - \mu_t}{1 - \prod_{i \leq t} \mu_i} g
            + \frac{\mu_{t+1}}{1 - \prod_{i \leq t+1} \mu_i} m \\
        \theta &\leftarrow \theta - \eta
            \frac{\hat m}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    Parameters
    ----------
    theta, learning_rate, beta_1, beta_2, epsilon
        See `Adam`.

    momentum_decay : float, default=0.004
        Rate psi at which the momentum mu increases from half of beta_1 to beta_1.

    References
    ----------
    T. Dozat, "Incorporating Nesterov momentum into Adam", ICLR 2016 workshop,
    algorithm 2.
    """

    def __init__(
        self,
        theta: Array = NO_PARAMETERS,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        momentum_decay: float = 0.004,
    ) -> None:
        super().__init__(theta, learning_rate, beta_1, beta_2, epsilon)
        self.momentum_decay = float(momentum_decay)
        self.mu_product = 1.0

    def _mu(self, t: int) -> float:
        return self.beta_1 * (1 - 0.5 * 0.96 ** (t * self.momentum_decay))

    def _move(self, theta: Array, eta: float, work: Array, divisor: Array) -> float:
        mu, mu_next = self._mu(self.t), self._mu(self.t + 1)
        self.mu_product *= mu
        g_share = (1 - mu) / (1 - self.mu_product)
        m_share = mu_next / (1 - self.mu_product * mu_next)
        # Two updates, because there is no memory for the sum of g and m.
        work *= -(eta * g_share / (1 - self.beta_1))
        work /= divisor
        theta += work
        np.multiply(self.m, -(eta * m_share), out=work)
        work /= divisor
        theta += work
        return eta * (g_share + m_share * (1 - self.beta_1**self.t))
