"""Loss, validation score and learning rate over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skmlp.plotting._stacked import (
    finite,
    label_epochs,
    place_legend,
    scale_log_if_positive,
    stack_panels,
)
from skmlp.plotting._style import COLORS, color, sequence

if TYPE_CHECKING:
    from skmlp.estimators.classifier import MLPClassifierScratch
    from skmlp.estimators.regressor import MLPRegressorScratch

_PANELS = {
    "loss": ("loss", "val_loss"),
    "score": ("val_score",),
    "learning_rate": ("learning_rate",),
}
_LABELS = {
    "loss": "loss",
    "score": "validation\nscore",
    "learning_rate": "learning\nrate",
}
_HEIGHTS = {"loss": 3.4, "score": 2.0, "learning_rate": 1.6}

_MARK: dict = {
    "marker": "o",
    "markersize": 8,
    "markeredgecolor": "black",
    "linestyle": "none",
}


class LossCurveDisplay:
    """Loss, validation score and learning rate over the epochs.

    The training loss is a solid line and the validation loss a dashed line. The axis is
    logarithmic if all losses are positive. The score is drawn in another panel if there
    is a validation set, and the learning rate if it varies. The best epoch is marked.

    Create a display with `from_estimator`, `from_estimators` or `from_history`.

    Parameters
    ----------
    histories : dict of dict
        History of each training by name. A history is a dict like `history_`, and the
        key 'loss' is required.

    best_epochs : dict of int, default=None
        Number of the epoch that is marked, by name. The first epoch is 1. None stands
        for the epoch with the smallest validation loss, or the smallest training loss
        without a validation set.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The first panel.

    axes_ : dict of matplotlib Axes
        The panels by name: 'loss', 'score' and 'learning_rate'.

    figure_ : matplotlib Figure
        The figure.

    lines_ : dict of dict of matplotlib Line2D
        Lines of each training, by the keys of the history.

    best_ : dict of dict of matplotlib Line2D
        Marks of the best epoch of each training, by the names of the panels.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmlp import MLPClassifierScratch
    >>> from skmlp.plotting import LossCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifierScratch(early_stopping=True, max_iter=20, random_state=0)
    >>> display = LossCurveDisplay.from_estimator(clf.fit(X, y))
    >>> list(display.axes_)
    ['loss', 'score']
    """

    def __init__(
        self,
        histories: Mapping[str, Mapping],
        *,
        best_epochs: Mapping[str, int | None] | None = None,
    ) -> None:
        self.histories = histories
        self.best_epochs = best_epochs

    @classmethod
    def from_estimator(
        cls,
        estimator: MLPClassifierScratch | MLPRegressorScratch,
        *,
        name: str | None = None,
        panels: list[str] | None = None,
        ax: Any = None,
        **line_options: Any,
    ) -> Self:
        """Plot the training of an estimator.

        Parameters
        ----------
        estimator : MLPClassifierScratch or MLPRegressorScratch
            Fitted estimator. The solver is not 'lbfgs'. With `early_stopping`, the
            epoch whose weights were restored is marked.

        name : str, default=None
            Name in the attributes of the display. The default is the name of the class.

        panels : list of str, default=None
            See `plot`.

        ax : matplotlib Axes or sequence of them, default=None
            See `plot`.

        **line_options
            See `plot`.

        Returns
        -------
        display : LossCurveDisplay
        """
        name = type(estimator).__name__ if name is None else name
        estimators = {name: estimator}
        return cls.from_estimators(estimators, panels=panels, ax=ax, **line_options)

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, MLPClassifierScratch | MLPRegressorScratch]
        | Sequence[MLPClassifierScratch | MLPRegressorScratch],
        *,
        panels: list[str] | None = None,
        ax: Any = None,
        **line_options: Any,
    ) -> Self:
        """Plot the trainings of several estimators in different colours.

        Parameters
        ----------
        estimators : dict or sequence of estimators
            Fitted estimators. The solver is not 'lbfgs'. The keys of a dict are the
            names. In a sequence, the names are "estimator 0" and so on.

        panels : list of str, default=None
            See `plot`.

        ax : matplotlib Axes or sequence of them, default=None
            See `plot`.

        **line_options
            See `plot`.

        Returns
        -------
        display : LossCurveDisplay
        """
        if not isinstance(estimators, Mapping):
            estimators = {f"estimator {i}": e for i, e in enumerate(estimators)}
        if not estimators:
            raise ValueError("estimators must have at least one estimator, got none.")
        display = cls(
            {name: _history(estimator) for name, estimator in estimators.items()},
            best_epochs={
                name: _kept_epoch(estimator) for name, estimator in estimators.items()
            },
        )
        return display.plot(ax=ax, panels=panels, **line_options)

    @classmethod
    def from_history(
        cls,
        history: Mapping[str, Sequence[float]],
        *,
        name: str = "training",
        best_epoch: int | None = None,
        panels: list[str] | None = None,
        ax: Any = None,
        **line_options: Any,
    ) -> Self:
        """Plot a history.

        Parameters
        ----------
        history : dict of lists of float
            A dict like `history_`, with the key 'loss' and optionally 'val_loss',
            'val_score' and 'learning_rate'. Each list has a value for each epoch.

        name : str, default='training'
            Name in the attributes of the display.

        best_epoch : int, default=None
            Number of the epoch that is marked. The first epoch is 1. None stands for
            the epoch with the smallest validation loss, or the smallest training loss
            without a validation set.

        panels : list of str, default=None
            See `plot`.

        ax : matplotlib Axes or sequence of them, default=None
            See `plot`.

        **line_options
            See `plot`.

        Returns
        -------
        display : LossCurveDisplay
        """
        display = cls({name: history}, best_epochs={name: best_epoch})
        return display.plot(ax=ax, panels=panels, **line_options)

    def plot(
        self, ax: Any = None, *, panels: list[str] | None = None, **line_options: Any
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, default=None
            Axes for each panel, or one Axes that is divided into panels. None creates a
            figure.

        panels : list of str, default=None
            Names of the panels: 'loss', 'score' and 'learning_rate'. None stands for
            'loss', 'score' if there are scores, and 'learning_rate' if it varies.

        **line_options
            Parameters of `Axes.plot` for all lines, such as `linewidth` and `alpha`.

        Returns
        -------
        display : LossCurveDisplay
            The display itself.
        """
        curves = {name: _curves(history) for name, history in self.histories.items()}
        panels = _check_panels(panels, curves)
        axes, self.figure_ = stack_panels(
            ax, "LossCurveDisplay.plot", [_HEIGHTS[panel] for panel in panels]
        )
        self.axes_ = dict(zip(panels, axes, strict=True))
        self.ax_ = axes[0]
        self.lines_: dict = {name: {} for name in curves}
        self.best_: dict = {name: {} for name in curves}
        for i, (name, entries) in enumerate(curves.items()):
            for panel in panels:
                self._draw(panel, name, entries, i, line_options)
        self._finish(curves)
        return self

    def _draw(self, panel, name, entries, i, line_options):
        """Draw one training in one panel."""
        shown = [entry for entry in _PANELS[panel] if entry in entries]
        for entry in shown:
            values = entries[entry]
            options = {"color": self._color(entry, i), "linestyle": _style(entry)}
            if len(values) == 1 or np.isnan(values).any():
                options["marker"] = "."  # a single value is not a line
            (self.lines_[name][entry],) = self.axes_[panel].plot(
                np.arange(1, len(values) + 1), values, **{**options, **line_options}
            )
        best = self._best_epoch(name, entries)
        if not shown or best is None or panel == "learning_rate":
            return
        # On the validation curve, if there is one. It is the last one.
        line = self.lines_[name][shown[-1]]
        (self.best_[name][panel],) = self.axes_[panel].plot(
            best,
            line.get_ydata()[best - 1],
            color=line.get_color(),
            zorder=3,
            **_MARK,
        )

    def _color(self, entry, i):
        """Return the colour of a training, or of a curve of a single training."""
        n = len(self.histories)
        if n > len(COLORS):
            return sequence(n)[i]
        if n > 1:
            return color(i)
        return color(1 if entry.startswith("val_") else 0)

    def _best_epoch(self, name, entries):
        best = (self.best_epochs or {}).get(name)
        if best is not None:
            n_epochs = len(entries["loss"])
            if not 1 <= best <= n_epochs:
                raise ValueError(
                    f"The best epoch of {name!r} must be an integer from 1 to "
                    f"{n_epochs}, got {best!r}."
                )
            return best
        values = entries.get("val_loss", entries["loss"])
        return None if np.isnan(values).all() else int(np.nanargmin(values)) + 1

    def _finish(self, curves):
        """Set the labels, the scales and the legend."""
        for panel, ax in self.axes_.items():
            ax.set_ylabel(_LABELS[panel])
            ax.grid(alpha=0.3)
            if panel != "score":
                shown = [
                    e[k] for e in curves.values() for k in _PANELS[panel] if k in e
                ]
                scale_log_if_positive(ax, shown)
            if panel == "learning_rate" and ax.get_yscale() == "log":
                # The last rates of some schedules are almost zero, and would take most
                # of the axis.
                bottom, top = ax.get_ylim()
                ax.set_ylim(max(bottom, 1e-4 * top), top)
        label_epochs(list(self.axes_.values()))
        place_legend(self.ax_, self._handles(curves))

    def _handles(self, curves):
        """Return the entries of the legend: the colours and the styles of the lines."""
        from matplotlib.lines import Line2D

        several = len(curves) > 1
        handles = []
        if several:
            handles = [
                Line2D([], [], color=self._color("loss", i), label=name)
                for i, name in enumerate(curves)
            ]
        for entry, label in ("loss", "training"), ("val_loss", "validation"):
            lines = [e[entry] for e in self.lines_.values() if entry in e]
            if lines:
                drawn = "grey" if several else lines[0].get_color()
                style = lines[0].get_linestyle()
                handles.append(Line2D([], [], color=drawn, ls=style, label=label))
        marks = [mark for e in self.best_.values() for mark in e.values()]
        if marks:
            label = "best epoch"
            if not several:
                label = f"best epoch ({marks[0].get_xdata()[0]})"
            drawn = "lightgrey" if several else marks[0].get_color()
            handles.append(Line2D([], [], color=drawn, label=label, **_MARK))
        return handles


