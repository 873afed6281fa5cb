"""Train with checkpoints, again and again, and be killed on the way.

A script that the tests run: it imports skmlp once, and forks a process for each
training, which it kills. What it prints is for `test_killed.py`.
"""

import json
import os
import random
import signal
import sys
import time
import warnings
from itertools import count

import numpy as np
from sklearn.datasets import make_classification, make_regression

import skmlp
from skmlp import MLPClassifierScratch, MLPRegressorScratch, compiled
from skmlp.callbacks import Checkpoint, EarlyStopping, WeightRecorder
from skmlp.persistence import archive

X, y = make_classification(
    200, n_features=8, n_informative=5, n_classes=3, flip_y=0.3, random_state=0
)
X_reg, y_reg = make_regression(200, n_features=8, noise=10.0, random_state=0)
X_reg, y_reg = X_reg.astype(np.float32), (y_reg / y_reg.std()).astype(np.float32)

ENGINES = ["numpy"] if compiled.UNAVAILABLE else ["numpy", "compiled"]
CLASSIFIERS = [
    {"solver": "adam", "dropout": 0.3, "early_stopping": True},
    {"solver": "adam", "batch_norm": True, "learning_rate": "cosine"},
    {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 2},
    {
        "solver": "sgd",
        "dropout": 0.2,
        "input_dropout": 0.1,
        "batch_norm": True,
        "early_stopping": True,
        "learning_rate": "invscaling",
    },
    {"solver": "nadam", "l1_ratio": 0.5, "alpha": 1.0, "frozen_layers": [0]},
    {"solver": "armijo", "batch_norm": True},
]
REGRESSORS = [
    {"solver": "amsgrad", "clip_norm": 1.0, "early_stopping": True, "shuffle": False},
    {"solver": "random_search", "early_stopping": True},
]


def trainings():
    """Name, estimator, data and callbacks of each training."""
    common = {"hidden_layer_sizes": (16, 8), "max_iter": 15, "random_state": 1}
    for engine in ENGINES:
        for params in CLASSIFIERS:
            estimator = MLPClassifierScratch(**common | params, engine=engine)
            yield f"{engine} {params}", estimator, (X, y)
        for params in REGRESSORS:
            estimator = MLPRegressorScratch(**common | params, engine=engine)
            yield f"{engine} {params}", estimator, (X_reg, y_reg)


def callbacks():
    """Callbacks that remember what has been."""
    return [EarlyStopping("loss", patience=20, restore_best=False), WeightRecorder(5)]


def train(estimator, data, result, path=None):
    """Train to the end, with checkpoints if there is a path; save the result."""
    own = callbacks()
    options = {}
    if path is not None:
        options["resume_from"] = path if os.path.exists(path) else None
        estimator.set_params(callbacks=[Checkpoint(path), *own])
    else:
        estimator.set_params(callbacks=own)
    estimator.fit(*data, **options)
    estimator.set_params(callbacks=None)
    skmlp.save(estimator, result)
    recorder = own[1]
    np.savez(
        f"{result}.npz",
        *recorder.angles_,
        *map(
            np.concatenate,
            zip(
                *[[W.ravel() for W in coefs] for coefs in recorder.coefs_], strict=True
            ),
        ),
    )


def in_a_process(function, *args):
    """Run a function in a forked process; returns its number."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        warnings.simplefilter("ignore")
        function(*args)
        status = 0
    finally:
        os._exit(status)


def wait(child):
    """Wait for a process; whether it was killed."""
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        return True
    assert os.WEXITSTATUS(status) == 0, status
    return False


def killed_at_random(directory, n_kills):
    """Kill each training `n_kills` times, and let it end then."""
    rng = random.Random(0)
    for number, (name, estimator, data) in enumerate(trainings()):
        path, expected, result = (
            os.path.join(directory, f"{part}{number}") for part in ("c", "e", "r")
        )
        wait(in_a_process(train, estimator, data, expected))
        start = time.perf_counter()
        wait(in_a_process(train, estimator, data, result, path))
        duration = time.perf_counter() - start
        os.remove(path)
        kills = in_writing = 0
        while kills < n_kills:
            os.remove(result)
            child = in_a_process(train, estimator, data, result, path)
            # Each time it has less to do.
            time.sleep(rng.uniform(0, 0.6 * duration))
            os.kill(child, signal.SIGKILL)
            if wait(child):
                kills += 1
                in_writing += len(left_behind(directory)) > 0
            if os.path.exists(result):  # it came to its end first
                os.remove(path)
            else:
                open(result, "w").close()
        wait(in_a_process(train, estimator, data, result, path))
        report = {"name": name, "kills": kills, "in_writing": in_writing}
        print(json.dumps(report | {"expected": expected, "result": result}))
        assert not left_behind(directory)


def left_behind(directory):
    """The checkpoints that were being written."""
    return [name for name in os.listdir(directory) if name.startswith(".checkpoint-")]


def killed_at_lines(directory, stride):
    """Kill a training at lines of the code that writes its second checkpoint."""
    _, estimator, data = next(trainings())
    path = os.path.join(directory, "checkpoint")
    first = os.path.join(directory, "first")

    def train_until(n_epochs, at_line=None):
        lines = count()

        def trace(frame, event, arg):
            if frame.f_code.co_filename != archive.__file__:
                return None
            if event == "line" and next(lines) == at_line:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace

        estimator.set_params(callbacks=[Checkpoint(path, every=n_epochs)])
        estimator.set_params(max_iter=n_epochs, learning_rate="constant")
        options = {"resume_from": path} if os.path.exists(path) else {}
        if at_line is not None:
            # What it resumes from is read by the same module: trace the writing only.
            write = archive.write

            def traced(*args, **kwargs):
                sys.settrace(trace)
                return write(*args, **kwargs)

            archive.write = traced
        estimator.fit(*data, **options)

    assert not wait(in_a_process(train_until, 2))
    os.replace(path, first)
    for line in count(step=stride):
        with open(first, "rb") as source, open(path, "wb") as target:
            target.write(source.read())
        killed = wait(in_a_process(train_until, 4, line))
        content, _ = archive.read(path, "skmlp checkpoint", 2)
        print(json.dumps({"killed": killed, "epoch": content["n_iter"]}))
        if not killed:
            return


if __name__ == "__main__":
    mode, directory, *arguments = sys.argv[1:]
    {"random": killed_at_random, "lines": killed_at_lines}[mode](
        directory, *map(int, arguments)
    )
