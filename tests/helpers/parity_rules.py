"""The differences from scikit-learn that docs/scikit-learn.md names, one rule for each.

A rule says when a difference applies, from the configuration and from what the calls
before have left, and what must hold then. Most of them change scikit-learn's estimator
so that it does what the documentation says; everything is then compared as usual. The
others check what the call has come to, and the case ends there.
"""

import math
import re
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.special import xlogy
from sklearn.model_selection import train_test_split
from sklearn.neural_network import _multilayer_perceptron as theirs_module
from sklearn.utils._param_validation import InvalidParameterError

OPTIMIZERS = {
    "sgd": theirs_module.SGDOptimizer,
    "adam": theirs_module.AdamOptimizer,
}


def kind_of(error):
    """Return the built-in class of an error, or the one of invalid parameters."""
    for cls in (InvalidParameterError, ValueError, AttributeError):
        if isinstance(error, cls):
            return cls
    return type(error)


@dataclass
class Situation:
    """An estimator of each kind before a call."""

    case: object
    call: object
    ours: object
    theirs: object
    is_fitted: bool

    def __post_init__(self):
        vars(self).update(self.theirs.get_params())
        self.incremental = self.call.method == "partial_fit"
        self.continues = self.is_fitted and (self.warm_start or self.incremental)
        self.stochastic = self.solver in OPTIMIZERS
        self.weights = self.call.weights
        self.n_samples = len(self.call.y)

    @property
    def is_valid(self):
        """Whether the parameters are valid one by one."""
        try:
            self.theirs._validate_params()
            return bool(np.all(np.asarray(self.hidden_layer_sizes) > 0))
        except ValueError:
            return False

    @property
    def splits(self):
        """Whether early stopping sets samples aside."""
        return self.stochastic and self.early_stopping and not self.incremental

    @property
    def n_validation(self):
        """Number of samples that early stopping sets aside."""
        return math.ceil(self.validation_fraction * self.n_samples)

    @property
    def class_counts(self):
        """Number of samples of each class, if there are three classes or more."""
        y = np.asarray(self.call.y)
        if self.case.regression or (y.ndim == 2 and y.shape[1] > 1):
            return None
        counts = np.unique(y, return_counts=True)[1]
        return counts if len(counts) > 2 else None

    @property
    def can_stratify(self):
        """Whether there is a split that has each class in both parts."""
        n_classes, n_val = len(self.class_counts), self.n_validation
        return self.class_counts.min() > 1 and n_classes <= min(
            n_val, self.n_samples - n_val
        )


class Rule:
    """A difference that the documentation names."""

    documented: str  # words of docs/scikit-learn.md
    by_outcome = False  # whether it is what comes of a call that tells
    is_for_invalid = False  # whether parameters may be invalid
    tolerance = 0.0  # relative and absolute, with which everything is compared
    keeps_dtype = True  # whether the dtype is scikit-learn's
    prints_numbers = True  # whether the numbers that are printed are scikit-learn's
    warns = None  # what a warning of ours says

    def applies(self, at):
        """Return whether the difference is to be expected."""
        raise NotImplementedError

    def amend(self, at, patch):
        """Make scikit-learn do what the documentation says."""

    def concludes(self, at, ours, theirs):
        """Hold what came of the call, and return whether the case ends there."""
        return False

    def amend_output(self, ours, theirs):
        """Return what was printed, without what is not the same."""
        return ours, theirs

    def compares_attributes(self, at, ours):
        """Hold fitted attributes to what a warning says, and return whether it did."""
        return False

    def compares_method(self, at, name, X):
        """Hold what a method returns, and return whether it was this rule's to do."""
        return False


# The split of early stopping.


def splitting(stratify, before=None):
    """Return scikit-learn's `train_test_split` with another stratification."""

    def split(X, Y, *arrays, **kwargs):
        parts = train_test_split(X, Y, *arrays, **kwargs | {"stratify": stratify})
        if before is not None:
            before(parts)
        return parts

    return split


class StratifiedSplit(Rule):
    documented = "The early stopping split is stratified for three or more classes."

    def applies(self, at):
        return at.splits and at.class_counts is not None and at.can_stratify

    def amend(self, at, patch):
        split = splitting(np.asarray(at.call.y).ravel())
        patch.setattr(theirs_module, "train_test_split", split)


