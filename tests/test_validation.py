"""Tests of the validation set: the user's own, what it rules, what is recorded."""

import re
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from scipy.special import xlogy
from sklearn import config_context
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    log_loss,
    make_scorer,
    mean_squared_error,
    r2_score,
    roc_auc_score,
)
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.estimators.regressor import _r2_of_arrays

pytestmark = pytest.mark.usefixtures("one_blas_thread")

SMALL = {
    "hidden_layer_sizes": (6,),
    "learning_rate_init": 0.05,
    "max_iter": 25,
    "n_iter_no_change": 5,
    "random_state": 0,
}
KINDS = ["binary", "multiclass", "multilabel", "strings"]
KINDS += ["regression", "multioutput", "poisson"]


def parts(data, dtype=np.float64):
    """The first 80 samples to train on, the rest to validate."""
    X = data.X.astype(dtype)
    return X[:80], data.y[:80], X[80:], data.y[80:]


def model(data, **params):
    return data.Estimator(**SMALL | data.params | params)


def log_loss_of_labels(Y, P):
    """Summed over the labels, averaged over the samples."""
    return -(xlogy(Y, P) + xlogy(1 - Y, 1 - P)).sum(axis=1).mean()


def val_loss(kind, estimator, X, y):
    """What the validation loss is, computed from predictions."""
    if kind == "multilabel":
        return log_loss_of_labels(y, estimator.predict_proba(X))
    if kind in KINDS[:4]:
        return log_loss(y, estimator.predict_proba(X))
    p = estimator.predict(X)
    if kind == "poisson":
        return np.mean(xlogy(y, y / p) - y + p)
    return mean_squared_error(y, p) / 2


# Recorded without early stopping.


@pytest.mark.parametrize("kind", KINDS)
def test_without_early_stopping_it_is_only_recorded(datasets, kind):
    data = datasets[kind]
    X, y, X_val, y_val = parts(data)
    plain = model(data).fit(X, y)
    watched = model(data).fit(X, y, X_val=X_val, y_val=y_val)
    for mine, other in zip(plain.coefs_, watched.coefs_, strict=True):
        assert_array_equal(mine, other)
    assert_array_equal(plain.loss_curve_, watched.loss_curve_)
    assert watched.t_ == watched.n_iter_ * 80
    assert watched.validation_scores_ is None
    assert watched.best_validation_score_ is None
    assert np.isnan(plain.history_["val_loss"]).all()
    assert np.isnan(plain.history_["val_score"]).all()
    # Of the last epoch, and by a shorter training of an earlier one.
    for n_iter in 3, watched.n_iter_:
        stopped = model(data, max_iter=n_iter).fit(X, y)
        metric = accuracy_score if kind in KINDS[:4] else r2_score
        score = metric(y_val, stopped.predict(X_val))
        assert_allclose(watched.history_["val_score"][n_iter - 1], score, rtol=1e-12)
        loss = val_loss(kind, stopped, X_val, y_val)
        assert_allclose(watched.history_["val_loss"][n_iter - 1], loss, rtol=1e-12)


@pytest.mark.parametrize("kind", ["multiclass", "binary", "regression"])
def test_weights_of_the_validation_samples(datasets, kind):
    data = datasets[kind]
    X, y, X_val, y_val = parts(data)
    w = np.random.RandomState(0).rand(len(y_val))
    est = model(data).fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=w)
    p = est.predict(X_val)
    if kind == "regression":
        score = r2_score(y_val, p, sample_weight=w)
        loss = mean_squared_error(y_val, p, sample_weight=w) / 2
    else:
        score = accuracy_score(y_val, p, sample_weight=w)
        loss = log_loss(y_val, est.predict_proba(X_val), sample_weight=w)
    assert_allclose(est.history_["val_score"][-1], score, rtol=1e-12)
    assert_allclose(est.history_["val_loss"][-1], loss, rtol=1e-12)


