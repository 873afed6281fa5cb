"""Diagram of a network: its layers, or its units and weights."""

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

MAX_UNITS, MAX_WEIGHTS = 32, 1000
"""Maximum units in a layer and maximum weights for which kind='auto' draws units."""

MAX_LINES = 100_000
"""Maximum number of weights that can be drawn."""

WIDE, NARROW = len("123,456 parameters"), len("dropout 0.5")
"""Lengths of the longest lines below a layer, with and without enough space."""


class NetworkDisplay:
    """Diagram of a network.

    Create a display with `from_estimator`.

    Parameters
    ----------
    layers : list of LayerSummary
        Description of each layer: the attribute `layers` of the result of `summary`.

    coefs : list of ndarray of shape (n_units_before, n_units)
        The weights of each layer after the input.

    feature_names : sequence of str, default=None
        Names of the inputs. None means no names.

    output_names : sequence of str, default=None
        Names of the outputs. None means no names.

    Attributes
    ----------
    kind_ : {'units', 'layers'}
        The kind that was drawn.

    nodes_ : list of matplotlib PathCollection
        The units of each layer, if `kind_` is 'units'.

    edges_ : list of matplotlib LineCollection
        The weights of each layer after the input, in ascending order of their absolute
        values, if `kind_` is 'units'.

    boxes_ : list of matplotlib Rectangle
        The boxes of the layers, if `kind_` is 'layers'.

    text_ : list of matplotlib Text
        The names of inputs and outputs, or the text in and between the boxes.

    ax_ : matplotlib Axes
        The axes. The labels of the x axis describe the layers.

    figure_ : matplotlib Figure
        The figure.

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
            A fitted classifier or regressor of this package, or a pipeline whose last
            step is one.

        kind : {'auto', 'units', 'layers'}, default='auto'
            Whether to draw all units and weights, or a box for each layer. 'auto' draws
            units if no layer has more than 32 units and there are at most 1000 weights.

        feature_names : sequence of str, default=None
            Names of the inputs. The default is `feature_names_in_`, if it is defined.

        output_names : sequence of str, default=None
            Names of the outputs. The default is `classes_` for a classifier, or the
            second class for two classes.

        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a figure.

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

        Positive weights are blue and negative weights are vermilion. The width and the
        opacity of a line increase with the absolute value of the weight, relative to
        the largest in the network. Names that do not fit are omitted. The height of
        the box of a layer increases with the number of units, on a logarithmic scale.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a figure.

        kind : {'auto', 'units', 'layers'}, default='auto'
            Whether to draw all units and weights, or a box for each layer. 'auto' draws
            units if no layer has more than 32 units and there are at most 1000 weights.

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
        if kind == "units" and n_weights > MAX_LINES:
            raise ValueError(
                f"kind must be 'layers' for a network with more than {MAX_LINES:,} "
                f"weights, got 'units' and {n_weights:,} weights."
            )
        if kind == "auto":
            widest = max(layer.units for layer in self.layers)
            few = widest <= MAX_UNITS and n_weights <= MAX_WEIGHTS
            return "units" if few else "layers"
        return kind

    def _draw_units(self, sizes, feature_names, output_names):
        ax, rows = self.ax_, max(sizes)
        inches = ax.get_window_extent().height / ax.figure.dpi
        legend = 0.35 * rows / inches  # its height above the units
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

        ax, half = self.ax_, 0.2  # half of the width of a box
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
        """Write a description below each layer."""
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
    """Return the network, which can be the last step of a pipeline."""
    network = estimator
    if hasattr(estimator, "steps"):
        network = estimator.steps[-1][1]
    if not isinstance(network, InspectionMixin):
        raise TypeError(
            "estimator must be an MLPClassifierScratch or an MLPRegressorScratch, or a "
            f"pipeline whose last step is one, got {estimator!r}."
        )
    return network


def _seen_names(estimator, network):
    """Return the names of the inputs of the network, or None."""
    if hasattr(network, "feature_names_in_"):
        return network.feature_names_in_
    if hasattr(estimator, "feature_names_in_"):  # a pipeline fitted with a data frame
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
    """Draw a line for each weight, with the largest weights on top."""
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
    """Return the positions of the units of a layer from top to bottom.

    Their distance is that of the widest layer, or twice as large if there is space.
    """
    return min(2, rows / size) * ((size - 1) / 2 - np.arange(size))


def _describe(layer, space):
    """Return the description of a layer, with `space` before the longest word."""
    lines = [layer.name, f"{layer.units:,} unit{'s' * (layer.units != 1)}"]
    if layer.weights:
        lines.append(_shorten(layer.activation, NARROW))
        lines.append(f"{layer.parameters:,}{space}parameters")
    if layer.dropout:
        lines.append(f"dropout {layer.dropout:g}")
    if layer.batch_norm:
        lines.append("batch norm")
    lines += [name for name, is_set in layer.others.items() if is_set]
    if layer.frozen:
        lines.append("frozen")
    return "\n".join(lines)


def _face(layer):
    return FACES[layer.name.split()[0]]


def _font_size(ax, n_layers, letters):
    """Return the largest font size, at most 9, with which labels do not overlap."""
    box, points = ax.get_window_extent(), 72 / ax.figure.dpi
    # The mean width of a letter is a little more than half of its height.
    return float(np.clip(box.width * points / n_layers / (0.58 * letters), 3, 9))


def _shorten(name, longest=24):
    name = name.replace("\n", " ")
    return name if len(name) <= longest else name[: longest - 3] + "..."
