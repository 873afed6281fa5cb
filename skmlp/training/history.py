"""Compact storage of the history in pickles."""

from typing import Any

import numpy as np


def pack_history(state: dict) -> dict:
    """Return the state of an estimator with a compact history.

    After many calls of `partial_fit`, the history is the largest part of a pickle.
    `loss_curve_` is removed if it is equal to the losses in `history_`.

    Parameters
    ----------
    state : dict
        Attributes of the estimator. The dict is not changed.

    Returns
    -------
    state : dict
        The attributes. A list in `history_` is replaced by an array, or by a number and
        a length if all of its values are the same.
    """
    history = state.get("history_")
    if not history:
        return state
    state = {**state, "history_": {k: _pack(values) for k, values in history.items()}}
    if state.get("loss_curve_") == history["loss"]:
        del state["loss_curve_"]
    return state


def unpack_history(state: dict) -> dict:
    """Invert `pack_history`. The state of an earlier version is returned as it is."""
    history = state.get("history_")
    if not history or all(isinstance(values, list) for values in history.values()):
        return state
    history = {name: _unpack(values) for name, values in history.items()}
    return {"loss_curve_": [*history["loss"]], **state, "history_": history}


def _pack(values: Any) -> Any:
    array = np.array(values, dtype=np.float64)
    bits = array.view(np.int64)
    if len(bits) and (bits == bits[0]).all():  # for example, all are NaN
        return values[0], len(values)
    return array


def _unpack(values: Any) -> Any:
    if isinstance(values, np.ndarray):
        return values.tolist()
    value, n = values
    return [value] * n
