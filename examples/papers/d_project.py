"""D. "Project 2: Building a Neural Network code" (2025).

A student's project: networks with an activation for each layer, three solvers, and L1
and L2 penalties, on the Runge function $1 / (1 + 25 x^2)$ and on MNIST, beside
least squares, scikit-learn and PyTorch.

The Runge data are 100 equidistant points on [-1, 1], with normal noise of standard
deviation 0.1 where noise is mentioned. 20 % of them are for the test, and $x$ is
standardized by the mean and the deviation of the others. Where the document is silent,
these choices are ours: the 100 points, the split of seed 0, scikit-learn's initial
weights, RMSProp's decay of 0.99, and full batches, unless others are mentioned, so that
an epoch is one step. Losses are half the mean squared error; "MSE" is all of it. A dash
stands where we know no figure of the document's.

All trainings last as many epochs as the texts say. Those on the Runge function have
one core each, those on MNIST all of them. The plain loop starts from skmlp's weights
and sees the samples in the same order.
"""

import os
import sys
from functools import partial
from importlib.util import find_spec

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator
from plain import PlainNetwork, adam, gradient_descent, rmsprop
from report import UNTIL_THE_END, Figure, main, side_by_side, timed
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    cohen_kappa_score,
    mean_squared_error,
    r2_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    cross_validate,
    train_test_split,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from threadpoolctl import threadpool_limits

from skmlp import MLPClassifierScratch, MLPRegressorScratch, check_gradient
from skmlp.callbacks import WeightRecorder
from skmlp.core.activations import ACTIVATIONS
from skmlp.datasets import fetch_mnist
from skmlp.plotting import (
    ActivationDisplay,
    SearchHeatmapDisplay,
)
from skmlp.plotting.activation import Curve

HAS_TORCH = find_spec("torch") is not None
HIDDEN = ["relu", "leaky_relu", "elu", "logistic", "tanh"]
RATES = [1e-2, 5e-3, 1e-3, 5e-4, 1e-4, 5e-5, 1e-5]
EPOCHS = [100, 250, 500, 1000, 2500, 5000]
PENALTIES = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]
SOLVERS = {
    "sgd": ("constant rate", "1.67 s", gradient_descent),
    "rmsprop": ("RMSProp", "2.38 s", rmsprop),
    "adam": ("Adam", "2.81 s", adam),
}
NOISE = 0.1
UNKNOWN = "–"  # noqa: RUF001
COLORS = ("#D55E00", "#009E73", "#CC79A7")  # which all can tell apart

MNIST_EPOCHS = 15
MNIST_SIZES = (128, 64)


def run(page):
    """Add all sections."""
    with threadpool_limits(1):
        activations(page)
        gradients(page)
        least_squares(page)
        solvers(page)
        solver_maps(page)
        penalty_maps(page)
        libraries(page)
        cross_validation(page)
        bias_and_variance(page)
    with threadpool_limits(os.cpu_count()):
        mnist(page)


# The Runge function, and networks for it.


def runge(x):
    """The Runge function."""
    return 1 / (1 + 25 * x**2)


def runge_points(noise=0.0):
    """The 100 points, with noise or without."""
    x = np.linspace(-1, 1, 100)
    y = runge(x) + noise * np.random.default_rng(0).normal(size=len(x))
    return x[:, np.newaxis], y


def runge_split(noise=0.0):
    """Training and test data, X not yet standardized."""
    return train_test_split(*runge_points(noise), test_size=0.2, random_state=0)


def standardized(X, X_test, y, y_test):
    """The same with X standardized."""
    scaler = StandardScaler().fit(X)
    return scaler.transform(X), scaler.transform(X_test), y, y_test


def network(sizes=(100, 100), **params):
    """A network of the document's."""
    defaults = {
        "hidden_layer_sizes": sizes,
        "activation": "logistic",
        "alpha": 0,
        "learning_rate_init": 5e-3,
        "momentum": 0,
        "batch_size": "full",
        "shuffle": False,
        "max_iter": 500,
        "random_state": 0,
        **UNTIL_THE_END,
    }
    return MLPRegressorScratch(**{**defaults, **params})


def polynomial(degree=13):
    """Ordinary least squares on powers of x."""
    return make_pipeline(
        PolynomialFeatures(degree, include_bias=False), LinearRegression()
    )


