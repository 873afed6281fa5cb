"""Tests of a step: the order of what it does, against torch and closed forms."""

import math
import tracemalloc

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from skmlp.core.activations import ACTIVATIONS
from skmlp.core.losses import LOSSES
from skmlp.core.network import Network, Workspace
from skmlp.core.objective import Objective
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.parameters import Parameters
from skmlp.core.penalties import ElasticNet
from skmlp.layers import Dropout, make_mlp
from skmlp.training.step import make_step

STEPPING = [name for name in OPTIMIZERS if not OPTIMIZERS[name].full_batch]
SEARCHES = [name for name in OPTIMIZERS if OPTIMIZERS[name].full_batch]
MOMENTUM = {"momentum": 0.9, "nesterovs_momentum": False}
VARIANTS = [
    *((name, {}) for name in OPTIMIZERS),
    ("sgd", MOMENTUM),
    ("sgd", {"momentum": 0.0, "nesterovs_momentum": False}),
]
parametrize_optimizer = pytest.mark.parametrize(("optimizer", "settings"), VARIANTS)
N_SAMPLES = 12
ETA = 0.05


def build(
    optimizer="sgd",
    settings=None,
    alpha=0.0,
    l1_ratio=0.0,
    loss="log_loss",
    activation="tanh",
    layer_sizes=(5, 4, 6, 3),
    n_samples=N_SAMPLES,
    network=None,
    seed=0,
    report_mean=False,
    **options,
):
    """A step and the workspace for its batches."""
    activations = [ACTIVATIONS[activation]] * (len(layer_sizes) - 2)
    activations.append(ACTIVATIONS[LOSSES[loss].output_activation])
    network = make_mlp(layer_sizes, activations, LOSSES[loss](), **(network or {}))
    theta = Parameters(network.layout)
    theta.flat[:] = 0.5 * np.random.RandomState(0).randn(theta.flat.size)
    theta.running[:] = 1
    objective = Objective(network, ElasticNet(alpha, l1_ratio), theta, report_mean)
    step = make_step(
        objective,
        OPTIMIZERS[optimizer](theta.flat, ETA, **(settings or {})),
        rng=np.random.default_rng(seed),
        **options,
    )
    return step, Workspace(network, n_samples, np.float64)


def data(n_samples=N_SAMPLES, n_features=5, n_outputs=3, weighted=True):
    rng = np.random.RandomState(1)
    X = rng.randn(n_samples, n_features)
    Y = np.eye(n_outputs)[rng.randint(n_outputs, size=n_samples)]
    return X, Y, rng.rand(n_samples, 1) if weighted else None


def take(step, workspace, n_steps=1, batch=None):
    """Take steps; the parameters after each of them."""
    points = []
    for _ in range(n_steps):
        step(*(data() if batch is None else batch), workspace)
        points.append(step.objective.theta.flat.copy())
    return np.array(points)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["adamw", "sgd", "nesterov"])
