"""Training over epochs: progress, stopping, and the best weights."""

import warnings
from dataclasses import dataclass, field

import numpy as np
from sklearn.exceptions import ConvergenceWarning


@dataclass
class TrainingState:
    """What training has reached, and what it needs to go on.

    Attributes
    ----------
    theta : Parameters
        Weights and biases, moved in place.

    optimizer : Optimizer
        Moves them; it holds the learning rate.

    t : int, default=0
        Samples seen in all.

    best_loss : float or None, default=inf
        Least training loss of an epoch; None with early stopping.

    best_validation_score : float or None, default=None
        Greatest validation score of an epoch; None without early stopping.

    no_improvement_count : int, default=0
        Epochs since the loss or the score last improved by the tolerance.

    n_iter : int
        Epochs of this run.

    loss : float
        Training loss of the last epoch.

    loss_curve, validation_scores : list of float
        One value for each epoch of this run.
    """

    theta: object
    optimizer: object
    t: int = 0
    best_loss: float | None = np.inf
    best_validation_score: float | None = None
    no_improvement_count: int = 0
    n_iter: int = 0
    loss: float | None = None
    loss_curve: list = field(default_factory=list)
    validation_scores: list = field(default_factory=list)


def run_epochs(
    state,
    engine,
    order,
    schedule,
    *,
    max_iter,
    tol,
    n_iter_no_change,
    validate=None,
    incremental=False,
    verbose=False,
):
    """Train until convergence, or for `max_iter` epochs.

    Parameters
    ----------
    state : TrainingState
        Where to start; updated.

    engine : NumpyEngine
        Runs an epoch.

    order : EpochOrder
        Order of the samples.

    schedule : Schedule
        Sets the optimizer's learning rate between epochs.

    max_iter : int
        Largest number of epochs.

    tol : float
        Least improvement of the loss, or of the score, that counts.

    n_iter_no_change : int or inf
        Epochs without improvement before the schedule is asked what to do.

    validate : callable, default=None
        Takes the parameters and returns the validation score. If given, the
        score rules instead of the loss, and the weights that were best by it
        are restored at the end.

    incremental : bool, default=False
        One epoch, as part of a training that the caller directs.

    verbose : bool or int, default=False
        Whether to print the progress.

    Raises
    ------
    ValueError
        When the parameters are no longer finite, and no good ones are known.
    """
    theta, optimizer = state.theta, state.optimizer
    best_theta = theta if validate is None else theta.copy()
    try:
        # Overflow is not reported where it happens but by what it leads to.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for n_iter in range(1, max_iter + 1):
                state.loss = engine.run_epoch(order.draw())
                state.n_iter = n_iter
                state.t += order.n_samples
                state.loss_curve.append(state.loss)
                if verbose:
                    print(f"Iteration {n_iter}, loss = {state.loss:.8f}")
                if validate is None:
                    _track_loss(state, tol)
                else:
                    _track_score(state, tol, validate(theta), best_theta)
                    if verbose:
                        print(f"Validation score: {state.validation_scores[-1]:f}")
                if not theta.isfinite():
                    _handle_divergence(state, max_iter)
                    break

                optimizer.learning_rate = schedule.after_epoch(
                    optimizer.learning_rate, state.t
                )
                if state.no_improvement_count > n_iter_no_change:
                    learning_rate = schedule.on_plateau(optimizer.learning_rate)
                    if verbose:
                        _print_plateau(validate, tol, n_iter_no_change, learning_rate)
                    if learning_rate is None:
                        break
                    optimizer.learning_rate = learning_rate
                    state.no_improvement_count = 0
                if incremental:
                    break
            else:
                warnings.warn(
                    f"Stochastic Optimizer: Maximum iterations ({max_iter}) "
                    "reached and the optimization hasn't converged yet.",
                    ConvergenceWarning,
                    stacklevel=2,
                )
    except KeyboardInterrupt:
        if state.n_iter == 0 or (validate is None and not theta.isfinite()):
            raise  # there is nothing to keep
        warnings.warn("Training interrupted by user.", stacklevel=2)
    if validate is not None:
        theta.flat[...] = best_theta.flat


def _track_loss(state, tol):
    if state.loss <= state.best_loss - tol:
        state.no_improvement_count = 0
    else:  # or it is NaN
        state.no_improvement_count += 1
    state.best_loss = min(state.best_loss, state.loss)


def _track_score(state, tol, score, best_theta):
    state.validation_scores.append(score)
    if score >= state.best_validation_score + tol:
        state.no_improvement_count = 0
    else:  # or it is NaN
        state.no_improvement_count += 1
    if score > state.best_validation_score:
        state.best_validation_score = score
        best_theta.flat[...] = state.theta.flat


def _handle_divergence(state, max_iter):
    where = (
        f"training diverged in epoch {state.n_iter} of {max_iter}, at learning rate "
        f"{state.optimizer.learning_rate:g}. Use a smaller learning_rate_init, or "
        "scale X (and y in regression), for example with StandardScaler."
    )
    # Validation may have found good weights before.
    if state.best_validation_score is None or state.best_validation_score == -np.inf:
        raise ValueError(
            "Solver produced non-finite parameter weights. The input data may contain "
            f"large values and need to be preprocessed: {where}"
        )
    warnings.warn(
        f"The weights of the best epoch are kept, but {where}",
        ConvergenceWarning,
        stacklevel=3,
    )


def _print_plateau(validate, tol, n_iter_no_change, learning_rate):
    what = "Training loss" if validate is None else "Validation score"
    then = "Stopping."
    if learning_rate is not None:
        then = f"Setting learning rate to {learning_rate:f}"
    print(
        f"{what} did not improve more than tol={tol:f} for {n_iter_no_change} "
        f"consecutive epochs. {then}"
    )
