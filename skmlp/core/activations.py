r"""Activation functions and their derivatives.

An activation works on arrays of shape (n_samples, n_units):

- ``forward(Z, A)`` writes :math:`A = g(Z)`, where :math:`Z` is the pre-activation. By
  default, `A` and `Z` are the same array. If the class sets ``needs_z = True``, `A` is
  another array, and `Z` must not be changed.
- ``backward(Z, A, delta, work)`` multiplies `delta`, which is :math:`\partial E /
  \partial A`, by :math:`g'(Z)` in place. The result is :math:`\partial E / \partial Z`.
  `Z` and `A` must not be changed. `work` is scratch memory of the same shape. Without
  `needs_z`, `Z` is `A`, and the derivative must be computed from :math:`A` alone. This
  halves the memory.

To use a custom activation, derive a class from `Activation`. The derivative of the
sine, for example, cannot be computed from its value:

>>> import numpy as np
>>> from skmlp.core.activations import Activation
>>> class Sine(Activation):
...     '''g(z) = sin(z), g'(z) = cos(z).'''
...
...     needs_z = True
...
...     def forward(self, Z, A):
...         np.sin(Z, out=A)
...
...     def backward(self, Z, A, delta, work):
...         np.cos(Z, out=work)
...         delta *= work
>>> sine, Z, A = Sine(), np.array([[0.0, np.pi / 6]]), np.empty((1, 2))
>>> sine.forward(Z, A)
>>> A.round(3)
array([[0. , 0.5]])
>>> delta = np.ones((1, 2))
>>> sine.backward(Z, A, delta, work=np.empty((1, 2)))
>>> delta.round(3)
array([[1.   , 0.866]])

To add an activation to the package, write its class here and give it a name, as in
``class Sine(Activation, name="sine")``. The name enters it in `ACTIVATIONS` and,
without ``hidden=False``, in `HIDDEN_ACTIVATIONS`, which the estimators and the tests
use.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import expit, log_expit, log_softmax, logsumexp, ndtr, softmax

from skmlp.core._typing import Array

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "GELU",
    "HIDDEN_ACTIVATIONS",
    "OUTPUT_ACTIVATIONS",
    "SELU",
    "Activation",
    "Exp",
    "Identity",
    "LeakyReLU",
    "Logistic",
    "Mish",
    "ReLU",
    "SiLU",
    "Softmax",
    "Softplus",
    "Softsign",
    "Tanh",
]

ACTIVATIONS: dict = {}
"""All activations, by name."""

HIDDEN_ACTIVATIONS: dict = {}
"""Activations of hidden layers, by name."""

OUTPUT_ACTIVATIONS: dict = {}
"""Output activations of a regressor, by name."""


class Activation:
    """Base class of the activations.

    Attributes
    ----------
    name : str
        Name of the activation in the parameter `activation` of the estimators. It is
        the name of the class unless the class is given another one.

    init_factor : float
        Numerator c of the rule for the initial weights, see
        :func:`skmlp.core.initializers.auto`.

    needs_z : bool
        Whether `backward` needs the pre-activation.

    positive : bool
        Whether g(z) > 0 for every z.

    Notes
    -----
    With ``output=True`` in the class statement, the activation is one of
    `OUTPUT_ACTIVATIONS`. With ``hidden=False``, it is not one of `HIDDEN_ACTIVATIONS`.
    `aliases` are further names.
    """

    name: str = "activation"
    init_factor = 6.0
    needs_z = False
    positive = False

    def __init_subclass__(
        cls,
        name: str | None = None,
        hidden: bool = True,
        output: bool = False,
        aliases: tuple[str, ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = cls.__name__ if name is None else name
        if name is None:
            return
        activation = cls()
        for key in (name, *aliases):
            ACTIVATIONS[key] = activation
            if hidden:
                HIDDEN_ACTIVATIONS[key] = activation
            if output:
                OUTPUT_ACTIVATIONS[key] = activation

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({settings})"

    @property
    def constants(self) -> tuple[float, ...]:
        """Constants of the formula, in the order that the compiled engine uses."""
        return ()

    def forward(self, Z: Array, A: Array) -> None:
        """Write g(Z) to A. Without `needs_z`, A and Z are the same array."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(Z, A).")

    def apply(self, Z: Array) -> Array:
        """Return g(Z). Without `needs_z`, the result is written to Z."""
        A = np.empty_like(Z) if self.needs_z else Z
        self.forward(Z, A)
        return A

    def backward(self, Z: Array, A: Array, delta: Array, work: Array) -> None:
        """Multiply delta = dE/dA by g'(Z) in place, which gives dE/dZ."""
        raise NotImplementedError(
            f"{type(self).__name__} must define backward(Z, A, delta, work)."
        )

    def average(self, Z: Array) -> Array:
        """Return z such that g(z) is the mean of the outputs of several members.

        Only output activations of an ensemble need it.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_members, n_units)
            Pre-activations of the members.

        Returns
        -------
        z : ndarray of shape (n_samples, n_units)
        """
        raise NotImplementedError(f"{type(self).__name__} must define average(Z).")

    def average_backward(self, Z: Array, delta: Array) -> Array:
        """Return dE/dZ for delta = dE/dz of the z that `average` returns.

        Only output activations of a classifier that is an ensemble need it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define average_backward(Z, delta)."
        )


def row_blocks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Split arrays of the same shape into blocks of rows.

    Temporary arrays of a block are small and stay in the cache of the processor,
    whatever the size of the batch.

    Yields
    ------
    block : tuple of ndarray
        Views of the rows, one for each array.
    """
    n_rows, n_columns = arrays[0].shape
    step = max(1, 2**13 // n_columns)
    for start in range(0, n_rows, step):
        yield tuple(array[start : start + step] for array in arrays)


class Identity(Activation, name="identity", output=True):
    """g(z) = z."""

    def forward(self, Z: Array, A: Array) -> None:
        if A is not Z:
            A[...] = Z

    def backward(self, Z: Array, A: Array, delta: Array, work: Array) -> None:
        pass

    def average(self, Z: Array) -> Array:
        return Z.mean(axis=1)

    def average_backward(self, Z: Array, delta: Array) -> Array:
        return np.repeat(delta[:, np.newaxis] / Z.shape[1], Z.shape[1], axis=1)


class Logistic(Activation, name="logistic", output=True, aliases=("sigmoid",)):
    """g(z) = 1 / (1 + exp(-z)), g'(z) = a (1 - a)."""

    init_factor = 2.0
    positive = True

    def forward(self, Z: Array, A: Array) -> None:
        expit(Z, out=A)

    def backward(self, Z: Array, A: Array, delta: Array, work: Array) -> None:
        delta *= A
        np.subtract(1, A, out=work)
        delta *= work

    def average(self, Z: Array) -> Array:
        # Logarithms of means of a and of 1 - a, because a can round to 1.
        return logsumexp(log_expit(Z), axis=1) - logsumexp(log_expit(-Z), axis=1)

    def average_backward(self, Z: Array, delta: Array) -> Array:
        z = self.average(Z)[:, np.newaxis]
        log_slopes = log_expit(Z) + log_expit(-Z) - log_expit(z) - log_expit(-z)
        return delta[:, np.newaxis] * np.exp(log_slopes) / Z.shape[1]


class Tanh(Activation, name="tanh", output=True):
    """g(z) = tanh(z), g'(z) = 1 - a^2."""

    def forward(self, Z: Array, A: Array) -> None:
        np.tanh(Z, out=A)

    def backward(self, Z: Array, A: Array, delta: Array, work: Array) -> None:
        np.square(A, out=work)
        np.subtract(1, work, out=work)
        delta *= work

    def average(self, Z: Array) -> Array:
        return Logistic().average(2 * Z) / 2  # tanh(z) = 2 logistic(2 z) - 1


class ReLU(Activation, name="relu", output=True):
    """g(z) = max(0, z), g'(z) = 1 where a > 0, else 0."""

    def forward(self, Z: Array, A: Array) -> None:
        np.maximum(Z, 0, out=A)

    def backward(self, Z: Array, A: Array, delta: Array, work: Array) -> None:
        # As a >= 0, its sign is the derivative.
        np.sign(A, out=work)
        delta *= work

    def average(self, Z: Array) -> Array:
        return np.maximum(Z, 0).mean(axis=1)


class LeakyReLU(Activation, name="leaky_relu"):
    """g(z) = max(z, c z), g'(z) = 1 where a > 0, else c.

    Parameters
    ----------
    slope : float, default=0.01
        The slope c of the negative side, in [0, 1].

    References
    ----------
    A. Maas, A. Hannun and A. Ng, "Rectifier nonlinearities improve neural
    network acoustic models", ICML 2013, equation 2.
    """

    def __init__(self, slope: float = 0.01) -> None:
        if not 0 <= slope <= 1:
            raise ValueError(f"slope must be in [0, 1], got {slope!r}.")
        self.slope = float(slope)  # a NumPy float64 would convert float32 arrays

    @property
    def constants(self) -> tuple[float, ...]:
        return (self.slope,)

    def forward(self, Z: Array, A: Array) -> None:
        for z, a in row_blocks(Z, A):
            np.maximum(z, self.slope * z, out=a)

    def backward(self, Z: Array, A: Array, delta: Array, work: Array) -> None:
        np.sign(A, out=work)
        np.maximum(work, self.slope, out=work)
        delta *= work


class ELU(Activation, name="elu"):
    """g(z) = z where z > 0, else c (exp(z) - 1); g'(z) = 1, or a + c.

    Parameters
    ----------
    alpha : float, default=1.0
        The constant c > 0. The infimum of g is -c.

    References
    ----------
    D.-A. Clevert, T. Unterthiner and S. Hochreiter, "Fast and accurate deep
    network learning by exponential linear units (ELUs)", ICLR 2016,
    equation 15.
    """

    scale = 1.0

    def __init__(self, alpha: float = 1.0) -> None:
        if not 0 < alpha < math.inf:
            raise ValueError(f"alpha must be positive and finite, got {alpha!r}.")
        self.alpha = float(alpha)

    @property
    def constants(self) -> tuple[float, ...]:
        return self.alpha, self.scale

    def forward(self, Z: Array, A: Array) -> None:
        alpha, scale = self.scale * self.alpha, self.scale
        for z, a in row_blocks(Z, A):
            negative = np.minimum(z, 0)
            np.expm1(negative, out=negative)
            negative *= alpha
            np.maximum(z, 0, out=a)
            a *= scale
            a += negative

    def backward(self, Z: Array, A: Array, delta: Array, work: Array) -> None:
        alpha, scale = self.scale * self.alpha, self.scale
        for a, d, derivative in row_blocks(A, delta, work):
            np.add(a, alpha, out=derivative)
            np.copyto(derivative, scale, where=a > 0)
            d *= derivative


class SELU(ELU, name="selu"):
    """The ELU, scaled to keep mean 0 and variance 1 from layer to layer.

    g(z) = s z where z > 0, else s c (exp(z) - 1); g'(z) = s, or a + s c.

    References
    ----------
    G. Klambauer, T. Unterthiner, A. Mayr and S. Hochreiter, "Self-normalizing
    neural networks", NeurIPS 2017, equation 2.
    """

    alpha = 1.6732632423543772848170429916717
    scale = 1.0507009873554804934193349852946

    def __init__(self) -> None:
        """Create the activation, which has no parameters."""


class Softplus(Activation, name="softplus", output=True):
    """g(z) = log(1 + exp(z)), g'(z) = 1 - exp(-a).

    References
    ----------
    C. Dugas, Y. Bengio, F. Belisle, C. Nadeau and R. Garcia, "Incorporating
    second-order functional knowledge for better option pricing", NeurIPS 2000.
    """

    positive = True

    def forward(self, Z: Array, A: Array) -> None:
        _softplus(Z, A)

    def backward(self, Z: Array, A: Array, delta: Array, work: Array) -> None:
        # Where a is near 0, the derivative is, too, and expm1 is accurate.
        np.negative(A, out=work)
        np.expm1(work, out=work)
        np.negative(work, out=work)
        delta *= work

    def average(self, Z: Array) -> Array:
        a = np.logaddexp(0, Z).mean(axis=1)
        return a + np.log(-np.expm1(-a))


def _softplus(Z: Array, out: Array) -> None:
    for z, a in row_blocks(Z, out):
        # log(1 + exp(z)) = max(z, 0) + log(1 + exp(-|z|)), where exp cannot overflow.
        # np.logaddexp computes the same, but warns of NaN.
        rest = np.abs(z)
        np.negative(rest, out=rest)
        np.exp(rest, out=rest)
        np.log1p(rest, out=rest)
        np.maximum(z, 0, out=a)
        a += rest


class Softsign(Activation, name="softsign"):
    """g(z) = z / (1 + abs(z)), g'(z) = (1 - abs(a))^2.

    References
    ----------
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep
    feedforward neural networks", AISTATS 2010, section 3.
    """

    def forward(self, Z: Array, A: Array) -> None:
        for z, a in row_blocks(Z, A):
            divisor = np.abs(z)
            divisor += 1
            np.divide(z, divisor, out=a)

    def backward(self, Z: Array, A: Array, delta: Array, work: Array) -> None:
        np.abs(A, out=work)
        np.subtract(1, work, out=work)
        np.square(work, out=work)
        delta *= work


# The following have a minimum, so that z cannot be computed from a.


class GELU(Activation, name="gelu"):
    r"""g(z) = z Phi(z), g'(z) = Phi(z) + z phi(z).

    Phi and phi are the distribution function and the density of the standard normal
    distribution. They are not approximated.

    References
    ----------
    D. Hendrycks and K. Gimpel, "Gaussian error linear units (GELUs)",
    arXiv:1606.08415, section 2.
    """

    needs_z = True

    def forward(self, Z: Array, A: Array) -> None:
        ndtr(Z, out=A)
        A *= Z

    def backward(self, Z: Array, A: Array, delta: Array, work: Array) -> None:
        for z, d, derivative in row_blocks(Z, delta, work):
            # Beyond these bounds the derivative is 0 or 1, and z^2 might overflow.
            z = np.clip(z, -40, 40)
            np.square(z, out=derivative)
            derivative *= -0.5
            np.exp(derivative, out=derivative)
            derivative *= 1 / math.sqrt(2 * math.pi)
            derivative *= z
            derivative += ndtr(z)
            d *= derivative


class SiLU(Activation, name="silu"):
    """g(z) = z s(z), g'(z) = s(z) (1 + z (1 - s(z))), s the logistic function.

    References
    ----------
    S. Elfwing, E. Uchibe and K. Doya, "Sigmoid-weighted linear units for neural
    network function approximation in reinforcement learning", Neural Networks
    107, 2018, section 2.
    """

    needs_z = True

    def forward(self, Z: Array, A: Array) -> None:
        expit(Z, out=A)
        A *= Z

    def backward(self, Z: Array, A: Array, delta: Array, work: Array) -> None:
        expit(Z, out=work)
        delta *= work
        np.subtract(1, work, out=work)
        work *= Z
        work += 1
        delta *= work


class Mish(Activation, name="mish"):
    """g(z) = z t(z), g'(z) = t(z) + z s(z) (1 - t(z)^2).

    Here t(z) = tanh(log(1 + exp(z))), and s is the logistic function.

    References
    ----------
    D. Misra, "Mish: A self regularized non-monotonic activation function",
    BMVC 2020, equation 1.
    """

    needs_z = True

    def forward(self, Z: Array, A: Array) -> None:
        _softplus(Z, A)
        np.tanh(A, out=A)
        A *= Z

    def backward(self, Z: Array, A: Array, delta: Array, work: Array) -> None:
        for z, d, derivative in row_blocks(Z, delta, work):
            t = np.empty_like(z)
            _softplus(z, t)
            np.tanh(t, out=t)
            np.square(t, out=derivative)
            np.subtract(1, derivative, out=derivative)
            derivative *= expit(z)
            derivative *= z
            derivative += t
            d *= derivative


# Activations of the output layer only.


class Exp(Activation, name="exp", hidden=False, output=True):
    """g(z) = exp(z), g'(z) = a."""

    positive = True

    def forward(self, Z: Array, A: Array) -> None:
        np.exp(Z, out=A)

    def backward(self, Z: Array, A: Array, delta: Array, work: Array) -> None:
        delta *= A

    def average(self, Z: Array) -> Array:
        return logsumexp(Z, axis=1) - math.log(Z.shape[1])


class Softmax(Activation, name="softmax", hidden=False):
    r"""g(z)_k = exp(z_k) / sum_j exp(z_j), along each row.

    The units of a row depend on each other: with :math:`\delta = \partial E /
    \partial a`,

    .. math:: \frac{\partial E}{\partial z_k}
        = a_k \Big( \delta_k - \sum_j \delta_j a_j \Big).
    """

    positive = True

    def forward(self, Z: Array, A: Array) -> None:
        # softmax(z) = softmax(z - c); with c = max(z), exp cannot overflow.
        row = np.maximum.reduce(Z, axis=1, keepdims=True)
        np.subtract(Z, row, out=A)
        np.exp(A, out=A)
        np.add.reduce(A, axis=1, keepdims=True, out=row)
        A /= row

    def backward(self, Z: Array, A: Array, delta: Array, work: Array) -> None:
        np.multiply(delta, A, out=work)
        delta -= np.add.reduce(work, axis=1, keepdims=True)
        delta *= A

    def average(self, Z: Array) -> Array:
        return logsumexp(log_softmax(Z, axis=2), axis=1) - math.log(Z.shape[1])

    def average_backward(self, Z: Array, delta: Array) -> Array:
        log_A = log_softmax(Z, axis=2)
        # The share of each member in the mean of the probability of a class.
        D = softmax(log_A, axis=1) * delta[:, np.newaxis]
        return D - np.exp(log_A) * D.sum(axis=2, keepdims=True)
