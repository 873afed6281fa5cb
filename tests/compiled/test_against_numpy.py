"""Tests that the compiled engine computes what the NumPy engine does."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.core.activations import HIDDEN_ACTIVATIONS, Activation
from skmlp.core.initializers import INITIALIZERS
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.schedules import SCHEDULES

N_CONFIGURATIONS = 330
SOLVERS = ["lbfgs", *OPTIMIZERS]
KINDS = ["regression", "multioutput", "poisson", "binary", "multiclass", "multilabel"]
ACTIVATION_NAMES = sorted(HIDDEN_ACTIVATIONS)
HAVE_KINKS = {"relu", "leaky_relu", "selu", "absolute_error", "quantile"}
RTOL = {"float32": 1e-4, "float64": 1e-9}


def fading(step):
    """A learning rate as a function of the step."""
    return 0.01 / (1 + 0.05 * step)


def draw_targets(rng, kind, X):
    """Targets that X says something of."""
    n = len(X)
    signal = X @ rng.normal(size=(X.shape[1], 3)) / 2 + np.tanh(X[:, :1])
    noisy = signal + 0.5 * rng.normal(size=(n, 3))
    if kind == "regression":
        return noisy[:, 0]
    if kind == "multioutput":
        return noisy
    if kind == "poisson":
        return rng.poisson(np.exp(signal[:, 0].clip(-2, 2))).astype(float)
    if kind == "multilabel":
        return (noisy > 0).astype(int)
    y = (noisy[:, 0] > 0).astype(int) if kind == "binary" else noisy.argmax(axis=1)
    y[:12] = np.tile([0, 1, 0, 1] if kind == "binary" else [0, 1, 2, 0], 3)
    return y


def draw(number):
    """The configuration of a number: data, parameters and arguments of fit.

    Solvers and kinds of targets take turns, the rest is drawn.
    """
    rng = np.random.default_rng(number)
    solver, kind = SOLVERS[number % len(SOLVERS)], KINDS[number % len(KINDS)]
    classifies = kind in ("binary", "multiclass", "multilabel")

    def maybe(p):
        return rng.random() < p

    def one_of(*values):
        return values[rng.integers(len(values))]

    dtype = one_of("float32", "float64")
    n, d = int(rng.integers(20, 301)), int(rng.integers(1, 13))
    activation_names, smallest = ACTIVATION_NAMES, 1
    batch_sizes = "auto", "full", 1, 7, 16, 33, 100, 1000
    batch_norm = solver != "lbfgs" and maybe(0.25)
    if batch_norm:
        # There are gradients that are zero but for rounding, which Adam and its like
        # make a step of: of the weights, where a batch has but two samples, or where
        # a unit has one input; of biases, which the next layer's mean takes away if
        # there is no activation between.
        n, d, smallest = one_of(120, 240), int(rng.integers(2, 13)), 2
        batch_sizes = "auto", "full", 12, 36  # of 108 and 216 samples, too
        activation_names = [g for g in ACTIVATION_NAMES if g != "identity"]
    X = rng.normal(size=(n, d))
    y = draw_targets(rng, kind, X)
    n_hidden = int(rng.integers(0, 4))
    sizes = tuple(int(k) for k in rng.integers(smallest, 41, n_hidden))
    activation = one_of(*activation_names)
    if n_hidden and maybe(0.3):
        activation = [one_of(*activation_names) for _ in sizes]
    inits = ["auto", "auto", *INITIALIZERS]
    if n_hidden > 1:
        # The gradient would vanish, but for rounding.
        inits.remove("normal")
    if dtype == "float32":
        # Outputs that are large from the beginning are sure of wrong labels, and
        # 1 - p has few digits.
        inits = [name for name in inits if not name.startswith("he")]
    adaptive = solver in ("adam", "adamw", "amsgrad", "nadam", "rmsprop", "adagrad")
    params = {
        "hidden_layer_sizes": sizes,
        "activation": activation,
        "solver": solver,
        "alpha": one_of(0.0, 1e-4, 0.1),
        "l1_ratio": one_of(0.0, 0.0, 0.5, 1.0),
        "init": one_of(*inits),
        "frozen_layers": [l for l in range(n_hidden) if maybe(0.15)],
        "batch_size": one_of(*batch_sizes),
        "shuffle": maybe(0.7),
        "max_iter": 20,
        "tol": 0.0,
        "n_iter_no_change": one_of(3, np.inf),
        "learning_rate_init": 0.005 if adaptive else 0.02,
        "learning_rate": one_of("constant", *SCHEDULES, fading),
        "warmup_steps": one_of(0, 0, 10),
        "momentum": one_of(0.0, 0.5, 0.9),
        "nesterovs_momentum": maybe(0.5),
        "dtype": dtype,
        "random_state": number,
    }
    arguments = {}
    if solver != "lbfgs":
        params |= {
            "weight_decay": one_of(None, None, 0.0, 0.1),
            "max_norm": one_of(None, None, 0.8),
            "clip_norm": one_of(None, None, 0.1),
            "batch_norm": batch_norm,
            "dropout": one_of(0.0, 0.0, 0.3),
            "input_dropout": one_of(0.0, 0.0, 0.0, 0.2),
        }
        if n_hidden and maybe(0.15):
            params["dropout"] = [one_of(0.0, 0.2, 0.5) for _ in sizes]
        if maybe(0.3):
            metric = one_of("score", "loss")
            params |= {"early_stopping": True, "early_stopping_metric": metric}
        if maybe(0.3):
            rows = rng.permutation(n)[:15]
            arguments["X_val"] = (X + 0.1)[rows].astype(dtype)
            arguments["y_val"] = y[rows]
    if params["batch_size"] == 1:
        # Or the network is soon sure of wrong labels, of which the probability
        # is a difference from 1 that has few digits; or even diverges.
        params["learning_rate_init"] /= 10
    if solver in ("armijo", "random_search"):
        # A point that is refused leaves the objective as it was, but for rounding:
        # that is an improvement by at least 0, or is not.
        params["n_iter_no_change"] = np.inf
    if solver == "lbfgs" and dtype == "float32":
        # Near the minimum, its line search looks at the objective's last digits.
        params["max_iter"] = 5
    if kind == "poisson":
        params |= {"loss": "poisson", "output_activation": one_of("auto", "softplus")}
    elif classifies:
        params["loss"] = one_of("log_loss", "log_loss", "squared_error")
        params["label_smoothing"] = one_of(0.0, 0.0, 0.1)
        if kind == "multiclass":
            params["output_activation"] = one_of("auto", "logistic", "softmax")
        if kind != "multilabel":
            params["class_weight"] = one_of(None, "balanced", {0: 0.5, 1: 2.0})
    else:
        params["loss"] = one_of("squared_error", "absolute_error", "huber", "quantile")
        params |= {"huber_delta": 0.3, "quantile": 0.8}
        params["output_activation"] = one_of("auto", "auto", "tanh", "softplus")
    names = {activation} if isinstance(activation, str) else set(activation)
    if dtype == "float32" and {*names, params["loss"]} & HAVE_KINKS:
        # Where weights move fast, a sample is soon on the other side of one, and that
        # grows (two of the sample do not pass otherwise).
        params["learning_rate_init"] /= 4
    weights = one_of(None, None, "ordinary", "zeros", "batches")
    if weights is not None:
        w = rng.random(n) + 0.1
        if weights == "zeros":
            w[12:][rng.random(n - 12) < 0.3] = 0
        if weights == "batches":  # the first batches, without shuffling
            params["shuffle"] = False
            w[: n // 2] = 0
            if params.get("early_stopping"):
                w[: n // 2] = rng.integers(0, 2, n // 2)
        arguments["sample_weight"] = w
    if n_hidden and maybe(0.3):
        params["residual"] = True
        params["hidden_layer_sizes"] = sizes = (max(sizes),) * n_hidden
    smooth = params["solver"] != "lbfgs" and not names & HAVE_KINKS
    if smooth and not batch_norm and maybe(0.5):
        params["n_members"] = one_of(2, 3, 7)
    # With a few units, there are gradients that are zero but for rounding.
    if n_hidden and min(sizes) > 4 and not (batch_norm or names & HAVE_KINKS):
        params["layer_norm"] = maybe(0.6)
        if dtype == "float32":
            params["learning_rate_init"] /= 4
    Estimator = MLPClassifierScratch if classifies else MLPRegressorScratch
    return SimpleNamespace(
        Estimator=Estimator, params=params, X=X.astype(dtype), y=y, arguments=arguments
    )


def fit_both(number):
    """The estimators of a configuration, by NumPy and by the compiled engine."""
    case = draw(number)
    return case, *(
        case.Estimator(**case.params, engine=engine).fit(
            case.X, case.y, **case.arguments
        )
        for engine in ("numpy", "compiled")
    )


def relative_error(actual, expected):
    """Largest difference, of what has NaN in the same places."""
    actual, expected = np.asarray(actual, float), np.asarray(expected, float)
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
    numbers = ~np.isnan(expected)
    scale = np.maximum(np.abs(expected[numbers]), 1e-300)
    return np.max(np.abs(actual[numbers] - expected[numbers]) / scale, initial=0)


def output(estimator, X):
    if isinstance(estimator, MLPClassifierScratch):
        return estimator.predict_proba(X)
    return estimator.predict(X)


def differences(case, numpy, ours):
    """How far two fits are from each other."""
    if case.params["solver"] == "lbfgs":
        errors = {"loss": relative_error(ours.loss_, numpy.loss_)}
    else:
        errors = {
            "loss": relative_error(ours.loss_curve_, numpy.loss_curve_),
            "val_loss": relative_error(
                ours.history_["val_loss"], numpy.history_["val_loss"]
            ),
            "grad_norm": relative_error(
                ours.history_["grad_norm"], numpy.history_["grad_norm"]
            ),
        }
    # Weights and outputs that are near zero have the errors of their like.
    for name in "coefs_", "intercepts_":
        mine, theirs = getattr(ours, name), getattr(numpy, name)
        largest = max(1.0, max(np.abs(W).max() for W in theirs))
        errors[name] = (
            max(
                float(np.abs(M.astype(float) - T).max())
                for M, T in zip(mine, theirs, strict=True)
            )
            / largest
        )
    P, Q = output(ours, case.X), output(numpy, case.X)
    errors["output"] = float(
        np.abs(P.astype(float) - Q).max() / max(1, np.abs(Q).max())
    )
    return errors


@pytest.mark.filterwarnings("ignore:Got `batch_size`:UserWarning")
@pytest.mark.parametrize("number", range(N_CONFIGURATIONS))
def test_a_configuration(number):
    """The same epochs, and so the same network, but for rounding.

    The weights may be ten times as far: a loss near its minimum does not notice.
    """
    case, numpy, ours = fit_both(number)
    assert ours.n_iter_ == numpy.n_iter_, case.params
    rtol = RTOL[case.params["dtype"]]
    for name, error in differences(case, numpy, ours).items():
        allowed = rtol if name in ("loss", "val_loss", "grad_norm") else 10 * rtol
        assert error <= allowed, (name, error, case.params)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_wide_layer(batch_norm):
    """One whose product is shared out by columns, and its weights in parts."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 130)), rng.normal(size=300)
    numpy, ours = (
        MLPRegressorScratch(
            hidden_layer_sizes=(2101, 5),
            batch_norm=batch_norm,
            dropout=0.3,
            batch_size=130,
            max_iter=3,
            random_state=0,
            engine=engine,
        ).fit(X, y)
        for engine in ("numpy", "compiled")
    )
    assert_alike(ours, numpy)


