"""Tests of the pictures of input gradients: what is drawn, and where."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import coo_matrix
from sklearn.exceptions import NotFittedError

plt = pytest.importorskip("matplotlib.pyplot")

from skmlp import MLPClassifierScratch, MLPRegressorScratch  # noqa: E402
from skmlp.plotting import SaliencyDisplay  # noqa: E402
from skmlp.plotting._style import DIVERGING, SEQUENTIAL  # noqa: E402

IMAGES = {"image_shape": (8, 8)}


def tick_labels(display):
    return [text.get_text() for text in display.ax_.get_yticklabels()]


def linear(W, X):
    """A network without hidden layers, with given weights."""
    reg = MLPRegressorScratch(hidden_layer_sizes=(), max_iter=1).fit(X, X @ W)
    reg.coefs_ = [np.reshape(W, (len(W), -1))]
    return reg


def differences(clf, X, h=1e-5):
    """Central differences of the logit of each sample's predicted class."""
    rows = np.arange(len(X))
    classes = clf.decision_function(X).argmax(axis=1)
    steps = h * np.eye(X.shape[1])
    return np.stack(
        [
            (clf.decision_function(X + step) - clf.decision_function(X - step))[
                rows, classes
            ]
            / (2 * h)
            for step in steps
        ],
        axis=1,
    )


# Over images.


def test_images_are_samples_and_absolute_gradients(digits, clf):
    X = digits[0][:3]
    display = SaliencyDisplay.from_estimator(clf, X, **IMAGES)
    gradient = np.abs(clf.input_gradient(X))
    assert_allclose(gradient, np.abs(differences(clf, X)), rtol=1e-5, atol=1e-8)
    assert display.axes_.shape == (2, 3)
    for i, (sample, saliency) in enumerate(display.images_):
        assert_array_equal(sample.get_array(), X[i].reshape(8, 8))
        assert_array_equal(saliency.get_array(), gradient[i].reshape(8, 8))
        assert sample.axes is display.axes_[0, i]
        assert saliency.axes is display.axes_[1, i]
        assert saliency.get_clim() == (0, gradient.max())
        assert saliency.get_cmap().name == SEQUENTIAL
    titles = [ax.get_title() for ax in display.axes_[0]]
    assert titles == [f"predicted {label}" for label in clf.predict(X)]
    label = display.colorbar_.ax.get_ylabel()
    assert label == "|∂f/∂x|,\nf the logit of the predicted class"


def test_signed_gradients_of_a_class(digits, clf):
    X = digits[0][:2]
    display = SaliencyDisplay.from_estimator(clf, X, output=3, signed=True, **IMAGES)
    gradient = clf.input_gradient(X, 3)
    limit = np.abs(gradient).max()
    for (_, saliency), g in zip(display.images_, gradient, strict=True):
        assert_array_equal(saliency.get_array(), g.reshape(8, 8))
        assert saliency.get_clim() == (-limit, limit)
        assert saliency.get_cmap().name == DIVERGING
    assert display.colorbar_.ax.get_ylabel() == "∂f/∂x,\nf the logit of class 3"


def test_only_the_first_samples_are_shown(digits, clf):
    X = digits[0]
    display = SaliencyDisplay.from_estimator(clf, X, n_samples=2, **IMAGES)
    assert display.axes_.shape == (2, 2)
    assert_array_equal(display.gradient, clf.input_gradient(X[:2]))
    assert SaliencyDisplay.from_estimator(clf, X, **IMAGES).axes_.shape == (2, 6)
    assert display.plot(n_samples=1).axes_.shape == (2, 1)


@pytest.mark.parametrize("container", [coo_matrix, pd.DataFrame, np.ndarray.tolist])
def test_samples_of_any_kind(digits, container):
    X, y = digits
    if container is pd.DataFrame:
        X = container(X, columns=[f"pixel {j}" for j in range(64)])
    clf = MLPClassifierScratch((4,), max_iter=2, random_state=0).fit(X, y)
    samples = X if container is pd.DataFrame else container(X)
    display = SaliencyDisplay.from_estimator(clf, samples, n_samples=2, **IMAGES)
    shown = [sample.get_array().ravel() for sample, _ in display.images_]
    assert_array_equal(shown, digits[0][:2])


def test_predicted_numbers():
    X = np.eye(4)
    reg = linear([1.0, 2.0, 3.0, 4.0], X)
    display = SaliencyDisplay.from_estimator(reg, X[:1], image_shape=(2, 2))
    assert display.axes_[0, 0].get_title() == f"predicted {reg.predict(X)[0]:.3g}"
    assert_array_equal(display.images_[0][1].get_array(), [[1, 2], [3, 4]])


def test_images_in_given_axes(digits, clf):
    figure, axes = plt.subplots(2, 3)
    display = SaliencyDisplay.from_estimator(
        clf, digits[0][:3], ax=axes, cmap="gray", **IMAGES
    )
    assert_array_equal(display.axes_, axes)
    assert display.figure_ is figure
    assert display.images_[0][1].get_cmap().name == "gray"
    with pytest.raises(ValueError, match=r"ax must be .* 4 axes.*length 6"):
        SaliencyDisplay.from_estimator(clf, digits[0][:2], ax=axes, **IMAGES)


