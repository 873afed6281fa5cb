"""Learning rate schedules.

A schedule is a pure function of what the training loop knows; the learning
rate itself lives in the optimizer. It is asked at two moments:

- ``after_epoch(learning_rate, t)``: the rate for the next epoch, when `t`
  training samples have been seen in all;
- ``on_plateau(learning_rate)``: the rate to go on with, when training stopped
  improving, or None to stop.

To add a schedule, write its class here: naming it enters it in `SCHEDULES`.
"""

SCHEDULES: dict = {}
"""Schedules, by name."""


class Schedule:
    """A constant learning rate, and the base class of the other schedules.

    Parameters
    ----------
    learning_rate_init : float
        Initial learning rate.

    power_t : float, default=0.5
        Exponent of the inverse scaling schedule.
    """

    name: str

    def __init_subclass__(cls, name, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.name = name
        SCHEDULES[name] = cls

    def __init__(self, learning_rate_init, power_t=0.5):
        self.learning_rate_init = float(learning_rate_init)
        self.power_t = float(power_t)

    def after_epoch(self, learning_rate, t):
        """Learning rate for the next epoch."""
        return learning_rate

    def on_plateau(self, learning_rate):
        """Learning rate after a plateau, None to stop."""
        return None


class Constant(Schedule, name="constant"):
    """The initial learning rate throughout."""


class InvScaling(Schedule, name="invscaling"):
    """eta = eta_0 / (t + 1)^power_t, with t in samples, at each epoch's end."""

    def after_epoch(self, learning_rate, t):
        return self.learning_rate_init / (t + 1) ** self.power_t


class Adaptive(Schedule, name="adaptive"):
    """Divide by 5 at each plateau; stop once the rate is 1e-6 or less."""

    def on_plateau(self, learning_rate):
        return None if learning_rate <= 1e-6 else learning_rate / 5
