r"""The multilayer perceptron: forward pass and backpropagation.

Layer :math:`l = 1, \dots, L` has weights :math:`W^l`, biases :math:`b^l` and
the activation :math:`g_l`. A batch of samples, the rows of :math:`X`, goes
forward through

.. math:: A^0 = X, \qquad Z^l = A^{l-1} W^l + b^l, \qquad A^l = g_l(Z^l)

and the loss :math:`E`, summed over the batch, backward, with
:math:`\delta^l = \partial E / \partial Z^l`, through

.. math::

    \frac{\partial E}{\partial W^l} = (A^{l-1})^T \delta^l, \qquad
    \frac{\partial E}{\partial b^l} = \sum_i \delta^l_i, \qquad
    \delta^{l-1} = \delta^l (W^l)^T \odot g_{l-1}'(Z^{l-1}).

Dropout multiplies the input :math:`A^{l-1}` of layer *l* by a mask. Batch normalization
is applied between the product :math:`A^{l-1} W^l` and the bias. They are in modules of
their own.

Both passes write into the buffers of a `Workspace`, so that a training step does not
allocate memory that grows with the batch or the network.
"""

import numpy as np

from skmlp.core.batch_norm import BatchNorm, fold
from skmlp.core.dropout import Dropout, SparseDropout


class Network:
    """The layers of a multilayer perceptron, without its parameters.

    Parameters
    ----------
    layer_sizes : sequence of int
        Number of units of every layer, input and output included.

    activations : sequence of Activation
        One for each layer after the input.

    loss : Loss
        Compares the targets with the output.

    dropout : sequence of float, default=None
        Dropout rate of the input and of every hidden layer. None for no dropout.

    batch_norm_epsilon : float, default=None
        Constant added to the variances by the batch normalization of the hidden
        layers. None for no batch normalization.

    frozen : collection of int, default=()
        Indices of layers that are not trained, 0 for the first. Their gradient is
        zero, and their batch normalization uses the running statistics.
    """

    def __init__(
        self,
        layer_sizes,
        activations,
        loss,
        dropout=None,
        batch_norm_epsilon=None,
        frozen=(),
    ):
        self.layer_sizes = tuple(layer_sizes)
        self.activations = list(activations)
        self.loss = loss
        self.dropout = dropout or [0.0] * (len(self.layer_sizes) - 1)
        self.batch_norm_epsilon = batch_norm_epsilon
        self.frozen = frozenset(frozen)
        # The derivative of the loss by the last Z is then P - Y.
        self.has_canonical_output = self.activations[-1].name == loss.canonical
        # No gradient is needed below the first trained layer.
        self.first = min(set(range(len(self.activations))) - self.frozen)

    def frozen_views(self, theta):
        """Return the views of `theta` that belong to frozen layers."""
        parts = theta.coefs, theta.intercepts, theta.scales
        return [part[l] for part in parts for l in sorted(self.frozen) if l < len(part)]

    def frozen_weights(self, theta):
        """Return a boolean mask of the `theta.weights` of frozen layers."""
        frozen = theta.zeros_like()
        for view in self.frozen_views(frozen):
            view[...] = 1
        return frozen.weights == 1

    def inference_parameters(self, theta):
        """Return weights and biases for prediction, without batch normalization."""
        if self.batch_norm_epsilon is None:
            return theta.coefs, theta.intercepts
        return fold(
            theta.coefs,
            theta.intercepts,
            theta.scales,
            theta.means,
            theta.variances,
            self.batch_norm_epsilon,
        )

    def output(self, Z):
        """Return the output activation of the last pre-activations, in new memory."""
        return self.activations[-1].apply(Z.copy())

    def mean_loss(self, Y, P, w):
        """Return the weighted mean of the loss over samples, as training reports it.

        Parameters
        ----------
        Y, P : ndarray of shape (n_samples, n_outputs)
            Targets and output.

        w : ndarray of shape (n_samples,) or None
            Sample weights.

        Returns
        -------
        loss : float
        """
        n = len(P) if w is None else float(np.add.reduce(w))
        w = None if w is None else w[:, np.newaxis]
        out, row = np.empty_like(P), np.empty(P.shape[1])
        return self.loss.value(Y, P, w, n, out, row) / self.loss_divisor

    @property
    def loss_divisor(self):
        """Number of outputs if the reported loss is a mean over them, otherwise 1."""
        return self.layer_sizes[-1] if self.loss.mean_over_outputs else 1

    def forward(self, theta, X, w, workspace):
        """Compute the activations of every layer into `workspace.A`.

        Parameters
        ----------
        theta : Parameters
            Weights and biases.

        X : {ndarray, sparse matrix} of shape (n_samples, n_features)
            Input.

        w : ndarray of shape (n_samples, 1) or None
            Sample weights, not all zero. Samples of weight zero are replaced by a
            sample of positive weight, so that an overflow of theirs has no effect.

        workspace : Workspace
            Buffers for n_samples.

        Returns
        -------
        P : ndarray of shape (n_samples, n_outputs)
            Output of the network, `workspace.A[-1]`.
        """
        A, inputs = X, workspace.inputs
        for l, g in enumerate(self.activations):
            dropout, norm, Z = workspace.dropout[l], workspace.norm[l], workspace.Z[l]
            if dropout is not None:
                A = dropout.forward(A)
            inputs[l] = A
            dot(A, theta.coefs[l], Z)
            if l == 0 and w is not None:
                _replace_absent(Z, w)
            if norm is not None:
                norm.forward(Z, theta.scales[l], theta.means[l], theta.variances[l], w)
            Z += theta.intercepts[l]
            A = workspace.A[l]
            g.forward(Z, A)
        return A

    def backward(self, theta, Y, w, workspace, grad):
        """Backpropagate the sum of the losses of a batch after `forward`.

        Parameters
        ----------
        theta : Parameters
            Weights and biases.

        Y : ndarray of shape (n_samples, n_outputs)
            Targets.

        w : ndarray of shape (n_samples, 1) or None
            Sample weights.

        workspace : Workspace
            Buffers that `forward` has filled. The output is overwritten.

        grad : Parameters
            Overwritten with the gradient.
        """
        P, delta = workspace.A[-1], workspace.deltas[-1]
        if self.has_canonical_output:
            np.subtract(P, Y, out=delta)
        else:
            self.loss.gradient(Y, P, delta)
            self.activations[-1].backward(workspace.Z[-1], P, delta, workspace.work[-1])
        if w is not None:
            delta *= w
        first = self.first
        for l in range(len(self.activations) - 1, first - 1, -1):
            W, grad_b, norm = theta.coefs[l], grad.intercepts[l], workspace.norm[l]
            np.add.reduce(delta, axis=0, out=grad_b)
            if norm is not None:
                norm.backward(
                    delta, theta.scales[l], grad_b, grad.scales[l], workspace.work[l]
                )
            dot(workspace.inputs[l].T, delta, grad.coefs[l])
            if l > first:  # the input and frozen layers need no gradient
                below, dropout = l - 1, workspace.dropout[l]
                delta = np.dot(delta, W.T, workspace.deltas[below])
                if dropout is not None:
                    delta *= dropout.mask
                self.activations[below].backward(
                    workspace.Z[below],
                    workspace.A[below],
                    delta,
                    workspace.work[below],
                )


