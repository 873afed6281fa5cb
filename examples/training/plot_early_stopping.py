"""
============
Stop in time
============

A network that is trained for too long learns its samples by heart: the training loss
keeps falling, while the loss on other data rises. Early stopping watches data that the
network does not learn from, and keeps the weights that were best there. This example
shows what it watches, how to choose that, and what it saves in test error.
"""

# %%
# Too long
# --------
# Two classes, one of them four times as frequent, with some labels that are wrong. The
# samples are divided three ways: to learn from, to decide when to stop, and to say in
# the end how good the network is. The last ones must not take part in any decision.
#
# Without early stopping, ``X_val`` and ``y_val`` are only watched.
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

# Some of the networks are meant to train to the last epoch.
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
    """Samples to train on, for the validation, and for the test."""
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
# The training loss falls to the end. The validation loss has its minimum early, where
# the mark is, and rises from there to far above where it began. The panel below has the
# accuracy. It suffers less: the network does not so much change its mind as get too
# sure of it.
LossCurveDisplay.from_estimator(too_long)
plt.show()

# %%
# Early stopping
# --------------
# ``early_stopping=True`` ends the training when there has been no progress for
# ``n_iter_no_change`` epochs, and goes back to the weights of the best one. By default,
# a part of the training data is set aside for it, ``validation_fraction``. The metric
# is the accuracy, unless ``early_stopping_metric`` says otherwise. Here it is the loss:
# it is less noisy, since it changes with every probability, not only where a sample is
# put into another class.
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
# With ``X_val`` and ``y_val``, the validation set is one of our own. That is the way
# where a random part would not do: where samples belong together, as those of one
# patient, or where what is later has to be predicted from what is before. And it is the
# same for several networks, which can then be compared.
#
# Any metric of scikit-learn's goes. Which epoch is the best depends on it.
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
# All that stop are better than the one that does not, by each of the three measures.
# Among themselves they differ much less. Those that watch the loss are ahead here, by
# each of the measures, but on a single split such small differences may be chance. The
# mark in the next picture is at the epoch that is best by the area under the ROC curve,
# which is not where the loss is least.
LossCurveDisplay.from_estimator(networks["roc_auc"])
plt.show()

# %%
# What it saves
# -------------
# One split of the data says little. Here are ten, each with a training to the last
# epoch and one that stops. The lines join the two of a split.
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
# The dotted line is the loss of a constant probability, here in the last split. By this
# measure, a network that is trained for too long is worse than none.
