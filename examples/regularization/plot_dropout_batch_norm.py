"""
===============================
Dropout and batch normalization
===============================

Dropout is for networks that overfit, batch normalization for networks that are hard to
train. This page shows a problem of each kind, and what each of the two does about it.
"""

# %%
# Dropout, for few and noisy data
# -------------------------------
# With rate :math:`r`, dropout sets each hidden activation to zero with probability
# :math:`r` in each step, and multiplies the others by :math:`1 / (1 - r)`, so that no
# unit can rely on any particular other. In predictions, all units take part.
#
# This network has many more weights than there are samples, and a tenth of the labels
# is drawn at random.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skmlp import MLPClassifierScratch
from skmlp.plotting import LossCurveDisplay

# The number of epochs is the training budget: reaching it needs no warning.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

X, y = make_classification(
    n_samples=2300,
    n_features=20,
    n_informative=8,
    n_redundant=0,
    n_clusters_per_class=3,
    class_sep=1.2,
    flip_y=0.1,
    random_state=0,
)
X_train, X_val, y_train, y_val = train_test_split(
    X, y, train_size=300, stratify=y, random_state=0
)

# %%
# The table has the losses of the finished networks, both computed with all units, the
# least validation loss of all epochs, and the validation accuracy at the end.
print("dropout  training  validation     gap  least validation  accuracy")
trained = {}
for rate in (0.0, 0.25, 0.5, 0.7):
    clf = MLPClassifierScratch(
        (100, 100),
        dropout=rate,
        batch_size=32,
        max_iter=100,
        n_iter_no_change=np.inf,
        random_state=0,
    )
    clf.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    trained[f"dropout={rate}"] = clf
    loss = log_loss(y_train, clf.predict_proba(X_train))
    val_losses = clf.history_["val_loss"]
    print(
        f"{rate:7} {loss:9.3f} {val_losses[-1]:11.3f} {val_losses[-1] - loss:7.3f}"
        f" {min(val_losses):17.3f} {clf.history_['val_score'][-1]:9.3f}"
    )

# %%
# Without dropout the training loss goes to zero, noise and all, while the validation
# loss rises after the first epochs: the network becomes ever more certain, even of what
# is wrong. The higher the rate, the smaller the gap. The best epoch is hardly better
# with dropout than without, so that early stopping would do nearly as much here. But
# with dropout it matters much less when the training ends. (The curve of the training
# loss is measured in training, with units dropped, and is therefore above that of the
# table.)
LossCurveDisplay.from_estimators(
    {k: trained[k] for k in ("dropout=0.0", "dropout=0.5")}
)
plt.show()

# %%
# Batch normalization, for networks that are hard to train
# --------------------------------------------------------
# Batch normalization gives the sums of a unit, :math:`U = A^{l-1} W^l`, the mean 0 and
# the variance 1 in each batch, and then a scale and a shift that are learned,
# :math:`Z^l = \gamma \odot \hat U + b^l`. So it hardly matters any more how large the
# inputs and the weights are.
#
# Two things make the digits hard to learn here: pixels that are multiplied by a
# constant, and many layers of logistic units, whose slope is 1/4 at most, so that the
# gradient gets smaller from layer to layer. Everything else is left at its default, and
# training takes 10 epochs. The accuracies are means over two seeds.
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=0.5, stratify=y, random_state=0
)


def mean_accuracy(factor=1.0, **params):
    scores = []
    for seed in range(2):
        clf = MLPClassifierScratch(
            batch_size=32, max_iter=10, random_state=seed, **params
        )
        clf.fit(factor * X_train, y_train)
        scores.append(clf.score(factor * X_test, y_test))
    return np.mean(scores)


factors = [0.001, 0.01, 0.1, 1, 10, 100]
depths = [1, 2, 4, 8]
by_factor, by_depth = {}, {}
for name, batch_norm in {"plain": False, "batch_norm=True": True}.items():
    by_factor[name] = [
        mean_accuracy(factor, hidden_layer_sizes=(50, 50), batch_norm=batch_norm)
        for factor in factors
    ]
    by_depth[name] = [
        mean_accuracy(
            hidden_layer_sizes=(50,) * depth,
            activation="logistic",
            batch_norm=batch_norm,
        )
        for depth in depths
    ]
for title, values, curves in [
    ("factor", factors, by_factor),
    ("layers", depths, by_depth),
]:
    print(f"{title:16}" + "".join(f"{value:8}" for value in values))
    for name, curve in curves.items():
        print(f"{name:16}" + "".join(f"{score:8.3f}" for score in curve))

# %%
# With batch normalization the factor makes hardly any difference, and even the deepest
# network learns. A plain network of two layers is good for one scale of the inputs, and
# less so for any other. Where the inputs have that scale already, and the network is
# not deep, the gain is small: a :class:`~sklearn.preprocessing.StandardScaler` is the
# simpler way to get there.
_, axes = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained", sharey=True)
for name, style in [("plain", "o-"), ("batch_norm=True", "s--")]:
    axes[0].plot(factors, by_factor[name], style, label=name)
    axes[1].plot(depths, by_depth[name], style, label=name)
axes[0].set(
    xscale="log",
    xlabel="factor of the inputs",
    ylabel="test accuracy after 10 epochs",
    title="two hidden layers of ReLU",
)
axes[1].set(xlabel="number of hidden layers", title="logistic hidden layers")
axes[1].set_xticks(depths)
axes[0].legend()
plt.show()
