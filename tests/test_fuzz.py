"""Tests that whatever comes in, an estimator is fitted or refuses, and says why.

A case is an estimator with a few parameters changed, data, and up to six calls. After
each of them the model is finite, or an error has said in our words (or scikit-learn's)
what is wrong and has changed nothing; there is no warning that does not mean the user.

The tests run a few hundred cases, always the same. This runs more of them, others with
another seed, and prints how they came out::

    SKMLP_FUZZ_CASES=20000 .venv/bin/python -m pytest tests/test_fuzz.py -s \
        --hypothesis-seed=0
"""

import faulthandler
import io
import linecache
import os
import pickle
import re
import signal
import traceback
import warnings
from collections import Counter
from contextlib import contextmanager, redirect_stdout
from copy import deepcopy
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import (
    ConvergenceWarning,
    DataConversionWarning,
    UndefinedMetricWarning,
)
from sklearn.utils.multiclass import unique_labels

import skmlp
from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.callbacks import EarlyStopping, ReduceLROnPlateau, WeightRecorder
from skmlp.core.activations import HIDDEN_ACTIVATIONS, Activation
from skmlp.core.initializers import INITIALIZERS
from skmlp.core.losses import LOSSES
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.schedules import SCHEDULES

pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

N_CASES = int(os.environ.get("SKMLP_FUZZ_CASES", "400"))
SECONDS = 20  # after which a call hangs; one takes milliseconds
BASE = {"hidden_layer_sizes": (3,), "max_iter": 2, "random_state": 0}
FITS = {"fit: done", "partial_fit: done"}

# The parameters.


class Sine(Activation):
    """One of the user's own."""

    needs_z = True

    def forward(self, Z, A):
        np.sin(Z, out=A)

    def backward(self, Z, A, delta, work):
        np.cos(Z, out=work)
        delta *= work


def add_noise(X, rng):
    return X + 0.1 * rng.random(X.shape)


def fewer(X, rng):
    return X[1:]


def draw_uniform(shape, random_state):
    return random_state.uniform(-1, 1, shape)


def draw_nothing(shape, random_state):
    return None


def fading(step):
    return 0.1 / (step + 1)


def rising(step):
    return 10.0**step


def accuracy(estimator, X, y):
    return float(np.mean(estimator.predict(X) == y))


def not_a_number(*args):
    return np.nan


HUGE = 10**400
FLAGS = [False, True]
SHARES = [0.0, 0.3, 0.9, np.float32(0.5), Fraction(1, 3), np.longdouble(0.3)]
SIZES = [0.0, 1e-4, 0.1, 1, 10.0, np.float32(0.5), Fraction(1, 3), 1e-300]
LARGE = [1e30, 1e150, 1e300, HUGE, Fraction(HUGE, 3), np.finfo(float).max]
COUNTS = [1, 2, 7, np.int8(3), 10**9, 2**63, HUGE]

