"""Tests of dropout against statistics, torch and finite differences."""

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix, issparse

from skmlp.core.activations import ACTIVATIONS
from skmlp.core.finite_differences import central_differences
from skmlp.core.losses import LOSSES
from skmlp.core.network import Workspace
from skmlp.core.objective import Objective
from skmlp.core.parameters import Parameters
from skmlp.core.penalties import ElasticNet
from skmlp.layers import Dropout, make_mlp
from skmlp.layers.dropout import Mask, SparseMask

DTYPES = [np.float32, np.float64]
RATES = [0.2, 0.5, 0.9]
SHAPE = 200, 300


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rate", RATES)
def test_mask_keeps_a_share_of_the_units_and_scales_them(rate, dtype):
    """Independently of each other: by rows and by columns it is the same share."""
    dropout = Mask(rate, SHAPE, dtype)
    dropout.draw(generator())
    mask = dropout.factors
    assert mask.dtype == dtype
    assert set(np.unique(mask)) == {0, dtype(1 / (1 - rate))}
    n_rows, n_columns = SHAPE
    spread = np.sqrt(rate / (1 - rate))  # the standard deviation of an entry
    assert abs(mask.mean() - 1) < 4 * spread / np.sqrt(mask.size)
    assert np.abs(mask.mean(axis=0) - 1).max() < 5 * spread / np.sqrt(n_rows)
    assert np.abs(mask.mean(axis=1) - 1).max() < 5 * spread / np.sqrt(n_columns)
    correlation = np.corrcoef(mask[:, ::2].ravel(), mask[:, 1::2].ravel())[0, 1]
    assert abs(correlation) < 4 / np.sqrt(mask.size / 2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_forward_multiplies_with_the_mask_in_another_array(dtype):
    A = generator(1).standard_normal(SHAPE).astype(dtype)
    before = A.copy()
    dropout = Mask(0.3, SHAPE, dtype)
    dropout.draw(generator())
    for source in (A, np.asfortranarray(A)):
        out = dropout.forward(source)
        assert out.dtype == dtype
        np.testing.assert_array_equal(out, before * dropout.factors)
        np.testing.assert_array_equal(source, before)
    assert dropout.forward(A) is out


def sparse(as_sparse, dtype=np.float64):
    """A matrix without stored zeros."""
    A = generator(1).standard_normal(SHAPE)
    return as_sparse(np.where(A > 0.5, A, 0).astype(dtype))


@pytest.mark.parametrize("sparse_input", [False, True])
def test_the_mask_stays_until_the_next_draw(sparse_input):
    if sparse_input:
        dropout, A = SparseMask(0.3), sparse(csr_matrix)
    else:
        dropout, A = Mask(0.3, SHAPE, np.float64), np.ones(SHAPE)

    def drawn(seed=None):
        if seed is not None:
            dropout.draw(generator(seed))
        out = dropout.forward(A)
        return out.toarray() if sparse_input else out.copy()

    first = drawn(seed=0)
    np.testing.assert_array_equal(drawn(), first)
    assert (drawn(seed=1) != first).any()
    np.testing.assert_array_equal(drawn(seed=0), first)
    rng = generator(0)
    dropout.draw(rng)
    second = drawn()
    dropout.draw(rng)
    np.testing.assert_array_equal(second, first)
    assert (drawn() != second).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("as_sparse", [csr_matrix, csr_array])
@pytest.mark.parametrize("rate", RATES)
def test_sparse_dropout_is_dropout_of_the_stored_entries(rate, as_sparse, dtype):
    """Zeros stay zeros, as they would under a dense mask."""
    A = sparse(as_sparse, dtype)
    before = A.toarray()
    dropout = SparseMask(rate)
    dropout.draw(generator())
    out = dropout.forward(A)
    assert type(out) is type(A)
    assert out.dtype == dtype
    np.testing.assert_array_equal(A.toarray(), before)
    out = out.toarray()
    assert not out[before == 0].any()
    mask = out[before != 0] / before[before != 0]
    kept = mask > 0
    np.testing.assert_allclose(mask[kept], 1 / (1 - rate), rtol=1e-6)
    assert abs(kept.mean() - (1 - rate)) < 4 * np.sqrt(rate * (1 - rate) / kept.size)


# In a network: the input and two hidden layers.

N_SAMPLES = 8
LAYER_SIZES = 5, 6, 4, 3


def build(dropout, sparse=False, dtype=np.float64, activation="tanh", seed=0):
    activations = [ACTIVATIONS[g] for g in (activation, activation, "softmax")]
    network = make_mlp(LAYER_SIZES, activations, LOSSES["log_loss"](), dropout=dropout)
    theta = Parameters(LAYER_SIZES, dtype)
    theta.flat[:] = np.random.RandomState(0).randn(theta.flat.size)
    workspace = Workspace(network, N_SAMPLES, dtype, sparse)
    if seed is not None:
        workspace.draw(generator(seed))
    return Objective(network, ElasticNet(0.0), theta), workspace


def masks_of(workspace):
    """Return the masks of a network's dropout."""
    return [layer.mask for layer in workspace.layers if isinstance(layer, Dropout)]


def data():
    rng = np.random.RandomState(1)
    X = rng.randn(N_SAMPLES, 5) * (rng.rand(N_SAMPLES, 5) > 0.3)
    return X, np.eye(3)[rng.randint(3, size=N_SAMPLES)], rng.rand(N_SAMPLES, 1)


@pytest.mark.parametrize("rates", [[0.5, 0.5, 0.5], [0.0, 0.3, 0.6], [0.4, 0, 0]])
@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
def test_objective_and_gradient_are_torchs_with_the_same_masks(activation, rates):
    torch = pytest.importorskip("torch")
    function = {
        "tanh": torch.tanh,
        "relu": torch.relu,
        "gelu": torch.nn.functional.gelu,
    }[activation]
    objective, workspace = build(rates, activation=activation)
    X, Y, w = data()
    E = objective(X, Y, w, workspace)

    coefs = [torch.tensor(W, requires_grad=True) for W in objective.theta.coefs]
    biases = [torch.tensor(b, requires_grad=True) for b in objective.theta.intercepts]
    a, masks = torch.tensor(X), iter(masks_of(workspace))
    for l, (W, b) in enumerate(zip(coefs, biases, strict=True)):
        if rates[l]:
            a = a * torch.tensor(next(masks).factors)
        a = a @ W + b
        if l < 2:
            a = function(a)
    each = torch.nn.functional.cross_entropy(a, torch.tensor(Y), reduction="none")
    loss = each @ torch.tensor(w[:, 0]) / w.sum()
    loss.backward()
    assert E == pytest.approx(loss.item(), rel=1e-12)
    expected = np.concatenate([p.grad.numpy().ravel() for p in coefs + biases])
    np.testing.assert_allclose(objective.grad.flat, expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("as_input", [np.asarray, csr_matrix, csr_array])
def test_gradient_is_the_difference_quotient(as_input):
    """With the mask held still, which it is for any number of evaluations."""
    X, Y, w = data()
    X = as_input(X)
    objective, workspace = build([0.3, 0.5, 0.4], issparse(X))
    objective(X, Y, w, workspace)
    gradient = objective.grad.flat.copy()
    expected = central_differences(
        lambda: objective.value(X, Y, w, workspace), objective.theta.flat, step=1e-6
    )
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)
    other, workspace = build([0.0, 0.0, 0.0])
    other(X, Y, w, workspace)
    assert np.abs(other.grad.flat - gradient).max() > 1e-2


def test_sparse_input_has_the_gradient_of_the_dense_one_with_its_mask():
    X, Y, w = data()
    objective, workspace = build([0.5, 0.0, 0.0], sparse=True)
    E = objective(csr_matrix(X), Y, w, workspace)
    dropped = workspace.layers[1].input.toarray()
    assert 0 < np.count_nonzero(dropped) < np.count_nonzero(X)
    dense, workspace = build([0.0, 0.0, 0.0])
    assert dense(dropped, Y, w, workspace) == pytest.approx(E, rel=1e-13)
    np.testing.assert_allclose(
        objective.grad.flat, dense.grad.flat, rtol=1e-11, atol=1e-15
    )


@pytest.mark.parametrize("sparse", [False, True])
def test_a_rate_of_zero_is_no_dropout(sparse):
    """And draws nothing."""
    _, workspace = build([0.0, 0, 0.0], sparse, seed=None)
    assert masks_of(workspace) == []
    rng = generator()
    workspace.draw(rng)
    assert rng.random() == generator().random()
    network = make_mlp((2, 3, 1), [ACTIVATIONS["tanh"]] * 2, LOSSES["squared_error"]())
    assert not network.draws


@pytest.mark.parametrize("dtype", DTYPES)
def test_everything_is_in_the_dtype_of_the_parameters(dtype):
    objective, workspace = build([0.3, 0.5, 0.4], dtype=dtype)
    X, Y, w = (array.astype(dtype) for array in data())
    objective(X, Y, w, workspace)
    arrays = [
        *workspace.A,
        *(layer.out for layer in workspace.layers if layer.out is not None),
        *(layer.delta for layer in workspace.layers if layer.delta is not None),
        workspace.delta,
        *(mask.factors for mask in masks_of(workspace)),
    ]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}
    assert objective.grad.flat.dtype == dtype


def test_the_mean_over_masks_is_the_network_without_dropout():
    """Of what a linear layer makes of the masked values."""
    A = np.random.RandomState(0).randn(1, 50)
    W = np.random.RandomState(1).randn(50, 2)
    dropout, rng = Mask(0.4, A.shape, np.float64), generator()
    total = np.zeros((1, 2))
    for _ in range(4000):
        dropout.draw(rng)
        total += dropout.forward(A) @ W
    spread = np.sqrt(0.4 / 0.6 * (A**2 @ W**2) / 4000)
    assert (np.abs(total / 4000 - A @ W) < 4 * spread).all()
