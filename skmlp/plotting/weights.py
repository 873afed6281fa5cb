"""Weights of a network as images or histograms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from skmlp.plotting._panels import (
    check_count,
    check_image_shape,
    check_network,
    draw_image,
    make_grid,
    symmetric_limits,
)
from skmlp.plotting._style import DIVERGING, color

if TYPE_CHECKING:
    from skmlp.estimators.classifier import MLPClassifierScratch
    from skmlp.estimators.regressor import MLPRegressorScratch

KINDS = ("images", "histograms")


class WeightsDisplay:
    """Weights of a network, as images or as a histogram for each layer.

    Create a display with `from_estimator`. The constructor also accepts weights of
    other networks, for example those of scikit-learn.

    Parameters
    ----------
    coefs : list of ndarray of shape (n_inputs, n_units)
        Weights of each layer.

    image_shape : tuple (height, width), default=None
        Shape of the images whose pixels are the features, row by row.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        Axes of each image or histogram.

    figure_ : matplotlib Figure

    units_ : ndarray of int
        For images, the indices of the units of the first layer that are shown.

    images_ : list of matplotlib AxesImage
        For images, the weights of each of these units.

    colorbar_ : matplotlib Colorbar or None
        For images, the colour bar.

    bars_ : list of matplotlib BarContainer
        For histograms, the bars of each layer.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmlp import MLPClassifierScratch
    >>> from skmlp.plotting import WeightsDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = MLPClassifierScratch((16,), max_iter=5, random_state=0).fit(X / 16, y)
    >>> _ = WeightsDisplay.from_estimator(clf, image_shape=(8, 8))
    >>> display = WeightsDisplay.from_estimator(clf)
    >>> [len(bars) for bars in display.bars_]
    [50, 50]
    """

    def __init__(
        self, coefs: Sequence[np.ndarray], *, image_shape: tuple[int, int] | None = None
    ) -> None:
        self.coefs = coefs
        self.image_shape: Any = image_shape

    @classmethod
    def from_estimator(
        cls,
        estimator: MLPClassifierScratch | MLPRegressorScratch,
        *,
        image_shape: tuple[int, int] | None = None,
        kind: str | None = None,
        n_units: int = 25,
        bins: int | str | npt.ArrayLike = 50,
        colorbar: bool = True,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the weights of a fitted network.

        Parameters
        ----------
        estimator : MLPClassifierScratch or MLPRegressorScratch
            The fitted network.

        image_shape : tuple (height, width), default=None
            Shape of the images whose pixels are the features, row by row.

        kind, n_units, bins, colorbar, ax, **kwargs
            See `plot`.

        Returns
        -------
        display : WeightsDisplay
        """
        check_network(estimator)
        display = cls(estimator.coefs_, image_shape=image_shape)
        return display.plot(
            kind=kind, n_units=n_units, bins=bins, colorbar=colorbar, ax=ax, **kwargs
        )

    def plot(
        self,
        *,
        kind: str | None = None,
        n_units: int = 25,
        bins: int | str | npt.ArrayLike = 50,
        colorbar: bool = True,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the weights.

        Parameters
        ----------
        kind : {'images', 'histograms'}, default=None
            'images' shows the weights of units of the first layer as images.
            'histograms' shows the distribution of the weights in each layer. None
            stands for 'images' if `image_shape` is given, and else for 'histograms'.

        n_units : int, default=25
            For images, the maximum number of units. Those with the largest norms of
            their weights are shown, in descending order.

        bins : int, str or array-like, default=50
            For histograms, see `numpy.histogram`.

        colorbar : bool, default=True
            For images, whether to draw a colour bar.

        ax : matplotlib Axes or array-like of Axes, default=None
            Axes for each image or histogram, or one Axes that is divided into panels.
            None creates a figure.

        **kwargs
            Parameters of `matplotlib.axes.Axes.imshow` or `matplotlib.axes.Axes.hist`.

        Returns
        -------
        self : WeightsDisplay
        """
        if kind is None:
            kind = "histograms" if self.image_shape is None else "images"
        if kind not in KINDS:
            raise ValueError(f"kind must be None or one of {KINDS}, got {kind!r}.")
        if kind == "images":
            self._plot_images(n_units, colorbar, ax, kwargs)
        else:
            self._plot_histograms(bins, ax, kwargs)
        return self

    def _plot_images(self, n_units, colorbar, ax, options):
        W = np.asarray(self.coefs[0])
        check_image_shape(self.image_shape, len(W))
        check_count(n_units, "n_units")
        norms = np.linalg.norm(W, axis=0)
        self.units_ = np.argsort(-norms, kind="stable")[:n_units]
        n_panels = len(self.units_)
        height, width = self.image_shape
        self.axes_, self.figure_ = make_grid(
            ax,
            n_panels,
            f"{type(self).__name__}.plot",
            n_columns=math.ceil(math.sqrt(n_panels)),
            panel_size=(1.2, 0.2 + 1.2 * min(height / width, 2)),
            margin=1.2 if colorbar else 0,
        )
        # A common scale, so that the images can be compared.
        options = {
            "cmap": DIVERGING,
            **symmetric_limits(W[:, self.units_]),
            **options,
        }
        self.images_ = []
        for panel, unit in zip(self.axes_, self.units_, strict=True):
            image = draw_image(panel, W[:, unit], self.image_shape, **options)
            panel.set_title(f"unit {unit}", fontsize="small", pad=3)
            self.images_.append(image)
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = self.figure_.colorbar(
                self.images_[0], ax=list(self.axes_), label="weight"
            )

    def _plot_histograms(self, bins, ax, options):
        n_layers = len(self.coefs)
        n_columns = min(n_layers, 3)
        self.axes_, self.figure_ = make_grid(
            ax,
            n_layers,
            f"{type(self).__name__}.plot",
            n_columns=n_columns,
            panel_size=(3.4, 2.9),
        )
        options = {"bins": bins, "color": color(0), **options}
        self.bars_ = []
        for l, (panel, W) in enumerate(zip(self.axes_, self.coefs, strict=True)):
            W = np.asarray(W)
            _, _, bars = panel.hist(W.ravel(), **options)
            n_inputs, n_units = W.shape
            panel.set(
                title=f"Layer {l}: {n_inputs} → {n_units}\n"
                f"mean {W.mean():.2g}, std {W.std():.2g}",
                xlabel="weight",
            )
            panel.title.set_fontsize("medium")
            self.bars_.append(bars)
        for panel in self.axes_[::n_columns]:
            panel.set_ylabel("number of weights")
