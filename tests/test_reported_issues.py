"""Tests for kinds of trouble that users report of similar software.

`docs/reliability.md` lists the reports.
"""

import contextlib
import io
import pickle
import warnings
import weakref
from copy import deepcopy

import joblib
import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingClassifier, BaggingRegressor, StackingClassifier
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    learning_curve,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.callbacks import EarlyStopping

pytestmark = pytest.mark.usefixtures("one_blas_thread")

RNG = np.random.RandomState(0)
X = RNG.randn(60, 4)
BINARY = (X[:, 0] > 0).astype(int)
CLASSES = np.digitize(X[:, 0], [-0.5, 0.5])
WORDS = np.array(["low", "mid", "high"])[CLASSES]
TARGET = X[:, 0] + 0.1 * RNG.randn(60)
PARAMS = {"hidden_layer_sizes": (5,), "max_iter": 5, "random_state": 0}


def classifier(**params):
    return MLPClassifierScratch(**PARAMS | params)


def regressor(**params):
    return MLPRegressorScratch(**PARAMS | params)


# Labels.


def test_early_stopping_with_string_labels():
    by_number = classifier(early_stopping=True).fit(X, CLASSES)
    order = ["low", "mid", "high"]
    for words in (WORDS, WORDS.astype(object), WORDS.tolist()):
        model = classifier(early_stopping=True).fit(X, words)
        assert sorted(model.classes_) == sorted(order)
        assert len(model.validation_scores_) == len(by_number.validation_scores_)
        assert np.isfinite(model.validation_scores_).all()


@pytest.mark.parametrize("dtype", ["Int64", "boolean"])
def test_nullable_labels_keep_their_type(dtype):
    pandas = pytest.importorskip("pandas")
    plain = BINARY if dtype == "Int64" else BINARY == 1
    y = pandas.Series(plain, dtype=dtype)
    expected = classifier().fit(X, plain)
    model = classifier().fit(X, y)
    assert model.classes_.dtype == plain.dtype
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    assert model.predict(X).dtype == plain.dtype
    assert model.score(X, y) == expected.score(X, plain)
    scores = cross_val_score(classifier(), X, plain, cv=3)
    np.testing.assert_array_equal(cross_val_score(classifier(), X, y, cv=3), scores)
    in_parts = classifier().partial_fit(X, y, classes=y[:20])
    assert in_parts.predict(X).dtype == plain.dtype
    validated = classifier(early_stopping=True)
    assert validated.fit(X, y, X_val=X, y_val=y).validation_scores_


def test_large_nullable_labels_stay_apart():
    """As floats they would be one class."""
    pandas = pytest.importorskip("pandas")
    labels = np.where(BINARY, 2**53 + 1, 2**53)
    model = classifier().fit(X, pandas.Series(labels, dtype="Int64"))
    assert model.classes_.tolist() == [2**53, 2**53 + 1]


def missing_labels():
    words = ["a", "b"] * 30
    yield "list", [np.nan if i == 3 else word for i, word in enumerate(words)]
    yield "None", [None if i == 3 else word for i, word in enumerate(words)]
    array = np.array(words, dtype=object)
    array[3] = np.nan
    yield "array", array
    with contextlib.suppress(ImportError):
        import pandas

        array = array.copy()
        array[3] = None
        for dtype in ("object", "string", "category"):
            yield dtype, pandas.Series(array, dtype=dtype)


@pytest.mark.parametrize(("kind", "y"), list(missing_labels()))
def test_missing_labels_are_an_error(kind, y):
    message = "y must have a label for every sample, but 1 of 60 .* row 3"
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, y)
    with pytest.raises(ValueError, match=message):
        classifier().partial_fit(X, y, classes=["a", "b"])
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, ["a", "b"] * 30, X_val=X, y_val=y)


