"""Tests that a fit does no harm to its process.

Other threads can use NumPy's global generator, children can be forked at any moment,
and an exception at any moment leaves neither BLAS nor the estimator half-changed.
"""

import itertools
import linecache
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import pytest
from sklearn import get_config
from sklearn.neural_network import MLPClassifier
from threadpoolctl import ThreadpoolController

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.callbacks import Callback
from skmlp.compiled import threads

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 40))
y = (X[:, 0] + X[:, 1] > 0).astype(int)
# Products that are large enough for BLAS to be held to one thread.
PARAMS = {"hidden_layer_sizes": (100,), "engine": "compiled", "max_iter": 3}
LONG = PARAMS | {"max_iter": 300, "tol": 0.0, "n_iter_no_change": 300}

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")


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
        if not fit.is_in_C() or not lock.acquire(blocking=False):
            return False  # it draws the orders of the epochs, for a moment
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
    generator = np.random.mtrand._rand  # NumPy's global one
    drawn, stopped = [], threading.Event()

    def draw():
        while not stopped.is_set():
            drawn.append(generator.random_sample())

    thread = threading.Thread(target=draw)
    thread.start()
    for _ in range(30):
        with pytest.raises(ValueError, match="diverged"):
            MLPRegressorScratch(**params, engine="compiled").fit(X, X[:, 0])
    stopped.set()
    thread.join()
    assert len(set(drawn)) == len(drawn) > 30


# Forks.


def run_script(*arguments):
    run = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


@needs_fork
@pytest.mark.parametrize(("n_forks", "seed"), [(5, 0), (5, 1), (40, 2)])
def test_children_of_a_process_that_fits(n_forks, seed):
    """They draw from NumPy's global generator, fit and predict.

    The first are forked while the first fit begins.
    """
    script = ROOT / "tests/compiled/forked_while_fitting.py"
    lines = run_script(str(script), str(n_forks), str(seed))
    assert lines == ["ok"] * n_forks + ["the parent has BLAS's threads back: True"]


FORK_IN_CALLBACK = """
import os
import numpy as np
from threadpoolctl import ThreadpoolController
from skmlp import MLPClassifierScratch
from skmlp.callbacks import Callback
from skmlp.compiled import threads

X = np.random.default_rng(0).normal(size=(400, 40))
y = (X[:, 0] > 0).astype(int)
blas = ThreadpoolController().select(user_api="blas")
before = [library.num_threads for library in blas.lib_controllers]

class Fork(Callback):
    def on_epoch_end(self, training):
        if training.n_iter == 2:
            self.child = os.fork()
            # The fit goes on in both processes.
            assert {library.num_threads for library in blas.lib_controllers} == {1}
            assert len(threads._running) == 1

fork = Fork()
clf = MLPClassifierScratch((100,), max_iter=4, random_state=0, callbacks=fork)
clf.fit(X, y)
assert [library.num_threads for library in blas.lib_controllers] == before
assert len(threads._running) == 0
if fork.child == 0:
    os._exit(0)
assert os.waitpid(fork.child, 0)[1] == 0
"""


@needs_fork
def test_a_fit_continues_in_a_child_that_its_callback_has_forked():
    run_script("-W", "ignore", "-c", FORK_IN_CALLBACK)


# Exceptions at any moment.


class Timeout(BaseException):
    pass


def raise_timeout(*args):
    raise Timeout


class RaiseAt:
    """Raise Timeout before a bytecode instruction in some of the functions of a call.

    Parameters
    ----------
    k : int
        Number of the instruction, among those that run.

    names : dict, default=None
        Names of functions by the name of their file, in place of skmlp's.
    """

    names = {
        "threads.py": None,  # all functions
        "engines.py": None,
        "inference.py": {"decision_function"},
        "objective.py": {"_evaluate"},
        "engine.py": {"run_epochs", "run_epoch"},
        "base.py": {"fit", "_fit", "_publish", "_adopt", "_compute"},
        "epochs.py": {"run"},
        "lbfgs.py": {"train_lbfgs"},
        "classifier.py": {"partial_fit"},
    }

    def __init__(self, k, names=None):
        self.k = k
        self.names = names or self.names

    def call(self, frame, event, arg):
        path = Path(frame.f_code.co_filename)
        if not {"skmlp", "sklearn"} & {*path.parts} or path.name not in self.names:
            return None
        names = self.names[path.name]
        if names is not None and frame.f_code.co_name not in names:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self.opcode

    def opcode(self, frame, event, arg):
        if event == "opcode":
            self.k -= 1
            if self.k == 0:
                raise Timeout
        return self.opcode

    def run(self, task):
        """Run a task; return whether it ended before the instruction."""
        sys.settrace(self.call)
        try:
            task()
        except Timeout:
            return False
        finally:
            sys.settrace(None)
        return True


def contents(estimator):
    """Return the attributes, with the lengths of the lists of the history."""
    attributes = dict(vars(estimator))
    history = attributes.pop("history_", {})
    lengths = {name: len(values) for name, values in history.items()}
    lengths["curve"] = len(attributes.get("loss_curve_", []))
    return attributes, lengths