@pytest.mark.parametrize("kind", ["multiclass", "binary"])
def test_validation_loss_has_smoothed_labels(datasets, kind):
    """Against the smoothed cross-entropy of the predictions, written out."""
    data = datasets[kind]
    X, y, X_val, y_val = parts(data)
    clf = model(data, label_smoothing=0.2).fit(X, y, X_val=X_val, y_val=y_val)
    P = clf.predict_proba(X_val)
    K = P.shape[1]
    Y = np.eye(K)[y_val] * 0.8 + 0.2 / K
    assert_allclose(
        clf.history_["val_loss"][-1], -(Y * np.log(P)).sum(axis=1).mean(), rtol=1e-10
    )
    score = accuracy_score(y_val, clf.predict(X_val))
    assert_allclose(clf.history_["val_score"][-1], score)


# Early stopping.


@pytest.mark.parametrize("kind", KINDS)
def test_early_stopping_uses_it_and_sets_no_sample_aside(datasets, kind):
    data = datasets[kind]
    X, y, X_val, y_val = parts(data)
    stopped = model(data, early_stopping=True, max_iter=60)
    stopped.fit(X, y, X_val=X_val, y_val=y_val)
    assert stopped.n_iter_ < 60
    assert stopped.t_ == stopped.n_iter_ * 80
    # The epochs are those of a training on all samples.
    plain = model(data, max_iter=stopped.n_iter_).fit(X, y)
    assert_array_equal(stopped.loss_curve_, plain.loss_curve_)
    # The best weights are back.
    scores = stopped.validation_scores_
    assert_array_equal(scores, stopped.history_["val_score"])
    assert stopped.best_validation_score_ == max(scores)
    score = stopped.score(X_val, y_val)
    if kind == "poisson":
        score = r2_score(y_val, stopped.predict(X_val))
    assert_allclose(score, max(scores), rtol=1e-12)
    best = model(data, max_iter=int(np.argmax(scores)) + 1).fit(X, y)
    for mine, other in zip(stopped.coefs_, best.coefs_, strict=True):
        assert_array_equal(mine, other)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_early_stopping_by_the_loss(datasets, kind, weighted):
    data = datasets[kind]
    X, y, X_val, y_val = parts(data)
    w = np.random.RandomState(0).rand(len(y_val)) if weighted else None
    est = model(data, early_stopping=True, early_stopping_metric="loss")
    est.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=w)
    assert_allclose(est.validation_scores_, -np.array(est.history_["val_loss"]))
    if kind == "regression":
        loss = mean_squared_error(y_val, est.predict(X_val), sample_weight=w) / 2
    else:
        loss = log_loss(y_val, est.predict_proba(X_val), sample_weight=w)
    assert_allclose(-est.best_validation_score_, loss, rtol=1e-10)
    # The score is still the accuracy, or R^2.
    assert max(est.history_["val_score"]) <= 1
    assert max(est.history_["val_score"]) > 0


SCORERS = {
    "roc_auc": lambda e, X, y, w: roc_auc_score(
        y, e.decision_function(X), sample_weight=w
    ),
    "neg_log_loss": lambda e, X, y, w: (
        -log_loss(y, e.predict_proba(X), sample_weight=w)
    ),
    "balanced_accuracy": lambda e, X, y, w: balanced_accuracy_score(
        y, e.predict(X), sample_weight=w
    ),
    "r2": lambda e, X, y, w: r2_score(y, e.predict(X), sample_weight=w),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("metric", "kind"),
    [
        ("roc_auc", "binary"),
        ("neg_log_loss", "multiclass"),
        ("neg_log_loss", "strings"),
        ("r2", "regression"),
        ("r2", "multioutput"),
        (make_scorer(balanced_accuracy_score), "strings"),
    ],
)
def test_early_stopping_by_a_scorer(datasets, metric, kind, weighted):
    data = datasets[kind]
    X, y, X_val, y_val = parts(data)
    w = np.random.RandomState(0).rand(len(y_val)) if weighted else None
    est = model(data, early_stopping=True, early_stopping_metric=metric)
    est.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=w)
    reference = SCORERS[metric if isinstance(metric, str) else "balanced_accuracy"]
    score = reference(est, X_val, y_val, w)
    assert_allclose(est.best_validation_score_, score, rtol=1e-12)
    assert_array_equal(est.history_["val_score"], est.validation_scores_)
    assert_allclose(est.best_validation_score_, max(est.validation_scores_))


