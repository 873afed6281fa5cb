"""The layers of a network, and its units and weights if they are few."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, is_classifier

from skmlp.estimators.inspection import InspectionMixin
from skmlp.estimators.summary import LayerSummary
from skmlp.plotting._axes import make_axes
from skmlp.plotting._style import COLORS

POSITIVE, NEGATIVE = COLORS[0], COLORS[1]
"""Colours of the weights by their sign."""

FACES = {"input": "#EBEBEB", "hidden": "#CFE8F7", "output": "#FBE3B5"}
"""Light colours of the layers, for dark text on them."""

EDGE = "#333333"

MOST_UNITS, MOST_WEIGHTS = 32, 1000
"""The widest layer, and the weights, of a network that is shown by its units."""

MOST_LINES = 100_000
"""The most weights that can be drawn at all."""

WIDE, NARROW = len("123,456 parameters"), len("dropout 0.5")
"""The longest lines of what is said of a layer, if there is room, and if not."""


class NetworkDisplay:
    """Picture of a network.

    It is best made by `from_estimator`.

    Parameters
    ----------
    layers : list of LayerSummary
        What there is to say about each layer, as in the `layers` of an estimator's
        `summary`.

    coefs : list of ndarray of shape (n_units_before, n_units)
        The weights of each layer after the input.

    feature_names : sequence of str, default=None
        Names of the inputs; None for no names.

    output_names : sequence of str, default=None
        Names of the outputs; None for no names.

    Attributes
    ----------
    kind_ : {'units', 'layers'}
        What was drawn.

    nodes_ : list of matplotlib PathCollection
        The units of each layer, if every unit was drawn.

    edges_ : list of matplotlib LineCollection
        The weights of each layer after the input, the largest last, if every unit
        was drawn.

    boxes_ : list of matplotlib Rectangle
        The layers, if they were drawn as boxes.

    text_ : list of matplotlib Text
        What is written beside the units, or into and between the boxes.

    ax_ : matplotlib Axes
        What it was drawn in. The labels of its x axis say what the layers are.

    figure_ : matplotlib Figure
        What that is part of.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmlp import MLPClassifierScratch
    >>> from skmlp.plotting import NetworkDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifierScratch((5,), max_iter=5, random_state=0).fit(X, y)
    >>> display = NetworkDisplay(clf.summary().layers, clf.coefs_).plot()
    >>> [len(nodes.get_offsets()) for nodes in display.nodes_]
    [4, 5, 3]
    """

    def __init__(
        self,
        layers: list[LayerSummary],
        coefs: Sequence[np.ndarray],
        *,
        feature_names: Sequence[str] | None = None,
        output_names: Sequence[str] | None = None,
    ) -> None:
        self.layers = layers
        self.coefs = coefs
        self.feature_names = feature_names
        self.output_names = output_names

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        kind: str = "auto",
        feature_names: Sequence[str] | None = None,
        output_names: Sequence[str] | None = None,
        ax: Any = None,
    ) -> Self:
        """Plot the network of an estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier or regressor of this package, or a pipeline that
            ends in one.

        kind : {'auto', 'units', 'layers'}, default='auto'
            Whether to draw every unit and every weight, or a box for each layer.
            'auto' draws the units if no layer has more than 32, and if there are
            no more than 1000 weights.

        feature_names : sequence of str, default=None
            Names of the inputs of the network. By default those it has seen in
            training, if any.

        output_names : sequence of str, default=None
            Names of the outputs. By default the classes of a classifier: for two
            classes, the one that the output is the probability of.

        ax : matplotlib Axes, default=None
            Where to draw, in a new figure by default.

        Returns
        -------
        display : NetworkDisplay

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skmlp import MLPClassifierScratch
        >>> from skmlp.plotting import NetworkDisplay
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> clf = MLPClassifierScratch((5,), max_iter=5, random_state=0).fit(X, y)
        >>> _ = NetworkDisplay.from_estimator(clf)
        """
        network = _network_of(estimator)
        layers = network.summary().layers
        if feature_names is None:
            feature_names = _seen_names(estimator, network)
        if output_names is None and is_classifier(network):
            output_names = network.classes_[-layers[-1].units :]
        display = cls(
            layers,
            network.coefs_,
            feature_names=feature_names,
            output_names=output_names,
        )
        return display.plot(ax=ax, kind=kind)

    def plot(self, ax: Any = None, *, kind: str = "auto") -> Self:
        """Draw the network.

        Positive weights are drawn in blue, negative ones in vermilion, all of them the
        thicker and darker the larger they are, compared to the largest of the
        network. Names that do not fit are left out. The boxes of layers are the
        higher the more units there are, on a logarithmic scale.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw, in a new figure by default.

        kind : {'auto', 'units', 'layers'}, default='auto'
            Whether to draw every unit and every weight, or a box for each layer.
            'auto' draws the units if no layer has more than 32, and if there are
            no more than 1000 weights.

        Returns
        -------
        self : NetworkDisplay
        """
        self.kind_ = self._choose_kind(kind)
        sizes = [layer.units for layer in self.layers]
        names = [
            _check_names("feature_names", self.feature_names, sizes[0]),
            _check_names("output_names", self.output_names, sizes[-1]),
        ]
        height = 3.6
        if self.kind_ == "units":
            height = float(np.clip(1.6 + 0.24 * max(sizes), height, 16))
        self.ax_, self.figure_ = ax, _ = make_axes(
            ax,
            f"{type(self).__name__}.plot",
            figsize=(max(4.8, 1.5 * len(sizes) + 0.9), height),
        )
        self.nodes_: list = []
        self.edges_: list = []
        self.boxes_: list = []
        self.text_: list = []
        if self.kind_ == "units":
            self._draw_units(sizes, *names)
        else:
            self._draw_layers(sizes)
        self._label_layers(ax)
        return self

    def _choose_kind(self, kind):
        if kind not in ("auto", "units", "layers"):
            raise ValueError(f"kind must be 'auto', 'units' or 'layers', got {kind!r}.")
        n_weights = sum(W.size for W in self.coefs)
        if kind == "units" and n_weights > MOST_LINES:
            raise ValueError(
                f"kind='units' draws a line for each weight, at most {MOST_LINES:,}, "
                f"but there are {n_weights:,}; use kind='layers'."
            )
        if kind == "auto":
            widest = max(layer.units for layer in self.layers)
            few = widest <= MOST_UNITS and n_weights <= MOST_WEIGHTS
            return "units" if few else "layers"
        return kind

    def _draw_units(self, sizes, feature_names, output_names):
        ax, rows = self.ax_, max(sizes)
        inches = ax.get_window_extent().height / ax.figure.dpi
        legend = 0.35 * rows / inches  # room for it above the units
        ax.set_xlim(-0.3, len(sizes) - 0.7)
        ax.set_ylim(-rows / 2, rows / 2 + legend)
        spacing = 72 * inches / (rows + legend)
        places = [
            np.column_stack([np.full(size, l), _heights(size, rows)])
            for l, size in enumerate(sizes)
        ]
        largest = max(np.abs(W).max() for W in self.coefs)
        for (before, after), W in zip(pairwise(places), self.coefs, strict=True):
            self.edges_.append(_draw_weights(ax, before, after, W, largest))
        diameter = float(np.clip(0.6 * spacing, 2, 16))
        for layer, place in zip(self.layers, places, strict=True):
            nodes = ax.scatter(
                *place.T,
                s=diameter**2,
                color=_face(layer),
                edgecolor=EDGE,
                linewidth=min(1, diameter / 6),
                zorder=2,
            )
            self.nodes_.append(nodes)
        ax.set_yticks([])
        fontsize = min(9, 0.8 * spacing)
        if fontsize >= 5:
            for place, names, side in (
                (places[0], feature_names, -1),
                (places[-1], output_names, 1),
            ):
                self._write_names(place, names, side * (diameter / 2 + 4), fontsize)
        self._add_legend(ax)

    def _write_names(self, places, names, distance, fontsize):
        for place, name in zip(places, names, strict=False):
            text = self.ax_.annotate(
                _shorten(name),
                place,
                (distance, 0),
                textcoords="offset points",
                ha="right" if distance < 0 else "left",
                va="center_baseline",
                fontsize=fontsize,
                parse_math=False,
            )
            self.text_.append(text)

    def _add_legend(self, ax):
        from matplotlib.lines import Line2D

        ax.legend(
            handles=[
                Line2D([], [], color=POSITIVE, lw=2, label="positive weight"),
                Line2D([], [], color=NEGATIVE, lw=2, label="negative weight"),
            ],
            loc="upper center",
            ncols=2,
            frameon=False,
            fontsize=9,
            borderaxespad=0,
        )

    def _draw_layers(self, sizes):
        from matplotlib.patches import Polygon, Rectangle

        ax, half = self.ax_, 0.2  # of a box's width
        heights = 0.2 + 0.8 * np.log1p(sizes) / np.log1p(max(sizes))
        ax.set_xlim(-0.5, len(sizes) - 0.5)
        ax.set_ylim(-0.55, 0.55)
        ax.set_yticks([])
        fontsize = _font_size(ax, len(sizes), letters=NARROW)
        for l, (layer, height) in enumerate(zip(self.layers, heights, strict=True)):
            box = Rectangle(
                (l - half, -height / 2),
                2 * half,
                height,
                facecolor=_face(layer),
                edgecolor=EDGE,
                zorder=2,
            )
            self.boxes_.append(ax.add_patch(box))
            self._write(l, f"{layer.units:,}", fontsize + 1)
            if l > 0:
                left, right = l - 1 + half, l - half
                below, above = heights[l - 1] / 2, height / 2
                corners = [
                    (left, below),
                    (right, above),
                    (right, -above),
                    (left, -below),
                ]
                ax.add_patch(
                    Polygon(corners, facecolor="0.95", edgecolor="none", zorder=1)
                )
                weights = "{:,}\n×\n{:,}".format(*layer.weights or ())  # noqa: RUF001
                self._write(l - 0.5, weights, fontsize)

    def _write(self, x, text, fontsize):
        self.text_.append(
            self.ax_.text(x, 0, text, ha="center", va="center", fontsize=fontsize)
        )

    def _label_layers(self, ax):
        """Say below each layer what it is."""
        n_layers, space = len(self.layers), " "
        fontsize = _font_size(ax, n_layers, letters=WIDE)
        if fontsize < 8:
            fontsize, space = _font_size(ax, n_layers, letters=NARROW), "\n"
        ax.set_xticks(
            range(n_layers),
            [_describe(layer, space) for layer in self.layers],
            fontsize=fontsize,
            parse_math=False,
        )
        ax.tick_params(axis="x", length=0)
        ax.spines[:].set_visible(False)


def _network_of(estimator):
    """The network, which may be the last step of a pipeline."""
    network = estimator
    if hasattr(estimator, "steps"):
        network = estimator.steps[-1][1]
    if not isinstance(network, InspectionMixin):
        raise TypeError(
            "estimator must be an MLPClassifierScratch or an MLPRegressorScratch, or a "
            f"pipeline that ends in one, got {estimator!r}."
        )
    return network


def _seen_names(estimator, network):
    """The names of the network's inputs, or None."""
    if hasattr(network, "feature_names_in_"):
        return network.feature_names_in_
    if hasattr(estimator, "feature_names_in_"):  # a pipeline that saw a data frame
        try:
            return estimator[:-1].get_feature_names_out()
        except (AttributeError, ValueError):  # not every transformer has names
            return None
    return None


