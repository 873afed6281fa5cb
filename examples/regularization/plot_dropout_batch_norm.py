"""
===============================
Dropout and batch normalization
===============================

Dropout reduces overfitting. Batch normalization makes networks easier to train. This
example applies each of them to a problem of this kind.
"""

# %%
# Dropout for few and noisy data
# ------------------------------
# With rate :math:`r`, dropout sets each hidden activation to zero with probability
# :math:`r` in each step, and multiplies the others by :math:`1 / (1 - r)`. Units can
# therefore not rely on particular other units. All units are used in predictions.
#
# The network has many more weights than there are samples, and a tenth of the labels is
# random.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skmlp import MLPClassifierScratch
from skmlp.plotting import LossCurveDisplay

# Training is expected to reach the maximum number of epochs.
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
# The table shows the losses of the trained networks, computed with all units, the
# smallest validation loss of all epochs, and the final validation accuracy.
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
# Without dropout, the training loss decreases to zero although the labels are noisy,
# and the validation loss increases after the first epochs: the predicted probabilities
# become too extreme. The gap between the losses decreases as the rate increases. The
# best epoch is only slightly better with dropout than without, so that early stopping
# would have a similar effect here. With dropout, however, the number of epochs is much
# less critical. The curve of the training loss is measured during training with dropped
# units. It is therefore above the training loss in the table.
LossCurveDisplay.from_estimators(
    {k: trained[k] for k in ("dropout=0.0", "dropout=0.5")}
)
plt.show()

# %%
# Batch normalization for networks that are hard to train
# -------------------------------------------------------
# Batch normalization standardizes the sums of a unit, :math:`U = A^{l-1} W^l`, to mean
# 0 and variance 1 in each batch. It then applies a learned scale and shift, :math:`Z^l
# = \gamma \odot \hat U + b^l`. The scale of the inputs and weights has therefore little
# effect.
#
# In this example, the digits are hard to learn for two reasons: the pixels are
# multiplied by a constant factor, and there are many layers of logistic units. The
# derivative of a logistic unit is at most 1/4, so that the gradient decreases from
# layer to layer. All other parameters have their default values. Training takes 10
# epochs. The accuracies are means over two seeds.
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
# With batch normalization, the factor has almost no effect, and even the deepest
# network learns. A plain network with two layers needs inputs of a certain scale. If
# the inputs are already scaled and the network is not deep, the benefit is small. A
# :class:`~sklearn.preprocessing.StandardScaler` is then the simpler solution.
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
