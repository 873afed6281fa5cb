"""Inference: outputs, hidden activations and gradients by the input.

The functions take the weights, biases and activations of a network without dropout and
batch normalization. `skmlp.core.batch_norm.fold` removes batch normalization from a
network. Samples are processed in chunks, so that the memory besides the result does not
grow with their number.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse

from skmlp.core._typing import Array
from skmlp.core.activations import Activation
from skmlp.core.network import dot

MAX_ELEMENTS = 2**20
"""Maximum number of elements of a buffer."""


def decision_function(
    coefs: Sequence[Array],
    intercepts: Sequence[Array],
    activations: Sequence[Activation],
    X: Any,
    max_elements: int = MAX_ELEMENTS,
) -> Array:
    """Compute the output of a network before the output activation.

    Parameters
    ----------
    coefs, intercepts : list of ndarray
        Weights and biases of every layer.

    activations : list of Activation
        Activations of the hidden layers. An activation of the output layer may
        follow, and is not used.

    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Input, of any real dtype; sparse in CSR format.

    max_elements : int, default=2**20
        Maximum number of elements of a buffer.

    Returns
    -------
    Z : ndarray of shape (n_samples, n_outputs)
        In the dtype of the parameters.
    """
    output = _empty(X, coefs, -1)
    for rows in _chunks(X, coefs, max_elements):
        A = _cast(X, rows, output.dtype)
        for W, b, g in zip(coefs[:-1], intercepts[:-1], activations, strict=False):
            A = _layer(A, W, b, g)[1]
        Z = output[rows]
        dot(A, coefs[-1], out=Z)
        Z += intercepts[-1]
    return output


def hidden_activations(
    coefs: Sequence[Array],
    intercepts: Sequence[Array],
    activations: Sequence[Activation],
    X: Any,
    max_elements: int = MAX_ELEMENTS,
) -> list[Array]:
    """Compute the activations of every hidden layer.

    Parameters
    ----------
    coefs, intercepts, activations, X, max_elements
        As for `decision_function`.

    Returns
    -------
    A : list of ndarray of shape (n_samples, n_units)
        In the dtype of the parameters.
    """
    output = [_empty(X, coefs, l) for l in range(len(coefs) - 1)]
    for rows in _chunks(X, coefs, max_elements):
        A = _cast(X, rows, coefs[0].dtype)
        for l, layer in enumerate(output):
            A = _layer(A, coefs[l], intercepts[l], activations[l])[1]
            layer[rows] = A
    return output


def input_gradient(
    coefs: Sequence[Array],
    intercepts: Sequence[Array],
    activations: Sequence[Activation],
    X: Any,
    seed: Callable[[Array], Array],
    max_elements: int = MAX_ELEMENTS,
) -> Array:
    r"""Compute the gradient of the last activations with respect to the input.

    .. math:: \frac{\partial}{\partial x_i} \sum_k s_{ik} \, a^L_k(x_i)

    Parameters
    ----------
    coefs, intercepts : list of ndarray
        Weights and biases of every layer. Those of the first layers alone give the
        gradient of the units of a hidden layer.

    activations : list of Activation
        Activations of every layer, one for each in `coefs`.

    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Input.

    seed : callable
        Takes the last activations of a chunk, of shape (n_rows, n_units), and
        returns their factors s, of the same shape.

    max_elements : int, default=2**20
        Maximum number of elements of a buffer.

    Returns
    -------
    gradient : ndarray of shape (n_samples, n_features)
        In the dtype of the parameters.
    """
    gradient = np.empty(X.shape, coefs[0].dtype)
    for rows in _chunks(X, coefs, max_elements):
        A, workspace = _cast(X, rows, gradient.dtype), []
        for W, b, g in zip(coefs, intercepts, activations, strict=True):
            Z, A = _layer(A, W, b, g)
            workspace.append((Z, A))
        delta = np.array(seed(A), gradient.dtype)
        for W, g, (Z, A) in zip(
            reversed(coefs), reversed(activations), reversed(workspace), strict=True
        ):
            g.backward(Z, A, delta, np.empty_like(delta))
            delta = delta @ W.T
        gradient[rows] = delta
    return gradient


def ignore_floating_point_errors() -> np.errstate:
    """Return a context that ignores NumPy's floating-point errors.

    The consequences of an overflow are reported where they matter, and an underflow is
    harmless. The program of the user may have set NumPy to raise errors.
    """
    return np.errstate(all="ignore")


def call_with_errors_ignored(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function within `ignore_floating_point_errors`, and return its result.

    NumPy's error handling is restored even if an exception, for example of a signal
    handler, is raised while the context is entered or left.
    """
    errstate = np.geterr()
    try:
        with ignore_floating_point_errors():
            return function(*args)
    except BaseException:
        np.seterr(**errstate)
        raise


