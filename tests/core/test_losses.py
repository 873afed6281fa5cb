"""Tests of the losses against scikit-learn's metrics, torch and differences."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_poisson_deviance, mean_squared_error

from skmlp.core.losses import LOSSES


def labels_log_loss(Y, P, w=None):
    return sum(
        log_loss(y, p, sample_weight=w, labels=[0, 1])
        for y, p in zip(Y.T, P.T, strict=True)
    )


# Weighted mean over the samples, summed over the outputs.
METRICS = {
    "squared_error": lambda Y, P, w=None: (
        mean_squared_error(Y, P, sample_weight=w) * Y.shape[1] / 2
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
    if loss.output_activation.name in ("logistic", "softmax")
]


def metric(name):
    assert name in METRICS, f"give the new loss {name!r} a metric of scikit-learn here"
    return METRICS[name]


def targets(name, n_samples, n_outputs):
    """Targets that the loss is for."""
    rng = np.random.RandomState(3)
    if LOSSES[name].output_activation.name == "softmax":
        return np.eye(n_outputs)[rng.randint(n_outputs, size=n_samples)]
    if LOSSES[name].output_activation.name == "logistic":
        return rng.randint(2, size=(n_samples, n_outputs)).astype(float)
    if LOSSES[name].lower_bound == 0:
        return rng.poisson(1.5, size=(n_samples, n_outputs)).astype(float)
    return rng.randn(n_samples, n_outputs)


def problem(name, n_samples=12, n_outputs=3):
    """Pre-activations, the outputs that they give, and targets."""
    Z = np.random.RandomState(0).randn(n_samples, n_outputs)
    P = Z.copy()
    LOSSES[name].output_activation.forward(P)
    return Z, P, targets(name, n_samples, n_outputs)


def value(name, Y, P, w=None):
    n = len(P) if w is None else w.sum()
    w = None if w is None else w[:, np.newaxis]
    out, row = np.empty_like(P), np.empty_like(P[0])
    return LOSSES[name].value(Y, P, w, n, out, row)


def pointwise(name, Y, P):
    out = np.full_like(P, np.nan)
    LOSSES[name].pointwise(Y, P, out)
    return out


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_value_is_scikit_learns_metric(name, weighted):
    _, P, Y = problem(name)
    w = np.arange(12.0) % 5 if weighted else None
    np.testing.assert_allclose(value(name, Y, P, w), metric(name)(Y, P, w), rtol=1e-13)


@pytest.mark.parametrize("name", LOSSES)
def test_pointwise_is_torchs(name):
    torch = pytest.importorskip("torch")
    functional, from_numpy = torch.nn.functional, torch.from_numpy
    references = {
        "squared_error": lambda p, y: functional.mse_loss(p, y, reduction="none") / 2,
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
    _, P, Y = problem(name)
    expected = references[name](from_numpy(P), from_numpy(Y)).numpy()
    np.testing.assert_allclose(pointwise(name, Y, P), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("n_outputs", [2, 5])
@pytest.mark.parametrize("name", LOSSES)
def test_delta_is_the_central_difference_in_the_pre_activation(name, n_outputs):
    Z, P, Y = problem(name, n_outputs=n_outputs)
    h = 1e-6

    def of_each_sample(Z):
        Z = Z.copy()
        LOSSES[name].output_activation.forward(Z)
        return pointwise(name, Y, Z).sum(axis=1)

    expected = np.empty_like(Z)
    for k in range(n_outputs):
        step = h * np.eye(n_outputs)[k]
        expected[:, k] = (of_each_sample(Z + step) - of_each_sample(Z - step)) / (2 * h)

    before = Y.copy()
    assert LOSSES[name].delta(Y, P) is None
    np.testing.assert_allclose(P, expected, rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(Y, before, err_msg="delta changed Y")


@pytest.mark.parametrize("name", LOSSES)
def test_value_leaves_the_targets_and_the_output_alone(name):
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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", PROBABILITIES)
def test_delta_of_saturated_probabilities_is_exact(name, dtype):
    """The clipping is for the value alone: a wrong unit still learns."""
    Z = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype)
    Y = np.array([[0, 1], [0, 1]], bool)
    LOSSES[name].output_activation.forward(Z)
    LOSSES[name].delta(Y, Z)
    assert Z.tolist() == [[1, -1], [0, 0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_poisson_of_a_zero_count_is_the_rate_even_if_it_underflows(dtype):
    """lim y log(y / p) = 0 as y -> 0, for every p."""
    P = np.array([[-1e4], [-1.0], [1.0]], dtype)
    LOSSES["poisson"].output_activation.forward(P)
    assert P[0] == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        losses = pointwise("poisson", np.zeros_like(P), P)
    np.testing.assert_array_equal(losses, P)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", PROBABILITIES)
def test_boolean_targets_are_zeros_and_ones(name, dtype):
    _, P, Y = problem(name)
    P = P.astype(dtype)
    numbers, booleans = Y.astype(dtype), Y.astype(bool)
    np.testing.assert_array_equal(
        pointwise(name, booleans, P), pointwise(name, numbers, P)
    )
    deltas = P.copy(), P.copy()
    LOSSES[name].delta(booleans, deltas[0])
    LOSSES[name].delta(numbers, deltas[1])
    np.testing.assert_array_equal(*deltas)


@pytest.mark.parametrize("name", LOSSES)
def test_float32_stays_float32(name):
    _, P, Y = problem(name)
    exact = pointwise(name, Y, P)
    single = pointwise(name, Y.astype(np.float32), P.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, exact, rtol=1e-4, atol=1e-6)
