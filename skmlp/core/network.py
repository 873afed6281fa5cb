r"""The network: a list of layers, and a loss.

A batch of samples, the rows of :math:`X`, goes forward through the layers, and the
derivative of the loss :math:`E`, summed over the batch, goes backward. For the hidden
layers and the output layer :math:`l = 1, \dots, L` of a multilayer perceptron, with
weights :math:`W^l`, biases :math:`b^l` and the activation :math:`g_l`, that is

.. math:: A^0 = X, \qquad Z^l = A^{l-1} W^l + b^l, \qquad A^l = g_l(Z^l)

and, with :math:`\delta^l = \partial E / \partial Z^l`,

.. math::

    \frac{\partial E}{\partial W^l} = (A^{l-1})^T \delta^l, \qquad
    \frac{\partial E}{\partial b^l} = \sum_i \delta^l_i, \qquad
    \delta^{l-1} = \delta^l (W^l)^T \odot g_{l-1}'(Z^{l-1}).

Each module of `skmlp.layers` has the equations of one kind of layer.

Both passes write into the buffers of a `Workspace`, so that a training step does not
allocate memory that grows with the batch or the network.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from skmlp.core._typing import Array
from skmlp.core.parameters import Layout, Parameters


class Network:
    """The layers of a network, without the values of its parameters.

    Parameters
    ----------
    layers : sequence of Layer
        The layers, see `skmlp.layers`. The last one is the activation of the output.

    loss : Loss
        Compares the targets with the output.

    Attributes
    ----------
    layer_sizes : tuple of int
        Number of units of the input and of the output of each dense layer.

    activations : list of Activation
        The activation functions of the hidden layers and of the output.

    layout : Layout
        Shapes of the parameters and running statistics.

    shapes : list of list of tuple
        Shapes of the parameters and running statistics of each layer.

    n_members : int
        Number of members of the ensemble, which have a row each for each sample.

    first : int
        Index of the first layer that is trained. The backward pass stops there.

    ends : list of int
        Indices of the layers whose output is that of each hidden layer, and of the
        output layer.

    has_canonical_output : bool
        Whether the derivative of the loss with respect to the last Z is P - Y.
    """

    def __init__(self, layers: Sequence[Any], loss: Any) -> None:
        self.layers = list(layers)
        self.loss = loss
        dense = [layer for layer in self.layers if "coefs" in layer.parameters]
        self.layer_sizes = (dense[0].n_in, *(layer.n_out for layer in dense))
        self.activations = [layer.g for layer in self.layers if hasattr(layer, "g")]
        self.has_canonical_output = self.activations[-1].name == loss.canonical
        self.n_members = math.prod(layer.n_rows_out for layer in self.layers)
        self.layout, self._places = Layout.of(self.layers)
        self.shapes = [
            [self.layout.groups[name][k] for name, k in places]
            for places in self._places
        ]
        self.ends: list[int] = []
        for i, layer in enumerate(self.layers):
            if "coefs" in layer.parameters:
                self.ends.append(i)
            elif layer.ends_block:
                self.ends[-1] = i
        self.first = min(
            i
            for i, layer in enumerate(self.layers)
            if layer.parameters and not layer.frozen
        )

    def __getstate__(self) -> dict:
        return {"layers": self.layers, "loss": self.loss}

    def __setstate__(self, state: dict) -> None:
        if "layers" in state:
            self.__init__(**state)  # type: ignore[misc]
        else:  # of a version without layers; the estimator converts it
            self.__dict__.update(state)

    @property
    def options(self) -> set[str]:
        """Names of the parameters of the estimators that change what is computed."""
        return {layer.option for layer in self.layers if layer.option is not None}

    @property
    def draws(self) -> bool:
        """Whether training draws random numbers for the layers, as for dropout."""
        return any(layer.draws for layer in self.layers)

    def arrange(self, groups: Parameters | Mapping[str, Sequence[Array]]) -> list:
        """Return the parameters and running statistics of each layer.

        Parameters
        ----------
        groups : Parameters or dict of str to list of ndarray
            The arrays, by group, such as 'coefs'.

        Returns
        -------
        arrays : list of list of ndarray
            One list for each layer.
        """
        if isinstance(groups, Parameters):
            groups = groups.groups
        return [[groups[name][k] for name, k in places] for places in self._places]

    def frozen_views(self, theta: Parameters) -> list[Array]:
        """Return the views of `theta` that belong to frozen layers."""
        return [
            theta.groups[name][k]
            for layer, places in zip(self.layers, self._places, strict=True)
            if layer.frozen
            for name, k in places
            if name in theta.layout.parameters
        ]

    def frozen_weights(self, theta: Parameters) -> Array:
        """Return a boolean mask of the `theta.weights` of frozen layers."""
        frozen = theta.zeros_like()
        for view in self.frozen_views(frozen):
            view[...] = 1
        return frozen.weights == 1

    def blocks(self) -> Iterator[list[Any]]:
        """Split the layers before each dense layer.

        Yields
        ------
        block : list of Layer
            First the layers before the first dense layer, if any, then each dense
            layer and what follows it.
        """
        block: list[Any] = []
        for layer in self.layers:
            if "coefs" in layer.parameters:
                yield block
                block = []
            block.append(layer)
        yield block

    def mean_loss(self, Y: Array, P: Array, w: Array | None) -> float:
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
    def loss_divisor(self) -> int:
        """Number of outputs if the reported loss is a mean over them, otherwise 1."""
        return self.layer_sizes[-1] if self.loss.mean_over_outputs else 1

    def output(self, Z: Array) -> Array:
        """Return the output activation of the last pre-activations, in new memory."""
        return self.activations[-1].apply(Z.copy())

    def average(self, Z: Array) -> Array:
        """Return the pre-activations whose output is the mean of those of the members.

        Parameters
        ----------
        Z : ndarray of shape (n_samples * n_members, n_outputs)
            Pre-activations of the members.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_outputs)
            The same array if there is one member.
        """
        if self.n_members == 1:
            return Z
        members = Z.reshape(-1, self.n_members, Z.shape[1])
        return self.activations[-1].average(members)

    def forward(
        self, arrays: list, X: Any, w: Array | None, workspace: Workspace
    ) -> Array:
        """Compute the output of a batch in training.

        Parameters
        ----------
        arrays : list of list of ndarray
            Parameters and running statistics of each layer, see `arrange`.

        X : {ndarray, sparse matrix} of shape (n_samples, n_features)
            Input.

        w : ndarray of shape (n_samples, 1) or None
            Sample weights, not all zero. Samples of weight zero are replaced by a
            sample of positive weight, so that their overflow has no effect.

        workspace : Workspace
            Buffers for n_samples.

        Returns
        -------
        P : ndarray of shape (n_samples * n_members, n_outputs)
            Output of the network, `workspace.A[-1]`.
        """
        workspace.begin(w)
        A = X
        for forward, theta in zip(workspace.forwards, arrays, strict=False):
            A = forward(A, theta, workspace)
        return A

    def backward(
        self,
        arrays: list,
        Y: Array,
        w: Array | None,
        workspace: Workspace,
        grads: list,
    ) -> None:
        """Backpropagate the sum of the losses of a batch after `forward`.

        Parameters
        ----------
        arrays : list of list of ndarray
            Parameters and running statistics of each layer.

        Y : ndarray of shape (n_samples, n_outputs)
            Targets.

        w : ndarray of shape (n_samples, 1) or None
            Sample weights.

        workspace : Workspace
            Buffers that `forward` has filled. The output is overwritten.

        grads : list of list of ndarray
            The gradient in the same arrangement. It is overwritten for the layers that
            are trained.
        """
        output = workspace.layers[-1]
        P, delta = output.A, workspace.delta
        Y, w = workspace.for_members(Y, w)
        if self.has_canonical_output:
            np.subtract(P, Y, out=delta)
        else:
            self.loss.gradient(Y, P, delta)
            output.backward(delta, arrays[-1], grads[-1], workspace)
        if w is not None:
            delta *= w
        if self.n_members > 1:
            delta /= self.n_members
        backwards = workspace.backwards
        for i in range(len(backwards) - 2, self.first - 1, -1):
            delta = backwards[i](delta, arrays[i], grads[i], workspace)


class Context:
    """Data that the layers share during a forward and a backward pass.

    Attributes
    ----------
    w : ndarray of shape (n_samples, 1) or None
        Sample weights.

    n_samples : int
        Number of samples.

    n_weighted : int
        Number of samples of positive weight.

    has_absent : bool
        Whether there are samples of weight zero that have not been replaced yet.

    kept : list of ndarray
        A stack of arrays that layers keep for later ones.
    """

    def __init__(self, n_samples: int) -> None:
        self.n_samples = n_samples
        self.kept: list[Array] = []
        self.begin(None)

    def begin(self, w: Array | None) -> None:
        """Begin a forward pass with these sample weights."""
        self.w = w
        self.n_weighted = self.n_samples
        self.has_absent = False
        if w is not None:
            self.n_weighted = int(np.count_nonzero(w))
            self.has_absent = self.n_weighted < self.n_samples
        if self.kept:  # derivatives that a backward pass has not used
            self.kept = []

    def replace_absent(self, Z: Array) -> None:
        """Replace samples of weight zero by a sample of positive weight.

        Otherwise an overflow in them would change the result, because zero times
        infinity is NaN.
        """
        w = self.w
        assert w is not None
        Z[w[:, 0] == 0] = Z[np.argmax(w)]
        self.has_absent = False


class Workspace(Context):
    """Buffers of the forward and backward pass over a batch.

    Parameters
    ----------
    network : Network
        The network.

    n_samples : int
        Size of the batch.

    dtype : dtype
        Data type of the buffers.

    is_sparse : bool, default=False
        Whether the input is sparse.

    is_training : bool, default=True
        Whether the passes are those of training. Otherwise they are those of
        prediction, and `backward` can go back to the input.

    Attributes
    ----------
    n_rows : int
        Number of rows of the buffers: one for each sample and member.

    layers : list of Layer
        Copies of the layers of the network, with their buffers.

    delta : ndarray of shape (n_rows, n_outputs)
        Derivative with respect to the output. It uses the memory of the output if
        possible.

    work : ndarray of shape (n_rows, n_outputs)
        Scratch memory for the loss.

    row : ndarray of shape (n_outputs,)
        Scratch memory for the loss, always in float64 because it adds up many
        samples.
    """

    def __init__(
        self,
        network: Network,
        n_samples: int,
        dtype: Any,
        is_sparse: bool = False,
        is_training: bool = True,
    ) -> None:
        super().__init__(n_samples)
        self.dtype = np.dtype(dtype)
        self.is_sparse = is_sparse
        self.is_training = is_training
        widest = max(layer.n_out for layer in network.layers)
        self._scratch = np.empty(n_samples * network.n_members * widest, dtype)
        self._n_members = network.n_members
        self._of_members: dict = {}
        self.n_rows = n_samples
        first = network.first if is_training else -1
        self.layers: list[Any] = []
        for i, layer in enumerate(network.layers):
            self.layers.append(layer.for_batch(self, i > first))
        self.forwards = [layer.forward for layer in self.layers]
        self.backwards = [layer.backward for layer in self.layers]
        n_outputs = network.layer_sizes[-1]
        if network.has_canonical_output:
            self.delta = self._output_buffer()
        else:
            self.delta = self.empty(n_outputs)
        self.work = self.scratch(n_outputs)
        self.row = np.empty(n_outputs)

    def empty(self, n_units: int) -> Array:
        """Return a new buffer of shape (n_rows, n_units)."""
        return np.empty((self.n_rows, n_units), self.dtype)

    def scratch(self, n_units: int) -> Array:
        """Return scratch memory of that shape, which all layers share."""
        size = self.n_rows * n_units
        return self._scratch[:size].reshape(self.n_rows, n_units)

    def for_members(self, *arrays: Array | None) -> tuple[Any, ...]:
        """Return arrays with each row repeated for each member.

        The repeated rows are in memory that the next call overwrites.
        """
        if self._n_members == 1:
            return arrays
        return tuple(map(self._repeat, range(len(arrays)), arrays))

    def _repeat(self, i: int, array: Array | None) -> Array | None:
        if array is None:
            return None
        n_rows, n_columns = array.shape
        if i not in self._of_members:
            shape = n_rows, self._n_members, n_columns
            self._of_members[i] = np.empty(shape, array.dtype)
        out = self._of_members[i]
        out[...] = array[:, np.newaxis]
        return out.reshape(-1, n_columns)

    def _output_buffer(self) -> Array:
        return next(
            layer.out for layer in reversed(self.layers) if layer.out is not None
        )

    @property
    def A(self) -> list[Array]:
        """Activations of each hidden layer and of the output, after `forward`."""
        return [layer.A for layer in self.layers if hasattr(layer, "g")]

    def draw(self, rng: np.random.Generator) -> None:
        """Draw the random numbers of the next forward passes."""
        for layer in self.layers:
            layer.draw(rng)

    def backward(
        self, delta: Any, arrays: list, grads: list, stop: int, first: int
    ) -> Any:
        """Backpropagate from the output of layer ``stop - 1`` through layer `first`.

        Parameters
        ----------
        delta : ndarray
            Derivative with respect to the output of layer ``stop - 1``. It may be
            overwritten.

        arrays, grads : list of list of ndarray
            Parameters of each layer, and the gradient with respect to them.

        stop, first : int
            Indices of layers.

        Returns
        -------
        delta : ndarray or None
            Derivative with respect to the input of layer `first`.
        """
        for i in range(stop - 1, first - 1, -1):
            delta = self.backwards[i](delta, arrays[i], grads[i], self)
        return delta

    def update_running_statistics(self, arrays: list, momentum: float) -> None:
        """Update the running statistics in `arrays` after a forward pass."""
        for layer, theta in zip(self.layers, arrays, strict=True):
            layer.update_statistics(theta, momentum, self)
