"""Tests of what shows the inside of a network, by NumPy and finite differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from scipy.special import expit, softmax
from sklearn.exceptions import NotFittedError

from skmlp import MLPClassifierScratch, MLPRegressorScratch

pytestmark = pytest.mark.usefixtures("one_blas_thread")

SMALL = {
    "hidden_layer_sizes": (7, 4),
    "activation": "tanh",
    "learning_rate_init": 0.02,
    "max_iter": 10,
    "random_state": 0,
}
ACTIVATIONS = {
    "identity": lambda z: z,
    "logistic": expit,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
}


def fitted(data, **params):
    return data.Estimator(**SMALL | data.params | params).fit(data.X, data.y)


def forward(est, X, epsilon=1e-5):
    """Every activation but the output's, in plain NumPy."""
    A, out = X, []
    for l in range(len(est.coefs_) - 1):
        Z = A @ est.coefs_[l]
        if est.batch_norm:
            Z = (Z - est.batch_norm_means_[l]) / np.sqrt(
                est.batch_norm_variances_[l] + epsilon
            )
            Z = Z * est.batch_norm_scales_[l]
        name = est.activation if isinstance(est.activation, str) else est.activation[l]
        A = ACTIVATIONS[name](Z + est.intercepts_[l])
        out.append(A)
    return out, A @ est.coefs_[-1] + est.intercepts_[-1]


def differences(f, X, h=1e-5):
    """Central differences of f, one value for each sample, by each feature."""
    columns = []
    for j in range(X.shape[1]):
        step = np.zeros(X.shape[1])
        step[j] = h
        columns.append((f(X + step) - f(X - step)) / (2 * h))
    return np.stack(columns, axis=1)


# hidden_activations


@pytest.mark.parametrize(
    "params",
    [
        *[{"activation": name} for name in ACTIVATIONS],
        {"activation": ["relu", "logistic"]},
        {"batch_norm": True},
        {"dropout": 0.5, "input_dropout": 0.2},
        {"batch_norm": True, "dropout": [0.0, 0.5], "activation": "relu"},
    ],
)
@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_hidden_activations(datasets, kind, params):
    data = datasets[kind]
    est = fitted(data, **params)
    hidden, Z = forward(est, data.X)
    ours = est.hidden_activations(data.X)
    assert [A.shape for A in ours] == [(120, 7), (120, 4)]
    for mine, A in zip(ours, hidden, strict=True):
        assert_allclose(mine, A, rtol=1e-9, atol=1e-12)
    output = est.decision_function if kind == "multiclass" else est.predict
    assert_allclose(output(data.X), Z.reshape(output(data.X).shape), rtol=1e-9)


def test_hidden_activations_of_other_input(datasets):
    data = datasets["multiclass"]
    clf = fitted(data)
    for mine, sparse in zip(
        clf.hidden_activations(data.X),
        clf.hidden_activations(csr_matrix(data.X)),
        strict=True,
    ):
        assert_allclose(mine, sparse, rtol=1e-12)
    single = data.Estimator(**SMALL).fit(data.X.astype(np.float32), data.y)
    assert {A.dtype for A in single.hidden_activations(data.X)} == {np.dtype("f4")}
    assert fitted(data, hidden_layer_sizes=()).hidden_activations(data.X) == []


def test_after_lbfgs(datasets):
    data = datasets["regression"]
    reg = fitted(data, solver="lbfgs")
    assert_allclose(reg.hidden_activations(data.X)[1], forward(reg, data.X)[0][1])
    assert_allclose(
        reg.input_gradient(data.X), differences(reg.predict, data.X), atol=1e-7
    )


# input_gradient


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"batch_norm": True},
        {"layer_norm": True},
        {"residual": True, "hidden_layer_sizes": (5, 5)},
        {"n_members": 3, "layer_norm": True},
        {"dropout": 0.3},
        {"hidden_layer_sizes": ()},
    ],
)
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("binary", {}),
        ("regression", {}),
        ("regression", {"output_activation": "tanh"}),
        ("poisson", {}),
        ("poisson", {"output_activation": "softplus"}),
    ],
)
def test_gradient_of_the_only_output(datasets, kind, options, params):
    data = datasets[kind]
    est = fitted(data, **options, **params)
    output = est.decision_function if kind == "binary" else est.predict
    expected = differences(output, data.X)
    assert_allclose(est.input_gradient(data.X), expected, rtol=1e-5, atol=1e-7)
    assert_array_equal(est.input_gradient(data.X, 0), est.input_gradient(data.X))


