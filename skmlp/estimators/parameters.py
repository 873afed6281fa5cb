"""The parameters of the estimators, each declared once.

A parameter is a field of a dataclass: its name, type, default value and constraints.
The constructor, `get_params`, the signature and the validation come from the fields.

To add a parameter to both estimators, add a field to `EstimatorParameters`, and its
description to the docstrings of both classes, which a test compares with the fields.
"""

from __future__ import annotations  # signatures show the annotations as written

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

import numpy as np
from numpy.random import RandomState
from numpy.typing import DTypeLike

from skmlp._sklearn import (
    HasAnyMethod,
    HasMethods,
    Hidden,
    Interval,
    Names,
    Options,
    StrOptions,
)
from skmlp.core.activations import HIDDEN_ACTIVATIONS, Activation
from skmlp.core.initializers import INITIALIZERS
from skmlp.core.optimizers import OPTIMIZERS, Optimizer
from skmlp.core.schedules import SCHEDULES
from skmlp.training.averaging import AVERAGES
from skmlp.training.state import HOOKS


def param(*constraints: object, default: Any, kw_only: bool = True) -> Any:
    """Declare a parameter of an estimator.

    Parameters
    ----------
    *constraints : object
        What the value may be, as in scikit-learn's parameter validation.

    default : object
        Default value.

    kw_only : bool, default=True
        Whether the constructor takes it by keyword only.

    Returns
    -------
    field : dataclasses.Field
    """
    return field(
        default=default, kw_only=kw_only, metadata={"constraints": [*constraints]}
    )


@dataclass_transform(eq_default=False, field_specifiers=(param,))
def parameters(cls):
    """Make a dataclass of a class of estimators whose parameters are its fields.

    Parameters
    ----------
    cls : type
        The class. Its fields are added to those of its base classes.

    Returns
    -------
    cls : type
        The same class, with a constructor and `_parameter_constraints`.
    """
    cls = dataclass(eq=False, repr=False)(cls)
    cls._parameter_constraints = {
        f.name: f.metadata["constraints"] for f in fields(cls)
    }
    return cls


# Constraints of the positional parameters, whose order differs between the classes.
HIDDEN_LAYER_SIZES = "array-like", Interval(Integral, 1, None, closed="left")
ACTIVATION = Names(HIDDEN_ACTIVATIONS.keys), "array-like", Activation


