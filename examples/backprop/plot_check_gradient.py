"""
==========================================
Checking gradients with finite differences
==========================================

A network with a wrong derivative often still learns, so that the mistake is not
noticed. :func:`~skmlp.check_gradient` compares backpropagation with finite differences,
which do not need a formula for the derivative. This example checks a correct and an
incorrect activation function, locates the layer with the mistake, and examines the
accuracy of the comparison.
"""

# %%
# Check a correct gradient
# ------------------------
# The derivative of the objective :math:`E` with respect to a parameter :math:`\theta_j`
# is approximately the difference quotient of the values of :math:`E` at a small step
# :math:`h` in both directions along the unit vector :math:`e_j`:
#
# .. math::
#
#     \frac{\partial E}{\partial \theta_j} \approx
#     \frac{E(\theta + h e_j) - E(\theta - h e_j)}{2 h}
#
# This takes two forward passes for each parameter and is too slow for training. It is
# suitable for a check: a small network and a few samples are sufficient, because the
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
# Check an incorrect gradient
# ---------------------------
# The softplus is :math:`g(z) = \log(1 + e^z)`. Its derivative is the logistic function
# of :math:`z`. By default, ``backward`` receives only :math:`a = g(z)`. As a function
# of :math:`a`, the derivative is :math:`1 - e^{-a}`. The following class incorrectly
# uses the logistic function of :math:`a`. It is the activation function of the second
# of three hidden layers.


class WrongSoftplus(Activation):
    """Softplus with a wrong derivative, which uses a instead of z."""

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
# The error of a correct derivative is many orders of magnitude below 1. An error above
# 1 means that backpropagation and the differences do not even agree in sign.
#
# Without the check, the mistake is hard to notice. The network with the wrong
# derivative learns: its loss decreases, and its score on test data is well above 0, the
# score of a constant prediction. These numbers do not reveal which network is wrong.

# The number of epochs is the same for both, so that some may not converge.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
budget = {"learning_rate_init": 0.01, "max_iter": 100, "n_iter_no_change": 100}
for name, model in ("right", reg), ("wrong", wrong):
    model = clone(model).set_params(**budget).fit(X_train, y_train)
    losses = model.loss_curve_
    print(f"{name}: loss {losses[0]:.2f} -> {losses[-1]:.2f},", end=" ")
    print(f"R2 on test data {model.score(X_test, y_test):.2f}")

# %%
# Locate the mistake
# ------------------
# The attribute ``error`` contains the relative error of each parameter: first all
# weights, layer by layer, then all biases. The deltas are computed from the output to
# the input. A wrong derivative of the second hidden layer therefore affects the
# gradients of layers 1 and 2, but not those of layers 3 and 4. The last layer with a
# wrong gradient is the one with the mistake.
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
# Choose the step size
# --------------------
# Finite differences have two errors. The truncation error, from the higher terms of
# Taylor's series, increases as :math:`h^2`. The rounding error, from the difference of
# two almost equal numbers, increases as :math:`1 / h`. The best step size lies between.
# The default, 1e-5, is close to it.
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
# The error of the correct derivative decreases with the step size along a straight
# line, until the rounding error dominates. The error of the wrong derivative is large
# for every step size.
_, ax = plt.subplots(layout="constrained")
ax.loglog(steps, wrong_errors, "C1x--", label="wrong derivative")
ax.loglog(steps, errors, "C0o-", label="right derivative")
ax.axvline(1e-5, color="black", linestyle=":", label="the default step")
ax.text(2e-8, 2e-5, r"rounding: $\propto 1 / h$")
ax.text(1.5e-3, 1e-6, r"truncation: $\propto h^2$")
ax.set(xlabel="step $h$ of the differences", ylabel="largest relative error")
ax.legend()
plt.show()
