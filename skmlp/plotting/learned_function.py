"""Learned function of a network with one or two inputs."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils import check_array, check_consistent_length, check_scalar
from sklearn.utils.validation import check_is_fitted

from skmlp.plotting._axes import make_axes, make_panels
from skmlp.plotting._recorded import at_epochs, check_network, spread
from skmlp.plotting._stacked import finite, place_legend_below
from skmlp.plotting._style import DIVERGING, SEQUENTIAL, color, sequence

if TYPE_CHECKING:
    from skmlp.callbacks import WeightRecorder
    from skmlp.estimators.classifier import MLPClassifierScratch
    from skmlp.estimators.regressor import MLPRegressorScratch

_MARKERS = "os^Dv<>P"
_MAX_EPOCHS = 6
_CALLER = "LearnedFunctionDisplay.plot"


class LearnedFunctionDisplay:
    """Learned function of a network with one or two inputs.

    With one input, the predictions are lines, for several epochs if they were recorded,
    with the target and the samples. With two inputs, they are filled contours, with a
    panel for each epoch. For classifiers, the display shows the probabilities of the
    classes. With two inputs and three or more classes, it shows the regions of the most
    probable class.

    Create a display with `from_estimator` or `from_recorder`.

    Parameters
    ----------
    grid : ndarray of shape (n_points, 1) or (grid_resolution ** 2, 2)
        Points at which the function was evaluated. With two inputs, these are the
        points of a square grid, and the first input changes slowest.

    responses : ndarray of shape (n_epochs, n_points, n_outputs)
        Predictions, or probabilities of the classes, at these points.

    epochs : sequence of int, default=None
        Numbers of the epochs. None for one function without an epoch.

    X : ndarray of shape (n_samples, n_inputs), default=None
        Samples.

    y : ndarray of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets, or classes if `classes` is given.

    target : ndarray of shape (n_points,) or (n_points, n_outputs), default=None
        Values of the true function at the points of the grid.

    classes : ndarray, default=None
        The classes, for a classifier. If there is one output, it is the probability of
        the last one of `classes`.

    input_names : sequence of str, default=None
        Names of the inputs.

    output_name : str, default='prediction'
        Name of the output.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The first axes.

    axes_ : list of matplotlib Axes
        All axes. With two inputs, there is one for each epoch.

    figure_ : matplotlib Figure
        The figure.

    lines_ : list of matplotlib Line2D
        With one input, the predictions for each epoch and each output.

    target_line_ : matplotlib Line2D or None
        With one input, the target.

    surfaces_ : list of matplotlib QuadContourSet or AxesImage
        With two inputs, the predictions.

    points_ : list of matplotlib PathCollection
        The samples. With classes, there is an element for each class.

    colorbar_ : matplotlib Colorbar or None
        Colour bar of the epochs or the predictions.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import MLPRegressorScratch
    >>> from skmlp.plotting import LearnedFunctionDisplay
    >>> X = np.random.RandomState(0).uniform(-3, 3, (50, 1))
    >>> reg = MLPRegressorScratch(activation="tanh", solver="lbfgs")
    >>> reg = reg.fit(X, np.sin(X[:, 0]))
    >>> _ = LearnedFunctionDisplay.from_estimator(
    ...     reg, X, np.sin(X[:, 0]), target=lambda X: np.sin(X[:, 0])
    ... )
    """

    def __init__(
        self,
        grid: np.ndarray,
        responses: np.ndarray,
        *,
        epochs: Sequence[int] | None = None,
        X: np.ndarray | None = None,
        y: np.ndarray | None = None,
        target: np.ndarray | None = None,
        classes: np.ndarray | None = None,
        input_names: Sequence[str] | None = None,
        output_name: str = "prediction",
    ) -> None:
        self.grid = grid
        self.responses = responses
        self.epochs = epochs
        self.X = X
        self.y: Any = y
        self.target = target
        self.classes: Any = classes
        self.input_names = input_names
        self.output_name = output_name

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: npt.ArrayLike,
        y: npt.ArrayLike | None = None,
        *,
        target: Callable[..., Any] | npt.ArrayLike | None = None,
        output: int | None = None,
        grid_resolution: int = 100,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Plot the function that a fitted estimator computes.

        Parameters
        ----------
        estimator : estimator
            A fitted regressor, or a fitted classifier with `predict_proba`. It can be
            a pipeline.

        X : array-like of shape (n_samples, 1) or (n_samples, 2)
            Samples. Their range, with a small margin, is the range of the grid.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets. If None, the samples are not drawn.

        target : callable or array-like, default=None
            True function: a function of an array of shape (n_points, n_inputs) that
            returns the values of a regression or the probabilities that are shown, or
            these values at the points of the grid.

        output : int, default=None
            Index of the output that is shown: a target, or the probability of a class.
            None shows all outputs, or the second one for two classes.

        grid_resolution : int, default=100
            Number of points on each axis.

        ax : matplotlib Axes, default=None
            See `plot`.

        **options
            See `plot`.

        Returns
        -------
        display : LearnedFunctionDisplay
        """
        check_is_fitted(estimator)
        data = _describe(estimator, X, y, output, grid_resolution)
        response = _response(estimator, data["grid"], output)
        display = cls(responses=response[np.newaxis], **data)
        return display._set_target(target).plot(ax=ax, **options)

    @classmethod
    def from_recorder(
        cls,
        recorder: WeightRecorder,
        estimator: MLPClassifierScratch | MLPRegressorScratch,
        X: npt.ArrayLike,
        y: npt.ArrayLike | None = None,
        *,
        epochs: Sequence[int] | None = None,
        target: Callable[..., Any] | npt.ArrayLike | None = None,
        output: int | None = None,
        grid_resolution: int = 100,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Plot the function at several epochs of training.

        Parameters
        ----------
        recorder : WeightRecorder
            The callback with which the estimator was fitted.

        estimator : MLPClassifierScratch or MLPRegressorScratch
            The fitted estimator, without batch or layer normalization.

        X, y : array-like
            See `from_estimator`.

        epochs : sequence of int, default=None
            Elements of the recorder's `epochs_`. None shows at most six, closer
            together at the beginning.

        target, output, grid_resolution
            See `from_estimator`.

        ax : matplotlib Axes or sequence of them, default=None
            See `plot`.

        **options
            See `plot`.

        Returns
        -------
        display : LearnedFunctionDisplay
        """
        check_network(recorder, estimator)
        if epochs is None:
            chosen = spread(recorder.epochs_, _MAX_EPOCHS)
        else:
            chosen = _indices(epochs, recorder.epochs_)
        display = cls._computed(
            recorder, estimator, X, y, chosen, target, output, grid_resolution
        )
        return display.plot(ax=ax, **options)

    @classmethod
    def _computed(
        cls, recorder, estimator, X, y, chosen, target, output, grid_resolution
    ):
        """Return a display of recorded epochs, given by their indices."""
        check_network(recorder, estimator)
        data = _describe(estimator, X, y, output, grid_resolution)

        def response(recorded):
            return _response(recorded, data["grid"], output)

        display = cls(
            responses=at_epochs(recorder, estimator, response, chosen),
            epochs=[recorder.epochs_[i] for i in chosen],
            **data,
        )
        return display._set_target(target)

    def _set_target(self, target):
        if target is not None:
            values = target(self.grid) if callable(target) else target
            values = np.asarray(values, dtype=float)
            if len(np.atleast_1d(values)) != len(self.grid):
                raise ValueError(
                    "target must be a function that returns a value for each of the "
                    f"{len(self.grid)} points of the grid, or an array of these "
                    f"values, got the shape {values.shape}."
                )
            self.target = values
        return self

    def plot(self, ax: Any = None, **options: Any) -> Self:
        """Draw the function.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, default=None
            Axes to draw in. For two inputs and several epochs, axes for each epoch, or
            one Axes that is divided into panels. None creates a figure.

        **options
            Parameters of `Axes.plot` for one input, of `Axes.contourf` or `Axes.imshow`
            for two inputs.

        Returns
        -------
        display : LearnedFunctionDisplay
            The display itself.
        """
        self.lines_: list = []
        self.surfaces_: list = []
        self.points_: list = []
        self.target_line_ = self.colorbar_ = None
        if self._n_inputs == 1:
            self._plot_lines(ax, options)
        else:
            self._plot_surfaces(ax, options)
        return self

    @property
    def _n_inputs(self):
        return np.shape(self.grid)[1]

    @property
    def _n_outputs(self):
        return np.shape(self.responses)[2]

    def _input_name(self, i):
        if self.input_names is not None:
            return self.input_names[i]
        return "x" if self._n_inputs == 1 else f"x{i}"

    # One input.

    def _plot_lines(self, ax, options):
        n_epochs, n_outputs = len(self.responses), self._n_outputs
        if n_epochs > 1 and n_outputs > 1:
            raise ValueError(
                f"output must be the index of an output, from 0 to {n_outputs - 1}, if "
                f"{n_epochs} epochs are shown, got None."
            )
        is_new = ax is None
        ax, self.figure_ = make_axes(ax, _CALLER, figsize=(7.0, 4.4))
        self.ax_, self.axes_ = ax, [ax]
        self._draw_points_over_x(ax)
        self._draw_target_line(ax)
        colors = sequence(n_epochs) if n_epochs > 1 else None
        for i in range(n_epochs):
            line_color = None if colors is None else colors[i]
            self.lines_ += self._draw_lines(ax, i, line_color, options)
        if colors is not None:
            self.colorbar_ = _epoch_colorbar(ax, colors, self.epochs)
        ax.set_xlabel(self._input_name(0))
        ax.set_ylabel(self.output_name)
        ax.grid(alpha=0.3)
        self._place_legend(is_new=is_new)

    def _draw_lines(self, ax, i, line_color=None, options=None):
        """Draw the predictions of an epoch, with a line for each output."""
        lines = []
        for k in range(self._n_outputs):
            look = {"color": line_color or self._output_color(k), "linewidth": 2}
            if line_color is None:
                look["label"] = self._output_label(k)
            lines += ax.plot(
                self.grid[:, 0],
                finite(self.responses[i, :, k]),
                **{**look, **(options or {})},
            )
        return lines

    def _output_color(self, k):
        return color(k if self._n_outputs > 1 else 0)

    def _output_label(self, k):
        if self._n_outputs == 1:
            return self.output_name
        if self.classes is not None:
            return f"P({self.classes[k]})"
        return f"{self.output_name} {k}"

    def _draw_target_line(self, ax):
        if self.target is None:
            return
        lines = ax.plot(self.grid[:, 0], self.target, "k--", linewidth=1.5, zorder=4)
        lines[0].set_label("target")
        self.target_line_ = lines[0]

    def _draw_points_over_x(self, ax):
        """Draw samples at their targets, or at 1 or 0 for a class and the others."""
        if self.X is None or self.y is None:
            return
        Y = np.reshape(self.y, (len(self.y), -1))
        if self.classes is not None:
            Y = self._indicators()
        for k in range(Y.shape[1]):
            several = Y.shape[1] > 1
            shown = (
                Y[:, k] == 1 if several and self.classes is not None else slice(None)
            )
            points = ax.scatter(
                self.X[shown, 0],
                Y[shown, k],
                s=18,
                color=color(k) if several else "grey",
                alpha=0.7,
                marker=_MARKERS[k % len(_MARKERS)],
                linewidths=0,
                label="samples" if k == Y.shape[1] - 1 and not several else None,
            )
            self.points_.append(points)

    def _indicators(self):
        """Return for each output whether the samples belong to its class."""
        if np.ndim(self.y) == 2:
            return np.asarray(self.y, dtype=float)
        shown = self.classes if self._n_outputs > 1 else self.classes[-1:]
        return (np.asarray(self.y)[:, np.newaxis] == shown).astype(float)

    # Two inputs.

    def _plot_surfaces(self, ax, options):
        self._check_regions()
        self.axes_ = self._make_axes(ax)
        for i, panel in enumerate(self.axes_):
            self.surfaces_.append(self._draw_surface(panel, i, options))
            if self.epochs is not None:
                panel.set_title(f"epoch {self.epochs[i]}")
        if self._n_outputs == 1:
            label = self.output_name
            self.colorbar_ = self.figure_.colorbar(
                self.surfaces_[-1], ax=self.axes_, label=label
            )
        self._place_legend(is_new=ax is None)

    def _check_regions(self):
        """Raise if there are several outputs that are not classes."""
        if self._n_outputs > 1 and (self.classes is None or np.ndim(self.y) == 2):
            raise ValueError(
                "output must be the index of an output, from 0 to "
                f"{self._n_outputs - 1}, if there are two inputs, got None."
            )

    def _place_legend(self, is_new):
        """Draw the legend, below the axes in a new figure."""
        handles, _ = self.ax_.get_legend_handles_labels()
        if not handles:
            return
        if is_new:
            place_legend_below(self.figure_, handles)
        else:
            self.ax_.legend(handles=handles)

    def _make_axes(self, ax):
        """Return axes for each epoch."""
        n = len(self.responses)
        n_columns = n if n <= 3 else 2 if n == 4 else 3
        n_rows = math.ceil(n / n_columns)
        size = (6.4, 4.8) if n == 1 else (2.7 * n_columns + 1, 2.6 * n_rows + 0.6)
        axes, self.figure_ = make_panels(
            ax, n, _CALLER, figsize=size, n_columns=n_columns
        )
        self.ax_ = axes[0]
        are_given = np.iterable(ax)
        for i, panel in enumerate(axes):
            # In a grid, only the outermost panels have labels.
            is_lowest = are_given or i + n_columns >= n
            is_leftmost = are_given or i % n_columns == 0
            if not are_given and i > 0:
                panel.sharex(axes[0])
                panel.sharey(axes[0])
            panel.tick_params(labelbottom=is_lowest, labelleft=is_leftmost)
            self._label_inputs(panel, is_lowest, is_leftmost)
        return axes.tolist()

    def _label_inputs(self, ax, below=True, left=True):
        if below:
            ax.set_xlabel(self._input_name(0))
        if left:
            ax.set_ylabel(self._input_name(1))

    def _draw_surface(self, ax, i, options=None):
        """Draw the predictions of an epoch and the samples."""
        n = math.isqrt(len(self.grid))
        x0, x1 = self.grid.T.reshape(2, n, n)
        Z = finite(self.responses[i]).reshape(n, n, -1)
        draw = self._draw_regions if self._n_outputs > 1 else self._draw_contour
        surface = draw(ax, x0, x1, Z, options or {})
        self._draw_points_on_plane(ax)
        ax.set(xlim=(x0.min(), x0.max()), ylim=(x1.min(), x1.max()))
        return surface

    def _draw_contour(self, ax, x0, x1, Z, options):
        levels, colormap = self._levels()
        look = {"levels": levels, "cmap": colormap, "extend": "both"}
        if self.classes is not None:
            look["extend"] = "neither"
        surface = ax.contourf(
            x0, x1, np.ma.masked_invalid(Z[:, :, 0]), **look | options
        )
        lines = levels[::2] if self.classes is None else [0.5]
        if self.classes is not None and np.isfinite(Z).all():
            _draw_level(ax, x0, x1, Z[:, :, 0], lines, colors="black", linewidths=1)
        if self.target is not None:
            T = np.reshape(self.target, x0.shape)
            look = {"colors": "black", "linestyles": "dashed", "linewidths": 1}
            _draw_level(ax, x0, x1, T, lines, **look)
            ax.plot([], [], "k--", linewidth=1, label="target")
        return surface

    def _levels(self):
        """Return the levels of all epochs and their colour map."""
        from matplotlib.ticker import MaxNLocator

        if self.classes is not None:
            return np.linspace(0, 1, 11), _pale(DIVERGING)
        # From the last epoch, because earlier predictions can be very different.
        known = [self.responses[-1], *([] if self.y is None else [self.y])]
        values = np.concatenate([np.ravel(v) for v in known])
        values = values[np.isfinite(values)]
        low, high = (values.min(), values.max()) if len(values) else (0, 1)
        return MaxNLocator(12).tick_values(low, high), SEQUENTIAL

    def _draw_regions(self, ax, x0, x1, P, options):
        """Draw the colours of the classes, mixed according to their probabilities."""
        from matplotlib.colors import to_rgb

        palette = np.array([to_rgb(color(k)) for k in range(P.shape[2])])
        pale = 1 - 0.55 * (1 - np.nan_to_num(P, nan=0) @ palette)
        extent = (x0.min(), x0.max(), x1.min(), x1.max())
        look = {"extent": extent, "origin": "lower", "aspect": "auto"}
        image = ax.imshow(pale.clip(0, 1).swapaxes(0, 1), **look | options)
        for k in range(P.shape[2]):
            lead = P[:, :, k] - np.delete(P, k, axis=2).max(axis=2)
            if np.isfinite(lead).all():
                _draw_level(ax, x0, x1, lead, [0], colors="black", linewidths=1)
        return image

    def _draw_points_on_plane(self, ax):
        if self.X is None or self.y is None:
            return
        look = {"s": 20, "edgecolors": "black", "linewidths": 0.5, "zorder": 3}
        if self.classes is None:
            levels, colormap = self._levels()
            look |= {"cmap": colormap, "vmin": levels[0], "vmax": levels[-1]}
            points = ax.scatter(*self.X.T, c=np.ravel(self.y), **look)
            self.points_.append(points)
            return
        for k, label in enumerate(self.classes):
            # With one output, use the colours of its probability.
            is_last = k == len(self.classes) - 1
            look["color"] = color(k if self._n_outputs > 1 else is_last)
            look["marker"] = _MARKERS[k % len(_MARKERS)]
            shown = np.asarray(self.y) == label
            self.points_.append(
                ax.scatter(*self.X[shown].T, label=f"class {label}", **look)
            )


def _draw_level(ax, x0, x1, Z, levels, **look):
    """Draw contour lines of the levels that are in the range of Z."""
    levels = [level for level in levels if Z.min() < level < Z.max()]
    if levels:
        ax.contour(x0, x1, Z, levels=levels, **look)


def _describe(estimator, X, y, output, grid_resolution):
    """Return the constructor's parameters for the data and the grid."""
    names = getattr(estimator, "feature_names_in_", None)
    X = check_array(X, input_name="X")
    n_features = X.shape[1]
    if n_features not in (1, 2):
        raise ValueError(
            f"X must have 1 or 2 features to be plotted, got {n_features}."
        )
    check_scalar(grid_resolution, "grid_resolution", Integral, min_val=2)
    described = {
        "grid": _grid(X, grid_resolution),
        "input_names": names,
        "output_name": "prediction",
    }
    is_label = False
    if y is not None:
        y = np.asarray(y)
        check_consistent_length(X, y)
        if y.ndim == 2 and output is not None:
            y, is_label = y[:, _check_output(output, y.shape[1])], True
        described |= {"X": X, "y": y}
    if is_classifier(estimator):
        # In multilabel classification, each label is a binary problem.
        classes = np.array([0, 1]) if is_label else np.asarray(estimator.classes_)
        described |= _describe_classes(classes, 1 if is_label else output)
        if is_label:
            described["output_name"] = f"probability of label {output}"
    return described


def _describe_classes(classes, output):
    if len(classes) == 2 and output is None:
        output = 1
    if output is None or not 0 <= output < len(classes):
        return {"classes": classes, "output_name": "probability"}
    shown = classes[output]
    others = np.delete(classes, output)
    return {
        "classes": np.append(others, shown),
        "output_name": f"probability of class {shown}",
    }


def _grid(X, n):
    """Return a grid over the range of the samples, with a margin of 5 %."""
    low, high = X.min(axis=0), X.max(axis=0)
    margin = np.where(high > low, 0.05 * (high - low), 1.0)
    axes = np.linspace(low - margin, high + margin, n).T
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, X.shape[1])


