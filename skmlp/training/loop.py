"""Training over epochs: progress, stopping, and the best weights."""

import math
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skmlp._warnings import warn
from skmlp.core.inference import quietly
from skmlp.core.optimizers import Optimizer
from skmlp.core.parameters import Parameters
from skmlp.training.batches import EpochOrder
from skmlp.training.diagnosis import is_ignored

HISTORY = ("loss", "val_loss", "val_score", "learning_rate", "grad_norm", "seconds")
"""What is recorded of each epoch."""

HOOKS = {
    "on_fit_begin",
    "on_epoch_begin",
    "on_epoch_end",
    "on_epoch_settled",
    "on_fit_end",
}
"""Methods of callbacks that are called; a callback may lack any of them."""


class Scores(NamedTuple):
    """What a validation set says of the parameters.

    Attributes
    ----------
    loss : float
        Mean loss, without the penalty.

    score : float
        Accuracy or R^2, or what `early_stopping_metric` scores.

    monitored : float
        What early stopping maximizes.
    """

    loss: float
    score: float
    monitored: float


NO_SCORES = Scores(np.nan, np.nan, np.nan)


def new_history():
    """A history of no epochs yet."""
    return {name: [] for name in HISTORY}


@dataclass
class TrainingState:
    """What training has reached, and what it needs to go on.

    It is also what callbacks are given.

    Attributes
    ----------
    theta : Parameters
        Weights and biases, moved in place.

    optimizer : Optimizer
        Moves them. Its `base_learning_rate` may be changed between epochs.

    order : EpochOrder
        Order of the samples.

    rng : Generator, default=None
        What dropout, augmentation and random search draw from.

    val_rows : ndarray of int, default=None
        Rows of X that early stopping has set aside.

    best_theta : Parameters, default=None
        Those that had the best validation score; None without early stopping.

    estimator : object, default=None
        The estimator that is being fitted. Its fitted attributes are those of
        an earlier call, if there are any, until training has ended.

    fitted_estimator : callable, default=None
        Returns a copy of the estimator that is ready to predict, as it would be
        were training to end here, with copies of the parameters.

    run : Run, default=None
        What can write a checkpoint.

    max_iter : int, default=1
        Largest number of epochs of this run.

    incremental : bool, default=False
        Whether this is one epoch, as part of a training that the caller directs.

    t : int, default=0
        Samples seen in all.

    best_loss : float or None, default=inf
        Least training loss of an epoch; None with early stopping.

    best_validation_score : float or None, default=None
        Greatest validation score of an epoch; None without early stopping.

    no_improvement_count : int, default=0
        Epochs since the loss or the score last improved by the tolerance.

    n_iter : int, default=0
        Epochs of this run.

    done : bool, default=False
        Whether this run has ended before its largest number of epochs.

    loss : float
        Training loss of the last epoch; NaN before the first has ended.

    history : dict of lists of float
        For each epoch of this run: `loss`, the training loss; `val_loss` and
        `val_score`, NaN without a validation set; `learning_rate`, that of the
        epoch's last step; `grad_norm`, the mean over its steps; `seconds`, the
        time that it took.

    validation_scores : list of float
        The validation score that rules early stopping, for each epoch.

    has_validation : bool
        Whether there is a validation set.

    gradient : ndarray of shape (n_parameters,) or None
        Gradient of the last batch, in the layout of `theta`; None unless a
        callback has asked for it, or if the optimizer needs none.
    """

    theta: Parameters
    optimizer: Optimizer
    order: EpochOrder
    rng: np.random.Generator | None = None
    val_rows: np.ndarray | None = None
    best_theta: Parameters | None = None
    estimator: object = None
    fitted_estimator: Callable | None = None
    run: Any = None
    max_iter: int = 1
    incremental: bool = False
    t: int = 0
    best_loss: float | None = np.inf
    best_validation_score: float | None = None
    no_improvement_count: int = 0
    n_iter: int = 0
    done: bool = False
    loss: float = np.nan
    history: dict = field(default_factory=new_history)
    validation_scores: list = field(default_factory=list)
    has_validation: bool = False
    gradient: np.ndarray | None = None

    def rescore(self, validate):
        """Score the start anew, where there is a best score of another kind."""
        if self.best_validation_score == -np.inf:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            score = validate(self.theta).monitored
        self.best_validation_score = -np.inf if np.isnan(score) else score


