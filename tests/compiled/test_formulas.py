"""Tests of the single formulas in C against the classes in NumPy."""

import numpy as np
import pytest

from skmlp import compiled
from skmlp.core.activations import ACTIVATIONS, ELU, LeakyReLU
from skmlp.core.losses import LOSSES, Huber, Quantile
from skmlp.core.objective import Objective
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.parameters import Parameters
from skmlp.core.penalties import PENALTIES, ElasticNet
from skmlp.core.schedules import SCHEDULES
from skmlp.layers import make_mlp
from skmlp.training.engine import NumpyEngine
from skmlp.training.step import make_step

SIZES = (1, 3, 17, 100)  # no multiples of a vector's width among them
DTYPES = ["float32", "float64"]
EXTREMES = [0.0, -0.0, 1.0, -1.0]
EXTREMES += [s * z for s in (1, -1) for z in (1e-30, 50, 700, 1e30, np.inf)] + [np.nan]
activations = {repr(g): g for g in (*ACTIVATIONS.values(), LeakyReLU(0.2), ELU(2))}
losses = {
    repr(loss): loss
    for loss in (*(cls() for cls in LOSSES.values()), Huber(0.3), Quantile(0.9))
}
parametrize_activation = pytest.mark.parametrize(
    "activation", activations.values(), ids=activations
)
parametrize_loss = pytest.mark.parametrize("loss", losses.values(), ids=losses)
parametrize_dtype = pytest.mark.parametrize("dtype", DTYPES)


@pytest.fixture(autouse=True)
def _quietly():
    """As in training, overflow is seen by what it leads to."""
    with np.errstate(all="ignore"):
        yield


def test_names_are_those_of_the_registries(extension):
    """What is added on one side has to be added on the other."""
    names = {g.name for g in ACTIVATIONS.values()}
    assert set(extension.ACTIVATIONS) == names
    assert set(extension.LOSSES) == set(LOSSES)
    assert set(extension.PENALTIES) == set(PENALTIES)
    stepping = {name for name, cls in OPTIMIZERS.items() if not cls.full_batch}
    assert set(extension.OPTIMIZERS) - {None} == stepping


def preactivations(dtype):
    """Arrays of ordinary values of several sizes, and one of each extreme."""
    rng = np.random.default_rng(0)
    for n in SIZES:
        yield rng.normal(0, 3, (n, 1)).astype(dtype)
        yield rng.normal(0, 3, (3, n)).astype(dtype)
    extremes = np.array(EXTREMES, dtype)
    yield np.repeat(extremes[:, np.newaxis], 4, axis=1)  # by rows for softmax
    yield rng.choice(extremes, (200, 3))


def assert_close(actual, expected, dtype, scale=0.0, factor=1.0):
    """To some units in the last place of the result, and of values like `scale`.

    NaN and the infinite are where they are in NumPy; of numbers below the normal
    ones there may be nothing left.
    """
    eps, tiny = float(np.finfo(dtype).eps), float(np.finfo(dtype).tiny)
    np.testing.assert_array_equal(np.isfinite(actual), np.isfinite(expected))
    same = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~same], expected[~same])
    error = np.abs(np.subtract(actual, expected, dtype=np.float64))
    allowed = 32 * eps * (factor * np.abs(expected) + scale) + 4 * tiny
    assert (error <= allowed)[same].all(), (actual, expected)


@parametrize_dtype
@parametrize_activation
def test_activation(extension, activation, dtype):
    """To the same relative precision everywhere, in other memory and in place."""
    for Z in preactivations(dtype):
        expected, A = np.full_like(Z, 0.5), np.full_like(Z, 0.5)
        activation.forward(Z, expected)
        extension.activate(activation, Z, A)
        factor = 1.0
        if activation.name == "gelu":
            # A relative error of z is one of z^2 times that in exp(-z^2 / 2); SciPy
            # computes in float64 even for float32.
            factor += np.nan_to_num(np.minimum(np.abs(Z), 40)) ** 2
        assert_close(A, expected, dtype, factor=factor)
        if not activation.needs_z:
            A = Z.copy()
            extension.activate(activation, A, A)
            assert_close(A, expected, dtype)


@parametrize_dtype
@parametrize_activation
def test_derivative(extension, activation, dtype):
    """Relative to the larger terms of the formula, which may cancel.

    The one exception: where the ReLU is off, NaN and infinity need not come through.
    The layer above has had them in the gradient of its biases.
    """
    rng = np.random.default_rng(1)
    for Z in preactivations(dtype):
        A = np.empty_like(Z)
        activation.forward(Z, A)
        seen = Z if activation.needs_z else A
        for upstream in (rng.normal(size=Z.shape), rng.choice(EXTREMES, Z.shape)):
            delta = upstream.astype(dtype)
            if activation.name == "relu":
                delta[(A == 0) & ~np.isfinite(delta)] = 1
            expected = delta.copy()
            finite = np.abs(np.where(np.isfinite(delta), delta, 0))
            scale = (
                finite.max(axis=1)[:, np.newaxis] if is_softmax(activation) else finite
            )
            activation.backward(seen, A, expected, np.empty_like(A))
            extension.differentiate(activation, seen, A, delta)
            assert_close(delta, expected, dtype, scale.astype(np.float64))


def is_softmax(activation):
    """Whether the units of a row depend on each other."""
    return activation.name == "softmax"


