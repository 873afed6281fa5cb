"""Where to draw: the user's axes, or new ones."""

import math
from typing import Any

import numpy as np

from skmlp._sklearn import check_matplotlib_support


def make_axes(ax: Any, caller: str, **figure_options: Any) -> tuple[Any, Any]:
    """The axes to draw in, and their figure.

    Parameters
    ----------
    ax : matplotlib Axes or None
        The user's; None for new ones.

    caller : str
        Name of the method, for the error where there is no Matplotlib.

    **figure_options
        Passed to `matplotlib.pyplot.subplots`, for new axes.

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
    """Axes of several panels, and their figure.

    Parameters
    ----------
    ax : matplotlib Axes, array-like of Axes, or None
        The user's: one for each panel, or one whose place is shared out among them.
        None for a new figure.

    n_panels : int
        How many there are.

    caller : str
        Name of the method, for the error where there is no Matplotlib.

    figsize : tuple (width, height)
        Of a new figure, in inches.

    n_columns : int, default=1
        How many are side by side.

    heights : list of float, default=None
        Relative heights of the rows; None if they are all the same.

    Returns
    -------
    axes : ndarray of Axes of shape (n_panels,)
    figure : matplotlib Figure
    """
    if not np.iterable(ax):
        place, figure = make_axes(ax, caller, figsize=figsize)
        axes = _divide(place, n_panels, n_columns, heights)
        if ax is None and n_panels > 1:
            place.remove()  # the user's is only switched off
        return axes, figure
    axes = np.array(ax, dtype=object).ravel()
    if len(axes) != n_panels or not all(hasattr(a, "get_subplotspec") for a in axes):
        raise ValueError(
            f"ax must be None, one Axes, or an array of {n_panels} axes, one for each "
            f"panel; got {len(axes)} in {type(ax).__name__}."
        )
    return axes, make_axes(axes[0], caller)[1]


def _divide(
    ax: Any, n_panels: int, n_columns: int, heights: list[float] | None
) -> np.ndarray:
    """Share out the place of `ax`, row by row."""
    if n_panels == 1:
        return np.array([ax], dtype=object)
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            "ax must be made by plt.subplots or figure.add_subplot, so that its place "
            f"can be shared out among the {n_panels} panels; got {ax!r}. Or pass one "
            "Axes for each panel."
        )
    ax.set_axis_off()
    n_rows = math.ceil(n_panels / n_columns)
    grid = place.subgridspec(n_rows, n_columns, height_ratios=heights)
    axes = [ax.figure.add_subplot(grid[i]) for i in range(n_panels)]
    return np.array(axes, dtype=object)
