"""Tests of the gradient, by the gradient check, and of the check itself."""

import joblib
import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.utils.class_weight import compute_sample_weight

from skmlp import MLPClassifierScratch, MLPRegressorScratch, check_gradient
from skmlp.core.activations import ACTIVATIONS, HIDDEN_ACTIVATIONS, Activation
from skmlp.core.finite_differences import central_differences
from skmlp.core.losses import LOSSES, Loss
from skmlp.core.network import Network
from skmlp.layers import (
    ActivationLayer,
    Add,
    BatchNorm,
    Branch,
    Dense,
    Dropout,
    Heads,
    LayerNorm,
)

KINDS = ["binary", "multilabel", "multiclass", "regression", "multioutput", "poisson"]
PENALTIES = {
    "none": {"alpha": 0.0},
    "L2": {"alpha": 2.0},
    "L1": {"alpha": 2.0, "l1_ratio": 1.0},
    "elastic net": {"alpha": 2.0, "l1_ratio": 0.4},
}


def few(data):
    """A few of the samples and features, to be quick."""
    return data.X[:15, :4], data.y[:15]


@pytest.fixture
def clf_data(datasets):
    return few(datasets["multiclass"])


def build(data, **params):
    return data.Estimator(
        **{
            "hidden_layer_sizes": (5, 4),
            "activation": "tanh",
            "random_state": 3,
            **data.params,
            **params,
        }
    )


def assert_right(estimator, X, y, sample_weight=None):
    """For every parameter, of which most have a gradient to speak of."""
    check = check_gradient(estimator, X, y, sample_weight)
    assert check.max_relative_error <= 1e-6, check.worst
    assert np.count_nonzero(check.analytic) > 0.4 * check.analytic.size
    return check


as_input = pytest.mark.parametrize(
    "as_input", [np.asarray, csr_matrix], ids=["dense", "sparse"]
)
weighted = pytest.mark.parametrize("weighted", [False, True])


def weights_or_none(weighted):
    return np.arange(15.0) % 4 if weighted else None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
def test_activations(activation, kind, datasets):
    X, y = few(datasets[kind])
    assert_right(build(datasets[kind], activation=activation), X, y)


@as_input
@weighted
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("kind", KINDS)
def test_penalties_weights_and_sparse_input(
    kind, penalty, weighted, as_input, datasets
):
    X, y = few(datasets[kind])
    estimator = build(datasets[kind], **PENALTIES[penalty])
    check = assert_right(estimator, as_input(X), y, weights_or_none(weighted))
    n_outputs = {"multiclass": 3, "multilabel": 3, "multioutput": 3}.get(kind, 1)
    assert check.analytic.shape == (4 * 5 + 5 * 4 + 4 * n_outputs + 9 + n_outputs,)


# Every loss with every output activation that it can have.


REGRESSION_OUTPUTS = ["identity", "logistic", "tanh", "softplus", "relu", "exp"]
OBJECTIVES = [
    *(
        (kind, loss, output)
        for kind in ("regression", "multioutput")
        for loss in ("squared_error", "absolute_error", "huber", "quantile")
        for output in REGRESSION_OUTPUTS
    ),
    *(("poisson", "poisson", g) for g in ("exp", "softplus", "logistic")),
    *(
        (kind, loss, "logistic")
        for kind in ("binary", "multilabel", "multiclass")
        for loss in ("log_loss", "squared_error")
    ),
    *(("multiclass", loss, "softmax") for loss in ("log_loss", "squared_error")),
]


def test_every_loss_and_output_activation_is_here():
    losses = {loss for _, loss, _ in OBJECTIVES} | {"binary_log_loss"}
    assert losses == set(LOSSES)
    # Those of classification, softmax and logistic; the rest is of regression.
    constraints = MLPRegressorScratch._parameter_constraints["output_activation"]
    offered = set(constraints[0].options) - {"auto", "sigmoid"}
    assert offered == set(REGRESSION_OUTPUTS)
    assert offered | {"softmax"} <= set(ACTIVATIONS)


@pytest.mark.parametrize(("kind", "loss", "output"), OBJECTIVES)
def test_losses_and_output_activations(kind, loss, output, datasets):
    X, y = few(datasets[kind])
    estimator = build(
        datasets[kind], loss=loss, output_activation=output, random_state=2
    )
    if loss == "quantile":
        estimator.set_params(quantile=0.3)
    if output in ("relu", "exp"):  # else a relu may be off for all samples
        y = np.abs(y)
    check = check_gradient(estimator, X, y, np.arange(1.0, 16))
    assert check.max_relative_error <= 1e-6, check.worst
    assert check.analytic.any()
    estimator.set_params(max_iter=1).fit(X, y)
    assert estimator.out_activation_ == output


