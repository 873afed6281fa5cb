"""Tests of the learning rate schedules against scikit-learn's."""

import pytest
from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

from skmlp.core.schedules import SCHEDULES, Schedule

LIKE_SCIKIT_LEARN = {"constant", "invscaling", "adaptive"}


@pytest.mark.parametrize("power_t", [0.5, 0.25, 0])
@pytest.mark.parametrize("name", SCHEDULES)
def test_learning_rates_are_scikit_learns(name, power_t):
    """Over epochs with a plateau after every third, until training stops."""
    assert name in LIKE_SCIKIT_LEARN, f"give the new schedule {name!r} a reference here"
    theirs = SGDOptimizer([], 0.1, name, power_t=power_t)
    schedule, learning_rate = SCHEDULES[name](0.1, power_t), 0.1
    for epoch in range(1, 100):
        theirs.iteration_ends(epoch * 150)
        learning_rate = schedule.after_epoch(learning_rate, epoch * 150)
        assert learning_rate == theirs.learning_rate
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


def test_naming_a_class_registers_it(monkeypatch):
    monkeypatch.setitem(SCHEDULES, "halving", None)  # taken out again

    class Halving(Schedule, name="halving"):
        pass

    assert SCHEDULES["halving"] is Halving
    assert Halving.name == "halving"
