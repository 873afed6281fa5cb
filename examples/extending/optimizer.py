"""Custom optimizer: Adamax, which replaces a mean of Adam by a maximum."""

import numpy as np

from skmlp.core.optimizers import NO_PARAMETERS, Optimizer


class Adamax(
    Optimizer,
    name="adamax",
    hyperparameters=("beta_1", "beta_2", "epsilon"),
    state=("t", "m", "v"),
):
    """D. Kingma and J. Ba, "Adam: a method for stochastic optimization", section 7."""

    def __init__(
        self,
        theta=NO_PARAMETERS,
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
    ):
        super().__init__(learning_rate)
        self.beta_1, self.beta_2 = float(beta_1), float(beta_2)
        self.epsilon = float(epsilon)
        self.m, self.v = np.zeros_like(theta), np.zeros_like(theta)

    def step(self, theta, grad, work, prox=None):
        self.t += 1
        np.absolute(grad, out=work)
        self.v *= self.beta_2
        np.maximum(self.v, work, out=self.v)
        self.m *= self.beta_1
        grad *= 1 - self.beta_1
        self.m += grad

        np.add(self.v, self.epsilon, out=work)
        eta = self.learning_rate / (1 - self.beta_1**self.t)
        np.divide(eta, work, out=work)  # the step size of each parameter
        np.multiply(work, self.m, out=grad)
        theta -= grad
        if prox is not None:
            prox(theta, work)
