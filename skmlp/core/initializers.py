"""Initial weights and biases."""

import numpy as np


def glorot(random_state, activation, theta):
    r"""Draw every weight and bias from a uniform distribution.

    .. math:: w, b \sim U(-r, r), \quad r = \sqrt{\frac{c}{n_{in} + n_{out}}}

    with c = 6 (Glorot and Bengio's rule), or 2 for the logistic activation.
    Layer by layer, first the weights and then the biases, in float64: the
    order in which scikit-learn draws them.

    Parameters
    ----------
    random_state : RandomState
        Source of the random numbers.

    activation : Activation
        Activation of the hidden layers; its `init_factor` is c.

    theta : Parameters
        Written in place.

    References
    ----------
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep
    feedforward neural networks", AISTATS 2010, equation 16.
    """
    for W, b in zip(theta.coefs, theta.intercepts, strict=True):
        bound = np.sqrt(activation.init_factor / sum(W.shape))
        W[...] = random_state.uniform(-bound, bound, W.shape)
        b[...] = random_state.uniform(-bound, bound, b.shape)
