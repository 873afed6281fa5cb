"""
====================================
Quantile regression with an interval
====================================

With ``loss="quantile"`` a network predicts a quantile of the target in place of its
mean, and two of them make an interval that is wide where the target is uncertain, and
narrow where it is not. This page fits three quantiles, counts how many held-out targets
are between the outer ones, and compares with a band of constant width around the
prediction of the mean.
"""

# %%
# Noise that grows
# ----------------
#
# The noise is ten times as strong on the right as on the left, and skewed besides: it
# goes farther up than down.
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
# Three quantiles
# ---------------
#
# The pinball loss of a residual :math:`r = y - p` is :math:`q r` above the prediction
# and :math:`(q - 1) r` below. For :math:`q = 0.95` an error upwards costs nineteen
# times as much as one downwards, and the mean loss is least where 95 % of the targets
# are below. The gradient for a sample is no smaller near the minimum than far from it,
# so the learning rate has to fall: a cosine takes it to zero.
shared = {
    "hidden_layer_sizes": (30, 30),
    "activation": "tanh",
    "learning_rate": "cosine",
    "learning_rate_init": 0.01,
    "max_iter": 100,
    "n_iter_no_change": np.inf,  # a cosine is to run to its end
    "random_state": 0,
}
quantiles = (0.05, 0.5, 0.95)
low, median, high = (
    MLPRegressorScratch(loss="quantile", quantile=q, **shared).fit(X_train, y_train)
    for q in quantiles
)

P_quantile = np.column_stack([reg.predict(X_test) for reg in (low, median, high)])

# %%
# A band of constant width
# ------------------------
#
# What one would do without quantile regression: predict the mean, and shift the
# prediction by the quantiles of the residuals on the training set.
mean = MLPRegressorScratch(loss="squared_error", **shared).fit(X_train, y_train)
shifts = np.quantile(y_train - mean.predict(X_train), quantiles)
P_band = mean.predict(X_test)[:, np.newaxis] + shifts

# %%
# Both aim at an interval that has nine targets in ten. The band is far too wide on the
# left, and too narrow on the right, where many targets leave it. The outer quantiles
# follow the noise, and the median lies below the middle, as it should with noise that
# goes farther up than down.
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
#
# The coverage is the share of held-out targets in the interval. Over all of them, both
# methods are close to the 0.9 that was asked for, so this alone can't tell them apart.
# Each third of the axis by itself can: the quantiles are close everywhere, while the
# band has too many targets on the left and too few on the right. The pinball loss,
# which is the lower the better the quantile, agrees for all three.
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
# Each quantile is a network of its own here, and nothing keeps their curves from
# crossing where there are few data. It is worth a look:
print(f"predictions in order: {(np.diff(P_quantile) >= 0).all(axis=1).mean():.3f}")
