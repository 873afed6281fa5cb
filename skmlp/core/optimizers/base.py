r"""First-order optimizers.

An optimizer moves the flat parameter vector :math:`\theta`, in place, along a
gradient :math:`g`:

``step(theta, grad, work, prox=None)``

where `grad` and `work` may be overwritten. `prox(theta, step)`, when given, is
the proximal operator of a penalty that the gradient leaves out, to be applied
with the step size that the gradient was: a number, or an array of the shape of
theta (which it may overwrite).

To add an optimizer, write its class here: naming it enters it in `OPTIMIZERS`,
`hyperparameters` are the parameters of the estimators that it is built with, and
`state` names what it remembers from step to step.
"""

import math
from copy import copy

import numpy as np

OPTIMIZERS: dict = {}
"""Optimizers, by name."""


class Optimizer:
    """Base class of the optimizers.

    Attributes
    ----------
    name : str
        What the `solver` parameter of the estimators calls it.

    hyperparameters : tuple of str
        Estimator parameters that the constructor takes after `theta` and
        `learning_rate`.

    scheduled : bool
        Whether the `learning_rate` parameter of the estimators (the schedule)
        applies.

    state : tuple of str
        Attributes that the steps change.

    learning_rate_init : float
        Step size to begin with.

    learning_rate : float
        Step size, which a schedule may change between epochs.
    """

    name: str
    hyperparameters: tuple[str, ...]
    state: tuple[str, ...]
    scheduled = False

    def __init_subclass__(cls, name, hyperparameters, state, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.name, cls.hyperparameters, cls.state = name, hyperparameters, state
        OPTIMIZERS[name] = cls

    def __init__(self, learning_rate):
        self.learning_rate_init = self.learning_rate = float(learning_rate)

    def resume(self, other):
        """Go on from where another optimizer of this kind has got to.

        It is left as it is; this one has its state, but hyperparameters of its
        own. A learning rate that began with another value begins anew.
        """
        for name in self.state:
            setattr(self, name, copy(getattr(other, name)))
        if self.learning_rate_init == other.learning_rate_init:
            self.learning_rate = other.learning_rate

    def step(self, theta, grad, work, prox=None):
        """Move theta along the gradient, in place."""
        raise NotImplementedError


class SGD(
    Optimizer,
    name="sgd",
    hyperparameters=("momentum", "nesterovs_momentum"),
    state=("velocity",),
):
    r"""Stochastic gradient descent with momentum.

    .. math:: v \leftarrow \mu v - \eta g, \qquad \theta \leftarrow \theta + v

    With Nesterov's momentum, :math:`\theta` is the look-ahead point
    :math:`x + \mu v` of the iterate :math:`x`, and moves by :math:`\mu v -
    \eta g`.

    With a proximal operator the new iterate is that operator's value, and the
    velocity is the distance that the iterate really went; so a weight that is
    held at zero does not gather speed.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,)
        The parameters, for their shape and dtype.

    learning_rate : float
        Step size, eta.

    momentum : float, default=0.9
        Momentum, mu.

    nesterovs_momentum : bool, default=True
        Whether to use Nesterov's momentum.

    References
    ----------
    I. Sutskever et al., "On the importance of initialization and momentum in
    deep learning", ICML 2013, equations 1 to 4. P. Ochs et al., "iPiano:
    inertial proximal algorithm for nonconvex optimization", SIAM J. Imaging
    Sciences 7(2), 2014, and A. Beck and M. Teboulle, "A fast iterative
    shrinkage-thresholding algorithm", SIAM J. Imaging Sciences 2(1), 2009, for
    the proximal steps.
    """

    scheduled = True

    def __init__(self, theta, learning_rate, momentum=0.9, nesterovs_momentum=True):
        super().__init__(learning_rate)
        self.momentum = float(momentum)
        self.nesterovs_momentum = nesterovs_momentum
        self.velocity = np.zeros_like(theta)

    def step(self, theta, grad, work, prox=None):
        mu, v = self.momentum, self.velocity
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


class Adam(
    Optimizer,
    name="adam",
    hyperparameters=("beta_1", "beta_2", "epsilon"),
    state=("t", "m", "v"),
):
    r"""Adam, in the efficient order of its paper's section 2.

    .. math::

        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        \theta &\leftarrow \theta - \eta
            \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}
            \frac{m}{\sqrt{v} + \epsilon}

    A proximal operator is applied with each parameter's own step size,
    :math:`\eta \sqrt{1 - \beta_2^t} / (\sqrt{v} + \epsilon)`; with one step
    size for all, the solution would not be a minimum of the objective.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,)
        The parameters, for their shape and dtype.

    learning_rate : float
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

    def __init__(self, theta, learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        super().__init__(learning_rate)
        self.beta_1, self.beta_2 = float(beta_1), float(beta_2)
        self.epsilon = float(epsilon)
        self.t = 0
        self.m = np.zeros_like(theta)
        self.v = np.zeros_like(theta)

    def step(self, theta, grad, work, prox=None):
        m, v = self.m, self.v
        self.t += 1
        m *= self.beta_1
        np.multiply(grad, 1 - self.beta_1, out=work)
        m += work
        v *= self.beta_2
        np.square(grad, out=grad)
        grad *= 1 - self.beta_2
        v += grad

        # From here on the gradient's memory holds sqrt(v) + epsilon.
        np.sqrt(v, out=grad)
        grad += self.epsilon
        eta = self.learning_rate * math.sqrt(1 - self.beta_2**self.t)
        np.multiply(m, -(eta / (1 - self.beta_1**self.t)), out=work)
        work /= grad
        theta += work
        if prox is not None:
            np.divide(eta, grad, out=grad)
            prox(theta, grad)