@pytest.mark.parametrize("kind", ["multiclass", "strings", "multilabel", "multioutput"])
def test_gradient_of_one_of_several_outputs(datasets, kind):
    data = datasets[kind]
    est = fitted(data)
    output = est.predict if kind == "multioutput" else est.decision_function
    for k in range(3):
        expected = differences(lambda X, k=k: output(X)[:, k], data.X)
        assert_allclose(est.input_gradient(data.X, k), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("output_activation", ["softmax", "logistic"])
def test_gradient_of_the_predicted_class(datasets, output_activation):
    data = datasets["strings"]
    clf = fitted(data, output_activation=output_activation)
    chosen = np.searchsorted(clf.classes_, clf.predict(data.X))
    expected = np.stack([clf.input_gradient(data.X, k) for k in range(3)])
    expected = expected[chosen, np.arange(120)]
    assert len(set(chosen)) == 3
    assert_array_equal(clf.input_gradient(data.X), expected)


def test_gradients_of_probabilities_follow(datasets):
    """By the chain rule, of the softmax: an end-to-end check of the scale."""
    data = datasets["multiclass"]
    clf = fitted(data)
    G = np.stack([clf.input_gradient(data.X, k) for k in range(3)], axis=1)
    P = softmax(clf.decision_function(data.X), axis=1)
    mean = np.einsum("ik,ikj->ij", P, G)
    expected = differences(lambda X: clf.predict_proba(X)[:, 1], data.X)
    assert_allclose(P[:, 1:2] * (G[:, 1] - mean), expected, rtol=1e-5, atol=1e-7)


def test_gradient_of_other_input(datasets):
    data = datasets["multiclass"]
    clf = fitted(data)
    dense = clf.input_gradient(data.X)
    assert_allclose(clf.input_gradient(csr_matrix(data.X)), dense, rtol=1e-10)
    assert_allclose(clf.input_gradient(data.X[3:5]), dense[3:5], rtol=1e-10)
    integers = np.arange(16).reshape(2, 8)
    assert_allclose(clf.input_gradient(integers), clf.input_gradient(integers * 1.0))
    single = data.Estimator(**SMALL).fit(data.X.astype(np.float32), data.y)
    assert single.input_gradient(data.X).dtype == np.float32


@pytest.mark.parametrize("kind", ["multilabel", "multioutput"])
def test_several_outputs_leave_a_choice(datasets, kind):
    est = fitted(datasets[kind])
    with pytest.raises(ValueError, match="one of the 3 outputs, from 0 to 2, got None"):
        est.input_gradient(datasets[kind].X)


@pytest.mark.parametrize("output", [3, -1, 1.0, "a", [0]])
def test_invalid_output(datasets, output):
    data = datasets["multiclass"]
    clf = fitted(data)
    for call in (
        lambda: clf.input_gradient(data.X, output),
        lambda: clf.reconstruct_input(output),
    ):
        with pytest.raises(
            ValueError, match="output must be the index of one of the 3"
        ):
            call()


# reconstruct_input


@pytest.mark.parametrize("l2", [0.5, 2.0])
def test_the_best_input_of_a_linear_unit(datasets, l2):
    """w'x + b - l2 |x|^2 / 2 is largest at w / l2."""
    data = datasets["multiclass"]
    clf = fitted(data, hidden_layer_sizes=())
    starts = np.random.RandomState(0).randn(3, 8)
    for k in range(3):
        w = clf.coefs_[0][:, k] / l2
        X = clf.reconstruct_input(k, l2=l2, tol=1e-9)
        assert X.shape == (1, 8)
        assert_allclose(X[0], w, atol=1e-8)
        X = clf.reconstruct_input(np.int64(k), l2=l2, tol=1e-9, X_init=starts)
        assert_allclose(X, np.tile(w, (3, 1)), atol=1e-8)
        X = clf.reconstruct_input(
            k, l2=l2, tol=1e-9, X_init=starts, learning_rate=1 / l2, max_iter=1
        )
        assert_allclose(X, np.tile(w, (3, 1)), atol=1e-8)  # one Newton step


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("layer", [0, 1, -1, -2])
def test_the_activation_of_any_unit_increases(datasets, layer, batch_norm):
    data = datasets["multiclass"]
    clf = fitted(data, batch_norm=batch_norm)

    def objective(X, k):
        A = [*clf.hidden_activations(X), clf.decision_function(X)][layer]
        return A[:, k] - 0.5 * (X**2).sum(axis=1)

    start = data.X[:5]
    kept = start.copy()
    for k in range(3):
        X = clf.reconstruct_input(k, layer=layer, X_init=start, l2=1.0)
        assert (objective(X, k) > objective(start, k)).all()
        # It is a maximum: there is no way up.
        gradient = differences(lambda X, k=k: objective(X, k), X)
        assert_allclose(gradient, 0, atol=1e-4)
    assert_array_equal(start, kept)


@pytest.mark.parametrize("kind", ["regression", "poisson"])
def test_the_output_of_a_regressor(datasets, kind):
    """It is the prediction that increases, after the output activation."""
    data = datasets[kind]
    reg = fitted(data)
    X = reg.reconstruct_input(0, X_init=data.X[:3], l2=0.2, learning_rate=0.05)
    gained = reg.predict(X) - 0.1 * (X**2).sum(axis=1)
    assert (gained > reg.predict(data.X[:3]) - 0.1 * (data.X[:3] ** 2).sum(1)).all()


def test_random_starts(datasets):
    clf = fitted(datasets["multiclass"])
    start = np.random.RandomState(3).normal(0, 0.01, (1, 8))
    assert_array_equal(
        clf.reconstruct_input(0, max_iter=1, random_state=3),
        clf.reconstruct_input(0, max_iter=1, X_init=start),
    )
    one, same, other = (
        clf.reconstruct_input(0, max_iter=2, random_state=seed) for seed in (0, 0, 1)
    )
    assert_array_equal(one, same)
    assert (one != other).any()
    single = MLPClassifierScratch(**SMALL, dtype="float32")
    single.fit(datasets["multiclass"].X, datasets["multiclass"].y)
    assert single.reconstruct_input(0, random_state=0).dtype == np.float32


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": 3}, "layer must be an index of the 3 arrays"),
        ({"layer": -4}, "layer must be an index of the 3 arrays"),
        ({"layer": 0.0}, "layer must be an index of the 3 arrays"),
        ({"output": 7, "layer": 0}, "one of the 7 units of layer 0, from 0 to 6"),
        ({"output": 4, "layer": 1}, "one of the 4 units of layer 1, from 0 to 3"),
        ({"l2": 0.0}, "l2 == 0.0, must be > 0"),
        ({"max_iter": 0}, "max_iter == 0, must be >= 1"),
        ({"l2": float("nan")}, "l2 must be greater than 0"),
        ({"learning_rate": -1.0}, "learning_rate == -1.0, must be > 0"),
        ({"learning_rate": 4.0, "l2": 0.5}, "learning_rate must be less than 2 / l2"),
        ({"X_init": np.zeros((2, 5))}, "X_init must have 8 features, got 5"),
        ({"X_init": np.full((1, 8), np.nan)}, "NaN"),
        ({"X_init": np.zeros(8)}, "2D array"),
    ],
)
def test_bad_arguments_of_reconstruct_input(datasets, arguments, message):
    clf = fitted(datasets["multiclass"])
    with pytest.raises(ValueError, match=message):
        clf.reconstruct_input(**{"output": 0, **arguments})


