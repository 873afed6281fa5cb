"""Number of threads of a computation.

The engine divides large steps among its own threads, each of which may call BLAS. The
threads of BLAS would compete with them, and are not used. Estimators that are trained
at the same time, in several threads, share the cores of the processor.
"""

import ctypes
import math
import os
from contextlib import contextmanager
from functools import cache
from threading import RLock

from threadpoolctl import ThreadpoolController

from skmlp import compiled
from skmlp._sklearn import _openmp_effective_n_threads

if compiled.UNAVAILABLE is None:
    from skmlp.compiled._engine import (
        Computation,
        RunningThreads,
        after_fork_in_child,
        after_fork_in_parent,
        before_fork,
        blas_shares,
        set_blas_libraries,
    )

# Number of multiplications in a task below which threads are slower.
_WORTH_SHARING = 2e6
WORTH_TRYING = 2e5  # for repeated steps, whose times are measured

is_fixed = False
"""Whether the engine always uses `n_threads`, even if fewer threads are faster.

Tests and benchmarks set it.
"""

# Names of the functions that get and set the number of threads, by the names of the
# libraries in threadpoolctl. Builds of OpenBLAS can have a prefix or a suffix.
_FUNCTIONS: dict[str, list] = {
    "openblas": [
        tuple(f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in ("get", "set"))
        for prefix in ("", "scipy_")
        for suffix in ("", "64_", "_64")
    ],
    "mkl": [("MKL_Get_Max_Threads", "MKL_Set_Num_Threads")],
    "blis": [("bli_thread_get_num_threads", "bli_thread_set_num_threads")],
    "flexiblas": [("flexiblas_get_num_threads", "flexiblas_set_num_threads")],
}
_OPENMP = ("omp_get_max_threads", "omp_set_num_threads")


@cache
def _blas_functions():
    """Return the functions that get and set the number of threads of each BLAS library.

    They are called directly, because threadpoolctl 3.8 and later ignores all threads
    except the first one that has set the number of threads of OpenBLAS.

    The libraries are searched once per process. No lock is held during the search, so
    that a child process that is forked during it can repeat it.

    Returns
    -------
    functions : list of (int, int)
        Addresses of the two functions of each library.
    """
    functions = []
    for library in ThreadpoolController().select(user_api="blas").lib_controllers:
        choices = _FUNCTIONS.get(library.internal_api, [])
        if getattr(library, "threading_layer", None) == "openmp":
            choices = [_OPENMP, *choices]
        for names in choices:
            if all(hasattr(library.dynlib, name) for name in names):
                pointers = [getattr(library.dynlib, name) for name in names]
                functions.append(
                    tuple(ctypes.cast(p, ctypes.c_void_p).value for p in pointers)
                )
                break
    return functions


def _running_compiled(multiplications=math.inf):
    """Return the context of a computation, in which BLAS uses one thread.

    The setting applies to the whole process. The first computation that begins changes
    it, and the last one that ends restores it. A number of threads that other code sets
    in the meantime is kept, but the engine computes its products on one thread.

    A computation ends at the latest when its context is deleted. Therefore an
    exception, for example of a signal handler, cannot leave it running.

    Parameters
    ----------
    multiplications : int, default=inf
        Number of multiplications in the largest matrix product. The setting is not
        changed if BLAS uses one thread for products of this size.

    Returns
    -------
    context : context manager
    """
    holds_blas = blas_shares(multiplications)
    if holds_blas:
        set_blas_libraries(_blas_functions())
    return Computation(holds_blas)


# Without the extension, only initial weights are computed with one thread of BLAS, by
# one thread of Python at a time.

_lock = RLock()
_held: list = []  # functions that set the numbers of threads, and the former numbers


def _release():
    while _held:
        set_number, number = _held[-1]
        set_number(number)
        _held.pop()


@contextmanager
def _running_in_python(multiplications=math.inf):
    """Use one thread of BLAS in a block of code, which one thread runs at a time.

    It replaces `_running_compiled` if there is no extension.
    """
    with _lock:
        _release()  # in case that an exception has interrupted it before
        try:
            for get_address, set_address in _blas_functions():
                get_number = ctypes.CFUNCTYPE(ctypes.c_int)(get_address)
                set_number = ctypes.CFUNCTYPE(None, ctypes.c_int)(set_address)
                _held.append((set_number, get_number()))
                set_number(1)
            yield
        finally:
            _release()


def _release_in_child():
    global _lock
    _lock = RLock()
    _release()


if compiled.UNAVAILABLE is None:
    running = _running_compiled
    _running = RunningThreads()
    _at_fork = {
        "before": before_fork,
        "after_in_parent": after_fork_in_parent,
        "after_in_child": after_fork_in_child,
    }
else:
    running = _running_in_python
    _running = ()
    _at_fork = {"after_in_child": _release_in_child}

if hasattr(os, "register_at_fork"):
    os.register_at_fork(**_at_fork)


def n_threads(multiplications, worth_sharing=_WORTH_SHARING):
    """Return the maximum number of threads for a task.

    As in scikit-learn, it is limited by `OMP_NUM_THREADS` and `threadpool_limits`.
    """
    if multiplications < worth_sharing:
        return 1
    return max(1, _openmp_effective_n_threads() // max(1, len(_running)))