def _response(estimator, grid, output):
    """Return predictions or probabilities, of shape (n_points, n_outputs)."""
    with warnings.catch_warnings():
        # The grid is an array without feature names.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        if is_classifier(estimator):
            values = np.asarray(estimator.predict_proba(grid))
            if values.shape[1] == 2 and output is None:
                output = 1
        else:
            values = np.reshape(estimator.predict(grid), (len(grid), -1))
    if output is None:
        return values
    return values[:, _check_output(output, values.shape[1]), np.newaxis]


def _check_output(output, n_outputs):
    if not isinstance(output, int | np.integer) or not 0 <= output < n_outputs:
        raise ValueError(
            f"output must be the index of one of the {n_outputs} outputs, from 0 to "
            f"{n_outputs - 1}, got {output!r}."
        )
    return output


def _indices(epochs, recorded):
    missing = [epoch for epoch in epochs if epoch not in recorded]
    if missing or not len(epochs):
        raise ValueError(
            f"epochs must be elements of recorder.epochs_, {list(recorded)}, got "
            f"{epochs!r}."
        )
    return [recorded.index(epoch) for epoch in epochs]


def _pale(name):
    """Return a diverging colour map whose ends are not too dark for points and text."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    return ListedColormap(matplotlib.colormaps[name](np.linspace(0.22, 0.78, 256)))


def _epoch_colorbar(ax, colors, epochs):
    """Draw a colour bar with a step for each epoch."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    n = len(colors)
    norm = BoundaryNorm(np.arange(n + 1) - 0.5, n)
    steps = ScalarMappable(norm=norm, cmap=ListedColormap(colors))
    shown = np.unique(np.linspace(0, n - 1, min(n, 10)).round().astype(int))
    colorbar = ax.figure.colorbar(steps, ax=ax, label="epoch", ticks=shown)
    colorbar.ax.set_yticklabels([str(epochs[i]) for i in shown])
    colorbar.ax.tick_params(which="minor", length=0)
    return colorbar
