"""E: "Experiment 1A: a basic neural network" (2025)

The document trains a network with one hidden layer of sigmoid units and a linear output
by gradient descent on 1000 samples, and examines each weight during the training. The
targets on [-5, 5] are f1 = exp(x / 5) and f2 = sin(x) (25 - x^2). `h` includes the bias
unit, so that the hidden layer has h - 1 units. Samples and initial weights are drawn
with the seeds of the document, so that all settings are known.

The loss is half the mean squared error, in the document and in `skmlp`. The test loss
is the loss of 100 additional samples. The plain loop and `skmlp` compute it after each
epoch. The published time of 14 s was measured on another machine.
"""

import sys
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from plain import PlainNetwork, gradient_descent
from report import GRADIENT_DESCENT, Figure, main, side_by_side

from skmlp import MLPRegressorScratch
from skmlp.callbacks import WeightRecorder
from skmlp.plotting import (
    LearnedFunctionDisplay,
    LossCurveDisplay,
    WeightEvolutionDisplay,
    animate_training,
)

DATA_SEED = 222337497072607291153223098371913928704
WEIGHTS_SEED = 36255793825986746149655859236796938907


def f1(X):
    """Return exp(x / 5)."""
    return np.exp(X[:, 0] / 5)


def f2(X):
    """Return sin(x) (25 - x^2)."""
    return np.sin(X[:, 0]) * (25 - X[:, 0] ** 2)


# Target, h, learning rate, epochs.
SETTLING = (f1, 3, 0.1, 1000)
DIVERGING = (f1, 3, 5, 1000)
OSCILLATING = (f2, 8, 0.1, 1200)
EXPERIMENTS = {
    (f1, 2, 0.1, 1000): "test loss 0.0051",
    SETTLING: "test loss 0.0068, 14 s",
    (f1, 3, 2, 1000): "test loss grows to 2.7e4",
    DIVERGING: "overflow",
    OSCILLATING: "test loss reaches 1.089, then oscillates",
}
SHOWN = (SETTLING, OSCILLATING)
# Number of epochs in which the training of f2 is stable for any rounding errors.
N_STABLE = 900


def run(page):
    """Add all sections."""
    add_table(page)
    recorded = {experiment: record(*experiment) for experiment in EXPERIMENTS}
    add_losses(page, recorded)
    add_functions(page, recorded)
    add_evolution(page, recorded)
    add_animation(page, recorded)


def make_data(f):
    """Return the training and test samples of the document."""
    rng = np.random.default_rng(DATA_SEED)
    X, X_test = ((rng.random((n, 1)) - 0.5) * 10 for n in (1000, 100))
    return X, f(X), X_test, f(X_test)


def make_weights(h):
    """Return the initial weights of the document."""
    rng = np.random.default_rng(WEIGHTS_SEED)
    U, V = rng.normal(0, 0.01, (h - 1, 2)), rng.normal(0, 0.01, (1, h))
    return [U[:, :1].T, V[:, :-1].T], [U[:, 1], V[:, -1]]


def train(f, h, rate, n_epochs, **params):
    """Train as the document does."""
    X, y, X_test, y_test = make_data(f)
    coefs, intercepts = make_weights(h)
    return MLPRegressorScratch(
        hidden_layer_sizes=(h - 1,),
        activation="logistic",
        batch_size="full",
        learning_rate_init=rate,
        max_iter=n_epochs,
        **GRADIENT_DESCENT,
        **params,
    ).fit(
        X,
        y,
        X_val=X_test,
        y_val=y_test,
        coefs_init=coefs,
        intercepts_init=intercepts,
    )


def train_plain(f, h, rate, n_epochs):
    """Return the test loss after each epoch of the plain loop, until overflow."""
    X, y, X_test, y_test = make_data(f)
    test_losses = []

    def test(loop):
        loss = np.mean((loop.predict(X_test)[:, 0] - y_test) ** 2) / 2
        if not np.isfinite(loss):
            raise OverflowError
        test_losses.append(loss)

    loop = PlainNetwork(*make_weights(h), ["logistic", "identity"])
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            loop.train(
                X, y[:, None], gradient_descent(rate), n_epochs, after_epoch=test
            )
        except OverflowError:
            pass
    return test_losses


def name(f, h, rate, n_epochs):
    """Return an experiment as text."""
    return f"{f.__name__}, h = {h}, rate {rate:g}, {n_epochs} epochs"


def add_table(page):
    """Add all test losses that the document states."""
    page.heading("Test losses")
    figures, differences = [], {}
    for experiment, published in EXPERIMENTS.items():
        try:
            reg, seconds, test_losses, loop_seconds = side_by_side(
                partial(train, *experiment), partial(train_plain, *experiment)
            )
        except ValueError as error:
            figures.append(failure(experiment, published, error))
            continue
        ours = np.array(reg.history_["val_loss"])
        difference = np.abs(ours / np.array(test_losses) - 1)
        differences[experiment] = difference[:N_STABLE].max(), difference.max()
        figures.append(
            Figure(
                name(*experiment),
                published,
                outcome(ours),
                outcome(np.array(test_losses)),
                seconds,
                loop_seconds,
                why_oscillating() if experiment is OSCILLATING else "",
            )
        )
    page.figures(figures)
    add_differences(page, differences)


