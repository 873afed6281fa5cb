"""Searches: optimizers that evaluate the objective.

They use all samples at once, because values of the objective on different batches
cannot be compared.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from skmlp.core._typing import Array, Proximal
from skmlp.core.optimizers.base import NO_PARAMETERS, Optimizer


@contextmanager
def _restored_on_error(theta: Array, start: Array) -> Iterator[None]:
    """Set theta back to its initial value after an exception or an interrupt."""
    try:
        yield
    except BaseException:
        theta[...] = start
        raise


class Armijo(
    Optimizer,
    name="armijo",
    hyperparameters=("armijo_sigma", "armijo_factor"),
    state=("t", "stationary"),
):
    r"""Steepest descent with Armijo's step size.

    .. math:: \theta \leftarrow \theta + t d, \qquad d = -g, \qquad t = a^l

    with the smallest :math:`l = 0, 1, 2, \dots` that gives a sufficient decrease:

    .. math:: E(\theta + t d) \leq E(\theta) + \sigma t \, g^T d

    With a proximal operator, the step is :math:`d_t =
    \operatorname{prox}_t(\theta - t g) - \theta`, and the condition

    .. math:: E(\theta + d_t) \leq E(\theta) - \frac{\sigma}{t} \lVert d_t \rVert^2

    Without one, :math:`d_t = -t g`, and this is the condition above.

    `learning_rate` is set to the step size t. If no t changes theta, the search is
    `stationary`, and theta keeps its value.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,), default=NO_PARAMETERS
        Not used.

    learning_rate : float, default=0.001
        Not used.

    armijo_sigma : float, default=1e-4
        Sufficient share of the decrease along the tangent, sigma, in (0, 1).

    armijo_factor : float, default=0.5
        Factor between the step sizes, a, in (0, 1).

    References
    ----------
    L. Armijo, "Minimization of functions having Lipschitz continuous first
    partial derivatives", Pacific J. Math. 16(1), 1966. A. Beck and M. Teboulle,
    "Gradient-based algorithms with applications to signal recovery problems",
    in "Convex optimization in signal processing and communications", 2009, for
    the proximal steps.
    """

    full_batch = True

    def __init__(
        self,
        theta: Array = NO_PARAMETERS,
        learning_rate: float = 0.001,
        armijo_sigma: float = 1e-4,
        armijo_factor: float = 0.5,
    ) -> None:
        super().__init__(learning_rate)
        self.armijo_sigma = float(armijo_sigma)
        self.armijo_factor = float(armijo_factor)

    def search(
        self,
        theta: Array,
        grad: Array,
        E: float,
        evaluate: Callable[[], float],
        work: Array,
        prox: Proximal | None = None,
        rng: np.random.Generator | None = None,
    ) -> float:
        self.t += 1
        self.stationary = False
        if not math.isfinite(E):
            return E  # no value can be compared with it
        work[...] = theta
        with _restored_on_error(theta, work):
            return self._backtrack(theta, grad, E, evaluate, work, prox)

    def _backtrack(
        self,
        theta: Array,
        grad: Array,
        E: float,
        evaluate: Callable[[], float],
        start: Array,
        prox: Proximal | None,
    ) -> float:
        t = 1.0
        while True:
            np.multiply(grad, -t, out=theta)
            theta += start
            if prox is not None:
                prox(theta, t)
            theta -= start  # d, as far as it changes theta
            square = float(np.vdot(theta, theta))
            theta += start
            # It is zero at a stationary point, or when t * grad is too small to change
            # theta. It is NaN for every t if the gradient is NaN.
            if not square > 0:
                theta[...] = start
                self.stationary = True
                return E
            # An overflow to -inf does not count as a decrease.
            if math.isfinite(square) and math.isfinite(value := evaluate()):
                if value <= E - self.armijo_sigma / t * square:
                    self.learning_rate = t
                    return value
            t *= self.armijo_factor


class RandomSearch(
    Optimizer, name="random_search", hyperparameters=("search_radius",), state=("t",)
):
    r"""Random search: move to a random point nearby if it is not worse.

    .. math::

        \theta' = \theta + u, \quad u_i \sim U(-r, r), \qquad
        \theta \leftarrow \theta' \text{ if } E(\theta') \leq E(\theta)

    A value that is not finite is worse than any finite value.

    The search uses no gradient. The objective includes the whole penalty, so that
    the proximal operator is not used.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,), default=NO_PARAMETERS
        Not used.

    learning_rate : float, default=0.001
        Not used.

    search_radius : float, default=0.1
        Largest change of a parameter, r.

    References
    ----------
    L. Rastrigin, "The convergence of the random search method in the extremal
    control of a many parameter system", Automation and Remote Control 24(10),
    1963.
    """

    full_batch = True
    draws = True
    needs_gradient = False

    def __init__(
        self,
        theta: Array = NO_PARAMETERS,
        learning_rate: float = 0.001,
        search_radius: float = 0.1,
    ) -> None:
        super().__init__(learning_rate)
        self.search_radius = float(search_radius)

    def search(
        self,
        theta: Array,
        grad: Array,
        E: float,
        evaluate: Callable[[], float],
        work: Array,
        prox: Proximal | None = None,
        rng: np.random.Generator | None = None,
    ) -> float:
        self.t += 1
        start, noise = work, grad
        start[...] = theta
        rng.random(dtype=noise.dtype, out=noise)  # type: ignore[union-attr]
        noise *= 2 * self.search_radius
        noise -= self.search_radius
        with _restored_on_error(theta, start):
            theta += noise
            value = evaluate()
        if math.isfinite(value) and (value <= E or not math.isfinite(E)):
            return value
        theta[...] = start  # the value is worse, or not finite
        return E