ORDINARY: dict[str, list] = {
    "hidden_layer_sizes": [(), 1, 4, (3, 2), [5], np.array([2, 3]), (np.int32(2),)],
    "activation": [*HIDDEN_ACTIVATIONS, ["tanh"], ["relu", Sine()], Sine()],
    "solver": ["lbfgs", *OPTIMIZERS],
    "alpha": SIZES,
    "batch_size": ["auto", "full", *COUNTS],
    "learning_rate": [*SCHEDULES, fading],
    "learning_rate_init": [1e-3, 0.1, 1, np.float32(0.5), Fraction(1, 3), 1e-300],
    "power_t": SIZES,
    "max_iter": [1, 2, 5, *COUNTS],
    "shuffle": FLAGS,
    "random_state": [0, None, 2**32 - 1, np.random.RandomState(3)],
    "tol": [*SIZES, 1e300],
    "verbose": [*FLAGS, 2],
    "warm_start": FLAGS,
    "momentum": [*SHARES, 1.0],
    "nesterovs_momentum": FLAGS,
    "early_stopping": FLAGS,
    "validation_fraction": SHARES,
    "beta_1": SHARES,
    "beta_2": SHARES,
    "epsilon": [1e-8, 1.0, 1e-300],
    "n_iter_no_change": [*COUNTS, np.inf],
    "max_fun": COUNTS,
    "l1_ratio": [*SHARES, 1.0],
    "init": ["auto", *INITIALIZERS, draw_uniform],
    "dropout": [*SHARES, [0.5], [0.1, 0.2], []],
    "input_dropout": SHARES,
    "batch_norm": FLAGS,
    "layer_norm": FLAGS,
    "residual": FLAGS,
    "n_members": [1, 1, 2, 5],
    "min_batches": [1, 1, *COUNTS],
    "averaging": [None, None, "ema", "swa"],
    "averaging_decay": [0.9, 0, Fraction(1, 3)],
    "averaging_start": [0.75, 0, 0.999],
    "batch_norm_momentum": [0.1, 1.0, 1e-300],
    "batch_norm_epsilon": [1e-5, 1.0, 1e-300],
    "frozen_layers": [(), [0], [-1], [0, 1], np.array([1])],
    "weight_decay": [None, *SIZES],
    "max_norm": [None, 0.1, 1, 1e-300],
    "clip_norm": [None, 0.1, 1, 1e-300],
    "rho": SHARES,
    "momentum_decay": SIZES,
    "armijo_sigma": [1e-4, 0.9, Fraction(1, 3)],
    "armijo_factor": [0.5, 0.9, 1e-300],
    "search_radius": [0.1, 10, 1e-300],
    "decay_rate": [None, 0.1, 1.0, 1e-300],
    "decay_epochs": COUNTS,
    "learning_rate_min": [None, 0.0, 1e-4, 1e-300],
    "warmup_steps": [0, *COUNTS],
    "early_stopping_metric": ["score", "loss", "accuracy", "r2", "roc_auc", accuracy],
    "callbacks": [None, [], EarlyStopping("loss"), [ReduceLROnPlateau("loss")]],
    "on_interrupt": ["stop", "raise"],
    "augment": [None, add_noise],
    "dtype": [None, "float32", "float64", np.float32, np.dtype("float64")],
    "engine": ["auto", "numpy", "compiled"],
    "output_activation": ["auto", "logistic", "softmax", "identity", "softplus"],
    "loss": [*LOSSES, LOSSES["squared_error"]()],
    "label_smoothing": SHARES,
    "class_weight": [None, "balanced", {0: 2.0}, {"a": 0.5}, {1: 0}, [{0: 1, 1: 2}]],
    "huber_delta": [0.1, 1, 1e-300],
    "quantile": [0.5, 0.1, Fraction(1, 3)],
    "target_transform": [None, "standardize"],
}
# More than one at a time, lest they are refused.
TOGETHER: list[dict] = [
    {"early_stopping": True, "validation_fraction": 0.5},
    {"loss": "poisson", "output_activation": "softplus"},
    {"activation": ["tanh", Sine()], "hidden_layer_sizes": (2, 3)},
    {"batch_norm": True, "batch_size": 3},
    {"callbacks": [WeightRecorder(), EarlyStopping("loss", patience=1)]},
]
EXTREME: dict[str, list] = {
    "hidden_layer_sizes": [10**15, 2**63, HUGE, (10**9, 10**9), [1] * 50],
    "init": [draw_nothing, not_a_number],
    "learning_rate": [rising, not_a_number],
    "learning_rate_init": LARGE,
    "augment": [fewer, draw_nothing],
    "early_stopping_metric": [not_a_number, "no such"],
    "callbacks": [WeightRecorder, [None], [object()], [[]]],
    "random_state": [-1, 2**32, 0.5],
    "frozen_layers": [[HUGE], [2**63], [[0]], [np.nan]],
    "dropout": [[np.nan], [HUGE], [[0.5]]],
    "activation": [["relu", "tanh", "step"], [None], [[]], "softmax"],
    "class_weight": [{0: -1}, {0: np.nan}, {0: HUGE}, {0: "a"}, [], [3], {None: 1}],
    "dtype": ["float16", np.int64, np.dtype("O"), np.dtype([("a", float)])],
    "engine": ["fast"],
    "solver": ["newton"],
}
JUNK = [
    None,
    np.nan,
    np.inf,
    -1,
    -0.5,
    2.5,
    True,
    HUGE,
    -(HUGE),
    1j,
    "",
    "junk",
    b"auto",
    {},
    {1},
    {"a": 1},
    [],
    [[]],
    [[1], [2, 3]],
    [None],
    [np.nan],
    ["a", 1],
    (True,),
    object,
    object(),
    Ellipsis,
    len,
    np.array(3),
    np.array([]),
    np.array([1, 2]),
    np.array(["relu"]),
    np.array([[1, 2], [3, 4]]),
    np.array([None, {}], dtype=object),
    np.datetime64("2020"),
    np.float64("nan"),
    np.ma.masked,
    sparse.csr_matrix([[1.0]]),
]

