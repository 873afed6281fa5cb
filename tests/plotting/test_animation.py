"""Tests of animate_training: its frames show what was recorded."""

from shutil import which
from subprocess import check_output

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.callbacks import WeightRecorder
from skmlp.plotting import animate_training

plt = pytest.importorskip("matplotlib.pyplot")

X1 = np.linspace(-1, 1, 20).reshape(-1, 1)
Y1 = np.sin(3 * X1[:, 0])
X2 = np.random.RandomState(0).uniform(-1, 1, (30, 2))
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 6, "random_state": 0}


def fit(Estimator, X, y, **params):
    recorder = WeightRecorder()
    return Estimator(**SMALL, callbacks=recorder, **params).fit(X, y), recorder


def panels(animation):
    """The function's axes, then those below each other."""
    animation._draw_was_started = True  # or it would warn that it was never shown
    return animation._fig.axes


def test_each_frame_shows_its_epoch_and_those_before():
    reg, recorder = fit(MLPRegressorScratch, X1, Y1)
    animation = animate_training(recorder, reg, X1, Y1, target=lambda X: np.sin(3 * X))
    function, error, norm, angle, weights = panels(animation)
    assert len(list(animation.new_frame_seq())) == 7
    shorter = MLPRegressorScratch(**{**SMALL, "max_iter": 4}).fit(X1, Y1)
    for epoch, expected in (4, shorter), (6, reg):
        animation._func(epoch)
        assert function.get_title() == f"epoch {epoch}"
        line = function.lines[-1]
        grid = line.get_xdata()[:, np.newaxis]
        assert_allclose(line.get_ydata(), expected.predict(grid))
        assert_array_equal(norm.lines[0].get_ydata(), recorder.grad_norms_[: epoch + 1])
        assert_array_equal(angle.lines[0].get_ydata(), recorder.angles_[: epoch + 1])
        assert_array_equal(error.lines[0].get_xdata(), np.arange(epoch + 1))
        mse = np.mean((expected.predict(X1) - Y1) ** 2)
        assert_allclose(error.lines[0].get_ydata()[-1], mse)
        assert len(weights.lines) == 8
        recorded = [coefs[1][2, 0] for coefs in recorder.coefs_[: epoch + 1]]
        assert_array_equal(weights.lines[6].get_ydata(), recorded)
    assert weights.get_xlabel() == "epoch"
    assert angle.get_ylabel() == "angle\n(degrees)"


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_classifier_has_its_surface_and_its_error_rate(n_classes):
    y = np.digitize(X2[:, 0], [-0.3, 0.3][: n_classes - 1])
    clf, recorder = fit(MLPClassifierScratch, X2, y)
    animation = animate_training(recorder, clf, X2, y, grid_resolution=8)
    function, error, *_ = panels(animation)
    n_points = len(function.collections)
    for i in (0, 6):
        animation._func(i)
        assert len(function.images) == (n_classes == 3)
        assert len(function.collections) <= n_points + n_classes
    assert error.get_ylabel() == "error rate"
    assert_allclose(error.lines[0].get_ydata()[-1], 1 - clf.score(X2, y))


def test_saved_number_of_frames(tmp_path):
    image = pytest.importorskip("PIL.Image")
    reg, recorder = fit(MLPRegressorScratch, X1, Y1)
    path = tmp_path / "training.gif"
    animate_training(recorder, reg, X1, Y1, max_frames=3, path=path)
    with image.open(path) as film:
        assert film.n_frames == 3


@pytest.mark.skipif(which("ffprobe") is None, reason="there is no ffmpeg")
def test_it_is_saved_as_mp4(tmp_path):
    reg, recorder = fit(MLPRegressorScratch, X1, Y1)
    path = tmp_path / "training.mp4"
    animate_training(recorder, reg, X1, Y1, max_frames=4, path=path)
    count = ["-count_frames", "-show_entries", "stream=nb_read_frames"]
    probe = ["ffprobe", "-v", "error", *count, "-of", "csv=p=0", str(path)]
    assert int(check_output(probe)) == 4


def test_a_training_of_which_the_end_was_lost_can_be_shown():
    reg, recorder = fit(MLPRegressorScratch, X1, Y1)
    recorder.coefs_[-1][0][:] = np.nan
    animation = animate_training(recorder, reg, X1, Y1)
    function, error, *_ = panels(animation)
    animation._func(6)
    assert np.isnan(function.lines[-1].get_ydata()).all()
    assert np.isnan(error.lines[0].get_ydata()[-1])


def test_bad_arguments_are_named(tmp_path, monkeypatch):
    reg, recorder = fit(MLPRegressorScratch, X1, Y1)
    with pytest.raises(ValueError, match="path must end in"):
        animate_training(recorder, reg, X1, Y1, path=tmp_path / "film.avi")
    monkeypatch.setattr("matplotlib.animation.FFMpegWriter.isAvailable", lambda: False)
    with pytest.raises(ValueError, match=r"ffmpeg, .* is not installed"):
        animate_training(recorder, reg, X1, Y1, path=tmp_path / "film.mp4")
    with pytest.raises(ValueError, match="X must be of shape"):
        animate_training(recorder, reg, np.zeros((20, 3)), Y1)
    with pytest.raises(ValueError, match="max_frames == 1, must be >= 2"):
        animate_training(recorder, reg, X1, Y1, max_frames=1)
    with pytest.raises(ValueError, match="fps == 0, must be > 0"):
        animate_training(recorder, reg, X1, Y1, fps=0)
    with pytest.raises(ValueError, match="recorder must be a skmlp"):
        animate_training(WeightRecorder(), reg, X1, Y1)
    with pytest.raises(NotFittedError):
        animate_training(recorder, MLPRegressorScratch(), X1, Y1)
    several, recorder = fit(MLPRegressorScratch, X2, X2)
    with pytest.raises(ValueError, match=r"output must be the index of an output, .*1"):
        animate_training(recorder, several, X2, X2)
