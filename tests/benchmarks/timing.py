"""Times of calls in a process, and the matrix products to compare them with."""

import time

import numpy as np

PAUSE = 0.1  # seconds, in which the threads of BLAS go to sleep


def median_time(function, seconds=0.2):
    """Return the median time of a call in seconds, after a pause and a first call."""
    time.sleep(PAUSE)
    function()
    times: list = []
    stop = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < stop:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def forward_products(coefs, X):
    """Compute the matrix products of a prediction."""
    A = X
    for W in coefs:
        A = A @ W
