"""Measure time and peak memory of fits with skmlp, scikit-learn, PyTorch and JAX.

PyTorch and JAX are measured if they are installed. A grid search, and a process that
imports the library and fits iris, are compared with scikit-learn only.

The benchmark is not run by pytest. It prints Markdown. It can write docs/benchmarks.md
and the table between two markers in the README::

    python tests/benchmarks/compare.py                    # all, in about 8 minutes
    python tests/benchmarks/compare.py --quick            # to test the benchmark
    python tests/benchmarks/compare.py --case runge --dtype float64 --repeats 25
    python tests/benchmarks/compare.py --case grid-search
    python tests/benchmarks/compare.py --output docs/benchmarks.md --readme README.md

`--chart docs/_static/speed` draws a chart of the table. This command draws it from the
table in the README, without measuring::

    python tests/benchmarks/compare.py --from-table README.md --chart docs/_static/speed

Compare with an earlier version in another folder::

    git worktree add ../before v0.1.0
    python tests/benchmarks/compare.py --baseline ../before

`--engines` also measures skmlp with engine="numpy".

Use an idle machine with Linux or macOS. On a busy machine, the threads of a library
wait for each other, in particular those of PyTorch. OMP_NUM_THREADS=1 in the
environment restricts each library to one thread.

To add a library, write a function like `prepare_torch` and add it to `PEERS`. At the
top of the module, only NumPy is imported, because imports would count in the memory of
each library.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from chart import write_charts

ALPHA = 1e-4
LEARNING_RATE = 1e-3
DTYPES = ("float32", "float64")
SECONDS_PER_ROW = 20  # after this time no repetition begins
PAUSE = 0.1  # seconds before each turn
MIB = 2**20
N_PREDICTED = 100_000

INTRODUCTION = f"""\
# Benchmarks

This page compares the training time and the peak memory of skmlp, scikit-learn,
PyTorch (torch) and JAX. It is written by `python tests/benchmarks/compare.py`.

All libraries train the same network in the same dtype, with Adam (learning rate
{LEARNING_RATE}), an L2 penalty (alpha={ALPHA}), the same batch size and the same
number of epochs. The samples are shuffled before each epoch. Early stopping is not
used.

- torch uses a minimal training loop over tensors in memory. The penalty is a weight
  decay of alpha divided by the batch size, which includes the biases.
- JAX computes each epoch in one compiled function, with `lax.scan` over the batches.
  The compilation time is not included.

The cases are:
"""

TIME = """\

## Time

Time per epoch in milliseconds. It is the time of a complete fit, including all fixed
costs, divided by the number of epochs. In each round, every library runs once, in a
process of its own. The order changes from round to round. There is a pause of {pause}
s before each run, because threads of the previous library may still be active. The
table shows medians over the rounds:
"""

RATIOS = """
Ratios of the time of another library to the time of skmlp. The table shows the median
of the ratios of all rounds, and their minimum and maximum. A target is passed if the
median is at least the target:
"""

SEARCH = """\

## Grid search

Time in seconds of `GridSearchCV` with `refit=False` on the data of "table" in float64,
with {fits} fits of {epochs} epochs in batches of 32:
"""

SEARCH_JOBS = """
The same search with skmlp and {epochs} epochs, the default. One job (`n_jobs=1`) is
compared with two jobs (`n_jobs=2`) in threads, and in processes (loky) that were
started before the measurement:"""

FLOOR = """
Time of the matrix products alone, in milliseconds per epoch, computed by NumPy's BLAS
with all its threads. This is a lower bound for every library that uses the same BLAS.
The products of skmlp are faster on processors for which this BLAS has no AVX-512 code:
"""

COLD_START = """\

## Cold start

Time in seconds of a process that imports the library, fits the iris dataset in float64
with default parameters and `random_state=0`, and ends:
"""

PREDICTION_MEMORY = """\

Peak memory of a prediction for 100 000 samples, which repeat the samples of the case:
"""

MEMORY = """\

## Peak memory

