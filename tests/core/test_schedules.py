"""Tests of the learning rate schedules against scikit-learn's and torch's."""

import math
import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.schedules import (
    SCHEDULES,
    FunctionSchedule,
    Schedule,
    followed_by,
    make_schedule,
)

LIKE_SCIKIT_LEARN = ["constant", "invscaling", "adaptive"]
LIKE_TORCH = [name for name in SCHEDULES if name not in [*LIKE_SCIKIT_LEARN, "plateau"]]


def make(name, learning_rate_init, **options):
    """Make a schedule, without the hyperparameters that it does not have."""
    others = {"power_t", "decay_rate", "decay_epochs", "learning_rate_min"}
    others -= {*SCHEDULES[name].hyperparameters}
    options = {key: value for key, value in options.items() if key not in others}
    return SCHEDULES[name](learning_rate_init, **options)


@pytest.mark.parametrize("power_t", [0.5, 0.25, 0])
@pytest.mark.parametrize("name", LIKE_SCIKIT_LEARN)
def test_learning_rates_are_scikit_learns(name, power_t):
    """Over epochs with a plateau after every third, until training stops."""
    theirs = SGDOptimizer([], 0.1, name, power_t=power_t)
    schedule = make(name, 0.1, power_t=power_t)
    learning_rate = 0.1
    for epoch in range(1, 100):
        theirs.iteration_ends(epoch * 150)
        learning_rate = schedule.after_epoch(learning_rate, epoch * 150)
        assert learning_rate == theirs.learning_rate
        assert schedule.at_step(learning_rate, epoch) == learning_rate
        if epoch % 3 == 0:
            stops = theirs.trigger_stopping("", verbose=False)
            learning_rate = schedule.on_plateau(learning_rate)
            assert (learning_rate is None) == stops
            if stops:
                return
            assert learning_rate == theirs.learning_rate
    pytest.fail("the schedule never stopped")


@pytest.mark.parametrize("cls", [Schedule, SCHEDULES["constant"]])
def test_constant_keeps_the_rate_and_stops_at_the_first_plateau(cls):
    schedule = cls(0.1)
    assert schedule.after_epoch(0.3, 1000) == 0.3
    assert schedule.on_plateau(0.3) is None
    assert schedule.at_step(0.3, 1000) == 0.3


def test_invscaling_follows_its_formula_whatever_the_rate_was():
    schedule = SCHEDULES["invscaling"](0.1, power_t=0.5)
    for learning_rate in (0.1, 7.0):
        assert schedule.after_epoch(learning_rate, 99) == pytest.approx(0.01)
    assert schedule.on_plateau(0.1) is None


def test_adaptive_divides_by_five_until_one_millionth():
    schedule = SCHEDULES["adaptive"](0.1)
    assert schedule.after_epoch(0.1, 1000) == 0.1
    rates = [1e-2]
    while rates[-1] is not None:
        rates.append(schedule.on_plateau(rates[-1]))
    assert rates[:-1] == pytest.approx([1e-2 / 5**k for k in range(7)])
    assert schedule.on_plateau(1.1e-6) == pytest.approx(2.2e-7)
    assert schedule.on_plateau(1e-6) is None


def rates_at_plateaus(schedule, rate):
    """The rates of a training in which every epoch is a plateau."""
    rates = []
    while rate is not None:
        rates.append(rate)
        assert schedule.after_epoch(rate, 1000) == rate
        assert not schedule.per_step
        rate = schedule.on_plateau(rate)
    return rates


@pytest.mark.parametrize("rate", [0.001, 0.1, 1 / 3, 1e-6, 1e-9])
def test_plateau_has_the_rates_of_adaptive_by_default(rate):
    plateau = rates_at_plateaus(SCHEDULES["plateau"](rate), rate)
    assert plateau == rates_at_plateaus(SCHEDULES["adaptive"](rate), rate)


@pytest.mark.parametrize("decay_rate", [0.5, 0.1, 0.9])
@pytest.mark.parametrize("least", [1e-2, 1e-4])
def test_plateau_multiplies_by_the_factor_until_the_floor(decay_rate, least):
    """The last rate is the first that is at the floor or below it."""
    schedule = SCHEDULES["plateau"](1.0, decay_rate=decay_rate, learning_rate_min=least)
    n_plateaus = math.ceil(math.log(least, decay_rate) - 1e-9)
    expected = [decay_rate**k for k in range(n_plateaus + 1)]
    assert rates_at_plateaus(schedule, 1.0) == pytest.approx(expected, rel=1e-12)