def run_epochs(
    state,
    engine,
    schedule,
    *,
    tol,
    n_iter_no_change,
    validate=None,
    early_stopping=False,
    verbose=False,
    callbacks=(),
    diagnosis=None,
    on_interrupt="stop",
):
    """Train until convergence, or for `state.max_iter` epochs.

    Parameters
    ----------
    state : TrainingState
        Where to start, or to go on; updated.

    engine : NumpyEngine or CompiledEngine
        Runs epochs.

    schedule : Schedule
        Sets the optimizer's base learning rate between epochs.

    tol : float
        Least improvement of the loss, or of the score, that counts.

    n_iter_no_change : int or inf
        Epochs without improvement before the schedule is asked what to do.

    validate : callable, default=None
        Takes the parameters and returns their `Scores` on a validation set.

    early_stopping : bool, default=False
        Whether that score rules instead of the loss, and the weights that were
        best by it are restored at the end.

    verbose : bool or int, default=False
        Whether to print the progress; an integer k > 1 prints it after the
        first epoch and every k epochs.

    callbacks : list of Callback, default=()
        Told of the progress; any of them can stop training.

    diagnosis : Diagnosis, default=None
        Explains in the warnings and errors why training did not converge; None for no
        explanation.

    on_interrupt : {'stop', 'raise'}, default='stop'
        Whether a KeyboardInterrupt ends training with the weights reached so far, or
        is passed on. An incremental training always passes it on.

    Raises
    ------
    KeyboardInterrupt
        If the user interrupts and the interrupt is passed on.

    ValueError
        When the parameters are no longer finite, and no good ones are known; or
        when the score that rules early stopping was never a number.
    """
    theta, optimizer = state.theta, state.optimizer
    state.gradient, state.has_validation = engine.gradient, validate is not None
    if early_stopping and state.best_theta is None:
        state.best_theta = theta.copy()
    n_before, t_before = state.n_iter, state.t
    epochs: list = []  # those that the engine has run; it may be ahead of `n_iter`
    diverged = False
    converged = False  # or the schedule has ended

    def look_at(epoch):
        start = perf_counter()
        scores = NO_SCORES if validate is None else validate(theta)
        state.loss = epoch.loss
        state.n_iter += 1
        state.t += state.order.n_samples
        _record(state, epoch, scores, perf_counter() - start)
        if early_stopping:
            _track_score(state, tol, scores.monitored)
        else:
            _track_loss(state, tol)
        _print_progress(state, verbose, early_stopping)

    def set_base_rate():
        rate = schedule.after_epoch(optimizer.base_learning_rate, state.t)
        _set_base_rate(optimizer, rate)

    with _told(callbacks, state), quietly():
        try:
            while not state.done and state.n_iter < state.max_iter:
                _tell(callbacks, "on_epoch_begin", state)
                if state.n_iter == n_before + len(epochs):
                    # How many epochs can run before anything can come between.
                    free = 1
                    if not (callbacks or validate or state.incremental):
                        free = n_iter_no_change - state.no_improvement_count + 1
                    free = min(free, state.max_iter - state.n_iter)
                    engine.run_epochs(state.order, free, state.t, epochs)
                epoch = epochs[state.n_iter - n_before]
                look_at(epoch)
                is_last = state.n_iter == n_before + len(epochs)
                diverged = is_last and _has_diverged(state, epoch)
                if diverged:
                    state.done = True
                    break

                set_base_rate()
                stop = _tell(callbacks, "on_epoch_end", state)
                if state.no_improvement_count > n_iter_no_change:
                    learning_rate = schedule.on_plateau(optimizer.base_learning_rate)
                    if verbose:
                        then = schedule.stopping_message
                        if learning_rate is not None:
                            then = f"Setting learning rate to {learning_rate:f}"
                        _print_plateau(early_stopping, tol, n_iter_no_change, then)
                    if learning_rate is None:
                        stop = converged = True
                    else:
                        _set_base_rate(optimizer, learning_rate)
                        state.no_improvement_count = 0
                state.done = bool(stop or optimizer.stationary or state.incremental)
                _tell(callbacks, "on_epoch_settled", state)
            if not (state.done or schedule.ends):  # else at max_iter, as planned
                warn(
                    f"Stochastic Optimizer: Maximum iterations ({state.max_iter}) "
                    "reached and the optimization hasn't converged yet."
                    + _causes_to_show(diagnosis, state.history["loss"]),
                    ConvergenceWarning,
                )
            elif not state.done:
                converged = state.n_iter > min(n_iter_no_change, 10)
        except KeyboardInterrupt:
            # A caller who trains piece by piece has to hear of it, and there may be
            # nothing to keep.
            if on_interrupt == "raise" or state.incremental:
                raise
            if not (theta.isfinite() or state.validation_scores):
                raise
            _cut_to_whole_epochs(state, early_stopping, n_before, t_before)
            # The parameters may be further than we are.
            for epoch in epochs[state.n_iter - n_before :]:
                look_at(epoch)
                set_base_rate()
            warn(
                f"Training interrupted by user, after {state.n_iter} of at most "
                f"{state.max_iter} epochs.",
            )
        if diverged:
            _handle_divergence(state, diagnosis)
        elif state.n_iter and not np.isfinite(state.loss):  # earlier ones do not matter
            warn(
                f"The loss is {state.loss} in epoch {state.n_iter}, though the weights "
                f"are finite: it is beyond the range of {theta.flat.dtype}. Scale X "
                "(and y in regression), for example with StandardScaler."
                + _causes(diagnosis),
                ConvergenceWarning,
            )
        if early_stopping and state.n_iter:
            if state.best_validation_score == -np.inf:
                raise ValueError(
                    "early_stopping=True needs a validation score, which was not a "
                    f"number after any of the {state.n_iter} epochs: the validation "
                    "set and early_stopping_metric do not go together."
                )
            theta.assign(state.best_theta)
        converged = converged or optimizer.stationary
        asks = diagnosis is not None and converged and np.isfinite(state.loss)
        if asks and not is_ignored(ConvergenceWarning):
            complaint = diagnosis.complaint(state.loss, state.history["loss"])
            if complaint:
                warn(
                    f"Stochastic Optimizer: {complaint}",
                    ConvergenceWarning,
                )


