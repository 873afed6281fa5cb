"""Tests of parameters that scikit-learn's MLP does not have."""

import warnings
from copy import deepcopy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix, issparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.utils.class_weight import compute_sample_weight

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.core.optimizers import OPTIMIZERS

pytestmark = pytest.mark.usefixtures("one_blas_thread")

SMALL = {
    "hidden_layer_sizes": (6, 4),
    "learning_rate_init": 0.02,
    "max_iter": 8,
    "random_state": 0,
}
SOLVERS = sorted(OPTIMIZERS)


@pytest.fixture
def data(datasets):
    return datasets["multiclass"]


def classifier(**params):
    return MLPClassifierScratch(**SMALL | params)


def regressor(**params):
    return MLPRegressorScratch(**SMALL | params)


def arrays(estimator):
    names = ["coefs_", "intercepts_"]
    if estimator.batch_norm:
        names += [f"batch_norm_{part}_" for part in ("scales", "means", "variances")]
    return [array for name in names for array in getattr(estimator, name)]


def assert_same_network(actual, desired):
    """To the last bit."""
    for a, d in zip(arrays(actual), arrays(desired), strict=True):
        assert_array_equal(a, d)


def same_network(actual, desired):
    return all(map(np.array_equal, arrays(actual), arrays(desired)))


# class_weight


WEIGHTS = {0: 0.5, 1: 3.0, 2: 1.25}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("class_weight", ["balanced", WEIGHTS])
def test_class_weight_is_the_same_sample_weight(data, class_weight, solver, weighted):
    w = np.random.RandomState(0).rand(120) if weighted else None
    ours = classifier(class_weight=class_weight, solver=solver)
    ours.fit(data.X, data.y, sample_weight=w)
    of_class = compute_sample_weight(class_weight, data.y)
    same = classifier(solver=solver)
    same.fit(data.X, data.y, sample_weight=of_class if w is None else w * of_class)
    assert_same_network(ours, same)
    none = classifier(solver=solver).fit(data.X, data.y, sample_weight=w)
    assert not same_network(ours, none)


def test_class_weight_of_strings_and_of_early_stopping(datasets):
    data = datasets["strings"]
    weights = {"setosa": 2.0, "a": 0.5}  # the third is 1
    params = {"early_stopping": True}
    ours = classifier(class_weight=weights, **params).fit(data.X, data.y)
    w = np.array([weights.get(label, 1.0) for label in data.y])
    same = classifier(**params).fit(data.X, data.y, sample_weight=w)
    assert_same_network(ours, same)
    assert ours.validation_scores_ == same.validation_scores_


def test_class_weight_of_classes_that_are_absent(data):
    """As in a fold of cross-validation."""
    subset = data.y < 2
    X, y = data.X[subset], data.y[subset]
    ours = classifier(class_weight={0: 2.0, 1: 1.0, 2: 5.0, 7: 3.0}).fit(X, y)
    same = classifier(class_weight={0: 2.0}).fit(X, y)
    np.testing.assert_array_equal(ours.coefs_[0], same.coefs_[0])


