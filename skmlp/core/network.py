r"""The multilayer perceptron: forward pass and backpropagation.

Layer :math:`l = 1, \dots, L` has weights :math:`W^l`, biases :math:`b^l` and
the activation :math:`g_l`. A batch of samples, the rows of :math:`X`, goes
forward through

.. math:: A^0 = X, \qquad Z^l = A^{l-1} W^l + b^l, \qquad A^l = g_l(Z^l)

and the loss :math:`E` backward, with :math:`\delta^l = \partial E / \partial
Z^l`, through

.. math::

    \frac{\partial E}{\partial W^l} = (A^{l-1})^T \delta^l, \qquad
    \frac{\partial E}{\partial b^l} = \sum_i \delta^l_i, \qquad
    \delta^{l-1} = \delta^l (W^l)^T \odot g_{l-1}'(Z^{l-1}).

Both passes write into the buffers of a `Tape`, so that a training step
allocates nothing that grows with the batch or the network.
"""

import numpy as np
from scipy.sparse import issparse


class Network:
    """Shape and functions of a multilayer perceptron; it holds no parameters.

    Parameters
    ----------
    layer_sizes : sequence of int
        Number of units of every layer, input and output included.

    activation : Activation
        Activation of the hidden layers.

    loss : Loss
        Loss, which brings the activation of the output layer.
    """

    def __init__(self, layer_sizes, activation, loss):
        self.layer_sizes = tuple(layer_sizes)
        self.loss = loss
        self.activations = [activation] * (len(self.layer_sizes) - 2)
        self.activations.append(loss.output_activation)

    def forward(self, theta, X, tape):
        """Compute the activations of every layer into `tape.A`.

        Parameters
        ----------
        theta : Parameters
            Weights and biases.

        X : {ndarray, sparse matrix} of shape (n_samples, n_features)
            Input.

        tape : Tape
            Buffers for n_samples.

        Returns
        -------
        P : ndarray of shape (n_samples, n_outputs)
            Output of the network, `tape.A[-1]`.
        """
        A = X
        for W, b, g, Z in zip(
            theta.coefs, theta.intercepts, self.activations, tape.A, strict=True
        ):
            dot(A, W, out=Z)
            Z += b
            g.forward(Z)
            A = Z
        return A

    def backward(self, theta, X, Y, w, tape, grad):
        """Backpropagate the summed loss of a batch after `forward`.

        Parameters
        ----------
        theta : Parameters
            Weights and biases.

        X : {ndarray, sparse matrix} of shape (n_samples, n_features)
            Input that `forward` was given.

        Y : ndarray of shape (n_samples, n_outputs)
            Targets.

        w : ndarray of shape (n_samples, 1) or None
            Sample weights.

        tape : Tape
            Buffers that `forward` filled; the output in it is overwritten.

        grad : Parameters
            Overwritten with the gradient.
        """
        delta = tape.A[-1]
        self.loss.delta(Y, delta)
        if w is not None:
            delta *= w
        for l in range(len(theta.coefs) - 1, -1, -1):
            A = tape.A[l - 1] if l > 0 else X
            dot(A.T, delta, out=grad.coefs[l])
            np.add.reduce(delta, axis=0, out=grad.intercepts[l])
            if l > 0:  # the input needs no gradient
                dot(delta, theta.coefs[l].T, out=tape.D[l - 1])
                delta = tape.D[l - 1]
                self.activations[l - 1].backward(A, delta, tape.work[l - 1])


class Tape:
    """Buffers of the forward and backward pass over a batch.

    Parameters
    ----------
    layer_sizes : sequence of int
        Number of units of every layer, input and output included.

    n_samples : int
        Size of the batch.

    dtype : dtype
        Type of the buffers.

    Attributes
    ----------
    A : list of ndarray of shape (n_samples, layer_sizes[l])
        Activations of the layers after the input.

    D : list of ndarray of shape (n_samples, layer_sizes[l])
        Deltas of the hidden layers. The output layer's takes the place of its
        activation.

    work : list of ndarray of shape (n_samples, layer_sizes[l])
        Scratch memory for each layer after the input; all share the same.

    row : ndarray of shape (layer_sizes[-1],)
        Scratch memory for the loss.
    """

    def __init__(self, layer_sizes, n_samples, dtype):
        sizes = layer_sizes[1:]
        self.n_samples = n_samples
        self.A = [np.empty((n_samples, size), dtype) for size in sizes]
        self.D = [np.empty((n_samples, size), dtype) for size in sizes[:-1]]
        scratch = np.empty(n_samples * max(sizes), dtype)
        self.work = [
            scratch[: n_samples * size].reshape(n_samples, size) for size in sizes
        ]
        self.row = np.empty(sizes[-1], dtype)


def dot(A, B, out):
    """Matrix product A B, written into `out`; A may be sparse."""
    if issparse(A):
        out[...] = A @ B
    else:
        np.dot(A, B, out)


def decision_function(coefs, intercepts, activations, X, max_elements=2**20):
    """Output of a network before the output activation.

    Parameters
    ----------
    coefs, intercepts : list of ndarray
        Weights and biases of every layer.

    activations : list of Activation
        Activations of the hidden layers.

    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Input, of any real dtype; sparse in CSR format.

    max_elements : int, default=2**20
        Bound on the size of a buffer: the samples go through the network in
        chunks, so that the memory does not grow with their number.

    Returns
    -------
    Z : ndarray of shape (n_samples, n_outputs)
        In the dtype of the parameters.
    """
    n_samples, dtype = X.shape[0], coefs[0].dtype
    output = np.empty((n_samples, len(intercepts[-1])), dtype)
    widest = max(max(W.shape) for W in coefs)
    chunk = max(1, min(n_samples, max_elements // widest))
    hidden = [np.empty((chunk, len(b)), dtype) for b in intercepts[:-1]]
    for start in range(0, n_samples, chunk):
        rows = slice(start, min(start + chunk, n_samples))
        A = X[rows].astype(dtype, copy=False)
        buffers = [H[: rows.stop - start] for H in hidden] + [output[rows]]
        for l, Z in enumerate(buffers):
            dot(A, coefs[l], out=Z)
            Z += intercepts[l]
            if l < len(hidden):
                activations[l].forward(Z)
            A = Z
    return output
