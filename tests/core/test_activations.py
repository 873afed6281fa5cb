"""Tests of the activations against torch and finite differences."""

import numpy as np
import pytest

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


def forward(name, Z):
    A = Z.copy()
    assert ACTIVATIONS[name].forward(A) is None
    return A


def torch_function(name):
    torch = pytest.importorskip("torch")
    references = {
        "identity": lambda z: z * 1,
        "logistic": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": torch.relu,
        "exp": torch.exp,
        "softmax": lambda z: torch.softmax(z, dim=1),
    }
    assert name in references, f"give the new activation {name!r} a torch function here"
    return torch, references[name]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_forward_is_torchs(name, dtype):
    torch, function = torch_function(name)
    Z = pre_activations(name, dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        A = forward(name, Z)
    assert A.dtype == dtype
    expected = function(torch.from_numpy(Z)).numpy()
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(A, expected, rtol=200 * eps, atol=np.finfo(dtype).tiny)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", HIDDEN_ACTIVATIONS)
def test_backward_is_torchs_derivative(name, dtype):
    torch, function = torch_function(name)
    Z = pre_activations(name, dtype)
    upstream = np.random.RandomState(1).randn(*Z.shape).astype(dtype)
    z = torch.tensor(Z, requires_grad=True)
    function(z).backward(torch.from_numpy(upstream))

    A, delta = forward(name, Z), upstream.copy()
    before = A.copy()
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert ACTIVATIONS[name].backward(A, delta, np.empty_like(A)) is None
    assert delta.dtype == dtype
    # 1 - a and 1 - a^2 cancel where a is near 1, in torch as well.
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(delta, z.grad.numpy(), rtol=50 * eps, atol=10 * eps)
    np.testing.assert_array_equal(A, before, err_msg="backward changed A")


@pytest.mark.parametrize("name", HIDDEN_ACTIVATIONS)
def test_backward_is_the_central_difference_of_forward(name):
    Z, h = np.random.RandomState(0).randn(8, 5) * 3, 1e-6
    expected = (forward(name, Z + h) - forward(name, Z - h)) / (2 * h)
    delta = np.ones_like(Z)
    ACTIVATIONS[name].backward(forward(name, Z), delta, np.empty_like(Z))
    np.testing.assert_allclose(delta, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_forward_does_not_hide_that_training_diverged(name):
    """A pre-activation that is NaN stays NaN."""
    Z = np.array([[np.nan, 1.0], [0.0, 1.0]])
    A = forward(name, Z)
    assert np.isnan(A[0, 0])
    assert np.isfinite(A[1]).all()


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


def test_naming_a_class_registers_it(monkeypatch):
    """As a hidden activation only if it has a derivative."""
    for registry in (ACTIVATIONS, HIDDEN_ACTIVATIONS):
        # Registered below; monkeypatch takes them out again.
        monkeypatch.setitem(registry, "no_backward", None)
        monkeypatch.setitem(registry, "with_backward", None)

    class NoBackward(Activation, name="no_backward"):
        pass

    class WithBackward(Activation, name="with_backward"):
        def backward(self, A, delta, work):
            pass

    assert isinstance(ACTIVATIONS["no_backward"], NoBackward)
    assert HIDDEN_ACTIVATIONS["no_backward"] is None
    assert isinstance(HIDDEN_ACTIVATIONS["with_backward"], WithBackward)
    assert HIDDEN_ACTIVATIONS["with_backward"] is ACTIVATIONS["with_backward"]
    assert ACTIVATIONS["with_backward"].name == "with_backward"
