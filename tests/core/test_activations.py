"""Tests of the activations against torch and finite differences."""

import tracemalloc

import numpy as np
import pytest

from skmlp.core import activations
from skmlp.core.activations import ACTIVATIONS, HIDDEN_ACTIVATIONS, Activation

DTYPES = [np.float32, np.float64]


def pre_activations(name, dtype=np.float64):
    """Ordinary and extreme values, 0 among them."""
    rng = np.random.RandomState(0)
    Z = np.concatenate([rng.randn(6, 5), [[-1e4, -745, -30, -1e-9, 0], [1e4] * 5]])
    Z[-1, 1:] = [1e-300, 37, 745, 1e3]
    if name == "exp":  # its overflow is right
        Z = np.minimum(Z, 80)
    return Z.astype(dtype)


def forward_of(activation, Z):
    """Z and A as backward is given them."""
    Z = Z.copy()
    A = np.full_like(Z, np.nan) if activation.needs_z else Z
    assert activation.forward(Z, A) is None
    return Z, A


def forward(name, Z):
    return forward_of(ACTIVATIONS[name], Z)[1]


def backward_of(activation, Z, upstream):
    delta = upstream.copy()
    Z, A = forward_of(activation, Z)
    work = np.full_like(A, np.nan)
    assert activation.backward(Z, A, delta, work) is None
    return delta


def backward(name, Z, upstream):
    return backward_of(ACTIVATIONS[name], Z, upstream)


def torch_value_and_gradient(function, Z, upstream):
    torch = pytest.importorskip("torch")
    z = torch.tensor(Z, requires_grad=True)
    A = function(z)
    A.backward(torch.from_numpy(upstream))
    return A.detach().numpy(), z.grad.numpy()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_forward_is_torchs(name, dtype, torch_activation):
    torch = pytest.importorskip("torch")
    Z = pre_activations(name, dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        A = forward(name, Z)
    assert A.dtype == dtype
    expected = torch_activation(name)(torch.from_numpy(Z)).numpy()
    eps, tiny = np.finfo(dtype).eps, np.finfo(dtype).tiny
    # torch's gelu is z (1 + erf(...)) / 2, which cancels where z is negative.
    atol = 10 * eps if name == "gelu" else 1e3 * tiny
    np.testing.assert_allclose(A, expected, rtol=200 * eps, atol=atol)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backward_is_torchs_derivative(name, dtype, torch_activation):
    Z = pre_activations(name, dtype)
    upstream = np.random.RandomState(1).randn(*Z.shape).astype(dtype)
    if name == "exp":
        Z = np.minimum(Z, 30)
    _, expected = torch_value_and_gradient(torch_activation(name), Z, upstream)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        delta = backward(name, Z, upstream)
    assert delta.dtype == dtype
    # 1 - a and 1 - a^2 cancel where a is near 1, in torch as well.
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(delta, expected, rtol=50 * eps, atol=10 * eps)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-12)])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_ordinary_values_and_derivatives_have_all_digits(
    name, dtype, rtol, torch_activation
):
    """Where nothing is near the limits of the type; torch computes in float64."""
    Z = np.linspace(-3, 3, 60).reshape(12, 5).astype(dtype)
    upstream = np.random.RandomState(1).uniform(0.5, 2, Z.shape).astype(dtype)
    value, gradient = torch_value_and_gradient(
        torch_activation(name), Z.astype(np.float64), upstream.astype(np.float64)
    )
    np.testing.assert_allclose(forward(name, Z), value, rtol=rtol)
    atol = rtol / 100  # the derivatives of some have a root here
    np.testing.assert_allclose(backward(name, Z, upstream), gradient, rtol, atol)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backward_is_the_central_difference_of_forward(name):
    rng, h = np.random.RandomState(0), 1e-6
    Z, upstream = rng.randn(8, 5) * 3, rng.randn(8, 5)
    expected = np.empty_like(Z)
    for k in range(5):  # the units of a row may depend on each other
        step = h * np.eye(5)[k]
        difference = forward(name, Z + step) - forward(name, Z - step)
        expected[:, k] = (upstream * difference).sum(axis=1) / (2 * h)
    scale = np.abs(forward(name, Z)).max()
    delta = backward(name, Z, upstream)
    np.testing.assert_allclose(delta, expected, rtol=1e-6, atol=1e-9 * scale)


# What a hidden activation and its derivative tend to, at -infinity and infinity.
LIMITS = {
    "identity": ((None, 1), (None, 1)),
    "logistic": ((0, 0), (1, 0)),
    "sigmoid": ((0, 0), (1, 0)),
    "tanh": ((-1, 0), (1, 0)),
    "relu": ((0, 0), (None, 1)),
    "leaky_relu": ((None, 0.01), (None, 1)),
    "elu": ((-1, 0), (None, 1)),
    "selu": ((-1.7580993408473766, 0), (None, 1.0507009873554805)),
    "softplus": ((0, 0), (None, 1)),
    "softsign": ((-1, 0), (1, 0)),
    "gelu": ((0, 0), (None, 1)),
    "silu": ((0, 0), (None, 1)),
    "mish": ((0, 0), (None, 1)),
}


