"""Heat map of the results of a search over two parameters."""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skmlp.plotting._axes import make_axes
from skmlp.plotting._style import COLORS, SEQUENTIAL

DIGIT = 0.64
"""Width of a digit, relative to the font size."""


class SearchHeatmapDisplay:
    """Heat map of a search over two parameters.

    Create a display with `from_search` or `from_cv_results`.

    Parameters
    ----------
    values : array-like of shape (n_y, n_x)
        Values of the metric for each combination of parameters. NaN means missing.

    x_values, y_values : sequence
        Values of the two parameters.

    x, y : str, default=None
        Names of the two parameters.

    metric : str, default=None
        Name of the metric.

    best : tuple of (int, int), default=None
        Row and column of the best candidate, which is marked.

    fixed : dict, default=None
        Values of the other parameters, which are the title.

    Attributes
    ----------
    image_ : matplotlib AxesImage
        The cells.

    text_ : ndarray of shape (n_y, n_x) of matplotlib Text or None
        The values in the cells. None if a value is missing.

    missing_ : list of matplotlib Rectangle
        The hatched cells without a value.

    best_ : matplotlib Rectangle or None
        The frame of the best cell.

    colorbar_ : matplotlib Colorbar or None
        The colour bar.

    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure.

    Examples
    --------
    >>> from skmlp.plotting import SearchHeatmapDisplay
    >>> display = SearchHeatmapDisplay(
    ...     [[0.91, 0.93], [0.95, 0.94]], [0.001, 0.01], [8, 16], best=(1, 0)
    ... )
    >>> display.plot().text_[1, 0].get_text()
    '0.950'
    """

    def __init__(
        self,
        values: npt.ArrayLike,
        x_values: Sequence,
        y_values: Sequence,
        *,
        x: str | None = None,
        y: str | None = None,
        metric: str | None = None,
        best: tuple[int, int] | None = None,
        fixed: Mapping[str, Any] | None = None,
    ) -> None:
        self.values = values
        self.x_values = x_values
        self.y_values = y_values
        self.x = x
        self.y = y
        self.metric = metric
        self.best: Any = best
        self.fixed = fixed

    @classmethod
    def from_search(
        cls,
        search: Any,
        *,
        x: str | None = None,
        y: str | None = None,
        metric: str = "mean_test_score",
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Plot the results of a fitted search.

        Parameters
        ----------
        search : object
            A fitted `GridSearchCV`, or another object with `cv_results_`.

        x, y : str, default=None
            Names of the two parameters in the grid, such as ``"mlp__alpha"``. They are
            optional if the search has two parameters. Other parameters are fixed at the
            values of the best candidate, `best_index_`. See `from_cv_results` if the
            search does not have this attribute.

        metric : str, default="mean_test_score"
            A key of `cv_results_`, for example ``"mean_fit_time"``. With several
            scorers, it can be the name of a scorer: ``"f1"`` stands for
            ``"mean_test_f1"``.

        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a figure.

        **plot_options
            See `plot`.

        Returns
        -------
        display : SearchHeatmapDisplay

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.model_selection import GridSearchCV
        >>> from skmlp import MLPClassifierScratch
        >>> from skmlp.plotting import SearchHeatmapDisplay
        >>> X, y = load_iris(return_X_y=True)
        >>> grid = {"alpha": [1e-4, 1e-2], "learning_rate_init": [1e-3, 1e-2]}
        >>> clf = MLPClassifierScratch((8,), max_iter=5, random_state=0)
        >>> search = GridSearchCV(clf, grid, cv=2).fit(X, y)
        >>> _ = SearchHeatmapDisplay.from_search(search)
        """
        if not hasattr(search, "cv_results_"):
            if hasattr(search, "fit"):
                check_is_fitted(search, "cv_results_")
            raise TypeError(
                "search must be a fitted search with the attribute cv_results_, such "
                f"as GridSearchCV, got {search!r}."
            )
        return cls.from_cv_results(
            search.cv_results_,
            x=x,
            y=y,
            metric=metric,
            best_index=getattr(search, "best_index_", None),
            ax=ax,
            **plot_options,
        )

    @classmethod
    def from_cv_results(
        cls,
        cv_results: Mapping[str, Any],
        *,
        x: str | None = None,
        y: str | None = None,
        metric: str = "mean_test_score",
        best_index: int | None = None,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Plot the results of a search.

        If several candidates have the same parameters, as in successive halving, the
        last one is used.

        Parameters
        ----------
        cv_results : dict
            The `cv_results_` of a search.

        x, y : str, default=None
            Names of the two parameters in the grid, such as ``"mlp__alpha"``. They are
            optional if the search has two parameters. Other parameters are fixed at the
            values of the best candidate.

        metric : str, default="mean_test_score"
            A key of `cv_results`, or the name of a scorer if there are several.

        best_index : int, default=None
            Index of the best candidate. None stands for the candidate with rank 1
            according to `metric`, or to the first scorer if `metric` is not a score.

        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a figure.

        **plot_options
            See `plot`.

        Returns
        -------
        display : SearchHeatmapDisplay

        Examples
        --------
        >>> from skmlp.plotting import SearchHeatmapDisplay
        >>> cv_results = {
        ...     "params": [{"alpha": a, "tol": t} for a in (1, 10) for t in (0, 1)],
        ...     "mean_test_score": [0.7, 0.8, 0.9, 0.6],
        ...     "rank_test_score": [3, 2, 1, 4],
        ... }
        >>> display = SearchHeatmapDisplay.from_cv_results(
        ...     cv_results, x="alpha", y="tol"
        ... )
        >>> display.values
        array([[0.7, 0.9],
               [0.8, 0.6]])
        >>> display.best
        (0, 1)
        """
        candidates = _candidates(cv_results)
        x, y = _check_names(x, y, candidates)
        metric = _check_metric(metric, cv_results)
        if best_index is None:
            best_index = _best_index(metric, cv_results)
        elif best_index not in range(len(candidates)):
            raise ValueError(
                f"best_index must be the index of one of the {len(candidates)} "
                f"candidates, from 0 to {len(candidates) - 1}, got {best_index!r}."
            )
        # Without ranks, fix the other parameters at the values of the first candidate.
        fixed = _varying(candidates, exclude=(x, y))
        chosen = candidates[0 if best_index is None else best_index]
        fixed = {name: chosen[name] for name in fixed if name in chosen}
        x_values = _values(candidates, x)
        y_values = _values(candidates, y)
        values = np.full((len(y_values), len(x_values)), np.nan)
        columns = {_key(value): j for j, value in enumerate(x_values)}
        rows = {_key(value): i for i, value in enumerate(y_values)}
        best = None
        for k, (params, value) in enumerate(
            zip(candidates, np.asarray(cv_results[metric], float), strict=True)
        ):
            others = {name: params.get(name) for name in fixed}
            if x in params and y in params and _same(others, fixed):
                cell = rows[_key(params[y])], columns[_key(params[x])]
                values[cell] = value
                if k == best_index:
                    best = cell
        display = cls(
            values, x_values, y_values, x=x, y=y, metric=metric, best=best, fixed=fixed
        )
        return display.plot(ax=ax, **plot_options)

    def plot(
        self,
        ax: Any = None,
        *,
        include_values: bool = True,
        values_format: str = "#.3g",
        cmap: str | Any = SEQUENTIAL,
        colorbar: bool = True,
    ) -> Self:
        """Draw the heat map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a figure.

        include_values : bool, default=True
            Whether to write the values into the cells. They are omitted if the cells
            are too small.

        values_format : str, default="#.3g"
            Format specification of the values.

        cmap : str or matplotlib Colormap, default="viridis"
            Colour map of the values.

        colorbar : bool, default=True
            Whether to draw a colour bar.

        Returns
        -------
        self : SearchHeatmapDisplay
        """
        values = np.asarray(self.values, float)
        n_y, n_x = shape = len(self.y_values), len(self.x_values)
        if values.shape != shape:
            raise ValueError(
                "values must have a row for each of y_values and a column for each of "
                f"x_values, so the shape {shape}, got {values.shape}."
            )
        self.ax_, self.figure_ = ax, figure = make_axes(
            ax,
            f"{type(self).__name__}.plot",
            figsize=(max(4.8, 2.2 + 0.8 * n_x), max(3.2, 1.5 + 0.45 * n_y)),
        )
        self.image_ = ax.imshow(values, cmap=cmap, origin="lower", aspect="auto")
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = figure.colorbar(self.image_, ax=ax, label=self.metric)
        self._label_axes(ax)
        self.missing_ = [
            _frame(ax, i, j, facecolor="0.95", edgecolor="0.6", hatch="///", lw=0)
            for i, j in np.argwhere(np.isnan(values))
        ]
        self.text_ = np.full(shape, None)
        if include_values:
            self._write_values(values, values_format)
        self.best_ = None
        if self.best is not None:
            self.best_ = self._mark_best()
        return self

    def _label_axes(self, ax):
        x_labels, y_labels = _labels(self.x_values), _labels(self.y_values)
        ax.set(xlabel=self.x, ylabel=self.y)
        width, _ = _cell_size(ax, (len(y_labels), len(x_labels)))
        rotated = max(map(len, x_labels)) * DIGIT * 10 > 0.85 * width
        ax.set_xticks(
            range(len(x_labels)),
            x_labels,
            rotation=45 if rotated else 0,
            ha="right" if rotated else "center",
            rotation_mode="anchor",
        )
        ax.set_yticks(range(len(y_labels)), y_labels)
        if self.fixed:
            fixed = [f"{name}={_label(value)}" for name, value in self.fixed.items()]
            lines = [", ".join(fixed[i : i + 2]) for i in range(0, len(fixed), 2)]
            ax.set_title("\n".join(lines), fontsize="medium")

    def _write_values(self, values, values_format):
        """Write the values into the cells, in black or white."""
        cells = np.argwhere(~np.isnan(values))
        texts = [_shorten(format(values[i, j], values_format)) for i, j in cells]
        width, height = _cell_size(self.ax_, values.shape)
        longest = max(map(len, texts), default=1)
        size = min(10, 0.85 * width / (DIGIT * longest), 0.6 * height)
        if size < 5:
            return
        for (i, j), text in zip(cells, texts, strict=True):
            self.text_[i, j] = self.ax_.text(
                j,
                i,
                text,
                ha="center",
                va="center",
                fontsize=size,
                color=_contrast(self.image_.to_rgba(values[i, j])),
            )

    def _mark_best(self):
        i, j = self.best
        text = self.text_[i, j]
        if text is not None:
            text.set_fontweight("bold")
        # A white line around the frame makes it visible on each colour.
        for width, color in (5, "white"), (2.5, COLORS[1]):
            frame = _frame(
                self.ax_,
                i,
                j,
                fill=False,
                edgecolor=color,
                lw=width,
                zorder=3,
                clip_on=False,
            )
        return frame


def _candidates(cv_results):
    """Return the parameters of each candidate."""
    try:
        candidates = list(cv_results["params"])
    except (KeyError, TypeError, IndexError):
        raise ValueError(
            "cv_results must be the cv_results_ of a search, with the key 'params', "
            f"got {cv_results!r}."
        ) from None
    if not candidates:
        raise ValueError("cv_results must have at least one candidate, got none.")
    return candidates


def _varying(candidates, exclude=()):
    """Return the names of the parameters that differ between candidates."""
    names = dict.fromkeys(name for params in candidates for name in params)
    return [
        name
        for name in names
        if name not in exclude and len({_key(p.get(name)) for p in candidates}) > 1
    ]


def _check_names(x, y, candidates):
    names = list(dict.fromkeys(name for params in candidates for name in params))
    if x is None and y is None and len(names) == 2:
        return names
    for argument, name in ("x", x), ("y", y):
        if name not in names:
            raise ValueError(
                f"{argument} must be one of the parameters of the search, {names}, got "
                f"{name!r}."
            )
    if x == y:
        raise ValueError(f"x and y must be different parameters, got {x!r} for both.")
    return x, y


def _check_metric(metric, cv_results):
    """Return the key of a metric."""
    metrics = [key for key in cv_results if not key.startswith("param")]
    for key in metric, f"mean_test_{metric}":
        if key in metrics:
            return key
    raise ValueError(
        f"metric must be a key of cv_results, one of {metrics}, got {metric!r}."
    )


def _best_index(metric, cv_results):
    """Return the index of the candidate with rank 1, or None without ranks."""
    ranks = [key for key in cv_results if key.startswith("rank_test_")]
    if not ranks:
        return None
    own = f"rank_test_{metric.split('_test_')[-1]}"
    return int(np.argmin(cv_results[own if own in ranks else ranks[0]]))


def _key(value):
    """Return a hashable key: the value, or its repr if it is not hashable."""
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value


def _same(params, others):
    return all(_key(params[name]) == _key(others[name]) for name in others)


def _values(candidates, name):
    """Return the distinct values of a parameter, sorted if they are numbers."""
    values = {_key(p[name]): p[name] for p in candidates if name in p}.values()
    return sorted(values) if all(map(_is_number, values)) else list(values)


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def _labels(values):
    """Return short labels. Different values have different labels."""
    labels = [_label(value) for value in values]
    return labels if len(set(labels)) == len(labels) else [str(v) for v in values]


def _label(value, longest=24):
    if isinstance(value, (float, np.floating)):
        value = float(value)
        size = abs(value)
        if 0 < size < 1e-3:  # 1e-4 for 0.0001
            mantissa, exponent = f"{value:.2e}".split("e")
            return f"{float(mantissa):g}e{int(exponent)}"
        return f"{value:.0f}" if 1e3 <= size < 1e5 else _shorten(f"{value:.3g}")
    text = str(getattr(value, "__name__", value)).replace("\n", " ")
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _shorten(number):
    """Return the shortest text of a number, for example 1e-5 for 1.e-05."""
    mantissa, e, exponent = number.partition("e")
    mantissa = mantissa.rstrip(".")
    return f"{mantissa}e{int(exponent)}" if e else mantissa


def _contrast(rgba):
    """Return "black" or "white", whichever has more contrast with a colour."""
    rgb = np.array(rgba[:3])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    # The contrast ratios of WCAG 2 with black and white are equal at this luminance.
    return "black" if luminance > 0.179 else "white"


def _frame(ax, i, j, **style):
    from matplotlib.patches import Rectangle

    return ax.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, **style))


def _cell_size(ax, shape):
    """Return the approximate width and height of the cells in points."""
    box, points = ax.get_window_extent(), 72 / ax.figure.dpi
    return box.width * points / shape[1], box.height * points / shape[0]
