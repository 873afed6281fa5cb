"""Pictures of several panels, one below the other, over the same epochs."""

from itertools import pairwise
from typing import Any

import numpy as np

from skmlp.plotting._axes import make_panels


def stack_panels(
    ax: Any, caller: str, heights: list[float], width: float = 7.0
) -> tuple[list, Any]:
    """Axes one below the other, and their figure.

    Parameters
    ----------
    ax, caller
        As of `make_panels`. Panels that are not the user's share the axis of epochs.

    heights : list of float
        Height of each panel, in inches where the figure is new.

    width : float, default=7.0
        Width of a new figure, in inches.

    Returns
    -------
    axes, figure : list of matplotlib Axes, and Figure
    """
    axes, figure = make_panels(
        ax, len(heights), caller, figsize=(width, sum(heights)), heights=heights
    )
    if not np.iterable(ax):
        for upper, lower in pairwise(axes):
            lower.sharex(upper)
            upper.tick_params(labelbottom=False)
    return axes.tolist(), figure


def label_epochs(axes: Any) -> None:
    """Label the common axis of the epochs, which are whole numbers."""
    from matplotlib.ticker import MaxNLocator

    for ax in axes:
        if ax.xaxis.get_tick_params()["labelbottom"]:
            ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(
            MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)
        )


def place_legend(ax: Any, handles: list, **otherwise: Any) -> Any:
    """A legend beside the axes, where nothing is hidden by it.

    In a figure whose layout makes no room for it, it is where it hides least, or as the
    other options say.
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if isinstance(ax.figure.get_layout_engine(), ConstrainedLayoutEngine):
        return ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1))
    return ax.legend(handles=handles, **otherwise)


def place_legend_below(figure: Any, handles: list, width: float | None = None) -> Any:
    """A legend below all axes, in as many columns as there is room for.

    The width, in inches, is that of the figure, unless the legend is to be narrower.
    """
    longest = max(len(handle.get_label()) for handle in handles)
    # What a symbol takes, and a letter on the average, in the usual size.
    column = 0.7 + 0.09 * longest
    n_columns = max(1, int((width or figure.get_figwidth()) / column))
    return figure.legend(
        handles=handles,
        loc="outside lower center" if width is None else "outside lower left",
        ncols=min(n_columns, len(handles)),
    )


def scale_log_if_positive(ax: Any, values: Any) -> None:
    """A logarithmic axis, where all values that are finite are above zero."""
    values = np.concatenate([np.zeros(0), *(np.ravel(v) for v in values)])
    values = values[np.isfinite(values)]
    if not len(values) or values.min() <= 0:
        return
    ax.set_yscale("log")
    if values.max() >= 100 * values.min():
        return
    # Within two decades, powers of ten alone would be too few labels.
    from matplotlib.ticker import AutoLocator, LogLocator, NullLocator

    within_one = values.max() < 8 * values.min()
    ax.yaxis.set_major_locator(
        AutoLocator() if within_one else LogLocator(subs=(1, 2, 5))
    )
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter("{x:g}")


def finite(values: Any) -> np.ndarray:
    """As an array, with NaN, which leaves a gap, for what is infinite or nearly so.

    The margins of a logarithmic axis must not overflow either.
    """
    values = np.asarray(values, dtype=float)
    return np.where(np.abs(values) < 1e250, values, np.nan)