class UnstratifiedSplit(Rule):
    """There is a warning; the numbers are scikit-learn's."""

    documented = "If a stratified split does not exist"
    warns = "early_stopping=True cannot stratify its validation set"

    def applies(self, at):
        return (
            at.splits
            and at.class_counts is not None
            and not at.can_stratify
            and 2 <= at.n_validation < at.n_samples
        )


class WeightlessPart(Rule):
    documented = "A `sample_weight` that is zero for all samples of the training or"
    by_outcome = True

    def applies(self, at):
        return at.splits and at.weights is not None and (at.weights == 0).any()

    def concludes(self, at, ours, theirs):
        if ours.error is None or "got zero for all" not in str(ours.error):
            return False
        assert isinstance(ours.error, ValueError)
        n = int(re.search(r"zero for all (\d+) samples", str(ours.error))[1])
        assert n in (at.n_validation, at.n_samples - at.n_validation)
        assert (at.weights == 0).sum() >= n
        # A mean without weights: an error, or a score that is no number.
        if theirs.error is None:
            assert np.isnan(at.theirs.validation_scores_[-1])
        else:
            assert isinstance(theirs.error, ZeroDivisionError | ValueError)
        return True


# Warm starts and partial_fit.


def start_attributes(estimator):
    """Set what a first fit with a stochastic solver sets, where it is missing."""
    missing = not hasattr(estimator, "loss_curve_")
    if missing:
        estimator.loss_curve_ = []
        estimator._no_improvement_count = 0
    if missing or estimator.early_stopping != (estimator.best_loss_ is None):
        stops = estimator.early_stopping
        estimator.best_loss_ = None if stops else np.inf
        estimator.best_validation_score_ = -np.inf if stops else None
        estimator.validation_scores_ = [] if stops else None


class WarmStartOfAnotherKind(Rule):
    documented = "A warm start can change `solver` and `early_stopping`."

    def applies(self, at):
        if not (at.continues and at.stochastic):
            return False
        if not hasattr(at.theirs, "loss_curve_"):
            return True
        return bool(at.early_stopping) != (at.theirs.best_loss_ is None)

    def amend(self, at, patch):
        start_attributes(at.theirs)


class BestWeightsSurvive(Rule):
    documented = "The best weights are kept in a warm start."

    def applies(self, at):
        return at.continues and at.splits

    def amend(self, at, patch):
        for best, fitted in (
            ("_best_coefs", "coefs_"),
            ("_best_intercepts", "intercepts_"),
        ):
            setattr(at.theirs, best, [a.copy() for a in getattr(at.theirs, fitted)])


class BestScoreAfterLBFGS(Rule):
    documented = "The best score is recomputed after `lbfgs`."

    def applies(self, at):
        best = getattr(at.theirs, "best_validation_score_", None)
        is_known = best is not None and best > -np.inf
        return at.continues and at.splits and is_known and at.ours._scored_on is None

    def amend(self, at, patch):
        def score(parts):
            y = parts[3]
            if not at.case.regression:
                y = at.theirs._label_binarizer.inverse_transform(y)
            w = parts[5] if len(parts) > 4 else None
            at.theirs.best_validation_score_ = at.theirs._score(parts[1], y, w)

        y = np.asarray(at.call.y).ravel()
        is_classes = not at.case.regression and len(y) == at.n_samples
        stratifies = is_classes and (at.class_counts is None or at.can_stratify)
        split = splitting(y if stratifies else None, score)
        patch.setattr(theirs_module, "train_test_split", split)


class ParametersChange(Rule):
    documented = "Parameters changed between calls of `partial_fit` take effect."

    def applies(self, at):
        if not (at.incremental and at.continues and at.stochastic):
            return False
        optimizer = getattr(at.theirs, "_optimizer", None)
        if optimizer is None:
            return False
        if type(optimizer) is not OPTIMIZERS[at.solver]:
            return True
        return any(getattr(optimizer, k) != v for k, v in self._settings(at).items())

    def _settings(self, at):
        settings = {"learning_rate_init": at.learning_rate_init}
        if at.solver == "adam":
            names = {"beta_1": "beta_1", "beta_2": "beta_2", "epsilon": "epsilon"}
        else:
            names = {"lr_schedule": "learning_rate", "nesterov": "nesterovs_momentum"}
            names |= {"momentum": "momentum", "power_t": "power_t"}
        return settings | {name: getattr(at, of) for name, of in names.items()}

    def amend(self, at, patch):
        optimizer = at.theirs._optimizer
        if type(optimizer) is not OPTIMIZERS[at.solver]:
            del at.theirs._optimizer
            return
        if optimizer.learning_rate_init != at.learning_rate_init:
            optimizer.learning_rate = float(at.learning_rate_init)
        vars(optimizer).update(self._settings(at))


