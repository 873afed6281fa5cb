"""
=======================
Learning rate schedules
=======================

The learning rate is the most important parameter to tune. If it is too small, training
is slow. If it is too large, the loss oscillates or diverges. This example shows the
effect of constant learning rates, and compares learning rate schedules that change the
rate during training.
"""

# %%
# Constant learning rates
# -----------------------
# A training step is :math:`\theta \leftarrow \theta - \eta g`, with the gradient
# :math:`g` and the learning rate :math:`\eta`. To isolate its effect, the first
# networks are trained with full batches and without momentum.
#
# The gradient is local: the objective decreases in the direction of :math:`-g`, but the
# gradient does not determine for how far. The loss decreases in every epoch if the
# steps are short. It can increase if a step is too long.
import textwrap
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

from skmlp import MLPRegressorScratch
from skmlp.plotting import LossCurveDisplay

# The number of epochs is the same for all, so that some may not converge.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

X, y = make_friedman1(3000, n_features=5, noise=0.5, random_state=0)
X, y = scale(X), scale(y)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=1000, random_state=0
)

reg = MLPRegressorScratch(
    hidden_layer_sizes=(50,),
    activation="tanh",
    solver="sgd",
    momentum=0.0,
    batch_size="full",
    max_iter=100,
    n_iter_no_change=np.inf,
    random_state=0,
)
trained = {}
print("learning rate  loss     epochs in which it rose")
for learning_rate in 0.001, 0.01, 0.3, 0.7:
    model = clone(reg).set_params(learning_rate_init=learning_rate)
    trained[f"{learning_rate}"] = model.fit(X_train, y_train)
    n_rises = (np.diff(model.loss_curve_) > 0).sum()
    print(f"{learning_rate:<15}{model.loss_:<9.3f}{n_rises}")

# %%
# With the smallest rate, the loss has decreased very little after 100 epochs. With the
# next one, 100 epochs give the result of three epochs with a good rate. With the
# largest rate, the loss first increases far above its initial value and then decreases.
# The final loss does not show this, but the plot does.
LossCurveDisplay.from_estimators(trained)
plt.show()

# %%
# With an even larger rate, training diverges. The objective and its gradient are larger
# after each step, and the next step is longer. ``fit`` raises an error as soon as the
# weights are no longer finite.
try:
    clone(reg).set_params(learning_rate_init=20.0).fit(X_train, y_train)
except ValueError as error:
    print(textwrap.fill(str(error), 80))

# %%
# Learning rate schedules
# -----------------------
# With mini-batches, the gradient is noisy. With a constant learning rate, the noise
# keeps the weights at a distance from the minimum that increases with the rate. A large
# rate is therefore useful at the beginning of the training, and a small rate at the
# end. A schedule changes the rate during training:
#
# - ``"step"`` divides the rate by 10, here every 20 epochs;
# - ``"cosine"`` decreases it to 0, slowly at the beginning and at the end;
# - ``"one_cycle"`` increases it first and then decreases it;
# - ``warmup_steps`` adds a linear increase at the beginning of any schedule, to avoid
#   steps that are too long for the initial weights.
#
# All schedules start from, or increase to, the same rate of 0.2, which is rather large.
# They are compared with this constant rate and with a smaller one.
reg.set_params(batch_size=20, momentum=0.9, learning_rate_init=0.2, max_iter=50)
schedules = {
    "constant, 0.2": {"learning_rate": "constant"},
    "constant, 0.05": {"learning_rate": "constant", "learning_rate_init": 0.05},
    "step": {"learning_rate": "step", "decay_epochs": 20},
    "cosine": {"learning_rate": "cosine"},
    "one_cycle": {"learning_rate": "one_cycle"},
    "cosine, warm-up": {"learning_rate": "cosine", "warmup_steps": 250},
}
trained = {
    name: clone(reg).set_params(**schedule).fit(X_train, y_train)
    for name, schedule in schedules.items()
}
print("schedule          training loss  R2 on test data")
for name, model in trained.items():
    print(f"{name:18}{model.loss_:<15.4f}{model.score(X_test, y_test):.3f}")

# %%
# While the rate is large, the loss is large and noisy. It decreases with the rate:
# abruptly with the step schedule, and smoothly with the others. All schedules that
# decrease the rate end with a smaller loss than both constant rates, and with a better
# test score than the larger constant rate.
LossCurveDisplay.from_estimators(trained)
plt.show()

# %%
# The smaller constant rate has an equally good test score, but it has to be found
# first. With a schedule that ends with a small rate, the initial rate is less critical.
# The choice of the schedule matters less.
#
# Every schedule can be used with every solver that has a learning rate.
# ``learning_rate`` can also be a function of the step number, as in
# ``learning_rate=lambda step: ...``.
