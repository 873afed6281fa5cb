"""Tests of the optimizers against torch, scikit-learn and exact solutions."""

import inspect
import math
import pickle
from copy import deepcopy

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet as LinearElasticNet
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from skmlp import MLPRegressorScratch
from skmlp.core.optimizers import OPTIMIZERS, Optimizer
from skmlp.core.penalties import ElasticNet

ADAM_SETTINGS = [
    {},
    {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
    {"beta_1": 0.0},
]
SETTINGS = {
    "sgd": [
        {"momentum": momentum, "nesterovs_momentum": nesterov}
        for momentum, nesterov in [(0.0, False), (0.9, False), (0.9, True), (0.5, True)]
    ],
    **dict.fromkeys(["adam", "adamw", "amsgrad"], ADAM_SETTINGS),
    "nadam": [
        *ADAM_SETTINGS,
        {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3, "momentum_decay": 0.1},
    ],
    "rmsprop": [{}, {"rho": 0.5, "epsilon": 1e-3}, {"rho": 0.0}],
    "adagrad": [{}, {"epsilon": 1e-1}],
}
# What the searches do is tested in test_searches.py.
STEPPING = [name for name in OPTIMIZERS if not OPTIMIZERS[name].full_batch]
# A new optimizer is at least tested with its defaults.
CASES = [
    pytest.param(name, settings, id=f"{name}-{'-'.join(map(str, settings.values()))}")
    for name in STEPPING
    for settings in SETTINGS.get(name, [{}])
]
parametrize_optimizer = pytest.mark.parametrize(("name", "settings"), CASES)


def rosenbrock_gradient(theta):
    """Gradient of a function of four variables that is not convex."""
    x, y = theta[::2], theta[1::2]
    gradient = np.empty_like(theta)
    gradient[::2] = 4 * x * (x**2 - y) - 2 * (1 - x)
    gradient[1::2] = 2 * (y - x**2)
    return gradient


START = np.array([-1.2, 1.0, 0.3, -0.7])


def trajectory(optimizer, n_steps=60, theta=START, prox=None, halve_at=None):
    """The points that the optimizer visits, each step with its own gradient."""
    theta = theta.copy()
    points = []
    for i in range(n_steps):
        if i == halve_at:
            optimizer.learning_rate /= 2
        gradient = rosenbrock_gradient(theta)
        assert optimizer.step(theta, gradient, np.empty_like(theta), prox) is None
        points.append(theta.copy())
    return np.array(points)


def torch_optimizer(torch, x, optimizer):
    """The same optimizer in torch."""
    name = optimizer.name
    if name == "sgd":
        return torch.optim.SGD(
            [x],
            lr=0.01,
            momentum=optimizer.momentum,
            nesterov=optimizer.nesterovs_momentum,
        )
    options = {"lr": 0.01, "eps": optimizer.epsilon}
    if name == "rmsprop":
        return torch.optim.RMSprop([x], alpha=optimizer.rho, **options)
    if name == "adagrad":
        return torch.optim.Adagrad([x], **options)
    options["betas"] = optimizer.beta_1, optimizer.beta_2
    if name in ("adam", "amsgrad"):
        return torch.optim.Adam([x], amsgrad=name == "amsgrad", **options)
    if name == "adamw":
        return torch.optim.AdamW([x], weight_decay=0, **options)
    if name == "nadam":
        return torch.optim.NAdam(
            [x], momentum_decay=optimizer.momentum_decay, **options
        )
    pytest.fail(f"give the new optimizer {name!r} a reference in torch here")


@pytest.fixture
def torch():
    """Torch, with double precision for what it counts and multiplies."""
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(before)


@parametrize_optimizer
def test_trajectory_is_torchs(torch, name, settings):
    """Also when the learning rate changes on the way.

    But for SGD, whose velocity is in torch not a distance: a new learning rate
    there changes what is left of the old steps.
    """
    x = torch.tensor(START, requires_grad=True)
    optimizer = OPTIMIZERS[name](START, 0.01, **settings)
    reference = torch_optimizer(torch, x, optimizer)
    halve_at = None if name == "sgd" else 30
    points = trajectory(optimizer, halve_at=halve_at)
    (group,) = reference.param_groups
    for t, point in enumerate(points, start=1):
        if t - 1 == halve_at:
            group["lr"] /= 2
        if name == "adam":
            # torch adds epsilon after the correction of the bias, we do before.
            group["eps"] = optimizer.epsilon / math.sqrt(1 - optimizer.beta_2**t)
        x.grad = torch.tensor(rosenbrock_gradient(x.detach().numpy()))
        reference.step()
        np.testing.assert_allclose(point, x.detach().numpy(), rtol=1e-10)
    assert np.abs(points[-1] - START).max() > 0.05


def test_the_weight_decay_of_adamw_can_be_done_before_its_step(torch):
    x = torch.tensor(START, requires_grad=True)
    reference = torch.optim.AdamW([x], lr=0.01, weight_decay=0.3)
    theta, work = START.copy(), np.empty_like(START)
    optimizer = OPTIMIZERS["adamw"](theta, 0.01)
    for _ in range(60):
        gradient = rosenbrock_gradient(theta)
        theta *= 1 - optimizer.learning_rate * 0.3
        optimizer.step(theta, gradient, work)
        x.grad = torch.tensor(rosenbrock_gradient(x.detach().numpy()))
        reference.step()
        np.testing.assert_allclose(theta, x.detach().numpy(), rtol=1e-10)


def test_amsgrad_forgets_no_large_gradient():
    """Where Adam's steps grow again, its own do not."""
    steps = {}
    for name in ("adamw", "amsgrad"):
        theta, work = np.zeros(1), np.empty(1)
        optimizer = OPTIMIZERS[name](theta, 0.1, beta_1=0.0, beta_2=0.5)
        for gradient in [100.0] + [1.0] * 20:
            before = theta.copy()
            optimizer.step(theta, np.array([gradient]), work)
        steps[name] = (before - theta).item()
    assert steps["adamw"] == pytest.approx(0.1, rel=0.01)
    assert steps["amsgrad"] < 0.002


@parametrize_optimizer
def test_trajectory_is_scikit_learns(name, settings):
    """Also when the learning rate changes on the way."""
    theta = START.copy()
    if name == "sgd":
        reference = SGDOptimizer(
            [theta],
            0.01,
            momentum=settings["momentum"],
            nesterov=settings["nesterovs_momentum"],
        )
    elif name == "adam":
        reference = AdamOptimizer([theta], 0.01, **settings)
    else:
        pytest.skip("scikit-learn does not have it")

    points = trajectory(OPTIMIZERS[name](START, 0.01, **settings), halve_at=30)
    for i, point in enumerate(points):
        if i == 30:
            reference.learning_rate_init /= 2  # of Adam
            reference.learning_rate /= 2
        reference.update_params([theta], [rosenbrock_gradient(theta)])
        np.testing.assert_allclose(point, theta, rtol=1e-12)


@parametrize_optimizer
def test_proximal_step_without_a_penalty_is_a_plain_step(name, settings):
    plain, proximal = (OPTIMIZERS[name](START, 0.01, **settings) for _ in range(2))
    np.testing.assert_allclose(
        trajectory(plain, prox=lambda theta, step: None),
        trajectory(proximal),
        rtol=1e-9,
    )


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@parametrize_optimizer
def test_proximal_steps_lead_to_the_exact_solution(name, settings, l1_ratio):
    """With the zeros in the same places, from a start where nothing is zero."""
    rng = np.random.RandomState(0)
    X = rng.randn(60, 10) * np.geomspace(1, 2, 10)
    y = X[:, :4] @ [2, -1, 0.5, 0.05] + 0.3 * rng.randn(60)
    exact = LinearElasticNet(
        alpha=0.2, l1_ratio=l1_ratio, fit_intercept=False, tol=1e-14, max_iter=100_000
    ).fit(X, y)

    penalty = ElasticNet(alpha=0.2, l1_ratio=l1_ratio)
    w = rng.randn(10)
    work, threshold_work = np.empty_like(w), np.empty_like(w)
    # Adagrad's own schedule is to be made up for.
    eta = 1.0 if name == "adagrad" else 0.05
    optimizer = OPTIMIZERS[name](w, eta, **settings)
    for i in range(4000):
        optimizer.learning_rate = eta / (1 + i / 500)
        gradient = X.T @ (X @ w - y) / 60 + penalty.l2 * w
        optimizer.step(
            w, gradient, work, lambda w, step: penalty.prox(w, step, threshold_work)
        )
    assert 0 < np.count_nonzero(exact.coef_) < 10
    np.testing.assert_array_equal(w == 0, exact.coef_ == 0)
    np.testing.assert_allclose(w, exact.coef_, rtol=0, atol=1e-6)


@pytest.mark.parametrize("clone", [deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
@parametrize_optimizer
def test_copies_continue_like_the_original(name, settings, clone):
    optimizer = OPTIMIZERS[name](START, 0.01, **settings)
    last = trajectory(optimizer, 5)[-1]
    twin = clone(optimizer)
    expected = trajectory(optimizer, 5, last)
    np.testing.assert_array_equal(trajectory(twin, 5, last), expected)
    fresh = OPTIMIZERS[name](START, 0.01, **settings)
    no_memory = {"momentum": 0.0, "nesterovs_momentum": False}, {"rho": 0.0}
    if settings not in no_memory:
        assert (trajectory(fresh, 5, last) != expected).any()


@parametrize_optimizer
def test_state_is_all_that_steps_change(name, settings):
    """So that an optimizer that resumes has it all, and no hyperparameter."""
    optimizer = OPTIMIZERS[name](START, 0.01, **settings)
    before = deepcopy(vars(optimizer))
    trajectory(optimizer, 5)
    changed = {
        attribute
        for attribute, value in vars(optimizer).items()
        if not np.array_equal(value, before[attribute])
    }
    assert changed == set(optimizer.state)


@parametrize_optimizer
def test_float32_stays_float32(name, settings):
    start = START.astype(np.float32)
    optimizer = OPTIMIZERS[name](start, 0.01, **settings)
    points = trajectory(optimizer, theta=start)
    assert points.dtype == np.float32
    state = [a for a in vars(optimizer).values() if isinstance(a, np.ndarray)]
    assert state
    assert optimizer.t == len(points)
    assert all(a.dtype == np.float32 for a in state)
    exact = trajectory(OPTIMIZERS[name](START, 0.01, **settings))
    np.testing.assert_allclose(points, exact, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_hyperparameters_are_parameters_of_the_estimators(name):
    """In both with the same default, so that they can be handed over."""
    cls = OPTIMIZERS[name]
    assert cls.name == name
    ours = list(inspect.signature(cls).parameters.values())
    assert [p.name for p in ours] == ["theta", "learning_rate", *cls.hyperparameters]
    estimator = inspect.signature(MLPRegressorScratch).parameters
    for parameter in ours[2:]:
        assert parameter.default == estimator[parameter.name].default


def test_naming_a_class_registers_it(monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, "sign", None)  # taken out again

    class SignDescent(Optimizer, name="sign", hyperparameters=("momentum",), state=()):
        pass

    assert OPTIMIZERS["sign"] is SignDescent
    assert SignDescent.hyperparameters == ("momentum",)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_begins_with_its_learning_rate_and_no_step(name):
    optimizer = OPTIMIZERS[name](START, 1)
    rates = ("learning_rate_init", "base_learning_rate", "learning_rate")
    assert [repr(getattr(optimizer, rate)) for rate in rates] == ["1.0"] * 3
    assert optimizer.t == 0
    assert "t" in optimizer.state
    assert not optimizer.stationary


@pytest.mark.parametrize("name", STEPPING)
def test_resumed_optimizer_continues_like_the_original(name):
    """And the other is left as it was; a new learning rate begins anew."""
    rng = np.random.RandomState(0)
    gradients = rng.randn(5, 6)
    theta, work = rng.randn(6), np.empty(6)
    optimizer = OPTIMIZERS[name](theta, 0.1)
    for g in gradients[:3]:
        optimizer.step(theta, g.copy(), work)
    optimizer.base_learning_rate = 0.05  # as a schedule would
    optimizer.learning_rate = 0.01
    resumed, other_rate = OPTIMIZERS[name](theta, 0.1), OPTIMIZERS[name](theta, 0.2)
    resumed.resume(optimizer)
    other_rate.resume(optimizer)
    assert (resumed.base_learning_rate, resumed.learning_rate) == (0.05, 0.01)
    assert (other_rate.base_learning_rate, other_rate.learning_rate) == (0.2, 0.2)
    assert resumed.t == other_rate.t == 3

    ahead = theta.copy()
    for g in gradients[3:]:
        resumed.step(ahead, g.copy(), work)
    for g in gradients[3:]:
        optimizer.step(theta, g.copy(), work)
    np.testing.assert_array_equal(ahead, theta)


@pytest.mark.parametrize("name", STEPPING)
def test_resumed_optimizer_keeps_its_dtype(name):
    optimizer = OPTIMIZERS[name](np.zeros(4), 0.1)
    optimizer.step(np.zeros(4), np.ones(4), np.empty(4))
    single = OPTIMIZERS[name](np.zeros(4, np.float32), 0.1)
    single.resume(optimizer)
    arrays = [key for key in single.state if isinstance(vars(single)[key], np.ndarray)]
    assert arrays
    for key in arrays:
        assert vars(single)[key].dtype == np.float32
        np.testing.assert_allclose(vars(single)[key], vars(optimizer)[key], rtol=1e-6)
