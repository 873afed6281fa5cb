"""Tests of the threads: what they compute, and how many there are."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import numpy as np
import pytest
from joblib import Parallel, cpu_count, delayed, parallel_config
from threadpoolctl import ThreadpoolController

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.compiled import threads
from skmlp.core.optimizers import OPTIMIZERS

RNG = np.random.default_rng(0)
# Batches of three blocks of samples and a smaller one; a weight matrix of two parts.
X = RNG.normal(size=(700, 130))
Y = X[:, :7] + RNG.normal(size=(700, 7))
W = RNG.random(700).round(1)  # among them zeros
LARGE = {
    "hidden_layer_sizes": (300, 250),
    "batch_size": 300,
    "max_iter": 2,
    "n_iter_no_change": np.inf,
    "random_state": 0,
    "engine": "compiled",
}
OPTIONS = {
    "plain": {},
    "batch_norm": {"batch_norm": True},
    "layer_norm": {"layer_norm": True},
    "members": {"n_members": 3, "hidden_layer_sizes": (40, 40), "dropout": 0.3},
    "residual": {"hidden_layer_sizes": (40, 40, 40), "residual": True, "dropout": 0.3},
    "dropout": {"dropout": 0.3, "input_dropout": 0.1},
    "clip_norm": {"clip_norm": 0.1, "alpha": 0.1},
    "max_norm": {"max_norm": 0.5},
    "L1": {"alpha": 0.1, "l1_ratio": 0.5, "weight_decay": 0.1},
    "frozen": {"frozen_layers": [1], "activation": ["gelu", "tanh"]},
    "all": {
        "batch_norm": True,
        "dropout": 0.3,
        "clip_norm": 0.1,
        "max_norm": 0.5,
        "alpha": 0.1,
        "l1_ratio": 0.5,
        "frozen_layers": [0],
    },
    "full": {"batch_size": "full", "solver": "sgd"},
    # So many weights that their product is shared out by columns.
    "wide": {"hidden_layer_sizes": (2100, 7), "dropout": 0.3, "input_dropout": 0.1},
    "wide, batch_norm": {"hidden_layer_sizes": (7, 43000), "batch_norm": True},
}


def set_threads(monkeypatch, n):
    monkeypatch.setattr(threads, "n_threads", lambda *_: n)
    monkeypatch.setattr(threads, "is_fixed", True)


def fitted_bits(weighted=False, **params):
    """Everything that a fit leaves, and a prediction, as bytes."""
    estimator = MLPRegressorScratch(**LARGE | params)
    estimator.fit(X, Y, sample_weight=W if weighted else None)
    arrays = [*estimator.coefs_, *estimator.intercepts_, estimator.predict(X)]
    arrays += getattr(estimator, "batch_norm_means_", [])
    arrays += getattr(estimator, "batch_norm_variances_", [])
    arrays.append(np.array([estimator.loss_, *getattr(estimator, "loss_curve_", [])]))
    if hasattr(estimator, "history_"):
        arrays.append(np.array(estimator.history_["grad_norm"]))
    return b"".join(a.tobytes() for a in arrays)


@pytest.mark.filterwarnings("ignore:lbfgs failed")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("options", OPTIONS)
def test_the_bits_do_not_depend_on_their_number(monkeypatch, options, weighted, dtype):
    results = set()
    for n in (1, 2, 3, 5):
        set_threads(monkeypatch, n)
        results.add(fitted_bits(weighted, **OPTIONS[options], dtype=dtype))
    assert len(results) == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("solver", ["lbfgs", *OPTIMIZERS])
def test_each_solver(monkeypatch, solver, dtype):
    results = set()
    for n in (1, 2, 3, 5):
        set_threads(monkeypatch, n)
        results.add(fitted_bits(solver=solver, dtype=dtype))
    assert len(results) == 1


@pytest.mark.parametrize("n_samples", [1, 127, 128, 129, 700])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_prediction_does_not_depend_on_their_number(monkeypatch, dtype, n_samples):
    """Nor on the layout of X, or on its dtype where that is exact."""
    estimator = MLPRegressorScratch(**LARGE, dtype=dtype).fit(X, Y)
    rows = X[:n_samples].astype(np.float32)
    results = set()
    for n in (1, 2, 3, 5):
        set_threads(monkeypatch, n)
        for source in (rows, np.asfortranarray(rows), rows.astype(np.float64)):
            results.add(estimator.predict(source).tobytes())
    assert len(results) == 1


def test_more_threads_than_there_is_work(monkeypatch):
    """Even more than the engine ever starts."""
    expected = fitted_bits(hidden_layer_sizes=(2,), batch_norm=True)
    set_threads(monkeypatch, 100)
    assert fitted_bits(hidden_layer_sizes=(2,), batch_norm=True) == expected


def test_several_fits_at_once(monkeypatch):
    """They share the cores and a setting of BLAS, but nothing else."""
    settings = [
        {"solver": solver, "dropout": 0.2, "random_state": seed, "dtype": dtype}
        for seed, solver in enumerate(("adam", "sgd", "rmsprop"))
        for dtype in ("float32", "float64")
    ]
    expected = [fitted_bits(**params) for params in settings]
    for n in (None, 2):
        if n:
            set_threads(monkeypatch, n)
        with ThreadPoolExecutor(3) as pool:
            results = list(pool.map(lambda params: fitted_bits(**params), settings))
        assert results == expected


# The context that training runs in.


@pytest.fixture
def blas():
    """What returns the numbers of BLAS's threads, which are 2 to begin with."""
    controller = ThreadpoolController().select(user_api="blas")
    if not controller.lib_controllers:
        pytest.skip("there is no BLAS whose threads can be counted")
    with controller.limit(limits=2):
        yield lambda: {lib.num_threads for lib in controller.lib_controllers}


