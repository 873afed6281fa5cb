"""Tests of the `engine` parameter: what it chooses, and what it refuses."""

import inspect
import pickle
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import make_classification

from skmlp import MLPClassifierScratch, MLPRegressorScratch, compiled
from skmlp.compiled import coverage as coverage_module
from skmlp.compiled.coverage import unsupported
from skmlp.core import inference
from skmlp.core.activations import ACTIVATIONS, HIDDEN_ACTIVATIONS, LeakyReLU
from skmlp.core.losses import LOSSES, Loss, SquaredError
from skmlp.core.objective import Objective
from skmlp.core.optimizers import OPTIMIZERS, Adam
from skmlp.core.penalties import PENALTIES, ElasticNet
from skmlp.estimators.engines import choose_engine
from skmlp.layers import make_mlp
from skmlp.training.engine import NumpyEngine
from skmlp.training.step import TrainingStep

X, y = make_classification(60, 5, n_informative=3, n_redundant=0, random_state=0)
ESTIMATORS = [MLPClassifierScratch, MLPRegressorScratch]
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
parametrize_estimator = pytest.mark.parametrize("Estimator", ESTIMATORS)
needs_compiled = pytest.mark.skipif(
    compiled.UNAVAILABLE is not None,
    reason=f"there is no compiled engine: {compiled.UNAVAILABLE}",
)


class MyReLU(type(ACTIVATIONS["relu"])):
    """What is derived from a class of the package may do something else."""


class MyLoss(SquaredError):
    pass


def double(X, rng):
    return 2 * X


def bits(estimator):
    return joblib.hash([estimator.coefs_, estimator.intercepts_, estimator.loss_curve_])


class Spy(NumpyEngine):
    """Stands for the compiled engine, and counts the fits that it ran."""

    fits = 0

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        type(self).fits += 1


@pytest.fixture
def spy(monkeypatch):
    """A compiled engine, whether it was built or not."""
    monkeypatch.setattr(compiled, "UNAVAILABLE", None)
    for name, stand_in in {
        "CompiledEngine": Spy,
        "CompiledObjective": Objective,
        "decision_function": inference.decision_function,
    }.items():
        monkeypatch.setattr(compiled, name, stand_in, raising=False)
    monkeypatch.setattr(compiled, "unsupported", unsupported)
    monkeypatch.setattr(Spy, "fits", 0)
    return Spy


@pytest.fixture
def not_built(monkeypatch):
    monkeypatch.setattr(compiled, "UNAVAILABLE", "no module, it was not built")


# The parameter.


@parametrize_estimator
def test_the_default_is_auto(Estimator):
    assert inspect.signature(Estimator).parameters["engine"].default == "auto"
    assert clone(Estimator(engine="numpy")).get_params()["engine"] == "numpy"


@parametrize_estimator
@pytest.mark.parametrize("engine", ["auto", "numpy"])
def test_the_same_seed_gives_the_same_bits(Estimator, engine):
    one = Estimator(**SMALL, engine=engine).fit(X, y)
    assert bits(clone(one).fit(X, y)) == bits(one)
    assert bits(pickle.loads(pickle.dumps(one))) == bits(one)


# The choice.


@parametrize_estimator
@pytest.mark.parametrize(
    ("engine", "n_fits"), [("auto", 1), ("compiled", 1), ("numpy", 0)]
)
def test_auto_is_compiled_where_that_covers_everything(spy, Estimator, engine, n_fits):
    Estimator(**SMALL, engine=engine).fit(X, y)
    assert spy.fits == n_fits


@parametrize_estimator
def test_partial_fit_chooses_the_engine(spy, Estimator):
    estimator = Estimator(**SMALL, engine="compiled")
    classes = {"classes": [0, 1]} if Estimator is MLPClassifierScratch else {}
    estimator.partial_fit(X, y, **classes).partial_fit(X, y)
    assert spy.fits == 2
    estimator.set_params(engine="numpy").partial_fit(X, y)
    assert spy.fits == 2


@parametrize_estimator
def test_auto_is_numpy_without_the_extension(not_built, Estimator):
    auto = Estimator(**SMALL).fit(X, y)
    assert bits(auto) == bits(Estimator(**SMALL, engine="numpy").fit(X, y))


