"""
==================================
Confusion matrix and Cohen's kappa
==================================

The accuracy is the share of correct predictions. The confusion matrix shows which
classes are confused, and Cohen's kappa corrects the accuracy for chance. This example
shows a problem where accuracy and kappa agree, and a problem with a high accuracy that
is close to chance, as kappa and the confusion matrix reveal.
"""

# %%
# Ten balanced classes
# --------------------
# Each digit is predicted by a network that was not trained on it:
# :func:`~sklearn.model_selection.cross_val_predict` fits the whole pipeline, including
# the scaler, for each fold.
#
# Kappa is :math:`(p_o - p_e) / (1 - p_e)`. :math:`p_o` is the accuracy, and :math:`p_e`
# is the expected accuracy if the same predictions are shuffled. Kappa is 1 for a
# perfect classifier and 0 for chance. With ten balanced classes, the accuracy of chance
# is 0.1, so that kappa is slightly smaller than the accuracy.
import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits, make_classification
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    accuracy_score,
    cohen_kappa_score,
)
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import MLPClassifierScratch

# Training is expected to reach the maximum number of epochs.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

cv = StratifiedKFold(shuffle=True, random_state=0)
model = make_pipeline(
    StandardScaler(), MLPClassifierScratch((50,), max_iter=60, random_state=0)
)
X, y = load_digits(return_X_y=True)
y_pred = cross_val_predict(model, X, y, cv=cv)
print(f"accuracy {accuracy_score(y, y_pred):.3f}")
print(f"kappa    {cohen_kappa_score(y, y_pred):.3f}")

# %%
# Rows of the matrix are true digits, and columns are predicted digits. The errors are
# not distributed evenly: a few pairs of digits, such as eights predicted as ones, are
# confused several times, and most pairs are never confused.
fig, ax = plt.subplots(figsize=(6.4, 5.6), layout="constrained")
ConfusionMatrixDisplay.from_predictions(y, y_pred, ax=ax, cmap="Blues", colorbar=False)
ax.set(xlabel="predicted digit", ylabel="true digit")
plt.show()

# %%
# A rare class
# ------------
# The second problem has two classes, and class 1 is rare. Most of its samples cannot be
# separated from the others, because a part of the labels is noise. The same pipeline is
# compared with a dummy classifier that always predicts the more frequent class.
X, y = make_classification(
    n_samples=4000,
    n_features=10,
    n_informative=4,
    weights=[0.97],
    class_sep=0.5,
    flip_y=0.08,
    random_state=0,
)
models = {"network": model, "dummy": DummyClassifier()}
predictions = {name: cross_val_predict(m, X, y, cv=cv) for name, m in models.items()}
print(f"share of class 1: {y.mean():.3f}\n")
print("         accuracy   kappa")
for name, y_pred in predictions.items():
    accuracy, kappa = accuracy_score(y, y_pred), cohen_kappa_score(y, y_pred)
    print(f"{name:9}{accuracy:8.3f}{kappa:8.3f}")

# %%
# The accuracy of the network is high, but the dummy classifier has almost the same
# accuracy. The kappa of the dummy classifier is exactly zero, and that of the network
# is not much larger. The matrices show the reason: nine out of ten samples of class 1,
# in the lower row, are misclassified.
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.6), layout="constrained")
for ax, (name, y_pred) in zip(axes, predictions.items(), strict=True):
    ConfusionMatrixDisplay.from_predictions(
        y, y_pred, ax=ax, cmap="Blues", colorbar=False
    )
    ax.set(title=name, xlabel="predicted class", ylabel="true class")
plt.show()

# %%
# Kappa is also only a single number, and it depends on the class frequencies. Use it to
# compare classifiers on the same data, but not to compare data sets. To use kappa as a
# scorer in scikit-learn, or as ``early_stopping_metric``, pass
# ``make_scorer(cohen_kappa_score)``.
