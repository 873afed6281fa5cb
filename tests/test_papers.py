"""Five published from-scratch networks, and the figures of docs/papers."""

import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_digits, make_classification
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.callbacks import WeightRecorder

SCRIPTS = Path(__file__).resolve().parents[1] / "examples" / "papers"
pytestmark = pytest.mark.usefixtures("one_blas_thread")

# Rounded otherwise, a thousand epochs would end at other digits.
NUMPY = {"engine": "numpy"}
UNTIL_THE_END = {"tol": 0, "n_iter_no_change": np.inf, "alpha": 0, **NUMPY}
GRADIENT_DESCENT = {"solver": "sgd", "momentum": 0, **UNTIL_THE_END}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# E: a hidden sigmoid layer and a linear output.


def f1(x):
    return np.exp(x / 5)


def f2(x):
    return np.sin(x) * (25 - x**2)


def experiment_data(f):
    """E's standard data: the training inputs are drawn first, then the test's."""
    rng = np.random.default_rng(222337497072607291153223098371913928704)
    x, x_test = (rng.random(1000) - 0.5) * 10, (rng.random(100) - 0.5) * 10
    return x, f(x), x_test, f(x_test)


def experiment_weights(h):
    """E's standard weights: (weight, bias) of each neuron, and the output's."""
    rng = np.random.default_rng(36255793825986746149655859236796938907)
    return rng.normal(0, 0.01, (h - 1, 2)), rng.normal(0, 0.01, (1, h))


def experiment(f, h, learning_rate, epochs, **params):
    x, y, x_test, y_test = experiment_data(f)
    U, V = experiment_weights(h)
    return MLPRegressorScratch(
        loss="squared_error",
        hidden_layer_sizes=(h - 1,),
        activation="logistic",
        batch_size="full",
        learning_rate_init=learning_rate,
        max_iter=epochs,
        **GRADIENT_DESCENT,
        **params,
    ).fit(
        x[:, None],
        y,
        X_val=x_test[:, None],
        y_val=y_test,
        coefs_init=[U[:, 0][None], V[0, :-1, None]],
        intercepts_init=[U[:, 1], V[0, -1:]],
    )


def experiment_loop(f, h, learning_rate, epochs):
    """The same, as E writes it: with a unit of ones in every layer."""
    x, y, x_test, y_test = experiment_data(f)
    U, V = experiment_weights(h)

    def forward(x):
        A = np.column_stack([x, np.ones(len(x))])
        H = np.column_stack([sigmoid(A @ U.T), np.ones(len(x))])
        return A, H, H @ V[0]

    losses, test_losses, norms = [], [], []
    for _ in range(epochs):
        A, H, output = forward(x)
        losses.append(np.mean((output - y) ** 2) / 2)
        error = (output - y)[:, None] / len(x)
        dV = error.T @ H
        dU = (error * V[:, :-1] * H[:, :-1] * (1 - H[:, :-1])).T @ A
        norms.append(np.sqrt((dU**2).sum() + (dV**2).sum()))
        U, V = U - learning_rate * dU, V - learning_rate * dV
        test_losses.append(np.mean((forward(x_test)[2] - y_test) ** 2) / 2)
    return losses, test_losses, norms, U, V


@pytest.mark.parametrize(("h", "figure"), [(2, "0.0051"), (3, "0.0068")])
def test_e_loss_after_1000_epochs(h, figure):
    """E's test loss to every decimal, and all 1000 epochs those of a plain loop."""
    recorder = WeightRecorder()
    reg = experiment(f1, h, 0.1, 1000, callbacks=[recorder])
    assert f"{reg.history_['val_loss'][-1]:.4f}" == figure
    losses, test_losses, norms, U, V = experiment_loop(f1, h, 0.1, 1000)
    np.testing.assert_allclose(reg.history_["loss"], losses, rtol=1e-12)
    np.testing.assert_allclose(reg.history_["val_loss"], test_losses, rtol=1e-12)
    np.testing.assert_allclose(reg.history_["grad_norm"], norms, rtol=1e-12)
    np.testing.assert_allclose(reg.coefs_[0], U[:, :1].T, rtol=1e-12)
    np.testing.assert_allclose(reg.intercepts_[0], U[:, 1], rtol=1e-12)
    np.testing.assert_allclose(reg.coefs_[1], V[:, :-1].T, rtol=1e-12)
    np.testing.assert_allclose(reg.intercepts_[1], V[0, -1:], rtol=1e-12)
    # What E plots: every weight, and the gradient's norm and direction.
    assert recorder.epochs_ == list(range(1001))
    np.testing.assert_array_equal(recorder.coefs_[-1][0], reg.coefs_[0])
    np.testing.assert_allclose(recorder.grad_norms_[1:], norms, rtol=1e-12)
    assert np.isfinite(recorder.angles_[2:]).all()


