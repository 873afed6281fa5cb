"""Tests of examples/cross_validate_mnist.py, on small data."""

import importlib.util
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "examples" / "cross_validate_mnist.py"
SMALL = ["--n-samples", "200", "--folds", "2", "--n-jobs", "1"]
pytestmark = pytest.mark.skipif(
    not SCRIPT.is_file(), reason="the examples are in the source repository only"
)


@pytest.fixture
def example(monkeypatch, tmp_path):
    """The script as a module, with the 8 x 8 digits for MNIST, in an empty folder."""
    spec = importlib.util.spec_from_file_location("cross_validate_mnist", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def fake_fetch_mnist(*, return_X_y):
        X, y = load_digits(return_X_y=True)
        return X.astype(np.float32), y

    monkeypatch.setattr(module, "fetch_mnist", fake_fetch_mnist)
    monkeypatch.chdir(tmp_path)
    # Several threads do not help with so little data, and get in each other's way.
    with threadpool_limits(1):
        yield module


def number(pattern, text):
    """Return the one number that the group of `pattern` matches in `text`."""
    [match] = re.findall(pattern, text, flags=re.MULTILINE)
    return float(match)


def test_output(example, tmp_path, capsys):
    """A run prints the promised lines, consistent with each other, and no warning."""
    pytest.importorskip("matplotlib")
    picture = tmp_path / "new" / "folder" / "matrix.png"
    arguments = ["--n-samples=400", "--folds=4", "--n-jobs=1", f"--output={picture}"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        example.main(arguments)
    out, err = capsys.readouterr()
    assert err == ""

    folds = re.findall(r"^fold (\d) accuracy: (0\.\d{4}|1\.0000)$", out, re.MULTILINE)
    assert [int(fold) for fold, _ in folds] == [1, 2, 3, 4]
    mean = number(r"^mean accuracy: (0\.\d{4})$", out)
    assert mean == pytest.approx(np.mean([float(a) for _, a in folds]), abs=1e-4)
    # The folds have 100 images each, so the overall accuracy is the same mean.
    assert number(r"^ +accuracy +(0\.\d{4}) +400$", out) == pytest.approx(mean)
    assert mean > 0.9
    assert number(r"^wall time: (\d+\.\d) s$", out) > 0
    assert number(r"^grid search: accuracy (\d\.\d{4}) with mlp__alpha=", out) > 0.8
    assert "Grid search: a subset of 400 images" in out
    assert "400 images of MNIST" in out
    assert f"confusion matrix: {picture}\n" in out
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 10_000


def test_worker_processes(example, capfd, monkeypatch):
    """With --n-jobs 2 the results are the same, and the workers print no warning."""
    n_jobs_used = []

    def spy_on(function):
        def spy(*args, **kwargs):
            n_jobs_used.append(kwargs["n_jobs"])
            return function(*args, **kwargs)

        return spy

    for name in ("cross_validate", "GridSearchCV"):
        monkeypatch.setattr(example, name, spy_on(getattr(example, name)))
    if "PYTHONWARNINGS" in os.environ:
        pytest.skip("PYTHONWARNINGS would hide warnings in the workers")
    accuracies = []
    for n_jobs in ("1", "2"):
        example.main([*SMALL, "--n-jobs", n_jobs])
        out, err = capfd.readouterr()
        assert err == ""
        accuracies.append(number(r"^mean accuracy: (0\.\d{4})$", out))
    assert n_jobs_used == [1, 1, 2, 2]
    # Not exactly equal: the number of BLAS threads differs, and so does rounding.
    assert accuracies[0] == pytest.approx(accuracies[1], abs=0.02)


def test_load_digits_instead(example, monkeypatch, capsys):
    """Without MNIST, one line says why, and scikit-learn's digits are used."""

    def offline(*, return_X_y):
        raise OSError("MNIST could not be downloaded")

    monkeypatch.setattr(example, "fetch_mnist", offline)
    example.main(SMALL)
    out = capsys.readouterr().out
    assert out.startswith(
        "Using scikit-learn's load_digits instead of MNIST: "
        "MNIST could not be downloaded\n"
    )
    assert "200 images of load_digits" in out
    assert number(r"^mean accuracy: (0\.\d{4})$", out) > 0.8


def test_without_matplotlib(example, monkeypatch, capsys, tmp_path):
    """Without matplotlib, one line says how to install it and the run is complete."""
    for name in list(sys.modules):
        if name.partition(".")[0] == "matplotlib":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    example.main(SMALL)
    out = capsys.readouterr().out
    assert number(r"^mean accuracy: (0\.\d{4})$", out) > 0.8
    assert out.endswith("\nNo picture without matplotlib: pip install 'skmlp[plot]'\n")
    assert os.listdir(tmp_path) == []


def test_default_output(example, capsys, tmp_path):
    """By default, the picture is saved in the current folder."""
    pytest.importorskip("matplotlib")
    example.main(SMALL)
    assert "confusion matrix: confusion_matrix_mnist.png\n" in capsys.readouterr().out
    assert os.listdir(tmp_path) == ["confusion_matrix_mnist.png"]


def test_predictions_are_out_of_fold(example, monkeypatch):
    """No image is classified by a model that has been trained on it.

    The labels are random, so that a nearest neighbour is right about one image in
    ten, except about those that it has been trained on.
    """
    model = KNeighborsClassifier(1)
    monkeypatch.setattr(example, "make_model", lambda n_samples: model)
    X = np.arange(500.0).reshape(-1, 1)
    y = np.random.default_rng(0).permutation(np.arange(500) % 10)
    scores, y_pred = example.cross_validate_mlp(X, y, n_folds=5, n_jobs=1)
    assert np.mean(y_pred == y) < 0.2
    assert np.mean(y_pred == y) == pytest.approx(scores.mean())


@pytest.mark.parametrize("n_samples", [100, 1790, 5000])
def test_stratified_subset(example, n_samples):
    """A subset has distinct rows and the class frequencies of the whole."""
    _, y = load_digits(return_X_y=True)
    rows, y_subset = example.stratified_subset(np.arange(len(y)), y, n_samples)
    n_samples = min(n_samples, len(y))
    assert len(np.unique(rows)) == len(rows) == n_samples
    np.testing.assert_array_equal(y_subset, y[rows])
    expected = np.bincount(y) * n_samples / len(y)
    np.testing.assert_allclose(np.bincount(y_subset), expected, atol=1)


def test_too_many_samples(example, capsys, monkeypatch):
    """--n-samples above what there is means all, and that is announced."""
    X, y = load_digits(return_X_y=True)
    monkeypatch.setattr(example, "fetch_mnist", lambda return_X_y: (X[:200], y[:200]))
    example.main(["--n-samples", "201", "--folds", "2", "--n-jobs", "1"])
    out = capsys.readouterr().out
    assert "MNIST has only 200 images: using them all." in out
    assert "200 images of MNIST" in out


@pytest.mark.parametrize(
    ("arguments", "option", "reason"),
    [
        (["--folds", "1"], "--folds", "must be at least 2, got 1"),
        (["--folds", "two"], "--folds", "invalid int value: 'two'"),
        (["--folds", "1000"], "--folds", "1000 folds need at least 1000 images"),
        (["--n-samples", "0"], "--n-samples", "must be at least 1, got 0"),
        (["--n-samples", "-3"], "--n-samples", "must be at least 1, got -3"),
        (["--n-samples", "5"], "--n-samples", "5 folds need at least 5 images"),
        (["--n-samples", "45"], "--n-samples", "there is one with 4"),
        (["--n-jobs", "0"], "--n-jobs", "must be other than 0, got 0"),
        (["--n-jobs", "1.5"], "--n-jobs", "invalid int value: '1.5'"),
        (["--output", "matrix"], "--output", "must end in .pdf, .png or .svg"),
        (["--output", "file/matrix.png"], "--output", "exists"),
        (["--output", "folder.png"], "--output", "cannot write folder.png"),
    ],
)
def test_bad_arguments(example, capsys, tmp_path, arguments, option, reason):
    """A bad value ends in argparse's error line that names the option."""
    if option == "--output":
        pytest.importorskip("matplotlib")
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(SystemExit) as excinfo:
        example.main(arguments)
    assert excinfo.value.code == 2
    out, err = capsys.readouterr()
    assert "accuracy" not in out
    error_line = err.splitlines()[-1]
    assert f"error: argument {option}: " in error_line
    assert reason in error_line


def test_help_of_the_script():
    """The script runs by its path; --help shows each option and its default."""
    result = subprocess.run(
        [sys.executable, str(SCRIPT), "--help"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == ""
    text = " ".join(result.stdout.split())  # regardless of the line breaks
    for option, default in [
        ("--n-samples N_SAMPLES", "all 70000"),
        ("--folds FOLDS", "5"),
        ("--n-jobs N_JOBS", "2"),
        ("--output OUTPUT", "confusion_matrix_mnist.png"),
    ]:
        assert re.search(rf"{option} [^()]+ \(default: {default}\)", text)
