"""The private and the new names of scikit-learn that skmlp uses, in one place.

The private ones give its estimators the same parameter validation, error texts
and warnings as scikit-learn's own. A new release of scikit-learn that moves one
of them is answered here, and so is an old one that lacks something.
"""

from numbers import Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import _param_validation, validation
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import (
    HasMethods,
    Hidden,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.optimize import _check_optimize_result

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for scikit-learn's."""


__all__ = [
    "CallbackSupportMixin",
    "HasAnyMethod",
    "HasMethods",
    "Hidden",
    "Interval",
    "Names",
    "Options",
    "StrOptions",
    "_check_optimize_result",
    "_check_partial_fit_first_call",
    "_check_sample_weight",
    "_fit_context",
    "_openmp_effective_n_threads",
    "check_matplotlib_support",
    "task_callbacks",
    "validate_data",
    "validate_parameter_constraints",
]


class Interval(_param_validation.Interval):
    """An interval; if of real numbers, then as they are when they are floats.

    scikit-learn's fails on a fraction, and lets an integer pass that no float can hold.
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
        """Whether the object has one of them."""
        return any(callable(getattr(val, name, None)) for name in self.methods)

    def __str__(self):
        names = ", ".join(repr(name) for name in sorted(self.methods))
        return f"an object with at least one of the methods {names}"


class Names(StrOptions):
    """Names in a registry, also those that enter it later, and others.

    Parameters
    ----------
    registry : dict
        Its keys are the names.

    *others : str
        Names besides.
    """

    def __init__(self, registry, *others):
        self._registry, self._others = registry, others
        super().__init__({*others, *registry})

    @property
    def options(self):
        """The names that there are by now."""
        return {*self._others, *self._registry}

    @options.setter
    def options(self, value):
        """Nothing: the registry is asked each time."""


def _check_sample_weight(sample_weight, X, **kwargs):
    """Validate sample weights as scikit-learn does, and refuse masked ones."""
    refuse_masked(sample_weight, "sample_weight")
    return validation._check_sample_weight(sample_weight, X, **kwargs)


def refuse_masked(array, name):
    """Raise if an array has masked values, which scikit-learn reads as data."""
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise ValueError(
            f"{name} must not have masked values, got {np.ma.count_masked(array)} of "
            f"{array.size}. Impute them, or remove their samples or features."
        )


def validate_data(estimator, X, y="no_validation", **kwargs):
    """scikit-learn's, without a warning of NumPy's.

    It adds up all values, and looks at each where their sum is not finite: as it may
    be of values that are. Values that are not, it refuses.
    """
    refuse_masked(X, "X")
    refuse_masked(y, "y")
    with np.errstate(over="ignore", invalid="ignore"):
        return validation.validate_data(estimator, X, y, **kwargs)


def task_callbacks(estimator, max_iter, X, y, sample_weight):
    """What tells scikit-learn's callbacks of a fit.

    Returns
    -------
    callbacks : list of TaskCallback
        Empty if there are none of scikit-learn's (set by `set_callbacks`, or
        handed down by a meta-estimator), as before scikit-learn 1.9.
    """
    if not getattr(estimator, "_skl_callbacks", None):
        return []
    return [TaskCallback(estimator, max_iter, X, y, sample_weight)]


class TaskCallback:
    """Tells scikit-learn's callbacks of a fit and its epochs.

    It is a callback of the training loop.

    Parameters
    ----------
    estimator : object
        The estimator that is being fitted.

    max_iter : int
        Largest number of epochs.

    X, y, sample_weight
        What `fit` was given; scorers get them.
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
        """End it; whether a callback wants to stop."""
        return self._epoch.call_on_fit_task_end(
            **self._data,
            reconstruction_attributes=lambda: vars(training.fitted_estimator()),
        )

    def end(self):
        """End the task of the fit."""
        self._context.call_on_fit_task_end(**self._data, reconstruction_attributes={})
