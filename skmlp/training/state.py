"""What training has reached: the state that callbacks are given."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from skmlp.core.optimizers import Optimizer
from skmlp.core.parameters import Parameters
from skmlp.training.batches import EpochOrder

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
