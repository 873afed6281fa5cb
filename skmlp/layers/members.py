r"""Layers of an ensemble whose members share weights.

The k members of an ensemble share all weights except for those of the last layer.
Member *m* multiplies the input by a vector :math:`r_m` of its own:

.. math::

    A_m = X \operatorname{diag}(r_m), \qquad
    \frac{\partial E}{\partial r_m} = \sum_i x_i \odot \delta_{m i}, \qquad
    \frac{\partial E}{\partial X} = \sum_m \delta_m \operatorname{diag}(r_m)

The layers that follow have k rows for each sample, one for each member, so that one
matrix product computes all members. The last layer has weights :math:`W_m` for each
member:

.. math:: Z_m = A_m W_m + b_m

The loss is the mean of the losses of the members. The output of the ensemble is the
mean of their outputs.

References
----------
Y. Wen, D. Tran and J. Ba, "BatchEnsemble: an alternative approach to efficient ensemble
and lifelong learning", ICLR 2020.

Y. Gorishniy, A. Kotelnikov and A. Babenko, "TabM: advancing tabular deep learning with
parameter-efficient ensembling", ICLR 2025.
"""

from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import issparse

from skmlp.layers.base import Layer


class Members(Layer, name="members"):
    """The input of each member: a row for each sample and member.

    The rows of a sample are next to each other.

    Parameters
    ----------
    n_units : int
        Number of units.

    n_members : int
        Number of members k.

    frozen : bool, default=False
        Whether the parameters are not trained.
    """

    operation = "members"
    in_place = False
    input: Any = None
    parameter_groups = ("member_scales",)

    def __init__(self, n_units: int, n_members: int, frozen: bool = False) -> None:
        self.n_units = self.n_in = self.n_out = n_units
        self.n_members = n_members
        self.frozen = frozen
        self.n_rows_out = n_members

    @cached_property
    def parameters(self):
        return {"member_scales": (self.n_members, self.n_units)}

    @property
    def summary(self):
        return {"members": True}

    def initialize(self, arrays, random_state):
        """Draw random signs."""
        arrays[0][...] = 2 * random_state.randint(2, size=arrays[0].shape) - 1

    def allocate(self, workspace, needs_delta):
        if needs_delta:
            self.delta = workspace.empty(self.n_units)
        workspace.n_rows *= self.n_members
        self.out = workspace.empty(self.n_units)

    def forward(self, A, arrays, context):
        if issparse(A):
            A = A.toarray()
        r = arrays[0]
        shape = len(A), *r.shape
        if self.out is None:
            out = np.empty((shape[0] * self.n_members, self.n_units), r.dtype)
        else:
            out, self.input = self.out, A
        product = out.reshape(shape)
        np.multiply(A[:, np.newaxis], r, out=product)
        if context.has_absent:
            context.replace_absent(product)
        return out

    def backward(self, delta, arrays, grad, context):
        r = arrays[0]
        delta = delta.reshape(-1, *r.shape)
        if self.trains:
            np.einsum("ij,imj->mj", self.input, delta, out=grad[0])
        if self.delta is None:
            return None
        return np.einsum("imj,mj->ij", delta, r, out=self.delta)


class Heads(Layer, name="heads"):
    """The dense output layer of each member.

    Parameters
    ----------
    n_in, n_out : int
        Number of units of the input and of the output of a member.

    n_members : int
        Number of members k.

    frozen : bool, default=False
        Whether the parameters are not trained.

    Notes
    -----
    The weights of the members are side by side in a matrix of shape (n_in, k n_out).
    """

    operation = "heads"
    in_place = False
    input: Any = None
    parameter_groups = ("coefs", "intercepts")

    def __init__(
        self, n_in: int, n_out: int, n_members: int, frozen: bool = False
    ) -> None:
        self.n_in = n_in
        self.n_out = n_out
        self.n_members = n_members
        self.frozen = frozen

    @cached_property
    def parameters(self):
        n_columns = self.n_members * self.n_out
        return {"coefs": (self.n_in, n_columns), "intercepts": (n_columns,)}

    def allocate(self, workspace, needs_delta):
        self.out = workspace.empty(self.n_out)
        self.needs_delta = needs_delta
        if needs_delta:
            self.delta = workspace.empty(self.n_in)

    def forward(self, A, arrays, context):
        W, b = arrays
        if self.out is None:
            Z = np.empty((len(A), self.n_out), W.dtype)
        else:
            Z, self.input = self.out, A
        for A_m, W_m, Z_m in zip(
            self._split(A), self._split_weights(W), self._split(Z), strict=True
        ):
            Z_m[...] = A_m @ W_m
        Z.reshape(-1, len(b))[...] += b
        return Z

    def backward(self, delta, arrays, grad, context):
        D = self._split(delta)
        if self.trains:
            np.add.reduce(delta.reshape(-1, grad[1].size), axis=0, out=grad[1])
            for A_m, D_m, G_m in zip(
                self._split(self.input), D, self._split_weights(grad[0]), strict=True
            ):
                G_m[...] = A_m.T @ D_m
        if not self.needs_delta:
            return None
        for D_m, W_m, delta_m in zip(
            D, self._split_weights(arrays[0]), self._split(self.delta), strict=True
        ):
            delta_m[...] = D_m @ W_m.T
        return self.delta

    def _split(self, A):
        """Return rows of samples and members as a matrix for each member, a view."""
        return A.reshape(-1, self.n_members, A.shape[1]).transpose(1, 0, 2)

    def _split_weights(self, W):
        """Return weights as a matrix for each member, a view."""
        shape = self.n_in, self.n_members, self.n_out
        return W.reshape(shape).transpose(1, 0, 2)
