r"""Loss functions, each with the output activation it belongs to.

A loss compares targets `Y` with the network's output `P`, both of shape
(n_samples, n_outputs):

- ``pointwise(Y, P, out)`` writes :math:`\ell(y_{ik}, p_{ik})` into `out`;
- ``delta(Y, P)`` turns `P`, in place, into :math:`\delta = \partial \ell /
  \partial z`, the derivative with respect to the output layer's
  *pre*-activation. For every loss here the output activation is the inverse of
  its canonical link, so that :math:`\delta = p - y`.

To add a loss, write its class here: naming it enters it in `LOSSES`.
"""

import numpy as np
from scipy.special import xlogy

from skmlp.core.activations import ACTIVATIONS

LOSSES: dict = {}
"""Losses, by name."""


class Loss:
    """Base class of the losses.

    Attributes
    ----------
    name : str
        Name of the loss.

    output_activation : Activation
        Activation of the output layer.

    mean_over_outputs : bool
        Whether the loss that is *reported* is the mean over the outputs, as
        scikit-learn has it, while the gradient is always that of their sum.

    lower_bound : float
        The least valid target.
    """

    name: str
    mean_over_outputs = False
    lower_bound = -np.inf

    def __init_subclass__(cls, name, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.name = name
        LOSSES[name] = cls()

    def pointwise(self, Y, P, out):
        """Write the loss of every sample and output into `out`."""
        raise NotImplementedError

    def delta(self, Y, P):
        """Turn P into dl/dZ = P - Y, in place."""
        P -= Y

    def value(self, Y, P, w, n, out, row):
        r"""Weighted mean over the samples, summed over the outputs.

        .. math:: \frac{1}{n} \sum_k \sum_i w_i \, \ell(y_{ik}, p_{ik})

        Parameters
        ----------
        Y, P : ndarray of shape (n_samples, n_outputs)
            Targets and the network's output.

        w : ndarray of shape (n_samples, 1) or None
            Sample weights; None stands for ones.

        n : float
            Sum of the weights.

        out : ndarray of shape (n_samples, n_outputs)
            Scratch memory.

        row : ndarray of shape (n_outputs,)
            Scratch memory.

        Returns
        -------
        value : float
        """
        self.pointwise(Y, P, out)
        if w is not None:
            out *= w
        np.add.reduce(out, axis=0, out=row)
        row /= n
        return float(np.add.reduce(row))


class SquaredError(Loss, name="squared_error"):
    """Half the squared error, l = (p - y)^2 / 2, with identity output."""

    output_activation = ACTIVATIONS["identity"]
    mean_over_outputs = True

    def pointwise(self, Y, P, out):
        np.subtract(Y, P, out=out)
        np.square(out, out=out)
        out *= 0.5


class Poisson(Loss, name="poisson"):
    """Half the Poisson deviance, l = y log(y / p) - y + p, with exp output."""

    output_activation = ACTIVATIONS["exp"]
    lower_bound = 0.0

    def pointwise(self, Y, P, out):
        # The exponential may underflow or overflow: keep 0 / 0 and log 0 out.
        tiny = np.finfo(P.dtype).tiny
        np.maximum(P, tiny, out=out)
        np.divide(Y, out, out=out)
        np.maximum(out, tiny, out=out)
        xlogy(Y, out, out=out)
        out -= Y
        out += P


class BinaryLogLoss(Loss, name="binary_log_loss"):
    """Cross-entropy of independent labels, -y log p - (1 - y) log(1 - p).

    For two classes (one output) and for multilabel targets, which must be 0
    or 1, with logistic output.
    """

    output_activation = ACTIVATIONS["logistic"]

    def pointwise(self, Y, P, out):
        # q = |1 - y - p| is the probability given to the true label, so that
        # one logarithm does: l = -log q.
        np.subtract(1.0, Y, out=out)
        out -= P
        np.abs(out, out=out)
        _clip(out, out)
        xlogy(-1.0, out, out=out)


class LogLoss(Loss, name="log_loss"):
    """Cross-entropy of K classes, -sum_k y_k log p_k, with softmax output."""

    output_activation = ACTIVATIONS["softmax"]

    def pointwise(self, Y, P, out):
        _clip(P, out)
        xlogy(Y, out, out=out)
        np.negative(out, out=out)


def _clip(P, out):
    # A probability that rounds to 0 or 1 would give an infinite loss. The
    # bounds are scikit-learn's: they show in the loss of saturated networks.
    eps = float(np.finfo(P.dtype).eps)
    np.maximum(P, eps, out=out)
    np.minimum(out, 1 - eps, out=out)
