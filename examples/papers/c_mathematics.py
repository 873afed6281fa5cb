"""C: "Understanding the Math behind Neural Networks" (2024)

The document trains a 1-12-12-1 network (ReLU, ReLU, sigmoid) on the function x^2, with
1000 samples in [0, 1]. It uses random search and gradient descent, and derives Armijo's
step size. An episode is one pass through all samples.

The document does not state its seed, initial weights and learning rate. The experiments
on this page use seed 0 and He initialization. Gradient descent uses batches of 10
samples and a learning rate of 1. The samples are not shuffled, so that the plain loop
and `skmlp` process them in the same order. Both start from the same weights.

The cost is half the mean squared error. The document does not state whether its cost is
halved. "Outputs" are the predictions for 0.1, 0.5 and 0.01. Their exact values are
0.01, 0.25 and 0.0001.
"""

import sys
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from plain import PlainNetwork, gradient_descent
from report import (
    GRADIENT_DESCENT,
    UNKNOWN,
    UNTIL_THE_END,
    Figure,
    agreement,
    initial_weights,
    largest,
    main,
    side_by_side,
)
from sklearn.base import clone

from skmlp import MLPRegressorScratch
from skmlp.callbacks import WeightRecorder
from skmlp.plotting import LearnedFunctionDisplay, LossCurveDisplay

NETWORK = {
    "hidden_layer_sizes": (12, 12),
    "activation": "relu",
    "output_activation": "logistic",
    "init": "he_normal",
    "random_state": 0,
    **UNTIL_THE_END,
    "alpha": 0,
}
INPUTS = np.array([[0.1], [0.5], [0.01]])
SIGMA, FACTOR = 1e-4, 0.5


def run(page):
    """Add all sections."""
    X = np.random.default_rng(0).random((1000, 1))
    y = X[:, 0] ** 2
    trained = {
        "random search": add_random_search(page, X, y),
        "gradient descent": add_gradient_descent(page, X, y),
        "Armijo": add_armijo(page, X, y),
    }
    add_pictures(page, trained, X)


def cost(net, X, y):
    """Return half the mean squared error."""
    return np.mean((np.ravel(net.predict(X)) - y) ** 2) / 2


def outcome(net, X, y):
    """Return the cost and the outputs as text."""
    outputs = ", ".join(f"{p:.3f}" for p in np.ravel(net.predict(INPUTS)))
    return f"cost {cost(net, X, y):.6f}; outputs {outputs}"


def make_loop(weights):
    """Return the plain loop with these initial weights."""
    return PlainNetwork(*weights, ["relu", "relu", "logistic"])


def compare(page, what, published, reg, train_plain, X, y, why=""):
    """Add a table of one training with both methods, and their difference."""
    weights = initial_weights(reg, X, y)
    _, seconds, loop, loop_seconds = side_by_side(
        lambda: reg.fit(X, y), lambda: train_plain(make_loop(weights))
    )
    results = outcome(reg, X, y), outcome(loop, X, y)
    page.figures([Figure(what, published, *results, seconds, loop_seconds, why)])
    ours = *reg.coefs_, *reg.intercepts_
    pairs = zip(ours, (*loop.coefs, *loop.intercepts), strict=True)
    page.add(
        "After the training, the weights of the plain loop and of `skmlp` "
        f"{agreement(largest(pairs))}."
    )


def over_seeds(reg, X, y, n_seeds=10):
    """Return the ranges of the results over several seeds, as text."""
    nets = [clone(reg).set_params(random_state=i).fit(X, y) for i in range(n_seeds)]
    costs = [cost(net, X, y) for net in nets]
    outputs = np.array([net.predict(INPUTS) for net in nets])
    ranges = ", ".join(
        f"from {low:.3f} to {high:.3f}"
        for low, high in zip(outputs.min(axis=0), outputs.max(axis=0), strict=True)
    )
    return (
        f"With {n_seeds} different seeds, the outputs of `skmlp` range {ranges}, and "
        f"its cost ranges from {min(costs):.2g} to {max(costs):.2g}."
    )


# Random search.


def random_search(loop, X, y, noise, n_episodes):
    """Add noise to every parameter, and accept it if the cost does not increase."""
    least = cost(loop, X, y)
    for _ in range(n_episodes):
        before = loop.coefs, loop.intercepts
        loop.coefs, loop.intercepts = (
            [p + noise(p.shape) for p in parameters] for parameters in before
        )
        reached = cost(loop, X, y)
        if reached <= least:
            least = reached
        else:
            loop.coefs, loop.intercepts = before
    return loop


def same_noise(loop, seed, radius):
    """Return a function that draws the same noise as the solver."""
    random_state = np.random.RandomState(seed)
    for W in loop.coefs:
        random_state.normal(size=W.shape)
    rng = np.random.default_rng(random_state.randint(2**31 - 1))
    return lambda shape: rng.random(shape) * 2 * radius - radius


def add_random_search(page, X, y):
    """Add 500 episodes of random search."""
    page.heading("Random search")
    n_episodes = 500
    reg = MLPRegressorScratch(
        **NETWORK, solver="random_search", search_radius=0.1, max_iter=n_episodes
    )

    def train_plain(loop):
        noise = same_noise(loop, NETWORK["random_state"], reg.search_radius)
        return random_search(loop, X, y, noise, n_episodes)

    compare(
        page,
        f"{n_episodes} episodes, `solver='random_search'`",
        "outputs 0.03, 0.226, 0.025",
        reg,
        train_plain,
        X,
        y,
        f"the random numbers are different. {over_seeds(reg, X, y)}",
    )
    page.add(f"The noise was accepted in {count_kept(reg, X, y)} episodes.")
    return reg


