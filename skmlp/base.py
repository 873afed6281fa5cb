"""What the classifier and the regressor share.

The way of a `fit`: validate parameters and data, build the objects of
`skmlp.core`, train them with `skmlp.training`, publish the fitted attributes.
"""

import warnings
from abc import ABC, abstractmethod
from contextlib import contextmanager
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skmlp._sklearn import (
    Interval,
    Options,
    StrOptions,
    _check_optimize_result,
    _check_sample_weight,
    _fit_context,
)
from skmlp.core.activations import ACTIVATIONS, HIDDEN_ACTIVATIONS
from skmlp.core.initializers import glorot
from skmlp.core.network import Network, decision_function
from skmlp.core.objective import Objective
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.parameters import Parameters
from skmlp.core.penalties import ElasticNet
from skmlp.core.schedules import SCHEDULES, make_schedule
from skmlp.training.batches import EpochOrder
from skmlp.training.engine import NumpyEngine
from skmlp.training.lbfgs import minimize_lbfgs
from skmlp.training.loop import TrainingState, run_epochs


def has_partial_fit(estimator):
    """Whether the solver can train on part of the data (for `available_if`)."""
    if estimator.solver not in OPTIMIZERS:
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{estimator.solver} is not stochastic."
        )
    return True


# Fitted attributes that training goes on from, under warm_start and partial_fit.
_PROGRESS = {
    "t_",
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
    "_no_improvement_count",
    "_optimizer",
}


