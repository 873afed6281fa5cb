"""Learning rate schedules.

A schedule computes the learning rate from the state of the training. The optimizer
stores two learning rates: the base rate `level`, which changes between epochs, and the
rate of the next step. A schedule has three methods:

- ``at_step(level, step, position)`` returns the rate of the next step if the base
  rate is `level`, after `step` steps. It is called for each step if ``per_step`` is
  true. `position` is the position in the epochs: the number of the epoch, from 0, times
  ``steps_per_epoch``, plus the number of the batch in the epoch. The two differ if
  epochs have different lengths, as in `partial_fit`.
- ``after_epoch(level, t)`` returns the base rate of the next epoch, after `t` training
  samples in total.
- ``on_plateau(level)`` returns the base rate after training stopped improving, or None
  to stop training.

To add a schedule, derive a class from `Schedule` and give it a name, which enters it in
`SCHEDULES`. It defines `after_epoch`, `on_plateau`, or `rate`, which is `at_step`
without the warm-up.
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

    Each schedule can begin with a linear warm-up, which multiplies the learning rate by

    .. math:: \min(1, (k + 1) / n_\text{warmup})

    in step k = 0, 1, 2, ...

    The class statement of a derived class takes `name` and `hyperparameters` as keyword
    arguments.

    Parameters
    ----------
    learning_rate_init : float
        Initial learning rate.

    warmup_steps : int, default=0
        Number of steps of the warm-up.

    steps_per_epoch : int, default=1
        Number of steps of an epoch.

    total_steps : int, default=1
        Number of steps after which the cosine and the one-cycle schedule end.

    **hyperparameters : float or None
        Values of the hyperparameters. For None, the default value of the class is used.

    Attributes
    ----------
    name : str
        Value of the `learning_rate` parameter of the estimators.

    hyperparameters : tuple of str
        Parameters of the estimators that the schedule uses. The class has an attribute
        for each, which is its default value.

    ends : bool
        Whether the schedule ends after `total_steps`.

    stopping_message : str
        Printed when `on_plateau` returns None.

    Raises
    ------
    TypeError
        If a hyperparameter is not one of the class.

    References
    ----------
    P. Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1
    hour", 2017, arXiv:1706.02677, section 2.2, for the warm-up.
    """

    name: str = "schedule"
    hyperparameters: tuple[str, ...] = ()
    ends = False
    stopping_message = "Stopping."

    def __init_subclass__(
        cls,
        name: str | None = None,
        hyperparameters: tuple[str, ...] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        if hyperparameters is not None:
            cls.hyperparameters = tuple(hyperparameters)
        if name is not None:
            cls.name = name
            SCHEDULES[name] = cls

    def __init__(
        self,
        learning_rate_init: float,
        *,
        warmup_steps: int = 0,
        steps_per_epoch: int = 1,
        total_steps: int = 1,
        **hyperparameters: float | None,
    ) -> None:
        self.learning_rate_init = float(learning_rate_init)
        self.warmup_steps = warmup_steps
        self.steps_per_epoch = steps_per_epoch
        self.total_steps = total_steps
        for name, value in hyperparameters.items():
            if name not in self.hyperparameters:
                raise TypeError(
                    f"{type(self).__name__} has no hyperparameter {name!r}; it has "
                    f"{list(self.hyperparameters)}."
                )
            if value is not None:
                setattr(self, name, value)

    @property
    def per_step(self) -> bool:
        """Whether `at_step` can differ from the level."""
        return self.warmup_steps > 0 or type(self).rate is not Schedule.rate

    def at_step(self, level: float, step: int, position: int | None = None) -> float:
        """Return the learning rate of a step. `position` is `step` if it is None."""
        rate = self.rate(level, step, step if position is None else position)
        if step < self.warmup_steps:
            rate *= (step + 1) / self.warmup_steps
        return rate

    def rate(self, level: float, step: int, position: int) -> float:
        """Return the learning rate of a step, without the warm-up."""
        return level

    def after_epoch(self, level: float, t: int) -> float:
        """Return the base learning rate of the next epoch."""
        return level

    def on_plateau(self, level: float) -> float | None:
        """Return the base learning rate after a plateau, or None to stop."""
        return None


class Constant(Schedule, name="constant"):
    """The initial learning rate in all epochs."""


class InvScaling(Schedule, name="invscaling", hyperparameters=("power_t",)):
    """eta = eta_0 / (t + 1)^power_t after each epoch, with t in samples."""

    power_t = 0.5

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


class Plateau(
    Schedule, name="plateau", hyperparameters=("decay_rate", "learning_rate_min")
):
    """Multiply by `decay_rate` at each plateau; stop at `learning_rate_min` or less.

    With the default values, the rates are equal to those of `Adaptive`, bit for bit.
    """

    decay_rate = 0.2
    learning_rate_min = 1e-6
    stopping_message = Adaptive.stopping_message

    def on_plateau(self, level: float) -> float | None:
        if level <= self.learning_rate_min:
            return None
        return level / (1 / self.decay_rate)  # 1 / 0.2 is exactly 5


class Step(Schedule, name="step", hyperparameters=("decay_rate", "decay_epochs")):
    """eta = level decay_rate^floor(epoch / decay_epochs), where epoch = 0, 1, ..."""

    decay_rate = 0.1
    decay_epochs = 10

    def rate(self, level: float, step: int, position: int) -> float:
        epoch = position // self.steps_per_epoch
        return level * self.decay_rate ** (epoch // self.decay_epochs)


class Exponential(Schedule, name="exponential", hyperparameters=("decay_rate",)):
    """eta = level decay_rate^epoch, where epoch = 0, 1, 2, ..."""

    decay_rate = 0.95

    def rate(self, level: float, step: int, position: int) -> float:
        return level * self.decay_rate ** (position // self.steps_per_epoch)


def half_cosine(start: float, end: float, fraction: float) -> float:
    """Return a value between start and end: half a period of a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * fraction)) / 2


class Cosine(Schedule, name="cosine", hyperparameters=("learning_rate_min",)):
    """Half a cosine from the level to `learning_rate_min`, and constant after that.

    If the level is less than `learning_rate_min`, it does not change.

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm
    restarts", ICLR 2017, equation 5, without restarts.
    """

    learning_rate_min = 0.0
    ends = True

    def rate(self, level: float, step: int, position: int) -> float:
        end = min(self.learning_rate_min, level)
        return half_cosine(level, end, min(1, position / self.total_steps))


class OneCycle(Schedule, name="one_cycle"):
    """From 1/25 of the level up to the level, and down to 1e-4 of the first rate.

    Both parts are half a cosine. The first part takes 30 % of the steps. After the last
    step, the rate is constant.

    References
    ----------
    L. Smith and N. Topin, "Super-convergence: very fast training of neural
    networks using large learning rates", 2017, arXiv:1708.07120. The constants
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
    """A user's function of the number of the step.

    Its values are multiplied by the ratio of the level to the initial learning rate.

    Parameters
    ----------
    function : callable
        Returns the learning rate of a step, given the number of the step, from 0.

    learning_rate_init, **options
        See `Schedule`.

    Raises
    ------
    ValueError
        In `rate`, if the function returns something other than a finite number >= 0.
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
    """Return the schedule that a solver uses.

    Parameters
    ----------
    solver : str or Optimizer
        Name of the solver, or an optimizer.

    learning_rate : str or callable
        See `make_schedule`.

    Returns
    -------
    learning_rate : str or callable
        'constant' instead of a schedule that the solver ignores: 'adam' ignores
        'adaptive' and 'invscaling', as in scikit-learn.

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
    """Return a schedule for a name or a function of the step.

    Parameters
    ----------
    learning_rate : str or callable
        A name in `SCHEDULES`, or the argument of `FunctionSchedule`.

    learning_rate_init, **options
        See `Schedule`.

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
