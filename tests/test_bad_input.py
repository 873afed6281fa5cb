"""Tests that bad input is refused with a helpful error, and changes nothing."""

import re
from fractions import Fraction

import joblib
import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.callbacks import Callback, EarlyStopping, ReduceLROnPlateau, WeightRecorder
from skmlp.core.activations import HIDDEN_ACTIVATIONS, Activation
from skmlp.core.initializers import INITIALIZERS
from skmlp.core.losses import LOSSES, Loss
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.schedules import SCHEDULES

X, LABELS = make_blobs(40, 4, random_state=0)  # of three classes
COUNTS = LABELS + 1.0
INDICATORS = np.eye(3, dtype=int)[LABELS]
W = np.ones(40)

TARGETS = {MLPClassifierScratch: LABELS, MLPRegressorScratch: COUNTS}
parametrize_class = pytest.mark.parametrize("cls", TARGETS)
parametrize_method = pytest.mark.parametrize(
    "method", ["fit", "warm_start", "partial_fit"]
)


def show(value):
    """Name of a value in the name of a test: the same in every process."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def build(cls, **params):
    params = {"hidden_layer_sizes": (3,), "max_iter": 3, "random_state": 0, **params}
    return cls(**params)


def train(estimator, method, *args):
    """Call the method; the first partial_fit of a classifier is told the classes."""
    if method == "warm_start":
        estimator.set_params(warm_start=True)
    if method != "partial_fit":
        return estimator.fit(*args)
    if isinstance(estimator, MLPRegressorScratch) or hasattr(estimator, "classes_"):
        return estimator.partial_fit(*args)
    return estimator.partial_fit(*args, classes=[0, 1, 2])


def assert_refused(estimator, call, *pieces, error=ValueError):
    """The call raises, says all the pieces, and leaves the estimator as it was."""
    fitted = hasattr(estimator, "coefs_")
    before = {name: joblib.hash(value) for name, value in vars(estimator).items()}
    output = estimator.predict(X) if fitted else None
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    missing = [piece for piece in map(str, pieces) if piece not in message]
    assert not missing, f"{missing} not in {message!r}"
    after = {name: joblib.hash(value) for name, value in vars(estimator).items()}
    assert after == before
    if fitted:
        np.testing.assert_array_equal(estimator.predict(X), output)


def changed(array, value, index=7):
    """The array with one entry, or row, replaced."""
    array = np.array(array, dtype=float)
    array[index] = value
    return array


# What fit and partial_fit are given instead of X, y and the weights, and what
# the error says.
BAD_DATA = {
    "NaN in X": (lambda y: (changed(X, np.nan), y), "Input X contains NaN"),
    "inf in X": (lambda y: (changed(X, np.inf), y), "Input X contains infinity"),
    "NaN in sparse X": (
        lambda y: (csr_matrix(changed(X, np.nan)), y),
        "Input X contains NaN",
    ),
    "NaN in y": (lambda y: (X, changed(y, np.nan)), "Input y contains NaN"),
    "inf in y": (lambda y: (X, changed(y, np.inf)), "Input y contains infinity"),
    "no y": (lambda y: (X, None), "y", "None"),
    "no samples": (lambda y: (X[:0], y[:0]), "0 sample(s)", "minimum of 1"),
    "no features": (lambda y: (X[:, :0], y), "0 feature(s)", "(40, 0)", "minimum of 1"),
    "1-D X": (lambda y: (X[:, 0], y), "Expected 2D array, got 1D array"),
    "3-D X": (lambda y: (X[:, :, None], y), "dim 3", "dim <= 2"),
    "3-D y": (lambda y: (X, np.zeros((40, 2, 2), int)), "dim 3", "dim <= 2"),
    "short y": (lambda y: (X, y[:-1]), "inconsistent numbers of samples", "[40, 39]"),
    "words in X": (lambda y: (np.full((40, 4), "word"), y), "float", "'word'"),
    "complex X": (lambda y: (X * 1j, y), "Complex data not supported"),
    "NaN in sample_weight": (
        lambda y: (X, y, changed(W, np.nan)),
        "Input sample_weight contains NaN",
    ),
    "inf in sample_weight": (
        lambda y: (X, y, changed(W, np.inf)),
        "Input sample_weight contains infinity",
    ),
    "short sample_weight": (
        lambda y: (X, y, W[:-1]),
        "sample_weight",
        "(39,)",
        "(40,)",
    ),
    "2-D sample_weight": (
        lambda y: (X, y, W[:, None]),
        "Sample weights must be 1D array or scalar",
    ),
    "negative sample_weight": (
        lambda y: (X, y, changed(W, -2)),
        "sample_weight must be non-negative, got -2.0 at index 7",
    ),
    "all-zero sample_weight": (lambda y: (X, y, 0 * W), "weight", "at least one"),
}


@parametrize_method
@parametrize_class
@pytest.mark.parametrize("what", BAD_DATA)
def test_bad_training_data(what, cls, method):
    bad, *pieces = BAD_DATA[what]
    data = bad(TARGETS[cls])
    unfitted = build(cls, warm_start=method == "warm_start")
    assert_refused(unfitted, lambda: train(unfitted, method, *data), *pieces)
    fitted = train(build(cls), method, X, TARGETS[cls])
    assert_refused(fitted, lambda: train(fitted, method, *data), *pieces)


@pytest.mark.parametrize("method", ["warm_start", "partial_fit"])
@parametrize_class
def test_wrong_number_of_features_in_later_training(cls, method):
    estimator = train(build(cls), method, X, TARGETS[cls])
    data = X[:, :3], TARGETS[cls]
    pieces = "X has 3 features", f"{cls.__name__} is expecting 4 features"
    assert_refused(estimator, lambda: train(estimator, method, *data), *pieces)


parametrize_prediction = pytest.mark.parametrize(
    ("cls", "method"),
    [
        (cls, method)
        for cls in TARGETS
        for method in (
            "predict",
            "predict_proba",
            "predict_log_proba",
            "decision_function",
        )
        if hasattr(cls, method)
    ],
)


@pytest.mark.parametrize(
    ("bad", "pieces"),
    [
        (changed(X, np.nan), ["Input X contains NaN"]),
        (changed(X, np.inf), ["Input X contains infinity"]),
        (X[:, :3], ["X has 3 features", "is expecting 4 features"]),
        (X[:0], ["0 sample(s)", "minimum of 1"]),
        (X[0], ["Expected 2D array, got 1D array"]),
        (csr_matrix(X[:, :3]), ["X has 3 features", "is expecting 4 features"]),
    ],
    ids=["NaN", "inf", "features", "empty", "1-D", "sparse features"],
)
@parametrize_prediction
def test_bad_data_to_predict(method, cls, bad, pieces):
    estimator = build(cls).fit(X, TARGETS[cls])
    assert_refused(estimator, lambda: getattr(estimator, method)(bad), *pieces)


@parametrize_prediction
def test_prediction_needs_a_fitted_estimator(method, cls):
    unfitted = build(cls)
    assert_refused(
        unfitted,
        lambda: getattr(unfitted, method)(X),
        f"This {cls.__name__} instance is not fitted yet",
        error=NotFittedError,
    )


@parametrize_class
def test_features_in_another_order(cls):
    """Found by their names."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    estimator = build(cls).fit(frame, TARGETS[cls])
    before = joblib.hash(vars(estimator))
    for call in (estimator.predict, lambda Z: estimator.partial_fit(Z, TARGETS[cls])):
        with pytest.raises(ValueError, match="feature names should match"):
            call(frame[list("abdc")])
    assert joblib.hash(vars(estimator)) == before


