"""Tests of the losses against scikit-learn's metrics, torch and differences."""

import tracemalloc

import numpy as np
import pytest
from scipy.special import xlogy
from sklearn.metrics import (
    log_loss,
    mean_absolute_error,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
)

from skmlp.core.activations import ACTIVATIONS
from skmlp.core.losses import (
    LOSSES,
    BinaryLogLoss,
    Huber,
    LogLoss,
    Loss,
    Poisson,
    Quantile,
    SquaredError,
)
from skmlp.layers import make_mlp

# Not the default, and not the same on both sides.
CONSTANTS = {"huber": {"huber_delta": 0.7}, "quantile": {"quantile": 0.3}}


def loss_of(name):
    return LOSSES[name](**CONSTANTS.get(name, {}))


def labels_log_loss(Y, P, w=None):
    return sum(
        log_loss(y, p, sample_weight=w, labels=[0, 1])
        for y, p in zip(Y.T, P.T, strict=True)
    )


def huber_loss(Y, P, w=None):
    """Half the squared error of the clipped residual, and the linear rest."""
    r = np.abs(P - Y)
    small = np.minimum(r, 0.7)
    return np.average(small**2 / 2 + 0.7 * (r - small), axis=0, weights=w).sum()


# Weighted mean over the samples, summed over the outputs.
METRICS = {
    "squared_error": lambda Y, P, w=None: (
        mean_squared_error(Y, P, sample_weight=w) * Y.shape[1] / 2
    ),
    "absolute_error": lambda Y, P, w=None: (
        mean_absolute_error(Y, P, sample_weight=w) * Y.shape[1]
    ),
    "huber": huber_loss,
    "quantile": lambda Y, P, w=None: (
        mean_pinball_loss(Y, P, sample_weight=w, alpha=0.3) * Y.shape[1]
    ),
    "poisson": lambda Y, P, w=None: sum(
        mean_poisson_deviance(y, p, sample_weight=w) / 2
        for y, p in zip(Y.T, P.T, strict=True)
    ),
    "binary_log_loss": labels_log_loss,
    "log_loss": lambda Y, P, w=None: log_loss(
        Y.argmax(axis=1), P, sample_weight=w, labels=range(Y.shape[1])
    ),
}
PROBABILITIES = [
    name
    for name, loss in LOSSES.items()
    if loss.output_activation in ("logistic", "softmax")
]
CANONICAL = [name for name, loss in LOSSES.items() if loss.canonical is not None]
DTYPES = [np.float32, np.float64]


def metric(name):
    assert name in METRICS, f"give the new loss {name!r} a metric here"
    return METRICS[name]


def targets(name, n_samples, n_outputs):
    """Targets that the loss is for."""
    rng = np.random.RandomState(3)
    if LOSSES[name].output_activation == "softmax":
        return np.eye(n_outputs)[rng.randint(n_outputs, size=n_samples)]
    if LOSSES[name].output_activation == "logistic":
        return rng.randint(2, size=(n_samples, n_outputs)).astype(float)
    if LOSSES[name].lower_bound == 0:
        return rng.poisson(1.5, size=(n_samples, n_outputs)).astype(float)
    return rng.randn(n_samples, n_outputs)


def soft_targets(n_samples=12, n_outputs=3):
    """Probabilities instead of labels, those of a row with the sum 1."""
    Y = np.random.RandomState(4).rand(n_samples, n_outputs)
    return Y / Y.sum(axis=1, keepdims=True)


def output(name):
    """The activation that the output layer has by default."""
    return ACTIVATIONS[LOSSES[name].output_activation]


def problem(name, n_samples=12, n_outputs=3):
    """Pre-activations, the outputs that they give, and targets."""
    Z = np.random.RandomState(0).randn(n_samples, n_outputs)
    P = Z.copy()
    output(name).forward(P, P)
    return Z, P, targets(name, n_samples, n_outputs)


def value(name, Y, P, w=None):
    n = len(P) if w is None else w.sum()
    w = None if w is None else w[:, np.newaxis]
    out, row = np.empty_like(P), np.empty(P.shape[1])
    return loss_of(name).value(Y, P, w, n, out, row)


def pointwise(name, Y, P):
    out = np.full_like(P, np.nan)
    assert loss_of(name).pointwise(Y, P, out) is None
    return out


def gradient(name, Y, P):
    out = np.full_like(P, np.nan)
    assert loss_of(name).gradient(Y, P, out) is None
    return out


