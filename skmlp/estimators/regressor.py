"""Multilayer perceptron regressor."""

from __future__ import annotations  # signatures show the annotations as written

import math
from collections.abc import Sequence
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from skmlp._sklearn import Interval, StrOptions, _fit_context
from skmlp.core.activations import Activation
from skmlp.core.losses import Loss
from skmlp.estimators import build
from skmlp.estimators.base import BaseMLP, Unchanged, has_partial_fit
from skmlp.estimators.parameters import (
    ACTIVATION,
    HIDDEN_LAYER_SIZES,
    param,
    parameters,
)
from skmlp.persistence.model import register_estimator

_LOSSES = ("squared_error", "poisson", "absolute_error", "huber", "quantile")
_OUTPUT_ACTIVATIONS = (
    "identity",
    "logistic",
    "sigmoid",
    "tanh",
    "softplus",
    "relu",
    "exp",
)


@register_estimator
@parameters
class MLPRegressorScratch(RegressorMixin, BaseMLP):
    r"""Multilayer perceptron regressor.

    A feedforward network that is trained by backpropagation to minimize a
    loss, weighted by sample and penalized on its weights:

    .. math::

        E(\theta) = \frac{1}{n} \left( \sum_i w_i \, \ell(y_i, f_\theta(x_i))
                    + \alpha \left( \rho \lVert W \rVert_1
                    + \frac{1 - \rho}{2} \lVert W \rVert_2^2 \right) \right),
        \qquad n = \sum_i w_i

    over each batch, with :math:`\alpha` = `alpha` and :math:`\rho` =
    `l1_ratio`.

    It takes the parameters of :class:`sklearn.neural_network.MLPRegressor`,
    has its attributes, and gives its numbers.

    Parameters
    ----------
    loss : str or Loss, default='squared_error'
        Loss of a prediction p for a target y, summed over the outputs, with the
        residual r = y - p:

        - 'squared_error': half the squared error, r^2 / 2;
        - 'poisson': half the Poisson deviance, y log(y / p) - y + p, where p is
          the exponential of the network's output and y must be at least 0;
        - 'absolute_error': abs(r), for the median;
        - 'huber': r^2 / 2 for abs(r) up to `huber_delta` (d), else
          d (abs(r) - d / 2), which outliers pull less;
        - 'quantile': q r for r > 0 and (q - 1) r else, for the `quantile` q;
        - an object of your own: :mod:`skmlp.core.losses` says what it needs, and
          shows one.

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
        - an object of your own: :mod:`skmlp.core.activations` says what it
          needs, and shows one.

    solver : str, default='adam'
        How to minimize the objective. On mini-batches:

        - 'sgd': stochastic gradient descent with momentum;
        - 'adam': Adam;
        - 'adamw': Adam with decoupled `weight_decay`;
        - 'nadam': Adam with Nesterov momentum;
        - 'amsgrad': Adam with a second moment that never falls;
        - 'rmsprop': RMSProp;
        - 'adagrad': AdaGrad.

        On all samples at once, one step an epoch:

        - 'armijo': steepest descent with Armijo backtracking. It stops where
          the gradient is zero;
        - 'random_search': adds noise to every parameter, and keeps it if the
          objective is no worse.

        All these are first-order solvers for the purposes of this page. Or:

        - 'lbfgs': L-BFGS-B on all samples at once. Good on small data. What it
          has no place for (`dropout`, `input_dropout`, `batch_norm`,
          `weight_decay`, `max_norm`, `clip_norm`, `augment`, `callbacks`) is
          refused.

    alpha : float, default=0.0001
        Strength of the penalty on the weights; biases are not penalized. The
        penalty is divided by the number of samples in the batch (or by the sum
        of their weights).

    batch_size : int, 'auto' or 'full', default='auto'
        Number of samples in a mini-batch: 'auto' is ``min(200, n_samples)``,
        'full' is all samples, which are then neither shuffled nor copied.
        Unused by 'lbfgs', 'armijo' and 'random_search'.

    learning_rate : str or callable, default='constant'
        Learning rate over time, for every first-order solver that has one. As in
        scikit-learn, 'adam' ignores 'invscaling' and 'adaptive', and keeps
        `learning_rate_init`; 'plateau' works with every solver.

        - 'constant': `learning_rate_init` throughout;
        - 'invscaling': ``learning_rate_init / (t_ + 1) ** power_t`` from the
          end of each epoch, with `t_` in samples;
        - 'adaptive': divided by 5 each time that training stops improving (see
          `n_iter_no_change`), until it is 1e-6 or less;
        - 'plateau': multiplied by `decay_rate` each time that training stops
          improving, until it is `learning_rate_min` or less;
        - 'step': multiplied by `decay_rate` every `decay_epochs` epochs;
        - 'exponential': multiplied by `decay_rate` every epoch;
        - 'cosine': half a cosine from `learning_rate_init` to
          `learning_rate_min`, over the steps of `max_iter` epochs;
        - 'one_cycle': up from 1/25 of `learning_rate_init` to it, over 30 % of
          the steps of `max_iter` epochs, and down to 1/250 000 of it;
        - a function of the step (an int, from 0) that returns the rate.

        The last two end at `max_iter`: ``n_iter_no_change=np.inf`` lets nothing
        stop training before, and after it the last rate stays. Steps and epochs
        are counted from the beginning of each `fit`, and on through calls of
        `partial_fit`.

    learning_rate_init : float, default=0.001
        Learning rate (step size), or the first one. Unused by 'lbfgs'; 'armijo'
        finds its own, and 'random_search' uses it for `weight_decay` alone.

    power_t : float, default=0.5
        Exponent of 'invscaling'.

    max_iter : int, default=200
        Largest number of epochs; of iterations for 'lbfgs'.

    shuffle : bool, default=True
        Whether to shuffle the samples before each epoch. Unused by 'lbfgs' and
        by ``batch_size='full'``.

    random_state : int, RandomState instance or None, default=None
        Source of the initial weights, the early stopping split, the shuffling,
        dropout, augmentation and random search. Pass an int for the same result
        at each call.

    tol : float, default=1e-4
        Least improvement of the training loss in an epoch, or of the validation
        score, that counts. For 'lbfgs', bound on the largest component of the
        gradient.

    verbose : bool or int, default=False
        Whether to print the loss after each epoch (iteration of 'lbfgs'). An
        integer k > 1 prints it after the first epoch and every k epochs, with
        the validation loss (after each iteration of 'lbfgs').

    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the previous call, and with
        early stopping from its best score.

    momentum : float, default=0.9
        Momentum of 'sgd', in [0, 1].

    nesterovs_momentum : bool, default=True
        Whether the momentum of 'sgd' is Nesterov's.

    early_stopping : bool, default=False
        Whether to stop when the score on a validation set (see
        `early_stopping_metric`) improves no more, and to keep the weights of the
        best epoch. The set is X_val and y_val if `fit` is given them, else
        `validation_fraction` of the samples. Unused by 'lbfgs'.

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
        Number of consecutive epochs without improvement by `tol` after which
        training stops, or the learning rate of 'adaptive' or 'plateau' falls.

    max_fun : int, default=15000
        Largest number of evaluations of the objective by 'lbfgs'.

    l1_ratio : float, default=0.0
        Share of the L1 norm in the penalty, in [0, 1]: 0 is L2, 1 is L1,
        between them is elastic net. The L1 part makes weights exactly 0.

    output_activation : str, default='auto'
        Activation of the output layer: 'identity', 'logistic' or 'sigmoid',
        'tanh', 'softplus', 'relu' or 'exp'. 'auto' is 'exp' for the loss
        'poisson', which needs one that is positive, and else 'identity'. A
        'relu' may begin at 0 for all samples, and then never learns; 'softplus'
        is positive, too, and does not.

    init : str or callable, default='auto'
        Initial weights, of n_in x n_out:

        - 'auto': U(-r, r) with r = sqrt(6 / (n_in + n_out)), where the
          activation is logistic sqrt(2 / (n_in + n_out)), for weights and
          biases; with the others, biases begin at 0;
        - 'glorot_uniform', 'glorot_normal': variance 2 / (n_in + n_out);
        - 'he_uniform', 'he_normal': variance 2 / n_in, for 'relu' and its like;
        - 'lecun_normal': variance 1 / n_in, for 'selu';
        - 'orthogonal': orthonormal rows or columns;
        - 'normal': N(0, 0.01^2);
        - a function ``init(shape, random_state)`` that returns the weights of a
          layer.

    dropout : float or sequence of float, default=0.0
        Probability of leaving a hidden unit out of a training step, in [0, 1),
        or one for each hidden layer. What is left is scaled up, and prediction
        uses all units.

    input_dropout : float, default=0.0
        The same for the features. Of sparse X, only stored entries are left out.

    batch_norm : bool, default=False
        Whether to normalize the hidden layers before their activation, with the
        (weighted) mean and variance of the batch in training, and running
        averages of them in prediction. A batch with fewer than two samples of
        positive weight is normalized by the running averages.

    batch_norm_momentum : float, default=0.1
        Share of each batch in the running averages, in (0, 1].

    batch_norm_epsilon : float, default=1e-5
        Added to the variance.

    frozen_layers : sequence of int, default=()
        Layers that keep their weights, as indices of `coefs_`: for transfer
        learning, with `coefs_init` of `fit`, or with `warm_start`.

    weight_decay : float, default=None
        Decoupled weight decay: each step begins by multiplying the weights by
        ``1 - learning_rate * weight_decay``, with 'armijo' by the length of its
        step. None is 0.01 for 'adamw' and 0 for the rest.

    max_norm : float, default=None
        Bound on the Euclidean norm of the weights that come into a unit, kept
        after each step.

    clip_norm : float, default=None
        Bound on the Euclidean norm of the whole gradient; a longer one is
        shortened.

    rho : float, default=0.99
        Decay of the mean square of 'rmsprop', in [0, 1).

    momentum_decay : float, default=0.004
        Decay of the momentum's schedule in 'nadam'.

    armijo_sigma : float, default=1e-4
        Share of the decrease that the slope promises which 'armijo' asks of a
        step, in (0, 1).

    armijo_factor : float, default=0.5
        Factor by which 'armijo' shortens a step, beginning from 1, in (0, 1).

    search_radius : float, default=0.1
        The noise of 'random_search' is uniform between minus this and this.

    decay_rate : float, default=None
        Factor of the schedules 'step' (None is 0.1), 'exponential' (None is 0.95)
        and 'plateau' (None is 0.2), in (0, 1].

    decay_epochs : int, default=10
        Number of epochs between two steps of the schedule 'step'.

    learning_rate_min : float, default=None
        Last learning rate of the schedule 'cosine' (None is 0), and the learning
        rate at or below which 'plateau' stops training (None is 1e-6). At most
        `learning_rate_init`.

    warmup_steps : int, default=0
        Number of steps over which the learning rate rises linearly to that of
        the schedule.

    early_stopping_metric : str or callable, default='score'
        What early stopping watches on the validation set: 'score' (R^2),
        'loss' (the mean loss, without the penalty), or a scorer, as a name from
        :func:`sklearn.metrics.get_scorer_names` or a callable
        ``scorer(estimator, X, y)``, which is given `sample_weight` if it takes
        it and there are weights.

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
        A function ``augment(X_batch, rng)`` that returns the batch to train on,
        of the same shape: noise, shifts of images, ... `rng` is a
        :class:`numpy.random.Generator`. It must leave each row its target.

    dtype : {'float32', 'float64'}, default=None
        Type to compute in. None is float32 for X in float32, else float64.

    engine : {'auto', 'numpy', 'compiled'}, default='auto'
        What trains the network, and predicts:

        - 'auto': the compiled engine where it is installed and covers the
          parameters and X, else NumPy;
        - 'numpy': NumPy, which covers everything;
        - 'compiled': C, whose numbers differ from NumPy's by rounding. `fit`
          refuses what it does not cover (an activation or a loss of your own,
          `augment`, sparse X); predictions are then NumPy's.

    huber_delta : float, default=1.0
        Residual beyond which the loss 'huber' grows linearly.

    quantile : float, default=0.5
        The quantile that the loss 'quantile' estimates, in (0, 1).

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_units_in, n_units_out)
        Weights of each layer.

    intercepts_ : list of ndarray of shape (n_units_out,)
        Biases of each layer.

    batch_norm_scales_, batch_norm_means_, batch_norm_variances_ : list of ndarray
        Scale, running mean and running variance of each hidden unit, with
        `batch_norm`.

    loss_ : float
        Objective in the last epoch: the mean over its batches, each before its
        step. The loss of several outputs is reported as their mean, as
        scikit-learn does it with the squared error, but as their sum for
        'poisson', for a loss of your own (see its `mean_over_outputs`), and by
        'lbfgs'. What is minimized is always the sum.

    loss_curve_ : list of float
        The loss of each epoch, over all calls since training began afresh. Not
        for 'lbfgs'.

    history_ : dict of lists of float
        One value for each epoch since training began afresh: 'loss' (as
        `loss_curve_`), 'val_loss' (mean loss on the validation set, without the
        penalty) and 'val_score', both NaN without such a set, 'learning_rate'
        (of the epoch's last step), 'grad_norm' (mean over the steps, before
        `clip_norm`; NaN for 'random_search') and 'seconds'. Not for 'lbfgs'.

    best_loss_ : float or None
        Least of them; None with `early_stopping`. Not for 'lbfgs'.

    validation_scores_ : list of float or None
        What early stopping watched, after each epoch (the negative loss for
        ``early_stopping_metric='loss'``); None without `early_stopping`. Not for
        'lbfgs'.

    best_validation_score_ : float or None
        Greatest of them; None without `early_stopping`. Not for 'lbfgs'.

    n_iter_ : int
        Number of epochs (iterations of 'lbfgs') in the last call.

    t_ : int
        Number of samples seen since training began afresh, over all epochs.

    n_layers_ : int
        Number of layers, input and output included.

    n_outputs_ : int
        Number of output units.

    out_activation_ : str
        Activation of the output layer: see `output_activation`.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names that are all strings.

    See Also
    --------
    MLPClassifierScratch : The same for class labels.

    Notes
    -----
    With the same parameters, data and `random_state`, training in float64
    follows scikit-learn's to rounding error, save for 'lbfgs' on
    several outputs, where scikit-learn's loss does not match its gradient.

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
        StrOptions(set(_LOSSES)), Loss, default="squared_error", kw_only=False
    )
    hidden_layer_sizes: int | ArrayLike = param(
        *HIDDEN_LAYER_SIZES, default=(100,), kw_only=False
    )
    activation: str | Activation | Sequence = param(
        *ACTIVATION, default="relu", kw_only=False
    )
    output_activation: str = param(
        StrOptions({"auto", *_OUTPUT_ACTIVATIONS}), default="auto"
    )
    huber_delta: float = param(Interval(Real, 0, None, closed="neither"), default=1.0)
    quantile: float = param(Interval(Real, 0, 1, closed="neither"), default=0.5)

    _y_checks = {"y_numeric": True}

    @available_if(has_partial_fit)
    @_fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch over X and y, going on from the last call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample in the loss, at least 0 and not all 0. None
            stands for ones.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument is not valid or training diverges. The estimator is
            then as it was before the call.
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
            In float32 if the network was trained in it, else in float64.
        """
        output = self._output(X)
        return output.ravel() if self.n_outputs_ == 1 else output

    def score(self, X, y, sample_weight=None):
        """Coefficient of determination R^2 of the predictions.

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
            As :func:`sklearn.metrics.r2_score`, but right also for targets whose
            squares overflow, or round to 0.
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

    def _encode_targets(self, y, dtype):
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
            loss, self.output_activation, _OUTPUT_ACTIVATIONS
        )
        return loss, output

    def _stratify(self, y, Y):
        return None

    def _score_output(self, decision, P, Y, sample_weight):
        """R^2, averaged over the outputs."""
        return _r2(Y, P, sample_weight, _r2_of_arrays)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = self.loss == "poisson"
        return tags


def _r2(y, P, sample_weight, r2=r2_score):
    """R^2, averaged over the outputs.

    It does not depend on the unit of the targets. So they are measured in another one
    where their squares, or those of the errors, would overflow or round to 0.
    `r2` computes it then.
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
    """As r2_score, to the last bit in float64, of arrays with a column per output.

    Its checks of what it is given take longer than an epoch of a small network.
    """
    if len(Y) < 2:
        return r2_score(Y, P)  # warns that it is not defined
    Y, P = (values.astype(np.float64, copy=False) for values in (Y, P))
    w = 1.0 if sample_weight is None else sample_weight[:, np.newaxis]
    error = np.sum(w * (Y - P) ** 2, axis=0)
    spread = np.sum(w * (Y - np.average(Y, axis=0, weights=sample_weight)) ** 2, axis=0)
    # Constant targets: 1 if they are met, and 0 if not.
    scores = np.where(error == 0, 1.0, 0.0)
    np.divide(error, spread, out=scores, where=spread != 0)
    np.subtract(1, scores, out=scores, where=spread != 0)
    return float(np.average(scores))