# By feature.


def test_bars_are_mean_absolute_gradients_in_order(digits, clf):
    X = digits[0]
    display = SaliencyDisplay.from_estimator(clf, X)
    importance = np.abs(clf.input_gradient(X)).mean(axis=0)
    order = np.argsort(importance)[::-1][:15]
    assert_array_equal(display.features_, order)
    assert_allclose([bar.get_width() for bar in display.bars_], importance[order])
    assert tick_labels(display) == [f"x{j}" for j in order]
    tops = [bar.get_y() for bar in display.bars_]
    assert tops == sorted(tops)
    assert display.ax_.yaxis_inverted()
    label = "mean |∂f/∂x|, f the logit of the predicted class"
    assert display.ax_.get_xlabel() == label


def test_bars_of_a_linear_network():
    X = np.eye(3)
    reg = linear([1.0, -3.0, 2.0], X)
    display = SaliencyDisplay.from_estimator(reg, X, n_features=2, color="red")
    assert_allclose([bar.get_width() for bar in display.bars_], [3, 2])
    assert tick_labels(display) == ["x1", "x2"]
    assert display.ax_.get_xlabel() == "mean |∂f/∂x|, f the prediction"
    assert display.bars_[0].get_facecolor() == (1, 0, 0, 1)


def test_names_of_features():
    X = pd.DataFrame(np.eye(3), columns=["a", "b", "c"])
    reg = linear([1.0, -3.0, 2.0], X)
    assert tick_labels(SaliencyDisplay.from_estimator(reg, X)) == ["b", "c", "a"]
    display = SaliencyDisplay.from_estimator(reg, X, feature_names=["A", "B", "C"])
    assert tick_labels(display) == ["B", "C", "A"]
    with pytest.raises(ValueError, match=r"feature_names must have 3 names.*\(2,\)"):
        SaliencyDisplay.from_estimator(reg, X, feature_names=["A", "B"])


def test_one_of_several_targets():
    X, W = np.eye(3), np.array([[1.0, 5.0], [2.0, 4.0], [3.0, 6.0]])
    reg = linear(W, X)
    display = SaliencyDisplay.from_estimator(reg, X, output=1)
    assert_allclose([bar.get_width() for bar in display.bars_], [6, 5, 4])
    assert display.output == "prediction of target 1"
    assert_array_equal(display.predictions, reg.predict(X)[:, 1])
    for output in None, 2:
        with pytest.raises(ValueError, match="output must"):
            SaliencyDisplay.from_estimator(reg, X, output=output)


def test_output_whose_gradient_is_shown():
    X = np.random.RandomState(0).randn(40, 3)
    y = np.where(X[:, 0] > 0, "yes", "no")
    clf = MLPClassifierScratch((4,), max_iter=2, random_state=0).fit(X, y)
    assert SaliencyDisplay.from_estimator(clf, X).output == "logit of class yes"
    clf.fit(X, (X > 0).astype(int))
    display = SaliencyDisplay.from_estimator(clf, X, output=2)
    assert display.output == "logit of class 2"


def test_bars_in_given_axes(digits, clf):
    figure, ax = plt.subplots()
    display = SaliencyDisplay.from_estimator(clf, digits[0], ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert display.bars_[0].axes is ax
    assert display.plot() is display
    assert display.ax_ is not ax


# Bad input.


@pytest.mark.parametrize("image_shape", [(8, 9), 8, (1, 8, 8)])
def test_shape_that_does_not_match_the_features(digits, clf, image_shape):
    with pytest.raises(ValueError, match=r"image_shape must be .* 64 pixels.*got"):
        SaliencyDisplay.from_estimator(clf, digits[0], image_shape=image_shape)


@pytest.mark.parametrize("params", [{"n_features": 0}, {"n_samples": 1.5, **IMAGES}])
def test_bad_numbers_of_things_to_show(digits, clf, params):
    name = next(iter(params))
    with pytest.raises(ValueError, match=f"{name} must be .*got {params[name]}"):
        SaliencyDisplay.from_estimator(clf, digits[0], **params)


def test_bad_networks_and_samples(digits, clf):
    X = digits[0]
    with pytest.raises(NotFittedError):
        SaliencyDisplay.from_estimator(MLPClassifierScratch(), X)
    with pytest.raises(TypeError, match=r"estimator must be .*got NoneType"):
        SaliencyDisplay.from_estimator(None, X)
    with pytest.raises(ValueError, match="X has 3 features"):
        SaliencyDisplay.from_estimator(clf, X[:, :3], **IMAGES)
    with pytest.raises(ValueError, match=r"X must be an array of samples"):
        SaliencyDisplay(clf.input_gradient(X), **IMAGES).plot()
