"""
==================
Imbalanced classes
==================

If a class is rare, a network can have a high accuracy and still miss most samples of
this class. This example compares two remedies: class weights and a different decision
threshold. Both give similar recall and precision, but they have different effects on
the predicted probabilities.
"""

# %%
# Class weights and decision threshold
# ------------------------------------
# Five percent of the samples belong to the rare class. The same network is used in
# three ways: unchanged; with ``class_weight="balanced"``, which gives a larger weight
# to errors of the rare class in training; and unchanged, but with another threshold
# than 0.5 for the predicted probability.
# :class:`~sklearn.model_selection.TunedThresholdClassifierCV` selects the threshold by
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

# Training is expected to reach the maximum number of epochs.
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
# Recall and precision
# --------------------
# Recall is the share of the rare class that is found. Precision is the share of the
# rare class among the samples that are predicted as rare. The unchanged network has the
# highest accuracy, but the lowest recall. Both remedies increase the recall and
# decrease the precision. The balanced accuracy is the mean of the recalls of the two
# classes. By this metric, both remedies are better than the unchanged network.
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
# Precision-recall curves
# -----------------------
# The curve of a network shows recall and precision for all thresholds. The marks show
# the threshold in use. The tuned threshold moves the mark along the curve of the
# unchanged network. Class weights train a different network, but its curve is almost
# the same. Their main effect is to change the point of the curve that belongs to the
# threshold 0.5.
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
# Predicted probabilities
# -----------------------
# A network that was trained with class weights overestimates the probability of the
# rare class: its mean probability is far above the share of the class. Change the
# threshold if the probabilities are used. Use class weights if the training itself must
# not neglect a class, and for more than two classes, where there is no single
# threshold.
print(f"share of the rare class: {y_test.mean():.3f}")
print("mean probability of it:")
for name in ("as it is", "class weights"):
    p = models[name].predict_proba(X_test)[:, 1]
    print(f"  {name:14} {p.mean():.3f}")
