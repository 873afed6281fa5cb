"""
=========================
Optimizers on one problem
=========================

Which solver is best depends on the learning rate that each of them is given. Here each
has the one that suits it, chosen by the same small search. On test data, the solvers
with mini-batches then do about equally well; what differs is the rate that they want.
"""

# %%
# The problem
# -----------
# Images of handwritten digits, one hidden layer, and 20 epochs. There is no penalty on
# the weights, since in the loss of a batch it would depend on the size of the batch.
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

# The number of epochs is the same for all, whether they have converged or not.
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
# The search
# ----------
# All solvers that take mini-batches, each at seven rates, compared by their
# cross-validated loss. The test data have no part in it.
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
# Each line has a valley. The valleys are about equally deep, but not at the same place.
# Adam, its variants and RMSProp divide the step by the size of recent gradients: there,
# the rate is about how far a weight goes in a step, and has to be small. ``"sgd"``
# and ``"adagrad"`` want a larger one. So a comparison at one rate for all would be one
# of rates, not of solvers.
_, ax = plt.subplots(layout="constrained")
looks = ["C0o-", "C1s--", "C4^-.", "C5v:", "C6D-", "C8P--", "kX-."]
for solver, look in zip(solvers, looks, strict=True):
    ax.loglog(rates, losses[solver], look, label=solver)
ax.set(xlabel="learning_rate_init", ylabel="cross-validated log loss")
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# The training
# ------------
# Each solver learns from all training data, at its rate. Two others need none, and take
# one step per epoch, on all samples: ``"armijo"`` tries shorter and shorter steps until
# the loss falls enough, and ``"random_search"`` knows no gradient at all. And there is
# ``"lbfgs"``, which may evaluate the objective as often as the others see the data.
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
# On test data, the solvers with mini-batches are close to each other, though some come
# to a much lower training loss. All are ahead of those that see all samples in each
# step: in 20 epochs they take hundreds of steps, not 20. Of the latter, ``"lbfgs"``,
# which learns from earlier gradients, is far ahead of steepest descent. Random steps
# without a gradient get nowhere among thousands of weights.
mini_batch = {solver: trained[solver] for solver in solvers}
full_batch = {solver: trained[solver] for solver in ("armijo", "random_search")}


def plot_losses(estimators, title):
    """The loss of each epoch, and the last loss of lbfgs as a dotted line."""
    display = LossCurveDisplay.from_estimators(estimators, panels=["loss"])
    loss = trained["lbfgs"].loss_
    display.ax_.axhline(loss, color="black", linestyle=":")
    display.ax_.annotate("lbfgs", (20, loss), ha="right", va="bottom")
    display.ax_.set_title(title)


plot_losses(mini_batch, "mini-batches")
plt.show()

# %%
# The same for those that take one step per epoch. Mind the scale.
plot_losses(full_batch, "all samples in each step")
plt.show()