@contextmanager
def _told(callbacks, state):
    """Tell callbacks of the beginning and, whatever happens, of the end."""
    begun = []
    try:
        for callback in callbacks:
            begun.append(callback)
            _tell([callback], "on_fit_begin", state)
        yield
    finally:
        with ExitStack() as ends:  # each is run, even if another one fails
            for callback in reversed(begun):
                ends.callback(_tell, [callback], "on_fit_end", state)


def _tell(callbacks, hook, state):
    """Call a hook of every callback that has it; whether one wants to stop."""
    hooks = [getattr(callback, hook, None) for callback in callbacks]
    return any([hook(state) for hook in hooks if hook is not None])


def _cut_to_whole_epochs(state, early_stopping, n_before, t_before):
    """Forget what an interrupt has left of an epoch that was not recorded in full."""
    lists = list(state.history.values())
    if early_stopping:
        lists.append(state.validation_scores)
    n_iter = min(map(len, lists))
    for values in lists:
        del values[n_iter:]
    losses = state.history["loss"]
    state.n_iter, state.loss = n_iter, losses[-1] if losses else np.nan
    state.t = t_before + (n_iter - n_before) * state.order.n_samples
    if not early_stopping:
        state.best_loss = min([state.best_loss, *losses])
    elif n_iter and lists[-1][-1] > state.best_validation_score:
        state.best_theta.assign(state.theta)
        state.best_validation_score = lists[-1][-1]


def _set_base_rate(optimizer, rate):
    """Change the base rate; until the next step it is the rate itself, too."""
    if rate != optimizer.base_learning_rate:
        optimizer.base_learning_rate = optimizer.learning_rate = rate


def _record(state, epoch, scores, seconds_of_scores):
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
    """Whether the parameters are lost, or the optimizer cannot move them again."""
    if not state.theta.isfinite():
        return True
    if state.optimizer.full_batch:
        return not np.isfinite(state.loss)  # a search has nothing to compare with
    # A gradient whose square overflows freezes an optimizer that divides by it. It
    # is cheaper to see that there may have been one than to look at the state.
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
        state.best_theta.assign(state.theta)
        state.best_validation_score = score


def _causes(diagnosis, losses=()):
    """Return what a diagnosis adds to a message."""
    causes = [] if diagnosis is None else diagnosis.causes(losses)
    return "".join(f" {cause}" for cause in causes)


def _causes_to_show(diagnosis, losses):
    """Return what a diagnosis adds to a warning."""
    return "" if is_ignored(ConvergenceWarning) else _causes(diagnosis, losses)


def _handle_divergence(state, diagnosis):
    epoch = f"epoch {state.n_iter}"
    if not state.incremental:  # else there is no saying how many there will be
        epoch += f" of {state.max_iter}"
    where = (
        f"training diverged in {epoch}, at learning rate "
        f"{state.optimizer.learning_rate:g}. Use a smaller learning_rate_init, or "
        "scale X (and y in regression), for example with StandardScaler."
        + _causes(diagnosis)
    )
    # Validation may have found good weights before.
    if state.best_validation_score is None or state.best_validation_score == -np.inf:
        raise ValueError(
            "Solver produced non-finite parameter weights. The input data may contain "
            f"large values and need to be preprocessed: {where}"
        )
    warn(
        f"The weights of the best epoch are kept, but {where}",
        ConvergenceWarning,
    )


def _print_plateau(early_stopping, tol, n_iter_no_change, then):
    what = "Validation score" if early_stopping else "Training loss"
    print(
        f"{what} did not improve more than tol={tol:f} for {n_iter_no_change} "
        f"consecutive epochs. {then}"
    )