def test_a_scorer_on_the_fraction_that_is_set_aside(datasets):
    """By name or as a function of the user's; with names of features, too."""
    pd = pytest.importorskip("pandas")
    data = datasets["strings"]
    seen = []

    def scorer(estimator, X, y):
        seen.append((estimator.classes_, X.shape, set(y)))
        return accuracy_score(y, estimator.predict(X))

    frame = pd.DataFrame(data.X, columns=list("abcdefgh"))
    params = {"early_stopping": True, "max_iter": 6, "validation_fraction": 0.25}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=UserWarning)
        warnings.filterwarnings("error", message=".*feature names")
        by_scorer = model(data, early_stopping_metric=scorer, **params)
        by_scorer.fit(frame, data.y)
        named = model(data, early_stopping_metric="accuracy", **params)
        named.fit(frame, data.y)
    plain = model(data, **params).fit(frame, data.y)
    assert plain.validation_scores_ == by_scorer.validation_scores_
    assert plain.validation_scores_ == named.validation_scores_
    assert len(seen) == 6
    assert all(shape == (30, 8) and y <= set(data.y) for _, shape, y in seen)


def test_an_unknown_scorer(datasets):
    est = model(datasets["binary"], early_stopping=True, early_stopping_metric="accu")
    with pytest.raises(ValueError, match="'accu'"):
        est.fit(datasets["binary"].X, datasets["binary"].y)
    assert not hasattr(est, "coefs_")


def test_a_score_that_is_never_a_number_is_an_error(datasets):
    """Or the weights of the best epoch would be those before the first."""
    data = datasets["regression"]
    X, y, X_val, y_val = parts(data)
    est = model(data, early_stopping=True, early_stopping_metric=lambda *_: np.nan)
    with pytest.raises(ValueError, match="NaN after all 6 epochs"):
        est.fit(X, y, X_val=X_val, y_val=y_val)
    assert not hasattr(est, "coefs_")


def test_rare_classes_are_named(datasets):
    """Two classes are stratified or refused, as in scikit-learn."""
    X = datasets["strings"].X
    y = np.where(np.arange(120) == 5, "rare", "common")
    clf = MLPClassifierScratch(**SMALL, early_stopping=True)
    with pytest.raises(ValueError, match=r"one sample of each .*\['rare'\].*X_val"):
        clf.fit(X, y)
    clf.fit(X, y, X_val=X[:20], y_val=y[:20])  # as the message says


UNSTRATIFIABLE = {
    "fewer validation samples than classes": (
        np.arange(12) % 3,
        {},
        "=0.1 of 12 samples makes 2 validation samples of 3 classes. The 2 validation "
        "samples .*no validation sample: \\[.*Pass more samples, a larger validation",
    ),
    "fewer training samples than classes": (
        np.arange(12) % 3,
        {"validation_fraction": 0.8},
        "makes 2 training samples of 3 classes.*, a smaller validation_fraction, or a",
    ),
    "a class of one sample": (
        np.array(["a", "b", "rare"])[np.r_[np.arange(30) % 2, 2]],
        {},
        r"one sample of each of these classes: \['rare'\].*Pass more samples of them",
    ),
    "many classes of one sample": (
        np.r_[np.repeat([0, 1], 30), np.arange(10, 30)],
        {},
        r": \[10, 11, 12, 13, 14, and 15 more\]\. .*no validation sample: "
        r"\[\d+, \d+, \d+, \d+, \d+, and \d+ more\]\. Pass",
    ),
}


@pytest.mark.parametrize("case", UNSTRATIFIABLE)
def test_classes_that_cannot_be_stratified_are_split_as_in_scikit_learn(case):
    """With one warning, and with scikit-learn's numbers."""
    y, params, message = UNSTRATIFIABLE[case]
    X = np.random.RandomState(1).normal(size=(len(y), 4))
    params = SMALL | params | {"early_stopping": True}
    ours = MLPClassifierScratch(**params, engine="numpy")
    with pytest.warns(UserWarning, match="cannot stratify") as caught:
        ours.fit(X, y)
    (warning,) = [w for w in caught if w.category is UserWarning]
    assert re.search(message, str(warning.message))
    assert warning.filename == __file__
    assert len(str(warning.message)) < 500
    theirs = MLPClassifier(**params).fit(X, y)
    assert ours.validation_scores_ == theirs.validation_scores_
    assert ours.loss_curve_ == theirs.loss_curve_
    for coef, expected in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_array_equal(coef, expected)


