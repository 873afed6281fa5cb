"""
========================
Comparison of optimizers
========================

The best solver depends on the learning rate. In this example, the learning rate of each
solver is selected by the same search. On test data, all mini-batch solvers then give
similar results, but their best learning rates differ.
"""

# %%
# Data and network
# ----------------
# The data are images of handwritten digits. The network has one hidden layer and is
# trained for 20 epochs. The penalty on the weights is switched off, because its share
# in the loss of a batch depends on the batch size.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split

from skmlp import MLPClassifierScratch
from skmlp.plotting import LossCurveDisplay

# The number of epochs is the same for all, so that some may not converge.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, stratify=y, random_state=0
)

clf = MLPClassifierScratch(
    (50,),
    alpha=0.0,
    batch_size=50,
    max_iter=20,
    n_iter_no_change=np.inf,
    random_state=0,
)

# %%
# Search for the learning rate
# ----------------------------
# Each mini-batch solver is trained with seven learning rates, which are compared by
# their cross-validated loss. The test data are not used.
solvers = ["sgd", "adam", "adamw", "nadam", "amsgrad", "rmsprop", "adagrad"]
rates = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]
grid = {"solver": solvers, "learning_rate_init": rates}
search = GridSearchCV(clf, grid, scoring="neg_log_loss", cv=3, refit=False)
results = search.fit(X_train, y_train).cv_results_
losses = {
    solver: -results["mean_test_score"][results["param_solver"] == solver]
    for solver in solvers
}
chosen = {solver: rates[np.argmin(losses[solver])] for solver in solvers}

# %%
# Each curve has a minimum. The minima are about equally low, but at different rates.
# Adam, its variants and RMSProp divide the step by the size of recent gradients. Their
# rate is approximately the change of a weight in one step, and has to be small.
# ``"sgd"`` and ``"adagrad"`` need larger rates. A comparison with the same rate for all
# solvers would therefore compare rates and not solvers.
_, ax = plt.subplots(layout="constrained")
looks = ["C0o-", "C1s--", "C4^-.", "C5v:", "C6D-", "C8P--", "kX-."]
for solver, look in zip(solvers, looks, strict=True):
    ax.loglog(rates, losses[solver], look, label=solver)
ax.set(xlabel="learning_rate_init", ylabel="cross-validated log loss")
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# Training with all solvers
# -------------------------
# Each mini-batch solver is trained on all training data with its best rate. Two other
# solvers need no learning rate and take one full-batch step per epoch: ``"armijo"``
# reduces the step size until the loss decreases enough, and ``"random_search"`` does
# not use gradients. ``"lbfgs"`` may evaluate the objective as often as the others
# process the data.
trained = {
    solver: clone(clf).set_params(solver=solver, learning_rate_init=chosen[solver])
    for solver in solvers
}
trained |= {
    solver: clone(clf).set_params(solver=solver)
    for solver in ("armijo", "random_search")
}
trained["lbfgs"] = clone(clf).set_params(solver="lbfgs", max_fun=20)

print("solver         rate   training loss  test loss  test accuracy")
for solver, model in trained.items():
    model.fit(X_train, y_train)
    train_loss = log_loss(y_train, model.predict_proba(X_train))
    test_loss = log_loss(y_test, model.predict_proba(X_test))
    rate = f"{chosen.get(solver, '-')}"
    print(f"{solver:15}{rate:7}{train_loss:<15.4f}{test_loss:<11.3f}", end="")
    print(f"{model.score(X_test, y_test):.3f}")

# %%
# On test data, the mini-batch solvers are close to each other, although their training
# losses differ. They are better than the full-batch solvers, because they take hundreds
# of steps in 20 epochs and not 20. Among the full-batch solvers, ``"lbfgs"``, which
# uses earlier gradients, is much better than steepest descent. Random search does not
# make progress with thousands of weights.
mini_batch = {solver: trained[solver] for solver in solvers}
full_batch = {solver: trained[solver] for solver in ("armijo", "random_search")}


def plot_losses(estimators, title):
    """Plot the loss of each epoch, and the last loss of lbfgs as a dotted line."""
    display = LossCurveDisplay.from_estimators(estimators, panels=["loss"])
    loss = trained["lbfgs"].loss_
    display.ax_.axhline(loss, color="black", linestyle=":")
    display.ax_.annotate("lbfgs", (20, loss), ha="right", va="bottom")
    display.ax_.set_title(title)


plot_losses(mini_batch, "mini-batches")
plt.show()

# %%
# The following plot shows the solvers that take one step per epoch. Its scale is
# different.
plot_losses(full_batch, "all samples in each step")
plt.show()
