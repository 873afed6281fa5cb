"""Animation of a training."""

from __future__ import annotations

import os
from collections.abc import Callable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.base import is_classifier
from sklearn.utils import check_scalar

from skmlp._sklearn import check_matplotlib_support
from skmlp.plotting._recorded import at_epochs
from skmlp.plotting._stacked import (
    finite,
    label_epochs,
    place_legend_below,
    scale_log_if_positive,
)
from skmlp.plotting._style import color
from skmlp.plotting.learned_function import LearnedFunctionDisplay

if TYPE_CHECKING:
    from skmlp.callbacks import WeightRecorder
    from skmlp.estimators.classifier import MLPClassifierScratch
    from skmlp.estimators.regressor import MLPRegressorScratch

_MAX_LINES = 200
_WIDTH = 10.0


def animate_training(
    recorder: WeightRecorder,
    estimator: MLPClassifierScratch | MLPRegressorScratch,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    target: Callable[..., Any] | npt.ArrayLike | None = None,
    output: int | None = None,
    grid_resolution: int = 60,
    max_frames: int = 100,
    fps: float = 10,
    path: str | os.PathLike | None = None,
) -> Any:
    """Animate the training of a network with one or two inputs.

    Each frame shows the learned function after an epoch. Panels beside it show the
    error on X and y, the norm of the gradient, the angle between consecutive gradients
    and the weights up to this epoch.

    Parameters
    ----------
    recorder : WeightRecorder
        The callback with which the estimator was fitted.

    estimator : MLPClassifierScratch or MLPRegressorScratch
        The fitted estimator, without batch or layer normalization.

    X : array-like of shape (n_samples, 1) or (n_samples, 2)
        Samples.

    y : array-like of shape (n_samples,)
        Targets. The error is the error rate of a classifier and the mean squared error
        of a regressor.

    target : callable or array-like, default=None
        True function, see `LearnedFunctionDisplay.from_estimator`.

    output : int, default=None
        Index of the output that is shown, see `LearnedFunctionDisplay.from_estimator`.

    grid_resolution : int, default=60
        Number of points on each axis.

    max_frames : int, default=100
        Maximum number of frames. If more epochs were recorded, the frames are evenly
        spaced.

    fps : float, default=10
        Frames per second.

    path : str or os.PathLike, default=None
        File to which the animation is saved: a ".gif", written by Pillow, or a ".mp4",
        which requires ffmpeg. If None, the animation is not saved.

    Returns
    -------
    animation : matplotlib.animation.FuncAnimation
        The animation. Keep a reference to it while it is shown. In a notebook,
        ``HTML(animation.to_jshtml())`` of `IPython.display` shows it.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from skmlp import MLPRegressorScratch
    >>> from skmlp.callbacks import WeightRecorder
    >>> from skmlp.plotting import animate_training
    >>> X = np.linspace(-2, 2, 30).reshape(-1, 1)
    >>> y = np.sin(2 * X[:, 0])
    >>> recorder = WeightRecorder()
    >>> reg = MLPRegressorScratch(callbacks=recorder, max_iter=3).fit(X, y)
    >>> path = os.path.join(tempfile.mkdtemp(), "training.gif")
    >>> _ = animate_training(recorder, reg, X, y, path=path)
    >>> os.path.getsize(path) > 0
    True
    """
    check_matplotlib_support("animate_training")
    from matplotlib.animation import FuncAnimation

    check_scalar(max_frames, "max_frames", Integral, min_val=2)
    check_scalar(fps, "fps", Real, min_val=0, include_boundaries="neither")
    writer = None if path is None else _writer(path, fps)
    n_inputs = np.shape(X)[1] if np.ndim(X) == 2 else None
    if n_inputs not in (1, 2):
        raise ValueError(
            "X must be of shape (n_samples, 1) or (n_samples, 2), got the shape "
            f"{np.shape(X)}."
        )
    animator = _Animator(
        recorder, estimator, X, y, target, output, grid_resolution, max_frames
    )
    animation = FuncAnimation(
        animator.figure,
        animator.draw,
        frames=len(animator.epochs),
        init_func=lambda: None,
        interval=1000 / fps,
    )
    if path is not None:
        animation.save(os.fspath(path), writer=writer)
    return animation


def _writer(path, fps):
    """Return the writer for the format of a file."""
    from matplotlib import animation

    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix == ".gif":
        return animation.PillowWriter(fps=fps)
    if suffix != ".mp4":
        raise ValueError(f'path must end in ".gif" or ".mp4", got {path!r}.')
    if not animation.FFMpegWriter.isAvailable():
        raise ValueError(
            'path must end in ".gif", because ffmpeg, which is required for ".mp4", '
            f"is not installed, got {path!r}."
        )
    return animation.FFMpegWriter(fps=fps)