def test_cross_validation_with_few_samples_of_many_classes():
    X = np.random.RandomState(1).normal(size=(80, 4))
    clf = MLPClassifierScratch(**SMALL, early_stopping=True)
    with pytest.warns(UserWarning, match="cannot stratify"):
        scores = cross_val_score(clf, X, np.arange(80) % 10, error_score="raise")
    assert np.isfinite(scores).all()


@pytest.mark.filterwarnings("error")
def test_a_stratified_split_is_not_warned_of():
    """As many validation samples as classes are enough, and so are two of a class."""
    y = np.r_[np.arange(28) % 2, 2, 2]
    X = np.random.RandomState(1).normal(size=(30, 4))
    MLPClassifierScratch(**SMALL | {"n_iter_no_change": 1, "tol": 1.0}).set_params(
        early_stopping=True, max_iter=9
    ).fit(X, y)


@pytest.mark.parametrize("fraction", [0.0, 0.02, 0.99])
def test_split_raises_like_scikit_learn(fraction):
    y = np.arange(30) % 3
    X = np.random.RandomState(1).normal(size=(30, 4))
    for Estimator in (MLPClassifier, MLPClassifierScratch):
        clf = Estimator(**SMALL, early_stopping=True, validation_fraction=fraction)
        with pytest.raises(ValueError, match=r"test_size|validation set is too small"):
            clf.fit(X, y)


def test_the_validation_score_of_one_class_is_that_of_predict():
    """The only class is always predicted, whatever the output of the network."""
    X, y = np.random.RandomState(1).normal(size=(30, 4)), np.full(30, "one")
    params = SMALL | {"early_stopping": True}
    ours = MLPClassifierScratch(**params, engine="numpy").fit(X, y)
    theirs = MLPClassifier(**params).fit(X, y)
    assert ours.validation_scores_ == theirs.validation_scores_
    assert set(ours.validation_scores_) == {1.0} == {ours.score(X, y)}


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_validation_samples_of_zero_weight(datasets, kind):
    """They do not change the order in which the others are added up."""
    data = datasets[kind]
    weights = np.linspace(0.1, 2, 120)
    weights[np.random.RandomState(0).permutation(120)[:40]] = 0
    params = SMALL | {"early_stopping": True, "validation_fraction": 0.5}
    Theirs = MLPClassifier if kind == "binary" else MLPRegressor
    ours = data.Estimator(**params, engine="numpy").fit(data.X, data.y, weights)
    theirs = Theirs(**params).fit(data.X, data.y, weights)
    assert ours.validation_scores_ == theirs.validation_scores_


def test_one_validation_sample_of_positive_weight():
    """R^2 is then 0, as scikit-learn's r2_score has it, and not undefined."""
    X, y = np.random.RandomState(1).normal(size=(20, 3)), np.arange(20.0)
    params = SMALL | {"early_stopping": True, "max_iter": 3}
    n_met = 0
    for row in range(20):  # one of them is among the two of the validation set
        weights = np.ones(20)
        weights[row] = 0
        ours = MLPRegressorScratch(**params, engine="numpy").fit(X, y, weights)
        theirs = MLPRegressor(**params).fit(X, y, weights)
        assert ours.validation_scores_ == theirs.validation_scores_
        n_met += theirs.validation_scores_ == [0.0] * 3
    assert n_met == 2


def test_stratified_split_of_smoothed_labels(datasets):
    """Smoothing changes the targets, not who is set aside."""
    data = datasets["binary"]
    params = {"early_stopping": True, "max_iter": 3, "solver": "sgd"}
    plain = model(data, **params).fit(data.X, data.y)
    smooth = model(data, label_smoothing=1e-12, **params).fit(data.X, data.y)
    assert_allclose(smooth.coefs_[0], plain.coefs_[0], rtol=1e-6)
    assert plain.validation_scores_ == smooth.validation_scores_


# Kinds of data.