def initial_weights(estimator, X, y):
    """The weights that an estimator starts from, `coefs_` and `intercepts_`."""
    recorder = WeightRecorder()
    clone(estimator).set_params(callbacks=[recorder], max_iter=1).fit(X, y)
    return recorder.coefs_[0], recorder.intercepts_[0]


def penalized(optimizer, model, strength):
    """Of a plain network: the optimizer, with the gradient of an L2 penalty."""

    def step(grads):
        n_layers = len(model.coefs)
        coefs = [
            g + strength * W for g, W in zip(grads[:n_layers], model.coefs, strict=True)
        ]
        return optimizer([*coefs, *grads[n_layers:]])

    return step


def plain_training(estimator, weights, X, Y, optimizer):
    """The plain loop, with the parameters and from the weights of an estimator."""
    hidden = [estimator.activation] * len(estimator.hidden_layer_sizes)
    is_classifier = isinstance(estimator, MLPClassifierScratch)
    output = "softmax" if is_classifier else "identity"
    model = PlainNetwork(*weights, [*hidden, output])
    batch_size = len(X) if estimator.batch_size == "full" else estimator.batch_size
    step = optimizer(estimator.learning_rate_init)
    step = penalized(step, model, estimator.alpha / batch_size)
    return model.train(X, Y, step, estimator.max_iter, batch_size)


def beside_plain_loop(estimator, X, y, optimizer=adam):
    """Train both from the same weights, and time them.

    Returns
    -------
    our_result, our_seconds, loop, loop_seconds
    """
    coefs, intercepts = weights = initial_weights(estimator, X, y)
    return side_by_side(
        lambda: clone(estimator).fit(
            X, y, coefs_init=coefs, intercepts_init=intercepts
        ),
        lambda: plain_training(estimator, weights, X, y[:, np.newaxis], optimizer),
    )


def scores(y, predicted):
    """MSE and R^2 as text."""
    mse = mean_squared_error(y, predicted)
    return f"MSE {mse:.2g}, R² {r2_score(y, predicted):.4f}"


def largest(pairs):
    """The largest difference between two arrays of any pair."""
    return max(np.abs(np.ravel(a) - np.ravel(b)).max() for a, b in pairs)


# The sections.


def activations(page):
    """Each activation with its derivative, and a network with several of them."""
    page.heading("Activations")
    fig, axes = plt.subplots(2, 3, figsize=(8.4, 4.8), layout="constrained")
    display = ActivationDisplay.from_activation(HIDDEN, ax=axes.flat[:5])
    z = display.curves[0].z
    ActivationDisplay([softmax_curve(z)]).plot(ax=axes.flat[5:])
    axes[1, 2].get_legend().remove()
    axes[0, 1].set_xlabel("")
    axes[0, 2].set_xlabel("")
    page.picture(
        fig,
        "activations",
        "The activations and their derivatives, computed by what trains the networks; "
        "of softmax, the probability of the first of three classes.",
    )
    X, X_test, y, y_test = standardized(*runge_split())
    columns = {"hidden layers": [], "output": [], "R² on the test samples": []}
    for output in ("identity", "logistic", "tanh"):
        reg = network(
            (50, 50),
            activation=["tanh", "logistic"],
            output_activation=output,
            batch_size=8,
        ).fit(X, y)
        columns["hidden layers"].append("50 tanh, 50 sigmoid")
        columns["output"].append(output.replace("logistic", "sigmoid"))
        columns["R² on the test samples"].append(f"{reg.score(X_test, y_test):.4f}")
    page.add(
        "Each layer has its own activation, the output included. Here are networks on "
        "the Runge function without noise, after 500 epochs of Adam at rate 5e-3 in "
        "batches of 8:"
    )
    page.table(columns)


def softmax_curve(z):
    """The first of three probabilities, by its own logit where the others are 0."""
    softmax = ACTIVATIONS["softmax"]
    Z = z[:, np.newaxis] * [1, 0, 0]
    A = softmax.apply(Z.copy())
    delta = np.zeros_like(A)
    delta[:, 0] = 1
    softmax.backward(Z, A, delta, np.empty_like(A))
    return Curve("softmax of (z, 0, 0)", z, A[:, 0], delta[:, 0])


