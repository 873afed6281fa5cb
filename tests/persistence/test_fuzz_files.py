"""Tests that a file gives back what was saved, or an error, whatever is in it.

A model of any parameters is the same after `save` and `load`, or cannot be saved, and
the error names what cannot. A file that somebody has forged, with a checksum that is
right, is refused in our words, or is an estimator like any other.

The tests run a few hundred cases each, always the same. This runs more of them, others
with another seed, and prints how they came out::

    SKMLP_FUZZ_CASES=5000 .venv/bin/python -m pytest \
        tests/persistence/test_fuzz_files.py -s --hypothesis-seed=0
"""

import io
import os
import pickle
import zipfile
from collections import Counter
from contextlib import suppress
from copy import deepcopy
from fractions import Fraction
from functools import cache
from json import dumps, loads

import numpy as np
import pytest

import skmlp
from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    ReduceLROnPlateau,
    WeightRecorder,
)
from skmlp.core.activations import ELU, HIDDEN_ACTIVATIONS, Activation, LeakyReLU
from skmlp.core.initializers import INITIALIZERS
from skmlp.core.losses import LOSSES
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.schedules import SCHEDULES
from skmlp.persistence import archive
from skmlp.persistence.codec import _KINDS

pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

N_CASES = int(os.environ.get("SKMLP_FUZZ_CASES", "300"))
pytestmark = [
    pytest.mark.usefixtures("one_blas_thread"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
fuzz = settings(
    max_examples=N_CASES,
    derandomize="SKMLP_FUZZ_CASES" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

X = np.random.RandomState(0).randn(12, 3)
Z = X @ [1.0, 2.0, -3.0]
TARGETS = {
    "binary": (Z > 0).astype(int),
    "three": np.digitize(Z, [-1, 1]),
    "strings": np.array(["a", "b", "c"])[np.digitize(Z, [-1, 1])],
    "objects": np.array(["a", "b"], object)[(Z > 0).astype(int)],
    "bools": Z > 0,
    "one class": np.ones(12, int),
    "multilabel": np.column_stack([Z > 0, Z < 0.5]).astype(int),
}
NUMBERS = {"one": Z, "two": np.column_stack([Z, -Z]), "counts": np.abs(Z).round()}

# What can be saved, and what cannot.


class Sine(Activation):
    """One of the user's own."""

    needs_z = True

    def forward(self, Z, A):
        np.sin(Z, out=A)

    def backward(self, Z, A, delta, work):
        delta *= np.cos(Z)


class OwnLoss(LOSSES["squared_error"]):
    """Derived from the package's."""


class OwnCallback(Callback):
    """Does nothing, either."""


def draw_uniform(shape, random_state):
    return random_state.uniform(-1, 1, shape)


def fading(step):
    return 0.1 / (step + 1)


def add_noise(X, rng):
    return X + 0.1 * rng.random(X.shape)


def accuracy(estimator, X, y):
    return float(np.mean(estimator.predict(X) == y))


FLAGS = [False, True]
SHARES = [0.0, 0.3, np.float32(0.5), np.longdouble(0.3)]
SIZES = [0, 1e-4, 1, np.float32(0.5), 1e-300, np.int8(1)]
COUNTS = [1, 2, np.int8(3), 10**9, 2**63, 10**400]
VALID: dict[str, list] = {
    "hidden_layer_sizes": [(), 1, 4, (3, 2), [5], np.array([2, 3]), (np.int32(2),)],
    "activation": [*HIDDEN_ACTIVATIONS, ["tanh"], LeakyReLU(0.3), [ELU(0.5)]],
    "solver": ["lbfgs", *OPTIMIZERS],
    "alpha": SIZES,
    "batch_size": ["auto", "full", *COUNTS],
    "learning_rate": [*SCHEDULES],
    "power_t": SIZES,
    "max_iter": [1, 2, np.int64(3)],
    "shuffle": FLAGS,
    "random_state": [0, None, 2**32 - 1, np.random.RandomState(3)],
    "tol": [*SIZES, 1e300],
    "warm_start": [*FLAGS, np.True_],
    "momentum": [*SHARES, 1.0],
    "early_stopping": FLAGS,
    "validation_fraction": [0.3, np.float32(0.5)],
    "beta_1": SHARES,
    "n_iter_no_change": [*COUNTS, np.inf],
    "l1_ratio": [*SHARES, 1.0],
    "init": ["auto", *INITIALIZERS],
    "dropout": [*SHARES, [0.5], []],
    "input_dropout": SHARES,
    "batch_norm": FLAGS,
    "frozen_layers": [(), [0], [-1], np.array([0])],
    "weight_decay": [None, *SIZES],
    "max_norm": [None, 0.1],
    "clip_norm": [None, 0.1, np.float64(1)],
    "decay_rate": [None, 0.1],
    "early_stopping_metric": ["score", "loss", "accuracy", "r2"],
    "callbacks": [
        None,
        [],
        (),
        EarlyStopping("loss"),
        [ReduceLROnPlateau("loss", factor=0.5), WeightRecorder(2)],
    ],
    "dtype": [None, "float32", np.float32, np.dtype("float64"), np.dtype("float32")],
    "engine": ["auto", "numpy"],
    "output_activation": ["auto", "logistic", "identity", "softplus"],
    "loss": [*LOSSES, LOSSES["huber"](0.5), LOSSES["squared_error"]()],
    "label_smoothing": SHARES,
    "class_weight": [None, "balanced", {0: 2.0}, {"a": np.float32(0.5)}, {1: 0}],
    "huber_delta": [0.1, np.float32(1)],
    "quantile": [0.5, 0.1],
}
CODE: dict[str, list] = {
    "activation": [Sine(), ["relu", Sine()]],
    "loss": [OwnLoss()],
    "init": [draw_uniform],
    "learning_rate": [fading],
    "augment": [add_noise],
    "early_stopping_metric": [accuracy],
    "callbacks": [OwnCallback(), [WeightRecorder(), OwnCallback()]],
    "alpha": [Fraction(1, 3)],
    "random_state": [np.random.RandomState(np.random.PCG64(0))],
    "class_weight": [{0: Fraction(1, 3)}, {0: lambda: 1}],
    "hidden_layer_sizes": [range(1, 3), np.array([2, range(3)], object)],
}


@st.composite
def estimators(draw):
    """An estimator, its targets, and which of its parameters cannot be saved."""
    Estimator = draw(st.sampled_from([MLPClassifierScratch, MLPRegressorScratch]))
    names = set(Estimator().get_params())

    def one_of(table):
        pairs = [(n, v) for n in sorted(names & table.keys()) for v in table[n]]
        return st.sampled_from(pairs)

    params = {"hidden_layer_sizes": (3,), "max_iter": 2, "random_state": 0}
    params |= dict(draw(st.lists(one_of(VALID), max_size=5)))
    by_name = st.sampled_from(sorted(names & VALID.keys())).flatmap(
        lambda name: one_of({name: VALID[name]})
    )
    params |= dict(draw(st.lists(by_name, max_size=3)))
    refused = set()
    if draw(st.integers(0, 7)) == 7:
        name, value = draw(one_of(CODE))
        params[name] = value
        refused = {name}
    kinds = TARGETS if Estimator is MLPClassifierScratch else NUMBERS
    y = kinds[draw(st.sampled_from(list(kinds)))]
    fits = draw(st.sampled_from([None, "fit", "fit", "partial_fit"]))
    return Estimator(**deepcopy(params)), y, fits, refused


def outcome(function, *args, **kwargs):
    """What a call returns, or its error in words."""
    np.random.seed(0)  # noqa: NPY002 - what random_state=None draws from
    try:
        return function(*args, **kwargs)
    except (ValueError, AttributeError) as error:
        return f"{type(error)}: {error}"


def saved(estimator, path):
    """The bytes of its file, in which no time has passed."""
    estimator = deepcopy(estimator)
    if "history_" in vars(estimator):
        estimator.history_["seconds"] = [0.0] * len(estimator.history_["seconds"])
    skmlp.save(estimator, path)
    return path.read_bytes()


@fuzz
@given(estimators())
def check_round_trip(path, outcomes, case):
    estimator, y, method, refused = case
    fitted = False
    if method is not None:
        fitted = outcome(lambda: getattr(estimator, method)(X, y)) is estimator
    path.unlink(missing_ok=True)
    if refused:
        outcomes["cannot be saved"] += 1
        with pytest.raises(TypeError, match=f"parameters/{refused.pop()}"):
            skmlp.save(estimator, path)
        assert not list(path.parent.iterdir())
        return
    outcomes["fitted" if fitted else "not fitted"] += 1
    before = saved(estimator, path)
    loaded = skmlp.load(path)
    assert type(loaded) is type(estimator)
    assert vars(loaded).keys() == vars(estimator).keys() - {"_trained_with"}
    assert saved(loaded, path) == before
    for name in "predict", "predict_proba", "decision_function":
        results = [
            pickle.dumps(outcome(lambda e=e, n=name: getattr(e, n)(X)))
            for e in (estimator, loaded)
        ]
        assert results[0] == results[1]
    goes_on = [
        outcome(lambda e=e: type(e.partial_fit(X, y))) for e in (estimator, loaded)
    ]
    assert goes_on[0] == goes_on[1]
    assert saved(loaded, path) == saved(estimator, path)


def test_a_loaded_model_is_the_one_that_was_saved(tmp_path):
    outcomes: Counter = Counter()
    check_round_trip(tmp_path / "model", outcomes)
    report("saved", outcomes)
    assert outcomes["fitted"] > 0.3 * N_CASES


def report(what, outcomes):
    print(f"\nOf {N_CASES} files that were {what}:")
    for name, number in sorted(outcomes.items()):
        print(f"{number:8} {name}")


# Files that somebody has forged.


class Training:
    """An estimator, and the files of it that there may be."""

    def __init__(self, y="one", **params):
        self.y = {**TARGETS, **NUMBERS}[y]
        self.params = {"hidden_layer_sizes": (3,), "random_state": 0, **params}
        self.Estimator = MLPRegressorScratch if y in NUMBERS else MLPClassifierScratch

    def estimator(self, **params):
        return self.Estimator(**deepcopy(self.params) | params)

    @cache  # noqa: B019 - there are a few of them, for good
    def model(self, directory):
        """Document and arrays of the model, trained for two epochs."""
        path = directory / "original"
        estimator = self.estimator(max_iter=2)
        estimator.fit(X, self.y)
        skmlp.save(estimator, path)
        return content_of(path)

    @cache  # noqa: B019
    def checkpoint(self, directory):
        """Those of the checkpoint after two epochs of four."""
        path = directory / "original"
        callbacks = [Checkpoint(path), *(self.params.get("callbacks") or [])]
        self.estimator(max_iter=2, callbacks=callbacks).fit(X, self.y)
        return content_of(path)


TRAININGS = [
    Training("binary"),
    Training("strings", hidden_layer_sizes=(3, 2), batch_norm=True, batch_size=5),
    Training("objects", early_stopping=True, validation_fraction=0.3),
    Training("multilabel", dropout=0.3, input_dropout=0.1, solver="sgd"),
    Training("one", dtype="float32", solver="nadam", learning_rate="adaptive"),
    Training("two", solver="amsgrad", early_stopping=True, dropout=0.2),
    Training("counts", loss="poisson", solver="rmsprop", batch_size=5),
    Training("one", loss="huber", solver="random_search", early_stopping=True),
    Training("three", solver="armijo", activation=LeakyReLU(0.3), batch_norm=True),
    Training("one", learning_rate="one_cycle", max_iter=4, shuffle=False),
    Training(
        "three",
        solver="sgd",
        learning_rate="invscaling",
        callbacks=[EarlyStopping("loss"), ReduceLROnPlateau("loss"), WeightRecorder()],
        random_state=np.random.RandomState(0),
    ),
]
MODELS = [*TRAININGS, Training("three", solver="lbfgs", class_weight={0: 2.0, 1: 1})]
RESUMED = [t for t in TRAININGS if t.params.get("learning_rate") != "one_cycle"]


def content_of(path):
    """Document and arrays of a file."""
    with zipfile.ZipFile(path) as file:
        document = loads(file.read("document.json"))
        arrays = {}
        for name in file.namelist():
            if name.endswith(".npy"):
                arrays[name.removesuffix(".npy")] = np.load(file.open(name))
    return document, arrays


def forge(path, document, arrays):
    """A file with the right checksum, and anything else; bytes are a whole member."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("document.json", dumps(document))
        for name, array in arrays.items():
            file.writestr(f"{name}.npy", member(array))
        file.comment = b"sha256:" + b"0" * 64
    with open(path, "r+b") as file:
        archive._sign(file)


def member(array):
    """An array as a file has it."""
    if isinstance(array, bytes):
        return array
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array).reshape(array.shape))
    return stream.getvalue()


JUNK = [
    *(None, False, True, "", "junk", "relu", "softmax", "__class__", [], {}, [[]]),
    *([0], [None], [[0, 1]], [1, 2, 3], ["a"], {"kind": "junk"}, {"a": 1}),
    *(0, 1, 2, 3, -1, 624, 625, 2**31, 2**32, 2**62, 2**63, 2**64, 2**128),
    *(10**30, -(10**30), 10**400, 0.0, 0.5, 1.0, -0.5, 1e30, 1e308, -1e308, 1e-320),
    *(float("nan"), float("inf"), -float("inf")),
    loads("[" * 300 + "]" * 300),
    {"kind": "number", "value": "nan"},
    {"kind": "number", "value": "-inf"},
    {"kind": "number", "value": "1e999"},
    {"kind": "tuple", "items": [1, 2]},
    {"kind": "tuple", "items": "ab"},
    {"kind": "dict", "items": []},
    {"kind": "dict", "items": [["a", 1], [[], 2]]},
    {"kind": "object array", "items": [[1], "a", None]},
    {"kind": "callback", "name": "Checkpoint", "settings": {"kind": "dict"}},
    {"kind": "activation", "name": "relu", "settings": {"kind": "dict", "items": []}},
    {"kind": "dtype", "name": "float32", "is_type": True},
]
TWEAKS = [
    lambda v: v + 1,
    lambda v: v - 1,
    lambda v: -v,
    lambda v: v * 2,
    lambda v: v // 2,
    float,
    bool,
    str,
    lambda v: [v],
    lambda v: v * 10**20,
]
ARRAYS = [
    lambda a, b: a[:-1],
    lambda a, b: a[:0],
    lambda a, b: np.concatenate([a, a]),
    lambda a, b: a.T,
    lambda a, b: a.ravel(),
    lambda a, b: a[np.newaxis],
    lambda a, b: a[..., np.newaxis],
    lambda a, b: np.array(a.flat[0]),
    lambda a, b: a.astype(np.float32),
    lambda a, b: a.astype(np.float64),
    lambda a, b: a.astype(np.float16),
    lambda a, b: a.astype(np.longdouble),
    lambda a, b: a.astype(np.int64),
    lambda a, b: a.astype(np.uint8),
    lambda a, b: a.astype(bool),
    lambda a, b: a.astype(str),
    lambda a, b: a.astype(bytes),
    lambda a, b: np.zeros_like(a),
    lambda a, b: np.full_like(a, 1),
    lambda a, b: np.full_like(a, -1),
    lambda a, b: np.full_like(a, 127),
    lambda a, b: np.full_like(a, 2**62),
    lambda a, b: np.full_like(a, np.nan),
    lambda a, b: np.full_like(a, -np.inf),
    lambda a, b: np.full_like(a, 1e300),
    lambda a, b: -a,
    lambda a, b: a[::-1],
    lambda a, b: b,
    lambda a, b: b.astype(a.dtype),
    lambda a, b: np.resize(b, a.shape),
    lambda a, b: np.zeros((0, 3)),
    lambda a, b: np.zeros((2**20, 0)),
    lambda a, b: np.zeros((1,) * 32),
    lambda a, b: a.astype(">f8"),
    lambda a, b: np.asfortranarray(np.zeros((2, 2))),
    lambda a, b: member(a)[:-1],
    lambda a, b: member(a).replace(b"(", b"((", 1),
    lambda a, b: member(a).replace(b")", b"(", 1),
    lambda a, b: member(a).replace(b"<", b"=", 1),
    lambda a, b: member(a).replace(b"descr", b"shape", 1),
    lambda a, b: member(a).replace(b"(", b"(-", 1),
    lambda a, b: member(a).replace(b"False", b"0    ", 1),
    lambda a, b: b"\x93NUMPY\x03\x00" + member(a)[8:],
    lambda a, b: b"",
]


def walk(document, steps):
    """A container in a document, and one of its keys: a choice at each level."""
    container, key = {"": document}, ""
    for step in steps:
        inner = container[key]
        if not (isinstance(inner, dict | list) and inner):
            break
        keys = list(inner) if isinstance(inner, dict) else range(len(inner))
        container, key = inner, keys[step % len(keys)]
    return container, key


def mutate(document, arrays, how, steps, others, i):
    """Change a document, or an array, in place."""
    container, key = walk(document, steps)
    other, other_key = walk(document, others)
    if how == "junk":
        container[key] = deepcopy(JUNK[i % len(JUNK)])
    elif how == "copy":
        container[key] = deepcopy(other[other_key])
    elif how == "swap":
        values = deepcopy((container[key], other[other_key]))
        other[other_key], container[key] = values
    elif how == "delete":
        del container[key]
    elif how == "add" and isinstance(container, list):
        container.insert(key, deepcopy(container[key]))
    elif how == "add":
        names = [*list(other), "path", "junk", "on_epoch_end", "coefs_", 0]
        container[str(names[i % len(names)])] = deepcopy(other[other_key])
    elif how == "rename" and isinstance(container, dict):
        container[str(other_key)] = container.pop(key)
    elif how == "kind":
        if isinstance(container, dict) and "kind" in container:
            container["kind"] = [*_KINDS][i % len(_KINDS)]
    elif how == "tweak" and type(container[key]) in (int, float):
        container[key] = TWEAKS[i % len(TWEAKS)](container[key])
    elif how == "name" and isinstance(container[key], str):
        names = [*arrays, *HIDDEN_ACTIVATIONS, *LOSSES, *OPTIMIZERS, "binary"]
        container[key] = names[i % len(names)]
    elif how == "array" and arrays:
        names = list(arrays)
        name, second = names[steps[0] % len(names)], names[others[0] % len(names)]
        change = ARRAYS[i % len(ARRAYS)]
        if not any(isinstance(arrays[n], bytes) for n in (name, second)):
            with np.errstate(all="ignore"):
                arrays[name] = change(arrays[name], arrays[second])
    elif how == "arrays" and arrays:
        names = list(arrays)
        name, second = names[steps[0] % len(names)], names[others[0] % len(names)]
        arrays[name], arrays[second] = arrays[second], arrays[name]
        if i % 4 == 3:
            del arrays[name]


HOW = [
    *("junk", "copy", "swap", "delete", "add", "rename", "kind", "tweak", "name"),
    *("array", "array", "arrays", "junk", "tweak"),
]
STEPS = st.lists(st.integers(0, 99), min_size=1, max_size=7)
MUTATIONS = st.lists(
    st.tuples(st.sampled_from(HOW), STEPS, STEPS, st.integers(0, 999)),
    min_size=1,
    max_size=3,
)


def forged(path, original, mutations):
    """Write a file that differs from the original; whether there is one such."""
    document, arrays = deepcopy(original)
    root = document["content"]
    try:
        for how, steps, others, i in mutations:
            # Not the format's name, as a rule.
            whole = {"content": root} if i % 16 else document
            mutate(whole["content"] if i % 16 else whole, arrays, how, steps, others, i)
        forge(path, document, arrays)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return False
    return True


def bits(estimator):
    """The attributes, without those that are the user's and do change."""
    attributes = vars(estimator).copy()
    del attributes["random_state"], attributes["callbacks"]
    return {name: pickle.dumps(value) for name, value in attributes.items()}


def samples(estimator):
    """Small data for an estimator that came out of a file."""
    n_features = getattr(estimator, "n_features_in_", 3)
    X = np.random.RandomState(1).randn(6, n_features)
    try:
        y = estimator.predict(X)
    except ValueError:
        y = np.arange(6) % 2
    return X, y


REFUSED = (
    "{!r} cannot be read as a skmlp model: ",
    "{!r} cannot be loaded as a model: ",
)
REFUSED_TO_RESUME = (
    "{!r} cannot be read as a skmlp checkpoint: ",
    "resume_from={!r} cannot be resumed: ",
)
# Weights of a checkpoint may be any numbers.
DIVERGED = "Solver produced non-finite parameter weights", "early_stopping=True needs"


def check_message(error, beginnings, path):
    beginnings = tuple(beginning.format(str(path)) for beginning in beginnings)
    if not str(error).startswith(beginnings):
        raise AssertionError("this is not said in our words") from error


def use(estimator, path):
    """Do with it what one does; all that it may raise is ValueError."""
    repr(estimator)
    Xs, y = samples(estimator)
    methods = ["predict", "predict_proba", "hidden_activations", "input_gradient"]
    for name in methods:
        with suppress(ValueError):
            if hasattr(estimator, name):
                result = getattr(estimator, name)(Xs)
                assert len(result) == 6 or name == "hidden_activations"
    skmlp.save(estimator, path)
    skmlp.load(path)
    before = bits(estimator)
    if hasattr(estimator, "partial_fit"):
        for _ in range(2):
            try:
                estimator.partial_fit(Xs, y)
            except ValueError:
                assert bits(estimator) == before
                return "used, and not trained"
            before = bits(estimator)
        skmlp.save(estimator, path)
        return "used and trained"
    return "used"


@fuzz
@given(st.sampled_from(MODELS), MUTATIONS, st.sampled_from(["numpy", "auto", None]))
def check_models(directory, outcomes, training, mutations, engine):
    path = directory / "forged"
    if not forged(path, training.model(directory), mutations):
        outcomes["not a change"] += 1
        return
    try:
        estimator = skmlp.load(path)
    except ValueError as error:
        check_message(error, REFUSED, path)
        outcomes["refused"] += 1
        return
    if engine is not None:
        estimator.set_params(engine=engine)
    outcomes[use(estimator, path)] += 1


def test_forged_models_raise_or_can_be_used(tmp_path):
    outcomes: Counter = Counter()
    check_models(tmp_path, outcomes)
    report("forged models", outcomes)
    assert outcomes["refused"] > 0.2 * N_CASES
    assert outcomes["used and trained"] > 0.1 * N_CASES


@fuzz
@given(st.sampled_from(RESUMED), MUTATIONS, st.sampled_from(["numpy", "auto"]))
def check_checkpoints(directory, outcomes, training, mutations, engine):
    path = directory / "forged"
    if not forged(path, training.checkpoint(directory), mutations):
        outcomes["not a change"] += 1
        return
    estimator = training.estimator(max_iter=4, engine=engine)
    before, own = bits(estimator), estimator.callbacks
    try:
        estimator.fit(X, training.y, resume_from=path)
    except ValueError as error:
        assert bits(estimator) == before
        diverged = str(error).startswith(DIVERGED)
        outcomes["diverged" if diverged else "refused"] += 1
        if not diverged:
            check_message(error, REFUSED_TO_RESUME, path)
        return
    assert own is estimator.callbacks
    estimator.set_params(early_stopping=False, callbacks=None)
    outcomes[use(estimator, path)] += 1


def test_forged_checkpoints_raise_or_can_be_resumed(tmp_path):
    outcomes: Counter = Counter()
    check_checkpoints(tmp_path, outcomes)
    report("forged checkpoints", outcomes)
    assert outcomes["refused"] > 0.2 * N_CASES
    assert outcomes["used and trained"] > 0.05 * N_CASES


# Files that are damaged.

DAMAGES = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "insert", "erase", "repeat"]),
        st.floats(0, 1),
        st.integers(1, 255),
        st.integers(1, 40),
    ),
    min_size=1,
    max_size=4,
)


