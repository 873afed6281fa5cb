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

import numpy as np


class Dropout:
    """Dropout on a dense array, with its buffers.

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
    mask : ndarray
        The factors m of the last `draw`.
    """

    def __init__(self, rate, shape, dtype):
        self.rate = float(rate)
        self._scale = np.dtype(dtype).type(1 / (1 - self.rate))
        self.mask = np.ones(shape, dtype)
        self._kept = np.empty(shape, bool)
        self.out = np.empty(shape, dtype)

    def draw(self, rng):
        """Draw the mask, which is used until the next call."""
        rng.random(out=self.mask, dtype=self.mask.dtype)
        np.greater_equal(self.mask, self.rate, out=self._kept)
        np.multiply(self._kept, self._scale, out=self.mask)

    def forward(self, A):
        """Return A times the mask, in memory that the next call overwrites."""
        return np.multiply(A, self.mask, out=self.out)


class SparseDropout:
    """Dropout on the stored entries of a sparse matrix.

    A mask of the full shape would be as large as the dense matrix. Therefore only the
    seed of the mask is stored.
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
