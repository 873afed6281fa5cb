"""Training by a first-order solver, in epochs."""

import math
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_regressor

from skmlp._warnings import warn
from skmlp.estimators import build
from skmlp.estimators.engines import choose_engine
from skmlp.estimators.fitted import EXTENDED
from skmlp.estimators.validation import Validation, split
from skmlp.persistence.checkpoint import RestoredCallbacks, Run, Snapshot
from skmlp.training.averaging import kept
from skmlp.training.batches import EpochOrder
from skmlp.training.data import Data
from skmlp.training.diagnosis import Diagnosis
from skmlp.training.session import TrainingConfig, TrainingSession
from skmlp.training.state import TrainingState
from skmlp.training.step import make_step


class Call(NamedTuple):
    """The arguments of `fit` or `partial_fit` except the training data.

    Attributes
    ----------
    random_state : RandomState
        Source of random numbers of this call.

    validation_data : Data or None
        Validation set of the user.

    tasks : sequence of TaskCallback
        Callbacks that call those of scikit-learn.

    checkpoint : Snapshot or None
        Checkpoint from which training is resumed.

    incremental : bool
        Whether the call is to `partial_fit`.

    has_initial : bool
        Whether the user gave initial weights or biases.
    """

    random_state: np.random.RandomState
    validation_data: Data | None = None
    tasks: Any = ()
    checkpoint: Snapshot | None = None
    incremental: bool = False
    has_initial: bool = False


