"""Pipelines for tables: preprocessing and a network with well-tried parameters."""

from __future__ import annotations

from typing import Any

from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.pipeline import Pipeline

from skmlp.callbacks.progress_bar import ProgressBar
from skmlp.estimators.classifier import MLPClassifierScratch
from skmlp.estimators.regressor import MLPRegressorScratch
from skmlp.tabular.preprocessor import TabularPreprocessor

# What is best on the tables of the benchmark. The learning rate decays to zero, so that
# training ends after `max_iter` epochs.
_SHARED = {
    "solver": "adamw",
    "learning_rate": "cosine",
    "learning_rate_init": 0.005,
    "warmup_steps": 50,
    "weight_decay": 1.0,
    "alpha": 0.0,
    "batch_size": 64,
    "min_batches": 60,
    "max_iter": 20,
    "n_iter_no_change": float("inf"),
    "dtype": "float32",
}
_FAST = {
    "hidden_layer_sizes": (128,),
    "n_members": 4,
    "max_iter": 14,
    "learning_rate_init": 0.008,
}
_DEFAULT = {"hidden_layer_sizes": (128, 128), "n_members": 8}
_CLASSIFIER = {
    "fast": _FAST,
    "default": _DEFAULT,
    "best": {"hidden_layer_sizes": (128, 128), "n_members": 32},
}
_REGRESSOR = {
    "fast": _FAST,
    "default": _DEFAULT,
    "best": {
        "hidden_layer_sizes": (128, 128, 128),
        "n_members": 16,
        "min_batches": 40,
        "max_iter": 30,
    },
}


def make_tabular_mlp_classifier(
    *,
    effort: str = "default",
    categorical_features: ArrayLike | None = None,
    random_state: int | RandomState | None = None,
    verbose: bool = False,
    **params: Any,
) -> Pipeline:
    """Make a classifier of tables with numbers, categories and missing values.

    It is a pipeline of a `TabularPreprocessor` and an `MLPClassifierScratch`, with
    parameters that are good on most tables. The network is an ensemble of small
    networks with shared weights.

    Parameters
    ----------
    effort : {'fast', 'default', 'best'}, default='default'
        How long to train, and how large a network. 'fast' needs about a fifth of the
        time of 'default', and 'best' about four times as much.

    categorical_features : array-like or None, default=None
        Numeric columns that have categories: a boolean mask, indices, or names. Strings
        and columns of a categorical dtype are always categories.

    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the batches and the dropout.

    verbose : bool, default=False
        Whether to show a progress bar of the epochs and the remaining time. It requires
        tqdm (``pip install "skmlp[progress]"``).

    **params
        Other parameters of `MLPClassifierScratch`, such as `class_weight`.

    Returns
    -------
    pipeline : Pipeline
        The steps are named "preprocessor" and "mlp". Sample weights are passed as
        ``mlp__sample_weight``.

    Raises
    ------
    ValueError
        If `effort` is not one of the three.

    TypeError
        If `params` has a name that is not a parameter of `MLPClassifierScratch`.

    See Also
    --------
    make_tabular_mlp_regressor : The same for regression.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.model_selection import cross_val_score
    >>> from skmlp import make_tabular_mlp_classifier
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> clf = make_tabular_mlp_classifier(effort="fast", random_state=0)
    >>> bool(cross_val_score(clf, X, y).mean() > 0.95)
    True
    """
    _check_effort(effort)
    return _make(
        TabularPreprocessor(categorical_features=categorical_features, n_bins=4),
        MLPClassifierScratch,
        verbose,
        {
            **_CLASSIFIER[effort],
            "dropout": 0.1,
            "random_state": random_state,
            **params,
        },
    )


def make_tabular_mlp_regressor(
    *,
    effort: str = "default",
    categorical_features: ArrayLike | None = None,
    random_state: int | RandomState | None = None,
    verbose: bool = False,
    **params: Any,
) -> Pipeline:
    """Make a regressor of tables with numbers, categories and missing values.

    It is a pipeline of a `TabularPreprocessor` and an `MLPRegressorScratch`, with
    parameters that are good on most tables. The network is an ensemble of small
    networks with shared weights. The targets are standardized, and predictions are
    clipped to their range.

    Parameters
    ----------
    effort : {'fast', 'default', 'best'}, default='default'
        How long to train, and how large a network. 'fast' needs about a fifth of the
        time of 'default', and 'best' about four times as much.

    categorical_features : array-like or None, default=None
        Numeric columns that have categories: a boolean mask, indices, or names. Strings
        and columns of a categorical dtype are always categories.

    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the batches and the dropout.

    verbose : bool, default=False
        Whether to show a progress bar of the epochs and the remaining time. It requires
        tqdm (``pip install "skmlp[progress]"``).

    **params
        Other parameters of `MLPRegressorScratch`, such as `loss`. A loss that is not
        for all real numbers needs ``target_transform=None``.

    Returns
    -------
    pipeline : Pipeline
        The steps are named "preprocessor" and "mlp". Sample weights are passed as
        ``mlp__sample_weight``.

    Raises
    ------
    ValueError
        If `effort` is not one of the three.

    TypeError
        If `params` has a name that is not a parameter of `MLPRegressorScratch`.

    See Also
    --------
    make_tabular_mlp_classifier : The same for classification.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import cross_val_score
    >>> from skmlp import make_tabular_mlp_regressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> reg = make_tabular_mlp_regressor(effort="fast", random_state=0)
    >>> bool(cross_val_score(reg, X, y).mean() > 0.4)
    True
    """
    _check_effort(effort)
    # A function with steps needs more bins than probabilities do.
    n_bins = 4 if effort == "fast" else "auto"
    return _make(
        TabularPreprocessor(categorical_features=categorical_features, n_bins=n_bins),
        MLPRegressorScratch,
        verbose,
        {
            **_REGRESSOR[effort],
            "target_transform": "standardize",
            "random_state": random_state,
            **params,
        },
    )


def _check_effort(effort):
    if effort not in _CLASSIFIER:
        raise ValueError(f"effort must be one of {list(_CLASSIFIER)}, got {effort!r}.")


def _make(preprocessor, estimator_class, verbose, params):
    if verbose:
        others = params.get("callbacks") or []
        others = others if isinstance(others, list | tuple) else [others]
        params = {**params, "callbacks": [ProgressBar(), *others]}
    mlp = estimator_class(**{**_SHARED, **params})
    return Pipeline([("preprocessor", preprocessor), ("mlp", mlp)])