def test_e_learning_rate_2():
    """The test loss grows to 2.7e4 and stays there.

    The hidden sigmoids are all 0 then, and each step takes the output bias from
    one side of the mean target to the other.
    """
    reg = experiment(f1, 3, 2, 1000)
    val_loss = np.array(reg.history_["val_loss"])
    assert val_loss[0] < 3
    assert f"{val_loss.max():.1e}" == f"{val_loss[-1]:.1e}" == "2.7e+04"
    x, y, *_ = experiment_data(f1)
    assert (reg.hidden_activations(x[:, None])[0] < 1e-9).all()
    assert abs(reg.intercepts_[1][0] - y.mean()) > 100
    np.testing.assert_allclose(val_loss[-1:-500:-2], val_loss[-1], rtol=1e-9)
    np.testing.assert_allclose(val_loss[-2:-500:-2], val_loss[-2], rtol=1e-9)


def test_e_learning_rate_5():
    """Where E overflows, fit says that training diverged."""
    with pytest.raises(ValueError, match=r"diverged in epoch \d+ of 1000, at learning"):
        experiment(f1, 3, 5, 1000)
    with np.errstate(over="ignore", invalid="ignore"):
        test_losses = experiment_loop(f1, 3, 5, 300)[1]
    assert not np.isfinite(test_losses[-1])


def test_e_f2():
    """The least test loss is 1.089; after it the loss goes up and down."""
    reg = experiment(f2, 8, 0.1, 1200)
    val_loss = np.array(reg.history_["val_loss"])
    assert f"{val_loss.min():.3f}" == "1.089"
    assert 1000 < val_loss.argmin() < 1100
    steps = np.diff(val_loss[-100:])
    assert (steps[1:] * steps[:-1] < 0).all()
    assert val_loss[-100:].min() > 1.5
    # The instability at the end magnifies rounding errors.
    expected = experiment_loop(f2, 8, 0.1, 900)[1]
    np.testing.assert_allclose(val_loss[:900], expected, rtol=1e-6)


# C: random search, gradient descent and Armijo's step size on x^2.


@pytest.fixture(scope="module")
def square():
    X = np.random.default_rng(0).random((1000, 1))
    return X, X[:, 0] ** 2


C_NETWORK = {
    "hidden_layer_sizes": (12, 12),
    "activation": "relu",
    "output_activation": "logistic",
}
C_INPUTS = np.array([[0.1], [0.5], [0.01]])


def c_objective(weights, X, y):
    """Half the mean squared error, and its gradient as (dW1, dW2, dW3, db1, ...)."""
    (W1, W2, W3), (b1, b2, b3) = weights[:3], weights[3:]
    H1 = np.maximum(X @ W1 + b1, 0)
    H2 = np.maximum(H1 @ W2 + b2, 0)
    P = sigmoid(H2 @ W3 + b3)
    E = np.mean((P[:, 0] - y) ** 2) / 2
    D3 = (P - y[:, None]) * P * (1 - P) / len(X)
    D2 = D3 @ W3.T * (H2 > 0)
    D1 = D2 @ W2.T * (H1 > 0)
    return E, [X.T @ D1, H1.T @ D2, H2.T @ D3, D1.sum(0), D2.sum(0), D3.sum(0)]