@pytest.mark.parametrize("clip", [None, 0.05])
def test_steps_with_decay_are_torchs(name, clip, weighted):
    """Of the weights alone: torch's biases are in a group without it.

    Torch's SGD has no decoupled decay, so that is written out.
    """
    torch = pytest.importorskip("torch")
    batch, decay = data(weighted=weighted), 0.3
    settings = {"sgd": MOMENTUM, "adamw": {}}.get(name, {"momentum": 0.9})
    step, workspace = build(
        "adamw" if name == "adamw" else "sgd",
        settings,
        weight_decay=decay,
        clip_norm=clip,
        alpha=0.2,
    )
    theta = step.objective.theta
    coefs = [torch.tensor(W.copy(), requires_grad=True) for W in theta.coefs]
    biases = [torch.tensor(b.copy(), requires_grad=True) for b in theta.intercepts]
    if name == "adamw":
        reference = torch.optim.AdamW(
            [
                {"params": coefs, "weight_decay": decay},
                {"params": biases, "weight_decay": 0},
            ],
            lr=ETA,
        )
    else:
        reference = torch.optim.SGD(
            coefs + biases, lr=ETA, momentum=0.9, nesterov=name == "nesterov"
        )
    x, y = torch.tensor(batch[0]), torch.tensor(batch[1])
    w = torch.ones(N_SAMPLES) if batch[2] is None else torch.tensor(batch[2][:, 0])
    for _ in range(10):
        E = step(*batch, workspace)
        reference.zero_grad()
        a = x
        for W, b in zip(coefs[:-1], biases[:-1], strict=True):
            a = torch.tanh(a @ W + b)
        z = a @ coefs[-1] + biases[-1]
        each = torch.nn.functional.cross_entropy(z, y, reduction="none")
        total = (each * w).sum() + 0.1 * sum((W**2).sum() for W in coefs)
        loss = total / w.sum()
        loss.backward()
        length = torch.linalg.vector_norm(
            torch.cat([p.grad.ravel() for p in coefs + biases])
        ).item()
        assert length > 0.05
        if clip is not None:
            for p in coefs + biases:
                p.grad *= clip / length
        if name != "adamw":
            with torch.no_grad():
                for W in coefs:
                    W *= 1 - ETA * decay
        reference.step()
        assert pytest.approx(loss.item(), rel=1e-9) == E
        assert step.grad_norm == pytest.approx(length, rel=1e-9)
    for ours, theirs in zip(
        theta.coefs + theta.intercepts, coefs + biases, strict=True
    ):
        np.testing.assert_allclose(ours, theirs.detach(), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weight_decay_is_apart_from_the_gradient(optimizer):
    """A first step is that without it, and the decay of where it started."""
    decay = 0.4
    plain, decaying = (
        build(optimizer, weight_decay=weight_decay) for weight_decay in (0.0, decay)
    )
    start = plain[0].objective.theta.copy()
    (without,), (point,) = take(*plain), take(*decaying)
    if optimizer in SEARCHES:
        # It comes after the search, with the step size that has been found.
        rate = decaying[0].optimizer.learning_rate
        shift = -rate * decay * without
    else:
        shift = -ETA * decay * start.flat
    shift[start.weights.size :] = 0
    assert np.abs(shift).max() > 1e-3
    np.testing.assert_allclose(point - without, shift, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weights_are_bounded_last(optimizer):
    """Whatever moved them; biases and scales are not."""
    step, workspace = build(
        optimizer,
        alpha=0.1,
        l1_ratio=0.5,
        weight_decay=0.1,
        max_norm=0.8,
        network={"batch_norm_epsilon": 1e-3},
    )
    theta = step.objective.theta
    scales = theta.groups["batch_norm_scales"]
    theta.intercepts[0][:] = scales[0][:] = 5
    at_the_bound = []
    for _ in range(5):
        take(step, workspace)
        lengths = np.concatenate([np.linalg.norm(W, axis=0) for W in theta.coefs])
        assert (lengths <= 0.8 * (1 + 1e-12)).all()
        at_the_bound.append(np.isclose(lengths, 0.8).any())
    assert any(at_the_bound)
    assert theta.intercepts[0].min() > 4
    assert scales[0].min() > 4


@pytest.mark.parametrize("optimizer", STEPPING)
def test_order_of_operations_in_a_step(optimizer):
    """Gradient, its bound, decay, optimizer with prox, and the weights' bound.

    The proximal step is shortened with the gradient.
    """
    step, workspace = build(
        optimizer,
        alpha=0.2,
        l1_ratio=0.5,
        weight_decay=0.3,
        clip_norm=0.05,
        max_norm=0.6,
    )
    twin, twin_tape = build(optimizer, alpha=0.2, l1_ratio=0.5)
    objective, theta = twin.objective, twin.objective.theta
    n_weights, batch = theta.weights.size, data()

    def prox(flat, size):
        size = size[:n_weights] if np.ndim(size) else size
        threshold = size * min(1, 0.05 / length) * 0.1 / batch[2].sum()
        w = flat[:n_weights]
        w[...] = np.sign(w) * np.maximum(np.abs(w) - threshold, 0)

    for point in take(step, workspace, 5, batch):
        objective(*batch, twin_tape)
        grad = objective.grad.flat
        length = np.linalg.norm(grad)
        grad *= min(1, 0.05 / length)
        theta.weights *= 1 - ETA * 0.3
        twin.optimizer.step(theta.flat, grad, np.empty_like(grad), prox)
        for W in theta.coefs:
            W *= 0.6 / np.maximum(0.6, np.linalg.norm(W, axis=0))
        np.testing.assert_allclose(point, theta.flat, rtol=1e-9, atol=1e-14)
    assert step.grad_norm == pytest.approx(length, rel=1e-9)
    assert length > 0.05


@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [("sgd", {"momentum": 0.5}), ("sgd", MOMENTUM), ("adam", {}), ("armijo", {})],
)
def test_the_bound_on_the_gradient_leaves_the_minimum_where_it_is(optimizer, settings):
    """Where the gradient of the rest is longer than the bound, as L1's is."""
    X, Y, _ = data(60, weighted=False)
    X, Y = X[:, :4], X[:, :1] * 2 - X[:, 1:2] + 0.1 * Y[:, :1]
    exact = Lasso(alpha=0.2, tol=1e-14).fit(X, Y[:, 0])
    assert 0 < np.count_nonzero(exact.coef_) < 4
    step, workspace = build(
        optimizer,
        settings,
        alpha=0.2 * 60,
        l1_ratio=1.0,
        loss="squared_error",
        layer_sizes=(4, 1),
        n_samples=60,
        clip_norm=0.1,
    )
    theta = step.objective.theta
    for i in range(3000):
        step.optimizer.learning_rate = 0.3 / (1 + i / 50)
        step(X, Y, None, workspace)
        if step.optimizer.stationary:
            break
    assert step.grad_norm > 0.2
    np.testing.assert_array_equal(theta.coefs[0][:, 0] == 0, exact.coef_ == 0)
    np.testing.assert_allclose(theta.coefs[0][:, 0], exact.coef_, atol=1e-5)
    np.testing.assert_allclose(theta.intercepts[0], exact.intercept_, atol=1e-5)


FROZEN = [(0,), (1,), (2,), (0, 2)]


@pytest.mark.parametrize("frozen", FROZEN, ids=str)
@parametrize_optimizer
def test_frozen_layers_stay_exactly_as_they_are(optimizer, settings, frozen):
    """Under L1, momentum, decay and bounds; and the others move."""
    step, workspace = build(
        optimizer,
        settings,
        alpha=0.5,
        l1_ratio=0.9,
        weight_decay=0.1,
        clip_norm=1.0,
        max_norm=0.5,
        network={"frozen": frozen, "batch_norm_epsilon": 1e-3, "dropout": [0.1] * 3},
    )
    theta = step.objective.theta
    before = theta.copy()
    for point in take(step, workspace, 8):
        assert np.isfinite(point).all()
    for part, views in theta.groups.items():
        pairs = zip(views, before.groups[part], strict=True)
        for l, (view, start) in enumerate(pairs):
            if l in frozen:
                np.testing.assert_array_equal(view, start)
            else:
                assert (view != start).any()
    for name in step.optimizer.state:
        assert np.isfinite(getattr(step.optimizer, name)).all()


@pytest.mark.parametrize(
    ("optimizer", "settings"),
    # The noise of random search depends on the number of parameters.
    [variant for variant in VARIANTS if variant[0] != "random_search"],
)
def test_layers_that_are_not_frozen_train_like_a_separate_network(optimizer, settings):
    """The last layer on top of frozen ones is a linear model of their units."""
    options = {"alpha": 0.5, "l1_ratio": 0.6, "weight_decay": 0.1}
    if optimizer in SEARCHES:
        settings = {"armijo_sigma": 0.4}
    step, workspace = build(optimizer, settings, network={"frozen": (0, 1)}, **options)
    theta = step.objective.theta
    X, Y, w = data()
    A = X
    for W, b in zip(theta.coefs[:2], theta.intercepts[:2], strict=True):
        A = np.tanh(A @ W + b)
    alone, alone_tape = build(optimizer, settings, layer_sizes=(6, 3), **options)
    alone.objective.theta.coefs[0][:] = theta.coefs[2]
    alone.objective.theta.intercepts[0][:] = theta.intercepts[2]
    take(step, workspace, 30)
    take(alone, alone_tape, 30, (A, Y, w))
    np.testing.assert_allclose(
        theta.coefs[2], alone.objective.theta.coefs[0], rtol=1e-8, atol=1e-12
    )
    np.testing.assert_allclose(
        theta.intercepts[2], alone.objective.theta.intercepts[0], rtol=1e-8
    )
    assert step.grad_norm == pytest.approx(alone.grad_norm, rel=1e-8)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_armijo_searches_the_true_objective_and_not_the_reported_one(l1_ratio):
    """They differ by a factor where there are several outputs."""
    sigma = 0.4
    step, workspace = build(
        "armijo",
        {"armijo_sigma": sigma},
        alpha=0.5,
        l1_ratio=l1_ratio,
        loss="squared_error",
        report_mean=True,
    )
    objective, optimizer, batch = step.objective, step.optimizer, data()
    theta, n = objective.theta, batch[2].sum()

    def E():
        A, X = batch[0], batch[0]
        for W, b in zip(theta.coefs[:-1], theta.intercepts[:-1], strict=True):
            A = np.tanh(A @ W + b)
        P = A @ theta.coefs[-1] + theta.intercepts[-1]
        w = theta.weights
        penalty = 0.5 * (l1_ratio * np.abs(w).sum() + (1 - l1_ratio) / 2 * (w @ w))
        assert len(X) == N_SAMPLES
        return ((batch[2] * (P - batch[1]) ** 2).sum() / 2 + penalty) / n

    sizes = set()
    for _ in range(15):
        start, before = theta.flat.copy(), E()
        reported = step(*batch, workspace)
        penalty = before - (before - reported) * 3 / 2
        assert reported == pytest.approx((before - penalty) / 3 + penalty)
        d, t = theta.flat - start, optimizer.learning_rate
        after, end = E(), theta.flat.copy()
        assert after <= before - sigma / t * (d @ d) + 1e-14
        sizes.add(t)
        if t < 1:  # twice the step size would not have been enough
            g = objective.grad.flat
            theta.flat[:] = start - 2 * t * g
            shrink = 2 * t * 0.5 * l1_ratio / n
            w = theta.weights
            w[:] = np.sign(w) * np.maximum(np.abs(w) - shrink, 0)
            d = theta.flat - start
            assert E() > before - sigma / (2 * t) * (d @ d)
            theta.flat[:] = end
    assert len(sizes) > 1 or sizes == {0.5}


def test_armijo_is_stationary_at_the_minimum_of_the_layers_that_are_not_frozen():
    """Although the L1 penalty would move the frozen weights."""
    step, workspace = build(
        "armijo",
        alpha=0.5,
        l1_ratio=1.0,
        network={"frozen": (0, 1)},
        loss="squared_error",
    )
    theta, n_evaluations = step.objective.theta, 0
    value = step.objective.value

    def counted(*args):
        nonlocal n_evaluations
        n_evaluations += 1
        return value(*args)

    # No gradient is large enough to move these weights from zero.
    theta.coefs[2][:] = 0
    step.objective.penalty = ElasticNet(1e6, 1.0)
    X, Y, w = data()
    theta.intercepts[2][:] = np.average(Y, axis=0, weights=w[:, 0])
    step.objective.value = counted
    step(X, Y, w, workspace)
    assert not theta.coefs[2].any()
    assert step.optimizer.stationary
    assert n_evaluations <= 3  # one of them for the gradient


@pytest.mark.parametrize("optimizer", SEARCHES)
def test_a_search_sees_one_dropout_mask(optimizer):
    """Another one in the next step."""
    step, workspace = build(optimizer, network={"dropout": [0.3, 0.3, 0.3]})
    masks, forward = [], step.objective.network.forward
    dropout = [layer for layer in workspace.layers if isinstance(layer, Dropout)]

    def noting_the_masks(*args):
        masks.append(np.concatenate([d.mask.factors.ravel() for d in dropout]))
        return forward(*args)

    step.objective.network.forward = noting_the_masks
    take(step, workspace)
    first = len(masks)
    assert first > 1
    take(step, workspace)
    assert len(masks) > first + 1
    assert all((mask == masks[0]).all() for mask in masks[:first])
    assert all((mask == masks[first]).all() for mask in masks[first:])
    assert (masks[0] != masks[first]).any()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_dropout_is_drawn_from_the_steps_generator(optimizer):
    runs = [
        take(*build(optimizer, seed=seed, network={"dropout": [0.2] * 3}), n_steps=3)
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).any()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_running_statistics_are_those_of_the_weights_before_the_step(optimizer):
    """And not of what a search has tried, be it taken or not."""
    settings = {"search_radius": 3.0} if optimizer == "random_search" else {}
    step, workspace = build(
        optimizer,
        settings,
        network={"batch_norm_epsilon": 1e-3},
        batch_norm_momentum=0.25,
    )
    theta, (X, Y, w) = step.objective.theta, data()

    def running(name, theta):
        return theta.groups[f"batch_norm_{name}"][0]

    for _ in range(5):
        U = X @ theta.coefs[0]
        before = theta.copy()
        step(X, Y, w, workspace)
        mean = np.average(U, axis=0, weights=w[:, 0])
        variance = np.average((U - mean) ** 2, axis=0, weights=w[:, 0])
        np.testing.assert_allclose(
            running("means", theta),
            0.75 * running("means", before) + 0.25 * mean,
            rtol=1e-10,
        )
        np.testing.assert_allclose(
            running("variances", theta),
            0.75 * running("variances", before) + 0.25 * variance,
            rtol=1e-10,
        )


def test_no_gradient_is_computed_for_a_search_without_one(monkeypatch):
    step, workspace = build("random_search", clip_norm=0.1)
    monkeypatch.setattr(Network, "backward", None)
    start = step.objective.value(*data(), workspace)
    values = [step(*data(), workspace) for _ in range(50)]
    assert values[0] == start
    assert (np.diff(values) <= 0).all()
    assert values[-1] < start
    assert math.isnan(step.grad_norm)


@pytest.mark.parametrize("clip", [None, 1e-3])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "armijo"])
def test_grad_norm_is_that_of_the_gradient_before_it_is_bounded(optimizer, clip):
    step, workspace = build(optimizer, clip_norm=clip)
    assert math.isnan(step.grad_norm)
    reference, reference_tape = build(optimizer)
    reference.objective(*data(), reference_tape)
    gradient = reference.objective.grad.flat
    kept = step.keep_gradient()
    take(step, workspace)
    assert step.grad_norm == pytest.approx(np.linalg.norm(gradient), rel=1e-12)
    np.testing.assert_array_equal(kept, gradient)