def gradients(page):
    """Backpropagation against differences and automatic differentiation."""
    page.heading("Gradients")
    X, _, y, _ = standardized(*runge_split())
    X, y = X[:20], y[:20]
    labels = np.digitize(y, [0.1, 0.5])
    checks = [
        (network((20, 10), activation=activation), y, activation)
        for activation in HIDDEN
    ]
    clf = MLPClassifierScratch((20, 10), activation="tanh", alpha=0, random_state=0)
    checks.append((clf, labels, "tanh, then softmax"))
    columns = {"activation": [], "central differences": [], "PyTorch's autograd": []}
    for estimator, target, name in checks:
        check = check_gradient(estimator, X, target)
        columns["activation"].append(name.replace("logistic", "sigmoid"))
        columns["central differences"].append(f"{check.max_relative_error:.0e}")
        if HAS_TORCH:
            weights = initial_weights(estimator, X, target)
            error = relative_error(
                check.analytic, autograd(weights, estimator.activation, X, target)
            )
            columns["PyTorch's autograd"].append(f"{error:.0e}")
    page.add(
        "The gradient of the loss by backpropagation, for two hidden layers of 20 and "
        "10 units and 20 samples, at the initial weights: its largest relative "
        "difference from central differences, as `skmlp.check_gradient` finds it, "
        "which have an error of their own, and from automatic differentiation."
    )
    page.table({name: cells for name, cells in columns.items() if cells})
    if not HAS_TORCH:
        page.add("PyTorch is not installed, so that its column is left out.")


def autograd(weights, activation, X, y):
    """PyTorch's gradient of the loss, in the order of `check_gradient`."""
    import torch

    coefs, intercepts = (
        [torch.tensor(array, requires_grad=True) for array in arrays]
        for arrays in weights
    )
    functions = {
        "relu": torch.relu,
        "leaky_relu": partial(torch.nn.functional.leaky_relu, negative_slope=0.01),
        "elu": torch.nn.functional.elu,
        "logistic": torch.sigmoid,
        "tanh": torch.tanh,
    }
    A = torch.tensor(X)
    for W, b in zip(coefs[:-1], intercepts[:-1], strict=True):
        A = functions[activation](A @ W + b)
    output = A @ coefs[-1] + intercepts[-1]
    if output.shape[1] > 1:
        loss = torch.nn.functional.cross_entropy(output, torch.tensor(y))
    else:
        loss = ((output[:, 0] - torch.tensor(y)) ** 2).mean() / 2
    loss.backward()
    return np.concatenate([p.grad.numpy().ravel() for p in (*coefs, *intercepts)])


def relative_error(gradient, other):
    """The largest, by the definition of `check_gradient`."""
    floor = 1e-3 * np.abs(gradient).max()
    scale = np.maximum(np.maximum(np.abs(gradient), np.abs(other)), floor)
    return np.max(np.abs(gradient - other) / scale)


def least_squares(page):
    """The Runge function: a polynomial against two networks."""
    page.heading("The Runge function")
    page.add(
        "A polynomial of degree 13 by ordinary least squares (OLS), scikit-learn's "
        "`PolynomialFeatures` and `LinearRegression`, against one hidden layer of 50 "
        "sigmoids and two of 100, after 1000 epochs of Adam at rate 5e-3. MSE and R² "
        "are those of the test samples, which have noise where the others have it."
    )
    fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
    figures, pairs, by_ols = [], [], {}
    for ax, noise in zip(axes, (0.0, NOISE), strict=True):
        X, X_test, y, y_test = standardized(*runge_split(noise))
        case = "with noise" if noise else "without noise"
        ols = polynomial().fit(X, y)
        by_ols[case] = scores(y_test, ols.predict(X_test))
        models = {"OLS, degree 13": ols}
        for name, sizes in (("1 x 50 sigmoid", (50,)), ("2 x 100 sigmoid", (100, 100))):
            reg, seconds, loop, loop_seconds = beside_plain_loop(
                network(sizes, solver="adam", max_iter=1000), X, y
            )
            predictions = reg.predict(X_test), loop.predict(X_test)[:, 0]
            ours, theirs = (scores(y_test, predicted) for predicted in predictions)
            figures.append(
                Figure(f"{name}, {case}", UNKNOWN, ours, theirs, seconds, loop_seconds)
            )
            pairs.append(predictions)
            models[name] = reg
        draw_models(ax, models, X, y)
        ax.set_title(case)
    page.table({"OLS, degree 13": list(by_ols), "here": list(by_ols.values())})
    page.figures(figures)
    page.add(
        "The predictions of the plain loop and of skmlp differ by at most "
        f"{largest(pairs):.0e}."
    )
    axes[1].set_ylabel("")
    axes[1].get_legend().remove()
    page.picture(
        fig,
        "runge",
        "The Runge function, the training samples, and what a polynomial and two "
        "networks make of them.",
    )