def _style(entry):
    return "--" if entry.startswith("val_") else "-"


def _history(estimator):
    """Return the history of a fitted estimator."""
    check_is_fitted(estimator)
    if not hasattr(estimator, "history_"):
        reason = ""
        if getattr(estimator, "solver", None) == "lbfgs":
            reason = ": solver='lbfgs' does not record a history"
        raise ValueError(
            "estimator must be an MLPClassifierScratch or MLPRegressorScratch with "
            f"history_, got {estimator!r}{reason}."
        )
    return estimator.history_


def _kept_epoch(estimator):
    """Return the epoch whose weights early stopping restored, or None."""
    scores = finite(getattr(estimator, "validation_scores_", None) or [])
    if len(scores) != len(estimator.history_["loss"]) or np.isnan(scores).all():
        return None
    return int(np.nanargmax(scores)) + 1


def _curves(history):
    """Return the entries of a history that can be drawn, as arrays."""
    try:
        entries = {
            entry: finite(history[entry])
            for shown in _PANELS.values()
            for entry in shown
            if entry in history
        }
    except (TypeError, ValueError) as error:
        raise ValueError(
            "history must be a dict of lists of numbers, like history_, got "
            f"{history!r}."
        ) from error
    if "loss" not in entries or not entries["loss"].size:
        raise ValueError(
            f"history must have losses at the key 'loss', got {history!r}."
        )
    shapes = {entry: values.shape for entry, values in entries.items()}
    if len(set(shapes.values())) > 1 or entries["loss"].ndim != 1:
        raise ValueError(
            f"history must have one value for each epoch, got the shapes {shapes}."
        )
    return {
        entry: values
        for entry, values in entries.items()
        if entry == "loss" or not np.isnan(values).all()
    }


def _check_panels(panels, curves):
    """Return the names of the panels in order."""
    if panels is None:
        has_score = any("val_score" in e for e in curves.values())
        rates = [e["learning_rate"] for e in curves.values() if "learning_rate" in e]
        varies = any(np.nanmin(rate) < np.nanmax(rate) for rate in rates)
        shown = {"loss": True, "score": has_score, "learning_rate": varies}
        return [panel for panel in _PANELS if shown[panel]]
    if isinstance(panels, str) or not panels or not set(panels) <= set(_PANELS):
        raise ValueError(f"panels must be a list of {list(_PANELS)}, got {panels!r}.")
    return list(dict.fromkeys(panels))