NOT_COVERED = {
    "activation": ({"activation": MyReLU()}, X, "activation=MyReLU()"),
    "activations": (
        {"activation": ["tanh", MyReLU()], "hidden_layer_sizes": (4, 3)},
        X,
        "activation=MyReLU()",
    ),
    "loss": ({"loss": MyLoss()}, X, "loss=MyLoss()"),
    "augment": ({"augment": double}, X, "augment"),
    "sparse": ({}, csr_matrix(X), "sparse X"),
    "several": (
        {"activation": MyReLU(), "hidden_layer_sizes": (4, 3), "augment": double},
        csr_matrix(X),
        "activation=MyReLU(), sparse X, augment",
    ),
}
parametrize_not_covered = pytest.mark.parametrize(
    ("params", "X_train", "reasons"), NOT_COVERED.values(), ids=NOT_COVERED
)


@parametrize_not_covered
@parametrize_estimator
def test_auto_uses_numpy_for_unsupported_options(
    spy, Estimator, params, X_train, reasons
):
    params = SMALL | params
    Estimator(**params).fit(X_train, y)
    assert spy.fits == 0


@parametrize_not_covered
@parametrize_estimator
def test_compiled_reports_the_unsupported_options(
    spy, Estimator, params, X_train, reasons
):
    """And what to do; nothing is changed."""
    params = SMALL | params
    estimator = Estimator(**params, engine="compiled")
    message = (
        f"engine='compiled' does not support {reasons}. Set engine='auto' or "
        "engine='numpy'."
    )
    before = joblib.hash(vars(estimator))
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        estimator.fit(X_train, y)
    assert str(caught.value) == message
    assert joblib.hash(vars(estimator)) == before

    estimator.set_params(engine="auto").fit(X_train, y)
    estimator.set_params(engine="compiled", warm_start=True)
    before = joblib.hash(vars(estimator))
    with pytest.raises(ValueError, match="does not support"):
        estimator.fit(X_train, y)
    assert joblib.hash(vars(estimator)) == before
    assert spy.fits == 0


@parametrize_estimator
@pytest.mark.parametrize("solver", ["lbfgs", *OPTIMIZERS])
def test_compiled_without_the_extension(not_built, Estimator, solver):
    """The error says why it is not there, and how to get it."""
    estimator = Estimator(**SMALL, solver=solver, engine="compiled")
    before = joblib.hash(vars(estimator))
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        estimator.fit(X, y)
    assert str(caught.value) == (
        "engine='compiled' is not available: no module, it was not built. Install "
        "skmlp again on a machine with a C compiler, with the options "
        "--force-reinstall and --no-cache-dir of pip, or set engine='auto' or "
        "engine='numpy'."
    )
    assert joblib.hash(vars(estimator)) == before


# What is covered, as far as Python knows it.


def coverage(activation="relu", loss="squared_error", solver="adam", penalty=None):
    hidden = HIDDEN_ACTIVATIONS.get(activation, activation)
    loss = loss if isinstance(loss, Loss) else LOSSES[loss]()
    network = make_mlp((5, 4, 1), [hidden, ACTIVATIONS["identity"]], loss)
    optimizer = OPTIMIZERS[solver](np.zeros(29), 0.1)
    return unsupported(network, optimizer, X, None, penalty)


@pytest.mark.parametrize("activation", [*HIDDEN_ACTIVATIONS, LeakyReLU(0.2)])
def test_the_activations_of_the_package_are_covered(activation):
    assert coverage(activation=activation) == []


@pytest.mark.parametrize("loss", LOSSES)
def test_the_losses_of_the_package_are_covered(loss):
    assert coverage(loss=loss) == []


@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_the_optimizers_of_the_package_are_covered(solver):
    assert coverage(solver=solver) == []


@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_penalties_of_the_package_are_covered(penalty):
    assert coverage(penalty=PENALTIES[penalty](0.1)) == []


def test_a_penalty_of_another_class_is_not_covered():
    class MyNet(ElasticNet):
        pass

    assert coverage(penalty=MyNet(0.5)) == ["penalty=MyNet(l1=0.0, l2=0.5)"]


def test_registered_objects_are_not_compiled(monkeypatch):
    for registry in ACTIVATIONS, HIDDEN_ACTIVATIONS, LOSSES, OPTIMIZERS:
        for name, value in registry.items():  # put back at the end
            monkeypatch.setitem(registry, name, value)

    class Fast(Adam, name="adam", hyperparameters=(), state=()):
        pass

    class Rectifier(MyReLU, name="relu"):
        pass

    class Squares(SquaredError, name="squared_error"):
        pass

    assert coverage() == ["activation=Rectifier()", "loss=Squares()", "solver='adam'"]


