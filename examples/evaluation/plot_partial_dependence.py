"""
=============================================
Partial dependence and permutation importance
=============================================

Two of scikit-learn's tools say what a network has made of its features: partial
dependence draws how the prediction depends on a feature, and permutation importance
measures how much worse it gets without that feature. Here the function that made the
data is known, so both can be held against the truth.
"""

# %%
# Data of a known function
# ------------------------
#
# :func:`~sklearn.datasets.make_friedman1` draws ten features uniformly from
# :math:`[0, 1]`, and a target that depends on five of them:
#
# .. math::
#
#     y = 10 \sin(\pi x_0 x_1) + 20 (x_2 - 0.5)^2 + 10 x_3 + 5 x_4 + \text{noise}
#
# The network knows nothing of all that. Its R² on held-out data should come close to
# that of the function itself, which is less than 1 because of the noise.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_friedman1
from sklearn.inspection import PartialDependenceDisplay, permutation_importance
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import MLPRegressorScratch


def true_function(X):
    bend, curve = np.sin(np.pi * X[:, 0] * X[:, 1]), (X[:, 2] - 0.5) ** 2
    return 10 * bend + 20 * curve + 10 * X[:, 3] + 5 * X[:, 4]


X, y = make_friedman1(n_samples=4000, noise=1.0, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = make_pipeline(
    StandardScaler(),
    MLPRegressorScratch(
        hidden_layer_sizes=(50, 50),
        learning_rate_init=0.005,
        early_stopping=True,
        random_state=0,
    ),
).fit(X_train, y_train)
print(f"R² on {len(X_test)} held-out samples")
print(f"  of the network       {model.score(X_test, y_test):.3f}")
print(f"  of the true function {r2_score(y_test, true_function(X_test)):.3f}")

# %%
# Partial dependence
# ------------------
#
# The partial dependence on a feature at a value is the mean prediction when every
# sample is given this value of it. The dashed lines are the same for the true function.
# The network has found the parabola of :math:`x_2`, the straight lines of :math:`x_3`
# and :math:`x_4`, of which the first is twice as steep, and that :math:`x_5` does
# nothing.
features = [0, 1, 2, 3, 4, 5]
names = [f"x{j}" for j in range(X.shape[1])]
fig, axes = plt.subplots(2, 3, figsize=(7.2, 5.0), layout="constrained")
display = PartialDependenceDisplay.from_estimator(
    model, X_test, features, feature_names=names, ax=axes
)
for j, ax, result in zip(features, axes.flat, display.pd_results, strict=True):
    (grid,) = result["grid_values"]
    truth = []
    for value in grid:
        X_value = X_test.copy()
        X_value[:, j] = value
        truth.append(true_function(X_value).mean())
    (line,) = ax.plot(grid, truth, "--", color="tab:orange")
fig.legend(
    [display.lines_[0, 0], line],
    ["network", "true function"],
    loc="outside upper center",
    ncols=2,
)
plt.show()

# %%
# A mean hides what two features do together. Over :math:`x_0` and :math:`x_1` at once,
# the network shows a ridge: the prediction is highest where :math:`x_0 x_1` is about a
# half, as the sine has it, and falls again where both features are large. The numbers
# on the lines are the mean prediction.
fig, ax = plt.subplots(layout="constrained")
PartialDependenceDisplay.from_estimator(
    model, X_test, [(0, 1)], feature_names=names, grid_resolution=25, ax=ax
)
plt.show()

# %%
# Permutation importance
# ----------------------
#
# When the values of one feature are shuffled among the held-out samples, R² falls by
# what the network owes to that feature. The scorer of the second call disregards the
# network and scores the true function, which gives what a perfect network would owe.
#
# The two agree, and the five features that mean nothing are at zero. An importance has
# more in it than a curve above can show, though: shuffling :math:`x_0` also destroys
# what it does together with :math:`x_1`. So the importances of the two must not be
# added up: each has what they do together in it.
repeats = {"n_repeats": 20, "random_state": 0}
of_network = permutation_importance(model, X_test, y_test, **repeats)
of_truth = permutation_importance(
    model,
    X_test,
    y_test,
    scoring=lambda model, X, y: r2_score(y, true_function(X)),
    **repeats,
)
fig, ax = plt.subplots(layout="constrained")
ax.barh(
    names,
    of_network.importances_mean,
    xerr=of_network.importances_std,
    capsize=3,
    color="tab:blue",
    label="network (mean and standard deviation)",
)
ax.plot(of_truth.importances_mean, names, "D", color="black", label="true function")
ax.invert_yaxis()
ax.set(xlabel="fall of R² when the feature is shuffled", ylabel="feature")
ax.legend(loc="lower right")
plt.show()

# %%
# The same in numbers:
print("feature  network  true function")
for name, network, truth in zip(
    names, of_network.importances_mean, of_truth.importances_mean, strict=True
):
    print(f"{name:7}{network:z9.3f}{truth:z15.3f}")

# %%
# Both tools replace the values of a feature regardless of the others. The features here
# are independent, so nothing is wrong with that. With correlated features, both ask the
# network about samples that may not exist.
