"""The weights, and how large the gradient is and how it turns, over the epochs."""

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
    """The weights, and how large the gradient is and how it turns, over the epochs.

    Each layer has a panel with a line for each weight and each bias; many weights are
    summed up by their quantiles. Below are the norm of the gradient and the angle
    between consecutive gradients that were recorded. Where training has diverged, the
    background is shaded.

    Use `from_recorder`.

    Parameters
    ----------
    epochs : sequence of int of length n_epochs
        Epochs after which was recorded.

    coefs, intercepts : list of ndarray of shape (n_epochs, n_weights)
        Weights and biases of each layer.

    grad_norms : sequence of float of length n_epochs
        Norm of the gradient.

    angles : sequence of float of length n_epochs
        Angle between the gradient and the one before, in degrees.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The panel of the first layer.

    axes_ : list of matplotlib Axes
        All panels: those of the layers, of the norm, of the angle.

    figure_ : matplotlib Figure
        What they are in.

    weight_lines_, bias_lines_ : list of lists of matplotlib Line2D
        For each layer a line for each weight, or for the median of many, and for each
        bias.

    bands_ : list of lists of matplotlib PolyCollection
        For each layer the bands between quantiles, if its weights are many.

    norm_line_, angle_line_ : matplotlib Line2D
        The norm of the gradient, and the angle.

    diverged_epoch_ : int or None
        First epoch with a weight or a gradient that is not finite, or with a weight
        that is larger than 1000, and than 1000 times the largest at the beginning.

    divergence_ : list of tuples of matplotlib Rectangle and Line2D
        For each panel the shade from that epoch on, and its edge.

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
        """Plot what was recorded, also by a training that has failed.

        Parameters
        ----------
        recorder : WeightRecorder
            It was a callback when an estimator was fitted.

        ax : matplotlib Axes or sequence of them, default=None
            As for `plot`.

        max_lines : int, default=200
            As for `plot`.

        **line_options
            As for `plot`.

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
            Where to draw. The place of one is shared out among the panels; several are
            the panels: one for each layer, and two. None makes a new figure.

        max_lines : int, default=200
            Of more weights in a layer, the median is drawn, and the bands from the 5 %
            to the 95 % quantile and from the 25 % to the 75 % quantile.

        **line_options
            Passed to `Axes.plot`, for all lines: `linewidth`, `alpha`, ...

        Returns
        -------
        display : WeightEvolutionDisplay
            This one.
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
        # Among the weights there is no room.
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1.01), "ncols": 3}
        place_legend(self.ax_, self._handles(), **above)
        return self

    def _first_divergence(self):
        """The first epoch that has diverged; None if there is none."""
        sizes = np.max(
            [np.abs(W).max(axis=1, initial=0) for W in [*self.coefs, *self.intercepts]],
            axis=0,
        ).astype(float)
        # Not "greater than": a NaN is not less than anything either.
        is_lost = ~(sizes <= _EXPLOSION * max(sizes[0], 1))
        # The first norm is NaN, for there was no gradient; others may be unknown.
        is_lost |= np.isinf(np.asarray(self.grad_norms, dtype=float))
        return self.epochs[int(is_lost.argmax())] if is_lost.any() else None

    def _draw_layer(self, l, max_lines, line_options):
        ax, W, b = self.axes_[l], finite(self.coefs[l]), finite(self.intercepts[l])
        bands: list = []
        self.bands_.append(bands)
        look = {"color": color(0)} | line_options
        self.weight_lines_.append(self._draw_many(ax, W, max_lines, bands, look))
        # Some biases can be seen on bands, but not a hundred.
        max_lines = min(max_lines, 20) if bands else max_lines
        look = {"color": color(1), "linestyle": "--"} | line_options
        self.bias_lines_.append(self._draw_many(ax, b, max_lines, bands, look))
        ax.set_ylabel(f"layer {l}")
        ax.grid(alpha=0.3)
        _scale_exploded(ax, np.hstack([W, b]))

    def _draw_many(self, ax, values, max_lines, bands, look):
        """A line for each column, or bands, which are appended, and the median."""
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
        # So that the last one can be seen, too.
        end = last + 0.04 * max(last - self.epochs[0], 1)
        for ax in self.axes_:
            look = {"color": color(4), "alpha": 0.3, "linewidth": 0}
            span = ax.axvspan(self.diverged_epoch_, end, **look)
            line = ax.axvline(self.diverged_epoch_, color=color(4), linestyle=":")
            self.divergence_.append((span, line))

    def _handles(self):
        """What the legend explains."""
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        handles: list = [
            Line2D([], [], color=color(0), label="weights"),
            Line2D([], [], color=color(1), ls="--", label="biases"),
        ]
        if any(self.bands_):
            for handle in handles:
                handle.set_label(f"{handle.get_label()} (many: median)")
            # The narrower one lies on the wider.
            for (low, high, _), alpha in zip(_BANDS, (0.2, 0.5), strict=True):
                label = f"{low:.0%} to {high:.0%} of them"
                handles.append(Patch(color=color(0), alpha=alpha, lw=0, label=label))
        handles.append(
            Line2D(
                [],
                [],
                color=color(2),
                label="gradient, and its\nangle to the one before",
            )
        )
        if self.diverged_epoch_ is not None:
            label = f"diverged (epoch {self.diverged_epoch_})"
            handles.append(Patch(color=color(4), alpha=0.3, lw=0, label=label))
        return handles


def _scale_exploded(ax, values):
    """Weights that explode need a logarithmic axis, on both sides of zero."""
    sizes = np.abs(values[np.isfinite(values)])
    start = max(np.nanmax(np.abs(values[0]), initial=0), 1)
    if not sizes.size or sizes.max() <= _EXPLOSION * start:
        return
    decades = int(np.log10(sizes.max()))
    marks = 10.0 ** np.unique([decades, max(decades // 2, 1)])
    ax.set_yscale("symlog", linthresh=start)
    ax.set_yticks([*-marks[::-1], 0, *marks])


def _quantile(W, q):
    """Quantile of the weights at each epoch, NaN where none is finite."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
        return np.nanquantile(W, q, axis=1)