@pytest.mark.parametrize("early_stopping", [False, True])
def test_sparse_and_float32_validation_samples(datasets, early_stopping):
    data = datasets["multiclass"]
    X, y, X_val, y_val = parts(data)
    est = model(data, early_stopping=early_stopping, max_iter=5)
    dense = est.fit(X, y, X_val=X_val, y_val=y_val).history_["val_loss"]
    sparse = est.fit(X, y, X_val=csr_matrix(X_val), y_val=y_val).history_["val_loss"]
    assert_allclose(sparse, dense, rtol=1e-12)
    est.fit(X.astype(np.float32), y, X_val=X_val, y_val=list(y_val))
    assert est.coefs_[0].dtype == np.float32
    assert_allclose(est.history_["val_loss"], dense, rtol=1e-4)


def test_frames_have_names_and_no_warning(datasets):
    pd = pytest.importorskip("pandas")
    data = datasets["strings"]
    X, y, X_val, y_val = parts(data)
    names = list("abcdefgh")
    frame, val_frame = (pd.DataFrame(A, columns=names) for A in (X, X_val))
    plain = model(data, max_iter=5).fit(X, y, X_val=X_val, y_val=y_val)
    for metric in "score", "neg_log_loss":
        est = model(data, max_iter=5, early_stopping_metric=metric)
        est.fit(frame, y, X_val=val_frame, y_val=pd.Series(y_val))  # warnings: errors
        assert est.history_["val_loss"] == plain.history_["val_loss"]
        assert list(est.feature_names_in_) == names
    with pytest.raises(ValueError, match=r"X_val.*not valid.*feature names"):
        est.fit(frame, y, X_val=val_frame[names[::-1]], y_val=y_val)


@pytest.mark.parametrize("Estimator", [MLPClassifierScratch, MLPRegressorScratch])
def test_a_pipeline_transforms_it_as_the_training_samples(datasets, Estimator):
    data = datasets["binary"]
    X, y, X_val, y_val = parts(data)
    X, X_val = 3 * X + 5, 3 * X_val + 5
    w_val = np.arange(1.0, 41)
    scaler = StandardScaler().fit(X)
    direct = Estimator(**SMALL, early_stopping=True).fit(
        scaler.transform(X),
        y,
        X_val=scaler.transform(X_val),
        y_val=y_val,
        sample_weight_val=w_val,
    )
    with config_context(enable_metadata_routing=True):
        est = Estimator(**SMALL, early_stopping=True)
        est.set_fit_request(X_val=True, y_val=True, sample_weight_val=True)
        pipe = Pipeline(
            [("scale", StandardScaler()), ("mlp", est)], transform_input=["X_val"]
        )
        pipe.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=w_val)
    assert pipe["mlp"].validation_scores_ == direct.validation_scores_
    assert_array_equal(pipe["mlp"].coefs_[0], direct.coefs_[0])


@pytest.mark.parametrize("early_stopping", [False, True])
def test_it_is_never_changed_and_continues_with_warm_start(datasets, early_stopping):
    data = datasets["regression"]
    X, y, X_val, y_val = parts(data)  # slices of arrays that cannot be written to
    est = model(data, warm_start=True, max_iter=4, early_stopping=early_stopping)
    for fits in 1, 2, 3:
        est.fit(X, y, X_val=X_val, y_val=y_val)
        assert len(est.history_["val_loss"]) == 4 * fits
    if early_stopping:
        assert len(est.validation_scores_) == 12
        assert_allclose(est.score(X_val, y_val), max(est.validation_scores_))


@pytest.mark.parametrize("change", ["validation set", "metric", "start"])
def test_warm_start_is_compared_with_its_first_loss(datasets, change):
    """Not with the score on another set, by another metric, of other weights."""
    data = datasets["multiclass"]
    X, y, X_val, y_val = parts(data)
    clf = model(data, early_stopping=True, warm_start=True, max_iter=60)
    clf.fit(X, y, X_val=X, y_val=y)  # a score that is hard to reach again
    kwargs = {}
    if change == "metric":
        clf.set_params(early_stopping_metric="loss")
    elif change == "start":
        kwargs = {"coefs_init": [None, np.zeros((6, 3))]}
    if change != "validation set":
        X_val, y_val = X, y
    clf.fit(X, y, X_val=X_val, y_val=y_val, **kwargs)
    score = clf.score(X_val, y_val)
    if change == "metric":
        score = -log_loss(y_val, clf.predict_proba(X_val))
    assert_allclose(clf.best_validation_score_, score, rtol=1e-12)
    if change != "validation set":
        assert score == pytest.approx(max(clf.validation_scores_[-clf.n_iter_ :]))


