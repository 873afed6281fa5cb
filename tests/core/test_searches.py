"""Tests of the optimizers that evaluate the objective themselves."""

import math
import pickle
import tracemalloc
from copy import deepcopy

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.penalties import ElasticNet

SEARCHES = [name for name in OPTIMIZERS if OPTIMIZERS[name].full_batch]
START = np.array([-1.2, 1.0, 0.3, -0.7])


def rosenbrock(theta):
    """A function of four variables that is not convex."""
    x, y = theta[::2], theta[1::2]
    return float(np.sum((1 - x) ** 2 + 100 * (y - x**2) ** 2))


def rosenbrock_gradient(theta):
    x, y = theta[::2], theta[1::2]
    gradient = np.empty_like(theta)
    gradient[::2] = 400 * x * (x**2 - y) - 2 * (1 - x)
    gradient[1::2] = 200 * (y - x**2)
    return gradient


def search(optimizer, theta, f=rosenbrock, gradient=rosenbrock_gradient, **options):
    """One search, with the objective that it starts from and that it returns."""
    before = f(theta)
    after = optimizer.search(
        theta,
        gradient(theta),
        before,
        lambda: f(theta),
        np.empty_like(theta),
        **options,
    )
    assert after == f(theta)
    return before, after


def run(optimizer, n_searches=20, theta=START, seed=0, **options):
    """The points that the optimizer visits."""
    theta, rng = theta.copy(), np.random.default_rng(seed)
    points = []
    for _ in range(n_searches):
        search(optimizer, theta, rng=rng, **options)
        points.append(theta.copy())
    return np.array(points)


def test_searches_are_distinguished_from_steps():
    assert SEARCHES == ["armijo", "random_search"]
    assert OPTIMIZERS["armijo"].needs_gradient
    assert not OPTIMIZERS["random_search"].needs_gradient
    with pytest.raises(NotImplementedError):
        OPTIMIZERS["armijo"](START, 0.1).step(START, START, START)
    with pytest.raises(NotImplementedError):
        OPTIMIZERS["sgd"](START, 0.1).search(START, START, 0.0, None, START)


