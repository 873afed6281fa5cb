"""Private and recent names of scikit-learn that skmlp uses.

With the private ones, its estimators have the same parameter validation, error messages
and warnings as those of scikit-learn. Differences between the supported versions of
scikit-learn are handled here.
"""

import math
from numbers import Real

import numpy as np
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import _fit_context
from sklearn.utils import _param_validation, validation
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import (
    HasMethods,
    Hidden,
    InvalidParameterError,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.optimize import _check_optimize_result
from sklearn.utils.validation import _check_feature_names_in

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Replacement of scikit-learn's class."""


__all__ = [
    "CallbackSupportMixin",
    "HasAnyMethod",
    "HasMethods",
    "Hidden",
    "Interval",
    "InvalidParameterError",
    "Names",
    "Options",
    "StrOptions",
    "_check_feature_names_in",
    "_check_optimize_result",
    "_check_partial_fit_first_call",
    "_check_sample_weight",
    "_fit_context",
    "_openmp_effective_n_threads",
    "check_matplotlib_support",
    "task_callbacks",
    "validate_data",
    "validate_parameter_constraints",
    "validate_table",
]


class Interval(_param_validation.Interval):
    """An interval. Real numbers are converted to float before the comparison.

    scikit-learn's class fails on a `Fraction`, and accepts an integer that is larger
    than any float.
    """

    def is_satisfied_by(self, val):
        if self.type is Real and isinstance(val, Real):
            try:
                val = float(val)
            except OverflowError:
                return False
        return super().is_satisfied_by(val)


class HasAnyMethod(HasMethods):
    """An object that has at least one of several methods.

    Parameters
    ----------
    methods : list of str
        Names of the methods.
    """

    def is_satisfied_by(self, val):
        """Return whether the object has one of the methods."""
        return any(callable(getattr(val, name, None)) for name in self.methods)

    def __str__(self):
        names = ", ".join(repr(name) for name in sorted(self.methods))
        return f"an object with at least one of the methods {names}"


class Names(StrOptions):
    """Names that are not fixed: those registered later are accepted, too.

    Parameters
    ----------
    registered : callable
        Returns the names of the moment, such as the method `keys` of a dict.

    *others : str
        Other names.
    """

    def __init__(self, registered, *others):
        self._registered, self._others = registered, others
        super().__init__(self.options)

    @property
    def options(self):
        """The names at the moment."""
        return {*self._others, *self._registered()}

    @options.setter
    def options(self, value):
        """Ignore the value that the constructor of the base class sets."""


def _check_sample_weight(sample_weight, X, **kwargs):
    """Validate sample weights as scikit-learn does, and raise if they are masked."""
    raise_if_masked(sample_weight, "sample_weight")
    return validation._check_sample_weight(sample_weight, X, **kwargs)


def raise_if_masked(array, name):
    """Raise if an array has masked values, which scikit-learn reads as data."""
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise ValueError(
            f"{name} must not have masked values, got {np.ma.count_masked(array)} of "
            f"{array.size}. Impute them, or remove their samples or features."
        )


def validate_data(estimator, X, y="no_validation", *, reset=True, **kwargs):
    """Validate data as scikit-learn does, and ignore floating-point warnings.

    Sparse X is accepted in CSR format. Data that scikit-learn would return unchanged
    are not validated by it, because this takes longer than the rest of a prediction of
    few samples.

    scikit-learn first computes the sum of all values. If the sum is not finite, it
    checks each value, and raises if one of them is not finite.
    """
    if _are_valid_arrays(estimator, X, y, reset, kwargs.get("dtype")):
        if reset:
            estimator.n_features_in_ = X.shape[1]
            vars(estimator).pop("feature_names_in_", None)
        return X if isinstance(y, str) else (X, y)
    raise_if_masked(X, "X")
    raise_if_masked(y, "y")
    kwargs["accept_sparse"] = "csr"
    with np.errstate(over="ignore", invalid="ignore"):
        return validation.validate_data(estimator, X, y, reset=reset, **kwargs)


def validate_table(estimator, X, *, reset):
    """Set or check the names and the number of the features of a table."""
    validation.validate_data(estimator, X, reset=reset, skip_check_array=True)


def is_valid_float_array(X, n_features=None):
    """Return whether `validate_data` would return an array unchanged.

    It is false for every invalid array, and may be false for a valid one.

    Parameters
    ----------
    X : object
        The samples.

    n_features : int, default=None
        Required number of features. None for any number.

    Returns
    -------
    is_valid : bool
        Whether `X` is a NumPy array or a sparse matrix in CSR format of shape
        (n_samples, n_features) in float32 or float64 with finite values.
    """
    if type(X) in (csr_array, csr_matrix):
        values = X.data
    elif type(X) is np.ndarray:
        values = X
    else:
        return False
    if X.ndim != 2 or 0 in X.shape:
        return False
    return n_features in (None, X.shape[1]) and _is_finite_float_array(values)


def _is_finite_float_array(array):
    if array.dtype.char not in "fd" or not array.dtype.isnative:
        return False
    with np.errstate(all="ignore"):
        return math.isfinite(np.add.reduce(array, axis=None))


def _are_valid_arrays(estimator, X, y, reset, dtype):
    """Return whether scikit-learn would return the data unchanged, without a warning.

    `y` is "no_validation" or the targets.
    """
    fitted = vars(estimator)
    if not reset and ("feature_names_in_" in fitted or "n_features_in_" not in fitted):
        return False
    if not is_valid_float_array(X, None if reset else fitted["n_features_in_"]):
        return False
    if dtype is not None and X.dtype not in dtype:
        return False
    if isinstance(y, str):
        return y == "no_validation"
    if type(y) is not np.ndarray or y.shape != X.shape[:1]:
        return False
    return y.dtype.kind in "biu" or _is_finite_float_array(y)


def task_callbacks(estimator, max_iter, X, y, sample_weight):
    """Return a list with the callback that calls scikit-learn's callbacks.

    The list is empty if the estimator has no callbacks of scikit-learn, which
    `set_callbacks` or a meta-estimator sets, and always before scikit-learn 1.9.

    Parameters
    ----------
    estimator, max_iter, X, y, sample_weight
        See `TaskCallback`.

    Returns
    -------
    callbacks : list of TaskCallback
    """
    if not getattr(estimator, "_skl_callbacks", None):
        return []
    return [TaskCallback(estimator, max_iter, X, y, sample_weight)]


class TaskCallback:
    """A callback that calls scikit-learn's callbacks for a fit and its epochs.

    Parameters
    ----------
    estimator : object
        The estimator that is being fitted.

    max_iter : int
        Maximum number of epochs.

    X, y, sample_weight : array-like
        The arguments of `fit`, for scorers.
    """

    def __init__(self, estimator, max_iter, X, y, sample_weight):
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        self._data = {"estimator": estimator, "X": X, "y": y, "metadata": weights}
        self._context = estimator._init_callback_context(max_subtasks=max_iter)
        self._context.call_on_fit_task_begin(**self._data)

    def on_epoch_begin(self, training):
        """Begin the task of an epoch."""
        self._epoch = self._context.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(**self._data)

    def on_epoch_end(self, training):
        """End the task of the epoch. Return whether a callback requests to stop."""
        return self._epoch.call_on_fit_task_end(
            **self._data,
            reconstruction_attributes=lambda: vars(training.fitted_estimator()),
        )

    def end(self):
        """End the task of the fit."""
        self._context.call_on_fit_task_end(**self._data, reconstruction_attributes={})