def _check_names(argument, names, n_units):
    if names is None:
        return []
    names = [str(name) for name in names]
    if len(names) != n_units:
        units = "inputs" if argument == "feature_names" else "outputs"
        raise ValueError(
            f"{argument} must have a name for each of the {n_units} {units}, got "
            f"{len(names)}."
        )
    return names


def _draw_weights(ax, before, after, W, largest):
    """A line for each weight, those that count most on top."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba

    size = np.abs(W) / largest if largest > 0 else np.zeros_like(W)
    i, j = np.unravel_index(np.argsort(size, axis=None, kind="stable"), W.shape)
    size = size[i, j]
    positive = (W[i, j] >= 0)[:, np.newaxis]
    colors = np.where(positive, to_rgba(POSITIVE), to_rgba(NEGATIVE))
    colors[:, 3] = 0.1 + 0.8 * size
    lines = LineCollection(
        list(np.stack([before[i], after[j]], axis=1)),
        colors=colors,
        linewidths=0.3 + 2.7 * size,
        zorder=1,
    )
    return ax.add_collection(lines)


def _heights(size, rows):
    """Where the units of a layer are, from top to bottom.

    They keep to the rows of the widest layer, or twice as far apart if there is room.
    """
    return min(2, rows / size) * ((size - 1) / 2 - np.arange(size))


def _describe(layer, space):
    """What a layer is, with a space or a line's end before the longest word."""
    lines = [layer.name, f"{layer.units:,} unit{'s' * (layer.units != 1)}"]
    if layer.weights:
        lines.append(_shorten(layer.activation, NARROW))
        lines.append(f"{layer.parameters:,}{space}parameters")
    if layer.dropout:
        lines.append(f"dropout {layer.dropout:g}")
    if layer.batch_norm:
        lines.append("batch norm")
    if layer.frozen:
        lines.append("frozen")
    return "\n".join(lines)


def _face(layer):
    return FACES[layer.name.split()[0]]


def _font_size(ax, n_layers, letters):
    """The largest, up to 9, with which texts of so many letters do not touch."""
    box, points = ax.get_window_extent(), 72 / ax.figure.dpi
    # Letters are a bit more than half as wide as they are high.
    return float(np.clip(box.width * points / n_layers / (0.58 * letters), 3, 9))


def _shorten(name, longest=24):
    name = name.replace("\n", " ")
    return name if len(name) <= longest else name[: longest - 3] + "..."
