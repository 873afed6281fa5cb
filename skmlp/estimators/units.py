"""Whether validation data can be in the unit of the training data."""

from typing import Any

import numpy as np
from scipy.sparse import issparse

from skmlp._warnings import warn

# By Chebyshev's inequality, at most 1 of 400 samples of any distribution is so many
# standard deviations from the mean.
_FAR = 20

_LEAST_ROWS = 20  # or too little is known of the training data
_FEW = 10  # validation samples
_ROWS, _COLUMNS = 1000, 256  # examined, at most
_SHARE = 0.1  # of the features that are in another unit, at least, and two of them


def warn_of_other_units(data: Any, validation_data: Any, is_regression: bool) -> None:
    """Warn if validation samples or targets can hardly be in the training data's unit.

    The criterion is strict, for a validation set may be small, and may be from another
    time or place. A column is in another unit if half of its validation values, or all
    if there are few, are 20 standard deviations or more from the mean of its training
    values; or if the validation values vary 20 times less, and lie outside the range of
    the training values by more than they vary.

    Parameters
    ----------
    data, validation_data : Data
        The samples.

    is_regression : bool
        Whether the targets are numbers.
    """
    if len(data.Y) < _LEAST_ROWS:
        return
    if is_regression:
        y, y_val = _sample(data.Y), _sample(validation_data.Y)
        others = _find_other_units(y, y_val)
        if others.any():
            k = others.argmax()
            warn(
                "y_val does not seem to be in the unit of y: it has "
                f"{_describe(y_val[:, k])}, and y has {_describe(y[:, k])}. Scores on "
                "the validation set are then meaningless. Transform y_val as y; "
                "TransformedTargetRegressor, for example, transforms y only. Or leave "
                "out X_val and y_val: early_stopping=True sets samples aside itself.",
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
            f"{_describe(X[:, j])}. Transform X_val as X; in a Pipeline, "
            'transform_input=["X_val"] does so.',
        )


def _sample(array: Any) -> np.ndarray:
    """Return evenly spaced rows and columns, if there are many, in float64."""
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
