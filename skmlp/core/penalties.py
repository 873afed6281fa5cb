"""Penalties on the weights. Biases are never penalized."""

from __future__ import annotations

import numpy as np

from skmlp.core._typing import Array
from skmlp.core.parameters import Parameters

__all__ = [
    "ElasticNet",
]


class ElasticNet:
    r"""L1 and L2 penalty on the weights.

    .. math::
        \Omega(W) = \alpha \left( \rho \lVert W \rVert_1
                    + \frac{1 - \rho}{2} \lVert W \rVert_2^2 \right)

    The objective divides it by the number of samples in the batch (or the sum
    of their weights), as scikit-learn's MLP does.

    The L2 part is smooth and enters the gradient. The L1 part has a kink at
    zero, where the exact zeros come from: first-order solvers handle it by
    its proximal operator, L-BFGS by a split into two bounded halves.

    Parameters
    ----------
    alpha : float
        Strength, at least 0.

    l1_ratio : float, default=0.0
        The mix :math:`\rho` in [0, 1]: 0 is L2 alone, 1 is L1 alone.

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
    def smooth(self) -> ElasticNet:
        """The same penalty without its L1 part."""
        return ElasticNet(self.l2)

    def value(self, theta: Parameters, work: Array) -> float:
        """The penalty at `theta`.

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
        value = 0.0
        if self.l2:
            # Layer by layer, the order in which scikit-learn sums.
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
        """Add the gradient of the smooth (L2) part to `grad`, in place.

        Parameters
        ----------
        theta, grad : Parameters
            Weights and biases, and the gradient with respect to them.

        work : ndarray of shape (n_parameters,)
            Scratch memory.
        """
        if self.l2:
            G, work = grad.weights, work[: theta.weights.size]
            np.multiply(theta.weights, self.l2, out=work)
            G += work

    def prox(self, W: Array, step: float | Array, work: Array) -> None:
        r"""Soft thresholding, the proximal operator of the L1 part, in place.

        .. math:: w \leftarrow \operatorname{sign}(w) \max(|w| - t, 0),
                  \quad t = \text{step} \cdot \alpha \rho

        Parameters
        ----------
        W : ndarray of shape (n_weights,)
            Weights.

        step : float or ndarray of shape (n_weights,)
            Step size, one for all weights or one for each; an array is
            overwritten.

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
