"""The base class of the optimizers, and their registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from skmlp.core._typing import Array, Proximal

OPTIMIZERS: dict = {}
"""Optimizers, by name."""

# What every optimizer has to go on from.
_PROGRESS = ("epoch", "learning_rate_init", "base_learning_rate", "learning_rate")


class Optimizer:
    """Base class of the optimizers.

    Parameters
    ----------
    learning_rate : float
        Step size to begin with.

    Attributes
    ----------
    name : str
        What the `solver` parameter of the estimators calls it.

    hyperparameters : tuple of str
        Estimator parameters that the constructor takes after `theta` and
        `learning_rate`.

    state : tuple of str
        Attributes that the steps change.

    scalars : dict of str to (float, float)
        Those of `state` that are numbers other than `t`, with the least and the
        greatest valid value of each.

    full_batch : bool
        Whether it evaluates the objective by itself, and so has `search`
        instead of `step`.

    needs_gradient : bool
        Whether it looks at the gradient.

    draws : bool
        Whether `search` draws random numbers.

    default_weight_decay : float
        The decoupled weight decay that ``weight_decay=None`` stands for.

    ignored_schedules : tuple of str
        Names of learning rate schedules that the solver ignores.

    learning_rate_init : float
        Step size to begin with.

    base_learning_rate : float
        Step size that changes between epochs, by a schedule or a callback.

    learning_rate : float
        Step size of the next step: what a schedule makes of the base.

    t : int
        Number of steps taken.

    epoch : int
        Number of epochs done.

    stationary : bool
        Whether the last search found that there is no way down from here.
    """

    name: str
    hyperparameters: tuple[str, ...]
    state: tuple[str, ...]
    scalars: dict[str, tuple[float, float]]
    full_batch = False
    needs_gradient = True
    draws = False
    default_weight_decay: float
    ignored_schedules: tuple[str, ...]
    stationary = False

    def __init_subclass__(
        cls,
        name: str,
        hyperparameters: tuple[str, ...],
        state: tuple[str, ...],
        scalars: dict[str, tuple[float, float]] | None = None,
        default_weight_decay: float = 0.0,
        ignored_schedules: tuple[str, ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        cls.name, cls.hyperparameters, cls.state = name, hyperparameters, state
        cls.scalars = scalars or {}
        cls.default_weight_decay = default_weight_decay
        cls.ignored_schedules = ignored_schedules
        OPTIMIZERS[name] = cls

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = float(learning_rate)
        self.learning_rate_init = self.base_learning_rate = self.learning_rate
        self.t = self.epoch = 0

    def state_dict(self) -> dict[str, Any]:
        """What it takes to go on from here, but for the hyperparameters.

        Returns
        -------
        state : dict of {int, float, ndarray}
            The arrays are those that the steps change, and not copies.
        """
        return {name: getattr(self, name) for name in (*_PROGRESS, *self.state)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state; arrays are copied, into the dtype that there is.

        Parameters
        ----------
        state : dict
            As from `state_dict`, or a part of it.
        """
        for name, value in state.items():
            if isinstance(value, np.ndarray):
                value = value.astype(getattr(self, name).dtype)  # a copy
            setattr(self, name, value)

    def resume(self, other: Optimizer) -> None:
        """Go on from where another optimizer of this kind has got to.

        It is left as it is; this one has its state, but hyperparameters of its
        own, and arrays of its own dtype. A learning rate that began with another
        value begins anew.
        """
        state = other.state_dict()
        if state.pop("learning_rate_init") != self.learning_rate_init:
            del state["base_learning_rate"], state["learning_rate"]
        self.load_state_dict(state)

    def isfinite(self) -> bool:
        """Whether what it remembers is finite; if not, it may not move again."""
        return all(np.isfinite(getattr(self, name)).all() for name in self.state)

    def step(
        self, theta: Array, grad: Array, work: Array, prox: Proximal | None = None
    ) -> None:
        """Move theta along the gradient, in place."""
        raise NotImplementedError

    def search(
        self,
        theta: Array,
        grad: Array,
        E: float,
        evaluate: Callable[[], float],
        work: Array,
        prox: Proximal | None = None,
        rng: np.random.Generator | None = None,
    ) -> float:
        """Move theta to where the objective is smaller, in place.

        Parameters
        ----------
        theta, grad, work : ndarray of shape (n_parameters,)
            As of `step`; `evaluate` and `prox` leave the latter two alone.

        E : float
            The objective at theta, with all of the penalty. It is the function
            that `grad` is the gradient of, and not a multiple.

        evaluate : callable
            Returns the objective at what theta holds by then.

        prox : callable, default=None
            As of `step`.

        rng : numpy.random.Generator, default=None
            For searches that draw.

        Returns
        -------
        E : float
            The objective at the theta it leaves.
        """
        raise NotImplementedError