# Training that goes on.

SMALL = {
    "hidden_layer_sizes": (9, 5),
    "activation": "tanh",
    "batch_size": 12,
    "dropout": 0.2,
    "batch_norm": True,
    "l1_ratio": 0.5,
    "alpha": 0.01,
    "tol": 0.0,
    "random_state": 0,
}
parametrize_solver = pytest.mark.parametrize("solver", OPTIMIZERS)


def assert_alike(ours, numpy, rtol=1e-9):
    np.testing.assert_allclose(ours.loss_curve_, numpy.loss_curve_, rtol=rtol)
    for name in "coefs_", "intercepts_", "batch_norm_means_":
        for mine, theirs in zip(
            getattr(ours, name, []), getattr(numpy, name, []), strict=True
        ):
            np.testing.assert_allclose(mine, theirs, rtol=10 * rtol, atol=10 * rtol)


def bits(estimator):
    """What has to be the same where NumPy trains."""
    return pickle.dumps(
        [estimator.coefs_, estimator.intercepts_, estimator.loss_curve_]
    )


@parametrize_solver
@pytest.mark.parametrize(
    "engines",
    [
        ("compiled",) * 9,
        ("numpy", "compiled", "numpy") * 3,
        ("compiled", "numpy", "compiled") * 3,
        ("numpy", "numpy", "auto") * 3,
    ],
    ids=" ".join,
)
def test_partial_fit(datasets, solver, engines):
    """Also from engine to engine: the optimizer's state and the generator go on."""
    data = datasets["multioutput"]
    ours, numpy = (data.Estimator(**SMALL, solver=solver) for _ in range(2))
    for engine in engines:
        rows = slice(60) if engine == "numpy" else slice(None)
        ours.set_params(engine=engine).partial_fit(data.X[rows], data.y[rows])
        numpy.set_params(engine="numpy").partial_fit(data.X[rows], data.y[rows])
    assert_alike(ours, numpy)
    assert ours.t_ == numpy.t_
    assert ours._optimizer.t == numpy._optimizer.t
    assert ours._optimizer.epoch == numpy._optimizer.epoch
    assert ours._rng.bit_generator.state == numpy._rng.bit_generator.state


