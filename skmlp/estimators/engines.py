"""Which engine trains a network, and which predicts."""

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
        Runs epochs of steps, as `NumpyEngine` does.

    Objective : type
        Evaluates the objective on all samples, for searches and L-BFGS.

    running : callable
        Takes the number of multiplications in the largest matrix product, and returns
        the context manager that training runs in.
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
        As for `skmlp.compiled.unsupported`.

    Returns
    -------
    engine : EngineClasses

    Raises
    ------
    ValueError
        If `engine` is 'compiled', and there is no such engine, or it does not support
        all of this.
    """
    in_numpy = EngineClasses("numpy", NumpyEngine, Objective, NumpyEngine.running)
    if engine == "numpy":
        return in_numpy
    if compiled.UNAVAILABLE is not None:
        if engine == "auto":
            return in_numpy
        raise ValueError(
            f"engine='compiled' is not available: {compiled.UNAVAILABLE}. Where there "
            "is a C compiler, install skmlp again, with pip's --force-reinstall and "
            "--no-cache-dir; or set engine='auto' or engine='numpy'."
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
    # What takes time in a search is its objective, on all samples again and again.
    searches = optimizer is not None and optimizer.full_batch
    return EngineClasses(
        "compiled",
        NumpyEngine if searches else Compiled,
        compiled.CompiledObjective if searches or optimizer is None else Objective,
        Compiled.running,
    )


def decision_function(engine, network, arrays, X):
    """Output of a network before the output activation.

    Parameters
    ----------
    engine : {'auto', 'numpy', 'compiled'}
        The parameter of the estimators. Here 'compiled' is as 'auto': a network that
        was trained in C has to predict from sparse X, too.

    network, arrays, X
        As for `skmlp.core.inference.decision_function`.
    """
    compute: Callable = inference.decision_function
    if (
        engine != "numpy"
        and compiled.UNAVAILABLE is None
        and not compiled.unsupported_input(X)
        and compiled.can_predict(network)
        and not compiled.unsupported_parameters(network, arrays, X.shape[1])
    ):
        compute = compiled.decision_function
    return compute(network, arrays, X)
