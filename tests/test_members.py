"""Tests of ensembles whose members share weights."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from sklearn.datasets import make_friedman1

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.core.activations import ACTIVATIONS, Activation
from skmlp.core.losses import LOSSES
from skmlp.estimators import build

SMALL = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0}


@pytest.fixture
def data(datasets):
    return datasets["multiclass"]


def classifier(**params):
    return MLPClassifierScratch(**SMALL | params)


@pytest.mark.parametrize(
    "kind", ["binary", "multiclass", "multilabel", "regression", "multioutput"]
)
def test_members_predict_as_their_formulas(datasets, kind):
    """The output is the mean of the outputs of the members."""
    data = datasets[kind]
    params = {"hidden_layer_sizes": (6, 4), "activation": "tanh", "n_members": 3}
    est = data.Estimator(**SMALL | params).fit(data.X, data.y)
    n_outputs, outputs, hidden = est.n_outputs_, [], []
    for m in range(3):
        A = data.X * est.member_scales_[0][m]
        for l in range(2):
            A = np.tanh(A @ est.coefs_[l] + est.intercepts_[l])
        hidden.append(A)
        columns = slice(m * n_outputs, (m + 1) * n_outputs)
        Z = A @ est.coefs_[2][:, columns] + est.intercepts_[2][columns]
        outputs.append(est._network.output(Z))
    expected = np.mean(outputs, axis=0)
    assert_allclose(est._output(data.X), expected, rtol=1e-9, atol=1e-12)
    assert_allclose(est.hidden_activations(data.X)[1], np.hstack(hidden), rtol=1e-9)
    assert set(np.unique(est.member_scales_)) != {1.0}


@pytest.mark.parametrize("activation", ["logistic", "tanh", "softplus", "exp", "relu"])
def test_the_output_of_members_is_averaged_after_any_activation(activation):
    """In `_decision_function`, whose output activation is the mean of the outputs."""
    g = ACTIVATIONS[activation]
    Z = np.random.RandomState(0).normal(0, 2, (50, 4, 2))
    outputs = g.apply(Z.reshape(-1, 2).copy()).reshape(Z.shape)
    assert_allclose(g.apply(g.average(Z)), outputs.mean(axis=1), rtol=1e-9)


def test_the_average_of_saturated_members_is_finite():
    for g in (ACTIVATIONS["logistic"], ACTIVATIONS["softmax"]):
        for z in (1e4, -1e4):
            Z = np.full((1, 2, 2), z, np.float32) + np.array([0, 1e3], np.float32)
            assert np.isfinite(g.average(Z)).all()
            assert np.isfinite(g.average_backward(Z, np.ones((1, 2)))).all()


def test_sparse_input_of_members(data):
    dense = classifier(n_members=3, input_dropout=0.1).fit(data.X, data.y)
    X = csr_array(data.X)
    sparse = classifier(n_members=3, input_dropout=0.1).fit(X, data.y)
    assert_allclose(sparse.predict_proba(X), dense.predict_proba(data.X), rtol=1e-6)


def test_continued_training_needs_the_same_number_of_members(data):
    clf = classifier(n_members=3, warm_start=True).fit(data.X, data.y)
    clf.fit(data.X, data.y)
    clf.set_params(n_members=4)
    with pytest.raises(ValueError, match="had n_members=3, but now n_members=4"):
        clf.fit(data.X, data.y)


def test_members_cannot_have_batch_norm(data):
    with pytest.raises(ValueError, match="n_members=3 cannot be combined with batch"):
        classifier(n_members=3, batch_norm=True).fit(data.X, data.y)


def test_members_need_an_output_activation_with_an_average():
    class Cube(Activation):
        def forward(self, Z, A):
            A[...] = Z**3

        def backward(self, Z, A, delta, work):
            delta *= 3 * np.cbrt(A) ** 2

    estimator = MLPRegressorScratch(n_members=2)
    with pytest.raises(ValueError, match="an output activation that defines average"):
        build.make_network(estimator, 3, 1, LOSSES["squared_error"](), Cube())


def test_members_are_more_accurate_than_one_network():
    """On a noisy table, as in the literature."""
    X, y = make_friedman1(400, noise=3.0, random_state=0)
    X_test, y_test = make_friedman1(1000, noise=0.0, random_state=1)
    params = {"batch_size": 50, "learning_rate_init": 0.003, "max_iter": 100}
    scores = [
        MLPRegressorScratch(
            hidden_layer_sizes=(64, 64), n_members=n_members, random_state=0, **params
        )
        .fit(X - 0.5, y)
        .score(X_test - 0.5, y_test)
        for n_members in (1, 8)
    ]
    assert scores[1] > scores[0] + 0.1
