"""A: "Neural Network Training: A Complete Pipeline" (2025)

The document fits a function of one variable with three networks of increasing size. It
uses full-batch gradient descent and He initialization. It does not state the function,
the learning rate and the number of epochs of its table.

The experiments on this page use y = sin(2 x) on [-3, 3], 200 training samples, 50
validation samples, a learning rate of 0.01 and 1000 epochs. The published errors can
therefore be compared only in their order of magnitude. This also applies to the
published times, which were measured on another machine.

"MSE" is the mean squared error, first on the training samples and then on the
validation samples. The plain loop and `skmlp` start from the same weights. Both compute
the loss on the validation samples after each epoch.
"""

import sys
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from plain import PlainNetwork, gradient_descent
from report import (
    GRADIENT_DESCENT,
    Figure,
    agreement,
    as_code,
    initial_weights,
    largest,
    main,
    side_by_side,
)
from sklearn.metrics import mean_squared_error

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.plotting import LearnedFunctionDisplay, LossCurveDisplay

N_EPOCHS = 1000
TRAINING = {
    "init": "he_normal",
    "batch_size": "full",
    "learning_rate_init": 0.01,
    "max_iter": N_EPOCHS,
    "random_state": 0,
    **GRADIENT_DESCENT,
}
PUBLISHED = {
    (32,): "97 parameters, MSE 0.145, 1.194 s",
    (64, 32): "2241 parameters, MSE 0.138, 4.202 s",
    (128, 64, 32): "10625 parameters, MSE 0.124, 46.279 s",
}


def run(page):
    """Add all sections."""
    data = make_data()
    compare_networks(page, data)
    compare_learning_rates(page, data)
    add_what_is_missing(page, data)


def target(X):
    """Return the values of the target function."""
    return np.sin(2 * X[:, 0])


def make_data():
    """Return training and validation samples and targets."""
    X = np.random.default_rng(0).uniform(-3, 3, (250, 1))
    return X[:200], target(X[:200]), X[200:], target(X[200:])


def network(sizes=(64, 32), activation="tanh", **params):
    """Return a network with the settings of the document."""
    return MLPRegressorScratch(
        hidden_layer_sizes=sizes,
        activation=activation,
        **{**TRAINING, **params},
    )


def fit(reg, data):
    """Train with a loss on the validation samples after each epoch."""
    X, y, X_val, y_val = data
    return reg.fit(X, y, X_val=X_val, y_val=y_val)


def train_plain(reg, weights, data):
    """Train the plain loop from these weights."""
    X, y, X_val, y_val = data
    activations = [reg.activation] * len(reg.hidden_layer_sizes)
    loop = PlainNetwork(*weights, [*activations, "identity"])
    val_loss = []

    def validate(loop):
        val_loss.append(np.mean((loop.predict(X_val)[:, 0] - y_val) ** 2) / 2)

    step = gradient_descent(reg.learning_rate_init)
    return loop.train(X, y[:, None], step, reg.max_iter, after_epoch=validate)


def errors(net, data):
    """Return the MSE on the training and validation samples."""
    X, y, X_val, y_val = data
    return mean_squared_error(y, net.predict(X)), mean_squared_error(
        y_val, net.predict(X_val)
    )


def compare_networks(page, data):
    """Add the table of three architectures and three activation functions."""
    page.heading("Three architectures")
    figures, pairs, val_errors, trained = [], [], {}, {}
    for sizes, published in PUBLISHED.items():
        for activation in ("tanh", "relu", "logistic"):
            reg = network(sizes, activation)
            weights = initial_weights(reg, *data[:2])
            _, seconds, loop, loop_seconds = side_by_side(
                partial(fit, reg, data), partial(train_plain, reg, weights, data)
            )
            layers = "-".join(map(str, (1, *sizes, 1)))
            n_parameters = sum(w.size for w in (*reg.coefs_, *reg.intercepts_))
            ours, theirs = errors(reg, data), errors(loop, data)
            figures.append(
                Figure(
                    f"{layers}, {activation}",
                    published if activation == "tanh" else "",
                    f"{n_parameters} parameters, MSE {ours[0]:.3f} and {ours[1]:.3f}",
                    f"MSE {theirs[0]:.3f} and {theirs[1]:.3f}",
                    seconds,
                    loop_seconds,
                )
            )
            pairs.append((reg.predict(data[0]), loop.predict(data[0])))
            val_errors[sizes, activation] = ours[1]
            trained[layers, activation] = reg
    page.figures(figures)
    n_wins = sum(
        val_errors[sizes, "tanh"] < val_errors[sizes, "relu"] for sizes in PUBLISHED
    )
    page.add(
        "The document does not state the activation function of its results. The table "
        "shows them next to those of tanh. The document finds that tanh gives smaller "
        "errors than ReLU for its smooth target. Here, the validation error of tanh is "
        f"smaller for {n_wins} of {len(PUBLISHED)} networks. The predictions of the "
        f"plain loop and of `skmlp` {agreement(largest(pairs))}."
    )
    picture_functions(page, trained, data)