def draw_models(ax, models, X, y):
    """The functions of x that several models compute, and the Runge function."""
    grid = np.linspace(X.min(), X.max(), 400)[:, np.newaxis]
    # Equidistant points from -1 to 1, but for the scale.
    scale = StandardScaler().fit(runge_split()[0])
    for (name, model), color in zip(models.items(), COLORS, strict=True):
        ax.plot(grid, model.predict(grid), color=color, label=name)
    ax.plot(
        grid, runge(scale.inverse_transform(grid)), "k--", linewidth=1, label="target"
    )
    ax.scatter(X, y, s=10, color="0.5", label="training samples")
    ax.set(xlabel="x, standardized", ylabel="y")
    ax.legend(fontsize="small")


def solvers(page):
    """500 epochs of each solver, with the document's times."""
    page.heading("The solvers")
    page.add("2 x 100 sigmoids, 500 epochs at rate 5e-3, without noise.")
    X, X_test, y, _ = standardized(*runge_split())
    figures, pairs = [], []
    for solver, (name, published, optimizer) in SOLVERS.items():
        reg, seconds, loop, loop_seconds = beside_plain_loop(
            network(solver=solver), X, y, optimizer
        )
        ours, theirs = (
            f"loss {np.mean((y - model.predict(X).ravel()) ** 2) / 2:.3g}"
            for model in (reg, loop)
        )
        figures.append(Figure(name, published, ours, theirs, seconds, loop_seconds))
        pairs.append((reg.predict(X_test), loop.predict(X_test)))
    page.figures(figures)
    page.add(
        "The published times are of another machine. The predictions of the plain loop "
        f"and of skmlp differ by at most {largest(pairs):.0e}."
    )


def search(estimator, grid, n_jobs=2):
    """All networks of a grid, scored by MSE and R^2 on the test samples of a split."""
    x, y = runge_points()
    X = StandardScaler().fit(runge_split()[0]).transform(x)
    # The indices of the samples that runge_split chooses.
    split = train_test_split(np.arange(len(y)), test_size=0.2, random_state=0)
    return GridSearchCV(
        estimator,
        grid,
        scoring={"mse": "neg_mean_squared_error", "r2": "r2"},
        cv=[split],
        refit=False,
        n_jobs=n_jobs,
    ).fit(X, y)


def draw_maps(results, y):
    """Heat maps of the MSE and of R^2 by the learning rate."""
    fig, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    # Errors of all sizes, and R^2 that say nothing once they are negative.
    results = {
        **results,
        "log10(MSE)": np.log10(-results["mean_test_mse"]),
        "R², 0 where negative": np.maximum(results["mean_test_r2"], 0),
    }
    best = int(np.argmax(results["mean_test_r2"]))
    for ax, metric, cmap in (
        (axes[0], "log10(MSE)", "viridis_r"),  # light is good
        (axes[1], "R², 0 where negative", "viridis"),
    ):
        SearchHeatmapDisplay.from_cv_results(
            results,
            x="learning_rate_init",
            y=y,
            metric=metric,
            best_index=best,
            ax=ax,
            cmap=cmap,
            values_format=".2f",
        )
    return fig, best


