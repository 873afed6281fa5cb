"""Tests that numbers never go wrong in silence.

Each extreme either works, as scikit-learn, a closed form or higher precision says, or
is refused with a message of ours. All warnings but ConvergenceWarning are errors here,
NumPy's of an overflow among them.
"""

import re
import tracemalloc
import warnings

import joblib
import numpy as np
import pytest
from engines import parametrize_engine
from numpy.lib.stride_tricks import as_strided
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.compiled.coverage import unsupported, unsupported_parameters
from skmlp.core.activations import ACTIVATIONS
from skmlp.core.losses import LOSSES
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.layers import make_mlp

pytestmark = pytest.mark.usefixtures("one_blas_thread")

parametrize_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
parametrize_solver = pytest.mark.parametrize("solver", ["lbfgs", *OPTIMIZERS])

rng = np.random.RandomState(0)
X = rng.randn(40, 4)
CLASSES = rng.randint(0, 3, 40)
BINARY = (X[:, 0] > 0).astype(int)
NUMBERS = X @ [1.0, 2.0, -3.0, 0.5]
DIVERGED = "Solver produced non-finite parameter weights.*training diverged in"
SMALL = {"hidden_layer_sizes": (5,), "max_iter": 5, "random_state": 0}


def classifier(**params):
    return MLPClassifierScratch(**{**SMALL, **params})


def regressor(**params):
    return MLPRegressorScratch(**{**SMALL, **params})


def reference(Estimator, **params):
    """Scikit-learn's estimator with the same parameters."""
    params = {**SMALL, **params}
    return Estimator(
        **{k: v for k, v in params.items() if k not in ("engine", "dtype")}
    )


def assert_same_weights(ours, theirs, rtol):
    for mine, other in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        atol = rtol * np.abs(other).max()
        np.testing.assert_allclose(mine, other, rtol=rtol, atol=atol)


def fit_or_refuse(estimator, *data):
    """Fit: the estimator is then finite, or untouched if fit has refused.

    Returns what fit, or else what a prediction has said.
    """
    before = joblib.hash(vars(estimator))
    try:
        estimator.fit(*data)
    except ValueError as error:
        assert joblib.hash(vars(estimator)) == before
        return str(error)
    assert all(np.isfinite(a).all() for a in estimator.coefs_ + estimator.intercepts_)
    said = None
    try:
        predictions, score = estimator.predict(data[0]), estimator.score(*data)
    except ValueError as error:
        said = str(error)
    if said is None:
        assert np.isfinite(predictions).all()
        assert score <= 1
    return said if said is None else re.search("must be finite, but is not", said)[0]


# Predictions.

METHODS = [
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "hidden_activations",
    "input_gradient",
    "score",
]
TASKS = {
    "multiclass": (classifier, CLASSES),
    "binary": (classifier, BINARY),
    "regression": (regressor, NUMBERS),
}


def with_overflow(estimator, dtype):
    """Samples of which one makes every hidden unit's sum as large as it can be."""
    samples = X.astype(dtype)
    largest = np.finfo(dtype).max
    samples[7] = np.sign(estimator.coefs_[0][:, 0]) * largest
    return samples


@parametrize_engine
@parametrize_dtype
@pytest.mark.parametrize("as_input", [np.asarray, csr_matrix])
@pytest.mark.parametrize("task", TASKS)
def test_predictions_that_overflow_raise(task, as_input, dtype, engine):
    """And say which sample it is: the others are fine."""
    make, y = TASKS[task]
    estimator = make(engine=engine, dtype=dtype, batch_norm=True).fit(X, y)
    samples = with_overflow(estimator, dtype)
    others = np.arange(len(X)) != 7
    for method in METHODS:
        if not hasattr(estimator, method):
            continue
        args = (y,) if method == "score" else ()
        call = getattr(estimator, method)
        with pytest.raises(ValueError, match="must be finite, but is not for 1 of 40 "):
            call(as_input(samples), *args)
        result = call(as_input(samples[others]), *(y[others] for y in args))
        for array in result if isinstance(result, list) else [result]:
            assert np.isfinite(array).all()


