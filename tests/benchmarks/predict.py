"""Measure the time of predictions and of short fits, compared with scikit-learn.

The benchmark is not run by pytest. It prints Markdown tables with ratios and marks
those that miss their target::

    python tests/benchmarks/predict.py               # all, in about 4 minutes
    python tests/benchmarks/predict.py --rows 1 1000 --engine numpy
    python tests/benchmarks/predict.py --method score
    python tests/benchmarks/predict.py > docs/predictions.md

The libraries take turns. Before each measurement there is a pause, because the threads
of BLAS keep a core busy for some milliseconds after a product. Use an idle machine.
"""

import argparse
import warnings
from functools import partial

import numpy as np
import scipy.sparse
from compare import cpu, table_head, table_line, versions
from sklearn.neural_network import MLPClassifier
from timing import forward_products, median_time

from skmlp import MLPClassifierScratch

CASES = {
    "20-100-1 relu": (20, (100,), "relu", 2),
    "50-256-128-1 relu": (50, (256, 128), "relu", 2),
    "784-800-10 relu": (784, (800,), "relu", 10),
    "10-64-64-1 tanh": (10, (64, 64), "tanh", 2),
}
TARGETS = {1: 2.0, 1000: 1.3, 10_000: 1.5, 100_000: 1.5}
"""Minimum ratio of scikit-learn's time to skmlp's, by the number of rows."""

SPARSE = 0.95
"""Minimum ratio for sparse samples. Both libraries compute the products with SciPy."""

MICROSECONDS = {"partial_fit": 150, "fit": 300}
"""Maximum times of an update and of a fit of one epoch on an array of shape (50, 4)."""

INTRODUCTION = """\
# Prediction time

This page compares the times of predictions and of short fits of skmlp and scikit-learn.
It is printed by `python tests/benchmarks/predict.py`, which has the targets. "ratio" is
the time of scikit-learn divided by the time of skmlp. "skmlp / products" is the time of
skmlp divided by the time of the matrix products alone, which NumPy computes with its
BLAS. It is less than 1 if the products of skmlp are faster."""


def compare(functions, n_turns):
    """Return the medians over turns of the times of several functions."""
    turns = [[median_time(function) for function in functions] for _ in range(n_turns)]
    return np.median(turns, axis=0)


def mark(text, is_missed):
    """Return the text of a cell, with a mark if the target is missed."""
    return f"{text} (missed)" if is_missed else text


def microseconds(seconds):
    return f"{seconds * 1e6:.0f} µs"


def measure_predictions(rows, method, engine, n_turns):
    """Print the table of predictions. Return the number of missed targets."""
    print(f"\n## {method}\n")
    header = ["network", "dtype", "rows", "scikit-learn", "skmlp", "ratio", "target"]
    print(*table_head(*header, "skmlp / products"), sep="\n")
    n_missed = 0
    for name, (n_features, hidden, activation, n_classes) in CASES.items():
        for dtype in ("float32", "float64"):
            rng = np.random.RandomState(0)
            X = rng.randn(300, n_features).astype(dtype)
            y = rng.randint(n_classes, size=300)
            parameters = {"activation": activation, "max_iter": 2, "random_state": 0}
            peer = MLPClassifier(hidden, **parameters).fit(X, y)
            clf = MLPClassifierScratch(hidden, engine=engine, **parameters).fit(X, y)
            for n in rows:
                X = rng.randn(n, n_features).astype(dtype)
                arguments = (X,)
                if method == "score":
                    arguments = X, rng.randint(n_classes, size=n)
                theirs, ours, floor = compare(
                    [
                        partial(getattr(peer, method), *arguments),
                        partial(getattr(clf, method), *arguments),
                        partial(forward_products, clf.coefs_, X),
                    ],
                    n_turns,
                )
                target = TARGETS.get(n, 1.0)
                is_missed = round(theirs / ours, 2) < target
                n_missed += is_missed
                times = microseconds(theirs), microseconds(ours)
                ratio = mark(f"{theirs / ours:.2f}", is_missed)
                cells = [name, dtype, n, *times, ratio, target, f"{ours / floor:.2f}"]
                print(table_line(cells), flush=True)
    return n_missed


def measure_sparse(rows, engine, n_turns):
    """Print the table of predictions of sparse samples. Return the missed targets."""
    print(
        "\n## predict_proba of sparse samples (5000 features, 2 % of them not zero)\n"
    )
    print(*table_head("rows", "scikit-learn", "skmlp", "ratio", "target"), sep="\n")
    rng = np.random.RandomState(0)
    X = scipy.sparse.random(max(rows), 5000, 0.02, "csr", random_state=rng)
    y = rng.randint(3, size=500)
    peer = MLPClassifier(max_iter=1).fit(X[:500], y)
    clf = MLPClassifierScratch(max_iter=1, engine=engine).fit(X[:500], y)
    n_missed = 0
    for n in rows:
        calls = [partial(e.predict_proba, X[:n]) for e in (peer, clf)]
        theirs, ours = compare(calls, n_turns)
        is_missed = theirs < SPARSE * ours
        n_missed += is_missed
        times = microseconds(theirs), microseconds(ours)
        ratio = mark(f"{theirs / ours:.2f}", is_missed)
        print(table_line([n, *times, ratio, SPARSE]), flush=True)
    return n_missed


def measure_short_fits(engine, n_turns):
    """Print the table of short fits. Return the number of missed targets."""
    rng = np.random.RandomState(0)
    X, y = rng.randn(50, 4), rng.randint(3, size=50)
    print("\n## partial_fit and fit of one epoch on an array of shape (50, 4)\n")
    print(*table_head("call", "scikit-learn", "skmlp", "ratio", "target"), sep="\n")
    estimators = [
        MLPClassifier(max_iter=1, random_state=0),
        MLPClassifierScratch(max_iter=1, random_state=0, engine=engine),
    ]
    n_missed = 0
    for method, target in MICROSECONDS.items():
        calls = [partial(getattr(e.fit(X, y), method), X, y) for e in estimators]
        theirs, ours = compare(calls, n_turns)
        is_missed = ours * 1e6 > target
        n_missed += is_missed
        times = microseconds(theirs), mark(microseconds(ours), is_missed)
        print(table_line([method, *times, f"{theirs / ours:.2f}", f"{target} µs"]))
    return n_missed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="*", default=list(TARGETS))
    parser.add_argument("--method", default="predict_proba")
    parser.add_argument("--engine", default="auto", choices=["auto", "numpy"])
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(INTRODUCTION)
    n_missed = measure_predictions(
        arguments.rows, arguments.method, arguments.engine, arguments.turns
    )
    n_missed += measure_sparse([1, 1000, 10_000], arguments.engine, arguments.turns)
    n_missed += measure_short_fits(arguments.engine, arguments.turns)
    print("\n## Machine\n")
    print(f"Medians on {cpu()}, with {versions(['skmlp', 'sklearn'])}.")
    print(f"{n_missed} targets were missed.")


if __name__ == "__main__":
    main()
