"""One step of training: from a batch to new weights."""

import math

import numpy as np

from skmlp.core.constraints import MaxNorm, clip_norm, norm


class Step:
    r"""What a batch does to the parameters.

    In this order: the gradient :math:`g` of the objective, the running
    statistics of batch normalization, the bound on the gradient's norm,
    decoupled weight decay :math:`W \leftarrow (1 - \eta \lambda) W`, the
    optimizer with the proximal operator of the L1 penalty, the bound on the
    weights' norms. Frozen layers are afterwards as they were.

    A gradient that is shortened by its bound has the penalty's proximal step
    shortened as much: else the penalty would outweigh it, and the minimum be
    another one.

    Parameters
    ----------
    objective : Objective
        What to minimize; its `theta` is moved.

    optimizer : Optimizer
        How to move it.

    weight_decay : float, default=0.0
        Decoupled weight decay, lambda. Biases do not decay.

    clip : float, default=None
        Bound on the norm of the gradient.

    max_norm : float, default=None
        Bound on the norm of the weights that come into a unit.

    batch_norm_momentum : float, default=0.1
        Share of a batch in the running statistics.

    rng : Generator, default=None
        Draws what dropout and random search need.

    Attributes
    ----------
    grad_norm : float
        Norm of the last gradient, before it was bounded; NaN for an optimizer
        that needs none.

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR
    2019.
    """

    def __init__(
        self,
        objective,
        optimizer,
        *,
        weight_decay=0.0,
        clip=None,
        max_norm=None,
        batch_norm_momentum=0.1,
        rng=None,
    ):
        theta = objective.theta
        self.objective = objective
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.clip = clip
        self.batch_norm_momentum = batch_norm_momentum
        self.rng = rng
        self.grad_norm = math.nan
        self._kept = None
        self._max_norm = None if max_norm is None else MaxNorm(max_norm, theta)
        self._batch_norm = theta.batch_norm
        self._dropout = any(objective.network.dropout)
        self._frozen = [
            (view, view.copy()) for view in objective.network.frozen_views(theta)
        ]
        self._prox = None
        self._shortening = 1.0  # of the last gradient, by its bound
        if objective.penalty.l1:
            self._prox = self._soft_threshold
            self._threshold_work = np.empty_like(theta.weights)
        # While a search evaluates, the objective's own scratch memory is in use.
        self._work = objective.work
        if optimizer.full_batch:
            self._work = np.empty_like(theta.flat)

    def keep_gradient(self):
        """Keep a copy of each gradient, for optimizers overwrite it.

        Returns
        -------
        gradient : ndarray of shape (n_parameters,)
            The memory that each step writes it to.
        """
        self._kept = np.zeros_like(self.objective.grad.flat)
        return self._kept

    def __call__(self, X, Y, w, tape):
        """Take the step.

        Parameters
        ----------
        X, Y, w, tape
            As `Objective` takes them.

        Returns
        -------
        E : float
            The objective on the batch, before the step.
        """
        objective, optimizer = self.objective, self.optimizer
        theta, grad = objective.theta, objective.grad.flat
        if self._dropout:
            tape.draw_dropout(self.rng)
        if optimizer.needs_gradient:
            E = objective(X, Y, w, tape)
            self.grad_norm = norm(grad)
            if self._kept is not None:
                self._kept[...] = grad
            if self.clip is not None:
                self._shortening = clip_norm(grad, self.grad_norm, self.clip)
        else:
            E = objective.value(X, Y, w, tape)
        if self._batch_norm:
            # Now, for a search leaves those of the last point that it has tried.
            tape.update_running_statistics(theta, self.batch_norm_momentum)
        if optimizer.full_batch:
            # First, for its E and gradient are those of the weights as they are.
            self._search(X, Y, w, tape)
        if self.weight_decay:
            theta.weights *= 1 - optimizer.learning_rate * self.weight_decay
        if not optimizer.full_batch:
            optimizer.step(theta.flat, grad, self._work, self._prox)
        if self._max_norm is not None:
            self._max_norm(theta)
        if self._frozen:
            self._restore_frozen()
        return E

    def _search(self, X, Y, w, tape):
        objective = self.objective

        def evaluate():
            self._restore_frozen()
            objective.value(X, Y, w, tape)
            return objective.E

        def prox(theta, step):
            self._soft_threshold(theta, step)
            self._restore_frozen()  # or their change would count as a step

        self.optimizer.search(
            objective.theta.flat,
            objective.grad.flat,
            objective.E,
            evaluate,
            self._work,
            None if self._prox is None else prox,
            self.rng,
        )

    def _restore_frozen(self):
        for view, values in self._frozen:
            view[...] = values

    def _soft_threshold(self, theta, step):
        """Proximal step of the penalty's L1 part, over the weights only."""
        n_weights = self._threshold_work.size
        if isinstance(step, np.ndarray):
            step = step[:n_weights]
        step /= self.objective.n
        if self._shortening < 1:
            step *= self._shortening
        self.objective.penalty.prox(theta[:n_weights], step, self._threshold_work)
