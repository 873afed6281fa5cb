"""Fork at random moments while another thread fits, and report about the children.

Arguments: the number of forks, and a seed. Each child draws from NumPy's
global generator, fits and predicts. A line for each is printed: "ok", or what is wrong.
"""

import os
import random
import signal
import sys
import threading
import time
import warnings

import numpy as np
from threadpoolctl import ThreadpoolController

from skmlp import MLPClassifierScratch
from skmlp.compiled import threads

LIMIT = 20  # seconds after which a child counts as hanging
X = np.random.default_rng(0).normal(size=(400, 40))
y = (X[:, 0] > 0).astype(int)
PARAMS = {"hidden_layer_sizes": (100,), "engine": "compiled", "max_iter": 30}


def blas_threads():
    blas = ThreadpoolController().select(user_api="blas")
    return [library.num_threads for library in blas.lib_controllers]


def check(before):
    """Fail unless a child can do everything, with all of BLAS's threads."""
    assert len(threads._running) == 0, "a fit of the parent counts as running"
    assert blas_threads() == before, f"BLAS has {blas_threads()} threads"
    np.random.mtrand._rand.random_sample(3)
    MLPClassifierScratch(**PARAMS | {"max_iter": 2}).fit(X, y).predict(X)
    assert len(threads._running) == 0, "a fit of the child counts as running"
    assert blas_threads() == before, f"BLAS has {blas_threads()} threads after a fit"


def fork(before):
    """Fork a child that checks, and print what comes of it."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LIMIT)  # ends the child, even if it hangs in C
        try:
            check(before)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        print("the child hangs", flush=True)
    elif status == 0:
        print("ok", flush=True)


def main(n_forks, seed):
    warnings.simplefilter("ignore")
    random.seed(seed)
    before = blas_threads()
    stop = threading.Event()

    def work():
        while not stop.is_set():
            MLPClassifierScratch(**PARAMS).fit(X, y)

    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(n_forks):
        time.sleep(random.uniform(0, 0.01))
        fork(before)
    stop.set()
    thread.join()
    print("the parent has BLAS's threads back:", blas_threads() == before)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
