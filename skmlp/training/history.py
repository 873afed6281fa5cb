"""The history of training in a pickle."""

from typing import Any

import numpy as np


def pack_history(state: dict) -> dict:
    """Return the state of an estimator with a compact history.

    A pickle of a long series of `partial_fit` consists of little else. `loss_curve_` is
    left out where `history_` repeats it.

    Parameters
    ----------
    state : dict
        Attributes of the estimator; not changed.

    Returns
    -------
    state : dict
        With arrays for lists in `history_`, and a number and a length for a list that
        repeats one number.
    """
    history = state.get("history_")
    if not history:
        return state
    state = {**state, "history_": {k: _pack(values) for k, values in history.items()}}
    if state.get("loss_curve_") == history["loss"]:
        del state["loss_curve_"]
    return state


def unpack_history(state: dict) -> dict:
    """Return the state that `pack_history` was given, or one of an earlier version."""
    history = state.get("history_")
    if not history or all(isinstance(values, list) for values in history.values()):
        return state
    history = {name: _unpack(values) for name, values in history.items()}
    return {"loss_curve_": [*history["loss"]], **state, "history_": history}


def _pack(values: Any) -> Any:
    array = np.array(values, dtype=np.float64)
    bits = array.view(np.int64)
    if len(bits) and (bits == bits[0]).all():  # as where all of them are NaN
        return values[0], len(values)
    return array


def _unpack(values: Any) -> Any:
    if isinstance(values, np.ndarray):
        return values.tolist()
    value, n = values
    return [value] * n
