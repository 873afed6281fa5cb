"""Tests of prediction: outputs, hidden activations and input gradients."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix

from skmlp.core.activations import ACTIVATIONS, HIDDEN_ACTIVATIONS
from skmlp.core.finite_differences import central_differences
from skmlp.core.inference import decision_function, hidden_activations, input_gradient
from skmlp.core.losses import LOSSES
from skmlp.core.parameters import Parameters
from skmlp.layers import make_mlp

N_FEATURES, N_OUTPUTS = 6, 3
HIDDEN = [(), (4,), (5, 3, 4)]
parametrize_input = pytest.mark.parametrize(
    "as_input", [np.asarray, np.asfortranarray, csr_matrix, csr_array]
)
parametrize_chunk = pytest.mark.parametrize("max_elements", [1, 6, 13, 30, 2**20])


def build(hidden, activations, dtype=np.float64):
    """Return a network, the arrays of its layers, its weights and its biases."""
    sizes = (N_FEATURES, *hidden, N_OUTPUTS)
    network = make_mlp(sizes, activations, LOSSES["squared_error"]())
    theta = Parameters(network.layout, dtype)
    theta.flat[:] = 0.7 * np.random.RandomState(0).randn(theta.flat.size)
    return network, network.arrange(theta), theta.coefs, theta.intercepts


def inputs(n_samples=9):
    rng = np.random.RandomState(1)
    return rng.randn(n_samples, N_FEATURES) * (rng.rand(n_samples, N_FEATURES) > 0.3)


def tanh_layers(coefs, intercepts, X):
    """Of a network of the hyperbolic tangent: its layers, the last one linear."""
    layers = []
    for W, b in zip(coefs, intercepts, strict=True):
        layers.append(X @ W + b)
        X = np.tanh(layers[-1])
    return [*(np.tanh(Z) for Z in layers[:-1]), layers[-1]]


@parametrize_input
@parametrize_chunk
@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
def test_layers_are_the_same_in_chunks_of_any_size(hidden, max_elements, as_input):
    # The output activation is not used.
    activations = [ACTIVATIONS["tanh"]] * len(hidden) + [ACTIVATIONS["exp"]]
    *network, coefs, intercepts = build(hidden, activations)
    X = inputs()
    before, expected = X.copy(), tanh_layers(coefs, intercepts, X)
    arguments = *network, as_input(X), max_elements
    layers = [*hidden_activations(*arguments), decision_function(*arguments)]
    for layer, values in zip(layers, expected, strict=True):
        np.testing.assert_allclose(layer, values, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("name", HIDDEN_ACTIVATIONS)
def test_hidden_activations_are_the_activations_values(name):
    X, g = inputs(), ACTIVATIONS[name]
    *network, coefs, intercepts = build((4,), [g, ACTIVATIONS["identity"]])
    Z = X @ coefs[0] + intercepts[0]
    A = Z.copy()
    g.forward(Z if g.needs_z else A, A)
    (hidden,) = hidden_activations(*network, X)
    np.testing.assert_allclose(hidden, A, rtol=1e-12, atol=1e-15)
    decision = decision_function(*network, X)
    np.testing.assert_allclose(decision, A @ coefs[1] + intercepts[1], rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_are_in_the_dtype_of_the_parameters(dtype):
    activations = [ACTIVATIONS["relu"], ACTIVATIONS["identity"]]
    *network, coefs, intercepts = build((4,), activations, dtype)
    X = np.arange(12).reshape(2, 6)
    arguments = *network, X
    hidden = np.maximum(X.astype(dtype) @ coefs[0] + intercepts[0], 0)
    decision = decision_function(*arguments)
    (A,) = hidden_activations(*arguments)
    gradient = input_gradient(*arguments, np.ones_like)
    assert decision.dtype == A.dtype == gradient.dtype == dtype
    rtol = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(A, hidden, rtol=rtol)
    np.testing.assert_allclose(decision, hidden @ coefs[1] + intercepts[1], rtol=rtol)


def test_no_samples_have_no_outputs():
    network, arrays, _, _ = build((4,), [ACTIVATIONS["tanh"]] * 2)
    arguments = network, arrays, inputs()[:0]
    assert decision_function(*arguments).shape == (0, 3)
    assert hidden_activations(*arguments)[0].shape == (0, 4)
    assert input_gradient(*arguments, np.ones_like).shape == (0, 6)


@pytest.mark.parametrize("as_input", [np.asarray, csr_matrix])
def test_memory_does_not_grow_with_the_samples(as_input):
    """Beyond the result; the input is converted in chunks as well."""
    relu = [ACTIVATIONS["relu"]] * 3
    network = make_mlp([20, 30, 30, 1], relu, LOSSES["squared_error"]())
    arrays = network.arrange(Parameters(network.layout))
    for n_samples in (2_000, 20_000):
        X = as_input(np.ones((n_samples, 20), np.float32))
        arguments = network, arrays, X
        for function, seeds, n_columns in [
            (decision_function, (), 1),
            (hidden_activations, (), 60),
            (input_gradient, (np.ones_like,), 20),
        ]:
            tracemalloc.start()
            function(*arguments, *seeds, max_elements=2**12)
            peak = tracemalloc.get_traced_memory()[1] - 8 * n_columns * n_samples
            tracemalloc.stop()
            # A few layers, the input in float64, and what scipy needs for that.
            assert peak < 8 * 8 * 2**12, function


OUTPUT_SEED = np.array([0.5, -1.0, 2.0])


def network_with(name):
    """The activation in a hidden layer, or in the last, and another one."""
    if name in HIDDEN_ACTIVATIONS:
        return [ACTIVATIONS[g] for g in (name, "tanh", name)]
    return [ACTIVATIONS[g] for g in ("tanh", "gelu", name)]


@parametrize_input
@pytest.mark.parametrize("max_elements", [1, 13, 2**20])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_input_gradient_is_the_difference_quotient(name, max_elements, as_input):
    activations, X = network_with(name), inputs(5)
    network, arrays, _, _ = build((5, 4), activations)
    before = X.copy()

    def seed(A):
        assert A.shape[1] == N_OUTPUTS
        return np.tile(OUTPUT_SEED, (len(A), 1))

    gradient = input_gradient(
        network, arrays, as_input(X), seed, max_elements=max_elements
    )
    np.testing.assert_array_equal(X, before)

    x = X.ravel()

    def weighted_output():
        Z = decision_function(network, arrays, x.reshape(X.shape))
        A = Z.copy()
        activations[-1].forward(Z if activations[-1].needs_z else A, A)
        return float((A @ OUTPUT_SEED).sum())

    expected = central_differences(weighted_output, x, step=1e-6).reshape(X.shape)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_input_gradient_is_torchs(name, torch_activation):
    """Also with a seed that depends on the output: of the sum of squares."""
    torch = pytest.importorskip("torch")
    names = (name, "tanh", name) if name in HIDDEN_ACTIVATIONS else ("tanh",) * 2
    names = names if len(names) == 3 else (*names, name)
    *network, coefs, intercepts = build((5, 4), [ACTIVATIONS[g] for g in names])
    X = inputs()
    gradient = input_gradient(*network, X, lambda A: 2 * A)
    x = torch.tensor(X, requires_grad=True)
    a = x
    for W, b, g in zip(coefs, intercepts, names, strict=True):
        a = torch_activation(g)(a @ torch.tensor(W) + torch.tensor(b))
    (a**2).sum().backward()
    np.testing.assert_allclose(gradient, x.grad.numpy(), rtol=1e-10, atol=1e-13)


def test_input_gradient_of_a_network_that_is_cut_off_is_that_of_its_units():
    network, arrays, coefs, intercepts = build((5, 4), [ACTIVATIONS["tanh"]] * 3)
    X = inputs()

    def first_unit(A):
        return np.eye(A.shape[1])[[0] * len(A)]

    gradient = input_gradient(network, arrays, X, first_unit, network.ends[0] + 1)
    A = np.tanh(X @ coefs[0] + intercepts[0])[:, :1]
    np.testing.assert_allclose(gradient, (1 - A**2) * coefs[0][:, 0], rtol=1e-12)


def test_the_seed_may_be_read_only_or_of_another_type():
    network, arrays, _, _ = build((4,), [ACTIVATIONS["tanh"]] * 2)
    given = np.ones((9, 3), dtype=int)
    given.flags.writeable = False
    arguments = network, arrays, inputs()
    np.testing.assert_array_equal(
        input_gradient(*arguments, lambda A: given),
        input_gradient(*arguments, np.ones_like),
    )


@pytest.mark.parametrize("as_input", [np.asarray, csr_matrix])
def test_input_beyond_the_range_of_the_dtype_is_an_error(as_input):
    """And not the class 0; an input that is not finite is not our business."""
    arguments = build((4,), [ACTIVATIONS["tanh"]] * 2, np.float32)[:2]
    X = np.ones((9, N_FEATURES))
    X[7, 2] = -1e39
    message = r"^X is beyond .* dtype, float32: its largest absolute value is 1e\+39\.$"
    for function, seed in [
        (decision_function, ()),
        (hidden_activations, ()),
        (input_gradient, (np.ones_like,)),
    ]:
        with pytest.raises(ValueError, match=message):
            function(*arguments, as_input(X), *seed, max_elements=13)
    X[7, 2] = np.nan
    assert np.isnan(decision_function(*arguments, as_input(X))[7]).all()
