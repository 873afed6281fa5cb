r"""Initial weights and biases.

An initializer is a function ``init(shape, random_state)`` that returns the initial
weights of a layer, an array of the shape :math:`(n_{in}, n_{out})`. `INITIALIZERS` has
the initializers of the package by name. The estimators also accept your own:

>>> import numpy as np
>>> from skmlp.core.initializers import initialize
>>> from skmlp.core.parameters import Parameters
>>> def sparse(shape, random_state):
...     return random_state.standard_normal(shape) * (random_state.rand(*shape) < 0.1)
>>> theta = Parameters([100, 50, 1])
>>> initialize(theta, sparse, np.random.RandomState(0))
>>> round(float(np.mean(theta.weights != 0)), 1)
0.1

Initializers draw in float64 for both data types of the parameters. Normal distributions
are not truncated. The biases are zero, as in Keras. Only "auto", which is not an
initializer in this sense, draws the biases as well.
"""

from collections.abc import Sequence

import numpy as np

from skmlp.core._typing import Array, Initializer
from skmlp.core.parameters import Parameters

__all__ = [
    "INITIALIZERS",
    "auto",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "initialize",
    "lecun_normal",
    "normal",
    "orthogonal",
]

INITIALIZERS: dict = {}
"""Initializers by name, without "auto"."""


def initialize(
    theta: Parameters,
    init: str | Initializer,
    random_state: np.random.RandomState,
    init_factors: Sequence[float] | None = None,
    n_members: int = 1,
) -> None:
    """Write initial weights and biases into the parameters.

    Parameters
    ----------
    theta : Parameters
        Written in place.

    init : str or callable
        "auto" for :func:`auto`, a name from `INITIALIZERS`, or an initializer.

    random_state : RandomState
        Source of the random numbers.

    init_factors : list of float, default=None
        For "auto", which needs them: the `init_factor` of an activation for each layer.

    n_members : int, default=1
        Number of members of an ensemble. The last layer has the weights of all of them
        side by side, which are drawn one member after the other.
    """
    *coefs, W_out = theta.coefs
    *intercepts, b_out = theta.intercepts
    coefs += np.split(W_out, n_members, axis=1)
    intercepts += np.split(b_out, n_members)
    if isinstance(init, str) and init == "auto":
        assert init_factors is not None
        init_factors = [*init_factors, *[init_factors[-1]] * (n_members - 1)]
        auto(coefs, intercepts, init_factors, random_state)
        return
    function = INITIALIZERS[init] if isinstance(init, str) else init
    for l, W in enumerate(coefs, start=1):
        values = np.asarray(function(W.shape, random_state))
        if values.shape != W.shape:
            raise ValueError(
                f"init={init!r} must return the weights of layer {l} as an array of "
                f"shape {W.shape}, got one of shape {values.shape}."
            )
        if values.dtype.kind not in "biuf":
            raise ValueError(
                f"init={init!r} must return real numbers as the weights of layer {l}, "
                f"got an array of dtype {values.dtype}."
            )
        with np.errstate(over="ignore"):
            W[...] = values
        if not np.isfinite(W).all():
            raise ValueError(
                f"init={init!r} must return weights of layer {l} that are finite in "
                f"{W.dtype}, got {values[~np.isfinite(W)][0]}."
            )
    for b in intercepts:
        b[...] = 0


def auto(
    coefs: Sequence[Array],
    intercepts: Sequence[Array],
    init_factors: Sequence[float],
    random_state: np.random.RandomState,
) -> None:
    r"""Draw all weights and biases from a uniform distribution.

    .. math:: w, b \sim U(-r, r), \quad r = \sqrt{\frac{c}{n_{in} + n_{out}}}

    with c = 6 (the rule of Glorot and Bengio), or c = 2 for the logistic activation.
    They are drawn in the order of scikit-learn: layer by layer, first the weights and
    then the biases, in float64.

    Parameters
    ----------
    coefs, intercepts : list of ndarray
        Weights and biases of each layer, written in place.

    init_factors : list of float
        The factor c of each layer.

    random_state : RandomState
        Source of the random numbers.

    References
    ----------
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep
    feedforward neural networks", AISTATS 2010, equation 16.
    """
    for W, b, c in zip(coefs, intercepts, init_factors, strict=True):
        bound = np.sqrt(c / sum(W.shape))
        W[...] = random_state.uniform(-bound, bound, W.shape)
        b[...] = random_state.uniform(-bound, bound, b.shape)


def _initializer(function: Initializer) -> Initializer:
    """Register a function in `INITIALIZERS` by its name."""
    INITIALIZERS[function.__name__] = function
    return function


@_initializer
def glorot_uniform(
    shape: tuple[int, int], random_state: np.random.RandomState
) -> Array:
    r"""Draw from :math:`U(-r, r)` with :math:`r = \sqrt{6 / (n_{in} + n_{out})}`.

    Glorot and Bengio (2010), equation 16, for activations such as tanh.
    """
    bound = np.sqrt(6 / sum(shape))
    return random_state.uniform(-bound, bound, shape)


@_initializer
def glorot_normal(shape: tuple[int, int], random_state: np.random.RandomState) -> Array:
    r"""Draw from :math:`N(0, 2 / (n_{in} + n_{out}))`.

    Glorot and Bengio (2010), equation 12, for activations such as tanh.
    """
    return random_state.normal(0, np.sqrt(2 / sum(shape)), shape)


@_initializer
def he_uniform(shape: tuple[int, int], random_state: np.random.RandomState) -> Array:
    r"""Draw from :math:`U(-r, r)` with :math:`r = \sqrt{6 / n_{in}}`.

    It has the variance of `he_normal`.
    """
    bound = np.sqrt(6 / shape[0])
    return random_state.uniform(-bound, bound, shape)


@_initializer
def he_normal(shape: tuple[int, int], random_state: np.random.RandomState) -> Array:
    r"""Draw from :math:`N(0, 2 / n_{in})`, for activations such as the ReLU.

    K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers", ICCV
    2015, equation 10.
    """
    return random_state.normal(0, np.sqrt(2 / shape[0]), shape)


@_initializer
def lecun_normal(shape: tuple[int, int], random_state: np.random.RandomState) -> Array:
    r"""Draw from :math:`N(0, 1 / n_{in})`, for the SELU.

    Y. LeCun, L. Bottou, G. Orr and K.-R. Mueller, "Efficient BackProp", 1998,
    equation 16.
    """
    return random_state.normal(0, np.sqrt(1 / shape[0]), shape)


@_initializer
def orthogonal(shape: tuple[int, int], random_state: np.random.RandomState) -> Array:
    r"""Draw a matrix with orthonormal columns or, if it is wide, rows.

    :math:`W^T W = I` if :math:`n_{in} \ge n_{out}`, else :math:`W W^T = I`.

    A. Saxe, J. McClelland and S. Ganguli, "Exact solutions to the nonlinear
    dynamics of learning in deep linear neural networks", ICLR 2014; the signs
    are from F. Mezzadri, "How to generate random matrices from the classical
    compact groups", Notices of the AMS 54, 2007, section 5.
    """
    tall = shape[0] >= shape[1]
    Q, R = np.linalg.qr(random_state.normal(size=shape if tall else shape[::-1]))
    # Without a rule for the signs, Q would not be uniformly distributed.
    Q *= np.copysign(1, np.diag(R))
    return Q if tall else Q.T


@_initializer
def normal(shape: tuple[int, int], random_state: np.random.RandomState) -> Array:
    r"""Draw from :math:`N(0, 0.01^2)`, independent of the size of the layer."""
    return random_state.normal(0, 0.01, shape)