def solver_maps(page):
    """Learning rate by epochs, for each solver."""
    page.heading("Learning rate and epochs")
    X, X_test, y, y_test = standardized(*runge_split())
    flat = network(solver="sgd", learning_rate_init=0.01, max_iter=5000).fit(X, y)
    page.add(
        "MSE and R² of 2 x 100 tanh in batches of 8 by learning rate and epochs, on "
        "the 20 test samples without noise, with `GridSearchCV`. Each cell is a "
        "training from the start. Sigmoids in full batches, as above, would leave the "
        "map of the constant rate empty: at 0.01, they have an R² of "
        f"{flat.score(X_test, y_test):.3f} after 5000 epochs."
    )
    grid = {"learning_rate_init": RATES, "max_iter": EPOCHS}
    columns = {"solver": [], "best R²": [], "rate": [], "epochs": [], "time": []}
    for solver, (name, *_) in SOLVERS.items():
        estimator = network(activation="tanh", solver=solver, batch_size=8)
        found, seconds = timed(search, estimator, grid)
        fig, best = draw_maps(found.cv_results_, "max_iter")
        fig.suptitle(name)
        page.picture(
            fig,
            f"{solver}_map",
            f"{name}: the MSE and R² on the test samples by learning rate and epochs; "
            "the best is framed.",
        )
        params = found.cv_results_["params"][best]
        columns["solver"].append(name)
        columns["best R²"].append(f"{found.cv_results_['mean_test_r2'][best]:.4f}")
        columns["rate"].append(f"{params['learning_rate_init']:g}")
        columns["epochs"].append(f"{params['max_iter']}")
        columns["time"].append(f"{seconds:.0f} s")
    page.table(columns)
    page.add(
        f"The time is that of all {len(RATES) * len(EPOCHS)} trainings, "
        f"{len(RATES) * sum(EPOCHS)} epochs, in two processes."
    )


def penalty_maps(page):
    """Penalty by learning rate, for L1 and for L2."""
    page.heading("Penalties")
    page.add(
        "The same by the strength of a penalty, `alpha`, and by learning rate, after "
        "500 epochs of Adam: L2 by `l1_ratio=0`, L1 by `l1_ratio=1`. As in "
        "scikit-learn, the penalty is divided by the number of samples of a batch."
    )
    grid = {"learning_rate_init": RATES, "alpha": PENALTIES}
    for name, l1_ratio in (("L2", 0.0), ("L1", 1.0)):
        estimator = network(
            activation="tanh", solver="adam", batch_size=8, l1_ratio=l1_ratio
        )
        found = search(estimator, grid)
        fig, best = draw_maps(found.cv_results_, "alpha")
        fig.suptitle(f"{name} penalty")
        page.picture(
            fig,
            f"{name.lower()}_map",
            f"{name}: the MSE and R² on the test samples by learning rate and penalty; "
            "the best is framed.",
        )
        params = found.cv_results_["params"][best]
        page.add(
            f"{name}: the best R² is {found.cv_results_['mean_test_r2'][best]:.4f}, at "
            f"alpha {params['alpha']:g} and rate {params['learning_rate_init']:g}."
        )


def libraries(page):
    """Beside scikit-learn, PyTorch and the plain loop."""
    page.heading("Beside scikit-learn and PyTorch")
    page.add(
        "2 x 100 tanh, Adam at rate 1e-3, L2 penalty 1e-4, 500 epochs, without noise, "
        "all from the same weights and with the samples in the same order."
    )
    data = standardized(*runge_split())
    peers = {"scikit-learn": scikit_learn, "PyTorch": pytorch, "plain loop": plain_loop}
    if not HAS_TORCH:
        del peers["PyTorch"]
    published = {
        "scikit-learn": "its own R² 0.9995 in 11.5 s, scikit-learn's 0.9932 in 0.4 s",
        "PyTorch": UNKNOWN,
        "plain loop": "R² 0.9995 in 11.5 s",
    }
    cases = {
        "full batches": (80, np.float64),
        "batches of 8": (8, np.float64),
        "batches of 8, float32": (8, np.float32),
    }
    notes = {
        "PyTorch": " Its Adam adds epsilon after the correction of the bias, "
        "scikit-learn's and ours before it."
    }
    times, r2 = {}, {name: [] for name in cases}
    for peer, train in peers.items():
        figures, pairs = [], []
        for name, (batch_size, dtype) in cases.items():
            estimator = network(
                activation="tanh",
                solver="adam",
                learning_rate_init=1e-3,
                alpha=1e-4,
                batch_size=batch_size,
            )
            cast = [array.astype(dtype) for array in data]
            figure, predictions = beside(estimator, train, cast)
            figures.append(figure)
            figure.what, figure.published = name, published[peer]
            times[peer, name] = figure.peer_seconds
            r2[name] += [r2_score(cast[3], predicted) for predicted in predictions]
            if dtype is np.float64:
                pairs.append(predictions)
        page.figures(figures, peer=peer)
        peer_name = f"the {peer}" if peer == "plain loop" else peer
        page.add(
            f"In float64, the predictions of skmlp and of {peer_name} differ by at "
            f"most {largest(pairs):.0e}.{notes.get(peer, '')}"
        )
    if not HAS_TORCH:
        page.add("PyTorch is not installed, so that its table is left out.")
    slower = times["plain loop", "full batches"] / times["scikit-learn", "full batches"]
    page.add(
        "The document's loop took 29 times as long as scikit-learn; in full batches, "
        f"the plain loop takes {slower:.0f} times as long here. From the same weights, "
        f"the R² of all differ by at most {max(map(np.ptp, r2.values())):.0e}: the "
        "difference that the document found cannot come from the method."
    )


