"""Tests that files which earlier versions have written can be read."""

import importlib.util
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import skmlp

_path = Path(__file__).with_name("make_old_files.py")
_spec = importlib.util.spec_from_file_location("make_old_files", _path)
maker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(maker)

FILES = sorted(maker.DIRECTORY.iterdir())
EXPECTED = json.loads((maker.DIRECTORY / "expected.json").read_text(encoding="utf-8"))
MODELS = [path for path in FILES if path.stem.startswith(("classifier", "regressor"))]
TRAININGS = [path for path in FILES if path.stem.startswith("training")]


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_old_model_has_the_same_predictions(path):
    """Also pickles, of whatever release of scikit-learn there was."""
    name = path.name.split("-")[0]
    if path.suffix == ".pkl":
        model = pickle.loads(path.read_bytes())
    else:
        model = skmlp.load(path)
    _, X, y = {"classifier": maker.classification, "regressor": maker.regression}[
        name
    ]()
    output = getattr(model, "predict_proba", model.predict)
    np.testing.assert_allclose(output(X[maker.ROWS]), EXPECTED[name], rtol=1e-5)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    # And it can go on learning.
    model.set_params(warm_start=True, max_iter=2).fit(X, y)
    assert np.isfinite(model.loss_)


@pytest.mark.parametrize("path", TRAININGS, ids=lambda path: path.name)
def test_an_old_training_continues(path):
    """It ends like one in one piece, but for what another machine rounds."""
    one_piece, X, y = maker.resumable()
    one_piece.fit(X, y)
    resumed, X, y = maker.resumable()
    resumed.fit(X, y, resume_from=path)
    assert len(resumed.loss_curve_) == resumed.n_iter_ == one_piece.n_iter_ == 10
    np.testing.assert_allclose(resumed.loss_curve_, one_piece.loss_curve_, rtol=1e-6)
    np.testing.assert_allclose(
        resumed.predict_proba(X), one_piece.predict_proba(X), rtol=1e-5
    )


def test_there_is_an_old_file_of_every_kind():
    """Of the present format, or the tests above would say nothing of it."""
    names = {path.name for path in FILES}
    assert f"classifier-{maker.model.VERSION}.skmlp" in names
    assert f"regressor-{maker.model.VERSION}.skmlp" in names
    assert f"training-{maker.checkpoint.VERSION}.skmlp" in names
    releases = {name.split("-")[-1] for name in names if name.endswith(".pkl")}
    assert {"1.7.2.pkl", "1.8.0.pkl", "1.9.1.pkl"} <= releases
