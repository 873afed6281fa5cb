"""Tests that every layer has to pass, and tests of single layers against torch."""

import numpy as np
import pytest

from skmlp.core.activations import ACTIVATIONS
from skmlp.core.finite_differences import central_differences
from skmlp.core.inference import decision_function
from skmlp.core.losses import LOSSES
from skmlp.core.network import Workspace
from skmlp.core.objective import Objective
from skmlp.core.parameters import Parameters
from skmlp.core.penalties import ElasticNet
from skmlp.layers import LAYERS, LayerNorm, make_mlp

N_SAMPLES = 9
SIZES = 5, 6, 6, 6, 3
# Networks that have every layer. A new layer needs a network here.
NETWORKS = {
    "dropout": {"dropout": [0.2, 0.3, 0.0, 0.3]},
    "batch_norm": {"batch_norm_epsilon": 1e-3},
    "layer_norm": {"layer_norm": True},
    "residual": {"residual": True},
    "all": {"residual": True, "layer_norm": True, "dropout": [0.2] * 4},
    "residual batch_norm": {"residual": True, "batch_norm_epsilon": 1e-3},
    "members": {"n_members": 4},
    "all and members": {
        "n_members": 2,
        "residual": True,
        "layer_norm": True,
        "dropout": [0.2] * 4,
    },
}
parametrize_network = pytest.mark.parametrize(
    "options", NETWORKS.values(), ids=NETWORKS
)


def build(options, activation="tanh", dtype=np.float64, n_samples=N_SAMPLES):
    """Return an objective with parameters of all values, and its workspace."""
    activations = [ACTIVATIONS[g] for g in (*[activation] * 3, "softmax")]
    network = make_mlp(SIZES, activations, LOSSES["log_loss"](), **options)
    rng = np.random.RandomState(0)
    theta = Parameters(network.layout, dtype)
    theta.flat[:] = rng.uniform(-1.5, 1.5, theta.flat.size)
    theta.running[:] = rng.uniform(0.5, 2, theta.running.size)
    objective = Objective(network, ElasticNet(0.3), theta)
    workspace = Workspace(network, n_samples, dtype)
    workspace.draw(np.random.default_rng(0))
    return objective, workspace


def data(dtype=np.float64):
    rng = np.random.RandomState(1)
    X, w = rng.randn(N_SAMPLES, 5), rng.randint(3, size=(N_SAMPLES, 1))
    Y = np.eye(3)[rng.randint(3, size=N_SAMPLES)]
    return X.astype(dtype), Y.astype(dtype), w.astype(dtype)


def layers_of(options):
    return build(options)[0].network.layers


def test_the_networks_of_this_file_have_every_layer():
    kinds = {
        type(layer) for options in NETWORKS.values() for layer in layers_of(options)
    }
    assert kinds == set(LAYERS.values())


@pytest.mark.parametrize("frozen", [(), (0,), (1, 2)], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "gelu"])
@parametrize_network
def test_gradient_is_the_difference_quotient(options, activation, weighted, frozen):
    X, Y, w = data()
    w = w if weighted else None
    objective, workspace = build({**options, "frozen": frozen}, activation)
    theta = objective.theta
    objective(X, Y, w, workspace)
    gradient = objective.grad.copy()
    expected = theta.zeros_like()
    expected.flat[:] = central_differences(
        lambda: objective.value(X, Y, w, workspace), theta.flat, step=1e-6
    )
    for view in objective.network.frozen_views(expected):
        view[...] = 0
    np.testing.assert_allclose(gradient.flat, expected.flat, rtol=1e-5, atol=1e-8)