@pytest.mark.parametrize(
    ("y", "types"),
    [
        (["a", 1] * 30, "'int' and 'str'"),
        (("a", 0.5) * 30, "'float' and 'str'"),
        (np.array([0, 1] * 30, dtype=object), "dtype object .* 'int'"),
        (np.array([True, False] * 30, dtype=object), "dtype object .* 'bool'"),
        (np.array(["a", 1] * 30, dtype=object), "'int' and 'str'"),
    ],
)
def test_labels_of_several_types_are_an_error(y, types):
    """A list becomes an array of strings in NumPy: 1 would be the label "1"."""
    with pytest.raises(ValueError, match=f"y must have labels of one type.*{types}"):
        classifier().fit(X, y)


@pytest.mark.parametrize("labels", [[-3, 7], [2**62, -(2**62)], [0.0, 5.0]])
def test_labels_that_do_not_start_at_zero(labels):
    y = np.array(labels)[BINARY]
    model = classifier(max_iter=100).fit(X, y)
    assert model.classes_.tolist() == sorted(labels)
    reference = MLPClassifier(**PARAMS | {"max_iter": 100}).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), reference.predict(X))


def test_partial_fit_with_a_class_that_comes_later():
    model = classifier()
    model.partial_fit([[1], [2], [3]], ["a", "b", "c"], classes=["a", "b", "c", "d"])
    model.partial_fit([[4]], ["d"])
    assert model.predict_proba([[4]]).shape == (1, 4)
    with pytest.raises(ValueError, match=r"classes not in `self.classes_`: \['e'\]"):
        model.partial_fit([[5]], ["e"])


def test_warm_start_with_other_classes():
    model = classifier(warm_start=True).fit(X, CLASSES)
    with pytest.raises(ValueError, match="same classes as in the previous call"):
        model.fit(X, BINARY)
    assert model.classes_.tolist() == [0, 1, 2]


def test_multilabel_partial_fit():
    y = np.column_stack([BINARY, 1 - BINARY, X[:, 1] > 0]).astype(int)
    ours, theirs = classifier(), MLPClassifier(**PARAMS)
    for _ in range(20):
        ours.partial_fit(X, y, classes=[0, 1, 2])
        theirs.partial_fit(X, y, classes=[0, 1, 2])
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X))


def test_a_class_that_a_fold_does_not_have():
    y = np.r_[CLASSES[:-1], 9]
    with pytest.warns(RuntimeWarning, match="Number of classes in training fold"):
        proba = cross_val_predict(
            classifier(), X, y, cv=KFold(3), method="predict_proba"
        )
    assert proba.shape == (60, 4)
    np.testing.assert_allclose(proba.sum(axis=1), 1)


# Samples and weights.


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_masked_values_are_an_error(method):
    """scikit-learn trains on what is below the mask."""
    masked = np.ma.masked_array(X, X > 2)
    target = np.ma.masked_array(TARGET, TARGET > 1)
    weights = np.ma.masked_array(np.ones(60), TARGET > 1)
    for args, name in [
        ((masked, TARGET), "X"),
        ((X, target), "y"),
        ((X, TARGET, weights), "sample_weight"),
    ]:
        with pytest.raises(ValueError, match=f"{name} must not have masked values"):
            getattr(regressor(), method)(*args)
    model = regressor().fit(np.ma.masked_array(X), TARGET)  # nothing is masked
    np.testing.assert_array_equal(model.predict(X), model.predict(np.ma.array(X)))
    with pytest.raises(ValueError, match="X must not have masked values"):
        model.predict(masked)


def test_read_only_input_in_worker_processes():
    """joblib maps large arrays into memory, which workers cannot write to."""
    rng = np.random.RandomState(0)
    samples = rng.randn(200, 20)
    y = samples[:, 0]
    serial = cross_val_score(regressor(), samples, y, cv=2)
    with joblib.parallel_config(
        "loky", n_jobs=2, max_nbytes=100, inner_max_num_threads=1
    ):
        parallel = cross_val_score(regressor(), samples, y, cv=2)
    np.testing.assert_allclose(parallel, serial, rtol=1e-9)


def test_memory_mapped_model_continues_training(tmp_path):
    path = tmp_path / "model.joblib"
    fitted = classifier().fit(X, CLASSES)
    joblib.dump(fitted, path)
    mapped = joblib.load(path, mmap_mode="r")
    np.testing.assert_array_equal(
        mapped.partial_fit(X, CLASSES).predict_proba(X),
        fitted.partial_fit(X, CLASSES).predict_proba(X),
    )


