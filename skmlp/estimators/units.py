"""A check that validation data are in the units of the training data."""

from typing import Any

import numpy as np
from scipy.sparse import issparse

from skmlp._warnings import warn

# By Chebyshev's inequality, at most 1 of 400 samples of any distribution is at least 20
# standard deviations from the mean.
_FAR = 20

_MIN_ROWS = 20  # of the training data
_FEW = 10  # validation samples
_ROWS, _COLUMNS = 1000, 256  # maximum number that is examined
_SHARE = 0.1  # minimum share of the features that differ, and at least two


def warn_of_other_units(data: Any, validation_data: Any, is_regression: bool) -> None:
    """Warn if validation data do not seem to be in the units of the training data.

    The criterion is strict, because a validation set may be small, and may be from
    another time or place. A column is in another unit in two cases. In the first, half
    of its validation values (all, if there are few) are at least 20 standard deviations
    from the mean of its training values. In the second, the standard deviation of the
    validation values is 20 times smaller, and they are outside the range of the
    training values by more than this standard deviation.

    Parameters
    ----------
    data, validation_data : Data
        The training and the validation samples.

    is_regression : bool
        Whether the targets are numbers, which are then checked, too.
    """
    if len(data.Y) < _MIN_ROWS:
        return
    if is_regression:
        y, y_val = _sample(data.Y), _sample(validation_data.Y)
        others = _find_other_units(y, y_val)
        if others.any():
            k = others.argmax()
            warn(
                "y_val does not seem to be in the unit of y: it has "
                f"{_describe(y_val[:, k])}, and y has {_describe(y[:, k])}. Scores on "
                "the validation set are then meaningless. Transform y_val like y. "
                "TransformedTargetRegressor, for example, transforms y only. Or omit "
                "X_val and y_val: early_stopping=True makes its own validation set.",
            )
    if issparse(data.X) or issparse(validation_data.X):
        return
    X, X_val = _sample(data.X), _sample(validation_data.X)
    others = _find_other_units(X, X_val)
    if np.count_nonzero(others) >= max(2, _SHARE * len(others)):
        j = others.argmax()
        warn(
            "X_val does not seem to be in the units of X: "
            f"{np.count_nonzero(others)} of {len(others)} features differ. In the "
            f"first of these, X_val has {_describe(X_val[:, j])}, and X has "
            f"{_describe(X[:, j])}. Transform X_val like X: in a Pipeline, "
            'set transform_input=["X_val"].',
        )


def _sample(array: Any) -> np.ndarray:
    """Return at most 1000 rows and 256 columns, evenly spaced, in float64."""
    n_rows, n_columns = array.shape
    rows = slice(None, None, -(-n_rows // _ROWS))
    columns = slice(None, None, -(-n_columns // _COLUMNS))
    return np.asarray(array[rows, columns], dtype=np.float64)


def _find_other_units(A: Any, A_val: Any) -> Any:
    """Return for each column whether the validation values are in another unit."""
    is_few = len(A_val) < _FEW
    with np.errstate(all="ignore"):
        mean, std, std_val = A.mean(axis=0), A.std(axis=0), A_val.std(axis=0)
        distance = np.abs(A_val - mean)
        distance = np.quantile(distance, 0.0 if is_few else 0.5, axis=0)
        below, above = (
            A.min(axis=0) - A_val.max(axis=0),
            A_val.min(axis=0) - A.max(axis=0),
        )
    varies = std > 1e-6 * np.abs(mean)
    is_far = distance > _FAR * std
    is_narrow = (0 < std_val) & (_FAR * std_val < std)
    is_outside = np.maximum(below, above) > std_val
    return varies & (is_far | (is_narrow & is_outside & (not is_few)))


def _describe(values: Any) -> str:
    return f"the mean {values.mean():.3g} and the standard deviation {values.std():.3g}"
