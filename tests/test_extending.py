"""Tests of examples/extending, which docs/extending.md shows."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skmlp import MLPClassifierScratch, MLPRegressorScratch, check_gradient
from skmlp.callbacks import Checkpoint
from skmlp.core.optimizers import OPTIMIZERS, SGD
from skmlp.core.schedules import SCHEDULES

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "extending"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the examples are in the source repository only"
)


def example(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def Adamax():
    """The optimizer, which leaves the registry again."""
    yield example("optimizer").Adamax
    del OPTIMIZERS["adamax"]


@pytest.fixture
def schedules():
    """The module of the schedules, which leave the registry again."""
    yield example("schedule")
    del SCHEDULES["polynomial"], SCHEDULES["linear"]


def test_every_example_is_in_the_page():
    page = (FOLDER.parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")
    for path in FOLDER.glob("*.py"):
        assert f"../examples/extending/{path.name}\n" in page


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_the_activation(datasets, beta):
    X, y = datasets["multiclass"].X, datasets["multiclass"].y
    Swish = example("activation").Swish
    clf = MLPClassifierScratch(
        (8, 5), activation=[Swish(beta), "tanh"], max_iter=20, random_state=0
    )
    assert check_gradient(clf, X[:30], y[:30]).max_relative_error < 1e-6
    curve = clf.fit(X, y).loss_curve_
    assert curve[-1] < curve[0]
    assert clone(clf).activation[0].beta == beta


def test_the_swish_of_slope_1_is_the_silu(datasets):
    X, y = datasets["multiclass"].X, datasets["multiclass"].y
    params = {"engine": "numpy", "max_iter": 5, "random_state": 0}
    ours = MLPClassifierScratch(activation=example("activation").Swish(), **params)
    silu = MLPClassifierScratch(activation="silu", **params)
    np.testing.assert_allclose(
        ours.fit(X, y).loss_curve_, silu.fit(X, y).loss_curve_, rtol=1e-12
    )


def test_the_loss(datasets):
    X, y = datasets["regression"].X, datasets["regression"].y
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(8,), loss=example("loss").LogCosh(), random_state=0
    )
    assert check_gradient(reg, X[:30], y[:30]).max_relative_error < 1e-6
    curve = reg.set_params(max_iter=20).fit(X, y).loss_curve_
    assert curve[-1] < curve[0]


def test_the_loss_of_large_residuals():
    Y, P, out = np.zeros((1, 3)), np.array([[0.0, 1.0, -1e4]]), np.empty((1, 3))
    example("loss").LogCosh().pointwise(Y, P, out)
    np.testing.assert_allclose(out, [[0, np.log(np.cosh(1)), 1e4 - np.log(2)]])


def test_optimizer_agrees_with_its_publication(Adamax):
    rng = np.random.default_rng(0)
    theta = rng.standard_normal(7)
    expected, m, v = theta.copy(), np.zeros(7), np.zeros(7)
    optimizer = Adamax(theta, 0.01)
    for t in range(1, 6):
        grad = rng.standard_normal(7)
        m, v = 0.9 * m + 0.1 * grad, np.maximum(0.999 * v, abs(grad))
        expected -= 0.01 / (1 - 0.9**t) * m / (v + 1e-8)
        optimizer.step(theta, grad.copy(), np.empty(7))
        np.testing.assert_allclose(theta, expected, rtol=1e-13)


def test_the_optimizer_is_a_solver(datasets, Adamax, tmp_path):
    X, y = datasets["multiclass"].X, datasets["multiclass"].y
    params = {"hidden_layer_sizes": (8,), "solver": "adamax", "random_state": 0}
    params |= {"learning_rate_init": 0.01, "learning_rate": "cosine"}
    clf = MLPClassifierScratch(**params, max_iter=40).fit(X, y)
    assert clf.loss_curve_[-1] < 0.8 * clf.loss_curve_[0]
    assert isinstance(clf.partial_fit(X, y), MLPClassifierScratch)

    # Its state goes into checkpoints; cosine ends at max_iter, which is thus the same.
    class Stop(Exception):
        pass

    class Interrupt(Checkpoint):
        def on_epoch_settled(self, training):
            super().on_epoch_settled(training)
            if training.n_iter == 7:
                raise Stop

    path = tmp_path / "checkpoint"
    whole = MLPClassifierScratch(**params, max_iter=15).fit(X, y)
    with pytest.raises(Stop):
        MLPClassifierScratch(**params, max_iter=15, callbacks=Interrupt(path)).fit(X, y)
    resumed = MLPClassifierScratch(**params, max_iter=15, callbacks=Checkpoint(path))
    assert resumed.fit(X, y, resume_from=path).loss_curve_ == whole.loss_curve_


def test_the_optimizer_makes_weights_zero(datasets, Adamax):
    X, y = datasets["regression"].X, datasets["regression"].y
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(8,),
        solver="adamax",
        alpha=20.0,
        l1_ratio=1.0,
        batch_size="full",
        max_iter=300,
        learning_rate_init=0.01,
        random_state=0,
    )
    assert (reg.fit(X, y).coefs_[0] == 0).mean() > 0.2


def test_the_optimizer_is_an_object(datasets, Adamax):
    X, y = datasets["multiclass"].X, datasets["multiclass"].y
    params = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0}
    template = Adamax(beta_1=0.8)
    by_object = MLPClassifierScratch(**params, solver=template).fit(X, y)
    by_name = MLPClassifierScratch(**params, solver="adamax", beta_1=0.8).fit(X, y)
    assert by_object.loss_curve_ == by_name.loss_curve_
    assert template.t == 0
    search = GridSearchCV(
        MLPClassifierScratch(**params),
        {"solver": [Adamax(beta_1=0.8), Adamax(beta_1=0.9), SGD(momentum=0.5)]},
        cv=2,
    )
    assert np.isfinite(search.fit(X, y).cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(("name", "power"), [("polynomial", 2), ("linear", 1)])
def test_the_schedule(datasets, schedules, name, power):
    X, y = datasets["multiclass"].X, datasets["multiclass"].y
    clf = MLPClassifierScratch(
        (8,), learning_rate=name, max_iter=6, batch_size="full", random_state=0
    )
    rates = clf.fit(X, y).history_["learning_rate"]
    np.testing.assert_allclose(rates, 0.001 * (1 - np.arange(6) / 6) ** power)
    cubic = SCHEDULES[name](0.1, power=3, total_steps=6)
    assert cubic.at_step(0.1, 3) == pytest.approx(0.1 / 8)


def test_removed_solver_raises(datasets):
    X, y = datasets["multiclass"].X, datasets["multiclass"].y
    example("optimizer")
    search = GridSearchCV(
        MLPClassifierScratch((4,), max_iter=3, random_state=0),
        {"solver": ["adam", "adamax"]},
        cv=2,
        error_score="raise",
    )
    assert search.fit(X, y).n_splits_ == 2
    del OPTIMIZERS["adamax"]
    with pytest.raises(ValueError, match="'solver' parameter"):
        MLPClassifierScratch(solver="adamax").fit(X, y)


def test_the_callback(datasets):
    X, y = datasets["regression"].X, datasets["regression"].y
    callback = example("callback").HalveOnJump(factor=1.05)
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(8,),
        solver="sgd",
        learning_rate_init=0.3,
        max_iter=60,
        n_iter_no_change=60,
        callbacks=[callback],
        random_state=0,
    )
    history = reg.fit(X, y).history_
    jumps = [
        epoch
        for epoch in range(2, len(history["loss"]) + 1)
        if history["loss"][epoch - 1] > 1.05 * history["loss"][epoch - 2]
    ]
    assert callback.halved_ == jumps
    assert jumps
    assert history["learning_rate"][-1] == 0.3 / 2 ** sum(
        epoch < len(history["loss"]) for epoch in jumps
    )