@parametrize_engine
def test_error_names_the_layer_that_overflows(engine):
    estimator = regressor(engine=engine).fit(X, NUMBERS)
    samples = with_overflow(estimator, "float64")
    text = "network's output.*row 7.*float64.*1.79769e.308.*Scale X before fit"
    with pytest.raises(ValueError, match=text):
        estimator.predict(samples)
    with pytest.raises(ValueError, match="activation of hidden layer 0 must be finite"):
        estimator.hidden_activations(samples)
    estimator.coefs_[0][0, 0] = np.nan
    with pytest.raises(ValueError, match="coefs_ and intercepts_ have numbers that"):
        estimator.predict(X)


@parametrize_engine
@parametrize_dtype
def test_saturated_values_are_correct(dtype, engine):
    """tanh of an infinite sum is 1; in higher precision it does not overflow."""
    estimator = regressor(engine=engine, dtype=dtype, activation="tanh")
    estimator.fit(X, NUMBERS)
    samples = with_overflow(estimator, dtype)
    W, V = (W.astype(np.longdouble) for W in estimator.coefs_)
    b, c = estimator.intercepts_
    expected = np.tanh(samples.astype(np.longdouble) @ W + b) @ V + c
    if dtype == "float32" or np.finfo(np.longdouble).max > 1e4000:
        rtol = 1e-5 if dtype == "float32" else 1e-12
        np.testing.assert_allclose(
            estimator.predict(samples), expected[:, 0], rtol=rtol
        )


@parametrize_engine
@pytest.mark.parametrize("factor", [1e-300, 1.0, 1e3, 1e300])
def test_probabilities_of_extreme_logits(factor, engine):
    """0 and 1 are right where the logits are far apart, and further than the dtype."""
    linear = classifier(engine=engine, hidden_layer_sizes=()).fit(X, CLASSES)
    linear.coefs_[0][...] = 0
    linear.intercepts_[0][...] = [-factor, 0, factor * 1e8 if factor > 1e3 else factor]
    logits = np.asarray(linear.intercepts_[0], np.longdouble)
    powers = np.exp(logits - logits.max())
    expected = np.asarray(powers / powers.sum(), np.float64)
    np.testing.assert_allclose(linear.predict_proba(X), [expected] * 40, atol=1e-300)
    linear.intercepts_[0][...] = [-1.5e308, 0, 1.5e308]
    np.testing.assert_array_equal(linear.predict_proba(X), [[0, 0, 1]] * 40)
    log_proba = linear.predict_log_proba(X)
    np.testing.assert_array_equal(log_proba, [[-np.inf, -np.inf, 0]] * 40)


@parametrize_engine
def test_an_exponential_that_overflows_raises(engine):
    estimator = regressor(engine=engine, loss="poisson", max_iter=20)
    estimator.fit(X, np.exp(X[:, 0]))
    samples = X * 1e6
    with pytest.raises(ValueError, match="network's output must be finite"):
        estimator.predict(samples)


@parametrize_engine
def test_a_validation_set_that_overflows_has_no_score(engine):
    estimator = regressor(engine=engine).fit(X, NUMBERS)
    X_val = with_overflow(estimator, "float64")
    estimator.fit(X, NUMBERS, X_val=X_val, y_val=NUMBERS)
    assert np.isnan(estimator.history_["val_score"]).all()
    estimator.set_params(early_stopping=True)
    with pytest.raises(ValueError, match="validation score, which was NaN"):
        estimator.fit(X, NUMBERS, X_val=X_val, y_val=NUMBERS)


# Weights of samples.


@parametrize_engine
@parametrize_dtype
def test_weights_that_cannot_be_summed_up_or_divided_by(dtype, engine):
    limits = np.finfo(dtype)
    huge, tiny = np.full(40, limits.max), np.full(40, limits.tiny / 1000)
    estimator = classifier(engine=engine, dtype=dtype)
    validation = {"X_val": X, "y_val": CLASSES}
    for weights, text in (huge, "must have a sum"), (tiny, "must have a sum of at"):
        with pytest.raises(ValueError, match=f"^sample_weight {text}.*{dtype}"):
            estimator.fit(X, CLASSES, weights)
        with pytest.raises(ValueError, match=f"sample_weight_val {text}.*{dtype}"):
            estimator.fit(X, CLASSES, sample_weight_val=weights, **validation)
        estimator.set_params(class_weight=dict.fromkeys(range(3), float(weights[0])))
        with pytest.raises(ValueError, match=f"^class_weight {text}.*{dtype}"):
            estimator.fit(X, CLASSES)
        estimator.set_params(class_weight=None)
    estimator.fit(X, CLASSES, sample_weight_val=huge / 1000, **validation)
    assert np.isfinite(estimator.history_["val_loss"]).all()


