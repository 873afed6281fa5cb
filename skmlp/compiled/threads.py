"""How many threads a computation uses.

The engine shares large steps out between threads of its own, each of which calls
BLAS: BLAS's threads would only be in their way. And where several estimators are
trained at once, in threads of the user's, they share the processor's cores.
"""

from collections import Counter
from contextlib import contextmanager
from functools import cache
from threading import Lock, get_ident

from threadpoolctl import ThreadpoolController

from skmlp._sklearn import _openmp_effective_n_threads

# Multiplications of a task below which threads cost more than they bring.
_WORTH_SHARING = 2e6

_lock = Lock()
_running: Counter = Counter()  # by the thread of the user's
_limit = None


@cache
def _controller():
    return ThreadpoolController().select(user_api="blas")


def _take_control():
    """Let this thread set what is the whole process's.

    threadpoolctl 3.8 and later silently ignore every thread but the first that has
    set a number of OpenBLAS's threads, as long as that one lives.
    """
    for library in _controller().lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)


@contextmanager
def running():
    """Within this context a computation runs, and BLAS keeps to one thread.

    The setting is one for the whole process: the first to come makes it, and the
    last to go takes it back.
    """
    global _limit
    me = get_ident()
    with _lock:
        if not _running:
            _take_control()
            _limit = _controller().limit(limits=1)
        _running[me] += 1
    try:
        yield
    finally:
        with _lock:
            _running[me] -= 1
            if not _running[me]:
                del _running[me]
            if not _running:
                _take_control()  # it may be another thread than the first
                _limit.restore_original_limits()
                _limit = None
                _take_control()  # and leave it to whoever comes


def n_threads(multiplications):
    """Number of threads for a task of so many multiplications.

    As scikit-learn's own, they heed `OMP_NUM_THREADS` and `threadpool_limits`.
    """
    if multiplications < _WORTH_SHARING:
        return 1
    return max(1, _openmp_effective_n_threads() // max(1, len(_running)))
