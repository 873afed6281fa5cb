"""The validation set: the split, the checks of user data, and the scores."""

import math
from contextlib import suppress
from inspect import Parameter, signature
from numbers import Real
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_regressor
from sklearn.metrics import check_scoring, get_scorer
from sklearn.model_selection import train_test_split

from skmlp._sklearn import _check_sample_weight, validate_data
from skmlp._warnings import warn
from skmlp.estimators.engines import decision_function
from skmlp.estimators.units import warn_of_other_units
from skmlp.training.data import Data
from skmlp.training.state import NO_SCORES, Scores


def check_metric(metric):
    """Raise if `early_stopping_metric` is not known, even if it is not used."""
    if isinstance(metric, str) and metric not in ("score", "loss"):
        try:
            get_scorer(metric)
        except ValueError as error:
            raise ValueError(
                "early_stopping_metric must be 'score', 'loss', a scorer of "
                f"scikit-learn or a callable, got {metric!r}: {error}"
            ) from error


def split(estimator, data, stratify, random_state):
    """Choose the rows of the validation set for early stopping.

    If three or more classes cannot be stratified, a warning is issued and the rows are
    drawn without stratification.

    Parameters
    ----------
    estimator : BaseMLP
        The estimator.

    data : Data
        The samples.

    stratify : ndarray of shape (n_samples,) or None
        Labels for stratification.

    random_state : RandomState
        Random numbers of the split.

    Returns
    -------
    train_rows, val_rows : ndarray of int
        Row numbers.

    Raises
    ------
    ValueError
        If the split is not possible, or if a part has no sample with a positive weight.
    """
    fraction, n_samples = float(estimator.validation_fraction), data.X.shape[0]
    obstacle = remedy = None
    if stratify is not None and data.Y.shape[1] > 1:
        obstacle, remedy = _obstacle_to_stratification(stratify, fraction)
    if obstacle is not None:
        stratify = None
    try:
        train_rows, val_rows = train_test_split(
            np.arange(n_samples),
            test_size=fraction,
            random_state=random_state,
            stratify=stratify,
        )
    except ValueError as error:
        raise ValueError(
            f"early_stopping=True uses validation_fraction={fraction} of the "
            f"{n_samples} samples as the validation set, which failed: {error}"
            + (_name_rare_classes(data.y) if stratify is not None else "")
        ) from error
    if len(val_rows) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or "
            f"the size of your dataset: early_stopping=True needs 2 samples, got "
            f"{len(val_rows)} from validation_fraction={fraction} of {n_samples}."
        )
    if obstacle is not None:
        warn(
            "early_stopping=True cannot stratify its validation set by class, because "
            f"{obstacle}. The {len(val_rows)} validation samples are drawn without "
            f"stratification. {_name_missing_classes(data.y, val_rows)}Pass "
            f"{remedy}, or a validation set as X_val and y_val.",
        )
    for part, name in (train_rows, "training"), (val_rows, "validation"):
        if data.w is not None and not data.w[part].any():
            raise ValueError(
                f"sample_weight must be positive for at least one sample of the "
                f"{name} set of early_stopping=True with validation_fraction="
                f"{fraction}, got zero for all {len(part)} samples."
            )
    return train_rows, val_rows


def _obstacle_to_stratification(y, fraction):
    """Return why no stratified split of y exists, and a remedy; None if one exists."""
    classes, counts = np.unique(y, return_counts=True)
    rare = classes[counts < 2]
    if rare.size:
        return (
            f"y has one sample of each of these classes: {_list_classes(rare)}",
            "more samples of them",
        )
    n_val = math.ceil(fraction * len(y))
    parts = ("validation", n_val, "larger"), ("training", len(y) - n_val, "smaller")
    for part, n, change in parts:
        if n < len(classes):
            return (
                f"validation_fraction={fraction} of {len(y)} samples makes {n} "
                f"{part} samples of {len(classes)} classes",
                f"more samples, a {change} validation_fraction",
            )
    return None, None


def _name_missing_classes(y, val_rows):
    """Return a sentence that names the classes without a validation sample."""
    missing = np.setdiff1d(y, y[val_rows])
    if not missing.size:
        return ""
    return f"These classes have no validation sample: {_list_classes(missing)}. "


def _list_classes(classes, most=5):
    """Return a list of classes as a string, of which it names the first."""
    named = ", ".join(map(repr, classes[:most].tolist()))
    rest = len(classes) - most
    return f"[{named}, and {rest} more]" if rest > 0 else f"[{named}]"


def _name_rare_classes(y):
    classes, counts = np.unique(y, return_counts=True)
    rare = classes[counts < 2]
    if not rare.size:
        return ""
    return (
        f" (y has one sample of each of these classes: {_list_classes(rare)}. Leave "
        "them out, add samples of them, or pass a validation set as X_val and y_val.)"
    )


