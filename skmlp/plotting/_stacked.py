"""Panels one below the other with a common axis of epochs."""

from itertools import pairwise
from typing import Any

import numpy as np

from skmlp.plotting._axes import make_panels


def stack_panels(
    ax: Any, caller: str, heights: list[float], width: float = 7.0
) -> tuple[list, Any]:
    """Return axes one below the other and their figure.

    Parameters
    ----------
    ax, caller
        See `make_panels`. New panels share the axis of epochs.

    heights : list of float
        Height of each panel, in inches for a new figure.

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
    """Label the common axis of epochs, with integer ticks."""
    from matplotlib.ticker import MaxNLocator

    for ax in axes:
        if ax.xaxis.get_tick_params()["labelbottom"]:
            ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(
            MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)
        )


def place_legend(ax: Any, handles: list, **otherwise: Any) -> Any:
    """Return a legend beside the axes.

    If the layout of the figure does not reserve space for it, the legend is inside the
    axes, with the other options.
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if isinstance(ax.figure.get_layout_engine(), ConstrainedLayoutEngine):
        return ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1))
    return ax.legend(handles=handles, **otherwise)


def place_legend_below(figure: Any, handles: list, width: float | None = None) -> Any:
    """Return a legend below all axes, with as many columns as fit.

    The width is in inches. None is the width of the figure.
    """
    longest = max(len(handle.get_label()) for handle in handles)
    # Width of a symbol, and mean width of a letter, in the default size.
    column = 0.7 + 0.09 * longest
    n_columns = max(1, int((width or figure.get_figwidth()) / column))
    return figure.legend(
        handles=handles,
        loc="outside lower center" if width is None else "outside lower left",
        ncols=min(n_columns, len(handles)),
    )


def scale_log_if_positive(ax: Any, values: Any) -> None:
    """Use a logarithmic axis if all finite values are positive."""
    values = np.concatenate([np.zeros(0), *(np.ravel(v) for v in values)])
    values = values[np.isfinite(values)]
    if not len(values) or values.min() <= 0:
        return
    ax.set_yscale("log")
    if values.max() >= 100 * values.min():
        return
    # In less than two decades, powers of ten are too few labels.
    from matplotlib.ticker import AutoLocator, LogLocator, NullLocator

    within_one = values.max() < 8 * values.min()
    ax.yaxis.set_major_locator(
        AutoLocator() if within_one else LogLocator(subs=(1, 2, 5))
    )
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter("{x:g}")


def finite(values: Any) -> np.ndarray:
    """Return an array with NaN, drawn as a gap, in place of very large values.

    This includes large finite values, because the margins of a logarithmic axis must
    not overflow.
    """
    values = np.asarray(values, dtype=float)
    return np.where(np.abs(values) < 1e250, values, np.nan)
