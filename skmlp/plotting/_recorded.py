"""The network as it was when a `WeightRecorder` recorded it."""

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted


def check_recorder(recorder: Any) -> None:
    """Raise if a recorder has not recorded a training."""
    if not all(hasattr(recorder, name) for name in ("epochs_", "coefs_", "angles_")):
        raise ValueError(
            "recorder must be a skmlp.callbacks.WeightRecorder that was among the "
            f"callbacks of an estimator when it was fitted, got {recorder!r}."
        )


def check_network(recorder: Any, estimator: Any) -> None:
    """Refuse an estimator that cannot predict with the recorded weights."""
    check_recorder(recorder)
    check_is_fitted(estimator)
    if not hasattr(estimator, "coefs_"):
        raise ValueError(
            "estimator must be the MLPClassifierScratch or MLPRegressorScratch whose "
            f"training was recorded, got {estimator!r}."
        )
    if hasattr(estimator, "batch_norm_scales_"):
        raise ValueError(
            "estimator must be without batch normalization, whose scales and running "
            f"averages recorder has not recorded; got {estimator!r}."
        )
    ours, theirs = (
        [W.shape for W in coefs] for coefs in (recorder.coefs_[0], estimator.coefs_)
    )
    if ours != theirs:
        raise ValueError(
            "estimator must be the one whose training recorder has recorded, with "
            f"weights of the shapes {ours}, got {theirs}."
        )


def at_epochs(
    recorder: Any, estimator: Any, function: Callable[..., Any], chosen: Any
) -> np.ndarray:
    """What a function of the estimator was at some of the recorded epochs.

    Parameters
    ----------
    recorder, estimator
        As `check_network` wants them.

    function : callable
        Given a copy of the estimator that predicts with the recorded weights, it
        returns an array of floats.

    chosen : sequence of int
        Which of the recorder's `epochs_`, as indices.

    Returns
    -------
    values : ndarray of shape (n_chosen, ...)
        NaN where the weights were not finite, or what came of them.
    """
    then = copy(estimator)
    now = np.asarray(function(then), dtype=float)
    values = np.full((len(chosen), *now.shape), np.nan)
    for i, k in enumerate(chosen):
        then.coefs_, then.intercepts_ = recorder.coefs_[k], recorder.intercepts_[k]
        try:
            values[i] = function(then)
        except ValueError:  # it could be computed now: the weights have diverged
            continue
    return values


def spread(epochs: Sequence[int], n: int) -> np.ndarray:
    """Indices of n epochs at most, closer at the beginning, where more happens."""
    if len(epochs) <= n:
        return np.arange(len(epochs))
    return np.unique(np.geomspace(1, len(epochs), n).round().astype(int) - 1)
