"""How many threads a computation uses.

The engine shares large steps out among threads of its own, each of which calls BLAS:
BLAS's own threads would only be in their way. Where the user trains several estimators
at once, in several threads, these share the processor's cores.
"""

import math
from collections import Counter
from contextlib import contextmanager
from functools import cache
from threading import Lock, get_ident
from typing import Any

from threadpoolctl import ThreadpoolController

from skmlp._sklearn import _openmp_effective_n_threads

# Multiplications in a task below which threads cost more than they bring, and in a
# matrix product that no BLAS shares out among threads (OpenBLAS's bound is 2^18).
_WORTH_SHARING = 2e6
_BLAS_SHARES = 2**17

is_fixed = False
"""Whether the engine always uses `n_threads`, and not fewer where these are faster.

For tests and benchmarks.
"""

_lock = Lock()
_running: Counter = Counter()  # computations, by the user's thread
_n_limiting = 0
_limit: Any = None


@cache
def _controller():
    return ThreadpoolController().select(user_api="blas")


def _take_control():
    """Let this thread set what holds for the whole process.

    From 3.8 on, threadpoolctl silently ignores every thread but the first that has
    set the number of OpenBLAS's threads, as long as that one lives.
    """
    for library in _controller().lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)


@contextmanager
def running(multiplications=math.inf):
    """The context of a computation, in which BLAS keeps to one thread.

    The setting is one for the whole process: the first computation to begin makes it,
    and the last to end takes it back.

    Parameters
    ----------
    multiplications : int, default=inf
        Those in the largest matrix product. The setting is not made for products so
        small that BLAS keeps to one thread anyway.
    """
    global _n_limiting, _limit
    me, limiting = get_ident(), multiplications > _BLAS_SHARES
    with _lock:
        if limiting and _n_limiting == 0:
            _take_control()
            _limit = _controller().limit(limits=1)
        _n_limiting += limiting
        _running[me] += 1
    try:
        yield
    finally:
        with _lock:
            _running[me] -= 1
            if not _running[me]:
                del _running[me]
            _n_limiting -= limiting
            if limiting and _n_limiting == 0:
                _take_control()  # it may be another thread than the first
                _limit.restore_original_limits()
                _limit = None
                _take_control()  # and leave it to whoever comes


def n_threads(multiplications):
    """Number of threads for a task of so many multiplications.

    Like scikit-learn's own, it heeds `OMP_NUM_THREADS` and `threadpool_limits`.
    """
    if multiplications < _WORTH_SHARING:
        return 1
    return max(1, _openmp_effective_n_threads() // max(1, len(_running)))
