"""Tests of the L1 penalty: exact solutions, exact zeros, and what it spares."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet, LogisticRegression
from sklearn.neural_network import MLPRegressor

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.core.optimizers import OPTIMIZERS

pytestmark = pytest.mark.usefixtures("one_blas_thread")

# To convergence, on all samples at once.
THOROUGH = {"batch_size": "full", "n_iter_no_change": np.inf, "max_iter": 3000}
VARIANTS = {
    "sgd": {
        "plain": {"momentum": 0.0, "learning_rate_init": 0.05},
        "momentum": {"nesterovs_momentum": False, "learning_rate_init": 0.02},
        "nesterov": {"nesterovs_momentum": True, "learning_rate_init": 0.02},
    },
    "adam": {"default": {"learning_rate_init": 0.01}},
    # Its own penalty would come on top.
    "adamw": {"default": {"learning_rate_init": 0.01, "weight_decay": 0.0}},
    "nadam": {"default": {"learning_rate_init": 0.01}},
    # An epsilon so large that a warm start at the solution does not take what is
    # left of the gradient for a direction.
    "amsgrad": {"default": {"learning_rate_init": 0.05, "epsilon": 1e-3}},
    "adagrad": {"default": {"learning_rate_init": 0.3, "epsilon": 1.0}},
    # And that the steps get shorter near to it.
    "rmsprop": {"default": {"learning_rate_init": 0.02, "epsilon": 0.1}},
}
STOCHASTIC = [
    pytest.param({"solver": name, **THOROUGH, **settings}, id=f"{name}-{variant}")
    for name, optimizer in OPTIMIZERS.items()
    if optimizer.needs_gradient  # without, it does not get to a minimum
    for variant, settings in VARIANTS.get(name, {"default": {}}).items()
]
LBFGS = pytest.param({"solver": "lbfgs", "tol": 1e-8, "max_iter": 3000}, id="lbfgs")
ON_BATCHES = [
    param
    for param in STOCHASTIC
    if not OPTIMIZERS[param.values[0]["solver"]].full_batch
]
parametrize_solver = pytest.mark.parametrize("solver", [LBFGS, *STOCHASTIC])


def linear_problem():
    """Two targets that few of the features explain."""
    rng = np.random.RandomState(0)
    X = rng.randn(80, 10) * np.geomspace(1, 2, 10)
    coef = np.zeros((10, 2))
    coef[:4] = np.transpose([[2, -1, 0.5, 0.05], [0, 0.7, 0, -1]])
    return X, X @ coef + [1, -2] + 0.3 * rng.randn(80, 2)


def nonlinear_problem():
    """A target that the first two of eight features explain."""
    rng = np.random.RandomState(0)
    X = rng.randn(600, 8)
    return X, 3 * np.tanh(2 * X[:, 0]) - 2 * X[:, 1] + 0.1 * rng.randn(600)


def zeros(estimator):
    """Number of weights that are exactly zero."""
    return sum((W == 0).sum() for W in estimator.coefs_)


def assert_solution(estimator, coef, intercept=None, atol=1e-4):
    """Equal up to the tolerance, and exactly zero in the same places."""
    W = estimator.coefs_[0]
    coef = np.reshape(coef, W.T.shape).T
    assert 0 < np.count_nonzero(coef) < coef.size
    np.testing.assert_array_equal(W == 0, coef == 0)
    np.testing.assert_allclose(W, coef, rtol=0, atol=atol)
    if intercept is not None:
        np.testing.assert_allclose(
            estimator.intercepts_[0], np.ravel(intercept), rtol=0, atol=atol
        )


@pytest.mark.parametrize(
    ("l1_ratio", "n_outputs", "weighted"),
    [(1.0, 1, False), (1.0, 2, True), (0.5, 1, True), (0.5, 2, False)],
)
@parametrize_solver
def test_linear_network_is_scikit_learns_elastic_net(
    solver, l1_ratio, n_outputs, weighted
):
    X, y = linear_problem()
    y = y[:, 0] if n_outputs == 1 else y
    w = np.arange(80) % 4 + 0.5 if weighted else None
    exact = ElasticNet(alpha=0.3, l1_ratio=l1_ratio, tol=1e-12, max_iter=100_000)
    exact.fit(X, y, sample_weight=w)
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(),
        alpha=0.3 * (80 if w is None else w.sum()),
        l1_ratio=l1_ratio,
        random_state=0,
        **{"tol": 0, **solver},
    ).fit(X, y, w)
    assert_solution(reg, exact.coef_, exact.intercept_)


@pytest.mark.parametrize("n_classes", [2, 3])
@parametrize_solver
def test_linear_network_is_scikit_learns_sparse_logistic_regression(solver, n_classes):
    X, y = linear_problem()
    y = np.digitize(y[:, 0], [1] if n_classes == 2 else [-2, 2])
    exact = LogisticRegression(
        C=0.1, l1_ratio=1.0, solver="saga", tol=1e-8, max_iter=100_000, random_state=0
    )
    if exact.get_params().get("penalty") == "l2":  # before scikit-learn 1.8
        exact.set_params(penalty="elasticnet")
    exact.fit(X, y)
    clf = MLPClassifierScratch(
        (), alpha=10.0, l1_ratio=1.0, random_state=0, **{"tol": 0, **solver}
    ).fit(X, y)
    # Of three intercepts only the differences are determined.
    intercept = exact.intercept_ if n_classes == 2 else None
    assert_solution(clf, exact.coef_, intercept)


@pytest.mark.parametrize("hidden_layer_sizes", [(8,), (8, 6)])
@parametrize_solver
def test_useless_inputs_are_dropped_entirely(solver, hidden_layer_sizes):
    X, y = nonlinear_problem()
    reg = MLPRegressorScratch(
        hidden_layer_sizes=hidden_layer_sizes,
        activation="tanh",
        alpha=0.2 * 600,
        l1_ratio=1.0,
        random_state=0,
        **{**solver, "max_iter": 1000},
    ).fit(X, y)
    used = reg.coefs_[0].any(axis=1)
    assert used.tolist() == [True] * 2 + [False] * 6
    assert reg.score(X, y) > 0.85


@pytest.mark.parametrize(
    ("hidden_layer_sizes", "batch_size"), [((), 60), ((8,), 200), ((8, 6), 60)]
)
@pytest.mark.parametrize("solver", ON_BATCHES)
def test_mini_batches_give_exact_zeros(solver, hidden_layer_sizes, batch_size):
    """As many as two thirds of the weights of the useless inputs."""
    X, y = nonlinear_problem()
    params = {
        **solver,
        "hidden_layer_sizes": hidden_layer_sizes,
        "activation": "tanh",
        "batch_size": batch_size,
        "max_iter": 150,
        "random_state": 0,
    }
    reg = MLPRegressorScratch(alpha=0.2 * batch_size, l1_ratio=1.0, **params).fit(X, y)
    useless = reg.coefs_[0][2:]
    assert (useless == 0).sum() > 2 / 3 * useless.size
    reg = MLPRegressorScratch(alpha=0.2 * batch_size, l1_ratio=0.0, **params).fit(X, y)
    assert zeros(reg) == 0


@parametrize_solver
def test_biases_are_never_shrunk(solver):
    """A penalty that leaves no weight leaves the mean of y as output."""
    X, y = nonlinear_problem()
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(4,),
        activation="tanh",
        alpha=1e4,
        l1_ratio=1.0,
        random_state=0,
        **{**solver, "max_iter": 2000},
    ).fit(X, y + 5)
    assert zeros(reg) == 8 * 4 + 4
    assert reg.intercepts_[0].all()
    np.testing.assert_allclose(reg.intercepts_[1], y.mean() + 5, rtol=1e-4)
    assert (reg.predict(X) == reg.intercepts_[1]).all()


@pytest.mark.parametrize(
    "solver",
    [LBFGS, *(p for p in STOCHASTIC if p.values[0]["solver"] in ("sgd", "adam"))],
)
def test_without_l1_part_training_is_scikit_learns(solver):
    """To rounding error, which grows with the iterations."""
    X, y = nonlinear_problem()
    params = {
        "hidden_layer_sizes": (5,),
        "alpha": 3.0,
        "random_state": 0,
        **solver,
        "max_iter": 10,
        "batch_size": 200,
    }
    ours = MLPRegressorScratch(l1_ratio=0.0, **params).fit(X, y)
    theirs = MLPRegressor(**params).fit(X, y)
    for W, reference in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(W, reference, rtol=1e-8)


@pytest.mark.parametrize("hidden_layer_sizes", [(), (6,)])
@parametrize_solver
def test_sparsity_grows_with_alpha(solver, hidden_layer_sizes):
    X, y = linear_problem()
    counts = [
        zeros(
            MLPRegressorScratch(
                hidden_layer_sizes=hidden_layer_sizes,
                activation="tanh",
                alpha=80 * alpha,
                l1_ratio=1.0,
                random_state=0,
                **{**solver, "max_iter": 600},
            ).fit(X, y[:, 0])
        )
        for alpha in (0, 0.03, 0.3, 3, 30)
    ]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert 0 < counts[2] < counts[-1]
    sizes = (10, *hidden_layer_sizes, 1)
    assert counts[-1] == sum(fan_in * fan_out for fan_in, fan_out in pairwise(sizes))


@parametrize_solver
def test_float32_has_the_same_zeros(solver):
    X, y = linear_problem()
    exact = ElasticNet(alpha=0.3, l1_ratio=1.0, tol=1e-12, max_iter=100_000)
    exact.fit(X, y[:, 0])
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(), alpha=0.3 * 80, l1_ratio=1.0, random_state=0, **solver
    ).fit(X.astype(np.float32), y[:, 0])
    assert reg.coefs_[0].dtype == np.float32
    assert_solution(reg, exact.coef_, exact.intercept_, atol=2e-3)


@parametrize_solver
def test_weights_and_alpha_can_be_scaled_together(solver):
    """The penalty is divided by the sum of the weights."""
    X, y = linear_problem()
    w = np.arange(80) % 3
    params = {
        "hidden_layer_sizes": (3,),
        "activation": "tanh",
        "l1_ratio": 0.7,
        "random_state": 0,
        **solver,
        "max_iter": 30,
    }
    one = MLPRegressorScratch(alpha=5.0, **params).fit(X, y, w)
    four = MLPRegressorScratch(alpha=20.0, **params).fit(X, y, 4 * w)
    # With no weight at all a sample is as good as absent.
    dropped = MLPRegressorScratch(alpha=5.0, **params).fit(X[w > 0], y[w > 0], w[w > 0])
    for other in (four, dropped):
        for W, expected in zip(other.coefs_, one.coefs_, strict=True):
            np.testing.assert_allclose(W, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("solver", STOCHASTIC)
def test_partial_fit_makes_the_steps_of_fit(solver):
    X, y = linear_problem()
    params = {
        "hidden_layer_sizes": (),
        "alpha": 0.3 * 80,
        "l1_ratio": 1.0,
        "random_state": 0,
        **solver,
        "tol": 0,
        "max_iter": 300,
    }
    fitted = MLPRegressorScratch(**params).fit(X, y)
    stepwise = MLPRegressorScratch(**params)
    for _ in range(300):
        stepwise.partial_fit(X, y)
    np.testing.assert_array_equal(stepwise.coefs_[0], fitted.coefs_[0])
    np.testing.assert_array_equal(stepwise.intercepts_[0], fitted.intercepts_[0])
    assert zeros(stepwise) > 5


@parametrize_solver
def test_warm_start_stays_at_the_solution(solver):
    X, y = linear_problem()
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(),
        alpha=0.3 * 80,
        l1_ratio=1.0,
        warm_start=True,
        random_state=0,
        **{"tol": 0, **solver},
    ).fit(X, y)
    before = reg.coefs_[0].T.copy()
    reg.set_params(max_iter=20).fit(X, y)
    assert_solution(reg, before)