def check_output(output: Array, X: Any, parameters: Sequence[Array], what: str) -> None:
    """Raise an error with the cause if an output is not finite.

    An infinite sum has lost its other terms, and whether the next layer turns it into a
    NaN depends on the order in which BLAS adds up. Therefore infinity is an error, like
    NaN.

    Parameters
    ----------
    output : ndarray of shape (n_samples, n_units)
        Output of a network for X.

    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Input of the network.

    parameters : list of ndarray
        Weights and biases of the network.

    what : str
        Name of the output in the error message.
    """
    if np.isfinite(output).all():
        return
    rows = np.flatnonzero(~np.isfinite(output).all(axis=1))
    if not np.isfinite(_entries(X[rows[:1]])).all():  # under assume_finite
        why = "X is not finite in that row."
    elif all(np.isfinite(array).all() for array in parameters):
        why = (
            f"It overflows {output.dtype}: in that row, X has values of up to "
            f"{np.abs(_entries(X[rows[:1]])).max(initial=0):g}, and the weights and "
            f"biases are of up to {max(np.abs(a).max() for a in parameters):g}. Scale "
            "X before fit, for example with StandardScaler, and here in the same way."
        )
    else:
        why = "coefs_ and intercepts_ have numbers that are not finite. Call fit again."
    raise ValueError(
        f"The {what} must be finite, but is not for {len(rows)} of {len(output)} "
        f"samples, the first of them in row {rows[0]}. {why}"
    )


def cast_chunks(
    X: Any, coefs: Sequence[Array], max_elements: int = MAX_ELEMENTS
) -> Iterator[tuple[slice, Any]]:
    """Iterate over X in the dtype of the parameters, copying rows only if necessary.

    Yields
    ------
    rows : slice
        All rows if X has that dtype, otherwise the rows of a chunk.

    A : {ndarray, sparse matrix}
        X[rows], in the dtype.
    """
    dtype = coefs[0].dtype
    if X.dtype == dtype:
        yield slice(None), X
        return
    for rows in _chunks(X, coefs, max_elements):
        yield rows, _cast(X, rows, dtype)


def _cast(X: Any, rows: slice, dtype: np.dtype) -> Any:
    """Return rows of X in another dtype, or raise if they are beyond its range."""
    chunk = X[rows]
    if chunk.dtype == dtype:
        return chunk
    with np.errstate(over="ignore"):
        A = chunk.astype(dtype)
    if not np.isfinite(_entries(A)).all() and np.isfinite(_entries(chunk)).all():
        largest = np.abs(_entries(X)).max()
        raise ValueError(
            f"X is beyond the range of the network's dtype, {dtype}: its largest "
            f"absolute value is {largest}."
        )
    return A


def _entries(X: Any) -> Array:
    return X.data if issparse(X) else X


def _layer(A: Any, W: Array, b: Array, g: Activation) -> tuple[Array, Array]:
    Z = A @ W
    Z += b
    return Z, g.apply(Z)


def _empty(X: Any, coefs: Sequence[Array], l: int) -> Array:
    return np.empty((X.shape[0], coefs[l].shape[1]), coefs[0].dtype)


def _chunks(X: Any, coefs: Sequence[Array], max_elements: int) -> Iterator[slice]:
    n_samples = X.shape[0]
    widest = max(max(W.shape) for W in coefs)
    chunk = max(1, min(n_samples, max_elements // widest))
    for start in range(0, n_samples, chunk):
        yield slice(start, min(start + chunk, n_samples))
