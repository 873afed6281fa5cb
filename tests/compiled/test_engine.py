"""Tests of the compiled engine's input, memory, errors and callbacks."""

import os
import signal
import threading
import tracemalloc
from time import perf_counter

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from skmlp import MLPClassifierScratch, MLPRegressorScratch, compiled
from skmlp.core.activations import ACTIVATIONS
from skmlp.core.losses import LOSSES
from skmlp.core.network import Workspace
from skmlp.core.objective import Objective
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.parameters import Parameters
from skmlp.core.penalties import ElasticNet
from skmlp.core.schedules import SCHEDULES
from skmlp.layers import make_mlp
from skmlp.training.step import make_step

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 12))
Y = X[:, :2] + RNG.normal(size=(90, 2))
SMALL = {
    "hidden_layer_sizes": (6,),
    "batch_size": 16,
    "max_iter": 3,
    "n_iter_no_change": np.inf,
    "random_state": 0,
}
ENGINES = ["numpy", "compiled"]


class Watch:
    """A callback that calls a function after each epoch."""

    needs_gradient = False

    def __init__(self, function, needs_gradient=False):
        self.function, self.needs_gradient = function, needs_gradient

    def on_fit_begin(self, state):
        pass

    def on_epoch_end(self, state):
        return self.function(state)

    def on_fit_end(self, state):
        pass


def fit(engine="compiled", X=X, Y=Y, **params):
    return MLPRegressorScratch(**SMALL | params, engine=engine).fit(X, Y)


def bits(estimator, X=X):
    arrays = [*estimator.coefs_, *estimator.intercepts_, estimator.predict(X)]
    return b"".join(a.tobytes() for a in arrays)


def test_it_is_there_where_it_is_required():
    if os.environ.get("SKMLP_REQUIRE_ENGINE") == "compiled":
        assert compiled.UNAVAILABLE is None


# Memory layouts.


def memory_map(X, folder):
    path = folder / "X.npy"
    np.save(path, X)
    return np.load(path, mmap_mode="r")


def read_only(X, folder):
    X = X.copy()
    X.flags.writeable = False
    return X


def spread(X, folder):
    """X as every second row and third column of a larger array."""
    wide = np.full((2 * X.shape[0], 3 * X.shape[1]), np.nan, X.dtype)
    wide[::2, ::3] = X
    return wide[::2, ::3]


