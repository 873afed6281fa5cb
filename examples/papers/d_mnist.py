"""Network of D for MNIST."""

import matplotlib.pyplot as plt
import numpy as np
from d_common import plain_training, training
from plain import adam
from report import (
    UNKNOWN,
    UNTIL_THE_END,
    Figure,
    agreement,
    initial_weights,
    largest,
    side_by_side,
    timed,
)
from sklearn.metrics import ConfusionMatrixDisplay, cohen_kappa_score
from sklearn.model_selection import StratifiedKFold, cross_validate, train_test_split
from sklearn.neural_network import MLPClassifier

from skmlp import MLPClassifierScratch
from skmlp.datasets import fetch_mnist

EPOCHS = 15
SIZES = (128, 64)


def mnist(page):
    """Add accuracy, confusion matrix, kappa and cross-validation for MNIST."""
    page.heading("MNIST")
    try:
        X, y = fetch_mnist(return_X_y=True)
    except OSError:
        page.add("MNIST could not be loaded. This section is omitted.")
        return
    X /= 255
    data = train_test_split(X, y, test_size=0.2, random_state=0)
    page.add(
        f"The data are {len(X)} images in float32, with pixels divided by 255. 20 % "
        "of them are test images. The network has hidden layers of 128 and 64 leaky "
        "ReLU units and a softmax output. It is trained with Adam and a learning rate "
        "of 1e-3. Settings that the document does not state are chosen as follows: "
        f"{EPOCHS} epochs in batches of 100, and a cosine schedule of the learning "
        "rate, so that the last steps are small. scikit-learn has no leaky ReLU and "
        "no schedules for Adam. Its network uses ReLU and a constant learning rate."
    )
    y_pred = mnist_figures(page, data)
    mnist_confusion(page, data[3], y_pred)
    mnist_beside_plain_loop(page, data)
    mnist_cross_validation(page, X, y)


def digits_network(**params):
    """Return the network of the document for MNIST."""
    defaults = {
        "hidden_layer_sizes": SIZES,
        "activation": "leaky_relu",
        "learning_rate": "cosine",
        "alpha": 0,
        "batch_size": 100,
        "max_iter": EPOCHS,
        "random_state": 0,
        **UNTIL_THE_END,
    }
    return MLPClassifierScratch(**{**defaults, **params})


def mnist_figures(page, data):
    """Compare accuracy and kappa with scikit-learn, and return the predictions."""
    X, X_test, y, y_test = data
    ours = digits_network()
    theirs = MLPClassifier(
        SIZES,
        alpha=0,
        batch_size=100,
        max_iter=EPOCHS,
        random_state=0,
        **UNTIL_THE_END,
    )
    ours, seconds, theirs, peer_seconds = side_by_side(
        lambda: ours.fit(X, y), lambda: theirs.fit(X, y), rounds=1
    )
    y_pred, y_peer = ours.predict(X_test), theirs.predict(X_test)
    first = digits_network(max_iter=1).fit(X, y).score(X_test, y_test)
    page.figures(
        [
            Figure(
                "MNIST, accuracy",
                "0.92",
                f"{np.mean(y_pred == y_test):.4f}",
                f"{np.mean(y_peer == y_test):.4f}",
                seconds,
                peer_seconds,
                why="the number of epochs of the document is not known. The accuracy "
                f"of skmlp after a single epoch is {first:.4f}.",
            ),
            Figure(
                "MNIST, Cohen's kappa",
                UNKNOWN,
                f"{cohen_kappa_score(y_test, y_pred):.4f}",
                f"{cohen_kappa_score(y_test, y_peer):.4f}",
            ),
        ],
        peer="scikit-learn",
    )
    return y_pred


def mnist_confusion(page, y_test, y_pred):
    """Add the confusion matrix."""
    fig, ax = plt.subplots(figsize=(7.2, 6.4), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(
        y_test,
        y_pred,
        ax=ax,
        cmap="Blues",
        # Errors are rare and would not be visible on a linear scale.
        im_kw={"norm": "symlog"},
    )
    ax.set(xlabel="predicted digit", ylabel="true digit")
    page.picture(
        fig,
        "mnist",
        f"Confusion matrix of the {len(y_test)} test images, with a logarithmic color "
        "scale.",
    )


def mnist_beside_plain_loop(page, data, n_samples=5000):
    """Compare one epoch on a part of the images with the plain loop."""
    X, y = data[0][:n_samples].astype(np.float64), data[2][:n_samples]
    X_test, y_test = data[1][:1000], data[3][:1000]
    clf = digits_network(max_iter=1, shuffle=False, learning_rate="constant")
    weights = initial_weights(clf, X, y)
    clf, seconds, loop, loop_seconds = side_by_side(
        lambda: training(clf, weights, X, y),
        lambda: plain_training(clf, weights, X, np.eye(10)[y], adam),
    )
    probabilities = clf.predict_proba(X_test), loop.predict(X_test)
    ours, theirs = (
        f"accuracy {np.mean(p.argmax(axis=1) == y_test):.3f}" for p in probabilities
    )
    what = f"one epoch of {n_samples} images, float64"
    page.figures([Figure(what, UNKNOWN, ours, theirs, seconds, loop_seconds)])
    page.add(
        f"The accuracy is that on {len(y_test)} test images. The predicted "
        f"probabilities of both {agreement(largest([probabilities]))}."
    )


def mnist_cross_validation(page, X, y, n_epochs=5):
    """Add a cross-validation with 5 folds."""
    found, seconds = timed(
        cross_validate,
        digits_network(max_iter=n_epochs),
        X,
        y,
        cv=StratifiedKFold(5, shuffle=True, random_state=0),
        n_jobs=2,
        error_score="raise",
    )
    accuracy = found["test_score"]
    page.add(
        f"A cross-validation on all {len(X)} images, in {len(accuracy)} folds and with "
        f"{n_epochs} epochs for each network, gives an accuracy of "
        f"{accuracy.mean():.4f} ± {accuracy.std():.4f}, in {seconds:.0f} s."
    )