@pytest.mark.parametrize("seed", range(3))
def test_c_random_search(square, seed):
    """500 episodes never raise the cost, move by at most 0.1, and learn x^2."""
    recorder = WeightRecorder()
    reg = MLPRegressorScratch(
        **C_NETWORK,
        **UNTIL_THE_END,
        solver="random_search",
        search_radius=0.1,
        max_iter=500,
        callbacks=[recorder],
        random_state=seed,
    ).fit(*square)
    assert reg.n_iter_ == 500
    weights = [
        [*W, *b] for W, b in zip(recorder.coefs_, recorder.intercepts_, strict=True)
    ]
    costs = [c_objective(w, *square)[0] for w in weights]
    np.testing.assert_allclose(reg.loss_curve_, costs[:-1], rtol=1e-12)
    moves = [
        np.concatenate([(b - a).ravel() for a, b in zip(before, after, strict=True)])
        for before, after in pairwise(weights)
    ]
    for (before, after), move in zip(pairwise(costs), moves, strict=True):
        if move.any():
            assert after <= before
            assert move.all()  # every parameter
            assert np.abs(move).max() <= 0.1 * (1 + 1e-12)
    assert sum(move.any() for move in moves) >= 20
    assert costs[-1] < 1e-3 < costs[0] / 40
    np.testing.assert_allclose(reg.predict(C_INPUTS), [0.03, 0.226, 0.025], atol=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_c_gradient_descent(square, seed):
    """Cost and outputs of C after 50 episodes, in batches of 10 at rate 1."""
    reg = MLPRegressorScratch(
        **C_NETWORK,
        **GRADIENT_DESCENT,
        init="he_normal",
        batch_size=10,
        learning_rate_init=1,
        max_iter=50,
        random_state=seed,
    ).fit(*square)
    cost, _ = c_objective([*reg.coefs_, *reg.intercepts_], *square)
    assert 1e-4 < cost < 1e-3
    np.testing.assert_allclose(reg.predict(C_INPUTS), [0.03, 0.23, 0.03], atol=0.02)


@pytest.mark.parametrize(
    ("sigma", "factor", "shorter"),
    [(1e-4, 0.5, False), (0.9, 0.5, True), (0.99, 0.8, True)],
)
def test_c_armijo(square, sigma, factor, shorter):
    """Each step is a^l with the smallest l that fulfils Armijo's condition."""
    recorder = WeightRecorder()
    reg = MLPRegressorScratch(
        **C_NETWORK,
        **UNTIL_THE_END,
        solver="armijo",
        armijo_sigma=sigma,
        armijo_factor=factor,
        init="he_normal",
        max_iter=100,
        callbacks=[recorder],
        random_state=0,
    ).fit(*square)
    weights = [
        [*W, *b] for W, b in zip(recorder.coefs_, recorder.intercepts_, strict=True)
    ]
    exponents = []
    for before, after in pairwise(weights):
        E, gradient = c_objective(before, *square)
        slope = -sum(np.sum(g**2) for g in gradient)
        for l in range(60):
            t = factor**l
            new = [w - t * g for w, g in zip(before, gradient, strict=True)]
            if c_objective(new, *square)[0] <= E + sigma * t * slope:
                break
        for expected, actual in zip(new, after, strict=True):
            np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)
        exponents.append(l)
    rates = [factor**l for l in exponents]
    np.testing.assert_allclose(reg.history_["learning_rate"], rates, rtol=1e-12)
    assert any(exponents) == shorter
    costs = [c_objective(w, *square)[0] for w in weights]
    assert (np.diff(costs) < 0).all()


def test_c_armijo_stops_at_zero_gradient(square):
    """Where the gradient is zero, training ends and the weights stay."""
    X, _ = square
    recorder = WeightRecorder()
    reg = MLPRegressorScratch(
        **C_NETWORK,
        **UNTIL_THE_END,
        solver="armijo",
        max_iter=100,
        callbacks=[recorder],
        random_state=0,
    ).fit(
        X,
        np.full(len(X), 0.5),  # the sigmoid of zero
        coefs_init=[None, None, np.zeros((12, 1))],
        intercepts_init=[None, None, [0]],
    )
    assert reg.n_iter_ == 1
    assert reg.history_["grad_norm"] == [0]
    for start, end in zip(recorder.coefs_[0], reg.coefs_, strict=True):
        np.testing.assert_array_equal(end, start)
    for start, end in zip(recorder.intercepts_[0], reg.intercepts_, strict=True):
        np.testing.assert_array_equal(end, start)


# B: the exercise, and the closing example.


