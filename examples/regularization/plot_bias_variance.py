r"""
=================
Bias and variance
=================

The error of a network on new data has three parts: what it gets wrong on average over
all training sets, how much it varies from one training set to the next, and the noise
of the data, which nothing removes. This page measures all three, for networks with
penalties from weak to strong, and shows that they add up to the error.
"""

# %%
# The decomposition
# -----------------
# Let :math:`y = f(x) + \varepsilon` with noise of variance :math:`\sigma^2`, and let
# :math:`\hat f_D` be the network that was trained on the training set :math:`D`. Over
# training sets and noise, the expected squared error at :math:`x` is
#
# .. math::
#
#    \mathbb E \big( y - \hat f_D(x) \big)^2
#    = \underbrace{\big( f(x) - \mathbb E \hat f_D(x) \big)^2}_{\text{bias}^2}
#    + \underbrace{\operatorname{Var} \hat f_D(x)}_{\text{variance}} + \sigma^2 .
#
# Here :math:`f` is known, so the parts can be computed, and we can draw as many
# training sets as we like. With real data neither is possible, but the parts are still
# there.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skmlp import MLPRegressorScratch

# The number of iterations is the training budget: reaching it needs no warning.
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
# From a weak penalty to a strong one
# -----------------------------------
# A network with 30 hidden units is trained on each of the training sets, with each
# strength of the L2 penalty. The mean of finitely many networks is itself a little off:
# its variance is that of one network, divided by their number. That is subtracted from
# the squared bias, which can therefore come out just below zero. All networks begin
# with the same weights. The last column is no sum, but what was measured: the mean
# squared error on test samples with noise of their own.
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
# The parts, one on top of the other, reach up to the points, which are the measured
# errors. With a weak penalty nearly all of what can be avoided is variance: the network
# follows the noise of its training set. With a strong one it is bias: the network
# cannot bend any more. Just before, at ``alpha=0.316``, the variance rises once more:
# from some training sets the network is already nearly flat, from others it still
# bends. The least error is in between, and is still above the noise.
_, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
colors = ["0.8", "tab:blue", "tab:orange"]
labels = [r"noise $\sigma^2$", "variance", r"bias$^2$"]
ax.stackplot(alphas, np.transpose(parts), colors=colors, labels=labels)
ax.plot(alphas, errors, "ko", label="measured error")
ax.set(xscale="log", xlabel="alpha", ylabel="mean squared error", ylim=(0, None))
ax.legend(loc="upper center", reverse=True)
plt.show()

# %%
# The learned functions themselves: thin lines are networks from different training
# sets, and their spread is the variance. The thick line is the mean of all of them, and
# its distance from the true function, which is dashed, is the bias.
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