class _Animator:
    """The figure, and the method that updates it for each frame."""

    def __init__(
        self, recorder, estimator, X, y, target, output, grid_resolution, max_frames
    ):
        n = len(getattr(recorder, "epochs_", []))
        chosen = np.linspace(0, n - 1, min(n, max_frames)).round().astype(int)
        self.display = LearnedFunctionDisplay._computed(
            recorder, estimator, X, y, chosen, target, output, grid_resolution
        )
        if self.display._n_inputs == 2:
            self.display._check_regions()
        self.epochs = self.display.epochs
        self._make_figure()
        self._place_function()
        self._lines: list = []  # with the epochs and values of all frames
        self._add_error(recorder, estimator, X, y, chosen)
        self._add_gradient(recorder)
        self._add_weights(recorder)
        self._label()
        # The layout is the same for all frames. To compute it takes most of the time.
        self.draw(0)
        self.figure.canvas.draw()
        self.figure.set_layout_engine("none")

    def _make_figure(self):
        import matplotlib.pyplot as plt

        layout: list = [
            ["function", name] for name in ("error", "norm", "angle", "weights")
        ]
        self.figure, self.axes = plt.subplot_mosaic(
            layout, figsize=(_WIDTH, 6.0), width_ratios=[1.5, 1], layout="constrained"
        )

    def _place_function(self):
        """Draw the constant parts, and the function after the last epoch."""
        ax, display = self.axes["function"], self.display
        last = len(self.epochs) - 1
        if display._n_inputs == 1:
            display.points_ = []
            display._draw_points_over_x(ax)
            display._draw_target_line(ax)
            self._function = display._draw_lines(ax, last)
            known = display.responses[-1]
            self._keep_limits(ax, [known, display.y if display.classes is None else 0])
            ax.set(xlabel=display._input_name(0), ylabel=display.output_name)
            ax.grid(alpha=0.3)
        else:
            display.points_ = []
            surface = display._draw_surface(ax, last)
            display._label_inputs(ax)
            if display._n_outputs == 1:
                label = display.output_name
                self.figure.colorbar(surface, ax=ax, label=label, location="bottom")
            self._function = None
        handles, _ = ax.get_legend_handles_labels()
        if handles:
            place_legend_below(self.figure, handles, width=_WIDTH / 2)

    def _keep_limits(self, ax, values):
        """Set limits for all frames from the samples and the final function."""
        values = np.concatenate([np.ravel(v) for v in values])
        values = values[np.isfinite(values)]
        if len(values) and values.min() < values.max():
            margin = 0.15 * (values.max() - values.min())
            ax.set_ylim(values.min() - margin, values.max() + margin)

    def _add_error(self, recorder, estimator, X, y, chosen):
        is_class = is_classifier(estimator)

        def error(recorded):
            predicted = np.reshape(recorded.predict(X), np.shape(y))
            if is_class:
                return np.mean(predicted != np.asarray(y))
            return np.mean((predicted - np.asarray(y)) ** 2)

        errors = at_epochs(recorder, estimator, error, chosen)
        self._add("error", self.epochs, errors, color(3))
        if not is_class:
            scale_log_if_positive(self.axes["error"], [errors])
        label = "error rate" if is_class else "mean squared\nerror"
        self.axes["error"].set_ylabel(label)

    def _add_gradient(self, recorder):
        norms, angles = finite(recorder.grad_norms_), finite(recorder.angles_)
        self._add("norm", recorder.epochs_, norms, color(2))
        scale_log_if_positive(self.axes["norm"], [norms])
        self.axes["norm"].set_ylabel("norm of\nthe gradient")
        self._add("angle", recorder.epochs_, angles, color(2))
        self.axes["angle"].set(ylim=(-8, 188), yticks=[0, 90, 180])
        self.axes["angle"].set_ylabel("angle\n(degrees)")

    def _add_weights(self, recorder):
        """Add weights of all layers. Of many weights, evenly spaced ones are drawn."""
        n = sum(W.size for W in recorder.coefs_[0])
        shown = np.linspace(0, n - 1, min(n, _MAX_LINES)).round().astype(int)
        weights = np.array(
            [
                np.concatenate([W.ravel() for W in coefs])[shown]
                for coefs in recorder.coefs_
            ]
        )
        self._add("weights", recorder.epochs_, finite(weights), color(0), alpha=0.4)
        self.axes["weights"].set_ylabel("weights")

    def _add(self, panel, epochs, values, line_color, alpha=1.0):
        """Draw the lines of all epochs, which sets the limits."""
        values = values.reshape(len(epochs), -1)
        width = 1.5 if values.shape[1] == 1 else 0.8
        look = {"color": line_color, "alpha": alpha, "linewidth": width}
        lines = self.axes[panel].plot(epochs, values, **look)
        for line, column in zip(lines, values.T, strict=True):
            self._lines.append((line, np.asarray(epochs), column))

    def _label(self):
        panels = [ax for name, ax in self.axes.items() if name != "function"]
        for ax in panels:
            ax.set_xlim(self.epochs[0], max(self.epochs[-1], self.epochs[0] + 1))
            ax.grid(alpha=0.3)
            ax.tick_params(labelbottom=ax is panels[-1])
            # Keep the limits, which the values of all epochs have set.
            ax.set_ylim(ax.get_ylim())
        label_epochs(panels)

    def draw(self, i):
        """Draw frame number i."""
        for line, epochs, values in self._lines:
            so_far = epochs <= self.epochs[i]
            line.set_data(epochs[so_far], values[so_far])
        ax = self.axes["function"]
        ax.set_title(f"epoch {self.epochs[i]}")
        if self._function is None:
            self._redraw_surface(ax, i)
            return
        for k, line in enumerate(self._function):
            line.set_ydata(finite(self.display.responses[i, :, k]))

    def _redraw_surface(self, ax, i):
        for artist in [*ax.collections, *ax.images, *ax.lines]:
            artist.remove()
        self.display.points_ = []
        self.display._draw_surface(ax, i)