def count_kept(reg, X, y):
    """Return the number of episodes in which the weights have changed."""
    recorder = WeightRecorder()
    clone(reg).set_params(callbacks=recorder).fit(X, y)
    return sum(
        not np.array_equal(before[0], after[0])
        for before, after in pairwise(recorder.coefs_)
    )


# Gradient descent.


def add_gradient_descent(page, X, y):
    """Add 50 episodes of gradient descent."""
    page.heading("Gradient descent")
    n_episodes, batch_size, rate = 50, 10, 1.0
    reg = MLPRegressorScratch(
        **{**NETWORK, **GRADIENT_DESCENT},
        batch_size=batch_size,
        learning_rate_init=rate,
        shuffle=False,
        max_iter=n_episodes,
    )

    def train_plain(loop):
        step = gradient_descent(rate)
        return loop.train(X, y[:, None], step, n_episodes, batch_size)

    compare(
        page,
        f"{n_episodes} episodes, `solver='sgd'`",
        "cost about 0.0003; outputs 0.03, 0.23, 0.03",
        reg,
        train_plain,
        X,
        y,
        "the initial weights and the learning rate of the document are not known. "
        f"{over_seeds(reg, X, y)} The gradient of a sigmoid is smallest if its output "
        "is near 0 or 1, so that outputs near 0 are learned slowly.",
    )
    return reg


# Armijo's step size.


def armijo(loop, X, y, n_episodes):
    """Run steepest descent with Armijo's step size."""
    value = cost(loop, X, y)
    for _ in range(n_episodes):
        start = *loop.coefs, *loop.intercepts
        grads = loop.mean_gradient(X, y)
        slope = -sum(np.sum(g**2) for g in grads)
        if slope == 0:
            break
        t = 1.0
        while True:
            new = [p - t * g for p, g in zip(start, grads, strict=True)]
            loop.coefs, loop.intercepts = new[:3], new[3:]
            reached = cost(loop, X, y)
            if reached <= value + SIGMA * t * slope:
                value = reached
                break
            t *= FACTOR
    return loop


def add_armijo(page, X, y):
    """Add steepest descent with Armijo's step size."""
    page.heading("Armijo's step size")
    n_beside, n_episodes = 100, 2000
    reg = MLPRegressorScratch(
        **NETWORK,
        solver="armijo",
        armijo_sigma=SIGMA,
        armijo_factor=FACTOR,
        max_iter=n_beside,
    )
    page.add(
        "The document states no results for this method. The experiment uses sigma = "
        f"{SIGMA:g} and a = {FACTOR:g}. The first {n_beside} steps are compared with "
        "the plain loop."
    )
    compare(
        page,
        f"{n_beside} steps, `solver='armijo'`",
        UNKNOWN,
        reg,
        lambda loop: armijo(loop, X, y, n_beside),
        X,
        y,
    )
    reg.set_params(max_iter=n_episodes).fit(X, y)
    rates, counts = np.unique(reg.history_["learning_rate"], return_counts=True)
    steps = ", ".join(
        f"{rate:g} ({count} times)"
        for rate, count in zip(rates[::-1], counts[::-1], strict=True)
    )
    page.add(
        f"After {n_episodes} steps of `skmlp`, the results are: {outcome(reg, X, y)}. "
        f"The step sizes t were {steps}."
    )
    stationary = MLPRegressorScratch(**{**NETWORK, "solver": "armijo"}).fit(
        X,
        np.full(len(X), 0.5),
        coefs_init=[None, None, np.zeros((12, 1))],
        intercepts_init=[None, None, [0]],
    )
    page.add(
        "Training stops if the gradient is zero. With initial weights that give the "
        "target 0.5 for all samples, it stops after "
        f"{stationary.n_iter_} of {stationary.max_iter} steps, where the norm of the "
        f"gradient is {stationary.history_['grad_norm'][-1]:g}."
    )
    return reg


def add_pictures(page, trained, X):
    """Add plots of the costs and of the learned functions."""
    page.heading("Costs and learned functions")
    display = LossCurveDisplay.from_estimators(trained, panels=["loss"])
    display.figure_.set_size_inches(8.5, 3.8)
    display.ax_.set(xscale="log", xlabel="episode", ylabel="cost (half the MSE)")
    page.picture(
        display.figure_,
        "costs",
        "Cost as a function of the episode, on logarithmic axes. In each episode, "
        "gradient descent takes one step per batch, Armijo takes one step, and random "
        "search takes at most one step.",
    )
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for (name, reg), style in zip(trained.items(), ("-", "--", ":"), strict=True):
        color = display.lines_[name]["loss"].get_color()
        look = {"label": name, "color": color, "linestyle": style}
        LearnedFunctionDisplay.from_estimator(reg, X, ax=left, **look)
        left.set_xlim(0, 1)  # where there are samples
        grid = np.linspace(0, 1, 200)[:, None]
        right.plot(grid[:, 0], reg.predict(grid) - grid[:, 0] ** 2, **look)
    right.axhline(0, color="black", linewidth=0.8)
    right.set(xlabel="x", ylabel="prediction minus x^2")
    right.grid(alpha=0.3)
    left.plot(grid[:, 0], grid[:, 0] ** 2, color="black", linewidth=0.8, label="target")
    left.legend()
    page.picture(
        fig,
        "functions",
        "Functions learned with the three methods, and their differences from x^2.",
    )


if __name__ == "__main__":
    main(sys.modules[__name__])
