"""Which engine trains a network."""

from skmlp import compiled
from skmlp.training.engine import NumpyEngine


def choose_engine(engine, network, optimizer, X, augment):
    """The class of the engine that a fit runs on.

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
    cls : type
        `NumpyEngine`, or `CompiledEngine`.

    Raises
    ------
    ValueError
        If the engine is to be 'compiled', and cannot be.
    """
    if engine == "numpy":
        return NumpyEngine
    if compiled.UNAVAILABLE is not None:
        if engine == "auto":
            return NumpyEngine
        raise ValueError(
            f"engine='compiled' is not installed: {compiled.UNAVAILABLE}. With a C "
            "compiler on this machine, install skmlp again; or set engine='auto' or "
            "engine='numpy'."
        )
    reasons = compiled.uncovered(network, optimizer, X, augment)
    if not reasons:
        return compiled.CompiledEngine
    if engine == "auto":
        return NumpyEngine
    raise ValueError(
        f"engine='compiled' does not cover {', '.join(reasons)}. Set engine='auto' or "
        "engine='numpy'."
    )