class BaseMLP(BaseEstimator, ABC):
    """Base class of the estimators; use the derived classes."""

    _parameter_constraints: dict = {
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "activation": [StrOptions(set(HIDDEN_ACTIVATIONS))],
        "solver": [StrOptions({"lbfgs", *OPTIMIZERS})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [
            StrOptions({"auto", "full"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "learning_rate": [StrOptions(set(SCHEDULES))],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        l1_ratio=0.0,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.l1_ratio = l1_ratio

    # What a derived class has to say.

    _y_checks: dict = {}  # for validate_data

    @abstractmethod
    def _check_targets(self, y, dtype, continues, incremental):
        """Validate the targets.

        Parameters
        ----------
        y : ndarray
            Targets as scikit-learn has checked them.

        dtype : dtype
            Type that the network computes in.

        continues : bool
            Whether training goes on from an earlier call.

        incremental : bool
            Whether the call is to `partial_fit`.

        Returns
        -------
        y : ndarray
            The targets, one-dimensional if they have one column.

        Y : ndarray of shape (n_samples, n_outputs)
            The targets as the loss takes them.
        """

    @abstractmethod
    def _loss_function(self):
        """The `Loss` to train with, known once the targets are."""

    @abstractmethod
    def _stratify(self, y, Y):
        """What the early stopping split is stratified by, or None."""

    @abstractmethod
    def _score_decision(self, decision, Y, sample_weight):
        """Score of finite outputs before the output activation."""

    # Training.

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Train the network on X and y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples. float32 trains in float32, everything else in
            float64.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets: class labels or a label indicator matrix in
            classification, real numbers in regression.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample in the loss and in the validation score, at
            least 0 and not all 0. None stands for ones.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, X, y or `sample_weight` is not valid, or training
            diverges. The estimator is then as it was before the call.
        """
        with unchanged_on_error(self):
            return self._fit(X, y, sample_weight)

    def _partial_fit(self, X, y, sample_weight):
        """One epoch over X and y."""
        if self.early_stopping:
            # A different validation set each time would mean nothing.
            raise ValueError("partial_fit does not support early_stopping=True")
        return self._fit(X, y, sample_weight, incremental=True)

    def _fit(self, X, y, sample_weight, incremental=False):
        continues = hasattr(self, "coefs_") and (self.warm_start or incremental)
        X, y, Y, w = self._check_training_data(
            X, y, sample_weight, continues, incremental
        )
        random_state = check_random_state(self.random_state)
        network, theta = self._start(X, Y, random_state, continues)
        if not continues:
            # Forget what earlier training has reached.
            for name in _PROGRESS & vars(self).keys():
                delattr(self, name)
        self.n_outputs_ = network.layer_sizes[-1]
        self.n_layers_ = len(network.layer_sizes)
        self.out_activation_ = network.loss.output_activation.name
        if self.solver == "lbfgs":
            self._fit_lbfgs(network, theta, X, Y, w)
        else:
            self._fit_epochs(network, theta, X, y, Y, w, random_state, incremental)
        self.coefs_ = theta.coefs
        self.intercepts_ = theta.intercepts
        return self

    def _check_training_data(self, X, y, sample_weight, continues, incremental):
        """Validate the arguments of fit.

        Returns
        -------
        X : {ndarray, CSR matrix} of shape (n_samples, n_features)
            In the dtype of the network.

        y : ndarray
            The targets as given.

        Y : ndarray of shape (n_samples, n_outputs)
            The targets as the loss takes them.

        w : ndarray of shape (n_samples, 1) or None
            The sample weights, in the dtype of X.
        """
        # A network that goes on learning keeps the dtype that it has.
        dtypes = [np.float64, np.float32]
        if continues and self.coefs_[0].dtype in dtypes:
            dtypes = [self.coefs_[0].dtype]
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            multi_output=True,
            dtype=dtypes,
            reset=not continues,
            **self._y_checks,
        )
        y, Y = self._check_targets(y, X.dtype, continues, incremental)
        w = None
        if sample_weight is not None:
            w = _check_sample_weight(sample_weight, X, dtype=X.dtype)[:, np.newaxis]
            _check_weights(w)
        # The base class of a memory map is quicker to slice.
        return (X if issparse(X) else np.asarray(X)), y, Y, w

    def _start(self, X, Y, random_state, continues):
        """Build the network and the parameters that training starts from."""
        layer_sizes = (X.shape[1], *self._hidden_layer_sizes(), Y.shape[1])
        activation = HIDDEN_ACTIVATIONS[self.activation]
        network = Network(layer_sizes, activation, self._loss_function())
        if not continues:
            theta = Parameters(layer_sizes, X.dtype)
            glorot(random_state, activation, theta)
            return network, theta
        # A copy: should training fail, the old parameters are still there.
        theta = Parameters.from_arrays(self.coefs_, self.intercepts_, X.dtype)
        if theta.layer_sizes != layer_sizes:
            raise ValueError(
                "warm_start and partial_fit go on with the network of the previous "
                f"call, whose layers have {list(theta.layer_sizes)} units, but X, "
                f"hidden_layer_sizes and y ask for {list(layer_sizes)}."
            )
        return network, theta

    def _hidden_layer_sizes(self):
        sizes = self.hidden_layer_sizes
        sizes = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
        if any(isinstance(s, bool) or not isinstance(s, Integral) for s in sizes):
            raise ValueError(f"hidden_layer_sizes must be integers, got {sizes}.")
        if any(size <= 0 for size in sizes):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
        return sizes

    def _fit_lbfgs(self, network, theta, X, Y, w):
        penalty = ElasticNet(self.alpha, self.l1_ratio)
        result = minimize_lbfgs(
            Objective(network, penalty.smooth, theta),
            penalty.l1,
            X,
            Y,
            w,
            max_iter=self.max_iter,
            max_fun=self.max_fun,
            tol=self.tol,
            verbose=self.verbose,
        )
        if not (theta.isfinite() and np.isfinite(result.fun)):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may "
                "contain large values and need to be preprocessed: training diverged "
                f"in iteration {result.nit} of {self.max_iter}. Scale X (and y in "
                "regression), for example with StandardScaler."
            )
        self.n_iter_ = _check_optimize_result("lbfgs", result, self.max_iter)
        self.t_ = getattr(self, "t_", 0)
        self.loss_ = float(result.fun)

    def _fit_epochs(self, network, theta, X, y, Y, w, random_state, incremental):
        optimizer = self._build_optimizer(theta, incremental)
        train_rows = validate = None
        if self.early_stopping:
            train_rows, validate = self._split(network, X, y, Y, w, random_state)
        n_train = X.shape[0] if train_rows is None else len(train_rows)
        engine = NumpyEngine(
            Objective(
                network, ElasticNet(self.alpha, self.l1_ratio), theta, report_mean=True
            ),
            optimizer,
            X,
            Y,
            w,
            n_train,
            self._batch_size(n_train),
        )
        # The order within one batch does not matter.
        shuffle = self.shuffle and self.batch_size != "full"
        order = EpochOrder(X.shape[0], train_rows, random_state if shuffle else None)

        state = self._state(theta, optimizer)
        schedule = make_schedule(
            self.learning_rate, self.learning_rate_init, power_t=self.power_t
        )
        run_epochs(
            state,
            engine,
            order,
            schedule,
            max_iter=self.max_iter,
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
            validate=validate,
            incremental=incremental,
            verbose=self.verbose,
        )
        self._publish(state)

    def _build_optimizer(self, theta, incremental):
        solver = OPTIMIZERS[self.solver]
        hyperparameters = {name: getattr(self, name) for name in solver.hyperparameters}
        optimizer = solver(theta.flat, self.learning_rate_init, **hyperparameters)
        # Of the same kind: a class may be derived from the solver's.
        if incremental and type(getattr(self, "_optimizer", None)) is solver:
            optimizer.resume(self._optimizer)
        return optimizer

    def _batch_size(self, n_train):
        if self.batch_size == "full":
            return n_train
        if self.batch_size == "auto":
            return min(200, n_train)
        if self.batch_size > n_train:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going "
                f"to be clipped: got {self.batch_size} for {n_train} samples.",
                stacklevel=6,
            )
        return min(int(self.batch_size), n_train)

    def _split(self, network, X, y, Y, w, random_state):
        """Set validation samples aside for early stopping.

        Returns
        -------
        train_rows : ndarray of int
            The rows to train on.

        validate : callable
            Takes the parameters and returns the score on the other rows, NaN
            if the network's output is not finite.
        """
        stratify = self._stratify(y, Y)
        try:
            train_rows, rows = train_test_split(
                np.arange(X.shape[0]),
                test_size=self.validation_fraction,
                random_state=random_state,
                stratify=stratify,
            )
        except ValueError as error:
            message = (
                f"early_stopping=True sets validation_fraction="
                f"{self.validation_fraction} of the {X.shape[0]} samples aside, which "
                f"failed: {error}"
            )
            if stratify is not None:
                classes, counts = np.unique(y, return_counts=True)
                if counts.min() < 2:
                    rare = classes[counts < 2].tolist()
                    message += f" (y has one sample of each of these: {rare})"
            raise ValueError(message) from error
        if len(rows) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or "
                f"the size of your dataset: early_stopping=True needs 2 samples, got "
                f"{len(rows)} from validation_fraction={self.validation_fraction} of "
                f"{X.shape[0]}."
            )
        for part, name in (train_rows, "training"), (rows, "validation"):
            if w is not None and not w[part].any():
                raise ValueError(
                    f"sample_weight is zero for all {len(part)} samples of the {name} "
                    f"set that early_stopping=True with validation_fraction="
                    f"{self.validation_fraction} makes; it needs a positive one."
                )
        X, Y = X[rows], Y[rows]
        w = None if w is None else w[rows, 0]

        def validate(theta):
            decision = decision_function(
                theta.coefs, theta.intercepts, network.activations, X
            )
            if not np.isfinite(decision).all():
                return np.nan
            return self._score_decision(decision, Y, w)

        return train_rows, validate

    def _state(self, theta, optimizer):
        """Where training starts, or goes on from."""
        before = {name: getattr(self, name, None) for name in _PROGRESS}
        state = TrainingState(theta, optimizer)
        state.t = before["t_"] or 0
        state.no_improvement_count = before["_no_improvement_count"] or 0
        if self.early_stopping:
            best = before["best_validation_score_"]
            state.best_validation_score = -np.inf if best is None else best
            state.best_loss = None
        elif before["best_loss_"] is not None:
            state.best_loss = before["best_loss_"]
        return state

    def _publish(self, state):
        """Turn what training has reached into fitted attributes."""
        self._optimizer = state.optimizer
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
        # In place, or a long series of partial_fit would copy it every time.
        if not hasattr(self, "loss_curve_"):
            self.loss_curve_ = []
        self.loss_curve_.extend(state.loss_curve)

    # Prediction.

    def _decision_function(self, X):
        """Output of the network before the output activation."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", reset=False)
        activations = [HIDDEN_ACTIVATIONS[self.activation]] * (len(self.coefs_) - 1)
        return decision_function(self.coefs_, self.intercepts_, activations, X)

    def _output(self, X):
        """Output of the network, of shape (n_samples, n_outputs)."""
        output = self._decision_function(X)
        ACTIVATIONS[self.out_activation_].forward(output)
        return output

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@contextmanager
def unchanged_on_error(estimator):
    """Give an estimator its old attributes back if an exception leaves the block.

    The attributes themselves are not copied: training must not change them in
    place before it is sure to succeed.
    """
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def _check_weights(w):
    if (w < 0).any():
        raise ValueError(
            f"sample_weight must be non-negative, got {w.min()} at index {w.argmin()}."
        )
    if not w.any():
        raise ValueError(
            "sample_weight must have at least one positive entry, got only zeros."
        )