Peak resident memory of a fit of two epochs, in MiB. The first number is the increase
during the fit, the second is the total. Each fit runs in a process of its own. Before
the measurement, the process loads the data, imports the library and fits a network
with two units per layer.
{how}
"""


# Cases


def make_table(n_samples, rng):
    X = rng.normal(size=(n_samples, 10))
    return X, X @ rng.normal(size=10) + rng.normal(size=n_samples) > 0


def make_classes(n_samples, rng):
    from sklearn.datasets import make_classification

    return make_classification(n_samples, n_features=20, random_state=0)


def make_runge(n_samples, rng):
    X = np.linspace(-1, 1, n_samples)[:, np.newaxis]
    return X, 1 / (1 + 25 * X.ravel() ** 2)


def make_mnist(n_samples, rng):
    if has_mnist():
        from skmlp.datasets import fetch_mnist

        X, y = fetch_mnist(return_X_y=True, dtype=np.uint8)
        return X[:n_samples] / 255, y[:n_samples]
    return rng.random((n_samples, 784)), rng.integers(10, size=n_samples)


@cache
def has_mnist():
    """Whether an earlier call of `fetch_mnist` has left MNIST in the data home."""
    from sklearn.datasets import get_data_home

    from skmlp.datasets import _CACHE_NAME

    return Path(get_data_home(), _CACHE_NAME).exists()


@dataclass(frozen=True)
class Case:
    """A data set, and a network to train on it.

    `targets` says, by dtype and peer, how many times as fast as the peer skmlp has
    to be.
    """

    name: str
    make_data: Callable
    n_samples: int
    hidden: tuple
    activation: str
    batch_size: int
    epochs: int
    targets: dict = field(default_factory=dict)

    def load(self, dtype):
        """X of shape (n_samples, n_features), and labels 0, 1, ... or real numbers."""
        X, y = self.make_data(self.n_samples, np.random.default_rng(0))
        return X.astype(dtype), y.astype(dtype if y.dtype.kind == "f" else np.int64)

    def describe(self):
        X, y = self.load("float32")
        task = f"{y.max() + 1} classes" if y.dtype == np.int64 else "regression"
        data = f"{'x'.join(map(str, X.shape))}, {task}"
        if self.make_data is make_mnist:
            data += (
                ", first samples of MNIST"
                if has_mnist()
                else ", random (MNIST is missing)"
            )
        return (
            f"- {self.name}: {data}; hidden {'-'.join(map(str, self.hidden))} "
            f"{self.activation}; batches of {self.batch_size}; {self.epochs} epoch(s)."
        )


CASES = [
    Case(
        name="table",
        make_data=make_table,
        n_samples=1000,
        hidden=(32,),
        activation="relu",
        batch_size=32,
        epochs=100,
        targets={dtype: {"sklearn": 30, "jax": 3} for dtype in DTYPES},
    ),
    Case(
        name="runge",
        make_data=make_runge,
        n_samples=80,
        hidden=(100, 100),
        activation="tanh",
        batch_size=8,
        epochs=50,
        targets={dtype: {"sklearn": 12, "torch": 10} for dtype in DTYPES},
    ),
    Case(
        name="make_classification",
        make_data=make_classes,
        n_samples=5000,
        hidden=(64, 32),
        activation="relu",
        batch_size=64,
        epochs=10,
        targets={dtype: {"sklearn": 10} for dtype in DTYPES},
    ),
    Case(
        name="784-128-64-10",
        make_data=make_mnist,
        n_samples=10_000,
        hidden=(128, 64),
        activation="relu",
        batch_size=200,
        epochs=5,
        targets={
            "float32": {"sklearn": 2.8, "torch": 1.8},
            "float64": {"sklearn": 1.8},
        },
    ),
    Case(
        name="784-800-10",
        make_data=make_mnist,
        n_samples=10_000,
        hidden=(800,),
        activation="relu",
        batch_size=200,
        epochs=3,
        targets={"float32": {"sklearn": 2.8, "torch": 1.0, "jax": 1.0}},
    ),
]

CV = 5
GRID = {  # 12 candidates
    "hidden_layer_sizes": [(16,), (32,)],
    "alpha": [1e-5, 1e-4, 1e-3],
    "learning_rate_init": [1e-3, 1e-2],
}
# As users have it: in float64.
GRID_CASE = replace(
    CASES[0],
    name="grid-search",
    epochs=50,
    targets={"float64": {"sklearn": 25}},
)
JOBS = {  # what joblib is told
    "1 job": {"n_jobs": 1},
    "2 threads": {"n_jobs": 2, "backend": "threading"},
    "2 processes": {"n_jobs": 2, "backend": "loky"},
}
JOBS_TARGETS = {"2 threads": {"1 job": 1.7}, "2 processes": {}}

MARKERS = ("<!-- benchmark -->", "<!-- /benchmark -->")  # in the README
TITLES = {"sklearn": "scikit-learn", "torch": "PyTorch", "jax": "JAX"}  # and there

IRIS = "iris"
IRIS_TARGETS = {"sklearn": 1.0}
IRIS_CODE = """
from sklearn.datasets import load_iris
from {}
MLPClassifier(random_state=0).fit(*load_iris(return_X_y=True))
"""
IRIS_IMPORTS = {
    "skmlp": "skmlp import MLPClassifierScratch as MLPClassifier",
    "sklearn": "sklearn.neural_network import MLPClassifier",
}


# Peers: each takes (case, X, y, seed) and returns a function that fits a network.


def prepare_skmlp(case, X, y, seed):
    return prepare_fit(make_skmlp(case, y, seed), X, y)


def prepare_numpy(case, X, y, seed):
    return prepare_fit(make_skmlp(case, y, seed).set_params(engine="numpy"), X, y)


def prepare_sklearn(case, X, y, seed):
    return prepare_fit(make_sklearn(case, y, seed), X, y)


def prepare_fit(estimator, X, y):
    def fit():
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*hasn't converged yet")
            estimator.fit(X, y)

    return fit


def make_skmlp(*args):
    from skmlp import MLPClassifierScratch, MLPRegressorScratch

    return make_estimator(MLPClassifierScratch, MLPRegressorScratch, *args)


def make_sklearn(*args):
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    return make_estimator(MLPClassifier, MLPRegressor, *args)


def make_estimator(Classifier, Regressor, case, y, seed):
    return (Classifier if y.dtype == np.int64 else Regressor)(
        hidden_layer_sizes=case.hidden,
        activation=case.activation,
        alpha=ALPHA,
        batch_size=case.batch_size,
        learning_rate_init=LEARNING_RATE,
        max_iter=case.epochs,
        random_state=seed,
        tol=0,
        n_iter_no_change=np.inf,
    )


def prepare_torch(case, X, y, seed):
    import torch
    from torch import nn

    activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[case.activation]
    n_outputs = 1
    if y.dtype != np.int64:

        def loss_function(output, target):
            return nn.functional.mse_loss(output, target) / 2

    elif y.max() == 1:
        loss_function = nn.BCEWithLogitsLoss()
    else:
        loss_function = nn.CrossEntropyLoss()
        n_outputs = y.max() + 1

    def fit():
        torch.manual_seed(seed)
        inputs, targets = torch.from_numpy(X), torch.from_numpy(y)
        if n_outputs == 1:
            targets = targets.to(inputs.dtype)[:, None]
        layers = []
        for fan_in, fan_out in pairwise([X.shape[1], *case.hidden, n_outputs]):
            layers += [nn.Linear(fan_in, fan_out, dtype=inputs.dtype), activation()]
        model = nn.Sequential(*layers[:-1])
        optimizer = torch.optim.Adam(
            model.parameters(), LEARNING_RATE, weight_decay=ALPHA / case.batch_size
        )
        loss_curve = []
        for _ in range(case.epochs):
            total = 0.0
            for rows in torch.randperm(len(X)).split(case.batch_size):
                optimizer.zero_grad()
                loss = loss_function(model(inputs[rows]), targets[rows])
                loss.backward()
                optimizer.step()
                total += loss.item() * len(rows)
            loss_curve.append(total / len(X))

    return fit


def prepare_jax(case, X, y, seed):
    import jax

    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", X.dtype == np.float64)
    task, n_outputs, target_type = "regression", 1, X.dtype
    if y.dtype == np.int64:
        task = "classification"
        if y.max() > 1:
            n_outputs, target_type = int(y.max() + 1), np.dtype(np.int32)
    start, train = compile_jax(
        task,
        case.activation,
        (X.shape[1], *case.hidden, n_outputs),
        min(case.batch_size, len(X)),
        len(X),
        X.dtype,
        target_type,
    )

    def fit():
        inputs, targets = jax.device_put((X, y.astype(target_type)))
        state = start(seed)
        # NumPy shuffles: jax.random.permutation takes about as long as all the rest
        # of an epoch of a small network.
        rng = np.random.default_rng(seed)
        loss_curve = []
        for _ in range(case.epochs):
            rows = rng.permutation(len(X)).astype(np.int32)
            state, total = train(state, inputs, targets, rows)
            loss_curve.append(float(total) / len(X))
        jax.block_until_ready(state)

    return fit


@cache  # once in a process, and before the clock starts
def compile_jax(task, activation, sizes, batch_size, n_samples, dtype, target_type):
    """Functions that start a network, and that train it for an epoch."""
    import jax
    from jax import numpy as jnp

    act = {"relu": jax.nn.relu, "tanh": jnp.tanh}[activation]
    n_batches, n_left = divmod(n_samples, batch_size)

    def start(seed):
        params = []
        keys = jax.random.split(jax.random.key(seed), len(sizes) - 1)
        for key, (fan_in, fan_out) in zip(keys, pairwise(sizes), strict=True):
            bound = (6 / (fan_in + fan_out)) ** 0.5
            W = jax.random.uniform(key, (fan_in, fan_out), dtype, -bound, bound)
            params.append((W, jnp.zeros(fan_out, dtype)))
        zeros = jax.tree.map(jnp.zeros_like, params)
        return params, zeros, jax.tree.map(jnp.copy, zeros), jnp.zeros((), dtype)

    def objective(params, x, target):
        for W, b in params[:-1]:
            x = act(x @ W + b)
        W, b = params[-1]
        x = x @ W + b
        if task == "regression":
            loss = jnp.mean((x[:, 0] - target) ** 2) / 2
        elif sizes[-1] == 1:
            loss = jnp.mean(jax.nn.softplus(x[:, 0]) - target * x[:, 0])
        else:
            hot = jax.nn.one_hot(target, sizes[-1], dtype=dtype)
            loss = -jnp.mean(jnp.sum(hot * jax.nn.log_softmax(x), axis=1))
        squares = sum(jnp.sum(W**2) for W, _ in params)
        return loss + ALPHA / 2 / len(target) * squares

    def step(state, inputs, targets, rows):
        """One step of Adam, and the sum of the losses of the rows."""
        params, mean, square, t = state
        # A row that is promised to exist is not looked for first.
        x, target = (
            a.at[rows].get(mode="promise_in_bounds") for a in (inputs, targets)
        )
        loss, gradient = jax.value_and_grad(objective)(params, x, target)
        t += 1
        rate = LEARNING_RATE * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, gradient)
        square = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, square, gradient)
        params = jax.tree.map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), params, mean, square
        )
        return (params, mean, square, t), loss * len(rows)

    def train(state, inputs, targets, rows):
        batches, left = jnp.split(rows, [n_batches * batch_size])
        state, losses = jax.lax.scan(
            lambda state, rows: step(state, inputs, targets, rows),
            state,
            batches.reshape(n_batches, batch_size),
        )
        total = jnp.sum(losses)
        if n_left:
            state, loss = step(state, inputs, targets, left)
            total += loss
        return state, total

    # Compiled for these shapes now, not at the first call: that is within a fit, whose
    # memory is measured too.
    shape = jax.ShapeDtypeStruct
    train = jax.jit(train, donate_argnums=0).lower(
        jax.eval_shape(start, 0),
        shape((n_samples, sizes[0]), dtype),
        shape((n_samples,), target_type),
        shape((n_samples,), np.int32),
    )
    return jax.jit(start).lower(0).compile(), train.compile()


def prepare_products(case, X, y, seed):
    """The matrix products of training alone, by NumPy's BLAS with all its threads."""
    rng = np.random.default_rng(seed)
    n_outputs = y.max() + 1 if y.dtype == np.int64 and y.max() > 1 else 1
    shapes = list(pairwise([X.shape[1], *case.hidden, n_outputs]))

    def fit():
        n = case.batch_size
        inputs = [rng.random((n, k), X.dtype) for k, _ in shapes]
        weights = [rng.random(shape, X.dtype) for shape in shapes]
        outputs = [np.empty((n, k), X.dtype) for _, k in shapes]
        gradients = [np.empty_like(W) for W in weights]
        deltas = [np.empty_like(A) for A in inputs]
        for _ in range(case.epochs * (len(X) // n)):
            for A, W, Z in zip(inputs, weights, outputs, strict=True):
                np.dot(A, W, Z)
            for A, Z, G in zip(inputs, outputs, gradients, strict=True):
                np.dot(A.T, Z, G)
            for Z, W, D in list(zip(outputs, weights, deltas, strict=True))[1:]:
                np.dot(Z, W.T, D)

    return fit


PEERS = {  # ours, then those that it has to beat, by the name to import them by
    "skmlp": prepare_skmlp,
    "sklearn": prepare_sklearn,
    "torch": prepare_torch,
    "jax": prepare_jax,
    "numpy": prepare_numpy,  # skmlp without its compiled engine
    "products": prepare_products,  # no library: what is left if nothing else took time
    "baseline": prepare_skmlp,  # skmlp from another folder
}


def chosen_peers(baseline, engines):
    """Folder to import each peer from, by its name; None for the usual one."""
    peers = {name: None for name in PEERS if find_spec(name)}
    if not engines:
        del peers["numpy"]
    return peers if baseline is None else {**peers, "baseline": str(baseline)}


# Results


@dataclass(frozen=True)
class Result:
    """What the players of one row needed; the first of them is ours.

    `seconds` has a row for each round and a column for each player. `targets` says, by
    player, how many times as fast as it ours has to be.
    """

    case: str
    dtype: str
    players: list
    seconds: np.ndarray
    targets: dict

    def medians(self, unit=1.0):
        return [f"{np.median(times) / unit:.2f}" for times in self.seconds.T]

    def ratios(self):
        """In each round, times as fast as another player, by its name."""
        ours, *others = self.seconds.T
        names = self.players[1:]
        return {name: other / ours for name, other in zip(names, others, strict=True)}

    def spreads(self):
        return [
            f"{np.median(ratio):.2f} ({ratio.min():.2f} to {ratio.max():.2f})"
            for ratio in self.ratios().values()
        ]

    def verdict(self):
        """Pass or miss for each target, but for players that are not installed."""
        ratios = self.ratios()
        words = {True: "pass", False: "miss"}
        verdicts = [
            f"{name} {target}: {words[bool(np.median(ratios[name]) >= target)]}"
            for name, target in self.targets.items()
            if name in ratios
        ]
        return "; ".join(verdicts) or "none"


def play(turn, players, repeats):
    """Let the players take turns; seconds of turn(player, seed), a row each round."""
    seconds = []
    while len(seconds) < repeats and np.sum(seconds) < SECONDS_PER_ROW:
        # In another order each time: whose turn comes after whose makes a
        # difference of up to 15 %, also between two copies of one library.
        seed = len(seconds)
        order = np.random.default_rng(seed).permutation(len(players))
        times = {}
        for i in order:
            # The threads of the one before still spin for a while.
            time.sleep(PAUSE)
            times[i] = turn(players[i], seed)
        seconds.append([times[i] for i in range(len(players))])
    return np.array(seconds)


# Time


def time_case(case, dtype, peers, repeats):
    with ExitStack() as stack:
        # Each library keeps a process of its own: the threads of another one's pool
        # would go on spinning there for a while after its turn.
        workers = {
            name: stack.enter_context(worker(load_data, case, dtype, folder))
            for name, folder in peers.items()
        }

        def turn(name, seed, case=case):
            return workers[name].submit(measure_time, name, case, seed).result()

        for name in workers:  # to warm up
            turn(name, 0, replace(case, epochs=1))
        seconds = play(turn, list(workers), repeats)
    return Result(case.name, dtype, list(workers), seconds, case.targets.get(dtype, {}))


def worker(initializer, *args):
    """A new process that has called the initializer."""
    return ProcessPoolExecutor(1, get_context("spawn"), initializer, args)


def load_data(case, dtype, folder):
    """Keep the data in the process that will fit them again and again."""
    global data
    import_from(folder)
    data = case.load(dtype)


def import_from(folder):
    """Import from a folder first, in a process that has not imported skmlp yet."""
    if folder is not None:
        sys.path.insert(0, folder)


def measure_time(name, case, seed):
    fit = PEERS[name](case, *data, seed)
    start = time.perf_counter()
    fit()
    return time.perf_counter() - start


# A grid search


def time_search(case, repeats):
    """Ours against scikit-learn's estimator, and ours with more jobs than one."""
    start = partial(worker, load_data, case, "float64", None)
    with start() as ours, start() as other:
        workers = {"skmlp": ours, "sklearn": other}

        def turn(case, player, seed=0):
            name, jobs = player
            return workers[name].submit(measure_search, name, jobs, case).result()

        def compete(case, *players):
            for player in players:  # to warm up, and to start the processes of joblib
                turn(replace(case, epochs=1), player)
            return play(partial(turn, case), players, repeats)

        def result(names, seconds, targets):
            return Result(case.name, "float64", names, seconds, targets)

        seconds = compete(case, ("skmlp", "1 job"), ("sklearn", "1 job"))
        yield result(list(workers), seconds, case.targets["float64"])
        longer = replace(case, epochs=4 * case.epochs)
        seconds = compete(longer, *(("skmlp", jobs) for jobs in JOBS))
        for i, jobs in enumerate(JOBS_TARGETS, start=1):
            yield result([jobs, "1 job"], seconds[:, [i, 0]], JOBS_TARGETS[jobs])
        ours.submit(stop_processes).result()


def measure_search(name, jobs, case):
    """Seconds of a grid search by the library of this name, in a worker."""
    from joblib import parallel_config
    from sklearn.model_selection import GridSearchCV

    make = {"skmlp": make_skmlp, "sklearn": make_sklearn}[name]
    search = GridSearchCV(
        make(case, data[1], 0), GRID, cv=CV, refit=False, error_score="raise"
    )
    # For good, as this process has no other use: with threads, catch_warnings would
    # come to an end in the middle of another one's fit.
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    with parallel_config(**JOBS[jobs]):
        search.fit(*data)
    return time.perf_counter() - start


def stop_processes():
    """End joblib's processes, for which their parent would wait at its own end."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown()


# A fit from a cold start


def time_iris(repeats):
    """The whole process of a fit, from its start with the imports to its end."""
    # Python must be able to keep what it has compiled of a library that is run from
    # its source, as an installed one has it.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def turn(name, seed=0):
        code = IRIS_CODE.format(IRIS_IMPORTS[name])
        command = [sys.executable, "-P", "-W", "ignore", "-c", code]
        start = time.perf_counter()
        subprocess.run(command, env=env, check=True)
        return time.perf_counter() - start

    for name in IRIS_IMPORTS:  # to warm up
        turn(name)
    seconds = play(turn, list(IRIS_IMPORTS), repeats)
    return Result(IRIS, "float64", list(IRIS_IMPORTS), seconds, IRIS_TARGETS)


# Memory


def memory_row(measure, case, dtype, peers):
    X, y = case.load(dtype)
    peaks = [
        in_new_process(folder, measure, name, case, X, y)
        for name, folder in peers.items()
    ]
    return [
        case.name,
        dtype,
        *(f"{growth / MIB:.2f} / {peak / MIB:.0f}" for growth, peak in peaks),
        "pass" if peaks[0][0] <= peaks[1][0] else "miss",
    ]


def in_new_process(folder, measure, *args):
    with worker(import_from, folder) as pool:
        return pool.submit(measure, *args).result()


def measure_memory(name, case, X, y):
    """Fit, and return the peak memory above the level before, and the peak itself."""
    # What a library loads at its first fit does not count: fit a narrow network first.
    narrow = replace(case, hidden=(2,) * len(case.hidden), epochs=2)
    few = slice(2 * case.batch_size)
    PEERS[name](narrow, X[few, :2].copy(), y[few], 0)()
    fit = PEERS[name](replace(case, epochs=2), X, y, 0)
    reset_peak()
    before = peak_memory()
    fit()
    return peak_memory() - before, peak_memory()


def measure_prediction_memory(name, case, X, y):
    """Likewise, of a prediction from many samples."""
    make = {"skmlp": make_skmlp, "sklearn": make_sklearn}[name]
    estimator = make(replace(case, epochs=1), y, 0)
    prepare_fit(estimator, X, y)()
    estimator.predict(X[:2])
    X = np.resize(X, (N_PREDICTED, X.shape[1]))
    reset_peak()
    before = peak_memory()
    estimator.predict(X)
    return peak_memory() - before, peak_memory()


def reset_peak():
    """Lower the peak to what is in use now; return whether the system can do so."""
    with suppress(OSError):
        return bool(Path("/proc/self/clear_refs").write_text("5"))
    return False


def peak_memory():
    """Peak resident memory of this process in bytes."""
    with suppress(OSError):
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.split("VmHWM:")[1].split()[0])
    from resource import RUSAGE_SELF, getrusage

    return getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def how_memory_is_measured():
    if reset_peak():
        return "The peak is VmHWM of Linux, which is reset before the fit."
    return (
        "This system cannot reset the peak of a process. Increases below the peak of "
        "loading the data are not measured."
    )


# Report


def report(runs, search, iris, repeats, peers, results):
    """Run everything that is asked for, and yield the lines of the report.

    `runs` are cases with a dtype each, `search` is the case of the grid search, or
    None, and `iris` says whether to time a cold start. The list `results` is filled
    with what has been timed.
    """
    yield INTRODUCTION
    yield from dict.fromkeys(case.describe() for case, _ in runs)
    yield "\n## Machine\n"
    yield from describe_machine(peers)
    if runs:
        yield from report_time(runs, peers, repeats, results)
        yield from report_floor(runs, repeats)
    if search is not None:
        yield from report_search(search, repeats, results)
    if iris:
        yield COLD_START
        results.append(time_iris(repeats))
        yield from result_table(results[-1])
    if runs:
        yield from report_memory(runs, peers)


def report_time(runs, peers, repeats, results):
    yield TIME.format(pause=PAUSE)
    yield from table_head("case", "dtype", "rounds", *peers)
    for case, dtype in runs:
        result = time_case(case, dtype, peers, repeats)
        results.append(result)
        medians = result.medians(unit=case.epochs / 1000)
        yield table_line([case.name, dtype, len(result.seconds), *medians])
    ours, *others = peers
    ratios = [f"{other} / {ours}" for other in others]
    yield RATIOS
    yield from table_head("case", "dtype", *ratios, "targets")
    for result in results:
        cells = [result.case, result.dtype, *result.spreads(), result.verdict()]
        yield table_line(cells)


def report_floor(runs, repeats):
    """How much of the time of a wide network its matrix products take."""
    runs = [run for run in runs if run[0].make_data is make_mnist]
    if not runs:
        return
    yield FLOOR
    peers = {"skmlp": None, "products": None}
    yield from table_head("case", "dtype", "rounds", *peers, "products / skmlp")
    for case, dtype in runs:
        result = time_case(case, dtype, peers, repeats)
        medians = result.medians(unit=case.epochs / 1000)
        cells = [case.name, dtype, len(result.seconds), *medians, *result.spreads()]
        yield table_line(cells)


def report_search(case, repeats, results):
    fits = CV * np.prod([len(values) for values in GRID.values()])
    yield SEARCH.format(fits=fits, epochs=case.epochs)
    peers, *jobs = time_search(case, repeats)
    results.append(peers)
    yield from result_table(peers)
    yield SEARCH_JOBS.format(epochs=4 * case.epochs)
    for result in jobs:
        yield ""
        yield from result_table(result)


def result_table(result):
    """Seconds and ratios of one result, in a table of its own."""
    ours, *others = result.players
    ratios = [f"{other} / {ours}" for other in others]
    yield from table_head("case", "rounds", *result.players, *ratios, "targets")
    cells = [result.case, len(result.seconds), *result.medians(), *result.spreads()]
    yield table_line([*cells, result.verdict()])


def report_memory(runs, peers):
    ours, other, *_ = peers
    yield MEMORY.format(how=how_memory_is_measured())
    yield from table_head("case", "dtype", *peers, f"{ours} not above {other}")
    for run in runs:
        yield table_line(memory_row(measure_memory, *run, peers))
    if {"skmlp", "sklearn"} <= peers.keys():
        estimators = {name: peers[name] for name in ("skmlp", "sklearn")}
        yield PREDICTION_MEMORY
        yield from table_head("case", "dtype", *estimators, "skmlp not above sklearn")
        for run in runs:
            yield table_line(memory_row(measure_prediction_memory, *run, estimators))


def describe_machine(peers):
    from threadpoolctl import threadpool_info

    pools = {
        " ".join(
            str(pool[key])
            for key in ("internal_api", "version", "architecture")
            if pool.get(key)
        )
        + f" with {pool['num_threads']} threads"
        for pool in threadpool_info()
    }
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield f"- CPU: {cpu()}; {memory:.0f} GiB of memory."
    yield f"- Load average before the run: {os.getloadavg()[0]:.1f} processes."
    yield f"- {versions(peers)}."
    yield f"- Thread pools: {', '.join(sorted(pools))}."


def versions(peers):
    names = dict.fromkeys(["numpy", "scipy", *peers])
    return ", ".join(
        [
            f"Python {platform.python_version()}",
            *(f"{n} {import_module(n).__version__}" for n in names if find_spec(n)),
        ]
    )


def cpu():
    return f"{cpu_model()}, {os.cpu_count()} cores"


def cpu_model():
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def table_head(*titles):
    return [table_line(titles), table_line(["---"] * len(titles))]


def table_line(cells):
    return f"| {' | '.join(map(str, cells))} |"


# Headline


def headline(results, peers):
    """Lines for the README: times as fast as each peer, and on what machine."""
    names = {
        name: title
        for name, title in TITLES.items()
        if any(name in result.players for result in results)
    }
    yield "Time of `fit` in each library, divided by the time of `fit` in skmlp:"
    yield ""
    yield from table_head("case", "dtype", *names.values())
    for result in results:
        ratios = result.ratios()
        cells = [f"{np.median(ratios[n]):.2f}" if n in ratios else "" for n in names]
        yield table_line([result.case, result.dtype, *cells])
    yield ""
    yield f"Medians on {cpu()}, with {versions(peers)}."


def replace_block(path, lines):
    """Put lines between the two markers in a file."""
    before, _, rest = path.read_text(encoding="utf-8").partition(MARKERS[0])
    _, _, after = rest.partition(MARKERS[1])
    block = "\n".join([MARKERS[0], *lines, MARKERS[1]])
    path.write_text(before + block + after, encoding="utf-8")


def read_block(path):
    """Return the lines between the two markers in a file; None without markers."""
    _, start, rest = path.read_text(encoding="utf-8").partition(MARKERS[0])
    block, end, _ = rest.partition(MARKERS[1])
    return block.splitlines() if start and end else None


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [*(case.name for case in CASES), GRID_CASE.name, IRIS]
    parser.add_argument("--case", choices=names)
    parser.add_argument(
        "--dtype", choices=DTYPES, help=f"{GRID_CASE.name} and {IRIS} take float64"
    )
    parser.add_argument(
        "--repeats",
        type=int,
        default=15,
        metavar="N",
        help=f"rounds, unless they take more than {SECONDS_PER_ROW} s (default: 15)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="one epoch of at most 1000 samples, once"
    )
    parser.add_argument(
        "--baseline", type=Path, metavar="DIR", help="folder of an earlier version"
    )
    parser.add_argument(
        "--engines", action="store_true", help='time skmlp with engine="numpy" too'
    )
    parser.add_argument("--output", type=Path, metavar="FILE.md")
    parser.add_argument(
        "--readme", type=Path, metavar="FILE.md", help="put the headline figures there"
    )
    parser.add_argument(
        "--chart",
        metavar="PREFIX",
        help="draw the headline figures in PREFIX-light.svg and PREFIX-dark.svg",
    )
    parser.add_argument(
        "--from-table",
        type=Path,
        metavar="FILE.md",
        help="measure nothing; draw --chart from the headline figures in this file",
    )
    args = parser.parse_args(argv)
    if args.quick and (args.readme or args.chart):  # before minutes have passed
        parser.error("--readme and --chart need meaningful figures, not --quick")
    for path in (args.readme, args.from_table):
        if path is not None and read_block(path) is None:
            parser.error(f"{path} has no {' ... '.join(MARKERS)}")
    if args.from_table is not None:
        if args.chart is None or args.readme or args.output:
            parser.error("--from-table needs --chart, and not --readme or --output")
        write_charts(read_block(args.from_table), args.chart)
        return

    names = names if args.case is None else [args.case]
    dtypes = [dtype for dtype in DTYPES if args.dtype in (None, dtype)]
    cases = {case.name: case for case in (*CASES, GRID_CASE) if case.name in names}
    if args.quick:
        args.repeats = 1
        cases = {
            name: replace(case, epochs=1, n_samples=min(case.n_samples, 1000))
            for name, case in cases.items()
        }
    search = cases.pop(GRID_CASE.name, None)
    runs = [(case, dtype) for case in cases.values() for dtype in dtypes]
    lines, results = [], []
    peers = chosen_peers(args.baseline, args.engines)
    for line in report(runs, search, IRIS in names, args.repeats, peers, results):
        print(line, flush=True)
        lines.append(line)
    if args.output is not None:
        args.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if args.readme is not None:
        replace_block(args.readme, headline(results, peers))
    if args.chart is not None:
        write_charts(headline(results, peers), args.chart)


if __name__ == "__main__":
    main()
