"""Reproduce the figures of five published from-scratch networks.

Prints docs/papers.md: a table with each figure, ours, and the time it took. In the
losses, the squared error is halved; "MSE" is not.
"""

import os
import platform
import time
import warnings

import numpy as np
import sklearn
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skmlp import MLPClassifierScratch, MLPRegressorScratch

HEAD = """\
# Figures of five published networks

Printed by `python examples/papers.py`; `tests/test_papers.py` holds the estimators to
the figures. Losses are half the mean squared error, "MSE" is all of it.

Machine: {machine}, {cores} cores, Python {python}, NumPy {numpy}, scikit-learn \
{sklearn}, one BLAS thread. Load before the run: {load:.1f} processes. Each time is of \
one fit.

| document | what | published | ours | time |
| --- | --- | --- | --- | --- |"""

NOTES = """
- A: "Neural Network Training: A Complete Pipeline" (2025). Our choice are the
  target, sin(2 x) on [-3, 3], and 1000 epochs at rate 0.01, so that its MSE and time
  are only a scale. He initialization, gradient descent; the MSE is on the 200 training
  and the 50 validation samples.
- B: "Neural Networks - Fundamentals and MLPs". Its closing example, with 20 % of the
  samples for the test.
- C: "Understanding the Math behind Neural Networks" (2024). x^2 by a network 1-12-12-1
  with a sigmoid output, seed 0; exact outputs would be 0.01, 0.25, 0.0001. Our choice
  for gradient descent are rate 1, batches of 10 and He initialization. Whether its cost
  is halved is not known; ours is.
- D: "Project 2: Building a Neural Network code" (2025). The Runge function without
  noise, 80 points to train on and 20 to test. Batches of 8 in the first comparison,
  all samples at once in the times of the solvers.
- E: "Experiment 1A: a basic neural network" (2025), from its own data and weights."""


def main():
    print(
        HEAD.format(
            machine=cpu_model(),
            cores=os.cpu_count(),
            python=platform.python_version(),
            numpy=np.__version__,
            sklearn=sklearn.__version__,
            load=os.getloadavg()[0],
        )
    )
    # Matrices as small as these are no faster on more threads.
    with warnings.catch_warnings(), threadpool_limits(1, "blas"):
        # max_iter is how long the documents train.
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        for rows in (rows_of_a, rows_of_b, rows_of_c, rows_of_d, rows_of_e):
            for row in rows():
                print(f"| {' | '.join(row)} |", flush=True)
    print(NOTES)


def cpu_model():
    """Name of the processor."""
    try:
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":")[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def timed_fit(estimator, *args, **kwargs):
    """Fit, and say how long it took."""
    start = time.perf_counter()
    estimator.fit(*args, **kwargs)
    return estimator, f"{time.perf_counter() - start:.2f} s"


UNTIL_THE_END = {"tol": 0, "n_iter_no_change": np.inf, "alpha": 0}
GRADIENT_DESCENT = {"solver": "sgd", "momentum": 0, **UNTIL_THE_END}


def rows_of_a():
    X = np.random.default_rng(0).uniform(-3, 3, (250, 1))
    y = np.sin(2 * X[:, 0])
    figures = [
        ((32,), "97 parameters, MSE 0.145, 1194 ms"),
        ((64, 32), "2241 parameters, MSE 0.138, 4202 ms"),
        ((128, 64, 32), "10625 parameters, MSE 0.124, 46279 ms"),
    ]
    for sizes, figure in figures:
        for activation in ("tanh", "relu", "logistic"):
            reg, seconds = timed_fit(
                MLPRegressorScratch(
                    hidden_layer_sizes=sizes,
                    activation=activation,
                    init="he_normal",
                    batch_size="full",
                    learning_rate_init=0.01,
                    max_iter=1000,
                    random_state=0,
                    **GRADIENT_DESCENT,
                ),
                X[:200],
                y[:200],
                X_val=X[200:],
                y_val=y[200:],
            )
            n_parameters = sum(w.size for w in (*reg.coefs_, *reg.intercepts_))
            mse, val_mse = (2 * reg.history_[k][-1] for k in ("loss", "val_loss"))
            layers = "-".join(map(str, (1, *sizes, 1)))
            ours = f"{n_parameters} parameters, MSE {mse:.3f} and {val_mse:.3f}"
            yield "A", f"{layers} {activation}", figure, ours, seconds


def rows_of_b():
    X, y = make_classification(1000, n_features=10, random_state=42)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=42)
    scaler = StandardScaler().fit(X)
    X, X_test = scaler.transform(X), scaler.transform(X_test)
    fits = [
        timed_fit(
            cls(
                hidden_layer_sizes=(10,),
                learning_rate_init=0.01,
                max_iter=1000,
                random_state=42,
            ),
            X,
            y,
        )
        for cls in (MLPClassifier, MLPClassifierScratch)
    ]
    theirs, ours = (
        f"accuracy {clf.score(X_test, y_test):.3f} after {clf.n_iter_} epochs"
        for clf, _ in fits
    )
    what = "10 ReLUs, Adam; beside scikit-learn"
    yield "B", what, f"none; scikit-learn, run here: {theirs}", ours, fits[1][1]


