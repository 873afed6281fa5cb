"""Tests of an optimizer object as `solver`."""

import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import skmlp
from skmlp import MLPClassifierScratch
from skmlp.callbacks import Checkpoint
from skmlp.compiled import UNAVAILABLE
from skmlp.core.optimizers import NO_PARAMETERS, OPTIMIZERS, Adam, NAdam, Optimizer

# A hyperparameter of each optimizer that has one, with a value other than the default.
SETTINGS = {
    "adagrad": {"epsilon": 1e-4},
    "adam": {"beta_1": 0.7, "epsilon": 1e-4},
    "adamw": {"beta_2": 0.9},
    "amsgrad": {"beta_1": 0.5},
    "armijo": {"armijo_factor": 0.3},
    "nadam": {"momentum_decay": 0.1},
    "random_search": {"search_radius": 0.01},
    "rmsprop": {"rho": 0.8},
    "sgd": {"momentum": 0.5, "nesterovs_momentum": False},
}


class Heavy(Optimizer, hyperparameters=("inertia",), state=("t", "velocity")):
    """Gradient descent with an exponential mean of the gradients."""

    def __init__(self, theta=NO_PARAMETERS, learning_rate=0.001, inertia=0.5):
        super().__init__(learning_rate)
        self.inertia = inertia
        self.velocity = np.zeros_like(theta)

    def step(self, theta, grad, work, prox=None):
        self.t += 1
        self.velocity *= self.inertia
        grad *= 1 - self.inertia
        self.velocity += grad
        np.multiply(self.velocity, self.learning_rate, out=work)
        theta -= work
        if prox is not None:
            prox(theta, self.learning_rate)


@pytest.fixture
def data(datasets):
    return datasets["multiclass"].X, datasets["multiclass"].y


def classifier(**params):
    params = {"max_iter": 4, "random_state": 0, "learning_rate_init": 0.01, **params}
    return MLPClassifierScratch((8, 5), **params)


def assert_equal_fits(a, b):
    assert a.loss_curve_ == b.loss_curve_
    for W, other in zip(a.coefs_, b.coefs_, strict=True):
        np.testing.assert_array_equal(W, other)


def test_settings_has_every_optimizer():
    assert set(SETTINGS) == set(OPTIMIZERS)


@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize("name", SETTINGS)
def test_an_object_trains_like_its_name_and_parameters(data, engine, name):
    settings = SETTINGS[name]
    by_name = classifier(solver=name, engine=engine, **settings).fit(*data)
    solver = OPTIMIZERS[name](**settings)
    by_object = classifier(solver=solver, engine=engine).fit(*data)
    assert_equal_fits(by_object, by_name)
    assert type(by_object._optimizer) is OPTIMIZERS[name]


def test_parameters_of_the_estimator_do_not_apply_to_an_object(data):
    default = classifier(solver=Adam()).fit(*data)
    assert_equal_fits(classifier(solver=Adam(), beta_1=0.3).fit(*data), default)


def test_learning_rate_init_is_that_of_the_estimator(data):
    clf = classifier(solver=Adam(learning_rate=123.0)).fit(*data)
    assert_equal_fits(clf, classifier(solver="adam").fit(*data))


def test_defaults_that_depend_on_the_solver_are_those_of_the_class(data):
    decayed = classifier(solver=OPTIMIZERS["adamw"](), alpha=0).fit(*data)
    assert_equal_fits(decayed, classifier(solver="adamw", alpha=0).fit(*data))
    ignored = classifier(solver=Adam(), learning_rate="invscaling").fit(*data)
    assert_equal_fits(ignored, classifier(solver=Adam()).fit(*data))


@pytest.mark.parametrize("solver", [NAdam(momentum_decay=0.1), Heavy(inertia=0.9)])
def test_the_template_does_not_change(data, solver):
    before = pickle.dumps(solver)
    classifier(solver=solver).fit(*data)
    clf = classifier(solver=solver)
    for _ in range(2):
        clf.partial_fit(*data, classes=np.unique(data[1]))
    assert pickle.dumps(solver) == before


def test_a_custom_optimizer_trains_each_kind_of_target(datasets):
    for kind, (X, y, Estimator, params) in (
        (kind, vars(dataset).values()) for kind, dataset in datasets.items()
    ):
        params = {"solver": Heavy(), "learning_rate_init": 0.01, "max_iter": 5} | params
        est = Estimator(hidden_layer_sizes=(8,), random_state=0, **params)
        curve = est.fit(X, y).loss_curve_
        assert curve[-1] < curve[0], kind


def test_steps_of_a_custom_optimizer(data):
    """With inertia=0, it is gradient descent, of which SGD is the reference."""
    descent = classifier(solver=Heavy(inertia=0.0), engine="numpy").fit(*data)
    sgd = classifier(solver="sgd", momentum=0, nesterovs_momentum=False, engine="numpy")
    np.testing.assert_allclose(
        descent.loss_curve_, sgd.fit(*data).loss_curve_, rtol=1e-12
    )


def test_engine_compiled_raises_for_a_custom_optimizer(data):
    if UNAVAILABLE:
        pytest.skip("the extension is not built")
    with pytest.raises(ValueError, match=re.escape("solver=Heavy(inertia=0.5)")):
        classifier(solver=Heavy(), engine="compiled").fit(*data)