def test_a_unit_whose_gradient_is_zero_at_the_start_is_warned_of():
    """A ReLU of x - 1 is off at 0, and on at 2."""
    reg = MLPRegressorScratch(hidden_layer_sizes=(1,), alpha=0, max_iter=1, tol=1e9)
    reg.set_params(learning_rate_init=1e-300).fit(
        [[0.0], [2.0]],
        [0.0, 1.0],
        coefs_init=[[[1]], [[1]]],
        intercepts_init=[[-1], [0]],
    )
    with pytest.warns(UserWarning, match=r"unit 0 of layer 0 is zero .* X_init"):
        reg.reconstruct_input(0, layer=0, random_state=0)
    ideal = reg.reconstruct_input(0, layer=0, X_init=[[2.0]], l2=0.5)
    assert ideal == pytest.approx(2, rel=1e-4)  # w / lambda


@pytest.mark.parametrize("Estimator", [MLPClassifierScratch, MLPRegressorScratch])
def test_not_fitted(datasets, Estimator):
    X = datasets["binary"].X
    for call in (
        lambda: Estimator().hidden_activations(X),
        lambda: Estimator().input_gradient(X),
        lambda: Estimator().reconstruct_input(0),
    ):
        with pytest.raises(NotFittedError):
            call()


def test_wrong_number_of_features(datasets):
    clf = fitted(datasets["multiclass"])
    for method in clf.hidden_activations, clf.input_gradient:
        with pytest.raises(ValueError, match="8 features"):
            method(np.zeros((2, 5)))
