r"""Loss functions and their gradients.

A loss compares targets `Y` with the output `P` of the network, both of shape
(n_samples, n_outputs):

- ``pointwise(Y, P, out)`` writes :math:`\ell(y_{ik}, p_{ik})` to `out`;
- ``gradient(Y, P, out)`` writes :math:`\partial \ell / \partial p_{ik}` to `out`.

`Y` and `P` must not be changed. `out` is another array. The activation of the output
layer computes the gradient with respect to its pre-activation from this gradient. If
this activation is the inverse of the canonical link of the loss, the result is
:math:`p - y`, which the network computes directly. This is accurate even if the output
is saturated. The name of this activation is `canonical`. A class that changes
`pointwise` or `gradient` of its base class has no canonical activation, unless it sets
`canonical` itself.

To use a custom loss, derive a class from `Loss`. The logarithm of the hyperbolic
cosine, for example, is a smooth variant of the absolute error:

>>> import numpy as np
>>> from skmlp.core.losses import Loss
>>> class LogCosh(Loss):
...     '''l = log cosh(p - y), whose derivative is tanh(p - y).'''
...
...     def pointwise(self, Y, P, out):
...         np.subtract(P, Y, out=out)
...         np.logaddexp(out, -out, out=out)  # cosh would overflow
...         out -= np.log(2)
...
...     def gradient(self, Y, P, out):
...         np.subtract(P, Y, out=out)
...         np.tanh(out, out=out)
>>> Y, P, out = np.zeros((1, 3)), np.array([[0.0, 1.0, -100.0]]), np.empty((1, 3))
>>> LogCosh().pointwise(Y, P, out)
>>> out.round(3)
array([[ 0.   ,  0.434, 99.307]])
>>> LogCosh().gradient(Y, P, out)
>>> out.round(3)
array([[ 0.   ,  0.762, -1.   ]])

To add a loss to the package, write its class here and give it a name, as in ``class
LogCosh(Loss, name="log_cosh", tasks=("regression",))``. The name enters it in `LOSSES`.
"""

import math
from typing import Any

import numpy as np
from scipy.special import huber, xlogy

from skmlp.core._typing import Array
from skmlp.core.activations import row_blocks

__all__ = [
    "LOSSES",
    "AbsoluteError",
    "BinaryLogLoss",
    "Huber",
    "LogLoss",
    "Loss",
    "Poisson",
    "Quantile",
    "SquaredError",
]

LOSSES: dict = {}
"""Classes of the losses, by name."""


def names_of_losses(task: str) -> set[str]:
    """Return the names of the losses for 'classification' or 'regression'."""
    return {name for name, loss in LOSSES.items() if task in loss.tasks}


