"""A callback that records the parameters during training."""

from __future__ import annotations

import math
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_scalar

from skmlp.callbacks.base import Callback, attributes
from skmlp.core.constraints import euclidean_norm

if TYPE_CHECKING:
    from skmlp.training.state import TrainingState


class WeightRecorder(Callback):
    """Record the weights, the biases and the direction of the gradient.

    Parameters
    ----------
    every : int, default=1
        Number of epochs between two records. The initial parameters are recorded too.

    Attributes
    ----------
    epochs_ : list of int
        Numbers of the recorded epochs, 0 for the initial parameters.

    coefs_, intercepts_ : list of lists of ndarray
        Weights and biases of each layer, for each of `epochs_`.

    grad_norms_ : list of float
        Norm of the gradient of the last step of the epoch. The first value is NaN.

    angles_ : list of float
        Angle in degrees between this gradient and the previous one that was recorded.
        The first two values are NaN, and so is the value if a gradient is zero.
    """

    needs_gradient = True

    def __init__(self, every: int = 1) -> None:
        self.every = every

    def on_fit_begin(self, training: TrainingState) -> None:
        check_scalar(self.every, "every", Integral, min_val=1)
        self.epochs_: list[int] = []
        self.coefs_: list[list[np.ndarray]] = []
        self.intercepts_: list[list[np.ndarray]] = []
        self.grad_norms_: list[float] = []
        self.angles_: list[float] = []
        self._previous: np.ndarray | None = None
        self._record(training, None)

    def on_epoch_end(self, training: TrainingState) -> None:
        if training.n_iter % self.every == 0:
            self._record(training, training.gradient)

    def _record(self, training: TrainingState, gradient: np.ndarray | None) -> None:
        self.epochs_.append(training.n_iter)
        self.coefs_.append([W.copy() for W in training.theta.coefs])
        self.intercepts_.append([b.copy() for b in training.theta.intercepts])
        gradient = None if gradient is None else gradient.astype(np.float64)
        self.grad_norms_.append(
            math.nan if gradient is None else euclidean_norm(gradient)
        )
        self.angles_.append(_angle(self._previous, gradient))
        self._previous = gradient

    def on_fit_end(self, training: TrainingState) -> None:
        self._previous = None

    def state_dict(self) -> dict[str, Any]:
        """Return the records, with an array for all epochs of a layer.

        Returns
        -------
        state : dict
        """
        state = attributes(self)
        for name in ("coefs_", "intercepts_"):
            state[name] = [np.stack(l) for l in zip(*state[name], strict=True)]
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the records."""
        super().load_state_dict(state)
        for name in ("coefs_", "intercepts_"):
            setattr(self, name, [list(e) for e in zip(*state[name], strict=True)])


def _angle(g: np.ndarray | None, h: np.ndarray | None) -> float:
    """Return the angle between two vectors in degrees, NaN if it is not defined."""
    if g is None or h is None or not (g.any() and h.any()):
        return math.nan
    g, h = g / euclidean_norm(g), h / euclidean_norm(h)
    # For small angles, the arc cosine would lose half of the digits.
    return math.degrees(2 * math.atan2(euclidean_norm(g - h), euclidean_norm(g + h)))