def unit_matrix(*args):
    return np.eye(2)


def not_a_number(shape, random_state):
    return np.full(shape, np.nan)


def words(*args):
    return np.full((4, 3) if isinstance(args[0], tuple) else (40, 4), "word")


def negative(step):
    return -1.0


def fewer(X, rng):
    return X[:3]


class Sine(Activation):
    """One of the user's own."""

    needs_z = True

    def forward(self, Z, A):
        np.sin(Z, out=A)

    def backward(self, Z, A, delta, work):
        np.cos(Z, out=work)
        delta *= work


BAD_PARAMETERS = [
    ("hidden_layer_sizes", 0, "int in the range [1, inf)"),
    ("hidden_layer_sizes", -1, "int in the range [1, inf)"),
    ("hidden_layer_sizes", 2.5, "int in the range [1, inf)"),
    ("hidden_layer_sizes", "10", "int in the range [1, inf)"),
    ("hidden_layer_sizes", None, "int in the range [1, inf)"),
    ("hidden_layer_sizes", True, "hidden_layer_sizes"),
    ("hidden_layer_sizes", (5, 0), "must be > 0"),
    ("hidden_layer_sizes", [5, -1], "must be > 0"),
    ("hidden_layer_sizes", (2.5,), "must be integers"),
    ("hidden_layer_sizes", ("a",), "must be integers"),
    ("hidden_layer_sizes", [[3], [4]], "must be integers"),
    ("hidden_layer_sizes", (True,), "hidden_layer_sizes"),
    ("batch_size", 0, "int in the range [1, inf)"),
    ("batch_size", -1, "int in the range [1, inf)"),
    ("batch_size", 2.5, "int in the range [1, inf)"),
    ("batch_size", "all", "'auto'", "'full'"),
    ("max_iter", 0, "int in the range [1, inf)"),
    ("max_iter", -1, "int in the range [1, inf)"),
    ("max_iter", 1.5, "int in the range [1, inf)"),
    ("max_fun", 0, "int in the range [1, inf)"),
    ("n_iter_no_change", 0, "int in the range [1, inf)"),
    ("n_iter_no_change", 2.5, "int in the range [1, inf)"),
    ("alpha", -1, "[0.0, inf)"),
    ("alpha", np.nan, "[0.0, inf)"),
    ("l1_ratio", -0.1, "[0.0, 1.0]"),
    ("l1_ratio", 1.1, "[0.0, 1.0]"),
    ("learning_rate_init", 0, "(0.0, inf)"),
    ("learning_rate_init", "fast", "(0.0, inf)"),
    ("power_t", -1, "[0.0, inf)"),
    ("tol", -1, "[0.0, inf)"),
    ("momentum", -0.1, "[0.0, 1.0]"),
    ("momentum", 1.1, "[0.0, 1.0]"),
    ("beta_1", 1, "[0.0, 1.0)"),
    ("beta_2", 1, "[0.0, 1.0)"),
    ("epsilon", 0, "(0.0, inf)"),
    ("validation_fraction", 1, "[0.0, 1.0)"),
    ("validation_fraction", -0.1, "[0.0, 1.0)"),
    ("shuffle", "yes", "bool"),
    ("warm_start", 2, "bool"),
    ("early_stopping", "yes", "bool"),
    ("nesterovs_momentum", "yes", "bool"),
    ("verbose", -1, "bool"),
    ("random_state", -1, "RandomState"),
    ("activation", "step", *HIDDEN_ACTIVATIONS),
    ("activation", "softmax", *HIDDEN_ACTIVATIONS),
    ("activation", None, *HIDDEN_ACTIVATIONS),
    ("solver", "newton", "lbfgs", *OPTIMIZERS),
    ("learning_rate", "cyclic", *SCHEDULES),
    ("hidden_layer_sizes", np.array(5), "a list, a tuple or a one-dimensional array"),
    ("hidden_layer_sizes", {3, 4}, "a list, a tuple or a one-dimensional array"),
    ("hidden_layer_sizes", {3: 4}, "a list, a tuple or a one-dimensional array"),
    ("hidden_layer_sizes", [3.0], "must be integers"),
    ("activation", ["relu", "tanh"], "one for each hidden layer", "2 for 1"),
    ("activation", [], "one for each hidden layer", "0 for 1"),
    ("activation", ["step"], *HIDDEN_ACTIVATIONS, "Activation", "got 'step'"),
    ("activation", [None], *HIDDEN_ACTIVATIONS, "Activation", "got None"),
    ("activation", {"relu"}, "a list, a tuple or a one-dimensional array"),
    ("activation", np.array("relu"), "a list, a tuple or a one-dimensional array"),
    ("activation", Activation, "Activation"),
    ("l1_ratio", None, "[0.0, 1.0]"),
    ("loss", "mean", "squared_error", "Loss"),
    ("loss", LOSSES["squared_error"], "squared_error", "Loss"),
    ("output_activation", "gelu", "auto", "logistic"),
    ("output_activation", None, "auto", "logistic"),
    ("init", "glorot", "auto", *INITIALIZERS, "callable"),
    ("init", unit_matrix, "of layer 1", "(4, 3)", "(2, 2)"),
    ("init", not_a_number, "of layer 1", "finite in float64", "nan"),
    ("init", words, "of layer 1", "real numbers", "<U"),
    ("dropout", 1.0, "[0.0, 1.0)"),
    ("dropout", True, "[0.0, 1.0)"),
    ("dropout", [0.1, 0.2], "one for each hidden layer", "2 for 1"),
    ("dropout", [1.5], "rates in [0, 1)", "got 1.5"),
    ("dropout", [True], "rates in [0, 1)", "got True"),
    ("dropout", ["a"], "rates in [0, 1)", "got 'a'"),
    ("dropout", {0: 0.1}, "a list, a tuple or a one-dimensional array"),
    ("dropout", np.array(0.5), "a list, a tuple or a one-dimensional array"),
    ("input_dropout", 1.0, "[0.0, 1.0)"),
    ("input_dropout", [0.1], "[0.0, 1.0)"),
    ("batch_norm", 1, "bool"),
    ("batch_norm_momentum", 0, "(0.0, 1.0]"),
    ("batch_norm_epsilon", 0, "(0.0, inf)"),
    ("layer_norm", 1, "bool"),
    ("residual", "yes", "bool"),
    ("n_members", 0, "int in the range"),
    ("n_members", 2.5, "int in the range"),
    ("min_batches", 0, "int in the range [1, inf)"),
    ("min_batches", 1.5, "int in the range [1, inf)"),
    ("averaging", "mean", "'ema'", "'swa'"),
    ("averaging_decay", 1.0, "[0.0, 1.0)"),
    ("averaging_start", 1.0, "[0.0, 1.0)"),
    ("frozen_layers", 0, "array-like"),
    ("frozen_layers", [2], "indices of `coefs_`, from -2 to 1, got 2"),
    ("frozen_layers", [-3], "indices of `coefs_`, from -2 to 1"),
    ("frozen_layers", [0.5], "indices of `coefs_`, from -2 to 1"),
    ("frozen_layers", [True], "indices of `coefs_`, from -2 to 1"),
    ("frozen_layers", [0, 1], "must not contain all of the 2 layers"),
    ("frozen_layers", [0, -2, 1], "must not contain all of the 2 layers"),
    ("frozen_layers", {0}, "a list, a tuple or a one-dimensional array"),
    ("weight_decay", -0.1, "[0.0, inf)"),
    ("max_norm", 0, "(0.0, inf)"),
    ("clip_norm", np.nan, "(0.0, inf)"),
    ("rho", 1, "[0.0, 1.0)"),
    ("momentum_decay", -1, "[0.0, inf)"),
    ("armijo_sigma", 1, "(0.0, 1.0)"),
    ("armijo_factor", 0, "(0.0, 1.0)"),
    ("search_radius", 0, "(0.0, inf)"),
    ("learning_rate", negative, "at least 0", "for step 0"),
    ("learning_rate", words, "at least 0", "for step 0"),
    ("decay_rate", 0, "(0.0, 1.0]"),
    ("decay_epochs", 0, "int in the range [1, inf)"),
    ("learning_rate_min", -1, "[0.0, inf)"),
    ("warmup_steps", -1, "int in the range [0, inf)"),
    ("warmup_steps", 0.5, "int in the range [0, inf)"),
    ("early_stopping_metric", "no such", "'score'", "'loss'", "get_scorer_names"),
    ("early_stopping_metric", 3, "str", "callable"),
    ("callbacks", 3, "list", "tuple", "on_epoch_end"),
    ("callbacks", [1], "got 1", "on_fit_begin", "on_epoch_end", "on_fit_end"),
    ("callbacks", Callback, "objects with the methods", "on_fit_begin"),
    ("on_interrupt", "ignore", "'stop'", "'raise'"),
    ("on_interrupt", None, "'stop'", "'raise'"),
    ("augment", 3, "callable"),
    ("augment", fewer, "(40, 4)", "(3, 4)"),
    ("augment", words, "(40, 4)", "<U"),
    ("dtype", "float16", "float32", "float64"),
    ("dtype", np.int64, "float32", "float64"),
    ("engine", "fast", "'auto'", "'compiled'", "'numpy'"),
    ("engine", None, "'auto'", "'compiled'", "'numpy'"),
    ("label_smoothing", 1.0, "[0.0, 1.0)"),
    ("class_weight", "even", "'balanced'", "dict"),
    ("class_weight", {3: 2.0}, "[3]", "[0 1 2]"),
    ("class_weight", {"a": 2, 5: 1}, "['a', 5]", "[0 1 2]"),
    ("class_weight", {0: -1}, "at least 0"),
    ("class_weight", {1: np.nan}, "finite"),
    ("class_weight", {1: "a"}, "numbers"),
    ("class_weight", {0: 0, 1: 0, 2: 0}, "zero for all classes"),
    ("class_weight", [{0: 1}], "multilabel"),
    ("huber_delta", 0, "(0.0, inf)"),
    ("huber_delta", np.inf, "(0.0, inf)"),
    ("quantile", 0, "(0.0, 1.0)"),
    ("quantile", 1, "(0.0, 1.0)"),
    ("target_transform", "scale", "{'standardize'} or None"),
]
FUNCTIONS = unit_matrix, not_a_number, words, negative, fewer


