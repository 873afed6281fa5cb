"""Tests of the forward pass, backpropagation and the objective."""

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix

from skmlp.core.activations import ACTIVATIONS, HIDDEN_ACTIVATIONS
from skmlp.core.finite_differences import central_differences
from skmlp.core.losses import LOSSES
from skmlp.core.network import Workspace
from skmlp.core.objective import Objective
from skmlp.core.parameters import Parameters
from skmlp.core.penalties import ElasticNet
from skmlp.layers import make_mlp

N_SAMPLES = 9
N_FEATURES = 6
N_OUTPUTS = 3
HIDDEN = [(), (4,), (5, 3, 4)]
# One of the two varies at a time.
PAIRS = [(activation, "log_loss") for activation in HIDDEN_ACTIVATIONS]
PAIRS += [("tanh", loss) for loss in LOSSES if loss != "log_loss"]

parametrize_input = pytest.mark.parametrize(
    "as_input", [np.asarray, np.asfortranarray, csr_matrix, csr_array]
)


def over_networks(test):
    test = pytest.mark.parametrize("hidden", HIDDEN, ids=str)(test)
    return pytest.mark.parametrize(("activation", "loss"), PAIRS)(test)


def build(activation, loss, hidden, dtype=np.float64, output=None, **options):
    """A network with random parameters, and buffers for a batch.

    The activation is that of every hidden layer, or a list of theirs.
    """
    layer_sizes = (N_FEATURES, *hidden, N_OUTPUTS)
    names = [activation] * len(hidden) if isinstance(activation, str) else activation
    names = [*names, output or LOSSES[loss].output_activation]
    activations = [ACTIVATIONS[name] for name in names]
    network = make_mlp(layer_sizes, activations, LOSSES[loss](), **options)
    theta = Parameters(network.layout, dtype)
    theta.flat[:] = 0.7 * np.random.RandomState(0).randn(theta.flat.size)
    theta.running[:] = np.random.RandomState(2).uniform(0.5, 2, theta.running.size)
    return network, theta, Workspace(network, N_SAMPLES, dtype)


def data(weighted=False, dtype=np.float64):
    """Input with zeros in it, targets that every loss can have, and weights."""
    rng = np.random.RandomState(1)
    X = rng.randn(N_SAMPLES, N_FEATURES) * (rng.rand(N_SAMPLES, N_FEATURES) > 0.3)
    Y = np.eye(N_OUTPUTS)[np.arange(N_SAMPLES) % N_OUTPUTS]
    w = np.arange(float(N_SAMPLES))[:, np.newaxis] if weighted else None
    return X.astype(dtype), Y.astype(dtype), w


def textbook_output(network, theta, X):
    """A of the last layer, as the textbook writes it."""
    A = X
    for W, b, g in zip(theta.coefs, theta.intercepts, network.activations, strict=True):
        Z = A @ W + b
        A = np.empty_like(Z) if g.needs_z else Z
        g.forward(Z, A)
    return A


