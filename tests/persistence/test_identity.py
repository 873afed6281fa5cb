"""Tests of how trainings are told apart."""

import json
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.metrics import fbeta_score, make_scorer

from skmlp import MLPClassifierScratch
from skmlp.core.activations import LeakyReLU
from skmlp.persistence.identity import describe, fingerprint


class Plain:
    """Has the representation that has an address."""

    def __init__(self, **attributes):
        vars(self).update(attributes)


def scaled(x, by=2.0):
    return x * by


def closure(scale):
    return lambda x: x * scale


@pytest.mark.parametrize(
    ("value", "same", "other"),
    [
        (1, 1.0, 2),
        (0.1, np.float64(0.1), np.float32(0.1)),
        (True, True, 1),
        ((8, 4), [8, 4], (4, 8)),
        ([8], np.array([8]), [9]),
        (np.float32, "float32", np.float64),
        (np.dtype("float64"), np.float64, "float32"),
        (np.inf, float("inf"), -np.inf),
        ({0: 1.0, 1: 2.0}, {0: 1, 1: 2}, {0: 1.0, 1: 3.0}),
        (scaled, scaled, closure),
        (partial(scaled, by=2), partial(scaled, by=2), partial(scaled, by=3)),
        (closure(2), closure(2), closure(3)),
        (Plain(a=1), Plain(a=1), Plain(a=2)),
        (Plain(a=Plain(b=1)), Plain(a=Plain(b=1)), Plain(a=Plain(b=2))),
        (LeakyReLU(0.1), LeakyReLU(0.1), LeakyReLU(0.2)),
        (
            make_scorer(partial(fbeta_score, beta=2)),
            make_scorer(partial(fbeta_score, beta=2)),
            make_scorer(fbeta_score, beta=2),
        ),
        (np.random.RandomState(0), np.random.RandomState(1), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_equal_and_different_columns(value, same, other):
    description = describe(value)
    assert json.loads(json.dumps(description, allow_nan=False)) == description
    assert description == describe(same)
    if value is not True:  # equal to 1 for JSON's readers in Python
        assert description != describe(other)


def test_an_object_that_has_itself_is_described():
    plain = Plain()
    plain.itself = plain
    assert describe(plain) == describe(plain)


def test_descriptions_have_no_addresses():
    """They are those of another process, too."""
    code = (
        "from functools import partial; from sklearn.metrics import *\n"
        "from skmlp.persistence.identity import describe\n"
        "print(describe([partial(f1_score, average='macro'),"
        " make_scorer(partial(f1_score, average='macro')), len, object()]))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in "12"
    }
    assert len(outputs) == 1
    assert "0x" not in outputs.pop()


def test_fingerprints():
    """Of values, shape, dtype and order; not of how much is read at a time."""
    X = np.random.RandomState(0).normal(size=(3_000, 500))
    prints = [
        fingerprint(X),
        fingerprint(X[:-1]),
        fingerprint(X.astype(np.float32)),
        fingerprint(np.asfortranarray(X)),
        fingerprint(X[:, ::2]),
        fingerprint(X.reshape(500, 3_000)),
        fingerprint(csr_array(X)),
        fingerprint(X, "more"),
    ]
    X[-1, -1] += 1
    prints.append(fingerprint(X))
    assert len(set(prints)) == len(prints)
    assert fingerprint(X) == fingerprint(X.copy())
    sparse = csr_array(X > 1, dtype=float)
    wide = csr_array(sparse)
    wide.indices, wide.indptr = wide.indices.astype("l"), wide.indptr.astype("l")
    assert fingerprint(wide) == fingerprint(sparse)
    assert fingerprint(None) is None
    assert fingerprint(np.empty((0, 3))) != fingerprint(np.empty((3, 0)))


def test_a_million_samples_are_read_in_small_parts():
    """So that a memory map is never in memory as a whole."""
    import tracemalloc

    X = np.zeros((100_000, 50))
    tracemalloc.start()
    fingerprint(X[:, ::-1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 3


def test_custom_class_is_described_by_its_name():
    assert (
        describe(MLPClassifierScratch)
        == "skmlp.estimators.classifier.MLPClassifierScratch"
    )
