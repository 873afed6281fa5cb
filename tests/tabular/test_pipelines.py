"""Tests of make_tabular_mlp_classifier and make_tabular_mlp_regressor."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, make_classification
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import (
    SKOPS_TRUSTED,
    make_tabular_mlp_classifier,
    make_tabular_mlp_regressor,
)

EFFORTS = ["fast", "default", "best"]
MAKERS = [make_tabular_mlp_classifier, make_tabular_mlp_regressor]


def mixed_table(n_samples, random_state=0):
    """Numbers with heavy tails, categories and missing values, and a noisy target."""
    rng = np.random.RandomState(random_state)
    X = pd.DataFrame(
        {
            "income": rng.lognormal(10, 2, n_samples),
            "age": rng.randint(18, 90, n_samples).astype(float),
            "city": np.array(["Rome", "Oslo", "Bonn"])[rng.randint(3, size=n_samples)],
            "member": rng.random(n_samples) < 0.3,
        }
    )
    y = np.log(X["income"]) + 3 * (X["city"] == "Oslo") + X["member"] * X["age"] / 30
    X.loc[rng.random(n_samples) < 0.1, "age"] = np.nan
    X.loc[rng.random(n_samples) < 0.1, "city"] = None
    return X, y.to_numpy() + rng.normal(0, 0.3, n_samples)


@pytest.mark.parametrize("effort", EFFORTS)
def test_classifier_is_better_than_the_scaled_network(effort):
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    y = np.array(["malignant", "benign"])[y]
    clf = make_tabular_mlp_classifier(effort=effort, random_state=0)
    other = make_pipeline(StandardScaler(), MLPClassifier(random_state=0, max_iter=200))
    scores = cross_val_score(clf, X, y, cv=3, scoring="neg_log_loss")
    scores_of_other = cross_val_score(other, X, y, cv=3, scoring="neg_log_loss")
    assert scores.mean() > scores_of_other.mean()
    assert cross_val_score(clf, X, y, cv=3).mean() > 0.96


@pytest.mark.parametrize("effort", EFFORTS)
def test_regressor_explains_a_table_with_categories_and_missing_values(effort):
    X, y = mixed_table(600)
    reg = make_tabular_mlp_regressor(effort=effort, random_state=0)
    assert cross_val_score(reg, X, y, cv=3).mean() > 0.85


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_predictions_do_not_depend_on_the_unit_of_the_target(unit):
    X, y = load_diabetes(return_X_y=True)
    reg = make_tabular_mlp_regressor(effort="fast", random_state=0)
    expected = reg.fit(X, y).predict(X)
    np.testing.assert_allclose(
        reg.fit(X, unit * y).predict(X) / unit, expected, rtol=1e-3
    )
    assert y.min() <= expected.min()
    assert expected.max() <= y.max()


@pytest.mark.parametrize("make", MAKERS)
def test_parameters_replace_those_of_the_effort(make):
    pipeline = make(n_members=3, max_iter=2, categorical_features=[0], random_state=7)
    params = pipeline.get_params()
    assert (params["mlp__n_members"], params["mlp__random_state"]) == (3, 7)
    assert params["preprocessor__categorical_features"] == [0]
    X, y = mixed_table(50)
    mlp = pipeline.fit(X, y > y.mean()).named_steps["mlp"]
    assert mlp.n_iter_ == 2
    names = pipeline[0].get_feature_names_out()
    assert sum(name.startswith("income_") for name in names) == 50  # one for each value


@pytest.mark.parametrize("make", MAKERS)
def test_clone_pickle_and_search(make):
    X, y = mixed_table(90)
    y = y > np.median(y)
    pipeline = make(effort="fast", max_iter=3, random_state=0).fit(X, y)
    expected = pipeline.predict(X)
    again = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(again.predict(X), expected)
    np.testing.assert_array_equal(clone(pipeline).fit(X, y).predict(X), expected)
    grid = {"mlp__dropout": [0, 0.2], "preprocessor__n_bins": [None, 4]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 4


def test_skops_needs_no_other_trusted_classes():
    sio = pytest.importorskip("skops.io")
    X, y = mixed_table(90)
    reg = make_tabular_mlp_regressor(effort="fast", max_iter=3, random_state=0)
    data = sio.dumps(reg.fit(X, y))
    assert set(sio.get_untrusted_types(data=data)) <= set(SKOPS_TRUSTED)
    loaded = sio.loads(data, trusted=SKOPS_TRUSTED)
    np.testing.assert_array_equal(loaded.predict(X), reg.predict(X))


def test_imbalanced_classes_and_sample_weights():
    X, y = make_classification(
        1200,
        n_informative=6,
        class_sep=0.5,
        weights=[0.95],
        flip_y=0.05,
        random_state=0,
    )
    train, test = slice(600), slice(600, None)
    plain = make_tabular_mlp_classifier(effort="fast", random_state=0)
    balanced = make_tabular_mlp_classifier(
        effort="fast", random_state=0, class_weight="balanced"
    )
    weights = np.where(y == 1, (y == 0).sum() / (y == 1).sum(), 1)
    scores = [
        balanced_accuracy_score(y[test], model.predict(X[test]))
        for model in (
            plain.fit(X[train], y[train]),
            balanced.fit(X[train], y[train]),
            clone(plain).fit(X[train], y[train], mlp__sample_weight=weights[train]),
        )
    ]
    assert min(scores[1:]) > scores[0] + 0.1


def test_thousands_of_categories():
    rng = np.random.RandomState(0)
    ids = rng.randint(3000, size=4000)
    X = pd.DataFrame({"id": [f"user{i}" for i in ids], "x": rng.normal(size=4000)})
    y = X["x"] + (ids < 1500)
    reg = make_tabular_mlp_regressor(effort="fast", random_state=0)
    assert reg.fit(X, y).score(X, y) > 0.6
    assert len(reg[0].get_feature_names_out()) < 300


@pytest.mark.parametrize("n_samples", [2, 10])
@pytest.mark.parametrize("make", MAKERS)
def test_few_samples(make, n_samples):
    X, _ = mixed_table(n_samples)
    y = np.arange(n_samples) % 2
    assert make(random_state=0).fit(X, y).predict(X).shape == (n_samples,)


def test_progress_bar(capsys):
    pytest.importorskip("tqdm")
    X, y = mixed_table(60)
    make_tabular_mlp_regressor(effort="fast", max_iter=4, verbose=True).fit(X, y)
    assert "4/4" in capsys.readouterr().err


def test_progress_bar_beside_other_callbacks(capsys):
    pytest.importorskip("tqdm")
    epochs = []
    reg = make_tabular_mlp_regressor(
        effort="fast", max_iter=3, verbose=True, callbacks=epochs_to(epochs)
    )
    reg.fit(*mixed_table(60))
    assert epochs == [1, 2, 3]
    assert "3/3" in capsys.readouterr().err


def epochs_to(epochs):
    def append(training):
        epochs.append(training.n_iter)

    return append


@pytest.mark.parametrize("make", MAKERS)
def test_bad_parameters(make):
    with pytest.raises(ValueError, match=r"effort must be one of .*'fast'.*got 'slow'"):
        make(effort="slow")
    with pytest.raises(TypeError, match="unexpected keyword argument 'n_member'"):
        make(n_member=2)
