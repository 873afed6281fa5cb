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

SETTINGS = {
    "sgd": [
        {"momentum": momentum, "nesterovs_momentum": nesterov}
        for momentum, nesterov in [(0.0, False), (0.9, False), (0.9, True), (0.5, True)]
    ],
    "adam": [{}, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}, {"beta_1": 0.0}],
}
# A new optimizer is at least tested with its defaults.
CASES = [
    pytest.param(name, settings, id=f"{name}-{'-'.join(map(str, settings.values()))}")
    for name in OPTIMIZERS
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


@parametrize_optimizer
def test_trajectory_is_torchs(name, settings):
    torch = pytest.importorskip("torch")
    x = torch.tensor(START, requires_grad=True)
    optimizer = OPTIMIZERS[name](START, 0.01, **settings)
    if name == "sgd":
        reference = torch.optim.SGD(
            [x],
            lr=0.01,
            momentum=optimizer.momentum,
            nesterov=optimizer.nesterovs_momentum,
        )
    elif name == "adam":
        betas = optimizer.beta_1, optimizer.beta_2
        reference = torch.optim.Adam([x], lr=0.01, betas=betas)
    else:
        pytest.fail(f"give the new optimizer {name!r} a reference in torch here")

    points = trajectory(optimizer)
    for t, point in enumerate(points, start=1):
        if name == "adam":
            # torch adds epsilon after the correction of the bias, we do before.
            correction = math.sqrt(1 - optimizer.beta_2**t)
            reference.param_groups[0]["eps"] = optimizer.epsilon / correction
        x.grad = torch.tensor(rosenbrock_gradient(x.detach().numpy()))
        reference.step()
        np.testing.assert_allclose(point, x.detach().numpy(), rtol=1e-10)
    assert np.abs(points[-1] - START).max() > 0.1


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
    optimizer = OPTIMIZERS[name](w, 0.05, **settings)
    for i in range(4000):
        optimizer.learning_rate = 0.05 / (1 + i / 500)
        gradient = X.T @ (X @ w - y) / 60 + penalty.l2 * w
        optimizer.step(
            w, gradient, work, lambda w, step: penalty.prox(w, step, threshold_work)
        )
    assert 0 < np.count_nonzero(exact.coef_) < 10
    np.testing.assert_array_equal(w == 0, exact.coef_ == 0)
    np.testing.assert_allclose(w, exact.coef_, rtol=0, atol=1e-6)


@pytest.mark.parametrize("clone", [deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
@parametrize_optimizer
def test_copies_go_on_where_the_original_was(name, settings, clone):
    optimizer = OPTIMIZERS[name](START, 0.01, **settings)
    last = trajectory(optimizer, 5)[-1]
    twin = clone(optimizer)
    expected = trajectory(optimizer, 5, last)
    np.testing.assert_array_equal(trajectory(twin, 5, last), expected)
    fresh = OPTIMIZERS[name](START, 0.01, **settings)
    if settings != {"momentum": 0.0, "nesterovs_momentum": False}:  # no memory
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
def test_an_optimizer_that_resumes_goes_on_as_the_other_would_have(name):
    """And the other is left as it was; a new learning rate begins anew."""
    rng = np.random.RandomState(0)
    gradients = rng.randn(5, 6)
    theta, work = rng.randn(6), np.empty(6)
    optimizer = OPTIMIZERS[name](theta, 0.1)
    for g in gradients[:3]:
        optimizer.step(theta, g.copy(), work)
    optimizer.learning_rate = 0.05  # as a schedule would
    resumed, other_rate = OPTIMIZERS[name](theta, 0.1), OPTIMIZERS[name](theta, 0.2)
    resumed.resume(optimizer)
    other_rate.resume(optimizer)
    assert resumed.learning_rate == 0.05
    assert other_rate.learning_rate == 0.2

    ahead = theta.copy()
    for g in gradients[3:]:
        resumed.step(ahead, g.copy(), work)
    for g in gradients[3:]:
        optimizer.step(theta, g.copy(), work)
    np.testing.assert_array_equal(ahead, theta)