def pairs(loss, dtype):
    """Targets and outputs: ordinary ones, and each extreme with each."""
    rng = np.random.default_rng(2)
    if loss.name.endswith("log_loss"):
        targets = np.array([0.0, 1.0, 0.3])
        extremes = np.array([0, 1e-30, 1e-10, 0.5, 1 - 1e-7, 1 - 1e-16, 1, np.nan])
        ordinary = rng.random
    elif loss.name == "poisson":
        targets = np.array([0, 1, 7, 1e6, 1e30])
        extremes = np.array([0, 1e-30, 1, 50, 1e30, np.inf, np.nan])
        ordinary = rng.random
    else:
        targets = extremes = np.array(EXTREMES)
        ordinary = rng.normal
    for n in SIZES:
        Y = rng.choice(targets[np.isfinite(targets)], n).astype(dtype)
        yield Y[:, np.newaxis], ordinary(size=(n, 1)).astype(dtype)
    for y in targets:
        for p in extremes:
            yield np.array([[y]], dtype), np.array([[p]], dtype)


@parametrize_dtype
@parametrize_loss
def test_loss(extension, loss, dtype):
    """Its sum and its gradient."""
    for Y, P in pairs(loss, dtype):
        pointwise, expected, out = (np.full_like(P, 0.5) for _ in range(3))
        loss.pointwise(Y, P, pointwise)
        loss.gradient(Y, P, expected)
        total = extension.loss_and_gradient(loss, Y, P, out)
        # y log(y / p) - y + p, for one, cancels.
        large = [np.nan_to_num(a, posinf=0, neginf=0) for a in (pointwise, Y, P)]
        scale = sum(float(np.abs(a).sum(dtype=np.float64)) for a in large)
        if loss.name == "poisson":
            scale *= 100  # the logarithm
        total = np.float64(total)
        assert_close(total, pointwise.sum(dtype=np.float64), dtype, scale)
        assert_close(out, expected, dtype)


@parametrize_dtype
def test_loss_of_hard_labels(extension, dtype):
    """Which NumPy has as bool, and the engine as numbers."""
    loss = LOSSES["binary_log_loss"]()
    for Y, P in pairs(loss, dtype):
        hard = Y > 0.5
        pointwise, out = np.full_like(P, 0.5), np.full_like(P, 0.5)
        loss.pointwise(hard, P, pointwise)
        total = extension.loss_and_gradient(loss, hard.astype(dtype), P, out, True)
        total = np.float64(total)
        assert_close(total, pointwise.sum(dtype=np.float64), dtype, scale=len(P))


# A step of an optimizer, through the engines.

VARIANTS = {
    "sgd": [{}, {"nesterovs_momentum": False}, {"momentum": 0.0}],
    "adam": [{}, {"beta_1": 0.0, "beta_2": 0.5, "epsilon": 1e-3}],
    "rmsprop": [{}, {"rho": 0.5}],
    "nadam": [{}, {"momentum_decay": 0.1}],
}
BOUNDS = {
    "free": {},
    "bound": {"clip_norm": 0.02, "max_norm": 1.0, "weight_decay": 0.1},
}


def run_both(dtype, penalty, optimizer, settings, options):
    """Two engines after three epochs on the same."""
    # More parameters than go through the loops at once.
    layer_sizes, rng = (70, 60, 3), np.random.default_rng(3)
    X = rng.normal(size=(12, 70)).astype(dtype)
    Y = np.eye(3, dtype=dtype)[rng.integers(3, size=12)]
    start = 0.2 * rng.normal(size=70 * 60 + 60 * 3 + 63)
    engines = []
    for Engine in NumpyEngine, compiled.CompiledEngine:
        network = make_mlp(
            layer_sizes,
            [ACTIVATIONS["tanh"], ACTIVATIONS["softmax"]],
            LOSSES["log_loss"](),
        )
        theta = Parameters(layer_sizes, dtype)
        theta.flat[:] = start
        objective = Objective(network, ElasticNet(*penalty), theta)
        stepper = OPTIMIZERS[optimizer](theta.flat, 0.01, **settings)
        step = make_step(objective, stepper, **options)
        engine = Engine(step, X, Y, None, 12, 4, SCHEDULES["constant"](0.01))
        engine.losses = [engine.run_epoch(None) for _ in range(3)]
        engines.append(engine)
    return engines


@parametrize_dtype
@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("penalty", [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.5, 0.4)])
@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [
        (name, settings)
        for name, cls in OPTIMIZERS.items()
        if not cls.full_batch
        for settings in VARIANTS.get(name, [{}])
    ],
)
def test_optimizer(optimizer, settings, penalty, bounds, dtype):
    """The parameters, the state and the losses, with everything around a step."""
    numpy, ours = run_both(dtype, penalty, optimizer, settings, BOUNDS[bounds])
    single = dtype == "float32"
    rtol, atol = (2e-4, 2e-5) if single else (1e-10, 1e-12)
    np.testing.assert_allclose(ours.losses, numpy.losses, rtol=2e-5 if single else rtol)
    np.testing.assert_allclose(ours.grad_norm, numpy.grad_norm, rtol=rtol)
    mine, theirs = ours.step.objective.theta, numpy.step.objective.theta
    np.testing.assert_allclose(mine.flat, theirs.flat, rtol=rtol, atol=atol)
    for name in OPTIMIZERS[optimizer].state:
        np.testing.assert_allclose(
            getattr(ours.step.optimizer, name),
            getattr(numpy.step.optimizer, name),
            rtol=rtol,
            atol=atol,
            err_msg=name,
        )
    if penalty[1] and not single:
        np.testing.assert_array_equal(mine.weights == 0, theirs.weights == 0)
