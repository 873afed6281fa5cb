"""Custom activation function: Swish with a parameter beta."""

import numpy as np
from scipy.special import expit

from skmlp.core.activations import Activation


class Swish(Activation):
    """Activation function g(z) = z s(beta z), where s is the logistic function."""

    needs_z = True

    def __init__(self, beta=1.0):
        self.beta = beta

    def forward(self, Z, A):
        np.multiply(Z, expit(self.beta * Z), out=A)

    def backward(self, Z, A, delta, work):
        s = expit(self.beta * Z)
        delta *= s + self.beta * A * (1 - s)
