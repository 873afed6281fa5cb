"""Bounds on the norms of the gradient and of the weights, enforced in every step."""

import math

import numpy as np

from skmlp.core._typing import Array
from skmlp.core.parameters import Parameters


def euclidean_norm(grad: Array) -> float:
    """Compute the Euclidean norm of a vector."""
    # In blocks that are too small for the threads of BLAS, because waking them takes
    # longer than the sum.
    squares = 0.0
    for start in range(0, grad.size, 8192):
        block = grad[start : start + 8192]
        squares += float(np.dot(block, block))
    if math.isinf(squares):  # the squares overflow, the norm need not
        largest = float(np.abs(grad).max())
        if largest < math.inf:
            return largest * euclidean_norm(grad / largest)
    return math.sqrt(squares)


def shorten(grad: Array, length: float, bound: float) -> float:
    r"""Scale a gradient to a maximum norm, in place.

    .. math:: g \leftarrow g \min(1, c / \lVert g \rVert_2)

    Parameters
    ----------
    grad : ndarray of shape (n_parameters,)
        The gradient with respect to all parameters.

    length : float
        Norm of the gradient.

    bound : float
        Maximum norm c.

    Returns
    -------
    factor : float
        The factor that the gradient was multiplied by.

    References
    ----------
    R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training
    recurrent neural networks", ICML 2013, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.core.constraints import shorten
    >>> g = np.array([3.0, 4.0])
    >>> shorten(g, length=5.0, bound=1.0)
    0.2
    >>> g
    array([0.6, 0.8])
    """
    if not length > bound:
        return 1.0
    factor = bound / length
    grad *= factor
    return factor


class MaxNorm:
    r"""Maximum norm of the incoming weights of each unit.

    .. math:: w_j \leftarrow w_j \min(1, c / \lVert w_j \rVert_2)

    for every column :math:`w_j` of every weight matrix. This is the projection onto
    the ball of radius *c*.

    Parameters
    ----------
    bound : float
        The radius c.

    theta : Parameters
        Parameters with the shapes of the layers.

    References
    ----------
    N. Srivastava et al., "Dropout: a simple way to prevent neural networks
    from overfitting", JMLR 15, 2014, section 5.1.

    Examples
    --------
    >>> from skmlp.core.constraints import MaxNorm
    >>> from skmlp.core.parameters import Parameters
    >>> theta = Parameters([2, 1])
    >>> theta.weights[:] = 3, 4
    >>> MaxNorm(1.0, theta)(theta)
    >>> theta.weights
    array([0.6, 0.8])
    """

    def __init__(self, bound: float, theta: Parameters) -> None:
        self.bound = float(bound)
        self._rows = [np.empty_like(b) for b in theta.intercepts]

    def __call__(self, theta: Parameters) -> None:
        """Project the weights, in place."""
        for W, row in zip(theta.coefs, self._rows, strict=True):
            np.einsum("ij,ij->j", W, W, out=row)
            np.sqrt(row, out=row)
            if not np.isfinite(row).all():  # the squares overflow, the norms need not
                row[...] = [euclidean_norm(column) for column in W.T]
            np.maximum(row, self.bound, out=row)
            np.divide(self.bound, row, out=row)
            W *= row
