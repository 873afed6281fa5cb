"""Tests of the pictures of weights: what is drawn, and where."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

plt = pytest.importorskip("matplotlib.pyplot")

from skmlp import MLPClassifierScratch, MLPRegressorScratch  # noqa: E402
from skmlp.plotting import WeightsDisplay  # noqa: E402
from skmlp.plotting._style import DIVERGING  # noqa: E402


def title(ax):
    return ax.get_title()


def test_images_are_the_weights_of_the_units_with_the_largest_norms(clf):
    display = WeightsDisplay.from_estimator(clf, image_shape=(8, 8), n_units=5)
    W = clf.coefs_[0]
    norms = np.sqrt((W**2).sum(axis=0))
    assert_array_equal(display.units_, np.argsort(norms)[::-1][:5])
    assert len(display.images_) == len(display.axes_) == 5
    for ax, image, unit in zip(
        display.axes_, display.images_, display.units_, strict=True
    ):
        assert_array_equal(image.get_array(), W[:, unit].reshape(8, 8))
        assert image.axes is ax
        assert title(ax) == f"unit {unit}"


def test_all_images_share_one_scale_around_zero(clf):
    display = WeightsDisplay.from_estimator(clf, image_shape=(8, 8), n_units=3)
    limit = np.abs(clf.coefs_[0][:, display.units_]).max()
    for image in display.images_:
        assert image.get_clim() == (-limit, limit)
        assert image.get_cmap().name == DIVERGING
    assert display.colorbar_.mappable is display.images_[0]
    assert display.colorbar_.ax.get_ylabel() == "weight"


def test_images_that_are_not_square():
    W = np.arange(12.0).reshape(6, 2)
    display = WeightsDisplay([W], image_shape=(2, 3)).plot()
    assert_array_equal(display.units_, [1, 0])
    assert_array_equal(display.images_[1].get_array(), [[0, 2, 4], [6, 8, 10]])


def test_weights_of_zero_can_be_shown():
    display = WeightsDisplay([np.zeros((4, 1))], image_shape=(2, 2)).plot()
    assert display.images_[0].get_clim() == (-1, 1)


def test_there_are_no_more_images_than_units(clf):
    display = WeightsDisplay.from_estimator(clf, image_shape=(8, 8), n_units=100)
    assert sorted(display.units_) == list(range(12))


def test_options_of_images(clf):
    display = WeightsDisplay.from_estimator(
        clf, image_shape=(8, 8), n_units=1, colorbar=False, cmap="gray", vmax=3
    )
    assert display.colorbar_ is None
    assert display.images_[0].get_cmap().name == "gray"
    assert display.images_[0].get_clim()[1] == 3


@pytest.mark.parametrize("bins", [50, 7, np.linspace(-1, 1, 11)])
def test_histograms_count_the_weights_of_each_layer(clf, bins):
    display = WeightsDisplay.from_estimator(clf, bins=bins)
    assert len(display.bars_) == len(display.axes_) == 3
    for ax, bars, W in zip(display.axes_, display.bars_, clf.coefs_, strict=True):
        counts, edges = np.histogram(W, bins=bins)
        assert_array_equal([bar.get_height() for bar in bars], counts)
        assert_allclose([bar.get_x() for bar in bars], edges[:-1])
        assert ax.get_xlabel() == "weight"
        assert f"{W.shape[0]} → {W.shape[1]}" in title(ax)
        assert f"std {W.std():.2g}" in title(ax)
    assert display.axes_[0].get_ylabel() == "number of weights"


def test_the_kind_can_be_chosen(clf):
    display = WeightsDisplay(clf.coefs_, image_shape=(8, 8))
    display.plot(kind="histograms", color="red")
    assert display.bars_[0][0].get_facecolor() == (1, 0, 0, 1)
    assert not hasattr(display, "images_")
    assert display.plot() is display
    assert len(display.images_) == 12


def test_weights_of_other_networks(digits):
    other = MLPClassifier((4,), max_iter=2, random_state=0).fit(*digits)
    display = WeightsDisplay(other.coefs_).plot()
    assert sum(bar.get_height() for bar in display.bars_[0]) == 64 * 4


def test_a_network_without_hidden_layers_has_weights(digits):
    clf = MLPClassifierScratch((), max_iter=2, random_state=0).fit(*digits)
    display = WeightsDisplay.from_estimator(clf, image_shape=(8, 8))
    assert len(display.images_) == 10


# Where it is drawn.


def test_in_the_place_of_axes(clf):
    figure, (left, right) = plt.subplots(1, 2)
    display = WeightsDisplay.from_estimator(
        clf, image_shape=(8, 8), n_units=4, ax=right
    )
    assert display.figure_ is figure
    middle = left.get_position().x1
    assert all(ax.get_position().x0 > middle for ax in display.axes_)
    assert not right.axison
    assert left.axison


def test_in_given_axes(clf):
    figure, axes = plt.subplots(2, 2)
    display = WeightsDisplay.from_estimator(
        clf, image_shape=(8, 8), n_units=4, colorbar=False, ax=axes
    )
    assert display.figure_ is figure
    assert list(display.axes_) == list(axes.ravel())
    assert figure.axes == list(axes.ravel())


@pytest.mark.parametrize("n_axes", [2, 4])
def test_as_many_axes_as_panels(clf, n_axes):
    _, axes = plt.subplots(n_axes)
    with pytest.raises(ValueError, match=f"ax must be .* 3 axes.*length {n_axes}"):
        WeightsDisplay.from_estimator(clf, ax=axes)


def test_invalid_axes(clf):
    with pytest.raises(ValueError, match=r"ax must be .* 3 axes"):
        WeightsDisplay.from_estimator(clf, ax="here")
    ax = plt.figure().add_axes((0, 0, 1, 1))
    with pytest.raises(ValueError, match=r"ax must be created by plt\.subplots"):
        WeightsDisplay.from_estimator(clf, ax=ax)


# Bad input.


@pytest.mark.parametrize(
    "image_shape", [(8, 9), (64,), 64, "8x8", (-8, -8), (8.0, 8.0), (4, 4, 4)]
)
def test_shape_that_does_not_match_the_features(clf, image_shape):
    with pytest.raises(ValueError, match=r"image_shape must be .* 64 pixels.*got"):
        WeightsDisplay.from_estimator(clf, image_shape=image_shape)


def test_images_need_a_shape(clf):
    with pytest.raises(ValueError, match=r"image_shape must be .*got None"):
        WeightsDisplay.from_estimator(clf, kind="images")


def test_an_unknown_kind(clf):
    with pytest.raises(ValueError, match=r"kind must be .*'histograms'.*got 'violins'"):
        WeightsDisplay.from_estimator(clf, kind="violins")


@pytest.mark.parametrize("n_units", [0, -1, 2.5, "all", True])
def test_a_bad_number_of_units(clf, n_units):
    with pytest.raises(ValueError, match=f"n_units must be .*got {n_units!r}"):
        WeightsDisplay.from_estimator(clf, image_shape=(8, 8), n_units=n_units)


def test_a_network_that_is_not_fitted():
    with pytest.raises(NotFittedError):
        WeightsDisplay.from_estimator(MLPRegressorScratch())


def test_invalid_network(clf):
    with pytest.raises(TypeError, match=r"estimator must be .*last step.*got Pipeline"):
        WeightsDisplay.from_estimator(make_pipeline(clf))