# Gradients.


@parametrize_engine
@parametrize_dtype
@pytest.mark.parametrize(
    "solver", ["adagrad", "rmsprop", "adam", "adamw", "amsgrad", "nadam"]
)
def test_a_batch_whose_squared_gradient_overflows(solver, dtype, engine):
    """It would freeze the weights for ever."""
    y = NUMBERS.astype(dtype)
    y[7] = 1e3 * np.sqrt(np.finfo(dtype).max)
    params = {"loss": "squared_error", "batch_size": 4, "shuffle": False}
    estimator = regressor(solver=solver, dtype=dtype, engine=engine, **params)
    estimator.fit(X, NUMBERS)
    before = joblib.hash(vars(estimator))
    with pytest.raises(ValueError, match=f"{DIVERGED} epoch 1 of 5"):
        estimator.fit(X, y)
    with pytest.raises(ValueError, match=f"{DIVERGED} epoch 1, "):
        estimator.partial_fit(X, y)
    assert joblib.hash(vars(estimator)) == before


@parametrize_engine
@parametrize_dtype
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("size", [1e-12, 1e-25, 1e-30])
def test_gradients_whose_squares_vanish(size, solver, dtype, engine):
    """Only the biases move, by gradients of this size, and as in scikit-learn."""
    params = {"solver": solver, "engine": engine, "dtype": dtype, "tol": 0, "alpha": 0}
    params |= {"max_iter": 20, "hidden_layer_sizes": (), "learning_rate_init": 0.01}
    zeros = np.zeros((40, 4))
    y = np.full(40, size)
    theirs = reference(MLPRegressor, **params).fit(zeros, y)
    ours = regressor(**params)
    ours.fit(zeros, y)
    rtol = 1e-4 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(ours.intercepts_[0], theirs.intercepts_[0], rtol=rtol)


@parametrize_engine
@parametrize_dtype
def test_numbers_that_the_dtype_has_no_place_for(dtype, engine):
    """0 / 0 in a column of zeros would be said to be a training that diverged."""
    zeros = np.hstack([X, np.zeros((40, 1))])
    limits = np.finfo(dtype)
    for params in (
        {"epsilon": None},
        {"epsilon": None, "solver": "rmsprop"},
        {"batch_norm_epsilon": None, "batch_norm": True},
        {"max_norm": None},
        {"huber_delta": None, "loss": "huber"},
    ):
        name = next(iter(params))
        make = regressor(engine=engine, dtype=dtype, **params)
        for value in (float(limits.tiny) / 1e6, 1e300):
            make.set_params(**{name: value})
            said = fit_or_refuse(make, zeros, NUMBERS)
            if dtype == "float64" and value == 1e300:
                assert said is None
            else:
                assert said.startswith(f"{name} must be from ")
                assert f"{dtype}, the dtype of the network, got {value}" in said
    # What the solver does not use does not matter.
    assert (
        fit_or_refuse(regressor(epsilon=1e-320, solver="sgd"), zeros, NUMBERS) is None
    )


@parametrize_engine
@parametrize_dtype
def test_a_norm_whose_squares_overflow_is_bounded(dtype, engine):
    """The weights are shortened, and not lost."""
    start = np.array([[3.0], [-4.0], [0.0], [12.0]])
    coefs_init = [start * (float(np.finfo(dtype).max) / 100)]
    params = {"hidden_layer_sizes": (), "max_norm": 26.0, "solver": "sgd", "alpha": 0}
    params |= {"learning_rate_init": 1e-30, "loss": "absolute_error", "max_iter": 1}
    estimator = regressor(engine=engine, dtype=dtype, **params)
    estimator.fit(X / 100, NUMBERS, coefs_init=coefs_init)
    np.testing.assert_allclose(estimator.coefs_[0], 2 * start, rtol=1e-6)


