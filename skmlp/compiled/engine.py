"""Epochs of mini-batch training, in compiled code."""

import math

import numpy as np

from skmlp.compiled import threads
from skmlp.compiled._engine import Model, n_multiplications
from skmlp.core.network import Workspace
from skmlp.training.engine import Engine

# Cost of the steps of a call of C, a few hundredths of a second. Between two calls,
# Python handles interrupts. The unit is a multiplication in a matrix product. The other
# costs are estimates in the same unit.
_COST_BETWEEN_CALLS = 3e9
_COST_OF_STEP = 1e4
_COST_OF_PARAMETER = 20  # update by the optimizer
_COST_OF_UNIT = 50  # activation and dropout for a sample

# Maximum number of elements of the orders that are drawn in advance. They take 2 MB,
# and 1 ms with the GIL.
_MAX_DRAWN = 2**18


class CompiledEngine(Engine):
    """Run epochs over prepared arrays, like `NumpyEngine`.

    Parameters
    ----------
    step, X, Y, w, n_train, batch_size, schedule, augment, rng, keep_gradient
        See `NumpyEngine`. `X` is dense, and `augment` is None.

    Attributes
    ----------
    grad_norm, gradient
        See `NumpyEngine`.
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
        objective = step.objective
        self.step = step
        self.n_train = n_train
        self.batch_size = min(batch_size, n_train)
        self._n_batches = math.ceil(n_train / self.batch_size)
        self.grad_norm = math.nan
        # Not a copy, because the optimizers in C do not overwrite the gradient.
        self.gradient = objective.grad.flat if keep_gradient else None
        self._schedule = schedule
        workspace = Workspace(
            objective.network, self.batch_size, objective.theta.flat.dtype
        )
        self._model = Model(objective, workspace, X, np.ascontiguousarray(Y), w)
        self._model.prepare(step, n_train)
        network = objective.network
        self._multiplications = 3 * self.batch_size * n_multiplications(network)
        n_units = network.n_members * sum(network.layer_sizes)
        self._cost_of_step = (
            self._multiplications
            + _COST_OF_UNIT * self.batch_size * n_units
            + _COST_OF_PARAMETER * objective.theta.flat.size
            + _COST_OF_STEP
        )

    def run_epochs(self, order, n_epochs, t, epochs):
        """Run epochs without the interpreter, see `Engine.run_epochs`."""
        cost = self._cost_of_step * self._n_batches
        n_epochs = int(min(n_epochs, _COST_BETWEEN_CALLS / cost))
        if order.random_state is not None:
            n_epochs = min(n_epochs, _MAX_DRAWN // order.n_samples)
        # A subclass of RandomState can shuffle differently.
        knows_shuffle = type(order.random_state) in (np.random.RandomState, type(None))
        if n_epochs <= 1 or self._schedule.per_step or not knows_shuffle:
            super().run_epochs(order, 1, t, epochs)
            return
        optimizer = self.step.optimizer
        rates = [optimizer.base_learning_rate]
        for k in range(1, n_epochs):
            rates.append(self._schedule.after_epoch(rates[-1], t + k * order.n_samples))
        n_threads = threads.n_threads(self._multiplications, threads.WORTH_TRYING)
        self._model.train_epochs(
            order.rows,
            order.random_state,
            np.array(rates),
            n_threads,
            threads.is_fixed,
            epochs,
        )

    def run_epoch(self, order):
        """Take one step for each batch, see `NumpyEngine.run_epoch`."""
        model, optimizer, schedule = self._model, self.step.optimizer, self._schedule
        optimizer.learning_rate = optimizer.base_learning_rate
        numbers = model.begin_epoch(order, self.n_train)
        rates = [optimizer.base_learning_rate] * len(numbers)
        if schedule.per_step:
            position = optimizer.epoch * self._n_batches
            rates = [
                schedule.at_step(optimizer.base_learning_rate, step, position + number)
                for step, number in enumerate(numbers, optimizer.t)
            ]
        n_steps = max(1, int(_COST_BETWEEN_CALLS / self._cost_of_step))
        total, total_norm, n_samples = 0.0, 0.0, 0
        for first in range(0, len(numbers), n_steps):
            last = min(first + n_steps, len(numbers))
            n_threads = threads.n_threads(self._multiplications, threads.WORTH_TRYING)
            sums = model.train(order, rates, first, last, n_threads, threads.is_fixed)
            total += sums[0]
            total_norm += sums[1]
            n_samples += sums[2]
        optimizer.epoch += 1
        self.grad_norm = total_norm / len(numbers)
        return total / n_samples

    running = staticmethod(threads.running)
