"""Full-batch training by L-BFGS."""

import numpy as np
from scipy.optimize import Bounds, OptimizeResult, minimize
from scipy.sparse import issparse

from skmlp.core.inference import ignore_floating_point_errors
from skmlp.core.network import Workspace


def minimize_lbfgs(
    objective,
    l1,
    X,
    Y,
    w,
    *,
    max_iter,
    max_fun,
    tol,
    verbose=False,
    on_interrupt="stop",
):
    r"""Minimize the objective on all samples by L-BFGS-B.

    The L1 norm has no gradient at zero. With an L1 penalty the weights are therefore
    split into :math:`W = W^+ - W^-`, where both parts are at least zero, and
    :math:`\lVert W \rVert_1` is replaced by :math:`\sum (W^+ + W^-)`. This problem is
    smooth and has the same minima. If both parts of a weight are at their bound, the
    weight is exactly zero.

    Parameters
    ----------
    objective : Objective
        The objective, without the L1 part of the penalty. Its `theta` contains the
        initial parameters, which are overwritten with the solution.

    l1 : float
        Strength of the L1 penalty, without the division by n.

    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Input.

    Y : ndarray of shape (n_samples, n_outputs)
        Targets.

    w : ndarray of shape (n_samples, 1) or None
        Sample weights.

    max_iter : int
        Maximum number of iterations.

    max_fun : int
        Maximum number of evaluations of the objective.

    tol : float
        Tolerance on the largest component of the projected gradient.

    verbose : bool or int, default=False
        Whether to print the objective after each iteration.

    on_interrupt : {'stop', 'raise'}, default='stop'
        Whether a KeyboardInterrupt ends the iterations or is raised.

    Returns
    -------
    result : OptimizeResult
        The result of SciPy. `fun` is the objective at the solution. After an interrupt,
        `x`, `fun` and `nit` are those of the last iteration, and `interrupted` is True.

    References
    ----------
    R. Byrd, P. Lu, J. Nocedal and C. Zhu, "A limited memory algorithm for
    bound constrained optimization", SIAM J. Scientific Computing 16(5), 1995.
    """
    theta, grad = objective.theta, objective.grad
    n_parameters, n_weights = theta.flat.size, theta.weights.size
    workspace = Workspace(objective.network, X.shape[0], theta.flat.dtype, issparse(X))

    def set_theta(x):
        theta.flat[...] = x[:n_parameters]
        if l1:
            theta.weights[...] -= x[n_parameters:]

    def fun(x):
        set_theta(x)
        E = objective(X, Y, w, workspace)
        g = grad.flat.astype(np.float64)
        if l1:
            g = np.concatenate([g, -g[:n_weights]])
            g[free] += l1 / objective.n
            E += l1 / objective.n * x[halves].sum()
        return E, g

    x, bounds = theta.flat.astype(np.float64), None
    if l1:
        x = np.concatenate([x, np.maximum(-x[:n_weights], 0)])
        np.maximum(x[:n_weights], 0, out=x[:n_weights])
        halves = np.r_[0:n_weights, n_parameters : x.size]
        free = halves[np.tile(~objective.network.frozen_weights(theta), 2)]
        lower = np.full(x.size, -np.inf)
        lower[halves] = 0
        bounds = Bounds(lower)
    reached = OptimizeResult(x=x.copy(), fun=np.nan, nit=0)  # of the last iteration

    def keep(intermediate_result):
        reached.x[...] = intermediate_result.x
        reached.fun = intermediate_result.fun
        reached.nit += 1
        if verbose:
            print(f"Iteration {reached.nit}, loss = {reached.fun:.8f}")

    try:
        with ignore_floating_point_errors():
            result = minimize(
                fun,
                x,
                method="L-BFGS-B",
                jac=True,
                bounds=bounds,
                callback=keep,
                options={"maxfun": max_fun, "maxiter": max_iter, "gtol": tol},
            )
    except KeyboardInterrupt:
        if on_interrupt == "raise":
            raise
        result = OptimizeResult(reached, interrupted=True)
    set_theta(result.x)
    if l1:
        # If the iterations end early, both parts of a weight may be positive. Their sum
        # is then greater than the absolute value of the weight.
        overlap = np.minimum(result.x[:n_weights], result.x[n_parameters:]).sum()
        result.fun -= 2 * l1 / objective.n * overlap
    return result
