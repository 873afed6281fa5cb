"""Multilayer perceptron regressor."""

from __future__ import annotations  # signatures show the annotations as written

import math
from collections.abc import Sequence
from functools import partial
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from skmlp._sklearn import Interval, Names, StrOptions, _fit_context
from skmlp.core.activations import OUTPUT_ACTIVATIONS, Activation
from skmlp.core.losses import Loss, names_of_losses
from skmlp.estimators import build
from skmlp.estimators.base import BaseMLP, Unchanged, has_partial_fit
from skmlp.estimators.fitted import check_weights
from skmlp.estimators.parameters import (
    ACTIVATION,
    HIDDEN_LAYER_SIZES,
    param,
    parameters,
)
from skmlp.estimators.target_scale import (
    TARGET_ATTRIBUTES,
    TargetScale,
    check_target_scale,
)
from skmlp.persistence.model import register_estimator


@register_estimator
@parameters
class MLPRegressorScratch(RegressorMixin, BaseMLP):
    r"""Multilayer perceptron regressor.

    A feedforward neural network, trained by backpropagation to minimize a loss with
    sample weights and a penalty on the weights:

    .. math::

        E(\theta) = \frac{1}{n} \left( \sum_i w_i \, \ell(y_i, f_\theta(x_i))
                    + \alpha \left( \rho \lVert W \rVert_1
                    + \frac{1 - \rho}{2} \lVert W \rVert_2^2 \right) \right),
        \qquad n = \sum_i w_i

    in each batch, with :math:`\alpha` = `alpha` and :math:`\rho` = `l1_ratio`.

    It has the parameters and attributes of
    :class:`sklearn.neural_network.MLPRegressor` and gives the same results.

    Parameters
    ----------
    loss : str or Loss, default='squared_error'
        Loss of a prediction p for a target y, summed over the outputs, with the
        residual r = y - p:

        - 'squared_error': half the squared error, r^2 / 2;
        - 'poisson': half the Poisson deviance, y log(y / p) - y + p, where p is
          the exponential of the network's output and y must be at least 0;
        - 'absolute_error': abs(r), for the median;
        - 'huber': r^2 / 2 for abs(r) up to `huber_delta` (d), and
          d (abs(r) - d / 2) above, which is less sensitive to outliers;
        - 'quantile': q r for r > 0 and (q - 1) r otherwise, for the `quantile` q;
        - an object of your own, see :mod:`skmlp.core.losses`.

    hidden_layer_sizes : int or array-like of int, default=(100,)
        Number of units of each hidden layer. An empty tuple gives a linear
        model.

    activation : str, Activation, or sequence of them, default='relu'
        Activation of the hidden layers, or one for each of them:

        - 'identity': g(z) = z;
        - 'logistic' or 'sigmoid': g(z) = 1 / (1 + exp(-z));
        - 'tanh': g(z) = tanh(z);
        - 'relu': g(z) = max(0, z);
        - 'leaky_relu': z for z > 0, else 0.01 z;
        - 'elu': z for z > 0, else exp(z) - 1;
        - 'selu': 1.0507 z for z > 0, else 1.7581 (exp(z) - 1);
        - 'softplus': log(1 + exp(z));
        - 'softsign': z / (1 + abs(z));
        - 'gelu': z Phi(z), with the normal distribution function Phi;
        - 'silu': z / (1 + exp(-z));
        - 'mish': z tanh(log(1 + exp(z)));
        - an object of your own, see :mod:`skmlp.core.activations`.

    solver : str or Optimizer, default='adam'
        The algorithm that minimizes the objective. On mini-batches:

        - 'sgd': stochastic gradient descent with momentum;
        - 'adam': Adam;
        - 'adamw': Adam with decoupled `weight_decay`;
        - 'nadam': Adam with Nesterov momentum;
        - 'amsgrad': Adam with a second moment that does not decrease;
        - 'rmsprop': RMSProp;
        - 'adagrad': AdaGrad.

        On all samples at once, with one step per epoch:

        - 'armijo': steepest descent with Armijo backtracking. It stops where
          the gradient is zero;
        - 'random_search': adds noise to all parameters, and keeps it if the
          objective does not increase.

        An instance of :class:`skmlp.core.optimizers.Optimizer` can be passed instead
        of a name. Training uses its class and hyperparameters, and the
        `learning_rate_init` of the estimator. The instance is not changed.

        These are called first-order solvers below. The last one is not:

        - 'lbfgs': L-BFGS-B on all samples at once, for small datasets. It does
          not support `dropout`, `input_dropout`, `batch_norm`, `weight_decay`,
          `max_norm`, `clip_norm`, `augment` and `callbacks`.

    alpha : float, default=0.0001
        Strength of the penalty on the weights. Biases are not penalized. The
        penalty is divided by the number of samples in the batch, or by the sum
        of their weights.

    batch_size : int, 'auto' or 'full', default='auto'
        Number of samples in a mini-batch. 'auto' is ``min(200, n_samples)``.
        'full' is all samples, which are neither shuffled nor copied. Not used by
        'lbfgs', 'armijo' and 'random_search'.

    learning_rate : str or callable, default='constant'
        Learning rate schedule of the first-order solvers. As in scikit-learn,
        'adam' ignores 'invscaling' and 'adaptive', and uses `learning_rate_init`
        instead.

        - 'constant': `learning_rate_init`;
        - 'invscaling': ``learning_rate_init / (t_ + 1) ** power_t``, updated after
          each epoch, with `t_` in samples;
        - 'adaptive': divided by 5 each time training stops improving (see
          `n_iter_no_change`), until it is at most 1e-6;
        - 'plateau': multiplied by `decay_rate` each time training stops
          improving, until it is at most `learning_rate_min`;
        - 'step': multiplied by `decay_rate` every `decay_epochs` epochs;
        - 'exponential': multiplied by `decay_rate` every epoch;
        - 'cosine': half a cosine from `learning_rate_init` to
          `learning_rate_min`, over the steps of `max_iter` epochs;
        - 'one_cycle': rises from 1/25 of `learning_rate_init` to
          `learning_rate_init` over 30 % of the steps of `max_iter` epochs, and
          falls to 1/250 000 of it over the rest;
        - a function of the step (an int, from 0) that returns the rate.

        'cosine' and 'one_cycle' end at `max_iter`, where the last rate is kept.
        Set ``n_iter_no_change=np.inf`` so that training does not stop before.
        Steps and epochs are counted from the start of each `fit`, and continue
        through calls of `partial_fit`.

    learning_rate_init : float, default=0.001
        Initial learning rate (step size). Not used by 'lbfgs' and 'armijo'.
        'random_search' uses it for `weight_decay` only.

    power_t : float, default=0.5
        Exponent of 'invscaling'.

    max_iter : int, default=200
        Maximum number of epochs, or of iterations of 'lbfgs'.

    shuffle : bool, default=True
        Whether to shuffle the samples before each epoch. Not used by 'lbfgs' and
        with ``batch_size='full'``.

    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the early stopping split, the shuffling,
        dropout, augmentation and random search. Pass an int for reproducible
        results across multiple function calls.

    tol : float, default=1e-4
        Minimum improvement of the training loss, or of the validation score, in
        an epoch. For 'lbfgs', tolerance on the largest component of the gradient.

    verbose : bool or int, default=False
        Whether to print the loss after each epoch, or after each iteration of
        'lbfgs'. An integer k > 1 prints it after the first epoch and every k
        epochs, with the validation loss, or after each iteration of 'lbfgs'.

    warm_start : bool, default=False
        Whether `fit` starts from the weights of the previous call and, with early
        stopping, from its best score.

    momentum : float, default=0.9
        Momentum of 'sgd', in [0, 1].

    nesterovs_momentum : bool, default=True
        Whether the momentum of 'sgd' is Nesterov's.

    early_stopping : bool, default=False
        Whether to stop training when the score on a validation set (see
        `early_stopping_metric`) stops improving, and to keep the weights of the
        best epoch. The validation set is X_val and y_val if they are passed to
        `fit`. Otherwise it is `validation_fraction` of the samples. Not used by
        'lbfgs'.

    validation_fraction : float, default=0.1
        Fraction of the samples in the validation set, in [0, 1).

    beta_1 : float, default=0.9
        Decay of the first moment of Adam and its variants, in [0, 1).

    beta_2 : float, default=0.999
        Decay of the second moment of Adam and its variants, in [0, 1).

    epsilon : float, default=1e-8
        Added to the root of the second moment by Adam, its variants, 'rmsprop'
        and 'adagrad'.

    n_iter_no_change : int or inf, default=10
        Number of consecutive epochs without an improvement of at least `tol`,
        after which training stops, or 'adaptive' or 'plateau' lowers the learning
        rate.

    max_fun : int, default=15000
        Maximum number of evaluations of the objective by 'lbfgs'.

    l1_ratio : float, default=0.0
        Share of the L1 norm in the penalty, in [0, 1]. 0 is an L2 penalty, 1 is an
        L1 penalty, and values between are an elastic net. The L1 part sets weights
        to exactly 0.

    output_activation : str, default='auto'
        Activation of the output layer: 'identity', 'logistic' or 'sigmoid',
        'tanh', 'softplus', 'relu' or 'exp'. 'auto' is 'exp' for the loss
        'poisson', which needs a positive output, and 'identity' for the other
        losses. A 'relu' that is 0 for all samples has no gradient and does not
        train. 'softplus' is positive and avoids this.

    init : str or callable, default='auto'
        Initial weights of a layer of shape (n_in, n_out):

        - 'auto': U(-r, r) with r = sqrt(6 / (n_in + n_out)), or
          sqrt(2 / (n_in + n_out)) for logistic activations, for weights and
          biases. With the other initializations, biases are initially 0;
        - 'glorot_uniform', 'glorot_normal': variance 2 / (n_in + n_out);
        - 'he_uniform', 'he_normal': variance 2 / n_in, for 'relu' and similar;
        - 'lecun_normal': variance 1 / n_in, for 'selu';
        - 'orthogonal': orthonormal rows or columns;
        - 'normal': N(0, 0.01^2);
        - a function ``init(shape, random_state)`` that returns the weights of a
          layer.

    dropout : float or sequence of float, default=0.0
        Probability of dropping a hidden unit in a training step, in [0, 1), or
        one probability for each hidden layer. The remaining units are scaled by
        ``1 / (1 - dropout)``. Prediction uses all units.

    input_dropout : float, default=0.0
        Probability of dropping a feature in a training step, in [0, 1). Of sparse
        X, only stored entries are dropped.

    batch_norm : bool, default=False
        Whether to normalize the hidden layers before their activation. Training
        uses the (weighted) mean and variance of the batch, prediction uses their
        running averages. A batch with fewer than two samples of positive weight is
        normalized by the running averages.

    batch_norm_momentum : float, default=0.1
        Weight of each batch in the running averages, in (0, 1].

    batch_norm_epsilon : float, default=1e-5
        Constant added to the variance.

    layer_norm : bool, default=False
        Whether to normalize the hidden layers before their activation with the mean
        and variance of the units of each sample. Unlike `batch_norm`, it does not
        depend on the other samples of the batch. Only one of the two can be used.

    residual : bool, default=False
        Whether to add the input of each hidden layer after the first to its output,
        if both have the same number of units.

    n_members : int, default=1
        Number of members of an ensemble of networks, whose outputs are averaged. The
        members share their weights, but for the output layer and a factor for each
        feature. They are trained at once, with the mean of their losses. It cannot be
        combined with `batch_norm`.

    frozen_layers : sequence of int, default=()
        Indices in `coefs_` of layers that are not trained. For transfer learning,
        with `coefs_init` of `fit` or with `warm_start`.

    weight_decay : float, default=None
        Decoupled weight decay. Each step first multiplies the weights by
        ``1 - learning_rate * weight_decay``. With 'armijo' the learning rate is
        the length of its step. None is 0.01 for 'adamw' and 0 for other solvers.

    max_norm : float, default=None
        Maximum Euclidean norm of the incoming weights of a unit, enforced after
        each step.

    clip_norm : float, default=None
        Maximum Euclidean norm of the whole gradient. A longer gradient is scaled
        to this norm.

    rho : float, default=0.99
        Decay of the mean square of 'rmsprop', in [0, 1).

    momentum_decay : float, default=0.004
        Decay of the momentum's schedule in 'nadam'.

    armijo_sigma : float, default=1e-4
        Fraction of the decrease predicted by the slope that 'armijo' requires of
        a step, in (0, 1).

    armijo_factor : float, default=0.5
        Factor by which 'armijo' shortens a step, whose initial length is 1, in
        (0, 1).

    search_radius : float, default=0.1
        The noise of 'random_search' is uniform in
        ``[-search_radius, search_radius]``.

    decay_rate : float, default=None
        Factor of the schedules 'step' (None is 0.1), 'exponential' (None is 0.95)
        and 'plateau' (None is 0.2), in (0, 1].

    decay_epochs : int, default=10
        Number of epochs between two steps of the schedule 'step'.

    learning_rate_min : float, default=None
        Final learning rate of the schedule 'cosine' (None is 0), and the learning
        rate at or below which 'plateau' stops training (None is 1e-6). At most
        `learning_rate_init`.

    warmup_steps : int, default=0
        Number of steps over which the learning rate rises linearly to the rate of
        the schedule.

    min_batches : int, default=1
        Minimum number of mini-batches in an epoch. With fewer than
        ``min_batches * batch_size`` samples, the batch size is
        ``ceil(n_samples / min_batches)``. Small data sets are then trained with as
        many steps as larger ones.

    averaging : {'ema', 'swa'} or None, default=None
        Average of the weights over epochs that predictions use, instead of the weights
        of the last epoch:

        - 'ema': exponential moving average, with `averaging_decay`;
        - 'swa': mean after the fraction `averaging_start` of `max_iter`. If training
          ends earlier, there is no average.

        Validation scores are those of the average, and early stopping restores its
        best one. Running statistics of batch normalization are averaged, too. Not
        supported by 'lbfgs' and `partial_fit`.

    averaging_decay : float, default=0.9
        Decay of 'ema' in an epoch, in [0, 1).

    averaging_start : float, default=0.75
        Fraction of `max_iter` after which 'swa' begins, in [0, 1).

    early_stopping_metric : str or callable, default='score'
        What early stopping monitors on the validation set: 'score' (R^2), 'loss'
        (the mean loss, without the penalty), or a scorer. A scorer is a name from
        :func:`sklearn.metrics.get_scorer_names` or a callable
        ``scorer(estimator, X, y)``. Validation weights are passed to it as
        `sample_weight` if it accepts them.

    callbacks : callback or list of callbacks, default=None
        Objects with at least one of the methods `on_fit_begin`,
        `on_epoch_begin`, `on_epoch_end` (which ends training by returning
        True), `on_epoch_settled` and `on_fit_end`, or functions
        ``f(training)``, which are called as `on_epoch_end`; see
        :mod:`skmlp.callbacks`.

    on_interrupt : {'stop', 'raise'}, default='stop'
        What a KeyboardInterrupt (Ctrl-C) does during `fit`:

        - 'stop': training ends with a warning, and the estimator is fitted
          with the weights reached so far. A search goes on with the next fit;
        - 'raise': the interrupt is raised, and the estimator is as it was
          before the call. This also ends `GridSearchCV` or
          `cross_val_score`.

        `partial_fit` always raises it.

    augment : callable, default=None
        A function ``augment(X_batch, rng)`` that returns a batch of the same shape
        to train on, for example with noise or shifted images. `rng` is a
        :class:`numpy.random.Generator`. The targets of the rows stay the same.

    dtype : {'float32', 'float64'}, default=None
        Precision of the computation. None is float32 if X is float32, and float64
        otherwise.

    engine : {'auto', 'numpy', 'compiled'}, default='auto'
        The implementation of training and prediction:

        - 'auto': the compiled engine if it is installed and supports the
          parameters and X, otherwise NumPy;
        - 'numpy': NumPy, which supports everything;
        - 'compiled': compiled code. Its results differ from NumPy's by rounding
          errors. `fit` raises an error for what it does not support (an activation
          or a loss of your own, `augment`, sparse X). Predictions then use NumPy.

    huber_delta : float, default=1.0
        Residual beyond which the loss 'huber' grows linearly.

    quantile : float, default=0.5
        The quantile that the loss 'quantile' estimates, in (0, 1).

    target_transform : {'standardize'} or None, default=None
        With 'standardize', the network learns (y - mean) / standard deviation, for
        each output. Predictions are in the unit of y, and clipped to the range of the
        targets. Losses, `huber_delta` and `tol` do not depend on the unit then. If
        training continues with `warm_start` or `partial_fit`, the unit is that of the
        first call. The loss must be defined for all numbers, and the output activation
        be 'identity'.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_units_in, n_units_out)
        Weights of each layer.

    intercepts_ : list of ndarray of shape (n_units_out,)
        Biases of each layer.

    batch_norm_scales_, batch_norm_means_, batch_norm_variances_ : list of ndarray
        Scale, running mean and running variance of each hidden unit, with
        `batch_norm`.

    member_scales_ : list of ndarray of shape (n_members, `n_features_in_`)
        The factors of the features for each member. Defined only if `n_members` is
        greater than 1.

    layer_norm_scales_ : list of ndarray
        Scale of each hidden unit, with `layer_norm`.

    target_mean_, target_scale_ : ndarray of shape (`n_outputs_`,)
        Mean and standard deviation of the targets, with `target_transform`.

    target_low_, target_high_ : ndarray of shape (`n_outputs_`,)
        Range of the targets, with `target_transform`.

    loss_ : float
        Objective in the last epoch: the mean over its batches, each before its
        step. The squared error of several outputs is reported as their mean, as in
        scikit-learn. The loss 'poisson', a loss of your own (see its
        `mean_over_outputs`), and 'lbfgs' report the sum. The sum is what is
        minimized.

    loss_curve_ : list of float
        The loss of each epoch, over all calls since training started from new
        weights. Not for 'lbfgs'.

    history_ : dict of lists of float
        One value for each epoch since training started from new weights: 'loss'
        (as in `loss_curve_`), 'val_loss' (mean loss on the validation set, without
        the penalty) and 'val_score', both NaN without a validation set,
        'learning_rate' (of the last step of the epoch), 'grad_norm' (mean over the
        steps, before `clip_norm`; NaN for 'random_search') and 'seconds'. Not for
        'lbfgs'.

    best_loss_ : float or None
        Minimum of `loss_curve_`. None with `early_stopping`. Not for 'lbfgs'.

    validation_scores_ : list of float or None
        The monitored score after each epoch, which is the negative loss with
        ``early_stopping_metric='loss'``. None without `early_stopping`. Not for
        'lbfgs'.

    best_validation_score_ : float or None
        Maximum of `validation_scores_`. None without `early_stopping`. Not for
        'lbfgs'.

    n_iter_ : int
        Number of epochs, or iterations of 'lbfgs', in the last call.

    t_ : int
        Number of training samples seen, over all epochs since training started
        from new weights.

    n_layers_ : int
        Number of layers, including the input and the output.

    n_outputs_ : int
        Number of output units.

    out_activation_ : str
        Activation of the output layer: see `output_activation`.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`. Defined only when X has feature names
        that are all strings.

    See Also
    --------
    MLPClassifierScratch : Multilayer perceptron classifier.

    Notes
    -----
    With the same parameters, data and `random_state`, training in float64 agrees
    with scikit-learn to rounding error. The exception is 'lbfgs' with several
    outputs, where scikit-learn's loss does not match its gradient.

    References
    ----------
    D. Rumelhart, G. Hinton and R. Williams, "Learning representations by
    back-propagating errors", Nature 323, 1986.

    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep
    feedforward neural networks", AISTATS 2010.

    D. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR
    2015.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearn.model_selection import train_test_split
    >>> from skmlp import MLPRegressorScratch
    >>> X, y = make_regression(n_samples=300, n_features=5, random_state=0)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> reg = MLPRegressorScratch(solver="lbfgs", max_iter=500, random_state=0)
    >>> reg.fit(X_train, y_train).score(X_test, y_test) > 0.99
    True
    """

    loss: str | Loss = param(
        Names(partial(names_of_losses, "regression")),
        Loss,
        default="squared_error",
        kw_only=False,
    )
    hidden_layer_sizes: int | ArrayLike = param(
        *HIDDEN_LAYER_SIZES, default=(100,), kw_only=False
    )
    activation: str | Activation | Sequence = param(
        *ACTIVATION, default="relu", kw_only=False
    )
    output_activation: str = param(
        Names(OUTPUT_ACTIVATIONS.keys, "auto"), default="auto"
    )
    huber_delta: float = param(Interval(Real, 0, None, closed="neither"), default=1.0)
    quantile: float = param(Interval(Real, 0, 1, closed="neither"), default=0.5)
    target_transform: str | None = param(
        StrOptions({"standardize"}), None, default=None
    )

    _y_checks = {"y_numeric": True}

    @staticmethod
    def _check_fitted(attributes):
        check_weights(attributes)
        check_target_scale(attributes)

    @available_if(has_partial_fit)
    @_fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X, y, sample_weight=None):
        """Update the model with one epoch over X and y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample in the loss, at least 0 and not all 0. None is
            equivalent to ones.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument is not valid or training diverges. The estimator is then
            unchanged.
        """
        before = Unchanged(self)
        try:
            return self._partial_fit(X, y, sample_weight)
        except BaseException:
            self.__dict__ = before.attributes
            before.restore_others()
            raise

    def predict(self, X):
        """Predict the targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions, in float32 if the network was trained in float32, otherwise
            in float64.
        """
        output = self._output(X)
        scale = TargetScale.from_attributes(vars(self))
        if scale is not None:
            output = scale.restore(output)
        return output.ravel() if self.n_outputs_ == 1 else output

    def score(self, X, y, sample_weight=None):
        """Return the coefficient of determination R^2 of the predictions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample.

        Returns
        -------
        score : float
            As :func:`sklearn.metrics.r2_score`, but accurate also for targets whose
            squares overflow or round to 0.
        """
        return _r2(y, self.predict(X), sample_weight)

    def _check_targets(self, y, continues, incremental):
        if issparse(y):
            raise ValueError("y must be an array, got a sparse matrix.")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if y.dtype.kind not in "biuf":
            raise ValueError(f"y must be real numbers, got dtype {y.dtype}.")
        loss, _ = self._loss_and_output()
        if y.min() < loss.lower_bound:
            raise ValueError(
                f"loss={loss.name!r} needs y >= {loss.lower_bound:g}, got {y.min()}."
            )
        return y

    def _fit_targets(self, y, w, before):
        earlier = TargetScale.from_attributes(before)
        for name in TARGET_ATTRIBUTES:
            self.__dict__.pop(name, None)
        if self.target_transform is None:
            return
        loss, output = self._loss_and_output()
        if loss.lower_bound > -np.inf or output.name != "identity":
            raise ValueError(
                f"target_transform={self.target_transform!r} needs a loss for all real "
                "numbers and output_activation='identity', got "
                f"loss={self.loss!r} and output_activation={output.name!r}."
            )
        scale = TargetScale.of(y, w)
        if earlier is not None:
            scale = earlier.extend(scale)
        self.__dict__.update(scale.attributes)

    def _encode_targets(self, y, dtype):
        scale = TargetScale.from_attributes(vars(self))
        if scale is not None:
            y = scale.standardize(y)
        with np.errstate(over="ignore"):
            Y = y.reshape(len(y), -1).astype(dtype, copy=False)
        if np.isnan(Y).any():  # under assume_finite
            raise ValueError("y must be finite, got NaN.")
        if not np.isfinite(Y).all():
            raise ValueError(
                f"y is too large for {np.dtype(dtype)}, got {np.abs(y).max():g}. Pass "
                "X in float64, or scale y."
            )
        return Y

    def _encode_validation_targets(self, y, dtype):
        y = self._check_targets(y, continues=True, incremental=False)
        return y, self._encode_targets(y, dtype)

    def _loss_and_output(self):
        loss = build.make_loss(self, self.loss)
        output = build.make_output_activation(
            loss, self.output_activation, OUTPUT_ACTIVATIONS
        )
        return loss, output

    def _stratify(self, y, Y):
        return None

    def _score_output(self, decision, P, Y, sample_weight):
        """Return R^2, averaged over the outputs."""
        return _r2(Y, P, sample_weight, _r2_of_arrays)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = self.loss == "poisson"
        return tags