def damage(data, how, where, byte, length):
    at = int(where * (len(data) - 1))
    if how == "flip":
        return data[:at] + bytes([data[at] ^ byte]) + data[at + 1 :]
    if how == "cut":
        return data[:at] or b"P"
    if how == "insert":
        return data[:at] + bytes([byte]) * length + data[at:]
    if how == "erase":
        return data[:at] + data[at + length :] or b"P"
    return data[:at] + data[at : at + length] + data[at:]


@fuzz
@given(st.sampled_from(MODELS), DAMAGES, st.booleans(), st.binary(max_size=200))
def check_damaged(directory, outcomes, training, damages, is_signed, noise):
    path = directory / "damaged"
    document, arrays = training.model(directory)
    if noise and len(noise) % 8 == 0:
        data = b"PK\x03\x04" + noise
    else:
        forge(path, document, arrays)
        data = path.read_bytes()
        end = data.index(b"PK\x01\x02")
        # The checksum stays at the end.
        body, tail = data[:-71], data[-71:]
        for how, where, byte, length in damages:
            if byte % 2:  # in the archive's directory, which is at the end
                body = body[:end] + damage(body[end:] or b"P", how, where, byte, length)
            else:
                body = damage(body, how, where, byte, length)
        data = body + tail
    path.write_bytes(data)
    if is_signed and len(data) > 80:
        with open(path, "r+b") as file:
            archive._sign(file)
    try:
        estimator = skmlp.load(path)
    except ValueError as error:
        check_message(error, REFUSED, path)
        outcomes["refused"] += 1
    else:
        outcomes[use(estimator, path)] += 1