@parametrize_engine
def test_a_power_that_overflows_is_a_learning_rate_of_zero(engine):
    params = {"learning_rate": "invscaling", "power_t": 1e300, "solver": "sgd"}
    estimator = regressor(engine=engine, **params).fit(X, NUMBERS)
    assert estimator.history_["learning_rate"] == [0.001, 0, 0, 0, 0]


# Targets.


@parametrize_engine
@parametrize_dtype
@pytest.mark.parametrize("solver", ["lbfgs", "adam", "sgd"])
@pytest.mark.parametrize("size", [1e12, 1e-12])
def test_large_and_small_targets(size, solver, dtype, engine):
    params = {"solver": solver, "engine": engine, "dtype": dtype, "max_iter": 10}
    params |= {"activation": "tanh", "tol": 0}
    if solver == "sgd" and size > 1:
        params["learning_rate_init"] = 1e-6
    if dtype == "float32" and solver == "lbfgs":
        params["max_iter"] = 2  # rounding leads it elsewhere
    theirs = reference(MLPRegressor, **params).fit(X, NUMBERS * size)
    ours = regressor(**params).fit(X, NUMBERS * size)
    if dtype == "float32" and solver == "lbfgs":
        assert ours.loss_ <= theirs.loss_ * 2
        return
    rtol = 1e-4 if dtype == "float32" else 0 if engine == "numpy" else 1e-9
    assert_same_weights(ours, theirs, rtol)
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=max(rtol, 1e-12))


@parametrize_engine
@parametrize_solver
def test_targets_whose_squares_overflow(solver, engine):
    """In float32, of which the loss is no number any more."""
    y = NUMBERS * 1e25
    estimator = regressor(solver=solver, engine=engine, dtype="float32")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        said = fit_or_refuse(estimator, X, y)
    texts = [str(warning.message) for warning in caught]
    assert said is not None or any("beyond the range of float32" in t for t in texts)
    assert not any(issubclass(warning.category, RuntimeWarning) for warning in caught)


@parametrize_engine
def test_overflow_of_the_loss_is_reported(engine):
    """Where the gradient is bounded, the weights stay finite."""
    params = {"solver": "sgd", "dtype": "float32", "clip_norm": 1.0}
    estimator = regressor(engine=engine, **params)
    with pytest.warns(
        ConvergenceWarning, match="loss is inf in epoch 5.*float32.*Scale"
    ):
        estimator.fit(X, NUMBERS * 1e25)
    assert np.isfinite(estimator.predict(X)).all()


@parametrize_engine
def test_samples_whose_sums_overflow_both_ways(engine):
    """The check that X is finite adds up infinities of both signs on its way."""
    estimator = classifier(engine=engine, dtype="float32").fit(X, BINARY)
    samples = np.resize(np.float32([3e38, -3e38]), (40, 4))
    with np.errstate(over="ignore", invalid="ignore"):
        assert np.isnan(samples.sum())
    estimator.coefs_[0][...] = 0
    assert np.isfinite(estimator.predict_proba(samples)).all()
    fit_or_refuse(estimator, samples, BINARY)


def test_targets_beyond_float32():
    with pytest.raises(ValueError, match=r"y is too large for float32.*1e\+39"):
        regressor(dtype="float32").fit(X, np.full(40, 1e39))


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e-12, 1.0, 1e12, 1e160, 1e300])
def test_the_score_does_not_depend_on_the_unit(unit):
    linear = regressor(hidden_layer_sizes=(), solver="lbfgs", alpha=0, max_iter=50)
    linear.fit(X, NUMBERS)
    noisy = NUMBERS + np.sin(np.arange(40))
    expected = r2_score(noisy, linear.predict(X))
    for array in linear.coefs_ + linear.intercepts_:
        array *= unit
    np.testing.assert_allclose(linear.score(X, noisy * unit), expected, rtol=1e-9)
    weighted = r2_score(noisy, linear.predict(X) / unit, sample_weight=np.arange(40))
    score = linear.score(X, noisy * unit, sample_weight=np.arange(40))
    np.testing.assert_allclose(score, weighted, rtol=1e-9)


