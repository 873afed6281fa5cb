"""Compare the estimators with scikit-learn's on a case, to the last bit."""

import io
import re
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
from parity_rules import Situation, kind_of, rules_of
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skmlp import MLPClassifierScratch, MLPRegressorScratch

OUR_ATTRIBUTES = {"history_"}


@dataclass
class Outcome:
    """What came of a call."""

    error: Exception | None
    warnings: set
    printed: str


def compare(case):
    """Make the calls of a case, hold both estimators to be the same.

    Returns
    -------
    rules : set of str
        Names of the rules that applied.
    """
    acted = []  # rules
    ours, theirs = make_estimators(case)
    is_fitted = False
    for number, call in enumerate(case.calls):
        for estimator in (ours, theirs):
            estimator.set_params(**call.changes)
        at = Situation(case, call, ours, theirs, is_fitted)
        rules = rules_of(at)
        acted += [rule for rule in rules if not rule.by_outcome]
        before = dict(vars(ours))
        weights = weights_of(ours)
        outcome = observe(ours, call, case.seed + number)
        with pytest.MonkeyPatch.context() as patch:
            for rule in rules:
                rule.amend(at, patch)
            with np.errstate(all="ignore"):
                reference = observe(theirs, call, case.seed + number)
        if outcome.error is not None:
            assert vars(ours).keys() == before.keys()
            assert all(vars(ours)[name] is before[name] for name in before)
            np.testing.assert_array_equal(weights_of(ours), weights)
        concluding = (r for r in rules if r.concludes(at, outcome, reference))
        if (rule := next(concluding, None)) is not None:
            acted.append(rule)
            break
        # What is rounded otherwise in one call is so in those that follow.
        precision = Precision.of(acted)
        compare_outcomes(outcome, reference, rules, precision)
        if outcome.error is not None:
            break
        acted += [r for r in rules if r.compares_attributes(at, outcome)]
        acted += compare_estimators(at, rules, precision)
        is_fitted = True
    return {type(rule).__name__ for rule in acted}


class Precision(NamedTuple):
    """How closely numbers are compared."""

    tolerance: float
    keeps_dtype: bool
    prints_numbers: bool

    @classmethod
    def of(cls, rules):
        """Return the least precision of some rules."""
        return cls(
            max([rule.tolerance for rule in rules], default=0),
            all(rule.keeps_dtype for rule in rules),
            all(rule.prints_numbers for rule in rules),
        )


def make_estimators(case):
    """Return our estimator and scikit-learn's."""
    Ours, Theirs = MLPClassifierScratch, MLPClassifier
    if case.regression:
        Ours, Theirs = MLPRegressorScratch, MLPRegressor
    estimators = []
    for Estimator in (Ours, Theirs):
        params = dict(case.params)
        if params["random_state"] == "instance":
            params["random_state"] = np.random.RandomState(case.seed)
        estimators.append(Estimator(**params))
    return estimators[0].set_params(engine="numpy"), estimators[1]


def observe(estimator, call, seed):
    """Make a call, and return what came of it."""
    np.random.seed(seed)  # noqa: NPY002, for random_state=None
    printed, error = io.StringIO(), None
    with warnings.catch_warnings(record=True) as caught, redirect_stdout(printed):
        warnings.simplefilter("always")
        try:
            getattr(estimator, call.method)(call.X, call.y, **call.arguments())
        except Exception as raised:
            error = raised
    messages = {(w.category.__name__, str(w.message)) for w in caught}
    return Outcome(error, messages, printed.getvalue())


def weights_of(estimator):
    """Return a copy of all weights and biases."""
    arrays = [*getattr(estimator, "coefs_", []), *getattr(estimator, "intercepts_", [])]
    return np.concatenate([np.ravel(array) for array in arrays] or [[]])


def compare_outcomes(ours, theirs, rules, precision):
    """Hold errors, warnings and what was printed to be the same."""
    assert kind_of(ours.error) == kind_of(theirs.error), (ours.error, theirs.error)
    if ours.error is not None:
        return
    expected = {(category, text[:25]) for category, text in theirs.warnings}
    actual = set()
    for category, text in ours.warnings:
        if not any(rule.warns is not None and rule.warns in text for rule in rules):
            actual.add((category, text[:25]))
    assert actual == {e for e in expected if e[0] != "RuntimeWarning"}
    for rule in rules:
        if rule.warns is not None and "cannot" in rule.warns:
            texts = [text for name, text in ours.warnings if name == "UserWarning"]
            assert any(rule.warns in text for text in texts)
    printed, expected = ours.printed, theirs.printed
    for rule in rules:
        printed, expected = rule.amend_output(printed, expected)
    printed, numbers = split_numbers(printed)
    expected, expected_numbers = split_numbers(expected)
    assert printed == expected
    if precision.prints_numbers:
        assert_same(numbers, expected_numbers, "printed", precision)


def split_numbers(printed):
    """Return what was printed without the decimal numbers, and these."""
    number = r"[0-9.]+[0-9]|nan|inf"
    return re.sub(number, "", printed), [float(n) for n in re.findall(number, printed)]


def compare_estimators(at, rules, precision):
    """Hold the fitted attributes, the predictions and the generators to be the same.

    Returns
    -------
    rules : list of Rule
        Those that have compared what a method returns.
    """
    ours, theirs = at.ours, at.theirs
    names = fitted_attributes(theirs)
    assert fitted_attributes(ours) - OUR_ATTRIBUTES == names
    for name in sorted(names):
        assert_same(getattr(ours, name), getattr(theirs, name), name, precision)
    X, acted = at.call.X, []
    with np.errstate(all="ignore"):
        for name in ("predict", "predict_proba", "predict_log_proba"):
            if not hasattr(theirs, name):
                continue
            comparing = [rule for rule in rules if rule.compares_method(at, name, X)]
            acted += comparing
            if not comparing:
                actual, desired = getattr(ours, name)(X), getattr(theirs, name)(X)
                assert_same(actual, desired, name, precision)
    if isinstance(at.random_state, np.random.RandomState):
        assert ours.random_state.uniform() == theirs.random_state.uniform()
    return acted


def fitted_attributes(estimator):
    """Return the names of the public fitted attributes."""
    return {n for n in vars(estimator) if n.endswith("_") and not n.startswith("_")}


def assert_same(actual, desired, what, precision):
    """Equal in type and value, or up to a tolerance; also within lists of arrays."""
    if isinstance(desired, list) and desired and isinstance(desired[0], np.ndarray):
        assert len(actual) == len(desired), what
        for a, d in zip(actual, desired, strict=True):
            assert_same(a, d, what, precision)
        return
    a, d = np.asarray(actual), np.asarray(desired)
    assert a.shape == d.shape, what
    assert a.dtype == d.dtype or not precision.keeps_dtype, what
    tolerance = precision.tolerance
    if tolerance and d.dtype.kind == "f":
        np.testing.assert_allclose(a, d, rtol=tolerance, atol=tolerance, err_msg=what)
    else:
        np.testing.assert_array_equal(a, d, err_msg=what)
