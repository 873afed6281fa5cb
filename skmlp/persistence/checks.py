"""Checks of values that were read from a file."""

from numbers import Real
from typing import Any

from skmlp.training.state import HISTORY


def check(condition: Any, message: str) -> None:
    """Raise ValueError with the message unless the condition is true."""
    if not condition:
        raise ValueError(message)


def is_count(value: Any) -> bool:
    """Return whether a value is an int >= 0 that a 64-bit counter can continue from."""
    return type(value) is int and 0 <= value < 2**53


def check_number(value: Any, what: str) -> None:
    """Raise if a value is not a number, or is an integer too large for a float."""
    check(isinstance(value, Real), f"{what} is {value!r}")
    float(value)


def check_numbers(values: Any, what: str) -> None:
    """Raise if a value is not a list of numbers, which may include NaN."""
    check(isinstance(values, list), f"{what} is {type(values)}")
    for value in values:
        check_number(value, f"a number in {what}")


def check_history(history: dict, n_epochs: int, what: str) -> None:
    """Raise if a history does not have the given number of epochs."""
    check(history.keys() == set(HISTORY), f"{what} has other entries")
    for name, values in history.items():
        check_numbers(values, what)
        check(len(values) == n_epochs, f"{what} has {len(values)} epochs in {name}")


def check_earlier(fitted: dict) -> None:
    """Raise if training cannot append to the fitted attributes of an earlier call."""
    check(
        ("history_" in fitted) == ("loss_curve_" in fitted),
        "its history is not complete",
    )
    if "history_" in fitted:
        check_numbers(fitted["loss_curve_"], "its loss_curve_")
        check_history(fitted["history_"], len(fitted["loss_curve_"]), "its history_")
    if fitted.get("validation_scores_") is not None:
        check_numbers(fitted["validation_scores_"], "its validation_scores_")
