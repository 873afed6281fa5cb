"""scikit-learn's checks of estimators, and the tags that they go by."""

import inspect

import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.core.optimizers import OPTIMIZERS

# Quick, and still good enough for the scores that some checks ask for. More
# iterations of L-BFGS would magnify rounding errors beyond the tolerance of the
# checks of sample weights, and without more alpha some of its probabilities round
# to 1, which the check of multilabel probabilities does not take.
QUICK = {
    "lbfgs": {"max_iter": 15, "alpha": 0.1},
    "sgd": {"max_iter": 100, "learning_rate_init": 0.002},
    "adam": {"max_iter": 30, "learning_rate_init": 0.05},
    "adamw": {"max_iter": 30, "learning_rate_init": 0.05},
    "nadam": {"max_iter": 30, "learning_rate_init": 0.05},
    "amsgrad": {"max_iter": 30, "learning_rate_init": 0.05},
    "adagrad": {"max_iter": 30, "learning_rate_init": 0.1},
    "rmsprop": {"max_iter": 30, "learning_rate_init": 0.02},
    "armijo": {"max_iter": 30},
    "random_search": {"max_iter": 300},
}
CONFIGURATIONS = [
    *({"solver": solver} for solver in ["lbfgs", *OPTIMIZERS]),
    *({"solver": solver, "l1_ratio": 0.5} for solver in ["lbfgs", "adam"]),
    {"l1_ratio": 1.0},
    {"hidden_layer_sizes": (10, 8, 6), "activation": ["gelu", "elu", "tanh"]},
    {"hidden_layer_sizes": ()},
    {"batch_size": 5, "max_iter": 10},
    {"batch_size": "full"},
    {"dropout": 0.2, "input_dropout": 0.1},
    {"batch_norm": True},
    {"layer_norm": True, "residual": True},
    {"n_members": 3},
    {"max_norm": 2.0, "clip_norm": 1.0, "weight_decay": 0.01},
    {"learning_rate": "one_cycle", "warmup_steps": 3},
    {"frozen_layers": [0], "init": "he_normal"},
    {"dtype": "float32"},
]
OF_CLASSIFICATION = [
    {"class_weight": "balanced"},
    {"label_smoothing": 0.1},
    {"loss": "squared_error"},
    {"output_activation": "logistic"},
]
OF_REGRESSION = [
    {"loss": "huber"},
    {"loss": "quantile", "quantile": 0.4},
    {"loss": "absolute_error"},
]


def estimators():
    for Estimator, of_its_own in (
        (MLPClassifierScratch, OF_CLASSIFICATION),
        (MLPRegressorScratch, OF_REGRESSION),
    ):
        yield Estimator()
        for params in CONFIGURATIONS + of_its_own:
            solver = params.get("solver", "adam")
            # Some checks do not set `random_state`. With None, SGD diverges for some
            # states of NumPy's global generator.
            quick = {"hidden_layer_sizes": (20,), "random_state": 0}
            yield Estimator(**quick | QUICK[solver] | params)


WEIGHTS = [
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
]


def expected_failed_checks(estimator):
    if isinstance(estimator.batch_size, int):
        reason = "two samples of weight 1 are not always in the same mini-batch"
        return dict.fromkeys(WEIGHTS, reason)
    if estimator.dropout:
        return dict.fromkeys(WEIGHTS, "two samples have two masks, one of weight 2 one")
    if estimator.dtype is not None:
        failed = dict.fromkeys(WEIGHTS, "the tolerance is that of float64")
        if isinstance(estimator, MLPRegressorScratch):
            failed["check_regressor_multioutput"] = "it asks for a float64 prediction"
        return failed
    if (
        isinstance(estimator, MLPRegressorScratch)
        and estimator.solver == "random_search"
    ):
        return {"check_regressors_train": "it would take much longer to get that far"}
    if getattr(estimator, "class_weight", None) == "balanced":
        failed = dict.fromkeys(WEIGHTS, "it counts samples, whatever their weight")
        for name in (
            "check_estimators_partial_fit_n_features",
            "check_fit_score_takes_y",
            "check_n_features_in_after_fitting",
        ):
            failed[name] = "partial_fit sees only part of y, and refuses"
        return failed
    return {}


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
