"""One epoch of mini-batch training, in NumPy."""

import numpy as np

from skmlp.core.network import Tape
from skmlp.training.batches import gatherer


class NumpyEngine:
    """Runs epochs over prepared arrays.

    The training loop knows an engine by `run_epoch` alone, so that another
    one can take this one's place.

    Parameters
    ----------
    objective : Objective
        What to minimize; its `theta` is moved.

    optimizer : Optimizer
        How to move it.

    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Input, in the dtype of the parameters; sparse in CSR format.

    Y : ndarray of shape (n_samples, n_outputs)
        Targets.

    w : ndarray of shape (n_samples, 1) or None
        Sample weights.

    n_train : int
        Number of samples in an epoch.

    batch_size : int
        Number of samples in a batch.
    """

    def __init__(self, objective, optimizer, X, Y, w, n_train, batch_size):
        self.objective = objective
        self.optimizer = optimizer
        self.n_train = n_train
        self.batch_size = batch_size
        self._arrays = X, Y, w
        # The last batch of an epoch may be smaller: it has buffers of its own.
        sizes = {min(batch_size, n_train), n_train % batch_size} - {0}
        layer_sizes, dtype = objective.network.layer_sizes, objective.theta.flat.dtype
        self._tapes = {size: Tape(layer_sizes, size, dtype) for size in sizes}
        self._gather = {
            size: [gatherer(array, size) for array in self._arrays] for size in sizes
        }
        self._prox = None
        if objective.penalty.l1:
            self._prox = self._soft_threshold
            self._threshold_work = np.empty_like(objective.theta.weights)

    def run_epoch(self, order):
        """Take one optimizer step for each batch.

        A batch whose weights are all zero says nothing, and is passed over.

        Parameters
        ----------
        order : ndarray of shape (n_train,) or None
            Row numbers in the order to visit them; None for all rows as they
            lie.

        Returns
        -------
        loss : float
            Mean over the samples of their batch's objective before its step.
        """
        objective, optimizer = self.objective, self.optimizer
        theta, grad, work = objective.theta.flat, objective.grad.flat, objective.work
        total, n_samples = 0.0, 0
        for start in range(0, self.n_train, self.batch_size):
            stop = min(start + self.batch_size, self.n_train)
            X, Y, w = self._load_batch(order, start, stop)
            if w is not None and not w.any():
                continue
            total += objective(X, Y, w, self._tapes[stop - start]) * (stop - start)
            n_samples += stop - start
            optimizer.step(theta, grad, work, self._prox)
        return total / n_samples

    def _load_batch(self, order, start, stop):
        if order is None:
            return [a if a is None else a[start:stop] for a in self._arrays]
        rows = order[start:stop]
        return [gather(rows) for gather in self._gather[stop - start]]

    def _soft_threshold(self, theta, step):
        """Proximal step of the penalty's L1 part, over the weights only."""
        n_weights = self._threshold_work.size
        if isinstance(step, np.ndarray):
            step = step[:n_weights]
        step /= self.objective.n
        self.objective.penalty.prox(theta[:n_weights], step, self._threshold_work)
