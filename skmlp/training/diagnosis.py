"""Explanations for a training that did not converge.

The functions examine a sample of the training data, the losses of the epochs and the
parameters. They change nothing and draw no random numbers. The estimators pass a
`Diagnosis` to the training loop, which uses it only for warnings and errors.

The thresholds are orders of magnitude. The default initial weights, learning rates and
`tol` are suitable for features and targets of order 1.
"""

import math
import warnings
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse

from skmlp.core.inference import activations, ignore_floating_point_errors
from skmlp.core.network import Network
from skmlp.core.parameters import Parameters

MAX_ROWS = 500
"""Maximum number of rows of X that are examined."""

MAX_ELEMENTS = 2**16
"""Maximum size of an array that is computed from these rows."""

_MIN_ROWS = 32  # minimum number of rows that are examined

# Standard deviations and means that are far from order 1.
_LARGE_FEATURE, _SMALL_FEATURE = 1e2, 1e-2
_LARGE_TARGET, _SMALL_TARGET = 1e3, 1e-3
_FEATURE_RATIO = 1e4  # of the largest to the smallest standard deviation
_ROUNDING = 1e-9  # a standard deviation is zero up to rounding, relative to the mean

# Thresholds for a network that is not better than a constant.
_LARGE_TARGET_IF_HOPELESS, _SMALL_TARGET_IF_HOPELESS = 10.0, 0.1
_IMPROVEMENT = 1e-3  # minimum improvement, relative to the loss of a constant
_MUCH_WORSE = 2.0  # the loss relative to that of a constant: R^2 is at most -1
_CERTAIN = 0.99  # accuracy of a constant above which no network is hopeless
_CORRELATION = 5.0  # times 1 / sqrt(n_rows), its standard deviation if independent
_EXPLODED = 1e6  # the loss relative to that of a constant

_WINDOW = 20  # epochs at the end of training whose losses are compared
_OSCILLATION = 10  # minimum number of epochs for an oscillation
_FALL = 0.01  # from the first half of the window to the second, relative
_SWING = 0.05  # mean increase per epoch, relative to the mean and to a constant
_RISE = 0.5  # last loss minus smallest loss, relative to that and to a constant

_FLAT = 1e-3  # a smaller derivative is regarded as zero
_FLAT_SHARE = 0.75  # of the units of a layer; one half can occur by chance


class Sample(NamedTuple):
    """Rows of the training data that have a positive weight.

    Attributes
    ----------
    X : {ndarray, CSR matrix} of shape (n_rows, n_features)
    Y : ndarray of shape (n_rows, n_outputs)
    w : ndarray of shape (n_rows,)
    """

    X: Any
    Y: np.ndarray
    w: np.ndarray


class Diagnosis(NamedTuple):
    """Explains why a training did not converge.

    The methods do not raise exceptions, because a diagnosis that fails must not end a
    training.

    Attributes
    ----------
    network : Network
        The network.

    theta : Parameters
        The parameters, which training changes.

    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
        Training samples.

    Y : ndarray of shape (n_samples, n_outputs)
        Targets in the form that the loss requires.

    w : ndarray of shape (n_samples, 1) or None
        Sample weights.

    rows : ndarray of int or None
        Row numbers of the training samples. None for all samples.

    is_regression : bool
        Whether the targets are numbers, and not classes.

    has_rate : bool
        Whether the solver uses a learning rate.
    """

    network: Network
    theta: Parameters
    X: Any
    Y: np.ndarray
    w: np.ndarray | None
    rows: np.ndarray | None
    is_regression: bool
    has_rate: bool

    def causes(self, losses=()):
        """Return sentences that explain why training did not converge.

        Parameters
        ----------
        losses : list of float, default=()
            The training loss of each epoch.

        Returns
        -------
        sentences : list of str
            A sentence for each cause that was found. It ends with the remedy.
        """
        return _guarded(lambda: find_causes(self, losses), [])

    def complaint(self, loss=math.inf, losses=()):
        """Return a message for a training that ended without having learned anything.

        Parameters
        ----------
        loss : float, default=inf
            The final training loss. If it is less than the loss of the best constant
            prediction, the result is empty, and nothing else is computed.

        losses : list of float, default=()
            The training loss of each epoch.

        Returns
        -------
        text : str
            The message. It is empty unless the network is not better than a constant
            prediction and a cause was found.
        """
        return _guarded(lambda: find_complaint(self, loss, losses), "")


