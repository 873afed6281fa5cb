r"""Penalties on the weights. Biases are not penalized.

A penalty is the sum of a smooth part, which enters the gradient, and of a part that
first-order solvers handle by its proximal operator. Either may be zero.

- ``value(theta, work)`` returns the penalty, both parts.
- ``add_gradient(theta, grad, work)`` adds the gradient of the smooth part to `grad`.
- ``prox(W, step, work)`` applies the proximal operator of the other part to the
  weights, in place.

The objective divides the penalty by the number of samples in the batch, or by the sum
of their weights.

To add a penalty to the package, derive a class from `Penalty` here and give it a name.
The name enters the class in `PENALTIES`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skmlp.core._typing import Array
from skmlp.core.parameters import Parameters

__all__ = [
    "PENALTIES",
    "ElasticNet",
    "Penalty",
]

PENALTIES: dict = {}
"""Classes of the penalties, by name."""


class Penalty:
    """Base class of the penalties.

    A derived class defines `value` and `add_gradient`. It also defines `prox` and
    `nonsmooth_gradient` if it has a part that is not smooth.

    Attributes
    ----------
    name : str
        Name of the penalty. It is the name of the class unless the class is given
        another one.

    hyperparameters : tuple of str
        Parameters of the estimators that the constructor takes.

    l1 : float
        Strength of the L1 norm, if this is the part that is not smooth.

    Examples
    --------
    A penalty on the fourth powers of the weights has no part that is not smooth:

    >>> import numpy as np
    >>> from skmlp.core.parameters import Parameters
    >>> from skmlp.core.penalties import Penalty
    >>> class Quartic(Penalty, hyperparameters=("alpha",)):
    ...     def __init__(self, alpha):
    ...         self.alpha = alpha
    ...
    ...     def value(self, theta, work):
    ...         return self.alpha / 4 * float(np.sum(theta.weights**4))
    ...
    ...     def add_gradient(self, theta, grad, work):
    ...         G = grad.weights
    ...         G += self.alpha * theta.weights**3
    >>> theta = Parameters((2, 1), np.float64)
    >>> theta.weights[:] = 1, 2
    >>> grad = theta.zeros_like()
    >>> penalty = Quartic(0.5)
    >>> penalty.value(theta, np.empty(3))
    2.125
    >>> penalty.add_gradient(theta, grad, np.empty(3))
    >>> grad.weights
    array([0.5, 4. ])
    """

    name: str = "penalty"
    hyperparameters: tuple = ()
    l1 = 0.0

    def __init_subclass__(
        cls,
        name: str | None = None,
        hyperparameters: tuple[str, ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = cls.__name__ if name is None else name
        if hyperparameters:
            cls.hyperparameters = tuple(hyperparameters)
        if name is not None:
            PENALTIES[name] = cls

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({settings})"

    @property
    def has_prox(self) -> bool:
        """Whether there is a part that is not smooth."""
        return type(self).prox is not Penalty.prox

    @property
    def smooth(self) -> Penalty:
        """The smooth part of the penalty, as a penalty."""
        if self.has_prox:
            raise NotImplementedError(f"{type(self).__name__} must define smooth.")
        return self

    def value(self, theta: Parameters, work: Array) -> float:
        """Return the penalty at `theta`.

        Parameters
        ----------
        theta : Parameters
            Weights and biases.

        work : ndarray of shape (n_parameters,)
            Scratch memory.

        Returns
        -------
        value : float
        """
        raise NotImplementedError(f"{type(self).__name__} must define value.")

    def add_gradient(self, theta: Parameters, grad: Parameters, work: Array) -> None:
        """Add the gradient of the smooth part to `grad`, in place.

        Parameters
        ----------
        theta, grad : Parameters
            Weights and biases, and the gradient with respect to them.

        work : ndarray of shape (n_parameters,)
            Scratch memory.
        """
        raise NotImplementedError(f"{type(self).__name__} must define add_gradient.")

    def prox(self, W: Array, step: float | Array, work: Array) -> None:
        """Apply the proximal operator of the part that is not smooth, in place.

        Parameters
        ----------
        W : ndarray of shape (n_weights,)
            All weights of the network.

        step : float or ndarray of shape (n_weights,)
            Step size, one for all weights or one for each. An array may be
            overwritten.

        work : ndarray of shape (n_weights,)
            Scratch memory.
        """

    def nonsmooth_gradient(self, W: Array) -> Array:
        """Return the gradient of the part that is not smooth.

        It is used by `skmlp.check_gradient`, and not in training.

        Parameters
        ----------
        W : ndarray of shape (n_weights,)
            All weights of the network, where the part has a derivative.

        Returns
        -------
        gradient : ndarray of shape (n_weights,)
        """
        if self.has_prox:
            raise NotImplementedError(
                f"{type(self).__name__} must define nonsmooth_gradient."
            )
        return np.zeros_like(W)


class ElasticNet(Penalty, name="elastic_net", hyperparameters=("alpha", "l1_ratio")):
    r"""L1 and L2 penalty on the weights.

    .. math::
        \Omega(W) = \alpha \left( \rho \lVert W \rVert_1
                    + \frac{1 - \rho}{2} \lVert W \rVert_2^2 \right)

    The L2 part is smooth and enters the gradient. The L1 part is not differentiable
    at zero. First-order solvers apply its proximal operator, which sets weights to
    zero. L-BFGS splits each weight into its positive and its negative part.

    Parameters
    ----------
    alpha : float
        Strength of the penalty. Must be at least 0.

    l1_ratio : float, default=0.0
        Share :math:`\rho` of the L1 norm, in [0, 1]. 0 is an L2 penalty, and 1 is an
        L1 penalty.

    References
    ----------
    N. Parikh and S. Boyd, "Proximal Algorithms", Foundations and Trends in
    Optimization 1(3), 2014, section 6.5.2 (soft thresholding).

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.core.penalties import ElasticNet
    >>> W = np.array([3.0, -0.5, 1.0])
    >>> ElasticNet(alpha=2.0, l1_ratio=0.5).prox(W, step=1.0, work=np.empty(3))
    >>> W
    array([2., 0., 0.])
    """

    def __init__(self, alpha: float, l1_ratio: float = 0.0) -> None:
        self.l1 = float(alpha * l1_ratio)
        self.l2 = float(alpha * (1 - l1_ratio))

    @property
    def has_prox(self) -> bool:
        """Whether there is an L1 part."""
        return self.l1 != 0

    @property
    def smooth(self) -> ElasticNet:
        """The L2 part of the penalty, as a penalty."""
        return ElasticNet(self.l2)

    def value(self, theta: Parameters, work: Array) -> float:
        value = 0.0
        if self.l2:
            # Layer by layer, in the order of scikit-learn's sum.
            squares = 0.0
            for W in theta.coefs:
                squares += float(np.vdot(W, W))
            value += 0.5 * self.l2 * squares
        if self.l1:
            work = work[: theta.weights.size]
            np.abs(theta.weights, out=work)
            value += self.l1 * float(np.add.reduce(work))
        return value

    def add_gradient(self, theta: Parameters, grad: Parameters, work: Array) -> None:
        if self.l2:
            G, work = grad.weights, work[: theta.weights.size]
            np.multiply(theta.weights, self.l2, out=work)
            G += work

    def prox(self, W: Array, step: float | Array, work: Array) -> None:
        r"""Apply soft thresholding, the proximal operator of the L1 part, in place.

        .. math:: w \leftarrow \operatorname{sign}(w) \max(|w| - t, 0),
                  \quad t = \text{step} \cdot \alpha \rho

        Parameters
        ----------
        W : ndarray of shape (n_weights,)
            Weights.

        step : float or ndarray of shape (n_weights,)
            Step size, one for all weights or one for each. An array is overwritten.

        work : ndarray of shape (n_weights,)
            Scratch memory.
        """
        # soft(w, t) = w - clip(w, -t, t), which is exactly 0 where |w| <= t.
        t = step
        t *= self.l1
        np.minimum(W, t, out=work)
        t *= -1
        np.maximum(work, t, out=work)
        W -= work

    def nonsmooth_gradient(self, W: Array) -> Array:
        return self.l1 * np.sign(W)
