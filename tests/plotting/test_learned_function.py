"""Tests of LearnedFunctionDisplay: what it draws is what the network computes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.callbacks import WeightRecorder
from skmlp.plotting import LearnedFunctionDisplay

plt = pytest.importorskip("matplotlib.pyplot")

X1 = np.linspace(-1, 1, 30).reshape(-1, 1)
X2 = np.random.RandomState(0).uniform(-1, 1, (40, 2))
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 9, "random_state": 0}


def sine(X):
    return np.sin(3 * X[:, 0])


def product(X):
    return X[:, 0] * X[:, 1]


def classes(X, names=("a", "b", "c")):
    return np.array(names)[np.digitize(X[:, 0], [-0.3, 0.3])]


def fit(X, y, **params):
    recorder = WeightRecorder()
    is_class = np.asarray(y).dtype.kind in "USi"
    Estimator = MLPClassifierScratch if is_class else MLPRegressorScratch
    return Estimator(**SMALL, callbacks=recorder, **params).fit(X, y), recorder


def legend(display):
    (shown,) = display.figure_.legends
    return [text.get_text() for text in shown.get_texts()]


def test_a_line_is_the_prediction():
    reg, _ = fit(X1, sine(X1))
    display = LearnedFunctionDisplay.from_estimator(reg, X1, sine(X1), target=sine)
    (line,) = display.lines_
    assert_allclose(line.get_ydata(), reg.predict(line.get_xdata()[:, np.newaxis]))
    assert len(line.get_xdata()) == 100
    assert_allclose(line.get_xdata()[[0, -1]], [-1.1, 1.1])
    assert_allclose(display.target_line_.get_ydata(), np.sin(3 * line.get_xdata()))
    (points,) = display.points_
    assert_allclose(points.get_offsets(), np.c_[X1, sine(X1)])
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("x", "prediction")
    assert legend(display) == ["samples", "target", "prediction"]


def test_lines_of_recorded_epochs_are_those_of_trainings_that_ended_there():
    reg, recorder = fit(X1, sine(X1))
    display = LearnedFunctionDisplay.from_recorder(recorder, reg, X1, epochs=[0, 3, 9])
    assert display.epochs == [0, 3, 9]
    assert len({str(line.get_color()) for line in display.lines_}) == 3
    shorter = MLPRegressorScratch(**{**SMALL, "max_iter": 3}).fit(X1, sine(X1))
    for epoch, expected in (3, shorter), (9, reg):
        line = display.lines_[display.epochs.index(epoch)]
        grid = line.get_xdata()[:, np.newaxis]
        assert_allclose(line.get_ydata(), expected.predict(grid))
    labels = [text.get_text() for text in display.colorbar_.ax.get_yticklabels()]
    assert labels == ["0", "3", "9"]
    assert display.colorbar_.ax.get_ylabel() == "epoch"


def test_few_epochs_are_selected_and_the_estimator_is_unchanged():
    reg, recorder = fit(X1, sine(X1))
    before = [W.copy() for W in reg.coefs_]
    display = LearnedFunctionDisplay.from_recorder(recorder, reg, X1)
    assert len(display.lines_) == len(display.epochs) <= 6
    assert (display.epochs[0], display.epochs[-1]) == (0, 9)
    for W, then in zip(reg.coefs_, before, strict=True):
        assert_array_equal(W, then)


def test_divergence_is_a_gap():
    reg, recorder = fit(X1, sine(X1))
    recorder.coefs_[-1][0][:] = np.nan
    display = LearnedFunctionDisplay.from_recorder(recorder, reg, X1, epochs=[8, 9])
    assert np.isfinite(display.lines_[0].get_ydata()).all()
    assert np.isnan(display.lines_[1].get_ydata()).all()
    reg, recorder = fit(X2, product(X2))
    recorder.coefs_[-1][0][:] = np.nan
    display = LearnedFunctionDisplay.from_recorder(recorder, reg, X2, epochs=[8, 9])
    display.figure_.canvas.draw()


def test_lines_of_a_classifier_are_probabilities():
    clf, recorder = fit(X1, classes(X1))
    display = LearnedFunctionDisplay.from_estimator(clf, X1, classes(X1))
    drawn = np.transpose([line.get_ydata() for line in display.lines_])
    assert_allclose(drawn, clf.predict_proba(display.grid))
    assert display.ax_.get_ylabel() == "probability"
    assert legend(display) == ["P(a)", "P(b)", "P(c)"]
    one = LearnedFunctionDisplay.from_recorder(
        recorder, clf, X1, classes(X1), epochs=[0, 9], output=1
    )
    assert_allclose(one.lines_[-1].get_ydata(), clf.predict_proba(one.grid)[:, 1])
    assert one.ax_.get_ylabel() == "probability of class b"
    assert_array_equal(one.points_[0].get_offsets()[:, 1], classes(X1) == "b")
    with pytest.raises(ValueError, match=r"output must be the index of an output, .*2"):
        LearnedFunctionDisplay.from_recorder(recorder, clf, X1)


def test_a_surface_is_the_prediction():
    reg, _ = fit(X2, product(X2))
    display = LearnedFunctionDisplay.from_estimator(
        reg, X2, product(X2), target=product, grid_resolution=20
    )
    assert display.responses.shape == (1, 400, 1)
    assert_allclose(display.responses[0, :, 0], reg.predict(display.grid))
    levels = display.surfaces_[0].levels
    # Samples have the colours of the surface.
    assert display.points_[0].get_clim() == (levels[0], levels[-1])
    assert_allclose(display.points_[0].get_array(), product(X2))
    assert display.colorbar_.ax.get_ylabel() == "prediction"
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("x0", "x1")
    assert legend(display) == ["target"]


def test_two_classes_have_the_probability_of_the_second_on_a_fixed_scale():
    y = np.where(X2[:, 0] > 0, "yes", "no")
    clf, recorder = fit(X2, y)
    display = LearnedFunctionDisplay.from_recorder(
        recorder, clf, X2, y, epochs=[0, 2, 4, 6, 9], grid_resolution=9
    )
    assert [ax.get_title() for ax in display.axes_] == [
        f"epoch {epoch}" for epoch in (0, 2, 4, 6, 9)
    ]
    assert len(display.figure_.axes) == 5 + 1
    for surface in display.surfaces_:
        assert_allclose(surface.levels[[0, -1]], [0, 1])
    assert display.colorbar_.ax.get_ylabel() == "probability of class yes"
    assert_allclose(display.responses[-1, :, 0], clf.predict_proba(display.grid)[:, 1])
    assert legend(display) == ["class no", "class yes"]
    # Below each column there is a label, also where the last row has a gap.
    labels = [ax.get_xlabel() for ax in display.axes_]
    assert labels == ["", "", "x0", "x0", "x0"]


def test_three_classes_have_regions():
    clf, _ = fit(X2, classes(X2))
    display = LearnedFunctionDisplay.from_estimator(
        clf, X2, classes(X2), grid_resolution=15
    )
    (image,) = display.surfaces_
    assert image.get_array().shape == (15, 15, 3)
    assert display.colorbar_ is None
    for k, points in enumerate(display.points_):
        assert_array_equal(points.get_offsets(), X2[classes(X2) == "abc"[k]])


@pytest.mark.parametrize("X", [X1, X2])
def test_one_of_several_labels_or_targets_can_be_shown(X):
    labels = np.c_[X[:, 0] > 0, X[:, 0] > 0.5].astype(int)
    clf = MLPClassifierScratch(**SMALL).fit(X, labels)
    display = LearnedFunctionDisplay.from_estimator(
        clf, X, labels, output=1, grid_resolution=5
    )
    assert_allclose(display.responses[0, :, 0], clf.predict_proba(display.grid)[:, 1])
    assert_array_equal(display.y, labels[:, 1])
    assert display.output_name == "probability of label 1"
    targets = np.c_[X[:, 0], X[:, 0] ** 2]
    reg = MLPRegressorScratch(**SMALL).fit(X, targets)
    display = LearnedFunctionDisplay.from_estimator(
        reg, X, targets, output=1, grid_resolution=5
    )
    assert_allclose(display.responses[0, :, 0], reg.predict(display.grid)[:, 1])
    for output in (2, "one"):
        with pytest.raises(
            ValueError, match="output must be the index of one of the 2"
        ):
            LearnedFunctionDisplay.from_estimator(reg, X, targets, output=output)


def test_several_targets_of_two_inputs_are_too_many():
    reg, _ = fit(X2, np.c_[X2, X2[:, 0]])
    with pytest.raises(ValueError, match=r"output must be the index of an output, .*2"):
        LearnedFunctionDisplay.from_estimator(reg, X2)


def test_names_of_columns_are_labels_and_a_pipeline_will_do():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X2, columns=["width", "height"])
    pipe = make_pipeline(StandardScaler(), MLPRegressorScratch(**SMALL))
    pipe.fit(frame, product(X2))
    display = LearnedFunctionDisplay.from_estimator(pipe, frame, grid_resolution=5)
    assert display.ax_.get_xlabel() == "width"
    assert display.ax_.get_ylabel() == "height"
    assert display.points_ == []


def test_axes_of_the_users_are_drawn_in():
    reg, recorder = fit(X1, sine(X1))
    figure, axes = plt.subplots(1, 2)
    display = LearnedFunctionDisplay.from_estimator(reg, X1, ax=axes[0], color="red")
    assert display.ax_ is axes[0]
    assert display.figure_ is figure
    assert display.lines_[0].get_color() == "red"
    reg, recorder = fit(X2, product(X2))
    options = {"epochs": [0, 9], "grid_resolution": 5}
    drawn = LearnedFunctionDisplay.from_recorder(recorder, reg, X2, ax=axes, **options)
    assert drawn.axes_ == list(axes)
    with pytest.raises(ValueError, match=r"an array of 2 axes.*length 1"):
        LearnedFunctionDisplay.from_recorder(recorder, reg, X2, ax=axes[:1], **options)
    place = plt.figure().add_subplot()
    shared = LearnedFunctionDisplay.from_recorder(
        recorder, reg, X2, ax=place, **options
    )
    assert len(shared.axes_) == 2
    assert {ax.figure for ax in shared.axes_} == {place.figure}


def test_bad_arguments_are_named():
    reg, recorder = fit(X1, sine(X1))
    from_estimator = LearnedFunctionDisplay.from_estimator
    from_recorder = LearnedFunctionDisplay.from_recorder
    with pytest.raises(NotFittedError):
        from_estimator(MLPRegressorScratch(), X1)
    with pytest.raises(ValueError, match="X must have 1 or 2 features"):
        from_estimator(reg, np.zeros((4, 3)))
    with pytest.raises(ValueError, match="output must be the index of one of the 1"):
        from_estimator(reg, X1, output=1)
    with pytest.raises(ValueError, match="target must be a function"):
        from_estimator(reg, X1, target=[1.0, 2.0])
    with pytest.raises(ValueError, match="epochs must be elements of"):
        from_recorder(recorder, reg, X1, epochs=[10])
    with pytest.raises(ValueError, match="recorder must be a skmlp"):
        from_recorder(WeightRecorder(), reg, X1)
    other = fit(X2, product(X2))[0]
    with pytest.raises(ValueError, match=r"fitted with recorder.* got \[\(2, 4\)"):
        from_recorder(recorder, other, X2)


@pytest.mark.parametrize("normalization", ["batch_norm", "layer_norm"])
def test_scales_of_a_normalization_are_not_recorded(normalization):
    normalized, recorder = fit(X1, sine(X1), **{normalization: True})
    with pytest.raises(ValueError, match=f"must have {normalization}=False"):
        LearnedFunctionDisplay.from_recorder(recorder, normalized, X1)