# What is not valid. The estimator stays as it was.


def bad_arguments(data):
    X_val, y_val = parts(data)[2:]
    return {
        "no y_val": ({"X_val": X_val}, "X_val is provided, but y_val was not"),
        "no X_val": ({"y_val": y_val}, "y_val is provided, but X_val was not"),
        "weights alone": (
            {"sample_weight_val": np.ones(40)},
            "sample_weight_val is provided, but X_val was not",
        ),
        "features": (
            {"X_val": X_val[:, :5], "y_val": y_val},
            "X_val.*not valid: X has 5 features.* 8 features",
        ),
        "lengths": (
            {"X_val": X_val, "y_val": y_val[1:]},
            "X_val.*not valid: .*inconsistent numbers of samples",
        ),
        "none": ({"X_val": X_val[:0], "y_val": y_val[:0]}, "X_val.*not valid: "),
        "NaN": (
            {"X_val": np.where(X_val > 0, X_val, np.nan), "y_val": y_val},
            "X_val.*not valid: Input X contains NaN",
        ),
        "weights' length": (
            {"X_val": X_val, "y_val": y_val, "sample_weight_val": np.ones(3)},
            "sample_weight_val are not valid: ",
        ),
        "negative weights": (
            {"X_val": X_val, "y_val": y_val, "sample_weight_val": -np.ones(40)},
            "sample_weight_val must be non-negative, got -1.0 at index 0",
        ),
        "zero weights": (
            {"X_val": X_val, "y_val": y_val, "sample_weight_val": np.zeros(40)},
            "sample_weight_val are not valid: .*(is zero|non-zero)",
        ),
    }


BAD = ["no y_val", "no X_val", "weights alone", "features", "lengths", "none", "NaN"]
BAD += ["weights' length", "negative weights", "zero weights"]


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_bad_validation_data(datasets, kind, what):
    data = datasets[kind]
    X, y, _, _ = parts(data)
    arguments, message = bad_arguments(data)[what]
    est = model(data, early_stopping=True)
    with pytest.raises(ValueError, match=message):
        est.fit(X, y, **arguments)
    assert not hasattr(est, "coefs_")


@pytest.mark.parametrize(
    ("kind", "bad", "message"),
    [
        ("multiclass", lambda y: y + 1, r"classes that y does not have: \[3\]"),
        ("strings", lambda y: np.char.add(y.astype(str), "!"), "y does not have"),
        ("strings", lambda y: np.arange(len(y)) % 2, "y does not have"),
        ("multiclass", lambda y: y.astype(str), "y does not have"),
        ("multiclass", lambda y: np.eye(3, dtype=int)[y], "y_val is multilabel"),
        ("multiclass", lambda y: y + 0.5, "continuous"),
        ("multilabel", lambda y: y[:, 0], "y_val is not multilabel"),
        ("multilabel", lambda y: np.c_[y, y], "y does not have"),
        ("multilabel", lambda y: y[:, :2], "y_val has 2 columns, y has 3"),
        ("regression", lambda y: np.c_[y, y], "y_val has 2 columns, y has 1"),
        ("multioutput", lambda y: y[:, 0], "y_val has 1 columns, y has 3"),
        ("multioutput", lambda y: y[:, :2], "y_val has 2 columns, y has 3"),
        ("poisson", lambda y: -1 - y, "needs y >= 0"),
        ("regression", lambda y: y.astype(str), "real numbers|could not convert"),
    ],
)
def test_bad_validation_targets(datasets, kind, bad, message):
    data = datasets[kind]
    X, y, X_val, y_val = parts(data)
    est = model(data)
    with pytest.raises(ValueError, match=f"not valid: .*({message})"):
        est.fit(X, y, X_val=X_val, y_val=bad(y_val))
    assert not hasattr(est, "coefs_")