class NoPartialFitOfLBFGS(Rule):
    documented = 'The regressor has no `partial_fit` with `solver="lbfgs"`'
    is_for_invalid = True

    def applies(self, at):
        return at.incremental and not at.stochastic and at.case.regression

    def concludes(self, at, ours, theirs):
        assert isinstance(ours.error, AttributeError)
        return True


class PartialFitOfFewerClasses(Rule):
    documented = "`partial_fit` accepts targets in which a class is missing"

    def applies(self, at):
        return (
            at.incremental
            and at.warm_start
            and not at.case.regression
            and at.case.kind != "multilabel"
            and len(np.unique(at.call.y)) < len(at.call.classes)
        )

    def amend(self, at, patch):
        fit = at.theirs._validate_input

        def without_warm_start(*args, **kwargs):
            at.theirs.warm_start = False
            try:
                return fit(*args, **kwargs)
            finally:
                at.theirs.warm_start = True

        patch.setattr(at.theirs, "_validate_input", without_warm_start)


class FreshFit(Rule):
    documented = "A new fit removes the attributes of the previous fit."

    def applies(self, at):
        return at.is_fitted and not at.continues and at.solver == "lbfgs"

    def amend(self, at, patch):
        for name in list(vars(at.theirs)):
            if name.startswith("_") or name.endswith("_"):
                delattr(at.theirs, name)


# Losses and divergence.


def sum_of_squares(y_true, y_pred, sample_weight=None):
    """Return half of the squared error, summed over the outputs."""
    square = (y_true - y_pred) ** 2
    return 0.5 * np.average(square, weights=sample_weight, axis=0).sum()


class SumOverOutputs(Rule):
    documented = (
        "L-BFGS with several outputs minimizes the function whose gradient it uses."
    )

    def applies(self, at):
        return (
            at.solver == "lbfgs"
            and at.case.kind in ("multioutput", "counts")
            and at.loss == "squared_error"
        )

    def amend(self, at, patch):
        losses = theirs_module.LOSS_FUNCTIONS
        patch.setitem(losses, "squared_error", sum_of_squares)


class PoissonUnderflow(Rule):
    documented = "The Poisson loss is finite if a prediction rounds to 0."
    by_outcome = True

    def applies(self, at):
        return at.case.regression and at.loss == "poisson"

    def amend(self, at, patch):
        def poisson_loss(y_true, y_pred, sample_weight=None):
            limits = np.finfo(y_pred.dtype)
            at.underflows |= bool((y_pred < limits.tiny).any())
            quotient = y_true / np.maximum(y_pred, limits.tiny)
            quotient = np.minimum(quotient, limits.max)
            loss = xlogy(y_true, quotient) - y_true + y_pred
            if sample_weight is not None:  # zero times infinity is no number
                loss[sample_weight == 0] = 0
            return np.average(loss, weights=sample_weight, axis=0).sum()

        at.underflows = False
        patch.setitem(theirs_module.LOSS_FUNCTIONS, "poisson", poisson_loss)

    def compares_attributes(self, at, ours):
        return at.underflows


class ZeroPenalty(Rule):
    documented = "The loss does not include the penalty if `alpha=0`."
    by_outcome = True

    def applies(self, at):
        return at.alpha == 0

    def amend(self, at, patch):
        def without_penalty(X, y, w, activations, *args):
            loss, *gradients = backprop(X, y, w, activations, *args)
            if np.isnan(loss) and np.isfinite(activations[-1]).all():
                at.penalty_overflows = True
                name = at.theirs.loss
                if name == "log_loss" and at.theirs.out_activation_ == "logistic":
                    name = "binary_log_loss"
                loss = theirs_module.LOSS_FUNCTIONS[name](y, activations[-1], w)
            return loss, *gradients

        at.penalty_overflows = False
        backprop = at.theirs._backprop
        patch.setattr(at.theirs, "_backprop", without_penalty)

    def compares_attributes(self, at, ours):
        return at.penalty_overflows


