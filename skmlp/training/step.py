"""A training step: from a batch to new weights."""

import math

import numpy as np

from skmlp.core.constraints import MaxNorm, euclidean_norm, shorten


class TrainingStep:
    r"""A training step.

    It computes the gradient :math:`g` of the objective, updates the running
    statistics of batch normalization, bounds the norm of the gradient, applies
    decoupled weight decay :math:`W \leftarrow (1 - \eta \lambda) W`, lets the
    optimizer update the parameters with the proximal operator of the penalty, and
    bounds the norms of the weights, in this order. Frozen layers are not changed.

    If the gradient is scaled to its maximum norm, the proximal step of the penalty is
    scaled by the same factor. Otherwise the penalty would have a greater weight, and
    the minimum would be a different one.

    Parameters
    ----------
    objective : Objective
        What to minimize. Its `theta` is changed in place.

    optimizer : Optimizer
        The optimizer.

    weight_decay : float, default=0.0
        Decoupled weight decay, lambda. Biases do not decay.

    clip_norm : float, default=None
        Maximum norm of the gradient.

    max_norm : float, default=None
        Maximum norm of the incoming weights of a unit.

    batch_norm_momentum : float, default=0.1
        Weight of a batch in the running statistics.

    rng : Generator, default=None
        Random numbers of dropout and random search.

    Attributes
    ----------
    grad_norm : float
        Norm of the last gradient before it was bounded. NaN for an optimizer that
        needs no gradient.

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
        clip_norm=None,
        max_norm=None,
        batch_norm_momentum=0.1,
        rng=None,
    ):
        theta = objective.theta
        self.objective = objective
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.max_norm = max_norm
        self.batch_norm_momentum = batch_norm_momentum
        self.rng = rng
        self.grad_norm = math.nan
        self._kept = None
        self._max_norm = None if max_norm is None else MaxNorm(max_norm, theta)
        self._has_statistics = bool(theta.running.size)
        self._draws = objective.network.draws
        self._frozen = [
            (view, view.copy()) for view in objective.network.frozen_views(theta)
        ]
        self._prox = None
        self._shortening = 1.0  # of the last gradient, by its bound
        if objective.penalty.has_prox:
            self._prox = self._apply_prox
            self._prox_work = np.empty_like(theta.weights)
            self._held = np.flatnonzero(objective.network.frozen_weights(theta))
            self._held_values = theta.weights[self._held]

    def keep_gradient(self):
        """Keep a copy of each gradient, because optimizers overwrite it.

        Returns
        -------
        gradient : ndarray of shape (n_parameters,)
            The memory that each step writes the gradient to.
        """
        self._kept = np.zeros_like(self.objective.grad.flat)
        return self._kept

    def __call__(self, X, Y, w, workspace):
        """Take the step.

        Parameters
        ----------
        X, Y, w, workspace
            As `Objective` takes them.

        Returns
        -------
        E : float
            The objective on the batch, before the step.
        """
        theta = self.objective.theta
        E = self._evaluate(X, Y, w, workspace)
        self._decay(theta)
        try:
            self.optimizer.step(
                theta.flat, self.objective.grad.flat, self.objective.work, self._prox
            )
        finally:  # the weights are kept after an interrupt, within their bounds
            self._bound(theta)
        return E

    def _evaluate(self, X, Y, w, workspace):
        """Evaluate the objective, and what depends on it."""
        if self._draws:
            workspace.draw(self.rng)
        if self.optimizer.needs_gradient:
            E = self.objective(X, Y, w, workspace)
            self._bound_gradient(self.objective.grad.flat)
        else:
            E = self.objective.value(X, Y, w, workspace)
        if self._has_statistics:
            workspace.update_running_statistics(
                self.objective.arrays, self.batch_norm_momentum
            )
        return E

    def _bound_gradient(self, grad):
        self.grad_norm = euclidean_norm(grad)
        if self._kept is not None:
            self._kept[...] = grad
        if self.clip_norm is not None:
            self._shortening = shorten(grad, self.grad_norm, self.clip_norm)

    def _decay(self, theta):
        if self.weight_decay:
            theta.weights *= 1 - self.optimizer.learning_rate * self.weight_decay

    def _bound(self, theta):
        if self._max_norm is not None:
            self._max_norm(theta)
        if self._frozen:
            self._restore_frozen()

    def _restore_frozen(self):
        for view, values in self._frozen:
            view[...] = values

    def _apply_prox(self, theta, step):
        """Apply the proximal operator of the penalty to the weights."""
        n_weights = self._prox_work.size
        if isinstance(step, np.ndarray):
            step = step[:n_weights]
        step /= self.objective.n
        if self._shortening < 1:
            step *= self._shortening
        self.objective.penalty.prox(theta[:n_weights], step, self._prox_work)
        if self._held.size:  # for optimizers that use the change of the weights
            theta[self._held] = self._held_values


class SearchStep(TrainingStep):
    """A step of an optimizer that evaluates the objective itself.

    The search comes before the weight decay, because its objective and gradient are
    those of the current weights. The dropout masks stay the same during the search.
    """

    def __init__(self, objective, optimizer, **options):
        super().__init__(objective, optimizer, **options)
        # The scratch memory of the objective is in use during the search.
        self._work = np.empty_like(objective.theta.flat)

    def __call__(self, X, Y, w, workspace):
        """Take the step; see `TrainingStep`."""
        objective, theta = self.objective, self.objective.theta
        E = self._evaluate(X, Y, w, workspace)

        def evaluate():
            self._restore_frozen()
            objective.value(X, Y, w, workspace)
            return objective.E

        self.optimizer.search(
            theta.flat,
            objective.grad.flat,
            objective.E,
            evaluate,
            self._work,
            self._prox,
            self.rng,
        )
        self._decay(theta)
        self._bound(theta)
        return E


def make_step(objective, optimizer, **options):
    """Return the step for an optimizer, see `TrainingStep`."""
    cls = SearchStep if optimizer.full_batch else TrainingStep
    return cls(objective, optimizer, **options)
