"""
=======================
Check your own gradient
=======================

A network with a wrong derivative often learns all the same, so the mistake goes
unnoticed. :func:`~skmlp.check_gradient` compares backpropagation with a gradient that
needs no formula, and so finds the mistake and the layer that has it. This example makes
one on purpose, and shows how exact the comparison can be.
"""

# %%
# A network whose gradient is right
# ---------------------------------
# The derivative of the objective :math:`E` with respect to one parameter
# :math:`\theta_j` is close to a difference quotient, of the values of :math:`E` a short
# step :math:`h` to either side, along the unit vector :math:`e_j`:
#
# .. math::
#
#     \frac{\partial E}{\partial \theta_j} \approx
#     \frac{E(\theta + h e_j) - E(\theta - h e_j)}{2 h}
#
# That takes two forward passes for each parameter, so it is no way to train a network.
# But it is a way to check one: a small network and a few samples are enough, since the
# formulas do not depend on the size.
import warnings
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

from skmlp import MLPRegressorScratch, check_gradient
from skmlp.core.activations import Activation

X, y = load_diabetes(return_X_y=True)
X, y = scale(X), scale(y)
X_few, y_few = X[:20], y[:20]

reg = MLPRegressorScratch(
    hidden_layer_sizes=(6, 5, 4),
    activation=["tanh", "softplus", "tanh"],
    random_state=0,
)
check = check_gradient(reg, X_few, y_few)
print(f"{check.error.size} parameters, largest relative error:")
print(f"{check.max_relative_error:.0e} at {check.worst}")

# %%
# A mistake
# ---------
# The softplus is :math:`g(z) = \log(1 + e^z)`, and its derivative the logistic function
# of :math:`z`. Unless an activation asks for more, its ``backward`` is given
# :math:`a = g(z)` alone, in which that is :math:`1 - e^{-a}`. This class forgets it and
# takes the logistic function of :math:`a` instead. It is the activation of the second
# of three hidden layers.


class WrongSoftplus(Activation):
    """The softplus, with a derivative that takes a for z."""

    def forward(self, Z, A):
        np.logaddexp(0, Z, out=A)

    def backward(self, Z, A, delta, work):
        delta *= 1 / (1 + np.exp(-A))


wrong = clone(reg).set_params(activation=["tanh", WrongSoftplus(), "tanh"])
wrong_check = check_gradient(wrong, X_few, y_few)
print("relative error, at most:")
print(f"right: {check.max_relative_error:.0e} at {check.worst}")
print(f"wrong: {wrong_check.max_relative_error:.0e} at {wrong_check.worst}")

# %%
# The error of a derivative that is right is many orders of magnitude below 1. Beyond 1,
# backpropagation and the differences do not even agree in the sign.
#
# Without the check, nobody would look for this mistake. The network with it learns: its
# loss falls, and its score on test data is well above the 0 of a constant prediction.
# Nobody could tell from these numbers which network is the wrong one.

# The number of epochs is the same for both, whether they have converged or not.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
budget = {"learning_rate_init": 0.01, "max_iter": 100, "n_iter_no_change": 100}
for name, model in ("right", reg), ("wrong", wrong):
    model = clone(model).set_params(**budget).fit(X_train, y_train)
    losses = model.loss_curve_
    print(f"{name}: loss {losses[0]:.2f} -> {losses[-1]:.2f},", end=" ")
    print(f"R2 on test data {model.score(X_test, y_test):.2f}")

# %%
# Where the mistake is
# --------------------
# ``error`` has the relative error of each parameter: first of all weights, layer by
# layer, then of all biases. The deltas go from the output down. So a mistake in the
# derivative of the second hidden layer spoils the gradients of layers 1 and 2, and
# leaves those of layers 3 and 4 right. The topmost layer with a wrong gradient is the
# one with the mistake.
sizes = [X.shape[1], *reg.hidden_layer_sizes, 1]
n_weights = [n_in * n_out for n_in, n_out in pairwise(sizes)]
layers = list(enumerate(n_weights, start=1)) + list(enumerate(sizes[1:], start=1))
# The parameters of an array side by side, around the number of its layer.
x = np.concatenate([np.linspace(l - 0.35, l + 0.35, length) for l, length in layers])

_, ax = plt.subplots(layout="constrained")
ax.semilogy(x, wrong_check.error, "C1x", label="wrong derivative")
ax.semilogy(x, check.error, "C0.", label="right derivative")
ax.set(xlabel="layer of the weight or bias", ylabel="relative error", ylim=(None, 1e3))
ax.set_xticks(range(1, 5))
ax.legend(ncols=2, loc="upper center")
plt.show()

# %%
# How long a step?
# ----------------
# The differences have errors of their own. That of leaving out the higher terms of
# Taylor's series, the truncation error, grows as :math:`h^2`. That of rounding, in the
# difference of two numbers that are almost equal, grows as :math:`1 / h`. So there is a
# best step, and it is not the shortest. The default, 1e-5, is near it.
steps = 10.0 ** np.arange(-11, 0.1, 0.5)
errors, wrong_errors = (
    [check_gradient(model, X_few, y_few, step=h).max_relative_error for h in steps]
    for model in (reg, wrong)
)
best = int(np.argmin(errors))
print(f"shortest step {steps[0]:.0e}: error {errors[0]:.0e}")
print(f"best step     {steps[best]:.0e}: error {errors[best]:.0e}")
print(f"longest step  {steps[-1]:.0e}: error {errors[-1]:.0e}")

# %%
# In the picture, the error of the right derivative falls with the step along a straight
# line, until rounding takes over. With the wrong one, no step makes the error small.
_, ax = plt.subplots(layout="constrained")
ax.loglog(steps, wrong_errors, "C1x--", label="wrong derivative")
ax.loglog(steps, errors, "C0o-", label="right derivative")
ax.axvline(1e-5, color="black", linestyle=":", label="the default step")
ax.text(2e-8, 2e-5, r"rounding: $\propto 1 / h$")
ax.text(1.5e-3, 1e-6, r"truncation: $\propto h^2$")
ax.set(xlabel="step $h$ of the differences", ylabel="largest relative error")
ax.legend()
plt.show()
