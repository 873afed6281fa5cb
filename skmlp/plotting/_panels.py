"""Pictures of several panels: their axes, and what they are given."""

import math

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skmlp._sklearn import check_matplotlib_support
from skmlp.inspection import INTEGERS, InspectionMixin


def make_panels(ax, n_panels, caller, *, n_columns, panel_size, margin=0.0):
    """Axes of a grid of panels, and their figure.

    Parameters
    ----------
    ax : matplotlib Axes, array-like of Axes, or None
        The user's: one for each panel, or one that makes room for all of them. None
        for a new figure.

    n_panels : int
        How many there are.

    caller : str
        Name of the method, for the error where there is no Matplotlib.

    n_columns : int
        How many are side by side.

    panel_size : tuple (width, height)
        In inches, for a new figure.

    margin : float, default=0.0
        Width beside them, for a colour bar.

    Returns
    -------
    axes : ndarray of Axes of shape (n_panels,)
    figure : matplotlib Figure
    """
    check_matplotlib_support(caller)
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.gridspec import GridSpecFromSubplotSpec

    if ax is not None and not isinstance(ax, Axes):
        return _given_panels(ax, n_panels)
    n_rows = math.ceil(n_panels / n_columns)
    if ax is None:
        width, height = panel_size
        size = n_columns * width + margin, n_rows * height + 0.3
        _, ax = plt.subplots(figsize=size, layout="constrained")
    elif ax.get_subplotspec() is None:
        raise ValueError(
            "ax must be axes of a grid, as plt.subplots() makes them, or an array of "
            f"{n_panels} axes; got axes with a place of their own."
        )
    ax.set_axis_off()
    grid = GridSpecFromSubplotSpec(n_rows, n_columns, ax.get_subplotspec())
    axes = [ax.figure.add_subplot(grid[i]) for i in range(n_panels)]
    return np.array(axes, dtype=object), ax.figure


def _given_panels(ax, n_panels):
    axes = np.array(ax, dtype=object).ravel()
    if len(axes) != n_panels or not all(hasattr(a, "get_subplotspec") for a in axes):
        raise ValueError(
            f"ax must be None, axes, or an array of {n_panels} axes, one for each "
            f"panel; got {len(axes)} in {type(ax).__name__}."
        )
    return axes, axes[0].figure


def draw_image(ax, values, image_shape, **options):
    """Draw the values of pixels, without ticks: their numbers say nothing."""
    image = ax.imshow(np.reshape(values, image_shape), **options)
    ax.set(xticks=[], yticks=[])
    return image


def symmetric_limits(values):
    """Limits of a diverging colour scale, with zero in its middle."""
    limit = np.abs(values).max(initial=0) or 1.0
    return {"vmin": -limit, "vmax": limit}


def check_network(estimator):
    """Refuse what is no fitted network of this package."""
    if not isinstance(estimator, InspectionMixin):
        raise TypeError(
            "estimator must be an MLPClassifierScratch or an MLPRegressorScratch (of a "
            f"pipeline, its last step), got {type(estimator).__name__}."
        )
    check_is_fitted(estimator)


def check_image_shape(image_shape, n_features):
    """Refuse a shape that is none, or has another number of pixels."""
    valid = (
        isinstance(image_shape, tuple | list)
        and len(image_shape) == 2
        and all(isinstance(n, INTEGERS) and n > 0 for n in image_shape)
        and math.prod(image_shape) == n_features
    )
    if not valid:
        raise ValueError(
            "image_shape must be the (height, width) of images with "
            f"{n_features} pixels, one for each feature; got {image_shape!r}."
        )


def check_count(value, name):
    """Refuse what cannot be a number of things to show."""
    if not isinstance(value, INTEGERS) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}.")
