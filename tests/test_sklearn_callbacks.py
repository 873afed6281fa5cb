"""The estimators with scikit-learn's own callbacks, which came with 1.9."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import log_loss, make_scorer, r2_score
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp._sklearn import CallbackSupportMixin
from skmlp.callbacks import Callback

callback = pytest.importorskip("sklearn.callback", reason="needs scikit-learn 1.9")

pytestmark = pytest.mark.usefixtures("one_blas_thread")

SMALL = {
    "hidden_layer_sizes": (5,),
    "learning_rate_init": 0.05,
    "max_iter": 6,
    "random_state": 0,
}
ESTIMATORS = {
    "multiclass": MLPClassifierScratch,
    "multilabel": MLPClassifierScratch,
    "regression": MLPRegressorScratch,
}
# What `score` of each of them is. (None as the scoring fails within 1.9.1.)
METRICS = {"multiclass": "accuracy", "multilabel": "accuracy", "regression": "r2"}


class Record:
    """Notes what it is told, by scikit-learn's protocol."""

    def __init__(self, fails_at=None, stop_after=None):
        self.calls, self.fails_at = [], fails_at
        self.stop_after = stop_after

    def _note(self, hook, context):
        self.calls.append((hook, context.task_name, context.task_id))
        if self.fails_at in (hook, (hook, context.task_name)):
            raise RuntimeError(f"failed at {hook}")

    def setup(self, estimator, context):
        self._note("setup", context)

    def teardown(self, estimator, context):
        self._note("teardown", context)

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.begun = estimator, X, y, metadata
        self._note("begin", context)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.fitted = fitted_estimator
        self._note("end", context)
        return context.task_name == "epoch" and context.task_id == self.stop_after


def model(kind, **params):
    return ESTIMATORS[kind](**SMALL | params)


def hooks(record, name):
    return [call for call in record.calls if call[0] == name]


def assert_same_network(actual, desired):
    for a, d in zip(actual.coefs_, desired.coefs_, strict=True):
        assert_array_equal(a, d)


def assert_clean(estimator):
    """Nothing is left of the fit's context."""
    left = {"_callback_fit_ctx", "_skl_callbacks_to_teardown", "_parent_callback_ctx"}
    assert not left & vars(estimator).keys()


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_tasks_of_a_fit(datasets, kind):
    data = datasets[kind]
    record = Record()
    est = model(kind)
    assert isinstance(est, CallbackSupportMixin)
    assert est.set_callbacks(record) is est
    w = np.random.RandomState(0).rand(120)
    est.fit(data.X, data.y, sample_weight=w)
    epochs = [
        (hook, "epoch", epoch)
        for epoch in range(est.n_iter_)
        for hook in ("begin", "end")
    ]
    assert record.calls == [
        ("setup", "fit", 0),
        ("begin", "fit", 0),
        *epochs,
        ("end", "fit", 0),
        ("teardown", "fit", 0),
    ]
    estimator, X, y, metadata = record.begun
    assert estimator is est
    assert X is data.X
    assert y is data.y
    assert metadata["sample_weight"] is w
    assert_clean(est)
    assert_same_network(est, model(kind).fit(data.X, data.y, sample_weight=w))


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_scores_are_those_of_shorter_trainings(datasets, kind):
    data = datasets[kind]
    monitor = callback.ScoringMonitor(scoring=METRICS[kind])
    est = model(kind).set_callbacks(monitor).fit(data.X, data.y)
    log = monitor.get_logs().data
    assert len(log) == 1 + 6
    assert log[0]["task_name"] == "fit"
    scores = [row[METRICS[kind]] for row in log]
    assert_allclose(scores[0], est.score(data.X, data.y))
    assert [row["task_id"] for row in log[1:]] == list(range(6))
    for n_iter in range(1, 7):
        shorter = model(kind, max_iter=n_iter).fit(data.X, data.y)
        assert scores[n_iter] == shorter.score(data.X, data.y)


def test_several_scores_of_dropout_and_batch_norm(datasets):
    """The monitored network predicts: without dropout, by running statistics."""
    data = datasets["multiclass"]
    monitor = callback.ScoringMonitor(scoring=["neg_log_loss", "accuracy"])
    params = {"dropout": 0.3, "batch_norm": True}
    clf = model("multiclass", **params).set_callbacks(monitor)
    clf.fit(data.X, data.y)
    log = monitor.get_logs().data
    for n_iter in 1, 3, 6:
        shorter = model("multiclass", max_iter=n_iter, **params).fit(data.X, data.y)
        expected = -log_loss(data.y, shorter.predict_proba(data.X))
        assert_allclose(log[n_iter]["neg_log_loss"], expected, rtol=1e-12)
        assert log[n_iter]["accuracy"] == shorter.score(data.X, data.y)


