"""Tests of the gradient, by the gradient check, and of the check itself."""

import joblib
import numpy as np
import pytest
from scipy.sparse import csr_matrix

from skmlp import MLPClassifierScratch, MLPRegressorScratch, check_gradient
from skmlp.core.activations import HIDDEN_ACTIVATIONS
from skmlp.core.gradcheck import central_differences
from skmlp.core.losses import LOSSES
from skmlp.core.network import Network

# The targets that reach each loss.
KINDS = {
    "binary": "binary_log_loss",
    "multilabel": "binary_log_loss",
    "multiclass": "log_loss",
    "regression": "squared_error",
    "multioutput": "squared_error",
    "poisson": "poisson",
}
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


def test_every_loss_is_checked_below(datasets):
    assert set(KINDS.values()) == set(LOSSES), "add targets for the new loss to KINDS"
    for kind, loss in KINDS.items():
        data = datasets[kind]
        estimator = data.Estimator(max_iter=1, **data.params).fit(data.X, data.y)
        assert estimator._loss_function() is LOSSES[loss]


@pytest.mark.parametrize("as_input", [np.asarray, csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
def test_gradient_is_right(activation, kind, penalty, weighted, as_input, datasets):
    """For every weight and bias of a network with two hidden layers."""
    data = datasets[kind]
    X, y = few(data)
    sample_weight = np.arange(15.0) % 4 if weighted else None
    estimator = data.Estimator(
        hidden_layer_sizes=(5, 4),
        activation=activation,
        random_state=3,
        **PENALTIES[penalty],
        **data.params,
    )
    check = check_gradient(estimator, as_input(X), y, sample_weight)
    assert check.max_relative_error <= 1e-6, check.worst
    n_outputs = {"multiclass": 3, "multilabel": 3, "multioutput": 3}.get(kind, 1)
    assert check.analytic.shape == (4 * 5 + 5 * 4 + 4 * n_outputs + 9 + n_outputs,)
    assert np.count_nonzero(check.analytic) > 0.5 * check.analytic.size


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

    def wrong(self, A, delta, work):
        right(A, delta, work)
        delta *= 1 + 1e-4

    clf = MLPClassifierScratch((5, 4), activation, random_state=3)
    assert check_gradient(clf, *clf_data).max_relative_error <= 1e-6
    monkeypatch.setattr(type(HIDDEN_ACTIVATIONS[activation]), "backward", wrong)
    check = check_gradient(clf, *clf_data)
    assert check.max_relative_error > 5e-5
    assert not check.worst.startswith(("coefs_[2]", "intercepts_[2]"))


def test_a_wrong_delta_of_a_loss_is_found(monkeypatch, clf_data):
    clf = MLPClassifierScratch((5, 4), "tanh", random_state=3)
    monkeypatch.setattr(type(LOSSES["log_loss"]), "delta", lambda self, Y, P: None)
    assert check_gradient(clf, *clf_data).max_relative_error > 0.1


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

    def wrong(self, theta, X, Y, w, tape, grad):
        right(self, theta, X, Y, w, tape, grad)
        getattr(grad, arrays)[layer][index] += 1

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


def test_invalid_arguments_are_refused(clf_data):
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