def picture_functions(page, trained, data):
    """Plot the functions that the largest networks have learned."""
    layers = list(trained)[-1][0]
    fig, axes = plt.subplots(
        1, 3, figsize=(9.5, 3.3), sharex=True, sharey=True, layout="constrained"
    )
    for ax, activation in zip(axes, ("tanh", "relu", "logistic"), strict=True):
        display = LearnedFunctionDisplay.from_estimator(
            trained[layers, activation], data[2], data[3], target=target, ax=ax
        )
        display.ax_.set_title(activation)
        display.ax_.get_legend().remove()
    axes[1].set_ylabel("")
    axes[2].set_ylabel("")
    fig.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3
    )
    page.picture(
        fig,
        "functions",
        f"Functions learned by the network {layers} with each activation function "
        f"after {N_EPOCHS} epochs, the target, and the validation samples.",
    )


def compare_learning_rates(page, data):
    """Add the comparison of three learning rates."""
    page.heading("Learning rates")
    remarks = {0.001: "slow", 0.01: "good", 0.1: "may oscillate"}
    regs = {rate: fit(network(learning_rate_init=rate), data) for rate in remarks}
    page.table(
        {
            "learning rate": [f"{rate:g}" for rate in regs],
            "published": list(remarks.values()),
            f"MSE after {N_EPOCHS} epochs": [
                "{:.3f} and {:.3f}".format(*errors(reg, data)) for reg in regs.values()
            ],
            "epochs in which the training loss increased": [
                str(np.sum(np.diff(reg.loss_curve_) > 0)) for reg in regs.values()
            ],
        }
    )
    display = LossCurveDisplay.from_estimators(
        {f"rate {rate:g}": reg for rate, reg in regs.items()},
        panels=["loss"],
        linewidth=1.2,
    )
    display.figure_.set_size_inches(8.5, 4)
    display.ax_.set_ylabel("loss (half the MSE)")
    page.picture(
        display.figure_,
        "learning_rates",
        "Loss of the network 1-64-32-1 with tanh. It decreases slowly at the rate "
        "0.001 and steadily at 0.01, and oscillates at 0.1.",
    )


def add_what_is_missing(page, data):
    """Add the techniques that the document does not implement."""
    page.heading("Techniques that the document does not implement")
    page.add(
        "The document lists the following techniques as missing. In `skmlp`, each of "
        "them is a parameter, except softmax, which is the output activation function "
        "of a classifier. The network is 1-64-32-1 with tanh. All other parameters are "
        f"as before: a learning rate of 0.01, and at most {N_EPOCHS} epochs."
    )
    regs = {name: fit(network(**params), data) for name, params in MISSING.items()}
    clf, accuracy, most_frequent = classify(data)
    page.table(
        {
            "technique": [*regs, "softmax with cross-entropy"],
            "parameters": [
                *(as_code(params) for params in MISSING.values()),
                "`MLPClassifierScratch`",
            ],
            "epochs": [str(reg.n_iter_) for reg in (*regs.values(), clf)],
            "validation result": [
                *(f"MSE {errors(reg, data)[1]:.2g}" for reg in regs.values()),
                f"accuracy {accuracy:.2f}",
            ],
        }
    )
    page.add(
        "The classes of the classifier are y < -0.5, y > 0.5 and the values between. "
        "The most frequent class contains "
        f"{most_frequent:.0%} of the validation samples."
    )


MISSING = {
    "(none)": {},
    "momentum": {"momentum": 0.9, "nesterovs_momentum": False},
    "Adam": {"solver": "adam"},
    "RMSProp": {"solver": "rmsprop"},
    "L2": {"alpha": 0.1},
    "dropout": {"dropout": 0.1},
    "mini-batches": {"batch_size": 20},
    "batch normalization": {"batch_norm": True},
    "early stopping on the validation loss": {
        "early_stopping": True,
        "early_stopping_metric": "loss",
        "n_iter_no_change": 10,
        "tol": 1e-4,
    },
}


def classify(data):
    """Classify three classes of targets, with softmax and cross-entropy.

    Returns
    -------
    clf : MLPClassifierScratch

    accuracy, most_frequent : float
        On the validation samples, and the share of their most frequent class.
    """
    X, y, X_val, y_val = data
    classes, val_classes = (np.digitize(values, [-0.5, 0.5]) for values in (y, y_val))
    clf = MLPClassifierScratch(
        hidden_layer_sizes=(64, 32), activation="tanh", **TRAINING
    ).fit(X, classes)
    most_frequent = np.bincount(val_classes).max() / len(val_classes)
    return clf, clf.score(X_val, val_classes), most_frequent


if __name__ == "__main__":
    main(sys.modules[__name__])
