"""The base class of the classifier and the regressor.

`fit` validates parameters and data, builds the objects of `skmlp.core`, trains them
with `skmlp.training`, and sets the fitted attributes.
"""

import inspect
import operator
from abc import ABC, abstractmethod
from copy import copy
from functools import cache

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skmlp._random import check_random_state
from skmlp._sklearn import (
    CallbackSupportMixin,
    InvalidParameterError,
    _check_sample_weight,
    _fit_context,
    task_callbacks,
    validate_data,
    validate_parameter_constraints,
)
from skmlp.callbacks.copies import check_copyable, clone_callbacks
from skmlp.core.inference import call_with_errors_ignored, check_output
from skmlp.core.optimizers.base import Optimizer, find_optimizer
from skmlp.core.parameters import Parameters
from skmlp.estimators import build
from skmlp.estimators.engines import decision_function
from skmlp.estimators.epochs import Call, EpochTraining
from skmlp.estimators.fitted import (
    ARRAYS,
    EXTENDED,
    FITTED,
    PROGRESS,
    TRANSIENT,
    check_weights,
)
from skmlp.estimators.inspection import InspectionMixin
from skmlp.estimators.lbfgs import train_lbfgs
from skmlp.estimators.parameters import EstimatorParameters
from skmlp.estimators.validation import (
    as_weights,
    check_metric,
    check_validation_data,
)
from skmlp.persistence.checkpoint import read as read_checkpoint
from skmlp.persistence.objects import network_from
from skmlp.training.data import Data
from skmlp.training.history import pack_history, unpack_history
from skmlp.training.state import new_history


def has_partial_fit(estimator):
    """Whether the solver can train on part of the data (for `available_if`)."""
    solver = estimator.solver
    if not isinstance(solver, str | Optimizer) or find_optimizer(solver) is None:
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{solver} is not stochastic."
        )
    return True


