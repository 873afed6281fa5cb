"""Encoders of single columns."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise, repeat
from typing import Any

import numpy as np

from skmlp.core._typing import Array
from skmlp.tabular.columns import Column


class NumericEncoder:
    r"""Encoder of numbers: centered, scaled and smoothly clipped.

    .. math:: z = \frac{x - m}{s}, \qquad \frac{z}{\sqrt{1 + (z / c)^2}}

    The center m is the median. The scale s is the interquartile range, or half of the
    range where it is zero. Constant columns become 0. Missing values become 0, and have
    an indicator column if there are some in `fit`.

    A column for each bin between the quantiles :math:`b_0 < \dots < b_T` has

    .. math:: \min \left( \max \left( \frac{x - b_{t-1}}{b_t - b_{t-1}}, 0 \right), 1
              \right) - \frac{1}{2}

    so that a linear function of these columns is a piecewise-linear function of x.

    Parameters
    ----------
    name : str
        Name of the column.

    column : Column
        The numbers.

    clip : float or None
        The bound c, or None to not clip.

    n_bins : int or None
        Maximum number of bins T, which are equally frequent. None for no bins. A column
        with fewer than two bins has none.

    add_indicator : bool
        Whether missing values have an indicator column.
    """

    def __init__(
        self,
        name: str,
        column: Column,
        clip: float | None,
        n_bins: int | None,
        add_indicator: bool,
    ) -> None:
        present = column.values[~column.missing]
        self.name, self.clip = name, clip
        self.center = self.scale = 0.0
        if present.size:
            low, self.center, high = np.quantile(present, [0.25, 0.5, 0.75])
            self.scale = high - low
            if self.scale == 0:
                self.scale = present.max() / 2 - present.min() / 2
        self.edges = np.empty(0)
        if n_bins is not None and present.size:
            # Quantiles that are values of the column.
            shares = np.linspace(0, 1, n_bins + 1)
            edges = np.unique(np.quantile(present, shares, method="inverted_cdf"))
            if len(edges) > 2:
                self.edges = edges
        self.n_bins = max(len(self.edges) - 1, 0)
        self.has_indicator = bool(add_indicator and column.missing.any())
        self.n_columns = 1 + self.n_bins + self.has_indicator

    def names_out(self, name: str) -> list[str]:
        """Return the names of the encoded columns, for a name of the column."""
        bins = [f"{name}_bin{t}" for t in range(self.n_bins)]
        return [name, *bins] + [f"missingindicator_{name}"] * self.has_indicator

    def encode(self, column: Column, out: Array) -> None:
        """Write the encoded column into zeros of shape (n_samples, n_columns)."""
        if not column.is_numeric:
            raise ValueError(
                f"X must have numbers in column {self.name!r}, as in fit, got strings "
                "or other objects."
            )
        if self.scale > 0:
            z = (column.values - self.center) / self.scale
            if self.clip is not None:
                z /= np.hypot(1, z / self.clip)
            z[column.missing] = 0
            out[:, 0] = z
        for t, (low, high) in enumerate(pairwise(self.edges), start=1):
            share = np.clip((column.values - low) / (high - low), 0, 1) - 0.5
            share[column.missing] = 0
            out[:, t] = share
        if self.has_indicator:
            out[:, -1] = column.missing


class CategoryEncoder:
    """Encoder of categories: one-hot, and frequencies of many categories.

    Two categories become one column with the values -1 and 1. More become a column
    each, with the values 0 and 1. Of more than `max_categories`, the most frequent ones
    have a column each, and another column has the logarithm of the frequency of the
    category in `fit`, standardized. Missing values have an indicator column if there
    are some in `fit`. Otherwise, and for unknown categories, all columns are 0.

    Parameters
    ----------
    name : str
        Name of the column.

    column : Column
        The categories, as objects.

    max_categories : int or None
        Maximum number of categories with a column of their own. None for no maximum.

    add_indicator : bool
        Whether missing values have an indicator column.
    """

    def __init__(
        self,
        name: str,
        column: Column,
        max_categories: int | None,
        add_indicator: bool,
    ) -> None:
        counts = Counter(column.values[~column.missing].tolist())
        categories = sorted(counts, key=_sort_key)
        n_one_hot = len(categories)
        self.frequencies: Array | None = None
        if max_categories is not None and n_one_hot > max_categories:
            n_one_hot = max_categories
            # `sorted` keeps the order of categories with equal counts.
            categories = sorted(categories, key=lambda category: -counts[category])
            self._set_frequencies([counts[category] for category in categories])
        self.codes = {category: code for code, category in enumerate(categories)}
        self.is_binary = len(categories) == n_one_hot == 2
        # Those with a column of their own.
        self.categories = categories[:n_one_hot][self.is_binary :]
        self.has_indicator = bool(add_indicator and column.missing.any())
        self.n_columns = (
            len(self.categories) + (self.frequencies is not None) + self.has_indicator
        )

    def _set_frequencies(self, counts: list[int]) -> None:
        n = np.array([*counts, 0])  # unknown categories come last
        log_n = np.log1p(n)
        mean = np.average(log_n, weights=n)
        scale = np.sqrt(np.average((log_n - mean) ** 2, weights=n))
        self.frequencies = (log_n - mean) / (scale if scale > 0 else 1)

    def names_out(self, name: str) -> list[str]:
        """Return the names of the encoded columns, for a name of the column."""
        return (
            [f"{name}_{category}" for category in self.categories]
            + [f"frequency_{name}"] * (self.frequencies is not None)
            + [f"missingindicator_{name}"] * self.has_indicator
        )

    def encode(self, column: Column, out: Array) -> None:
        """Write the encoded column into zeros of shape (n_samples, n_columns)."""
        values = column.values.tolist()
        n = len(values)
        codes = np.fromiter(map(self.codes.get, values, repeat(-1)), np.intp, n)
        codes[column.missing] = -1
        if self.is_binary:
            out[codes >= 0, 0] = 2 * codes[codes >= 0] - 1
        else:
            rows = np.flatnonzero((codes >= 0) & (codes < len(self.categories)))
            out[rows, codes[rows]] = 1
        if self.frequencies is not None:
            present = ~column.missing
            out[present, len(self.categories)] = self.frequencies[codes[present]]
        if self.has_indicator:
            out[:, -1] = column.missing


def _sort_key(category: Any) -> tuple:
    """Return a key that compares numbers, and the names of other categories."""
    is_number = isinstance(category, float | int)
    return not is_number, category if is_number else str(category)