def test_classes_may_be_missing_from_it(datasets):
    data = datasets["multiclass"]
    X, y, X_val, y_val = parts(data)
    X_val, y_val = X_val[y_val > 0], y_val[y_val > 0]
    clf = model(data).fit(X, y, X_val=X_val, y_val=y_val)
    loss = log_loss(y_val, clf.predict_proba(X_val), labels=[0, 1, 2])
    assert_allclose(clf.history_["val_loss"][-1], loss, rtol=1e-12)


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_one_sample_is_too_few_for_early_stopping(datasets, kind):
    """As where a fraction is set aside; R^2 has no meaning."""
    data = datasets[kind]
    X, y, X_val, y_val = parts(data)
    with pytest.raises(ValueError, match="needs 2 samples, got 1"):
        model(data, early_stopping=True).fit(X, y, X_val=X_val[:1], y_val=y_val[:1])


@pytest.mark.parametrize(
    "as_type",
    [np.array, np.float32, lambda score: np.array([score]), np.float64],
)
def test_a_metric_may_return_an_array_of_one_number(as_type):
    """scikit-learn takes the item of such a score, too."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    params = {"early_stopping": True, "max_iter": 5, "random_state": 0}

    def metric(estimator, X, y):
        return as_type(estimator.score(X, y))

    ours = MLPRegressorScratch(early_stopping_metric=metric, **params).fit(X, X[:, 0])
    same = MLPRegressorScratch(**params).fit(X, X[:, 0])
    np.testing.assert_allclose(
        ours.validation_scores_, same.validation_scores_, rtol=1e-6
    )


@pytest.mark.parametrize("weights", ["sample_weight", "class_weight"])
def test_metric_without_weights(datasets, weights):
    """As the documented one does not: scorer(estimator, X, y)."""
    data = datasets["multiclass"]
    clf = MLPClassifierScratch(
        (4,),
        max_iter=3,
        early_stopping=True,
        early_stopping_metric=lambda estimator, X, y: estimator.score(X, y),
        class_weight="balanced" if weights == "class_weight" else None,
        random_state=0,
    )
    w = np.ones(len(data.y)) if weights == "sample_weight" else None
    clf.fit(data.X, data.y, w)
    assert len(clf.validation_scores_) == 3


def test_samples_of_no_weight_do_not_count_even_if_their_output_overflows():
    rng = np.random.RandomState(0)
    X, y = rng.randn(60, 2), rng.poisson(2, 60).astype(float)
    X_val, w_val = X.copy(), np.ones(60)
    X_val[0], w_val[0] = 1e5, 0
    reg = MLPRegressorScratch("poisson", (), max_iter=3, random_state=0)
    one = reg.fit(X, y, X_val=X_val, y_val=y, sample_weight_val=w_val).history_
    other = reg.fit(X, y, X_val=X[1:], y_val=y[1:], sample_weight_val=w_val[1:])
    assert np.isfinite(one["val_loss"]).all()
    np.testing.assert_array_equal(one["val_loss"], other.history_["val_loss"])


def test_a_best_score_of_another_set_or_metric_is_not_compared(datasets):
    """It was great by chance; training from there must not be thrown away."""
    data = datasets["binary"]
    clf = MLPClassifierScratch(
        (8,), early_stopping=True, warm_start=True, max_iter=5, random_state=0
    )
    clf.fit(data.X, data.y, X_val=data.X[:2], y_val=data.y[:2])
    clf.best_validation_score_ = 1.5  # as it may be under another metric
    before = clf.coefs_[0].copy()
    clf.set_params(learning_rate_init=0.02).fit(data.X, data.y)
    assert clf.best_validation_score_ <= 1
    assert (clf.coefs_[0] != before).any()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("n_samples", [2, 7, 100, 1000])
def test_r2_of_each_epoch_is_scikit_learns_to_the_last_bit(
    n_samples, n_outputs, weighted
):
    rng = np.random.default_rng(n_samples)
    for spread in (1e-3, 1, 1e6):
        Y = rng.normal(size=(n_samples, n_outputs)) + 5
        P = Y + spread * rng.normal(size=Y.shape)
        w = rng.integers(1, 5, n_samples).astype(float) if weighted else None
        assert _r2_of_arrays(Y, P, w) == r2_score(Y, P, sample_weight=w)
    Y[:, 0] = 2
    assert _r2_of_arrays(Y, P, w) == r2_score(Y, P, sample_weight=w)
    P[:, 0] = 2
    assert _r2_of_arrays(Y, P, w) == r2_score(Y, P, sample_weight=w)