def _r2(y, P, sample_weight, r2=r2_score):
    """Return R^2, averaged over the outputs.

    R^2 does not depend on the unit of the targets. Where their squares, or those of the
    errors, would overflow or round to 0, the targets are divided by their largest value
    before `r2` computes the score.
    """
    Y, P = np.asarray(y), np.asarray(P)
    if Y.dtype.kind not in "biuf" or not (Y.size and np.isfinite(Y).all()):
        return r2_score(y, P, sample_weight=sample_weight)
    largest = float(np.finfo(P.dtype).max)
    high, low = math.sqrt(largest / (4 * len(P))), largest ** (-1 / 3)
    Y64 = Y.astype(np.float64)
    unit = np.abs(Y64).max(axis=0)
    unit = np.where(unit > 0, unit, 1.0)
    if (unit > low).all() and max(unit.max(), np.abs(P).max()) < high:
        return r2(y, P, sample_weight=sample_weight)
    with np.errstate(over="ignore"):  # predictions that are far off score -inf
        P64 = np.clip(P.astype(np.float64) / unit, -1e150, 1e150)
        return r2(Y64 / unit, P64, sample_weight=sample_weight)


def _r2_of_arrays(Y, P, sample_weight):
    """Return what r2_score returns, for valid arrays with one column for each output.

    The checks of r2_score take longer than an epoch of a small network. The result is
    the same to the last bit in float64.
    """
    if len(Y) < 2:
        return r2_score(Y, P)  # warns that it is not defined
    Y, P = (values.astype(np.float64, copy=False) for values in (Y, P))
    w = 1.0 if sample_weight is None else sample_weight[:, np.newaxis]
    error = np.sum(w * (Y - P) ** 2, axis=0)
    spread = np.sum(w * (Y - np.average(Y, axis=0, weights=sample_weight)) ** 2, axis=0)
    # Constant targets: 1 if they are predicted exactly, otherwise 0.
    scores = np.where(error == 0, 1.0, 0.0)
    np.divide(error, spread, out=scores, where=spread != 0)
    np.subtract(1, scores, out=scores, where=spread != 0)
    return float(np.average(scores))