# What changes the network, or what is asked of it.


FEATURES = {
    "dropout": {"dropout": 0.3},
    "a rate for each layer": {"dropout": [0.5, 0.0]},
    "input_dropout": {"input_dropout": 0.3},
    "batch_norm": {"batch_norm": True},
    "large batch_norm_epsilon": {"batch_norm": True, "batch_norm_epsilon": 0.5},
    "batch_norm and dropout": {"batch_norm": True, "dropout": 0.3},
    "layer_norm": {"layer_norm": True},
    "residual": {"residual": True, "dropout": 0.3},
    "members": {"n_members": 3, "dropout": 0.3},
    "first layer frozen": {"frozen_layers": [0]},
    "middle layer frozen": {"frozen_layers": [1]},
    "last layer frozen": {"frozen_layers": [-1]},
    "frozen with batch_norm": {"frozen_layers": [0], "batch_norm": True},
    "frozen with dropout": {"frozen_layers": [1], "dropout": 0.3},
    "mixed activations": {"activation": ["gelu", "elu"]},
    "mixed with batch_norm": {"activation": ["relu", "mish"], "batch_norm": True},
    "init": {"init": "he_normal"},
    "linear": {"hidden_layer_sizes": ()},
    "linear with input_dropout": {"hidden_layer_sizes": (), "input_dropout": 0.3},
}


@as_input
@weighted
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("feature", FEATURES)
def test_features(feature, kind, weighted, as_input, datasets):
    X, y = few(datasets[kind])
    params = {"alpha": 2.0, "l1_ratio": 0.4, **FEATURES[feature]}
    estimator = build(datasets[kind], **params)
    check = check_gradient(estimator, as_input(X), y, weights_or_none(weighted))
    assert check.max_relative_error <= 1e-6, check.worst
    frozen = params.get("frozen_layers")
    zero = (check.analytic == 0).mean()
    assert zero > 0.05 if frozen else zero < 0.3
    if params.get("batch_norm"):  # the scales have a gradient too
        plain = check_gradient(estimator.set_params(batch_norm=False), X, y)
        assert check.analytic.size == plain.analytic.size + 9


@pytest.mark.parametrize("fitted", [False, True])
def test_frozen_layers_have_no_gradient_and_the_others_have_theirs(fitted, datasets):
    X, y = few(datasets["multiclass"])
    free = build(datasets["multiclass"], max_iter=3)
    if fitted:
        free.fit(X, y)
    everything = check_gradient(free, X, y).analytic
    frozen = check_gradient(free.set_params(frozen_layers=[0]), X, y).analytic
    expected = everything.copy()
    expected[:20] = expected[52:57] = 0  # coefs_[0] and intercepts_[0]
    np.testing.assert_array_equal(frozen, expected)


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("kind", ["multiclass", "multioutput"])
def test_batch_norm_and_dropout_at_fitted_weights(kind, fitted, datasets):
    X, y = few(datasets[kind])
    estimator = build(datasets[kind], batch_norm=True, dropout=0.2, max_iter=5)
    if fitted:
        estimator.fit(X, y)
    assert_right(estimator, X, y, np.arange(1.0, 16))


@weighted
@pytest.mark.parametrize("loss", ["log_loss", "squared_error"])
@pytest.mark.parametrize(
    ("kind", "output"),
    [
        ("binary", "auto"),
        ("multilabel", "auto"),
        ("multiclass", "softmax"),
        ("multiclass", "logistic"),
    ],
)
def test_label_smoothing(kind, output, loss, weighted, datasets):
    X, y = few(datasets[kind])
    params = {"loss": loss, "output_activation": output}
    smooth = build(datasets[kind], label_smoothing=0.2, **params)
    w = weights_or_none(weighted)
    smoothed = assert_right(smooth, X, y, w).analytic
    plain = check_gradient(smooth.set_params(label_smoothing=0.0), X, y, w).analytic
    assert not np.allclose(smoothed, plain, rtol=1e-3)


