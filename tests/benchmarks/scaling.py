"""Measure how time and memory grow with the data and the network.

The benchmark is not run by pytest. It prints a page in Markdown::

    python tests/benchmarks/scaling.py > docs/scaling.md     # in about a minute
    python tests/benchmarks/scaling.py --quick               # to test the benchmark

In each table, one size varies and the others have the values of `BASE`. Use an idle
machine.
"""

import argparse
import time
import tracemalloc
import warnings
from functools import partial

import numpy as np
from compare import cpu, table_head, table_line, versions
from timing import PAUSE, forward_products, median_time

from skmlp import MLPRegressorScratch

BASE = {"rows": 10_000, "features": 20, "layers": 1, "units": 100}
SIZES = {
    "rows": [1000, 10_000, 100_000, 1_000_000],
    "features": [10, 30, 100, 300, 1000],
    "layers": [1, 2, 3],
    "units": [16, 64, 256, 1024, 2048],
}
BATCH_SIZE = 200

INTRODUCTION = f"""\
# Scaling

This page shows how time and memory grow with the number of rows, features, layers and
units. It is printed by `python tests/benchmarks/scaling.py`. In each table, one size
varies. The others are {BASE["rows"]} rows, {BASE["features"]} features and one hidden
layer of {BASE["units"]} units.

The network is an `MLPRegressorScratch` in float32 with relu and Adam, and batches of
{BATCH_SIZE} samples. "/ products" is the time divided by the time of the matrix
products alone, which NumPy computes. It is greater if the products are small, because
other operations and the start of threads then take a larger part of the time. It can be
less than 1, because NumPy allocates the results, and its BLAS can be slower than the
products of skmlp. The memory is the maximum that is allocated in addition to the
arguments, without the result of `predict`.

Two lines are not straight. An epoch takes more time per row if `X` is larger than the
cache, because the rows are read in random order. Layers of 1024 and 2048 units take
more time per unit than their neighbors, because rows of a power of two share few sets
of the cache. A layer of 1040 units is faster."""


def peak_memory(function):
    """Return the maximum memory in MB that a call allocates."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def step_products(coefs, A, deltas):
    """Compute the matrix products of a training step."""
    for l, W in enumerate(coefs):
        A[l] @ W
        A[l].T @ deltas[l]
        if l > 0:
            deltas[l] @ W.T


def time_of_step_products(coefs):
    """Return the time of the matrix products of a step."""
    n = BATCH_SIZE
    A = [np.ones((n, W.shape[0]), np.float32) for W in coefs]
    deltas = [np.ones((n, W.shape[1]), np.float32) for W in coefs]
    return median_time(partial(step_products, coefs, A, deltas))


def measure(rows, features, layers, units):
    """Return the cells of a row of a table."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal((rows, features)).astype(np.float32)
    y = X[:, 0]
    n_epochs = 10 if rows * units * features > 1e8 else 50
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(units,) * layers,
        batch_size=BATCH_SIZE,
        max_iter=n_epochs,
        n_iter_no_change=n_epochs,
        random_state=0,
    )
    time.sleep(PAUSE)
    reg.fit(X, y)
    epoch = float(np.median(reg.history_["seconds"]))
    n_steps = rows / BATCH_SIZE
    prediction = median_time(lambda: reg.predict(X))
    floor = median_time(partial(forward_products, reg.coefs_, X))
    reg.set_params(max_iter=1)
    result = X.itemsize * rows / 1e6
    return [
        f"{epoch:.3g} s",
        f"{1e6 * epoch / rows:.3g} µs",
        f"{epoch / (n_steps * time_of_step_products(reg.coefs_)):.2f}",
        f"{peak_memory(lambda: reg.fit(X, y)):.3g} MB",
        f"{1e6 * prediction / rows:.3g} µs",
        f"{prediction / floor:.2f}",
        f"{max(0.0, peak_memory(lambda: reg.predict(X)) - result):.3g} MB",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    warnings.simplefilter("ignore")
    print(INTRODUCTION)
    header = ["epoch", "epoch per row", "/ products", "memory of fit"]
    header += ["predict per row", "/ products", "memory of predict"]
    for name, sizes in SIZES.items():
        print(f"\n## {name.capitalize()}\n")
        print(*table_head(name, *header), sep="\n")
        for size in sizes[:1] if quick else sizes:
            cells = measure(**{**BASE, name: size})
            print(table_line([size, *cells]), flush=True)
    print("\n## Machine\n")
    print(f"Medians on {cpu()}, with {versions(['skmlp'])}.")


if __name__ == "__main__":
    main()