def test_b_gradient_step():
    """One step of the exercise, by its formula and for all other weights.

    Its loss is twice ours, so our learning rate is twice its lr.
    """
    rng = np.random.default_rng(0)
    n, lr = 50, 0.3
    X, y = rng.normal(size=(n, 2)), np.arange(n) % 2
    W1, b1 = rng.normal(size=(2, 3)), rng.normal(size=3)
    w2, b2 = rng.normal(size=3), rng.normal(size=1)
    clf = MLPClassifierScratch(
        loss="squared_error",
        hidden_layer_sizes=(3,),
        activation="logistic",
        batch_size="full",
        learning_rate_init=2 * lr,
        max_iter=1,
        **GRADIENT_DESCENT,
    ).fit(X, y, coefs_init=[W1, w2[:, None]], intercepts_init=[b1, b2])

    h = sigmoid(X @ W1 + b1)
    o = sigmoid(h @ w2 + b2)
    assert clf.loss_ == pytest.approx(np.mean((o - y) ** 2) / 2, rel=1e-12)
    # From x1 to h2, as B writes it, where numbers start at 1.
    x1, h2 = X[:, 0], h[:, 1]
    w = W1[0, 1] - lr * (2 / n) * np.sum(
        (o - y) * o * (1 - o) * w2[1] * h2 * (1 - h2) * x1
    )
    assert abs(clf.coefs_[0][0, 1] - w) < 1e-12
    delta = (2 / n) * (o - y) * o * (1 - o)
    exact = {"rtol": 0, "atol": 1e-12}
    for k in range(3):
        back = delta * w2[k] * h[:, k] * (1 - h[:, k])
        for j in range(2):
            expected = W1[j, k] - lr * np.sum(back * X[:, j])
            np.testing.assert_allclose(clf.coefs_[0][j, k], expected, **exact)
        np.testing.assert_allclose(
            clf.intercepts_[0][k], b1[k] - lr * np.sum(back), **exact
        )
        expected = w2[k] - lr * np.sum(delta * h[:, k])
        np.testing.assert_allclose(clf.coefs_[1][k, 0], expected, **exact)
    np.testing.assert_allclose(clf.intercepts_[1], b2 - lr * np.sum(delta), **exact)


def test_b_closing_example():
    """The accuracy, the probabilities and the number of epochs of scikit-learn."""
    X, y = make_classification(1000, n_features=10, random_state=42)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=42)
    scaler = StandardScaler().fit(X)
    X, X_test = scaler.transform(X), scaler.transform(X_test)
    params = {
        "hidden_layer_sizes": (10,),
        "activation": "relu",
        "solver": "adam",
        "learning_rate_init": 0.01,
        "max_iter": 1000,
        "random_state": 42,
    }
    ours = MLPClassifierScratch(**params, **NUMPY).fit(X, y)
    theirs = MLPClassifier(**params).fit(X, y)
    assert ours.score(X_test, y_test) == theirs.score(X_test, y_test) > 0.8
    assert ours.n_iter_ == theirs.n_iter_
    np.testing.assert_allclose(
        ours.predict_proba(X_test), theirs.predict_proba(X_test), atol=1e-6
    )


# A: approximation of a function; A does not say of which.


@pytest.fixture(scope="module")
def wave():
    """250 samples of sin(2 x) on [-3, 3]."""
    X = np.random.default_rng(0).uniform(-3, 3, (250, 1))
    return X, np.sin(2 * X[:, 0])


def approximate(wave, sizes, activation="tanh", learning_rate=0.01, **params):
    X, y = wave
    return MLPRegressorScratch(
        hidden_layer_sizes=sizes,
        activation=activation,
        init="he_normal",
        batch_size="full",
        learning_rate_init=learning_rate,
        random_state=0,
        **{"max_iter": 1000, **GRADIENT_DESCENT, **params},
    ).fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])


@pytest.mark.parametrize(
    ("sizes", "n_parameters", "mse"),
    [((32,), 97, 0.145), ((64, 32), 2241, 0.138), ((128, 64, 32), 10625, 0.124)],
)
def test_a_networks(wave, sizes, n_parameters, mse):
    """Number of parameters, and an error that is no larger; tanh beats ReLU."""
    tanh, relu = (approximate(wave, sizes, name) for name in ("tanh", "relu"))
    assert sum(w.size for w in (*tanh.coefs_, *tanh.intercepts_)) == n_parameters
    for name in ("loss", "val_loss"):  # half the mean squared error
        assert len(tanh.history_[name]) == 1000
        assert 2 * tanh.history_[name][-1] <= mse
        assert tanh.history_[name][-1] < relu.history_[name][-1]


