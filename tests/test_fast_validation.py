"""Valid arrays are accepted without scikit-learn's validation, which takes longer."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csc_array, csr_array, csr_matrix
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils import validation

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp._sklearn import is_valid_float_array, validate_data
from skmlp.estimators.labels import has_many_samples_per_class, unique_classes
from skmlp.training.diagnosis import is_ignored

rng = np.random.RandomState(0)
X = rng.randn(60, 4)
y = rng.randint(3, size=60)

VALID = {
    "float64": X,
    "float32": X.astype("float32"),
    "one row": X[:1],
    "Fortran order": np.asfortranarray(X),
    "strided": X[::3],
    "read-only": np.frombuffer(X.tobytes()).reshape(X.shape),
    "large": np.full((2, 4), 1e300),
    "sparse array": csr_array(np.maximum(X, 0)),
    "sparse matrix": csr_matrix(np.maximum(X, 0)),
    "sparse matrix without entries": csr_matrix((60, 4)),
}
OTHERS = {
    "list": X.tolist(),
    "None": None,
    "DataFrame": pd.DataFrame(X),
    "sparse in another format": csc_array(X),
    "sparse integers": csr_array(np.ones((3, 4), int)),
    "sparse with NaN": csr_array(np.where(X > 2, np.nan, X)),
    "sparse without rows": csr_matrix((0, 4)),
    "integers": np.ones((3, 4), int),
    "float16": X.astype("float16"),
    "long double": X.astype("longdouble"),
    "complex": X.astype(complex),
    "objects": X.astype(object),
    "strings": X.astype(str),
    "another byte order": X.astype(">f8"),
    "masked": np.ma.masked_array(X, X > 2),
    "subclass": X.view(type("Subclass", (np.ndarray,), {})),
    "one dimension": X[0],
    "three dimensions": X[np.newaxis],
    "no rows": X[:0],
    "few features": X[:, :3],
    "NaN": np.where(X > 2, np.nan, X),
    "infinity": np.where(X > 2, np.inf, X),
    "both infinities": np.vstack([np.full((1, 4), np.inf), np.full((1, 4), -np.inf)]),
}


def outcome(call):
    """Return the result, or the type and the text of the exception."""
    try:
        return call()
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("name", VALID)
def test_valid_arrays_are_returned_unchanged_by_scikit_learn(name):
    clf = MLPClassifierScratch(max_iter=1).fit(X, y)
    assert is_valid_float_array(VALID[name], 4)
    validated = validation.validate_data(
        clf, VALID[name], accept_sparse="csr", reset=False
    )
    assert validated is VALID[name]


@pytest.mark.parametrize("name", OTHERS)
def test_other_data_are_validated_by_scikit_learn(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as those of a sum that is not finite
        assert not is_valid_float_array(OTHERS[name], 4)


def test_a_sum_that_overflows_is_not_invalid():
    """The function is false, and scikit-learn checks each value."""
    huge = np.full((2, 4), np.finfo(float).max / 4)
    assert not is_valid_float_array(huge, 4)
    assert validate_data(MLPClassifierScratch(), huge) is huge


@pytest.mark.parametrize("Estimator", [MLPClassifierScratch, MLPRegressorScratch])
@pytest.mark.parametrize("name", [*VALID, *OTHERS])
def test_fit_accepts_and_raises_like_the_full_validation(monkeypatch, Estimator, name):
    data = {**VALID, **OTHERS}[name]
    n = (np.shape(data) or [1])[0]

    def fit():
        estimator = Estimator((3,), max_iter=1, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return estimator.fit(data, y[:n]).coefs_[0].tolist()

    fast = outcome(fit)
    monkeypatch.setattr("skmlp._sklearn._are_valid_arrays", lambda *_, **__: False)
    assert outcome(fit) == fast


@pytest.mark.parametrize(
    "targets",
    [
        y > 1,
        y.astype("uint8"),
        y.astype(float),
        y + 0.5,
        np.where(y > 1, np.nan, y),
        y.astype(str),
        y.astype(object),
        y[:-1],
        y[:, np.newaxis],
        np.arange(60),
        np.eye(3, dtype=int)[y],
    ],
)
def test_targets_are_read_like_those_of_the_full_validation(monkeypatch, targets):
    def fit():
        clf = MLPClassifierScratch((3,), max_iter=1, random_state=0)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            clf.fit(X, targets)
        shown = [str(warning.message) for warning in caught]
        return clf.classes_.tolist(), clf.coefs_[0].tolist(), shown

    fast = outcome(fit)
    monkeypatch.setattr("skmlp._sklearn._are_valid_arrays", lambda *_, **__: False)
    monkeypatch.setattr(
        "skmlp.estimators.classifier.has_many_samples_per_class", lambda _: False
    )
    assert outcome(fit) == fast


def test_classes_of_integers():
    assert has_many_samples_per_class(y)
    assert not has_many_samples_per_class(np.arange(60))
    assert not has_many_samples_per_class(y.astype(str))
    assert_array_equal(unique_classes(y), [0, 1, 2])
    assert_array_equal(unique_classes(y.astype(str)), ["0", "1", "2"])


def test_an_estimator_that_is_not_fitted():
    with pytest.raises(NotFittedError):
        MLPClassifierScratch().predict(X)


def test_feature_names_are_compared_and_replaced():
    frame = pd.DataFrame(X, columns=list("abcd"))
    clf = MLPClassifierScratch(max_iter=1).fit(frame, y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        clf.predict(X)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        clf.partial_fit(X, y)
    clf.fit(X, y)
    assert not hasattr(clf, "feature_names_in_")
    assert clf.n_features_in_ == 4
    clf.fit(X[:, :2], y)
    assert clf.n_features_in_ == 2
    with pytest.raises(ValueError, match=r"has 4 features, but .* is expecting 2"):
        clf.predict(X)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [(5,), (3, 4, 6)])
def test_one_row_agrees_with_numpy_after_each_change(sizes, dtype, batch_norm):
    """After training, unpickling, set_params and new coefs_, without a second call."""
    data = np.random.RandomState(0).randn(60, 7).astype(dtype)
    clf = MLPClassifierScratch(sizes, batch_norm=batch_norm, max_iter=3).fit(data, y)

    def check(clf):
        compiled = clf.set_params(engine="auto").predict_proba(data[:1])
        in_numpy = clf.set_params(engine="numpy").predict_proba(data[:1])
        rtol = 1e-5 if dtype == "float32" else 1e-12
        np.testing.assert_allclose(compiled, in_numpy, rtol=rtol)
        return compiled

    before = check(clf)
    assert_array_equal(check(pickle.loads(pickle.dumps(clf))), before)
    clf.coefs_ = [2 * W for W in clf.coefs_]
    P = check(clf)
    clf.intercepts_[-1] = clf.intercepts_[-1] + np.log([1, 1, 2]).astype(dtype)
    ratio = check(clf)[0] / P[0]  # softmax: the odds of the last class are doubled
    np.testing.assert_allclose(ratio[2] / ratio[:2], 2, rtol=1e-4)
    clf.coefs_[0][...] = 0
    check(clf)
    clf.partial_fit(data, y)
    check(clf)


# Parameters.


class InvalidDefault(MLPClassifierScratch):
    def __init__(self, alpha=-1.0):
        super().__init__()
        self.alpha = alpha


def test_an_invalid_default_of_a_subclass():
    with pytest.raises(ValueError, match="'alpha' parameter of InvalidDefault"):
        InvalidDefault().fit(X, y)
    assert InvalidDefault(alpha=0.1).fit(X, y).alpha == 0.1


def test_parameters_are_validated_in_each_call():
    clf = MLPClassifierScratch(max_iter=1).fit(X, y)
    with pytest.raises(ValueError, match="'momentum' parameter"):
        clf.set_params(momentum=2.0).fit(X, y)
    clf.set_params(momentum=0.9).fit(X, y)


def test_partial_fit_uses_parameters_that_have_changed():
    """The network of the last call is used again only if it cannot have changed."""
    sizes = [5, 4]
    clf = MLPClassifierScratch(hidden_layer_sizes=sizes, random_state=0)
    clf.partial_fit(X, y, classes=np.unique(y)).partial_fit(X, y)
    clf.set_params(activation="tanh").partial_fit(X, y)
    assert [g.name for g in clf._network.activations[:-1]] == ["tanh", "tanh"]
    sizes[1] = 3
    with pytest.raises(ValueError, match=r"layers have \[\d+, 5, 4, \d+\] units"):
        clf.partial_fit(X, y)


def test_partial_fit_with_coefs_of_another_size():
    clf = MLPClassifierScratch(random_state=0)
    clf.partial_fit(X, y, classes=np.unique(y)).partial_fit(X, y)
    clf.coefs_ = [clf.coefs_[0][:, :5], clf.coefs_[1][:5]]
    with pytest.raises(ValueError, match="continue with the network"):
        clf.partial_fit(X, y)


# Warnings that are not shown are not computed.


@pytest.mark.parametrize(
    ("filters", "ignored"),
    [
        ([], False),
        ([("ignore", {})], True),
        ([("ignore", {"category": ConvergenceWarning})], True),
        ([("ignore", {}), ("ignore", {"message": "another"})], True),
        ([("ignore", {}), ("always", {"message": "another"})], False),
        ([("ignore", {"message": "another"})], False),
        ([("ignore", {"module": "another"})], False),
        ([("ignore", {"category": FutureWarning})], False),
    ],
)
def test_filters_that_ignore_a_warning(filters, ignored):
    with warnings.catch_warnings():
        warnings.resetwarnings()
        for action, options in filters:  # the last one has precedence
            warnings.filterwarnings(action, **options)
        assert is_ignored(ConvergenceWarning) == ignored