def test_with_warm_start_the_log_continues(datasets):
    data = datasets["regression"]
    monitor = callback.ScoringMonitor(scoring="r2")
    reg = model("regression", warm_start=True).set_callbacks(monitor)
    twin = model("regression", warm_start=True, max_iter=2).fit(data.X, data.y)
    reg.set_params(max_iter=2).fit(data.X, data.y).fit(data.X, data.y)
    logs = monitor.get_logs(select="all")
    assert [len(log.data) for log in logs] == [3, 3]
    first = twin.score(data.X, data.y)
    second = twin.fit(data.X, data.y).score(data.X, data.y)
    assert_allclose([log.data[2]["r2"] for log in logs], [first, second])


def test_fitted_estimator_is_independent(datasets):
    """It keeps its weights while training goes on."""
    data = datasets["multiclass"]
    kept = []

    class Keep(Record):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            kept.append(fitted_estimator)
            assert fitted_estimator is not estimator
            assert fitted_estimator.predict(data.X).shape == (120,)

    clf = model("multiclass", max_iter=3).set_callbacks(Keep()).fit(data.X, data.y)
    assert len(kept) == 4
    for n_iter, fitted in enumerate(kept[:3], 1):
        shorter = model("multiclass", max_iter=n_iter).fit(data.X, data.y)
        assert_same_network(fitted, shorter)
        assert fitted.n_outputs_ == 3
    assert_same_network(kept[3], clf)


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("stop_after", [0, 3])
def test_returning_true_stops(datasets, kind, stop_after):
    data = datasets[kind]
    record = Record(stop_after=stop_after)
    est = model(kind).set_callbacks(record).fit(data.X, data.y)
    assert est.n_iter_ == stop_after + 1
    assert record.calls[-2:] == [("end", "fit", 0), ("teardown", "fit", 0)]
    shorter = model(kind, max_iter=stop_after + 1).fit(data.X, data.y)
    assert_same_network(est, shorter)


def test_together_with_callbacks_of_the_package(datasets):
    data = datasets["multiclass"]
    epochs = []

    class Mine(Callback):
        def on_epoch_end(self, training):
            epochs.append(training.n_iter)

    record = Record(stop_after=2)
    clf = model("multiclass", callbacks=Mine()).set_callbacks(record)
    clf.fit(data.X, data.y)
    assert epochs == [1, 2, 3]  # it is told of the last one, too


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize(
    "fails_at",
    ["setup", ("begin", "fit"), ("begin", "epoch"), ("end", "epoch"), "teardown"],
)
def test_teardown_after_errors(datasets, fails_at, solver):
    if solver == "lbfgs" and fails_at[1] == "epoch":
        fails_at = (fails_at[0], "fit")  # it has no epochs
    data = datasets["multiclass"]
    record = Record(fails_at)
    clf = model("multiclass", solver=solver).set_callbacks(record)
    with pytest.raises(RuntimeError, match="failed at"):
        clf.fit(data.X, data.y)
    assert len(hooks(record, "setup")) == len(hooks(record, "teardown")) == 1
    assert_clean(clf)
    # Nothing goes wrong any more once the fit's own task ends.
    assert hasattr(clf, "coefs_") == (fails_at in ("teardown", ("end", "fit")))
    clf.set_callbacks().fit(data.X, data.y)


def test_teardown_after_errors_of_skmlp(datasets):
    data = datasets["regression"]
    record = Record()
    reg = model("regression").set_callbacks(record)
    with pytest.raises(ValueError, match="NaN"):
        reg.fit(np.where(data.X > 0, data.X, np.nan), data.y)
    with pytest.raises(ValueError, match="diverged"):
        reg.set_params(solver="sgd", learning_rate_init=1e9).fit(data.X, data.y)
    assert len(hooks(record, "setup")) == len(hooks(record, "teardown")) == 2
    assert_clean(reg)
    assert not hasattr(reg, "coefs_")


def test_clone_keeps_them_as_scikit_learn_does(datasets):
    """The very same ones, unlike the parameter of that name."""
    record = Record()
    clf = model("multiclass").set_callbacks(record)
    other = clone(clf)
    other.fit(datasets["multiclass"].X, datasets["multiclass"].y)
    assert len(hooks(record, "setup")) == 1
    assert clf.set_callbacks() is clf
    clone(clf).fit(datasets["multiclass"].X, datasets["multiclass"].y)
    assert len(hooks(record, "setup")) == 1


