"""
=============================================
Partial dependence and permutation importance
=============================================

Partial dependence shows how the prediction depends on a feature. Permutation importance
measures how much the score decreases if the values of a feature are shuffled. This
example applies both tools of scikit-learn to a network. The function that generated the
data is known, so that the results can be compared with the true values.
"""

# %%
# Data with a known function
# --------------------------
# :func:`~sklearn.datasets.make_friedman1` draws ten features uniformly from :math:`[0,
# 1]`, and a target that depends on five of them:
#
# .. math::
#
#     y = 10 \sin(\pi x_0 x_1) + 20 (x_2 - 0.5)^2 + 10 x_3 + 5 x_4 + \text{noise}
#
# The R² of the network on test data should be close to that of the function itself,
# which is less than 1 because of the noise.
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
# The partial dependence on a feature at a value is the mean prediction if this value is
# assigned to the feature in all samples. Dashed lines show the partial dependence of
# the true function. The network has learned the parabola of :math:`x_2`, the straight
# lines of :math:`x_3` and :math:`x_4`, where the first is twice as steep, and that
# :math:`x_5` has no effect.
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
# The mean does not show interactions of features. The partial dependence on :math:`x_0`
# and :math:`x_1` shows a ridge: as for the sine, the prediction is largest if
# :math:`x_0 x_1` is about 0.5, and decreases if both features are large. The numbers on
# the lines are mean predictions.
fig, ax = plt.subplots(layout="constrained")
PartialDependenceDisplay.from_estimator(
    model, X_test, [(0, 1)], feature_names=names, grid_resolution=25, ax=ax
)
plt.show()

# %%
# Permutation importance
# ----------------------
# If the values of a feature are shuffled in the test data, R² decreases by the
# importance of this feature. The scorer of the second call ignores the network and
# evaluates the true function, which gives the importance for a perfect network.
#
# The two results agree, and the importance of the five irrelevant features is zero. The
# importance also includes interactions, which the curves above do not show: shuffling
# :math:`x_0` also removes its interaction with :math:`x_1`. The importances of these
# two features must not be added, because both contain the interaction.
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
# Both tools change the values of a feature independently of the other features. This is
# correct here because the features are independent. If features are correlated, both
# tools evaluate the network at samples that may not occur.