class NoScore(Rule):
    documented = "An error is raised if the validation score is NaN in every epoch."
    by_outcome = True

    def applies(self, at):
        return at.splits

    def concludes(self, at, ours, theirs):
        if "needs a validation score" not in str(ours.error):
            return False
        assert isinstance(ours.error, ValueError)
        assert at.theirs.best_validation_score_ == -np.inf
        assert np.isnan(at.theirs.validation_scores_).all()
        return True


class NaNIsNoImprovement(Rule):
    documented = "A loss or a score that is NaN is not an improvement."
    by_outcome = True

    def applies(self, at):
        return at.stochastic

    def amend(self, at, patch):
        theirs = at.theirs

        def count(*args):
            n = theirs._no_improvement_count
            track(*args)
            scores = theirs.validation_scores_ or theirs.loss_curve_
            if np.isnan(scores[-1]):
                at.meets_nan = True
                theirs._no_improvement_count = n + 1

        at.meets_nan = False
        track = theirs._update_no_improvement_count
        patch.setattr(theirs, "_update_no_improvement_count", count)

    def compares_attributes(self, at, ours):
        return at.meets_nan


class ScoreOfOverflow(Rule):
    documented = "not finite, the validation score is NaN"
    by_outcome = True

    def applies(self, at):
        return at.splits and not at.case.regression

    def concludes(self, at, ours, theirs):
        if ours.error is not None or theirs.error is not None:
            return False
        pairs = zip(
            at.ours.validation_scores_, at.theirs.validation_scores_, strict=False
        )
        differing = (a for a, b in pairs if a != b)
        return bool(np.isnan(next(differing, 0.0)))


class ScoreOverflow(Rule):
    documented = (
        "The validation score of a regressor is finite if its squared errors overflow."
    )
    by_outcome = True

    def applies(self, at):
        return at.splits and at.case.regression

    def concludes(self, at, ours, theirs):
        if theirs.error is not None or ours.error is not None:
            return False
        pairs = zip(
            at.ours.validation_scores_, at.theirs.validation_scores_, strict=False
        )
        scores = [a for a, b in pairs if np.isfinite(a) and not np.isfinite(b)]
        # Of a sample of zero weight, the errors need not count.
        weightless = at.weights is not None and not at.weights.all()
        assert weightless or all(score < -1e250 for score in scores)
        return bool(scores)


def overflows(estimator):
    """Return whether numbers of scikit-learn's training overflow, or nearly so."""
    optimizer = getattr(estimator, "_optimizer", None)
    arrays = [*estimator.coefs_, *estimator.intercepts_, [estimator.loss_]]
    for name in ("velocities", "ms", "vs"):
        arrays += getattr(optimizer, name, [])
    return not all((np.abs(array) < 1e70).all() for array in arrays)  # or NaN


def assert_same_until_overflow(actual, expected):
    """Hold the values before the first that is not finite to be the same."""
    n = len(actual)
    finite = np.isfinite(actual) & np.isfinite(expected[:n])
    n = n if finite.all() else finite.argmin()
    np.testing.assert_allclose(actual[:n], expected[:n], rtol=1e-9)


class Divergence(Rule):
    documented = "Training stops immediately if it diverges."
    warns = "The weights of the best epoch are kept, but training diverged"
    by_outcome = True

    def applies(self, at):
        return True

    def concludes(self, at, ours, theirs):
        if ours.error is not None and "training diverged in" in str(ours.error):
            assert isinstance(ours.error, ValueError)
            if theirs.error is not None:
                assert "non-finite parameter weights" in str(theirs.error)
            else:
                assert overflows(at.theirs)
            return True
        if not any(self.warns in message for _, message in ours.warnings):
            return False
        assert overflows(at.theirs) or not np.isfinite(at.theirs.loss_curve_).all()
        for name in ("loss_curve_", "validation_scores_"):
            actual, expected = getattr(at.ours, name), getattr(at.theirs, name)
            assert_same_until_overflow(actual, expected)
        assert at.ours.best_validation_score_ == np.nanmax(at.ours.validation_scores_)
        if at.ours.best_validation_score_ == at.theirs.best_validation_score_:
            for a, b in zip(at.ours.coefs_, at.theirs.coefs_, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9)
        return True


