"""Tests of the pictures of activations: functions, and what they make of data."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from scipy.special import expit, log_ndtr, ndtr
from sklearn.exceptions import NotFittedError

plt = pytest.importorskip("matplotlib.pyplot")

from skmlp import MLPClassifierScratch, MLPRegressorScratch  # noqa: E402
from skmlp.core.activations import (  # noqa: E402
    HIDDEN_ACTIVATIONS,
    Activation,
    LeakyReLU,
    Softmax,
)
from skmlp.plotting import ActivationDisplay  # noqa: E402

CLOSED_FORMS = {
    "identity": lambda z: z,
    "logistic": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),
    "relu": lambda z: z * (z > 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "elu": lambda z: np.where(z > 0, z, np.exp(z) - 1),
    "selu": lambda z: (
        1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * (np.exp(z) - 1))
    ),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "gelu": lambda z: z * np.exp(log_ndtr(z)),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "mish": lambda z: z * np.tanh(np.log(1 + np.exp(z))),
    "exp": np.exp,
}
AWAY_FROM_ZERO = np.array([-3.7, -2.0, -0.6, -0.1, 0.1, 0.4, 1.5, 3.9])


class Sine(Activation):
    needs_z = True

    def forward(self, Z, A):
        np.sin(Z, out=A)

    def backward(self, Z, A, delta, work):
        np.cos(Z, out=work)
        delta *= work


# Functions.


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_a_function_and_its_derivative(name):
    z, g = AWAY_FROM_ZERO, CLOSED_FORMS[name]
    display = ActivationDisplay.from_activation(name, z=z)
    value, derivative = display.lines_[0]
    assert_array_equal(value.get_xdata(), z)
    assert_array_equal(derivative.get_xdata(), z)
    assert_allclose(value.get_ydata(), g(z), rtol=1e-12, atol=1e-14)
    h = 1e-6
    differences = (g(z + h) - g(z - h)) / (2 * h)
    assert_allclose(derivative.get_ydata(), differences, rtol=1e-7, atol=1e-8)


def test_every_function_by_default():
    display = ActivationDisplay.from_activation()
    names = [ax.get_title() for ax in display.axes_]
    assert len(set(names)) == len(names)
    assert {HIDDEN_ACTIVATIONS[name] for name in names} == set(
        HIDDEN_ACTIVATIONS.values()
    )
    for lines in display.lines_:
        z = lines[0].get_xdata()
        assert z[0] == -4
        assert z[-1] == 4
    legend = display.axes_[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["g(z)", "g'(z)"]
    # Where nothing is below, the axis has its label.
    assert [ax.get_xlabel() for ax in display.axes_] == [""] * 8 + ["z"] * 4


def test_instances():
    z = AWAY_FROM_ZERO
    display = ActivationDisplay.from_activation([LeakyReLU(0.2), Sine(), "tanh"], z=z)
    titles = [ax.get_title() for ax in display.axes_]
    assert titles == ["LeakyReLU(slope=0.2)", "Sine()", "tanh"]
    (leaky, slope), (sine, cosine), _ = display.lines_
    assert_allclose(leaky.get_ydata(), np.maximum(z, 0.2 * z))
    assert_array_equal(slope.get_ydata(), np.where(z > 0, 1, 0.2))
    assert_allclose(sine.get_ydata(), np.sin(z))
    assert_allclose(cosine.get_ydata(), np.cos(z))


def test_the_points_are_left_as_they_were():
    z = np.array([-1.0, 1.0])
    ActivationDisplay.from_activation(["relu", "gelu"], z=z)
    assert_array_equal(z, [-1, 1])


def test_options_of_lines():
    display = ActivationDisplay.from_activation("relu", linewidth=5)
    assert [line.get_linewidth() for line in display.lines_[0]] == [5, 5]


def test_functions_in_given_axes():
    _, axes = plt.subplots(1, 2)
    display = ActivationDisplay.from_activation(["relu", "elu"], ax=axes)
    assert list(display.axes_) == list(axes)
    assert display.lines_[1][0].axes is axes[1]
    assert display.plot() is display
    assert display.figure_ is not axes[0].figure


@pytest.mark.parametrize("activation", ["softmax", "swish", 3, ["relu", None]])
def test_invalid_function_of_one_number(activation):
    with pytest.raises(ValueError, match=r"activation must be .*'relu'.*got"):
        ActivationDisplay.from_activation(activation)


def test_no_function():
    with pytest.raises(ValueError, match="at least one activation, got"):
        ActivationDisplay.from_activation([])
    with pytest.raises(ValueError, match=r"got Softmax\(\)"):
        ActivationDisplay.from_activation(Softmax())


@pytest.mark.parametrize("z", [1.0, [], [[1.0]], [np.nan]])
def test_bad_points(z):
    with pytest.raises(ValueError, match="z must be a vector of finite numbers"):
        ActivationDisplay.from_activation("relu", z=z)


# The activations of networks.


def network(activation, coefs, intercepts, **params):
    """A network with given weights."""
    reg = MLPRegressorScratch(
        hidden_layer_sizes=[W.shape[1] for W in coefs[:-1]],
        activation=activation,
        max_iter=1,
        random_state=0,
        **params,
    )
    n = len(coefs[0])
    reg.fit(np.eye(n), np.arange(n))
    reg.coefs_, reg.intercepts_ = coefs, intercepts
    return reg


def test_quantiles_dead_units_and_saturated_activations():
    # The second unit is zero for all samples, the first for one of the three.
    W = np.array([[1.0, 0.0]])
    reg = network("relu", [W, np.ones((2, 1))], [np.array([0.0, -1.0]), np.zeros(1)])
    display = ActivationDisplay.from_estimator(reg, [[-1.0], [2.0], [4.0]])
    (layer,) = display.layers
    assert (layer.name, layer.n_units) == ("relu", 2)
    assert layer.dead == 1 / 2
    assert layer.saturated == pytest.approx(4 / 6)
    activations = [0, 2, 4, 0, 0, 0]
    assert_allclose(
        layer.quantiles, np.quantile(activations, [0.05, 0.25, 0.5, 0.75, 0.95])
    )
    dead, saturated = display.bars_
    assert [bar.get_height() for bar in dead] == [50]
    assert_allclose([bar.get_height() for bar in saturated], [400 / 6])


DERIVATIVES = {
    "tanh": lambda z: 1 - np.tanh(z) ** 2,
    "logistic": lambda z: expit(z) * expit(-z),
    "gelu": lambda z: ndtr(z) + z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi),
}


@pytest.mark.parametrize("saturation", [0.01, 0.1])
@pytest.mark.parametrize("names", [["tanh", "gelu"], ["gelu", "logistic"]])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_saturated_where_the_derivative_is_small(names, saturation, batch_norm):
    rng = np.random.RandomState(0)
    X, y = rng.randn(200, 5), rng.randn(200)
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(7, 4),
        activation=names,
        batch_norm=batch_norm,
        max_iter=2,
        random_state=0,
    ).fit(X, y)
    X *= 5
    display = ActivationDisplay.from_estimator(reg, X, saturation=saturation)
    below = X
    for l, (layer, A) in enumerate(
        zip(display.layers, reg.hidden_activations(X), strict=True)
    ):
        Z = below @ reg.coefs_[l]
        if batch_norm:
            Z = (Z - reg.batch_norm_means_[l]) * reg.batch_norm_scales_[l]
            Z /= np.sqrt(reg.batch_norm_variances_[l] + reg.batch_norm_epsilon)
        derivative = DERIVATIVES[names[l]](Z + reg.intercepts_[l])
        share = np.mean(np.abs(derivative) < saturation)
        assert layer.saturated == pytest.approx(share, abs=1e-12)
        assert layer.dead == 0
        assert_allclose(layer.quantiles[2], np.median(A))
        below = A


def test_parts_of_a_network_that_are_drawn(digits, clf):
    X = digits[0]
    display = ActivationDisplay.from_estimator(clf, X)
    distribution, shares = display.axes_
    hidden = clf.hidden_activations(X)
    for median, box, A in zip(
        display.boxes_["medians"], display.boxes_["boxes"], hidden, strict=True
    ):
        assert_allclose(median.get_ydata(), np.median(A))
        heights = box.get_path().vertices[:, 1]
        quartiles = np.quantile(A, [0.25, 0.75])
        assert_allclose([heights.min(), heights.max()], quartiles)
    whiskers = np.array([w.get_ydata()[1] for w in display.boxes_["whiskers"]])
    ends = [np.quantile(A, [0.05, 0.95]) for A in hidden]
    assert_allclose(whiskers, np.ravel(ends))
    dead = [100 * np.mean((A == 0).all(axis=0)) for A in hidden]
    zeros = [100 * np.mean(A == 0) for A in hidden]
    for bars, heights in zip(display.bars_, (dead, zeros), strict=True):
        assert_allclose([bar.get_height() for bar in bars], heights)
    for ax in distribution, shares:
        labels = [text.get_text() for text in ax.get_xticklabels()]
        assert labels == ["0\nrelu\n12 units", "1\nrelu\n6 units"]
    assert shares.get_ylabel() == "share (%)"
    names = [text.get_text() for text in shares.get_legend().get_texts()]
    assert names == ["dead units", "saturated activations"]


def test_sparse_samples(digits):
    X, y = digits
    clf = MLPClassifierScratch((4,), activation="gelu", max_iter=2).fit(X, y)
    dense = ActivationDisplay.from_estimator(clf, X).layers[0]
    sparse = ActivationDisplay.from_estimator(clf, csr_matrix(X)).layers[0]
    assert_allclose(dense.quantiles, sparse.quantiles)
    assert dense.saturated == pytest.approx(sparse.saturated)


def test_a_network_in_the_place_of_axes(digits, clf):
    figure, (left, right) = plt.subplots(1, 2)
    display = ActivationDisplay.from_estimator(clf, digits[0], ax=left)
    assert display.figure_ is figure
    for ax in display.axes_:
        assert ax.get_position().x1 < right.get_position().x0


def test_a_network_without_hidden_layers(digits):
    clf = MLPClassifierScratch((), max_iter=2, random_state=0).fit(*digits)
    with pytest.raises(ValueError, match=r"estimator must have hidden layers, got"):
        ActivationDisplay.from_estimator(clf, digits[0])


@pytest.mark.parametrize("saturation", [0, -1.0])
def test_a_bad_bound_of_saturation(digits, clf, saturation):
    with pytest.raises(ValueError, match=f"saturation == {saturation}, must be > 0"):
        ActivationDisplay.from_estimator(clf, digits[0], saturation=saturation)


def test_bad_networks_and_samples(digits, clf):
    with pytest.raises(NotFittedError):
        ActivationDisplay.from_estimator(MLPClassifierScratch(), digits[0])
    with pytest.raises(TypeError, match=r"estimator must be .*got str"):
        ActivationDisplay.from_estimator("relu", digits[0])
    with pytest.raises(ValueError, match="X has 3 features"):
        ActivationDisplay.from_estimator(clf, digits[0][:, :3])
    with pytest.raises(ValueError, match="curves or layers must be given"):
        ActivationDisplay().plot()