class BaseMLP(
    CallbackSupportMixin, InspectionMixin, EstimatorParameters, BaseEstimator, ABC
):
    """Base class of the estimators.

    Warning: This class should not be used directly. Use the derived classes instead.
    """

    # For `save`, `load` and checkpoints.
    _fitted = FITTED
    _transient = TRANSIENT
    _check_fitted = staticmethod(check_weights)

    _scored_on: tuple | None = None
    _trained_with: list | None = None  # the parameters of the last call

    # To be defined by a derived class.

    _y_checks: dict = {}  # arguments of validate_data

    def _read_targets(self, y):
        """Return y in a form that scikit-learn can validate."""
        return y

    @abstractmethod
    def _check_targets(self, y, continues, incremental):
        """Validate the targets, and set the fitted attributes that depend on them.

        Parameters
        ----------
        y : ndarray
            Targets that scikit-learn has validated.

        continues : bool
            Whether training continues from an earlier call.

        incremental : bool
            Whether the call is to `partial_fit`.

        Returns
        -------
        y : ndarray
            The targets, one-dimensional if they have one column.
        """

    @abstractmethod
    def _encode_targets(self, y, dtype):
        """Return the targets as an array for the loss.

        Parameters
        ----------
        y : ndarray
            Targets returned by `_check_targets`.

        dtype : dtype
            Data type of the computation.

        Returns
        -------
        Y : ndarray of shape (n_samples, n_outputs)
        """

    @abstractmethod
    def _encode_validation_targets(self, y, dtype):
        """Validate and encode the targets of a validation set."""

    @abstractmethod
    def _loss_and_output(self):
        """Return the `Loss` and the output `Activation` for the targets."""

    @abstractmethod
    def _stratify(self, y, Y):
        """Return what the early stopping split is stratified by, or None."""

    @abstractmethod
    def _score_output(self, decision, P, Y, sample_weight):
        """Return the score of outputs before and after the output activation."""

    def _class_weights(self, y):
        """Return the weight of each sample by its class, or None."""
        return None

    def _fit_targets(self, y, w, before):
        """Set the fitted attributes that depend on the values of the targets.

        Parameters
        ----------
        y : ndarray
            Targets returned by `_check_targets`.

        w : ndarray of shape (n_samples,) or None
            Sample weights.

        before : dict
            Fitted attributes of the call from which training continues.
        """

    # Training.

    # Skipping nested validation would change the configuration of scikit-learn, and an
    # exception of a signal handler could leave it so: no parameter would be validated.
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
        coefs_init=None,
        intercepts_init=None,
        resume_from=None,
    ):
        """Train the network on X and y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples. The network is trained in float32 if X is float32, and
            in float64 otherwise, unless `dtype` is set.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets: class labels or a label indicator matrix in classification,
            real numbers in regression.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample in the loss and in the validation score, at least 0
            and not all 0. None is equivalent to ones.

        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation samples. With `early_stopping` they replace the fraction of
            the training samples that is set aside. `history_` has the loss and the
            score on them. In a `Pipeline`, set ``transform_input=["X_val"]`` to
            transform them like X.

        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Targets of the validation samples.

        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation samples.

        coefs_init : list of array-like or None, default=None
            Initial weights, one array for each layer with the shape in `coefs_`. A
            layer whose entry is None is initialized as usual: drawn at random, or
            with `warm_start` taken from the last call.

        intercepts_init : list of array-like or None, default=None
            Initial biases, one array for each layer, or None.

        resume_from : str or os.PathLike, default=None
            A file written by `skmlp.callbacks.Checkpoint` in a training with the same
            parameters and data. Training continues from it, and gives the result of
            an uninterrupted training. `coefs_init`, `intercepts_init` and what the
            estimator has learned before are ignored. `max_iter` may be larger than
            before, unless the learning rate depends on it.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        OSError
            If the file `resume_from` cannot be opened.

        ValueError
            If a parameter or an argument is not valid, `resume_from` is damaged or
            from another training, or training diverges. The estimator is then
            unchanged.

        Warns
        -----
        ConvergenceWarning
            If training reaches `max_iter`, or if it ends without having learned
            anything and the data show a cause. The message names the cause and the
            remedy.
        """
        tasks = task_callbacks(self, self.max_iter, X, y, sample_weight)
        before = Unchanged(self)
        # Not a context manager, whose methods an exception of a signal handler could
        # interrupt. The assignment of the dictionary is atomic.
        try:
            self._fit(
                X,
                y,
                sample_weight,
                validation_data=(X_val, y_val, sample_weight_val),
                initial=(coefs_init, intercepts_init),
                tasks=tasks,
                resume_from=resume_from,
            )
        except BaseException:
            self.__dict__ = before.attributes
            before.restore_others()
            raise
        for task in tasks:
            task.end()
        return self

    def _partial_fit(self, X, y, sample_weight):
        """Train for one epoch over X and y."""
        # To save time, parameters are validated only if they have changed.
        if not _are_same(self._parameters_given(), self._trained_with):
            self._validate_params()
        if self.early_stopping:
            # Each call would have a different validation set.
            raise ValueError(
                "partial_fit does not support early_stopping=True; set "
                "early_stopping=False, or call fit."
            )
        if self.averaging is not None:
            # The next call would continue from the average.
            raise ValueError(
                f"partial_fit does not support averaging={self.averaging!r}; set "
                "averaging=None, or call fit."
            )
        return self._fit(X, y, sample_weight, incremental=True)

    def _fit(
        self,
        X,
        y,
        sample_weight,
        *,
        validation_data=(None, None, None),
        initial=(None, None),
        incremental=False,
        tasks=(),
        resume_from=None,
    ):
        checkpoint = self._read_checkpoint(resume_from)
        # A checkpoint replaces what the estimator has learned.
        continues = checkpoint is None and (
            hasattr(self, "coefs_") and (self.warm_start or incremental)
        )
        has_validation = any(part is not None for part in validation_data)
        build.check_solver(self, has_validation)
        check_metric(self.early_stopping_metric)
        data = self._check_training_data(
            X, y, sample_weight, continues, incremental, checkpoint
        )
        if has_validation:
            validation_data = check_validation_data(self, validation_data, data)
        else:
            validation_data = None
        random_state = check_random_state(self.random_state)
        network, theta = self._start(data, random_state, continues)
        build.set_parameters(theta.coefs, initial[0], "coefs_init")
        build.set_parameters(theta.intercepts, initial[1], "intercepts_init")
        has_initial = any(part is not None for part in initial)
        self._set_progress(continues, checkpoint)
        self.n_outputs_ = network.layer_sizes[-1]
        self.n_layers_ = len(network.layer_sizes)
        self.out_activation_ = network.activations[-1].name
        if self.solver == "lbfgs":
            reached = train_lbfgs(self, network, theta, data)
            self._publish_lbfgs(*reached)
        else:
            call = Call(
                random_state,
                validation_data,
                tasks,
                checkpoint,
                incremental,
                has_initial,
            )
            training = EpochTraining(self, network, theta, data, call)
            self._publish(training.run(), training.scored_on)
        self._adopt(network, theta)
        self._trained_with = self._parameters_given()
        return self

    def _read_checkpoint(self, resume_from):
        """Return the checkpoint in a file, or None."""
        if resume_from is None:
            return None
        build.check_resume_from(self, resume_from)
        return read_checkpoint(resume_from, EXTENDED)

    def _set_progress(self, continues, checkpoint):
        """Remove what earlier training has reached, unless training continues."""
        if not continues:
            for name in set(PROGRESS) & vars(self).keys():
                delattr(self, name)
        if checkpoint is not None:
            self.__dict__.update(checkpoint.earlier)

    def _validate_params(self):
        """Raise if a parameter that differs from its default is not valid."""
        changed = {
            name: getattr(self, name)
            for name, default in _valid_defaults(type(self)).items()
            if getattr(self, name) is not default
        }
        constraints = self._parameter_constraints
        validate_parameter_constraints(constraints, changed, type(self).__name__)

    def _parameters_given(self):
        """Return the values of the constructor's parameters."""
        return [getattr(self, name) for name in self._parameter_constraints]

    def _check_training_data(
        self, X, y, sample_weight, continues, incremental, checkpoint=None
    ):
        """Validate the arguments of fit, and return them as `Data`."""
        dtype = None
        if checkpoint is not None and checkpoint.earlier:  # it was warm-started
            dtype = checkpoint.theta.flat.dtype
        if continues:
            # A network keeps its dtype when training continues.
            dtype = self.coefs_[0].dtype
        dtypes: list = [np.float64, np.float32]
        if dtype in dtypes:
            dtypes = [dtype]
        dtype = build.float_dtype(self)
        if dtype is not None:
            dtypes = [dtype]
        X, y = validate_data(
            self,
            X,
            self._read_targets(y),
            multi_output=True,
            dtype=dtypes,
            reset=not continues,
            **self._y_checks,
        )
        y = self._check_targets(y, continues, incremental)
        w, name = self._class_weights(y), "class_weight"
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
            with np.errstate(over="ignore"):
                w = sample_weight if w is None else sample_weight * w
            name = "sample_weight"
        before = vars(self) if continues else {}
        if checkpoint is not None:
            before = checkpoint.earlier
        column = None if w is None else as_weights(w, X.dtype, name)
        self._fit_targets(y, w, before)
        Y = self._encode_targets(y, X.dtype)
        # The base class of a memory map is quicker to slice.
        return Data(X if issparse(X) else np.asarray(X), y, Y, column)

    def _start(self, data, random_state, continues):
        """Return the network and its initial parameters."""
        dtype = data.X.dtype
        build.check_numbers(self, dtype)
        network = self._last_network(data) if continues else None
        if network is None:
            network = build.make_network(
                self, data.X.shape[1], data.Y.shape[1], *self._loss_and_output()
            )
        if not continues:
            return network, build.draw_parameters(self, network, dtype, random_state)
        # The user may have set coefs_ without a call of fit.
        before = getattr(self, "_network", network)
        if before.n_members != network.n_members:
            raise ValueError(
                "warm_start and partial_fit continue with the network of the previous "
                f"call, which had n_members={before.n_members}, but now "
                f"n_members={network.n_members}."
            )
        sizes = [self.coefs_[0].shape[0], *(W.shape[1] for W in self.coefs_)]
        sizes[-1] //= network.n_members
        if sizes != list(network.layer_sizes):
            raise ValueError(
                "warm_start and partial_fit continue with the network of the previous "
                f"call, whose layers have {sizes} units, but those for X, "
                f"hidden_layer_sizes and y have {list(network.layer_sizes)}."
            )
        options = before.options
        for option in sorted(options ^ network.options):
            had = option in options
            raise ValueError(
                "warm_start and partial_fit continue with the network of the previous "
                f"call, which had {option}={had}, but now {option}={not had}."
            )
        # A copy, because the old parameters are restored if training fails.
        groups = {name: getattr(self, f"{name}_") for name in network.layout.groups}
        return network, Parameters(network.layout, dtype).fill(groups)

    def _last_network(self, data):
        """Return the network of the last call, or None if it can have changed."""
        parameters = self._parameters_given()
        network = vars(self).get("_network")
        if (
            network is not None
            and _are_same(parameters, self._trained_with)
            and _are_immutable(parameters)
            and network.layer_sizes[0] == data.X.shape[1]
            and network.layer_sizes[-1] == data.Y.shape[1]
        ):
            return network
        return None

    def _adopt(self, network, theta):
        """Set a network and its parameters as the fitted ones."""
        self._network = network
        for name in ARRAYS:
            self.__dict__.pop(name, None)
        for name, arrays in theta.groups.items():
            setattr(self, f"{name}_", arrays)

    def _fitted_copy(self, network, theta):
        """Return a copy of the estimator that predicts with other parameters."""
        fitted = copy(self)
        fitted._adopt(network, theta)
        return fitted

    def _publish_lbfgs(self, n_iter, loss):
        """Set the fitted attributes of a training by L-BFGS."""
        self.n_iter_ = n_iter
        self.t_ = getattr(self, "t_", 0)
        self.loss_ = loss
        self._scored_on = None  # the best score is of other weights now

    def _publish(self, state, scored_on):
        """Set the fitted attributes of a training by epochs.

        Parameters
        ----------
        state : TrainingState
            What training has reached.

        scored_on : tuple
            What the best score is a score of.
        """
        self._optimizer = state.optimizer
        self._rng = state.rng
        if self.early_stopping:
            self._scored_on = scored_on
        self._no_improvement_count = state.no_improvement_count
        self.n_iter_ = state.n_iter
        self.t_ = state.t
        self.loss_ = state.loss
        self.best_loss_ = state.best_loss
        self.best_validation_score_ = state.best_validation_score
        scores = None
        if self.early_stopping:
            scores = getattr(self, "validation_scores_", None) or []
            scores = scores + state.validation_scores
        self.validation_scores_ = scores
        # In place, because each call of partial_fit would copy a long history.
        if not hasattr(self, "history_"):
            self.history_ = new_history()
            self.loss_curve_ = []
        for name, values in state.history.items():
            self.history_[name].extend(values)
        self.loss_curve_.extend(state.history["loss"])

    def __copy__(self):
        """Return a shallow copy with its own history, which `partial_fit` extends."""
        copied = type(self).__new__(type(self))
        copied.__dict__.update(vars(self))
        if hasattr(self, "history_"):
            copied.history_ = {name: [*v] for name, v in self.history_.items()}
            copied.loss_curve_ = [*self.loss_curve_]
        return copied

    def __sklearn_clone__(self):
        """Return a clone, whose callbacks do not have the records of a training."""
        bare = copy(self)
        has_callbacks = "callbacks" in self._get_param_names()
        if has_callbacks:
            bare.callbacks = None
        cloned = super(BaseMLP, bare).__sklearn_clone__()
        if has_callbacks:
            cloned.callbacks = clone_callbacks(self.callbacks)
        return cloned

    def __getstate__(self):
        # Callbacks derived from `Callback` raise this error themselves.
        given = vars(self).get("callbacks")
        for callback in given if isinstance(given, list | tuple) else [given]:
            check_copyable(callback)
        return pack_history(super().__getstate__())

    def __setstate__(self, state):
        super().__setstate__(unpack_history(state))
        network = vars(self).get("_network")
        if network is not None and not hasattr(network, "layers"):
            self._network = network_from(vars(network))

    def __sklearn_is_fitted__(self):
        return "coefs_" in vars(self)

    # Prediction.

    def _check_input(self, X):
        """Validate X, and return it."""
        if "n_features_in_" not in vars(self):  # otherwise it is fitted
            check_is_fitted(self)
        return validate_data(self, X, reset=False)

    def _inference(self):
        """Return the fitted network, and the arrays of each layer."""
        network = self._network
        groups = {name: getattr(self, f"{name}_") for name in network.layout.groups}
        return network, network.arrange(groups)

    def _decision_function(self, X):
        """Return the output of the network before the output activation."""
        return self._compute(self._check_input(X))

    def _output(self, X):
        """Return the output of the network, of shape (n_samples, n_outputs)."""
        X = self._check_input(X)
        Z = self._compute(X)
        output = call_with_errors_ignored(self._network.activations[-1].apply, Z)
        self._check_finite(output, X)
        return output

    def _compute(self, X):
        """Return the decision function of validated samples."""
        network, arrays = self._inference()
        Z = decision_function(self.engine, network, arrays, X)
        self._check_finite(Z, X)
        return Z

    def _check_finite(self, output, X, what="network's output"):
        """Raise if the output is not finite though the samples are."""
        check_output(output, X, [*self.coefs_, *self.intercepts_], what)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class Unchanged:
    """The attributes of an estimator before a call, to restore after an exception.

    The attributes themselves are not copied. Training does not change them in place,
    except for the lists of the history, to which it appends. The floating-point error
    handling of NumPy is stored, too, because an exception may be raised while
    `numpy.errstate` restores it.

    Parameters
    ----------
    estimator : BaseMLP
        The estimator.
    """

    def __init__(self, estimator):
        self.attributes = vars(estimator).copy()
        history = self.attributes.get("history_")
        lists = [*history.values()] if isinstance(history, dict) else []
        lists.append(self.attributes.get("loss_curve_"))
        self._lengths = [(v, len(v)) for v in lists if isinstance(v, list)]
        self._errstate = np.geterr()

    def restore_others(self):
        """Restore everything except the dictionary of attributes."""
        np.seterr(**self._errstate)
        for values, length in self._lengths:
            del values[length:]


@cache
def _valid_defaults(cls):
    """Return the parameters of a class with their default values.

    A default that is not valid, which a subclass can have, is replaced by a new object.
    Valid defaults are not validated again in each call of fit, because this takes
    longer than the training of a small network.
    """
    signature = inspect.signature(cls)
    defaults = {
        name: signature.parameters[name].default for name in cls._get_param_names()
    }
    for name, default in defaults.items():
        constraints = {name: cls._parameter_constraints.get(name, "no_validation")}
        try:
            validate_parameter_constraints(constraints, {name: default}, cls.__name__)
        except InvalidParameterError:
            defaults[name] = object()
    return defaults


_IMMUTABLE = {str, bool, int, float, type(None), tuple}


def _are_immutable(values):
    """Return whether the same objects have the same values at all times."""
    types = set(map(type, values))
    return types <= _IMMUTABLE and (
        tuple not in types
        or all(_are_immutable(value) for value in values if type(value) is tuple)
    )


def _are_same(values, others):
    """Return whether two lists have the same objects; `others` may be None."""
    return others is not None and all(map(operator.is_, values, others))
