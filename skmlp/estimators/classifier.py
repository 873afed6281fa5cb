"""Multilayer perceptron classifier."""

from __future__ import annotations  # signatures show the annotations as written

from collections.abc import Sequence
from functools import partial
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix, issparse
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import (
    check_classification_targets,
    type_of_target,
    unique_labels,
)

from skmlp._sklearn import (
    Interval,
    Names,
    StrOptions,
    _check_partial_fit_first_call,
    _fit_context,
)
from skmlp.core.activations import Activation
from skmlp.core.losses import Loss, names_of_losses
from skmlp.estimators import build
from skmlp.estimators.base import BaseMLP, Unchanged, has_partial_fit
from skmlp.estimators.fitted import (
    FITTED,
    FITTED_OF_CLASSIFIER,
    check_classes,
    check_weights,
)
from skmlp.estimators.labels import (
    check_labels,
    has_many_samples_per_class,
    plain_labels,
    unique_classes,
)
from skmlp.estimators.parameters import (
    ACTIVATION,
    HIDDEN_LAYER_SIZES,
    param,
    parameters,
)
from skmlp.persistence.model import register_estimator


@register_estimator
@parameters
class MLPClassifierScratch(ClassifierMixin, BaseMLP):
    r"""Multilayer perceptron classifier.

    A feedforward neural network, trained by backpropagation to minimize the
    cross-entropy with sample weights and a penalty on the weights:

    .. math::

        E(\theta) = \frac{1}{n} \left( - \sum_i w_i \log p_{y_i}(x_i)
                    + \alpha \left( \rho \lVert W \rVert_1
                    + \frac{1 - \rho}{2} \lVert W \rVert_2^2 \right) \right),
        \qquad n = \sum_i w_i

    in each batch, with :math:`\alpha` = `alpha` and :math:`\rho` = `l1_ratio`.
    The output is a softmax over the classes. For two classes it is one logistic
    unit, and for multilabel targets one logistic unit per label.

    It has the parameters and attributes of
    :class:`sklearn.neural_network.MLPClassifier` and gives the same results.

    Parameters
    ----------
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
        `fit`. Otherwise it is `validation_fraction` of the samples, stratified by
        class. It is not stratified if the targets are multilabel, or if three or
        more classes cannot be stratified (with a warning). Not used by 'lbfgs'.

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

    output_activation : {'auto', 'softmax', 'logistic', 'sigmoid'}, default='auto'
        Activation of the output layer. 'auto' is a softmax for three or more
        classes, and logistic for two classes and for multilabel targets. With
        'logistic', each of three or more classes is learned against the rest, and
        `predict_proba` normalizes the probabilities.

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
        What early stopping monitors on the validation set: 'score' (the accuracy),
        'loss' (the mean loss, without the penalty), or a scorer. A scorer is a name
        from :func:`sklearn.metrics.get_scorer_names` or a callable
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

    loss : {'log_loss', 'squared_error'} or Loss, default='log_loss'
        The loss function: 'log_loss' is the cross-entropy, and 'squared_error' is
        half the squared error between the probabilities and 0 or 1. For an object of
        your own, see :mod:`skmlp.core.losses`.

    label_smoothing : float, default=0.0
        Fraction e of each label that is distributed over all K classes, in [0, 1).
        The targets are 1 - e + e / K and e / K, and for logistic outputs 1 - e / 2
        and e / 2.

    class_weight : dict, list of dicts, or 'balanced', default=None
        Weight of each class in the loss, multiplied with `sample_weight`.
        'balanced' is ``n_samples / (n_classes * np.bincount(y))``. For multilabel
        targets, a list of dicts, one for each label. Classes that are not in a
        dict have weight 1. Keys that are not in y are ignored, because a fold of
        cross-validation may lack a class, but at least one must be in y. The
        weights also apply to the score on the samples that early stopping sets
        aside, but not to the score on X_val, whose weights are
        `sample_weight_val`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.

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

    loss_ : float
        Objective in the last epoch: the mean over its batches, each evaluated
        before its step.

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
        Activation of the output layer: 'softmax' or 'logistic'.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`. Defined only when X has feature names
        that are all strings.

    See Also
    --------
    MLPRegressorScratch : Multilayer perceptron regressor.

    Notes
    -----
    With the same parameters, data and `random_state`, training in float64 agrees
    with scikit-learn to rounding error. The exception is the early stopping split
    of three or more classes, which is stratified here.

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
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.model_selection import train_test_split
    >>> from skmlp import MLPClassifierScratch
    >>> X, y = make_classification(n_samples=300, random_state=0)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> clf = MLPClassifierScratch(max_iter=300, random_state=0)
    >>> clf.fit(X_train, y_train).score(X_test, y_test) > 0.85
    True
    >>> clf.predict_proba(X_test[:1]).shape
    (1, 2)
    """

    hidden_layer_sizes: int | ArrayLike = param(
        *HIDDEN_LAYER_SIZES, default=(100,), kw_only=False
    )
    activation: str | Activation | Sequence = param(
        *ACTIVATION, default="relu", kw_only=False
    )
    output_activation: str = param(
        StrOptions({"auto", "logistic", "sigmoid", "softmax"}), default="auto"
    )
    loss: str | Loss = param(
        Names(partial(names_of_losses, "classification")), Loss, default="log_loss"
    )
    label_smoothing: float = param(Interval(Real, 0, 1, closed="left"), default=0.0)
    class_weight: str | dict | list | None = param(
        StrOptions({"balanced"}), dict, list, None, default=None
    )

    _fitted = FITTED | FITTED_OF_CLASSIFIER

    @staticmethod
    def _check_fitted(attributes):
        check_weights(attributes)
        check_classes(attributes)

    @available_if(has_partial_fit)
    @_fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Update the model with one epoch over X and y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples.

        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Class labels, or a label indicator matrix.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample in the loss, at least 0 and not all 0. None is
            equivalent to ones.

        classes : array-like of shape (n_classes,), default=None
            All classes across all calls to partial_fit. Required in the first call,
            and may be omitted in later calls.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument is not valid, y has a label that is not in `classes`, or
            training diverges. The estimator is then unchanged.
        """
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' is not supported for partial_fit, which sees "
                "only part of y. Compute the weights of all of it with "
                "sklearn.utils.class_weight.compute_class_weight('balanced', "
                "classes=classes, y=y) and pass them as a dict."
            )
        before = Unchanged(self)
        try:
            classes = plain_labels(classes)
            if self._is_first_call(classes):
                self.__dict__.pop("_y_type", None)  # of an earlier fit
            return self._partial_fit(X, y, sample_weight)
        except BaseException:
            self.__dict__ = before.attributes
            before.restore_others()
            raise

    def _is_first_call(self, classes):
        """Check `classes`, and return whether it is the first call of partial_fit."""
        try:
            if classes is not None and len(unique_labels(classes)) == 0:
                raise ValueError("it is empty")
            return _check_partial_fit_first_call(self, classes)
        except ValueError as error:
            if "classes" in str(error):
                raise
            raise ValueError(
                f"classes must be an array of all labels, got {classes!r}: {error}"
            ) from error

    def decision_function(self, X):
        """Compute the output before the output activation (the logits).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            One column for each class or label. For two classes, the logit of
            ``classes_[1]``.
        """
        decision = self._decision_function(X)
        return decision.ravel() if self.n_outputs_ == 1 else decision

    def predict(self, X):
        """Predict class labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Class labels, or a label indicator matrix.
        """
        decision = self._decision_function(X)
        if self._is_multiclass():
            return self.classes_[decision.argmax(axis=1)]
        # A probability of one half is a logit of zero.
        labels = (decision > 0).astype(int)
        if self._is_multilabel():
            return csr_matrix(labels) if self._sparse_y else labels
        return self.classes_[np.minimum(labels.ravel(), len(self.classes_) - 1)]

    def predict_proba(self, X):
        """Predict class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Probability of each class, in the order of `classes_`. For multilabel
            targets, the probability of each label.
        """
        P = self._output(X)
        if self._is_multiclass() and self.out_activation_ == "logistic":
            # One unit for each class against the rest. If all are 0, the classes are
            # equally likely.
            total = P.sum(axis=1, keepdims=True)
            P = np.where(total > 0, P / np.where(total > 0, total, 1), 1 / P.shape[1])
        if self.n_outputs_ == 1:
            positive, P = P[:, 0], np.empty((len(P), 2), P.dtype)
            P[:, 1] = positive
            np.subtract(1, positive, out=P[:, 0])
        # A single class has the probability 1.
        return P if len(self.classes_) > 1 else np.ones_like(P[:, :1])

    def predict_log_proba(self, X):
        """Predict the logarithm of the class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Logarithm of `predict_proba`, which is -inf where that rounds to 0.
        """
        P = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return np.log(P, out=P)

    def _read_targets(self, y):
        return check_labels(y)

    def _check_targets(self, y, continues, incremental):
        is_sparse = issparse(y)
        y, multilabel = self._check_kind(y)
        if not (incremental or continues) or not hasattr(self, "classes_"):
            self.classes_ = unique_classes(y)
            self._set_kind(multilabel, is_sparse)
        else:
            if not hasattr(self, "_y_type"):  # in the first partial_fit
                self._set_kind(multilabel, is_sparse)
            self._check_classes(y, multilabel, incremental)
        return y

    def _check_kind(self, y):
        """Return y as classes, and whether it is a label indicator matrix."""
        if has_many_samples_per_class(y):
            return y, False
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        try:
            check_classification_targets(y)
        except TypeError as error:  # they cannot be sorted, or are bytes
            raise ValueError(
                f"y must have labels of one type, numbers or strings: {error}"
            ) from error
        if y.ndim == 1:
            return y, False
        y_type = type_of_target(y)
        if "multioutput" in y_type:
            raise ValueError(
                f"y has {y.shape[1]} columns of classes ({y_type}), which is not "
                "supported. Fit a classifier for each, as MultiOutputClassifier does."
            )
        return y.toarray() if issparse(y) else y, True

    def _set_kind(self, multilabel, is_sparse):
        """Set the type of targets, by the name of scikit-learn's `type_of_target`."""
        self._sparse_y = is_sparse
        if multilabel:
            self._y_type = "multilabel-indicator"
        else:
            self._y_type = "multiclass" if len(self.classes_) > 2 else "binary"

    def _encode_targets(self, y, dtype):
        if self._is_multilabel():
            Y = y != 0
        elif self._is_multiclass():
            Y = np.searchsorted(self.classes_, y)[:, np.newaxis] == np.arange(
                len(self.classes_)
            )
        else:  # 1 for the second of two classes, 0 for a single class
            Y = (y != self.classes_[0])[:, np.newaxis]
        if self.label_smoothing:
            # Over the classes, or over 0 and 1 for each label.
            K = Y.shape[1] if self._has_softmax() else 2
            epsilon = self.label_smoothing
            Y = (Y * (1 - epsilon) + epsilon / K).astype(dtype)
        return Y

    def _encode_validation_targets(self, y, dtype):
        y, multilabel = self._check_kind(y)
        self._check_multilabel(multilabel, "y_val")
        unseen = np.setdiff1d(unique_classes(y), self.classes_)
        if unseen.size:
            raise ValueError(
                f"y_val has classes that y does not have: {unseen}. y has "
                f"{self.classes_}."
            )
        return y, self._encode_targets(y, dtype)

    def _class_weights(self, y):
        class_weight = self.class_weight
        if class_weight is None:
            return None
        if self._is_multilabel() and _is_list_of_dicts(class_weight, y.shape[1]):
            weights = np.ones(len(y))
            for k, of_label in enumerate(class_weight):
                weights *= _weights_by_class(of_label, np.array([0, 1]))[y[:, k]]
        elif self._is_multilabel():
            try:
                weights = compute_sample_weight(class_weight, y)
            except (TypeError, ValueError) as error:
                raise ValueError(f"class_weight={class_weight!r}: {error}") from error
        elif isinstance(class_weight, list):
            raise ValueError(
                "class_weight as a list is for multilabel targets, one dict for each "
                f"label; got {class_weight!r}."
            )
        elif isinstance(class_weight, dict):
            weights = _weights_by_class(class_weight, self.classes_)
            weights = weights[np.searchsorted(self.classes_, y)]
        else:
            weights = compute_sample_weight(class_weight, y)
        if not (np.isfinite(weights).all() and weights.min() >= 0):
            raise ValueError(
                "class_weight must have finite weights that are at least 0, got "
                f"{class_weight!r}."
            )
        if not weights.any():
            raise ValueError(
                f"class_weight={class_weight!r} is zero for all classes of y."
            )
        return weights

    def _check_classes(self, y, multilabel, incremental):
        """Raise if y does not have the classes of the network."""
        self._check_multilabel(multilabel, "y")
        classes = unique_classes(y)
        if np.array_equal(classes, self.classes_):
            return
        if multilabel and set(classes) != set(self.classes_):
            raise ValueError(
                "The classes of multilabel targets are the columns of y: expected "
                f"classes {classes}, got {self.classes_}."
            )
        unseen = np.setdiff1d(classes, self.classes_)
        if incremental and unseen.size:
            raise ValueError(
                f"`y` has classes not in `self.classes_`: {unseen}. The first call to "
                f"fit or partial_fit had {self.classes_}."
            )
        if not incremental and set(classes) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the "
                f"previous call to fit. Previously got {self.classes_}, `y` has "
                f"{classes}"
            )

    def _check_multilabel(self, multilabel, name):
        if multilabel != self._is_multilabel():
            before, now = ("not ", "") if multilabel else ("", "not ")
            raise ValueError(
                "warm_start, partial_fit and validation need targets of the same type "
                f"as before, which was {before}multilabel; {name} is {now}multilabel."
            )

    def _is_multilabel(self):
        return self._y_type == "multilabel-indicator"

    def _is_multiclass(self):
        return self._y_type == "multiclass"

    def _has_softmax(self):
        return self._is_multiclass() and self.output_activation in ("auto", "softmax")

    def _loss_and_output(self):
        softmax = self._has_softmax()
        if self.output_activation == "softmax" and not softmax:
            raise ValueError(
                "output_activation='softmax' needs three or more classes, got "
                f"{self._y_type} targets. Set output_activation='auto' or 'logistic'."
            )
        loss = self.loss
        if loss == "log_loss" and not softmax:
            loss = "binary_log_loss"
        output = "softmax" if softmax else "logistic"
        loss = build.make_loss(self, loss)
        return loss, build.make_output_activation(loss, output, ["logistic", "softmax"])

    def _stratify(self, y, Y):
        if self._is_multiclass():
            return y
        # By class: smoothed labels are not 0 or 1.
        return Y > 0.5 if Y.shape[1] == 1 else None

    def _score_output(self, decision, P, Y, sample_weight):
        """Return the accuracy, for multilabel targets the subset accuracy."""
        if self._is_multiclass():
            correct = decision.argmax(axis=1) == Y.argmax(axis=1)
        elif len(self.classes_) == 1:  # which `predict` always returns
            return 1.0
        else:
            correct = ((decision > 0) == (Y > 0.5)).all(axis=1)
        return float(np.average(correct, weights=sample_weight))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _is_list_of_dicts(class_weight, n_labels):
    return (
        isinstance(class_weight, list)
        and len(class_weight) == n_labels
        and all(isinstance(of_label, dict) for of_label in class_weight)
    )


def _weights_by_class(class_weight, classes):
    """Return the weight of each class, which is 1 for a class that is not in the dict.

    Keys of the dict that are not classes are ignored, because a fold of
    cross-validation may lack a class.
    """
    labels = classes.tolist()
    if class_weight and not any(label in class_weight for label in labels):
        raise ValueError(
            "class_weight must have at least one of the classes as a key, got "
            f"{list(class_weight)}. The classes are {classes}."
        )
    weights = [class_weight.get(label, 1.0) for label in labels]
    if not all(isinstance(weight, Real) for weight in weights):
        raise ValueError(
            f"class_weight must have numbers as weights, got {class_weight!r}."
        )
    return np.array(weights, dtype=np.float64)