@pytest.mark.parametrize("unit", [1e-25, 1e20])
def test_validation_scores_in_float32_do_not_overflow_either(unit):
    params = {"hidden_layer_sizes": (), "max_iter": 2, "solver": "sgd", "tol": 0}
    start = {"coefs_init": [np.array([[1.0], [2.0], [-3.0], [0.5]]) * unit]}
    start["intercepts_init"] = [np.zeros(1)]
    params["learning_rate_init"] = 1e-30
    estimator = regressor(dtype="float32", **params)
    y_val = (NUMBERS + np.sin(np.arange(40))) * unit
    estimator.fit(X, NUMBERS * unit, X_val=X, y_val=y_val, **start)
    expected = r2_score(y_val / unit, NUMBERS)
    np.testing.assert_allclose(estimator.history_["val_score"], expected, rtol=1e-4)


# Few, and many.


@parametrize_engine
@pytest.mark.parametrize(("n_samples", "n_features"), [(1, 4), (40, 1), (1, 1)])
@pytest.mark.parametrize("solver", ["lbfgs", "sgd", "adam"])
def test_one_sample_or_one_feature(solver, n_samples, n_features, engine):
    samples, y = X[:n_samples, :n_features], NUMBERS[:n_samples]
    theirs = reference(MLPRegressor, solver=solver).fit(samples, y)
    ours = regressor(solver=solver, engine=engine).fit(samples, y)
    np.testing.assert_allclose(
        ours.predict(samples), theirs.predict(samples), rtol=1e-9
    )


@parametrize_engine
@parametrize_solver
@pytest.mark.parametrize("params", [{}, {"batch_norm": True, "dropout": 0.5}])
def test_one_class_and_one_sample_with_all_solvers(params, solver, engine):
    if solver == "lbfgs" and params:
        return
    one_class = classifier(solver=solver, engine=engine, **params).fit(X, ["a"] * 40)
    assert set(one_class.predict(X)) == {"a"}
    np.testing.assert_array_equal(one_class.predict_proba(X), np.ones((40, 1)))
    one_sample = regressor(solver=solver, engine=engine, **params).fit(X[:1], [3.0])
    assert np.isfinite(one_sample.predict(X)).all()


@parametrize_engine
def test_a_constant_target(engine):
    """Learned, and nothing is divided by its variance."""
    params = {"solver": "lbfgs", "alpha": 0, "max_iter": 200, "tol": 1e-10}
    estimator = regressor(engine=engine, **params).fit(X, np.full(40, 7.0))
    np.testing.assert_allclose(estimator.predict(X), 7, rtol=1e-4)


@parametrize_engine
@parametrize_dtype
@pytest.mark.parametrize("value", [0.0, 1.0, 1e15])
def test_features_of_zero_variance(value, dtype, engine):
    """With batch normalization all samples look alike: the best is their mean."""
    params = {"batch_norm": True, "batch_size": "full", "alpha": 0, "max_iter": 300}
    params |= {"learning_rate_init": 0.1, "solver": "sgd", "tol": 0}
    params |= {"n_iter_no_change": np.inf, "engine": engine, "dtype": dtype}
    constant = np.full((40, 3), value)
    estimator = regressor(**params)
    said = fit_or_refuse(estimator, constant, NUMBERS + 1)
    if value < 2:  # else the rounding of the mean is a variance
        assert said is None
        mean = (NUMBERS + 1).mean()
        # Rounding errors are divided by the root of batch_norm_epsilon.
        rtol = 1e-3 if dtype == "float64" else 0.1
        np.testing.assert_allclose(estimator.predict(constant), mean, rtol=rtol)


