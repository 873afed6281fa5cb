"""Inference in compiled code."""

from functools import lru_cache

import numpy as np

from skmlp.compiled import threads
from skmlp.compiled._engine import Prediction, n_multiplications
from skmlp.core.inference import call_with_errors_ignored, cast_chunks

_MAX_ROWS = 2**14
"""Maximum number of samples whose outputs of all members are in memory."""

# A network is immutable.
_prediction = lru_cache(maxsize=128)(Prediction)


def decision_function(network, arrays, X):
    """Compute the output of a network before the output activation.

    Parameters
    ----------
    network, arrays, X
        See `skmlp.core.inference.decision_function`. `X` is dense.

    Returns
    -------
    Z : ndarray of shape (n_samples, n_outputs)
        The output, in the dtype of the parameters.
    """
    # Users can set the attributes.
    arrays = [[np.ascontiguousarray(array) for array in theta] for theta in arrays]
    n_outputs, n_members = network.layer_sizes[-1], network.n_members
    output = np.empty((X.shape[0], n_outputs), arrays[-2][0].dtype)
    multiplications = X.shape[0] * n_multiplications(network)
    predict = _prediction(network)
    with threads.running(multiplications):
        n_threads = threads.n_threads(multiplications)
        for rows, A in cast_chunks(X, network, arrays):
            if n_members == 1:
                predict(arrays, A, output[rows], n_threads, threads.is_fixed)
                continue
            Z_out = output[rows]
            for start in range(0, len(A), _MAX_ROWS):
                chunk = A[start : start + _MAX_ROWS]
                Z = np.empty((len(chunk) * n_members, n_outputs), output.dtype)
                predict(arrays, chunk, Z, n_threads, threads.is_fixed)
                Z_out[start : start + _MAX_ROWS] = call_with_errors_ignored(
                    network.average, Z
                )
    return output
