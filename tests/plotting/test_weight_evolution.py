"""Tests of WeightEvolutionDisplay: what it draws is what was recorded."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.callbacks import WeightRecorder
from skmlp.plotting import WeightEvolutionDisplay

plt = pytest.importorskip("matplotlib.pyplot")

from_recorder = WeightEvolutionDisplay.from_recorder


@pytest.fixture
def recorder(datasets):
    data = datasets["multiclass"]
    recorder = WeightRecorder(every=2)
    params = {"max_iter": 8, "random_state": 0, "callbacks": recorder}
    MLPClassifierScratch((5,), **params).fit(data.X, data.y)
    return recorder


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_each_weight_and_each_bias_has_a_line(recorder):
    display = from_recorder(recorder)
    assert [len(lines) for lines in display.weight_lines_] == [8 * 5, 5 * 3]
    assert [len(lines) for lines in display.bias_lines_] == [5, 3]
    for drawn, recorded in (
        (display.weight_lines_, recorder.coefs_),
        (display.bias_lines_, recorder.intercepts_),
    ):
        for l, lines in enumerate(drawn):
            for k, line in enumerate(lines):
                assert_array_equal(line.get_xdata(), [0, 2, 4, 6, 8])
                expected = [layers[l].flat[k] for layers in recorded]
                assert_array_equal(line.get_ydata(), expected)
    assert display.bands_ == [[], []]
    assert legend(display)[:2] == ["weights", "biases"]
    assert legend(display)[2].startswith("gradient")


def test_the_gradient_is_below(recorder):
    display = from_recorder(recorder)
    assert_array_equal(display.norm_line_.get_ydata(), recorder.grad_norms_)
    assert_array_equal(display.angle_line_.get_ydata(), recorder.angles_)
    labels = [ax.get_ylabel() for ax in display.axes_]
    assert labels[:2] == ["layer 0", "layer 1"]
    assert "norm" in labels[2]
    assert "(degrees)" in labels[3]
    assert display.axes_[2].get_yscale() == "log"
    assert [ax.get_xlabel() for ax in display.axes_] == ["", "", "", "epoch"]


def test_many_weights_are_summed_up(recorder):
    display = from_recorder(recorder, max_lines=20)
    assert [len(lines) for lines in display.weight_lines_] == [1, 15]
    assert [len(lines) for lines in display.bias_lines_] == [5, 3]
    assert [len(bands) for bands in display.bands_] == [2, 0]
    W = np.array([coefs[0].ravel() for coefs in recorder.coefs_])
    (median,) = display.weight_lines_[0]
    assert_allclose(median.get_ydata(), np.median(W, axis=1))
    vertices = display.bands_[0][0].get_paths()[0].vertices
    assert_allclose(vertices[:, 1].max(), np.quantile(W, 0.95, axis=1).max())
    assert "5% to 95% quantiles" in legend(display)
    few = from_recorder(recorder, max_lines=2)
    assert [len(bands) for bands in few.bands_] == [4, 4]


def test_no_marks_without_divergence(recorder):
    display = from_recorder(recorder)
    assert display.diverged_epoch_ is None
    assert display.divergence_ == []
    assert {ax.get_yscale() for ax in display.axes_[:2]} == {"linear"}


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e4, 1e200])
def test_divergence_is_marked_in_every_panel(recorder, bad):
    recorder.coefs_[3][1][0, 0] = bad
    display = from_recorder(recorder)
    assert display.diverged_epoch_ == 6
    assert len(display.divergence_) == 4
    for _, line in display.divergence_:
        assert_array_equal(line.get_xdata(), [6, 6])
    assert legend(display)[-1] == "diverged (epoch 6)"
    exploded = "symlog" if np.isfinite(bad) else "linear"
    assert display.axes_[1].get_yscale() == exploded
    display.figure_.canvas.draw()
    from_recorder(recorder, max_lines=1).figure_.canvas.draw()


def test_all_lost_weights_can_be_drawn(recorder):
    for coefs in recorder.coefs_[1:]:
        coefs[0][:] = np.nan
    recorder.grad_norms_[1] = np.inf
    display = from_recorder(recorder, max_lines=3)
    assert display.diverged_epoch_ == 2
    assert np.isnan(display.weight_lines_[0][0].get_ydata()[1:]).all()


def test_a_training_that_failed_can_be_looked_at():
    recorder = WeightRecorder()
    X = np.linspace(-1, 1, 20).reshape(-1, 1)
    params = {"solver": "sgd", "learning_rate_init": 1e9, "n_iter_no_change": 1000}
    reg = MLPRegressorScratch(hidden_layer_sizes=(), callbacks=recorder, **params)
    with pytest.raises(ValueError, match="diverged"):
        reg.fit(X, X[:, 0])
    assert from_recorder(recorder).diverged_epoch_ == 1


def test_axes_of_the_users_are_drawn_in(recorder):
    _, ax = plt.subplots()
    display = from_recorder(recorder, ax=ax, color="black")
    assert display.figure_ is ax.figure
    assert len(display.axes_) == 4
    assert display.norm_line_.get_color() == "black"
    again = from_recorder(recorder, ax=display.axes_)
    assert again.axes_ == display.axes_


def test_bad_arguments_are_named(recorder):
    with pytest.raises(ValueError, match="recorder must be a skmlp"):
        from_recorder(WeightRecorder())
    with pytest.raises(ValueError, match=r"recorder must be .* got None"):
        from_recorder(None)
    with pytest.raises(ValueError, match="max_lines == 0, must be >= 1"):
        from_recorder(recorder, max_lines=0)
    with pytest.raises(ValueError, match=r"an array of 4 axes.*length 2"):
        from_recorder(recorder, ax=plt.subplots(2)[1])
