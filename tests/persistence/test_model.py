"""Tests of save and load, and of the other ways to keep a model."""

import json
import pickle
import warnings
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skmlp
from skmlp import MLPClassifierScratch, MLPRegressorScratch, callbacks
from skmlp.core.activations import HIDDEN_ACTIVATIONS, Activation
from skmlp.core.losses import SquaredError
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.persistence import archive

WHERE = Path("somewhere") / "else"
SMALL = {"hidden_layer_sizes": (6, 4), "max_iter": 3, "random_state": 0}


class Sine(Activation):
    """One's own."""

    needs_z = True

    def forward(self, Z, A):
        np.sin(Z, out=A)

    def backward(self, Z, A, delta, work):
        np.cos(Z, out=work)
        delta *= work


class OwnLoss(SquaredError):
    """Derived from one of the package's."""


class OwnClassifier(MLPClassifierScratch):
    """Derived from the package's."""


def round_trip(estimator, path):
    skmlp.save(estimator, path)
    return skmlp.load(path)


def assert_same(actual, expected):
    """Compare whatever two values are made of."""
    assert type(actual) is type(expected)
    if isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(actual, expected, strict=True)
    elif isinstance(expected, dict):
        assert actual.keys() == expected.keys()
        for key, value in expected.items():
            assert_same(actual[key], value)
    elif isinstance(expected, list | tuple):
        assert len(actual) == len(expected)
        for a, e in zip(actual, expected, strict=True):
            assert_same(a, e)
    elif isinstance(expected, np.random.Generator):
        assert actual.bit_generator.state == expected.bit_generator.state
    elif isinstance(expected, np.random.RandomState):
        assert_same(actual.get_state(), expected.get_state())
    elif hasattr(expected, "__dict__") and not isinstance(expected, type):
        assert_same(vars(actual), vars(expected))
    else:
        assert actual == expected or (actual != actual and expected != expected)


def assert_round_trip(estimator, path, X=None):
    loaded = round_trip(estimator, path)
    expected = {k: v for k, v in vars(estimator).items() if k != "_trained_with"}
    assert_same(vars(loaded), expected)
    if X is not None:
        np.testing.assert_array_equal(loaded.predict(X), estimator.predict(X))
    return loaded


@pytest.mark.parametrize(
    "kind",
    ["binary", "multiclass", "multilabel", "strings", "regression", "multioutput"],
)
@pytest.mark.parametrize("solver", [*OPTIMIZERS, "lbfgs"])
def test_a_model_is_loaded_as_it_was(datasets, tmp_path, solver, kind):
    """And learns on as it would have, also where it draws random numbers."""
    X, y = datasets[kind].X, datasets[kind].y
    estimator = datasets[kind].Estimator(**SMALL, solver=solver)
    if solver != "lbfgs":
        estimator.set_params(dropout=0.2, batch_norm=True)
    estimator.fit(X, y)
    loaded = assert_round_trip(estimator, tmp_path / "model", X)
    if solver != "lbfgs":
        for each in (estimator, loaded):
            each.set_params(random_state=1).partial_fit(X, y)
        assert_same(loaded.coefs_, estimator.coefs_)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"early_stopping": True, "early_stopping_metric": "neg_log_loss"},
        {"class_weight": {0: 1, 1: 2.5, 2: np.float32(3)}},
        {"class_weight": {np.int64(0): 1.0, np.int64(1): 2.0, np.int64(2): 3.0}},
        {"hidden_layer_sizes": np.array([5]), "activation": ("gelu",)},
        {"hidden_layer_sizes": (), "dtype": np.float32},
        {"dtype": np.dtype("float64"), "n_iter_no_change": np.inf},
        {"activation": HIDDEN_ACTIVATIONS["leaky_relu"]},
        {"activation": type(HIDDEN_ACTIVATIONS["leaky_relu"])(0.3)},
        {"loss": SquaredError(), "output_activation": "logistic"},
        {"random_state": np.random.RandomState(3)},
        {"alpha": np.float64(0.1), "max_iter": np.int64(2), "shuffle": np.bool_(False)},
        {
            "callbacks": [
                callbacks.EarlyStopping("loss", patience=np.int64(5)),
                callbacks.ReduceLROnPlateau("loss"),
                callbacks.WeightRecorder(2),
                callbacks.Checkpoint(WHERE),
            ]
        },
        {"callbacks": callbacks.ProgressBar(desc="epochs", leave=False)},
    ],
)
def test_parameters_are_loaded_as_they_were(datasets, tmp_path, params):
    dataset = datasets["multiclass"]
    estimator = MLPClassifierScratch(**SMALL | params)
    loaded = round_trip(estimator, tmp_path / "model")
    assert not hasattr(loaded, "coefs_")
    if "callbacks" in params:  # all but a path
        without = str(estimator.callbacks).replace(repr(WHERE), "None")
        assert str(loaded.callbacks) == without
    else:
        assert_round_trip(estimator, tmp_path / "model")
        estimator.fit(dataset.X, dataset.y)
        assert_round_trip(estimator, tmp_path / "model", dataset.X)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["a", "bb", "ccc"]),
        np.array(["a", "bb", "ccc"], object),
        np.array([-1, 0, 5], np.int8),
        np.array([0.0, 1.0, 2.0], np.float32),
    ],
    ids=lambda labels: labels.dtype.str,
)
def test_classes_are_loaded_as_they_were(datasets, tmp_path, labels):
    dataset = datasets["multiclass"]
    y = labels[dataset.y]
    classifier = MLPClassifierScratch(**SMALL).fit(dataset.X, y)
    loaded = assert_round_trip(classifier, tmp_path / "model", dataset.X)
    assert set(loaded.predict(dataset.X)) <= set(labels)