class Workspace:
    """Buffers of the forward and backward pass over a batch.

    Parameters
    ----------
    network : Network
        The network.

    n_samples : int
        Size of the batch.

    dtype : dtype
        Data type of the buffers.

    sparse : bool, default=False
        Whether the input is sparse.

    Attributes
    ----------
    A : list of ndarray of shape (n_samples, layer_sizes[l])
        Activations of the layers after the input.

    Z : list of ndarray of shape (n_samples, layer_sizes[l])
        Pre-activations. They share the memory of A, and are overwritten, unless the
        activation needs them later.

    deltas : list of ndarray of shape (n_samples, layer_sizes[l])
        Derivatives by the pre-activations (delta). That of the output layer shares
        the memory of its activation if the loss allows it.

    inputs : list of ndarray
        Input of each layer after the input layer.

    dropout : list of Dropout or None
        Dropout of the input of each layer after the input layer.

    norm : list of BatchNorm or None
        Batch normalization of each layer after the input.

    work : list of ndarray of shape (n_samples, layer_sizes[l])
        Scratch memory of each layer after the input, which all layers share.

    row : ndarray of shape (layer_sizes[-1],)
        Scratch memory for the loss, always in float64 because it adds up many
        samples.
    """

    def __init__(self, network, n_samples, dtype, sparse=False):
        sizes = network.layer_sizes[1:]
        self.n_samples = n_samples

        def buffer(size):
            return np.empty((n_samples, size), dtype)

        self.A = [buffer(size) for size in sizes]
        self.Z = [
            buffer(A.shape[1]) if g.needs_z else A
            for A, g in zip(self.A, network.activations, strict=True)
        ]
        self.deltas = [buffer(size) for size in sizes[:-1]]
        self.deltas.append(
            self.A[-1] if network.has_canonical_output else buffer(sizes[-1])
        )
        self.inputs = [None] * len(sizes)
        self.dropout: list = [None] * len(sizes)
        for l, rate in enumerate(network.dropout):
            if rate and sparse and l == 0:
                self.dropout[l] = SparseDropout(rate)
            elif rate:
                shape = (n_samples, network.layer_sizes[l])
                self.dropout[l] = Dropout(rate, shape, dtype)
        self.norm: list = [None] * len(sizes)
        if network.batch_norm_epsilon is not None:
            for l, size in enumerate(sizes[:-1]):
                self.norm[l] = BatchNorm(
                    network.batch_norm_epsilon,
                    n_samples,
                    size,
                    dtype,
                    l in network.frozen,
                )
        scratch = np.empty(n_samples * max(sizes), dtype)
        self.work = [
            scratch[: n_samples * size].reshape(n_samples, size) for size in sizes
        ]
        self.row = np.empty(sizes[-1])

    def draw_dropout(self, rng):
        """Draw the masks of the next forward passes."""
        for dropout in self.dropout:
            if dropout is not None:
                dropout.draw(rng)

    def update_running_statistics(self, theta, momentum):
        """Update those of `theta` with the statistics of the last forward pass."""
        for l, norm in enumerate(self.norm):
            if norm is not None:
                norm.update_running(theta.means[l], theta.variances[l], momentum)


def _replace_absent(Z, w):
    """Replace samples of weight zero by a sample of positive weight.

    An overflow in them would matter, because zero times infinity is NaN.
    """
    if np.count_nonzero(w) < len(w):
        Z[w[:, 0] == 0] = Z[np.argmax(w)]


def dot(A, B, out):
    """Write the matrix product A B into `out`. A may be sparse."""
    if type(A) is np.ndarray:  # faster than a test for sparse
        np.dot(A, B, out)
    else:
        out[...] = A @ B