@pytest.mark.parametrize("fitted", [False, True])
@weighted
@pytest.mark.parametrize(
    ("kind", "class_weight"),
    [
        ("binary", "balanced"),
        ("multiclass", "balanced"),
        ("multiclass", {0: 3.0, 1: 0.5}),
        ("multilabel", "balanced"),
    ],
)
def test_class_weight_is_a_weight_of_the_samples(
    kind, class_weight, weighted, fitted, datasets
):
    X, y = few(datasets[kind])
    w = weights_or_none(weighted)
    clf = build(datasets[kind], class_weight=class_weight, max_iter=2)
    if fitted:
        clf.fit(X, y)
    check = assert_right(clf, X, y, w)
    by_hand = compute_sample_weight(class_weight, y)
    by_hand = by_hand if w is None else w * by_hand
    plain = check_gradient(clf.set_params(class_weight=None), X, y, by_hand)
    np.testing.assert_array_equal(check.analytic, plain.analytic)


# The user's own.


class Sine(Activation):
    needs_z = True

    def forward(self, Z, A):
        np.sin(Z, out=A)

    def backward(self, Z, A, delta, work):
        np.cos(Z, out=work)
        delta *= work


class Root(Activation):
    """g(z) = z / sqrt(1 + z^2), and g'(z) can be told from a."""

    def forward(self, Z, A):
        A /= np.sqrt(1 + Z**2)

    def backward(self, Z, A, delta, work):
        np.square(A, out=work)
        np.subtract(1, work, out=work)
        delta *= work
        np.sqrt(work, out=work)
        delta *= work


class LogCosh(Loss):
    def pointwise(self, Y, P, out):
        np.subtract(P, Y, out=out)
        np.logaddexp(out, -out, out=out)
        out -= np.log(2)

    def gradient(self, Y, P, out):
        np.subtract(P, Y, out=out)
        np.tanh(out, out=out)


class WrongLogCosh(LogCosh):
    def gradient(self, Y, P, out):
        super().gradient(Y, P, out)
        out *= 1 + 1e-4