def test_blas_is_limited_to_one_thread_and_restored(blas):
    before = blas()
    with threads.running():
        assert blas() == {1}
    assert blas() == before
    assert not threads._running


def test_nested_in_one_thread(blas):
    """As where a callback predicts."""
    before = blas()
    with threads.running():
        with threads.running():
            assert len(threads._running) == 1
        assert blas() == {1}
    assert blas() == before


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error(blas, error):
    before = blas()
    with pytest.raises(error), threads.running(), threads.running():
        raise error
    assert blas() == before
    assert not threads._running


def test_after_a_fit_that_fails(blas):
    """By divergence, or by an error in a callback."""
    before = blas()
    params = LARGE | {"hidden_layer_sizes": (4,)}
    diverging = MLPRegressorScratch(
        **params, solver="sgd", learning_rate_init=1e200, activation="identity"
    )
    with pytest.raises(ValueError, match="training diverged"):
        diverging.fit(X, Y)
    assert blas() == before
    assert not threads._running


def test_overlapping_threads(blas):
    """The first to come limits BLAS, the last to go takes it back."""
    before = blas()
    entered, leave = Event(), Event()

    def other():
        with threads.running():
            entered.set()
            leave.wait(10)

    thread = Thread(target=other)
    with threads.running():
        thread.start()
        assert entered.wait(10)
        assert blas() == {1}
    assert blas() == {1}
    leave.set()
    thread.join()
    assert blas() == before


def test_in_another_thread(blas):
    """Than the one that was the first to limit BLAS."""
    with ThreadPoolExecutor(1) as pool:
        test = test_blas_is_limited_to_one_thread_and_restored
        pool.submit(test, blas).result()


def test_concurrent_fits_share_the_cores(monkeypatch):
    """And one that is alone has them all; a small task is for one thread."""
    monkeypatch.setattr(threads, "_openmp_effective_n_threads", lambda: 8)
    entered, leave = Event(), Event()

    def other():
        with threads.running():
            entered.set()
            leave.wait(10)

    assert threads.n_threads(1e12) == 8
    with threads.running():
        assert threads.n_threads(1e12) == 8
        assert threads.n_threads(1e3) == 1
        thread = Thread(target=other)
        thread.start()
        assert entered.wait(10)
        assert threads.n_threads(1e12) == 4
        leave.set()
        thread.join()
        assert threads.n_threads(1e12) == 8
    monkeypatch.setattr(threads, "_openmp_effective_n_threads", lambda: 1)
    assert threads.n_threads(1e12) == 1


def test_processes_of_joblib_share_the_cores():
    """One that loky starts has its share of them, and does not know of the others."""
    n_jobs = max(2, cpu_count())
    with parallel_config(backend="loky", inner_max_num_threads=1):
        counts = Parallel(n_jobs)(delayed(threads.n_threads)(1e12) for _ in range(8))
    assert counts == [1] * 8
    counts = Parallel(n_jobs, backend="loky")(
        delayed(threads.n_threads)(1e12) for _ in range(8)
    )
    assert max(counts) <= max(1, cpu_count() // n_jobs)


def test_a_callback_may_predict_and_fit():
    """Within the fit of another estimator, with the same result as outside of it."""
    y = (X[:, 0] > 0).astype(int)
    small = {"hidden_layer_sizes": (5,), "max_iter": 2, "random_state": 0}

    class Nested:
        def on_fit_begin(self, state):
            pass

        def on_epoch_end(self, state):
            fitted = MLPClassifierScratch(**small, engine="compiled").fit(X, y)
            self.P = fitted.predict_proba(X)

        def on_fit_end(self, state):
            pass

    nested = Nested()
    outer = MLPClassifierScratch(**small, engine="compiled", callbacks=nested)
    np.testing.assert_array_equal(outer.fit(X, y).predict_proba(X), nested.P)
    assert not threads._running
