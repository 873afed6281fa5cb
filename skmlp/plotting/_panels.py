"""Axes, images and parameter checks of displays with several panels."""

import math
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skmlp.estimators.inspection import INTEGERS, InspectionMixin
from skmlp.plotting._axes import make_panels


def make_grid(
    ax: Any,
    n_panels: int,
    caller: str,
    *,
    n_columns: int,
    panel_size: tuple[float, float],
    margin: float = 0.0,
) -> tuple[np.ndarray, Any]:
    """Return the axes of a grid of panels of equal size and their figure.

    Parameters
    ----------
    ax, n_panels, caller, n_columns
        See `make_panels`.

    panel_size : tuple (width, height)
        Size of a panel of a new figure in inches.

    margin : float, default=0.0
        Width in inches that is reserved for a colour bar.

    Returns
    -------
    axes : ndarray of Axes of shape (n_panels,)
    figure : matplotlib Figure
    """
    width, height = panel_size
    n_rows = math.ceil(n_panels / n_columns)
    figsize = n_columns * width + margin, n_rows * height + 0.3
    return make_panels(ax, n_panels, caller, figsize=figsize, n_columns=n_columns)


def draw_image(ax: Any, values: Any, image_shape: Any, **options: Any) -> Any:
    """Draw an image without ticks."""
    image = ax.imshow(np.reshape(values, image_shape), **options)
    ax.set(xticks=[], yticks=[])
    return image


def symmetric_limits(values: Any) -> dict[str, float]:
    """Return limits of a diverging colour scale with zero in the middle."""
    limit = np.abs(values).max(initial=0) or 1.0
    return {"vmin": -limit, "vmax": limit}


def check_network(estimator: object) -> None:
    """Raise if an estimator is not a fitted network of this package."""
    if not isinstance(estimator, InspectionMixin):
        raise TypeError(
            "estimator must be an MLPClassifierScratch or an MLPRegressorScratch, for "
            "example the last step of a pipeline, got "
            f"{type(estimator).__name__}."
        )
    check_is_fitted(estimator)


def check_image_shape(image_shape: Any, n_features: int) -> None:
    """Raise if a value is not a shape of images with `n_features` pixels."""
    valid = (
        isinstance(image_shape, tuple | list)
        and len(image_shape) == 2
        and all(isinstance(n, INTEGERS) and n > 0 for n in image_shape)
        and math.prod(image_shape) == n_features
    )
    if not valid:
        raise ValueError(
            "image_shape must be the (height, width) of images with "
            f"{n_features} pixels, one per feature, got {image_shape!r}."
        )


def check_count(value: object, name: str) -> None:
    """Raise if a value is not a valid number of panels."""
    if not isinstance(value, INTEGERS) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}.")
