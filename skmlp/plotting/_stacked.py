"""Pictures of several panels, one below the other, over the same epochs."""

import numpy as np

from skmlp.plotting._style import make_axes


def make_panels(ax, caller, heights, width=7.0):
    """Axes one below the other, and their figure.

    Parameters
    ----------
    ax : matplotlib Axes, sequence of them, or None
        None for a new figure. The place of one Axes is shared out among the panels;
        several are the panels.

    caller : str
        Name of the method, for the error where there is no Matplotlib.

    heights : list of float
        Height of each panel, in inches where the figure is new.

    width : float, default=7.0
        Width of a new figure, in inches.

    Returns
    -------
    axes, figure : list of matplotlib Axes, and Figure
    """
    if ax is None or not np.iterable(ax):
        return _divide(ax, caller, heights, width)
    axes = np.asarray(ax, dtype=object).ravel().tolist()
    if len(axes) != len(heights):
        raise ValueError(
            f"ax must be one Axes, or one for each of the {len(heights)} panels, got "
            f"{len(axes)}."
        )
    make_axes(axes[0], caller)
    return axes, axes[0].figure


def _divide(ax, caller, heights, width):
    ax, figure = make_axes(ax, caller, figsize=(width, sum(heights)))
    if len(heights) == 1:
        return [ax], figure
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            "ax must be made by plt.subplots or figure.add_subplot, so that its place "
            f"can be shared out among the {len(heights)} panels; got {ax!r}. Or pass "
            "one Axes for each panel."
        )
    ax.set_axis_off()
    grid = place.subgridspec(len(heights), 1, height_ratios=heights)
    axes = [figure.add_subplot(grid[0])]
    axes += [figure.add_subplot(cell, sharex=axes[0]) for cell in list(grid)[1:]]
    for upper in axes[:-1]:
        upper.tick_params(labelbottom=False)
    return axes, figure


def label_epochs(axes):
    """Label the common axis of the epochs, which are whole numbers."""
    from matplotlib.ticker import MaxNLocator

    for ax in axes:
        if ax.xaxis.get_tick_params()["labelbottom"]:
            ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(
            MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)
        )


def place_legend(ax, handles, **otherwise):
    """A legend beside the axes, where nothing is hidden by it.

    In a figure whose layout makes no room for it, it is where it hides least, or as the
    other options say.
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if isinstance(ax.figure.get_layout_engine(), ConstrainedLayoutEngine):
        return ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1))
    return ax.legend(handles=handles, **otherwise)


def place_legend_below(figure, handles, width=None):
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


def scale_log_if_positive(ax, values):
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


def finite(values):
    """As an array, with NaN, which leaves a gap, for what is infinite or nearly so.

    The margins of a logarithmic axis must not overflow either.
    """
    values = np.asarray(values, dtype=float)
    return np.where(np.abs(values) < 1e250, values, np.nan)
