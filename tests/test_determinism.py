"""Tests that the same `random_state` gives the same bits.

What is promised:

- The same data, parameters and integer `random_state` give the same bits: of the
  fitted attributes, but for the seconds in `history_`, and of everything that is
  predicted. They do so again and again in one process and in any other, whatever
  PYTHONHASHSEED and the state of NumPy's global generator, which is not touched; for an
  estimator, its clone and its unpickled copy; with any `n_jobs`, in threads and in
  processes.
- With the compiled engine, which trains dense X where it was built and nothing of the
  user's own takes part, they do not depend on the number of threads, of its own or of
  BLAS, nor, in batches of up to 8192 samples, on whether X is C-ordered,
  Fortran-ordered, strided or memory-mapped.
- With the NumPy engine, which also computes `hidden_activations`, `input_gradient` and
  predictions from sparse X, they depend on the number of BLAS's threads, and on the
  memory layout of X. "Any process" is then one with as many of these threads: those of
  joblib's loky have their share of the cores, so that a search with `n_jobs=2` may not
  have the bits of one with `n_jobs=1`. Under OMP_NUM_THREADS=1 or
  ``threadpool_limits(1)`` it has. While the compiled engine computes in one thread,
  BLAS is held to one thread in all.

What may change bits besides: the engine, the dtype, the processor (its instruction
set) and the operating system, and other versions or builds of skmlp, NumPy, SciPy,
their BLAS or scikit-learn. A RandomState as `random_state` is drawn from, so that a
second fit begins where the first has ended; what a user's own function draws is the
user's concern.
"""

import hashlib
import os
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
from engines import needs_compiled, parametrize_engine
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_validate
from threadpoolctl import threadpool_limits

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.core.optimizers import OPTIMIZERS

parametrize_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
pytestmark = pytest.mark.filterwarnings("ignore:lbfgs failed")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 40))
y = (X[:, 0] + X[:, 1] * X[:, 2] > 0) + (X[:, 3] > 1).astype(int)
W = RNG.random(400).round(1)  # among them zeros

# Large enough for BLAS and for the engine to share products out among threads.
LARGE = {
    "hidden_layer_sizes": (120, 90),
    "max_iter": 3,
    "n_iter_no_change": np.inf,
    "random_state": 0,
}
REGULARIZED = {
    "batch_norm": True,
    "dropout": 0.3,
    "input_dropout": 0.1,
    "clip_norm": 1.0,
    "max_norm": 2.0,
    "l1_ratio": 0.5,
    "early_stopping": True,
}
SETTINGS = {solver: {"solver": solver} for solver in ("lbfgs", *OPTIMIZERS)}
SETTINGS |= {
    "regularized": REGULARIZED,
    "regularized search": REGULARIZED | {"solver": "armijo", "clip_norm": None},
    "sparse lbfgs": {"solver": "lbfgs", "alpha": 0.1, "l1_ratio": 1.0},
    "early stopping": {"early_stopping": True},
    "full": {"batch_size": "full", "early_stopping": True},
    "float32": REGULARIZED | {"dtype": "float32"},
    "orthogonal": {"init": "orthogonal", "hidden_layer_sizes": (300, 200)},
}


def fit(X=X, y=y, cls=MLPClassifierScratch, **params):
    return cls(**LARGE | params).fit(X, y)


def bits(estimator, X=X):
    """Everything that a fit leaves, but for the time, and what is predicted."""
    fitted = {
        name: value
        for name, value in vars(estimator).items()
        if name.endswith("_") and name != "history_"
    }
    history = getattr(estimator, "history_", {"seconds": 0}).copy()
    del history["seconds"]
    output = estimator.predict(X)
    if hasattr(estimator, "predict_proba"):
        output = output, estimator.predict_proba(X)
    gradient = estimator.input_gradient(X[:50])
    return joblib.hash([fitted, history, output, gradient])


# In one process.


@pytest.mark.parametrize("setting", SETTINGS)
@parametrize_engine
def test_twice_in_one_process(engine, setting):
    """Whatever memory the second fit gets, and what has been drawn meanwhile."""
    params = {"engine": engine} | SETTINGS[setting]
    first = bits(fit(**params))
    rubbish = [np.full(1000 + 8 * k, np.nan) for k in range(50)]
    np.random.random(7)  # noqa: NPY002
    assert bits(fit(**params)) == first
    assert len(rubbish) == 50


@pytest.mark.parametrize("setting", ["adam", "lbfgs", "regularized"])
@parametrize_engine
def test_a_clone_and_a_copy(engine, setting):
    estimator = fit(engine=engine, **SETTINGS[setting])
    expected = bits(estimator)
    assert bits(clone(estimator).fit(X, y)) == expected
    for copy in (
        pickle.loads(pickle.dumps(estimator)),
        pickle.loads(pickle.dumps(clone(estimator))).fit(X, y),
    ):
        assert bits(copy) == expected
    assert bits(estimator.fit(X, y)) == expected


@parametrize_engine
def test_a_series_of_partial_fit_continues_from_a_copy(engine):
    params = LARGE | REGULARIZED | {"engine": engine, "early_stopping": False}
    estimator = MLPClassifierScratch(**params).partial_fit(X, y, classes=[0, 1, 2])
    copy = pickle.loads(pickle.dumps(estimator))
    for other in (estimator, copy):
        other.partial_fit(X[:300], y[:300]).partial_fit(X, y, sample_weight=W)
    assert bits(copy) == bits(estimator)


