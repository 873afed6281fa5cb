"""Axes for the displays."""

import math
from typing import Any

import numpy as np

from skmlp._sklearn import check_matplotlib_support


def make_axes(ax: Any, caller: str, **figure_options: Any) -> tuple[Any, Any]:
    """Return axes and their figure.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Existing axes. None creates a figure.

    caller : str
        Name of the method for the error message if Matplotlib is not installed.

    **figure_options
        Parameters of `matplotlib.pyplot.subplots` for a new figure.

    Returns
    -------
    ax, figure : matplotlib Axes and Figure
    """
    check_matplotlib_support(caller)
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(layout="constrained", **figure_options)
    return ax, ax.figure


def make_panels(
    ax: Any,
    n_panels: int,
    caller: str,
    *,
    figsize: tuple[float, float],
    n_columns: int = 1,
    heights: list[float] | None = None,
) -> tuple[np.ndarray, Any]:
    """Return the axes of several panels and their figure.

    Parameters
    ----------
    ax : matplotlib Axes, array-like of Axes, or None
        Axes for each panel, or one Axes that is divided into panels. None creates a
        figure.

    n_panels : int
        Number of panels.

    caller : str
        Name of the method for the error message if Matplotlib is not installed.

    figsize : tuple (width, height)
        Size of a new figure in inches.

    n_columns : int, default=1
        Number of columns.

    heights : list of float, default=None
        Relative heights of the rows. None means equal heights.

    Returns
    -------
    axes : ndarray of Axes of shape (n_panels,)
    figure : matplotlib Figure
    """
    if not np.iterable(ax):
        place, figure = make_axes(ax, caller, figsize=figsize)
        axes = _divide(place, n_panels, n_columns, heights)
        if ax is None and n_panels > 1:
            place.remove()  # existing axes are only hidden
        return axes, figure
    axes = np.array(ax, dtype=object).ravel()
    if len(axes) != n_panels or not all(hasattr(a, "get_subplotspec") for a in axes):
        raise ValueError(
            f"ax must be None, one Axes, or an array of {n_panels} axes, one per "
            f"panel, got {type(ax).__name__} of length {len(axes)}."
        )
    return axes, make_axes(axes[0], caller)[1]


def _divide(
    ax: Any, n_panels: int, n_columns: int, heights: list[float] | None
) -> np.ndarray:
    """Divide `ax` into panels, row by row."""
    if n_panels == 1:
        return np.array([ax], dtype=object)
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            "ax must be created by plt.subplots or figure.add_subplot, to be divided "
            f"into {n_panels} panels, or an array of one Axes per panel, got {ax!r}."
        )
    ax.set_axis_off()
    n_rows = math.ceil(n_panels / n_columns)
    grid = place.subgridspec(n_rows, n_columns, height_ratios=heights)
    axes = [ax.figure.add_subplot(grid[i]) for i in range(n_panels)]
    return np.array(axes, dtype=object)
