"""Predictions with the weights that a `WeightRecorder` recorded."""

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skmlp.layers import LAYERS

_RECORDED = {"coefs", "intercepts"}


def check_recorder(recorder: Any) -> None:
    """Raise if a recorder has not recorded a training."""
    if not all(hasattr(recorder, name) for name in ("epochs_", "coefs_", "angles_")):
        raise ValueError(
            "recorder must be a skmlp.callbacks.WeightRecorder that was a callback of "
            f"a fitted estimator, got {recorder!r}."
        )


def check_network(recorder: Any, estimator: Any) -> None:
    """Raise if an estimator cannot predict with the recorded weights."""
    check_recorder(recorder)
    check_is_fitted(estimator)
    if not hasattr(estimator, "coefs_"):
        raise ValueError(
            "estimator must be the MLPClassifierScratch or MLPRegressorScratch that "
            f"was fitted with recorder, got {estimator!r}."
        )
    for layer in LAYERS.values():
        groups = {*layer.parameter_groups, *layer.statistic_groups} - _RECORDED
        if any(hasattr(estimator, f"{group}_") for group in groups):
            raise ValueError(
                f"estimator must have {layer.option}=False, because recorder does not "
                f"record {', '.join(sorted(groups))}, got {estimator!r}."
            )
    recorded, fitted = (
        [W.shape for W in coefs] for coefs in (recorder.coefs_[0], estimator.coefs_)
    )
    if recorded != fitted:
        raise ValueError(
            "estimator must be the one that was fitted with recorder, with weights of "
            f"the shapes {recorded}, got {fitted}."
        )


def at_epochs(
    recorder: Any, estimator: Any, function: Callable[..., Any], chosen: Any
) -> np.ndarray:
    """Return the values of a function of the estimator at recorded epochs.

    Parameters
    ----------
    recorder, estimator
        See `check_network`.

    function : callable
        Its argument is a copy of the estimator with recorded weights. It returns an
        array of floats.

    chosen : sequence of int
        Indices of the epochs in the recorder's `epochs_`.

    Returns
    -------
    values : ndarray of shape (n_chosen, ...)
        The values. They are NaN if the weights or the results are not finite.
    """
    recorded = copy(estimator)
    final = np.asarray(function(recorded), dtype=float)
    values = np.full((len(chosen), *final.shape), np.nan)
    for i, k in enumerate(chosen):
        recorded.coefs_ = recorder.coefs_[k]
        recorded.intercepts_ = recorder.intercepts_[k]
        try:
            values[i] = function(recorded)
        except ValueError:  # the recorded weights have diverged
            continue
    return values


def spread(epochs: Sequence[int], n: int) -> np.ndarray:
    """Return the indices of at most n epochs, closer together at the beginning."""
    if len(epochs) <= n:
        return np.arange(len(epochs))
    return np.unique(np.geomspace(1, len(epochs), n).round().astype(int) - 1)
