"""Tests of the forward pass, backpropagation and the objective."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix

from skmlp.core.activations import ACTIVATIONS, HIDDEN_ACTIVATIONS
from skmlp.core.losses import LOSSES
from skmlp.core.network import Network, Tape, decision_function
from skmlp.core.objective import Objective
from skmlp.core.parameters import Parameters
from skmlp.core.penalties import ElasticNet

N_SAMPLES = 9
N_FEATURES = 6
N_OUTPUTS = 3
HIDDEN = [(), (4,), (5, 3, 4)]

parametrize_network = [
    pytest.mark.parametrize("hidden", HIDDEN, ids=str),
    pytest.mark.parametrize("loss", LOSSES),
    pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS),
]
parametrize_input = pytest.mark.parametrize(
    "as_input", [np.asarray, np.asfortranarray, csr_matrix, csr_array]
)


def over_networks(test):
    for mark in parametrize_network:
        test = mark(test)
    return test


def build(activation, loss, hidden, dtype=np.float64):
    """A network with random parameters, and buffers for a batch."""
    layer_sizes = (N_FEATURES, *hidden, N_OUTPUTS)
    network = Network(layer_sizes, HIDDEN_ACTIVATIONS[activation], LOSSES[loss])
    theta = Parameters(layer_sizes, dtype)
    theta.flat[:] = 0.7 * np.random.RandomState(0).randn(theta.flat.size)
    return network, theta, Tape(layer_sizes, N_SAMPLES, dtype)


def data(weighted=False, dtype=np.float64):
    """Input with zeros in it, targets that every loss can have, and weights."""
    rng = np.random.RandomState(1)
    X = rng.randn(N_SAMPLES, N_FEATURES) * (rng.rand(N_SAMPLES, N_FEATURES) > 0.3)
    Y = np.eye(N_OUTPUTS)[np.arange(N_SAMPLES) % N_OUTPUTS]
    w = np.arange(float(N_SAMPLES))[:, np.newaxis] if weighted else None
    return X.astype(dtype), Y.astype(dtype), w


def pre_activations(network, theta, X):
    """Z of every layer, as the textbook writes it."""
    A, layers = X, []
    for W, b, g in zip(theta.coefs, theta.intercepts, network.activations, strict=True):
        layers.append(A @ W + b)
        A = layers[-1].copy()
        g.forward(A)
    return layers, A


@parametrize_input
@over_networks
def test_forward_is_the_textbook_formula(activation, loss, hidden, as_input):
    network, theta, tape = build(activation, loss, hidden)
    X, _, _ = data()
    _, expected = pre_activations(network, theta, X)
    P = network.forward(theta, as_input(X), tape)
    assert P is tape.A[-1]
    np.testing.assert_allclose(P, expected, rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@over_networks
def test_objective_and_gradient_are_torchs(activation, loss, hidden, weighted):
    """Its autograd, over every weight and bias, with a penalty."""
    torch = pytest.importorskip("torch")
    nn, functional = torch.nn, torch.nn.functional
    modules = {
        "identity": nn.Identity(),
        "logistic": nn.Sigmoid(),
        "tanh": nn.Tanh(),
        "relu": nn.ReLU(),
    }
    losses_of_logits = {
        "squared_error": lambda z, y: (z - y) ** 2 / 2,
        "poisson": lambda z, y: (
            functional.poisson_nll_loss(z, y, reduction="none") + torch.xlogy(y, y) - y
        ),
        "binary_log_loss": lambda z, y: functional.binary_cross_entropy_with_logits(
            z, y, reduction="none"
        ),
        "log_loss": lambda z, y: functional.cross_entropy(z, y, reduction="none"),
    }
    assert activation in modules, f"give the new activation {activation!r} a module"
    assert loss in losses_of_logits, f"give the new loss {loss!r} a torch function"

    network, theta, tape = build(activation, loss, hidden)
    X, Y, w = data(weighted)
    penalty = ElasticNet(alpha=0.8, l1_ratio=0.25)
    objective = Objective(network, penalty, theta)
    E = objective(X, Y, w, tape)

    coefs = [torch.tensor(W, requires_grad=True) for W in theta.coefs]
    intercepts = [torch.tensor(b, requires_grad=True) for b in theta.intercepts]
    z = torch.tensor(X)
    for l, (W, b) in enumerate(zip(coefs, intercepts, strict=True)):
        z = z @ W + b
        if l < len(hidden):
            z = modules[activation](z)
    weights = torch.tensor(np.ones(N_SAMPLES) if w is None else w.ravel())
    n = weights.sum()
    each = losses_of_logits[loss](z, torch.tensor(Y)).reshape(N_SAMPLES, -1).sum(1)
    smooth = weights @ each + 0.3 * sum((W**2).sum() for W in coefs)
    (smooth / n).backward()

    l1 = 0.2 * np.abs(theta.weights).sum()
    np.testing.assert_allclose(E, (smooth.item() + l1) / n.item(), rtol=1e-12)
    assert objective.n == n.item()
    expected = np.concatenate([a.grad.numpy().ravel() for a in coefs + intercepts])
    np.testing.assert_allclose(objective.grad.flat, expected, rtol=1e-10, atol=1e-14)


@parametrize_input
@pytest.mark.parametrize("weighted", [False, True])
def test_objective_is_the_same_for_every_kind_of_input(as_input, weighted):
    network, theta, tape = build("tanh", "log_loss", (5, 4))
    X, Y, w = data(weighted)
    reference = Objective(network, ElasticNet(0.1), theta)
    objective = Objective(network, ElasticNet(0.1), theta)
    E = reference(X, Y, w, Tape(network.layer_sizes, N_SAMPLES, np.float64))
    for _ in range(2):  # the buffers may be used again
        np.testing.assert_allclose(objective(as_input(X), Y, w, tape), E, rtol=1e-13)
        np.testing.assert_allclose(
            objective.grad.flat, reference.grad.flat, rtol=1e-11, atol=1e-14
        )


@over_networks
def test_objective_leaves_the_data_and_the_parameters_alone(activation, loss, hidden):
    network, theta, tape = build(activation, loss, hidden)
    arrays = [*data(weighted=True), theta.flat]
    before = [array.copy() for array in arrays]
    Objective(network, ElasticNet(0.3, 0.5), theta)(*arrays[:3], tape)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("loss", LOSSES)
def test_objective_in_float32_is_close_to_float64(loss):
    gradients = []
    for dtype in (np.float32, np.float64):
        network, theta, tape = build("relu", loss, (5, 4), dtype)
        objective = Objective(network, ElasticNet(0.3, 0.5), theta)
        X, Y, _ = data(dtype=dtype)
        objective(X, Y, None, tape)
        buffers = [*tape.A, *tape.D, *tape.work, tape.row, objective.grad.flat]
        assert {buffer.dtype for buffer in buffers} == {np.dtype(dtype)}
        gradients.append(objective.grad.flat)
    np.testing.assert_allclose(*gradients, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_reported_mean_over_the_outputs_changes_no_gradient(loss):
    """Of squared errors the mean is reported, as scikit-learn does it."""
    network, theta, tape = build("tanh", loss, (4,))
    X, Y, _ = data()
    total, mean = (
        Objective(network, ElasticNet(0.0), theta, report_mean)
        for report_mean in (0, 1)
    )
    ratio = total(X, Y, None, tape) / mean(X, Y, None, tape)
    assert ratio == pytest.approx(N_OUTPUTS if loss == "squared_error" else 1)
    np.testing.assert_array_equal(total.grad.flat, mean.grad.flat)


@parametrize_input
@pytest.mark.parametrize("max_elements", [1, 6, 13, 30, 2**20])
@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
def test_decision_function_is_the_same_in_chunks_of_any_size(
    hidden, max_elements, as_input
):
    network, theta, _ = build("tanh", "log_loss", hidden)
    X, _, _ = data()
    before = X.copy()
    layers, _ = pre_activations(network, theta, X)
    decision = decision_function(
        theta.coefs, theta.intercepts, network.activations, as_input(X), max_elements
    )
    np.testing.assert_allclose(decision, layers[-1], rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_decision_function_is_in_the_dtype_of_the_parameters(dtype):
    network, theta, _ = build("relu", "squared_error", (4,), dtype)
    X = np.arange(12).reshape(2, 6)
    layers, _ = pre_activations(network, theta, X.astype(dtype))
    decision = decision_function(theta.coefs, theta.intercepts, network.activations, X)
    assert decision.dtype == dtype
    rtol = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(decision, layers[-1], rtol=rtol)


@pytest.mark.parametrize("as_input", [np.asarray, csr_matrix])
def test_memory_of_decision_function_does_not_grow_with_the_samples(as_input):
    """Beyond its result; the input is converted in chunks as well."""
    theta = Parameters([20, 30, 30, 1])
    relu = ACTIVATIONS["relu"]
    for n_samples in (2_000, 20_000):
        X = as_input(np.ones((n_samples, 20), np.float32))
        tracemalloc.start()
        decision_function(
            theta.coefs, theta.intercepts, [relu, relu], X, max_elements=2**12
        )
        peak = tracemalloc.get_traced_memory()[1] - 8 * n_samples
        tracemalloc.stop()
        # Two hidden layers, the input in float64, and what scipy needs for that.
        assert peak < 6 * 8 * 2**12