def test_damaged_files_raise(tmp_path):
    outcomes: Counter = Counter()
    check_damaged(tmp_path, outcomes)
    report("damaged", outcomes)
    assert outcomes["refused"] > 0.8 * N_CASES


# What the above has found.


def change_model(tmp_path, change, training=TRAININGS[0]):
    """Load a model that has been changed."""
    document, arrays = deepcopy(training.model(tmp_path))
    change(document["content"], arrays)
    forge(tmp_path / "forged", document, arrays)
    return skmlp.load(tmp_path / "forged")


def resume(tmp_path, training, change):
    """Go on from a checkpoint that has been changed."""
    document, arrays = deepcopy(training.checkpoint(tmp_path))
    change(document["content"], arrays)
    forge(tmp_path / "forged", document, arrays)
    estimator = training.estimator(max_iter=4)
    return estimator.fit(X, training.y, resume_from=tmp_path / "forged")


def test_headers_that_python_cannot_read_raise(tmp_path):
    def unclosed(content, arrays):
        name = next(iter(arrays))
        arrays[name] = member(arrays[name]).replace(b")", b"(", 1)

    with pytest.raises(ValueError, match="has a malformed header"):
        change_model(tmp_path, unclosed)


def test_members_before_the_file_raise(tmp_path):
    """The directory says where they begin, counted from what it says of itself."""
    path = tmp_path / "file"
    forge(path, *TRAININGS[0].model(tmp_path))
    data = path.read_bytes()
    path.write_bytes(data[:200] + data[220:])
    with open(path, "r+b") as file:
        archive._sign(file)
    with pytest.raises(ValueError, match="members claim to be before the file"):
        skmlp.load(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("t_", -1, "its t_ is -1"),
        ("n_iter_", 2**64, "its n_iter_ is 18446744073709551616"),
        ("best_loss_", 10**400, "malformed .*OverflowError"),
        ("loss_curve_", [1.0], "its history_ has 2 epochs in loss"),
        ("loss_curve_", [None], "a number in its loss_curve_ is None"),
        ("history_", {"kind": "dict", "items": []}, "its history_ has other entries"),
        ("validation_scores_", ["a"], "a number in its validation_scores_ is 'a'"),
        ("feature_names_in_", {"kind": "object array", "items": [1, 2, 3]}, "names 3"),
        ("classes_", {"kind": "object array", "items": ["b", "a"]}, "2 classes of"),
        ("classes_", {"kind": "object array", "items": ["a", "a"]}, "2 classes of"),
        ("classes_", {"kind": "object array", "items": [1, "a"]}, "malformed"),
    ],
)
def test_attributes_from_which_training_cannot_continue(tmp_path, name, value, message):
    def change(content, arrays):
        content["attributes"][name] = value

    with pytest.raises(ValueError, match=f"cannot be loaded as a model: .*{message}"):
        change_model(tmp_path, change)


