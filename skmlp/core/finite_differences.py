"""Numerical gradients."""

from collections.abc import Callable

import numpy as np

from skmlp.core._typing import Array


def central_differences(f: Callable[[], float], x: Array, step: float = 1e-5) -> Array:
    r"""Compute the gradient of a function by central differences.

    .. math::

        \frac{\partial f}{\partial x_j} \approx
        \frac{f(x + h_j e_j) - f(x - h_j e_j)}{2 h_j}, \qquad
        h_j = h \max(1, |x_j|)

    Parameters
    ----------
    f : callable
        Function without arguments that reads `x` and returns a float.

    x : ndarray of shape (n,)
        The point, in float64. It is changed during the calls of `f` and restored
        afterwards.

    step : float, default=1e-5
        The step h. The truncation error is proportional to its square, the
        rounding error to its inverse.

    Returns
    -------
    gradient : ndarray of shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.core.finite_differences import central_differences
    >>> x = np.array([1.0, 2.0])
    >>> central_differences(lambda: x[0] ** 2 * x[1], x).round(6)
    array([4., 1.])
    """
    gradient = np.empty_like(x)
    for j, x_j in enumerate(x):
        h = step * max(1.0, abs(x_j))
        x[j] = x_j + h
        above = f()
        x[j] = x_j - h
        below = f()
        x[j] = x_j
        gradient[j] = (above - below) / (2 * h)
    return gradient