def test_every_parameter_has_a_bad_value():
    names = {name for name, *_ in BAD_PARAMETERS}
    assert names == {name for cls in TARGETS for name in cls().get_params()}


@pytest.mark.parametrize(
    ("cls", "method", "name", "value", "wants"),
    [
        pytest.param(
            cls,
            method,
            name,
            value,
            wants,
            id=f"{cls.__name__}-{method}-{name}={show(value)}",
        )
        for cls in TARGETS
        for method in ("fit", "partial_fit")
        for name, value, *wants in BAD_PARAMETERS
        if hasattr(cls(), name) and (method, name) != ("partial_fit", "solver")
    ],
)
def test_bad_parameters(cls, method, name, value, wants):
    """The error names the parameter, its value, and the valid ones."""
    y, got = TARGETS[cls], repr(list(value) if isinstance(value, tuple) else value)
    is_array_like = isinstance(value, list | dict | np.ndarray)
    if value in FUNCTIONS or (is_array_like and name != "hidden_layer_sizes"):
        got = ""  # what they return, or an entry, is told instead
    unfitted = build(cls, **{name: value})
    assert_refused(unfitted, lambda: train(unfitted, method, X, y), name, got, *wants)

    fitted = build(cls).fit(X, y)
    weights = joblib.hash([fitted.coefs_, fitted.intercepts_])
    fitted.set_params(**{name: value})
    before = joblib.hash(vars(fitted))
    with pytest.raises(ValueError, match=name):
        fitted.fit(X, y)
    assert joblib.hash(vars(fitted)) == before
    assert joblib.hash([fitted.coefs_, fitted.intercepts_]) == weights


