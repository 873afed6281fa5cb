"""scikit-learn's checks of estimators, and the tags that they go by."""

import inspect

import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.core.optimizers import OPTIMIZERS

ESTIMATORS = [MLPClassifierScratch, MLPRegressorScratch]
# Quick, and still good enough for the scores that some checks ask for. More
# iterations of L-BFGS would magnify rounding errors beyond the tolerance of the
# checks of sample weights, and without more alpha some of its probabilities round
# to 1, which the check of multilabel probabilities does not take.
QUICK = {
    "lbfgs": {"max_iter": 15, "alpha": 0.1},
    "sgd": {"max_iter": 100, "learning_rate_init": 0.002},
    "adam": {"max_iter": 30, "learning_rate_init": 0.05},
}
CONFIGURATIONS = [
    *({"solver": solver} for solver in ["lbfgs", *OPTIMIZERS]),
    *({"solver": solver, "l1_ratio": 0.5} for solver in ["lbfgs", *OPTIMIZERS]),
    {"solver": "adam", "l1_ratio": 1.0},
    {"solver": "adam", "hidden_layer_sizes": (10, 8, 6)},
    {"solver": "adam", "hidden_layer_sizes": ()},
    {"solver": "adam", "batch_size": 5},
    {"solver": "adam", "batch_size": "full"},
]


def estimators():
    for Estimator in ESTIMATORS:
        yield Estimator()
        for params in CONFIGURATIONS:
            quick = {"hidden_layer_sizes": (20,), **QUICK[params["solver"]]}
            yield Estimator(**quick | params)


def expected_failed_checks(estimator):
    if not isinstance(estimator.batch_size, int):
        return {}
    reason = "a weight of 2 is two samples, but not always two of the same mini-batch"
    return {
        "check_sample_weight_equivalence_on_dense_data": reason,
        "check_sample_weight_equivalence_on_sparse_data": reason,
    }


def all_checks():
    """parametrize_with_checks, in which an expected failure must fail."""
    can_be_strict = (
        "xfail_strict" in inspect.signature(parametrize_with_checks).parameters
    )  # since scikit-learn 1.8
    decorator = parametrize_with_checks(
        list(estimators()),
        expected_failed_checks=expected_failed_checks,
        **({"xfail_strict": True} if can_be_strict else {}),
    )
    names, cases = decorator.args
    # A generator before scikit-learn 1.9, which pytest 9 warns of.
    return pytest.mark.parametrize(names, list(cases), **decorator.kwargs)


@pytest.mark.usefixtures("one_blas_thread")
@all_checks()
def test_check_estimator(estimator, check):
    check(estimator)


def test_tags_of_the_classifier():
    tags = get_tags(MLPClassifierScratch())
    assert tags.estimator_type == "classifier"
    assert tags.classifier_tags.multi_class
    assert tags.classifier_tags.multi_label
    assert not tags.target_tags.multi_output
    assert tags.input_tags.sparse
    assert tags == get_tags(MLPClassifier())


@pytest.mark.parametrize(
    ("loss", "positive_only"), [("squared_error", False), ("poisson", True)]
)
def test_tags_of_the_regressor(loss, positive_only):
    tags = get_tags(MLPRegressorScratch(loss=loss))
    assert tags.estimator_type == "regressor"
    assert tags.input_tags.sparse
    assert tags.target_tags.multi_output
    assert tags.target_tags.positive_only == positive_only
    # What scikit-learn does not say of its own.
    tags.target_tags.multi_output = tags.target_tags.positive_only = False
    assert tags == get_tags(MLPRegressor(loss=loss))