class LossOverflows(Rule):
    documented = "An overflow of the loss issues a `ConvergenceWarning`."
    warns = "although the weights are finite"
    by_outcome = True

    def applies(self, at):
        return at.stochastic

    def compares_attributes(self, at, ours):
        if not any(self.warns in message for _, message in ours.warnings):
            return False
        assert not np.isfinite(at.theirs.loss_)
        return True


class NothingLearned(Rule):
    """There is a warning; the numbers are scikit-learn's."""

    documented = "A fit that converges without learning anything issues a"
    warns = "are not better than a constant"
    by_outcome = True

    def applies(self, at):
        return at.stochastic

    def compares_attributes(self, at, ours):
        if not any(self.warns in message for _, message in ours.warnings):
            return False
        if at.case.regression and at.loss == "squared_error" and not at.splits:
            assert at.theirs.score(at.call.X, at.call.y, at.weights) < 0.05
        return True


class PredictionsOverflow(Rule):
    documented = "Predictions that are not finite."

    by_outcome = True

    def applies(self, at):
        return True

    def compares_method(self, at, name, X):
        output = at.theirs._forward_pass_fast(X)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(at.theirs, "out_activation_", "identity")
            decision = at.theirs._forward_pass_fast(X)
        if np.isfinite(decision).all() and np.isfinite(output).all():
            return False
        with pytest.raises(ValueError, match="output must be finite"):
            getattr(at.ours, name)(X)
        return True


class WeightlessBatch(Rule):
    documented = "A batch whose sample weights are all zero is skipped."
    tolerance = 1e-9
    prints_numbers = False  # it is amended after it has printed the loss

    def applies(self, at):
        if at.weights is None or not at.stochastic or not at.weights.any():
            return False
        n = at.n_samples - (at.n_validation if at.splits else 0)
        if n < 1:
            return False
        size = min(200 if at.batch_size == "auto" else at.batch_size, n)
        return (at.weights == 0).sum() >= (n % size or size)

    def amend(self, at, patch):
        """Skip the step, and leave the samples out of the mean loss."""
        n_passed_over, n_seen, skips, theirs = [0], [0], [False], at.theirs

        def pass_over(X, y, w, activations, deltas, *gradients):
            n_seen[0] += len(y)
            skips[0] = not w.any()
            if skips[0]:
                n_passed_over[0] += len(y)
                return 0.0, *gradients
            return backprop(X, y, w, activations, deltas, *gradients)

        def update_params(self, params, grads):
            if not skips[0]:
                update(self, params, grads)

        def count(*args):
            n = n_seen[0]
            theirs.loss_ *= n / (n - n_passed_over[0])
            theirs.loss_curve_[-1] = theirs.loss_
            n_seen[0] = n_passed_over[0] = 0
            track(*args)

        backprop, track = theirs._backprop, theirs._update_no_improvement_count
        update = theirs_module.SGDOptimizer.update_params
        patch.setattr(theirs, "_backprop", pass_over)
        patch.setattr(theirs, "_update_no_improvement_count", count)
        for cls in OPTIMIZERS.values():
            patch.setattr(cls, "update_params", update_params)


class WeightlessOverflow(Rule):
    documented = "A sample of weight zero has no effect, even if its output overflows."
    by_outcome = True

    def applies(self, at):
        return at.weights is not None and at.weights.any() and not at.weights.all()

    def concludes(self, at, ours, theirs):
        if ours.error is not None or "non-finite parameter" not in str(theirs.error):
            return False
        assert all(np.isfinite(W).all() for W in at.ours.coefs_)
        output = at.theirs._forward_pass_fast(at.call.X)
        return not np.isfinite(output[at.weights == 0]).all()


# What is checked.


class Refusal(Rule):
    """Ours is a ValueError, before anything is trained."""

    message: str

    def concludes(self, at, ours, theirs):
        return (
            kind_of(ours.error) is not kind_of(theirs.error)
            and isinstance(ours.error, ValueError)
            and re.search(self.message, str(ours.error)) is not None
        )


class BadWeights(Refusal):
    documented = "Negative or all-zero `sample_weight`"
    message = "sample_weight must"

    def applies(self, at):
        w = at.weights
        return w is not None and bool((w < 0).any() or not w.any())


class NegativeCounts(Refusal):
    documented = 'Negative `y` with `loss="poisson"`'
    message = "loss='poisson' needs y >= 0"

    def applies(self, at):
        return (
            at.case.regression
            and at.loss == "poisson"
            and np.asarray(at.call.y).min() < 0
        )


