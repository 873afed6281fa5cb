"""Tests of batch normalization against torch and finite differences."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from skmlp.core.activations import ACTIVATIONS
from skmlp.core.finite_differences import central_differences
from skmlp.core.inference import decision_function
from skmlp.core.losses import LOSSES
from skmlp.core.network import Workspace
from skmlp.core.objective import Objective
from skmlp.core.parameters import Parameters
from skmlp.core.penalties import ElasticNet
from skmlp.layers import BatchNorm, make_mlp

N_SAMPLES = 9
LAYER_SIZES = 5, 6, 4, 3
EPSILON = 1e-3
TORCH = {"tanh": "Tanh", "relu": "ReLU", "gelu": "GELU"}
MOMENTUM = 0.3


def build(n_samples=N_SAMPLES, activation="tanh", dtype=np.float64, **options):
    """An objective with parameters and statistics of all values, and its workspace."""
    options = {"batch_norm_epsilon": EPSILON, **options}
    activations = [ACTIVATIONS[g] for g in (activation, activation, "softmax")]
    network = make_mlp(LAYER_SIZES, activations, LOSSES["log_loss"](), **options)
    rng = np.random.RandomState(0)
    theta = Parameters(network.layout, dtype)
    theta.flat[:] = rng.randn(theta.flat.size)
    theta.running[:] = rng.uniform(0.5, 2, theta.running.size)
    objective = Objective(network, ElasticNet(0.0), theta)
    return objective, Workspace(network, n_samples, dtype)


def norm_of(workspace):
    """Return the batch normalization of the first hidden layer."""
    return next(layer for layer in workspace.layers if isinstance(layer, BatchNorm))


def groups(theta):
    """Return the scales, running means and running variances of each hidden layer."""
    return [
        theta.groups[f"batch_norm_{name}"] for name in ("scales", "means", "variances")
    ]


def data(n_samples=N_SAMPLES, dtype=np.float64):
    rng = np.random.RandomState(1)
    X = rng.randn(n_samples, 5) * (rng.rand(n_samples, 5) > 0.3) + 2
    Y = np.eye(3)[rng.randint(3, size=n_samples)]
    return X.astype(dtype), Y.astype(dtype)


def torch_network(torch, theta, activation):
    """Linear layers without biases, each normalized, but for the last."""
    scales, means, variances = groups(theta)
    modules = []
    for l, (W, b) in enumerate(zip(theta.coefs, theta.intercepts, strict=True)):
        last = l == len(theta.coefs) - 1
        linear = torch.nn.Linear(*W.shape, bias=last, dtype=torch.float64)
        linear.weight.data = torch.tensor(W.T.copy())
        modules.append(linear)
        if last:
            linear.bias.data = torch.tensor(b.copy())
            break
        norm = torch.nn.BatchNorm1d(
            b.size, eps=EPSILON, momentum=MOMENTUM, dtype=torch.float64
        )
        norm.weight.data = torch.tensor(scales[l].copy())
        norm.bias.data = torch.tensor(b.copy())
        norm.running_mean = torch.tensor(means[l].copy())
        norm.running_var = torch.tensor(variances[l].copy())
        modules += [norm, getattr(torch.nn, TORCH[activation])()]
    return torch.nn.Sequential(*modules)


def torch_gradient(network):
    """In the layout of ours: weights, biases, scales."""
    weights, biases, scales = [], [], []
    for module in network:
        if hasattr(module, "running_mean"):
            scales.append(module.weight.grad.numpy())
            biases.append(module.bias.grad.numpy())
        elif hasattr(module, "weight"):
            weights.append(module.weight.grad.numpy().T.ravel())
            if module.bias is not None:
                biases.append(module.bias.grad.numpy())
    return np.concatenate(weights + biases + scales)


@pytest.mark.parametrize("activation", TORCH)
def test_output_gradient_and_running_statistics_are_torchs(activation):
    """Over three batches, and then in prediction."""
    torch = pytest.importorskip("torch")
    objective, workspace = build(activation=activation)
    theta = objective.theta
    _, means, variances = groups(theta)
    reference = torch_network(torch, theta, activation)
    cross_entropy = torch.nn.functional.cross_entropy
    X, Y = data(3 * N_SAMPLES)
    # Torch's running variance is that of the unbiased estimates.
    unbiased = [variance.copy() for variance in variances]
    for batch, targets in zip(np.split(X, 3), np.split(Y, 3), strict=True):
        E = objective(batch, targets, None, workspace)
        workspace.update_running_statistics(objective.arrays, MOMENTUM)
        reference.zero_grad()
        loss = cross_entropy(reference(torch.tensor(batch)), torch.tensor(targets))
        loss.backward()
        assert E == pytest.approx(loss.item(), rel=1e-10)
        np.testing.assert_allclose(
            objective.grad.flat, torch_gradient(reference), rtol=1e-10, atol=1e-14
        )
        norms = [x for x in workspace.layers if isinstance(x, BatchNorm)]
        for running, norm in zip(unbiased, norms, strict=True):
            running *= 1 - MOMENTUM
            running += MOMENTUM * norm.variance * N_SAMPLES / (N_SAMPLES - 1)
    norms = [module for module in reference if hasattr(module, "running_mean")]
    for l, norm in enumerate(norms):
        np.testing.assert_allclose(means[l], norm.running_mean, rtol=1e-10)
        np.testing.assert_allclose(unbiased[l], norm.running_var, rtol=1e-10)
        norm.running_var = torch.tensor(variances[l].copy())
    reference.eval()
    Z = decision_function(objective.network, objective.arrays, X)
    np.testing.assert_allclose(
        Z, reference(torch.tensor(X)).detach(), rtol=1e-10, atol=1e-13
    )


WEIGHTS = np.array([2, 0, 1, 3, 0, 1, 1, 4, 2])


def test_statistics_are_the_weighted_ones_and_enter_the_running_averages():
    objective, workspace = build()
    theta, (X, Y), w = objective.theta, data(), WEIGHTS[:, np.newaxis] / 3
    _, (running_mean, _), (running_variance, _) = groups(theta)
    means, variances = running_mean.copy(), running_variance.copy()
    objective(X, Y, w, workspace)
    U = X @ theta.coefs[0]
    mean = np.average(U, axis=0, weights=WEIGHTS)
    variance = np.average((U - mean) ** 2, axis=0, weights=WEIGHTS)
    norm = norm_of(workspace)
    assert norm.of_batch
    np.testing.assert_allclose(norm.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(norm.variance, variance, rtol=1e-12)
    np.testing.assert_array_equal(running_mean, means)  # until they are updated
    workspace.update_running_statistics(objective.arrays, MOMENTUM)
    np.testing.assert_allclose(running_mean, 0.7 * means + 0.3 * mean, rtol=1e-12)
    np.testing.assert_allclose(
        running_variance, 0.7 * variances + 0.3 * variance, rtol=1e-12
    )


def evaluated(X, Y, w, **options):
    objective, workspace = build(len(X), **options)
    E = objective(X, Y, w, workspace)
    workspace.update_running_statistics(objective.arrays, MOMENTUM)
    return np.concatenate([[E], objective.grad.flat, objective.theta.running])


def test_integer_weights_are_repeated_samples():
    X, Y = data()
    weighted = evaluated(X, Y, WEIGHTS[:, np.newaxis].astype(float))
    repeated = evaluated(*(np.repeat(a, WEIGHTS, axis=0) for a in (X, Y)), None)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("factor", [1e-8, 0.1, 1e8])
def test_the_scale_of_the_weights_does_not_matter(factor):
    X, Y = data()
    w = WEIGHTS[:, np.newaxis].astype(float)
    np.testing.assert_allclose(
        evaluated(X, Y, factor * w), evaluated(X, Y, w), rtol=1e-10, atol=1e-13
    )


def test_equal_weights_are_no_weights():
    X, Y = data()
    np.testing.assert_allclose(
        evaluated(X, Y, np.full((N_SAMPLES, 1), 3.7)),
        evaluated(X, Y, None),
        rtol=1e-10,
        atol=1e-13,
    )


def fold(theta):
    """Return weights and biases that predict the same without batch normalization."""
    coefs, intercepts = list(theta.coefs), list(theta.intercepts)
    for l, (gamma, mean, variance) in enumerate(zip(*groups(theta), strict=True)):
        s = gamma / np.sqrt(variance + EPSILON)
        coefs[l] = coefs[l] * s
        intercepts[l] = intercepts[l] - mean * s
    return {"coefs": coefs, "intercepts": intercepts}


def folded_objective(objective):
    """The network without batch normalization that predicts the same."""
    network, theta = objective.network, objective.theta
    return Objective(
        make_mlp(network.layer_sizes, network.activations, network.loss),
        ElasticNet(0.0),
        Parameters(network.layer_sizes, theta.flat.dtype).fill(fold(theta)),
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_a_batch_without_variance_has_the_running_statistics(weighted):
    """Of one sample, or of one with a positive weight; it leaves them alone."""
    n_samples = 3 if weighted else 1
    X, Y = data(n_samples)
    w = np.array([[0.0], [0.7], [0.0]]) if weighted else None
    objective, workspace = build(n_samples)
    theta = objective.theta
    before = theta.running.copy()
    E = objective(X, Y, w, workspace)
    workspace.update_running_statistics(objective.arrays, MOMENTUM)
    np.testing.assert_array_equal(theta.running, before)
    assert not norm_of(workspace).of_batch

    folded = folded_objective(objective)
    reference = folded.value(X, Y, w, Workspace(folded.network, n_samples, np.float64))
    assert E == pytest.approx(reference, rel=1e-12)
    gradient = objective.grad.flat.copy()
    expected = central_differences(
        lambda: objective.value(X, Y, w, workspace), theta.flat, step=1e-6
    )
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


def test_two_samples_have_a_variance():
    X, Y = data(3)
    objective, workspace = build(3)
    w = np.array([[1.0], [0.0], [1e-3]])
    before = objective.theta.running.copy()
    objective(X, Y, w, workspace)
    assert norm_of(workspace).of_batch
    workspace.update_running_statistics(objective.arrays, MOMENTUM)
    assert (objective.theta.running != before).all()


def test_a_frozen_layer_has_the_running_statistics_and_leaves_them():
    X, Y = data()
    objective, workspace = build(frozen=(0,))
    theta = objective.theta
    before = theta.copy()
    objective(X, Y, None, workspace)
    workspace.update_running_statistics(objective.arrays, MOMENTUM)
    for now, earlier in zip(groups(theta)[1:], groups(before)[1:], strict=True):
        np.testing.assert_array_equal(now[0], earlier[0])
        assert (now[1] != earlier[1]).all()
    W, b = (arrays[0] for arrays in fold(before).values())
    np.testing.assert_allclose(workspace.A[0], np.tanh(X @ W + b), rtol=1e-11)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("activation", TORCH)
@pytest.mark.parametrize("frozen", [(), (1,)], ids=str)
@pytest.mark.parametrize("as_input", [np.asarray, csr_matrix])
def test_gradient_is_the_difference_quotient(activation, weighted, frozen, as_input):
    X, Y = data()
    w = WEIGHTS[:, np.newaxis].astype(float) if weighted else None
    X = as_input(X)
    objective, workspace = build(activation=activation, frozen=frozen)
    theta = objective.theta
    objective(X, Y, w, workspace)
    gradient = objective.grad
    expected = theta.zeros_like()
    expected.flat[:] = central_differences(
        lambda: objective.value(X, Y, w, workspace), theta.flat, step=1e-6
    )
    for view in objective.network.frozen_views(expected):
        view[...] = 0
    np.testing.assert_allclose(gradient.flat, expected.flat, rtol=1e-5, atol=1e-8)


def test_gradient_with_dropout_is_the_difference_quotient():
    X, Y = data()
    w = WEIGHTS[:, np.newaxis].astype(float)
    objective, workspace = build(dropout=[0.2, 0.3, 0.3])
    workspace.draw(np.random.default_rng(0))
    objective(X, Y, w, workspace)
    gradient = objective.grad.flat.copy()
    expected = central_differences(
        lambda: objective.value(X, Y, w, workspace), objective.theta.flat, step=1e-6
    )
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-8)


def test_prediction_is_the_normalization_written_out():
    """With the running statistics. The parameters are not changed."""
    objective, _ = build()
    theta, network = objective.theta, objective.network
    X, _ = data()
    before = theta.copy()
    A = X
    for l, (gamma, mean, variance) in enumerate(zip(*groups(theta), strict=True)):
        U_hat = (A @ theta.coefs[l] - mean) / np.sqrt(variance + EPSILON)
        A = np.tanh(gamma * U_hat + theta.intercepts[l])
    expected = A @ theta.coefs[2] + theta.intercepts[2]
    Z = decision_function(network, objective.arrays, X)
    np.testing.assert_allclose(Z, expected, rtol=1e-10)
    np.testing.assert_array_equal(theta.flat, before.flat)
    np.testing.assert_array_equal(theta.running, before.running)


def normalization(n_samples, n_units, dtype):
    """Return a layer with buffers, and their workspace."""
    network = build(n_samples)[0].network
    workspace = Workspace(network, n_samples, dtype)
    return BatchNorm(n_units, EPSILON).for_batch(workspace, True), workspace


def test_a_constant_unit_is_its_offset():
    """Whose variance is zero, and has no part in the gradient."""
    norm, workspace = normalization(4, 2, np.float64)
    U = np.array([[1.0, 3.0], [2.0, 3.0], [3.0, 3.0], [4.0, 3.0]])
    arrays = [np.ones(2), np.zeros(2), np.zeros(2), np.ones(2)]
    norm.forward(U, arrays, workspace)
    assert not U[:, 1].any()
    scale = 1 / np.sqrt(1.25 + EPSILON)
    np.testing.assert_allclose(U[:, 0], scale * np.array([-1.5, -0.5, 0.5, 1.5]))


def test_float32_is_close_to_float64():
    results = []
    for dtype in (np.float32, np.float64):
        X, Y = data(dtype=dtype)
        w = WEIGHTS[:, np.newaxis].astype(dtype)
        objective, workspace = build(dtype=dtype)
        objective(X, Y, w, workspace)
        workspace.update_running_statistics(objective.arrays, MOMENTUM)
        assert objective.grad.flat.dtype == objective.theta.running.dtype == dtype
        assert norm_of(workspace).mean.dtype == workspace.A[0].dtype == dtype
        results.append(np.concatenate([objective.grad.flat, objective.theta.running]))
    np.testing.assert_allclose(*results, rtol=1e-3, atol=1e-5)


def test_statistics_of_many_samples_keep_their_digits_in_float32():
    n_samples = 200_000
    norm, workspace = normalization(n_samples, 3, np.float32)
    U = np.random.RandomState(0).uniform(1, 2, (n_samples, 3)).astype(np.float32)
    mean, variance = U.mean(axis=0, dtype=float), U.var(axis=0, dtype=float)
    one = np.ones(3, np.float32)
    norm.forward(U, [one, 0 * one, None, None], workspace)
    np.testing.assert_allclose(norm.mean, mean, rtol=2e-7)
    np.testing.assert_allclose(norm.variance, variance, rtol=1e-6)