LAYOUTS = {
    "Fortran": lambda X, folder: np.asfortranarray(X),
    "strided": spread,
    "rows apart": lambda X, folder: np.hstack([X, X])[:, : X.shape[1]],
    "rows backwards": lambda X, folder: X[::-1].copy()[::-1],
    "columns backwards": lambda X, folder: X[:, ::-1].copy()[:, ::-1],
    "read-only": read_only,
    "memory map": memory_map,
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("solver", ["adam", "lbfgs", "armijo"])
@pytest.mark.parametrize("batch_size", [16, "full"])
def test_every_layout_gives_the_same(tmp_path, layout, solver, batch_size, dtype):
    """And X stays as it is."""
    params = {"solver": solver, "batch_size": batch_size, "max_iter": 2}
    plain = X.astype(dtype)
    source = LAYOUTS[layout](plain, tmp_path)
    rtol = 1e-9 if dtype == "float64" else 1e-4
    ours, expected = fit(X=source, **params), fit(X=plain, **params)
    np.testing.assert_allclose(ours.loss_, expected.loss_, rtol=rtol)
    np.testing.assert_allclose(
        ours.predict(source), expected.predict(plain), rtol=100 * rtol, atol=rtol
    )
    np.testing.assert_array_equal(source, plain)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_row(tmp_path, layout):
    """Its strides may be anything."""
    row = LAYOUTS[layout](X, tmp_path)[:1]
    estimator = fit(X=row, Y=Y[:1], batch_size=1)
    assert bits(estimator, row) == bits(fit(X=X[:1], Y=Y[:1], batch_size=1), X[:1])


def test_a_stride_that_is_too_long_for_blas():
    """Of a single row, so that there need not be as much memory."""
    row = as_strided(X[0].copy(), (1, X.shape[1]), (2**31 * X.itemsize, X.itemsize))
    params = {"batch_size": 1, "shuffle": False}
    assert bits(fit(X=row, Y=Y[:1], **params), row) == bits(
        fit(X=row.copy(), Y=Y[:1], **params), row.copy()
    )


def test_rows_that_are_one_and_the_same():
    """An array that was broadcast has steps of zero between its rows."""
    source = np.broadcast_to(X[0], X.shape)
    assert bits(fit(X=source), source) == bits(fit(X=source.copy()), source.copy())


def unaligned(X):
    memory = np.zeros(X.nbytes + 1, np.uint8)[1:]
    source = memory.view(X.dtype).reshape(X.shape)
    source[...] = X
    assert not source.flags.aligned
    return source


def test_unaligned_memory_is_numpys():
    source = unaligned(X)
    with pytest.raises(ValueError, match="X that is not aligned in memory"):
        fit(X=source)
    auto, numpy = fit("auto", X=source), fit("numpy", X=source)
    assert bits(auto, source) == bits(numpy, source)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predictions_for_each_kind_of_input(dtype):
    """Numbers of another type, or lists, as for NumPy."""
    ours, numpy = (fit(engine, dtype=dtype) for engine in ENGINES)
    rtol = 1e-4 if dtype == "float32" else 1e-9
    for source in (X, X.astype(np.float32), (9 * X).astype(int), X.tolist()):
        np.testing.assert_allclose(
            ours.predict(source), numpy.predict(source), rtol=rtol, atol=rtol
        )


BY_HAND = {
    "few rows": lambda W, b: ([W[0][:-1], W[1]], b),
    "many rows": lambda W, b: ([np.vstack(W[:1] * 2), W[1]], b),
    "few columns": lambda W, b: ([W[0][:, :-1], W[1]], b),
    "long biases": lambda W, b: (W, [np.ones(99), b[1]]),
    "short biases": lambda W, b: (W, [b[0][:1], b[1]]),
    "numbers for biases": lambda W, b: (W, [0.5, 0.5]),
    "no biases": lambda W, b: (W, []),
    "dtypes": lambda W, b: ([W[0].astype(np.float32), W[1]], b),
    "integers": lambda W, b: ([V.astype(int) for V in W], b),
    "half precision": lambda W, b: ([V.astype(np.float16) for V in W], b),
    "Fortran": lambda W, b: ([np.asfortranarray(V) for V in W], b),
}


@pytest.mark.parametrize("change", BY_HAND)
def test_weights_that_were_set_by_hand(change):
    """Where they do not fit together, NumPy has the say, and its error is ours."""
    outcomes = []
    for engine in ENGINES:
        estimator = fit("numpy").set_params(engine=engine)
        W, b = BY_HAND[change](estimator.coefs_, estimator.intercepts_)
        estimator.coefs_, estimator.intercepts_ = W, b
        try:
            outcomes.append(estimator.predict(X))
        except Exception as error:
            outcomes.append(repr(error))
    numpy, ours = outcomes
    if isinstance(numpy, str):
        assert ours == numpy
    else:
        np.testing.assert_allclose(ours, numpy, rtol=1e-9)


# Memory.


@pytest.mark.parametrize("batch_size", [200, 128])
@pytest.mark.parametrize("shuffle", [True, False])
def test_there_is_no_copy_of_X(batch_size, shuffle):
    """Neither in training nor in prediction."""
    large = np.ones((20_000, 250), np.float32)
    large[::2] = 0.5
    y = large[:, 0]
    params = {"batch_size": batch_size, "shuffle": shuffle, "max_iter": 2}
    tracemalloc.start()
    fit(X=large, Y=y, **params).predict(large)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.15 * large.nbytes


def build_engine(n_samples, batch_size, sizes, **options):
    rng = np.random.default_rng(0)
    loss = LOSSES["squared_error"]()
    activations = [ACTIVATIONS["tanh"]] * (len(sizes) - 2) + [ACTIVATIONS["identity"]]
    network = make_mlp(sizes, activations, loss, **options)
    theta = Parameters(network.layout)
    theta.flat[:] = 0.1 * rng.normal(size=theta.flat.size)
    objective = Objective(network, ElasticNet(0.1, 0.5), theta)
    optimizer = OPTIMIZERS["adam"](theta.flat, 1e-4)
    step = make_step(objective, optimizer, clip_norm=1.0, rng=rng)
    X, Y = (
        rng.normal(size=(n_samples, sizes[0])),
        rng.normal(size=(n_samples, sizes[-1])),
    )
    schedule = SCHEDULES["constant"](1e-4)
    return compiled.CompiledEngine(step, X, Y, None, n_samples, batch_size, schedule)


@pytest.mark.parametrize("options", [{}, {"dropout": [0.5, 0.5]}])
def test_epoch_allocates_almost_no_memory(options):
    """A few numbers for each batch, whatever the sizes of batch and network."""
    for batch_size, sizes in [(10, (5, 7, 3)), (300, (220, 250, 240))]:
        engine = build_engine(5 * batch_size, batch_size, sizes, **options)
        order = np.random.default_rng(0).permutation(5 * batch_size)
        for rows in (None, order):
            engine.run_epoch(rows)  # to warm up
            tracemalloc.start()
            engine.run_epoch(rows)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 10_000


# Errors and interrupts.


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("after", [1, 2])
def test_an_interrupt_in_a_callback(after, early_stopping):
    """What there is by then is kept, as with NumPy."""

    def interrupt(state):
        if state.n_iter == after:
            raise KeyboardInterrupt

    results = []
    for engine in ENGINES:
        with pytest.warns(UserWarning, match="interrupted by user"):
            estimator = fit(
                engine, callbacks=Watch(interrupt), early_stopping=early_stopping
            )
        assert estimator.n_iter_ == after
        results.append(estimator.predict(X))
    np.testing.assert_allclose(*results, rtol=1e-9)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no timer")
@pytest.mark.usefixtures("without_gc")
@pytest.mark.filterwarnings("ignore:Training interrupted")
@pytest.mark.parametrize("continues", [False, True])
def test_a_signal_in_a_long_epoch(continues):
    """It is heard soon; there is a result from before, or the old state stays."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("only the main thread hears signals")
    large = np.ones((2_000, 200))
    params = SMALL | {"hidden_layer_sizes": (500, 500), "max_iter": 10**6}
    params |= {"engine": "compiled", "learning_rate_init": 1e-9, "batch_size": 100}
    estimator = MLPRegressorScratch(**params, warm_start=True)
    if continues:
        estimator.set_params(max_iter=1).fit(large, large[:, 0])
        estimator.set_params(max_iter=10**6)

    def interrupt(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        estimator.fit(large, large[:, 0])
    except KeyboardInterrupt:  # in the first epoch, or outside of them
        assert continues == hasattr(estimator, "coefs_")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    if hasattr(estimator, "coefs_"):
        assert np.isfinite(estimator.predict(large)).all()
    assert not compiled.engine.threads._running
    estimator.set_params(max_iter=1).fit(large, large[:, 0])


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no timer")
@pytest.mark.usefixtures("without_gc")
@pytest.mark.filterwarnings("ignore:Training interrupted")
@pytest.mark.parametrize("n_samples", [100, 500_000])
def test_a_signal_among_small_steps(n_samples):
    """Also where a step does next to nothing: in many epochs, and in a long one."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("only the main thread hears signals")
    small = np.ones((n_samples, 1))
    params = SMALL | {"hidden_layer_sizes": (), "max_iter": 10**6, "batch_size": 1}
    estimator = MLPRegressorScratch(
        **params, engine="compiled", learning_rate_init=1e-9, tol=0.0
    )
    sent = []

    def interrupt(number, frame):
        raise KeyboardInterrupt

    def send():
        sent.append(perf_counter())
        os.kill(os.getpid(), signal.SIGALRM)

    before = signal.signal(signal.SIGALRM, interrupt)
    timer = threading.Timer(0.5, send)
    timer.start()
    try:
        estimator.fit(small, small[:, 0])
    except KeyboardInterrupt:  # in the first epoch
        pass
    finally:
        timer.join()
        signal.signal(signal.SIGALRM, before)
    assert perf_counter() - sent[0] < 3  # it would be a minute


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_divergence_has_the_same_message(solver, dtype):
    """And the estimator is as it was."""
    outcomes = []
    huge = Y * (1e30 if dtype == "float32" else 1e300)
    for engine in ENGINES:
        estimator = MLPRegressorScratch(
            **SMALL, engine=engine, solver=solver, learning_rate_init=1e30, dtype=dtype
        )
        before = vars(estimator).copy()
        with pytest.raises(ValueError, match="non-finite") as caught:
            estimator.fit(X, huge)
        outcomes.append(str(caught.value))
        assert vars(estimator) == before
    assert outcomes[0] == outcomes[1]


# Gradients and rates, for callbacks.


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"clip_norm": 0.01},
        {"solver": "sgd", "alpha": 0.5, "l1_ratio": 0.5},
        {"frozen_layers": [0]},
        {"batch_norm": True},
        {"layer_norm": True, "hidden_layer_sizes": (6, 6), "residual": True},
        {"n_members": 3},
        {"solver": "armijo"},
    ],
    ids=str,
)
def test_callbacks_see_the_same_gradient(params):
    """Of the last batch, before it is shortened."""
    seen = []
    for engine in ENGINES:
        gradients = []
        note = Watch(lambda state, g=gradients: g.append(state.gradient.copy()), True)
        fit(engine, callbacks=note, **params)
        seen.append(np.array(gradients))
    np.testing.assert_allclose(*seen, rtol=1e-9, atol=1e-12)