def torch_losses_of_logits():
    """Of the last layer's pre-activations."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    return {
        "squared_error": lambda z, y: (z - y) ** 2 / 2,
        "absolute_error": lambda z, y: (z - y).abs(),
        "huber": lambda z, y: functional.huber_loss(z, y, reduction="none"),
        "quantile": lambda z, y: (z - y).abs() / 2,
        "poisson": lambda z, y: (
            functional.poisson_nll_loss(z, y, reduction="none") + torch.xlogy(y, y) - y
        ),
        "binary_log_loss": lambda z, y: functional.binary_cross_entropy_with_logits(
            z, y, reduction="none"
        ),
        "log_loss": lambda z, y: functional.cross_entropy(z, y, reduction="none"),
    }


def torch_objective(theta, activations, loss, X, Y, w, l2):
    """The objective without L1, its gradient, and the sum of the weights.

    By autograd, over every weight and bias.
    """
    torch = pytest.importorskip("torch")
    losses = torch_losses_of_logits()
    assert loss in losses, f"give the new loss {loss!r} a torch function"
    coefs = [torch.tensor(W, requires_grad=True) for W in theta.coefs]
    intercepts = [torch.tensor(b, requires_grad=True) for b in theta.intercepts]
    z = torch.tensor(X)
    for l, (W, b) in enumerate(zip(coefs, intercepts, strict=True)):
        z = z @ W + b
        if l < len(activations):
            z = activations[l](z)
    weights = torch.tensor(np.ones(len(X)) if w is None else w.ravel())
    each = losses[loss](z, torch.tensor(Y)).reshape(len(X), -1).sum(1)
    smooth = weights @ each + l2 / 2 * sum((W**2).sum() for W in coefs)
    (smooth / weights.sum()).backward()
    gradient = np.concatenate([a.grad.numpy().ravel() for a in coefs + intercepts])
    return smooth.item() / weights.sum().item(), gradient, weights.sum().item()


@parametrize_input
@over_networks
def test_forward_is_the_textbook_formula(activation, loss, hidden, as_input):
    network, theta, workspace = build(activation, loss, hidden)
    X, _, _ = data()
    expected = textbook_output(network, theta, X)
    P = network.forward(network.arrange(theta), as_input(X), None, workspace)
    assert P is workspace.A[-1]
    np.testing.assert_allclose(P, expected, rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@over_networks
def test_objective_and_gradient_are_torchs(
    activation, loss, hidden, weighted, torch_activation
):
    """With a penalty."""
    network, theta, workspace = build(activation, loss, hidden)
    X, Y, w = data(weighted)
    objective = Objective(network, ElasticNet(alpha=0.8, l1_ratio=0.25), theta)
    E = objective(X, Y, w, workspace)
    smooth, gradient, n = torch_objective(
        theta, [torch_activation(activation)] * len(hidden), loss, X, Y, w, l2=0.6
    )
    expected = smooth + 0.2 * np.abs(theta.weights).sum() / n
    np.testing.assert_allclose(E, expected, rtol=1e-12)
    assert objective.n == n
    assert objective.E == E
    np.testing.assert_allclose(objective.grad.flat, gradient, rtol=1e-10, atol=1e-14)
    assert objective.value(X, Y, w, workspace) == E


@pytest.mark.parametrize(
    "activations",
    [("mish", "relu", "gelu"), ("tanh", "silu", "identity"), ("silu", "elu", "silu")],
    ids="-".join,
)
def test_each_layer_can_have_a_different_activation(activations, torch_activation):
    network, theta, workspace = build(activations, "log_loss", (5, 3, 4))
    X, Y, w = data(weighted=True)
    objective = Objective(network, ElasticNet(alpha=0.6), theta)
    E = objective(X, Y, w, workspace)
    expected, gradient, _ = torch_objective(
        theta, [*map(torch_activation, activations)], "log_loss", X, Y, w, l2=0.6
    )
    np.testing.assert_allclose(E, expected, rtol=1e-12)
    np.testing.assert_allclose(objective.grad.flat, gradient, rtol=1e-10, atol=1e-14)


def allowed_outputs():
    for name, loss in LOSSES.items():
        for output, g in ACTIVATIONS.items():
            probabilities = loss.output_activation in ("logistic", "softmax")
            if probabilities and output not in ("logistic", "softmax"):
                continue
            if loss.positive_output and not g.positive:
                continue
            yield name, output


@pytest.mark.parametrize(("loss", "output"), list(allowed_outputs()))
def test_gradient_with_any_output_activation_is_the_difference_quotient(loss, output):
    """Also where it is not p - y, and the activation's derivative is needed."""
    network, theta, workspace = build("tanh", loss, (4,), output=output)
    assert network.has_canonical_output == (
        ACTIVATIONS[output].name == network.loss.canonical
    )
    X, Y, w = data(weighted=True)
    Y = (0.1 + 0.8 * Y) / 1.1  # not where the rectifiers have a kink
    objective = Objective(network, ElasticNet(0.3), theta)
    objective(X, Y, w, workspace)
    gradient = objective.grad.flat.copy()
    expected = central_differences(
        lambda: objective.value(X, Y, w, workspace), theta.flat, step=1e-6
    )
    assert np.abs(expected).max() > 1e-2
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


FROZEN = [(0,), (1,), (3,), (0, 1), (0, 2), (1, 2, 3)]


@pytest.mark.parametrize("batch_norm_epsilon", [None, 1e-5])
@pytest.mark.parametrize("frozen", FROZEN, ids=str)
def test_frozen_layers_have_no_gradient_and_change_no_other(frozen, batch_norm_epsilon):
    """With batch normalization, theirs has the running statistics."""
    X, Y, w = data(weighted=True)
    network, theta, workspace = build(
        "gelu",
        "log_loss",
        (5, 3, 4),
        batch_norm_epsilon=batch_norm_epsilon,
        frozen=frozen,
    )
    objective = Objective(network, ElasticNet(0.3, 0.5), theta)
    objective.grad.flat[:] = np.nan  # whatever was there
    objective(X, Y, w, workspace)
    objective.penalty = objective.penalty.smooth
    expected = Parameters(
        theta.layout,
        flat=central_differences(
            lambda: objective.value(X, Y, w, workspace), theta.flat
        ),
    )
    for part in theta.layout.parameters:
        pairs = zip(objective.grad.groups[part], expected.groups[part], strict=True)
        for l, (gradient, differences) in enumerate(pairs):
            if l in frozen:
                assert not gradient.any()
                assert not (gradient == differences).all()
            else:
                np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-9)
    if batch_norm_epsilon is None:
        network, _, workspace = build("gelu", "log_loss", (5, 3, 4))
        everything = Objective(network, ElasticNet(0.3, 0.5), theta)
        everything(X, Y, w, workspace)
        frozen_views = objective.network.frozen_views(everything.grad)
        assert len(frozen_views) == 2 * len(frozen)
        for view in frozen_views:
            view[...] = 0
        np.testing.assert_array_equal(objective.grad.flat, everything.grad.flat)


