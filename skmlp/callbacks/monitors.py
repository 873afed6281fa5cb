"""Callbacks that monitor an entry of the history for improvement."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import TYPE_CHECKING

from sklearn.utils import check_scalar

from skmlp.callbacks.base import Callback

if TYPE_CHECKING:
    from skmlp.core.parameters import Parameters
    from skmlp.training.state import TrainingState


class _Monitor(Callback):
    """Base class of callbacks that monitor an entry of the history."""

    def __init__(self, monitor: str, min_delta: float, patience: int) -> None:
        self.monitor = monitor
        self.min_delta = min_delta
        self.patience = patience

    def on_fit_begin(self, training: TrainingState) -> None:
        if self.monitor not in training.history:
            raise ValueError(
                f"monitor must be one of {list(training.history)}, got "
                f"{self.monitor!r}."
            )
        if self.monitor.startswith("val_") and not training.has_validation:
            raise ValueError(
                f"monitor={self.monitor!r} needs a validation set: set "
                "early_stopping=True, or pass X_val and y_val to fit."
            )
        check_scalar(self.patience, "patience", Integral, min_val=1)
        check_scalar(self.min_delta, "min_delta", Real, min_val=0)
        # A score is better if it is greater, the other entries if they are less.
        self._sign = 1 if self.monitor == "val_score" else -1
        self.best_ = -math.inf * self._sign
        self.best_epoch_: int | None = None
        self.wait_ = 0

    def _improves(self, training: TrainingState) -> bool:
        """Return whether the last epoch is the best, and record it if it is."""
        value = training.history[self.monitor][-1]
        if self._sign * (value - self.best_) > self.min_delta:
            self.best_, self.best_epoch_, self.wait_ = value, training.n_iter, 0
            return True
        self.wait_ += 1  # also if it is NaN
        return False


class EarlyStopping(_Monitor):
    """Stop when an entry of the history no longer improves.

    It can be combined with the parameter `early_stopping` of the estimator. The weights
    that the callback restores are then the final weights.

    Parameters
    ----------
    monitor : str, default='val_loss'
        The entry of `history_`: 'loss', 'val_loss', 'val_score' or 'grad_norm'.

    min_delta : float, default=0.0
        Minimum change that is an improvement.

    patience : int, default=10
        Number of epochs without improvement after which training stops.

    restore_best : bool, default=True
        Whether the weights of the best epoch are restored at the end.

    Attributes
    ----------
    best_ : float
        The best value.

    best_epoch_ : int
        Number of the epoch with the best value. The first epoch of a run is 1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import train_test_split
    >>> from skmlp import MLPClassifierScratch
    >>> from skmlp.callbacks import EarlyStopping
    >>> X, X_val, y, y_val = train_test_split(
    ...     *load_iris(return_X_y=True), stratify=None, random_state=0
    ... )
    >>> stop = EarlyStopping(patience=5)
    >>> clf = MLPClassifierScratch(
    ...     callbacks=stop, learning_rate_init=0.05, max_iter=500, random_state=0
    ... )
    >>> _ = clf.fit(X, y, X_val=X_val, y_val=y_val)
    >>> clf.n_iter_ == stop.best_epoch_ + 5
    True
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        min_delta: float = 0.0,
        patience: int = 10,
        restore_best: bool = True,
    ) -> None:
        super().__init__(monitor, min_delta, patience)
        self.restore_best = restore_best

    def on_fit_begin(self, training: TrainingState) -> None:
        # Set first, because on_fit_end is called even after an error.
        self._best_theta: Parameters | None = None
        super().on_fit_begin(training)

    def on_epoch_end(self, training: TrainingState) -> bool | None:
        if self._improves(training) and self.restore_best:
            self._best_theta = training.kept_theta.copy()
        return self.wait_ >= self.patience

    def on_fit_end(self, training: TrainingState) -> None:
        if self._best_theta is not None:
            training.theta.assign(self._best_theta)
            self._best_theta = None


class ReduceLROnPlateau(_Monitor):
    """Reduce the learning rate when an entry of the history no longer improves.

    The callback reduces the rate that the schedule scales. The schedule 'invscaling'
    sets this rate after each epoch, so the reduction lasts for one epoch only. The
    solvers 'armijo' and 'random_search' do not use the rate.

    Parameters
    ----------
    monitor : str, default='val_loss'
        The entry of `history_`.

    factor : float, default=0.1
        Factor by which the learning rate is multiplied, in (0, 1).

    min_delta : float, default=1e-4
        Minimum change that is an improvement.

    patience : int, default=10
        Number of epochs without improvement after which the rate is reduced.

    min_lr : float, default=0.0
        Minimum learning rate.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmlp import MLPClassifierScratch
    >>> from skmlp.callbacks import ReduceLROnPlateau
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifierScratch(
    ...     callbacks=[ReduceLROnPlateau("loss", min_delta=1.0, patience=2)],
    ...     max_iter=6,
    ...     random_state=0,
    ... )
    >>> rates = clf.fit(X, y).history_["learning_rate"]
    >>> [f"{rate:.0e}" for rate in rates]
    ['1e-03', '1e-03', '1e-03', '1e-04', '1e-04', '1e-05']
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        factor: float = 0.1,
        min_delta: float = 1e-4,
        patience: int = 10,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, min_delta, patience)
        self.factor = factor
        self.min_lr = min_lr

    def on_fit_begin(self, training: TrainingState) -> None:
        bounds = {"min_val": 0, "max_val": 1, "include_boundaries": "neither"}
        check_scalar(self.factor, "factor", Real, **bounds)
        check_scalar(self.min_lr, "min_lr", Real, min_val=0)
        super().on_fit_begin(training)

    def on_epoch_end(self, training: TrainingState) -> None:
        if not self._improves(training) and self.wait_ >= self.patience:
            rate = training.optimizer.base_learning_rate
            training.optimizer.base_learning_rate = min(
                rate, max(rate * self.factor, self.min_lr)
            )
            self.wait_ = 0
