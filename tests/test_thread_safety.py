"""Tests that threads can share a fitted estimator, and fit several at once.

One estimator must not be fitted in two threads at the same time, nor be fitted in one
while another predicts with it: threads share what is fitted, not what is changing.
"""

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.cluster import KMeans
from threadpoolctl import ThreadpoolController, threadpool_limits

from skmlp import MLPClassifierScratch, compiled
from skmlp.compiled import threads

needs_compiled = pytest.mark.skipif(
    compiled.UNAVAILABLE is not None,
    reason=f"there is no compiled engine: {compiled.UNAVAILABLE}",
)
parametrize_engine = pytest.mark.parametrize(
    "engine", ["numpy", pytest.param("compiled", marks=needs_compiled)]
)

N_THREADS = 8
RNG = np.random.default_rng(0)
X = RNG.normal(size=(700, 60))
y = (X[:, 0] > 0) + (X[:, 1] > 1).astype(int)
PARAMS = {
    "hidden_layer_sizes": (150, 80),
    "batch_size": 150,
    "max_iter": 2,
    "n_iter_no_change": np.inf,
    "random_state": 0,
}
METHODS = [
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "hidden_activations",
    "input_gradient",
]


def fit(**params):
    return MLPClassifierScratch(**PARAMS | params).fit(X, y)


def as_bytes(result):
    parts = result if isinstance(result, list) else [result]
    return b"".join(part.tobytes() for part in parts)


def fitted_bits(params):
    estimator = fit(**params)
    return as_bytes([*estimator.coefs_, *estimator.intercepts_])


def run_at_once(tasks):
    """Run each in a thread of its own, all beginning together; their results."""
    barrier = threading.Barrier(len(tasks))

    def run(task):
        barrier.wait(60)
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return [future.result(120) for future in [pool.submit(run, t) for t in tasks]]


@pytest.fixture
def blas_threads():
    """The numbers of BLAS's threads are afterwards what they were before."""
    controller = ThreadpoolController().select(user_api="blas")

    def numbers():
        return [library.num_threads for library in controller.lib_controllers]

    before = numbers()
    yield
    assert numbers() == before
    assert not threads._running


@contextmanager
def meanwhile(action):
    """Let another thread do something again and again."""
    stop, errors = threading.Event(), []

    def run():
        try:
            while not stop.is_set():
                action()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
    assert not errors
    assert not thread.is_alive()


# Prediction.


@pytest.mark.parametrize("n_samples", [1, 50, 700])
@pytest.mark.parametrize("as_input", [np.asarray, csr_array, np.float32])
@pytest.mark.parametrize("batch_norm", [False, True])
@parametrize_engine
def test_many_threads_predict_with_one_estimator(
    blas_threads, engine, batch_norm, as_input, n_samples
):
    """All methods at once, with the bits that they have one after the other."""
    estimator = fit(engine=engine, batch_norm=batch_norm)
    rows = as_input(X[:n_samples])
    tasks = [lambda m=m: as_bytes(getattr(estimator, m)(rows)) for m in METHODS]
    tasks = 2 * tasks
    assert len(tasks) >= N_THREADS
    # NumPy's BLAS is held to one thread while the compiled engine predicts in another.
    with threadpool_limits(1, user_api="blas"):
        expected = [task() for task in tasks]
        for _ in range(3):
            assert run_at_once(tasks) == expected


@needs_compiled
def test_compiled_predictions_while_blas_is_limited_elsewhere():
    """As scikit-learn's own code does in another thread."""
    estimator = fit(engine="compiled")
    expected = estimator.predict_proba(X).tobytes()
    samples = RNG.normal(size=(300, 3))

    def cluster():
        KMeans(3, n_init=1, max_iter=3, random_state=0).fit(samples)

    with meanwhile(cluster):
        tasks = [lambda: estimator.predict_proba(X).tobytes()] * N_THREADS
        for _ in range(5):
            assert set(run_at_once(tasks)) == {expected}