class Loss:
    """Base class of the losses.

    Attributes
    ----------
    name : str
        Name of the loss. It is the name of the class unless the class is given another
        one.

    hyperparameters : tuple of str
        Parameters of the estimators that the constructor takes.

    tasks : tuple of str
        'classification', 'regression' or both. The parameter `loss` of these estimators
        accepts the name.

    divisors : tuple of str
        Hyperparameters that must not be zero or infinite in the data type of the
        computation.

    output_activation : str
        Name of the default output activation.

    canonical : str or None
        Name of the output activation with which dl/dz = p - y, if there is one.

    mean_over_outputs : bool
        Whether the *reported* loss is the mean over the outputs, as in scikit-learn.
        The gradient is always that of the sum over the outputs.

    lower_bound : float
        Smallest valid target.

    positive_output : bool
        Whether p must be positive.
    """

    name: str = "loss"
    hyperparameters: tuple = ()
    tasks: tuple = ()
    divisors: tuple = ()
    output_activation = "identity"
    canonical: str | None = None
    mean_over_outputs = False
    lower_bound = -np.inf
    positive_output = False

    def __init_subclass__(
        cls,
        name: str | None = None,
        hyperparameters: tuple[str, ...] = (),
        tasks: tuple[str, ...] = (),
        divisors: tuple[str, ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = cls.__name__ if name is None else name
        cls.tasks = tasks
        if hyperparameters:
            cls.hyperparameters = tuple(hyperparameters)
        if divisors:
            cls.divisors = tuple(divisors)
        if name is not None:
            LOSSES[name] = cls
        # The canonical activation of the base class applies to its formulas only.
        for base in cls.__mro__:
            if "canonical" in vars(base):
                break
            if "pointwise" in vars(base) or "gradient" in vars(base):
                cls.canonical = None
                break

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({settings})"

    @property
    def constants(self) -> tuple[float, ...]:
        """Hyperparameters in their order, as the compiled engine uses them."""
        return tuple(getattr(self, name) for name in self.hyperparameters)

    def pointwise(self, Y: Array, P: Array, out: Array) -> None:
        """Write the loss of each sample and output to `out`."""
        raise NotImplementedError(
            f"{type(self).__name__} must define pointwise(Y, P, out)."
        )

    def gradient(self, Y: Array, P: Array, out: Array) -> None:
        """Write dl/dP to `out`."""
        raise NotImplementedError(
            f"{type(self).__name__} must define gradient(Y, P, out)."
        )

    def value(
        self, Y: Array, P: Array, w: Array | None, n: float, out: Array, row: Array
    ) -> float:
        r"""Return the weighted mean over the samples, summed over the outputs.

        .. math:: \frac{1}{n} \sum_k \sum_i w_i \, \ell(y_{ik}, p_{ik})

        Parameters
        ----------
        Y, P : ndarray of shape (n_samples, n_outputs)
            Targets and output of the network.

        w : ndarray of shape (n_samples, 1) or None
            Sample weights. None is equivalent to ones.

        n : float
            Sum of the weights.

        out : ndarray of shape (n_samples, n_outputs)
            Scratch memory.

        row : ndarray of shape (n_outputs,)
            Scratch memory. The sums are computed in its dtype.

        Returns
        -------
        value : float
        """
        self.pointwise(Y, P, out)
        if w is not None:
            out *= w
        np.add.reduce(out, axis=0, out=row)
        if len(row) == 1:  # faster, with the same result
            return float(row[0]) / n
        row /= n
        return float(np.add.reduce(row))


class SquaredError(Loss, name="squared_error", tasks=("classification", "regression")):
    """Half the squared error, l = (p - y)^2 / 2."""

    canonical = "identity"
    mean_over_outputs = True

    def pointwise(self, Y: Array, P: Array, out: Array) -> None:
        np.subtract(Y, P, out=out)
        np.square(out, out=out)
        out *= 0.5

    def gradient(self, Y: Array, P: Array, out: Array) -> None:
        np.subtract(P, Y, out=out)


class AbsoluteError(Loss, name="absolute_error", tasks=("regression",)):
    """The absolute error, l = abs(y - p), dl/dp = sign(p - y)."""

    mean_over_outputs = True

    def pointwise(self, Y: Array, P: Array, out: Array) -> None:
        np.subtract(Y, P, out=out)
        np.abs(out, out=out)

    def gradient(self, Y: Array, P: Array, out: Array) -> None:
        np.subtract(P, Y, out=out)
        np.sign(out, out=out)


class Huber(
    Loss,
    name="huber",
    tasks=("regression",),
    hyperparameters=("huber_delta",),
    divisors=("huber_delta",),
):
    """Squared error of small residuals r = p - y, absolute error of large ones.

    l = r^2 / 2 where abs(r) <= d, else d (abs(r) - d / 2); dl/dp = r, clipped to
    [-d, d].

    Parameters
    ----------
    huber_delta : float, default=1.0
        The residual d > 0 beyond which the loss is linear.

    References
    ----------
    P. J. Huber, "Robust estimation of a location parameter", Annals of
    Mathematical Statistics 35, 1964.
    """

    mean_over_outputs = True

    def __init__(self, huber_delta: float = 1.0) -> None:
        if not 0 < huber_delta < math.inf:
            raise ValueError(
                f"huber_delta must be positive and finite, got {huber_delta!r}."
            )
        self.huber_delta = float(huber_delta)

    def pointwise(self, Y: Array, P: Array, out: Array) -> None:
        np.subtract(Y, P, out=out)
        huber(self.huber_delta, out, out=out)

    def gradient(self, Y: Array, P: Array, out: Array) -> None:
        np.subtract(P, Y, out=out)
        np.clip(out, -self.huber_delta, self.huber_delta, out=out)


class Quantile(
    Loss, name="quantile", tasks=("regression",), hyperparameters=("quantile",)
):
    """Pinball loss, l = q max(y - p, 0) + (1 - q) max(p - y, 0).

    dl/dp = -q where p < y, 1 - q where p > y, and 0 where the fit is exact.

    Parameters
    ----------
    quantile : float, default=0.5
        The quantile q to predict, in (0, 1).

    References
    ----------
    R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46, 1978.
    """

    mean_over_outputs = True

    def __init__(self, quantile: float = 0.5) -> None:
        if not 0 < quantile < 1:
            raise ValueError(f"quantile must be in (0, 1), got {quantile!r}.")
        self.quantile = float(quantile)

    def pointwise(self, Y: Array, P: Array, out: Array) -> None:
        np.subtract(Y, P, out=out)
        for (r,) in row_blocks(out):
            np.maximum(self.quantile * r, (self.quantile - 1) * r, out=r)

    def gradient(self, Y: Array, P: Array, out: Array) -> None:
        np.subtract(P, Y, out=out)
        np.sign(out, out=out)
        np.clip(out, -self.quantile, 1 - self.quantile, out=out)


class Poisson(Loss, name="poisson", tasks=("regression",)):
    """Half the Poisson deviance, l = y log(y / p) - y + p, dl/dp = 1 - y / p."""

    output_activation = canonical = "exp"
    lower_bound = 0.0
    positive_output = True

    def pointwise(self, Y: Array, P: Array, out: Array) -> None:
        # The exponential may underflow or overflow. Avoid 0 / 0, log 0 and a quotient
        # that overflows.
        limits = np.finfo(P.dtype)
        np.maximum(P, limits.tiny, out=out)
        np.divide(Y, out, out=out)
        np.maximum(out, limits.tiny, out=out)
        np.minimum(out, limits.max, out=out)
        xlogy(Y, out, out=out)
        out -= Y
        out += P

    def gradient(self, Y: Array, P: Array, out: Array) -> None:
        _away_from_zero(P, out)
        np.divide(Y, out, out=out)
        np.subtract(1, out, out=out)


class BinaryLogLoss(Loss, name="binary_log_loss"):
    """Cross-entropy of independent labels, -y log p - (1 - y) log(1 - p).

    It is used for two classes (one output) and for multilabel targets. dl/dp =
    (p - y) / (p (1 - p)). Targets that are not boolean are in [0, 1].
    """

    output_activation = canonical = "logistic"

    def pointwise(self, Y: Array, P: Array, out: Array) -> None:
        if Y.dtype != bool:  # smoothed labels need both logarithms
            for y, p, loss in row_blocks(Y, P, out):
                of_label = np.empty_like(loss)  # the loss if y is 1
                _clip(p, of_label)
                xlogy(-1.0, of_label, out=of_label)
                of_label *= y
                _clip(1 - p, loss)
                xlogy(-1.0, loss, out=loss)
                loss *= 1 - y
                loss += of_label
            return
        # q = |1 - y - p| is the probability of the true label, and l = -log q.
        np.logical_not(Y, out=out)  # 1 - y
        out -= P
        np.abs(out, out=out)
        _clip(out, out)
        xlogy(-1.0, out, out=out)

    def gradient(self, Y: Array, P: Array, out: Array) -> None:
        _away_from_zero(P, out)
        below_one = 1 - float(np.finfo(P.dtype).epsneg)
        np.minimum(out, below_one, out=out)
        for y, p in row_blocks(Y, out):
            variance = 1 - p
            variance *= p
            p -= y
            p /= variance


class LogLoss(Loss, name="log_loss", tasks=("classification",)):
    """Cross-entropy of K classes, -sum_k y_k log p_k, dl/dp = -y / p."""

    output_activation = canonical = "softmax"

    def pointwise(self, Y: Array, P: Array, out: Array) -> None:
        _clip(P, out)
        xlogy(Y, out, out=out)
        np.negative(out, out=out)

    def gradient(self, Y: Array, P: Array, out: Array) -> None:
        _away_from_zero(P, out)
        np.divide(Y, out, out=out)
        np.negative(out, out=out)


_EPS = {np.dtype(t): float(np.finfo(t).eps) for t in (np.float32, np.float64)}


def _clip(P: Array, out: Array) -> None:
    # If a probability rounded to 0 or 1, the loss would be infinite. The bounds are
    # those of scikit-learn, and change the loss of saturated networks.
    eps = _EPS[P.dtype]
    np.maximum(P, eps, out=out)
    np.minimum(out, 1 - eps, out=out)


def _away_from_zero(P: Array, out: Array) -> None:
    # P may have underflowed. With the square root of the smallest number, y / p is
    # finite even for a large count y. A bound of eps would change the gradient of
    # networks that are not saturated.
    np.maximum(P, math.sqrt(np.finfo(P.dtype).tiny), out=out)
