"""
============================================
Quantile regression and prediction intervals
============================================

With ``loss="quantile"``, a network predicts a quantile of the target and not its mean.
Two quantiles give a prediction interval whose width depends on the uncertainty of the
target. This example fits three quantiles, measures the coverage on test data, and
compares the interval with a band of constant width around the predicted mean.
"""

# %%
# Data with increasing noise
# --------------------------
# The noise is ten times as large on the right as on the left. It is also skewed:
# deviations above the mean are larger than deviations below.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import train_test_split

from skmlp import MLPRegressorScratch

rng = np.random.RandomState(0)
x = rng.uniform(0, 1, 6000)
noise = rng.gamma(2, size=x.shape) - 2
y = np.sin(2 * np.pi * x) + (0.05 + 0.45 * x) * noise
X = x[:, np.newaxis]
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

# %%
# Fit three quantiles
# -------------------
# The pinball loss of a residual :math:`r = y - p` is :math:`q r` for positive residuals
# and :math:`(q - 1) r` for negative residuals. For :math:`q = 0.95`, a target above the
# prediction costs nineteen times as much as a target below, and the mean loss is
# smallest if 95 % of the targets are below the prediction. The gradient of a sample
# does not become smaller near the minimum. Therefore, the learning rate has to decrease
# during training. A cosine schedule decreases it to zero.
shared = {
    "hidden_layer_sizes": (30, 30),
    "activation": "tanh",
    "learning_rate": "cosine",
    "learning_rate_init": 0.01,
    "max_iter": 100,
    "n_iter_no_change": np.inf,  # train to the end of the schedule
    "random_state": 0,
}
quantiles = (0.05, 0.5, 0.95)
low, median, high = (
    MLPRegressorScratch(loss="quantile", quantile=q, **shared).fit(X_train, y_train)
    for q in quantiles
)

P_quantile = np.column_stack([reg.predict(X_test) for reg in (low, median, high)])

# %%
# Compare with a band of constant width
# -------------------------------------
# A simple alternative is to predict the mean and to add the quantiles of the residuals
# on the training set.
mean = MLPRegressorScratch(loss="squared_error", **shared).fit(X_train, y_train)
shifts = np.quantile(y_train - mean.predict(X_train), quantiles)
P_band = mean.predict(X_test)[:, np.newaxis] + shifts

# %%
# Both methods should give an interval that contains 90 % of the targets. The band is
# too wide on the left and too narrow on the right, where many targets are outside. The
# outer quantiles follow the noise. The median is below the center of the interval, as
# expected for skewed noise.
fig, axes = plt.subplots(
    2, 1, figsize=(6.4, 6.4), sharex=True, sharey=True, layout="constrained"
)
order = np.argsort(X_test[:, 0])
for ax, P, title in zip(
    axes,
    (P_quantile, P_band),
    ("three quantiles", "mean and constant band"),
    strict=True,
):
    ax.plot(X_test[:, 0], y_test, ".", color="0.6", markersize=3, label="held-out data")
    ax.plot(X_test[order, 0], P[order, 1], color="tab:blue", label="predicted median")
    for column, label in ((0, "5 % and 95 % quantiles"), (2, None)):
        ax.plot(X_test[order, 0], P[order, column], "--", color="black", label=label)
    ax.set(title=title, ylabel="target y")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
axes[1].set_xlabel("feature x")
plt.show()

# %%
# Coverage and loss
# -----------------
# The coverage is the share of test targets in the interval. Over all targets, both
# methods are close to the required 0.9. The coverage in each third of the axis shows
# the difference: the quantiles are close to 0.9 everywhere, but the band contains too
# many targets on the left and too few on the right. A smaller pinball loss means a
# better quantile. It is smaller for the quantile networks at all three quantiles.
third = (3 * X_test[:, 0]).astype(int)
print("                              coverage                    pinball loss")
print("                         all  left middle right     q=0.05  q=0.5  q=0.95")
for name, P in (("quantiles", P_quantile), ("constant band", P_band)):
    inside = (P[:, 0] <= y_test) & (y_test <= P[:, 2])
    coverages = [inside.mean(), *(inside[third == i].mean() for i in range(3))]
    losses = [
        mean_pinball_loss(y_test, p, alpha=q)
        for p, q in zip(P.T, quantiles, strict=True)
    ]
    print(
        f"{name:22}"
        + "".join(f"{c:6.2f}" for c in coverages)
        + "     "
        + "".join(f"{loss:8.4f}" for loss in losses)
    )

# %%
# Each quantile is predicted by a separate network. Their curves can cross where there
# are few data. The following number is the share of samples with predictions in the
# correct order:
print(f"predictions in order: {(np.diff(P_quantile) >= 0).all(axis=1).mean():.3f}")
