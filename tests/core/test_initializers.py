"""Tests of the initial weights against scikit-learn's, torch's and the rules."""

import numpy as np
import pytest
from sklearn.neural_network import MLPRegressor

from skmlp.core.activations import HIDDEN_ACTIVATIONS
from skmlp.core.initializers import INITIALIZERS, initialize
from skmlp.core.parameters import Parameters

LAYER_SIZES = (30, 40, 20, 1)
pytestmark = pytest.mark.usefixtures("one_blas_thread")

SHAPES = [(300, 500), (500, 300), (400, 400)]


def drawn(init="auto", dtype=np.float64, factors=(6.0, 6.0, 6.0)):
    theta = Parameters(LAYER_SIZES, dtype)
    theta.flat[:] = np.nan
    assert initialize(theta, init, np.random.RandomState(5), list(factors)) is None
    return theta


def matrix(name, shape, seed=0):
    return INITIALIZERS[name](shape, np.random.RandomState(seed))


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_auto_weights_are_scikit_learns(activation):
    """Same bounds, and random numbers drawn in the same order."""
    theirs = MLPRegressor(
        hidden_layer_sizes=LAYER_SIZES[1:-1],
        activation=activation,
        solver="sgd",
        learning_rate_init=1e-300,  # too little to move anything
        max_iter=1,
        random_state=5,
    ).fit(np.ones((2, 30)), [0, 1])
    theta = drawn(factors=[HIDDEN_ACTIVATIONS[activation].init_factor] * 3)
    for ours, reference in zip(
        theta.coefs + theta.intercepts,
        theirs.coefs_ + theirs.intercepts_,
        strict=True,
    ):
        np.testing.assert_array_equal(ours, reference)


@pytest.mark.parametrize("factors", [(6, 6, 6), (2, 2, 2), (2, 6, 24)])
def test_auto_weights_are_spread_over_the_bounds_of_the_rule(factors):
    """Each layer has a factor of its own."""
    theta = drawn(factors=factors)
    for W, b, c in zip(theta.coefs, theta.intercepts, factors, strict=True):
        bound = np.sqrt(c / sum(W.shape))
        assert 0.7 * bound < W.max() <= bound
        assert -bound <= W.min() < -0.7 * bound
        assert abs(W.mean()) < 0.3 * bound
        assert np.abs(b).max() <= bound
        assert b.any()


def test_auto_needs_a_factor_for_every_layer():
    with pytest.raises(ValueError, match="shorter"):
        drawn(factors=[6.0, 6.0])


# Bound of a uniform distribution or standard deviation of a normal one.
RULES = {
    "glorot_uniform": ("bound", lambda n_in, n_out: np.sqrt(6 / (n_in + n_out))),
    "glorot_normal": ("std", lambda n_in, n_out: np.sqrt(2 / (n_in + n_out))),
    "he_uniform": ("bound", lambda n_in, n_out: np.sqrt(6 / n_in)),
    "he_normal": ("std", lambda n_in, n_out: np.sqrt(2 / n_in)),
    "lecun_normal": ("std", lambda n_in, n_out: np.sqrt(1 / n_in)),
    # A row or column of n orthonormal ones has the norm 1.
    "orthogonal": ("std", lambda n_in, n_out: np.sqrt(1 / max(n_in, n_out))),
    "normal": ("std", lambda n_in, n_out: 0.01),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", INITIALIZERS)
def test_weights_have_the_distribution_of_the_rule(name, shape):
    assert name in RULES, f"give the new initializer {name!r} its rule here"
    kind, rule = RULES[name]
    W, scale = matrix(name, shape), rule(*shape)
    assert W.shape == shape
    assert W.dtype == np.float64
    std = scale / np.sqrt(3) if kind == "bound" else scale
    assert W.std() == pytest.approx(std, rel=0.01)
    assert W.mean() == pytest.approx(0, abs=0.01 * std)
    if kind == "bound":
        assert 0.999 * scale < np.abs(W).max() <= scale
        kurtosis = 9 / 5
    else:
        assert np.abs(W).max() > 3.5 * std  # not truncated
        kurtosis = 3
    assert np.mean(W**4) / std**4 == pytest.approx(kurtosis, rel=0.05)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", INITIALIZERS)
def test_weights_have_the_spread_of_torchs(name, shape):
    torch = pytest.importorskip("torch")
    init = torch.nn.init
    references = {
        "glorot_uniform": init.xavier_uniform_,
        "glorot_normal": init.xavier_normal_,
        "he_uniform": lambda W: init.kaiming_uniform_(W, nonlinearity="relu"),
        "he_normal": lambda W: init.kaiming_normal_(W, nonlinearity="relu"),
        # torch has none of this name: it is He's with the gain 1.
        "lecun_normal": lambda W: init.kaiming_normal_(W, nonlinearity="linear"),
        "orthogonal": init.orthogonal_,
        "normal": lambda W: init.normal_(W, std=0.01),
    }
    assert name in references, f"give {name!r} a function of torch here"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = references[name](torch.empty(shape[::-1], dtype=torch.float64)).numpy()
    W = matrix(name, shape)
    assert W.std() == pytest.approx(theirs.std(), rel=0.01)
    if name.endswith("uniform"):
        assert np.abs(W).max() == pytest.approx(np.abs(theirs).max(), rel=0.001)


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (1, 5), (7, 7), (30, 8), (8, 30)])
def test_orthogonal_has_orthonormal_columns_or_rows(shape):
    W = matrix("orthogonal", shape)
    gram = W.T @ W if shape[0] >= shape[1] else W @ W.T
    np.testing.assert_allclose(gram, np.eye(min(shape)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (4, 2), (2, 4)])
