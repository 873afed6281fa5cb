"""Tests that a fit does no harm to its process.

Other threads can use NumPy's global generator, children can be forked at any moment,
and an exception at any moment leaves neither BLAS nor the estimator half-changed.
"""

import linecache
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor
from threadpoolctl import ThreadpoolController

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.compiled import threads

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 40))
y = (X[:, 0] + X[:, 1] > 0).astype(int)
# Products that are large enough for BLAS to be held to one thread.
PARAMS = {"hidden_layer_sizes": (100,), "engine": "compiled", "max_iter": 3}
LONG = PARAMS | {"max_iter": 300, "tol": 0.0, "n_iter_no_change": 300}


@pytest.fixture
def blas():
    """Return the controller of the BLAS libraries, which have 2 threads each."""
    controller = ThreadpoolController().select(user_api="blas")
    if not controller.lib_controllers:
        pytest.skip("there is no BLAS whose threads can be counted")
    with controller.limit(limits=2):
        yield controller


def numbers(controller):
    return {library.num_threads for library in controller.lib_controllers}


class Fit(threading.Thread):
    """A thread that fits until it is stopped, and fails if that fails."""

    def __init__(self, **params):
        super().__init__()
        self.estimator = MLPClassifierScratch(**params)
        self.stopped, self.error = False, None
        self.n_iter = 0

    def run(self):
        try:
            while not self.stopped:
                self.estimator.fit(X, y)
        except BaseException as error:
            self.error = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stopped = True
        self.join(60)
        assert self.error is None
        assert not self.is_alive()

    def is_in_C(self):
        """Whether the thread runs epochs in C. The caller holds the GIL."""
        frame = sys._current_frames().get(self.ident)
        if frame is None or frame.f_code.co_name != "run_epochs":
            return False
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        after = linecache.getline(frame.f_code.co_filename, frame.f_lineno + 1)
        return "train_epochs(" in line or "order.random_state, np.array" in after


def until(condition, n_times=1):
    """Look again and again until a condition has held so many times."""
    deadline = time.monotonic() + 60
    n = 0
    while n < n_times:
        assert time.monotonic() < deadline, "it never comes"
        n += bool(condition())
        time.sleep(1e-4)


# NumPy's random generators.


def test_the_global_generator_is_free_while_a_fit_is_in_C():
    lock = np.random.mtrand._rand._bit_generator.lock

    def is_free():
        if not fit.is_in_C():
            return False
        assert lock.acquire(blocking=False)
        lock.release()
        return True

    with Fit(**LONG) as fit:
        until(is_free, 20)


def test_fits_that_share_the_global_generator_run_at_once():
    with Fit(**LONG) as one, Fit(**LONG) as other:
        until(lambda: one.is_in_C() and other.is_in_C(), 5)


def states_after(Estimator, target, fits, **params):
    """Return the losses and the generator's states after fits that share it."""
    random_state = np.random.RandomState(5)
    results = []
    for more in fits:
        estimator = Estimator(random_state=random_state, **params | more)
        with suppress(ValueError):  # it diverges
            results.append(estimator.fit(X, target).n_iter_)
        state = random_state.get_state(legacy=False)
        results.append((state["state"]["key"].tobytes(), state["state"]["pos"]))
    return results


STOPPING = [
    {"max_iter": 7},
    {"max_iter": 300, "tol": 1e-3, "n_iter_no_change": 2},
    {"max_iter": 11, "shuffle": False},
    {"max_iter": 40, "early_stopping": True, "n_iter_no_change": 3},
    {"max_iter": 30, "solver": "sgd", "learning_rate": "adaptive", "tol": 1e-2},
]


def test_fits_that_share_a_generator_leave_it_as_scikit_learn_does():
    """The state of the generator is the same after each of the fits."""
    params = {"hidden_layer_sizes": (5,), "batch_size": 50}
    expected = states_after(MLPClassifier, y, STOPPING, **params)
    for engine in ("numpy", "compiled"):
        results = states_after(
            MLPClassifierScratch, y, STOPPING, **params, engine=engine
        )
        assert results == expected


def test_the_generator_after_a_training_that_diverges():
    """Epochs that were drawn ahead, and are not run, do not count."""
    params = {"hidden_layer_sizes": (5,), "activation": "identity", "solver": "sgd"}
    params |= {"batch_size": 100, "learning_rate_init": 1.3, "max_iter": 500}
    fits = [{}, {"learning_rate_init": 1e-3, "max_iter": 3}]
    results = [
        states_after(MLPRegressorScratch, X[:, 0], fits, **params, engine=engine)
        for engine in ("numpy", "compiled")
    ]
    assert len(results[0]) == 3  # the first has diverged
    assert results[0] == results[1]


def test_numbers_are_not_drawn_twice():
    """A fit that diverges does not take back what another thread has drawn."""
    params = {"hidden_layer_sizes": (5,), "activation": "identity", "solver": "sgd"}
    params |= {"batch_size": 100, "learning_rate_init": 1.3, "max_iter": 500}
    drawn, stopped = [], threading.Event()

    def draw():
        while not stopped.is_set():
            drawn.append(np.random.random_sample())

    thread = threading.Thread(target=draw)
    thread.start()
    for _ in range(30):
        with pytest.raises(ValueError, match="diverged"):
            MLPRegressorScratch(**params, engine="compiled").fit(X, X[:, 0])
    stopped.set()
    thread.join()
    assert len(set(drawn)) == len(drawn) > 30
