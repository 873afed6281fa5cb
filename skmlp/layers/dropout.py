r"""Dropout: units are set to zero at random in each training step.

.. math:: h = a \odot m, \qquad m_{ij} = \frac{1}{1 - r} \text{ with probability }
          1 - r, \text{ otherwise } 0

This is inverted dropout: the expected value of *h* is *a*, so that prediction uses all
units without a factor.

References
----------
N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever and R. Salakhutdinov,
"Dropout: a simple way to prevent neural networks from overfitting", JMLR 15,
2014.
"""

from typing import Any

import numpy as np

from skmlp.layers.base import Layer


class Dropout(Layer, name="dropout"):
    """Dropout of units.

    Parameters
    ----------
    n_units : int
        Number of units.

    rate : float
        Probability r of dropping a unit, in [0, 1).
    """

    operation = "dropout"
    draws = True
    mask: Any = None

    def __init__(self, n_units: int, rate: float) -> None:
        self.n_units = self.n_in = self.n_out = n_units
        self.rate = float(rate)

    def check(self):
        super().check()
        if not self.rate < 1:
            raise ValueError(f"{self!r} has a rate that is not valid.")

    @property
    def summary(self):
        return {"dropout": self.rate}

    @property
    def constants(self):
        return (self.rate,)

    @property
    def buffers(self):
        return (self.mask.factors,)

    def allocate(self, workspace, needs_delta):
        if not workspace.is_training:
            return
        if workspace.is_sparse and not workspace.layers:
            self.mask = SparseMask(self.rate)
            return
        shape = workspace.n_rows, self.n_units
        self.mask = Mask(self.rate, shape, workspace.dtype)
        self.out = self.mask.out

    def draw(self, rng):
        if self.mask is not None:
            self.mask.draw(rng)

    def forward(self, A, arrays, context):
        return A if self.mask is None else self.mask.forward(A)

    def backward(self, delta, arrays, grad, context):
        if self.mask is not None:
            delta *= self.mask.factors
        return delta


class Mask:
    """The mask of a dense array, with its buffers.

    Parameters
    ----------
    rate : float
        Probability r of dropping an entry, in [0, 1).

    shape : tuple of int
        Shape of the array.

    dtype : dtype
        Type of the array, float32 or float64.

    Attributes
    ----------
    factors : ndarray
        The factors m of the last `draw`.
    """

    def __init__(self, rate, shape, dtype):
        self.rate = float(rate)
        self._scale = np.dtype(dtype).type(1 / (1 - self.rate))
        self.factors = np.ones(shape, dtype)
        self._kept = np.empty(shape, bool)
        self.out = np.empty(shape, dtype)

    def draw(self, rng):
        """Draw the mask, which is used until the next call."""
        rng.random(out=self.factors, dtype=self.factors.dtype)
        np.greater_equal(self.factors, self.rate, out=self._kept)
        np.multiply(self._kept, self._scale, out=self.factors)

    def forward(self, A):
        """Return A times the mask, in memory that the next call overwrites."""
        return np.multiply(A, self.factors, out=self.out)


class SparseMask:
    """The mask of the stored entries of a sparse matrix.

    A mask of the full shape would be as large as the dense matrix. Therefore only the
    seed of the mask is stored.

    Parameters
    ----------
    rate : float
        Probability r of dropping an entry, in [0, 1).
    """

    def __init__(self, rate):
        self.rate = float(rate)
        self._seed = 0

    def draw(self, rng):
        """Draw the mask, which is used until the next call."""
        self._seed = int(rng.integers(2**63))

    def forward(self, A):
        """Return a copy of A times the mask."""
        kept = np.random.default_rng(self._seed).random(A.nnz) >= self.rate
        A = A.copy()
        A.data *= kept / A.dtype.type(1 - self.rate)
        return A