@parametrize_engine
@pytest.mark.parametrize("batch_size", [41, 10**9, 2**63, 10**30])
def test_huge_batch_sizes(batch_size, engine):
    theirs = reference(MLPRegressor, batch_size=40).fit(X, NUMBERS)
    ours = regressor(batch_size=batch_size, engine=engine)
    with pytest.warns(UserWarning, match=f"clipped: got {batch_size} for 40 samples"):
        ours.fit(X, NUMBERS)
    assert_same_weights(ours, theirs, 1e-12)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"batch_size": 20, "min_batches": 3}, 14),
        ({"batch_size": 10, "min_batches": 3}, 10),
        ({"batch_size": 100, "min_batches": 8}, 5),
        ({"min_batches": 10**9}, 1),
        ({"min_batches": 4, "early_stopping": True, "validation_fraction": 0.2}, 8),
    ],
)
def test_min_batches_reduce_the_batch_size(params, expected):
    ours = regressor(**params).fit(X, NUMBERS)
    other = {name: params[name] for name in params if name != "min_batches"}
    same = regressor(**{**other, "batch_size": expected}).fit(X, NUMBERS)
    assert_same_weights(ours, same, 0)


@parametrize_engine
def test_thousands_of_classes(engine):
    samples = rng.randn(6000, 3)
    labels = np.arange(6000) % 3000
    params = {"hidden_layer_sizes": (2,), "max_iter": 1, "batch_size": 1500}
    theirs = reference(MLPClassifier, **params).fit(samples, labels)
    ours = classifier(engine=engine, **params).fit(samples, labels)
    assert_same_weights(ours, theirs, 1e-9)
    few = samples[:50]
    np.testing.assert_allclose(
        ours.predict_proba(few), theirs.predict_proba(few), rtol=1e-9
    )
    np.testing.assert_array_equal(ours.predict(few), theirs.predict(few))


@pytest.mark.parametrize("engine", ["auto", "numpy"])
def test_a_million_sparse_features(engine):
    """X would take 800 MB if it was dense."""
    columns = rng.randint(0, 10**6, 1000)
    rows = np.arange(1000) % 100
    samples = csr_matrix((rng.randn(1000), (rows, columns)), (100, 10**6))
    y = np.arange(100) % 2
    params = {"hidden_layer_sizes": (2,), "max_iter": 2}
    theirs = reference(MLPClassifier, **params).fit(samples, y)
    tracemalloc.start()
    try:
        ours = classifier(engine=engine, **params)
        ours.fit(samples, y)
        proba = ours.predict_proba(samples)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2e8  # a vector of the parameters takes 16 MB
    np.testing.assert_allclose(proba, theirs.predict_proba(samples), rtol=1e-9)


# What holds the samples.


@parametrize_engine
@pytest.mark.parametrize(
    "dtype", ["float16", "int8", "uint8", "int64", "bool", "object", "longdouble"]
)
def test_samples_and_targets_of_other_dtypes(dtype, engine):
    """They are what they are in float64."""
    small = (X * 3).astype(dtype) if dtype != "bool" else X > 0
    y = (NUMBERS * 3).astype(dtype) if dtype not in ("bool", "uint8") else BINARY > 0
    theirs = reference(MLPRegressor).fit(small.astype(float), y.astype(float))
    ours = regressor(engine=engine).fit(small, y)
    expected = theirs.predict(small.astype(float))
    np.testing.assert_allclose(ours.predict(small), expected, rtol=1e-9)


@pytest.fixture(params=["Fortran", "backwards", "strided", "memory map"])
def laid_out(request, tmp_path):
    """The samples in memory that is not what BLAS likes, and cannot be written to."""
    if request.param == "Fortran":
        samples = np.asfortranarray(X)
    elif request.param == "backwards":
        samples = X[::-1, ::-1].copy()[::-1, ::-1]
    else:
        wide = np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)
        if request.param == "memory map":
            np.save(tmp_path / "samples.npy", wide)
            wide = np.load(tmp_path / "samples.npy", mmap_mode="r")
        samples = wide[::2, ::3]
    samples.flags.writeable = False
    return samples


@parametrize_engine
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_layouts_of_the_samples(solver, laid_out, engine):
    params = {"solver": solver, "engine": engine}
    theirs = reference(MLPClassifier, **params).fit(X, CLASSES)
    ours = classifier(**params).fit(laid_out, CLASSES)
    assert_same_weights(ours, theirs, 1e-7)
    np.testing.assert_allclose(
        ours.predict_proba(laid_out), theirs.predict_proba(X), rtol=1e-7
    )


def fake(n_samples, n_features):
    """Samples of any number, all in the memory of one number."""
    return as_strided(np.zeros(1), (n_samples, n_features), (0, 0), writeable=False)


