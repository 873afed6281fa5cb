"""Inference in compiled code."""

import numpy as np

from skmlp.compiled import threads
from skmlp.compiled._engine import predict
from skmlp.core.inference import cast_chunks


def decision_function(coefs, intercepts, activations, X):
    """Compute the output of a network before the output activation.

    Parameters
    ----------
    coefs, intercepts, activations, X
        As for `skmlp.core.inference.decision_function`. `X` is dense.

    Returns
    -------
    Z : ndarray of shape (n_samples, n_outputs)
        In the dtype of the parameters.
    """
    dtype = coefs[0].dtype
    # The user may have set the attributes.
    coefs = [np.ascontiguousarray(W) for W in coefs]
    intercepts = [np.ascontiguousarray(b) for b in intercepts]
    output = np.empty((X.shape[0], coefs[-1].shape[1]), dtype)
    multiplications = X.shape[0] * sum(W.size for W in coefs)
    with threads.running(multiplications):
        n_threads = threads.n_threads(multiplications)
        for rows, A in cast_chunks(X, coefs):
            predict(
                coefs,
                intercepts,
                activations,
                A,
                output[rows],
                n_threads,
                threads.is_fixed,
            )
    return output