@pytest.mark.parametrize(("dtype", "large"), [(np.float32, 1e4), (np.float64, 1e300)])
@pytest.mark.parametrize("name", HIDDEN_ACTIVATIONS)
def test_large_pre_activations_give_the_limits(name, dtype, large):
    """Without overflow; where the value has no limit, it grows with z."""
    assert name in LIMITS, f"give the new activation {name!r} its limits here"
    Z = np.array([[-large, large]], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        A, slopes = forward(name, Z), backward(name, Z, np.ones_like(Z))
    assert A.dtype == slopes.dtype == dtype
    for z, a, slope, limits in zip(Z[0], A[0], slopes[0], LIMITS[name], strict=True):
        value, derivative = limits
        expected = derivative * z if value is None else value
        np.testing.assert_allclose(a, expected, rtol=2e-4)
        rtol = 2 * np.finfo(dtype).eps
        np.testing.assert_allclose(slope, derivative, rtol=rtol, atol=2e-8)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backward_changes_neither_z_nor_a(name):
    Z = pre_activations(name)
    Z, A = forward_of(ACTIVATIONS[name], Z)
    before = Z.copy(), A.copy()
    ACTIVATIONS[name].backward(Z, A, np.ones_like(Z), np.empty_like(Z))
    np.testing.assert_array_equal(Z, before[0])
    np.testing.assert_array_equal(A, before[1])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_forward_into_another_array_does_not_change_z(name):
    """All can do it; those that need z rely on it."""
    Z = pre_activations(name)
    before, A = Z.copy(), np.full_like(Z, np.nan)
    ACTIVATIONS[name].forward(Z, A)
    np.testing.assert_array_equal(Z, before)
    np.testing.assert_array_equal(A, forward(name, Z))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backward_is_linear_in_delta(name):
    Z = np.random.RandomState(0).randn(6, 4)
    one, two = np.random.RandomState(1).randn(2, 6, 4)
    np.testing.assert_allclose(
        backward(name, Z, 2 * one + two),
        2 * backward(name, Z, one) + backward(name, Z, two),
        rtol=1e-12,
        atol=1e-14,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_temporaries_do_not_grow_with_the_batch(name, dtype):
    """But for a number per row, which the softmax needs."""
    g = ACTIVATIONS[name]
    Z = np.random.RandomState(0).randn(5_000, 50).astype(dtype)
    A, delta, work = np.empty_like(Z) if g.needs_z else Z, Z.copy(), Z.copy()
    tracemalloc.start()
    g.forward(Z, A)
    g.backward(Z, A, delta, work)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # What is left is less than a sixth of an array in float64.
    assert peak < 300_000


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_results_do_not_depend_on_the_batch_size(name):
    """The last block of rows is as long as the rows that are left."""
    Z = np.random.RandomState(0).randn(333, 100)
    upstream = np.random.RandomState(1).randn(*Z.shape)
    A, delta = forward(name, Z), backward(name, Z, upstream)
    for rows in (slice(0, 1), slice(60, 200), slice(330, 333)):
        tolerances = {"rtol": 1e-14, "atol": 1e-16}  # SIMD has loops of its own
        np.testing.assert_allclose(forward(name, Z[rows]), A[rows], **tolerances)
        np.testing.assert_allclose(
            backward(name, Z[rows], upstream[rows]), delta[rows], rtol=1e-13, atol=1e-15
        )


@pytest.mark.parametrize("n_columns", [1, 3, 2**13, 2**13 + 1])
@pytest.mark.parametrize("n_rows", [1, 2, 5])
def test_row_blocks_cover_every_row_once(n_rows, n_columns):
    A = np.zeros((n_rows, n_columns))
    for a, same in activations.row_blocks(A, A):
        assert a.shape == same.shape
        assert a.size <= max(2**13, n_columns)
        a += 1
    assert (A == 1).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nan_reaches_the_output(name):
    """Forward does not hide that training diverged."""
    Z = np.array([[np.nan, 1.0], [0.0, 1.0]])
    A = forward(name, Z)
    assert np.isnan(A[0, 0])
    assert np.isfinite(A[1]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_positive_is_true_if_all_values_are_positive(name, dtype):
    Z = np.linspace(-10, 10, 40).reshape(-1, 2).astype(dtype)
    assert ACTIVATIONS[name].positive == (forward(name, Z) > 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_rows_sum_to_one_and_ignore_a_shift(dtype):
    Z = np.random.RandomState(0).randn(20, 7).astype(dtype)
    for shift in (-1e4, 0, 1e4):
        A = forward("softmax", Z * 100 + dtype(shift))
        np.testing.assert_allclose(A.sum(axis=1), 1, rtol=10 * np.finfo(dtype).eps)
    np.testing.assert_allclose(
        forward("softmax", Z + dtype(1e4)),
        forward("softmax", Z),
        rtol=2e4 * np.finfo(dtype).eps,
    )


def test_logistic_and_softmax_agree_on_two_classes():
    z = pre_activations("logistic").reshape(-1, 1)
    two = forward("softmax", np.hstack([np.zeros_like(z), z]))
    np.testing.assert_allclose(
        two[:, 1:], forward("logistic", z), rtol=1e-12, atol=np.finfo(float).tiny
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_softplus_has_all_digits_far_on_the_negative_side(dtype):
    """There g(z) and g'(z) are exp(z)."""
    Z = np.array([[-40.0, -60.0, -80.0]], dtype)
    rtol = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(forward("softplus", Z), np.exp(Z), rtol=rtol)
    slopes = backward("softplus", Z, np.ones_like(Z))
    np.testing.assert_allclose(slopes, np.exp(Z), rtol=rtol)


def test_selu_keeps_mean_zero_and_variance_one():
    """The fixed point that the two constants are computed for."""
    z, weights = np.polynomial.hermite_e.hermegauss(200)
    weights /= weights.sum()
    A = forward("selu", z[:, np.newaxis])[:, 0]
    assert weights @ A == pytest.approx(0, abs=1e-3)
    assert weights @ A**2 == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("constant", [0.3, np.float64(0.3), 1])
@pytest.mark.parametrize(
    ("Class", "function", "parameter"),
    [
        (activations.LeakyReLU, "leaky_relu", "negative_slope"),
        (activations.ELU, "elu", "alpha"),
    ],
)
def test_the_constant_of_a_parametrized_activation(
    Class, function, parameter, constant, dtype
):
    torch = pytest.importorskip("torch")
    Z = np.random.RandomState(0).randn(7, 3).astype(dtype)
    z = torch.tensor(Z, requires_grad=True)
    expected = getattr(torch.nn.functional, function)(z, **{parameter: float(constant)})
    expected.sum().backward()
    A = forward_of(Class(constant), Z)[1]
    delta = backward_of(Class(constant), Z, np.ones_like(Z))
    assert A.dtype == delta.dtype == dtype
    rtol = 10 * np.finfo(dtype).eps
    np.testing.assert_allclose(A, expected.detach().numpy(), rtol=rtol)
    np.testing.assert_allclose(delta, z.grad.numpy(), rtol=rtol)


@pytest.mark.parametrize("constant", [-0.1, np.nan, np.inf])
def test_a_constant_that_backward_could_not_deal_with(constant):
    with pytest.raises(ValueError, match=r"slope must be in \[0, 1\], got"):
        activations.LeakyReLU(slope=constant)
    with pytest.raises(ValueError, match="alpha must be positive and finite, got"):
        activations.ELU(alpha=constant)


def test_sigmoid_is_the_logistic_function():
    assert ACTIVATIONS["sigmoid"] is ACTIVATIONS["logistic"]
    assert HIDDEN_ACTIVATIONS["sigmoid"] is HIDDEN_ACTIVATIONS["logistic"]
    assert ACTIVATIONS["sigmoid"].name == "logistic"


def test_output_activations_are_not_for_hidden_layers():
    assert set(ACTIVATIONS) - set(HIDDEN_ACTIVATIONS) == {"exp", "softmax"}
    for name, activation in HIDDEN_ACTIVATIONS.items():
        assert ACTIVATIONS[name] is activation


def test_naming_a_class_registers_it(monkeypatch):
    names = {"for_output", "for_hidden", "alias"}
    for registry in (ACTIVATIONS, HIDDEN_ACTIVATIONS):
        for name in names:  # registered below; monkeypatch takes them out again
            monkeypatch.setitem(registry, name, None)

    class ForOutput(Activation, name="for_output", hidden=False):
        pass

    class ForHidden(Activation, name="for_hidden", aliases=("alias",)):
        pass

    assert isinstance(ACTIVATIONS["for_output"], ForOutput)
    assert HIDDEN_ACTIVATIONS["for_output"] is None
    assert isinstance(HIDDEN_ACTIVATIONS["for_hidden"], ForHidden)
    for registry in (ACTIVATIONS, HIDDEN_ACTIVATIONS):
        assert registry["for_hidden"] is ACTIVATIONS["alias"]
        assert registry["alias"] is ACTIVATIONS["alias"]
    assert ACTIVATIONS["alias"].name == "for_hidden"


@pytest.mark.parametrize("Base", [Activation, activations.ELU])
def test_a_class_without_a_name_is_not_registered(Base):
    before = dict(ACTIVATIONS), dict(HIDDEN_ACTIVATIONS)

    class Mine(Base):
        def __init__(self, required):
            pass

    assert Mine(1).name == "Mine"
    assert (ACTIVATIONS, HIDDEN_ACTIVATIONS) == before


def test_missing_methods_of_a_class_raise():
    class Nothing(Activation):
        pass

    A = np.ones((1, 1))
    with pytest.raises(NotImplementedError):
        Nothing().forward(A, A)
    with pytest.raises(NotImplementedError):
        Nothing().backward(A, A, A, A)