@pytest.mark.parametrize("name", ["coefs_", "loss_curve_", "history_"])
def test_attributes_that_are_missing(tmp_path, name):
    """Any of the others would let it pass for fitted."""

    def change(content, arrays):
        del content["attributes"][name]

    with pytest.raises(ValueError, match="cannot be loaded as a model: it"):
        change_model(tmp_path, change)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("t", -1),
        ("t", 2**63),
        ("epoch", 0.5),
        ("learning_rate", 10**400),
        ("mu_product", 1.5),
    ],
)
def test_states_of_optimizers_that_there_are_not(tmp_path, name, value):
    training = TRAININGS[4]  # by NAdam

    def change(state):
        next(item for item in state["items"] if item[0] == name)[1] = value

    def change_optimizer(content, arrays):
        change(content["attributes"]["_optimizer"]["state"])

    with pytest.raises(ValueError, match="cannot be loaded as a model: "):
        change_model(tmp_path, change_optimizer, training)
    with pytest.raises(ValueError, match=r"resume_from=.* cannot be resumed: "):
        resume(tmp_path, training, lambda content, _: change(content["optimizer"]))


@pytest.mark.parametrize(
    ("number", "changes", "message"),
    [
        (0, {"best_loss": None}, "its best_loss does not fit"),
        (2, {"best_validation_score": None}, "its best_validation_score does not fit"),
        (0, {"no_improvement_count": -1}, "no_improvement_count is -1"),
        (0, {"t": 2**64}, "t is 18446744073709551616"),
        (0, {"validation_scores": [None]}, "a number in its validation_scores is None"),
        (2, {"rows": None, "val_rows": None}, "its validation set has other rows"),
        (2, {"rows": None}, "its validation set has other rows"),
        # The order would be shorter than the batches that are taken from it.
        (
            0,
            {"val_rows": {"kind": "array", "array": "a"}},
            "its validation set has other rows",
        ),
    ],
)
def test_checkpoints_from_which_training_cannot_continue(
    tmp_path, number, changes, message
):
    def change(content, arrays):
        content.update(changes)
        arrays["a"] = np.arange(4)
        if "val_rows" in changes and "rows" not in changes:
            arrays[content["rows"]["array"]] = np.arange(8)

    with pytest.raises(ValueError, match=f"cannot be resumed: .*{message}"):
        resume(tmp_path, TRAININGS[number], change)