def test_the_smallest_factors_and_floors_of_plateau():
    tiny = SCHEDULES["plateau"](0.1, decay_rate=1e-320)
    assert tiny.on_plateau(0.1) == 0
    endless = SCHEDULES["plateau"](0.1, learning_rate_min=0)
    assert endless.on_plateau(1e-9) == pytest.approx(2e-10)
    constant = SCHEDULES["plateau"](0.1, decay_rate=1)
    assert constant.on_plateau(0.1) == 0.1


@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_only_adam_ignores_the_schedules_of_scikit_learn_for_sgd(solver):
    ignored = {name for name in SCHEDULES if followed_by(solver, name) != name}
    assert ignored == ({"adaptive", "invscaling"} if solver == "adam" else set())
    assert all(followed_by(solver, name) == "constant" for name in ignored)
    assert followed_by(solver, math.sqrt) is math.sqrt


OPTIONS = {
    "step": [{}, {"decay_rate": 0.5, "decay_epochs": 3}, {"decay_rate": 1.0}],
    "exponential": [{}, {"decay_rate": 0.5}],
    "cosine": [{}, {"learning_rate_min": 0.02}, {"learning_rate_min": 0.1}],
    "one_cycle": [{}],
}
# A new schedule is at least tested with its defaults.
parametrize_schedule = pytest.mark.parametrize(
    ("name", "options"),
    [(name, o) for name in LIKE_TORCH for o in OPTIONS.get(name, [{}])],
)


def torch_schedule(torch, name, optimizer, total_steps, options):
    """The schedule in torch, and whether it is asked at each step."""
    lr_scheduler = torch.optim.lr_scheduler
    decay_rate = options.get("decay_rate")
    if name == "step":
        size = options.get("decay_epochs", 10)
        return lr_scheduler.StepLR(optimizer, size, decay_rate or 0.1), False
    if name == "exponential":
        return lr_scheduler.ExponentialLR(optimizer, decay_rate or 0.95), False
    if name == "cosine":
        end = options.get("learning_rate_min", 0.0)
        return lr_scheduler.CosineAnnealingLR(optimizer, total_steps, end), True
    if name == "one_cycle":
        return lr_scheduler.OneCycleLR(
            optimizer, 0.1, total_steps, cycle_momentum=False
        ), True
    pytest.fail(f"give the new schedule {name!r} a reference in torch here")


@pytest.mark.parametrize(
    ("n_epochs", "steps_per_epoch"), [(25, 4), (25, 1), (1, 7), (3, 1), (1, 2), (1, 1)]
)
@parametrize_schedule
@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step:UserWarning")
def test_learning_rates_are_torchs(name, options, n_epochs, steps_per_epoch):
    torch = pytest.importorskip("torch")
    total_steps = n_epochs * steps_per_epoch
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    reference, each_step = torch_schedule(torch, name, optimizer, total_steps, options)
    schedule = SCHEDULES[name](
        0.1, steps_per_epoch=steps_per_epoch, total_steps=total_steps, **options
    )
    for step in range(total_steps):
        ours = schedule.at_step(0.1, step)
        theirs = optimizer.param_groups[0]["lr"]
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-16)
        if step + 1 < total_steps and (each_step or (step + 1) % steps_per_epoch == 0):
            reference.step()


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step:UserWarning")
def test_warm_up_is_torchs(name):
    """A factor for the first steps, with every schedule."""
    torch = pytest.importorskip("torch")
    options = {"steps_per_epoch": 3, "total_steps": 30, "decay_epochs": 2}
    plain = make(name, 0.1, **options)
    schedule = make(name, 0.1, warmup_steps=5, **options)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    reference = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / 5, total_iters=4)
    for step in range(30):
        expected = plain.at_step(0.1, step) * optimizer.param_groups[0]["lr"]
        assert schedule.at_step(0.1, step) == pytest.approx(expected, rel=1e-12)
        if step >= 5:
            assert schedule.at_step(0.1, step) == plain.at_step(0.1, step)
        reference.step()


@pytest.mark.parametrize("name", LIKE_TORCH)
def test_a_lower_level_lowers_every_rate(name):
    """By the same factor, and the same schedule can be asked in any order."""
    schedule = SCHEDULES[name](0.1, steps_per_epoch=2, total_steps=20)
    for step in (7, 0, 19, 30, 7):
        expected = schedule.at_step(0.1, step) / 8
        assert schedule.at_step(0.1 / 8, step) == pytest.approx(expected, rel=1e-12)
    assert schedule.after_epoch(0.3, 1000) == 0.3
    assert schedule.on_plateau(0.3) is None


