"""Cross-validation and bias-variance decomposition, which D does not have."""

import matplotlib.pyplot as plt
import numpy as np
from d_common import COLORS, NOISE, network, polynomial, runge, runge_points
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import MLPRegressorScratch


def cross_validation(page):
    """Add a cross-validation, which the document does not have."""
    page.heading("Cross-validation")
    page.add(
        "The document states that it has no cross-validation. The table shows means "
        "and standard deviations over 5 folds of the 100 points, with noise. The "
        "networks are trained for 1000 epochs of Adam with a learning rate of 5e-3."
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
        "Because of the noise, the MSE of the Runge function itself is "
        f"{mean_squared_error(y, runge(x[:, 0])):.4f} on these points."
    )


def decompose(predictions, truth):
    """Return the bias and variance of the predictions of a model.

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
    """Add the bias-variance decomposition of polynomials and networks."""
    page.heading("Bias-variance decomposition")
    page.add(
        "The document states that it has no bias-variance decomposition. Here, each "
        f"model is fitted {n_sets} times to 80 equidistant points with new noise. "
        "Networks also start from new weights. The expected squared error on new "
        "noisy targets, at 400 equidistant points, is the sum of the squared bias, "
        "the variance of the predictions, and the variance of the noise, "
        f"{NOISE**2:g}. The networks have one hidden layer of sigmoid units and are "
        "trained by 1000 iterations of L-BFGS without a penalty."
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
            "smallest error at": [
                f"{name}: {size}" for name, (size, *_) in best.items()
            ],
            "squared bias": [f"{bias:.2g}" for _, bias, _ in best.values()],
            "variance": [f"{variance:.2g}" for _, _, variance in best.values()],
            "error": [f"{sum(b) + NOISE**2:.3g}" for _, *b in best.values()],
        }
    )
    page.picture(
        fig,
        "bias_variance",
        "Squared bias and variance as functions of the size of the model. The error is "
        "their sum plus the variance of the noise.",
    )


def fitted_to_sets(model, n_sets):
    """Return the predictions after training on each of many sets, and the truth."""
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
    """Plot bias, variance and error as functions of the size of a model."""
    sizes = list(parts)
    bias, variance = np.transpose(list(parts.values()))
    error = bias + variance + NOISE**2
    ax.semilogy(sizes, bias, "o-", color=COLORS[0], label="squared bias")
    ax.semilogy(sizes, variance, "s-", color=COLORS[1], label="variance")
    ax.semilogy(sizes, error, "k^-", label="error")
    ax.axhline(NOISE**2, color="0.5", linestyle=":", label="variance of the noise")
