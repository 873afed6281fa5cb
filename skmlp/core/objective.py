"""The function that training minimizes, and its gradient."""

import numpy as np


class Objective:
    r"""Weighted mean loss plus penalty.

    .. math::

        E(\theta) = \frac{1}{n} \left( \sum_i w_i \, \ell(y_i, f_\theta(x_i))
                    + \Omega(W) \right), \qquad n = \sum_i w_i

    Parameters
    ----------
    network : Network
        The network f, with its loss. The loss of an ensemble is the mean of those of
        its members.

    penalty : Penalty
        The penalty Omega.

    theta : Parameters
        The parameters at which the objective is evaluated. The optimizer changes them
        in place.

    report_mean : bool, default=False
        Whether to return the mean over the outputs for a loss that scikit-learn
        reports this way. The gradient is that of E, the sum.

    Attributes
    ----------
    grad : Parameters
        Gradient of E without the L1 part of the penalty, from the last call. It is
        zero for frozen layers.

    arrays, grads : list of list of ndarray
        Parameters and running statistics of each layer, views of `theta`; and the
        gradient in the same arrangement, views of `grad`.

    E : float
        The objective of the last call, even if the mean over the outputs was returned.

    n : float
        Sum of the sample weights of the last call.

    work : ndarray of shape (n_parameters,)
        Scratch memory. Others may use it between two calls.
    """

    def __init__(self, network, penalty, theta, report_mean=False):
        self.network = network
        self.penalty = penalty
        self.theta = theta
        self.grad = theta.zeros_like()
        self.arrays, self.grads = network.arrange(theta), network.arrange(self.grad)
        self.work = np.empty_like(theta.flat)
        self._frozen = network.frozen_views(self.grad)
        self.divisor = network.loss_divisor if report_mean else 1
        self.n = np.nan

    def __call__(self, X, Y, w, workspace):
        """Evaluate the objective and its gradient on a batch.

        Parameters
        ----------
        X : {ndarray, sparse matrix} of shape (n_samples, n_features)
            Input.

        Y : ndarray of shape (n_samples, n_outputs)
            Targets.

        w : ndarray of shape (n_samples, 1) or None
            Sample weights, not all zero. None is equivalent to ones.

        workspace : Workspace
            Buffers for n_samples.

        Returns
        -------
        E : float
            The objective, or the mean over the outputs with `report_mean`.
        """
        E = self.value(X, Y, w, workspace)
        theta, grad = self.theta, self.grad
        self.network.backward(self.arrays, Y, w, workspace, self.grads)
        self.penalty.add_gradient(theta, grad, self.work)
        for view in self._frozen:
            view[...] = 0
        grad.flat /= self.n
        return E

    def value(self, X, Y, w, workspace):
        """Evaluate the objective without its gradient, on the same arguments."""
        network = self.network
        n = workspace.n_samples if w is None else float(np.add.reduce(w, axis=None))
        P = network.forward(self.arrays, X, w, workspace)
        Y, w = workspace.for_members(Y, w)
        n_terms = n * network.n_members
        loss = network.loss.value(Y, P, w, n_terms, workspace.work, workspace.row)
        penalty = self.penalty.value(self.theta, self.work) / n
        self.n, self.E = n, loss + penalty
        return loss / self.divisor + penalty