def torch_function(name):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    references = {
        "squared_error": lambda p, y: functional.mse_loss(p, y, reduction="none") / 2,
        "absolute_error": lambda p, y: functional.l1_loss(p, y, reduction="none"),
        "huber": lambda p, y: functional.huber_loss(p, y, reduction="none", delta=0.7),
        "quantile": lambda p, y: torch.maximum(0.3 * (y - p), 0.7 * (p - y)),
        # torch leaves out what does not depend on p.
        "poisson": lambda p, y: (
            functional.poisson_nll_loss(p, y, False, reduction="none", eps=0)
            + torch.xlogy(y, y)
            - y
        ),
        "binary_log_loss": lambda p, y: functional.binary_cross_entropy(
            p, y, reduction="none"
        ),
        "log_loss": lambda p, y: -y * p.log(),
    }
    assert name in references, f"give the new loss {name!r} a torch function here"
    return torch, references[name]


def torch_value_and_gradient(name, Y, P):
    torch, function = torch_function(name)
    p = torch.tensor(P, requires_grad=True)
    value = function(p, torch.from_numpy(Y))
    value.sum().backward()
    return value.detach().numpy(), p.grad.numpy()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_value_is_the_metric(name, weighted):
    _, P, Y = problem(name)
    w = np.arange(12.0) % 5 if weighted else None
    np.testing.assert_allclose(value(name, Y, P, w), metric(name)(Y, P, w), rtol=1e-13)