class FractionalSizes(Refusal):
    documented = "`hidden_layer_sizes` that are not integers"
    message = "hidden_layer_sizes must be integers|does not support early_stopping"

    def applies(self, at):
        return any(
            isinstance(n, float) for n in np.ravel(at.hidden_layer_sizes).tolist()
        )


class SizesChange(Refusal):
    documented = "`hidden_layer_sizes` that are changed before a warm start"
    message = "continue with the network of the previous call"

    def applies(self, at):
        if not at.continues:
            return False
        before = [W.shape[1] for W in at.theirs.coefs_[:-1]]
        return before != np.ravel(at.hidden_layer_sizes).tolist()


class InvalidChange(Refusal):
    documented = "Invalid parameters that are set between calls of `partial_fit`"
    message = "The 'alpha' parameter of"
    is_for_invalid = True

    def applies(self, at):
        return at.incremental and at.is_fitted and not at.is_valid


# Outputs and types.


class OneClass(Rule):
    documented = "`predict_proba` has one column if there is one class."

    def applies(self, at):
        y = np.asarray(at.call.y)
        classes = y if at.call.classes is None else at.call.classes
        return not at.case.regression and len(np.unique(classes)) == 1

    def compares_method(self, at, name, X):
        if name not in ("predict_proba", "predict_log_proba"):
            return False
        value = 1.0 if name == "predict_proba" else 0.0
        actual = getattr(at.ours, name)(X)
        np.testing.assert_array_equal(actual, np.full((at.n_samples, 1), value))
        assert getattr(at.theirs, name)(X).shape == (at.n_samples, 2)
        return True


class Verbose(Rule):
    documented = "An integer `verbose=k` greater than 1"

    def applies(self, at):
        return at.stochastic and at.verbose > 1

    def amend_output(self, ours, theirs):
        """Leave out every second epoch, but not the first."""
        expected, shows = [], True
        for line in theirs.splitlines(keepends=True):
            if match := re.match(r"Iteration (\d+),", line):
                shows = int(match[1]) == 1 or int(match[1]) % 2 == 0
            if shows or "did not improve" in line:
                expected.append(line)
        return re.sub(r", validation loss = .*", "", ours), "".join(expected)


class VerboseLBFGS(Rule):
    documented = '`verbose` with `solver="lbfgs"` prints the loss of each iteration'

    def applies(self, at):
        return at.solver == "lbfgs" and bool(at.verbose)

    def amend_output(self, ours, theirs):
        assert re.fullmatch(r"(Iteration \d+, loss = [0-9.]+\n)*", ours)
        return theirs, theirs


class Float32(Rule):
    documented = "so that float32 results differ by rounding"
    tolerance = 1e-2
    keeps_dtype = False  # L-BFGS, there, turns to float64

    def applies(self, at):
        return at.case.layout == "float32"


class CSC(Rule):
    documented = "CSC matrices, which are converted to CSR"
    tolerance = 1e-9

    def applies(self, at):
        return at.case.layout == "csc_matrix"


class FortranOrder(Rule):
    documented = "X in Fortran order, whose batches"
    tolerance = 1e-9

    def applies(self, at):
        return at.case.layout == "F"


RULES = [
    StratifiedSplit(),
    UnstratifiedSplit(),
    WeightlessPart(),
    WarmStartOfAnotherKind(),
    BestWeightsSurvive(),
    BestScoreAfterLBFGS(),
    ParametersChange(),
    NoPartialFitOfLBFGS(),
    PartialFitOfFewerClasses(),
    FreshFit(),
    SumOverOutputs(),
    PoissonUnderflow(),
    ZeroPenalty(),
    NaNIsNoImprovement(),
    WeightlessBatch(),
    ScoreOverflow(),
    ScoreOfOverflow(),
    NoScore(),
    Divergence(),
    WeightlessOverflow(),
    LossOverflows(),
    NothingLearned(),
    PredictionsOverflow(),
    BadWeights(),
    NegativeCounts(),
    FractionalSizes(),
    SizesChange(),
    InvalidChange(),
    OneClass(),
    Verbose(),
    VerboseLBFGS(),
    Float32(),
    CSC(),
    FortranOrder(),
]


def rules_of(at):
    """Return the rules that apply."""
    is_valid = at.is_valid
    return [
        rule for rule in RULES if (is_valid or rule.is_for_invalid) and rule.applies(at)
    ]
