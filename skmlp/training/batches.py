"""The order of the samples in an epoch, and their gathering into batches."""

import numpy as np
from scipy.sparse import issparse


class EpochOrder:
    """The order in which an epoch visits the training samples.

    Parameters
    ----------
    n_samples : int
        Number of samples there are.

    rows : ndarray of int, default=None
        Those to train on; None for all.

    random_state : RandomState, default=None
        Shuffles before each epoch; None for no shuffling.

    Attributes
    ----------
    n_samples : int
        Number of samples to train on.

    rows : ndarray of shape (n_samples,) or None
        The order as of the last `draw`; None for all rows as they lie.

    random_state : RandomState or None
        What shuffles it.
    """

    def __init__(self, n_samples, rows=None, random_state=None):
        self.n_samples = n_samples if rows is None else len(rows)
        self.random_state = random_state
        self.rows = rows
        if random_state is not None:
            self.rows = np.arange(n_samples) if rows is None else rows.copy()

    def draw(self):
        """Order of the next epoch, drawn as scikit-learn draws it.

        Returns
        -------
        order : ndarray of shape (n_samples,) or None
            Row numbers, valid until the next call; None for all rows as they
            lie.
        """
        if self.random_state is not None:
            # Each epoch shuffles the order of the one before. The swaps are those
            # that scikit-learn makes on row numbers, to take the order by.
            self.random_state.shuffle(self.rows)
        return self.rows


def gatherer(source, n_rows):
    """Prepare to gather rows of an array again and again.

    Parameters
    ----------
    source : {ndarray, sparse matrix} of shape (n_samples, n_columns) or None
        Where to gather from.

    n_rows : int
        How many rows at a time.

    Returns
    -------
    gather : callable
        Takes an ndarray of n_rows row numbers and returns those rows, in
        memory that the next call overwrites. None stays None.
    """
    if source is None:
        return lambda rows: None
    if issparse(source):
        return lambda rows: source[rows]
    # take with mode="clip" writes into `out` without a buffer; it wants the
    # source to be C-contiguous or would copy the whole of it each time.
    if source.flags.c_contiguous:
        out = np.empty((n_rows, source.shape[1]), source.dtype)
        return lambda rows: source.take(rows, 0, out, "clip")
    if source.flags.f_contiguous:
        out = np.empty((source.shape[1], n_rows), source.dtype)
        return lambda rows: source.T.take(rows, 1, out, "clip").T
    return lambda rows: source[rows]