def test_a_he_initialization(wave):
    """Weights start from N(0, 2 / n_in), and biases from 0."""
    recorder = WeightRecorder()
    approximate(wave, (128, 64, 32), max_iter=1, callbacks=[recorder])
    rng = np.random.RandomState(0)
    for W, b in zip(recorder.coefs_[0], recorder.intercepts_[0], strict=True):
        np.testing.assert_array_equal(W, rng.normal(0, np.sqrt(2 / len(W)), W.shape))
        assert not b.any()


def test_a_learning_rates(wave):
    """0.001 is slow, 0.01 is good, and at 0.1 the loss oscillates."""
    slow, good, large = (
        np.array(approximate(wave, (64, 32), learning_rate=rate).loss_curve_)
        for rate in (0.001, 0.01, 0.1)
    )
    assert good[-1] < slow[-1] < slow[0]
    assert (np.diff(slow) < 0).all()
    assert (np.diff(good) < 0).all()
    assert (np.diff(large) > 0).sum() > 100


# D: an activation per layer, the Runge function, penalties.


@pytest.fixture(scope="module")
def runge():
    """Training and test data: 100 points, 20 % of them for the test."""
    x = np.linspace(-1, 1, 100)[:, None]
    X, X_test, y, y_test = train_test_split(
        x, 1 / (1 + 25 * x[:, 0] ** 2), test_size=0.2, random_state=0
    )
    scaler = StandardScaler().fit(X)
    return scaler.transform(X), y, scaler.transform(X_test), y_test


D_ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "leaky_relu": (
        lambda z: np.where(z > 0, z, 0.01 * z),
        lambda z: np.where(z > 0, 1, 0.01),
    ),
    "elu": (
        lambda z: np.where(z > 0, z, np.expm1(z)),
        lambda z: np.where(z > 0, 1, np.exp(z)),
    ),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
}


def network_of_one(**params):
    """A network of one weight for each layer, all of them 1.

    The step that fit has to take is too small to change them.
    """
    reg = MLPRegressorScratch(
        learning_rate_init=1e-300, max_iter=1, **GRADIENT_DESCENT, **params
    )
    n_hidden = len(reg.hidden_layer_sizes)
    return reg.fit(
        [[0.0], [1.0]],
        [0.0, 1.0],
        coefs_init=[[[1]]] * (n_hidden + 1),
        intercepts_init=[[0]] * (n_hidden + 1),
    )


@pytest.mark.parametrize("name", D_ACTIVATIONS)
def test_d_activations(name):
    """Each activation of D and its derivative."""
    g, derivative = D_ACTIVATIONS[name]
    Z = np.linspace(-4, 4, 40)[:, None]  # without 0
    reg = network_of_one(hidden_layer_sizes=(1,), activation=name)
    np.testing.assert_allclose(reg.predict(Z), g(Z)[:, 0], rtol=1e-12)
    np.testing.assert_allclose(reg.input_gradient(Z), derivative(Z), rtol=1e-12)


@pytest.mark.parametrize("output", ["sigmoid", "tanh"])
def test_d_activation_per_layer(runge, output):
    """One for each layer, the output included; and the network learns."""
    hidden = ["relu", "leaky_relu", "elu", "sigmoid", "tanh"]
    reg = network_of_one(
        hidden_layer_sizes=(1,) * 5, activation=hidden, output_activation=output
    )
    z = Z = np.linspace(-3, 3, 20)[:, None]
    for name in (*hidden, output):
        z = D_ACTIVATIONS[name][0](z)
    np.testing.assert_allclose(reg.predict(Z), z[:, 0], rtol=1e-12)

    X, y, X_test, y_test = runge
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(50, 50),
        activation=["tanh", "sigmoid"],
        output_activation=output,
        batch_size=8,
        learning_rate_init=5e-3,
        max_iter=100,
        random_state=0,
        **UNTIL_THE_END,
    ).fit(X, y)
    assert reg.score(X_test, y_test) > 0.95