def test_class_weight_of_labels_that_are_absent():
    """A label that no sample of a fold has, or that all have."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(40, 3)), rng.integers(2, size=(40, 3))
    Y[:, 1], Y[:, 2] = 0, 1
    weights = [{1: 2.0}, {1: 5.0}, {0: 3.0}]
    ours = classifier(class_weight=weights).fit(X, Y)
    same = classifier().fit(X, Y, sample_weight=np.where(Y[:, 0] == 1, 2.0, 1.0))
    np.testing.assert_array_equal(ours.coefs_[0], same.coefs_[0])


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_class_weight_in_meta_estimators(data):
    """Which train on some of the classes, or on others than those of y."""
    clf = classifier(class_weight={0: 1.0, 1: 2.0, 2: 3.0})
    for meta in OneVsOneClassifier(clf), OneVsRestClassifier(clf):
        assert set(meta.fit(data.X, data.y).predict(data.X)) <= set(data.y)
    order = np.argsort(data.y, kind="stable")
    folds = TimeSeriesSplit(3)
    scores = cross_val_score(
        clf, data.X[order], data.y[order], cv=folds, error_score="raise"
    )
    assert np.isfinite(scores).all()


def test_class_weight_in_partial_fit(data):
    ours, same = classifier(class_weight=WEIGHTS), classifier()
    w = np.arange(1.0, 121)
    for sample_weight in None, w, None:
        ours.partial_fit(data.X, data.y, sample_weight, classes=[0, 1, 2])
        of_class = compute_sample_weight(WEIGHTS, data.y)
        of_class *= 1 if sample_weight is None else sample_weight
        same.partial_fit(data.X, data.y, of_class, classes=[0, 1, 2])
    assert_same_network(ours, same)
    with pytest.raises(ValueError, match="'balanced' is not supported for partial_fit"):
        classifier(class_weight="balanced").partial_fit(
            data.X, data.y, classes=range(3)
        )


# label_smoothing


def test_label_smoothing_is_torchs(data):
    torch = pytest.importorskip("torch")
    start = classifier(max_iter=1).fit(data.X, data.y)
    for epsilon in 0.0, 0.1, 0.7:
        clf = classifier(
            label_smoothing=epsilon, batch_size="full", alpha=0.0, max_iter=1
        )
        clf.fit(data.X, data.y, None, None, None, None, start.coefs_, start.intercepts_)
        loss = torch.nn.functional.cross_entropy(
            torch.tensor(start.decision_function(data.X)),
            torch.tensor(data.y),
            label_smoothing=epsilon,
        )
        assert_allclose(clf.loss_, loss.item(), rtol=1e-12)


@pytest.mark.parametrize("kind", ["binary", "multilabel"])
def test_label_smoothing_of_labels_is_between_yes_and_no(datasets, kind):
    torch = pytest.importorskip("torch")
    data = datasets[kind]
    start = classifier(max_iter=1).fit(data.X, data.y)
    clf = classifier(label_smoothing=0.2, batch_size="full", alpha=0.0, max_iter=1)
    clf.fit(data.X, data.y, coefs_init=start.coefs_, intercepts_init=start.intercepts_)
    logits = torch.tensor(start.decision_function(data.X)).reshape(120, -1)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.tensor(data.y.reshape(120, -1) * 0.8 + 0.1), reduction="none"
    )
    assert_allclose(clf.loss_, loss.sum(1).mean().item(), rtol=1e-12)


# coefs_init and intercepts_init


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_training_starts_from_the_initial_parameters(datasets, solver):
    data = datasets["regression"]
    params = {"solver": solver, "max_iter": 1, "momentum": 0.0, "batch_size": "full"}
    first = regressor(**params).fit(data.X, data.y)
    again = regressor(**params).set_params(random_state=5)
    again.fit(
        data.X, data.y, coefs_init=first.coefs_, intercepts_init=first.intercepts_
    )
    going_on = regressor(**params, warm_start=True).fit(data.X, data.y)
    going_on.fit(data.X, data.y)
    assert_same_network(again, going_on)
    assert first.loss_ > again.loss_


def test_none_entries_are_drawn_like_missing_ones(data):
    """A learning rate so small that the start can be seen."""
    params = {"learning_rate_init": 1e-300, "max_iter": 1, "solver": "sgd"}
    plain = classifier(**params).fit(data.X, data.y)
    W, b = np.full((6, 4), 0.5), [1, 2, 3]
    clf = classifier(**params).fit(
        data.X, data.y, coefs_init=[None, W, None], intercepts_init=[None, None, b]
    )
    assert_array_equal(clf.coefs_[0], plain.coefs_[0])
    assert_array_equal(clf.coefs_[1], W)
    assert_array_equal(clf.coefs_[2], plain.coefs_[2])
    assert_array_equal(clf.intercepts_[0], plain.intercepts_[0])
    assert_array_equal(clf.intercepts_[2], b)
    # With warm_start the rest is the last call's.
    clf.set_params(warm_start=True).fit(
        data.X, data.y, coefs_init=[None, None, -W[:4, :3]]
    )
    assert_array_equal(clf.coefs_[0], plain.coefs_[0])
    assert_array_equal(clf.coefs_[1], W)
    assert_array_equal(clf.coefs_[2], -W[:4, :3])
    assert_array_equal(clf.intercepts_[2], b)


def test_the_given_arrays_are_not_changed(data):
    W = np.full((6, 4), 0.5)
    classifier().fit(data.X, data.y, coefs_init=[None, W, None])
    assert (W == 0.5).all()


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ([None], "one entry for each of the 3 layers .* got 1"),
        ([None, np.ones((4, 6)), None], r"coefs_init\[1\] must have shape \(6, 4\)"),
        ([None, np.full((6, 4), np.nan), None], r"coefs_init\[1\].*finite.*got nan"),
        ([None, np.full((6, 4), "a"), None], r"coefs_init\[1\].*real.*<U1"),
        ([None, np.full((6, 4), 1j), None], r"coefs_init\[1\].*real.*complex"),
    ],
)
def test_bad_starts(data, start, message):
    clf = classifier()
    with pytest.raises(ValueError, match=message):
        clf.fit(data.X, data.y, coefs_init=start)
    assert not hasattr(clf, "coefs_")


# frozen_layers


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"batch_norm": True},
        {"l1_ratio": 0.5, "alpha": 5.0},
        {"max_norm": 0.5, "weight_decay": 0.1},
        {"dropout": 0.2},
    ],
)
@pytest.mark.parametrize("solver", [*SOLVERS, "lbfgs"])
def test_frozen_layers_stay_and_others_move(data, solver, params):
    if solver == "lbfgs" and not params.keys() <= {"alpha", "l1_ratio"}:
        return  # it does not take them
    clf = classifier(max_iter=1, batch_norm="batch_norm" in params)
    start = deepcopy(clf.fit(data.X, data.y))
    clf.set_params(solver=solver, frozen_layers=[0, -2], **params)
    clf.set_params(warm_start=True, search_radius=0.01, max_iter=15)
    clf.fit(data.X, data.y)
    for l in 0, 1:
        assert_array_equal(clf.coefs_[l], start.coefs_[l])
        assert_array_equal(clf.intercepts_[l], start.intercepts_[l])
        if clf.batch_norm:
            for name in "scales", "means", "variances":
                name = f"batch_norm_{name}_"
                assert_array_equal(getattr(clf, name)[l], getattr(start, name)[l])
    assert (clf.coefs_[2] != start.coefs_[2]).any()
    assert (clf.intercepts_[2] != start.intercepts_[2]).any()


def test_transfer_learning(datasets):
    """Pretrain, take the layers over, train the last one, then all of them."""
    strings, other = datasets["strings"], datasets["multilabel"]
    pretrained = classifier().fit(other.X, other.y)
    clf = classifier(frozen_layers=[0, 1], warm_start=True)
    clf.fit(
        strings.X,
        strings.y,
        coefs_init=[*pretrained.coefs_[:-1], None],
        intercepts_init=[*pretrained.intercepts_[:-1], None],
    )
    for l in 0, 1:
        assert_array_equal(clf.coefs_[l], pretrained.coefs_[l])
        assert_array_equal(clf.intercepts_[l], pretrained.intercepts_[l])
    # A linear model of the hidden activations is what was trained.
    A = pretrained.hidden_activations(strings.X)[-1]
    linear = classifier(hidden_layer_sizes=(), alpha=1e-4)
    start = classifier(max_iter=1, learning_rate_init=1e-300, solver="sgd")
    start.fit(strings.X, strings.y)
    linear.set_params(shuffle=False)
    linear.fit(
        A,
        strings.y,
        coefs_init=start.coefs_[-1:],
        intercepts_init=start.intercepts_[-1:],
    )
    assert_allclose(linear.coefs_[0], clf.coefs_[-1], rtol=0.05, atol=0.01)
    before = [W.copy() for W in clf.coefs_]
    clf.set_params(frozen_layers=()).fit(strings.X, strings.y)
    for old, new in zip(before, clf.coefs_, strict=True):
        assert (old != new).any()
    assert clf.loss_curve_[-1] < clf.loss_curve_[0]


@pytest.mark.parametrize("frozen", [[3], [-4], [0.0], ["a"], [0, 1, 2], [0, 1, -1]])
def test_bad_frozen_layers(data, frozen):
    with pytest.raises(ValueError, match="frozen_layers"):
        classifier(frozen_layers=frozen).fit(data.X, data.y)


# dtype


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float32, np.float64])
def test_dtype(datasets, dtype):
    for kind in "multiclass", "regression":
        data = datasets[kind]
        for given in np.float32, np.float64:
            X = data.X.astype(given)
            est = data.Estimator(**SMALL, dtype=dtype).fit(X, data.y)
            same = data.Estimator(**SMALL).fit(X.astype(dtype), data.y)
            assert est.coefs_[0].dtype == np.dtype(dtype)
            assert_same_network(est, same)
    other = "float32" if np.dtype(dtype) == np.float64 else "float64"
    est.set_params(warm_start=True, dtype=other).fit(data.X, data.y)
    assert est.coefs_[0].dtype == other


# augment


@pytest.mark.parametrize("sparse", [False, True])
def test_augment_is_for_training_only(data, sparse):
    batches = []

    def noise(X, rng):
        batches.append(X.shape[0])
        if issparse(X):
            X.data += 0.1 * rng.standard_normal(X.data.shape)
            return X
        X += 0.1 * rng.standard_normal(X.shape)  # in place: it is a copy
        return X

    X = csr_matrix(data.X) if sparse else data.X.copy()
    kept = data.X.copy()
    clf = classifier(augment=noise, batch_size=50, max_iter=3).fit(
        X, data.y, X_val=X, y_val=data.y
    )
    assert batches == [50, 50, 20] * 3
    predicted = clf.predict_proba(X)
    clf.score(X, data.y)
    assert len(batches) == 9
    assert_array_equal(X.toarray() if sparse else X, kept)
    again = classifier(augment=noise, batch_size=50, max_iter=3).fit(X, data.y)
    assert_same_network(again, clf)
    assert_array_equal(predicted, again.predict_proba(X))
    assert not same_network(classifier(batch_size=50, max_iter=3).fit(X, data.y), clf)


def test_augment_by_the_identity_is_no_augment(data):
    params = {"batch_size": "full", "engine": "numpy"}
    plain = classifier(**params).fit(data.X, data.y)
    same = classifier(**params, augment=lambda X, rng: X).fit(data.X, data.y)
    assert_same_network(plain, same)


@pytest.mark.parametrize(
    "augment", [lambda X, rng: X[1:], lambda X, rng: None, lambda X, rng: csr_matrix(X)]
)
def test_bad_augment(data, augment):
    clf = classifier(augment=augment)
    with pytest.raises(ValueError, match="augment must return"):
        clf.fit(data.X, data.y)
    assert not hasattr(clf, "coefs_")


# dropout


DROPOUT = [{"dropout": 0.4}, {"input_dropout": 0.3}, {"dropout": [0.0, 0.6]}]


@pytest.mark.parametrize("params", DROPOUT)
@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_dropout_is_off_in_prediction(datasets, kind, params):
    data = datasets[kind]
    est = data.Estimator(**SMALL, **params).fit(data.X, data.y)
    first, second = (est._output(data.X) for _ in range(2))
    assert_array_equal(first, second)
    # The weights alone, by a network that has never heard of dropout.
    plain = data.Estimator(**SMALL | {"max_iter": 1, "learning_rate_init": 1e-300})
    plain.set_params(solver="sgd")
    plain.fit(data.X, data.y, coefs_init=est.coefs_, intercepts_init=est.intercepts_)
    assert_array_equal(plain._output(data.X), first)


@pytest.mark.parametrize("params", DROPOUT)
def test_dropout_is_reproducible(data, params):
    a, b, plain = (classifier(**p).fit(data.X, data.y) for p in (params, params, {}))
    assert_same_network(a, b)
    assert not same_network(a, plain)
    other = classifier(**params).set_params(random_state=1).fit(data.X, data.y)
    assert not same_network(a, other)
    # The generator draws nothing else: weights start as without.
    start = {"learning_rate_init": 1e-300, "max_iter": 1, "solver": "sgd"}
    assert_same_network(
        classifier(**start, **params).fit(data.X, data.y),
        classifier(**start).fit(data.X, data.y),
    )


@pytest.mark.parametrize("X_as", [np.asarray, csr_matrix])
def test_masks_differ_between_calls_of_partial_fit(data, X_as):
    """With steps too small to matter, only masks can change the loss."""
    X = X_as(data.X)

    def losses(**params):
        clf = classifier(
            solver="sgd", learning_rate_init=1e-300, batch_size="full", **params
        )
        for _ in range(4):
            clf.partial_fit(X, data.y, classes=[0, 1, 2])
        return clf.loss_curve_

    assert len(set(losses())) == 1
    for params in DROPOUT:
        assert len(set(losses(**params))) == 4
        assert losses(**params) == losses(**params)


def test_dropout_continues_with_warm_start(data):
    params = {"solver": "sgd", "momentum": 0.0, "batch_size": "full", "dropout": 0.3}
    whole = classifier(**params).fit(data.X, data.y)
    parts = classifier(**params, warm_start=True).set_params(max_iter=4)
    parts.fit(data.X, data.y).fit(data.X, data.y)
    assert_same_network(parts, whole)


@pytest.mark.parametrize("rates", [[0.1], [0.1, 1.0], [0.1, -0.1], ["a", 0.1]])
def test_bad_rates(data, rates):
    with pytest.raises(ValueError, match="dropout must"):
        classifier(dropout=rates).fit(data.X, data.y)


# batch_norm


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_batch_norm_predicts_each_sample_by_itself(datasets, kind):
    data = datasets[kind]
    est = data.Estimator(**SMALL, batch_norm=True).fit(data.X, data.y)
    together = est._output(data.X)
    alone = np.concatenate([est._output(data.X[i : i + 1]) for i in range(120)])
    assert_allclose(alone, together, rtol=1e-10, atol=1e-13)
    assert_allclose(est._output(data.X[::-1])[::-1], together, rtol=1e-10, atol=1e-13)


def test_running_statistics_are_averages_of_the_batches(data):
    """Those of the first layer, whose input and weights are known."""
    clf = classifier(
        batch_norm=True,
        batch_norm_momentum=0.3,
        batch_size="full",
        solver="sgd",
        learning_rate_init=1e-300,
        max_iter=5,
    ).fit(data.X, data.y)
    U = data.X @ clf.coefs_[0]
    share = 1 - 0.7**5
    assert_allclose(clf.batch_norm_means_[0], share * U.mean(axis=0), atol=1e-12)
    assert_allclose(
        clf.batch_norm_variances_[0], share * U.var(axis=0) + 0.7**5, rtol=1e-10
    )
    # partial_fit and warm_start go on with them.
    clf.partial_fit(data.X, data.y)
    share = 1 - 0.7**6
    assert_allclose(clf.batch_norm_means_[0], share * U.mean(axis=0), atol=1e-12)
    clf.set_params(warm_start=True).fit(data.X, data.y)
    share = 1 - 0.7**11
    assert_allclose(clf.batch_norm_means_[0], share * U.mean(axis=0), atol=1e-12)
    clf.set_params(batch_norm=False)
    with pytest.raises(ValueError, match="had batch_norm=True, but now"):
        clf.fit(data.X, data.y)
    clf.set_params(warm_start=False).fit(data.X, data.y)
    assert not hasattr(clf, "batch_norm_means_")


def test_batch_norm_needs_two_samples(data):
    with pytest.raises(ValueError, match="needs a batch_size of at least 2"):
        classifier(batch_norm=True, batch_size=1).fit(data.X, data.y)
    clf = classifier(batch_norm=True, batch_size=7)  # one sample is left over
    assert np.isfinite(clf.fit(data.X[:113], data.y[:113]).loss_)


# layer_norm and residual


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_layer_norm_and_residual_connections_predict_as_their_formulas(datasets, kind):
    data = datasets[kind]
    params = {"hidden_layer_sizes": (6, 6, 4), "activation": "tanh"}
    est = data.Estimator(**SMALL | params, layer_norm=True, residual=True)
    est.fit(data.X, data.y)
    A = data.X
    for l in range(3):
        U = A @ est.coefs_[l]
        U = (U - U.mean(axis=1, keepdims=True)) / np.sqrt(
            U.var(axis=1, keepdims=True) + 1e-5
        )
        B = np.tanh(est.layer_norm_scales_[l] * U + est.intercepts_[l])
        A = B + A if l == 1 else B  # the other layers change the number of units
        assert_allclose(est.hidden_activations(data.X)[l], A, rtol=1e-9, atol=1e-12)
    Z = A @ est.coefs_[3] + est.intercepts_[3]
    assert_allclose(est._decision_function(data.X), Z, rtol=1e-9, atol=1e-11)


def test_batch_norm_and_layer_norm_exclude_each_other(data):
    with pytest.raises(ValueError, match="batch_norm and layer_norm must not both"):
        classifier(batch_norm=True, layer_norm=True).fit(data.X, data.y)


@pytest.mark.parametrize("name", ["layer_norm", "residual"])
def test_warm_start_needs_the_same_layers(data, name):
    params = {"hidden_layer_sizes": (5, 5), "warm_start": True}
    clf = classifier(**params, **{name: True}).fit(data.X, data.y)
    clf.fit(data.X, data.y)
    clf.set_params(**{name: False})
    with pytest.raises(ValueError, match=f"had {name}=True, but now {name}=False"):
        clf.fit(data.X, data.y)
    clf.set_params(warm_start=False).fit(data.X, data.y)
    assert not hasattr(clf, "layer_norm_scales_")


def test_deep_networks_learn_with_layer_norm_and_residual_connections(data):
    params = {"hidden_layer_sizes": (16,) * 12, "max_iter": 40, "activation": "tanh"}
    plain = classifier(**params).fit(data.X, data.y)
    deep = classifier(**params, layer_norm=True, residual=True).fit(data.X, data.y)
    assert deep.loss_ < 0.5 * plain.loss_


# weight_decay and max_norm


@pytest.mark.parametrize("solver", SOLVERS)
def test_default_weight_decay(data, solver):
    default = classifier(solver=solver).fit(data.X, data.y)
    expected = 0.01 if solver == "adamw" else 0.0
    same = classifier(solver=solver, weight_decay=expected).fit(data.X, data.y)
    other = classifier(solver=solver, weight_decay=0.5).fit(data.X, data.y)
    assert_same_network(default, same)
    assert not same_network(default, other)


def test_adamw_without_decay_is_adam(data):
    """But for where epsilon is, which does not matter where it is nothing."""
    adam = classifier(epsilon=1e-300).fit(data.X, data.y)
    adamw = classifier(epsilon=1e-300, solver="adamw", weight_decay=0.0)
    adamw.fit(data.X, data.y)
    for a, d in zip(adamw.coefs_, adam.coefs_, strict=True):
        assert_allclose(a, d, rtol=1e-9)


def test_weight_decay_is_geometric_where_there_is_no_gradient(data):
    """Of a feature that is always zero; the biases do not decay."""
    X = data.X.copy()
    X[:, 2] = 0
    params = {"solver": "sgd", "momentum": 0.0, "alpha": 0.0, "batch_size": "full"}
    W = np.ones((8, 6))
    clf = classifier(weight_decay=0.5, **params)
    clf.fit(X, data.y, coefs_init=[W, None, None])
    assert_allclose(clf.coefs_[0][2], (1 - 0.02 * 0.5) ** 8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", SOLVERS)
def test_max_norm_holds(data, solver, dtype):
    clf = classifier(solver=solver, max_norm=0.4).fit(data.X.astype(dtype), data.y)
    for W in clf.coefs_:
        norms = np.linalg.norm(W, axis=0)
        assert (norms <= 0.4 * (1 + 1e-6)).all()
    assert max(np.linalg.norm(clf.coefs_[0], axis=0)) > 0.39
    plain = classifier(solver=solver).fit(data.X.astype(dtype), data.y)
    assert max(np.linalg.norm(plain.coefs_[0], axis=0)) > 0.4


# learning_rate as a function


def test_learning_rate_functions(data):
    constant = classifier().fit(data.X, data.y)
    function = classifier(learning_rate=lambda step: 0.02).fit(data.X, data.y)
    assert_same_network(constant, function)
    steps = []

    def rate(step):
        steps.append(step)
        return 0.1 / (1 + step)

    clf = classifier(learning_rate=rate, batch_size=50, max_iter=2).fit(data.X, data.y)
    assert steps == list(range(6))
    assert_allclose(clf.history_["learning_rate"], [0.1 / 3, 0.1 / 6])


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf, "a", None, 1j])
def test_bad_learning_rate_functions(data, value):
    clf = classifier(learning_rate=lambda step: value)
    with pytest.raises(ValueError, match=r"learning_rate.*step 0"):
        clf.fit(data.X, data.y)
    assert not hasattr(clf, "coefs_")


# Searches.


@pytest.mark.parametrize("params", [{}, {"alpha": 5.0, "l1_ratio": 0.5}])
@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "regression", "poisson"])
@pytest.mark.parametrize("solver", ["armijo", "random_search"])
def test_the_loss_of_searches_never_increases(datasets, solver, kind, params):
    data = datasets[kind]
    est = data.Estimator(**SMALL | {"max_iter": 40}, **data.params | params)
    est.set_params(solver=solver, n_iter_no_change=np.inf, search_radius=0.05)
    est.fit(data.X, data.y)
    assert (np.diff(est.loss_curve_) <= 0).all()
    assert est.loss_curve_[-1] < est.loss_curve_[0]


def test_armijo_stops_at_zero_gradient():
    """At the minimum: the second epoch finds no way down, and says nothing."""
    X, y = np.array([[1.0], [-1.0]]), np.array([2.0, -2.0])
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(), solver="armijo", alpha=0.0, max_iter=50
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        reg.fit(X, y, coefs_init=[[[2.0]]], intercepts_init=[[0.0]])
        assert reg.n_iter_ == 1
        assert reg.coefs_[0][0, 0] == 2
        reg.fit(X, y, coefs_init=[[[0.0]]], intercepts_init=[[0.0]])
    # One step of size 1 along -g = 2 is the solution.
    assert reg.n_iter_ == 2
    assert_allclose(reg.coefs_[0], 2)
    assert reg.history_["grad_norm"] == [2.0, 0.0]
    assert reg.history_["learning_rate"][0] == 1.0


def test_random_search_is_reproducible_and_continues(data):
    a, b = (classifier(solver="random_search").fit(data.X, data.y) for _ in range(2))
    assert_same_network(a, b)
    parts = classifier(solver="random_search", warm_start=True).set_params(max_iter=4)
    parts.fit(data.X, data.y).fit(data.X, data.y)
    assert_same_network(parts, a)


@pytest.mark.parametrize("name", ["step", "exponential", "cosine", "one_cycle"])
def test_schedules_count_epochs_whatever_the_size_of_the_parts(name):
    """Of calls of partial_fit on parts of different size."""
    rng = np.random.RandomState(0)
    X = rng.randn(400, 3)
    params = {"hidden_layer_sizes": (4,), "batch_size": 50, "max_iter": 6}
    params |= {"learning_rate": name, "decay_epochs": 2, "random_state": 0}
    parts, whole = (MLPRegressorScratch(**params) for _ in range(2))
    for n_samples in (400, 50, 400, 100, 100, 400):
        parts.partial_fit(X[:n_samples], X[:n_samples, 0])
        whole.partial_fit(X, X[:, 0])
    rates = np.array(parts.history_["learning_rate"])
    if name in ("step", "exponential"):
        assert_array_equal(rates, whole.history_["learning_rate"])
    else:
        falling = rates[2:] if name == "one_cycle" else rates
        assert (np.diff(falling) < 0).all()


def test_schedules_count_batches_that_are_passed_over():
    X = np.random.RandomState(0).randn(100, 3)
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(4,),
        learning_rate="exponential",
        decay_rate=0.5,
        learning_rate_init=0.01,
        batch_size=20,
        shuffle=False,
        max_iter=5,
        random_state=0,
    ).fit(X, X[:, 0], sample_weight=np.repeat([1.0, 0.0], [20, 80]))
    assert_allclose(reg.history_["learning_rate"], 0.01 / 2.0 ** np.arange(5))


def test_finite_schedule_is_not_reported_as_short(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        classifier(learning_rate="cosine", max_iter=3).fit(data.X, data.y)


def test_frozen_weights_gather_no_speed():
    """Under L1, whose proximal step would push them; see it when they thaw."""
    rng = np.random.RandomState(0)
    X = rng.randn(60, 5)
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(4,),
        activation="tanh",
        solver="sgd",
        alpha=1.0,
        l1_ratio=1.0,
        frozen_layers=[0],
        batch_size="full",
        learning_rate_init=0.01,
        random_state=0,
    )
    for _ in range(20):
        reg.partial_fit(X, X[:, 0])
    W = reg.coefs_[0].copy()
    reg.set_params(frozen_layers=(), learning_rate_init=1e-300, alpha=0.0)
    for _ in range(20):
        reg.partial_fit(X, X[:, 0])
    assert_array_equal(reg.coefs_[0], W)


def test_large_gradients_in_float32_can_be_clipped():
    """Their squares overflow there."""
    X = 1e10 * np.random.RandomState(0).randn(100, 3)
    params = {"hidden_layer_sizes": (), "solver": "sgd", "momentum": 0.0}
    params |= {"clip_norm": 1.0, "learning_rate_init": 0.1, "batch_size": "full"}
    single, double = (
        MLPRegressorScratch(**params, dtype=dtype, max_iter=20, random_state=0).fit(
            X, 2 * X[:, 0]
        )
        for dtype in ("float32", "float64")
    )
    assert_allclose(single.coefs_[0], double.coefs_[0], rtol=1e-4, atol=1e-6)
    assert_allclose(
        single.history_["grad_norm"][:5], double.history_["grad_norm"][:5], rtol=1e-4
    )


def test_armijo_from_a_loss_that_is_not_finite_is_divergence():
    rng = np.random.RandomState(0)
    X, y = rng.randn(60, 5), rng.poisson(3, 60)
    reg = MLPRegressorScratch("poisson", (), solver="armijo", random_state=0)
    with pytest.raises(ValueError, match="diverged in epoch 1"):
        reg.fit(X, y, coefs_init=[np.full((5, 1), 1000.0)])
