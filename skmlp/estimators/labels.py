"""Class labels, before scikit-learn converts them to an array."""

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.multiclass import unique_labels


def plain_labels(y: Any) -> Any:
    """Return labels in a NumPy array if pandas holds them in a nullable type.

    scikit-learn converts nullable integers and booleans to floats, which merges
    large integers. Where labels are missing, it finds NaN.
    """
    dtype: Any = getattr(y, "dtype", None)
    if hasattr(dtype, "numpy_dtype") and dtype.kind in "biu" and not y.isna().any():
        return y.to_numpy(dtype.numpy_dtype)
    return y


def check_labels(y: Any) -> Any:
    """Return class labels that convert to an array without loss.

    NumPy converts all labels of a list that has a string among them to strings,
    NaN included.

    Parameters
    ----------
    y : array-like
        Class labels, or a label indicator matrix.

    Returns
    -------
    y : array-like
        The labels, as an array of their own type if pandas holds them in a
        nullable one.

    Raises
    ------
    ValueError
        If labels that are not numbers are missing or are of several types.
    """
    y = plain_labels(y)
    dtype = getattr(y, "dtype", None)
    if isinstance(y, list | tuple):
        types = {type(label) for label in y}
        strings = [t for t in types if issubclass(t, str)]
        if type(None) in types or 0 < len(strings) < len(types):
            _check_objects(y, "a list")
    elif dtype is not None and not issparse(y):
        array = np.asarray(y)
        if array.dtype.kind in "OTV" and array.ndim and array.size == len(array):
            _check_objects(array.ravel().tolist(), f"dtype {array.dtype}")
    return y


def has_many_samples_per_class(y: Any) -> bool:
    """Return whether y is an integer array with at least ten samples per class.

    scikit-learn accepts such targets as classes without a warning. Its own check takes
    much longer for few samples.
    """
    if type(y) is not np.ndarray or y.ndim != 1 or y.dtype.kind not in "biu":
        return False
    return len(np.unique(y)) * 10 <= len(y)


def unique_classes(y: Any) -> Any:
    """Return the sorted classes of y, see scikit-learn's `unique_labels`."""
    if y.ndim == 1 and y.dtype.kind in "biu":
        return np.unique(y)
    return unique_labels(y)


def _check_objects(labels: Any, container: Any) -> Any:
    """Raise unless the labels are strings."""
    types = set(map(type, labels))
    if all(issubclass(t, str) for t in types) and "String" not in container:
        return
    missing = [row for row, label in enumerate(labels) if _is_missing(label)]
    if missing:
        raise ValueError(
            f"y must have a label for every sample, but {len(missing)} of "
            f"{len(labels)} are missing (None, NaN or NA), the first in row "
            f"{missing[0]}. Remove these samples or give them a label."
        )
    names = " and ".join(sorted(repr(t.__name__) for t in types))
    raise ValueError(
        "Unknown label type: y must have labels of one type, numbers or "
        f"strings, got {container} with values of type {names}. Convert the "
        "labels, for example with numpy.asarray(y, dtype=str) or dtype=int."
    )


def _is_missing(label: object) -> bool:
    """Return whether a label is None, NaN, NaT or pandas.NA."""
    try:
        return label is None or bool(label != label)
    except TypeError:  # pandas.NA has no truth value
        return True
    except ValueError:  # an array
        return False