def check_validation_data(estimator, validation_data, data):
    """Validate the validation set of the user.

    Parameters
    ----------
    estimator : BaseMLP
        The estimator.

    validation_data : tuple
        X_val, y_val and sample_weight_val.

    data : Data
        The training data.

    Returns
    -------
    validation_data : Data
    """
    dtype, n_outputs = data.X.dtype, data.Y.shape[1]
    X_val, y_val, sample_weight_val = validation_data
    parts = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
    given = [name for name, part in parts.items() if part is not None]
    for missing in ("X_val", "y_val"):
        if missing not in given:
            raise ValueError(f"{given[0]} is provided, but {missing} was not provided.")
    try:
        X, y = validate_data(
            estimator,
            X_val,
            estimator._read_targets(y_val),
            multi_output=True,
            dtype=[dtype],
            reset=False,
            **estimator._y_checks,
        )
        y, Y = estimator._encode_validation_targets(y, dtype)
        if Y.shape[1] != n_outputs:
            raise ValueError(f"y_val has {Y.shape[1]} columns, y has {n_outputs}.")
        if estimator.early_stopping and len(y) < 2:
            raise ValueError(f"early_stopping=True needs 2 samples, got {len(y)}.")
        w = None
        if sample_weight_val is not None:
            w = _check_sample_weight(sample_weight_val, X, dtype=np.float64)
            w = as_weights(w, dtype, "sample_weight_val")
    except ValueError as error:
        raise ValueError(
            f"X_val, y_val and sample_weight_val are not valid: {error}"
        ) from error
    checked = Data(X if issparse(X) else np.asarray(X), y, Y, w)
    warn_of_other_units(data, checked, is_regressor(estimator))
    return checked


class Validation:
    """Scores parameters on a validation set.

    Parameters
    ----------
    estimator : BaseMLP
        The estimator, with all fitted attributes except the parameters.

    network : Network
        The network.

    theta : Parameters
        The parameters that will be scored. Their values may change.

    data : Data
        The validation set. Samples of zero weight are ignored, even if their output is
        not finite.
    """

    def __init__(self, estimator, network, theta, data):
        self._set_data(data)
        self._estimator = estimator
        self._network = network
        self._metric = estimator.early_stopping_metric
        self._scorer: Any = None
        self._fitted: Any = None
        if self._metric not in ("score", "loss"):
            # The scorer may not support weights.
            self._leave_out_weightless_samples()
            # A scorer takes an estimator, and arrays without feature names.
            self._fitted = estimator._fitted_copy(network, theta)
            vars(self._fitted).pop("feature_names_in_", None)
            self._scorer = check_scoring(self._fitted, self._metric)

    def _set_data(self, data):
        self._data = data
        self._w = None if data.w is None else data.w[:, 0]

    def _leave_out_weightless_samples(self):
        """Leave out the samples of zero weight, and return whether there are any."""
        if self._w is None or self._w.all():
            return False
        self._set_data(self._data.take(np.flatnonzero(self._w)))
        return True

    def __call__(self, theta):
        """Score parameters.

        Parameters
        ----------
        theta : Parameters
            Weights and biases.

        Returns
        -------
        scores : Scores
            All NaN if the output of the network is not finite.
        """
        network, (X, _, Y, _) = self._network, self._data
        engine = self._estimator.engine
        decision = decision_function(engine, network, network.arrange(theta), X)
        P = network.output(decision)
        is_finite = np.isfinite(decision).all() and np.isfinite(P).all()
        loss = network.mean_loss(Y, P, self._w) if is_finite else np.nan
        # Zero times infinity is NaN.
        if not np.isfinite(loss) and self._leave_out_weightless_samples():
            return self(theta)
        if not is_finite:
            return NO_SCORES
        if self._scorer is not None:
            score = self._score()
        else:
            score = self._estimator._score_output(decision, P, Y, self._w)
        return Scores(loss, score, -loss if self._metric == "loss" else score)

    def _score(self):
        X, y, _, _ = self._data
        weights = {}
        if self._w is not None and _takes_sample_weight(self._scorer):
            weights = {"sample_weight": self._w}
        try:
            value = self._scorer(self._fitted, X, y, **weights)
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"early_stopping_metric={self._metric!r} fails on the validation set: "
                f"{error}"
            ) from error
        if hasattr(value, "item"):  # as in scikit-learn
            with suppress(ValueError):
                value = value.item()
        if not isinstance(value, Real):
            raise ValueError(
                f"early_stopping_metric={self._metric!r} must return a number, got "
                f"{value!r}."
            )
        return float(value)


def as_weights(w, dtype, name):
    """Return sample weights as a column, in the dtype of the network.

    Parameters
    ----------
    w : ndarray of shape (n_samples,)
        The weights.

    dtype : dtype
        The dtype of the network.

    name : str
        Name of the argument, for error messages.

    Returns
    -------
    column : ndarray of shape (n_samples, 1)

    Raises
    ------
    ValueError
        If a weight is negative, or the sum is zero or not finite in the dtype.
    """
    if (w < 0).any():
        raise ValueError(
            f"{name} must be non-negative, got {w.min()} at index {w.argmin()}."
        )
    with np.errstate(over="ignore"):
        column = w.astype(dtype)[:, np.newaxis]
        total = column.sum()
    if not np.isfinite(total):
        raise ValueError(
            f"{name} must have a sum that is finite in {np.dtype(dtype)}, got "
            f"weights of up to {w.max():g}."
        )
    if not w.any():
        raise ValueError(
            f"{name} must have at least one positive entry, got only zeros."
        )
    tiny = np.finfo(dtype).tiny
    if total < tiny:
        raise ValueError(
            f"{name} must have a sum of at least {tiny:.2g}, the smallest number in "
            f"{np.dtype(dtype)}, got weights of up to {w.max():g}."
        )
    return column


def _takes_sample_weight(scorer):
    """Return whether a scorer, or its metric, has the parameter `sample_weight`."""
    parameters = signature(getattr(scorer, "_score_func", scorer)).parameters
    return "sample_weight" in parameters or any(
        p.kind is Parameter.VAR_KEYWORD for p in parameters.values()
    )