def test_names_of_features_are_loaded(datasets, tmp_path):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(datasets["regression"].X).rename(columns=lambda i: f"x{i}")
    regressor = MLPRegressorScratch(**SMALL).fit(X, datasets["regression"].y)
    loaded = assert_round_trip(regressor, tmp_path / "model", X)
    assert loaded.feature_names_in_.tolist() == list(X.columns)


def test_the_network_is_the_one_that_was_trained(datasets, tmp_path):
    """Not the one that the parameters have described since."""
    X, y = datasets["multiclass"].X, datasets["multiclass"].y
    classifier = MLPClassifierScratch(**SMALL, activation="tanh").fit(X, y)
    classifier.set_params(activation="relu", hidden_layer_sizes=(3,), loss="log_loss")
    assert_round_trip(classifier, tmp_path / "model", X)


def test_a_loaded_model_is_an_estimator_like_any_other(datasets, tmp_path):
    X, y = datasets["binary"].X, datasets["binary"].y
    loaded = round_trip(MLPClassifierScratch(**SMALL).fit(X, y), tmp_path / "model")
    assert clone(loaded).fit(X, y).predict(X).shape == y.shape
    assert_same(pickle.loads(pickle.dumps(loaded)).coefs_, loaded.coefs_)
    make_pipeline(StandardScaler(), loaded).fit(X, y)


def test_numpy_reads_the_weights(datasets, tmp_path):
    """As the documentation has it."""
    X, y = datasets["regression"].X, datasets["regression"].y
    regressor = MLPRegressorScratch(**SMALL).fit(X, y)
    skmlp.save(regressor, tmp_path / "model")
    with np.load(tmp_path / "model") as file:
        for l, W in enumerate(regressor.coefs_):
            np.testing.assert_array_equal(file[f"attributes/coefs_/{l}"], W)
    with zipfile.ZipFile(tmp_path / "model") as file:
        document = json.loads(file.read("document.json"))
    assert document["format"] == "skmlp model"
    assert document["format_version"] == 2
    assert document["versions"]["skmlp"] == skmlp.__version__
    assert document["content"]["parameters"]["max_iter"] == 3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"activation": Sine()}, r"parameters/activation is Sine\(\)"),
        ({"activation": ["relu", Sine()]}, r"parameters/activation/1 is Sine\(\)"),
        ({"loss": OwnLoss()}, r"parameters/loss is OwnLoss\(\)"),
        ({"learning_rate": lambda step: 0.1}, "parameters/learning_rate is <function"),
        ({"callbacks": [object()]}, "parameters/callbacks/0 is <object"),
        ({"class_weight": {0: 1, 1: object()}}, "parameters/class_weight/1 is <object"),
        ({"hidden_layer_sizes": np.array([None])}, None),
        ({"alpha": 1j}, "parameters/alpha is 1j"),
        ({"random_state": np.random.RandomState(np.random.PCG64(0))}, "random_state"),
    ],
)
def test_models_with_custom_code_raise(tmp_path, params, message):
    """By name; and a file that is there stays."""
    path = tmp_path / "model"
    skmlp.save(MLPClassifierScratch(), path)
    before = path.read_bytes()
    estimator = MLPClassifierScratch(**params)
    if message is None:
        assert_round_trip(estimator, path)
        return
    with pytest.raises(TypeError, match=message):
        skmlp.save(estimator, path)
    assert path.read_bytes() == before