def beside(estimator, train, data):
    """An estimator and another implementation, as a `Figure` and their predictions."""
    X, X_test, y, y_test = data
    coefs, intercepts = weights = initial_weights(estimator, X, y)
    reg, seconds, predict, peer_seconds = side_by_side(
        lambda: clone(estimator).fit(
            X, y, coefs_init=coefs, intercepts_init=intercepts
        ),
        train(estimator, weights, X, y),
    )
    ours, theirs = reg.predict(X_test), predict(X_test)
    figure = Figure(
        "",
        "",
        scores(y_test, ours),
        scores(y_test, theirs),
        seconds,
        peer_seconds,
    )
    return figure, (ours, theirs)


def scikit_learn(estimator, weights, X, y):
    """A function that trains scikit-learn's network, and returns its `predict`.

    With the same random_state it draws the same weights.
    """
    names = MLPRegressor().get_params()
    params = {k: v for k, v in estimator.get_params().items() if k in names}
    return lambda: MLPRegressor(**params).fit(X, y).predict


def plain_loop(estimator, weights, X, y):
    """The same of the plain loop."""
    Y = y[:, np.newaxis]

    def train():
        model = plain_training(estimator, weights, X, Y, adam)
        return lambda X: model.predict(X)[:, 0]

    return train


def pytorch(estimator, weights, X, y):
    """The same of PyTorch."""
    import torch

    torch.set_num_threads(1)
    X, y = torch.tensor(X), torch.tensor(y)

    def train():
        coefs, intercepts = (
            [torch.tensor(array, requires_grad=True) for array in arrays]
            for arrays in weights
        )

        def forward(A):
            for W, b in zip(coefs[:-1], intercepts[:-1], strict=True):
                A = torch.tanh(torch.addmm(b, A, W))
            return torch.addmm(intercepts[-1], A, coefs[-1])[:, 0]

        strength = estimator.alpha / estimator.batch_size
        optimizer = torch.optim.Adam(
            [{"params": coefs, "weight_decay": strength}, {"params": intercepts}],
            lr=estimator.learning_rate_init,
        )
        for _ in range(estimator.max_iter):
            batches = X.split(estimator.batch_size), y.split(estimator.batch_size)
            for batch, target in zip(*batches, strict=True):
                optimizer.zero_grad()
                (((forward(batch) - target) ** 2).mean() / 2).backward()
                optimizer.step()
        return lambda X: forward(torch.tensor(X)).detach().numpy()

    return train


def cross_validation(page):
    """What the document names as missing, for the Runge function."""
    page.heading("Cross-validation")
    page.add(
        "The document names it as missing. Here are the means and standard deviations "
        "over 5 folds of the 100 points, with noise, where the networks train for 1000 "
        "epochs of Adam at rate 5e-3."
    )
    cv = KFold(5, shuffle=True, random_state=0)
    models = {
        "OLS, degree 13": polynomial(),
        "1 x 50 sigmoid": network((50,), solver="adam", max_iter=1000),
        "2 x 100 sigmoid": network(solver="adam", max_iter=1000),
    }
    columns = {"model": [], "MSE": [], "R²": []}
    for name, model in models.items():
        found = cross_validate(
            make_pipeline(StandardScaler(), model),
            *runge_points(NOISE),
            cv=cv,
            scoring={"mse": "neg_mean_squared_error", "r2": "r2"},
            error_score="raise",
        )
        mse, r2 = -found["test_mse"], found["test_r2"]
        columns["model"].append(name)
        columns["MSE"].append(f"{mse.mean():.4f} ± {mse.std():.4f}")
        columns["R²"].append(f"{r2.mean():.3f} ± {r2.std():.3f}")
    page.table(columns)
    x, y = runge_points(NOISE)
    page.add(
        "The Runge function itself has the MSE "
        f"{mean_squared_error(y, runge(x[:, 0])):.4f} on these points."
    )


