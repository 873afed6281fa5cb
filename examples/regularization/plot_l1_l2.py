"""
===================
L1 and L2 penalties
===================

If only a few features are relevant, a network with an L1 penalty uses mainly these
features and predicts better than a network with an L2 penalty. This example fits
networks with each penalty, and counts the weights that are exactly zero and the
features that are used.
"""

# %%
# Data with five relevant and twenty irrelevant features
# ------------------------------------------------------
# The penalty is
#
# .. math::
#
#     \Omega(W) = \alpha \Big( \rho \lVert W \rVert_1
#     + \frac{1 - \rho}{2} \lVert W \rVert_2^2 \Big)
#
# with :math:`\alpha` = ``alpha`` and :math:`\rho` = ``l1_ratio``. In the data of
# :func:`~sklearn.datasets.make_friedman1`, the target depends on the first five
# features only. All other features are noise, which a network can use to memorize the
# training set.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.preprocessing import StandardScaler

from skmlp import MLPRegressorScratch
from skmlp.plotting import WeightsDisplay

# Training is expected to reach the maximum number of iterations.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

X, y = make_friedman1(n_samples=1400, n_features=25, noise=1.0, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=400, random_state=0
)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
y_mean, y_std = y_train.mean(), y_train.std()
y_train, y_test = (y_train - y_mean) / y_std, (y_test - y_mean) / y_std

# %%
# Strength of the penalty
# -----------------------
# For each penalty, ``alpha`` is selected by cross-validation. The table shows the share
# of the weights of the first layer that are exactly zero, and the number of relevant
# and irrelevant features that have a nonzero weight. With L2, no weight is zero. With
# L1, the number of zeros increases with ``alpha``, and the irrelevant features are the
# first to lose all of their weights.
alphas = [0.3, 1.0, 3.0, 10.0, 30.0]
best = {}
print("                                               features used")
print("penalty  alpha  R2 (cross-validation)  zeros  relevant  noise")
for name, l1_ratio in {"L2": 0.0, "L1": 1.0}.items():
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(20,),
        solver="lbfgs",
        l1_ratio=l1_ratio,
        max_iter=300,
        random_state=0,
    )
    search = GridSearchCV(reg, {"alpha": alphas}, cv=3).fit(X_train, y_train)
    best[name] = search.best_estimator_
    for alpha, score in zip(alphas, search.cv_results_["mean_test_score"], strict=True):
        reg.set_params(alpha=alpha).fit(X_train, y_train)
        is_zero = reg.coefs_[0] == 0
        used = ~is_zero.all(axis=1)
        print(
            f"{name:7}{alpha:7}{score:23.3f}{is_zero.mean():7.0%}"
            f"{used[:5].sum():10}{used[5:].sum():7}"
        )

# %%
# Best network of each penalty
# ----------------------------
# On the test set, L1 is clearly better. The norm of the weights of a feature measures
# how much the network uses the feature. With L1, it is much smaller for the irrelevant
# features. With the best ``alpha``, every irrelevant feature still has nonzero weights:
# a penalty that is strong enough to remove them also shrinks the weights of relevant
# features, and reduces the accuracy.
norms = {name: np.linalg.norm(reg.coefs_[0], axis=1) for name, reg in best.items()}
print("                           mean norm of")
print("penalty  alpha  test R2  relevant  noise")
for name, reg in best.items():
    print(
        f"{name:7}{reg.alpha:7}{reg.score(X_test, y_test):9.3f}"
        f"{norms[name][:5].mean():10.3f}{norms[name][5:].mean():7.3f}"
    )

# %%
# The histograms show the weights of the first layer. The L2 penalty reduces a weight in
# proportion to its size. Weights approach zero, but do not reach it. The L1 penalty
# reduces all weights by the same amount, and keeps weights at zero if the gradient of
# the loss is smaller than this amount.
_, axes = plt.subplots(
    1, 2, figsize=(8, 3.6), layout="constrained", sharex=True, sharey=True
)
bins = np.linspace(-0.75, 0.75, 76)
for ax, (name, reg) in zip(axes, best.items(), strict=True):
    WeightsDisplay([reg.coefs_[0]]).plot(bins=bins, ax=[ax], log=True)
    ax.set_title(f"{name}: {np.mean(reg.coefs_[0] == 0):.0%} are exactly 0")
plt.show()

# %%
# The following plot shows the norm of the weights of each feature. With L2, the network
# also uses the irrelevant features.
features = np.arange(X.shape[1])
_, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
ax.bar(features - 0.2, norms["L2"], 0.4, label="L2")
ax.bar(features + 0.2, norms["L1"], 0.4, label="L1", hatch="///")
ax.axvline(4.5, color="black", linestyle=":")
ax.text(4.8, 0.95 * ax.get_ylim()[1], "from here on: noise", va="top")
ax.set(xlabel="feature", ylabel="norm of its weights in the first layer")
ax.legend(loc="center right")
plt.show()
