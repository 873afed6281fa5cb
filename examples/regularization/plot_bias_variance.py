r"""
=================
Bias and variance
=================

The expected error of a network on new data is the sum of the squared bias, the variance
of the predictions over training sets, and the variance of the noise. This example
measures all three for networks with L2 penalties of different strengths, and compares
their sum with the measured error.
"""

# %%
# Decomposition of the error
# --------------------------
# Let :math:`y = f(x) + \varepsilon` with noise of variance :math:`\sigma^2`, and let
# :math:`\hat f_D` be the network that was trained on the training set :math:`D`. The
# expected squared error at :math:`x`, over training sets and noise, is
#
# .. math::
#
# \mathbb E \big( y - \hat f_D(x) \big)^2 = \underbrace{\big( f(x) - \mathbb E \hat
# f_D(x) \big)^2}_{\text{bias}^2} + \underbrace{\operatorname{Var} \hat
# f_D(x)}_{\text{variance}} + \sigma^2 .
#
# Here, :math:`f` is known and many training sets can be drawn, so that the terms can be
# computed. This is not possible with real data, but the decomposition applies to them
# as well.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skmlp import MLPRegressorScratch

# Training is expected to reach the maximum number of iterations.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

n_sets, n_samples, sigma = 40, 25, 0.3


def f(x):
    return np.sin(3 * x[:, 0])


def draw(n, rng):
    x = rng.uniform(-1.5, 1.5, size=(n, 1))
    return x, f(x) + rng.normal(scale=sigma, size=n)


rng = np.random.default_rng(0)
training_sets = [draw(n_samples, rng) for _ in range(n_sets)]
x_test, y_test = draw(10_000, rng)


# %%
# Strength of the penalty
# -----------------------
# A network with 30 hidden units is trained on each training set with each strength of
# the L2 penalty. The mean of finitely many networks is not exact: its variance is that
# of one network, divided by the number of networks. This is subtracted from the squared
# bias, which can therefore be slightly negative. All networks start from the same
# weights. The last column is not the sum, but the measured mean squared error on test
# samples with independent noise.
alphas = np.logspace(-3, 0, 7)
predictions, parts, errors = [], [], []
print("   alpha   bias^2  variance   noise     sum  measured error")
for alpha in alphas:
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(30,),
        activation="tanh",
        solver="lbfgs",
        alpha=alpha,
        max_iter=500,
        random_state=0,
    )
    found = np.array([reg.fit(x, y).predict(x_test) for x, y in training_sets])
    variance = found.var(axis=0, ddof=1).mean()
    bias = ((found.mean(axis=0) - f(x_test)) ** 2).mean() - variance / n_sets
    predictions.append(found)
    parts.append([sigma**2, variance, bias])
    errors.append(((found - y_test) ** 2).mean())
    print(
        f"{alpha:8.4f}{bias:9.4f}{variance:10.4f}{sigma**2:8.4f}"
        f"{sum(parts[-1]):8.4f}{errors[-1]:16.4f}"
    )

# %%
# The stacked areas reach the points, which are the measured errors. With a weak
# penalty, almost all of the avoidable error is variance: the network fits the noise of
# its training set. With a strong penalty, it is bias: the network is almost linear. At
# ``alpha=0.316``, the variance increases again, because with some training sets the
# network is already almost flat and with others it is not. The smallest error lies
# between, and is still larger than the noise.
_, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
colors = ["0.8", "tab:blue", "tab:orange"]
labels = [r"noise $\sigma^2$", "variance", r"bias$^2$"]
ax.stackplot(alphas, np.transpose(parts), colors=colors, labels=labels)
ax.plot(alphas, errors, "ko", label="measured error")
ax.set(xscale="log", xlabel="alpha", ylabel="mean squared error", ylim=(0, None))
ax.legend(loc="upper center", reverse=True)
plt.show()

# %%
# The following plot shows the learned functions. Thin lines are networks from different
# training sets. Their spread is the variance. The thick line is the mean of all
# networks. Its distance from the true function, the dashed line, is the bias.
order = x_test[:, 0].argsort()[::50]
grid = x_test[order]
_, axes = plt.subplots(
    1, 3, figsize=(7.2, 3.2), layout="constrained", sharex=True, sharey=True
)
for ax, i in zip(axes, (0, int(np.argmin(errors)), -1), strict=True):
    found = predictions[i][:, order]
    lines = ax.plot(grid, found[:20].T, color="tab:blue", alpha=0.4, linewidth=0.8)
    lines[0].set_label("networks")
    ax.plot(grid, found.mean(axis=0), color="tab:orange", linewidth=3, label="mean")
    ax.plot(grid, f(grid), "k--", label="f")
    ax.set(xlabel="x", title=f"alpha = {alphas[i]:.3g}", ylim=(-2.5, 2))
axes[0].set_ylabel("prediction")
axes[2].legend(loc="lower right", fontsize="small")
plt.show()