@parametrize_input
@pytest.mark.parametrize("weighted", [False, True])
def test_objective_is_the_same_for_every_kind_of_input(as_input, weighted):
    network, theta, workspace = build("tanh", "log_loss", (5, 4))
    X, Y, w = data(weighted)
    reference = Objective(network, ElasticNet(0.1), theta)
    objective = Objective(network, ElasticNet(0.1), theta)
    E = reference(X, Y, w, Workspace(network, N_SAMPLES, np.float64))
    for _ in range(2):  # the buffers may be used again
        np.testing.assert_allclose(
            objective(as_input(X), Y, w, workspace), E, rtol=1e-13
        )
        np.testing.assert_allclose(
            objective.grad.flat, reference.grad.flat, rtol=1e-11, atol=1e-14
        )


@over_networks
def test_objective_does_not_change_the_data_and_the_parameters(
    activation, loss, hidden
):
    network, theta, workspace = build(activation, loss, hidden)
    arrays = [*data(weighted=True), theta.flat]
    before = [array.copy() for array in arrays]
    Objective(network, ElasticNet(0.3, 0.5), theta)(*arrays[:3], workspace)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("loss", LOSSES)
def test_objective_in_float32_is_close_to_float64(loss):
    gradients = []
    for dtype in (np.float32, np.float64):
        network, theta, workspace = build("relu", loss, (5, 4), dtype)
        objective = Objective(network, ElasticNet(0.3, 0.5), theta)
        X, Y, _ = data(dtype=dtype)
        objective(X, Y, None, workspace)
        buffers = [
            *workspace.A,
            workspace.delta,
            *(layer.delta for layer in workspace.layers if layer.delta is not None),
            workspace.scratch(1),
            objective.grad.flat,
        ]
        assert {buffer.dtype for buffer in buffers} == {np.dtype(dtype)}
        assert workspace.row.dtype == np.float64  # for sums over many samples
        gradients.append(objective.grad.flat)
    np.testing.assert_allclose(*gradients, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_reported_mean_over_the_outputs_changes_no_gradient(loss):
    """Of regression's errors the mean is reported, as scikit-learn does it."""
    network, theta, workspace = build("tanh", loss, (4,))
    X, Y, _ = data()
    total, mean = (
        Objective(network, ElasticNet(0.0), theta, report_mean)
        for report_mean in (0, 1)
    )
    ratio = total(X, Y, None, workspace) / mean(X, Y, None, workspace)
    assert ratio == pytest.approx(N_OUTPUTS if LOSSES[loss].mean_over_outputs else 1)
    assert total.E == mean.E
    np.testing.assert_array_equal(total.grad.flat, mean.grad.flat)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_mean_loss_is_the_loss_of_training(loss, weighted):
    """Without the penalty."""
    network, theta, workspace = build("tanh", loss, (4,))
    X, Y, w = data(weighted)
    objective = Objective(network, ElasticNet(0.0), theta, report_mean=True)
    reported = objective.value(X, Y, w, workspace)
    P = workspace.A[-1]
    mean = network.mean_loss(Y, P, None if w is None else w[:, 0])
    assert mean == pytest.approx(reported, rel=1e-13)


@pytest.mark.parametrize("output", ACTIVATIONS)
def test_output_applies_the_last_activation_to_a_copy(output):
    network, theta, workspace = build("tanh", "squared_error", (4,), output=output)
    X, _, _ = data()
    P = network.forward(network.arrange(theta), X, None, workspace)
    hidden = np.tanh(X @ theta.coefs[0] + theta.intercepts[0])
    Z = hidden @ theta.coefs[1] + theta.intercepts[1]
    before = Z.copy()
    np.testing.assert_allclose(network.output(Z), P, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(Z, before)


@pytest.mark.parametrize("batch_norm_epsilon", [None, 1e-5])
@pytest.mark.parametrize("activation", ["relu", "softsign", "gelu"])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "log_loss"])
def test_a_weight_of_zero_is_an_absent_sample_even_if_it_overflows(
    loss, activation, batch_norm_epsilon
):
    X, Y, w = data(weighted=True)
    results = []
    for x in [1.0, 1e308]:
        network, theta, workspace = build(
            activation, loss, (5, 4), batch_norm_epsilon=batch_norm_epsilon
        )
        theta.coefs[0] *= 10
        X[0] = x
        objective = Objective(network, ElasticNet(0.3), theta)
        with np.errstate(all="ignore"):
            E = objective(X, Y, w, workspace)
        results.append([E, *objective.grad.flat])
    assert w[0] == 0
    assert np.isfinite(results[0]).all()
    np.testing.assert_array_equal(*results)