class WrongSine(Sine):
    def backward(self, Z, A, delta, work):
        super().backward(Z, A, delta, work)
        delta *= 1 + 1e-4


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(
    "activation", [Sine(), Root(), [Sine(), "tanh"]], ids=["z", "a", "mixed"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_custom_activation(kind, activation, batch_norm, datasets):
    X, y = few(datasets[kind])
    estimator = build(datasets[kind], activation=activation, batch_norm=batch_norm)
    assert_right(estimator, X, y, np.arange(1.0, 16))


@pytest.mark.parametrize("output", ["auto", "softplus", "tanh"])
@pytest.mark.parametrize("kind", ["regression", "multioutput"])
def test_custom_loss(kind, output, datasets):
    X, y = few(datasets[kind])
    reg = build(datasets[kind], loss=LogCosh(), output_activation=output)
    assert_right(reg, X, y, np.arange(1.0, 16))


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_custom_loss_in_classification(kind, datasets):
    X, y = few(datasets[kind])
    assert_right(build(datasets[kind], loss=LogCosh()), X, y)


def test_wrong_derivative_of_a_custom_activation_is_found(datasets):
    X, y = few(datasets["regression"])
    for wrong in ({"loss": WrongLogCosh()}, {"activation": WrongSine()}):
        check = check_gradient(build(datasets["regression"], **wrong), X, y)
        assert check.max_relative_error > 5e-5


# Where, and against what.


@pytest.mark.parametrize("hidden_layer_sizes", [(), (3,)])
def test_gradient_at_fitted_weights_is_that_of_training(clf_data, hidden_layer_sizes):
    """Also where samples of one class are missing."""
    X, y = clf_data
    clf = MLPClassifierScratch(hidden_layer_sizes, "tanh", max_iter=5, random_state=0)
    clf.fit(X, y)
    everything = check_gradient(clf, X, y)
    assert everything.max_relative_error <= 1e-6
    some = check_gradient(clf, X[y != 1], y[y != 1])
    assert some.max_relative_error <= 1e-6
    assert some.analytic.shape == everything.analytic.shape
    moved = clf.fit(X, y).partial_fit(X, y)
    assert (check_gradient(moved, X, y).analytic != everything.analytic).all()


def test_an_estimator_that_is_not_fitted_is_checked_where_it_would_start(datasets):
    X, y = few(datasets["regression"])
    reg = MLPRegressorScratch(
        solver="sgd",
        hidden_layer_sizes=(3,),
        learning_rate_init=1e-300,  # too little to move anything
        max_iter=1,
        random_state=0,
    )
    unfitted = check_gradient(reg, X, y)
    fitted = check_gradient(reg.fit(X, y), X, y)
    np.testing.assert_array_equal(unfitted.analytic, fitted.analytic)
    np.testing.assert_array_equal(unfitted.numeric, fitted.numeric)


@pytest.mark.parametrize("kind", ["multiclass", "poisson"])
def test_analytic_gradient_is_torchs(kind, datasets):
    """The kink of the L1 penalty is not met, so torch can differentiate it all."""
    torch = pytest.importorskip("torch")
    data = datasets[kind]
    X, y = few(data)
    w = np.arange(1.0, 16)
    estimator = data.Estimator(
        hidden_layer_sizes=(5, 4),
        activation="tanh",
        alpha=2.0,
        l1_ratio=0.4,
        max_iter=3,
        random_state=0,
        **data.params,
    ).fit(X, y)
    check = check_gradient(estimator, X, y, w)

    coefs = [torch.tensor(W, requires_grad=True) for W in estimator.coefs_]
    intercepts = [torch.tensor(b, requires_grad=True) for b in estimator.intercepts_]
    z = torch.tensor(X)
    for W, b in zip(coefs[:-1], intercepts[:-1], strict=True):
        z = torch.tanh(z @ W + b)
    z = z @ coefs[-1] + intercepts[-1]
    if kind == "multiclass":
        losses = -torch.log_softmax(z, dim=1)[range(15), torch.tensor(y)]
    else:
        losses = torch.exp(z[:, 0]) - torch.tensor(y) * z[:, 0]
    penalty = sum(0.8 * W.abs().sum() + 0.6 * (W**2).sum() for W in coefs)
    ((torch.tensor(w) @ losses + penalty) / w.sum()).backward()
    expected = np.concatenate([a.grad.numpy().ravel() for a in coefs + intercepts])
    np.testing.assert_allclose(check.analytic, expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
def test_a_wrong_derivative_is_found(monkeypatch, activation, clf_data):
    """In the layers below it, which alone it concerns."""
    right = HIDDEN_ACTIVATIONS[activation].backward

    def wrong(self, Z, A, delta, work):
        right(Z, A, delta, work)
        delta *= 1 + 1e-4

    clf = MLPClassifierScratch((5, 4), activation, random_state=3)
    assert check_gradient(clf, *clf_data).max_relative_error <= 1e-6
    monkeypatch.setattr(type(HIDDEN_ACTIVATIONS[activation]), "backward", wrong)
    check = check_gradient(clf, *clf_data)
    assert check.max_relative_error > 5e-5
    assert not check.worst.startswith(("coefs_[2]", "intercepts_[2]"))


@pytest.mark.parametrize(
    ("kind", "loss", "output"),
    [
        ("regression", "squared_error", "tanh"),
        ("regression", "absolute_error", "auto"),
        ("regression", "huber", "auto"),
        ("regression", "quantile", "auto"),
        ("poisson", "poisson", "softplus"),
        ("multiclass", "squared_error", "logistic"),
        ("multiclass", "squared_error", "softmax"),
    ],
)
def test_a_wrong_gradient_of_a_loss_is_found(monkeypatch, datasets, kind, loss, output):
    X, y = few(datasets[kind])
    estimator = build(datasets[kind], loss=loss, output_activation=output)
    right = LOSSES[loss].gradient

    def wrong(self, Y, P, out):
        right(self, Y, P, out)
        out *= 1 + 1e-4

    assert check_gradient(estimator, X, y).max_relative_error <= 1e-6
    monkeypatch.setattr(LOSSES[loss], "gradient", wrong)
    assert check_gradient(estimator, X, y).max_relative_error > 5e-5


def test_wrong_canonical_output_is_found(monkeypatch, datasets):
    """Half the squared error of a tanh is not p - y."""
    X, y = few(datasets["regression"])
    monkeypatch.setattr(LOSSES["squared_error"], "canonical", "tanh")
    reg = build(datasets["regression"], output_activation="tanh")
    assert check_gradient(reg, X, y).max_relative_error > 0.01


@pytest.mark.parametrize(
    ("layer", "options"),
    [
        (Dense, {}),
        (ActivationLayer, {}),
        (Dropout, {"dropout": 0.3}),
        (BatchNorm, {"batch_norm": True}),
        (LayerNorm, {"layer_norm": True}),
        (Branch, {"residual": True}),
        (Add, {"residual": True}),
        (Heads, {"n_members": 3}),
    ],
)
def test_a_wrong_derivative_of_a_layer_is_found(monkeypatch, clf_data, layer, options):
    right = layer.backward

    def wrong(self, *args):
        delta = right(self, *args)
        return None if delta is None else 1.1 * delta

    monkeypatch.setattr(layer, "backward", wrong)
    clf = MLPClassifierScratch((5, 5), "tanh", random_state=3, **options)
    assert check_gradient(clf, *clf_data).max_relative_error > 0.01


@pytest.mark.parametrize(
    ("arrays", "layer", "index", "name"),
    [
        ("coefs", 0, (3, 1), "coefs_[0][3, 1]"),
        ("coefs", 1, (4, 0), "coefs_[1][4, 0]"),
        ("coefs", 2, (3, 2), "coefs_[2][3, 2]"),
        ("intercepts", 0, (0,), "intercepts_[0][0]"),
        ("intercepts", 1, (3,), "intercepts_[1][3]"),
        ("intercepts", 2, (2,), "intercepts_[2][2]"),
    ],
)
def test_worst_is_the_place_of_the_error(
    monkeypatch, clf_data, arrays, layer, index, name
):
    right = Network.backward

    def wrong(self, theta, Y, w, workspace, grads):
        right(self, theta, Y, w, workspace, grads)
        dense = [grad for grad in grads if grad]
        dense[layer][arrays == "intercepts"][index] += 1

    monkeypatch.setattr(Network, "backward", wrong)
    check = check_gradient(
        MLPClassifierScratch((5, 4), "tanh", random_state=3), *clf_data
    )
    assert check.worst == name
    assert check.max_relative_error == check.error.max() > 0.1
    assert (check.error > 1e-6).sum() == 1


def test_errors_follow_their_formula(clf_data):
    clf = MLPClassifierScratch((5, 4), "tanh", random_state=3)
    check = check_gradient(clf, *clf_data, step=0.1)
    g, h = np.abs(check.analytic), np.abs(check.numeric)
    expected = np.abs(check.analytic - check.numeric)
    expected /= np.maximum(np.maximum(g, h), 1e-3 * g.max())
    np.testing.assert_allclose(check.error, expected, rtol=1e-12)
    # The step is that of the differences, whose error grows as its square.
    smaller = check_gradient(clf, *clf_data, step=0.01)
    ratio = check.max_relative_error / smaller.max_relative_error
    assert 50 < ratio < 200


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_estimator_is_not_changed(kind, fitted, datasets):
    """Nor is a random state used up that it holds."""
    data = datasets[kind]
    X, y = few(data)
    estimator = data.Estimator(
        hidden_layer_sizes=(5, 4),
        max_iter=2,
        random_state=np.random.RandomState(0),
        **data.params,
    )
    if fitted:
        estimator.fit(X, y)
    before, arrays = joblib.hash(vars(estimator)), (X.copy(), y.copy())
    check_gradient(estimator, X, y, np.arange(15.0))
    assert joblib.hash(vars(estimator)) == before
    np.testing.assert_array_equal(X, arrays[0])
    np.testing.assert_array_equal(y, arrays[1])


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_float32_is_checked_in_float64(kind, fitted, datasets):
    data = datasets[kind]
    X, y = few(data)
    X = X.astype(np.float32)
    estimator = data.Estimator(
        hidden_layer_sizes=(5, 4),
        activation="tanh",
        max_iter=2,
        random_state=0,
        **data.params,
    )
    if fitted:
        estimator.fit(X, y)
    check = check_gradient(estimator, X, y, np.arange(15, dtype=np.float32))
    assert check.analytic.dtype == check.numeric.dtype == np.float64
    assert check.max_relative_error <= 1e-6
    if fitted:
        assert estimator.coefs_[0].dtype == np.float32


def test_invalid_arguments_raise(clf_data):
    X, y = clf_data
    with pytest.raises(ValueError, match="'activation' parameter"):
        check_gradient(MLPClassifierScratch(activation="step"), X, y)
    with pytest.raises(ValueError, match="sample_weight must be non-negative"):
        check_gradient(MLPClassifierScratch(), X, y, -np.ones(15))
    fitted = MLPClassifierScratch((3,), max_iter=1).fit(X, y)
    with pytest.raises(ValueError, match="4 features"):
        check_gradient(fitted, X[:, :3], y)
    with pytest.raises(ValueError, match="classes"):
        check_gradient(fitted, X, y + 1)


def test_central_differences_are_the_derivatives_and_restore_the_point():
    x = np.array([1.0, -2.0, 3e4, 0.0])
    before = x.copy()
    gradient = central_differences(
        lambda: np.sin(x[0]) * x[1] + 1e-6 * x[2] ** 2 + x[3] ** 2, x
    )
    expected = [-2 * np.cos(1), np.sin(1), 0.06, 0]
    np.testing.assert_allclose(gradient, expected, rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(x, before)
