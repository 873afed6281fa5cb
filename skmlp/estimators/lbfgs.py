"""Training by L-BFGS."""

import numpy as np
from sklearn.base import is_regressor
from sklearn.exceptions import ConvergenceWarning

from skmlp._sklearn import _check_optimize_result
from skmlp._warnings import warn
from skmlp.estimators import build
from skmlp.estimators.engines import choose_engine
from skmlp.training.diagnosis import Diagnosis, is_ignored
from skmlp.training.lbfgs import minimize_lbfgs


def train_lbfgs(estimator, network, theta, data):
    """Minimize the objective on all samples by L-BFGS.

    Parameters
    ----------
    estimator : BaseMLP
        The estimator. Its parameters are used.

    network : Network
        The network.

    theta : Parameters
        Initial weights and biases. They are overwritten with the final ones.

    data : Data
        The training data.

    Returns
    -------
    n_iter : int
        Number of iterations.

    loss : float
        The final value of the objective.

    Raises
    ------
    ValueError
        If training diverges.

    Warns
    -----
    ConvergenceWarning
        If the solver did not converge, or if the predictions are not better than a
        constant.
    """
    penalty = build.make_penalty(estimator)
    if penalty.has_prox and not penalty.l1:
        raise ValueError(
            "solver='lbfgs' supports penalties with a smooth part and an L1 norm only, "
            f"got {penalty!r}. Use a first-order solver, such as 'adam'."
        )
    engine = choose_engine(
        estimator.engine, network, None, data.X, estimator.augment, penalty
    )
    # SciPy uses BLAS for sums of long vectors, whatever the sizes of the products.
    with engine.running():
        result = minimize_lbfgs(
            engine.Objective(network, penalty.smooth, theta),
            penalty.l1,
            data.X,
            data.Y,
            data.w,
            max_iter=estimator.max_iter,
            max_fun=estimator.max_fun,
            tol=estimator.tol,
            verbose=estimator.verbose,
            on_interrupt=estimator.on_interrupt,
        )
    interrupted = result.get("interrupted", False)
    diagnosis = Diagnosis(
        network,
        theta,
        data.X,
        data.Y,
        data.w,
        rows=None,
        is_regression=is_regressor(estimator),
        has_rate=False,
    )
    if not (theta.isfinite() and (interrupted or np.isfinite(result.fun))):
        raise ValueError(
            "Solver produced non-finite parameter weights. The input data may contain "
            "large values and need to be preprocessed: training diverged in iteration "
            f"{result.nit} of {estimator.max_iter}. Scale X (and y in regression), for "
            "example with StandardScaler."
            + "".join(f" {cause}" for cause in diagnosis.causes())
        )
    loss = float(result.fun)
    if interrupted:
        warn(
            f"Training interrupted by user, after {result.nit} of at most "
            f"{estimator.max_iter} iterations."
        )
        return result.nit, loss
    causes, is_shown = None, not is_ignored(ConvergenceWarning)
    if result.status != 0 and is_shown:
        causes = "\n".join(diagnosis.causes()) or None
    n_iter = _check_optimize_result("lbfgs", result, estimator.max_iter, causes)
    if result.status == 0 and is_shown and (complaint := diagnosis.complaint()):
        warn(f"lbfgs: {complaint}", ConvergenceWarning)
    return n_iter, loss
