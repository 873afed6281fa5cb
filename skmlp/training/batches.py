"""The order of the samples in an epoch, and the selection of batches."""

import numpy as np
from scipy.sparse import issparse


class EpochOrder:
    """The order of the training samples in an epoch.

    Parameters
    ----------
    n_samples : int
        Number of samples.

    rows : ndarray of int, default=None
        Row numbers of the training samples. None for all samples.

    random_state : RandomState, default=None
        Random numbers that shuffle the samples before each epoch. None for no
        shuffling.

    Attributes
    ----------
    n_samples : int
        Number of training samples.

    rows : ndarray of shape (n_samples,) or None
        The order after the last `draw`. None for all rows in their own order.

    random_state : RandomState or None
        The argument of the constructor.
    """

    def __init__(self, n_samples, rows=None, random_state=None):
        self.n_samples = n_samples if rows is None else len(rows)
        self.random_state = random_state
        self.rows = rows
        if random_state is not None:
            self.rows = np.arange(n_samples) if rows is None else rows.copy()

    def draw(self):
        """Return the order of the next epoch, which is that of scikit-learn.

        Returns
        -------
        order : ndarray of shape (n_samples,) or None
            Row numbers, which the next call overwrites. None for all rows in their own
            order.
        """
        if self.random_state is not None:
            # Each epoch shuffles the order of the previous one, like scikit-learn.
            self.random_state.shuffle(self.rows)
        return self.rows


def gatherer(source, n_rows):
    """Return a function that selects rows of an array.

    Parameters
    ----------
    source : {ndarray, sparse matrix} of shape (n_samples, n_columns) or None
        The array.

    n_rows : int
        Number of rows that are selected in a call.

    Returns
    -------
    gather : callable
        Function that takes an ndarray of `n_rows` row numbers and returns these rows.
        The next call overwrites the result. If `source` is None, it returns None.
    """
    if source is None:
        return lambda rows: None
    if issparse(source):
        return lambda rows: source[rows]
    # With mode="clip", `take` writes to `out` without a buffer. It would copy a source
    # that is not C-contiguous.
    if source.flags.c_contiguous:
        out = np.empty((n_rows, source.shape[1]), source.dtype)
        return lambda rows: source.take(rows, 0, out, "clip")
    if source.flags.f_contiguous:
        out = np.empty((source.shape[1], n_rows), source.dtype)
        return lambda rows: source.T.take(rows, 1, out, "clip").T
    return lambda rows: source[rows]
