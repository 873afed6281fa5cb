"""The interface of an engine, which runs epochs, and the engine in NumPy."""

import math
from contextlib import nullcontext
from time import perf_counter
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

from skmlp.core.network import Workspace
from skmlp.training.batches import gatherer
from skmlp.training.step import TrainingStep


class Epoch(NamedTuple):
    """The result of an epoch.

    Attributes
    ----------
    loss : float
        Mean over the samples of the objective of their batch, before its step.

    grad_norm : float
        Mean norm of the gradients, before they were bounded.

    learning_rate : float
        Learning rate of the last step.

    seconds : float
        Duration of the epoch.
    """

    loss: float
    grad_norm: float
    learning_rate: float
    seconds: float


class Engine:
    """Base class of the engines.

    Attributes
    ----------
    step : TrainingStep
        The training step.

    grad_norm : float
        Mean norm of the gradients of the last epoch, before they were bounded.

    gradient : ndarray of shape (n_parameters,) or None
        Gradient of the last batch, if it is kept, otherwise None.
    """

    step: TrainingStep
    grad_norm: float
    gradient: np.ndarray | None

    def run_epoch(self, order):
        """Run one epoch in the given order, and return the loss."""
        raise NotImplementedError

    def run_epochs(self, order, n_epochs, t, epochs):
        """Run at least one epoch, and at most `n_epochs`.

        Parameters
        ----------
        order : EpochOrder
            Draws the order of the samples of each epoch.

        n_epochs : int
            Number of epochs between which nothing has to happen.

        t : int
            Number of samples seen so far, for the schedule.

        epochs : list of Epoch
            The list to which results are appended. They are not returned, because an
            interrupt by the user would lose them.
        """
        start = perf_counter()
        loss = self.run_epoch(order.draw())
        rate = self.step.optimizer.learning_rate
        epochs.append(Epoch(loss, self.grad_norm, rate, perf_counter() - start))


class NumpyEngine(Engine):
    """Runs epochs over prepared arrays.

    Parameters
    ----------
    step : TrainingStep
        The training step.

    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Input, in the dtype of the parameters. Sparse input is in CSR format.

    Y : ndarray of shape (n_samples, n_outputs)
        Targets.

    w : ndarray of shape (n_samples, 1) or None
        Sample weights.

    n_train : int
        Number of samples in an epoch.

    batch_size : int
        Number of samples in a batch.

    schedule : Schedule
        Sets the learning rate of each step.

    augment : callable, default=None
        Takes a batch of X and a Generator, and returns the batch to train on.

    rng : Generator, default=None
        The generator that is passed to `augment`.

    keep_gradient : bool, default=False
        Whether to keep the gradient of the last step.

    Attributes
    ----------
    grad_norm : float
        Mean norm of the gradients of the last epoch, before they were bounded.

    gradient : ndarray of shape (n_parameters,) or None
        Gradient of the last batch, with `keep_gradient` and an optimizer that needs
        a gradient.
    """

    def __init__(
        self,
        step,
        X,
        Y,
        w,
        n_train,
        batch_size,
        schedule,
        *,
        augment=None,
        rng=None,
        keep_gradient=False,
    ):
        self.step = step
        self.n_train = n_train
        self.batch_size = batch_size
        self.grad_norm = math.nan
        self.gradient = None
        self._schedule = schedule
        self._augment, self._rng = augment, rng
        self._arrays = X, Y, w
        theta = step.objective.theta
        if keep_gradient and step.optimizer.needs_gradient:
            self.gradient = step.keep_gradient()
        # The last batch of an epoch may be smaller, and has its own buffers.
        sizes = {min(batch_size, n_train), n_train % batch_size} - {0}
        self._workspaces = {
            size: Workspace(step.objective.network, size, theta.flat.dtype, issparse(X))
            for size in sizes
        }
        self._gather: dict = {}

    def run_epoch(self, order):
        """Take one step for each batch.

        A batch whose weights are all zero is skipped.

        Parameters
        ----------
        order : ndarray of shape (n_train,) or None
            Row numbers in the order of the epoch. None for all rows in their own
            order.

        Returns
        -------
        loss : float
            Mean over the samples of the objective of their batch, before its step.
        """
        step, optimizer, schedule = self.step, self.step.optimizer, self._schedule
        optimizer.learning_rate = optimizer.base_learning_rate
        per_step = schedule.per_step
        total, total_norm, n_samples, n_steps = 0.0, 0.0, 0, 0
        starts = range(0, self.n_train, self.batch_size)
        position = optimizer.epoch * len(starts)
        for k, start in enumerate(starts):
            stop = min(start + self.batch_size, self.n_train)
            X, Y, w = self._load_batch(order, start, stop)
            if w is not None and not w.any():
                continue
            if per_step:
                optimizer.learning_rate = schedule.at_step(
                    optimizer.base_learning_rate, optimizer.t, position + k
                )
            total += step(X, Y, w, self._workspaces[stop - start]) * (stop - start)
            total_norm += step.grad_norm
            n_samples += stop - start
            n_steps += 1
        optimizer.epoch += 1
        self.grad_norm = total_norm / n_steps
        return total / n_samples

    def _load_batch(self, order, start, stop):
        size = stop - start
        if order is None and size == self._arrays[0].shape[0]:
            batch = list(self._arrays)  # a slice of a sparse matrix would be a copy
        elif order is None:
            batch = [a if a is None else a[start:stop] for a in self._arrays]
        else:
            if size not in self._gather:
                self._gather[size] = [gatherer(a, size) for a in self._arrays]
            rows = order[start:stop]
            batch = [gather(rows) for gather in self._gather[size]]
        if self._augment is not None:
            batch[0] = self._augmented(batch[0])
        return batch

    def _augmented(self, X):
        # A copy, because it may be a view of the user's array.
        augmented = self._augment(X.copy(), self._rng)
        if not issparse(augmented):
            augmented = np.asarray(augmented)
        if augmented.shape != X.shape or augmented.dtype.kind not in "biuf":
            raise ValueError(
                "augment must return a batch like the one that it was given, of "
                f"shape {X.shape} and dtype {X.dtype}, got shape {augmented.shape} "
                f"and dtype {augmented.dtype}."
            )
        if issparse(augmented) != issparse(X):
            raise ValueError(
                f"augment must return a {type(X).__name__} where it was given one, "
                f"got {type(augmented).__name__}."
            )
        if issparse(augmented):
            augmented = augmented.tocsr()
        return augmented.astype(X.dtype, copy=False)

    running = staticmethod(nullcontext)
