"""Tests of on_interrupt: what Ctrl-C does to a fit, and to a search around it."""

import os
import signal
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skmlp import MLPClassifierScratch, MLPRegressorScratch, load, save
from skmlp.callbacks import Callback, Checkpoint
from skmlp.core.objective import Objective

rng = np.random.RandomState(0)
X = rng.standard_normal((60, 4))
y = (X[:, 0] > 0).astype(int)
ESTIMATORS = [MLPClassifierScratch, MLPRegressorScratch]


class Interrupt(Callback):
    """Interrupts after the second epoch."""

    observes_only = True

    def __init__(self, calls=None):
        self.calls = calls

    def on_epoch_end(self, training):
        if training.n_iter == 2:
            raise KeyboardInterrupt

    def on_fit_end(self, training):
        if self.calls is not None:
            self.calls.append(training.n_iter)


def build(cls, **params):
    defaults = {"hidden_layer_sizes": (3,), "max_iter": 5, "random_state": 0}
    return cls(**defaults | {"engine": "numpy"} | params)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_raise_leaves_the_estimator_as_it_was(cls, early_stopping):
    calls = []
    params = {"early_stopping": early_stopping, "on_interrupt": "raise"}
    fitted = build(cls, warm_start=True, **params).fit(X, y)
    for estimator in fitted, build(cls, **params):
        estimator.set_params(callbacks=Interrupt(calls))
        before = joblib.hash(vars(estimator))
        with pytest.raises(KeyboardInterrupt):
            estimator.fit(X, y)
        calls.clear()
        assert joblib.hash(vars(estimator)) == before
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    assert calls == [2]  # callbacks are told of the end


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_raise_with_lbfgs(monkeypatch, cls):
    estimator = build(cls, solver="lbfgs", on_interrupt="raise", warm_start=True)
    estimator.fit(X, y)
    before = joblib.hash(vars(estimator))
    evaluate, count = Objective.__call__, iter(range(100))

    def interrupted(self, *args):
        if next(count) == 2:
            raise KeyboardInterrupt
        return evaluate(self, *args)

    monkeypatch.setattr(Objective, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    assert joblib.hash(vars(estimator)) == before


def test_stop_is_the_default():
    """A search goes on with the next fit, as that of scikit-learn's MLP does."""
    clf = build(MLPClassifierScratch, callbacks=Interrupt())
    with pytest.warns(UserWarning, match="interrupted"):
        search = GridSearchCV(clf, {"alpha": [0, 1]}, cv=2).fit(X, y)
    assert search.best_estimator_.n_iter_ == 2


def test_raise_ends_a_search():
    fits = []

    class Count(MLPClassifierScratch):
        def fit(self, X, y):
            fits.append(1)
            return super().fit(X, y)

    clf = build(Count, callbacks=Interrupt(), on_interrupt="raise")
    with pytest.raises(KeyboardInterrupt):
        GridSearchCV(clf, {"alpha": [0, 1]}, cv=2).fit(X, y)
    assert len(fits) == 1


def test_partial_fit_raises_in_any_case():
    class Now(Callback):
        def on_epoch_end(self, training):
            raise KeyboardInterrupt

    for on_interrupt in "stop", "raise":
        clf = build(MLPClassifierScratch, callbacks=Now(), on_interrupt=on_interrupt)
        with pytest.raises(KeyboardInterrupt):
            clf.partial_fit(X, y, classes=[0, 1])
        assert not hasattr(clf, "coefs_")


def test_a_checkpoint_continues_after_an_interrupt(tmp_path):
    """Whatever on_interrupt was and is."""
    path = tmp_path / "checkpoint"
    whole = build(MLPClassifierScratch).fit(X, y)
    clf = build(MLPClassifierScratch, on_interrupt="raise")

    class InterruptLater(Interrupt):
        def on_epoch_end(self, training):
            if training.n_iter == 3:
                raise KeyboardInterrupt

    clf.set_params(callbacks=[Checkpoint(path), InterruptLater()])
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, y)
    for on_interrupt in "raise", "stop":
        resumed = build(MLPClassifierScratch, on_interrupt=on_interrupt)
        resumed.fit(X, y, resume_from=path)
        assert resumed.loss_curve_ == whole.loss_curve_


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_it_is_cloned_and_saved(tmp_path, cls):
    estimator = build(cls, on_interrupt="raise").fit(X, y)
    assert clone(estimator).on_interrupt == "raise"
    save(estimator, tmp_path / "model")
    assert load(tmp_path / "model").on_interrupt == "raise"


SEARCH = """
    import os
    import signal
    import sys
    import numpy as np
    from sklearn.model_selection import GridSearchCV
    from skmlp import MLPClassifierScratch

    # It is ignored in processes that a shell has started in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def say(training):
        if training.n_iter == 3:
            os.write(1, b"training\\n")  # at once: two processes write

    X = np.random.RandomState(0).standard_normal((50, 3))
    y = (X[:, 0] > 0).astype(int)
    clf = MLPClassifierScratch(
        (3,),
        max_iter=10**7,
        n_iter_no_change=np.inf,
        callbacks=say,
        on_interrupt="raise",
    )
    search = GridSearchCV(clf, {"alpha": [0, 1]}, cv=2, n_jobs=int(sys.argv[1]))
    try:
        search.fit(X, y)
    except KeyboardInterrupt:
        print("ended", hasattr(search, "cv_results_"), flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT to a group of processes")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_ends_a_search(n_jobs):
    """As a terminal sends it, to all processes of the search."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SEARCH), str(n_jobs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout.readline() == "training\n"
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert out.splitlines()[-1:] == ["ended False"], err
    assert out.count("training") <= n_jobs - 1