@pytest.mark.parametrize(
    ("cls", "name"), [(cls, name) for cls in TARGETS for name in cls().get_params()]
)
def test_every_parameter_is_validated(cls, name):
    estimator = build(cls, **{name: object()})
    message = rf"The '{name}' parameter of {cls.__name__} must be .* Got <object"
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, TARGETS[cls])


@pytest.mark.parametrize(
    ("cls", "name"),
    [(cls, name) for cls in TARGETS for name in cls().get_params() if name != "solver"],
)
def test_every_parameter_is_validated_again_once_it_has_changed(cls, name):
    """Also where training goes on, when scikit-learn does not."""
    estimator = train(build(cls), "partial_fit", X, TARGETS[cls])
    # A matrix cannot be compared with a string, of which class_weight may be one.
    for value in object(), *([csr_matrix([[1.0]])] if name == "class_weight" else []):
        estimator.set_params(**{name: value})
        assert_refused(
            estimator,
            lambda: train(estimator, "partial_fit", X, TARGETS[cls]),
            f"The '{name}' parameter of {cls.__name__} must be",
        )


@pytest.mark.parametrize(
    "value", [10**400, -(10**400), Fraction(10**400)], ids=["+", "-", "/"]
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@parametrize_class
def test_numbers_that_no_float_can_hold(cls, method, value):
    for name in "alpha", "learning_rate_init", "epsilon":
        estimator = build(cls, **{name: value})
        pieces = f"The '{name}' parameter", "must be a float in the range"
        assert_refused(
            estimator, lambda e=estimator: train(e, method, X, TARGETS[cls]), *pieces
        )


@pytest.mark.parametrize("schedule", SCHEDULES)
@parametrize_class
def test_more_epochs_than_a_float_can_count(cls, schedule):
    params = {"learning_rate": schedule, "tol": 1e300, "n_iter_no_change": 1}
    estimator = build(cls, max_iter=10**400, **params).fit(X, TARGETS[cls])
    assert np.isfinite(estimator.loss_)


@parametrize_class
def test_fractions_are_floats(cls):
    third = Fraction(1, 3)
    given = ("alpha", "momentum", "power_t", "tol", "l1_ratio", "validation_fraction")
    for solver in "sgd", "lbfgs":
        params = {
            "solver": solver,
            "early_stopping": True,
            "learning_rate": "invscaling",
        }
        exact, rounded = (
            build(cls, **params, **dict.fromkeys(given, value)).fit(X, TARGETS[cls])
            for value in (third, float(third))
        )
        assert exact.loss_ == rounded.loss_


@pytest.mark.parametrize(
    "sizes",
    [10**15, 10**30, 10**400, (10**9, 10**9)],
    ids=["bytes", "dimension", "integer", "product"],
)
@pytest.mark.parametrize("activation", ["relu", Sine()], ids=["named", "own"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@parametrize_class
def test_networks_that_are_too_large_for_any_memory(cls, method, activation, sizes):
    if isinstance(sizes, tuple):
        activation = [activation] * 2
    estimator = build(cls, hidden_layer_sizes=sizes, activation=activation)
    pieces = "hidden_layer_sizes=[1", "weights and biases", "do not fit into memory"
    assert_refused(
        estimator, lambda: train(estimator, method, X, TARGETS[cls]), *pieces
    )


@parametrize_method
@pytest.mark.parametrize(
    ("bad", "pieces"),
    [
        (X[:, 0], ["continuous", "expects discrete classes"]),
        (X[:, :2], ["continuous-multioutput", "expects discrete classes"]),
        (np.array([1, "a"] * 20, dtype=object), ["Unknown label type"]),
        (np.array(["a", 1] * 20, dtype=object), ["labels of one type", "'int'"]),
        (np.column_stack([LABELS, LABELS]), ["ultioutput"]),
    ],
    ids=[
        "continuous",
        "continuous-multioutput",
        "mixed",
        "mixed-words-first",
        "multiclass-multioutput",
    ],
)
def test_targets_that_are_no_classes(bad, pieces, method):
    unfitted = build(MLPClassifierScratch)
    unfitted.set_params(warm_start=method == "warm_start")
    assert_refused(unfitted, lambda: train(unfitted, method, X, bad), *pieces)
    fitted = train(build(MLPClassifierScratch), method, X, LABELS)
    assert_refused(fitted, lambda: train(fitted, method, X, bad))


@parametrize_method
def test_targets_of_regression_that_are_no_numbers(method):
    reg = train(build(MLPRegressorScratch), method, X, COUNTS)
    y = np.array(["low", "high"])[LABELS % 2]
    assert_refused(reg, lambda: train(reg, method, X, y), "y")
    y = csr_matrix(COUNTS[:, np.newaxis])
    assert_refused(reg, lambda: train(reg, method, X, y), "y must be an array")


@parametrize_method
def test_negative_targets_of_poisson_regression(method):
    reg = train(build(MLPRegressorScratch, loss="poisson"), method, X, COUNTS)
    assert_refused(
        reg,
        lambda: train(reg, method, X, changed(COUNTS, -3)),
        "loss='poisson' needs y >= 0, got -3",
    )


@parametrize_method
def test_targets_that_are_too_large_for_float32(method):
    single = X.astype(np.float32)
    reg = train(build(MLPRegressorScratch), method, single, COUNTS)
    y = changed(COUNTS, 1e300)
    pieces = "y is too large for float32", "1e+300"
    assert_refused(reg, lambda: train(reg, method, single, y), *pieces)


def test_classes_of_the_first_partial_fit():
    clf = build(MLPClassifierScratch)
    message = "classes must be passed on the first call to partial_fit"
    assert_refused(clf, lambda: clf.partial_fit(X, LABELS), message)
    pieces = "`y` has classes not in", "[2]", "[0 1]"
    assert_refused(clf, lambda: clf.partial_fit(X, LABELS, classes=[0, 1]), *pieces)


@pytest.mark.parametrize(
    "classes", [[0, 1], [0, 1, 2, 3], ["a", "b", "c"]], ids=["few", "many", "other"]
)
def test_classes_of_labels_are_their_columns(classes):
    clf = build(MLPClassifierScratch)
    assert_refused(
        clf, lambda: clf.partial_fit(X, INDICATORS, classes=classes), "classes"
    )


@pytest.mark.parametrize(
    "classes",
    [3, "abc", [], [[0, 1, 2]], [0.5, 1.5], [0, np.nan], ["a", 1], {0, 1, 2}],
    ids=show,
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")  # of NaN
def test_classes_that_are_none(classes):
    clf = build(MLPClassifierScratch)
    pieces = "classes must be an array of all labels", f"got {classes!r}"
    assert_refused(clf, lambda: clf.partial_fit(X, LABELS, classes=classes), *pieces)
    clf.fit(X, LABELS)
    assert_refused(clf, lambda: clf.partial_fit(X, LABELS, classes=classes), "classes")


def test_classes_that_change():
    clf = build(MLPClassifierScratch).partial_fit(X, LABELS, classes=[0, 1, 2])
    assert_refused(
        clf,
        lambda: clf.partial_fit(X, LABELS, classes=[0, 1, 3]),
        "`classes=[0, 1, 3]` is not the same as on last call",
        "[0, 1, 2]",
    )
    pieces = "`y` has classes not in", "[3]", "[0 1 2]"
    assert_refused(clf, lambda: clf.partial_fit(X, LABELS + 1), *pieces)
    names = np.array(["a", "b", "c"])[LABELS]
    pieces = "`y` has classes not in", "['a' 'b' 'c']", "[0 1 2]"
    assert_refused(clf, lambda: clf.partial_fit(X, names), *pieces)

    clf.set_params(warm_start=True)
    message = (
        "warm_start can only be used where `y` has the same classes as in the previous "
        "call to fit. Previously got [0 1 2], `y` has {}"
    )
    for y, classes in [(LABELS + 1, "[1 2 3]"), (LABELS % 2, "[0 1]")]:
        assert_refused(clf, lambda y=y: clf.fit(X, y), message.format(classes))


@pytest.mark.parametrize("method", ["warm_start", "partial_fit"])
@pytest.mark.parametrize(
    ("before", "after"),
    [(LABELS, INDICATORS), (INDICATORS, LABELS)],
    ids=["to", "from"],
)
def test_a_classifier_does_not_change_to_or_from_multilabel(before, after, method):
    clf = build(MLPClassifierScratch).fit(X, before)
    clf.set_params(warm_start=method == "warm_start")
    assert_refused(clf, lambda: train(clf, method, X, after), "multilabel")


@pytest.mark.parametrize("method", ["warm_start", "partial_fit"])
@pytest.mark.parametrize("n_outputs", [2, 4])
@parametrize_class
def test_number_of_outputs_that_changes(cls, n_outputs, method):
    estimator = build(cls).fit(X, INDICATORS)
    estimator.set_params(warm_start=method == "warm_start")
    y = np.hstack([INDICATORS, INDICATORS])[:, :n_outputs]
    pieces = ["classes"]
    if cls is MLPRegressorScratch:
        pieces = ["[4, 3, 3]", "hidden_layer_sizes", f"[4, 3, {n_outputs}]"]
    assert_refused(estimator, lambda: train(estimator, method, X, y), *pieces)


@parametrize_class
@pytest.mark.parametrize("hidden", [(4,), 4, (3, 3), ()])
@pytest.mark.parametrize("method", ["warm_start", "partial_fit"])
def test_hidden_layers_that_change(method, hidden, cls):
    estimator = build(cls).fit(X, TARGETS[cls])
    estimator.set_params(hidden_layer_sizes=hidden, warm_start=method == "warm_start")
    n_outputs = 3 if cls is MLPClassifierScratch else 1
    hidden = [hidden] if hidden == 4 else list(hidden)
    pieces = "hidden_layer_sizes", [4, 3, n_outputs], [4, *hidden, n_outputs]
    assert_refused(
        estimator, lambda: train(estimator, method, X, TARGETS[cls]), *pieces
    )


@parametrize_class
def test_partial_fit_has_no_early_stopping(cls):
    for estimator in (build(cls), build(cls).fit(X, TARGETS[cls])):
        estimator.set_params(early_stopping=True)
        assert_refused(
            estimator,
            lambda estimator=estimator: train(
                estimator, "partial_fit", X, TARGETS[cls]
            ),
            "partial_fit does not support early_stopping=True",
        )


@parametrize_class
def test_partial_fit_is_not_for_lbfgs(cls):
    estimator = build(cls, solver="lbfgs").fit(X, TARGETS[cls])
    assert not hasattr(estimator, "partial_fit")
    assert_refused(
        estimator, lambda: estimator.partial_fit, "partial_fit", error=AttributeError
    )
    with pytest.raises(AttributeError) as caught:
        estimator.partial_fit(X, TARGETS[cls])
    assert "lbfgs is not stochastic" in str(caught.value.__cause__)


@parametrize_class
def test_partial_fit_raises_for_a_solver_without_steps(cls):
    estimator = build(cls, solver=[])
    assert not hasattr(estimator, "partial_fit")
    with pytest.raises(AttributeError) as caught:
        estimator.partial_fit(X, TARGETS[cls])
    assert "[] is not stochastic" in str(caught.value.__cause__)


# The new arguments of fit.


NO_NUMBERS = np.full((4, 3), "word")
BAD_ARGUMENTS = [
    ({"X_val": X}, "X_val is provided, but y_val was not"),
    ({"y_val": LABELS}, "y_val is provided, but X_val was not"),
    ({"sample_weight_val": W}, "sample_weight_val is provided, but X_val was not"),
    ({"X_val": X, "y_val": LABELS[:3]}, "y_val", "inconsistent numbers", "[40, 3]"),
    ({"X_val": X[:, :2], "y_val": LABELS}, "X_val", "2 features", "4 features"),
    ({"X_val": X * np.nan, "y_val": LABELS}, "X_val", "NaN"),
    ({"X_val": X[:0], "y_val": LABELS[:0]}, "X_val", "0 sample(s)"),
    (
        {"X_val": X, "y_val": LABELS, "sample_weight_val": -W},
        "sample_weight_val",
        "must be non-negative, got -1.0 at index 0",
    ),
    ({"X_val": X, "y_val": LABELS, "sample_weight_val": 0 * W}, "sample_weight_val"),
    (
        {"X_val": X, "y_val": LABELS, "sample_weight_val": W[:3]},
        "sample_weight_val",
        "(3,)",
        "(40,)",
    ),
    ({"coefs_init": 3}, "coefs_init must be a list of arrays", "got 3"),
    ({"coefs_init": {0: None, 1: None}}, "coefs_init must be a list of arrays"),
    ({"coefs_init": [None]}, "coefs_init", "each of the 2 layers", "got 1"),
    ({"coefs_init": [X[:3, :3], None]}, "coefs_init[0]", "(4, 3)", "(3, 3)"),
    ({"coefs_init": [NO_NUMBERS, None]}, "coefs_init[0]", "real numbers", "<U4"),
    ({"coefs_init": [X[:4, :3] * np.nan, None]}, "coefs_init[0]", "finite", "got nan"),
    ({"intercepts_init": 3}, "intercepts_init must be a list of arrays", "got 3"),
    ({"intercepts_init": [np.ones(2), None]}, "intercepts_init[0]", "(3,)", "(2,)"),
    ({"intercepts_init": [[1, [2], 3], None]}, "intercepts_init[0] must be an array"),
]


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("early_stopping", [False, True])
@parametrize_class
@pytest.mark.parametrize(("arguments", "pieces"), [(a, p) for a, *p in BAD_ARGUMENTS])
def test_bad_arguments_of_fit(arguments, pieces, cls, early_stopping, warm_start):
    estimator = build(cls, early_stopping=early_stopping, warm_start=warm_start)
    for _ in range(2):
        assert_refused(
            estimator, lambda: estimator.fit(X, TARGETS[cls], **arguments), *pieces
        )
        estimator.fit(X, TARGETS[cls])


@pytest.mark.parametrize(
    ("y_val", "pieces"),
    [
        (LABELS + 1, ["y_val has classes that y does not have: [3]", "[0 1 2]"]),
        (np.array(["a", "b", "c"])[LABELS], ["y_val", "['a' 'b' 'c']", "[0 1 2]"]),
        (INDICATORS, ["y_val is multilabel"]),
        (X[:, 0], ["y_val", "continuous"]),
    ],
    ids=["unseen", "words", "multilabel", "continuous"],
)
def test_validation_targets_of_another_kind(y_val, pieces):
    clf = build(MLPClassifierScratch)
    for _ in range(2):
        assert_refused(clf, lambda: clf.fit(X, LABELS, X_val=X, y_val=y_val), *pieces)
        clf.fit(X, LABELS)


def test_validation_targets_that_the_loss_does_not_take():
    reg = build(MLPRegressorScratch, loss="poisson").fit(X, COUNTS)
    pieces = "y_val", "loss='poisson' needs y >= 0", "got -3"
    assert_refused(reg, lambda: reg.fit(X, COUNTS, X_val=X, y_val=-COUNTS), *pieces)


@parametrize_class
def test_initial_weights_that_are_too_large_for_float32(cls):
    estimator = build(cls, dtype="float32").fit(X, TARGETS[cls])
    arrays = [np.full((4, 3), 1e300), None]
    pieces = "coefs_init[0]", "finite in float32", "1e+300"
    assert_refused(
        estimator,
        lambda: estimator.fit(X, TARGETS[cls], coefs_init=arrays),
        *pieces,
    )


# Parameters that do not go together.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dropout", 0.1),
        ("dropout", [0.1]),
        ("input_dropout", 0.1),
        ("batch_norm", True),
        ("weight_decay", 0.1),
        ("max_norm", 1.0),
        ("clip_norm", 1.0),
        ("augment", fewer),
        ("callbacks", [Callback()]),
    ],
)
@parametrize_class
def test_lbfgs_raises_for_parameters_that_it_would_ignore(cls, name, value):
    estimator = build(cls, solver="lbfgs").fit(X, TARGETS[cls])
    estimator.set_params(**{name: value})
    pieces = f"{name}={value!r} needs a first-order solver", "solver='lbfgs'"
    assert_refused(estimator, lambda: estimator.fit(X, TARGETS[cls]), *pieces)


@parametrize_class
def test_batch_norm_needs_two_samples(cls):
    estimator = build(cls).fit(X, TARGETS[cls])
    estimator.set_params(batch_norm=True, batch_size=1)
    pieces = "batch_norm=True", "at least 2", "batch_size=1"
    assert_refused(estimator, lambda: estimator.fit(X, TARGETS[cls]), *pieces)


@pytest.mark.parametrize("before", [False, True])
@parametrize_class
@pytest.mark.parametrize("method", ["warm_start", "partial_fit"])
def test_batch_norm_that_changes(method, cls, before):
    estimator = build(cls, batch_norm=before).fit(X, TARGETS[cls])
    estimator.set_params(batch_norm=not before, warm_start=method == "warm_start")
    pieces = f"had batch_norm={before}", f"now batch_norm={not before}"
    assert_refused(
        estimator, lambda: train(estimator, method, X, TARGETS[cls]), *pieces
    )


@pytest.mark.parametrize("output", ["identity", "tanh", "relu"])
def test_poisson_needs_a_positive_output(output):
    reg = build(MLPRegressorScratch).fit(X, COUNTS)
    reg.set_params(loss="poisson", output_activation=output)
    pieces = "loss='poisson'", "positive", "softplus", f"got {output!r}"
    assert_refused(reg, lambda: reg.fit(X, COUNTS), *pieces)


@pytest.mark.parametrize(
    ("y", "kind"), [(LABELS > 0, "binary"), (INDICATORS, "multil")]
)
def test_softmax_needs_three_classes(y, kind):
    clf = build(MLPClassifierScratch).fit(X, y)
    clf.set_params(output_activation="softmax")
    pieces = "output_activation='softmax'", "three or more classes", kind
    assert_refused(clf, lambda: clf.fit(X, y), *pieces)


def test_balanced_weights_are_not_for_partial_fit():
    pieces = "class_weight='balanced'", "partial_fit", "compute_class_weight"
    for clf in (
        build(MLPClassifierScratch),
        build(MLPClassifierScratch).fit(X, LABELS),
    ):
        clf.set_params(class_weight="balanced")
        assert_refused(
            clf, lambda clf=clf: train(clf, "partial_fit", X, LABELS), *pieces
        )


@pytest.mark.parametrize(
    ("class_weight", "wants"),
    [({0: 1, 1: 2}, "list of dicts"), ([{0: 1, 1: 2}] * 2, "Got 2")],
)
def test_class_weight_of_multilabel_targets(class_weight, wants):
    clf = build(MLPClassifierScratch).fit(X, INDICATORS)
    clf.set_params(class_weight=class_weight)
    assert_refused(clf, lambda: clf.fit(X, INDICATORS), "class_weight", wants)


def test_class_weights_of_classes_that_a_batch_lacks():
    """The others may be left out, whatever there is in the batch."""
    weights = {0: 2.0, 3: 5.0}
    clf = build(MLPClassifierScratch, class_weight=weights)
    by_hand = build(MLPClassifierScratch)
    for rows in (LABELS < 3, LABELS == 1):
        clf.partial_fit(X[rows], LABELS[rows], classes=[0, 1, 2, 3])
        w = np.where(LABELS[rows] == 0, 2.0, 1.0)
        by_hand.partial_fit(X[rows], LABELS[rows], w, classes=[0, 1, 2, 3])
    np.testing.assert_array_equal(clf.coefs_[0], by_hand.coefs_[0])


def of_a_word(estimator, X, y, sample_weight=None):
    return "good"


@pytest.mark.parametrize(
    ("cls", "metric", "wants"),
    [
        (MLPClassifierScratch, of_a_word, "must return a number, got 'good'"),
        (MLPRegressorScratch, "accuracy", "continuous"),
        (MLPRegressorScratch, "roc_auc", "none of the following attributes"),
    ],
)
def test_metrics_that_fail(cls, metric, wants):
    y = {"accuracy": X[:, 0], "roc_auc": LABELS > 0}.get(metric, LABELS)
    estimator = build(cls).fit(X, y)
    estimator.set_params(early_stopping=True, early_stopping_metric=metric)
    pieces = f"early_stopping_metric={metric!r}", wants
    assert_refused(estimator, lambda: estimator.fit(X, y, W), *pieces)


@pytest.mark.parametrize(
    ("callback", "pieces"),
    [
        (EarlyStopping(), ["monitor='val_loss' needs a validation set", "X_val"]),
        (EarlyStopping("accuracy"), ["monitor must be one of", "got 'accuracy'"]),
        (EarlyStopping("loss", patience=0), ["patience == 0, must be >= 1"]),
        (EarlyStopping("loss", min_delta=-1), ["min_delta == -1, must be >= 0"]),
        (ReduceLROnPlateau("loss", factor=1.5), ["factor == 1.5, must be < 1"]),
        (WeightRecorder(0), ["every == 0, must be >= 1"]),
    ],
    ids=show,
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@parametrize_class
def test_callbacks_that_are_set_up_wrongly(cls, method, callback, pieces):
    estimator = build(cls).fit(X, TARGETS[cls])
    callbacks = [callback]  # a callback may change, the estimator not
    estimator.set_params(callbacks=callbacks)
    before = joblib.hash([estimator.coefs_, estimator.loss_curve_])
    with pytest.raises(ValueError, match=re.escape(pieces[0])) as caught:
        train(estimator, method, X, TARGETS[cls])
    assert all(piece in str(caught.value) for piece in pieces)
    assert joblib.hash([estimator.coefs_, estimator.loss_curve_]) == before


IS_RARE = np.arange(40) == 7


@pytest.mark.parametrize(
    ("cls", "y", "fraction", "pieces"),
    [
        (MLPClassifierScratch, np.where(IS_RARE, "rare", "common"), 0.1, ["'rare'"]),
        (MLPClassifierScratch, LABELS, 0.02, ["=0.02", "got 1"]),
        (MLPClassifierScratch, LABELS, 0.0, ["=0.0 "]),
        (MLPClassifierScratch, LABELS, 0.99, ["=0.99"]),
        (MLPRegressorScratch, COUNTS, 0.02, ["=0.02", "got 1"]),
        (MLPRegressorScratch, COUNTS, 0.0, ["=0.0 "]),
        (MLPRegressorScratch, COUNTS, 0.99, ["=0.99"]),
    ],
)
def test_validation_sets_that_are_too_small(cls, y, fraction, pieces):
    """The error names the class that is too small, as y has it."""
    params = {"early_stopping": True, "validation_fraction": fraction}
    unfitted = build(cls, **params)
    pieces = ["early_stopping=True", "validation_fraction", *pieces]
    assert_refused(unfitted, lambda: unfitted.fit(X, y), *pieces)
    fitted = build(cls).fit(X, TARGETS[cls]).set_params(**params)
    assert_refused(fitted, lambda: fitted.fit(X, y), *pieces)


@pytest.mark.parametrize("part", ["training", "validation"])
@parametrize_class
def test_early_stopping_without_weights_in_a_part(cls, part):
    """Weights that are zero wherever training, or validation, looks."""
    estimator = build(cls, early_stopping=True)
    seen = []

    def score(decision, P, Y, sample_weight):
        seen.append(sample_weight)
        return 0.5

    estimator._score_output = score
    estimator.fit(X, TARGETS[cls], np.arange(1.0, 41))
    del estimator._score_output
    is_validation = np.isin(np.arange(1, 41), seen[0])
    w = is_validation if part == "training" else ~is_validation
    assert_refused(
        estimator,
        lambda: estimator.fit(X, TARGETS[cls], w.astype(float)),
        "sample_weight must be positive",
        part,
        "early_stopping=True",
    )


DIVERGED = [
    "training diverged in epoch 1 of 3",
    "at learning rate 1e+300",
    "Use a smaller learning_rate_init",
    "scale X",
    "StandardScaler",
]


@parametrize_class
@parametrize_method
@pytest.mark.parametrize(
    # A search goes nowhere where the objective is not smaller.
    "solver",
    [name for name, optimizer in OPTIMIZERS.items() if not optimizer.full_batch],
)
def test_a_diverging_run(solver, method, cls):
    data, params = (X, TARGETS[cls]), {"solver": solver, "batch_size": 10}
    fitted = train(build(cls, **params), method, *data)
    fitted.set_params(learning_rate_init=1e300)
    params["warm_start"] = fitted.warm_start
    unfitted = build(cls, learning_rate_init=1e300, **params)
    pieces = DIVERGED
    if method == "partial_fit":  # of which there is no saying how many follow
        pieces = ["training diverged in epoch 1, at", *DIVERGED[1:]]
    for estimator in (fitted, unfitted):
        assert_refused(
            estimator,
            lambda estimator=estimator: train(estimator, method, *data),
            *pieces,
        )


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize(
    ("loss", "factor"), [("squared_error", 1e200), ("poisson", 1e5)]
)
def test_lbfgs_that_cannot_start(loss, factor, l1_ratio, warm_start):
    """Its objective is not a finite number."""
    reg = build(
        MLPRegressorScratch,
        loss=loss,
        solver="lbfgs",
        l1_ratio=l1_ratio,
        warm_start=warm_start,
    ).fit(X, COUNTS)
    pieces = "diverged", "cale X", "StandardScaler"
    assert_refused(reg, lambda: reg.fit(X * factor, COUNTS), *pieces)


@parametrize_class
def test_a_run_that_diverges_after_good_epochs_keeps_the_best(cls, monkeypatch):
    """Early stopping has weights to go back to; a warning tells it."""
    step = OPTIMIZERS["adam"].step

    def diverging(self, theta, *args):
        step(self, theta, *args)
        if self.t == 3:
            theta[0] = np.inf

    monkeypatch.setattr(OPTIMIZERS["adam"], "step", diverging)
    params = {"early_stopping": True, "engine": "numpy"}
    estimator = build(cls, **params, max_iter=9)
    message = (
        r"The weights of the best epoch are kept, but training diverged in epoch 3 of "
        r"9, at learning rate 0\.001\. Use a smaller learning_rate_init"
    )
    with pytest.warns(ConvergenceWarning, match=message):
        estimator.fit(X, TARGETS[cls])
    assert estimator.n_iter_ == 3
    monkeypatch.undo()
    best = int(np.argmax(estimator.validation_scores_[:2])) + 1
    expected = build(cls, **params, max_iter=best).fit(X, TARGETS[cls])
    for coef, reference in zip(estimator.coefs_, expected.coefs_, strict=True):
        np.testing.assert_array_equal(coef, reference)


@parametrize_class
def test_a_batch_that_is_larger_than_the_data_is_clipped(cls):
    message = re.escape("clipped: got 41 for 40 samples")
    y = TARGETS[cls]
    with pytest.warns(UserWarning, match=message):
        clipped = build(cls, batch_size=41).fit(X, y)
    expected = build(cls, batch_size=40).fit(X, y)
    np.testing.assert_array_equal(clipped.coefs_[0], expected.coefs_[0])


def test_the_losses_offered_to_regression_exist():
    """And every other loss is one of classification."""
    for loss in LOSSES:
        reg = build(MLPRegressorScratch, loss=loss)
        if LOSSES[loss].output_activation in ("logistic", "softmax"):
            assert_refused(reg, lambda reg=reg: reg.fit(X, COUNTS), "'loss' parameter")
        else:
            assert np.isfinite(reg.fit(X, COUNTS).loss_)


@parametrize_class
def test_lbfgs_raises_for_a_validation_set(cls):
    message = r"X_val and y_val need a first-order solver.*solver='lbfgs'"
    with pytest.raises(ValueError, match=message):
        build(cls, solver="lbfgs").fit(X, TARGETS[cls], X_val=X, y_val=TARGETS[cls])


class Returning(Activation):
    """Returns what it should write, as a function would."""

    def forward(self, Z, A):
        return np.sin(Z)

    def backward(self, Z, A, delta, work):
        return delta * np.cos(Z)


class Silent(Activation):
    needs_z = True

    def forward(self, Z, A):
        pass

    def backward(self, Z, A, delta, work):
        pass


class ReturningLoss(Loss):
    def pointwise(self, Y, P, out):
        return (P - Y) ** 2 / 2

    def gradient(self, Y, P, out):
        return P - Y


@pytest.mark.parametrize(
    ("parameter", "pieces"),
    [
        ({"activation": Returning()}, [r"Returning().forward", "into A", "None"]),
        ({"activation": [Silent()]}, [r"Silent().forward", "A", "wrote nothing"]),
        ({"loss": ReturningLoss()}, ["ReturningLoss().pointwise", "into out", "None"]),
    ],
    ids=["activation returns", "activation does nothing", "loss returns"],
)
@parametrize_class
def test_functions_that_must_write_their_result(cls, parameter, pieces):
    with pytest.raises(ValueError, match="must write its result") as caught:
        build(cls, **parameter).fit(X, TARGETS[cls])
    assert all(piece in str(caught.value) for piece in pieces)


@pytest.mark.parametrize(
    ("parameter", "method"),
    [({"activation": Activation()}, "forward"), ({"loss": Loss()}, "pointwise")],
)
@parametrize_class
def test_abstract_methods_raise(cls, parameter, method):
    with pytest.raises(NotImplementedError, match=f"must define {method}"):
        build(cls, **parameter).fit(X, TARGETS[cls])


@parametrize_class
def test_weights_whose_sum_overflows(cls):
    with pytest.raises(ValueError, match=r"sum that is finite in float32.*1e\+38"):
        build(cls, dtype="float32").fit(X, TARGETS[cls], np.full(40, 1e38))


@parametrize_class
@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_a_smallest_learning_rate_above_the_first(cls, schedule):
    estimator = build(cls, learning_rate=schedule, learning_rate_min=0.1)
    with pytest.raises(ValueError, match=r"learning_rate_min.*=0\.001, got 0\.1"):
        estimator.fit(X, TARGETS[cls])


@parametrize_class
def test_callbacks_of_scikit_learn_belong_elsewhere(cls):
    class Theirs:
        def on_fit_task_end(self, estimator, context):
            pass

    for callbacks in [Theirs()], Theirs():
        with pytest.raises(ValueError, match="pass it to set_callbacks"):
            build(cls, callbacks=callbacks).fit(X, TARGETS[cls])