def test_d_softmax():
    """The output of a classifier of three classes."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), np.arange(60) % 3
    clf = MLPClassifierScratch((5,), activation="leaky_relu", max_iter=2).fit(X, y)
    assert clf.out_activation_ == "softmax"
    Z = np.exp(clf.decision_function(X))
    np.testing.assert_allclose(clf.predict_proba(X), Z / Z.sum(axis=1, keepdims=True))


def test_d_runge(runge):
    """R^2 of at least 0.99 with two hidden layers of 100, in 150 epochs."""
    X, y, X_test, y_test = runge
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(100, 100),
        activation="tanh",
        learning_rate_init=1e-3,
        batch_size=8,
        max_iter=150,
        random_state=0,
        **{**UNTIL_THE_END, "alpha": 1e-4},
    ).fit(X, y)
    assert reg.coefs_[0].dtype == np.float64
    assert reg.score(X_test, y_test) >= 0.99


@pytest.mark.parametrize("l1_ratio", [0, 1])
def test_d_grid_of_penalties(runge, l1_ratio):
    """Penalty by learning rate, for L2 and for L1, scored by the MSE and R^2."""
    X, y, *_ = runge
    grid = {"alpha": [1e-5, 1e-2, 1], "learning_rate_init": [1e-2, 1e-3]}
    search = GridSearchCV(
        MLPRegressorScratch(
            hidden_layer_sizes=(20, 20),
            activation="tanh",
            batch_size=8,
            l1_ratio=l1_ratio,
            max_iter=60,
            random_state=0,
            tol=0,
            n_iter_no_change=np.inf,
        ),
        grid,
        cv=2,
        scoring=["neg_mean_squared_error", "r2"],
        refit="r2",
        error_score="raise",
    ).fit(X, y)
    for name in ("neg_mean_squared_error", "r2"):
        heat = search.cv_results_[f"mean_test_{name}"].reshape(3, 2)
        assert np.isfinite(heat).all()
        assert heat[2].max() < heat[0].max()  # the strongest penalty is too strong
    strongest = search.best_estimator_.set_params(alpha=1).fit(X, y)
    n_zeros = sum((W == 0).sum() for W in strongest.coefs_)
    assert (n_zeros > 0) == (l1_ratio == 1)


# The scripts that write the pages: what they compare is the same training.


@pytest.fixture
def paper(monkeypatch):
    """Imports a script by its name; what scripts share they find beside them."""
    pytest.importorskip("matplotlib")
    if not SCRIPTS.is_dir():
        pytest.skip("the examples are in the source repository only")
    monkeypatch.syspath_prepend(SCRIPTS)
    yield import_module
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "").parent == SCRIPTS:
            del sys.modules[name]


def assert_same_weights(reg, loop, atol=1e-12):
    for ours, theirs in zip(
        (*reg.coefs_, *reg.intercepts_), (*loop.coefs, *loop.intercepts), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)


def test_pages_and_their_index(paper, tmp_path):
    """Published figures stand beside ours, on the page and in the index."""
    report = paper("report")

    def run(page):
        figures = [
            report.Figure("loss", "0.1", "0.05", "0.2", 0.5, 4, "chance."),
            report.Figure("time", report.UNKNOWN, "a|b"),
        ]
        page.figures(figures)
        page.picture(plt.figure(), "nothing", "Nothing.")

    plt = pytest.importorskip("matplotlib.pyplot")
    script = SimpleNamespace(__file__="x_toy.py", __doc__="X: Toy\n\nWords.", run=run)
    page = report.make_page(script, tmp_path)
    text = (tmp_path / "x_toy.md").read_text(encoding="utf-8")
    assert text.startswith("# X: Toy\n\nWords.")
    assert "| loss | 0.1 | 0.2 | 0.05 | 4 s | 0.5 s | 8.0 |\n" in text
    assert "\n| time | \N{EN DASH} |  | a\\|b |" in text
    assert "- loss: chance." in text
    assert "![Nothing.](x_toy_nothing.png)" in text
    assert (tmp_path / "x_toy_nothing.png").is_file()
    index = run_path(str(SCRIPTS / "__main__.py"))["index"]
    assert "| [X](x_toy.md) | loss | 0.1 | 0.05 | 0.5 s | 8.0 (plain loop) |" in (
        index([page])
    )
    assert "| time |" not in index([page])


def test_agreement(paper):
    """A difference is called rounding only if it can be."""
    agreement = paper("report").agreement
    assert agreement(0.0) == "are bitwise identical"
    assert agreement(2e-15) == "differ by at most 2e-15 (rounding error)"
    assert agreement(2e-5) == "differ by at most 2e-05"


@pytest.mark.parametrize("activation", ["tanh", "relu", "logistic"])
def test_a_plain_loop(paper, activation):
    """The loop over the samples trains as skmlp does, from the same weights."""
    script = paper("a_training_pipeline")
    data = script.make_data()
    reg = script.network((32, 8), activation, max_iter=20)
    weights = paper("report").initial_weights(reg, *data[:2])
    loop = script.train_plain(reg, weights, data)
    assert_same_weights(script.fit(reg, data), loop)
    np.testing.assert_allclose(script.errors(reg, data), script.errors(loop, data))


def test_a_and_b_techniques(paper):
    """Every technique trains, and changes what is learned."""
    a, b = paper("a_training_pipeline"), paper("b_fundamentals")
    data, (X, y, *_) = a.make_data(), b.make_data()
    curves = [
        a.fit(a.network(**{**params, "max_iter": 3}), data).history_["val_loss"]
        for name, params in a.MISSING.items()
        if name != "early stopping on the validation loss"
    ]
    assert len({tuple(curve) for curve in curves}) == len(curves)
    # Gradients that do not explode are not clipped, and the step comes later.
    curves = [
        MLPClassifierScratch(**{**b.CLOSING, **params, "max_iter": 3})
        .fit(X, y)
        .predict_proba(X[:10])
        for name, params in b.TECHNIQUES.items()
        if name not in ("gradient clipping", "step schedule")
    ]
    assert len({tuple(curve.ravel()) for curve in curves}) == len(curves)


def test_b_shapley_values(paper):
    """Those of a linear function, and of a product of two features."""
    script = paper("b_fundamentals")
    rng = np.random.default_rng(0)
    w, x, background = rng.normal(size=4), rng.normal(size=4), rng.normal(size=(20, 4))
    values = script.shapley_values(lambda X: X @ w, x, background)
    np.testing.assert_allclose(values, w * (x - background.mean(axis=0)), atol=1e-12)
    values = script.shapley_values(lambda X: X[:, 0] * X[:, 1], x, np.zeros((1, 4)))
    half = x[0] * x[1] / 2
    np.testing.assert_allclose(values, [half, half, 0, 0], atol=1e-12)


def test_b_first_gradient(paper):
    """The gradient of the weights where training starts."""
    script = paper("b_fundamentals")
    X, y, *_ = script.make_data()
    X, y = X[:30], y[:30]
    params = {"hidden_layer_sizes": (7, 5), "batch_size": "full", "random_state": 0}
    reg = MLPRegressorScratch(**params)
    start, gradient = script.first_gradient(reg, X, y)
    intercepts = paper("report").initial_weights(reg, X, y)[1]
    loop = paper("plain").PlainNetwork(start, intercepts, ["relu", "relu", "identity"])
    expected = loop.mean_gradient(X, y)[: len(gradient)]
    for ours, theirs in zip(gradient, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_c_plain_loops(paper, square):
    """Random search with the same noise, the same batches, the same Armijo steps."""
    script = paper("c_mathematics")
    X, y = (values[:60] for values in square)
    search = {"solver": "random_search", "max_iter": 100}
    reg = MLPRegressorScratch(**script.NETWORK, **search).fit(X, y)
    weights = paper("report").initial_weights(reg, X, y)
    loop = script.make_loop(weights)
    noise = script.same_noise(loop, 0, reg.search_radius)
    assert_same_weights(reg, script.random_search(loop, X, y, noise, 100))
    start = script.cost(script.make_loop(weights), X, y)
    falls = np.diff([start, *reg.loss_curve_[1:], script.cost(reg, X, y)]) < -1e-15
    assert script.count_kept(reg, X, y) == falls.sum() > 0

    params = {"batch_size": 7, "learning_rate_init": 1, "shuffle": False, "max_iter": 5}
    reg = MLPRegressorScratch(
        **{**script.NETWORK, "solver": "sgd", "momentum": 0, **params}
    ).fit(X, y)
    step = paper("plain").gradient_descent(1)
    loop = script.make_loop(weights).train(X, y[:, None], step, 5, 7)
    assert_same_weights(reg, loop)

    reg = MLPRegressorScratch(**script.NETWORK, solver="armijo", max_iter=20)
    loop = script.armijo(script.make_loop(weights), X, y, 20)
    assert_same_weights(reg.fit(X, y), loop)


def test_e_plain_loop(paper):
    """The loop over the samples has the test losses of skmlp, and overflows."""
    script = paper("e_experiment")
    reg = script.train(script.f2, 8, 0.1, 5)
    assert script.make_data(script.f2)[0].shape == (1000, 1)
    np.testing.assert_allclose(
        reg.history_["val_loss"],
        script.train_plain(script.f2, 8, 0.1, 5),
        rtol=1e-12,
    )
    expected = experiment(f2, 8, 0.1, 5).history_["val_loss"]
    np.testing.assert_allclose(reg.history_["val_loss"], expected, rtol=1e-12)
    assert len(script.train_plain(script.f1, 3, 1e100, 20)) < 20


@pytest.mark.parametrize("solver", ["sgd", "rmsprop", "adam"])
@pytest.mark.parametrize("activation", ["logistic", "tanh"])
def test_d_plain_loop(paper, runge, solver, activation):
    """The loop over the samples ends at the same weights, with an L2 penalty too."""
    X, y, *_ = runge
    common = paper("d_common")
    reg = common.network(
        (8, 5),
        activation=activation,
        solver=solver,
        alpha=0.1,
        batch_size=16,
        max_iter=10,
    )
    optimizer = paper("d_runge").SOLVERS[solver][-1]
    weights = paper("report").initial_weights(reg, X, y)
    loop = common.plain_training(reg, weights, X, y[:, np.newaxis], optimizer)
    assert_same_weights(reg.fit(X, y), loop, atol=1e-9)


def test_d_plain_loop_of_digits(paper):
    """Leaky ReLU, softmax and the cross-entropy."""
    script = paper("d_mnist")
    X, y = load_digits(return_X_y=True)
    X, y = X[:200] / 16, y[:200]
    clf = script.digits_network(
        hidden_layer_sizes=(12, 8),
        learning_rate="constant",
        batch_size=50,
        shuffle=False,
        max_iter=3,
    )
    coefs, intercepts = weights = script.initial_weights(clf, X, y)
    loop = script.plain_training(clf, weights, X, np.eye(10)[y], script.adam)
    clf.fit(X, y, coefs_init=coefs, intercepts_init=intercepts)
    np.testing.assert_allclose(clf.predict_proba(X), loop.predict(X), rtol=1e-9)


def test_d_search(paper, runge):
    """A grid is scored on the test samples of the other comparisons."""
    X, y, X_test, y_test = runge
    reg = paper("d_common").network((5,), solver="adam", max_iter=20)
    search = paper("d_runge").search(reg, {"learning_rate_init": [0.1]}, n_jobs=1)
    expected = reg.set_params(learning_rate_init=0.1).fit(X, y).score(X_test, y_test)
    assert search.cv_results_["mean_test_r2"][0] == pytest.approx(expected, rel=1e-9)


def test_d_bias_and_variance(paper):
    """They add up to the error; and those of least squares have a closed form."""
    common, script = paper("d_common"), paper("d_validation")
    polynomial = common.polynomial(3)
    predictions, truth = script.fitted_to_sets(polynomial, 300)
    bias, variance = script.decompose(predictions, truth)
    assert bias + variance == pytest.approx(np.mean((predictions - truth) ** 2))
    x, grid = np.linspace(-1, 1, 80), np.linspace(-1, 1, 400)
    hat = np.vander(grid, 4) @ np.linalg.pinv(np.vander(x, 4))
    fitted = hat @ common.runge(x)
    assert bias == pytest.approx(np.mean((fitted - truth) ** 2), rel=0.03)
    expected = common.NOISE**2 * np.mean(np.sum(hat**2, axis=1))
    assert variance == pytest.approx(expected, rel=0.2)