@parameters
class EstimatorParameters:
    """The parameters of both estimators that are given by keyword only."""

    # Derived classes declare these parameters, with their own order and default value.
    if TYPE_CHECKING:

        @property
        def hidden_layer_sizes(self) -> Any: ...

        @property
        def activation(self) -> Any: ...

        @property
        def loss(self) -> Any: ...

    _parameter_constraints: ClassVar[dict[str, list]]
    _penalty: ClassVar[str] = "elastic_net"  # a name in PENALTIES

    solver: str | Optimizer = param(
        Names(OPTIMIZERS.keys, "lbfgs"), Optimizer, default="adam"
    )
    alpha: float = param(Interval(Real, 0, None, closed="left"), default=0.0001)
    batch_size: int | str = param(
        StrOptions({"auto", "full"}),
        Interval(Integral, 1, None, closed="left"),
        default="auto",
    )
    learning_rate: str | Callable[[int], float] = param(
        Names(SCHEDULES.keys), callable, default="constant"
    )
    learning_rate_init: float = param(
        Interval(Real, 0, None, closed="neither"), default=0.001
    )
    power_t: float = param(Interval(Real, 0, None, closed="left"), default=0.5)
    max_iter: int = param(Interval(Integral, 1, None, closed="left"), default=200)
    shuffle: bool = param("boolean", default=True)
    random_state: int | RandomState | None = param("random_state", default=None)
    tol: float = param(Interval(Real, 0, None, closed="left"), default=1e-4)
    verbose: bool | int = param("verbose", default=False)
    warm_start: bool = param("boolean", default=False)
    momentum: float = param(Interval(Real, 0, 1, closed="both"), default=0.9)
    nesterovs_momentum: bool = param("boolean", default=True)
    early_stopping: bool = param("boolean", default=False)
    validation_fraction: float = param(Interval(Real, 0, 1, closed="left"), default=0.1)
    beta_1: float = param(Interval(Real, 0, 1, closed="left"), default=0.9)
    beta_2: float = param(Interval(Real, 0, 1, closed="left"), default=0.999)
    epsilon: float = param(Interval(Real, 0, None, closed="neither"), default=1e-8)
    n_iter_no_change: float = param(
        Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf}), default=10
    )
    max_fun: int = param(Interval(Integral, 1, None, closed="left"), default=15000)
    l1_ratio: float = param(Interval(Real, 0, 1, closed="both"), default=0.0)
    output_activation: str = param(default="auto")
    init: str | Callable = param(
        Names(INITIALIZERS.keys, "auto"), callable, default="auto"
    )
    dropout: float | Sequence[float] = param(
        Interval(Real, 0, 1, closed="left"), "array-like", default=0.0
    )
    input_dropout: float = param(Interval(Real, 0, 1, closed="left"), default=0.0)
    batch_norm: bool = param("boolean", default=False)
    batch_norm_momentum: float = param(
        Interval(Real, 0, 1, closed="right"), default=0.1
    )
    batch_norm_epsilon: float = param(
        Interval(Real, 0, None, closed="neither"), default=1e-5
    )
    layer_norm: bool = param("boolean", default=False)
    residual: bool = param("boolean", default=False)
    n_members: int = param(Interval(Integral, 1, None, closed="left"), default=1)
    frozen_layers: Sequence[int] = param("array-like", default=())
    weight_decay: float | None = param(
        None, Interval(Real, 0, None, closed="left"), default=None
    )
    max_norm: float | None = param(
        None, Interval(Real, 0, None, closed="neither"), default=None
    )
    clip_norm: float | None = param(
        None, Interval(Real, 0, None, closed="neither"), default=None
    )
    rho: float = param(Interval(Real, 0, 1, closed="left"), default=0.99)
    momentum_decay: float = param(Interval(Real, 0, None, closed="left"), default=0.004)
    armijo_sigma: float = param(Interval(Real, 0, 1, closed="neither"), default=1e-4)
    armijo_factor: float = param(Interval(Real, 0, 1, closed="neither"), default=0.5)
    search_radius: float = param(Interval(Real, 0, None, closed="neither"), default=0.1)
    decay_rate: float | None = param(
        None, Interval(Real, 0, 1, closed="right"), default=None
    )
    decay_epochs: int = param(Interval(Integral, 1, None, closed="left"), default=10)
    learning_rate_min: float | None = param(
        None, Interval(Real, 0, None, closed="left"), default=None
    )
    warmup_steps: int = param(Interval(Integral, 0, None, closed="left"), default=0)
    min_batches: int = param(Interval(Integral, 1, None, closed="left"), default=1)
    averaging: str | None = param(None, StrOptions(set(AVERAGES)), default=None)
    averaging_decay: float = param(Interval(Real, 0, 1, closed="left"), default=0.9)
    averaging_start: float = param(Interval(Real, 0, 1, closed="left"), default=0.75)
    early_stopping_metric: str | Callable = param(str, callable, default="score")
    callbacks: Any = param(
        None,
        list,
        tuple,
        callable,
        HasAnyMethod([*HOOKS]),
        Hidden(HasMethods("on_fit_task_end")),
        default=None,
    )
    on_interrupt: str = param(StrOptions({"stop", "raise"}), default="stop")
    augment: Callable | None = param(None, callable, default=None)
    dtype: DTypeLike = param(
        None,
        StrOptions({"float32", "float64"}),
        Options(type, {np.float32, np.float64}),
        np.dtype,
        default=None,
    )
    engine: str = param(StrOptions({"auto", "numpy", "compiled"}), default="auto")