def is_ignored(category):
    """Return whether warnings of a category are ignored, whatever their text.

    The diagnosis is then not computed, to save time.
    """
    for action, message, filtered, module, line in warnings.filters:
        if not issubclass(category, filtered):
            continue
        if action != "ignore":
            return False
        if message is None and module is None and line == 0:
            return True
    return False


def _guarded(call, default):
    try:
        with ignore_floating_point_errors():
            return call()
    except Exception:  # of a custom loss or activation, or a MemoryError
        return default


def find_causes(diagnosis, losses):
    """Return the sentences of `Diagnosis.causes`."""
    targets = draw_targets(diagnosis.Y, diagnosis.w, diagnosis.rows)
    sample = _sample_of(diagnosis)
    reached = _reach(diagnosis, sample, targets)
    causes = _find_causes(diagnosis, sample, reached, losses)
    if "rate" not in causes:
        causes["fall"] = describe_fall(losses, bool(causes), diagnosis.has_rate)
    return [sentence for sentence in causes.values() if sentence]


def find_complaint(diagnosis, loss, losses):
    """Return the text of `Diagnosis.complaint`."""
    targets = draw_targets(diagnosis.Y, diagnosis.w, diagnosis.rows)
    constant = loss_of_constant(diagnosis.network, targets, prior(*targets))
    if not loss >= constant * (1 - _IMPROVEMENT):
        return ""
    sample = _sample_of(diagnosis)
    reached = _reach(diagnosis, sample, targets)
    if not reached.is_hopeless:
        return ""
    causes = _find_causes(diagnosis, sample, reached, losses)
    if not causes:
        return ""
    much_worse = reached.loss >= _MUCH_WORSE * reached.constant
    if set(causes) == {"rate"} and not much_worse:
        return ""
    # A network can learn nothing from random targets, except their scale.
    if not (("targets" in causes and much_worse) or is_correlated(sample)):
        return ""
    best = "mean of y" if diagnosis.is_regression else "class frequencies of y"
    text = (
        "Training has ended, but the predictions of the network for "
        f"{_name(diagnosis, sample.X)} are not better than a constant, the {best}."
    )
    return " ".join([text, *causes.values()])


def _find_causes(diagnosis, sample, reached, losses):
    """Return sentences by the name of the cause, except for a falling loss."""
    network, theta = diagnosis.network, diagnosis.theta
    is_finite = theta.isfinite()
    found = {}
    if diagnosis.is_regression and network.activations[-1].name == "identity":
        has_failed = reached.is_hopeless or not is_finite
        found["targets"] = describe_targets(sample.Y, sample.w, has_failed)
    found["features"] = describe_features(sample.X, sample.w)
    is_unscaled = any(found.values())
    if is_finite:
        name = _name(diagnosis, sample.X)
        found["units"] = describe_units(theta, reached.layers, name, diagnosis.has_rate)
    if diagnosis.has_rate:
        found["rate"] = describe_rate(losses, reached.constant, is_unscaled)
    return {name: sentence for name, sentence in found.items() if sentence}


def _name(diagnosis, X):
    """Return a description of the samples that were examined."""
    n_rows, rows = X.shape[0], diagnosis.rows
    n_train = diagnosis.X.shape[0] if rows is None else len(rows)
    if n_rows == n_train:
        return f"all {n_rows} training samples"
    return f"{n_rows} training samples that were examined"


# The sample.


def draw_rows(n_samples, n_rows):
    """Return sorted row numbers, about evenly spaced.

    The distances vary in a fixed way. If the rows are periodic, each kind of row is
    then represented.
    """
    if n_rows >= n_samples:
        return np.arange(n_samples)
    i = np.arange(n_rows)
    golden = (math.sqrt(5) - 1) / 2
    return ((i + i * golden % 1) * (n_samples / n_rows)).astype(np.intp)


def choose_rows(n_samples, w, rows, n_rows):
    """Return the numbers of at most `n_rows` training rows of positive weight."""
    n = n_samples if rows is None else len(rows)
    chosen = draw_rows(n, n_rows)
    chosen = chosen if rows is None else np.sort(rows[chosen])
    if w is None:
        return chosen
    chosen = chosen[w[chosen, 0] > 0]
    if len(chosen) < min(n_rows, n) // 8:  # most weights are zero: use all rows
        if rows is None:
            positive = np.flatnonzero(w[:, 0] > 0)
        else:
            positive = np.sort(rows[w[rows, 0] > 0])
        chosen = positive[draw_rows(len(positive), n_rows)]
    return chosen


