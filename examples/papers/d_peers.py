"""Comparison of D with other implementations: gradients and trained networks."""

from functools import partial
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
from d_common import (
    HIDDEN,
    network,
    plain_training,
    runge_split,
    scores,
    standardized,
    training,
)
from plain import adam
from report import UNKNOWN, Figure, agreement, initial_weights, largest, side_by_side
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPRegressor

from skmlp import MLPClassifierScratch, check_gradient
from skmlp.estimators.gradient_check import relative_errors

HAS_TORCH = find_spec("torch") is not None


def gradients(page):
    """Compare backpropagation with finite differences and autograd."""
    page.heading("Gradient check")
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
            error = relative_errors(
                check.analytic, autograd(weights, estimator.activation, X, target)
            )
            columns["PyTorch's autograd"].append(f"{error.max():.0e}")
    page.add(
        "The gradient computed by backpropagation is compared with central "
        "differences, by `skmlp.check_gradient`, and with automatic differentiation. "
        "The network has two hidden layers of 20 and 10 units, and the gradient is "
        "that of 20 samples at the initial weights. The table shows the largest "
        "relative differences. Central differences also have a truncation and "
        "rounding error."
    )
    page.table({name: cells for name, cells in columns.items() if cells})
    if not HAS_TORCH:
        page.add("PyTorch is not installed. Its column is omitted.")


def autograd(weights, activation, X, y):
    """Return the gradient of PyTorch, in the order of `check_gradient`."""
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


# Samples in a batch, of 80 in all, and precision.
CASES = {
    "full batches": (80, np.float64),
    "batches of 8": (8, np.float64),
    "batches of 8, float32": (8, np.float32),
}


def libraries(page):
    """Compare with scikit-learn, PyTorch and the plain loop."""
    page.heading("Comparison with scikit-learn and PyTorch")
    page.add(
        "The networks have two hidden layers of 100 tanh units. They are trained for "
        "500 epochs of Adam with a learning rate of 1e-3 and an L2 penalty of 1e-4, "
        "without noise, from the same weights and with the samples in the same order. "
        "The batch size and the number of epochs of the document are not known. The "
        "tables show full batches, which scikit-learn uses by default for few "
        "samples, and batches of 8."
    )
    its_loop = "R² 0.9995 in 11.5 s"
    peers = {
        "scikit-learn": (scikit_learn, f"{its_loop}, scikit-learn: 0.9932 in 0.4 s"),
        "PyTorch": (pytorch, UNKNOWN),
        "plain loop": (plain_loop, its_loop),
    }
    if not HAS_TORCH:
        del peers["PyTorch"]
        page.add("PyTorch is not installed. Its table is omitted.")
    seconds, predictions = {}, []
    for peer, (train, published) in peers.items():
        figures, pairs = compare(train, published)
        page.figures(figures, peer=peer)
        page.add(
            f"In float64, the predictions of both {agreement(largest(pairs[:2]))}."
        )
        if peer == "PyTorch":
            page.add(
                f"The version is PyTorch {version('torch')}. Its Adam adds epsilon "
                "after the bias correction. scikit-learn and skmlp add it before."
            )
        seconds[peer] = figures[0].peer_seconds
        predictions.append(pairs)
    add_conclusion(page, seconds["plain loop"] / seconds["scikit-learn"], predictions)


def compare(train, published):
    """Train all cases with skmlp and with another implementation.

    Returns
    -------
    figures : list of Figure

    pairs : list of (ndarray, ndarray)
        Predictions of both for the test samples.
    """
    figures, pairs = [], []
    for name, (batch_size, dtype) in CASES.items():
        X, X_test, y, y_test = (
            array.astype(dtype) for array in standardized(*runge_split())
        )
        estimator = network(
            activation="tanh",
            solver="adam",
            learning_rate_init=1e-3,
            alpha=1e-4,
            batch_size=batch_size,
        )
        weights = initial_weights(estimator, X, y)
        reg, seconds, predict, peer_seconds = side_by_side(
            partial(training, estimator, weights, X, y),
            train(estimator, weights, X, y),
        )
        ours, theirs = pair = reg.predict(X_test), predict(X_test)
        figures.append(
            Figure(
                f"2 x 100 tanh, {name}",
                published if dtype is np.float64 else UNKNOWN,
                scores(y_test, ours),
                scores(y_test, theirs),
                seconds,
                peer_seconds,
            )
        )
        pairs.append(pair)
    return figures, pairs


def add_conclusion(page, slower, predictions):
    """Add a comparison with the conclusions of the document.

    Parameters
    ----------
    page : Page

    slower : float
        How many times as long as scikit-learn the plain loop takes.

    predictions : list of list of (ndarray, ndarray)
        For each peer the pairs of all cases.
    """
    y_test = runge_split()[3]
    r2 = [
        [[r2_score(y_test, predicted) for predicted in pair] for pair in pairs]
        for pairs in predictions
    ]
    spread = np.ptp(r2, axis=(0, 2)).max()
    page.add(
        "The loop of the document took 29 times as long as scikit-learn. Here, the "
        f"plain loop takes {slower:.0f} times as long with full batches. The two "
        "values of R² in the document differ by 0.006. Here, with the same weights, "
        "batches and epochs, the values of R² of each case differ by at most "
        f"{spread:.0e}. Therefore, at least one of these must have been different in "
        "the document. By default, scikit-learn draws other weights, and stops when "
        "the loss no longer improves."
    )


def scikit_learn(estimator, weights, X, y):
    """Return a function that trains scikit-learn's network, and returns its `predict`.

    With the same random_state, it draws the same weights.
    """
    names = MLPRegressor().get_params()
    params = {k: v for k, v in estimator.get_params().items() if k in names}
    return lambda: MLPRegressor(**params).fit(X, y).predict


def plain_loop(estimator, weights, X, y):
    """Return a function that trains the plain loop, and returns its `predict`."""
    Y = y[:, np.newaxis]

    def train():
        model = plain_training(estimator, weights, X, Y, adam)
        return lambda X: model.predict(X)[:, 0]

    return train


def pytorch(estimator, weights, X, y):
    """Return a function that trains with PyTorch, and returns a `predict`."""
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
