"""D beside other implementations: gradients, and whole trainings."""

from functools import partial
from importlib.util import find_spec

import numpy as np
from d_common import (
    HIDDEN,
    largest,
    network,
    plain_training,
    runge_split,
    scores,
    standardized,
)
from plain import adam
from report import UNKNOWN, Figure, initial_weights, side_by_side
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPRegressor

from skmlp import MLPClassifierScratch, check_gradient

HAS_TORCH = find_spec("torch") is not None


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


def libraries(page):
    """Beside scikit-learn, PyTorch and the plain loop."""
    page.heading("Beside scikit-learn and PyTorch")
    page.add(
        "2 x 100 tanh, Adam at rate 1e-3, L2 penalty 1e-4, 500 epochs, without noise, "
        "all from the same weights and with the samples in the same order. We do not "
        "know the document's batches and epochs: here are full batches, which "
        "scikit-learn takes of so few samples, and batches of 8."
    )
    data = standardized(*runge_split())
    peers = {"scikit-learn": scikit_learn, "PyTorch": pytorch, "plain loop": plain_loop}
    if not HAS_TORCH:
        del peers["PyTorch"]
    published = {
        "scikit-learn": "R² 0.9995 in 11.5 s, scikit-learn's 0.9932 in 0.4 s",
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
            figure.what = f"2 x 100 tanh, {name}"
            figure.published = published[peer] if dtype is np.float64 else UNKNOWN
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
