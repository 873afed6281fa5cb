"""The state of a training, which is passed to callbacks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from skmlp.core.optimizers import Optimizer
from skmlp.core.parameters import Parameters
from skmlp.training.averaging import WeightAverage, kept
from skmlp.training.batches import EpochOrder

HISTORY = ("loss", "val_loss", "val_score", "learning_rate", "grad_norm", "seconds")
"""The values that are recorded for each epoch."""

HOOKS = {
    "on_fit_begin",
    "on_epoch_begin",
    "on_epoch_end",
    "on_epoch_settled",
    "on_fit_end",
}
"""Names of the methods of callbacks. A callback need not have all of them."""


class Scores(NamedTuple):
    """Scores of the parameters on a validation set.

    Attributes
    ----------
    loss : float
        Mean loss, without the penalty.

    score : float
        Accuracy or R^2, or the score of `early_stopping_metric`.

    monitored : float
        The value that early stopping maximizes.
    """

    loss: float
    score: float
    monitored: float


NO_SCORES = Scores(np.nan, np.nan, np.nan)


def new_history():
    """Return a history without epochs."""
    return {name: [] for name in HISTORY}


@dataclass
class TrainingState:
    """The state of a training, with everything that is necessary to continue it.

    It is the argument of the methods of callbacks.

    Attributes
    ----------
    theta : Parameters
        Weights and biases, changed in place.

    optimizer : Optimizer
        The optimizer. Its `base_learning_rate` may be changed between epochs.

    order : EpochOrder
        Order of the samples.

    rng : Generator, default=None
        Random numbers of dropout, augmentation and random search.

    val_rows : ndarray of int, default=None
        Row numbers of the validation set that early stopping splits off.

    best_theta : Parameters, default=None
        The parameters with the best validation score. None without early stopping.

    average : WeightAverage, default=None
        Average of the parameters over epochs. None without `averaging`.

    estimator : object, default=None
        The estimator that is being fitted. Until training has ended, its fitted
        attributes are those of an earlier call, if any.

    fitted_estimator : callable, default=None
        Returns a fitted copy of the estimator with copies of the current
        parameters.

    run : Run, default=None
        Writes checkpoints.

    max_iter : int, default=1
        Maximum number of epochs of this run.

    incremental : bool, default=False
        Whether this is a call of `partial_fit`, which is one epoch.

    t : int, default=0
        Number of samples seen.

    best_loss : float or None, default=inf
        Minimum training loss of an epoch. None with early stopping.

    best_validation_score : float or None, default=None
        Maximum validation score of an epoch. None without early stopping.

    no_improvement_count : int, default=0
        Number of epochs since the loss or the score last improved by the tolerance.

    n_iter : int, default=0
        Number of epochs of this run.

    done : bool, default=False
        Whether this run has ended before `max_iter` epochs.

    loss : float
        Training loss of the last epoch. NaN before the end of the first epoch.

    history : dict of lists of float
        For each epoch of this run: `loss`, the training loss; `val_loss` and
        `val_score`, NaN without a validation set; `learning_rate`, that of the
        epoch's last step; `grad_norm`, the mean over its steps; `seconds`, the
        time that it took.

    validation_scores : list of float
        The validation score that early stopping monitors, for each epoch.

    has_validation : bool
        Whether there is a validation set.

    gradient : ndarray of shape (n_parameters,) or None
        Gradient of the last batch, in the layout of `theta`. None if no callback
        has ``needs_gradient = True`` or if the optimizer needs no gradient.
    """

    theta: Parameters
    optimizer: Optimizer
    order: EpochOrder
    rng: np.random.Generator | None = None
    val_rows: np.ndarray | None = None
    best_theta: Parameters | None = None
    average: WeightAverage | None = None
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

    @property
    def kept_theta(self) -> Parameters:
        """The parameters that training returns if it ends now: the average, if any."""
        return kept(self.theta, self.average)

    def rescore(self, validate):
        """Score the initial parameters if the best score is of another kind."""
        if self.best_validation_score == -np.inf:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            score = validate(self.theta).monitored
        self.best_validation_score = -np.inf if np.isnan(score) else score