@parametrize_engine
def test_other_generators_are_unchanged(engine):
    """And a RandomState of the user's is drawn from, alike each time."""
    params = REGULARIZED | {"engine": engine}
    before = joblib.hash(np.random.get_state())  # noqa: NPY002
    expected = bits(fit(**params))
    assert joblib.hash(np.random.get_state()) == before  # noqa: NPY002
    states = [np.random.RandomState(0) for _ in range(2)]
    for state in states:
        assert bits(fit(**params | {"random_state": state})) == expected
    assert joblib.hash(states[0].get_state()) == joblib.hash(states[1].get_state())
    again = fit(**params | {"random_state": states[0]})
    assert bits(again) != expected


# The number of threads.


@needs_compiled
@pytest.mark.parametrize("setting", SETTINGS)
@parametrize_dtype
def test_the_number_of_threads_does_not_matter_when_compiled(dtype, setting):
    """Neither the engine's own, nor BLAS's, in C, in NumPy or in SciPy."""
    params = {"engine": "compiled"} | SETTINGS[setting] | {"dtype": dtype}
    results = set()
    for n in (1, 2, 3):
        with threadpool_limits(n):
            estimator = fit(**params)
        with threadpool_limits(1):  # what is computed in NumPy
            results.add(bits(estimator))
    assert len(results) == 1


@needs_compiled
@pytest.mark.parametrize("n_samples", [3, 20, 400])
@parametrize_dtype
def test_unequal_weights_with_few_samples_and_long_vectors(dtype, n_samples):
    """Products that are too small to share out, beside vectors that are not."""
    params = {"engine": "compiled", "cls": MLPRegressorScratch, "dtype": dtype}
    params |= {"hidden_layer_sizes": (500, 30), "max_iter": 8}
    for solver in ("lbfgs", "armijo"):
        results = set()
        for n in (1, 2):
            with threadpool_limits(n):
                estimator = fit(
                    X[:n_samples], X[:n_samples, :2], solver=solver, **params
                )
            results.add(joblib.hash(estimator.coefs_))
        assert len(results) == 1


@needs_compiled
@pytest.mark.parametrize("setting", ["adam", "lbfgs", "armijo", "full", "regularized"])
@parametrize_dtype
def test_the_layout_of_X_does_not_matter_when_compiled(tmp_path, dtype, setting):
    params = {"engine": "compiled"} | SETTINGS[setting]
    rows = X.astype(dtype)
    expected = joblib.hash(fit(rows, **params).coefs_)
    spread = np.empty((2 * len(X), 2 * X.shape[1]), dtype)
    spread[::2, ::2] = rows
    np.save(tmp_path / "X.npy", rows)
    for other in (
        np.asfortranarray(rows),
        spread[::2, ::2],
        np.load(tmp_path / "X.npy", mmap_mode="r"),
    ):
        assert joblib.hash(fit(other, **params).coefs_) == expected


@parametrize_engine
def test_sparse_input_under_one_thread_of_blas(engine):
    """It is trained in NumPy; prediction is, too, whatever the engine."""
    sparse = csr_array(X * (X > 0))
    with threadpool_limits(1):
        estimator = fit(sparse, engine="numpy")
        estimator.set_params(engine=engine)
        results = {joblib.hash(estimator.predict_proba(sparse)) for _ in range(3)}
    assert len(results) == 1


# Other processes.

CODE = """
import sys
sys.path.insert(0, {folder!r})
import test_determinism as here
for setting in ("adam", "lbfgs", "regularized", "regularized search"):
    print(here.digest({engine!r}, setting))
"""


def digest(engine, setting):
    estimator = fit(engine=engine, **SETTINGS[setting])
    arrays = [*estimator.coefs_, *estimator.intercepts_, estimator.predict_proba(X)]
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()


@parametrize_engine
def test_in_another_process(engine):
    """With another seed of hashes, and other numbers of threads when compiled."""
    code = CODE.format(folder=os.path.dirname(__file__), engine=engine)
    outputs = set()
    for seed, n_threads in ("0", "1"), ("1", "2"):
        n_threads = n_threads if engine == "compiled" else "1"
        environment = os.environ | {
            "PYTHONHASHSEED": seed,
            "OMP_NUM_THREADS": n_threads,
            "OPENBLAS_NUM_THREADS": n_threads,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        command = [sys.executable, "-W", "ignore", "-c", code]
        outputs.add(subprocess.check_output(command, env=environment, text=True))
    with threadpool_limits(1):
        here = [
            digest(engine, setting)
            for setting in ("adam", "lbfgs", "regularized", "regularized search")
        ]
    assert outputs == {"\n".join(here) + "\n"}


def search(backend, n_jobs, **params):
    estimator = MLPClassifierScratch(**LARGE | {"dropout": 0.2} | params)
    grid = {"alpha": [1e-4, 1.0], "solver": ["adam", "lbfgs"]}
    grid = [grid | {"dropout": [0.0]}, {"early_stopping": [True]}]
    with joblib.parallel_config(backend):
        found = GridSearchCV(estimator, grid, cv=3, n_jobs=n_jobs).fit(X, y)
        validated = cross_validate(
            estimator, X, y, cv=3, n_jobs=n_jobs, return_estimator=True
        )
    return joblib.hash(
        [
            {k: v for k, v in found.cv_results_.items() if "test_score" in k},
            found.best_params_,
            found.best_estimator_.coefs_,
            validated["test_score"],
            [fitted.coefs_ for fitted in validated["estimator"]],
        ]
    )


@parametrize_engine
def test_searches_in_threads_and_processes(engine):
    """In NumPy with one thread of BLAS, as loky's processes may have."""
    n = 1 if engine == "numpy" else None
    with threadpool_limits(n):
        expected = search("sequential", 1, engine=engine)
        assert search("threading", 2, engine=engine) == expected
        with joblib.parallel_config("loky", inner_max_num_threads=n):
            assert search("loky", 2, engine=engine) == expected
