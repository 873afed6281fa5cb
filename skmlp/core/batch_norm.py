r"""Batch normalization of the hidden layers.

.. math::

    U = A^{l-1} W^l, \qquad
    \hat U = \frac{U - \mu}{\sqrt{\sigma^2 + \epsilon}}, \qquad
    Z^l = \gamma \odot \hat U + b^l

In training, the mean and the variance of each unit are those of the batch, with the
sample weights :math:`v_i = w_i / \sum_j w_j`:

.. math:: \mu = \sum_i v_i u_i, \qquad \sigma^2 = \sum_i v_i (u_i - \mu)^2 .

Prediction uses running averages of them. Training also uses the running averages if
fewer than two samples of a batch have a positive weight, because such a batch has no
variance. It does not change the running averages.

The biases :math:`b^l` are the offsets of the normalization. A bias before the
normalization would be subtracted with the mean.

References
----------
S. Ioffe and C. Szegedy, "Batch normalization: accelerating deep network
training by reducing internal covariate shift", ICML 2015.
"""

import numpy as np


class BatchNorm:
    """Batch normalization of one layer, with its buffers for a batch.

    Parameters
    ----------
    epsilon : float
        Constant added to the variance.

    n_samples : int
        Size of the batch.

    n_units : int
        Number of units of the layer.

    dtype : dtype
        Data type of the buffers.

    frozen : bool, default=False
        Whether to normalize with the running statistics also in training.

    Attributes
    ----------
    mean, variance : ndarray of shape (n_units,)
        Mean and variance used by the last `forward`.

    of_batch : bool
        Whether they are those of the batch.
    """

    def __init__(self, epsilon, n_samples, n_units, dtype, frozen=False):
        self.epsilon = float(epsilon)
        self.frozen = frozen
        self.n_samples = n_samples
        self.mean = np.empty(n_units, dtype)
        self.variance = np.empty(n_units, dtype)
        self.of_batch = False
        self.inverse_std = np.empty(n_units, dtype)
        self.U_hat = np.empty((n_samples, n_units), dtype)
        self._v = None

    def forward(self, U, gamma, running_mean, running_variance, w):
        """Replace U by gamma * U_hat, in place.

        Parameters
        ----------
        U : ndarray of shape (n_samples, n_units)
            Product of the input of the layer and its weights.

        gamma, running_mean, running_variance : ndarray of shape (n_units,)
            Scales and running statistics.

        w : ndarray of shape (n_samples, 1) or None
            Sample weights, not all zero.
        """
        U_hat = self.U_hat
        n_weighted = self.n_samples if w is None else np.count_nonzero(w)
        self.of_batch = bool(n_weighted > 1) and not self.frozen
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

    def backward(self, delta, gamma, grad_b, grad_gamma, work):
        """Replace dE/dZ by dE/dU, in place.

        Parameters
        ----------
        delta : ndarray of shape (n_samples, n_units)
            The derivative dE/dZ.

        gamma, grad_b : ndarray of shape (n_units,)
            Scales, and the gradient with respect to the biases.

        grad_gamma : ndarray of shape (n_units,)
            Overwritten with the gradient with respect to the scales.

        work : ndarray of shape (n_samples, n_units)
            Scratch memory.
        """
        U_hat = self.U_hat
        np.multiply(delta, U_hat, out=work)
        np.add.reduce(work, axis=0, out=grad_gamma)
        if self.of_batch:
            # The mean and the variance depend on U as well.
            np.multiply(U_hat, grad_gamma, out=work)
            work += grad_b
            if self._v is None:
                work /= self.n_samples
            else:
                work *= self._v
            delta -= work
        delta *= gamma
        delta *= self.inverse_std

    def _average(self, U, out):
        if self._v is None:
            # The sum of many samples would lose digits in float32.
            dtype = np.float64 if self.n_samples > 1000 else None
            total = np.add.reduce(U, axis=0, dtype=dtype)
            np.divide(total, self.n_samples, out=out)
        else:
            np.dot(self._v[:, 0], U, out=out)

    def update_running(self, running_mean, running_variance, momentum):
        r"""Update the running statistics with those of the batch.

        .. math:: r \leftarrow (1 - m) \, r + m \, s

        The variance is the biased one, because the unbiased one is not defined for
        sample weights.
        """
        if self.of_batch:
            for running, own in (
                (running_mean, self.mean),
                (running_variance, self.variance),
            ):
                running *= 1 - momentum
                running += momentum * own


def fold(coefs, intercepts, scales, means, variances, epsilon):
    r"""Return weights and biases that give the same output without batch normalization.

    .. math:: W' = W \operatorname{diag}(s), \quad b' = b - \mu \odot s, \quad
              s = \gamma / \sqrt{\sigma^2 + \epsilon}

    Parameters
    ----------
    coefs, intercepts : list of ndarray
        Weights and biases of all layers.

    scales, means, variances : list of ndarray
        Scales and running statistics of the hidden layers.

    epsilon : float
        Constant added to the variances.

    Returns
    -------
    coefs, intercepts : list of ndarray
        New arrays for the hidden layers, and the given ones for the output layer.
    """
    coefs, intercepts = list(coefs), list(intercepts)
    for l, (gamma, mean, variance) in enumerate(
        zip(scales, means, variances, strict=True)
    ):
        s = gamma / np.sqrt(variance + epsilon)
        coefs[l] = coefs[l] * s
        intercepts[l] = intercepts[l] - mean * s
    return coefs, intercepts
