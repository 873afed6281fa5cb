"""Weights, and norm and angle of the gradient, over the epochs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils import check_scalar

from skmlp.plotting._recorded import check_recorder
from skmlp.plotting._stacked import (
    finite,
    label_epochs,
    place_legend,
    scale_log_if_positive,
    stack_panels,
)
from skmlp.plotting._style import color

if TYPE_CHECKING:
    from skmlp.callbacks import WeightRecorder

_EXPLOSION = 1e3
_BANDS = ((0.05, 0.95, 0.2), (0.25, 0.75, 0.35))
_HEIGHT = 1.8


class WeightEvolutionDisplay:
    """Weights, and norm and angle of the gradient, over the epochs.

    Each layer has a panel with a line for each weight and each bias. If there are many
    weights, their quantiles are drawn. Two more panels show the norm of the gradient
    and the angle between consecutive recorded gradients. After a divergence, the
    background is shaded.

    Create a display with `from_recorder`.

    Parameters
    ----------
    epochs : sequence of int of length n_epochs
        Numbers of the recorded epochs.

    coefs, intercepts : list of ndarray of shape (n_epochs, n_weights)
        Weights and biases of each layer.

    grad_norms : sequence of float of length n_epochs
        Norm of the gradient.

    angles : sequence of float of length n_epochs
        Angle between the gradient and the previous one in degrees.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The panel of the first layer.

    axes_ : list of matplotlib Axes
        All panels: of the layers, of the norm and of the angle.

    figure_ : matplotlib Figure
        The figure.

    weight_lines_, bias_lines_ : list of lists of matplotlib Line2D
        For each layer, the lines of the weights or of their median, and of the biases.

    bands_ : list of lists of matplotlib PolyCollection
        For each layer, the areas between quantiles, if there are many weights.

    norm_line_, angle_line_ : matplotlib Line2D
        The norm of the gradient and the angle.

    diverged_epoch_ : int or None
        First epoch with a weight or a gradient that is not finite, or with a weight
        that is greater than 1000 and than 1000 times the largest initial weight.

    divergence_ : list of tuples of matplotlib Rectangle and Line2D
        For each panel, the shaded area from this epoch on and its edge.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmlp import MLPClassifierScratch
    >>> from skmlp.callbacks import WeightRecorder
    >>> from skmlp.plotting import WeightEvolutionDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> recorder = WeightRecorder()
    >>> clf = MLPClassifierScratch((5,), callbacks=recorder, max_iter=20).fit(X, y)
    >>> display = WeightEvolutionDisplay.from_recorder(recorder)
    >>> [len(lines) for lines in display.weight_lines_]
    [20, 15]
    """

    def __init__(
        self,
        epochs: Sequence[int],
        coefs: Sequence[np.ndarray],
        intercepts: Sequence[np.ndarray],
        grad_norms: Sequence[float],
        angles: Sequence[float],
    ) -> None:
        self.epochs = epochs
        self.coefs = coefs
        self.intercepts = intercepts
        self.grad_norms = grad_norms
        self.angles = angles

    @classmethod
    def from_recorder(
        cls,
        recorder: WeightRecorder,
        *,
        ax: Any = None,
        max_lines: int = 200,
        **line_options: Any,
    ) -> Self:
        """Plot the records of a training. The training can have failed.

        Parameters
        ----------
        recorder : WeightRecorder
            The callback with which an estimator was fitted.

        ax : matplotlib Axes or sequence of them, default=None
            See `plot`.

        max_lines : int, default=200
            See `plot`.

        **line_options
            See `plot`.

        Returns
        -------
        display : WeightEvolutionDisplay
        """
        check_recorder(recorder)
        coefs, intercepts = (
            [
                np.stack([np.ravel(values) for values in layer])
                for layer in zip(*recorded, strict=True)
            ]
            for recorded in (recorder.coefs_, recorder.intercepts_)
        )
        display = cls(
            recorder.epochs_, coefs, intercepts, recorder.grad_norms_, recorder.angles_
        )
        return display.plot(ax=ax, max_lines=max_lines, **line_options)

    def plot(
        self, ax: Any = None, *, max_lines: int = 200, **line_options: Any
    ) -> Self:
        """Draw the weights and the gradient.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, default=None
            Axes for each panel (one per layer, and two), or one Axes that is divided
            into panels. None creates a figure.

        max_lines : int, default=200
            Maximum number of lines per layer. If there are more weights, the display
            shows the median and the areas from the 5 % to the 95 % quantile and from
            the 25 % to the 75 % quantile.

        **line_options
            Parameters of `Axes.plot` for all lines, such as `linewidth` and `alpha`.

        Returns
        -------
        display : WeightEvolutionDisplay
            The display itself.
        """
        check_scalar(max_lines, "max_lines", Integral, min_val=1)
        n_layers = len(self.coefs)
        self.axes_, self.figure_ = stack_panels(
            ax, "WeightEvolutionDisplay.plot", [_HEIGHT] * (n_layers + 2)
        )
        self.ax_ = self.axes_[0]
        self.diverged_epoch_ = self._first_divergence()
        self.weight_lines_: list = []
        self.bias_lines_: list = []
        self.bands_: list = []
        for l in range(n_layers):
            self._draw_layer(l, max_lines, line_options)
        self._draw_gradient(line_options)
        self._mark_divergence()
        label_epochs(self.axes_)
        # Above the axes, so that it does not cover the weights.
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1.01), "ncols": 3}
        place_legend(self.ax_, self._handles(), **above)
        return self

    def _first_divergence(self):
        """Return the first epoch that has diverged, or None."""
        sizes = np.max(
            [np.abs(W).max(axis=1, initial=0) for W in [*self.coefs, *self.intercepts]],
            axis=0,
        ).astype(float)
        # The negation of "less or equal" is also true for NaN.
        is_lost = ~(sizes <= _EXPLOSION * max(sizes[0], 1))
        # A norm can be NaN if there was no gradient. Only infinity is divergence.
        is_lost |= np.isinf(np.asarray(self.grad_norms, dtype=float))
        return self.epochs[int(is_lost.argmax())] if is_lost.any() else None

    def _draw_layer(self, l, max_lines, line_options):
        ax, W, b = self.axes_[l], finite(self.coefs[l]), finite(self.intercepts[l])
        bands: list = []
        self.bands_.append(bands)
        look = {"color": color(0)} | line_options
        self.weight_lines_.append(self._draw_many(ax, W, max_lines, bands, look))
        # Fewer lines of biases are visible on top of the areas.
        max_lines = min(max_lines, 20) if bands else max_lines
        look = {"color": color(1), "linestyle": "--"} | line_options
        self.bias_lines_.append(self._draw_many(ax, b, max_lines, bands, look))
        ax.set_ylabel(f"layer {l}")
        ax.grid(alpha=0.3)
        _scale_exploded(ax, np.hstack([W, b]))

    def _draw_many(self, ax, values, max_lines, bands, look):
        """Draw a line for each column, or the median and areas between quantiles."""
        n = values.shape[1]
        if n <= max_lines:
            opacity = float(np.clip(8 / max(n, 1), 0.3, 0.9))  # many lines are fainter
            look = {"linewidth": 1, "alpha": opacity} | look
            return ax.plot(self.epochs, values, **look)
        for low, high, alpha in _BANDS:
            edges = _quantile(values, low), _quantile(values, high)
            fill = {"color": look["color"], "alpha": alpha, "linewidth": 0}
            bands.append(ax.fill_between(self.epochs, *edges, **fill))
        return ax.plot(self.epochs, _quantile(values, 0.5), **look)

    def _draw_gradient(self, line_options):
        norms, angles = finite(self.grad_norms), finite(self.angles)
        upper, lower = self.axes_[-2:]
        look = {"color": color(2)} | line_options
        (self.norm_line_,) = upper.plot(self.epochs, norms, **look)
        scale_log_if_positive(upper, [norms])
        upper.set_ylabel("norm of\nthe gradient")
        (self.angle_line_,) = lower.plot(self.epochs, angles, **look)
        lower.set_ylabel("angle\n(degrees)")
        lower.set(ylim=(-6, 186), yticks=[0, 45, 90, 135, 180])
        for ax in upper, lower:
            ax.grid(alpha=0.3)

    def _mark_divergence(self):
        """Shade the epochs from the first that has diverged."""
        self.divergence_ = []
        if self.diverged_epoch_ is None:
            return
        last = self.epochs[-1]
        # The area of a single epoch must be visible.
        end = last + 0.04 * max(last - self.epochs[0], 1)
        for ax in self.axes_:
            look = {"color": color(4), "alpha": 0.3, "linewidth": 0}
            span = ax.axvspan(self.diverged_epoch_, end, **look)
            line = ax.axvline(self.diverged_epoch_, color=color(4), linestyle=":")
            self.divergence_.append((span, line))

    def _handles(self):
        """Return the entries of the legend."""
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        handles: list = [
            Line2D([], [], color=color(0), label="weights"),
            Line2D([], [], color=color(1), ls="--", label="biases"),
        ]
        if any(self.bands_):
            for handle in handles:
                handle.set_label(f"{handle.get_label()} (many: median)")
            # The narrower area is on top of the wider one.
            for (low, high, _), alpha in zip(_BANDS, (0.2, 0.5), strict=True):
                label = f"{low:.0%} to {high:.0%} quantiles"
                handles.append(Patch(color=color(0), alpha=alpha, lw=0, label=label))
        handles.append(
            Line2D(
                [],
                [],
                color=color(2),
                label="gradient, and angle to\nthe previous gradient",
            )
        )
        if self.diverged_epoch_ is not None:
            label = f"diverged (epoch {self.diverged_epoch_})"
            handles.append(Patch(color=color(4), alpha=0.3, lw=0, label=label))
        return handles


def _scale_exploded(ax, values):
    """Use a symmetric logarithmic axis for weights that explode."""
    sizes = np.abs(values[np.isfinite(values)])
    start = max(np.nanmax(np.abs(values[0]), initial=0), 1)
    if not sizes.size or sizes.max() <= _EXPLOSION * start:
        return
    decades = int(np.log10(sizes.max()))
    marks = 10.0 ** np.unique([decades, max(decades // 2, 1)])
    ax.set_yscale("symlog", linthresh=start)
    ax.set_yticks([*-marks[::-1], 0, *marks])


def _quantile(W, q):
    """Return the quantile of the weights at each epoch, NaN if none is finite."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
        return np.nanquantile(W, q, axis=1)
