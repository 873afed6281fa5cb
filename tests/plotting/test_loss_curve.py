"""Tests of LossCurveDisplay: what it draws is what was recorded."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError

from skmlp import MLPClassifierScratch
from skmlp.plotting import LossCurveDisplay

plt = pytest.importorskip("matplotlib.pyplot")

SMALL = {"hidden_layer_sizes": (5,), "max_iter": 12, "random_state": 0}
HISTORY = {"loss": [3.0, 1.0, 2.0], "val_loss": [4.0, 5.0, 3.5]}


@pytest.fixture
def data(datasets):
    return datasets["multiclass"]


@pytest.fixture
def stopped(data):
    clf = MLPClassifierScratch(**SMALL, learning_rate="cosine", early_stopping=True)
    return clf.fit(data.X, data.y)


@pytest.fixture
def plain(data):
    return MLPClassifierScratch(**SMALL).fit(data.X, data.y)


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_the_lines_are_the_history(stopped):
    display = LossCurveDisplay.from_estimator(stopped)
    (lines,) = display.lines_.values()
    assert set(lines) == {"loss", "val_loss", "val_score", "learning_rate"}
    for entry, line in lines.items():
        assert_array_equal(line.get_xdata(), np.arange(1, 13))
        assert_array_equal(line.get_ydata(), stopped.history_[entry])


def test_panels_are_where_there_is_something_to_see(stopped, plain):
    panels = list(LossCurveDisplay.from_estimator(stopped).axes_)
    assert panels == ["loss", "score", "learning_rate"]
    display = LossCurveDisplay.from_estimator(plain)
    assert list(display.axes_) == ["loss"]
    assert display.ax_.get_xlabel() == "epoch"
    assert display.ax_.get_ylabel() == "loss"
    assert legend(display) == ["training", "best epoch (12)"]


def test_the_kept_epoch_is_marked_after_early_stopping(stopped):
    (marks,) = LossCurveDisplay.from_estimator(stopped).best_.values()
    best = int(np.argmax(stopped.validation_scores_))
    assert marks["score"].get_xdata() == [best + 1]
    assert marks["score"].get_ydata() == [stopped.best_validation_score_]
    assert marks["loss"].get_ydata() == [stopped.history_["val_loss"][best]]


@pytest.mark.parametrize(
    ("history", "x", "y"), [(HISTORY, 3, 3.5), ({"loss": [3.0, 1.0, 2.0]}, 2, 1.0)]
)
def test_the_least_validation_loss_is_marked_else_the_least_loss(history, x, y):
    display = LossCurveDisplay.from_history(history)
    mark = display.best_["training"]["loss"]
    assert (mark.get_xdata(), mark.get_ydata()) == ([x], [y])
    assert legend(display)[-1] == f"best epoch ({x})"


def test_an_epoch_of_the_users_choice_is_marked():
    mark = LossCurveDisplay.from_history(HISTORY, best_epoch=1).best_["training"][
        "loss"
    ]
    assert (mark.get_xdata(), mark.get_ydata()) == ([1], [4.0])


@pytest.mark.parametrize(("least", "scale"), [(1e-9, "log"), (0, "linear")])
def test_the_axis_is_logarithmic_where_all_losses_are_positive(least, scale):
    display = LossCurveDisplay.from_history({"loss": [1.0, least]})
    assert display.ax_.get_yscale() == scale


def test_non_finite_value_is_a_gap():
    display = LossCurveDisplay.from_history({"loss": [2.0, 1.0, np.inf, np.nan]})
    drawn = display.lines_["training"]["loss"].get_ydata()
    assert_array_equal(drawn, [2.0, 1.0, np.nan, np.nan])
    assert display.best_["training"]["loss"].get_xdata() == [2]
    lost = LossCurveDisplay.from_history({"loss": [np.nan]})
    assert lost.best_ == {"training": {}}


def test_several_estimators_each_have_a_colour(stopped, plain):
    display = LossCurveDisplay.from_estimators({"stopped": stopped, "plain": plain})
    assert list(display.lines_) == ["stopped", "plain"]
    assert set(display.lines_["plain"]) == {"loss", "learning_rate"}
    one, other = display.lines_["stopped"], display.lines_["plain"]["loss"]
    assert one["loss"].get_color() == one["val_loss"].get_color() != other.get_color()
    assert one["loss"].get_linestyle() != one["val_loss"].get_linestyle()
    kinds = ["training", "validation", "best epoch"]
    assert legend(display) == ["stopped", "plain", *kinds]
    unnamed = LossCurveDisplay.from_estimators([stopped, plain])
    assert list(unnamed.lines_) == ["estimator 0", "estimator 1"]


def test_many_trainings_have_as_many_colours():
    histories = {str(i): HISTORY for i in range(12)}
    display = LossCurveDisplay(histories).plot()
    colours = {str(lines["loss"].get_color()) for lines in display.lines_.values()}
    assert len(colours) == 12


def test_axes_of_the_users_are_drawn_in(stopped, plain):
    figure, (left, right) = plt.subplots(1, 2)
    assert LossCurveDisplay.from_estimator(plain, ax=left).ax_ is left
    divided = LossCurveDisplay.from_estimator(stopped, ax=right)
    assert divided.figure_ is figure
    assert len(figure.axes) == 2 + 3
    assert not right.axison
    axes = list(divided.axes_.values())
    again = LossCurveDisplay.from_estimator(stopped, ax=axes, color="red")
    assert list(again.axes_.values()) == axes
    assert [len(ax.lines) for ax in axes] == [6, 4, 2]
    assert axes[0].lines[3].get_color() == "red"


def test_panels_can_be_chosen(stopped):
    display = LossCurveDisplay({"it": stopped.history_}).plot(panels=["score"])
    assert list(display.axes_) == ["score"]
    assert display.ax_.get_ylabel() == "validation\nscore"


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ({}, "history must have losses at the key 'loss', got {}"),
        ({"loss": []}, "history must have losses at the key 'loss'"),
        ({"loss": [1.0], "val_loss": [1.0, 2.0]}, "one value for each epoch"),
        ({"loss": ["high"]}, "dict of lists of numbers"),
        (None, "dict of lists of numbers, like history_, got None"),
    ],
)
def test_invalid_history_raises(history, message):
    with pytest.raises(ValueError, match=message):
        LossCurveDisplay.from_history(history)


def test_bad_arguments_are_named(data, plain):
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(MLPClassifierScratch())
    lbfgs = MLPClassifierScratch((2,), solver="lbfgs", max_iter=2)
    with pytest.raises(ValueError, match="solver='lbfgs' does not record a history"):
        LossCurveDisplay.from_estimator(lbfgs.fit(data.X, data.y))
    with pytest.raises(ValueError, match="estimators must have at least one"):
        LossCurveDisplay.from_estimators([])
    with pytest.raises(ValueError, match="from 1 to 3, got 4"):
        LossCurveDisplay.from_history(HISTORY, best_epoch=4)
    with pytest.raises(ValueError, match="panels must be a list of"):
        LossCurveDisplay({"it": HISTORY}).plot(panels="loss")
    with pytest.raises(ValueError, match=r"an array of 1 axes.*length 2"):
        LossCurveDisplay.from_estimator(plain, ax=plt.subplots(1, 2)[1])
    figure = plt.figure()
    with pytest.raises(ValueError, match=r"ax must be created by plt\.subplots"):
        LossCurveDisplay({"it": HISTORY}).plot(
            figure.add_axes((0, 0, 1, 1)), panels=["loss", "score"]
        )


def test_schedule_that_ends_at_zero_does_not_stretch_the_axis():
    rates = [0.1, 0.05, 1e-12]
    history = {"loss": [3.0, 2.0, 1.0], "learning_rate": rates}
    display = LossCurveDisplay.from_history(history)
    ax = display.axes_["learning_rate"]
    assert ax.get_yscale() == "log"
    assert 1e-6 < ax.get_ylim()[0] < 1e-4
    line = display.lines_["training"]["learning_rate"]
    assert line.get_ydata().tolist() == rates
