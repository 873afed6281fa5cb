"""Inference in compiled code."""

from functools import lru_cache
from itertools import pairwise

import numpy as np

from skmlp.compiled import threads
from skmlp.compiled._engine import Prediction
from skmlp.core.inference import cast_chunks

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
    sizes = network.layer_sizes
    output = np.empty((X.shape[0], sizes[-1]), arrays[-2][0].dtype)
    n_weights = sum(n_in * n_out for n_in, n_out in pairwise(sizes))
    multiplications = X.shape[0] * n_weights
    predict = _prediction(network)
    with threads.running(multiplications):
        n_threads = threads.n_threads(multiplications)
        for rows, A in cast_chunks(X, network, arrays):
            predict(arrays, A, output[rows], n_threads, threads.is_fixed)
    return output
