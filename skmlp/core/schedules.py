"""Learning rate schedules.

A schedule is a pure function of what the training loop knows; the learning
rate itself lives in the optimizer, as a base rate, or level, that changes
between epochs, and the rate of the next step. The schedule is asked at three
moments:

- ``at_step(level, step, position)``: the rate of the next step while the base
  rate is `level`, after `step` steps; it need not be asked unless ``per_step``.
  `position` is where that is in the epochs: the number of the epoch, from 0, times
  ``steps_per_epoch``, and the number of the batch in it. The two differ where
  epochs are not equally long, as under `partial_fit`;
- ``after_epoch(level, t)``: the base rate for the next epoch, when `t` training
  samples have been seen in all;
- ``on_plateau(level)``: the base rate to go on with, when training stopped
  improving, or None to stop.

To add a schedule, write its class here: naming it enters it in `SCHEDULES`. It
defines `after_epoch`, `on_plateau`, or `rate`, which is `at_step` before the
warm-up.
"""

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

from skmlp.core.optimizers.base import Optimizer, find_optimizer

__all__ = [
    "SCHEDULES",
    "Adaptive",
    "Constant",
    "Cosine",
    "Exponential",
    "FunctionSchedule",
    "InvScaling",
    "OneCycle",
    "Plateau",
    "Schedule",
    "Step",
]

SCHEDULES: dict = {}
"""Schedules, by name."""


