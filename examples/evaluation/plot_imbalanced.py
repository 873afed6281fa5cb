"""
============
Rare classes
============

Where one class is rare, a network can have a high accuracy and still miss much of it.
This page compares two remedies, weighting the classes and moving the threshold of the
decision, and shows that they buy the same recall at the same price, and differ in what
they do to the probabilities.
"""

# %%
# One sample in twenty
# --------------------
#
# The same network in three ways: as it is; with ``class_weight="balanced"``, which in
# training makes an error cost the more, the rarer the class is; and as it is, but with
# another threshold than 0.5 for its probability, which
# :class:`~sklearn.model_selection.TunedThresholdClassifierCV` picks by
# cross-validation on the training set.
import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import (
    PrecisionRecallDisplay,
    balanced_accuracy_score,
    precision_score,
    recall_score,
)
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split

from skmlp import MLPClassifierScratch

# The number of epochs is the training budget: reaching it needs no warning.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

X, y = make_classification(
    n_samples=12_000,
    n_features=10,
    n_informative=5,
    weights=[0.95],
    class_sep=0.8,
    random_state=0,
)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.5, stratify=y, random_state=0
)
shared = {"hidden_layer_sizes": (50,), "max_iter": 30, "random_state": 0}
plain = MLPClassifierScratch(**shared)
models = {
    "as it is": plain,
    "class weights": MLPClassifierScratch(**shared, class_weight="balanced"),
    "threshold": TunedThresholdClassifierCV(plain, scoring="balanced_accuracy"),
}
for model in models.values():
    model.fit(X_train, y_train)
threshold = models["threshold"].best_threshold_
print(f"threshold: {threshold:.2f} instead of 0.50")

# %%
# What they find, and at what price
# ---------------------------------
#
# The recall is how much of the rare class is found, the precision how much of what is
# found is of the rare class. The accuracy is highest for the network as it is, which
# is the worst at finding. Both remedies find much more, and both pay for it with false
# alarms. The balanced accuracy, which is the mean of the recalls of the two classes,
# takes finding to be worth that price.
print("               accuracy  balanced accuracy  recall  precision")
points = {}
for name, model in models.items():
    y_pred = model.predict(X_test)
    recall, precision = recall_score(y_test, y_pred), precision_score(y_test, y_pred)
    points[name] = recall, precision
    print(
        f"{name:14}{model.score(X_test, y_test):9.3f}"
        f"{balanced_accuracy_score(y_test, y_pred):19.3f}{recall:8.2f}{precision:11.2f}"
    )

# %%
# All thresholds at once
# ----------------------
#
# The curve of a network has its recall and precision at every threshold, and the marks
# are those at the threshold in use. The other threshold only moves the mark along the
# curve of the network as it is. Class weights train another network, but its curve is
# little different. What they change is above all which of its points is at 0.5.
fig, ax = plt.subplots(layout="constrained")
for name in ("as it is", "class weights"):
    PrecisionRecallDisplay.from_estimator(
        models[name], X_test, y_test, name=name, ax=ax
    )
marks = {
    "as it is": ("o", "tab:blue", "as it is, at 0.50"),
    "class weights": ("s", "tab:orange", "class weights, at 0.50"),
    "threshold": ("^", "tab:blue", f"as it is, at {threshold:.2f}"),
}
for name, (marker, color, label) in marks.items():
    ax.plot(
        *points[name], marker, color=color, ms=10, markeredgecolor="black", label=label
    )
ax.set(xlabel="recall of the rare class", ylabel="precision for the rare class")
ax.legend(loc="lower left")
plt.show()

# %%
# What becomes of the probabilities
# ---------------------------------
#
# To a network that was trained with class weights, the rare class is not rare. The mean
# of its probabilities is far above the share of that class, so they can't be taken at
# face value. Where the probabilities are used, move the threshold. Weights are for when
# the training itself must not neglect a class, and for more than two classes, where
# there is no single threshold to move.
print(f"share of the rare class: {y_test.mean():.3f}")
print("mean probability of it:")
for name in ("as it is", "class weights"):
    p = models[name].predict_proba(X_test)[:, 1]
    print(f"  {name:14} {p.mean():.3f}")
