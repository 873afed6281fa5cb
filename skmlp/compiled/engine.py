"""One epoch of mini-batch training, in compiled code."""

import math
from contextlib import nullcontext

import numpy as np

from skmlp.compiled import threads
from skmlp.compiled._engine import Model
from skmlp.core.network import Tape

# Multiplications between two looks at what Python has to do, an interrupt by the user
# among them: some hundredths of a second.
_MULTIPLICATIONS = 1e9


class CompiledEngine:
    """Runs epochs over prepared arrays, as `NumpyEngine` does.

    Parameters
    ----------
    step, X, Y, w, n_train, batch_size, schedule, augment, rng, keep_gradient
        As of `NumpyEngine`; `X` is dense, and there is no `augment`.

    Attributes
    ----------
    grad_norm, gradient
        As of `NumpyEngine`.
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
        self.grad_norm = math.nan
        # The engine leaves it as it is, where the optimizers in NumPy do not.
        self.gradient = objective.grad.flat if keep_gradient else None
        self._schedule = schedule
        tape = Tape(objective.network, self.batch_size, objective.theta.flat.dtype)
        self._model = Model(objective, tape, X, np.ascontiguousarray(Y), w)
        self._model.prepare(step, n_train)
        # The generator's, which draws the masks of dropout.
        self._lock = nullcontext() if step.rng is None else step.rng.bit_generator.lock
        self._multiplications = 3 * self.batch_size * objective.theta.weights.size

    def run_epoch(self, order):
        """Take one step for each batch; see `NumpyEngine.run_epoch`."""
        model, optimizer, schedule = self._model, self.step.optimizer, self._schedule
        optimizer.learning_rate = optimizer.base_learning_rate
        numbers = model.begin_epoch(order, self.n_train)
        rates = [optimizer.base_learning_rate] * len(numbers)
        if schedule.per_step:
            position = optimizer.epoch * -(-self.n_train // self.batch_size)
            rates = [
                schedule.at_step(optimizer.base_learning_rate, step, position + number)
                for step, number in enumerate(numbers, optimizer.t)
            ]
        n_steps = max(1, int(_MULTIPLICATIONS / self._multiplications))
        total, total_norm, n_samples = 0.0, 0.0, 0
        for first in range(0, len(numbers), n_steps):
            last = min(first + n_steps, len(numbers))
            n_threads = threads.n_threads(self._multiplications)
            with self._lock:
                sums = model.train(order, rates, first, last, n_threads)
            total += sums[0]
            total_norm += sums[1]
            n_samples += sums[2]
        optimizer.epoch += 1
        self.grad_norm = total_norm / len(numbers)
        return total / n_samples

    running = staticmethod(threads.running)