def test_no_warning_of_feature_names():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = regressor(solver="lbfgs", max_iter=200, alpha=1.0).fit(X, TARGET)
        model.predict(X)
        assert not hasattr(model, "feature_names_in_")
        model.fit(frame, TARGET)
        model.predict(frame)
        model.fit(X, TARGET)  # the names are forgotten
        model.predict(X)


def test_sample_weight_through_a_pipeline():
    weights = np.arange(60.0)
    pipeline = make_pipeline(StandardScaler(), classifier())
    pipeline.fit(X, CLASSES, mlpclassifierscratch__sample_weight=weights)
    by_hand = classifier().fit(
        StandardScaler().fit_transform(X), CLASSES, sample_weight=weights
    )
    np.testing.assert_array_equal(pipeline[-1].coefs_[0], by_hand.coefs_[0])


def test_targets_of_one_column():
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        model = regressor().fit(X, TARGET[:, np.newaxis])
    assert model.predict(X).shape == (60,)
    np.testing.assert_array_equal(
        model.predict(X), regressor().fit(X, TARGET).predict(X)
    )
    bagging = BaggingRegressor(regressor(), n_estimators=2).fit(X, TARGET)
    assert bagging.predict(X).shape == (60,)
    scaled = TransformedTargetRegressor(regressor(), transformer=StandardScaler())
    assert scaled.fit(X, TARGET).predict(X).shape == (60,)


def test_wide_outputs():
    y = np.tile(TARGET[:, np.newaxis], (1, 2000))
    ours = regressor(max_iter=2).fit(X, y)
    theirs = MLPRegressor(**PARAMS | {"max_iter": 2}).fit(X, y)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-9)


# Searches and meta-estimators.


def test_searches_over_the_sizes_of_hidden_layers():
    sizes = [(3,), (3, 2), (), 4, np.array([3, 2, 2])]
    search = GridSearchCV(regressor(), {"hidden_layer_sizes": sizes}, cv=2)
    search.fit(X, TARGET)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    numbers = {
        "hidden_layer_sizes": [*np.arange(2, 5)],
        "batch_size": [*np.arange(8, 10)],
    }
    search = RandomizedSearchCV(regressor(), numbers, n_iter=3, cv=2, random_state=0)
    assert np.isfinite(search.fit(X, TARGET).cv_results_["mean_test_score"]).all()


def test_scorers_of_probabilities_and_decisions():
    scores = cross_val_score(classifier(), X, BINARY, cv=KFold(3), scoring="roc_auc")
    for score, (train, test) in zip(scores, KFold(3).split(X), strict=True):
        model = classifier().fit(X[train], BINARY[train])
        expected = roc_auc_score(BINARY[test], model.predict_proba(X[test])[:, 1])
        assert score == pytest.approx(expected)
    ovr = cross_val_score(classifier(), X, CLASSES, cv=3, scoring="roc_auc_ovr")
    assert np.isfinite(ovr).all()


@pytest.mark.parametrize("build", [classifier, regressor])
def test_learning_curve_by_partial_fit(build):
    y = CLASSES if build is classifier else TARGET
    theirs = MLPClassifier if build is classifier else MLPRegressor
    curves = [
        learning_curve(
            model, X, y, cv=3, train_sizes=[0.5, 1.0], exploit_incremental_learning=True
        )[2]
        for model in (build(), theirs(**PARAMS))
    ]
    np.testing.assert_allclose(*curves, rtol=1e-9)


def test_estimators_know_their_kind():
    assert is_classifier(classifier())
    assert is_regressor(regressor())
    assert is_classifier(make_pipeline(StandardScaler(), classifier()))


