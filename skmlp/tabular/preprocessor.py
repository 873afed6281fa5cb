"""A transformer of tables with numbers and categories into numbers for a network."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skmlp._sklearn import (
    Interval,
    StrOptions,
    _check_feature_names_in,
    _fit_context,
    validate_table,
)
from skmlp.core._typing import Array
from skmlp.tabular.columns import as_categories, check_table, read_columns
from skmlp.tabular.encoders import CategoryEncoder, NumericEncoder


class TabularPreprocessor(TransformerMixin, BaseEstimator):
    r"""Convert a table with numbers and categories into numbers for a network.

    Each column is encoded by its dtype:

    - Numbers are centered at the median m and divided by the interquartile range s, or
      by half of the range where s is zero. They are then clipped smoothly:

      .. math:: z = \frac{x - m}{s}, \qquad \frac{z}{\sqrt{1 + (z / c)^2}}

      with c = `clip`. Constant columns become 0. With `n_bins`, there is another column
      for each bin between two quantiles. It increases linearly from -1/2 to 1/2 within
      the bin, and is constant outside. A network can then easily learn steps.
    - Two categories become one column with the values -1 and 1. More categories become
      a column each, with the values 0 and 1 (one-hot encoding). If there are more than
      `max_categories`, only the most frequent ones have a column of their own. Another
      column then has the logarithm of the frequency of the category, standardized.
    - Missing values become 0. If there are missing values in `fit`, a column with the
      values 0 and 1 indicates them.
    - Unknown categories become 0. Their frequency is 0.

    Booleans are numbers. Strings, pandas and polars categories, and other objects are
    categories. A column of dtype object is numeric if it has only numbers.

    Parameters
    ----------
    categorical_features : array-like or None, default=None
        Numeric columns that have categories, in addition to those found by dtype: a
        boolean mask, indices, or names. None for no others.

    max_categories : int or None, default=256
        Maximum number of categories that have a column of their own, for each feature.
        None for no maximum.

    clip : float or None, default=3.0
        Bound c of numbers after scaling. None to not clip.

    n_bins : int, 'auto' or None, default=None
        Maximum number of bins of each numeric column. They are equally frequent. 'auto'
        is ``sqrt(n_samples) / 5``, between 4 and 16. None for no bins.

    add_indicator : bool, default=True
        Whether there are columns that indicate missing values.

    dtype : {'float32', 'float64'}, default='float32'
        Data type of the output.

    Attributes
    ----------
    encoders_ : list of object
        The encoder of each feature.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`. Defined only when X has feature names
        that are all strings.

    See Also
    --------
    MLPClassifierScratch : Multilayer perceptron classifier.
    MLPRegressorScratch : Multilayer perceptron regressor.

    Notes
    -----
    The output has C order, one block of columns for each feature, in their order. A
    transform needs memory for its output and one column.

    References
    ----------
    D. Holzmüller, L. Grinsztajn and I. Steinwart, "Better by default: strong pre-tuned
    MLPs and boosted trees on tabular data", NeurIPS 2024.

    Y. Gorishniy, I. Rubachev and A. Babenko, "On embeddings for numerical features in
    tabular deep learning", NeurIPS 2022, section 3.2, for the bins.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmlp import TabularPreprocessor
    >>> X = pd.DataFrame(
    ...     {"age": [20, 30, None, 70], "city": ["Rome", "Oslo", "Rome", "Bonn"]}
    ... )
    >>> preprocessor = TabularPreprocessor()
    >>> preprocessor.fit_transform(X).round(1)
    array([[-0.4,  0. ,  0. ,  0. ,  1. ],
           [ 0. ,  0. ,  0. ,  1. ,  0. ],
           [ 0. ,  1. ,  0. ,  0. ,  1. ],
           [ 1.4,  0. ,  1. ,  0. ,  0. ]], dtype=float32)
    >>> preprocessor.get_feature_names_out()
    array(['age', 'missingindicator_age', 'city_Bonn', 'city_Oslo', 'city_Rome'],
          dtype=object)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "categorical_features": ["array-like", None],
        "max_categories": [Interval(Integral, 1, None, closed="left"), None],
        "clip": [Interval(Real, 0, None, closed="neither"), None],
        "n_bins": [
            Interval(Integral, 2, None, closed="left"),
            StrOptions({"auto"}),
            None,
        ],
        "add_indicator": ["boolean"],
        "dtype": [StrOptions({"float32", "float64"})],
    }

    def __init__(
        self,
        *,
        categorical_features: ArrayLike | Sequence[str] | None = None,
        max_categories: int | None = 256,
        clip: float | None = 3.0,
        n_bins: int | str | None = None,
        add_indicator: bool = True,
        dtype: str = "float32",
    ) -> None:
        self.categorical_features = categorical_features
        self.max_categories = max_categories
        self.clip = clip
        self.n_bins = n_bins
        self.add_indicator = add_indicator
        self.dtype = dtype

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the center, the scale and the categories of each column.

        Parameters
        ----------
        X : {array-like, dataframe} of shape (n_samples, n_features)
            The table.

        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If a column has dates or infinite values, or a parameter is not valid.
        """
        X = check_table(X)
        validate_table(self, X, reset=True)
        names = self._names_in()
        are_categories = self._categorical_mask(names)
        n_bins = self.n_bins
        if n_bins == "auto":
            n_bins = min(max(round(X.shape[0] ** 0.5 / 5), 4), 16)
        self.encoders_ = [
            self._make_encoder(name, column, is_category, n_bins)
            for name, column, is_category in zip(
                names, read_columns(X, names), are_categories, strict=True
            )
        ]
        return self

    def _make_encoder(self, name, column, is_category, n_bins):
        if column.is_numeric and not is_category:
            return NumericEncoder(name, column, self.clip, n_bins, self.add_indicator)
        column = as_categories(column)
        return CategoryEncoder(name, column, self.max_categories, self.add_indicator)

    def transform(self, X: Any) -> Array:
        """Encode a table.

        Parameters
        ----------
        X : {array-like, dataframe} of shape (n_samples, n_features)
            The table, with the columns of `fit`.

        Returns
        -------
        X_out : ndarray of shape (n_samples, n_features_out)
            The encoded table, in `dtype`.

        Raises
        ------
        ValueError
            If a column that was numeric in `fit` has other values, or a column has
            dates or infinite values.
        """
        check_is_fitted(self)
        X = check_table(X)
        validate_table(self, X, reset=False)
        n_columns = sum(encoder.n_columns for encoder in self.encoders_)
        out = np.zeros((X.shape[0], n_columns), self.dtype)
        begin = 0
        columns = read_columns(X, self._names_in())
        for encoder, column in zip(self.encoders_, columns, strict=True):
            end = begin + encoder.n_columns
            if isinstance(encoder, CategoryEncoder):
                column = as_categories(column)
            encoder.encode(column, out[:, begin:end])
            begin = end
        return out

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> Array:
        """Return the names of the columns of the output.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the features. They must be those of `fit`, if it had names. If it
            had none, the default is "x0", "x1" and so on.

        Returns
        -------
        names : ndarray of str
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        return np.array(
            [
                name_out
                for encoder, name in zip(self.encoders_, names, strict=True)
                for name_out in encoder.names_out(name)
            ],
            dtype=object,
        )

    def _names_in(self):
        return [str(name) for name in _check_feature_names_in(self)]

    def _categorical_mask(self, names):
        """Return which numeric columns have categories, as a boolean mask."""
        mask = np.zeros(len(names), bool)
        if self.categorical_features is None:
            return mask
        features = np.asarray(self.categorical_features)
        if features.dtype.kind in "UO" and hasattr(self, "feature_names_in_"):
            if set(features.tolist()) <= set(names):
                mask[[names.index(name) for name in features]] = True
                return mask
        elif features.dtype == bool and features.shape == mask.shape:
            return features
        elif features.size == 0 or (
            features.dtype.kind in "iu"
            and -len(names) <= features.min()
            and features.max() < len(names)
        ):
            mask[features.astype(int)] = True
            return mask
        raise ValueError(
            "categorical_features must be a boolean mask, indices or names of the "
            f"{len(names)} features of X, got {self.categorical_features!r}."
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags
