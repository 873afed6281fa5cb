"""Comparison of the gradient of a network with central differences."""

from __future__ import annotations

from copy import copy, deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.utils import check_random_state

from skmlp.core._typing import Array, MatrixLike
from skmlp.core.finite_differences import central_differences
from skmlp.core.network import Workspace
from skmlp.core.objective import Objective
from skmlp.core.parameters import Parameters
from skmlp.estimators import build

if TYPE_CHECKING:
    from skmlp.estimators.classifier import MLPClassifierScratch
    from skmlp.estimators.regressor import MLPRegressorScratch


@dataclass(frozen=True)
class GradientCheck:
    """Result of `check_gradient`.

    Attributes
    ----------
    max_relative_error : float
        Largest error of all parameters.

    worst : str
        Name of the parameter with this error, such as ``'coefs_[0][3, 1]'``.

    analytic : ndarray of shape (n_parameters,)
        Gradient by backpropagation: first of all weights, then of all biases, then of
        other parameters, such as the scales of batch normalization.

    numeric : ndarray of shape (n_parameters,)
        Gradient by central differences.

    error : ndarray of shape (n_parameters,)
        Relative error of each component.
    """

    max_relative_error: float
    worst: str
    analytic: np.ndarray
    numeric: np.ndarray
    error: np.ndarray


def check_gradient(
    estimator: MLPClassifierScratch | MLPRegressorScratch,
    X: MatrixLike,
    y: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    *,
    step: float = 1e-5,
) -> GradientCheck:
    r"""Compare backpropagation with central differences for every parameter.

    The objective is that of training on one batch of these samples, including the
    penalty, in float64. Dropout uses the same mask in all evaluations, and batch
    normalization uses the statistics of these samples. The gradient of frozen layers is
    zero. The relative error of component j of the gradient g, with its numerical value
    h, is

    .. math:: \frac{|g_j - h_j|}{\max(|g_j|, |h_j|, 10^{-3} \max_k |g_k|)}.

    Because of the last term, the rounding error of a component that is zero is not a
    large relative error.

    Parameters
    ----------
    estimator : MLPClassifierScratch or MLPRegressorScratch
        The estimator, which is not changed. A fitted estimator is checked at its
        weights, and an unfitted one at its initial weights.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Samples. A few are sufficient. The time is proportional to the square of the
        number of parameters.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets. For a fitted classifier, not all classes have to be present.

    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples.

    step : float, default=1e-5
        Step of the central differences, see
        :func:`skmlp.core.finite_differences.central_differences`.

    Returns
    -------
    check : GradientCheck

    Raises
    ------
    ValueError
        If X, y or a parameter of the estimator is not valid.

    Notes
    -----
    The rectified linear unit and the L1 penalty have no derivative at 0. If a
    pre-activation or a weight is closer to 0 than `step`, the two gradients differ
    although backpropagation is correct. Use other samples in this case.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import MLPClassifierScratch, check_gradient
    >>> rng = np.random.RandomState(0)
    >>> X, y = rng.randn(20, 4), np.arange(20) % 3
    >>> clf = MLPClassifierScratch((5, 4), "tanh", random_state=0)
    >>> check_gradient(clf, X, y).max_relative_error < 1e-6
    True
    """
    network, theta, X, Y, w = _prepare(copy(estimator), X, y, sample_weight)
    penalty = build.make_penalty(estimator)
    objective = Objective(network, penalty, theta)
    workspace = Workspace(network, X.shape[0], np.float64, issparse(X))
    workspace.draw(np.random.default_rng(0))  # the same masks in all evaluations

    objective(X, Y, w, workspace)
    analytic = objective.grad.flat.copy()
    n_weights = theta.weights.size
    analytic[:n_weights] += penalty.nonsmooth_gradient(theta.weights) / objective.n
    numeric = central_differences(
        lambda: objective.value(X, Y, w, workspace), theta.flat, step
    )
    for gradient in analytic, numeric:  # frozen layers have no gradient
        for view in network.frozen_views(Parameters(theta.layout, flat=gradient)):
            view[...] = 0

    error = relative_errors(analytic, numeric)
    return GradientCheck(
        float(error.max()), _name(theta, int(error.argmax())), analytic, numeric, error
    )


def relative_errors(gradient: Array, other: Array) -> Array:
    """Return the relative error of each component, see `check_gradient`."""
    floor = 1e-3 * np.abs(gradient).max()
    scale = np.maximum(np.maximum(np.abs(gradient), np.abs(other)), floor)
    scale[scale == 0] = 1.0
    return np.abs(gradient - other) / scale


def _prepare(
    estimator: Any, X: MatrixLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None
) -> tuple:
    """Return the network, the parameters and the data of a fit, in float64."""
    estimator._validate_params()
    fitted = hasattr(estimator, "coefs_")
    if fitted:
        estimator.coefs_ = [W.astype(np.float64) for W in estimator.coefs_]
    data = estimator._check_training_data(
        X, y, sample_weight, continues=fitted, incremental=fitted
    )
    X = data.X.astype(np.float64)
    w = None if data.w is None else data.w.astype(np.float64)
    random_state = check_random_state(deepcopy(estimator.random_state))
    network, theta = estimator._start(
        data._replace(X=X, w=w), random_state, continues=fitted
    )
    return network, theta, X, data.Y, w


def _name(theta: Parameters, j: int) -> str:
    """Return the name of the j-th parameter, such as ``coefs_[0][3, 1]``."""
    for group in theta.layout.parameters:
        for l, array in enumerate(theta.groups[group]):
            if j < array.size:
                index = ", ".join(str(k) for k in np.unravel_index(j, array.shape))
                return f"{group}_[{l}][{index}]"
            j -= array.size
    raise IndexError(j)
