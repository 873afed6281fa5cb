"""Tests of L-BFGS against closed forms and scipy's own termination."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.linear_model import ElasticNet as LinearElasticNet

from skmlp import MLPRegressorScratch
from skmlp.core.activations import ACTIVATIONS
from skmlp.core.losses import LOSSES
from skmlp.core.network import Workspace
from skmlp.core.objective import Objective
from skmlp.core.parameters import Parameters
from skmlp.core.penalties import ElasticNet
from skmlp.layers import make_mlp
from skmlp.training import lbfgs
from skmlp.training.lbfgs import minimize_lbfgs

pytestmark = pytest.mark.usefixtures("one_blas_thread")

N_SAMPLES = 50


def data(weighted=False):
    rng = np.random.RandomState(0)
    X = rng.randn(N_SAMPLES, 4) * (rng.rand(N_SAMPLES, 4) > 0.2)
    Y = X @ rng.randn(4, 2) + rng.randn(N_SAMPLES, 2) + 3
    return X, Y, rng.rand(N_SAMPLES, 1) if weighted else None


def build(hidden=(), l2=0.0, dtype=np.float64, frozen=()):
    layer_sizes = (4, *hidden, 2)
    activations = [ACTIVATIONS["tanh"]] * len(hidden) + [ACTIVATIONS["identity"]]
    network = make_mlp(
        layer_sizes, activations, LOSSES["squared_error"](), frozen=frozen
    )
    theta = Parameters(network.layout, dtype)
    theta.flat[:] = np.random.RandomState(1).randn(theta.flat.size)
    return Objective(network, ElasticNet(l2), theta)


def minimize(objective, X, Y, w=None, l1=0.0, **options):
    options = {"max_iter": 500, "max_fun": 1000, "tol": 1e-8, **options}
    return minimize_lbfgs(objective, l1, X, Y, w, **options)


def penalized_loss(objective, X, Y, w=None, l1=0.0):
    """The objective at its theta, with the L1 part."""
    workspace = Workspace(objective.network, len(Y), Y.dtype)
    return (
        objective(X, Y, w, workspace)
        + l1 * np.abs(objective.theta.weights).sum() / objective.n
    )


@pytest.mark.parametrize("as_input", [np.asarray, csr_matrix])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("l2", [0.0, 7.0])
def test_a_linear_network_is_ridge_regression(l2, weighted, as_input):
    """By its normal equations, with an intercept that is not penalized."""
    X, Y, w = data(weighted)
    objective = build(l2=l2)
    result = minimize(objective, as_input(X), Y, w)

    A = np.hstack([X, np.ones((N_SAMPLES, 1))])
    D = np.ones((N_SAMPLES, 1)) if w is None else w
    exact = np.linalg.solve(
        A.T @ (D * A) + l2 * np.diag([1, 1, 1, 1, 0]), A.T @ (D * Y)
    )
    np.testing.assert_allclose(objective.theta.coefs[0], exact[:-1], atol=1e-5)
    np.testing.assert_allclose(objective.theta.intercepts[0], exact[-1], atol=1e-5)
    value = (D * (Y - A @ exact) ** 2).sum() / 2 + l2 / 2 * (exact[:-1] ** 2).sum()
    np.testing.assert_allclose(result.fun, value / D.sum(), rtol=1e-8)
    assert result.success


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("l2", [0.0, 3.0])
def test_an_l1_solution_is_a_stationary_point(l2, weighted):
    """The gradient of the rest is l1 times a subgradient of |w|."""
    X, Y, w = data(weighted)
    objective = build((6,), l2)
    n = N_SAMPLES if w is None else w.sum()
    result = minimize(objective, X, Y, w, l1=1.5)
    np.testing.assert_allclose(
        result.fun, penalized_loss(objective, X, Y, w, l1=1.5), rtol=1e-8
    )
    weights = objective.theta.weights
    gradient = objective.grad.flat[: weights.size]
    is_zero = weights == 0
    assert 0 < is_zero.sum() < weights.size
    assert (np.abs(gradient[is_zero]) <= 1.5 / n + 1e-4).all()
    expected = -1.5 / n * np.sign(weights[~is_zero])
    np.testing.assert_allclose(gradient[~is_zero], expected, atol=1e-4)
    np.testing.assert_allclose(objective.grad.flat[weights.size :], 0, atol=1e-4)


@pytest.mark.parametrize("l1", [0.0, 1.5])
@pytest.mark.parametrize("l2", [0.0, 2.0])
def test_frozen_layers_stay_and_the_others_are_a_ridge_or_lasso_of_them(l1, l2):
    """With the first layer frozen, the last is a linear model of its units."""
    X, Y, _ = data()
    objective = build((6,), l2, frozen=(0,))
    theta = objective.theta
    before = theta.copy()
    A = np.tanh(X @ theta.coefs[0] + theta.intercepts[0])
    result = minimize(objective, X, Y, l1=l1)
    np.testing.assert_array_equal(theta.coefs[0], before.coefs[0])
    np.testing.assert_array_equal(theta.intercepts[0], before.intercepts[0])
    if not l1:
        A = np.hstack([A, np.ones((N_SAMPLES, 1))])
        exact = np.linalg.solve(A.T @ A + l2 * np.diag([1] * 6 + [0]), A.T @ Y)
    else:
        model = LinearElasticNet(
            alpha=(l1 + l2) / N_SAMPLES,
            l1_ratio=l1 / (l1 + l2),
            tol=1e-12,
            max_iter=100_000,
        )
        models = [clone(model).fit(A, y) for y in Y.T]
        exact = np.transpose([np.r_[m.coef_, m.intercept_] for m in models])
    solution = np.vstack([theta.coefs[1], theta.intercepts[1]])
    np.testing.assert_allclose(solution, exact, atol=1e-3)
    np.testing.assert_allclose(
        result.fun, penalized_loss(objective, X, Y, l1=l1), rtol=1e-7
    )


def test_without_l1_no_weight_is_zero():
    X, Y, _ = data()
    objective = build((6,))
    minimize(objective, X, Y)
    assert objective.theta.weights.all()


@pytest.mark.parametrize("l1", [0.0, 5.0])
@pytest.mark.parametrize("max_iter", [1, 3, 500])
def test_fun_is_the_objective_at_theta(max_iter, l1):
    """Also if it is stopped on the way there."""
    X, Y, _ = data()
    objective = build((6,), l2=0.5)
    result = minimize(objective, X, Y, l1=l1, max_iter=max_iter)
    np.testing.assert_allclose(
        result.fun, penalized_loss(objective, X, Y, l1=l1), rtol=1e-7
    )


@pytest.mark.parametrize("l1", [0.0, 5.0])
def test_theta_is_the_solution_and_not_the_last_point_tried(monkeypatch, l1):
    X, Y, _ = data()
    expected, objective = build(), build()
    minimize(expected, X, Y, l1=l1)

    def minimize_and_try_another(fun, *args, **kwargs):
        result = scipy_minimize(fun, *args, **kwargs)
        fun(result.x + 1)
        return result

    scipy_minimize = lbfgs.minimize
    monkeypatch.setattr(lbfgs, "minimize", minimize_and_try_another)
    minimize(objective, X, Y, l1=l1)
    np.testing.assert_array_equal(objective.theta.flat, expected.theta.flat)


def test_starts_at_theta_and_never_ends_above():
    """With a penalty the start is split into two halves, of either sign."""
    X, Y, _ = data()
    for l1 in (0.0, 5.0):
        objective = build()
        start = penalized_loss(objective, X, Y, l1=l1)
        assert minimize(objective, X, Y, l1=l1, max_fun=1).fun <= start
        # A start at the solution is left as it is.
        minimize(objective, X, Y, l1=l1)
        solution = objective.theta.flat.copy()
        result = minimize(objective, X, Y, l1=l1, tol=1e-2)
        assert result.nit == 0
        np.testing.assert_array_equal(objective.theta.flat, solution)


@pytest.mark.parametrize("l1", [0.0, 5.0])
def test_limits_are_respected_and_reported(l1):
    X, Y, _ = data()
    few = minimize(build((6,)), X, Y, l1=l1, max_iter=3)
    assert few.nit == 3
    assert few.status == 1
    few = minimize(build((6,)), X, Y, l1=l1, max_fun=5)
    assert 5 <= few.nfev <= 5 + 20  # it ends its line search
    assert few.status == 1
    rough = minimize(build((6,)), X, Y, l1=l1, tol=1e-1)
    exact = minimize(build((6,)), X, Y, l1=l1, tol=1e-6)
    assert rough.nit < exact.nit


@pytest.mark.parametrize("l1", [0.0, 5.0])
def test_float32_parameters_end_close_to_those_of_float64(l1):
    X, Y, _ = data()
    single, double = build(l2=1.0, dtype=np.float32), build(l2=1.0)
    result = minimize(single, X.astype(np.float32), Y.astype(np.float32), l1=l1)
    minimize(double, X, Y, l1=l1)
    assert single.theta.flat.dtype == np.float32
    assert np.isfinite(result.fun)
    np.testing.assert_allclose(single.theta.flat, double.theta.flat, atol=1e-2)
    np.testing.assert_array_equal(single.theta.weights == 0, double.theta.weights == 0)


@pytest.mark.parametrize("l1", [0.0, 5.0])
def test_verbose_prints_the_objective_after_every_iteration(l1, capsys):
    X, Y, _ = data()
    result = minimize(build((6,)), X, Y, l1=l1, max_iter=5, verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == result.nit == 5
    losses = [float(line.split("loss = ")[1]) for line in lines]
    assert losses == sorted(losses, reverse=True)
    assert lines[-1].startswith("Iteration 5, loss = ")
    # With an L1 penalty it is the objective of the split problem, not less.
    assert losses[-1] >= result.fun - 1e-8
    if not l1:
        assert losses[-1] == pytest.approx(result.fun, abs=1e-8)
    minimize(build((6,)), X, Y, l1=l1, max_iter=5)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_an_interruption_keeps_the_last_iteration(monkeypatch, l1_ratio):
    """Not the point that the line search has just tried."""
    X, Y, _ = data()
    params = {"hidden_layer_sizes": (5,), "solver": "lbfgs", "engine": "numpy"}
    params |= {"random_state": 0, "l1_ratio": l1_ratio}
    evaluate = Objective.__call__
    count = iter(range(10**6))

    def interrupted(self, *args):
        if next(count) == 12:
            raise KeyboardInterrupt
        return evaluate(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Objective, "__call__", interrupted)
        with pytest.warns(UserWarning, match=r"interrupted by user, after \d+ of"):
            reg = MLPRegressorScratch(**params).fit(X, Y)
    assert 1 < reg.n_iter_ < 12
    other = MLPRegressorScratch(**params, max_iter=reg.n_iter_).fit(X, Y)
    np.testing.assert_array_equal(reg.coefs_[0], other.coefs_[0])
    assert reg.loss_ == other.loss_


def test_an_interruption_of_the_first_iteration_keeps_the_start(monkeypatch):
    X, Y, _ = data()

    def interrupted(self, *args):
        raise KeyboardInterrupt

    monkeypatch.setattr(Objective, "__call__", interrupted)
    reg = MLPRegressorScratch(hidden_layer_sizes=(5,), solver="lbfgs", engine="numpy")
    with pytest.warns(UserWarning, match="interrupted by user, after 0 of"):
        reg.fit(X, Y)
    assert reg.n_iter_ == 0
    assert np.isnan(reg.loss_)
    assert np.isfinite(reg.predict(X)).all()
