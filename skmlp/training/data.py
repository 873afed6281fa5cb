"""The validated samples and targets."""

from typing import Any, NamedTuple

import numpy as np


class Data(NamedTuple):
    """Validated samples.

    Attributes
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
        The samples, in the dtype of the network.

    y : ndarray
        The targets of the user.

    Y : ndarray of shape (n_samples, n_outputs)
        The targets in the form that the loss requires.

    w : ndarray of shape (n_samples, 1) or None
        The sample weights, in the dtype of X.
    """

    X: Any
    y: np.ndarray
    Y: np.ndarray
    w: np.ndarray | None

    def take(self, rows):
        """Return a copy of some of the samples."""
        w = None if self.w is None else self.w[rows]
        return Data(self.X[rows], self.y[rows], self.Y[rows], w)