def outcome(test_losses):
    """Describe the last test loss, and the smallest if it is in between."""
    best = test_losses.argmin()
    if best in (0, len(test_losses) - 1):
        return f"test loss {test_losses[-1]:.4g}"
    return (
        f"test loss reaches {test_losses[best]:.3f} in epoch {best + 1}; "
        f"{test_losses[-2]:.3f} and {test_losses[-1]:.3f} in the last two"
    )


def why_oscillating():
    """Repeat the experiment with f2 with different rounding errors."""
    reg = train(*OSCILLATING, engine="numpy")
    return (
        "rounding errors determine when the training becomes unstable. With "
        f"`engine='numpy'`, the {outcome(np.array(reg.history_['val_loss']))}."
    )


def failure(experiment, published, error):
    """Return the figure of a training that ends with an error."""
    if "diverged" not in str(error):
        raise error
    epoch = str(error).partition("diverged in ")[2].partition(",")[0]
    n_finite = len(train_plain(*experiment))
    return Figure(
        name(*experiment),
        published,
        f"`fit` raises an error: it diverged in {epoch}",
        f"overflow in epoch {n_finite + 1}",
        why="`fit` ends when the weights or their gradient overflow. The loss "
        "overflows earlier. The error names the learning rate.",
    )


def add_differences(page, differences):
    """Add the differences between the plain loop and skmlp."""
    page.add(
        "The plain loop and `skmlp` start from the same weights, but have different "
        "rounding errors. The table shows the largest relative difference between "
        "their test losses. Unstable training amplifies rounding errors."
    )
    page.table(
        {
            "experiment": [name(*experiment) for experiment in differences],
            f"first {N_STABLE} epochs": [
                f"{first:.0e}" for first, _ in differences.values()
            ],
            "all epochs": [f"{last:.0e}" for _, last in differences.values()],
        }
    )


def record(*experiment):
    """Return the weights of all epochs, and the estimator or None if it diverged."""
    recorder = WeightRecorder()
    try:
        return recorder, train(*experiment, callbacks=recorder)
    except ValueError:
        return recorder, None


def add_losses(page, recorded):
    """Add the losses on a logarithmic axis."""
    page.heading("Losses")
    fig, axes = plt.subplots(2, 1, figsize=(8.5, 6.2), layout="constrained")
    for ax, experiment in zip(axes, SHOWN, strict=True):
        _, reg = recorded[experiment]
        display = LossCurveDisplay.from_estimator(reg, ax=ax, panels=["loss"])
        display.ax_.set(title=name(*experiment), ylabel="loss (half the MSE)")
    page.picture(
        fig,
        "losses",
        "Losses on a logarithmic axis, and the best epoch. The validation samples are "
        "the test samples of the document. The loss of f1 decreases until the end. The "
        "loss of f2 starts to oscillate.",
    )


def add_functions(page, recorded):
    """Add the learned functions and their targets."""
    page.heading("Learned functions")
    fig, axes = plt.subplots(1, 2, figsize=(9.8, 4), layout="constrained")
    for ax, experiment in zip(axes, SHOWN, strict=True):
        recorder, reg = recorded[experiment]
        f, h, rate, n_epochs = experiment
        LearnedFunctionDisplay.from_recorder(
            recorder,
            reg,
            make_data(f)[0],
            epochs=[10, 100, 300, n_epochs],
            target=f,
            ax=ax,
        )
        ax.set_title(f"{f.__name__}, h = {h}, rate {rate:g}")
    page.picture(
        fig,
        "functions",
        "Learned functions after increasing numbers of epochs, and the target.",
    )


def add_evolution(page, recorded):
    """Add the weights, the norm of the gradient and its angle."""
    page.heading("Weights and gradients")
    captions = {
        SETTLING: "Weights and biases, the norm of the gradient, and the angle between "
        "consecutive gradients, for a training that converges.",
        OSCILLATING: "The same quantities for f2. When the loss starts to oscillate, "
        "consecutive gradients point in opposite directions.",
        DIVERGING: "The same quantities with a learning rate that is too large. The "
        "shaded area starts when a weight exceeds 1000.",
    }
    for i, (experiment, caption) in enumerate(captions.items()):
        recorder, _ = recorded[experiment]
        display = WeightEvolutionDisplay.from_recorder(recorder)
        display.figure_.set_size_inches(8.5, 6.8)
        display.figure_.suptitle(name(*experiment))
        page.picture(display.figure_, f"weights_{i}", caption)


def add_animation(page, recorded):
    """Add an animation of the training of f2."""
    page.heading("Animation of the training")
    path = page.path("training", "gif")
    if path is None:
        return
    recorder, reg = recorded[OSCILLATING]
    _, _, X_test, y_test = make_data(f2)
    animate_training(recorder, reg, X_test, y_test, target=f2, max_frames=50, path=path)
    plt.close()
    page.show(
        path,
        f"{name(*OSCILLATING)}: the learned function, the mean squared error on the "
        "test samples, the gradient and the weights in each epoch.",
    )


if __name__ == "__main__":
    main(sys.modules[__name__])
