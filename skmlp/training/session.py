"""The training loop: epochs until convergence."""

import math
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skmlp._warnings import warn
from skmlp.core.inference import ignore_floating_point_errors
from skmlp.training.diagnosis import is_ignored
from skmlp.training.state import NO_SCORES


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of the training loop.

    Parameters
    ----------
    tol : float
        Minimum change of the loss or the validation score that is an improvement.

    n_iter_no_change : int or inf
        Number of epochs without improvement after which the schedule lowers the
        learning rate or ends training.

    early_stopping : bool, default=False
        Whether to monitor the validation score instead of the loss, and to restore the
        weights of the best epoch at the end.

    verbose : bool or int, default=False
        Whether to print the progress. An integer k > 1 prints it after the first epoch
        and every k epochs.

    on_interrupt : {'stop', 'raise'}, default='stop'
        Whether a KeyboardInterrupt ends training with the weights reached so far, or
        is raised. `partial_fit` always raises it.
    """

    tol: float
    n_iter_no_change: float
    early_stopping: bool = False
    verbose: bool | int = False
    on_interrupt: str = "stop"


class TrainingSession:
    """Train until convergence, or for `state.max_iter` epochs.

    Parameters
    ----------
    config : TrainingConfig
        The settings.

    state : TrainingState
        The state, which is updated.

    engine : NumpyEngine or CompiledEngine
        Runs epochs.

    schedule : Schedule
        Sets the optimizer's base learning rate between epochs.

    validate : callable, default=None
        Function that returns the `Scores` of parameters on a validation set.

    callbacks : list of Callback, default=()
        The callbacks. Each of them can stop training.

    diagnosis : Diagnosis, default=None
        Explains in warnings and errors why training did not converge. None for no
        explanation.
    """

    def __init__(
        self,
        config,
        state,
        engine,
        schedule,
        *,
        validate=None,
        callbacks=(),
        diagnosis=None,
    ):
        self.config = config
        self.state = state
        self.engine = engine
        self.schedule = schedule
        self.validate = validate
        self.callbacks = callbacks
        self.diagnosis = diagnosis
        self._epochs: list = []  # run by the engine, which may be ahead of `n_iter`
        self._n_before, self._t_before = state.n_iter, state.t
        self._diverged = False
        self._converged = False  # or the schedule has ended

    def run(self):
        """Train, from `on_fit_begin` to `on_fit_end`.

        Raises
        ------
        KeyboardInterrupt
            If the user interrupts and `on_interrupt` is 'raise'.

        ValueError
            If the parameters are no longer finite and there are no earlier finite ones,
            or if the monitored score was always NaN.
        """
        state = self.state
        state.gradient = self.engine.gradient
        state.has_validation = self.validate is not None
        if self.config.early_stopping and state.best_theta is None:
            state.best_theta = state.theta.copy()
        with _notified(self.callbacks, state), ignore_floating_point_errors():
            try:
                self._train()
            except KeyboardInterrupt:
                if not self._may_stop():
                    raise
                self._stop_after_interrupt()
            self._finish()

    def _train(self):
        """Run epochs until training ends, and warn if it has not converged."""
        state, config = self.state, self.config
        while not state.done and state.n_iter < state.max_iter:
            _notify(self.callbacks, "on_epoch_begin", state)
            epoch = self._next_epoch()
            self._record_epoch(epoch)
            if self._is_up_to_date() and _has_diverged(state, epoch):
                self._diverged = state.done = True
                break
            self._update_base_rate()
            stop = _notify(self.callbacks, "on_epoch_end", state)
            if state.no_improvement_count > config.n_iter_no_change:
                stop = self._respond_to_plateau() or stop
            state.done = bool(stop or state.optimizer.stationary or state.incremental)
            _notify(self.callbacks, "on_epoch_settled", state)
        if state.done:
            return
        if self.schedule.ends:  # at max_iter, as planned
            self._converged = state.n_iter > min(config.n_iter_no_change, 10)
        else:
            warn(
                f"Stochastic Optimizer: Maximum iterations ({state.max_iter}) reached "
                "and the optimization hasn't converged yet."
                + _causes_to_show(self.diagnosis, state.history["loss"]),
                ConvergenceWarning,
            )

    def _next_epoch(self):
        """Return the next epoch, which the engine may have run already."""
        state = self.state
        if self._is_up_to_date():
            # The number of epochs that can run with nothing between them.
            n_epochs = 1
            if not (
                self.callbacks or self.validate or state.incremental or state.average
            ):
                n_epochs = self.config.n_iter_no_change - state.no_improvement_count + 1
            n_epochs = min(n_epochs, state.max_iter - state.n_iter)
            self.engine.run_epochs(state.order, n_epochs, state.t, self._epochs)
        return self._epochs[state.n_iter - self._n_before]

    def _is_up_to_date(self):
        """Return whether all epochs that the engine has run are recorded."""
        return self.state.n_iter == self._n_before + len(self._epochs)

    def _record_epoch(self, epoch):
        """Score the parameters, and record an epoch in the state."""
        state, config = self.state, self.config
        start = perf_counter()
        state.n_iter += 1
        if state.average is not None:
            state.average.update(state.theta, state.n_iter)
        scores = NO_SCORES if self.validate is None else self.validate(state.kept_theta)
        state.loss = epoch.loss
        state.t += state.order.n_samples
        _extend_history(state, epoch, scores, perf_counter() - start)
        if config.early_stopping:
            _track_score(state, config.tol, scores.monitored)
        else:
            _track_loss(state, config.tol)
        _print_progress(state, config.verbose, config.early_stopping)

    def _update_base_rate(self):
        """Set the base learning rate of the next epoch."""
        optimizer = self.state.optimizer
        rate = self.schedule.after_epoch(optimizer.base_learning_rate, self.state.t)
        _set_base_rate(optimizer, rate)

    def _respond_to_plateau(self):
        """Lower the learning rate, or return True to end training."""
        state, config = self.state, self.config
        rate = self.schedule.on_plateau(state.optimizer.base_learning_rate)
        if config.verbose:
            consequence = self.schedule.stopping_message
            if rate is not None:
                consequence = f"Setting learning rate to {rate:f}"
            _print_plateau(config, consequence)
        if rate is None:
            self._converged = True
            return True
        _set_base_rate(state.optimizer, rate)
        state.no_improvement_count = 0
        return False

    def _may_stop(self):
        """Return whether an interrupt ends training, rather than being raised.

        It is raised in `partial_fit`, and if there are no finite weights to keep.
        """
        state = self.state
        if self.config.on_interrupt == "raise" or state.incremental:
            return False
        return state.theta.isfinite() or bool(state.validation_scores)

    def _stop_after_interrupt(self):
        """Keep the weights reached so far."""
        state = self.state
        self._discard_unfinished_epoch()
        # The engine may have run epochs that are not recorded yet.
        for epoch in self._epochs[state.n_iter - self._n_before :]:
            self._record_epoch(epoch)
            self._update_base_rate()
        warn(
            f"Training interrupted by user, after {state.n_iter} of at most "
            f"{state.max_iter} epochs."
        )

    def _discard_unfinished_epoch(self):
        """Remove the records of an epoch that is recorded in part."""
        state, early_stopping = self.state, self.config.early_stopping
        lists = list(state.history.values())
        if early_stopping:
            lists.append(state.validation_scores)
        n_iter = min(map(len, lists))
        for values in lists:
            del values[n_iter:]
        losses = state.history["loss"]
        state.n_iter, state.loss = n_iter, losses[-1] if losses else np.nan
        n_epochs = n_iter - self._n_before
        state.t = self._t_before + n_epochs * state.order.n_samples
        if not early_stopping:
            state.best_loss = min([state.best_loss, *losses])
        elif n_iter and lists[-1][-1] > state.best_validation_score:
            state.best_theta.assign(state.kept_theta)
            state.best_validation_score = lists[-1][-1]

    def _finish(self):
        """Restore the best weights, and warn or raise if training went wrong."""
        state, early_stopping = self.state, self.config.early_stopping
        if self._diverged:
            _handle_divergence(state, self.diagnosis)
        elif state.n_iter and not np.isfinite(state.loss):  # of the last epoch
            warn(
                f"The loss is {state.loss} in epoch {state.n_iter}, although the "
                "weights are finite: it exceeds the range of "
                f"{state.theta.flat.dtype}. Scale X (and y in regression), for example "
                "with StandardScaler." + _causes(self.diagnosis),
                ConvergenceWarning,
            )
        if early_stopping and state.n_iter:
            if state.best_validation_score == -np.inf:
                raise ValueError(
                    "early_stopping=True needs a validation score, which was NaN after "
                    f"all {state.n_iter} epochs: the early_stopping_metric is not "
                    "defined on the validation set."
                )
            state.theta.assign(state.best_theta)
        elif state.average is not None:
            state.theta.assign(state.kept_theta)
        converged = self._converged or state.optimizer.stationary
        asks = self.diagnosis is not None and converged and np.isfinite(state.loss)
        if asks and not is_ignored(ConvergenceWarning):
            complaint = self.diagnosis.complaint(state.loss, state.history["loss"])
            if complaint:
                warn(f"Stochastic Optimizer: {complaint}", ConvergenceWarning)


@contextmanager
def _notified(callbacks, state):
    """Call `on_fit_begin` and, even after an exception, `on_fit_end`."""
    begun = []
    try:
        for callback in callbacks:
            begun.append(callback)
            _notify([callback], "on_fit_begin", state)
        yield
    finally:
        with ExitStack() as ends:  # each is run, even if another one fails
            for callback in reversed(begun):
                ends.callback(_notify, [callback], "on_fit_end", state)


def _notify(callbacks, hook, state):
    """Call a method of each callback, and return whether one of them returns True."""
    hooks = [getattr(callback, hook, None) for callback in callbacks]
    return any([hook(state) for hook in hooks if hook is not None])


def _set_base_rate(optimizer, rate):
    """Change the base learning rate, and the rate until the next step."""
    if rate != optimizer.base_learning_rate:
        optimizer.base_learning_rate = optimizer.learning_rate = rate


def _extend_history(state, epoch, scores, seconds_of_scores):
    values = {
        "loss": epoch.loss,
        "val_loss": scores.loss,
        "val_score": scores.score,
        "learning_rate": epoch.learning_rate,
        "grad_norm": epoch.grad_norm,
        "seconds": epoch.seconds + seconds_of_scores,
    }
    for name, value in values.items():
        state.history[name].append(value)


def _print_progress(state, verbose, early_stopping):
    if not verbose or (state.n_iter > 1 and state.n_iter % int(verbose)):
        return
    line = f"Iteration {state.n_iter}, loss = {state.loss:.8f}"
    val_loss = state.history["val_loss"][-1]
    if verbose > 1 and not np.isnan(val_loss):
        line += f", validation loss = {val_loss:.8f}"
    print(line)
    if early_stopping:
        print(f"Validation score: {state.validation_scores[-1]:f}")


def _has_diverged(state, epoch):
    """Return whether training cannot continue with finite parameters."""
    if not state.theta.isfinite():
        return True
    if state.optimizer.full_batch:
        return not np.isfinite(state.loss)  # a search has nothing to compare with
    # If the square of a gradient overflows, an optimizer that divides by it makes no
    # further steps. The check of the norm is faster than that of the state.
    largest = math.sqrt(np.finfo(state.theta.flat.dtype).max)
    return not epoch.grad_norm < 1e-6 * largest and not state.optimizer.isfinite()


def _track_loss(state, tol):
    if state.loss <= state.best_loss - tol:
        state.no_improvement_count = 0
    else:  # or it is NaN
        state.no_improvement_count += 1
    state.best_loss = min(state.best_loss, state.loss)


def _track_score(state, tol, score):
    state.validation_scores.append(score)
    if score >= state.best_validation_score + tol:
        state.no_improvement_count = 0
    else:  # or it is NaN
        state.no_improvement_count += 1
    if score > state.best_validation_score:
        state.best_theta.assign(state.kept_theta)
        state.best_validation_score = score


def _causes(diagnosis, losses=()):
    """Return the sentences that a diagnosis adds to a message."""
    causes = [] if diagnosis is None else diagnosis.causes(losses)
    return "".join(f" {cause}" for cause in causes)


def _causes_to_show(diagnosis, losses):
    """Return the sentences that a diagnosis adds to a warning."""
    return "" if is_ignored(ConvergenceWarning) else _causes(diagnosis, losses)


def _handle_divergence(state, diagnosis):
    epoch = f"epoch {state.n_iter}"
    if not state.incremental:  # otherwise the number of epochs is not known
        epoch += f" of {state.max_iter}"
    where = (
        f"training diverged in {epoch}, at learning rate "
        f"{state.optimizer.learning_rate:g}. Use a smaller learning_rate_init, or "
        "scale X (and y in regression), for example with StandardScaler."
        + _causes(diagnosis)
    )
    # There may be weights of an earlier epoch.
    if state.best_validation_score is None or state.best_validation_score == -np.inf:
        raise ValueError(
            "Solver produced non-finite parameter weights. The input data may contain "
            f"large values and need to be preprocessed: {where}"
        )
    warn(
        f"The weights of the best epoch are kept, but {where}",
        ConvergenceWarning,
    )


def _print_plateau(config, consequence):
    what = "Validation score" if config.early_stopping else "Training loss"
    print(
        f"{what} did not improve more than tol={config.tol:f} for "
        f"{config.n_iter_no_change} consecutive epochs. {consequence}"
    )