def test_a_fitted_search_can_be_copied():
    model = classifier(callbacks=[EarlyStopping("loss", patience=2)])
    search = GridSearchCV(model, {"alpha": [0.1, 1.0]}, cv=2).fit(X, CLASSES)
    bagging = BaggingClassifier(classifier(), n_estimators=2).fit(X, CLASSES)
    for fitted in (search, bagging):
        for copied in (deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
            np.testing.assert_array_equal(copied.predict(X), fitted.predict(X))


def test_fitted_models_in_meta_estimators():
    fitted = classifier().fit(X, WORDS)
    check_is_fitted(fitted)
    stacked = StackingClassifier([("mlp", fitted)], cv="prefit").fit(X, WORDS)
    assert stacked.score(X, WORDS) > 0.3
    calibrated = CalibratedClassifierCV(classifier(), cv=2).fit(X, WORDS)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)


class Narrow(MLPClassifierScratch):
    """A subclass with a constructor of its own."""

    def __init__(self, width=4, alpha=1e-4, random_state=None):
        super().__init__((width,), alpha=alpha, random_state=random_state, max_iter=5)
        self.width = width


class Wrapped(BaseEstimator):
    """An estimator that holds another."""

    def __init__(self, estimator):
        self.estimator = estimator


def test_subclasses_with_other_parameters():
    model = clone(Narrow(width=3, random_state=0)).fit(X, CLASSES)
    assert model.get_params() == {"width": 3, "alpha": 1e-4, "random_state": 0}
    assert repr(model) == "Narrow(random_state=0, width=3)"
    assert [W.shape for W in model.coefs_] == [(4, 3), (3, 3)]
    search = GridSearchCV(Narrow(random_state=0), {"width": [2, 6]}, cv=2)
    assert search.fit(X, CLASSES).best_params_["width"] in (2, 6)
    wrapped = clone(Wrapped(Narrow())).set_params(estimator__width=7)
    assert wrapped.estimator.width == 7


# Training.


def test_partial_fit_with_early_stopping_raises():
    model = regressor(early_stopping=True).fit(X, TARGET)
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping"):
        model.partial_fit(X, TARGET)


@pytest.mark.parametrize("build", [classifier, regressor])
def test_warm_start_runs_max_iter_epochs_again(build):
    model = build(warm_start=True, solver="sgd")
    y = CLASSES if build is classifier else TARGET
    assert [model.fit(X, y).n_iter_ for _ in range(3)] == [5, 5, 5]
    assert len(model.loss_curve_) == 15


def test_divergence_with_early_stopping_names_the_cause():
    model = regressor(
        early_stopping=True,
        solver="sgd",
        activation="identity",
        learning_rate_init=1e6,
        batch_size=1,
    )
    with pytest.raises(ValueError, match="Use a smaller learning_rate_init"):
        model.fit(1e6 * X, 1e6 * TARGET)


@pytest.mark.parametrize("engine", ["auto", "numpy"])
@pytest.mark.parametrize("params", [{}, {"solver": "lbfgs"}, {"early_stopping": True}])
def test_a_fitted_estimator_does_not_keep_the_data(engine, params, without_gc):
    """Nor is it kept alive itself by a cycle of references."""
    samples = X.copy()
    data = weakref.ref(samples)
    model = regressor(engine=engine, **params).fit(samples, TARGET)
    del samples
    assert data() is None
    kept = weakref.ref(model)
    del model
    assert kept() is None


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_verbose_output_can_be_redirected(solver, capfd):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        regressor(solver=solver, verbose=True, max_iter=3).fit(X, TARGET)
    assert output.getvalue().count("Iteration") == 3
    assert capfd.readouterr().out == ""


def test_nan_under_assume_finite_is_named():
    with config_context(assume_finite=True):
        with pytest.raises(ValueError, match="y must be finite, got NaN"):
            regressor().fit(X, np.r_[np.nan, TARGET[1:]])
        model = regressor().fit(X, TARGET)
        with pytest.raises(ValueError, match="X is not finite in that row"):
            model.predict([[np.nan, 0, 0, 0]])


def test_a_generator_as_random_state_raises_as_in_scikit_learn():
    for cls in (MLPRegressorScratch, MLPRegressor):
        model = cls(random_state=np.random.default_rng(0))
        with pytest.raises(ValueError, match="'random_state' parameter"):
            model.fit(X, TARGET)