@pytest.mark.parametrize(
    "sizes", [(2**31, 1, 1), (40, 2**31, 1), (40, 1, 2**31), (2**31, 2**20, 1)]
)
def test_dimensions_beyond_the_integers_of_blas_use_numpy(sizes):
    """Its dimensions are ints in C."""
    *sizes, n_units = sizes
    identity, loss = ACTIVATIONS["identity"], LOSSES["squared_error"]()

    def reasons(n_samples, *layers):
        network = make_mlp(layers, [identity] * (len(layers) - 1), loss)
        return unsupported(network, None, fake(n_samples, layers[0]), None)

    assert reasons(*sizes, n_units, 1) == [
        "more than 2147483647 samples, or units of a layer"
    ]
    assert reasons(*(min(size, 2**31 - 1) for size in (*sizes, n_units)), 1) == []
    n_features = sizes[1]
    network = make_mlp((n_features, n_units), [identity], loss)
    arrays = [[fake(n_features, n_units), fake(1, n_units)[0]], []]
    is_long = max(n_features, n_units) >= 2**31
    assert unsupported_parameters(network, arrays, n_features) == is_long


# Everything at its extremes: a finite model, or a message.

EXTREMES = [
    {"alpha": 1e300},
    {"alpha": 1e300, "l1_ratio": 1.0},
    {"alpha": 1e-320},
    {"learning_rate_init": 1e300},
    {"learning_rate_init": 1e-320},
    {"epsilon": 1e-320},
    {"epsilon": 1e300},
    {"momentum": 1.0},
    {"momentum": 1.0, "nesterovs_momentum": False},
    {"beta_1": 0.0, "beta_2": 0.0},
    {"beta_1": 1 - 2**-53, "beta_2": 1 - 2**-53},
    {"rho": 1 - 2**-53},
    {"search_radius": 1e300},
    {"armijo_factor": 1e-300},
    {"tol": 1e300},
    {"n_iter_no_change": 10**30},
    {"max_fun": 10**30},
    {"power_t": 1e5, "learning_rate": "invscaling"},
    {"warmup_steps": 10**30},
    {"learning_rate": "one_cycle", "learning_rate_init": 1e300},
    {"decay_rate": 1e-320, "learning_rate": "exponential"},
    {"decay_rate": 1e-320, "learning_rate": "plateau"},
]
NOT_FOR_LBFGS = [
    {"clip_norm": 1e-320},
    {"clip_norm": 1e300},
    {"max_norm": 1e-320},
    {"max_norm": 1e300},
    {"weight_decay": 1e300},
    {"dropout": 1 - 2**-53, "input_dropout": 1 - 2**-53},
    {"batch_norm": True, "batch_norm_epsilon": 1e-320},
    {"batch_norm": True, "batch_norm_momentum": 1e-320},
]


@parametrize_engine
@parametrize_dtype
@parametrize_solver
def test_extreme_parameters(solver, dtype, engine):
    for params in EXTREMES if solver == "lbfgs" else EXTREMES + NOT_FOR_LBFGS:
        params = {"solver": solver, "dtype": dtype, "engine": engine, **params}
        fit_or_refuse(classifier(**params), X, CLASSES)
        fit_or_refuse(regressor(**params), X, NUMBERS)


@parametrize_engine
@parametrize_dtype
@parametrize_solver
def test_extreme_samples_and_targets(solver, dtype, engine):
    limits = np.finfo(dtype)
    plain = {"solver": solver, "dtype": dtype, "engine": engine}
    noisy = {**plain, "batch_norm": True, "dropout": 0.3, "batch_size": 7}
    stopping = {**plain, "early_stopping": True}
    for size in limits.max / 10, np.sqrt(limits.max), 1e-30, limits.tiny / 100:
        extreme = X * (float(size) / np.abs(X).max())
        for params in (plain, noisy, stopping) if solver != "lbfgs" else (plain,):
            fit_or_refuse(classifier(**params), extreme, CLASSES)
            fit_or_refuse(regressor(**params), extreme, NUMBERS)
            fit_or_refuse(regressor(**params), X, extreme[:, 0])
            robust = regressor(loss="huber", **params)
            fit_or_refuse(robust, X, extreme[:, 0])