def test_orthogonal_favours_no_direction(shape):
    """Without the signs' correction, those of the diagonal would."""
    random_state = np.random.RandomState(0)
    draws = [INITIALIZERS["orthogonal"](shape, random_state) for _ in range(4000)]
    np.testing.assert_allclose(np.mean(draws, axis=0), 0, atol=0.06)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_named_initializers_draw_weights_layer_by_layer_and_zero_biases(name):
    theta, random_state = drawn(name), np.random.RandomState(5)
    for W, b in zip(theta.coefs, theta.intercepts, strict=True):
        np.testing.assert_array_equal(W, INITIALIZERS[name](W.shape, random_state))
        assert not b.any()


@pytest.mark.parametrize("name", ["auto", *INITIALIZERS])
def test_initial_weights_are_reproducible(name):
    np.testing.assert_array_equal(drawn(name).flat, drawn(name).flat)
    if name != "auto":
        assert (matrix(name, (4, 3), seed=1) != matrix(name, (4, 3), seed=2)).all()


@pytest.mark.parametrize("name", ["auto", *INITIALIZERS])
def test_float32_weights_are_the_rounded_float64_weights(name):
    theta = drawn(name, np.float32)
    assert theta.flat.dtype == np.float32
    np.testing.assert_array_equal(theta.flat, drawn(name).flat.astype(np.float32))


def test_a_callable_is_given_the_shape_and_the_random_state():
    given = []

    def init(shape, rng):
        given.append((shape, rng))
        return np.full(shape, len(given))  # integers are real numbers

    theta, random_state = Parameters((3, 4, 2)), np.random.RandomState(0)
    theta.flat[:] = np.nan
    initialize(theta, init, random_state)
    assert given == [((3, 4), random_state), ((4, 2), random_state)]
    assert theta.weights.tolist() == [1.0] * 12 + [2.0] * 8
    assert not any(b.any() for b in theta.intercepts)


def test_a_callable_may_return_nested_lists():
    theta = Parameters((1, 2))
    initialize(theta, lambda shape, rng: [[1, 2.5]], np.random.RandomState(0))
    assert theta.flat.tolist() == [1, 2.5, 0, 0]


def test_a_function_of_the_package_is_a_callable_too():
    np.testing.assert_array_equal(
        drawn(INITIALIZERS["he_normal"]).flat, drawn("he_normal").flat
    )


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda shape: np.ones(shape[::-1]), r"shape \(40, 20\), got .* \(20, 40\)"),
        (lambda shape: 1.0, r"shape \(40, 20\), got one of shape \(\)"),
        (lambda shape: None, r"shape \(40, 20\), got one of shape \(\)"),
        (lambda shape: np.full(shape, 1j), "real numbers .* dtype complex128"),
        (lambda shape: np.full(shape, "0.5"), "real numbers .* dtype <U3"),
        (lambda shape: np.full(shape, None), "real numbers .* dtype object"),
        (lambda shape: np.full(shape, np.nan), "finite in float32, got nan"),
        (lambda shape: np.full(shape, -np.inf), "finite in float32, got -inf"),
        (lambda shape: np.full(shape, 1e300), r"finite in float32, got 1e\+300"),
    ],
)
def test_invalid_weights_of_a_callable(bad, message):
    def my_init(shape, rng):
        return bad(shape) if shape == (40, 20) else np.zeros(shape)

    with pytest.raises(ValueError, match=message) as error:
        drawn(my_init, np.float32)
    assert "init=<function" in str(error.value)
    assert "my_init" in str(error.value)
    assert "layer 2" in str(error.value)