def decompose(predictions, truth):
    """Bias and variance of a model's predictions.

    Parameters
    ----------
    predictions : ndarray of shape (n_training_sets, n_points)

    truth : ndarray of shape (n_points,)

    Returns
    -------
    bias, variance : float
        Mean squared bias and mean variance over the points. Their sum is the mean
        squared error over points and training sets.
    """
    mean = predictions.mean(axis=0)
    return np.mean((mean - truth) ** 2), np.mean(predictions.var(axis=0))


def bias_and_variance(page, n_sets=60):
    """What the document names as missing, for polynomials and networks."""
    page.heading("Bias and variance")
    page.add(
        f"Missing there, too. Each model is fitted {n_sets} times to 80 equidistant "
        "points with new noise, a network also from new weights. The expected squared "
        "error on new noisy targets, here over 400 equidistant points, is the sum of "
        "the squared bias, of the variance of the predictions, and of the variance of "
        f"the noise, {NOISE**2:g}. The networks have one hidden layer of sigmoids, and "
        "are trained by 1000 iterations of L-BFGS without a penalty."
    )
    families = {
        "degree of the polynomial": {d: polynomial(d) for d in range(1, 19)},
        "hidden units of the network": {
            h: network((h,), solver="lbfgs", max_iter=1000)
            for h in (1, 2, 3, 4, 6, 8, 12, 20, 50, 100)
        },
    }
    fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
    best = {}
    for ax, (label, models) in zip(axes, families.items(), strict=True):
        parts = {
            size: decompose(*fitted_to_sets(model, n_sets))
            for size, model in models.items()
        }
        draw_decomposition(ax, parts)
        ax.set_xlabel(label)
        size = min(parts, key=lambda size: sum(parts[size]))
        best[label] = size, *parts[size]
    axes[0].set_ylabel("squared error")
    axes[0].legend(fontsize="small")
    axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[1].set_xscale("log")
    axes[1].set_xticks([1, 2, 5, 10, 20, 50, 100], [1, 2, 5, 10, 20, 50, 100])
    page.table(
        {
            "least error at": [f"{name}: {size}" for name, (size, *_) in best.items()],
            "squared bias": [f"{bias:.2g}" for _, bias, _ in best.values()],
            "variance": [f"{variance:.2g}" for _, _, variance in best.values()],
            "error": [f"{sum(b) + NOISE**2:.3g}" for _, *b in best.values()],
        }
    )
    page.picture(
        fig,
        "bias_variance",
        "Squared bias and variance by the size of the model; the error is their sum "
        "with the variance of the noise.",
    )


def fitted_to_sets(model, n_sets):
    """Predictions after training on each of many sets, and the truth."""
    X, grid = (np.linspace(-1, 1, n)[:, np.newaxis] for n in (80, 400))
    predictions = []
    for seed in range(n_sets):
        if isinstance(model, MLPRegressorScratch):
            model.set_params(random_state=seed)
        noise = NOISE * np.random.default_rng(seed).normal(size=len(X))
        fitted = make_pipeline(StandardScaler(), model).fit(X, runge(X[:, 0]) + noise)
        predictions.append(fitted.predict(grid))
    return np.array(predictions), runge(grid[:, 0])


def draw_decomposition(ax, parts):
    """Bias, variance and error over the size of a model."""
    sizes = list(parts)
    bias, variance = np.transpose(list(parts.values()))
    error = bias + variance + NOISE**2
    ax.semilogy(sizes, bias, "o-", color=COLORS[0], label="squared bias")
    ax.semilogy(sizes, variance, "s-", color=COLORS[1], label="variance")
    ax.semilogy(sizes, error, "k^-", label="error")
    ax.axhline(NOISE**2, color="0.5", linestyle=":", label="variance of the noise")


# MNIST.