class EpochTraining:
    """The training of an estimator by a first-order solver.

    Parameters
    ----------
    estimator : BaseMLP
        The estimator. Training continues from its fitted attributes, if it has any.
        They are not changed.

    network : Network
        The network.

    theta : Parameters
        Initial weights and biases, changed in place.

    data : Data
        The training data.

    call : Call
        Arguments of the call.
    """

    def __init__(self, estimator, network, theta, data, call):
        self.estimator = estimator
        self.network = network
        self.theta = theta
        self.data = data
        self.call = call
        self.optimizer = self._make_optimizer()
        self.penalty = build.make_penalty(estimator)
        self.step_options = build.step_options(estimator)
        self.engine = choose_engine(
            estimator.engine,
            network,
            self.optimizer,
            data.X,
            estimator.augment,
            self.penalty,
            self.step_options,
        )
        self.callbacks = build.list_callbacks(estimator)
        self.early_stopping = estimator.early_stopping
        # Scores can be compared if they are of the same metric and validation set.
        own_split = call.validation_data is None
        self.scored_on = estimator.early_stopping_metric, own_split
        self._splits = self.early_stopping and own_split

    def run(self):
        """Train.

        Returns
        -------
        state : TrainingState
            The state at the end.
        """
        call, checkpoint = self.call, self.call.checkpoint
        run = self._make_run()
        callbacks = self.callbacks
        if checkpoint is not None:
            run.check(checkpoint)
            if callbacks:
                callbacks = [*callbacks, RestoredCallbacks(run, checkpoint)]
        train_rows, val_rows = self._split()
        validate = self._make_validation(val_rows)
        state = self._make_state(run, train_rows, val_rows)
        if checkpoint is not None:
            checkpoint.restore(state)
        elif self.early_stopping and (
            call.has_initial or not self._splits or self._is_scored_otherwise()
        ):
            state.rescore(validate)
        epochs, schedule = self._make_epochs(state)
        session = TrainingSession(
            self._make_config(),
            state,
            epochs,
            schedule,
            validate=validate,
            callbacks=[*call.tasks, *callbacks],
            diagnosis=self._make_diagnosis(train_rows),
        )
        with self.engine.running(self._largest_product(epochs.batch_size)):
            session.run()
        return state

    def _is_scored_otherwise(self):
        return self.scored_on != self.estimator._scored_on

    def _make_config(self):
        estimator = self.estimator
        return TrainingConfig(
            tol=estimator.tol,
            n_iter_no_change=estimator.n_iter_no_change,
            early_stopping=estimator.early_stopping,
            verbose=estimator.verbose,
            on_interrupt=estimator.on_interrupt,
        )

    def _make_optimizer(self):
        """Return the optimizer, which `partial_fit` continues with."""
        optimizer = build.make_optimizer(self.estimator, self.theta)
        before = getattr(self.estimator, "_optimizer", None)
        # Only one of the same class: another solver has another state.
        if (
            self.call.incremental
            and before is not None
            and type(before) is type(optimizer)
        ):
            optimizer.resume(before)
        return optimizer

    def _make_run(self):
        """Return what describes the training in checkpoints."""
        estimator, call = self.estimator, self.call
        earlier = {
            name: getattr(estimator, name)
            for name in EXTENDED
            if hasattr(estimator, name)
        }
        return Run(
            estimator,
            self.engine.name,
            self.data,
            call.validation_data,
            self.callbacks,
            earlier,
        )

    def _split(self):
        """Return the rows to train on and those to validate on, None for all."""
        call, data = self.call, self.data
        if not self._splits:
            return None, None
        if call.checkpoint is not None:
            return call.checkpoint.rows, call.checkpoint.val_rows
        stratify = self.estimator._stratify(data.y, data.Y)
        return split(self.estimator, data, stratify, call.random_state)

    def _make_validation(self, val_rows):
        """Return the object that scores parameters on the validation set, or None."""
        data = self.call.validation_data
        if val_rows is not None:
            data = self.data.take(val_rows)
        if data is None:
            return None
        return Validation(self.estimator, self.network, self.theta, data)

    def _make_rng(self):
        """Return the generator for dropout, `augment` and random search, or None.

        Its seed is drawn only if the generator is used, so that the same `random_state`
        gives the same numbers as in scikit-learn. Training that continues uses the
        generator of the last call. Otherwise each call of `partial_fit` would drop the
        same units.
        """
        estimator, rng = self.estimator, None
        if getattr(estimator, "_rng", None) is not None:
            rng = deepcopy(estimator._rng)
        elif self.network.draws or estimator.augment or self.optimizer.draws:
            seed = self.call.random_state.randint(2**31 - 1)
            rng = np.random.default_rng(seed)
        if self.call.checkpoint is not None:
            rng = self.call.checkpoint.choose_rng(rng)
        return rng

    def _make_order(self, train_rows):
        """Return the order of the samples. One batch is not shuffled."""
        one_batch = self.estimator.batch_size == "full" or self.optimizer.full_batch
        shuffles = self.estimator.shuffle and not one_batch
        random_state = self.call.random_state if shuffles else None
        return EpochOrder(self.data.X.shape[0], train_rows, random_state)

    def _make_state(self, run, train_rows, val_rows):
        """Return the state of the training before its first epoch."""
        estimator, network, theta = self.estimator, self.network, self.theta

        rng = self._make_rng()
        average = build.make_average(estimator, theta)

        def fitted_estimator():
            # `state` would be a reference cycle.
            fitted = estimator._fitted_copy(network, kept(theta, average).copy())
            fitted._rng = rng
            return fitted

        state = TrainingState(
            theta,
            self.optimizer,
            self._make_order(train_rows),
            rng=rng,
            val_rows=val_rows,
            estimator=estimator,
            fitted_estimator=fitted_estimator,
            run=run,
            max_iter=estimator.max_iter,
            incremental=self.call.incremental,
            average=average,
        )
        state.t = getattr(estimator, "t_", 0)
        state.no_improvement_count = getattr(estimator, "_no_improvement_count", 0)
        if self.early_stopping:
            best = getattr(estimator, "best_validation_score_", None)
            state.best_validation_score = -np.inf if best is None else best
            state.best_loss = None
        elif (best := getattr(estimator, "best_loss_", None)) is not None:
            state.best_loss = best
        return state

    def _make_epochs(self, state):
        """Return the engine that runs epochs, and the learning rate schedule."""
        estimator, optimizer, data = self.estimator, self.optimizer, self.data
        n_train = state.order.n_samples
        batch_size = n_train if optimizer.full_batch else self._batch_size(n_train)
        schedule = build.make_schedule(estimator, math.ceil(n_train / batch_size))
        objective = self.engine.Objective(
            self.network, self.penalty, state.theta, report_mean=True
        )
        step = make_step(objective, optimizer, rng=state.rng, **self.step_options)
        epochs = self.engine.Epochs(
            step,
            data.X,
            data.Y,
            data.w,
            n_train,
            batch_size,
            schedule,
            augment=estimator.augment,
            rng=state.rng,
            keep_gradient=any(
                getattr(callback, "needs_gradient", False)
                for callback in self.callbacks
            ),
        )
        return epochs, schedule

    def _batch_size(self, n_train):
        batch_size, min_batches = self.estimator.batch_size, self.estimator.min_batches
        if batch_size == "full":
            return n_train
        if batch_size == "auto":
            batch_size = min(200, n_train)
        if batch_size > n_train:
            if min_batches == 1:
                warn(
                    "Got `batch_size` less than 1 or larger than sample size. It is "
                    f"going to be clipped: got {batch_size} for {n_train} samples.",
                )
            batch_size = n_train
        batch_size = min(int(batch_size), -(-n_train // int(min_batches)))
        if batch_size == 1 < n_train and self.estimator.batch_norm:
            raise ValueError(
                "batch_norm=True needs a batch_size of at least 2, because one sample "
                f"has no variance, got batch_size={self.estimator.batch_size!r} and "
                f"min_batches={min_batches} for {n_train} samples."
            )
        return batch_size

    def _largest_product(self, batch_size):
        """Return the number of multiplications in the largest matrix product."""
        if self.optimizer.full_batch:  # a search also computes sums of long vectors
            return math.inf
        return batch_size * max(W.size for W in self.theta.coefs)

    def _make_diagnosis(self, train_rows):
        """Return the diagnosis for a training that does not converge, or None."""
        if self.call.incremental:
            return None
        data = self.data
        return Diagnosis(
            self.network,
            self.theta,
            data.X,
            data.Y,
            data.w,
            train_rows,
            is_regression=is_regressor(self.estimator),
            has_rate=not self.optimizer.full_batch,
        )
