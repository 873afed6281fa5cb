"""Construction of the objects of `skmlp.core` from the parameters of an estimator.

The functions check the conditions that the constraints of single parameters cannot
express. Their errors name the parameter.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence, Set
from contextlib import nullcontext
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from skmlp._sklearn import validate_parameter_constraints
from skmlp.callbacks.base import FunctionCallback
from skmlp.core import schedules
from skmlp.core._typing import Array
from skmlp.core.activations import ACTIVATIONS, HIDDEN_ACTIVATIONS, Activation
from skmlp.core.initializers import initialize
from skmlp.core.losses import LOSSES, Loss
from skmlp.core.network import Network
from skmlp.core.optimizers import OPTIMIZERS, Optimizer
from skmlp.core.optimizers.base import find_optimizer
from skmlp.core.parameters import Layout, Parameters
from skmlp.core.penalties import PENALTIES, Penalty
from skmlp.core.schedules import SCHEDULES, Schedule
from skmlp.estimators.engines import one_blas_thread
from skmlp.estimators.parameters import EstimatorParameters
from skmlp.layers import make_mlp
from skmlp.training.averaging import WeightAverage
from skmlp.training.state import HOOKS

# Parameters that L-BFGS does not support, with the value that disables them.
_FIRST_ORDER_ONLY = {
    "dropout": 0,
    "input_dropout": 0,
    "batch_norm": False,
    "weight_decay": 0,
    "max_norm": None,
    "clip_norm": None,
    "augment": None,
    "callbacks": None,
    "averaging": None,
}


def check_solver(estimator: EstimatorParameters, has_validation: bool) -> None:
    """Raise if parameters are set that the solver does not support.

    Parameters of scikit-learn's MLP that its L-BFGS ignores are ignored.
    """
    if isinstance(estimator.solver, Optimizer):
        _check_template(estimator.solver, estimator._parameter_constraints)
    if estimator.solver != "lbfgs":
        return
    if has_validation:
        raise ValueError(
            "X_val and y_val need a first-order solver, such as 'adam', got "
            "solver='lbfgs'."
        )
    for name, off in _FIRST_ORDER_ONLY.items():
        value = getattr(estimator, name)
        if value is not None and value is not off and np.any(np.asarray(value) != off):
            raise ValueError(
                f"{name}={value!r} needs a first-order solver, such as 'adam'; "
                f"solver='lbfgs' supports {name}={off!r} only."
            )


def _check_template(solver: Optimizer, constraints: dict[str, list]) -> None:
    """Raise if the optimizer that is given as `solver` has invalid hyperparameters.

    Those of an optimizer with a name are parameters of the estimator, and have the same
    constraints. Other optimizers check their own.
    """
    cls, settings = type(solver), {}
    for name in solver.hyperparameters:
        if not hasattr(solver, name):
            raise ValueError(
                f"solver must have an attribute for each of its hyperparameters, got "
                f"a {cls.__name__} without {name!r}. Set self.{name} in its "
                "constructor."
            )
        settings[name] = getattr(solver, name)
    if OPTIMIZERS.get(cls.name) is cls:
        validate_parameter_constraints(constraints, settings, f"solver {cls.__name__}")


def check_resume_from(estimator: EstimatorParameters, resume_from: Any) -> None:
    """Raise if `resume_from` cannot be a checkpoint of the estimator."""
    if not isinstance(resume_from, str | os.PathLike):
        raise TypeError(
            f"resume_from must be a str or os.PathLike, got {resume_from!r}."
        )
    if estimator.solver == "lbfgs":
        raise ValueError(
            "resume_from needs a first-order solver, such as 'adam', got "
            "solver='lbfgs', for which there are no checkpoints."
        )


def _as_list(value: Any, name: str) -> list:
    """Return the entries of an array-like as a list."""
    if isinstance(value, Set | Mapping) or getattr(value, "shape", None) == ():
        raise ValueError(
            f"{name} must be a list, a tuple or a one-dimensional array, got {value!r}."
        )
    return value.tolist() if isinstance(value, np.ndarray) else list(value)


def float_dtype(estimator: EstimatorParameters) -> type | None:
    """Return the data type set by `dtype`, or None."""
    if estimator.dtype is None:
        return None
    dtype = np.dtype(estimator.dtype)
    if dtype not in (np.float32, np.float64):
        raise ValueError(
            f"dtype must be 'float32', 'float64' or None, got {estimator.dtype!r}."
        )
    return dtype.type


def hidden_layer_sizes(estimator: EstimatorParameters) -> list[int]:
    """Return the number of units of each hidden layer, as a list."""
    sizes = estimator.hidden_layer_sizes
    if isinstance(sizes, Integral):
        sizes = [sizes]
    sizes = _as_list(sizes, "hidden_layer_sizes")
    if any(isinstance(s, bool) or not isinstance(s, Integral) for s in sizes):
        raise ValueError(f"hidden_layer_sizes must be integers, got {sizes}.")
    if any(size <= 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return sizes


def hidden_activations(
    estimator: EstimatorParameters, n_hidden: int
) -> list[Activation]:
    """Return the activation of each hidden layer, as a list."""
    activation = estimator.activation
    if isinstance(activation, str | Activation):
        return [_activation(activation)] * n_hidden
    activation = _as_list(activation, "activation")
    if len(activation) != n_hidden:
        raise ValueError(
            "activation must be one activation or one for each hidden layer, got "
            f"{len(activation)} for {n_hidden} hidden layers."
        )
    return [_activation(a) for a in activation]


def _activation(activation: Any) -> Activation:
    if isinstance(activation, str) and activation in HIDDEN_ACTIVATIONS:
        return HIDDEN_ACTIVATIONS[activation]
    if isinstance(activation, Activation):
        return activation
    raise ValueError(
        f"activation must have names among {sorted(HIDDEN_ACTIVATIONS)}, or instances "
        f"of skmlp.core.activations.Activation, got {activation!r}."
    )


def make_loss(estimator: EstimatorParameters, loss: str | Loss) -> Loss:
    """Return the loss for a name, with its hyperparameters, or a custom loss."""
    if isinstance(loss, Loss):
        return loss
    cls = LOSSES[loss]
    return cls(**_hyperparameters(estimator, cls))


def _hyperparameters(estimator: EstimatorParameters, cls: Any) -> dict[str, Any]:
    """Return the hyperparameters of a class that are parameters of the estimator.

    The others have the default values of the class.
    """
    return {
        name: getattr(estimator, name)
        for name in cls.hyperparameters
        if name in estimator._parameter_constraints
    }


def make_output_activation(
    loss: Loss, activation: Any, choices: Collection[str]
) -> Activation:
    """Return the output activation for a name, or the default of the loss.

    Parameters
    ----------
    loss : Loss
        The loss.

    activation : str
        A name, or 'auto' for the default of the loss.

    choices : collection of str
        Names of the output activations, for the error message.

    Returns
    -------
    activation : Activation

    Raises
    ------
    ValueError
        If the loss needs positive outputs, and those of the activation are not.
    """
    if activation == "auto":
        activation = loss.output_activation
    g: Activation = activation
    if isinstance(activation, str):
        g = ACTIVATIONS[activation]
    if loss.positive_output and not g.positive:
        positive = [name for name in choices if ACTIVATIONS[name].positive]
        raise ValueError(
            f"loss={loss.name!r} needs positive outputs: output_activation must be "
            f"'auto' or one among {sorted(positive)}, got {g.name!r}."
        )
    return g


def dropout_rates(estimator: EstimatorParameters, n_hidden: int) -> list[float]:
    """Return the dropout rates of the input and of each hidden layer, as a list."""
    dropout: Any = estimator.dropout
    if isinstance(dropout, Real):
        dropout = [dropout] * n_hidden
    rates = _as_list(dropout, "dropout")
    if len(rates) != n_hidden:
        raise ValueError(
            "dropout must be one rate or one for each hidden layer, got "
            f"{len(rates)} for {n_hidden} hidden layers."
        )
    for rate in rates:
        is_real = isinstance(rate, Real) and not isinstance(rate, bool)
        if not (is_real and 0 <= float(rate) < 1):
            raise ValueError(f"dropout must have rates in [0, 1), got {rate!r}.")
    return [float(rate) for rate in (estimator.input_dropout, *rates)]


def frozen_layers(estimator: EstimatorParameters, n_layers: int) -> set[int]:
    """Return the indices of the layers that are not trained, as a set."""
    frozen = set()
    for l in _as_list(estimator.frozen_layers, "frozen_layers"):
        is_index = isinstance(l, Integral) and not isinstance(l, bool | np.bool_)
        if not is_index or not -n_layers <= l < n_layers:
            raise ValueError(
                "frozen_layers must have indices of `coefs_`, from "
                f"{-n_layers} to {n_layers - 1}, got {l!r}."
            )
        frozen.add(int(l) % n_layers)
    if len(frozen) == n_layers:
        raise ValueError(
            f"frozen_layers must not contain all of the {n_layers} layers, got "
            f"{estimator.frozen_layers!r}."
        )
    return frozen


def make_network(
    estimator: EstimatorParameters,
    n_features: int,
    n_outputs: int,
    loss: Loss,
    output: Activation,
) -> Network:
    """Return the network described by the parameters."""
    sizes = hidden_layer_sizes(estimator)
    _check_memory((n_features, *sizes, n_outputs))
    hidden = hidden_activations(estimator, len(sizes))
    for activation, size in zip(hidden, sizes, strict=True):
        if ACTIVATIONS.get(activation.name) is not activation:
            _check_activation(activation, size)
    if LOSSES.get(loss.name) is not type(loss):
        _check_loss(loss, n_outputs)
    epsilon = float(estimator.batch_norm_epsilon) if estimator.batch_norm else None
    if estimator.batch_norm and estimator.layer_norm:
        raise ValueError(
            "batch_norm and layer_norm must not both be True: a layer has one "
            "normalization."
        )
    return make_mlp(
        (n_features, *sizes, n_outputs),
        [*hidden, output],
        loss,
        dropout=dropout_rates(estimator, len(sizes)),
        batch_norm_epsilon=epsilon,
        layer_norm=estimator.layer_norm,
        residual=estimator.residual,
        n_members=_n_members(estimator, output),
        frozen=frozen_layers(estimator, len(sizes) + 1),
    )


def _n_members(estimator: EstimatorParameters, output: Activation) -> int:
    """Return the number of members, or raise if there cannot be several."""
    n_members = int(estimator.n_members)
    if n_members > 1 and estimator.batch_norm:
        raise ValueError(
            f"n_members={n_members} cannot be combined with batch_norm=True. Use "
            "layer_norm=True."
        )
    if n_members > 1 and type(output).average is Activation.average:
        raise ValueError(
            f"n_members={n_members} needs an output activation that defines "
            f"average(Z), got {output!r}."
        )
    return n_members


def _check_memory(layer_sizes: Sequence[int]) -> None:
    """Raise if a network is too large, before memory is allocated."""
    n_parameters = Layout.dense(layer_sizes).n_parameters
    try:
        np.empty(n_parameters, np.float32)  # pages are allocated when written
    except (MemoryError, OverflowError, ValueError) as error:
        raise ValueError(
            f"hidden_layer_sizes={list(layer_sizes[1:-1])} results in {n_parameters} "
            "weights and biases, which do not fit into memory."
        ) from error


# A custom activation or loss may return its result instead of writing it to the array.
# The network would then continue with the old content of the array.


def _check_activation(activation: Any, n_units: int) -> None:
    Z = np.full((2, n_units), 0.5)
    A = np.full_like(Z, np.nan) if activation.needs_z else Z
    _check_written(activation, "forward(Z, A)", activation.forward(Z, A), A, "A")
    delta = np.ones_like(Z)
    returned = activation.backward(Z, A, delta, np.empty_like(Z))
    _check_written(activation, "backward(Z, A, delta, work)", returned, delta, "delta")


def _check_loss(loss: Loss, n_outputs: int) -> None:
    Y, P = np.zeros((2, n_outputs)), np.full((2, n_outputs), 0.5)
    for name in "pointwise", "gradient":
        out = np.full_like(P, np.nan)
        returned = getattr(loss, name)(Y, P, out)
        _check_written(loss, f"{name}(Y, P, out)", returned, out, "out")


def _check_written(
    owner: object, method: str, returned: object, array: Array, name: str
) -> None:
    if returned is not None or np.isnan(array).all():
        raise ValueError(
            f"{owner!r}.{method} must write its result into {name}, "
            + ("and return None." if returned is not None else "and wrote nothing.")
        )


def draw_parameters(
    estimator: EstimatorParameters,
    network: Network,
    dtype: DTypeLike,
    random_state: np.random.RandomState,
) -> Parameters:
    """Return initial weights and biases."""
    theta = Parameters(network.layout, dtype)
    hidden = network.activations[:-1]
    if hidden:
        factors = [g.init_factor for g in (*hidden, hidden[-1])]
    elif isinstance(estimator.activation, str):
        factors = [HIDDEN_ACTIVATIONS[estimator.activation].init_factor]
    else:
        factors = [6.0]
    # The bits of an orthogonal matrix depend on the number of BLAS's threads.
    with one_blas_thread() if estimator.init == "orthogonal" else nullcontext():
        initialize(theta, estimator.init, random_state, factors, network.n_members)
    for layer, arrays in zip(network.layers, network.arrange(theta), strict=True):
        layer.initialize(arrays, random_state)
    return theta


def set_parameters(views: Sequence[Array], arrays: Any, name: str) -> None:
    """Write the given arrays over the initial weights or biases.

    Parameters
    ----------
    views : list of ndarray
        Weights or biases, written in place.

    arrays : list of array-like or None
        One entry for each layer; None leaves the layer as it is.

    name : str
        What the argument is called.
    """
    if arrays is None:
        return
    if not hasattr(arrays, "__len__") or isinstance(arrays, str | Set | Mapping):
        raise ValueError(f"{name} must be a list of arrays, got {arrays!r}.")
    if len(arrays) != len(views):
        raise ValueError(
            f"{name} must have one entry for each of the {len(views)} layers (an "
            f"array, or None), got {len(arrays)}."
        )
    for l, (view, array) in enumerate(zip(views, arrays, strict=True)):
        if array is None:
            continue
        try:
            array = np.asarray(array)
        except ValueError as error:  # it is ragged
            raise ValueError(f"{name}[{l}] must be an array: {error}") from error
        if array.shape != view.shape:
            raise ValueError(
                f"{name}[{l}] must have shape {view.shape}, got {array.shape}."
            )
        if array.dtype.kind not in "biuf":
            raise ValueError(
                f"{name}[{l}] must have real numbers, got dtype {array.dtype}."
            )
        with np.errstate(over="ignore"):
            view[...] = array
        if not np.isfinite(view).all():
            raise ValueError(
                f"{name}[{l}] must have numbers that are finite in {view.dtype}, got "
                f"{array[~np.isfinite(view)][0]}."
            )


def check_numbers(estimator: EstimatorParameters, dtype: DTypeLike) -> None:
    """Raise if a parameter rounds to zero or infinity in the dtype of the network.

    The parameters are those in divisions, where the result would be NaN.
    """
    names: list[str] = []
    owner: dict[str, object] = {}
    solver = estimator.solver
    if (optimizer := find_optimizer(solver)) is not None:
        names += optimizer.divisors
        if optimizer is type(solver):
            owner = dict.fromkeys(optimizer.divisors, solver)
    if estimator.batch_norm:
        names.append("batch_norm_epsilon")
    if estimator.max_norm is not None:
        names.append("max_norm")
    if isinstance(estimator.loss, str):
        names += LOSSES[estimator.loss].divisors
    limits = np.finfo(dtype)
    for name in names:
        if name not in owner and name not in estimator._parameter_constraints:
            continue  # it has the default value of a class
        value = getattr(owner.get(name, estimator), name)
        if not float(limits.tiny) <= float(value) <= float(limits.max):
            raise ValueError(
                f"{name} must be from {limits.tiny:.2g} to {limits.max:.2g}, the range "
                f"of {np.dtype(dtype)}, the dtype of the network, got {value!r}."
            )


def make_penalty(estimator: EstimatorParameters) -> Penalty:
    """Return the penalty on the weights."""
    cls = PENALTIES[estimator._penalty]
    return cls(**_hyperparameters(estimator, cls))


def make_average(
    estimator: EstimatorParameters, theta: Parameters
) -> WeightAverage | None:
    """Return the average of the weights over epochs, or None."""
    if estimator.averaging is None:
        return None
    first_epoch = 1
    if estimator.averaging == "swa":
        first_epoch += int(estimator.averaging_start * estimator.max_iter)
    return WeightAverage(
        estimator.averaging, estimator.averaging_decay, first_epoch, theta
    )


def make_optimizer(estimator: EstimatorParameters, theta: Parameters) -> Optimizer:
    """Return the optimizer for the name or the template that is `solver`."""
    solver, learning_rate = estimator.solver, estimator.learning_rate_init
    if isinstance(solver, Optimizer):
        return solver.for_parameters(theta.flat, learning_rate)
    cls = OPTIMIZERS[solver]
    return cls(theta.flat, learning_rate, **_hyperparameters(estimator, cls))


def step_options(estimator: EstimatorParameters) -> dict[str, Any]:
    """Return the options of a training step, by the names that `TrainingStep` has."""
    weight_decay = estimator.weight_decay
    if weight_decay is None:
        optimizer = find_optimizer(estimator.solver)
        weight_decay = 0.0 if optimizer is None else optimizer.default_weight_decay
    return {
        "weight_decay": float(weight_decay),
        "clip_norm": estimator.clip_norm,
        "max_norm": estimator.max_norm,
        "batch_norm_momentum": float(estimator.batch_norm_momentum),
    }


def make_schedule(estimator: EstimatorParameters, steps_per_epoch: int) -> Schedule:
    """Return the learning rate schedule that the solver uses."""
    name = schedules.followed_by(estimator.solver, estimator.learning_rate)
    hyperparameters = {}
    if isinstance(name, str):
        hyperparameters = _hyperparameters(estimator, SCHEDULES[name])
    smallest = hyperparameters.get("learning_rate_min")
    largest = estimator.learning_rate_init
    if smallest is not None and smallest > largest:
        raise ValueError(
            f"learning_rate_min, the smallest rate of learning_rate={name!r}, must not "
            f"be greater than learning_rate_init={largest!r}, got {smallest!r}."
        )
    return schedules.make_schedule(
        name,
        estimator.learning_rate_init,
        warmup_steps=estimator.warmup_steps,
        steps_per_epoch=steps_per_epoch,
        # The schedules compute with it in floats, which have a largest value.
        total_steps=min(steps_per_epoch * estimator.max_iter, 2**63),
        **hyperparameters,
    )


def list_callbacks(estimator: EstimatorParameters) -> list:
    """Return the user's callbacks as a list, with functions as callbacks."""
    given = estimator.callbacks
    if given is None:
        return []
    given = given if isinstance(given, list | tuple) else [given]
    return [_as_callback(callback) for callback in given]


def _as_callback(callback: Any) -> Any:
    """Return a callback that the training loop can call, or raise."""
    hooks = {hook for hook in HOOKS if hasattr(callback, hook)}
    not_callable = sorted(h for h in hooks if not callable(getattr(callback, h)))
    if isinstance(callback, type):
        problem = "a class: pass an instance"
    elif not_callable:
        problem = f"an object whose {not_callable[0]} is not callable"
    elif hooks:
        return callback
    elif hasattr(callback, "on_fit_task_end"):
        problem = "a callback of scikit-learn: pass it to set_callbacks"
    elif callable(callback):
        return FunctionCallback(callback)
    else:
        problem = "an object without any of them"
    raise ValueError(
        "callbacks must be functions, or objects with the methods of "
        "skmlp.callbacks.Callback, at least one of on_fit_begin, on_epoch_begin, "
        f"on_epoch_end, on_epoch_settled and on_fit_end; got {callback!r}, which is "
        f"{problem}."
    )