def mnist(page):
    """The ten digits: accuracy, confusion matrix, kappa, and cross-validation."""
    page.heading("MNIST")
    try:
        X, y = fetch_mnist(return_X_y=True)
    except OSError:
        page.add("MNIST is not on this machine, so that this section is left out.")
        return
    X /= 255
    data = train_test_split(X, y, test_size=0.2, random_state=0)
    page.add(
        "The 70 000 images, pixels divided by 255, 20 % of them for the test, in "
        "float32: 128 and 64 leaky ReLUs, softmax, Adam at rate 1e-3. Our choice are "
        f"{MNIST_EPOCHS} epochs in batches of 100, and that the rate falls to 0 along "
        "a cosine, so that the last steps are small. scikit-learn has no leaky ReLU "
        "and no schedule for Adam: its network has the ReLU and a constant rate."
    )
    y_pred = mnist_figures(page, data)
    mnist_confusion(page, data[3], y_pred)
    mnist_beside_plain_loop(page, data)
    mnist_cross_validation(page, X, y)


def digits_network(**params):
    """The document's network for MNIST."""
    defaults = {
        "hidden_layer_sizes": MNIST_SIZES,
        "activation": "leaky_relu",
        "learning_rate": "cosine",
        "alpha": 0,
        "batch_size": 100,
        "max_iter": MNIST_EPOCHS,
        "random_state": 0,
        **UNTIL_THE_END,
    }
    return MLPClassifierScratch(**{**defaults, **params})


def mnist_figures(page, data):
    """Accuracy and kappa beside scikit-learn's; returns our predictions."""
    X, X_test, y, y_test = data
    ours = digits_network()
    theirs = MLPClassifier(
        MNIST_SIZES,
        alpha=0,
        batch_size=100,
        max_iter=MNIST_EPOCHS,
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
                "accuracy",
                "0.92",
                f"{np.mean(y_pred == y_test):.4f}",
                f"{np.mean(y_peer == y_test):.4f}",
                seconds,
                peer_seconds,
                why="how long the document trains, we do not know. A network "
                f"that we train for one epoch has {first:.4f}.",
            ),
            Figure(
                "Cohen's kappa",
                UNKNOWN,
                f"{cohen_kappa_score(y_test, y_pred):.4f}",
                f"{cohen_kappa_score(y_test, y_peer):.4f}",
            ),
        ],
        peer="scikit-learn",
    )
    return y_pred


def mnist_confusion(page, y_test, y_pred):
    """The confusion matrix."""
    fig, ax = plt.subplots(figsize=(7.2, 6.4), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(
        y_test,
        y_pred,
        ax=ax,
        cmap="Blues",
        # Errors are rare: on a linear scale, they would all look like zeros.
        im_kw={"norm": "symlog"},
    )
    ax.set(xlabel="predicted digit", ylabel="true digit")
    page.picture(
        fig,
        "mnist",
        f"The {len(y_test)} test images by their digit and by that of the network, on "
        "a logarithmic scale of colours.",
    )


def mnist_beside_plain_loop(page, data, n_samples=5000):
    """One epoch of some images, for which the loop needs long enough."""
    X, y = data[0][:n_samples].astype(np.float64), data[2][:n_samples]
    X_test, y_test = data[1][:1000], data[3][:1000]
    clf = digits_network(max_iter=1, shuffle=False, learning_rate="constant")
    coefs, intercepts = weights = initial_weights(clf, X, y)
    clf, seconds, loop, loop_seconds = side_by_side(
        lambda: clone(clf).fit(X, y, coefs_init=coefs, intercepts_init=intercepts),
        lambda: plain_training(clf, weights, X, np.eye(10)[y], adam),
    )
    probabilities = clf.predict_proba(X_test), loop.predict(X_test)
    ours, theirs = (
        f"accuracy {np.mean(p.argmax(axis=1) == y_test):.3f}" for p in probabilities
    )
    what = f"one epoch of {n_samples} images, float64"
    page.figures([Figure(what, UNKNOWN, ours, theirs, seconds, loop_seconds)])
    page.add(
        "That accuracy is on 1000 of the test images. The probabilities of the two "
        f"differ by at most {largest([probabilities]):.0e}."
    )


def mnist_cross_validation(page, X, y, n_epochs=5):
    """5 folds, which the document names as missing."""
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
        f"Cross-validated on all 70 000 images in 5 folds, with {n_epochs} epochs for "
        f"each network: accuracy {accuracy.mean():.4f} ± {accuracy.std():.4f}, in "
        f"{seconds:.0f} s."
    )


if __name__ == "__main__":
    main(sys.modules[__name__])
