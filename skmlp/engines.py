"""Which engine trains a network, and which predicts."""

from collections.abc import Callable
from typing import NamedTuple

from skmlp import compiled
from skmlp.core import inference
from skmlp.core.objective import Objective
from skmlp.training.engine import NumpyEngine


class Engine(NamedTuple):
    """What an engine consists of.

    Attributes
    ----------
    Epochs : type
        Runs epochs of steps, as `NumpyEngine`.

    Objective : type
        Evaluates the objective on all samples, for searches and L-BFGS.

    running : callable
        Takes the number of multiplications of the largest matrix product, and returns
        the context manager that training runs in.
    """

    Epochs: type
    Objective: type
    running: Callable


def choose_engine(engine, network, optimizer, X, augment):
    """The engine that a fit runs on.

    Parameters
    ----------
    engine : {'auto', 'numpy', 'compiled'}
        The parameter of the estimators.

    network : Network
        The network to train.

    optimizer : Optimizer or None
        What trains it; None for L-BFGS.

    X : {ndarray, sparse matrix}
        The samples.

    augment : callable or None
        What changes each batch.

    Returns
    -------
    engine : Engine

    Raises
    ------
    ValueError
        If the engine is to be 'compiled', and cannot be.
    """
    in_numpy = Engine(NumpyEngine, Objective, NumpyEngine.running)
    if engine == "numpy":
        return in_numpy
    if compiled.UNAVAILABLE is not None:
        if engine == "auto":
            return in_numpy
        raise ValueError(
            f"engine='compiled' is not there: {compiled.UNAVAILABLE}. With a C "
            "compiler on this machine, install skmlp again, with pip's "
            "--force-reinstall and --no-cache-dir; or set engine='auto' or "
            "engine='numpy'."
        )
    reasons = compiled.uncovered(network, optimizer, X, augment)
    if reasons and engine == "auto":
        return in_numpy
    if reasons:
        raise ValueError(
            f"engine='compiled' does not cover {', '.join(reasons)}. Set "
            "engine='auto' or engine='numpy'."
        )
    Compiled = compiled.CompiledEngine
    # A search evaluates all samples again and again: that is what is compiled of it.
    searches = optimizer is not None and optimizer.full_batch
    return Engine(
        NumpyEngine if searches else Compiled,
        compiled.CompiledObjective if searches or optimizer is None else Objective,
        Compiled.running,
    )


def decision_function(engine, coefs, intercepts, activations, X):
    """Output of a network before the output activation, by the best engine for it.

    Parameters
    ----------
    engine : {'auto', 'numpy', 'compiled'}
        The parameter of the estimators. What the compiled engine cannot do is done
        by NumPy: there is nothing wrong with a prediction.

    coefs, intercepts, activations, X
        As of `skmlp.core.inference.decision_function`.
    """
    compute = inference.decision_function
    if (
        engine != "numpy"
        and compiled.UNAVAILABLE is None
        and not compiled.uncovered_input(X)
        and not compiled.uncovered_activations(activations)
        and not compiled.uncovered_parameters(coefs, intercepts, X.shape[1])
    ):
        compute = compiled.decision_function
    return compute(coefs, intercepts, activations, X)