def test_estimators_with_custom_code_raise(datasets, tmp_path):
    X, y = datasets["regression"].X, datasets["regression"].y
    regressor = MLPRegressorScratch(**SMALL, activation=Sine()).fit(X, y)
    with pytest.raises(TypeError, match=r"_network/layers/1/g is Sine\(\)"):
        skmlp.save(regressor.set_params(activation="relu"), tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(MLPClassifierScratch()),
        OwnClassifier(),
        MLPClassifierScratch,
        StandardScaler(),
        None,
    ],
)
def test_only_the_estimators_are_saved(tmp_path, estimator):
    with pytest.raises(TypeError, match="estimator must be an instance of one of"):
        skmlp.save(estimator, tmp_path / "model")


@pytest.mark.parametrize("value", ["a tuple", "float16", "pruned"])
def test_save_raises_if_load_would_raise(datasets, tmp_path, value):
    """Weights can be set by hand."""
    X, y = datasets["regression"].X, datasets["regression"].y
    regressor = MLPRegressorScratch(**SMALL).fit(X, y)
    regressor.coefs_ = {
        "a tuple": tuple(regressor.coefs_),
        "float16": [W.astype(np.float16) for W in regressor.coefs_],
        "pruned": [regressor.coefs_[0][:, :-1], *regressor.coefs_[1:]],
    }[value]
    with pytest.raises(ValueError, match="estimator must be one that load can read"):
        skmlp.save(regressor, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_model_that_is_mapped_into_memory_is_saved(datasets, tmp_path):
    joblib.dump(
        MLPRegressorScratch(**SMALL).fit(datasets["regression"].X, np.arange(120)),
        tmp_path / "model.joblib",
    )
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert isinstance(mapped.coefs_[0], np.memmap)
    loaded = round_trip(mapped, tmp_path / "model")
    assert_same(loaded.coefs_, [np.asarray(W) for W in mapped.coefs_])


def test_an_error_of_the_disk_names_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"'.*no.model'$"):
        skmlp.save(MLPRegressorScratch(), tmp_path / "no" / "model")


def test_custom_attribute_is_not_silently_lost(tmp_path):
    classifier = MLPClassifierScratch()
    classifier.comment = "mine"
    with pytest.raises(TypeError, match=r"no attributes .* got \['comment'\]"):
        skmlp.save(classifier, tmp_path / "model")


# What is not, or not quite, a model.


@pytest.fixture
def parts(datasets, tmp_path):
    """Content and arrays of a model, to change."""
    X, y = datasets["multiclass"].X, datasets["multiclass"].y
    classifier = MLPClassifierScratch(**SMALL, batch_norm=True, dropout=0.1).fit(X, y)
    skmlp.save(classifier, tmp_path / "model")
    return archive.read(tmp_path / "model", "skmlp model", 2)


