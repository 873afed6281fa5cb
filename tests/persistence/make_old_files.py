"""Write the files that later versions have to read: see `test_old_files.py`.

    python tests/persistence/make_old_files.py

adds files named after the versions that write them, and leaves the others. They are
added when a format changes, and for a new release of scikit-learn.
"""

import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.datasets import load_diabetes, load_iris

import skmlp
from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.callbacks import Callback, Checkpoint, EarlyStopping
from skmlp.persistence import checkpoint, model

DIRECTORY = Path(__file__).with_name("old_files")
ROWS = slice(0, 150, 30)


class Stop(Callback):
    """Ends a training as a failure would."""

    observes_only = True

    def on_epoch_end(self, training):
        if training.n_iter == 5:
            raise InterruptedError


def classification():
    """A classifier with about everything, and its samples."""
    X, y = load_iris(return_X_y=True)
    classifier = MLPClassifierScratch(
        (8, 4),
        activation=["tanh", "gelu"],
        solver="nadam",
        learning_rate="step",
        learning_rate_init=0.01,
        dropout=[0.1, 0.0],
        batch_norm=True,
        early_stopping=True,
        class_weight={"setosa": 2.0},
        label_smoothing=0.1,
        max_iter=10,
        random_state=0,
        engine="numpy",
    )
    return classifier, X, np.array(["setosa", "versicolor", "virginica"], object)[y]


def regression():
    """A regressor in float32, by L-BFGS."""
    X, y = load_diabetes(return_X_y=True)
    regressor = MLPRegressorScratch(
        "huber", (5,), solver="lbfgs", l1_ratio=0.5, max_iter=30, random_state=0
    )
    return regressor, X.astype(np.float32), y.astype(np.float32)


def resumable():
    """A classifier with a callback that has a state, as it is to be resumed."""
    classifier, X, y = classification()
    callbacks = [EarlyStopping("loss", patience=20)]
    return classifier.set_params(callbacks=callbacks), X, y


def main():
    """Write all files, and what is expected of the models in them."""
    warnings.simplefilter("ignore")
    DIRECTORY.mkdir(exist_ok=True)
    expected = {}
    for name, (estimator, X, y) in {
        "classifier": classification(),
        "regressor": regression(),
    }.items():
        first = DIRECTORY / f"{name}-1.skmlp"
        if first.exists():  # the same model, because another would predict otherwise
            estimator = skmlp.load(first)
        else:
            estimator.fit(X, y)
            output = getattr(estimator, "predict_proba", estimator.predict)
            expected[name] = output(X[ROWS]).tolist()
        skmlp.save(estimator, DIRECTORY / f"{name}-{model.VERSION}.skmlp")
        path = DIRECTORY / f"{name}-sklearn-{sklearn.__version__}.pkl"
        if not path.exists():
            path.write_bytes(pickle.dumps(estimator, protocol=4))
    classifier, X, y = resumable()
    path = DIRECTORY / f"training-{checkpoint.VERSION}.skmlp"
    callbacks = [*classifier.callbacks, Checkpoint(path), Stop()]
    try:
        classifier.set_params(callbacks=callbacks).fit(X, y)
    except InterruptedError:
        pass
    if expected:
        text = json.dumps(expected, indent=1)
        (DIRECTORY / "expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
