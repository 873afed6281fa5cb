r"""Averages of the weights over epochs.

.. math:: \bar{\theta}_t = \bar{\theta}_{t-1} + c_t (\theta_t - \bar{\theta}_{t-1})

with the weights :math:`\theta_t` after epoch t of the average. The coefficient is

- :math:`c_t = 1 / t` of 'swa', stochastic weight averaging: the mean of the weights;
- :math:`c_t = (1 - d) / (1 - d^t)` of 'ema', the exponential moving average with decay
  d. The denominator corrects the bias towards the first weights.

References
----------
P. Izmailov, D. Podoprikhin, T. Garipov, D. Vetrov and A. G. Wilson, "Averaging weights
leads to wider optima and better generalization", UAI 2018.

B. T. Polyak and A. B. Juditsky, "Acceleration of stochastic approximation by
averaging", SIAM Journal on Control and Optimization 30, 1992.
"""

from skmlp.core.parameters import Parameters

AVERAGES = ("ema", "swa")
"""Values of the parameter `averaging` of the estimators."""


class WeightAverage:
    """The average of the weights at the ends of epochs.

    Parameters
    ----------
    kind : {'ema', 'swa'}
        Exponential moving average, or mean.

    decay : float
        Decay d of 'ema' in an epoch, in [0, 1).

    first_epoch : int
        The first epoch of the average, from 1.

    theta : Parameters
        Parameters of the same layout. They are not changed.

    Attributes
    ----------
    theta : Parameters
        The average, with that of the running statistics of batch normalization.

    n_epochs : int
        Number of epochs of the average. If it is zero, there is no average yet.
    """

    def __init__(
        self, kind: str, decay: float, first_epoch: int, theta: Parameters
    ) -> None:
        self.kind = kind
        self.decay = float(decay)
        self.first_epoch = first_epoch
        self.theta = theta.zeros_like()
        self.n_epochs = 0

    def update(self, theta: Parameters, epoch: int) -> None:
        """Include the weights after an epoch.

        Parameters
        ----------
        theta : Parameters
            The weights.

        epoch : int
            Number of the epoch, from 1.
        """
        if epoch < self.first_epoch:
            return
        self.n_epochs += 1
        c = 1 / self.n_epochs
        if self.kind == "ema":
            c = (1 - self.decay) / (1 - self.decay**self.n_epochs)
        for average, values in (
            (self.theta.flat, theta.flat),
            (self.theta.running, theta.running),
        ):
            average += c * (values - average)


def kept(theta: Parameters, average: WeightAverage | None) -> Parameters:
    """Return the parameters that training returns if it ends now.

    Parameters
    ----------
    theta : Parameters
        The parameters.

    average : WeightAverage or None
        Their average over epochs, if any.

    Returns
    -------
    kept : Parameters
        The average, or `theta` if it has no epochs.
    """
    return theta if average is None or average.n_epochs == 0 else average.theta
