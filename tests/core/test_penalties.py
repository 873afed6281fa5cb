"""Tests of the penalties against their formulas and minimization."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize_scalar

from skmlp.core.parameters import Parameters
from skmlp.core.penalties import PENALTIES, ElasticNet, Penalty

MIXES = [(0.0, 0.5), (0.3, 0.0), (0.3, 0.4), (0.3, 1.0)]
parametrize_mix = pytest.mark.parametrize(("alpha", "l1_ratio"), MIXES)


def parameters(dtype=np.float64):
    """Weights of both signs, some of them zero, and large biases."""
    theta = Parameters([3, 4, 2], dtype)
    theta.flat[:] = np.random.RandomState(0).randn(theta.flat.size)
    theta.weights[::5] = 0
    for b in theta.intercepts:
        b[...] = 1e6
    return theta


def formula(alpha, l1_ratio, w):
    return alpha * (l1_ratio * np.abs(w).sum() + (1 - l1_ratio) / 2 * (w**2).sum())


@parametrize_mix
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_value_is_the_formula_of_the_weights_only(alpha, l1_ratio, dtype):
    theta = parameters(dtype)
    before = theta.flat.copy()
    value = ElasticNet(alpha, l1_ratio).value(theta, np.empty_like(theta.flat))
    w = np.concatenate([W.ravel() for W in theta.coefs]).astype(np.float64)
    rtol = 10 * np.finfo(dtype).eps
    np.testing.assert_allclose(value, formula(alpha, l1_ratio, w), rtol=rtol)
    np.testing.assert_array_equal(theta.flat, before)


@parametrize_mix
def test_smooth_is_the_l2_part(alpha, l1_ratio):
    theta = parameters()
    work = np.empty_like(theta.flat)
    smooth = ElasticNet(alpha, l1_ratio).smooth
    expected = formula(alpha * (1 - l1_ratio), 0, theta.weights)
    np.testing.assert_allclose(smooth.value(theta, work), expected, rtol=1e-14)
    assert smooth.l1 == 0


@parametrize_mix
def test_gradient_is_the_difference_quotient_of_the_l2_part(alpha, l1_ratio):
    """It is added, and nothing is added for the biases or for the L1 part."""
    theta, grad = parameters(), parameters()
    weights = theta.weights.copy()

    def value(w):
        return formula(alpha * (1 - l1_ratio), 0, w)

    expected = grad.flat.copy()
    expected[: weights.size] += approx_fprime(weights, value)
    penalty = ElasticNet(alpha, l1_ratio)
    penalty.add_gradient(theta, grad, np.empty_like(theta.flat))
    np.testing.assert_allclose(grad.flat, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(theta.weights, weights)


@parametrize_mix
@pytest.mark.parametrize("one_step_for_all", [True, False])
def test_prox_minimizes_the_proximal_objective(alpha, l1_ratio, one_step_for_all):
    """argmin_u (u - w)^2 / (2 step) + alpha l1_ratio |u|, for each weight."""
    penalty = ElasticNet(alpha, l1_ratio)
    w = np.linspace(-2, 2, 21)
    steps = np.full(21, 1.7) if one_step_for_all else np.geomspace(0.1, 10, 21)

    def by_search(w, step):
        def objective(u):
            return (u - w) ** 2 / (2 * step) + penalty.l1 * abs(u)

        found = minimize_scalar(objective, bounds=(-3, 3), options={"xatol": 1e-9})
        return 0.0 if objective(0.0) <= found.fun else found.x

    expected = np.array([by_search(*pair) for pair in zip(w, steps, strict=True)])
    step = 1.7 if one_step_for_all else steps.copy()
    assert penalty.prox(w, step, np.empty_like(w)) is None
    np.testing.assert_allclose(w, expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(w == 0, expected == 0)
    assert (w == 0).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_prox_gives_exact_zeros_up_to_the_threshold_and_shifts_the_rest(dtype):
    penalty = ElasticNet(0.5, 1.0)
    w = np.array([-2.25, -0.25, -1e-30, 0, 1e-30, 0.25, 0.2500001, 2.25], dtype)
    penalty.prox(w, 0.5, np.empty_like(w))  # the threshold is 0.25
    assert w.dtype == dtype
    assert w[[0, -1]].tolist() == [-2, 2]
    assert not w[1:6].any()
    assert 0 < w[6] < 2e-7


def test_prox_without_l1_is_the_identity():
    w = np.random.RandomState(0).randn(9)
    before = w.copy()
    ElasticNet(0.5, 0.0).prox(w, 10.0, np.empty_like(w))
    np.testing.assert_array_equal(w, before)


@parametrize_mix
def test_the_gradients_of_both_parts_are_the_difference_quotient(alpha, l1_ratio):
    """Where no weight is zero."""
    theta = parameters()
    theta.weights[theta.weights == 0] = 0.5
    grad, penalty = theta.zeros_like(), ElasticNet(alpha, l1_ratio)
    penalty.add_gradient(theta, grad, np.empty_like(theta.flat))
    total = grad.weights + penalty.nonsmooth_gradient(theta.weights)
    expected = approx_fprime(theta.weights, lambda w: formula(alpha, l1_ratio, w))
    np.testing.assert_allclose(total, expected, rtol=1e-5, atol=1e-6)


def test_the_elastic_net_is_registered():
    assert PENALTIES["elastic_net"] is ElasticNet
    assert ElasticNet.name == "elastic_net"
    assert repr(ElasticNet(0.5, 0.5)) == "ElasticNet(l1=0.25, l2=0.25)"


def test_a_class_without_a_name_is_not_registered():
    class Nothing(Penalty):
        pass

    assert Nothing.name == "Nothing"
    assert "Nothing" not in PENALTIES


def test_a_penalty_without_prox_is_smooth():
    class Smooth(Penalty):
        pass

    assert not Smooth().has_prox
    penalty = Smooth()
    assert penalty.smooth is penalty
    assert not penalty.nonsmooth_gradient(np.ones(3)).any()


@pytest.mark.parametrize("method", ["smooth", "nonsmooth_gradient"])
def test_a_penalty_with_prox_has_to_define_the_rest(method):
    class Rough(Penalty):
        def prox(self, W, step, work):
            pass

    calls = {
        "smooth": lambda: Rough().smooth,
        "nonsmooth_gradient": lambda: Rough().nonsmooth_gradient(np.ones(3)),
    }
    with pytest.raises(NotImplementedError, match=f"Rough must define {method}"):
        calls[method]()


@pytest.mark.parametrize("method", ["value", "add_gradient"])
def test_every_penalty_has_to_define_its_value_and_gradient(method):
    class Empty(Penalty):
        pass

    arguments = {"value": (None, None), "add_gradient": (None, None, None)}[method]
    with pytest.raises(NotImplementedError, match=f"Empty must define {method}"):
        getattr(Empty(), method)(*arguments)