@pytest.mark.parametrize("bad", [None, object(), Record, Callback()])
def test_invalid_callback(bad):
    with pytest.raises(TypeError, match="FitCallback protocol"):
        model("multiclass").set_callbacks(bad)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_lbfgs_begins_and_ends(datasets, kind):
    data = datasets[kind]
    record, monitor = Record(), callback.ScoringMonitor(scoring=METRICS[kind])
    est = model(kind, solver="lbfgs").set_callbacks(record, monitor)
    est.fit(data.X, data.y)
    names = ["setup", "begin", "end", "teardown"]
    assert record.calls == [(name, "fit", 0) for name in names]
    (row,) = monitor.get_logs().data
    assert row[METRICS[kind]] == est.score(data.X, data.y)


def test_partial_fit_is_no_fit(datasets):
    data = datasets["multiclass"]
    record = Record()
    clf = model("multiclass").set_callbacks(record)
    clf.partial_fit(data.X, data.y, classes=[0, 1, 2]).partial_fit(data.X, data.y)
    assert record.calls == []
    assert_clean(clf)


# Within meta-estimators.


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_scoring_monitor_in_a_grid_search(datasets, kind, n_jobs):
    data = datasets[kind]
    monitor = callback.ScoringMonitor(scoring=METRICS[kind])
    est = model(kind).set_callbacks(monitor)
    search = GridSearchCV(est, {"alpha": [0.0, 1.0]}, cv=2, n_jobs=n_jobs)
    search.fit(data.X, data.y)
    logs = monitor.get_logs(select="all")
    rows = [row for log in logs for row in log.data]
    epochs = [row for row in rows if row["task_name"] == "epoch"]
    assert len(epochs) == 5 * 6  # 2 x 2 fits and the refit
    best = search.best_estimator_
    scores = [row[METRICS[kind]] for row in epochs]
    assert best.score(data.X, data.y) in scores
    assert_clean(best)


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_scoring_monitor_in_a_pipeline(datasets, kind):
    data = datasets[kind]
    monitor = callback.ScoringMonitor(scoring=METRICS[kind])
    pipe = make_pipeline(StandardScaler(), model(kind).set_callbacks(monitor))
    pipe.fit(data.X, data.y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    scores = [row[METRICS[kind]] for row in rows]
    assert len(scores) == 6
    assert_allclose(scores[-1], pipe.score(data.X, data.y))
    assert_clean(pipe[-1])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_stopping_in_a_grid_search(datasets, n_jobs):
    data = datasets["regression"]
    reg = model("regression").set_callbacks(Record(stop_after=1))
    search = GridSearchCV(reg, {"alpha": [0.0, 1.0]}, cv=2, n_jobs=n_jobs)
    search.fit(data.X, data.y)
    assert search.best_estimator_.n_iter_ == 2
    shorter = GridSearchCV(model("regression", max_iter=2), {"alpha": [0.0, 1.0]}, cv=2)
    shorter.fit(data.X, data.y)
    assert_array_equal(
        search.cv_results_["mean_test_score"], shorter.cv_results_["mean_test_score"]
    )


def test_cross_validate(datasets):
    data = datasets["regression"]
    monitor = callback.ScoringMonitor(scoring=make_scorer(r2_score))
    results = cross_validate(
        model("regression").set_callbacks(monitor),
        data.X,
        data.y,
        cv=3,
        return_estimator=True,
    )
    rows = [row for log in monitor.get_logs(select="all") for row in log.data]
    assert sum(row["task_name"] == "epoch" for row in rows) == 18
    assert len(results["estimator"]) == 3


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_progress_bar(datasets, capsys, solver, n_jobs):
    pytest.importorskip("rich")
    data = datasets["multiclass"]
    clf = model("multiclass", solver=solver)
    clf.set_callbacks(callback.ProgressBar()).fit(data.X, data.y)
    shown = capsys.readouterr().out
    assert "MLPClassifierScratch - fit" in shown
    assert "100%" in shown
    clf.set_callbacks()
    search = GridSearchCV(clf, {"alpha": [0.0, 1.0]}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(callback.ProgressBar()).fit(data.X, data.y)
    shown = capsys.readouterr().out
    assert "GridSearchCV" in shown
    assert "MLPClassifierScratch" in shown
    assert_clean(search.best_estimator_)