class Schedule:
    r"""A constant learning rate, and the base class of the other schedules.

    Each of them can begin with a linear warm-up, a factor of

    .. math:: \min(1, (k + 1) / n_\text{warmup})

    in step k = 0, 1, 2, ...

    Parameters
    ----------
    learning_rate_init : float
        Initial learning rate.

    power_t : float, default=0.5
        Exponent of the inverse scaling schedule.

    decay_rate : float, default=None
        Factor of the step, the exponential and the plateau schedule; None for the
        class's own.

    decay_epochs : int, default=10
        Epochs between two steps of the step schedule.

    learning_rate_min : float, default=None
        Last rate of the cosine schedule, and rate at which the plateau schedule
        stops training; None for the class's own.

    warmup_steps : int, default=0
        Number of steps of the warm-up.

    steps_per_epoch : int, default=1
        Number of steps of an epoch.

    total_steps : int, default=1
        Number of steps until the cosine and the one-cycle schedule end.

    References
    ----------
    P. Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1
    hour", 2017, arXiv:1706.02677, section 2.2, for the warm-up.
    """

    name: str
    decay_rate = 1.0
    learning_rate_min = 0.0
    ends = False  # whether it is over after `total_steps`
    stopping_message = "Stopping."  # printed when `on_plateau` returns None

    def __init_subclass__(cls, name: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if name is not None:
            cls.name = name
            SCHEDULES[name] = cls

    def __init__(
        self,
        learning_rate_init: float,
        *,
        power_t: float = 0.5,
        decay_rate: float | None = None,
        decay_epochs: int = 10,
        learning_rate_min: float | None = None,
        warmup_steps: int = 0,
        steps_per_epoch: int = 1,
        total_steps: int = 1,
    ) -> None:
        self.learning_rate_init = float(learning_rate_init)
        self.power_t = float(power_t)
        if decay_rate is not None:
            self.decay_rate = float(decay_rate)
        self.decay_epochs = decay_epochs
        if learning_rate_min is not None:
            self.learning_rate_min = float(learning_rate_min)
        self.warmup_steps = warmup_steps
        self.steps_per_epoch = steps_per_epoch
        self.total_steps = total_steps

    @property
    def per_step(self) -> bool:
        """Whether `at_step` can differ from the level."""
        return self.warmup_steps > 0 or type(self).rate is not Schedule.rate

    def at_step(self, level: float, step: int, position: int | None = None) -> float:
        """Learning rate of a step; `position` is `step` unless it is given."""
        rate = self.rate(level, step, step if position is None else position)
        if step < self.warmup_steps:
            rate *= (step + 1) / self.warmup_steps
        return rate

    def rate(self, level: float, step: int, position: int) -> float:
        """Learning rate of a step, but for the warm-up."""
        return level

    def after_epoch(self, level: float, t: int) -> float:
        """Base learning rate for the next epoch."""
        return level

    def on_plateau(self, level: float) -> float | None:
        """Base learning rate after a plateau, None to stop."""
        return None


class Constant(Schedule, name="constant"):
    """The initial learning rate throughout."""


class InvScaling(Schedule, name="invscaling"):
    """eta = eta_0 / (t + 1)^power_t, with t in samples, at each epoch's end."""

    def after_epoch(self, level: float, t: int) -> float:
        try:
            return self.learning_rate_init / (t + 1) ** self.power_t
        except OverflowError:
            return 0.0


class Adaptive(Schedule, name="adaptive"):
    """Divide by 5 at each plateau; stop once the rate is 1e-6 or less."""

    stopping_message = "Learning rate too small. Stopping."

    def on_plateau(self, level: float) -> float | None:
        return None if level <= 1e-6 else level / 5


class Plateau(Schedule, name="plateau"):
    """Multiply by `decay_rate` at each plateau; stop at `learning_rate_min` or less.

    With the default parameters the rates are those of `Adaptive`, to the last bit.
    """

    decay_rate = 0.2
    learning_rate_min = 1e-6
    stopping_message = Adaptive.stopping_message

    def on_plateau(self, level: float) -> float | None:
        if level <= self.learning_rate_min:
            return None
        return level / (1 / self.decay_rate)  # 1 / 0.2 is exactly 5


class Step(Schedule, name="step"):
    """eta = level decay_rate^floor(epoch / decay_epochs), with the epochs from 0."""

    decay_rate = 0.1

    def rate(self, level: float, step: int, position: int) -> float:
        epoch = position // self.steps_per_epoch
        return level * self.decay_rate ** (epoch // self.decay_epochs)


class Exponential(Schedule, name="exponential"):
    """eta = level decay_rate^epoch, with the epochs from 0."""

    decay_rate = 0.95

    def rate(self, level: float, step: int, position: int) -> float:
        return level * self.decay_rate ** (position // self.steps_per_epoch)


def half_cosine(start: float, end: float, fraction: float) -> float:
    """From start to end, as the cosine goes from 1 to -1."""
    return end + (start - end) * (1 + math.cos(math.pi * fraction)) / 2


class Cosine(Schedule, name="cosine"):
    """Half a cosine from the level to the least rate, where it stays.

    A level that is less than the least rate stays as it is.

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm
    restarts", ICLR 2017, equation 5, without restarts.
    """

    ends = True

    def rate(self, level: float, step: int, position: int) -> float:
        end = min(self.learning_rate_min, level)
        return half_cosine(level, end, min(1, position / self.total_steps))


class OneCycle(Schedule, name="one_cycle"):
    """Up to the level from its 25th part, and down to 1e-4 of that part.

    Both by half a cosine. The way up takes 30 % of the steps, and the rate of
    the last step stays.

    References
    ----------
    L. Smith and N. Topin, "Super-convergence: very fast training of neural
    networks using large learning rates", 2017, arXiv:1708.07120; the numbers
    are those of PyTorch's OneCycleLR.
    """

    ends = True

    def rate(self, level: float, step: int, position: int) -> float:
        start, top, last = level / 25, 0.3 * self.total_steps - 1, self.total_steps - 1
        if position <= top:
            return half_cosine(start, level, position / top)
        position = min(position, last)
        return half_cosine(level, start / 1e4, (position - top) / (last - top))


class FunctionSchedule(Schedule):
    """A function of the number of the step, given by the user.

    A level other than the initial learning rate scales it.

    Parameters
    ----------
    function : callable
        Takes the number of the step, from 0, and returns its learning rate.

    learning_rate_init, **options
        As of `Schedule`.
    """

    def __init__(
        self,
        function: Callable[[int], float],
        learning_rate_init: float,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate_init, **options)
        self.function = function

    def rate(self, level: float, step: int, position: int) -> float:
        rate = self.function(step)
        if not isinstance(rate, Real) or not 0 <= float(rate) < math.inf:
            raise ValueError(
                "learning_rate, as a function of the step, must return a finite real "
                f"number that is at least 0: for step {step} it returned {rate!r}."
            )
        return float(rate) * (level / self.learning_rate_init)


def followed_by(
    solver: str | Optimizer, learning_rate: str | Callable[[int], float]
) -> str | Callable[[int], float]:
    """Return the schedule that a solver follows, which may ignore the one it is given.

    Parameters
    ----------
    solver : str or Optimizer
        Name of the solver, or an optimizer.

    learning_rate : str or callable
        As of `make_schedule`.

    Returns
    -------
    learning_rate : str or callable
        'constant' for a schedule that the solver ignores: 'adam' ignores 'adaptive'
        and 'invscaling', as in scikit-learn.

    Examples
    --------
    >>> from skmlp.core.schedules import followed_by
    >>> [followed_by(solver, "adaptive") for solver in ("sgd", "adam", "adamw")]
    ['adaptive', 'constant', 'adaptive']
    """
    optimizer = find_optimizer(solver)
    ignored = () if optimizer is None else optimizer.ignored_schedules
    if isinstance(learning_rate, str) and learning_rate in ignored:
        return "constant"
    return learning_rate


def make_schedule(
    learning_rate: str | Callable[[int], float],
    learning_rate_init: float,
    **options: Any,
) -> Schedule:
    """A schedule, by its name or as a function of the step.

    Parameters
    ----------
    learning_rate : str or callable
        A name in `SCHEDULES`, or what `FunctionSchedule` takes.

    learning_rate_init, **options
        As of `Schedule`.

    Returns
    -------
    schedule : Schedule

    Examples
    --------
    >>> from skmlp.core.schedules import make_schedule
    >>> schedule = make_schedule("step", 0.5, decay_epochs=2, warmup_steps=2)
    >>> [round(schedule.at_step(0.5, step), 3) for step in range(6)]
    [0.25, 0.5, 0.05, 0.05, 0.005, 0.005]
    >>> make_schedule(lambda step: 1 / (step + 1), 0.5).at_step(0.5, 3)
    0.25
    """
    if callable(learning_rate):
        return FunctionSchedule(learning_rate, learning_rate_init, **options)
    return SCHEDULES[learning_rate](learning_rate_init, **options)