def is_same(one, other):
    """Whether all attributes are the same objects."""
    return (
        one[0].keys() == other[0].keys()
        and all(one[0][name] is other[0][name] for name in one[0])
        and one[1] == other[1]
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", ["fit", "partial_fit", "predict", "lbfgs"])
def test_an_exception_before_any_instruction(blas, method):
    """The estimator is as it was, or trained to the end."""
    params = PARAMS | {"max_iter": 2, "random_state": 0}
    if method == "lbfgs":
        params["solver"] = method
    estimator = MLPClassifierScratch(**params).fit(X, y)
    task = {
        "predict": lambda: estimator.predict(X),
        "partial_fit": lambda: estimator.partial_fit(X, y),
    }.get(method, lambda: estimator.fit(X, y))
    errstate = np.geterr()
    n_whole = 0
    for k in itertools.count(1):
        before = contents(estimator)
        is_done = RaiseAt(k).run(task)
        assert numbers(blas) == {2}, f"instruction {k}"
        assert len(threads._running) == 0, f"instruction {k}"
        assert np.geterr() == errstate
        after = contents(estimator)
        assert len(set(after[1].values())) == 1
        if not is_same(before, after):
            n_whole += 1
            assert after[0]["coefs_"] is not before[0]["coefs_"]
            assert after[0]["_trained_with"] is not before[0]["_trained_with"]
        if is_done:
            break
    assert k > 100  # it has raised at all of them
    assert n_whole < 20
    estimator.fit(X, y)
    assert numbers(blas) == {2}


@pytest.mark.filterwarnings("ignore")
def test_an_exception_in_the_configuration_of_scikit_learn():
    """Parameters are still validated after it."""
    names = {"_config.py": {"config_context", "set_config"}}
    config = get_config()
    for k in itertools.count(1):
        estimator = MLPClassifierScratch(**PARAMS)
        is_done = RaiseAt(k, names).run(lambda e=estimator: e.fit(X, y))
        assert get_config() == config, f"instruction {k}"
        if is_done:
            break
    assert k > 50


def test_a_computation_that_is_abandoned_ends(blas):
    """As one whose context an exception has kept from being left."""
    computation = threads.running()
    computation.__enter__()
    assert numbers(blas) == {1}
    assert len(threads._running) == 1
    del computation
    assert numbers(blas) == {2}
    assert len(threads._running) == 0


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signal.setitimer")
@pytest.mark.filterwarnings("ignore")
def test_timeouts_at_random_moments(blas, without_gc):
    """While another thread fits, too."""
    rng = np.random.default_rng(0)
    estimator = MLPClassifierScratch(**PARAMS, random_state=0)
    handler = signal.signal(signal.SIGALRM, raise_timeout)
    n_timeouts, config = 0, get_config()
    try:
        for is_accompanied in (False, True):
            fit = Fit(**PARAMS) if is_accompanied else nullcontext()
            with fit:
                for _ in range(150):
                    before = contents(estimator)
                    try:
                        signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-4, 0.01))
                        estimator.fit(X, y).predict(X)
                        signal.setitimer(signal.ITIMER_REAL, 0)
                    except Timeout:
                        n_timeouts += 1
                        after = contents(estimator)
                        whole = after[0].get("coefs_") is not before[0].get("coefs_")
                        assert whole or is_same(before, after)
                    assert get_config() == config
                    if not is_accompanied:
                        assert numbers(blas) == {2}
                        assert len(threads._running) == 0
            assert numbers(blas) == {2}
            assert len(threads._running) == 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert 20 < n_timeouts < 300
    assert estimator.fit(X, y).predict(X).shape == y.shape


# Limits that the user sets.


def test_a_limit_that_is_set_during_a_fit_stays(blas):
    class SetLimit(Callback):
        def on_epoch_end(self, training):
            blas.limit(limits=3)

    MLPClassifierScratch(**PARAMS, callbacks=SetLimit()).fit(X, y)
    assert numbers(blas) == {3}


def test_a_limit_of_another_thread_that_ends_during_a_fit(blas):
    """The number is then what it was before that limit."""
    limited, end, ended = threading.Event(), threading.Event(), threading.Event()

    def limit():
        with blas.limit(limits=1):
            limited.set()
            end.wait(60)
        ended.set()

    class End(Callback):
        def on_epoch_end(self, training):
            end.set()
            assert ended.wait(60)

    with blas.limit(limits=2):
        pass  # no thread controls OpenBLAS, as threadpoolctl has it
    thread = threading.Thread(target=limit)
    thread.start()
    assert limited.wait(60)
    MLPClassifierScratch(**PARAMS, callbacks=End()).fit(X, y)
    thread.join()
    assert numbers(blas) == {2}


def test_a_limit_within_a_callback(blas):
    """A prediction within it leaves both alone."""

    class Limited(Callback):
        def on_epoch_end(self, training):
            with blas.limit(limits=3):
                training.fitted_estimator().predict(X)
                assert numbers(blas) == {3}
            assert numbers(blas) == {1}

    MLPClassifierScratch(**PARAMS, callbacks=Limited()).fit(X, y)
    assert numbers(blas) == {2}
