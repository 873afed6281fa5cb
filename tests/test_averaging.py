"""Tests of `averaging`: averages of the weights over epochs."""

import pickle

import numpy as np
import pytest
from engines import parametrize_engine
from sklearn.base import clone
from sklearn.datasets import make_regression

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.callbacks import Checkpoint, EarlyStopping

X, y = make_regression(200, 5, noise=30.0, random_state=0)
X_val, y_val = make_regression(100, 5, noise=30.0, random_state=1)
y, y_val = y / 50, y_val / 50
PARAMS = {
    "hidden_layer_sizes": (7,),
    "batch_size": 20,
    "learning_rate_init": 0.01,
    "max_iter": 8,
    "n_iter_no_change": np.inf,
    "random_state": 0,
}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def regressor(**params):
    return MLPRegressorScratch(**PARAMS | params)


class Weights:
    """A callback that copies the weights after each epoch."""

    def __init__(self):
        self.copies = []

    def on_epoch_end(self, training):
        self.copies.append(training.theta.flat.copy())


def weights_after_epochs(**params):
    callback = Weights()
    regressor(**params, callbacks=[callback]).fit(X, y)
    return callback.copies


def flat(estimator):
    arrays = [*estimator.coefs_, *estimator.intercepts_]
    return np.concatenate([array.ravel() for array in arrays])


def averages_of_torch(copies, average):
    """The averages after each epoch of `torch.optim.swa_utils`."""
    torch = pytest.importorskip("torch")
    parameter = torch.nn.Parameter(torch.tensor(copies[0]))
    module = torch.nn.Module()
    module.register_parameter("theta", parameter)
    averaged = torch.optim.swa_utils.AveragedModel(module, avg_fn=average)
    for values in copies:
        parameter.data = torch.tensor(values)
        averaged.update_parameters(module)
    return averaged.module.theta.detach().numpy()


@parametrize_engine
@pytest.mark.parametrize(("start", "n_before"), [(0.0, 0), (0.5, 4), (0.75, 6)])
def test_swa_is_that_of_torch(engine, start, n_before):
    copies = weights_after_epochs(engine=engine)
    reg = regressor(engine=engine, averaging="swa", averaging_start=start).fit(X, y)
    np.testing.assert_allclose(
        flat(reg), averages_of_torch(copies[n_before:], None), rtol=1e-6
    )


@parametrize_engine
@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
def test_ema_is_the_weighted_mean(engine, decay):
    copies = weights_after_epochs(engine=engine)
    reg = regressor(engine=engine, averaging="ema", averaging_decay=decay).fit(X, y)
    factors = decay ** np.arange(len(copies))[::-1]
    expected = np.average(copies, axis=0, weights=factors)
    np.testing.assert_allclose(flat(reg), expected, rtol=1e-5, atol=1e-7)


def test_training_is_the_same():
    plain, averaged = regressor().fit(X, y), regressor(averaging="ema").fit(X, y)
    assert plain.loss_curve_ == averaged.loss_curve_
    assert not np.array_equal(flat(plain), flat(averaged))


@pytest.mark.parametrize("averaging", ["ema", "swa"])
def test_scores_and_early_stopping_are_those_of_the_average(averaging):
    reg = regressor(averaging=averaging).fit(X, y, X_val=X_val, y_val=y_val)
    assert reg.history_["val_score"][-1] == pytest.approx(reg.score(X_val, y_val))
    reg = regressor(averaging=averaging, early_stopping=True, max_iter=30)
    reg.fit(X, y, X_val=X_val, y_val=y_val)
    assert max(reg.validation_scores_) == pytest.approx(reg.score(X_val, y_val))
    stopping = EarlyStopping(monitor="val_loss", patience=2, restore_best=True)
    reg = regressor(averaging=averaging, callbacks=[stopping], max_iter=30)
    reg.fit(X, y, X_val=X_val, y_val=y_val)
    best = 0.5 * np.mean((reg.predict(X_val) - y_val) ** 2)
    assert min(reg.history_["val_loss"]) == pytest.approx(best, rel=1e-6)


class StopAfter:
    """A callback that ends training."""

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def on_epoch_end(self, training):
        return training.n_iter == self.n_epochs


class Fail:
    """A callback that fails after five epochs."""

    observes_only = True  # a checkpoint can be resumed without it

    def on_epoch_begin(self, training):
        if training.n_iter == 5:
            raise TimeoutError


@parametrize_engine
@pytest.mark.parametrize("averaging", ["ema", "swa"])
def test_resuming_from_a_checkpoint(averaging, engine, tmp_path):
    path = tmp_path / "checkpoint"
    params = {"averaging": averaging, "averaging_start": 0.2, "engine": engine}
    whole = regressor(**params).fit(X, y)
    with pytest.raises(TimeoutError):
        regressor(**params, callbacks=[Checkpoint(path), Fail()]).fit(X, y)
    resumed = regressor(**params).fit(X, y, resume_from=path)
    np.testing.assert_array_equal(flat(resumed), flat(whole))
    with pytest.raises(ValueError, match="averaging"):
        regressor().fit(X, y, resume_from=path)


def test_without_an_epoch_of_the_average_the_last_weights_are_kept():
    reg = regressor(averaging="swa", callbacks=[StopAfter(2)]).fit(X, y)
    np.testing.assert_array_equal(flat(reg), flat(regressor(max_iter=2).fit(X, y)))


def test_statistics_of_batch_normalization_are_averaged():
    plain = [regressor(batch_norm=True, max_iter=n).fit(X, y) for n in (1, 2)]
    reg = regressor(batch_norm=True, max_iter=2, averaging="swa", averaging_start=0)
    means = [r.batch_norm_means_[0] for r in (*plain, reg.fit(X, y))]
    np.testing.assert_allclose(means[2], (means[0] + means[1]) / 2, rtol=1e-5)


def test_clone_and_pickle():
    reg = regressor(averaging="swa", averaging_start=0.5).fit(X, y)
    again = clone(pickle.loads(pickle.dumps(reg))).fit(X, y)
    np.testing.assert_array_equal(again.predict(X), reg.predict(X))


def test_it_is_not_supported_by_partial_fit_and_lbfgs():
    with pytest.raises(ValueError, match=r"does not support averaging='ema'; set"):
        MLPClassifierScratch(averaging="ema").partial_fit(X, y > 0, classes=[0, 1])
    with pytest.raises(ValueError, match="averaging"):
        regressor(averaging="swa", solver="lbfgs").fit(X, y)
