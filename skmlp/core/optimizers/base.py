"""The base class of the optimizers, and their registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from skmlp.core._typing import Array, Proximal

OPTIMIZERS: dict = {}
"""Classes of the optimizers, by name."""

NO_PARAMETERS = np.empty(0)
"""Parameters of an optimizer that only holds hyperparameters."""

# The part of the state that all optimizers have.
_PROGRESS = ("epoch", "learning_rate_init", "base_learning_rate", "learning_rate")


class Optimizer:
    """Base class of the optimizers.

    An optimizer is created for the vector of the parameters that it moves. An
    optimizer that is passed as `solver` to an estimator is a template: training uses
    a new one with the same class and hyperparameters, and does not change the
    template. The learning rate is the `learning_rate_init` of the estimator.

    The class statement of a derived class takes the attributes from `name` to
    `ignored_schedules` as keyword arguments.

    Parameters
    ----------
    learning_rate : float
        Initial step size.

    Attributes
    ----------
    name : str
        Name of the optimizer. With the argument `name`, the class enters
        `OPTIMIZERS`, and the `solver` parameter of the estimators accepts the name.
        Otherwise it is the name of the class.

    hyperparameters : tuple of str
        Parameters of the constructor after `theta` and `learning_rate`. Each is
        stored in the attribute of the same name. With ``solver=name``, those that are
        parameters of the estimator are taken from there, and the others have their
        default values.

    state : tuple of str
        Attributes that the steps change.

    scalars : dict of str to (float, float)
        The entries of `state` that are numbers other than `t`, with the least and the
        greatest valid value of each.

    divisors : tuple of str
        Hyperparameters that must not be zero or infinite in the data type of the
        computation.

    default_weight_decay : float
        The decoupled weight decay that ``weight_decay=None`` stands for.

    ignored_schedules : tuple of str
        Names of the learning rate schedules that the optimizer ignores.

    full_batch : bool
        Whether the optimizer evaluates the objective itself. It then defines `search`
        instead of `step`.

    needs_gradient : bool
        Whether the optimizer uses the gradient.

    draws : bool
        Whether `search` draws random numbers.

    learning_rate_init : float
        Initial step size.

    base_learning_rate : float
        Step size that schedules and callbacks change between epochs.

    learning_rate : float
        Step size of the next step, which the schedule computes from the base.

    t : int
        Number of steps taken.

    epoch : int
        Number of completed epochs.

    stationary : bool
        Whether the last search found no descent from the current parameters.

    Examples
    --------
    A custom optimizer with a hyperparameter of its own:

    >>> import numpy as np
    >>> from skmlp import MLPRegressorScratch
    >>> from skmlp.core.optimizers import NO_PARAMETERS, Optimizer
    >>> class SignDescent(Optimizer, hyperparameters=("threshold",), state=("t",)):
    ...     '''Move each parameter by the learning rate, if its gradient is large.'''
    ...
    ...     def __init__(self, theta=NO_PARAMETERS, learning_rate=0.001, threshold=0.0):
    ...         super().__init__(learning_rate)
    ...         self.threshold = threshold
    ...
    ...     def step(self, theta, grad, work, prox=None):
    ...         self.t += 1
    ...         np.sign(grad, out=work)
    ...         work *= np.abs(grad) > self.threshold
    ...         work *= self.learning_rate
    ...         theta -= work
    ...         if prox is not None:
    ...             prox(theta, self.learning_rate)
    >>> optimizer, theta = SignDescent(learning_rate=0.5, threshold=0.1), np.ones(3)
    >>> optimizer.step(theta, np.array([3.0, 0.01, -2.0]), np.empty(3))
    >>> theta
    array([0.5, 1. , 1.5])
    >>> reg = MLPRegressorScratch(solver=SignDescent(threshold=1e-4), max_iter=500)
    >>> X = np.linspace(-1, 1, 50)[:, np.newaxis]
    >>> reg.fit(X, X.ravel() ** 2).score(X, X.ravel() ** 2) > 0.9
    True
    """

    name: str = "optimizer"
    hyperparameters: tuple[str, ...] = ()
    state: tuple[str, ...] = ("t",)
    scalars: dict[str, tuple[float, float]] = {}
    divisors: tuple[str, ...] = ()
    default_weight_decay: float = 0.0
    ignored_schedules: tuple[str, ...] = ()
    full_batch = False
    needs_gradient = True
    draws = False
    stationary = False

    def __init_subclass__(
        cls,
        name: str | None = None,
        hyperparameters: tuple[str, ...] | None = None,
        state: tuple[str, ...] | None = None,
        scalars: dict[str, tuple[float, float]] | None = None,
        divisors: tuple[str, ...] | None = None,
        default_weight_decay: float = 0.0,
        ignored_schedules: tuple[str, ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = cls.__name__ if name is None else name
        if hyperparameters is not None:
            cls.hyperparameters = tuple(hyperparameters)
            cls.divisors = tuple(divisors or ())
        if state is not None:
            cls.state = tuple(state)
            cls.scalars = dict(scalars or {})
        cls.default_weight_decay = default_weight_decay
        cls.ignored_schedules = ignored_schedules
        if name is not None:
            OPTIMIZERS[name] = cls

    def __new__(cls, *args: Any, **kwargs: Any) -> Optimizer:
        if args and not isinstance(args[0], np.ndarray):
            raise TypeError(
                f"The first argument of {cls.__name__}, theta, must be an ndarray, got "
                f"{args[0]!r}. Pass hyperparameters by keyword."
            )
        return super().__new__(cls)

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = float(learning_rate)
        self.learning_rate_init = self.base_learning_rate = self.learning_rate
        self.t = self.epoch = 0

    def __repr__(self) -> str:
        settings = ", ".join(
            f"{name}={getattr(self, name, None)!r}" for name in self.hyperparameters
        )
        return f"{type(self).__name__}({settings})"

    def for_parameters(self, theta: Array, learning_rate: float) -> Optimizer:
        """Return a new optimizer with the same class and hyperparameters.

        Parameters
        ----------
        theta : ndarray of shape (n_parameters,)
            The parameters that the new optimizer moves.

        learning_rate : float
            Initial step size.

        Returns
        -------
        optimizer : Optimizer
        """
        settings: Any = {name: getattr(self, name) for name in self.hyperparameters}
        cls: Any = type(self)
        return cls(theta, learning_rate, **settings)

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to continue, except for the hyperparameters.

        Returns
        -------
        state : dict of {int, float, ndarray}
            The arrays are those that the steps change, not copies.
        """
        return {name: getattr(self, name) for name in (*_PROGRESS, *self.state)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state. Arrays are copied and keep the current dtype.

        Parameters
        ----------
        state : dict
            A dict that `state_dict` returned, or a part of it.
        """
        for name, value in state.items():
            if isinstance(value, np.ndarray):
                value = value.astype(getattr(self, name).dtype)  # a copy
            setattr(self, name, value)

    def resume(self, other: Optimizer) -> None:
        """Continue from the state of another optimizer of the same class.

        The hyperparameters and the dtype of the arrays do not change, and the other
        optimizer does not change. If the two have different initial learning rates,
        the learning rate starts again.

        Parameters
        ----------
        other : Optimizer
            The other optimizer.
        """
        state = other.state_dict()
        if state.pop("learning_rate_init") != self.learning_rate_init:
            del state["base_learning_rate"], state["learning_rate"]
        self.load_state_dict(state)

    def isfinite(self) -> bool:
        """Return whether the state is finite. Otherwise steps may have no effect."""
        return all(np.isfinite(getattr(self, name)).all() for name in self.state)

    def step(
        self, theta: Array, grad: Array, work: Array, prox: Proximal | None = None
    ) -> None:
        """Move theta along the gradient, in place.

        Parameters
        ----------
        theta : ndarray of shape (n_parameters,)
            The parameters.

        grad, work : ndarray of shape (n_parameters,)
            The gradient, and scratch memory. Both may be overwritten.

        prox : callable, default=None
            The proximal operator ``prox(theta, step)`` of a penalty that is not part
            of the gradient. It is applied with the step size of the gradient, a number
            or an array of the shape of theta, which may be overwritten.
        """
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
        """Move theta to a smaller value of the objective, in place.

        Parameters
        ----------
        theta, grad, work : ndarray of shape (n_parameters,)
            See `step`. `evaluate` and `prox` do not change `grad` and `work`.

        E : float
            The objective at theta, including the whole penalty. `grad` is the gradient
            of this function, not of a multiple of it.

        evaluate : callable
            Returns the objective at the current content of theta.

        prox : callable, default=None
            See `step`.

        rng : numpy.random.Generator, default=None
            Random numbers, if `draws`.

        Returns
        -------
        E : float
            The objective at the new theta.
        """
        raise NotImplementedError


def find_optimizer(solver: object) -> type[Optimizer] | None:
    """Return the class of a solver.

    Parameters
    ----------
    solver : str or Optimizer
        A name, or a template.

    Returns
    -------
    cls : type or None
        None if the name is not one of an optimizer.
    """
    if isinstance(solver, Optimizer):
        return type(solver)
    return OPTIMIZERS.get(solver)