@pytest.mark.parametrize("solver", [Adam(beta_1=0.7), Heavy(inertia=0.9)])
def test_clone_and_pickle(data, solver):
    fitted = classifier(solver=solver).fit(*data)
    copy = clone(fitted)
    assert repr(copy.solver) == repr(solver)
    assert copy.solver is not solver
    assert_equal_fits(copy.fit(*data), fitted)
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(
        restored.predict_proba(data[0]), fitted.predict_proba(data[0])
    )
    assert_equal_fits(restored.partial_fit(*data), fitted.partial_fit(*data))


def test_repr_shows_the_hyperparameters():
    clf = MLPClassifierScratch(solver=Heavy(inertia=0.9))
    assert "solver=Heavy(inertia=0.9)" in repr(clf)


@pytest.mark.parametrize("solver", [NAdam(momentum_decay=0.1), Heavy(inertia=0.9)])
@pytest.mark.parametrize("engine", ["numpy", "auto"])
def test_partial_fit_continues(data, engine, solver):
    params = {"solver": solver, "engine": engine, "shuffle": False}
    calls = classifier(**params)
    for _ in range(4):
        calls.partial_fit(*data, classes=np.unique(data[1]))
    assert_equal_fits(calls, classifier(**params, max_iter=4).fit(*data))


def test_warm_start_begins_with_a_new_optimizer(data):
    """As with a name, and as in scikit-learn."""
    params = {"max_iter": 2, "warm_start": True}
    by_object = classifier(solver=NAdam(), **params).fit(*data).fit(*data)
    by_name = classifier(solver="nadam", **params).fit(*data).fit(*data)
    assert_equal_fits(by_object, by_name)


def test_another_solver_object_is_used_from_the_next_fit_on(data):
    clf = classifier(solver=Heavy(inertia=0.0), warm_start=True).fit(*data)
    clf.set_params(solver=Heavy(inertia=0.9)).fit(*data)
    assert clf._optimizer.inertia == 0.9


@pytest.mark.parametrize("solver", [NAdam(momentum_decay=0.1), Heavy(inertia=0.9)])
def test_checkpoint_and_resume(tmp_path, data, solver):
    path = tmp_path / "checkpoint"
    whole = classifier(solver=solver, max_iter=6).fit(*data)
    classifier(solver=solver, max_iter=3, callbacks=[Checkpoint(path)]).fit(*data)
    rest = classifier(solver=solver, max_iter=6, callbacks=[Checkpoint(path)])
    assert_equal_fits(rest.fit(*data, resume_from=path), whole)


def test_resume_raises_for_other_hyperparameters(tmp_path, data):
    path = tmp_path / "checkpoint"
    classifier(solver=Heavy(inertia=0.9), callbacks=[Checkpoint(path)]).fit(*data)
    other = classifier(solver=Heavy(inertia=0.5), max_iter=6)
    with pytest.raises(ValueError, match="solver"):
        other.fit(*data, resume_from=path)


def test_save_and_load_of_an_optimizer_of_the_package(tmp_path, data):
    fitted = classifier(solver=NAdam(momentum_decay=0.1)).fit(*data)
    skmlp.save(fitted, tmp_path / "model")
    loaded = skmlp.load(tmp_path / "model")
    assert repr(loaded.solver) == repr(fitted.solver)
    assert_equal_fits(loaded.partial_fit(*data), fitted.partial_fit(*data))


def test_save_raises_for_a_custom_optimizer(tmp_path, data):
    with pytest.raises(TypeError, match="solver"):
        skmlp.save(classifier(solver=Heavy()).fit(*data), tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_grid_search_over_objects(data):
    grid = {"solver": [Adam(beta_1=0.5), Heavy(inertia=0.9), "sgd"]}
    search = GridSearchCV(classifier(), grid, cv=2).fit(*data)
    assert len(search.cv_results_["params"]) == 3


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        (Adam(beta_1=1.5), r"'beta_1' parameter of solver Adam must be a float in"),
        (Adam(epsilon=0.0), r"'epsilon' parameter of solver Adam must be a float in"),
        (Adam(epsilon=1e-320), "epsilon must be from 2.2e-308"),
        (Adam, "'solver' parameter of MLPClassifierScratch must be a str among"),
    ],
)
def test_invalid_objects(data, solver, message):
    clf = classifier(solver=solver)
    with pytest.raises(ValueError, match=message):
        clf.fit(*data)
    assert not hasattr(clf, "coefs_")


@pytest.mark.parametrize("cls", [*OPTIMIZERS.values(), Heavy])
def test_a_hyperparameter_by_position_is_an_error(cls):
    """It would be `theta`, and the hyperparameter would keep its default value."""
    with pytest.raises(TypeError, match="by keyword"):
        cls(0.9)


def test_a_hyperparameter_that_the_constructor_does_not_store(data):
    class Forgetful(Optimizer, hyperparameters=("rate",), state=("t",)):
        def __init__(self, theta=NO_PARAMETERS, learning_rate=0.001, rate=1.0):
            super().__init__(learning_rate)

    message = r"solver must have an attribute .* Forgetful without 'rate'"
    with pytest.raises(ValueError, match=message):
        classifier(solver=Forgetful()).fit(*data)