def draw_targets(Y, w, rows):
    """Return a sample of the targets and of their weights."""
    n_rows = max(MAX_ROWS, MAX_ELEMENTS // (4 * Y.shape[1]))
    chosen = choose_rows(len(Y), w, rows, n_rows)
    return Y[chosen], _weights(w, chosen)


def draw_sample(X, Y, w, rows, width=1):
    """Return a sample of bounded size.

    Parameters
    ----------
    X, Y, w, rows
        See `Diagnosis`.

    width : int, default=1
        Size of the largest layer after the input.

    Returns
    -------
    sample : Sample
    """
    n_samples, n_features = X.shape
    stored = math.ceil(X.nnz / n_samples) if issparse(X) else n_features
    n_rows = MAX_ELEMENTS // max(width, stored, Y.shape[1], 1)
    n_rows = min(MAX_ROWS, max(_MIN_ROWS, n_rows))
    chosen = choose_rows(n_samples, w, rows, n_rows)
    X = X[chosen]
    if issparse(X):
        X.sum_duplicates()  # in place, because X is a copy
    return Sample(X, Y[chosen], _weights(w, chosen))


def _weights(w, chosen):
    if w is None:
        return np.ones(len(chosen))
    w = w[chosen, 0].astype(np.float64)
    return w / w.max()


def _sample_of(diagnosis):
    network, _, X, Y, w, rows, *_ = diagnosis
    return draw_sample(X, Y, w, rows, max(network.layer_sizes[1:]))


# Whether anything was learned.


def prior(Y, w):
    """Return the weighted mean of the targets, as a row."""
    return np.average(Y.astype(np.float64), axis=0, weights=w)[np.newaxis]


def loss_of_constant(network, targets, constant):
    """Return the mean loss of a constant prediction.

    It is NaN if Y is constant, because no prediction is then better than a constant.
    """
    Y, w = targets
    if (Y == Y[:1]).all():
        return math.nan
    dtype = Y.dtype if Y.dtype.kind == "f" else np.float64
    P = np.repeat(constant.astype(dtype), len(Y), axis=0)
    return network.mean_loss(Y, P, w)


class Reached(NamedTuple):
    """Comparison of the network with a constant prediction.

    Attributes
    ----------
    loss, constant : float
        The mean losses on the sample.

    is_hopeless : bool
        Whether the network is not better. This depends on its loss and, for classes,
        also on its accuracy, because the loss can be large due to a few confident
        errors. If nearly all samples are of one class, it is false.

    layers : list
        The results of `activations` for the sample.
    """

    loss: float
    constant: float
    is_hopeless: bool
    layers: list


def _reach(diagnosis, sample, targets):
    network, Y, w = diagnosis.network, sample.Y, sample.w
    always = prior(*targets)
    constant = loss_of_constant(network, (Y, w), always)
    arrays = network.arrange(diagnosis.theta)
    outputs = list(activations(network, arrays, sample.X))
    P = outputs[-1][2]
    loss = network.mean_loss(Y, P, w)
    is_hopeless = loss >= constant * (1 - _IMPROVEMENT)
    if is_hopeless and not diagnosis.is_regression:
        of_constant = accuracy(Y, np.repeat(always, len(Y), axis=0), w)
        is_hopeless = bool(accuracy(Y, P, w) <= of_constant < _CERTAIN)
    return Reached(loss, constant, is_hopeless, outputs)


def is_correlated(sample):
    """Return whether a feature has a significant correlation with a target."""
    w = sample.w / sample.w.sum()
    _, x_deviation = moments(sample.X, w)
    y_mean, y_deviation = moments(sample.Y, w)
    residual = (sample.Y - y_mean) * w[:, np.newaxis]  # of mean 0 in each column
    covariance = np.abs(np.asarray(sample.X.T @ residual))
    scale = np.outer(x_deviation, y_deviation)
    limit = _CORRELATION * math.sqrt(np.square(w).sum()) * scale
    return bool((covariance[scale > 0] > limit[scale > 0]).any())


def accuracy(Y, P, w):
    """Return the weighted accuracy of outputs, over all labels if Y is multilabel."""
    if Y.shape[1] > 1 and np.allclose(Y.sum(axis=1), 1):
        right = Y.argmax(axis=1) == P.argmax(axis=1)
    else:
        right = ((Y > 0.5) == (P > 0.5)).mean(axis=1)
    return np.average(right, weights=w)


# Targets and features.


def moments(A, w):
    """Return the weighted mean and standard deviation of each column, in float64.

    The standard deviation of a column that is constant up to rounding errors is 0.
    """
    n_columns = A.shape[1]
    rounding = _ROUNDING
    if A.dtype.kind == "f":
        rounding = max(rounding, 100 * float(np.finfo(A.dtype).eps))
    w = w / w.sum()
    if issparse(A):
        columns, values = A.indices, A.data.astype(np.float64)
        weights = np.repeat(w, np.diff(A.indptr))
        largest = np.zeros(n_columns)
        np.maximum.at(largest, columns, np.abs(values))
    else:
        A = A.astype(np.float64)
        largest = np.abs(A).max(axis=0)
    unit = np.where(largest > 0, largest, 1.0)  # squares must not overflow
    if issparse(A):
        values /= unit[columns]
        mean = np.bincount(columns, weights * values, n_columns)
        squares = np.square(values - mean[columns])
        variance = np.bincount(columns, weights * squares, n_columns)
        stored = np.bincount(columns, weights, n_columns)
        variance += np.maximum(1 - stored, 0) * np.square(mean)
    else:
        A /= unit
        mean = w @ A
        A -= mean
        variance = w @ np.square(A)
    deviation = np.sqrt(variance)
    deviation[deviation <= rounding * np.abs(mean)] = 0
    return mean * unit, deviation * unit


def describe_targets(Y, w, hopeless=False):
    """Return a sentence if the scale or the offset of the targets is a problem.

    Parameters
    ----------
    Y : ndarray of shape (n_rows, n_outputs)
        Targets.

    w : ndarray of shape (n_rows,)
        Positive sample weights.

    hopeless : bool, default=False
        Whether nothing was learned. The thresholds are then closer to order 1.

    Returns
    -------
    sentence : str
        The sentence, or an empty string.
    """
    large = _LARGE_TARGET_IF_HOPELESS if hopeless else _LARGE_TARGET
    small = _SMALL_TARGET_IF_HOPELESS if hopeless else _SMALL_TARGET
    mean, deviation = moments(Y, w)
    size = np.maximum(np.abs(mean), deviation)
    k = int(size.argmax())
    is_large = size[k] >= large
    is_small = 0 < deviation.max() <= small
    mean[np.abs(mean) <= _ROUNDING * deviation] = 0  # up to rounding
    if not (is_large or is_small):
        return ""
    if not is_large:
        k = int(deviation.argmax())
    which = "The targets have" if len(size) == 1 else f"Output {k} of the targets has"
    return (
        f"{which} a mean of {mean[k]:.3g} and a standard deviation of "
        f"{deviation[k]:.3g}, but the initial weights and tol are suitable for targets "
        "of order 1: standardize y, for example with TransformedTargetRegressor and "
        "StandardScaler."
    )


def describe_features(X, w):
    """Return a sentence if the scales or the offsets of the features are a problem.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_rows, n_features)
        Samples.

    w : ndarray of shape (n_rows,)
        Positive sample weights.

    Returns
    -------
    sentence : str
        The sentence, or an empty string.
    """
    mean, deviation = moments(X, w)
    scaler = "MaxAbsScaler" if issparse(X) else "StandardScaler"
    remedy = f"scale X, for example with {scaler}."
    varying = np.flatnonzero(deviation > 0)
    if len(varying):
        least = varying[deviation[varying].argmin()]
        most = varying[deviation[varying].argmax()]
        low, high = deviation[least], deviation[most]
        if high >= _LARGE_FEATURE or high <= _SMALL_FEATURE:
            if len(varying) == 1:
                return (
                    f"Column {most} of X has a standard deviation of {high:.3g}: "
                    + (remedy)
                )
            return _spread(low, least, high, most) + remedy
        if high >= _FEATURE_RATIO * low:
            return _spread(low, least, high, most) + remedy
    j = int(np.abs(mean).argmax())
    if abs(mean[j]) >= _LARGE_FEATURE:
        return (
            f"Column {j} of X has a mean of {mean[j]:.3g} and a standard deviation of "
            f"{deviation[j]:.3g}: {remedy}"
        )
    return ""


def _spread(low, least, high, most):
    return (
        f"The features have standard deviations from {low:.3g} (column {least} of X) "
        f"to {high:.3g} (column {most}): "
    )


# Units.


def describe_units(theta, outputs, name="all training samples", has_rate=True):
    """Return a sentence about the hidden layer with the most units that do not learn.

    The derivative of such a unit is almost zero for all samples, although its weights
    are not zero. The gradient of its weights is then almost zero.

    Parameters
    ----------
    theta : Parameters
        The parameters.

    outputs : list
        Results of `skmlp.core.inference.activations` for some samples.

    name : str, default="all training samples"
        Description of these samples.

    has_rate : bool, default=True
        Whether the solver uses a learning rate.

    Returns
    -------
    sentence : str
        The sentence, or an empty string.
    """
    share, worst = 0.0, None
    for l, (g, Z, A) in enumerate(outputs[:-1]):
        slope = np.ones_like(A)
        g.backward(Z, A, slope, np.empty_like(A))
        flat = np.abs(slope).max(axis=0) < _FLAT
        flat &= theta.coefs[l].any(axis=0)
        if flat.mean() > share:
            share = flat.mean()
            worst = l, g, int(flat.sum()), len(flat), not A[:, flat].any()
    if worst is None or share < _FLAT_SHARE:
        return ""
    l, g, n_flat, n_units, is_zero = worst
    what = "give 0" if is_zero else f"have a derivative below {_FLAT:g}"
    remedy = "a smaller learning_rate_init, " if has_rate else ""
    remedy += "another init or another activation"
    if is_zero:
        remedy += ", such as 'leaky_relu'"
    return (
        f"In hidden layer {l + 1}, {n_flat} of {n_units} {g.name} units {what} for "
        f"{name}, and do not learn: try scaled features, {remedy}."
    )


# Losses.


def describe_rate(losses, constant, has_other_cause=False):
    """Return a sentence if the loss shows that the learning rate is too large.

    Parameters
    ----------
    losses : list of float
        The training loss of each epoch.

    constant : float
        The loss of a constant prediction. Changes of the loss are compared with it.

    has_other_cause : bool, default=False
        Whether the scale of the data is a problem. It should be solved first.

    Returns
    -------
    sentence : str
        The sentence, or an empty string.
    """
    remedy = "use a smaller learning_rate_init."
    if has_other_cause:
        remedy = "if this continues, use a smaller learning_rate_init."
    if len(losses) < 2 or not (np.isfinite(losses).all() and constant > 0):
        return ""
    if losses[-1] >= _EXPLODED * constant and not has_other_cause:
        return (
            f"The loss is {losses[-1]:.3g}, and that of a constant prediction is "
            f"{constant:.3g}: {remedy}"
        )
    window = np.asarray(losses[-_WINDOW:])
    steps = np.diff(window)
    rises = steps[steps > 0]
    k = int(np.argmin(losses))
    rise = losses[-1] - losses[k]
    if len(rises) * 4 >= len(steps) and len(window) >= _OSCILLATION:
        swing = rises.sum() / len(steps)
        level = max(constant, abs(window.mean()))
        if swing >= _SWING * level and len(rises) < len(steps):
            return (
                f"The loss oscillates, between {window.min():.3g} and "
                f"{window.max():.3g} in the last {len(window)} epochs: {remedy}"
            )
    if rise >= _RISE * max(constant, abs(losses[k])):
        return (
            f"The loss rose from {losses[k]:.3g} in epoch {k + 1} to {losses[-1]:.3g} "
            f"in epoch {len(losses)}: {remedy}"
        )
    return ""


def describe_fall(losses, has_other_cause=False, has_rate=True):
    """Return a sentence if the loss was still falling when training ended.

    Parameters
    ----------
    losses : list of float
        The training loss of each epoch.

    has_other_cause : bool, default=False
        Whether there is another cause. A slow fall of the loss is then not mentioned,
        even if it is as fast as the average since the first epoch.

    has_rate : bool, default=True
        Whether the solver uses a learning rate.

    Returns
    -------
    sentence : str
        The sentence, or an empty string.
    """
    if len(losses) < 2 or not np.isfinite(losses).all():
        return ""
    window = np.asarray(losses[-_WINDOW:])
    half = (len(window) + 1) // 2
    before, after = window[:half].mean(), window[-half:].mean()
    fall = before - after
    steep = fall >= _FALL * abs(before)
    if not (steep or has_other_cause):
        average = (losses[0] - losses[-1]) / (len(losses) - 1)
        steep = fall > 0 and (window[0] - window[-1]) / (len(window) - 1) >= average / 3
    first, last = f"{window[0]:.4g}", f"{window[-1]:.4g}"
    if not steep or window[-1] >= window[0] or first == last:
        return ""
    remedy = "increase max_iter"
    if has_rate and (np.diff(window) < 0).all():
        remedy += " or learning_rate_init"
    return (
        f"The loss was still falling, from {first} to {last} in the last {len(window)} "
        f"epochs: {remedy}."
    )