@pytest.mark.parametrize("clone", [deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
@pytest.mark.parametrize("name", SEARCHES)
def test_copies_and_resumed_generators_continue_like_the_original(name, clone):
    optimizer = OPTIMIZERS[name](START, 0.1)
    last = run(optimizer)[-1]
    assert optimizer.t == 20
    twin, resumed = clone(optimizer), OPTIMIZERS[name](START, 0.1)
    resumed.resume(optimizer)
    assert vars(twin) == vars(optimizer)
    assert resumed.t == 20
    assert resumed.learning_rate == optimizer.learning_rate
    expected = run(optimizer, theta=last)
    np.testing.assert_array_equal(run(twin, theta=last), expected)
    np.testing.assert_array_equal(run(resumed, theta=last), expected)


@pytest.mark.parametrize("name", SEARCHES)
def test_searches_allocate_no_arrays(name, one_blas_thread):
    before = np.setbufsize(128)
    theta, grad, work = np.ones(100_000), np.ones(100_000), np.empty(100_000)
    optimizer, rng = OPTIMIZERS[name](theta, 0.1), np.random.default_rng(0)
    tracemalloc.start()
    for values in ([1e9, 1e9, 1e9, -1e9], [math.nan, -2e9]):
        evaluate = iter(values).__next__
        optimizer.search(theta, grad, 1.0, evaluate, work, rng=rng)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.setbufsize(before)
    assert peak < 20_000


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("name", SEARCHES)
def test_an_interrupted_search_leaves_theta_where_it_was(name, error):
    """And not at a point that it was trying."""
    theta, rng = START.copy(), np.random.default_rng(0)
    optimizer = OPTIMIZERS[name](START, 0.1)

    def evaluate():
        assert (theta != START).all()
        raise error

    with pytest.raises(error):
        optimizer.search(theta, np.ones(4), 5.0, evaluate, np.empty(4), rng=rng)
    np.testing.assert_array_equal(theta, START)


@pytest.mark.parametrize("name", SEARCHES)
def test_float32_stays_float32(name):
    theta = START.astype(np.float32)
    optimizer, rng = OPTIMIZERS[name](theta, 0.1), np.random.default_rng(0)
    values = [search(optimizer, theta, rng=rng) for _ in range(20)]
    assert theta.dtype == np.float32
    assert values[-1][1] < values[0][0]


@pytest.mark.parametrize("curvature", [0.5, 1.0, 3.0, 10.0, 1e4])
@pytest.mark.parametrize(("sigma", "a"), [(1e-4, 0.5), (0.4, 0.5), (0.4, 0.9)])
def test_armijo_takes_the_first_step_size_that_suffices(curvature, sigma, a):
    """For c x^2 / 2 that is t <= 2 (1 - sigma) / c."""
    optimizer = OPTIMIZERS["armijo"](np.ones(3), 0.1, sigma, a)
    theta = np.array([1.0, -2.0, 0.5])
    largest = 2 * (1 - sigma) / curvature
    l = max(0, math.ceil(math.log(largest) / math.log(a)))
    expected = theta * (1 - a**l * curvature)
    search(
        optimizer,
        theta,
        lambda theta: curvature / 2 * float(theta @ theta),
        lambda theta: curvature * theta,
    )
    assert optimizer.learning_rate == pytest.approx(a**l)
    np.testing.assert_allclose(theta, expected, rtol=1e-12)
    assert not optimizer.stationary


@pytest.mark.parametrize("settings", [{}, {"armijo_sigma": 0.3, "armijo_factor": 0.8}])
def test_armijo_meets_its_condition_with_no_larger_step_size(settings):
    """From every point on the way, and gets to the minimum."""
    optimizer = OPTIMIZERS["armijo"](START, 0.1, **settings)
    sigma, a = optimizer.armijo_sigma, optimizer.armijo_factor
    theta, step_sizes = START.copy(), set()
    for _ in range(1500):
        x, g = theta.copy(), rosenbrock_gradient(theta)
        before, after = search(optimizer, theta)
        t = optimizer.learning_rate
        step_sizes.add(t)
        slope = -(g @ g)
        if before < 1e-3:
            break  # before the differences are rounding errors
        assert after <= before + sigma * t * slope
        assert rosenbrock(x - t * g) == pytest.approx(after, rel=1e-9)
        larger = t / a
        while larger < 1.1:
            assert rosenbrock(x - larger * g) > before + sigma * larger * slope
            larger /= a
    assert len(step_sizes) > 3
    assert after < 0.2


def test_the_constants_of_armijo_have_an_effect():
    runs = [
        run(OPTIMIZERS["armijo"](START, 0.1, **settings))[-1].tolist()
        for settings in ({}, {"armijo_sigma": 0.7}, {"armijo_factor": 0.7})
    ]
    assert len({tuple(r) for r in runs}) == 3
    # The learning rate has none.
    other = run(OPTIMIZERS["armijo"](START, 7.0))[-1].tolist()
    assert other == runs[0]


def no_evaluation():
    pytest.fail("there was nothing to evaluate")


@pytest.mark.parametrize("prox", [None, lambda theta, step: None])
@pytest.mark.parametrize("gradient", [0.0, 1e-20, 1e-300, math.nan])
def test_armijo_is_stationary_where_no_step_moves_theta(gradient, prox):
    optimizer = OPTIMIZERS["armijo"](START, 0.1)
    theta, work = START.copy(), np.empty_like(START)
    grad = np.full_like(START, gradient)
    assert optimizer.search(theta, grad, 5.0, no_evaluation, work, prox) == 5.0
    np.testing.assert_array_equal(theta, START)
    assert optimizer.stationary
    assert optimizer.learning_rate == 0.1
    search(optimizer, theta)
    assert not optimizer.stationary


@pytest.mark.parametrize("start", [0.0, 1.0])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 5.1])
@pytest.mark.parametrize("gradient", [1.0, 1e200, math.inf])
def test_armijo_gives_up_when_no_step_helps(gradient, value, start):
    optimizer = OPTIMIZERS["armijo"](START, 0.1)
    theta = np.full(4, start)
    n_evaluations = 0

    def evaluate():
        nonlocal n_evaluations
        n_evaluations += 1
        return value

    with np.errstate(over="ignore", invalid="ignore"):
        E = optimizer.search(
            theta, np.full(4, gradient), 5.0, evaluate, np.empty_like(theta)
        )
    assert E == 5.0
    np.testing.assert_array_equal(theta, start)
    assert optimizer.stationary
    assert (n_evaluations == 0) == (gradient == math.inf)
    assert n_evaluations < 1100


def test_armijo_passes_over_values_that_are_not_finite():
    """Even over minus infinity, which would be a decrease."""
    optimizer = OPTIMIZERS["armijo"](START, 0.1)
    theta = START.copy()
    values = iter([math.nan, math.inf, -math.inf, 1.0])
    E = optimizer.search(
        theta, np.ones(4), 5.0, lambda: next(values), np.empty_like(theta)
    )
    assert E == 1.0
    assert optimizer.learning_rate == 1 / 8
    np.testing.assert_allclose(theta, START - 1 / 8)


