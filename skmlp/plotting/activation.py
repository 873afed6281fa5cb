"""Activation functions, and the activations of a network."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_scalar

from skmlp.core import inference
from skmlp.core._typing import MatrixLike
from skmlp.core.activations import (
    ACTIVATIONS,
    HIDDEN_ACTIVATIONS,
    Activation,
    Softmax,
)
from skmlp.plotting._panels import check_network, make_grid
from skmlp.plotting._style import color

if TYPE_CHECKING:
    from skmlp.estimators.classifier import MLPClassifierScratch
    from skmlp.estimators.regressor import MLPRegressorScratch

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Curve(NamedTuple):
    """Values of an activation function.

    Attributes
    ----------
    name : str
        Name of the activation.

    z, value, derivative : ndarray of shape (n_points,)
        Pre-activations, g(z) and g'(z).
    """

    name: str
    z: np.ndarray
    value: np.ndarray
    derivative: np.ndarray


class LayerStatistics(NamedTuple):
    """Statistics of the activations of a hidden layer.

    Attributes
    ----------
    name : str
        Name of the activation function of the layer.

    n_units : int
        Number of units of the layer.

    quantiles : ndarray of shape (5,)
        The 5 %, 25 %, 50 %, 75 % and 95 % quantiles of the activations of all units
        for all samples.

    dead : float
        Fraction of the units that are zero for all samples.

    saturated : float
        Fraction of the activations whose derivative is almost zero.
    """

    name: str
    n_units: int
    quantiles: np.ndarray
    dead: float
    saturated: float


class ActivationDisplay:
    """Activation functions with their derivatives, or the activations of a network.

    Create a display with `from_activation` or `from_estimator`.

    Parameters
    ----------
    curves : list of Curve, default=None
        Activation functions.

    layers : list of LayerStatistics, default=None
        Activations of hidden layers. They are drawn if there are no curves.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        The axes of each function, or of the distributions and the percentages of a
        network.

    figure_ : matplotlib Figure

    lines_ : list of tuple (value, derivative) of matplotlib Line2D
        For functions, the lines of each function.

    boxes_ : dict of list of matplotlib artists
        For a network, the result of `matplotlib.axes.Axes.bxp`.

    bars_ : tuple (dead, saturated) of matplotlib BarContainer
        For a network, the percentages, with a bar for each layer.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmlp import MLPClassifierScratch
    >>> from skmlp.plotting import ActivationDisplay
    >>> _ = ActivationDisplay.from_activation(["relu", "gelu"])
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifierScratch((8, 4), max_iter=5, random_state=0).fit(X, y)
    >>> display = ActivationDisplay.from_estimator(clf, X)
    >>> [layer.name for layer in display.layers]
    ['relu', 'relu']
    """

    def __init__(
        self,
        curves: list[Curve] | None = None,
        layers: list[LayerStatistics] | None = None,
    ) -> None:
        self.curves: Any = curves
        self.layers: Any = layers

    @classmethod
    def from_activation(
        cls,
        activation: str | Activation | list[str | Activation] | None = None,
        *,
        z: npt.ArrayLike | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Plot activation functions and their derivatives.

        They are computed by the methods `forward` and `backward` of the activation.

        Parameters
        ----------
        activation : str, Activation or list of them, default=None
            Names, or instances of :class:`skmlp.core.activations.Activation`. None
            stands for all activations of hidden layers.

        z : array-like of shape (n_points,), default=None
            Pre-activations. The default is 401 values from -4 to 4.

        ax, **kwargs
            See `plot`.

        Returns
        -------
        display : ActivationDisplay
        """
        if activation is None:
            # Some activations have two names.
            activation = list(dict.fromkeys(HIDDEN_ACTIVATIONS.values()))
        elif not isinstance(activation, list | tuple):
            activation = [activation]
        z = np.linspace(-4, 4, 401) if z is None else _check_z(z)
        curves = [_curve(_check_activation(g), z) for g in activation]
        if not curves:
            raise ValueError(
                f"activation must name at least one activation, got {activation!r}."
            )
        return cls(curves).plot(ax=ax, **kwargs)

    @classmethod
    def from_estimator(
        cls,
        estimator: MLPClassifierScratch | MLPRegressorScratch,
        X: MatrixLike,
        *,
        saturation: float = 0.01,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Plot statistics of the activations of the hidden layers.

        A unit that is zero for all samples is dead. A dead ReLU unit does not learn
        from these samples. An activation with a derivative of almost zero is saturated.
        Its gradient is almost zero.

        Parameters
        ----------
        estimator : MLPClassifierScratch or MLPRegressorScratch
            The fitted network.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        saturation : float, default=0.01
            Threshold for saturated activations: the absolute value of the derivative
            is less than `saturation`.

        ax, **kwargs
            See `plot`.

        Returns
        -------
        display : ActivationDisplay
        """
        check_network(estimator)
        check_scalar(
            saturation, "saturation", Real, min_val=0, include_boundaries="neither"
        )
        if len(estimator.coefs_) == 1:
            raise ValueError(
                "estimator must have hidden layers, got one with "
                f"hidden_layer_sizes={estimator.hidden_layer_sizes!r}."
            )
        return cls(layers=_layer_statistics(estimator, X, saturation)).plot(
            ax=ax, **kwargs
        )

    def plot(self, *, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the functions, or the statistics of the layers.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            Axes for each function, or two for a network, or one Axes that is divided
            into panels. None creates a figure.

        **kwargs
            Parameters of `matplotlib.axes.Axes.plot` for functions, of
            `matplotlib.axes.Axes.bxp` for a network.

        Returns
        -------
        self : ActivationDisplay
        """
        if not self.curves and not self.layers:
            raise ValueError("curves or layers must be given, got neither.")
        if self.curves:
            self._plot_curves(ax, kwargs)
        else:
            self._plot_layers(ax, kwargs)
        return self

    def _plot_curves(self, ax, options):
        n_panels = len(self.curves)
        n_columns = min(n_panels, 4)
        self.axes_, self.figure_ = make_grid(
            ax,
            n_panels,
            f"{type(self).__name__}.plot",
            n_columns=n_columns,
            panel_size=(2.4, 2.0) if n_panels > 2 else (4.0, 3.2),
        )
        self.lines_ = []
        for panel, curve in zip(self.axes_, self.curves, strict=True):
            self.lines_.append(_draw_curve(panel, curve, options))
            panel.set_title(curve.name, fontsize="medium")
            panel.locator_params(axis="x", nbins=4, steps=[1, 2, 4, 5, 10])
        for panel in self.axes_[-n_columns:]:  # the lowest in each column
            panel.set_xlabel("z")
        self.axes_[0].legend(fontsize="small", handlelength=1.6)

    def _plot_layers(self, ax, options):
        n_layers = len(self.layers)
        self.axes_, self.figure_ = make_grid(
            ax,
            2,
            f"{type(self).__name__}.plot",
            n_columns=2,
            panel_size=(max(4.2, 1.0 + 0.9 * n_layers), 3.6),
        )
        distribution, shares = self.axes_
        self.boxes_ = _draw_boxes(distribution, self.layers, options)
        self.bars_ = _draw_shares(shares, self.layers)
        labels = [
            f"{l}\n{layer.name}\n{layer.n_units} units"
            for l, layer in enumerate(self.layers)
        ]
        for panel in self.axes_:
            panel.set_xticks(range(n_layers), labels, fontsize="small")
            panel.set_xlim(-0.6, n_layers - 0.4)
            panel.set_xlabel("hidden layer")


def _draw_curve(ax, curve, options):
    ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    ax.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    value = {"color": color(0), "label": "g(z)", **options}
    # Dashed, so that both are visible if they are equal.
    derivative = {"color": color(1), "linestyle": "--", "label": "g'(z)", **options}
    return (
        *ax.plot(curve.z, curve.value, **value),
        *ax.plot(curve.z, curve.derivative, **derivative),
    )


def _draw_boxes(ax, layers, options):
    names = ("whislo", "q1", "med", "q3", "whishi")
    boxes = [dict(zip(names, layer.quantiles, strict=True)) for layer in layers]
    options = {
        "positions": range(len(layers)),
        "widths": 0.5,
        "showfliers": False,
        "patch_artist": True,
        "boxprops": {"facecolor": color(5), "edgecolor": "black"},
        "medianprops": {"color": "black", "linewidth": 2},
        **options,
    }
    drawn = ax.bxp(boxes, **options)
    ax.set_title("Median, quartiles, 5 % and 95 %", fontsize="small")
    ax.set_ylabel("activation")
    return drawn


def _draw_shares(ax, layers):
    positions = np.arange(len(layers))
    width = 0.38
    dead = ax.bar(
        positions - width / 2,
        [100 * layer.dead for layer in layers],
        width,
        color=color(1),
        label="dead units",
    )
    saturated = ax.bar(
        positions + width / 2,
        [100 * layer.saturated for layer in layers],
        width,
        color=color(0),
        label="saturated activations",
    )
    for bars in dead, saturated:
        ax.bar_label(bars, fmt="%.3g", padding=2, fontsize="small")
    ax.set(ylim=(0, 108), yticks=range(0, 101, 20), ylabel="share (%)")
    # Above the axes, so that it does not cover bars.
    ax.legend(
        loc="lower center",
        bbox_to_anchor=(0.5, 1),
        ncols=2,
        frameon=False,
        fontsize="small",
        columnspacing=1,
    )
    return dead, saturated


def _check_z(z):
    z = np.array(z, dtype=float)
    if z.ndim != 1 or len(z) == 0 or not np.isfinite(z).all():
        raise ValueError(
            f"z must be a vector of finite numbers, got an array of shape {z.shape}."
        )
    return z


def _check_activation(activation):
    if isinstance(activation, str) and activation in ACTIVATIONS:
        activation = ACTIVATIONS[activation]
    if isinstance(activation, Activation) and not isinstance(activation, Softmax):
        return activation
    names = sorted(set(ACTIVATIONS) - {"softmax"})
    raise ValueError(
        f"activation must be one of {names}, an element-wise instance of "
        f"skmlp.core.activations.Activation, or a list of these, got {activation!r}."
    )


def _curve(activation, z):
    """Return the values and derivatives of an activation at the points `z`."""
    with inference.ignore_floating_point_errors():
        Z = z[:, np.newaxis].copy()
        A = activation.apply(Z)
        derivative = _derivative(activation, Z, A)
    # The name of a custom activation, or of one with other parameters, is its repr.
    registered = ACTIVATIONS.get(activation.name) is activation
    name = activation.name if registered else repr(activation)
    return Curve(name, z, A[:, 0], derivative[:, 0])


def _derivative(activation, Z, A):
    """Return g'(z): the result of `backward` for a gradient of ones."""
    delta = np.ones_like(A)
    activation.backward(Z, A, delta, np.empty_like(A))
    return delta


def _layer_statistics(estimator, X, saturation):
    hidden = estimator.hidden_activations(X)
    return [
        LayerStatistics(
            name=activation.name,
            n_units=A.shape[1],
            quantiles=np.quantile(A, QUANTILES),
            dead=float(np.mean((A == 0).all(axis=0))),
            saturated=float(np.mean(np.abs(derivative) < saturation)),
        )
        for activation, A, derivative in _derivatives(estimator, X, hidden)
    ]


def _derivatives(estimator, X, hidden):
    """Yield the activation function, its values and its derivatives of each layer."""
    X = estimator._check_input(X)
    X = X.astype(estimator.coefs_[0].dtype, copy=False)
    network, arrays = estimator._inference()
    with inference.ignore_floating_point_errors():
        outputs = inference.activations(network, arrays, X)
        for (activation, Z, A), _ in zip(outputs, hidden, strict=False):
            yield activation, A, _derivative(activation, Z, A)
