r"""Activation functions, each with its derivative.

An activation works in place on arrays of shape (n_samples, n_units):

- ``forward(Z)`` turns the pre-activations :math:`Z` into :math:`A = g(Z)`;
- ``backward(A, delta, work)`` turns :math:`\partial E / \partial A`, held in
  `delta`, into :math:`\partial E / \partial Z = \partial E / \partial A \odot
  g'(Z)`. The derivative is written in terms of :math:`A`, the only thing the
  forward pass leaves behind; `work` is scratch memory of the same shape.

To add an activation, write its class here: naming it enters it in `ACTIVATIONS`
and, if it has a `backward`, in `HIDDEN_ACTIVATIONS`, from which the estimators
and the tests take it.
"""

import numpy as np
from scipy.special import expit

ACTIVATIONS: dict = {}
"""All activations, by name."""

HIDDEN_ACTIVATIONS: dict = {}
"""Those that a hidden layer can have."""


class Activation:
    """Base class of the activations.

    Attributes
    ----------
    name : str
        What the `activation` parameter of the estimators calls it.

    init_factor : float
        The numerator of the variance rule for the initial weights, see
        :func:`skmlp.core.initializers.glorot`.
    """

    name: str
    init_factor = 6.0

    def __init_subclass__(cls, name, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.name = name
        ACTIVATIONS[name] = cls()
        if hasattr(cls, "backward"):
            HIDDEN_ACTIVATIONS[name] = ACTIVATIONS[name]

    def forward(self, Z):
        """Turn Z into g(Z), in place."""
        raise NotImplementedError


class Identity(Activation, name="identity"):
    """g(z) = z."""

    def forward(self, Z):
        pass

    def backward(self, A, delta, work):
        pass


class Logistic(Activation, name="logistic"):
    """g(z) = 1 / (1 + exp(-z)), g'(z) = a (1 - a)."""

    init_factor = 2.0

    def forward(self, Z):
        expit(Z, out=Z)

    def backward(self, A, delta, work):
        delta *= A
        np.subtract(1, A, out=work)
        delta *= work


class Tanh(Activation, name="tanh"):
    """g(z) = tanh(z), g'(z) = 1 - a^2."""

    def forward(self, Z):
        np.tanh(Z, out=Z)

    def backward(self, A, delta, work):
        np.square(A, out=work)
        np.subtract(1, work, out=work)
        delta *= work


class ReLU(Activation, name="relu"):
    """g(z) = max(0, z), g'(z) = 1 where a > 0, else 0."""

    def forward(self, Z):
        np.maximum(Z, 0, out=Z)

    def backward(self, A, delta, work):
        # a >= 0, so its sign is the derivative: one pass and no boolean mask.
        np.sign(A, out=work)
        delta *= work


# For the output layer only. There the loss gives dE/dZ at once, so these have
# no backward.


class Exp(Activation, name="exp"):
    """g(z) = exp(z)."""

    def forward(self, Z):
        np.exp(Z, out=Z)


class Softmax(Activation, name="softmax"):
    """g(z)_k = exp(z_k) / sum_j exp(z_j), along each row."""

    def forward(self, Z):
        # softmax(z) = softmax(z - c); with c = max(z), exp cannot overflow.
        row = np.maximum.reduce(Z, axis=1, keepdims=True)
        Z -= row
        np.exp(Z, out=Z)
        np.add.reduce(Z, axis=1, keepdims=True, out=row)
        Z /= row
