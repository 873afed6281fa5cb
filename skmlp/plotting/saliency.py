"""Gradients of an output with respect to the input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.utils import check_array

from skmlp.core._typing import MatrixLike
from skmlp.plotting._axes import make_axes
from skmlp.plotting._panels import (
    check_count,
    check_image_shape,
    check_network,
    draw_image,
    make_grid,
    symmetric_limits,
)
from skmlp.plotting._style import DIVERGING, SEQUENTIAL, color

if TYPE_CHECKING:
    from skmlp.estimators.classifier import MLPClassifierScratch
    from skmlp.estimators.regressor import MLPRegressorScratch


class SaliencyDisplay:
    """Gradients of an output with respect to the input, as images or by feature.

    Create a display with `from_estimator`.

    Parameters
    ----------
    gradient : ndarray of shape (n_samples, n_features)
        Gradient of the output at each sample.

    X : array-like of shape (n_samples, n_features), default=None
        The samples. They are required for images only.

    image_shape : tuple (height, width), default=None
        Shape of the images whose pixels are the features, row by row. If None, the
        display shows the mean absolute gradient of each feature.

    feature_names : array-like of str of shape (n_features,), default=None
        Names of the features. The default is x0, x1 and so on.

    predictions : array-like of shape (n_samples,), default=None
        Predictions, which are written above the images.

    output : str, default="output"
        Description of the output.

    Attributes
    ----------
    figure_ : matplotlib Figure

    axes_ : ndarray of matplotlib Axes of shape (2, n_shown)
        For images, the axes of the samples and of their gradients.

    images_ : list of tuple (sample, gradient) of matplotlib AxesImage
        For images, the sample and the gradient.

    colorbar_ : matplotlib Colorbar
        For images, the colour bar of the gradients.

    ax_ : matplotlib Axes
        For features, the axes.

    bars_ : matplotlib BarContainer
        For features, the bars, in descending order.

    features_ : ndarray of int
        For features, the indices of those that are shown.

    Examples
    --------
    >>> from sklearn.datasets import load_digits, load_iris
    >>> from skmlp import MLPClassifierScratch
    >>> from skmlp.plotting import SaliencyDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = MLPClassifierScratch((16,), max_iter=5, random_state=0).fit(X / 16, y)
    >>> _ = SaliencyDisplay.from_estimator(clf, X[:4] / 16, image_shape=(8, 8))
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> clf = MLPClassifierScratch((16,), max_iter=5, random_state=0).fit(X, y)
    >>> display = SaliencyDisplay.from_estimator(clf, X)
    >>> len(display.bars_)
    4
    """

    def __init__(
        self,
        gradient: np.ndarray,
        *,
        X: MatrixLike | None = None,
        image_shape: tuple[int, int] | None = None,
        feature_names: Sequence[str] | None = None,
        predictions: npt.ArrayLike | None = None,
        output: str = "output",
    ) -> None:
        self.gradient = gradient
        self.X: Any = X
        self.image_shape: Any = image_shape
        self.feature_names = feature_names
        self.predictions: Any = predictions
        self.output = output

    @classmethod
    def from_estimator(
        cls,
        estimator: MLPClassifierScratch | MLPRegressorScratch,
        X: Any,
        *,
        output: int | None = None,
        image_shape: tuple[int, int] | None = None,
        feature_names: Sequence[str] | None = None,
        signed: bool = False,
        n_samples: int = 6,
        n_features: int = 15,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the input gradients of a fitted network.

        Parameters
        ----------
        estimator : MLPClassifierScratch or MLPRegressorScratch
            The fitted network.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples. The gradient depends on the units of a feature. Scale the features
            to compare them.

        output : int, default=None
            Index of the output, see the method `input_gradient` of the estimator.

        image_shape : tuple (height, width), default=None
            Shape of the images whose pixels are the features, row by row. If None, the
            display shows the mean absolute gradient of each feature.

        feature_names : array-like of str of shape (n_features,), default=None
            Names of the features. The default is `feature_names_in_`, if it is defined,
            or x0, x1 and so on.

        signed, n_samples, n_features, ax, **kwargs
            See `plot`.

        Returns
        -------
        display : SaliencyDisplay
        """
        check_network(estimator)
        predictions = estimator.predict(X)
        if image_shape is not None:
            check_image_shape(image_shape, estimator.n_features_in_)
            check_count(n_samples, "n_samples")
            # The other samples are not shown.
            predictions = predictions[:n_samples]
            X = X.tocsr()[:n_samples] if issparse(X) else X[:n_samples]
        gradient = estimator.input_gradient(X, output)
        if feature_names is None:
            feature_names = getattr(estimator, "feature_names_in_", None)
        display = cls(
            gradient,
            X=X,
            image_shape=image_shape,
            feature_names=feature_names,
            predictions=predictions
            if predictions.ndim == 1
            else predictions[:, output],
            output=_describe(estimator, output),
        )
        return display.plot(
            signed=signed, n_samples=n_samples, n_features=n_features, ax=ax, **kwargs
        )

    def plot(
        self,
        *,
        signed: bool = False,
        n_samples: int = 6,
        n_features: int = 15,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the gradients.

        Parameters
        ----------
        signed : bool, default=False
            For images, whether to show the signs of the gradients. If False, the
            absolute values are shown.

        n_samples : int, default=6
            For images, the number of samples. The first ones are shown.

        n_features : int, default=15
            For features, the number of features. Those with the largest gradients are
            shown.

        ax : matplotlib Axes or array-like of Axes, default=None
            Axes to draw in. For images, it can have two axes per sample: first those of
            all samples, then those of all gradients. None creates a figure.

        **kwargs
            Parameters of `matplotlib.axes.Axes.imshow` for the gradients, or of
            `matplotlib.axes.Axes.barh`.

        Returns
        -------
        self : SaliencyDisplay
        """
        if self.image_shape is None:
            self._plot_bars(n_features, ax, kwargs)
        else:
            self._plot_images(signed, n_samples, ax, kwargs)
        return self

    def _plot_images(self, signed, n_samples, ax, options):
        check_count(n_samples, "n_samples")
        gradient = np.asarray(self.gradient)[:n_samples]
        check_image_shape(self.image_shape, gradient.shape[1])
        if self.X is None:
            raise ValueError("X must be an array of samples for images, got None.")
        X = _dense(self.X[:n_samples])
        n_shown = len(gradient)
        height, width = self.image_shape
        axes, self.figure_ = make_grid(
            ax,
            2 * n_shown,
            f"{type(self).__name__}.plot",
            n_columns=n_shown,
            # The label of the colour bar requires a minimum height.
            panel_size=(1.4, 0.1 + 1.4 * np.clip(height / width, 0.8, 2)),
            margin=1.2,
        )
        self.axes_ = axes.reshape(2, n_shown)
        if signed:
            scale, label = symmetric_limits(gradient), "∂f/∂x"
            options = {"cmap": DIVERGING, **scale, **options}
        else:
            gradient, label = np.abs(gradient), "|∂f/∂x|"
            options = {
                "cmap": SEQUENTIAL,
                "vmin": 0,
                "vmax": gradient.max() or 1,
                **options,
            }
        self.images_ = [
            (
                draw_image(above, x, self.image_shape, cmap="gray_r"),
                draw_image(below, g, self.image_shape, **options),
            )
            for above, below, x, g in zip(*self.axes_, X, gradient, strict=True)
        ]
        if self.predictions is not None:
            for panel, prediction in zip(self.axes_[0], self.predictions, strict=False):
                panel.set_title(f"predicted {_text(prediction)}", fontsize="small")
        self.axes_[0, 0].set_ylabel("sample x")
        self.axes_[1, 0].set_ylabel(label)
        self.colorbar_ = self.figure_.colorbar(
            self.images_[0][1], ax=list(axes), label=f"{label},\nf the {self.output}"
        )

    def _plot_bars(self, n_features, ax, options):
        check_count(n_features, "n_features")
        importance = np.abs(np.asarray(self.gradient)).mean(axis=0)
        names = _check_names(self.feature_names, len(importance))
        self.features_ = np.argsort(-importance, kind="stable")[:n_features]
        n_shown = len(self.features_)
        self.ax_, self.figure_ = make_axes(
            ax,
            f"{type(self).__name__}.plot",
            figsize=(6.4, max(2.4, 1.2 + 0.26 * n_shown)),
        )
        positions = range(n_shown)
        self.bars_ = self.ax_.barh(
            positions, importance[self.features_], **{"color": color(0), **options}
        )
        self.ax_.set_yticks(positions, names[self.features_])
        self.ax_.invert_yaxis()  # with the longest bar on top
        self.ax_.set_xlabel(f"mean |∂f/∂x|, f the {self.output}")


def _dense(X):
    return X.toarray() if issparse(X) else check_array(X)


def _check_names(feature_names, n_features):
    if feature_names is None:
        return np.array([f"x{j}" for j in range(n_features)])
    names = np.asarray(feature_names)
    if names.shape != (n_features,):
        raise ValueError(
            f"feature_names must have {n_features} names, one per feature, got an "
            f"array of shape {names.shape}."
        )
    return names


def _describe(estimator, output):
    """Return a description of the output."""
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        several = estimator.n_outputs_ > 1
        return f"prediction of target {output}" if several else "prediction"
    if estimator.n_outputs_ == 1:
        return f"logit of class {classes[1]}"
    if output is None:
        return "logit of the predicted class"
    return f"logit of class {classes[output]}"


def _text(prediction):
    if isinstance(prediction, float | np.floating):
        return f"{prediction:.3g}"
    return str(prediction)