def test_armijo_with_a_proximal_operator_reaches_the_lasso():
    """Where it is stationary or as good as that; the condition holds throughout."""
    rng = np.random.RandomState(0)
    X = rng.randn(60, 10) * np.geomspace(1, 2, 10)
    y = X[:, :4] @ [2, -1, 0.5, 0.05] + 0.3 * rng.randn(60)
    exact = Lasso(alpha=0.2, fit_intercept=False, tol=1e-14, max_iter=100_000)
    exact.fit(X, y)
    penalty, threshold_work = ElasticNet(alpha=0.2, l1_ratio=1.0), np.empty(10)

    def objective(w):
        return float(np.sum((X @ w - y) ** 2) / 120 + 0.2 * np.abs(w).sum())

    optimizer = OPTIMIZERS["armijo"](y, 0.1)
    w = rng.randn(10)
    for _ in range(500):
        start = w.copy()
        before, after = search(
            optimizer,
            w,
            objective,
            lambda w: X.T @ (X @ w - y) / 60,
            prox=lambda w, step: penalty.prox(w, step, threshold_work),
        )
        d = w - start
        assert after <= before - 1e-4 / optimizer.learning_rate * (d @ d)
    assert 0 < np.count_nonzero(exact.coef_) < 10
    np.testing.assert_array_equal(w == 0, exact.coef_ == 0)
    np.testing.assert_allclose(w, exact.coef_, rtol=0, atol=1e-6)


def test_armijo_is_stationary_at_a_kink():
    """Although the gradient, which leaves the kink out, is not zero."""
    optimizer, theta, work = OPTIMIZERS["armijo"](START, 0.1), np.zeros(4), np.empty(4)
    penalty = ElasticNet(alpha=1.0, l1_ratio=1.0)
    E = optimizer.search(
        theta,
        np.array([0.5, -0.9, 1.0, 0.0]),
        5.0,
        no_evaluation,
        work,
        lambda theta, step: penalty.prox(theta, step, np.empty(4)),
    )
    assert E == 5.0
    assert optimizer.stationary
    assert not theta.any()


def test_random_search_gets_better_and_never_worse():
    values = [rosenbrock(p) for p in run(OPTIMIZERS["random_search"](START, 0.1), 300)]
    assert (np.diff(values) <= 0).all()
    assert values[-1] < 0.1 * rosenbrock(START)
    assert 10 < len(set(values)) < 300


def test_random_search_is_its_generators():
    points = [
        run(OPTIMIZERS["random_search"](START, 0.1), seed=seed) for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(points[0], points[1])
    assert (points[0] != points[2]).any()


@pytest.mark.parametrize(
    ("value", "taken"),
    [(4.9, True), (5.0, True), (5.1, False), (math.nan, False), (math.inf, False)],
)
def test_random_search_accepts_an_equal_loss(value, taken):
    optimizer = OPTIMIZERS["random_search"](START, 0.1)
    theta = START.copy()
    E = optimizer.search(
        theta,
        np.full_like(theta, np.nan),  # memory, and no gradient
        5.0,
        lambda: value,
        np.empty_like(theta),
        rng=np.random.default_rng(0),
    )
    assert E == (value if taken else 5.0)
    assert (theta != START).all() == (theta != START).any() == taken
    assert not optimizer.stationary


@pytest.mark.parametrize("radius", [0.1, 2.0])
def test_random_search_draws_from_the_whole_cube(radius):
    optimizer = OPTIMIZERS["random_search"](START, 0.1, search_radius=radius)
    theta, work = np.zeros(10_000), np.empty(10_000)
    rng = np.random.default_rng(0)
    optimizer.search(theta, np.empty(10_000), 1.0, lambda: 0.0, work, rng=rng)
    assert (np.abs(theta) <= radius).all()
    quantiles = np.quantile(theta, [0, 0.25, 0.5, 0.75, 1]) / radius
    np.testing.assert_allclose(quantiles, [-1, -0.5, 0, 0.5, 1], atol=0.03)


@pytest.mark.parametrize("E", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("value", [7.0, math.nan, math.inf, -math.inf])
def test_random_search_moves_from_a_loss_that_is_not_finite_to_a_finite_one(value, E):
    optimizer, theta = OPTIMIZERS["random_search"](START, 0.1), START.copy()
    rng, work = np.random.default_rng(0), np.empty(4)
    after = optimizer.search(theta, np.empty(4), E, lambda: value, work, rng=rng)
    np.testing.assert_equal(after, value if math.isfinite(value) else E)
    assert (theta != START).all() == (theta != START).any() == math.isfinite(value)


@pytest.mark.parametrize("E", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("gradient", [1.0, math.nan])
def test_armijo_is_not_stationary_where_the_objective_is_not_finite(gradient, E):
    optimizer, theta = OPTIMIZERS["armijo"](START, 0.1), START.copy()
    grad, work = np.full(4, gradient), np.empty(4)
    after = optimizer.search(theta, grad, E, lambda: 1.0, work)
    np.testing.assert_equal(after, E)
    np.testing.assert_array_equal(theta, START)
    assert not optimizer.stationary
