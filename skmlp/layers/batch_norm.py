r"""Batch normalization of a hidden layer.

.. math::

    \hat U = \frac{U - \mu}{\sqrt{\sigma^2 + \epsilon}}, \qquad
    Z = \gamma \odot \hat U + b

In training, the mean and the variance of each unit are those of the batch, with the
sample weights :math:`v_i = w_i / \sum_j w_j`:

.. math:: \mu = \sum_i v_i u_i, \qquad \sigma^2 = \sum_i v_i (u_i - \mu)^2 .

Prediction uses running averages of them. Training also uses the running averages if
fewer than two samples of a batch have a positive weight, because such a batch has no
variance. It does not change the running averages.

The biases *b* are the offsets of the normalization. A bias before the normalization
would be subtracted with the mean.

References
----------
S. Ioffe and C. Szegedy, "Batch normalization: accelerating deep network
training by reducing internal covariate shift", ICML 2015.
"""

from typing import Any

import numpy as np

from skmlp.layers.base import Layer


class BatchNorm(Layer, name="batch_norm"):
    """Batch normalization.

    Parameters
    ----------
    n_units : int
        Number of units.

    epsilon : float
        Constant added to the variance.

    frozen : bool, default=False
        Whether the parameters are not trained. Then training uses the running
        statistics, too.

    Attributes
    ----------
    mean, variance : ndarray of shape (n_units,)
        Mean and variance used by the last forward pass of training.

    of_batch : bool
        Whether they are those of the batch.
    """

    option = "batch_norm"
    operation = "batch_norm"
    parameter_groups = ("batch_norm_scales", "intercepts")
    statistic_groups = ("batch_norm_means", "batch_norm_variances")
    U_hat: Any = None
    mean: Any = None
    variance: Any = None
    inverse_std: Any = None
    of_batch = False
    _v: Any = None

    def __init__(self, n_units: int, epsilon: float, frozen: bool = False) -> None:
        self.n_units = self.n_in = self.n_out = n_units
        self.epsilon = float(epsilon)
        self.frozen = frozen

    @property
    def summary(self):
        return {"batch norm": True}

    @property
    def constants(self):
        return (self.epsilon,)

    @property
    def buffers(self):
        return self.U_hat, self.mean, self.variance, self.inverse_std

    def initialize(self, arrays, random_state):
        gamma, _, _, running_variance = arrays
        gamma[...] = running_variance[...] = 1

    def allocate(self, workspace, needs_delta):
        self.U_hat = workspace.empty(self.n_units)
        self.mean, self.variance, self.inverse_std = (
            np.empty(self.n_units, workspace.dtype) for _ in range(3)
        )
        self.work = workspace.scratch(self.n_units)
        self._n_samples = workspace.n_samples

    def forward(self, A, arrays, context):
        gamma, b, running_mean, running_variance = arrays
        U, U_hat = A, self.U_hat
        if U_hat is None:
            U -= running_mean
            U *= gamma / np.sqrt(running_variance + self.epsilon)
            U += b
            return U
        w = context.w
        self.of_batch = self.trains and context.n_weighted > 1
        if self.of_batch:
            self._v = None if w is None else w / np.add.reduce(w, axis=None)
            self._average(U, out=self.mean)
            U -= self.mean
            np.square(U, out=U_hat)
            self._average(U_hat, out=self.variance)
        else:
            self.mean[...] = running_mean
            self.variance[...] = running_variance
            U -= self.mean
        np.add(self.variance, self.epsilon, out=self.inverse_std)
        np.sqrt(self.inverse_std, out=self.inverse_std)
        np.reciprocal(self.inverse_std, out=self.inverse_std)
        np.multiply(U, self.inverse_std, out=U_hat)
        np.multiply(U_hat, gamma, out=U)
        U += b
        return U

    def backward(self, delta, arrays, grad, context):
        gamma, U_hat, work = arrays[0], self.U_hat, self.work
        if self.trains:
            grad_gamma, grad_b = grad[:2]
            np.add.reduce(delta, axis=0, out=grad_b)
            np.multiply(delta, U_hat, out=work)
            np.add.reduce(work, axis=0, out=grad_gamma)
        if self.of_batch:
            # The mean and the variance depend on U as well.
            np.multiply(U_hat, grad_gamma, out=work)
            work += grad_b
            if self._v is None:
                work /= self._n_samples
            else:
                work *= self._v
            delta -= work
        delta *= gamma
        delta *= self.inverse_std
        return delta

    def _average(self, U, out):
        if self._v is None:
            # The sum of many samples would lose digits in float32.
            dtype = np.float64 if self._n_samples > 1000 else None
            total = np.add.reduce(U, axis=0, dtype=dtype)
            np.divide(total, self._n_samples, out=out)
        else:
            np.dot(self._v[:, 0], U, out=out)

    def update_statistics(self, arrays, momentum, context):
        r"""Update the running statistics with those of the batch.

        .. math:: r \leftarrow (1 - m) \, r + m \, s

        The variance is the biased one, because the unbiased one is not defined for
        sample weights.
        """
        if self.trains and context.n_weighted > 1:
            for running, own in zip(
                arrays[2:], (self.mean, self.variance), strict=True
            ):
                running *= 1 - momentum
                running += momentum * own
