"""Tests that training and prediction hold no second copy of X.

A fit holds, beside X: the targets and the weights as the loss takes them, the order of
the samples (8 bytes for each), the buffers of one batch, and the fraction of X that
early stopping sets aside. With `batch_size="full"`, L-BFGS or a search, the batch is
all samples, and its buffers are what the layers compute of them (with `input_dropout`,
of the size of X).

X is copied all the same where there is no way around it: if it is neither float32 nor
float64, or `dtype` asks for the other; if it is a DataFrame, whose columns do not lie
side by side; by a full batch in the NumPy engine if X is strided; and where
`early_stopping` sets a part of X aside for a search, or for a full batch in the NumPy
engine, which then gather the rest: pass a validation set of your own to avoid that.
"""

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from engines import needs_compiled, parametrize_engine
from scipy.sparse import csr_array

from skmlp import MLPClassifierScratch, MLPRegressorScratch

needs_linux = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="RLIMIT_DATA as Linux has it"
)
pytestmark = pytest.mark.filterwarnings("ignore:lbfgs failed")

N_SAMPLES, N_FEATURES = 100_000, 100
PARAMS = {
    "hidden_layer_sizes": (2,),
    "batch_size": 1000,
    "max_iter": 2,
    "n_iter_no_change": np.inf,
    "random_state": 0,
}
SOLVERS = {
    "adam": {},
    "unshuffled": {"shuffle": False},
    "input dropout": {"input_dropout": 0.1},
    "full": {"batch_size": "full"},
    "lbfgs": {"solver": "lbfgs"},
    "armijo": {"solver": "armijo"},
}


@pytest.fixture(scope="module")
def samples():
    """X by its dtype, and targets."""
    rng = np.random.default_rng(0)
    X = rng.random((N_SAMPLES, N_FEATURES), np.float32)
    return {"float32": X, "float64": X.astype(np.float64)}, X[:, 0] + X[:, 1]


def laid_out(X, layout, folder):
    if layout == "F":
        return np.asfortranarray(X)
    if layout == "strided":
        return np.repeat(X, 2, axis=1)[:, ::2]
    if layout == "memmap":
        np.save(folder / "X.npy", X)
        return np.load(folder / "X.npy", mmap_mode="r")
    return X


def peak_memory(call):
    """The most that NumPy has allocated during a call, and what it returns."""
    tracemalloc.start()
    try:
        result = call()
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


# Training.


@pytest.mark.parametrize(
    ("dtype", "layout"),
    [
        ("float32", "C"),
        ("float32", "F"),
        ("float32", "strided"),
        ("float32", "memmap"),
        ("float64", "C"),
    ],
)
@pytest.mark.parametrize("solver", SOLVERS)
@parametrize_engine
def test_fit_holds_no_second_copy_of_X(
    tmp_path, samples, engine, dtype, solver, layout
):
    full = solver in ("full", "lbfgs", "armijo")
    if engine == "numpy" and layout == "strided" and full:
        pytest.skip("NumPy copies what BLAS cannot take")
    X, y = samples[0][dtype], samples[1]
    X = laid_out(X, layout, tmp_path)
    estimator = MLPRegressorScratch(**PARAMS | {"engine": engine} | SOLVERS[solver])
    peak, _ = peak_memory(lambda: estimator.fit(X, y))
    assert peak < 0.25 * X.nbytes


@pytest.mark.parametrize("layout", ["C", "F"])
@parametrize_engine
def test_early_stopping_copies_its_fraction(tmp_path, samples, engine, layout):
    X, y = laid_out(samples[0]["float32"], layout, tmp_path), samples[1]
    params = PARAMS | {"engine": engine, "early_stopping": True}
    peak, _ = peak_memory(lambda: MLPRegressorScratch(**params).fit(X, y))
    assert peak < (0.1 + 0.15) * X.nbytes


@needs_compiled
def test_so_it_does_in_a_full_batch_when_compiled(samples):
    X, y = samples[0]["float32"], samples[1]
    params = PARAMS | {"early_stopping": True, "batch_size": "full"}
    estimator = MLPRegressorScratch(**params, engine="compiled")
    peak, _ = peak_memory(lambda: estimator.fit(X, y))
    assert peak < (0.1 + 0.25) * X.nbytes


@pytest.mark.parametrize("solver", ["adam", "full", "lbfgs"])
@parametrize_engine
def test_with_weights_and_a_validation_set(samples, engine, solver):
    """Some of the weights are zero."""
    X, y = samples[0]["float32"], samples[1]
    weights = np.arange(N_SAMPLES) % 3
    estimator = MLPRegressorScratch(**PARAMS | {"engine": engine} | SOLVERS[solver])
    validation = {"X_val": X, "y_val": y} if solver != "lbfgs" else {}
    peak, _ = peak_memory(
        lambda: estimator.fit(X, y, sample_weight=weights, **validation)
    )
    assert peak < 0.3 * X.nbytes


@parametrize_engine
def test_partial_fit(samples, engine):
    X, y = samples[0]["float32"], samples[1]
    estimator = MLPRegressorScratch(**PARAMS, engine=engine)
    peak, _ = peak_memory(lambda: estimator.partial_fit(X, y))
    assert peak < 0.1 * X.nbytes