# Training.

SETTINGS = [
    {"solver": "adam", "dropout": 0.2, "random_state": 1},
    {"solver": "sgd", "batch_norm": True, "early_stopping": True},
    {"solver": "rmsprop", "dtype": "float32", "max_norm": 1.0},
    {"solver": "armijo"},
    {"solver": "lbfgs"},
    {"hidden_layer_sizes": (3,), "batch_size": 5},  # too small to be held
    {"init": "orthogonal", "hidden_layer_sizes": (200, 150)},
    {"solver": "random_search", "random_state": 2},
]


@pytest.mark.filterwarnings("ignore:lbfgs failed")
@parametrize_engine
def test_several_estimators_fit_at_once(blas_threads, engine):
    settings = [params | {"engine": engine} for params in SETTINGS]
    tasks = [lambda params=params: fitted_bits(params) for params in settings]
    n = 1 if engine == "numpy" else None
    with threadpool_limits(n, user_api="blas"):
        expected = [task() for task in tasks]
        for _ in range(2):
            assert run_at_once(tasks) == expected


@needs_compiled
def test_fits_while_another_thread_predicts(blas_threads):
    fitted = fit(engine="compiled")
    expected = fitted.predict_proba(X).tobytes()

    def predict():
        assert fitted.predict_proba(X).tobytes() == expected
        assert fitted.predict_proba(X[:1]).size == 3

    params = {"engine": "compiled", "dropout": 0.2, "max_iter": 10}
    alone = fitted_bits(params)
    with meanwhile(predict), meanwhile(predict):
        tasks = [lambda: fitted_bits(params)] * 3
        assert set(run_at_once(tasks)) == {alone}


@needs_compiled
def test_BLAS_has_its_threads_back_whoever_comes_and_goes(blas_threads):
    """Small and large fits and predictions, overlapping in every way."""
    estimator = fit(engine="compiled", hidden_layer_sizes=(5,))

    def task():
        for n_samples in (1, 700, 3, 300):
            estimator.predict(X[:n_samples])
        fit(engine="compiled", max_iter=1)
        fit(engine="compiled", max_iter=1, hidden_layer_sizes=(2,), batch_size=10)

    run_at_once([task] * N_THREADS)


@parametrize_engine
def test_a_fit_in_a_thread_that_a_worker_has_started(blas_threads, engine):
    """Not the main thread, nor one that it knows of; its own errstate is a new one."""
    params = {"engine": engine}
    with threadpool_limits(1, user_api="blas"):
        expected = fitted_bits(params)

        def nested():
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(fitted_bits, params).result(60)

        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(nested).result(60) == expected


@parametrize_engine
def test_a_fit_that_diverges_among_others(blas_threads, engine):
    """Its error is its own, and so is its silence about an overflow."""

    def diverge():
        with pytest.raises(ValueError, match="training diverged"):
            fit(
                engine=engine,
                solver="sgd",
                learning_rate_init=1e200,
                activation="identity",
                loss="log_loss",
            )
        return b""

    params = {"engine": engine, "max_iter": 5}
    with threadpool_limits(1, user_api="blas"):
        alone = fitted_bits(params)
        tasks = [diverge, lambda: fitted_bits(params)] * 3
        assert run_at_once(tasks) == [b"", alone] * 3


# Processes.


@pytest.mark.filterwarnings("ignore:.*is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_process_after_a_fit(method):
    """Whichever way it is started; forked, it has what the parent had."""
    with threadpool_limits(1, user_api="blas"):
        expected = fitted_bits({})
    context = multiprocessing.get_context(method)
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=send_fitted, args=(send,))
    process.start()
    assert receive.poll(60), "the process does not answer"
    result = receive.recv()
    process.join(60)
    assert process.exitcode == 0
    assert result == expected


def send_fitted(connection):
    with threadpool_limits(1, user_api="blas"):
        connection.send(fitted_bits({}))