@parametrize_solver
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_generator_is_where_it_would_be(datasets, solver, dtype):
    """The masks of dropout, also of 32 bits, are the same."""
    data = datasets["regression"]
    params = SMALL | {"solver": solver, "dtype": dtype, "max_iter": 3}
    states = [
        data.Estimator(**params, engine=engine).fit(data.X, data.y)._rng.bit_generator
        for engine in ("numpy", "compiled")
    ]
    assert states[0].state == states[1].state


@pytest.mark.parametrize("bit_generator", [np.random.PCG64, np.random.PCG64DXSM])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_members", [1, 3])
def test_masks_from_any_position_of_the_stream(bit_generator, dtype, n_members):
    """Layers of odd widths begin within a word, blocks of rows within a layer."""
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((301, 5)), rng.standard_normal(301)
    fitted = []
    for engine in ("numpy", "compiled"):
        reg = MLPRegressorScratch(
            hidden_layer_sizes=(33, 1, 130),
            dropout=0.3,
            input_dropout=0.2,
            n_members=n_members,
            batch_size=100,
            engine=engine,
            dtype=dtype,
            random_state=0,
        )
        reg.partial_fit(X, y)
        reg._rng = np.random.Generator(bit_generator(0))
        reg._rng.random(dtype="float32")  # half a word is left
        for _ in range(3):
            reg.partial_fit(X, y)
        fitted.append(reg)
    states = [str(reg._rng.bit_generator.state) for reg in fitted]
    assert states[0] == states[1]
    rtol = 1e-4 if dtype == "float32" else 1e-10
    for a, b in zip(fitted[0].coefs_, fitted[1].coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


@parametrize_solver
@pytest.mark.parametrize("frozen", [[], [0]])
def test_layers_that_are_frozen_and_thawed(datasets, solver, frozen):
    """What the optimizer remembers of them is the same, too."""
    data = datasets["regression"]
    params = SMALL | {"solver": solver, "l1_ratio": 0.0}
    ours, numpy = (data.Estimator(**params, engine=e) for e in ("compiled", "numpy"))
    for layers in [], frozen, [1], []:
        for estimator in ours, numpy:
            estimator.set_params(frozen_layers=layers)
            estimator.partial_fit(data.X, data.y).partial_fit(data.X, data.y)
    assert_alike(ours, numpy)


@pytest.mark.parametrize("solver", ["lbfgs", "adam", "sgd", "armijo"])
def test_warm_start(datasets, solver):
    data = datasets["multiclass"]
    params = SMALL | {"solver": solver, "warm_start": True, "max_iter": 4}
    params |= {"dropout": 0.0, "batch_norm": False}
    ours, numpy = (data.Estimator(**params, engine=e) for e in ("compiled", "numpy"))
    for X in (data.X, data.X[::-1], data.X):
        ours.fit(X, data.y)
        numpy.fit(X, data.y)
        np.testing.assert_allclose(ours.loss_, numpy.loss_, rtol=1e-9)
    for mine, theirs in zip(ours.coefs_, numpy.coefs_, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("solver", ["lbfgs", *OPTIMIZERS])
def test_pickle_and_clone(datasets, solver):
    """A copy predicts the same, and goes on with the same."""
    data = datasets["binary"]
    params = SMALL | {"solver": solver, "max_iter": 5, "engine": "compiled"}
    params |= {"dropout": 0.0, "batch_norm": False}
    fitted = data.Estimator(**params).fit(data.X, data.y)
    copied = pickle.loads(pickle.dumps(fitted))
    P = fitted.predict_proba(data.X)
    np.testing.assert_array_equal(copied.predict_proba(data.X), P)
    again = clone(fitted).fit(data.X, data.y)
    np.testing.assert_array_equal(again.predict_proba(data.X), P)
    if solver != "lbfgs":
        for estimator in fitted, copied:
            estimator.partial_fit(data.X, data.y)
        assert bits(copied) == bits(fitted)


@pytest.mark.parametrize("kind", ["regression", "multiclass", "multilabel"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_prediction(datasets, kind, dtype):
    """Of one and the same network, by both engines."""
    data = datasets[kind]
    params = SMALL | {"dtype": dtype, "max_iter": 3}
    fitted = data.Estimator(**params, engine="numpy").fit(data.X, data.y)
    expected = output(fitted, data.X)
    actual = output(fitted.set_params(engine="compiled"), data.X)
    rtol = 1e-12 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol / 100)


# What NumPy is left with.


class Sine(Activation):
    """g(z) = sin(z), g'(z) = cos(z)."""

    needs_z = True

    def forward(self, Z, A):
        np.sin(Z, out=A)

    def backward(self, Z, A, delta, work):
        np.cos(Z, out=work)
        delta *= work


def add_noise(X, rng):
    return X + 0.1 * rng.random(X.shape)


@pytest.mark.parametrize(
    ("params", "as_input"),
    [
        ({"activation": Sine()}, np.asarray),
        ({"activation": ["relu", Sine()]}, np.asarray),
        ({"augment": add_noise}, np.asarray),
        ({}, csr_matrix),
        ({"solver": "lbfgs", "dropout": 0.0, "batch_norm": False}, csr_matrix),
    ],
    ids=["activation", "activations", "augment", "sparse", "sparse lbfgs"],
)
def test_unsupported_options_are_bitwise_equal_to_numpy(datasets, params, as_input):
    """Under engine='auto', which is otherwise the compiled engine."""
    data = datasets["multiclass"]
    X = as_input(data.X)
    auto, numpy = (
        data.Estimator(**SMALL | {"max_iter": 5} | params, engine=engine).fit(X, data.y)
        for engine in ("auto", "numpy")
    )
    for mine, theirs in zip(auto.coefs_, numpy.coefs_, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert auto.loss_ == numpy.loss_
    if "augment" not in params:  # of which prediction knows nothing
        np.testing.assert_array_equal(auto.predict_proba(X), numpy.predict_proba(X))