def test_no_gradient_without_request():
    seen = []
    for engine in ENGINES:
        fit(engine, callbacks=Watch(lambda state: seen.append(state.gradient)))
    assert seen == [None] * 6


@pytest.mark.parametrize("rate", [1, 0.02, np.float64(0.02), np.float32(0.02)])
def test_a_callback_may_set_the_rate(rate):
    """To any real number."""

    def change(state):
        state.optimizer.base_learning_rate = rate

    params = {"callbacks": Watch(change), "solver": "sgd", "clip_norm": 0.01}
    ours, numpy = fit(**params), fit("numpy", **params)
    np.testing.assert_allclose(ours.loss_curve_, numpy.loss_curve_, rtol=1e-9)
    rates = [estimator.history_["learning_rate"] for estimator in (ours, numpy)]
    np.testing.assert_array_equal(*rates)


# Large numbers.


@pytest.mark.parametrize(("dtype", "scale"), [("float32", 1e25), ("float64", 1e200)])
@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_the_norm_of_a_gradient_whose_squares_overflow(dtype, scale, clip_norm):
    """It is finite, and bounds the gradient."""
    params = {"dtype": dtype, "clip_norm": clip_norm, "solver": "sgd", "max_iter": 1}
    params |= {"learning_rate_init": 1e-5 / scale, "loss": "squared_error"}
    ours, numpy = (fit(engine, Y=Y * scale, **params) for engine in ENGINES)
    norms = ours.history_["grad_norm"]
    assert np.isfinite(norms).all()
    rtol = 1e-5 if dtype == "float32" else 1e-9
    np.testing.assert_allclose(norms, numpy.history_["grad_norm"], rtol=rtol)
    for mine, theirs in zip(ours.coefs_, numpy.coefs_, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


def test_an_objective_that_overflows_is_infinite():
    """With a penalty, too: a search that meets it has to know which is less."""
    results = []
    for Class in Objective, compiled.CompiledObjective:
        loss = LOSSES["squared_error"]()
        network = make_mlp((12, 2), [ACTIVATIONS["identity"]], loss)
        theta = Parameters((12, 2))
        theta.flat[:] = 1e200
        objective = Class(network, ElasticNet(1e-300, 0.0), theta, report_mean=True)
        with np.errstate(over="ignore"):
            value = objective.value(X, Y, None, Workspace(network, len(X), np.float64))
        results += [value, objective.E]
    assert results == [np.inf] * 4


def test_search_does_not_change_the_running_statistics():
    """Also where it looks at points at which the batch's own overflow."""
    params = {"solver": "random_search", "batch_norm": True, "search_radius": 1e38}
    params |= {"dtype": "float32", "activation": "tanh"}
    ours, numpy = (fit(engine, X=1e3 * X, **params) for engine in ENGINES)
    for name in "batch_norm_means_", "batch_norm_variances_":
        for mine, theirs in zip(getattr(ours, name), getattr(numpy, name), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-5)


def test_classes_that_are_certain():
    """Labels whose probability rounds to 0 have a large, finite loss, as in NumPy."""
    y = (X[:, 0] > 0).astype(int)
    losses = [
        MLPClassifierScratch(**SMALL, engine=engine)
        .fit(X, y, coefs_init=[np.full((12, 6), 50.0), np.full((6, 1), 50.0)])
        .loss_curve_
        for engine in ENGINES
    ]
    np.testing.assert_allclose(*losses, rtol=1e-6)
