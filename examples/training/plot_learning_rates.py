"""
================
How large a step
================

The learning rate is the parameter to tune first. With one that is too small, training
takes forever; with one that is too large, the loss jumps, or grows without bound. This
example shows all of these, and what a learning rate that changes during training is
good for.
"""

# %%
# Too small, good, too large
# --------------------------
# A training step is :math:`\theta \leftarrow \theta - \eta g`, with the gradient
# :math:`g` and the learning rate :math:`\eta`. To see its effect alone, we begin with
# all samples in each step, and without momentum.
#
# The gradient is local: it says that the objective falls in the direction of
# :math:`-g`, not how far. So the loss falls in every epoch while the steps are
# short, and a step that is too long jumps across the valley.
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

# The number of epochs is the same for all, whether they have converged or not.
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
# The smallest rate has hardly begun after 100 epochs, and the next one takes all of
# them to come to where a good one is after three. With the largest rate, the loss jumps
# far above where it started in the first epochs, and then comes down. The last loss
# does not tell of that, but the picture does.
LossCurveDisplay.from_estimators(trained)
plt.show()

# %%
# A rate that is larger still never recovers. Each step ends higher up than it began,
# where the gradient is larger, and the next step longer. ``fit`` raises an error as
# soon as the weights are no longer finite.
try:
    clone(reg).set_params(learning_rate_init=20.0).fit(X_train, y_train)
except ValueError as error:
    print(textwrap.fill(str(error), 80))

# %%
# A rate that changes
# -------------------
# On mini-batches, each gradient is that of a few samples: right on average, but noisy.
# With a constant rate, the noise keeps the weights moving around the minimum, the
# farther the larger the rate. So a large rate is good at the beginning, to come close,
# and a small one at the end, to settle. That is what a schedule is for:
#
# - ``"step"`` divides the rate by 10, here every 20 epochs;
# - ``"cosine"`` lets it sink to 0, slowly at first and at the end;
# - ``"one_cycle"`` lets it rise first, and then sink;
# - ``warmup_steps`` lets any of them begin with a linear rise, which spares the initial
#   weights steps that are too long for them.
#
# They all begin with, or rise to, the same rate of 0.2, which is rather large. For
# comparison there is also a smaller constant one.
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
# While the rate is high, the loss is high and restless. It sinks with the rate: at once
# where that is divided, smoothly in the others. All that sink end with a lower loss
# than both constant rates, and on test data with a better score than the larger one.
LossCurveDisplay.from_estimators(trained)
plt.show()

# %%
# On test data, the smaller constant rate is as good, but one has to find it. A schedule
# that ends low forgives a rate that is too large at first. Which schedule it is makes
# less of a difference.
#
# Any of them works with any solver that has a learning rate, and so does a function of
# the number of the step, ``learning_rate=lambda step: ...``.