def test_step_and_exponential_are_constant_within_an_epoch():
    options = {"steps_per_epoch": 2, "decay_epochs": 2, "decay_rate": 0.5}
    step = make("step", 1.0, **options)
    assert [step.at_step(1.0, i) for i in range(9)] == [1] * 4 + [0.5] * 4 + [0.25]
    exponential = make("exponential", 1.0, **options)
    assert [exponential.at_step(1.0, i) for i in range(5)] == [1, 1, 0.5, 0.5, 0.25]


@pytest.mark.parametrize("step", [10, 11, 1000])
def test_after_the_last_step_the_rate_stays(step):
    cosine = SCHEDULES["cosine"](1.0, total_steps=10, learning_rate_min=0.25)
    assert cosine.at_step(1.0, step) == 0.25
    assert cosine.at_step(0.125, step) == 0.125  # less than the least
    one_cycle = SCHEDULES["one_cycle"](1.0, total_steps=10)
    assert one_cycle.at_step(1.0, step) == pytest.approx(1 / 25 / 1e4)
    assert one_cycle.at_step(1.0, 2) == 1


@pytest.mark.parametrize(
    "value", [0.3, 0, 2, np.float32(0.25), np.float64(0.3), np.int64(1), Fraction(1, 3)]
)
def test_a_function_gives_the_rate_itself(value):
    steps = []
    schedule = FunctionSchedule(lambda step: steps.append(step) or value, 0.1)
    rate = schedule.at_step(0.1, 7)
    assert rate == float(value)
    assert type(rate) is float
    assert schedule.at_step(0.05, 8) == pytest.approx(float(value) / 2)
    assert steps == [7, 8]
    assert schedule.after_epoch(0.05, 1000) == 0.05
    assert schedule.on_plateau(0.05) is None


def test_a_function_is_warmed_up_too():
    schedule = FunctionSchedule(lambda step: 0.5, 0.1, warmup_steps=2)
    assert [schedule.at_step(0.1, step) for step in range(3)] == [0.25, 0.5, 0.5]


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, -1e-9, None, "0.1", [0.1], 1j, Decimal("0.1")],
)
def test_a_function_that_returns_no_rate_is_reported(value):
    schedule = FunctionSchedule(lambda step: value, 0.1)
    with pytest.raises(ValueError, match=r"learning_rate.*for step 3 it returned") as e:
        schedule.at_step(0.1, 3)
    assert repr(value) in str(e.value)


@pytest.mark.parametrize("name", SCHEDULES)
def test_make_schedule_takes_a_name(name):
    hyperparameters = {"decay_rate": 0.3, "decay_epochs": 3, "power_t": 0.25}
    hyperparameters["learning_rate_min"] = 0.01
    cls = SCHEDULES[name]
    options = {key: hyperparameters[key] for key in cls.hyperparameters}
    schedule = make_schedule(name, 0.1, warmup_steps=2, **options)
    assert type(schedule) is cls
    assert vars(schedule) == vars(cls(0.1, warmup_steps=2, **options))
    assert {key: getattr(schedule, key) for key in options} == options
    assert vars(pickle.loads(pickle.dumps(schedule))) == vars(schedule)


@pytest.mark.parametrize("name", SCHEDULES)
def test_hyperparameters_that_are_none_have_default_values(name):
    cls = SCHEDULES[name]
    schedule = cls(0.1, **dict.fromkeys(cls.hyperparameters))
    for key in cls.hyperparameters:
        assert getattr(schedule, key) == getattr(cls, key)


def test_unknown_hyperparameters_raise():
    with pytest.raises(TypeError, match="Constant has no hyperparameter 'power_t'"):
        SCHEDULES["constant"](0.1, power_t=0.5)
    with pytest.raises(TypeError, match=r"'gamma'; it has \['decay_rate', 'learning"):
        make_schedule("plateau", 0.1, gamma=0.5)


def test_make_schedule_takes_a_function():
    schedule = make_schedule(math.sqrt, 0.1, warmup_steps=2)
    assert type(schedule) is FunctionSchedule
    assert schedule.at_step(0.1, 4) == 2
    assert schedule.warmup_steps == 2


def test_naming_a_class_registers_it(monkeypatch):
    monkeypatch.setitem(SCHEDULES, "halving", None)  # taken out again

    class Halving(Schedule, name="halving"):
        pass

    assert SCHEDULES["halving"] is Halving
    assert Halving.name == "halving"
    assert FunctionSchedule not in SCHEDULES.values()