@needs_compiled
def test_an_option_of_the_step_that_is_not_in_c_is_not_covered(monkeypatch):
    """Unless it has its default value. Each option of the step is in C, or here."""
    options = [*inspect.signature(TrainingStep).parameters][2:]
    assert {*options} == {*compiled._engine.STEP_OPTIONS, "rng"}
    network = make_mlp((5, 1), [ACTIVATIONS["identity"]], SquaredError())
    optimizer = Adam(np.zeros(6), 0.1)
    extension = SimpleNamespace(**vars(compiled._engine))
    extension.STEP_OPTIONS = ("clip_norm",)
    monkeypatch.setattr(compiled, "_engine", extension)
    options = {"weight_decay": 0.5, "clip_norm": 2.0, "max_norm": None}
    reasons = unsupported(network, optimizer, X, None, step_options=options)
    assert reasons == ["weight_decay=0.5"]
    auto = MLPRegressorScratch(**SMALL, weight_decay=0.5).fit(X, y)
    monkeypatch.undo()
    in_numpy = MLPRegressorScratch(**SMALL, weight_decay=0.5, engine="numpy")
    assert bits(auto) == bits(in_numpy.fit(X, y))


def test_a_class_of_the_package_without_its_formula_in_c(monkeypatch):
    """It is NumPy's; of a search, only the objective is computed in C."""
    nothing = SimpleNamespace(
        ACTIVATIONS=("identity",), LOSSES=(), OPTIMIZERS=(), OPERATIONS=()
    )
    monkeypatch.setattr(compiled, "_engine", nothing, raising=False)
    *layers, loss, solver = coverage()
    assert sorted(layer.split("(")[0] for layer in layers) == [
        "Dense",
        "Dense",
        "activation=ReLU",
    ]
    assert [loss, solver] == ["loss=SquaredError()", "solver='adam'"]
    assert coverage(solver="armijo") == [*layers, loss]


@needs_compiled
@parametrize_estimator
def test_auto_is_numpy_for_a_new_class_of_the_package(monkeypatch, Estimator):
    """Until it is written in C: neither training nor prediction fails."""
    own = {*coverage_module._ACTIVATIONS, MyReLU}
    monkeypatch.setattr(coverage_module, "_ACTIVATIONS", own)
    params = SMALL | {"activation": MyReLU()}
    auto = Estimator(**params).fit(X, y)
    numpy = Estimator(**params, engine="numpy").fit(X, y)
    assert bits(auto) == bits(numpy)
    np.testing.assert_array_equal(auto.predict(X), numpy.predict(X))


def test_output_activation_of_a_custom_loss():
    network = make_mlp((5, 1), [MyReLU()], SquaredError())
    optimizer = Adam(np.zeros(6), 0.1)
    assert unsupported(network, optimizer, X, None) == ["output_activation=MyReLU()"]


# The extension itself.


@needs_compiled
@pytest.mark.parametrize("engine", ["auto", "compiled"])
def test_the_compiled_engine_is_the_one_that_is_chosen(engine):
    """Searches and L-BFGS have their objective computed by it."""
    network = make_mlp((5, 1), [ACTIVATIONS["identity"]], SquaredError())
    adam, armijo = (OPTIMIZERS[name](np.zeros(6), 0.1) for name in ("adam", "armijo"))
    for optimizer, Epochs, Evaluated in (
        (adam, compiled.CompiledEngine, Objective),
        (armijo, NumpyEngine, compiled.CompiledObjective),
        (None, compiled.CompiledEngine, compiled.CompiledObjective),
    ):
        chosen = choose_engine(engine, network, optimizer, X, None)
        assert (chosen.Epochs, chosen.Objective) == (Epochs, Evaluated)
        chosen = choose_engine("numpy", network, optimizer, X, None)
        assert (chosen.Epochs, chosen.Objective) == (NumpyEngine, Objective)


@needs_compiled
@parametrize_estimator
def test_the_same_seed_gives_the_same_bits_when_it_is_compiled(Estimator):
    one = Estimator(**SMALL, engine="compiled").fit(X, y)
    assert bits(clone(one).fit(X, y)) == bits(one)
    assert bits(one) == bits(Estimator(**SMALL, engine="auto").fit(X, y))


@needs_compiled
@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize(
    "kind",
    ["binary", "multiclass", "multilabel", "regression", "multioutput", "poisson"],
)
def test_it_agrees_with_numpy_to_rounding(datasets, kind, solver):
    data = datasets[kind]
    params = SMALL | data.params | {"solver": solver, "max_iter": 20, "batch_size": 16}
    ours, numpy = (
        data.Estimator(**params, engine=engine).fit(data.X, data.y)
        for engine in ("compiled", "numpy")
    )
    np.testing.assert_allclose(ours.loss_curve_, numpy.loss_curve_, rtol=1e-9)
    for name in "coefs_", "intercepts_":
        for mine, other in zip(getattr(ours, name), getattr(numpy, name), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)
