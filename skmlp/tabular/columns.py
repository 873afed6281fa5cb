"""The columns of arrays and data frames, as numbers or categories."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array

from skmlp.core._typing import Array

_DATES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64)


class Column(NamedTuple):
    """A column of a table.

    Attributes
    ----------
    values : ndarray of shape (n_samples,)
        The values: of dtype float64 if they are numbers, with NaN for missing ones,
        otherwise of dtype object.

    missing : ndarray of shape (n_samples,)
        Whether a value is missing: None, NaN, or the missing value of the library.
    """

    values: Array
    missing: Array

    @property
    def is_numeric(self) -> bool:
        """Whether the values are numbers."""
        return self.values.dtype.kind == "f"


def check_table(X: Any) -> Any:
    """Return a table as a data frame or a two-dimensional array.

    Parameters
    ----------
    X : {array-like, dataframe} of shape (n_samples, n_features)
        The table. The elements of a list keep their types.

    Returns
    -------
    X : {ndarray, dataframe}

    Raises
    ------
    TypeError
        If X is sparse.

    ValueError
        If X is not two-dimensional, or has no samples or no features.
    """
    if not _is_frame(X):
        if not (hasattr(X, "dtype") or hasattr(X, "__array__") or issparse(X)):
            X = np.array(X, dtype=object)
        # Complex numbers are rejected, too.
        return check_array(X, dtype=None, ensure_all_finite=False)
    if 0 in X.shape:
        what = "sample(s)" if X.shape[0] == 0 else "feature(s)"
        raise ValueError(
            f"Found a data frame with 0 {what} (shape={X.shape}), while a minimum of 1 "
            "is required."
        )
    return X


def read_columns(X: Any, names: list[str]) -> Iterator[Column]:
    """Read the columns of a table, one at a time.

    Parameters
    ----------
    X : {ndarray, dataframe} of shape (n_samples, n_features)
        A table returned by `check_table`.

    names : list of str
        Names of the columns for error messages.

    Yields
    ------
    column : Column

    Raises
    ------
    ValueError
        If a column has dates or infinite values.
    """
    for j, name in enumerate(names):
        if not _is_frame(X):
            column = _read_array(X[:, j], name)
        elif hasattr(X, "iloc"):
            column = _read_pandas(X.iloc[:, j], name)
        else:
            column = _read_polars(X[:, j], name)
        if column.is_numeric and np.isinf(column.values).any():
            raise ValueError(f"X must not contain infinity, got it in column {name!r}.")
        yield column


def as_categories(column: Column) -> Column:
    """Return a column with its numbers as categories."""
    if not column.is_numeric:
        return column
    return column._replace(values=column.values.astype(object))


def _is_frame(X: Any) -> bool:
    """Return whether X is a data frame of pandas or polars."""
    return hasattr(X, "columns") and hasattr(X, "dtypes")


def _read_pandas(series: Any, name: str) -> Column:
    dtype = series.dtype
    kind = getattr(dtype, "kind", "O")
    if kind in "mM" or str(dtype).startswith("period"):
        _raise_dates(name, dtype)
    # The codes of a categorical column have a kind, too.
    if kind in "biuf" and not hasattr(dtype, "categories"):
        return _numbers(series.to_numpy(dtype=np.float64, na_value=np.nan))
    missing = series.isna().to_numpy(dtype=bool)
    return _objects(series.to_numpy(dtype=object), missing, name)


def _read_polars(series: Any, name: str) -> Column:
    dtype = series.dtype
    if dtype.is_temporal():
        _raise_dates(name, dtype)
    if dtype.is_numeric() or str(dtype) == "Boolean":
        return _numbers(series.cast(float).to_numpy())
    missing = series.is_null().to_numpy()
    return _objects(np.array(series.to_list(), dtype=object), missing, name)


def _read_array(values: Array, name: str) -> Column:
    if values.dtype.kind in "biuf":
        return _numbers(values.astype(np.float64))
    if values.dtype.kind in "mM":
        _raise_dates(name, values.dtype)
    if values.dtype.kind in "US":
        values = values.astype(str)
    return _objects(values.astype(object), None, name)


def _numbers(values: Array) -> Column:
    return Column(values, np.isnan(values))


def _objects(values: Array, missing: Array | None, name: str) -> Column:
    """Return a column of objects, as numbers if all of them are."""
    if missing is None:
        missing = np.fromiter(
            (value is None or _is_nan(value) for value in values),
            bool,
            len(values),
        )
    present = values[~missing]
    types = {type(value) for value in present}
    for cls in types:
        if issubclass(cls, _DATES) or cls.__name__ in {"Period", "Timestamp"}:
            _raise_dates(name, cls.__name__)
    if types and all(issubclass(cls, Real | np.bool_) for cls in types):
        numbers = np.full(len(values), np.nan)
        numbers[~missing] = present.astype(np.float64)
        return Column(numbers, missing)
    return Column(values, missing)


def _is_nan(value: Any) -> bool:
    return isinstance(value, Real) and value != value


def _raise_dates(name: str, dtype: Any) -> None:
    raise ValueError(
        f"X must have numbers, booleans, strings or categories, got dates in column "
        f"{name!r} ({dtype}). Convert them to numbers first, such as the year, the day "
        "of the week, or the number of days since a fixed date, or remove the column."
    )
