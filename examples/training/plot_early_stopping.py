"""
==============
Early stopping
==============

A network that is trained for too many epochs overfits: the training loss keeps
decreasing, while the loss on other data increases. Early stopping monitors a validation
set and keeps the weights of the best epoch. This example shows how to choose the
validation set and the metric, and measures the effect on the test error.
"""

# %%
# Overfitting
# -----------
# The data have two classes, one of them four times as frequent as the other, and some
# wrong labels. The samples are divided into a training set, a validation set that
# determines when to stop, and a test set for the final evaluation. The test set must
# not be used for any decision.
#
# Without early stopping, ``X_val`` and ``y_val`` are only evaluated after each epoch.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

from skmlp import MLPClassifierScratch
from skmlp.plotting import LossCurveDisplay

# Some of the networks are expected to reach the maximum number of epochs.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

X, y = make_classification(
    n_samples=3000,
    n_informative=8,
    n_redundant=0,
    n_clusters_per_class=3,
    weights=[0.8],
    flip_y=0.15,
    random_state=0,
)


def split(seed):
    """Return training, validation and test samples."""
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, train_size=1000, stratify=y, random_state=seed
    )
    X_train, X_val, y_train, y_val = train_test_split(
        X_train, y_train, test_size=0.3, stratify=y_train, random_state=seed
    )
    return X_train, X_val, X_test, y_train, y_val, y_test


X_train, X_val, X_test, y_train, y_val, y_test = split(0)

too_long = MLPClassifierScratch(
    (100,),
    learning_rate_init=0.003,
    batch_size=50,
    max_iter=150,
    n_iter_no_change=np.inf,
    random_state=0,
)
too_long.fit(X_train, y_train, X_val=X_val, y_val=y_val)
val_losses = too_long.history_["val_loss"]
print(f"validation loss at the beginning: {val_losses[0]:.3f}")
print(f"at best:                          {min(val_losses):.3f}")
print(f"in the end:                       {val_losses[-1]:.3f}")

# %%
# The training loss decreases until the end. The validation loss has an early minimum,
# which is marked, and then increases to far above its initial value. The lower panel
# shows the accuracy, which decreases less: most predicted classes stay the same, but
# the predicted probabilities become too extreme.
LossCurveDisplay.from_estimator(too_long)
plt.show()

# %%
# Enable early stopping
# ---------------------
# With ``early_stopping=True``, training ends if there has been no improvement for
# ``n_iter_no_change`` epochs, and the weights of the best epoch are restored. By
# default, the validation set is a fraction of the training data,
# ``validation_fraction``, and the metric is the accuracy. Here,
# ``early_stopping_metric`` is the loss. It is less noisy than the accuracy, because it
# depends on all probabilities and not only on the predicted classes.
stopping = clone(too_long).set_params(
    early_stopping=True,
    early_stopping_metric="loss",
    n_iter_no_change=15,
    validation_fraction=0.3,
)
split_off = clone(stopping).fit(
    np.concatenate([X_train, X_val]), np.concatenate([y_train, y_val])
)
best_epoch = np.argmax(split_off.validation_scores_) + 1
print(f"stopped after epoch {split_off.n_iter_}, the best was {best_epoch}")
print(f"its validation loss: {-split_off.best_validation_score_:.3f}")

# %%
# Pass ``X_val`` and ``y_val`` to use a given validation set. This is necessary if a
# random split is not appropriate, for example if several samples belong to one patient,
# or if later samples are predicted from earlier ones. It also allows a comparison of
# several networks on the same validation set.
#
# The metric can be any scikit-learn scorer. The best epoch depends on the metric.
networks = {"none, 150 epochs": too_long, "loss, split off": split_off}
for metric in "loss", "score", "roc_auc":
    clf = clone(stopping).set_params(early_stopping_metric=metric)
    networks[metric] = clf.fit(X_train, y_train, X_val=X_val, y_val=y_val)

print("                  epochs       on test data")
print("early stopping    best  run    log loss  accuracy  ROC AUC")
for name, clf in networks.items():
    best = np.argmax(clf.validation_scores_) + 1 if clf.early_stopping else "-"
    p = clf.predict_proba(X_test)
    print(
        f"{name:18}{best:<6}{clf.n_iter_:<7}{log_loss(y_test, p):<10.3f}"
        f"{clf.score(X_test, y_test):<10.3f}{roc_auc_score(y_test, p[:, 1]):.3f}"
    )

# %%
# All networks with early stopping are better than the network without it, by each of
# the three metrics. The differences between them are much smaller. Here, the networks
# that monitor the loss are best by each metric, but on a single split such small
# differences may be random. The mark in the next plot shows the best epoch by the area
# under the ROC curve, which is not the epoch with the smallest loss.
LossCurveDisplay.from_estimator(networks["roc_auc"])
plt.show()

# %%
# Effect on the test error
# ------------------------
# A single split of the data is not conclusive. The following plot compares training to
# the last epoch with early stopping for ten splits. Lines connect the results of a
# split.
test_losses = []
for seed in range(10):
    X_train, X_val, X_test, y_train, y_val, y_test = split(seed)
    pair = []
    for model in too_long, stopping:
        clf = clone(model).set_params(random_state=seed)
        clf.fit(X_train, y_train, X_val=X_val, y_val=y_val)
        pair.append(log_loss(y_test, clf.predict_proba(X_test)))
    test_losses.append(pair)

mean, sd = np.mean(test_losses, axis=0), np.std(test_losses, axis=0, ddof=1)
print(f"test log loss, 150 epochs:     {mean[0]:.3f} +- {sd[0]:.3f}")
print(f"test log loss, early stopping: {mean[1]:.3f} +- {sd[1]:.3f}")

_, ax = plt.subplots(figsize=(5, 4.5), layout="constrained")
ax.plot([0, 1], np.transpose(test_losses), "C0o-", alpha=0.5)
constant = log_loss(y_test, np.full(len(y_test), y_train.mean()))
ax.axhline(constant, color="black", linestyle=":")
ax.annotate("a constant", (-0.25, constant), va="bottom")
ax.set(xlim=(-0.3, 1.3), ylim=(0, None), ylabel="log loss on test data")
ax.set_xticks([0, 1], ["150 epochs", "early stopping"])
plt.show()

# %%
# The dotted line is the loss of a constant probability, for the last split. By this
# metric, a network that is trained for too many epochs is worse than a constant
# prediction.