@parametrize_optimizer
def test_step_with_all_options_allocates_almost_no_memory(
    optimizer, settings, one_blas_thread
):
    """Where every array of the large case has 400 kB or more."""
    before = np.setbufsize(128)  # keep NumPy's own buffers out of the account
    for n_samples, layer_sizes in [(10, (5, 7, 6, 3)), (250, (220, 250, 230, 240))]:
        step, workspace = build(
            optimizer,
            settings,
            alpha=0.1,
            l1_ratio=0.5,
            layer_sizes=layer_sizes,
            n_samples=n_samples,
            weight_decay=0.1,
            clip_norm=1e-3,
            max_norm=2.0,
            network={
                "dropout": [0.1, 0.2, 0.3],
                "batch_norm_epsilon": 1e-3,
                "frozen": (0,),
            },
        )
        step.optimizer.learning_rate = 1e-4
        step.keep_gradient()
        batch = data(n_samples, layer_sizes[0], layer_sizes[-1])
        take(step, workspace, batch=batch)
        tracemalloc.start()
        step(*batch, workspace)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 30_000, n_samples
    np.setbufsize(before)


def test_an_interrupted_step_keeps_the_bounds():
    step, workspace = build("adam", max_norm=0.5, network={"frozen": [0]})
    theta = step.objective.theta
    frozen = theta.coefs[0].copy()
    move = step.optimizer.step

    def interrupted(*args):
        move(*args)
        theta.flat += 1.0
        raise KeyboardInterrupt

    step.optimizer.step = interrupted
    with pytest.raises(KeyboardInterrupt):
        take(step, workspace, 1)
    np.testing.assert_array_equal(theta.coefs[0], frozen)
    for W in theta.coefs[1:]:
        assert (np.linalg.norm(W, axis=0) <= 0.5 + 1e-12).all()