def load_changed(parts, path):
    archive.write(path, "skmlp model", 2, *parts)
    return skmlp.load(path)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("attributes/coefs_/0", np.zeros((8, 7))),
        ("attributes/coefs_/1", np.zeros((6, 4), np.float32)),
        ("attributes/intercepts_/2", np.zeros(2)),
        ("attributes/intercepts_/0", np.zeros(6, int)),
        ("attributes/batch_norm_means_/0", np.zeros((6, 1))),
        ("attributes/_optimizer/m", np.zeros(3)),
        ("attributes/_optimizer/v", np.zeros(3)),
        ("attributes/classes_", np.arange(2)),
        ("attributes/classes_", np.zeros((3, 1))),
    ],
)
def test_shapes_that_do_not_fit_raise(parts, tmp_path, name, array):
    """They would be read beyond their end."""
    parts[1][name] = array
    with pytest.raises(ValueError, match="cannot be loaded as a model: "):
        load_changed(parts, tmp_path / "model")


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (["estimator"], "Pipeline"),
        (["estimator"], ["MLPClassifierScratch"]),
        (["parameters", "beta_3"], 0.9),
        (["parameters", "alpha"], {"kind": "function", "name": "os.system"}),
        (["parameters", "alpha"], {"name": "relu"}),
        (["parameters", "alpha"], {"kind": "activation", "name": "os.system"}),
        (["parameters", "alpha"], {"kind": "callback", "name": "os.system"}),
        (["parameters", "alpha"], {"kind": "array", "array": "../../etc/passwd"}),
        (["attributes", "predict"], 1),
        (["attributes", "__class__"], "str"),
        (["attributes", "n_features_in_"], 10**9),
        (["attributes", "n_outputs_"], 4),
        (["attributes", "n_layers_"], "4"),
        (["attributes", "coefs_"], []),
        (["attributes", "_y_type"], "binary"),
        (["attributes", "_network", "layer_sizes"], [8, 10**12, 4, 3]),
        (["attributes", "_network", "layer_sizes"], [8]),
        (["attributes", "_network", "activations"], ["relu", "relu", "softmax"]),
        (["attributes", "_network", "frozen"], [0, 1, 2]),
        (["attributes", "_network", "batch_norm_epsilon"], None),
        (["attributes", "_optimizer", "name"], "sgd"),
        (["attributes", "_rng", "state"], -1),
        (["attributes", "_rng", "inc"], 2**128),
        (["attributes"], None),
        (["parameters"], []),
    ],
)
def test_invalid_content_raises(parts, tmp_path, keys, value):
    content = parts[0]
    *keys, last = keys
    for key in keys:
        content = content[key]
    content[last] = value
    with pytest.raises(ValueError, match="cannot be loaded as a model: "):
        load_changed(parts, tmp_path / "model")


@pytest.mark.parametrize("name", ["coefs_", "_network", "n_features_in_", "classes_"])
def test_attributes_that_are_missing_are_missed(parts, tmp_path, name):
    del parts[0]["attributes"][name]
    with pytest.raises(ValueError, match="cannot be loaded as a model: "):
        load_changed(parts, tmp_path / "model")


def test_the_state_of_a_generator_is_within_its_bounds(tmp_path):
    """NumPy would read beyond its memory."""
    estimator = MLPClassifierScratch(random_state=np.random.RandomState(0))
    skmlp.save(estimator, tmp_path / "model")
    parts = archive.read(tmp_path / "model", "skmlp model", 2)
    parts[0]["parameters"]["random_state"]["pos"] = 10**9
    with pytest.raises(ValueError, match="an MT19937 has the position 1000000000"):
        load_changed(parts, tmp_path / "model")


def test_messages_name_the_file_and_the_reason(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(b"not a model")
    with pytest.raises(ValueError, match="it is not a file of skmlp") as info:
        skmlp.load(path)
    assert str(info.value).startswith(f"'{path}' cannot be read as a skmlp model: ")
    with pytest.raises(FileNotFoundError):
        skmlp.load(tmp_path / "nothing")


# The other ways.


def test_skops_requires_only_the_listed_classes(datasets):
    sio = pytest.importorskip("skops.io")
    dataset = datasets["multiclass"]
    for solver in [*OPTIMIZERS, "lbfgs"]:
        for activation in HIDDEN_ACTIVATIONS:
            classifier = MLPClassifierScratch(
                (3,), activation, solver=solver, max_iter=1, random_state=0
            )
            if solver != "lbfgs":
                classifier.set_params(callbacks=[callbacks.EarlyStopping("loss")])
            pipeline = make_pipeline(StandardScaler(), classifier)
            data = sio.dumps(pipeline.fit(dataset.X, dataset.y))
            assert set(sio.get_untrusted_types(data=data)) <= set(skmlp.SKOPS_TRUSTED)
            loaded = sio.loads(data, trusted=skmlp.SKOPS_TRUSTED)
            np.testing.assert_array_equal(
                loaded.predict_proba(dataset.X), pipeline.predict_proba(dataset.X)
            )


def test_skops_raises_for_types_that_are_not_listed():
    sio = pytest.importorskip("skops.io")
    data = sio.dumps(MLPClassifierScratch(activation=Sine()))
    with pytest.raises(Exception, match="Sine"):
        sio.loads(data, trusted=skmlp.SKOPS_TRUSTED)


def test_a_pickle_is_loaded_without_a_warning(datasets):
    X, y = datasets["binary"].X, datasets["binary"].y
    classifier = MLPClassifierScratch(**SMALL).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = pickle.loads(pickle.dumps(classifier))
    assert_same(loaded.coefs_, classifier.coefs_)
