"""Prediction: outputs, hidden activations and gradients with respect to the input.

The functions take a network, and the arrays of each layer as `Network.arrange` returns
them. Samples are processed in chunks, so that the memory besides the result does not
grow with their number.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse

from skmlp.core._typing import Array
from skmlp.core.activations import Activation
from skmlp.core.network import Context, Network, Workspace

MAX_ELEMENTS = 2**20
"""Maximum number of elements of a buffer."""


def decision_function(
    network: Network, arrays: list, X: Any, max_elements: int = MAX_ELEMENTS
) -> Array:
    """Compute the output of a network before the output activation.

    Parameters
    ----------
    network : Network
        The network.

    arrays : list of list of ndarray
        Parameters and running statistics of each layer, see `Network.arrange`.

    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Input, of any real dtype; sparse in CSR format.

    max_elements : int, default=2**20
        Maximum number of elements of a buffer.

    Returns
    -------
    Z : ndarray of shape (n_samples, n_outputs)
        The result, in the dtype of the parameters.
    """
    output = _empty(X, arrays, network.layer_sizes[-1])
    for rows in _chunks(X, network, max_elements):
        Z = _cast(X, rows, output.dtype)
        for _, A in _forward(network.layers[:-1], arrays, Z):
            Z = A
        output[rows] = network.average(Z)
    return output


def hidden_activations(
    network: Network, arrays: list, X: Any, max_elements: int = MAX_ELEMENTS
) -> list[Array]:
    """Compute the output of every hidden layer.

    Parameters
    ----------
    network, arrays, X, max_elements
        See `decision_function`.

    Returns
    -------
    A : list of ndarray of shape (n_samples, n_members * n_units)
        The result, in the dtype of the parameters. The units of one member follow
        those of another.
    """
    n_members = network.n_members
    output = [_empty(X, arrays, n_members * n) for n in network.layer_sizes[1:-1]]
    if not output:
        return output
    ends = network.ends[:-1]
    layers = network.layers[: ends[-1] + 1]
    for rows in _chunks(X, network, max_elements):
        below = _cast(X, rows, _dtype(arrays))
        for i, (_, A) in enumerate(_forward(layers, arrays, below)):
            if i in ends:
                A_out = output[ends.index(i)][rows]
                A_out[...] = A.reshape(A_out.shape)
    return output


def input_gradient(
    network: Network,
    arrays: list,
    X: Any,
    seed: Callable[[Array], Array],
    stop: int | None = None,
    max_elements: int = MAX_ELEMENTS,
) -> Array:
    r"""Compute the gradient of the output of a layer with respect to the input.

    .. math:: \frac{\partial}{\partial x_i} \sum_k s_{ik} \, a_k(x_i)

    Parameters
    ----------
    network, arrays
        See `decision_function`.

    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Input.

    seed : callable
        Takes the output of the layer for a chunk, of shape (n_rows, n_units), and
        returns the factors s, of the same shape. The output of an ensemble is its
        average, and a hidden layer has the units of all members.

    stop : int, default=None
        Number of layers, of `network.layers`, whose output is differentiated. All of
        them by default.

    max_elements : int, default=2**20
        Maximum number of elements of a buffer.

    Returns
    -------
    gradient : ndarray of shape (n_samples, n_features)
        The result, in the dtype of the parameters.
    """
    gradient = np.empty(X.shape, _dtype(arrays))
    stop = len(network.layers) if stop is None else stop
    workspace = None
    for rows in _chunks(X, network, max_elements, with_gradient=True):
        A = _cast(X, rows, gradient.dtype)
        if workspace is None or workspace.n_samples != A.shape[0]:
            workspace = None  # release the memory first
            workspace = Workspace(
                network, A.shape[0], gradient.dtype, issparse(A), is_training=False
            )
        workspace.begin(None)
        for i in range(stop):
            A = workspace.layers[i].forward(A, arrays[i], workspace)
        delta = _seed_members(network, A, seed, stop)
        gradient[rows] = workspace.backward(delta, arrays, arrays, stop, 0)
    return gradient


def _seed_members(
    network: Network, A: Array, seed: Callable[[Array], Array], stop: int
) -> Array:
    """Return the derivative with respect to the output of each member."""
    k = network.n_members
    if k == 1:
        return np.array(seed(A), A.dtype)
    members = A.reshape(-1, k, A.shape[1])
    if stop == len(network.layers):
        delta = np.repeat(seed(members.mean(axis=1))[:, np.newaxis] / k, k, axis=1)
    elif stop == len(network.layers) - 1:
        g = network.activations[-1]
        delta = g.average_backward(members, seed(g.average(members)))
    else:
        delta = seed(A.reshape(-1, k * A.shape[1]))
    return np.array(delta.reshape(A.shape), A.dtype)


def activations(
    network: Network, arrays: list, X: Any
) -> Iterator[tuple[Activation, Array, Array]]:
    """Compute the input and the output of the activation of every layer.

    Parameters
    ----------
    network, arrays
        See `decision_function`.

    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Input, in the dtype of the parameters.

    Yields
    ------
    g : Activation
        The activation.

    Z, A : ndarray of shape (n_samples * n_members, n_units)
        Its input and its output. They are the same array unless g `needs_z`.
    """
    Z: Any = None
    for layer, A in _forward(network.layers, arrays, X):
        if hasattr(layer, "g"):
            yield layer.g, (Z if layer.g.needs_z else A), A
        Z = A


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
    X: Any, network: Network, arrays: list, max_elements: int = MAX_ELEMENTS
) -> Iterator[tuple[slice, Any]]:
    """Iterate over X in the dtype of the parameters, copying rows only if necessary.

    Yields
    ------
    rows : slice
        All rows if X has that dtype, otherwise the rows of a chunk.

    A : {ndarray, sparse matrix}
        X[rows], in the dtype.
    """
    dtype = _dtype(arrays)
    if X.dtype == dtype:
        yield slice(None), X
        return
    for rows in _chunks(X, network, max_elements):
        yield rows, _cast(X, rows, dtype)


def _cast(X: Any, rows: slice, dtype: np.dtype) -> Any:
    """Return rows of X in another dtype, or raise if they are beyond its range."""
    is_all = rows.start == 0 and rows.stop == X.shape[0]
    chunk = X if is_all else X[rows]  # a range of sparse rows is a copy
    if chunk.dtype == dtype:
        return chunk
    with ignore_floating_point_errors():
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


def _forward(layers: Sequence[Any], arrays: list, A: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each layer and its output, which the next one may overwrite."""
    context = Context(A.shape[0])
    for layer, theta in zip(layers, arrays, strict=False):
        A = layer.forward(A, theta, context)
        yield layer, A


def _dtype(arrays: list) -> np.dtype:
    return next(array.dtype for layer in arrays for array in layer)


def _empty(X: Any, arrays: list, n_units: int) -> Array:
    return np.empty((X.shape[0], n_units), _dtype(arrays))


def _chunks(
    X: Any, network: Network, max_elements: int, with_gradient: bool = False
) -> Iterator[slice]:
    """Yield ranges of rows. Only the gradient of sparse rows needs a dense buffer."""
    n_samples = X.shape[0]
    skips_input = issparse(X) and not with_gradient and network.n_members == 1
    widest = max(network.layer_sizes[skips_input:]) * network.n_members
    chunk = max(1, min(n_samples, max_elements // widest))
    for start in range(0, n_samples, chunk):
        yield slice(start, min(start + chunk, n_samples))