@parametrize_network
def test_forward_does_not_change_the_parameters_and_the_input(options):
    objective, workspace = build(options)
    arrays = [*data(), objective.theta.flat, objective.theta.running]
    before = [array.copy() for array in arrays]
    objective(*arrays[:3], workspace)
    decision_function(objective.network, objective.arrays, arrays[0])
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@parametrize_network
def test_prediction_is_the_forward_pass_without_randomness(options, dtype):
    """And with the running statistics: the pass of a workspace for prediction."""
    X = data(dtype)[0]
    objective, _ = build(options, dtype=dtype)
    network = objective.network
    workspace = Workspace(network, N_SAMPLES, dtype, is_training=False)
    P = network.forward(objective.arrays, X, None, workspace)
    P = P.reshape(N_SAMPLES, network.n_members, 3).mean(axis=1)
    Z = decision_function(network, objective.arrays, X)
    assert P.dtype == Z.dtype == dtype
    rtol = 100 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(network.output(Z), P, rtol=rtol)
    one_by_one = decision_function(network, objective.arrays, X, max_elements=1)
    np.testing.assert_allclose(Z, one_by_one, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@parametrize_network
def test_a_layer_can_be_made_from_its_settings(options, dtype):
    for layer in layers_of(options):
        other = type(layer)(**layer.settings)
        other.check()
        assert repr(other) == repr(layer)
        assert other.parameters == layer.parameters
        assert list(layer.parameters) == [
            group for group in layer.parameter_groups if group in layer.parameters
        ]
        assert tuple(layer.statistics) == layer.statistic_groups


@pytest.mark.parametrize("name", LAYERS)
def test_settings_of_a_file_are_checked(name):
    layer = next(
        layer
        for options in NETWORKS.values()
        for layer in layers_of(options)
        if layer.name == name
    )
    for setting, value in layer.settings.items():
        wrong = [None, "a", -1, 0, np.nan, np.inf, [1]]
        if isinstance(value, bool):
            wrong.append(1)
        elif isinstance(value, int):
            wrong += [True, 1.0]
        elif isinstance(value, float):
            wrong.append(True)
        for other in wrong:
            if isinstance(value, bool) and other is False:
                continue
            forged = type(layer)(**layer.settings)
            setattr(forged, setting, other)
            with pytest.raises(ValueError, match=f"{setting} that is not valid"):
                forged.check()


@parametrize_network
def test_no_layer_allocates_memory_in_training(options):
    """Nothing that grows with the batch."""
    import tracemalloc

    n_samples = 2000
    objective, workspace = build(options, n_samples=n_samples)
    X, Y, _ = (np.repeat(a, n_samples // 8, axis=0)[:n_samples] for a in data())
    objective(X, Y, None, workspace)
    tracemalloc.start()
    objective(X, Y, None, workspace)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # NumPy copies the operands of a strided product for each member.
    assert peak < 8 * n_samples * 6 * (1 + (objective.network.n_members > 1))


# Single layers.


def test_layer_norm_is_torchs():
    torch = pytest.importorskip("torch")
    objective, workspace = build({"layer_norm": True})
    theta, (X, Y, _) = objective.theta, data()
    objective.penalty = ElasticNet(0.0)
    E = objective(X, Y, None, workspace)
    coefs, intercepts = theta.coefs, theta.intercepts
    arrays = [*coefs, *intercepts, *theta.groups["layer_norm_scales"]]
    tensors = [torch.tensor(a.copy(), requires_grad=True) for a in arrays]
    W, b, gamma = tensors[:4], tensors[4:8], tensors[8:]
    a = torch.tensor(X)
    for l in range(3):
        u = torch.nn.functional.layer_norm(a @ W[l], (6,), gamma[l], b[l], eps=1e-5)
        a = torch.tanh(u)
    loss = torch.nn.functional.cross_entropy(a @ W[3] + b[3], torch.tensor(Y))
    loss.backward()
    assert E == pytest.approx(loss.item(), rel=1e-12)
    expected = np.concatenate([tensor.grad.numpy().ravel() for tensor in tensors])
    np.testing.assert_allclose(objective.grad.flat, expected, rtol=1e-9, atol=1e-13)


def test_residual_connections_are_torchs():
    """Around the hidden layers of equal size; dropout is within the connection."""
    torch = pytest.importorskip("torch")
    objective, workspace = build({"residual": True, "dropout": [0.0, 0.4, 0.4, 0.4]})
    theta, (X, Y, _) = objective.theta, data()
    objective.penalty = ElasticNet(0.0)
    E = objective(X, Y, None, workspace)
    tensors = [
        torch.tensor(a.copy(), requires_grad=True)
        for a in (*theta.coefs, *theta.intercepts)
    ]
    W, b = tensors[:4], tensors[4:]
    masks = [
        torch.tensor(layer.mask.factors)
        for layer in workspace.layers
        if layer.name == "dropout"
    ]
    a = torch.tanh(torch.tensor(X) @ W[0] + b[0])
    for l in (1, 2):
        a = torch.tanh((a * masks[l - 1]) @ W[l] + b[l]) + a
    z = (a * masks[2]) @ W[3] + b[3]
    loss = torch.nn.functional.cross_entropy(z, torch.tensor(Y))
    loss.backward()
    assert E == pytest.approx(loss.item(), rel=1e-12)
    expected = np.concatenate([tensor.grad.numpy().ravel() for tensor in tensors])
    np.testing.assert_allclose(objective.grad.flat, expected, rtol=1e-9, atol=1e-13)


def test_members_are_torchs():
    """The loss is the mean of those of the members, which differ in r and W_m."""
    torch = pytest.importorskip("torch")
    k = 3
    objective, workspace = build({"n_members": k})
    theta, (X, Y, w) = objective.theta, data()
    objective.penalty = ElasticNet(0.0)
    E = objective(X, Y, w, workspace)
    arrays = [*theta.coefs, *theta.intercepts, *theta.groups["member_scales"]]
    tensors = [torch.tensor(a.copy(), requires_grad=True) for a in arrays]
    W, b, r = tensors[:4], tensors[4:8], tensors[8]
    loss = 0
    for m in range(k):
        a = torch.tensor(X) * r[m]
        for l in range(3):
            a = torch.tanh(a @ W[l] + b[l])
        columns = slice(3 * m, 3 * m + 3)
        z = a @ W[3][:, columns] + b[3][columns]
        losses = torch.nn.functional.cross_entropy(z, torch.tensor(Y), reduction="none")
        loss = loss + (losses * torch.tensor(w[:, 0])).sum() / w.sum() / k
    loss.backward()
    assert E == pytest.approx(loss.item(), rel=1e-12)
    expected = np.concatenate([tensor.grad.numpy().ravel() for tensor in tensors])
    np.testing.assert_allclose(objective.grad.flat, expected, rtol=1e-9, atol=1e-13)


def test_one_member_with_factors_of_one_is_the_network_without_members():
    objective, workspace = build({})
    other, other_workspace = build({"n_members": 2})
    for group, views in objective.theta.groups.items():
        for view, of_members in zip(views, other.theta.groups[group], strict=True):
            repeats = of_members.shape[-1] // view.shape[-1]
            of_members[...] = np.concatenate([view] * repeats, axis=-1)
    other.theta.groups["member_scales"][0][...] = 1
    other.penalty = objective.penalty = ElasticNet(0.0)
    X, Y, w = data()
    E = objective(X, Y, w, workspace)
    assert other(X, Y, w, other_workspace) == pytest.approx(E, rel=1e-12)
    for W, of_members in zip(objective.grad.coefs, other.grad.coefs, strict=True):
        if of_members.shape != W.shape:
            of_members = of_members[:, :3] + of_members[:, 3:]
        np.testing.assert_allclose(of_members, W, rtol=1e-9, atol=1e-12)
    Z, Z_other = (decision_function(o.network, o.arrays, X) for o in (objective, other))
    np.testing.assert_allclose(
        objective.network.output(Z_other), objective.network.output(Z), rtol=1e-12
    )


def test_residual_connections_need_equal_sizes():
    activations = [ACTIVATIONS["relu"]] * 4
    network = make_mlp(
        (4, 4, 5, 5, 1), activations, LOSSES["squared_error"](), residual=True
    )
    names = [layer.name for layer in network.layers]
    assert names.count("branch") == names.count("add") == 1
    assert names.index("branch") == 4  # before the third hidden layer


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layer_norm_has_mean_zero_and_variance_one(dtype):
    """Also where the values are large, with scales of one and offsets of zero."""
    U = np.random.RandomState(0).normal(1e4, 10, (20, 500)).astype(dtype)
    layer = LayerNorm(500)
    arrays = [np.ones(500, dtype), np.zeros(500, dtype)]
    A = layer.forward(U, arrays, None).astype(np.float64)
    assert np.abs(A.mean(axis=1)).max() < 1e-3
    np.testing.assert_allclose(A.var(axis=1), 1, rtol=1e-3)


def test_layer_norm_of_equal_units_is_the_offset():
    layer, b = LayerNorm(3), np.array([1.0, 2.0, 3.0])
    A = layer.forward(np.full((2, 3), 7.0), [np.ones(3), b], None)
    np.testing.assert_array_equal(A, [b, b])