@pytest.mark.parametrize("name", LOSSES)
def test_pointwise_and_gradient_are_torchs(name):
    _, P, Y = problem(name)
    values, slopes = torch_value_and_gradient(name, Y, P)
    np.testing.assert_allclose(pointwise(name, Y, P), values, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(gradient(name, Y, P), slopes, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", PROBABILITIES)
def test_soft_targets_are_torchs(name):
    _, P, _ = problem(name)
    Y = soft_targets()
    values, slopes = torch_value_and_gradient(name, Y, P)
    np.testing.assert_allclose(pointwise(name, Y, P), values, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(gradient(name, Y, P), slopes, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("n_outputs", [1, 4])
@pytest.mark.parametrize("name", LOSSES)
def test_gradient_is_the_central_difference_of_the_value(name, n_outputs):
    _, P, Y = problem(name, n_outputs=n_outputs)
    if name == "log_loss":
        P = P * 0.9  # one output alone has the probability 1
    h = 1e-7
    # Every output has a loss of its own.
    expected = (pointwise(name, Y, P + h) - pointwise(name, Y, P - h)) / (2 * h)
    before = Y.copy(), P.copy()
    np.testing.assert_allclose(gradient(name, Y, P), expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(Y, before[0], err_msg="gradient changed Y")
    np.testing.assert_array_equal(P, before[1], err_msg="gradient changed P")


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("name", CANONICAL)
def test_canonical_activation_makes_the_derivative_p_minus_y(name, soft):
    _, P, Y = problem(name)
    if soft:
        Y = soft_targets()
    delta, g = gradient(name, Y, P), ACTIVATIONS[LOSSES[name].canonical]
    A = P.copy()
    g.backward(A, A, delta, np.empty_like(A))
    np.testing.assert_allclose(delta, P - Y, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", LOSSES)
def test_value_does_not_change_the_targets_and_the_output(name):
    """The backward pass needs them after it."""
    _, P, Y = problem(name)
    before = P.copy(), Y.copy()
    value(name, Y, P, np.arange(12.0))
    np.testing.assert_array_equal(P, before[0])
    np.testing.assert_array_equal(Y, before[1])


@pytest.mark.parametrize("name", LOSSES)
def test_an_integer_weight_is_a_repetition(name):
    _, P, Y = problem(name)
    w = np.arange(12) % 4
    repeated = value(name, Y.repeat(w, axis=0), P.repeat(w, axis=0))
    np.testing.assert_allclose(value(name, Y, P, w), repeated, rtol=1e-13)
    np.testing.assert_allclose(
        value(name, Y, P, np.full(12, 7.0)), value(name, Y, P), rtol=1e-13
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PROBABILITIES)
def test_saturated_probabilities_are_clipped_as_scikit_learn_does_it(name, dtype):
    Y = np.eye(2).repeat(2, axis=0)
    P = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype)
    losses = pointwise(name, Y.astype(bool), P)
    assert losses.dtype == dtype
    assert np.isfinite(losses).all()
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(losses.max(), -np.log(eps), rtol=1e-6)
    right = losses[[0, 3]].sum(axis=1)
    assert (right >= 0).all()
    assert (right <= 3 * eps).all()
    expected = metric(name)(Y, P)
    np.testing.assert_allclose(value(name, Y, P), expected, rtol=10 * eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hard", [bool, float])
@pytest.mark.parametrize("name", PROBABILITIES)
def test_gradient_of_saturated_probabilities_is_finite(name, hard, dtype):
    """And has the sign of the error, so that a wrong unit still learns."""
    Y = np.eye(2).repeat(3, axis=0).astype(bool if hard is bool else dtype)
    P = np.array([[1, 0], [0, 1], [1e-42, 1], [1, 0], [0, 1], [1, 1e-42]], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        slopes = gradient(name, Y, P)
    assert slopes.dtype == dtype
    assert np.isfinite(slopes).all()
    assert (slopes[Y == 1] <= -1).all()
    wrong = (Y == 1) & (P < 0.5)
    assert (slopes[wrong] < -1e18).all()
    if name == "log_loss":
        assert (slopes[Y == 0] == 0).all()
    else:
        assert (slopes[Y == 0] >= 1).all()
        assert (slopes[(Y == 0) & (P > 0.5)] > 1e6).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PROBABILITIES)
def test_small_probabilities_still_give_the_exact_derivative(name, dtype):
    """The clipping is for the value alone, and begins far above the guard."""
    p = np.finfo(dtype).eps ** 2
    P, Y = np.array([[p, 1 - p]], dtype), np.array([[1, 0]], dtype)
    np.testing.assert_allclose(gradient(name, Y, P)[0, 0], -1 / p, rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_poisson_of_a_zero_count_is_the_rate_even_if_it_underflows(dtype):
    """lim y log(y / p) = 0 as y -> 0, for every p."""
    P = np.array([[-1e4], [-1.0], [1.0]], dtype)
    ACTIVATIONS["exp"].forward(P, P)
    assert P[0] == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        losses = pointwise("poisson", np.zeros_like(P), P)
    np.testing.assert_array_equal(losses, P)


@pytest.mark.parametrize("dtype", DTYPES)
def test_poisson_of_a_large_count_is_finite_even_if_the_rate_underflows(dtype):
    """Where it does not, it is the textbook's formula, bit by bit."""
    tiny, counts = np.finfo(dtype).tiny, [1, 4, 5, 1000, 1e6]
    P, Y = np.array([[0], [tiny], [1e4 * tiny], [0.1]], dtype), np.array(counts, dtype)
    P, Y = np.repeat(P, 5, axis=1), np.tile(Y, (4, 1))
    with np.errstate(over="ignore"):  # of the quotient
        losses = pointwise("poisson", Y, P)
    y, p = Y[-1], P[-1]
    np.testing.assert_array_equal(losses[-1], xlogy(y, y / p) - y + p)
    assert np.isfinite(losses).all()
    assert (np.diff(losses, axis=0) <= 0).all()  # the more, the farther off
    assert (losses[0] >= -0.99 * Y[0] * np.log(tiny) - Y[0]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PROBABILITIES)
def test_boolean_targets_are_zeros_and_ones(name, dtype):
    _, P, Y = problem(name)
    P = P.astype(dtype)
    numbers, booleans = Y.astype(dtype), Y.astype(bool)
    np.testing.assert_array_equal(
        pointwise(name, booleans, P), pointwise(name, numbers, P)
    )
    np.testing.assert_array_equal(
        gradient(name, booleans, P), gradient(name, numbers, P)
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_labels_of_saturated_units_are_the_same_as_numbers(dtype):
    eps = np.finfo(dtype).eps
    p = np.array([0, 1e-40, eps / 2, eps, 0.1, 0.5, 1 - eps, 1 - eps / 2, 1], dtype)
    P, Y = np.column_stack([p, p]), np.zeros((9, 2), bool)
    Y[:, 1] = True
    np.testing.assert_array_equal(
        pointwise("binary_log_loss", Y, P),
        pointwise("binary_log_loss", Y.astype(dtype), P),
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("y", [0.1, 0.5, 0.9])
def test_soft_labels_keep_their_digits_near_saturation(y, dtype):
    """1 - p is exact there, unlike the |1 - y - p| of hard labels."""
    eps = np.finfo(dtype).eps
    P = np.array([[2 * eps, 100 * eps, 1e-3, 1 - 1e-3, 1 - 100 * eps, 1 - 2 * eps]])
    P = P.astype(dtype)
    Y = np.full_like(P, y)
    p, y = P.astype(np.longdouble), Y.astype(np.longdouble)
    expected = -y * np.log(p) - (1 - y) * np.log1p(-p)
    np.testing.assert_allclose(pointwise("binary_log_loss", Y, P), expected, 4 * eps)
    expected = (p - y) / (p * (1 - p))
    np.testing.assert_allclose(gradient("binary_log_loss", Y, P), expected, 4 * eps)
    saturated = np.array([[0, 1]], dtype)
    losses = pointwise("binary_log_loss", Y[:, :2], saturated)
    assert np.isfinite(losses).all()
    assert losses.max() < -np.log(eps)


def test_soft_labels_that_are_predicted_give_the_entropy():
    """The least loss, where the gradient is zero."""
    Y = soft_targets()
    entropy = -Y * np.log(Y) - (1 - Y) * np.log(1 - Y)
    np.testing.assert_allclose(pointwise("binary_log_loss", Y, Y), entropy, rtol=1e-14)
    assert not gradient("binary_log_loss", Y, Y).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rate", [0, 1e-42, 1e-30, np.inf])
def test_poisson_gradient_is_finite_for_every_rate_and_count(rate, dtype):
    P = np.full((1, 3), rate, dtype)
    Y = np.array([[0, 1, 1e6]], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        slopes = gradient("poisson", Y, P)
    assert np.isfinite(slopes).all()
    assert slopes[0, 0] == 1
    if rate < 1:
        assert (slopes[0, 1:] < -1e18).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["absolute_error", "huber", "quantile"])
def test_large_residuals_of_robust_losses_do_not_overflow(name, dtype):
    large = np.finfo(dtype).max / 4
    P, Y = np.array([[-large, large, 0]], dtype), np.array([[large, -large, 0]], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        losses, slopes = pointwise(name, Y, P), gradient(name, Y, P)
    left, right = {"absolute_error": (1, 1), "huber": (0.7, 0.7)}.get(name, (0.3, 0.7))
    expected = [2.0 * left, 2.0 * right, 0]
    np.testing.assert_allclose(losses[0] / large, expected, rtol=1e-6)
    np.testing.assert_allclose(slopes[0], [-left, right, 0], rtol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_nan_in_the_output_is_nan_in_the_loss(name):
    """Diverged training is not mistaken for a perfect fit."""
    _, P, Y = problem(name)
    P[0] = np.nan
    for result in (pointwise(name, Y, P), gradient(name, Y, P)):
        assert np.isnan(result[0, Y[0] != 0]).all()
        assert np.isfinite(result[1:]).all()


def test_huber_is_the_squared_error_of_small_residuals():
    Y, P = np.zeros((1, 4)), np.array([[-2.0, -0.5, 0.5, 2.0]])
    out = np.empty_like(P)
    Huber(huber_delta=2.0).pointwise(Y, P, out)
    np.testing.assert_array_equal(out, pointwise("squared_error", Y, P))
    Huber().pointwise(Y, P, out)
    np.testing.assert_array_equal(out, [[1.5, 0.125, 0.125, 1.5]])
    Huber().gradient(Y, P, out)
    np.testing.assert_array_equal(out, [[-1, -0.5, 0.5, 1]])


def test_the_median_is_half_the_absolute_error():
    _, P, Y = problem("quantile")
    P[0] = Y[0]
    out = np.empty_like(P)
    Quantile().pointwise(Y, P, out)
    np.testing.assert_array_equal(out, pointwise("absolute_error", Y, P) / 2)
    Quantile().gradient(Y, P, out)
    np.testing.assert_array_equal(out, gradient("absolute_error", Y, P) / 2)


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_quantile_loss_is_least_at_the_quantile(q):
    y = np.random.RandomState(0).randn(1001, 1)
    out, row = np.empty_like(y), np.empty(1)

    def total(p):
        return Quantile(q).value(y, np.full_like(y, p), None, 1001, out, row)

    best = np.quantile(y, q)
    assert total(best) < min(total(best - 0.05), total(best + 0.05))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
def test_temporaries_do_not_grow_with_the_batch(name, dtype):
    _, P, Y = problem(name, 5_000, 50)
    P, Y, out, loss = P.astype(dtype), Y.astype(dtype), P.astype(dtype), loss_of(name)
    tracemalloc.start()
    loss.pointwise(Y, P, out)
    loss.gradient(Y, P, out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300_000


@pytest.mark.parametrize("name", LOSSES)
def test_float32_stays_float32(name):
    _, P, Y = problem(name)
    exact = pointwise(name, Y, P)
    single = pointwise(name, Y.astype(np.float32), P.astype(np.float32))
    assert single.dtype == np.float32
    slopes = gradient(name, Y.astype(np.float32), P.astype(np.float32))
    assert slopes.dtype == np.float32
    np.testing.assert_allclose(slopes, gradient(name, Y, P), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(single, exact, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("Class", [Huber, Quantile])
def test_a_constant_of_numpy_does_not_change_the_type(Class, dtype):
    Y, P = np.zeros((2, 1), dtype), np.array([[-3], [0.1]], dtype)
    out, expected = np.empty_like(P), np.empty_like(P)
    for method in ("pointwise", "gradient"):
        getattr(Class(np.float64(0.3)), method)(Y, P, out)
        getattr(Class(0.3), method)(Y, P, expected)
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("constant", [0, -1.0, np.inf, np.nan])
def test_a_constant_that_makes_no_loss(constant):
    with pytest.raises(ValueError, match="huber_delta must be positive and finite"):
        Huber(constant)
    with pytest.raises(ValueError, match=r"quantile must be in \(0, 1\), got"):
        Quantile(constant)


def test_naming_a_class_registers_it(monkeypatch):
    monkeypatch.setitem(LOSSES, "named", None)  # monkeypatch takes it out again

    class Named(Loss, name="named", hyperparameters=["constant"]):
        pass

    class Mine(Named):
        pass

    assert LOSSES["named"] is Named
    assert Named.name == "named"
    assert Mine.name == "Mine"
    assert Mine not in LOSSES.values()
    assert Named.hyperparameters == Mine.hyperparameters == ("constant",)
    assert Loss.hyperparameters == ()
    for method in (Mine().pointwise, Mine().gradient):
        with pytest.raises(NotImplementedError):
            method(None, None, None)


def test_a_loss_that_differs_from_its_base_has_no_canonical_activation():
    """Or the network would use p - y, and not the gradient of the class."""

    class Value(LogLoss):
        def pointwise(self, Y, P, out):
            super().pointwise(Y, P, out)
            out *= 2

    class Slope(SquaredError):
        def gradient(self, Y, P, out):
            np.sign(P - Y, out=out)

    class Doubled:
        gradient = Value.pointwise

    class Mixed(Doubled, BinaryLogLoss):
        pass

    class Same(LogLoss):
        mean_over_outputs = True

    class Own(Poisson):
        canonical = "exp"
        pointwise = SquaredError.pointwise

    class Derived(Own):
        pass

    class Further(Value):
        pass

    for cls in (Value, Slope, Mixed, Further):
        assert cls.canonical is None
    assert Same.canonical == "softmax"
    assert Own.canonical == Derived.canonical == "exp"
    assert Value.output_activation == "softmax"
    softmax = ACTIVATIONS["softmax"]
    assert not make_mlp((2, 3), [softmax], Value()).has_canonical_output
    assert make_mlp((2, 3), [softmax], Same()).has_canonical_output


@pytest.mark.parametrize("name", LOSSES)
def test_attributes_of_a_loss(name):
    loss = LOSSES[name]
    assert loss.name == name
    assert set(CONSTANTS.get(name, {})) == set(loss.hyperparameters)
    assert loss.canonical in (None, loss.output_activation)
    assert isinstance(loss(), loss)  # every hyperparameter has a default
    assert not loss.positive_output or output(name).positive
    assert loss.mean_over_outputs == (
        name in ("squared_error", "absolute_error", "huber", "quantile")
    )


def test_the_sum_over_many_samples_keeps_its_digits_in_float32():
    P, Y = np.full((400_000, 3), 0.1, np.float32), np.zeros((400_000, 3), np.float32)
    network = make_mlp((2, 3), [ACTIVATIONS["identity"]], loss_of("absolute_error"))
    mean = network.mean_loss(Y, P, None)
    assert mean == pytest.approx(float(np.float32(0.1)), rel=1e-12)