def rows_of_c():
    X = np.random.default_rng(0).random((1000, 1))
    y = X[:, 0] ** 2
    network = {
        "hidden_layer_sizes": (12, 12),
        "output_activation": "logistic",
        "random_state": 0,
    }
    runs = [
        (
            "random search, 500 episodes",
            "outputs 0.03, 0.226, 0.025",
            {"solver": "random_search", "max_iter": 500, **UNTIL_THE_END},
        ),
        (
            "gradient descent, 50 episodes",
            "cost about 0.0003, outputs 0.03, 0.23, 0.03",
            {
                "init": "he_normal",
                "batch_size": 10,
                "learning_rate_init": 1,
                "max_iter": 50,
                **GRADIENT_DESCENT,
            },
        ),
        (
            "Armijo, 2000 steps",
            "none",
            {"solver": "armijo", "max_iter": 2000, **UNTIL_THE_END},
        ),
    ]
    for what, figure, params in runs:
        reg, seconds = timed_fit(MLPRegressorScratch(**network, **params), X, y)
        outputs = ", ".join(f"{p:.3f}" for p in reg.predict([[0.1], [0.5], [0.01]]))
        cost = np.mean((reg.predict(X) - y) ** 2) / 2
        yield "C", what, figure, f"cost {cost:.5f}, outputs {outputs}", seconds


def rows_of_d():
    x = np.linspace(-1, 1, 100)[:, None]
    X, X_test, y, y_test = train_test_split(
        x, 1 / (1 + 25 * x[:, 0] ** 2), test_size=0.2, random_state=0
    )
    scaler = StandardScaler().fit(X)
    X, X_test = scaler.transform(X), scaler.transform(X_test)
    common = {
        "hidden_layer_sizes": (100, 100),
        "max_iter": 500,
        "random_state": 0,
        "tol": 0,
        "n_iter_no_change": 500,
    }
    for cls, name, figure in [
        (MLPRegressorScratch, "skmlp", "its own: R^2 0.9995, 11.5 s"),
        (MLPRegressor, "scikit-learn", "scikit-learn: R^2 0.9932, 0.4 s"),
    ]:
        reg, seconds = timed_fit(
            cls(**common, activation="tanh", alpha=1e-4, batch_size=8), X, y
        )
        what = f"2 x 100 tanh, Adam, 500 epochs, {name}"
        yield "D", what, figure, f"R^2 {reg.score(X_test, y_test):.4f}", seconds
    for solver, figure in (("sgd", "1.67"), ("rmsprop", "2.38"), ("adam", "2.81")):
        reg, seconds = timed_fit(
            MLPRegressorScratch(
                **common,
                activation="logistic",
                solver=solver,
                momentum=0,
                alpha=0,
                learning_rate_init=5e-3,
                batch_size="full",
            ),
            X,
            y,
        )
        what = f"2 x 100 sigmoid, 500 epochs, {solver}"
        yield "D", what, f"{figure} s", f"loss {reg.loss_:.2g}", seconds


def rows_of_e():
    def f1(x):
        return np.exp(x / 5)

    def f2(x):
        return np.sin(x) * (25 - x**2)

    runs = [
        ("f1", f1, 2, 0.1, 1000, "test loss 0.0051"),
        ("f1", f1, 3, 0.1, 1000, "test loss 0.0068, 14 s"),
        ("f1", f1, 3, 2, 1000, "grows to 2.7e4"),
        ("f1", f1, 3, 5, 1000, "overflow"),
        ("f2", f2, 8, 0.1, 1200, "reaches 1.089, then oscillates"),
    ]
    for name, f, h, rate, epochs, figure in runs:
        rng = np.random.default_rng(222337497072607291153223098371913928704)
        x, x_test = (rng.random(1000) - 0.5) * 10, (rng.random(100) - 0.5) * 10
        rng = np.random.default_rng(36255793825986746149655859236796938907)
        U, V = rng.normal(0, 0.01, (h - 1, 2)), rng.normal(0, 0.01, (1, h))
        reg = MLPRegressorScratch(
            hidden_layer_sizes=(h - 1,),
            activation="logistic",
            batch_size="full",
            learning_rate_init=rate,
            max_iter=epochs,
            **GRADIENT_DESCENT,
        )
        what = f"{name}, h = {h}, rate {rate}, {epochs} epochs"
        try:
            _, seconds = timed_fit(
                reg,
                x[:, None],
                f(x),
                X_val=x_test[:, None],
                y_val=f(x_test),
                coefs_init=[U[:, 0][None], V[0, :-1, None]],
                intercepts_init=[U[:, 1], V[0, -1:]],
            )
        except ValueError as error:
            if "diverged" not in str(error):
                raise
            epoch = str(error).partition("in epoch ")[2].partition(" ")[0]
            yield "E", what, figure, f"error: diverged in epoch {epoch}", ""
            continue
        losses = np.array(reg.history_["val_loss"])
        ours = f"test loss {losses[-1]:.6g}"
        if losses.argmin() not in (0, len(losses) - 1):
            ours = (
                f"least test loss {losses.min():.4f} in epoch {losses.argmin() + 1}, "
                f"then {losses[-2]:.3f} and {losses[-1]:.3f} at the end"
            )
        yield "E", what, figure, ours, seconds


if __name__ == "__main__":
    main()
