"""Searches: optimizers that evaluate the objective.

They take all samples at once, for values of the objective on different batches
cannot be compared.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from skmlp.core._typing import Array, Proximal
from skmlp.core.optimizers.base import Optimizer


@contextmanager
def _restored_on_error(theta: Array, start: Array) -> Iterator[None]:
    """Leave theta at the start if a user interrupts what is tried with it."""
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

    with the smallest :math:`l = 0, 1, 2, \dots` that gives a sufficient
    decrease:

    .. math:: E(\theta + t d) \leq E(\theta) + \sigma t \, g^T d

    With a proximal operator the step is :math:`d_t =
    \operatorname{prox}_t(\theta - t g) - \theta`, and the condition

    .. math:: E(\theta + d_t) \leq E(\theta) - \frac{\sigma}{t} \lVert d_t \rVert^2

    which without one, where :math:`d_t = -t g`, is the condition above.

    `learning_rate` becomes the step size t. Where theta does not move although
    t gets ever smaller, it is `stationary`, and left exactly as it was.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,)
        The parameters.

    learning_rate : float
        Not used.

    armijo_sigma : float, default=1e-4
        Share of the decrease along the tangent that is sufficient, sigma, in
        (0, 1).

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
        theta: Array,
        learning_rate: float,
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
            return E  # there is nothing to compare with
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
            # Zero at a stationary point, and at the latest once t underflows
            # next to theta; NaN, which no smaller t mends, if the gradient is.
            if not square > 0:
                theta[...] = start
                self.stationary = True
                return E
            # An overflow is not a decrease, even if it is one to -inf.
            if math.isfinite(square) and math.isfinite(value := evaluate()):
                if value <= E - self.armijo_sigma / t * square:
                    self.learning_rate = t
                    return value
            t *= self.armijo_factor


class RandomSearch(
    Optimizer, name="random_search", hyperparameters=("search_radius",), state=("t",)
):
    r"""Random search: try a point nearby, and stay where it is no worse.

    .. math::

        \theta' = \theta + u, \quad u_i \sim U(-r, r), \qquad
        \theta \leftarrow \theta' \text{ if } E(\theta') \leq E(\theta)

    Any finite value is better than one that is not, and that is never taken.

    Without a gradient, and a baseline for everything that has one. The
    objective has all of the penalty, so there is no use for its proximal
    operator.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,)
        The parameters.

    learning_rate : float
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
        self, theta: Array, learning_rate: float, search_radius: float = 0.1
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
        theta[...] = start  # it is worse, or not finite
        return E
