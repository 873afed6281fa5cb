"""Runge function of D: least squares, solvers, and heat maps of searches."""

import matplotlib.pyplot as plt
import numpy as np
from d_common import (
    COLORS,
    NOISE,
    beside_plain_loop,
    network,
    polynomial,
    runge,
    runge_points,
    runge_split,
    scores,
    standardized,
)
from joblib import parallel_config
from plain import adam, gradient_descent, rmsprop
from report import UNKNOWN, Figure, agreement, largest, timed
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.preprocessing import StandardScaler

from skmlp.plotting import SearchHeatmapDisplay

RATES = [1e-2, 5e-3, 1e-3, 5e-4, 1e-4, 5e-5, 1e-5]
EPOCHS = [100, 250, 500, 1000, 2500, 5000]
PENALTIES = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]
SOLVERS = {
    "sgd": ("constant rate", "1.67 s", gradient_descent),
    "rmsprop": ("RMSProp", "2.38 s", rmsprop),
    "adam": ("Adam", "2.81 s", adam),
}


def least_squares(page):
    """Compare a polynomial and two networks on the Runge function."""
    page.heading("Runge function")
    page.add(
        "A polynomial of degree 13 is fitted by ordinary least squares (OLS), with "
        "scikit-learn's `PolynomialFeatures` and `LinearRegression`. It is compared "
        "with networks with one hidden layer of 50 sigmoid units and with two of 100 "
        "units, after 1000 epochs of Adam with a learning rate of 5e-3. MSE and R² "
        "are those of the test samples. Test samples have noise if the training "
        "samples have noise."
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
    page.table({"data": list(by_ols), "OLS, degree 13": list(by_ols.values())})
    page.figures(figures)
    page.add(
        f"The predictions of the plain loop and of skmlp {agreement(largest(pairs))}."
    )
    axes[1].set_ylabel("")
    axes[1].get_legend().remove()
    page.picture(
        fig,
        "runge",
        "Runge function, training samples, and a polynomial and two networks fitted to "
        "the samples.",
    )


def draw_models(ax, models, X, y):
    """Plot several models and the Runge function."""
    grid = np.linspace(X.min(), X.max(), 400)[:, np.newaxis]
    # From the standardized x back to [-1, 1].
    scale = StandardScaler().fit(runge_split()[0])
    target = runge(scale.inverse_transform(grid))
    ax.plot(grid, target, color="black", linewidth=0.8, label="target")
    styles = ("-", "--", "-.")
    for (name, model), color, style in zip(models.items(), COLORS, styles, strict=True):
        ax.plot(grid, model.predict(grid), color=color, linestyle=style, label=name)
    ax.scatter(X, y, s=10, color="0.5", label="training samples")
    ax.set(xlabel="x, standardized", ylabel="y")
    ax.legend(fontsize="small")


def solvers(page):
    """Train 500 epochs with each solver, and compare with the published times."""
    page.heading("Solvers")
    page.add(
        "The network has two hidden layers of 100 sigmoid units. It is trained for 500 "
        "epochs with a learning rate of 5e-3, without noise."
    )
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
        what = f"2 x 100 sigmoid, {name}"
        figures.append(Figure(what, published, ours, theirs, seconds, loop_seconds))
        pairs.append((reg.predict(X_test), loop.predict(X_test)))
    page.figures(figures)
    page.add(
        "The published times were measured on another machine. The predictions of the "
        f"plain loop and of skmlp {agreement(largest(pairs))}."
    )


def search(estimator, grid, n_jobs=2):
    """Search a grid by MSE and R^2 on the test samples of a split."""
    x, y = runge_points()
    X = StandardScaler().fit(runge_split()[0]).transform(x)
    # The indices of the samples that runge_split chooses.
    split = train_test_split(np.arange(len(y)), test_size=0.2, random_state=0)
    # A limit on threads does not reach other processes.
    with parallel_config("loky", inner_max_num_threads=1):
        return GridSearchCV(
            estimator,
            grid,
            scoring={"mse": "neg_mean_squared_error", "r2": "r2"},
            cv=[split],
            refit=False,
            n_jobs=n_jobs,
        ).fit(X, y)


def draw_maps(results, y):
    """Plot heat maps of the MSE and R^2."""
    fig, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    # Errors span orders of magnitude, and how negative an R^2 is says nothing.
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
    """Add maps of learning rate and number of epochs for each solver."""
    page.heading("Learning rate and number of epochs")
    X, X_test, y, y_test = standardized(*runge_split())
    flat = network(solver="sgd", learning_rate_init=RATES[0], max_iter=EPOCHS[-1])
    flat.fit(X, y)
    page.add(
        "`GridSearchCV` computes the MSE and R² for each learning rate and number of "
        f"epochs, on the {len(y_test)} test samples without noise. The network has "
        "two hidden layers of 100 tanh units and is trained in batches of 8. Each "
        "cell is a separate training from the initial weights. The sigmoid network "
        "and the full batches of the previous section are not used, because a "
        "constant learning rate is then too slow. With the largest rate, "
        f"{RATES[0]:g}, R² is {flat.score(X_test, y_test):.3f} after {EPOCHS[-1]} "
        "epochs."
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
            f"{name}: MSE and R² on the test samples by learning rate and number of "
            "epochs. A frame marks the best cell.",
        )
        params = found.cv_results_["params"][best]
        columns["solver"].append(name)
        columns["best R²"].append(f"{found.cv_results_['mean_test_r2'][best]:.4f}")
        columns["rate"].append(f"{params['learning_rate_init']:g}")
        columns["epochs"].append(f"{params['max_iter']}")
        columns["time"].append(f"{seconds:.0f} s")
    page.table(columns)
    page.add(
        f"The time is the total of all {len(RATES) * len(EPOCHS)} trainings with "
        f"{len(RATES) * sum(EPOCHS)} epochs, in two processes. As in the document, the "
        "best cells are selected on the test samples, so that their scores are too "
        "optimistic. The cross-validation below does not have this bias."
    )


def penalty_maps(page):
    """Add maps of learning rate and penalty for L1 and L2."""
    page.heading("L1 and L2 penalties")
    page.add(
        "The following maps show the MSE and R² for each learning rate and strength of "
        "the penalty, `alpha`, after 500 epochs of Adam. The L2 penalty is "
        "`l1_ratio=0`, the L1 penalty is `l1_ratio=1`. As in scikit-learn, the penalty "
        "is divided by the number of samples in a batch."
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
            f"{name}: MSE and R² on the test samples by learning rate and penalty. A "
            "frame marks the best cell.",
        )
        params = found.cv_results_["params"][best]
        page.add(
            f"{name}: the best R² is {found.cv_results_['mean_test_r2'][best]:.4f}, at "
            f"alpha {params['alpha']:g} and rate {params['learning_rate_init']:g}."
        )
