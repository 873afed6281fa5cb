"""Tests of the bounds on the gradient and on the weights against torch."""

import numpy as np
import pytest

from skmlp.core.constraints import MaxNorm, euclidean_norm, shorten
from skmlp.core.parameters import Layout, Parameters

DTYPES = [np.float32, np.float64]


def parameters(dtype=np.float64):
    """Columns of many lengths, one of them zero, and large biases and scales."""
    layout = Layout.dense([5, 4, 3, 2])
    scales = layout.parameters["intercepts"][:-1]
    layout = Layout({**layout.parameters, "layer_norm_scales": scales}, {})
    theta = Parameters(layout, dtype)
    theta.flat[:] = 100
    theta.weights[:] = np.random.RandomState(0).randn(theta.weights.size)
    theta.coefs[0][:] *= [0.1, 0.5, 1, 5]
    theta.coefs[1][:, 2] = 0
    return theta


@pytest.mark.parametrize("dtype", DTYPES)
def test_norm_is_numpys(dtype):
    grad = np.random.RandomState(0).randn(50).astype(dtype)
    expected = np.linalg.norm(grad.astype(np.float64))
    assert isinstance(euclidean_norm(grad), float)
    assert euclidean_norm(grad) == pytest.approx(
        expected, rel=10 * float(np.finfo(dtype).eps)
    )
    assert euclidean_norm(np.zeros(3, dtype)) == 0
    assert np.isnan(euclidean_norm(np.array([1, np.nan], dtype)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bound", [1e-3, 0.5, 5.0, 1e3])
def test_clip_norm_is_torchs(bound, dtype):
    torch = pytest.importorskip("torch")
    theta = parameters(dtype)
    grad = theta.flat / 100
    arrays = []
    for part in np.split(grad.astype(np.float64), [14]):
        arrays.append(torch.zeros(part.size, dtype=torch.float64))
        arrays[-1].grad = torch.tensor(part)
    length = torch.nn.utils.clip_grad_norm_(arrays, bound).item()
    expected = np.concatenate([array.grad.numpy() for array in arrays])
    assert euclidean_norm(grad) == pytest.approx(length, rel=1e-6)
    shorten(grad, euclidean_norm(grad), bound)
    assert grad.dtype == dtype
    # torch adds 1e-6 to the norm, of about 10, that it divides by.
    np.testing.assert_allclose(grad, expected, rtol=1e-6)


def test_a_clipped_gradient_has_the_norm_of_the_bound_and_its_old_direction():
    g = np.random.RandomState(0).randn(50)
    grad = g.copy()
    shorten(grad, euclidean_norm(grad), 0.25)
    assert np.linalg.norm(grad) == pytest.approx(0.25, rel=1e-14)
    assert grad @ g == pytest.approx(0.25 * np.linalg.norm(g), rel=1e-14)


@pytest.mark.parametrize("length", [3.0, np.nextafter(3, 0), 0.0])
def test_gradient_within_the_bound_is_unchanged(length):
    grad = np.array([length, 0.0])
    shorten(grad, length, 3.0)
    assert grad.tolist() == [length, 0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bound", [0.3, 1.0, 4.0])
def test_max_norm_is_torchs_renorm_of_the_columns(bound, dtype):
    torch = pytest.importorskip("torch")
    theta = parameters(dtype)
    before = theta.copy()
    MaxNorm(bound, theta)(theta)
    assert theta.flat.dtype == dtype
    clipped = 0
    for W, W_before in zip(theta.coefs, before.coefs, strict=True):
        expected = torch.renorm(torch.tensor(W_before), p=2, dim=1, maxnorm=bound)
        # torch adds 1e-7 to the norm that it divides by.
        np.testing.assert_allclose(W, expected.numpy(), rtol=1e-6)
        lengths = np.linalg.norm(W_before, axis=0)
        short = lengths < bound * (1 - 1e-6)
        np.testing.assert_array_equal(W[:, short], W_before[:, short])
        expected = np.minimum(lengths, bound)
        np.testing.assert_allclose(np.linalg.norm(W, axis=0), expected, rtol=1e-6)
        clipped += (~short).sum()
    assert 0 < clipped < 9
    for part in ("intercepts", "layer_norm_scales"):
        for view in theta.groups[part]:
            assert (view == 100).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_max_norm_is_a_projection(dtype):
    """Of what is within the ball, it changes nothing but by rounding."""
    theta = parameters(dtype)
    max_norm = MaxNorm(0.5, theta)
    max_norm(theta)
    once = theta.flat.copy()
    max_norm(theta)
    np.testing.assert_allclose(theta.flat, once, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_norm_of_a_vector_whose_squares_overflow(dtype):
    large = float(np.sqrt(np.finfo(dtype).max)) * 100
    grad = np.array([3 * large, 4 * large], dtype)
    with np.errstate(over="ignore"):  # as in training
        assert euclidean_norm(grad) == pytest.approx(5 * large, rel=1e-6)
    assert np.isinf(euclidean_norm(np.array([1, np.inf], dtype)))