# An error that the user's own function raises is the user's.
FUNCTIONS = {"augment", "early_stopping_metric", "init", "learning_rate"}

# The data.


class Table(NamedTuple):
    """Samples, by what they are made from."""

    n_samples: int = 12
    n_features: int = 3
    values: str = "normal"
    form: str = "array"
    seed: int = 0

    def make(self):
        rng = np.random.RandomState(self.seed)
        X = rng.standard_normal((self.n_samples, self.n_features))
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            return FORMS[self.form](VALUES[self.values](X))


def with_one(value, X):
    """The array with one of its entries replaced."""
    X = np.array(X)
    if X.size:
        X.flat[X.size // 2] = value
    return X


def read_only(X):
    X.flags.writeable = False
    return X


def unsorted(X):
    """A CSR matrix whose columns are in no order, some of them twice."""
    n, d = X.shape
    columns = np.tile(np.r_[d - 1 : -1 : -1, :d], n)
    rows = 2 * d * np.arange(n + 1)
    return sparse.csr_matrix((np.repeat(X, 2, axis=0).ravel(), columns, rows), (n, d))


def wide_indices(X):
    X = sparse.csr_matrix(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def data_frame(X):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(X, columns=[f"x{k}" for k in range(X.shape[1])])


VALUES = {
    "normal": lambda X: X,
    "integers": np.round,
    "constant": np.ones_like,
    "zeros": np.zeros_like,
    "tiny": lambda X: 1e-200 * X,
    "subnormal": lambda X: 5e-324 * np.sign(X),
    "mixed scales": lambda X: X * 10.0 ** np.arange(-6, 6)[: X.shape[1]],
    "large": lambda X: 1e4 * X,
    "huge": lambda X: 1e38 * X,
    "enormous": lambda X: 1e300 * np.clip(X, -2, 2),
    "one huge": partial(with_one, 1e200),
    "infinity": partial(with_one, np.inf),
    "NaN": partial(with_one, np.nan),
}
FORMS = {
    "array": lambda X: X,
    "float32": lambda X: X.astype(np.float32),
    "float16": lambda X: X.astype(np.float16),
    "int8": lambda X: X.astype(np.int8),
    "uint64": lambda X: np.abs(X).astype(np.uint64),
    "bool": lambda X: X > 0,
    "object": lambda X: X.astype(object),
    "big endian": lambda X: X.astype(">f8"),
    "long double": lambda X: X.astype(np.longdouble),
    "digits": lambda X: X.astype(str),
    "Fortran order": np.asfortranarray,
    "every second": lambda X: np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2],
    "backwards": lambda X: X[::-1, ::-1],
    "read-only": read_only,
    "matrix of one row, repeated": lambda X: np.broadcast_to(X[:1], X.shape),
    "list": np.ndarray.tolist,
    "frame": data_frame,
    "csr": sparse.csr_matrix,
    "csr float32": lambda X: sparse.csr_matrix(X.astype(np.float32)),
    "csc": sparse.csc_matrix,
    "coo": sparse.coo_matrix,
    "csr array": sparse.csr_array,
    "int64 indices": wide_indices,
    "unsorted": unsorted,
    "no entries": lambda X: sparse.csr_matrix(X.shape),
    # These are refused.
    "complex": lambda X: X * 1j,
    "1-D": np.ravel,
    "3-D": lambda X: X[:, :, np.newaxis],
    "ragged": lambda X: [*X.tolist(), []],
    "words": lambda X: np.full(X.shape, "word"),
    "bytes": lambda X: np.full(X.shape, b"a"),
    "None": lambda X: None,
    "a number": lambda X: 3.0,
    "objects": lambda X: np.full(X.shape, object()),
    "dates": lambda X: np.full(X.shape, np.datetime64("2020")),
    "a record": lambda X: np.zeros(len(X), [("a", float), ("b", int)]),
    "masked": lambda X: np.ma.masked_array(X, X > 0),
    "a dict": lambda X: {"X": X},
}
ORDINARY_FORMS = list(FORMS)[: list(FORMS).index("complex")]

# From a column of random numbers to targets.
LABELS = {
    "binary": lambda z: (z > 0).astype(int),
    "three": lambda z: np.digitize(z, [-0.4, 0.4]),
    "many": lambda z: np.arange(len(z)),
    "one class": lambda z: np.ones(len(z), int),
    "strings": lambda z: np.array(["a", "b"])[(z > 0).astype(int)],
    "objects": lambda z: np.array(["a", "b", "c"], object)[np.digitize(z, [-1, 1])],
    "bools": lambda z: z > 0,
    "list": lambda z: (z > 0).tolist(),
    "whole floats": lambda z: np.sign(z),
    "large labels": lambda z: np.where(z > 0, 2**62, -(2**62)),
    "multilabel": lambda z: np.column_stack([z > 0, z < 0.5, z > -1]).astype(int),
    "one label": lambda z: np.column_stack([z > 0, z < 9]).astype(bool),
    "sparse multilabel": lambda z: sparse.csr_matrix(np.column_stack([z > 0, z < 1])),
    "column": lambda z: (z > 0).astype(int)[:, np.newaxis],
}
NUMBERS = {
    "real": lambda z: z,
    "float32": lambda z: z.astype(np.float32),
    "counts": lambda z: np.abs(z).round(),
    "integers": lambda z: z.round().astype(np.int8),
    "bools": lambda z: z > 0,
    "constant": np.ones_like,
    "list": np.ndarray.tolist,
    "column": lambda z: z[:, np.newaxis],
    "two outputs": lambda z: np.column_stack([z, -z]),
    "Fortran order": lambda z: np.asfortranarray(np.column_stack([z, -z, z])),
    "objects": lambda z: z.astype(object),
    "digits": lambda z: z.astype(str),
    "large": lambda z: 1e5 * z,
    "huge": lambda z: 1e30 * z,
    "enormous": lambda z: 1e300 * np.clip(z, -1, 1),
}
NO_TARGETS = {
    "None": lambda z: None,
    "short": lambda z: z[1:].round(),
    "NaN": partial(with_one, np.nan),
    "infinity": partial(with_one, np.inf),
    "3-D": lambda z: np.zeros((len(z), 2, 2), int),
    "words and numbers": lambda z: np.array(["a", 1] * len(z), object)[: len(z)],
    "Nones": lambda z: np.full(len(z), None),
    "complex": lambda z: z * 1j,
    "a number": lambda z: 1,
    "a string": lambda z: "y",
    "ragged": lambda z: [[1, 2], [3]] * len(z),
    "dates": lambda z: np.full(len(z), np.datetime64("2020")),
    "sparse": lambda z: sparse.csr_matrix(z[:, np.newaxis]),
    "no outputs": lambda z: np.zeros((len(z), 0)),
    "multioutput labels": lambda z: np.column_stack([z.round(), -z.round()]),
    "a dict": lambda z: {"y": z},
}
TARGETS: dict[str, Any] = {**NO_TARGETS, **NUMBERS, **LABELS}
WEIGHTS: dict[str, Any] = {
    "None": lambda z: None,
    "ones": np.ones_like,
    "random": np.abs,
    "float32": lambda z: np.abs(z).astype(np.float32),
    "integers": lambda z: np.arange(len(z)),
    "some zeros": lambda z: np.maximum(z, 0),
    "one positive": lambda z: with_one(1.0, np.zeros_like(z)),
    "tiny": lambda z: np.full(len(z), 1e-300),
    "subnormal": lambda z: np.full(len(z), 5e-324),
    "large": lambda z: 1e30 * np.abs(z),
    "a number": lambda z: 2.0,
    "list": lambda z: np.abs(z).tolist(),
    "enormous": lambda z: np.full(len(z), 1e308),
    "zeros": np.zeros_like,
    "negative": lambda z: -np.abs(z),
    "NaN": partial(with_one, np.nan),
    "infinity": partial(with_one, np.inf),
    "short": lambda z: np.ones(len(z) // 2),
    "2-D": lambda z: np.ones((len(z), 1)),
    "words": lambda z: np.full(len(z), "word"),
    "objects": lambda z: np.full(len(z), None),
    "a dict": lambda z: {0: 1},
}
INITIAL: dict[str, Any] = {
    "own": lambda arrays: arrays,
    "zeros": lambda arrays: [0 * W for W in arrays],
    "Nones": lambda arrays: [None for W in arrays],
    "lists": lambda arrays: [W.tolist() for W in arrays],
    "transposed": lambda arrays: [W.T for W in arrays],
    "enormous": lambda arrays: [np.full_like(W, 1e30) for W in arrays],
    "NaN": lambda arrays: [np.full_like(W, np.nan) for W in arrays],
    "too few": lambda arrays: arrays[1:],
    "words": lambda arrays: [np.full(W.shape, "word") for W in arrays],
    "ragged": lambda arrays: [[[1], [1, 2]] for W in arrays],
    "a number": lambda arrays: 3,
    "a dict": lambda arrays: {0: 3},
}


class Samples(NamedTuple):
    """Arguments of a call, by what they are made from."""

    table: Table
    targets: str = "binary"
    weights: str = "None"
    validation: Any = None  # another of these
    initial: str | None = None

    def make(self):
        """X, y and sample_weight."""
        z = np.random.RandomState(self.table.seed).standard_normal(self.table.n_samples)
        return self.table.make(), TARGETS[self.targets](z), WEIGHTS[self.weights](z)

    def make_for_fit(self, estimator):
        """All arguments of fit."""
        arguments = dict(zip(("X", "y", "sample_weight"), self.make(), strict=True))
        if self.validation is not None:
            names = "X_val", "y_val", "sample_weight_val"
            arguments |= zip(names, self.validation.make(), strict=True)
        if self.initial is not None:
            for name in "coefs", "intercepts":
                arrays = getattr(estimator, f"{name}_", [np.ones((3, 3)), np.ones(1)])
                arguments[f"{name}_init"] = INITIAL[self.initial](arrays)
        return arguments


class Case(NamedTuple):
    """An estimator, and the calls of its methods."""

    Estimator: type
    params: dict
    calls: list


def often(ordinary, rare, one_in=8):
    """Mostly the one strategy, and now and then the other."""
    return st.integers(1, one_in).flatmap(lambda k: rare if k == one_in else ordinary)


@cache
def parameters(Estimator):
    """A few parameters that are not the default."""
    names = sorted(Estimator().get_params())
    ordinary = st.sampled_from(
        [{name: value} for name in names for value in ORDINARY[name]]
        + [given for given in TOGETHER if given.keys() <= set(names)]
    )
    odd = st.sampled_from(
        [
            {name: value}
            for name in names
            for value in (*EXTREME.get(name, []), *LARGE, *JUNK)
            if not (name in FUNCTIONS and callable(value) and value in (object, len))
        ]
    )
    # A choice among values would seldom choose a name that has few.
    by_name = st.sampled_from(names).flatmap(
        lambda name: st.sampled_from([{name: value} for value in ORDINARY[name]])
    )
    changes = st.lists(st.one_of(ordinary, by_name), max_size=5)
    return often(changes, st.tuples(changes, odd).map(lambda p: [*p[0], p[1]]), 5).map(
        lambda changes: {name: v for change in changes for name, v in change.items()}
    )


TABLES = st.builds(
    Table,
    n_samples=often(st.integers(4, 30), st.integers(0, 3)),
    n_features=often(st.integers(1, 6), st.just(0), 30),
    values=often(st.just("normal"), st.sampled_from(list(VALUES)), 3),
    form=often(st.sampled_from(ORDINARY_FORMS), st.sampled_from(list(FORMS)), 10),
    seed=st.integers(0, 9),
)
ANY_WEIGHTS = often(st.just("None"), st.sampled_from(list(WEIGHTS)), 4)


@st.composite
def samples(draw, Estimator):
    """Arguments for an estimator, as a rule those that it takes."""
    kinds = list(LABELS if Estimator is MLPClassifierScratch else NUMBERS)
    targets = often(st.sampled_from(kinds), st.sampled_from(list(TARGETS)))
    table, kind = draw(TABLES), draw(targets)
    validation = None
    if draw(st.integers(1, 6)) == 6:
        validation = Samples(
            table._replace(seed=table.seed + 1), kind, draw(ANY_WEIGHTS)
        )
        if draw(st.booleans()):
            validation = Samples(draw(TABLES), draw(targets), draw(ANY_WEIGHTS))
    return Samples(table, kind, draw(ANY_WEIGHTS), validation)


PREDICT = ["predict", "predict_proba", "predict_log_proba", "decision_function"]
LOOK = ["hidden_activations", "input_gradient"]


@st.composite
def cases(draw):
    """An estimator and what is done with it, which begins by training, as a rule."""
    Estimator = draw(st.sampled_from([MLPClassifierScratch, MLPRegressorScratch]))
    first = draw(samples(Estimator))
    methods = [m for m in (*PREDICT, *LOOK) if hasattr(Estimator, m)]
    calls: list = []
    for _ in range(draw(st.integers(0, 5))):
        what = draw(st.sampled_from(["train", "train", "use", "use", "set", "copy"]))
        data = draw(often(st.just(first), samples(Estimator), 4))
        if what == "train":
            method = draw(st.sampled_from(["fit", "partial_fit"]))
            if method == "fit" and draw(st.integers(1, 5)) == 5:
                data = data._replace(initial=draw(st.sampled_from(list(INITIAL))))
            calls.append((method, data))
        elif what == "use":
            calls.append((draw(st.sampled_from(["score", *methods])), data))
        elif what == "set":
            calls.append(("set_params", draw(parameters(Estimator))))
        else:
            calls.append((draw(st.sampled_from(["clone", "pickle"])), None))
    begin = often(st.sampled_from(["fit", "partial_fit"]), st.none(), 10)
    method = draw(begin)
    if method is not None:
        calls.insert(0, (method, first))
    return Case(Estimator, draw(parameters(Estimator)), calls)


# What may come out of it.

PACKAGE, SKLEARN = (Path(module.__file__).parent for module in (skmlp, sklearn))
# Where scikit-learn has NumPy say that something is no array of numbers.
CONVERSIONS = {
    ("validation.py", "check_array"),
    ("validation.py", "_check_y"),
    ("validation.py", "_check_sample_weight"),
    ("_array_api.py", "_asarray_with_order"),
}
REFUSALS = (ValueError, TypeError)
WARNINGS = (
    "Got `batch_size` less than 1 or larger than sample size",
    "X does not have valid feature names",
    "X has feature names",
    "The number of unique classes is greater than 50%",
)


# What says that the loss of finite weights is not finite.
NO_LOSS = "The loss is (inf|nan) in epoch|The weights of the best epoch are kept, but"


class Wrong(AssertionError):
    """A case did not come out as it may."""


def says_why(error):
    """Whether an error was raised for the user to read, in our code or scikit-learn's.

    An error that a function of NumPy's raised in the middle of training is none.
    """
    frame = traceback.extract_tb(error.__traceback__)[-1]
    path = Path(frame.filename)
    if (path.name, frame.name) in CONVERSIONS:
        return True
    is_ours = PACKAGE in path.parents or SKLEARN in path.parents
    return is_ours and linecache.getline(*frame[:2]).strip().startswith("raise")


def may_refuse(error, method):
    if method == "partial_fit" and isinstance(error, AttributeError):
        return "is not stochastic" in str(error.__cause__)
    if method in PREDICT and isinstance(error, AttributeError):
        return "not fitted" in str(error)
    # The score is scikit-learn's.
    is_told = method == "score" or says_why(error)
    return isinstance(error, REFUSALS) and bool(str(error)) and is_told


def may_warn(warning):
    if issubclass(warning.category, UserWarning):
        sklearns = ConvergenceWarning, DataConversionWarning, UndefinedMetricWarning
        text = str(warning.message)
        return issubclass(warning.category, sklearns) or text.startswith(WARNINGS)
    return False


def bits(value):
    """What a value consists of, to compare it with what it has been."""
    return pickle.dumps(plain(value))


def plain(value):
    """A sparse matrix as its entries alone; that they are sorted may be noted in it."""
    if isinstance(value, dict):
        return {name: plain(v) for name, v in value.items()}
    if sparse.issparse(value):
        names = "data", "indices", "indptr", "row", "col", "coords"
        return [getattr(value, name, None) for name in names]
    return value


def state(estimator):
    """The attributes, without those that are the user's and do change."""
    attributes = vars(estimator).copy()
    for name in "random_state", "callbacks", "_trained_with":
        attributes.pop(name, None)
    return {name: bits(value) for name, value in attributes.items()}


def all_finite(arrays):
    return all(np.isfinite(A).all() for A in arrays)


def check_model(estimator, warned):
    """The fitted attributes are finite, and fit together."""
    names = "coefs_", "intercepts_", "batch_norm_scales_", "batch_norm_means_"
    for name in (*names, "batch_norm_variances_"):
        if not all_finite(getattr(estimator, name, [])):
            raise Wrong(f"{name} is not finite")
    if not (np.isfinite(estimator.loss_) or any(re.match(NO_LOSS, w) for w in warned)):
        raise Wrong(f"loss_ is {estimator.loss_}, and nothing has said so")
    if estimator.solver != "lbfgs":
        lengths = {len(values) for values in estimator.history_.values()}
        if lengths != {len(estimator.loss_curve_)}:
            raise Wrong("history_ and loss_curve_ are not equally long")


def check_output(estimator, method, X, output):
    """What the methods return is finite, and of the right shape."""
    n = X.shape[0] if hasattr(X, "shape") else len(X)
    if method == "score":
        return  # R^2 of one sample is NaN
    if method == "hidden_activations":
        arrays = output
    else:
        arrays = [output.toarray() if sparse.issparse(output) else output]
    if any(A.shape[0] != n for A in arrays):
        raise Wrong(f"{method} of {n} samples has shape {arrays[0].shape}")
    if method == "predict" and hasattr(estimator, "classes_"):
        if not np.isin(arrays[0], [0, 1, *estimator.classes_]).all():
            raise Wrong("predict returns no classes")
    elif method == "predict_log_proba":
        if not (output <= 0).all():
            raise Wrong("predict_log_proba returns no logarithms")
    elif not all_finite(arrays):
        raise Wrong(f"{method} is not finite")
    if method == "predict_proba":
        if (output < 0).any() or (output > 1).any():
            raise Wrong("probabilities are not in [0, 1]")
        if not estimator._is_multilabel() and abs(output.sum(1) - 1).max() > 1e-3:
            raise Wrong("probabilities do not sum up to one")


def run(estimator, method, what, outcomes):
    """One call, and what it came to; the estimator afterwards."""
    if method == "set_params":
        return estimator.set_params(**what)
    if method == "clone":
        return clone(estimator)
    if method == "pickle":
        return pickle.loads(pickle.dumps(estimator))
    if method == "fit":
        if isinstance(estimator.max_iter, int) and estimator.max_iter > 9:
            # It would take for ever.
            estimator.set_params(tol=1e300, n_iter_no_change=1, max_fun=3)
        arguments = what.make_for_fit(estimator)
    else:
        arguments = dict(zip(("X", "y", "sample_weight"), what.make(), strict=True))
    if method == "partial_fit" and isinstance(estimator, MLPClassifierScratch):
        if not hasattr(estimator, "classes_"):
            arguments["classes"] = classes_of(arguments["y"])
    if method in (*PREDICT, *LOOK):
        arguments = {"X": arguments["X"]}
    before, given = state(estimator), bits(arguments)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with redirect_stdout(io.StringIO()):
                output = getattr(estimator, method)(**arguments)
    except Exception as error:
        if not may_refuse(error, method):
            raise
        outcomes[f"{method}: refused"] += 1
        if state(estimator) != before:
            raise Wrong("a call that was refused changed the estimator") from error
        return estimator
    finally:
        if bits(arguments) != given:
            raise Wrong("a call changed its arguments")
    outcomes[f"{method}: done"] += 1
    for warning in caught:
        if not may_warn(warning):
            raise Wrong(f"{method} warned: {warning}")
    if method in ("fit", "partial_fit"):
        check_model(estimator, [str(w.message) for w in caught])
    else:
        if state(estimator) != before:
            raise Wrong(f"{method} changed the estimator")
        check_output(estimator, method, arguments["X"], output)
    return estimator


def classes_of(y):
    """Something for the first partial_fit, right where there is a right one."""
    try:
        return unique_labels(y)
    except Exception:
        return [0, 1]


@contextmanager
def time_limit():
    """End a case that hangs: by an error in Python, and in C by ending the process."""
    faulthandler.dump_traceback_later(3 * SECONDS, exit=True)
    if hasattr(signal, "setitimer"):

        def give_up(*args):
            raise Wrong(f"a call took longer than {SECONDS} seconds")

        previous = signal.signal(signal.SIGALRM, give_up)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)


def run_case(case):
    """All the calls of a case, and how often each of them came out how."""
    outcomes: Counter = Counter()
    # What the user gives is changed: a generator draws, a callback remembers.
    estimator = case.Estimator(**BASE | deepcopy(case.params))
    for method, what in case.calls:
        with time_limit():
            estimator = run(estimator, method, what, outcomes)
    return outcomes


def test_estimator_is_fitted_or_raises(one_blas_thread):
    outcomes: Counter = Counter()

    @settings(
        max_examples=N_CASES,
        derandomize="SKMLP_FUZZ_CASES" not in os.environ,
        database=None,
        deadline=None,  # ours ends a case that takes too long, too
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def check(case):
        came_out = run_case(case)
        outcomes.update(came_out)
        outcomes["cases"] += 1
        outcomes["cases with a fit"] += bool(FITS & came_out.keys())

    check()
    print(f"\n{N_CASES} cases came out as follows:")
    for outcome, number in sorted(outcomes.items()):
        print(f"{number:8} {outcome}")
    # Or the cases do not get as far as training.
    assert outcomes["cases with a fit"] >= 0.4 * outcomes["cases"]