# Prediction.


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "decision_function", "hidden_activations"]
)
@pytest.mark.parametrize("as_input", ["C", "F", "strided", "memmap", "int", "other"])
@parametrize_engine
def test_prediction_works_in_chunks(tmp_path, samples, engine, as_input, method):
    """Whatever X is; `other` is float64 for a network in float32."""
    X, y = samples[0]["float32"], samples[1]
    estimator = MLPClassifierScratch(**PARAMS, engine=engine).fit(
        X[:2000], y[:2000] > 1
    )
    dtypes = {"int": np.int64, "other": np.float64}
    X = laid_out(X, as_input, tmp_path)
    if as_input in dtypes:
        X = X.astype(dtypes[as_input])
    peak, result = peak_memory(lambda: getattr(estimator, method)(X))
    results = result if isinstance(result, list) else [result]
    # The logits, what they become, and the result; and a few chunks.
    assert peak < 4 * sum(part.nbytes for part in results) + 0.3 * X.nbytes


def test_prediction_from_sparse_X():
    n_samples, n_features, n_stored = 50_000, 2000, 20
    indices = np.random.default_rng(0).integers(n_features, size=n_samples * n_stored)
    pointers = np.arange(0, len(indices) + 1, n_stored)
    entries = np.ones(len(indices), np.float32)
    X = csr_array((entries, indices, pointers), shape=(n_samples, n_features))
    X.sum_duplicates()
    y = np.arange(X.shape[0]) % 2
    estimator = MLPClassifierScratch(**PARAMS).fit(X[:2000], y[:2000])
    peak, _ = peak_memory(lambda: estimator.predict(X))
    assert peak < X.data.nbytes + X.indices.nbytes  # dense it would be 30 times that


# X larger than memory.

CODE = """
import resource, sys, warnings
from pathlib import Path
from threading import Event, Thread
import numpy as np
from skmlp import MLPClassifierScratch
warnings.simplefilter("ignore")
path, n_samples, n_features, limit, engine, shuffle = sys.argv[1:]
n_samples, n_features, limit = int(n_samples), int(n_features), int(limit)

def status(key):
    text = Path("/proc/self/status").read_text()
    return 1024 * int(text.split(key + ":")[1].split()[0])

def estimator(**params):
    return MLPClassifierScratch(
        hidden_layer_sizes=(4,), batch_size=256, max_iter=1, random_state=0,
        engine=engine, shuffle=shuffle == "True", **params,
    )

y = np.arange(n_samples) % 2
few = np.random.default_rng(0).random((2000, n_features), np.float32)
estimator().fit(few, y[:2000]).predict(few)  # what is loaded at the first fit
before = status("RssAnon")
soft = status("VmData") + limit
resource.setrlimit(resource.RLIMIT_DATA, (soft, soft))
try:
    np.ones(2 * limit, np.uint8)
except MemoryError:
    pass
else:
    raise SystemExit("the limit does not hold")

peak, stop = [0], Event()
def watch():
    while not stop.wait(0.01):
        peak[0] = max(peak[0], status("RssAnon") - before)
thread = Thread(target=watch)
thread.start()
try:
    X = np.memmap(path, np.float32, "r", shape=(n_samples, n_features))
    fitted = estimator().fit(X, y)
    assert fitted.t_ == n_samples
    few = fitted.predict(X[: n_samples // 4])
    online = estimator()
    for start in range(0, n_samples, n_samples // 4):
        rows = slice(start, start + n_samples // 4)
        online.partial_fit(X[rows], y[rows], classes=[0, 1])
    assert online.t_ == n_samples
finally:
    stop.set()
    thread.join()
print(peak[0])
"""


def train_from_a_file(path, n_samples, n_features, limit, engine, shuffle):
    """Train where no more than `limit` bytes may be allocated; the peak of these.

    The file has holes only, which take no space on the disk.
    """
    with path.open("wb") as file:
        file.truncate(4 * n_samples * n_features)
    arguments = [path, n_samples, n_features, limit, engine, shuffle]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        output = subprocess.check_output(
            [sys.executable, "-c", CODE, *map(str, arguments)],
            env=environment,
            text=True,
        )
    finally:
        path.unlink()
    return int(output)


@needs_linux
@parametrize_engine
def test_X_larger_than_what_may_be_allocated(tmp_path, engine):
    """Four times as large, through `fit`, `partial_fit` and `predict`."""
    n_samples, n_features = 32_000, 2500  # 320 MB
    limit = n_samples * n_features  # in bytes, a quarter of them
    peak = train_from_a_file(tmp_path / "X", n_samples, n_features, limit, engine, True)
    assert peak < limit


@needs_linux
@pytest.mark.slow
@parametrize_engine
def test_X_larger_than_the_memory_of_the_machine(tmp_path, engine):
    """It takes a file system that has holes in files, which are read as zeros.

    The samples are not shuffled: the system would read ahead in vain at each of them.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    inside = [m for m in mounts if tmp_path.is_relative_to(m[1])]
    if max(inside, key=lambda m: len(m[1]))[2] in ("tmpfs", "ramfs"):
        pytest.skip("the file would be in memory itself")
    n_features = 8192
    n_samples = int(1.1 * memory) // (4 * n_features)
    peak = train_from_a_file(
        tmp_path / "X", n_samples, n_features, 2**29, engine, False
    )
    print(f"X of {4 * n_samples * n_features} bytes, {peak} beside it")
    assert peak < 2**29
