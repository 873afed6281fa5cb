"""The estimators within scikit-learn's tools, joblib, pandas, polars and matplotlib."""

import pickle
from copy import deepcopy

import joblib
import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import StackingRegressor, VotingClassifier
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.inspection import (
    DecisionBoundaryDisplay,
    PartialDependenceDisplay,
    permutation_importance,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    RocCurveDisplay,
    auc,
    confusion_matrix,
    get_scorer,
    log_loss,
    roc_auc_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    LearningCurveDisplay,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.utils.validation import check_is_fitted

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.callbacks import Callback, EarlyStopping, WeightRecorder
from skmlp.core.activations import Activation
from skmlp.core.losses import Loss
from skmlp.core.optimizers import OPTIMIZERS

pytestmark = pytest.mark.usefixtures("one_blas_thread")

SOLVERS = ["lbfgs", *OPTIMIZERS]


SMALL = {
    "hidden_layer_sizes": (6,),
    "learning_rate_init": 0.02,
    "max_iter": 25,
    "random_state": 0,
}


def classifier(**params):
    return MLPClassifierScratch(**SMALL | params)


def regressor(**params):
    return MLPRegressorScratch(**SMALL | params)


def assert_same_network(actual, desired):
    """To the last bit."""
    arrays = actual.coefs_ + actual.intercepts_
    for a, d in zip(arrays, desired.coefs_ + desired.intercepts_, strict=True):
        np.testing.assert_array_equal(a, d)


def same_network(actual, desired):
    return all(map(np.array_equal, actual.coefs_, desired.coefs_))


# Parameters.


def test_clone_has_the_parameters_and_not_the_fit(datasets):
    data = datasets["binary"]
    fitted = classifier(l1_ratio=0.3, hidden_layer_sizes=[4, 3]).fit(data.X, data.y)
    cloned = clone(fitted)
    assert cloned.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        check_is_fitted(cloned)
    assert_same_network(cloned.fit(data.X, data.y), fitted)


def test_set_params_and_get_params(datasets):
    data = datasets["regression"]
    pipeline = make_pipeline(StandardScaler(), regressor())
    pipeline.set_params(mlpregressorscratch__l1_ratio=0.7)
    assert pipeline.get_params()["mlpregressorscratch__l1_ratio"] == 0.7
    assert "l1_ratio=0.7" in repr(pipeline)
    with pytest.raises(ValueError, match="Invalid parameter 'drop_out'"):
        regressor().set_params(drop_out=0.5)

    changed = regressor().fit(data.X, data.y).set_params(l1_ratio=0.7, alpha=0.5)
    changed.fit(data.X, data.y)
    assert_same_network(changed, regressor(l1_ratio=0.7, alpha=0.5).fit(data.X, data.y))


class Sine(Activation):
    needs_z = True

    def __init__(self, frequency=1.0):
        self.frequency = frequency

    def forward(self, Z, A):
        np.multiply(Z, self.frequency, out=A)
        np.sin(A, out=A)

    def backward(self, Z, A, delta, work):
        np.multiply(Z, self.frequency, out=work)
        np.cos(work, out=work)
        work *= self.frequency
        delta *= work


class LogCosh(Loss):
    def pointwise(self, Y, P, out):
        np.subtract(P, Y, out=out)
        np.logaddexp(out, -out, out=out)

    def gradient(self, Y, P, out):
        np.subtract(P, Y, out=out)
        np.tanh(out, out=out)


class Counter(Callback):
    """Counts the epochs of a fit, and stops it."""

    def __init__(self, stop=5):
        self.stop = stop

    def on_fit_begin(self, training):
        self.count_ = 0

    def on_epoch_end(self, training):
        self.count_ += 1
        return self.count_ >= self.stop


def small(shape, random_state):
    return random_state.uniform(-0.3, 0.3, shape)


def jitter(X, rng):
    return X + 0.1 * rng.standard_normal(X.shape)


def falling(step):
    return 0.02 / (1 + step)


def median_error(estimator, X, y, sample_weight=None):
    return -np.median(np.abs(estimator.predict(X) - y))


OBJECTS = {
    "activation": Sine(),
    "activations": {"activation": [Sine(2.0), "gelu"], "hidden_layer_sizes": (5, 4)},
    "loss": LogCosh(),
    "callbacks": [Counter(), EarlyStopping("loss", patience=3), WeightRecorder()],
    "init": small,
    "augment": jitter,
    "learning_rate": falling,
    "early_stopping_metric": {
        "early_stopping_metric": median_error,
        "early_stopping": True,
    },
    "dropout": {"dropout": [0.1, 0.3], "hidden_layer_sizes": (5, 4)},
    "frozen_layers": [0],
}
parametrize_objects = pytest.mark.parametrize(
    "params",
    [
        pytest.param(value if isinstance(value, dict) else {name: value}, id=name)
        for name, value in OBJECTS.items()
    ],
)


@parametrize_objects
def test_clone_of_parameters_that_are_objects(datasets, params):
    """The same but not shared: what one fit does to a callback is its own."""
    data = datasets["regression"]
    model = regressor(**params)
    cloned = clone(model)
    for name, value in cloned.get_params().items():
        assert type(value) is type(model.get_params()[name])
    model.fit(data.X, data.y)
    for callback in cloned.callbacks or []:
        assert not [name for name in vars(callback) if name.endswith("_")]
    with pytest.raises(NotFittedError):
        check_is_fitted(cloned)
    assert_same_network(cloned.fit(data.X, data.y), model)
    changed = regressor().set_params(**params)
    assert all(changed.get_params()[name] is value for name, value in params.items())
    assert_same_network(changed.fit(data.X, data.y), model)


@pytest.mark.parametrize("copy", ["pickle", "deepcopy", "joblib"])
@parametrize_objects
def test_copy_with_parameters_that_are_objects(datasets, tmp_path, params, copy):
    data = datasets["regression"]
    model = regressor(**params)
    for fitted in (False, True):
        if fitted:
            model.fit(data.X, data.y)
        copied = COPIES[copy](model, tmp_path)
        if fitted:
            assert_same_network(copied, model)
            np.testing.assert_array_equal(copied.predict(data.X), model.predict(data.X))
            assert copied.history_["seconds"] == model.history_["seconds"]
        train = "fit" if params.get("early_stopping") else "partial_fit"
        again = COPIES[copy](model, tmp_path)
        for estimator in (copied, again):
            getattr(estimator, train)(data.X, data.y)
        assert_same_network(copied, again)
        if fitted and train == "partial_fit":
            assert not same_network(copied, model)
            assert_same_network(model.partial_fit(data.X, data.y), copied)


# Model selection.


def test_grid_search_over_additional_parameters(datasets):
    """Each candidate scores what it does by hand."""
    data = datasets["multiclass"]
    model = classifier(hidden_layer_sizes=(6, 5))
    grid = [
        {"dropout": [0.0, 0.3, [0.2, 0.0]], "batch_norm": [False, True]},
        {"solver": ["adamw", "nadam"], "learning_rate": ["cosine", falling]},
        {"activation": ["gelu", ["tanh", "relu"], [Sine(), "elu"], Sine(0.5)]},
        {"loss": ["squared_error"], "label_smoothing": [0.1]},
    ]
    cv = KFold(2)
    search = GridSearchCV(model, grid, cv=cv, scoring="neg_log_loss")
    search.fit(data.X, data.y)
    scores = search.cv_results_["mean_test_score"]
    assert len(np.unique(scores)) == 6 + 4 + 4 + 1
    for score, params in zip(scores, search.cv_results_["params"], strict=True):
        by_hand = []
        for train, test in cv.split(data.X):
            fold = clone(model).set_params(**params)
            fold.fit(data.X[train], data.y[train])
            proba = fold.predict_proba(data.X[test])
            by_hand.append(-log_loss(data.y[test], proba))
        assert score == pytest.approx(np.mean(by_hand), rel=1e-12)
    refitted = clone(model).set_params(**search.best_params_).fit(data.X, data.y)
    assert_same_network(search.best_estimator_, refitted)


def test_parallel_grid_search_with_callbacks(datasets):
    """Every fit has callbacks of its own, also in another process."""
    data = datasets["regression"]
    given = [Counter(7), EarlyStopping("loss", patience=3)]
    model = regressor(callbacks=given)
    grid = {"alpha": [1e-4, 1.0], "callbacks": [None, given, Counter(3)]}
    serial = GridSearchCV(model, grid, cv=2).fit(data.X, data.y)
    parallel = clone(serial).set_params(n_jobs=2)
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        parallel.fit(data.X, data.y)
    scores = serial.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(parallel.cv_results_["mean_test_score"], scores)
    assert len(np.unique(scores)) == 6
    assert_same_network(parallel.best_estimator_, serial.best_estimator_)
    # Those that were given have seen nothing.
    assert not hasattr(given[0], "count_")
    assert not hasattr(grid["callbacks"][2], "count_")
    refitted = clone(model).fit(data.X, data.y)
    assert refitted.n_iter_ == refitted.callbacks[0].count_ == 7


def test_pipeline_is_its_steps(datasets):
    X, y = 5 + 3 * datasets["strings"].X, datasets["strings"].y
    pipeline = make_pipeline(StandardScaler(), classifier()).fit(X[:90], y[:90])
    scaler = StandardScaler().fit(X[:90])
    by_hand = classifier().fit(scaler.transform(X[:90]), y[:90])
    expected = by_hand.predict_proba(scaler.transform(X[90:]))
    np.testing.assert_array_equal(pipeline.predict_proba(X[90:]), expected)
    accuracy = (by_hand.classes_[expected.argmax(axis=1)] == y[90:]).mean()
    assert pipeline.score(X[90:], y[90:]) == accuracy


def test_grid_search_in_a_pipeline(datasets):
    """It finds the parameters that are best by hand, and fits with them."""
    X, y = datasets["regression"].X, datasets["regression"].y
    pipeline = make_pipeline(StandardScaler(), regressor(solver="lbfgs", alpha=1.0))
    grid = {
        "mlpregressorscratch__hidden_layer_sizes": [(), (6,), (5, 4)],
        "mlpregressorscratch__l1_ratio": [0.0, 0.5, 1.0],
    }
    cv = KFold(3)
    search = GridSearchCV(pipeline, grid, cv=cv).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert len(np.unique(scores)) == 9

    by_hand = {}
    for i, params in enumerate(search.cv_results_["params"]):
        model = clone(pipeline).set_params(**params)
        by_hand[i] = np.mean(
            [
                model.fit(X[train], y[train]).score(X[test], y[test])
                for train, test in cv.split(X)
            ]
        )
    np.testing.assert_allclose(scores, list(by_hand.values()), rtol=1e-12)
    assert search.best_index_ == max(by_hand, key=by_hand.get)

    refitted = clone(pipeline).set_params(**search.best_params_).fit(X, y)
    assert_same_network(search.best_estimator_[-1], refitted[-1])
    np.testing.assert_array_equal(search.predict(X), refitted.predict(X))


def test_grid_search_over_l1_ratio_finds_the_sparse_network():
    """Where two features of twenty matter, the L1 norm predicts better."""
    rng = np.random.RandomState(0)
    X = rng.randn(60, 20)
    y = X[:, 0] - X[:, 1] + 0.1 * rng.randn(60)
    model = regressor(hidden_layer_sizes=(), solver="lbfgs", alpha=5.0, max_iter=200)
    search = GridSearchCV(model, {"l1_ratio": [0.0, 0.5, 1.0]}, cv=3).fit(X, y)
    l2, elastic_net, l1 = search.cv_results_["mean_test_score"]
    assert l2 + 0.02 < min(elastic_net, l1)
    (W,) = search.best_estimator_.coefs_
    assert set(np.flatnonzero(np.abs(W) > 0.5)) == {0, 1}
    assert (W == 0).sum() > 8


def test_cross_validate(datasets):
    data = datasets["binary"]
    cv = KFold(4)
    results = cross_validate(
        classifier(),
        data.X,
        data.y,
        cv=cv,
        scoring=["accuracy", "roc_auc", "neg_log_loss"],
        return_estimator=True,
    )
    for i, (train, test) in enumerate(cv.split(data.X)):
        model = classifier().fit(data.X[train], data.y[train])
        assert_same_network(results["estimator"][i], model)
        X, y = data.X[test], data.y[test]
        assert results["test_accuracy"][i] == (model.predict(X) == y).mean()
        auc = roc_auc_score(y, model.decision_function(X))
        assert results["test_roc_auc"][i] == auc
        loss = log_loss(y, model.predict_proba(X))
        assert results["test_neg_log_loss"][i] == -loss


# Copies.


def through_joblib(estimator, path):
    joblib.dump(estimator, path / "estimator.joblib")
    return joblib.load(path / "estimator.joblib")


COPIES = {
    "pickle": lambda estimator, path: pickle.loads(pickle.dumps(estimator)),
    "deepcopy": lambda estimator, path: deepcopy(estimator),
    "joblib": through_joblib,
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", ["multilabel", "strings", "poisson"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("copy", COPIES)
def test_copy_predicts_and_continues_like_the_original(
    datasets, tmp_path, copy, solver, kind, dtype
):
    X, y = datasets[kind].X.astype(dtype), datasets[kind].y
    params = {**SMALL, **datasets[kind].params, "max_iter": 5}
    original = (
        datasets[kind]
        .Estimator(solver=solver, warm_start=True, learning_rate="invscaling", **params)
        .fit(X, y)
    )
    copied = COPIES[copy](original, tmp_path)
    assert copied is not original
    assert_same_network(copied, original)
    np.testing.assert_array_equal(copied.predict(X), original.predict(X))

    before = original.predict(X)
    train = "fit" if solver == "lbfgs" else "partial_fit"
    for _ in range(3):
        getattr(copied, train)(X, y)
    assert not same_network(copied, original)
    np.testing.assert_array_equal(original.predict(X), before)
    for _ in range(3):
        getattr(original, train)(X, y)
    assert_same_network(copied, original)
    assert copied.loss_ == original.loss_
    if solver != "lbfgs":
        assert copied.loss_curve_ == original.loss_curve_
        assert len(copied.loss_curve_) == 8
        assert copied.t_ == original.t_


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_parallel_fits_are_the_serial_ones(datasets, solver, backend):
    data = datasets["multiclass"]
    models = [
        classifier(solver=solver, random_state=seed, batch_size=40) for seed in range(6)
    ]
    # Of their own, as the threads share memory.
    serial = [clone(model).fit(data.X, data.y) for model in models]
    inner = {"inner_max_num_threads": 1} if backend == "loky" else {}
    with joblib.parallel_config(backend, n_jobs=2, **inner):
        parallel = joblib.Parallel()(
            joblib.delayed(model.fit)(data.X, data.y) for model in models
        )
    for a, b in zip(parallel, serial, strict=True):
        assert_same_network(a, b)
        assert a.loss_ == b.loss_
    assert not same_network(serial[0], serial[1])


def test_parallel_grid_search_is_the_serial_one(datasets):
    data = datasets["regression"]
    grid = {"l1_ratio": [0.0, 1.0], "solver": SOLVERS}
    serial = GridSearchCV(regressor(alpha=1.0), grid, cv=3).fit(data.X, data.y)
    parallel = clone(serial).set_params(n_jobs=2).fit(data.X, data.y)
    np.testing.assert_array_equal(
        parallel.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"]
    )
    # Random search goes to the same places, be the penalty L1 or L2.
    n_different = len(np.unique(serial.cv_results_["mean_test_score"]))
    assert n_different == 2 * len(SOLVERS) - 1


# Metadata.


@pytest.fixture
def weights():
    return np.linspace(0, 5, 120)


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_sample_weight_is_routed_to_fit(datasets, weights, in_pipeline):
    data = datasets["multiclass"]
    weighted = classifier().fit(data.X, data.y, sample_weight=weights)
    with config_context(enable_metadata_routing=True):
        model = classifier().set_fit_request(sample_weight=True)
        if in_pipeline:
            model = make_pipeline(StandardScaler(), model)
            model[0].set_fit_request(sample_weight=False)
        scorer = get_scorer("accuracy").set_score_request(sample_weight=False)
        search = GridSearchCV(model, {}, cv=2, scoring=scorer)
        search.fit(data.X, data.y, sample_weight=weights)
        without = clone(search).fit(data.X, data.y)
    found, found_without = (
        s.best_estimator_[-1] if in_pipeline else s.best_estimator_
        for s in (search, without)
    )
    np.testing.assert_allclose(found.coefs_[0], weighted.coefs_[0], rtol=1e-9)
    assert not np.allclose(found_without.coefs_[0], weighted.coefs_[0], rtol=1e-3)


def test_sample_weight_is_routed_to_score(datasets, weights):
    data = datasets["binary"]
    with config_context(enable_metadata_routing=True):
        model = classifier().set_fit_request(sample_weight=False)
        model.set_score_request(sample_weight=True)
        results = cross_validate(
            model,
            data.X,
            data.y,
            cv=KFold(2),
            params={"sample_weight": weights},
            return_estimator=True,
        )
    for i, (train, test) in enumerate(KFold(2).split(data.X)):
        expected = classifier().fit(data.X[train], data.y[train])
        assert_same_network(results["estimator"][i], expected)
        X, y = data.X[test], data.y[test]
        score = expected.score(X, y, sample_weight=weights[test])
        assert results["test_score"][i] == score != expected.score(X, y)


def test_sample_weight_is_routed_to_partial_fit(datasets, weights):
    X, y = datasets["multioutput"].X, datasets["multioutput"].y
    with config_context(enable_metadata_routing=True):
        model = regressor().set_partial_fit_request(sample_weight=True)
        wrapped = MultiOutputRegressor(model)
        for _ in range(2):
            wrapped.partial_fit(X, y, sample_weight=weights)
    expected = regressor()
    for _ in range(2):
        expected.partial_fit(X, y[:, 0], sample_weight=weights)
    assert_same_network(wrapped.estimators_[0], expected)


def test_sample_weight_without_a_request_is_an_error(datasets, weights):
    data = datasets["regression"]
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(regressor(), {}, cv=2)
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            search.fit(data.X, data.y, sample_weight=weights)


# Meta-estimators.


def test_calibration_mends_an_overconfident_network(datasets):
    """It fits a sigmoid to the decision function."""
    X, y = datasets["binary"].X, datasets["binary"].y
    model = classifier(solver="lbfgs", alpha=0, max_iter=500)
    overconfident = clone(model).fit(X[:80], y[:80])
    calibrated = CalibratedClassifierCV(model, cv=3).fit(X[:80], y[:80])
    proba = calibrated.predict_proba(X[80:])
    assert log_loss(y[80:], proba) < 1
    assert log_loss(y[80:], overconfident.predict_proba(X[80:])) > 2

    by_hand = np.mean(
        [
            fold.calibrators[0].predict(fold.estimator.decision_function(X[80:]))
            for fold in calibrated.calibrated_classifiers_
        ],
        axis=0,
    )
    np.testing.assert_allclose(proba[:, 1], by_hand)


def test_soft_voting_is_the_mean_of_the_probabilities(datasets):
    data = datasets["strings"]
    members = [("mlp", classifier()), ("logistic", LogisticRegression())]
    voting = VotingClassifier(members, voting="soft").fit(data.X, data.y)
    mlp = classifier().fit(data.X, data.y)
    logistic = LogisticRegression().fit(data.X, data.y)
    expected = (mlp.predict_proba(data.X) + logistic.predict_proba(data.X)) / 2
    np.testing.assert_allclose(voting.predict_proba(data.X), expected)
    np.testing.assert_array_equal(
        voting.predict(data.X), mlp.classes_[expected.argmax(axis=1)]
    )


def test_stacking_learns_from_predictions_out_of_fold(datasets):
    X, y = datasets["regression"].X, datasets["regression"].y
    members = [("mlp", regressor()), ("ridge", Ridge())]
    stack = StackingRegressor(members, Ridge(alpha=1e-3), cv=KFold(3)).fit(X, y)
    out_of_fold = np.empty((len(y), 2))
    for train, test in KFold(3).split(X):
        for column, (_, member) in enumerate(members):
            fitted = clone(member).fit(X[train], y[train])
            out_of_fold[test, column] = fitted.predict(X[test])
    np.testing.assert_allclose(
        stack.final_estimator_.coef_, Ridge(alpha=1e-3).fit(out_of_fold, y).coef_
    )
    fitted = regressor().fit(X, y)
    np.testing.assert_array_equal(stack.transform(X)[:, 0], fitted.predict(X))


def test_transformed_target(datasets):
    X, y = datasets["regression"].X, np.exp(datasets["regression"].y)
    model = TransformedTargetRegressor(regressor(), func=np.log, inverse_func=np.exp)
    model.fit(X, y)
    of_the_logarithm = regressor().fit(X, np.log(y))
    assert_same_network(model.regressor_, of_the_logarithm)
    np.testing.assert_allclose(model.predict(X), np.exp(of_the_logarithm.predict(X)))


def test_multi_output_regressor_has_one_network_for_each_column(datasets):
    X, y = datasets["multioutput"].X, datasets["multioutput"].y
    wrapped = MultiOutputRegressor(regressor()).fit(X, y)
    for k, network in enumerate(wrapped.estimators_):
        assert_same_network(network, regressor().fit(X, y[:, k]))
    np.testing.assert_array_equal(
        wrapped.predict(X)[:, 1], wrapped.estimators_[1].predict(X)
    )
    assert not np.allclose(wrapped.predict(X), regressor().fit(X, y).predict(X))


def test_multi_output_classifier_has_one_network_for_each_column(datasets):
    """Also by partial_fit, and unlike us it takes several multiclass columns."""
    X, strings = datasets["strings"].X, datasets["strings"].y
    y = np.column_stack([strings, np.roll(strings, 1)])
    wrapped = MultiOutputClassifier(classifier()).fit(X, y)
    for k, network in enumerate(wrapped.estimators_):
        assert_same_network(network, classifier().fit(X, y[:, k]))
    np.testing.assert_array_equal(
        wrapped.predict(X)[:, 1], wrapped.estimators_[1].predict(X)
    )
    in_parts = MultiOutputClassifier(classifier())
    for rows in (slice(0, 60), slice(60, 120)):
        in_parts.partial_fit(X[rows], y[rows], classes=[np.unique(strings)] * 2)
    by_hand = classifier()
    for rows in (slice(0, 60), slice(60, 120)):
        by_hand.partial_fit(X[rows], y[rows, 1], classes=np.unique(strings))
    assert_same_network(in_parts.estimators_[1], by_hand)


def test_one_vs_rest_compares_decision_functions(datasets):
    data = datasets["strings"]
    wrapped = OneVsRestClassifier(classifier()).fit(data.X, data.y)
    decisions = np.column_stack(
        [
            classifier().fit(data.X, data.y == label).decision_function(data.X)
            for label in wrapped.classes_
        ]
    )
    np.testing.assert_allclose(wrapped.decision_function(data.X), decisions)
    np.testing.assert_array_equal(
        wrapped.predict(data.X), wrapped.classes_[decisions.argmax(axis=1)]
    )


# Inspection and display.


@pytest.fixture
def plt():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    yield pyplot
    pyplot.close("all")


def test_permutation_importance_finds_the_feature_that_matters():
    rng = np.random.RandomState(0)
    X = rng.randn(150, 4)
    model = regressor(max_iter=100).fit(X, np.sin(2 * X[:, 2]))
    result = permutation_importance(model, X, np.sin(2 * X[:, 2]), random_state=0)
    assert result.importances_mean[2] > 1
    assert np.delete(result.importances_mean, 2).max() < 0.1


def test_partial_dependence_display(datasets, plt):
    X, y = datasets["poisson"].X, datasets["poisson"].y
    model = regressor(loss="poisson").fit(X, y)
    display = PartialDependenceDisplay.from_estimator(
        model, X, features=[0], grid_resolution=5
    )
    (result,) = display.pd_results
    (values,) = result["grid_values"]
    expected = []
    for value in values:
        X_changed = X.copy()
        X_changed[:, 0] = value
        expected.append(model.predict(X_changed).mean())
    np.testing.assert_allclose(result["average"][0], expected)
    np.testing.assert_allclose(display.lines_[0, 0].get_ydata(), expected)
    assert np.ptp(expected) > 0.1


def test_learning_curve_display(datasets, plt):
    X, y = datasets["regression"].X, datasets["regression"].y
    display = LearningCurveDisplay.from_estimator(
        regressor(), X, y, train_sizes=[20, 80], cv=KFold(3)
    )
    for i, size in enumerate(display.train_sizes):
        for fold, (train, test) in enumerate(KFold(3).split(X)):
            model = regressor().fit(X[train[:size]], y[train[:size]])
            assert display.test_scores[i, fold] == model.score(X[test], y[test])
    assert display.test_scores[0].mean() < display.test_scores[1].mean()


def test_confusion_matrix_display(datasets, plt):
    data = datasets["strings"]
    model = classifier(max_iter=5).fit(data.X, data.y)
    display = ConfusionMatrixDisplay.from_estimator(model, data.X, data.y)
    expected = confusion_matrix(data.y, model.predict(data.X))
    np.testing.assert_array_equal(display.confusion_matrix, expected)
    assert list(display.display_labels) == ["a", "setosa", "versicolor"]
    assert 0 < expected.trace() < 120


def test_roc_curve_display_has_the_auc_of_the_decision_function(datasets, plt):
    data = datasets["binary"]
    model = classifier().fit(data.X, data.y)
    display = RocCurveDisplay.from_estimator(
        model, data.X, data.y, response_method="decision_function"
    )
    expected = roc_auc_score(data.y, model.decision_function(data.X))
    area = auc(np.ravel(display.fpr), np.ravel(display.tpr))
    assert area == pytest.approx(expected)
    assert 0.55 < area < 1


def test_decision_boundary_display_shows_the_decision_function(plt):
    X = np.random.RandomState(0).randn(100, 2)
    model = classifier().fit(X, X[:, 0] > X[:, 1])
    display = DecisionBoundaryDisplay.from_estimator(
        model, X, response_method="decision_function", grid_resolution=15
    )
    grid = np.column_stack([display.xx0.ravel(), display.xx1.ravel()])
    expected = model.decision_function(grid)
    np.testing.assert_allclose(display.response.ravel(), expected)
    assert (expected > 0).any()
    assert (expected < 0).any()


# Frames.


NAMES = [f"x{j}" for j in range(8)]


@pytest.fixture(params=["pandas", "polars"])
def library(request):
    library = pytest.importorskip(request.param)
    frame = as_frame(library, np.eye(8))
    if not hasattr(StandardScaler().fit(frame), "feature_names_in_"):
        pytest.skip("this scikit-learn does not see the names in this kind of frame")
    return library


def as_frame(library, X):
    return library.DataFrame(dict(zip(NAMES, X.T, strict=True)))


def test_frames_and_series_are_their_values_with_names(datasets, library):
    X, y = datasets["strings"].X, datasets["strings"].y
    frame = as_frame(library, X)
    named = classifier().fit(frame, library.Series(y.tolist()))
    assert named.feature_names_in_.tolist() == NAMES
    assert named.classes_.tolist() == ["a", "setosa", "versicolor"]
    unnamed = classifier().fit(X, y)
    assert not hasattr(unnamed, "feature_names_in_")
    np.testing.assert_allclose(named.coefs_[0], unnamed.coefs_[0], rtol=1e-9)
    np.testing.assert_array_equal(named.predict(frame), unnamed.predict(X))


def test_columns_in_another_order_raise(datasets, library):
    data = datasets["regression"]
    frame = as_frame(library, data.X)
    model = regressor().fit(frame, data.y)
    message = "Feature names must be in the same order as they were in fit"
    with pytest.raises(ValueError, match=message):
        model.predict(frame[NAMES[::-1]])
    with pytest.raises(ValueError, match=message):
        model.partial_fit(frame[NAMES[::-1]], data.y)
    assert model.feature_names_in_.tolist() == NAMES
    assert len(model.loss_curve_) == 25
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(data.X)


def test_names_come_through_a_pipeline(datasets, library):
    data = datasets["binary"]
    frame = as_frame(library, data.X)
    pipeline = make_pipeline(StandardScaler(), classifier())
    pipeline.set_output(transform=library.__name__).fit(frame, data.y)
    assert pipeline[-1].feature_names_in_.tolist() == NAMES
    X = scale(data.X)
    expected = classifier().fit(X, data.y)
    np.testing.assert_allclose(pipeline[-1].coefs_[0], expected.coefs_[0], rtol=1e-9)
    np.testing.assert_array_equal(pipeline.predict(frame), expected.predict(X))
