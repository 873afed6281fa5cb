"""The choice of the engine, for training and for prediction."""

from collections.abc import Callable
from typing import NamedTuple

from skmlp import compiled
from skmlp.compiled.threads import running as one_blas_thread
from skmlp.core import inference
from skmlp.core.objective import Objective
from skmlp.training.engine import NumpyEngine

__all__ = ["EngineClasses", "choose_engine", "decision_function", "one_blas_thread"]


class EngineClasses(NamedTuple):
    """The classes and functions of an engine.

    Attributes
    ----------
    name : str
        'numpy' or 'compiled'.

    Epochs : type
        Class that runs epochs, such as `NumpyEngine`.

    Objective : type
        Class that evaluates the objective on all samples, for searches and L-BFGS.

    running : callable
        Function that returns the context manager for training, given the number of
        multiplications in the largest matrix product.
    """

    name: str
    Epochs: type
    Objective: type
    running: Callable


def choose_engine(
    engine, network, optimizer, X, augment, penalty=None, step_options=None
):
    """Return the engine for a fit.

    Parameters
    ----------
    engine : {'auto', 'numpy', 'compiled'}
        The parameter of the estimators.

    network, optimizer, X, augment, penalty, step_options
        See `skmlp.compiled.unsupported`.

    Returns
    -------
    engine : EngineClasses

    Raises
    ------
    ValueError
        If `engine` is 'compiled' and the compiled engine is not available, or does not
        support the configuration.
    """
    in_numpy = EngineClasses("numpy", NumpyEngine, Objective, NumpyEngine.running)
    if engine == "numpy":
        return in_numpy
    if compiled.UNAVAILABLE is not None:
        if engine == "auto":
            return in_numpy
        raise ValueError(
            f"engine='compiled' is not available: {compiled.UNAVAILABLE}. Install "
            "skmlp again on a machine with a C compiler, with the options "
            "--force-reinstall and --no-cache-dir of pip, or set engine='auto' or "
            "engine='numpy'."
        )
    reasons = compiled.unsupported(
        network, optimizer, X, augment, penalty, step_options
    )
    if reasons and engine == "auto":
        return in_numpy
    if reasons:
        raise ValueError(
            f"engine='compiled' does not support {', '.join(reasons)}. Set "
            "engine='auto' or engine='numpy'."
        )
    Compiled = compiled.CompiledEngine
    # A search spends its time in the objective.
    searches = optimizer is not None and optimizer.full_batch
    return EngineClasses(
        "compiled",
        NumpyEngine if searches else Compiled,
        compiled.CompiledObjective if searches or optimizer is None else Objective,
        Compiled.running,
    )


def decision_function(engine, network, arrays, X):
    """Return the output of a network before the output activation.

    Parameters
    ----------
    engine : {'auto', 'numpy', 'compiled'}
        The parameter of the estimators. 'compiled' is equivalent to 'auto' here,
        because a network that was trained in C must also predict for sparse X.

    network, arrays, X
        See `skmlp.core.inference.decision_function`.
    """
    if (
        engine != "numpy"
        and compiled.UNAVAILABLE is None
        and not compiled.unsupported_input(X)
        and compiled.can_predict(network)
        and not compiled.unsupported_parameters(network, arrays, X.shape[1])
    ):
        return compiled.decision_function(network, arrays, X)
    compute = inference.decision_function
    return inference.call_with_errors_ignored(compute, network, arrays, X)