def test_callbacks_that_remember_another_network(tmp_path):
    def change(content, arrays):
        name = next(name for name in arrays if name.endswith("_best_theta/flat"))
        arrays[name] = arrays[name][:-1]

    with pytest.raises(ValueError, match=r"resume_from=.* cannot be resumed: "):
        resume(tmp_path, TRAININGS[-1], change)

    def change_gradient(content, arrays):
        name = next(name for name in arrays if name.endswith("_previous"))
        arrays[name] = np.ones(3)

    with pytest.raises(ValueError, match="WeightRecorder is of another network"):
        resume(tmp_path, TRAININGS[-1], change_gradient)


@pytest.mark.parametrize("value", [None, "junk", 10**400])
def test_callbacks_whose_state_cannot_be_stored(tmp_path, value):
    def change(content, arrays):
        early_stopping = content["callbacks"][0]["items"][1]
        next(i for i in early_stopping["items"] if i[0] == "best_")[1] = value

    with pytest.raises(ValueError, match=r"resume_from=.* cannot be resumed: "):
        resume(tmp_path, TRAININGS[-1], change)


def test_a_parameter_in_float32_and_data_in_float64():
    """NumPy compares in float32, in which the bounds of float64 overflow."""
    MLPRegressorScratch(loss="huber", huber_delta=np.float32(1), max_iter=1).fit(X, Z)
