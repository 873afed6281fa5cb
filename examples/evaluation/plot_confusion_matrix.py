"""
==================================
Confusion matrix and Cohen's kappa
==================================

The accuracy says how many predictions are right, the confusion matrix which ones are
not, and Cohen's kappa how much better they are than chance. This page has a case where
accuracy and kappa say the same, and one where a high accuracy is worth next to nothing,
as kappa and the matrix show.
"""

# %%
# Ten classes of about the same size
# ----------------------------------
#
# Each digit is predicted by a network that has not seen it:
# :func:`~sklearn.model_selection.cross_val_predict` fits the whole pipeline, scaler
# included, once for each fold.
#
# Kappa is :math:`(p_o - p_e) / (1 - p_e)`, with the accuracy :math:`p_o`, and
# :math:`p_e` the one to be expected if the same predictions were shuffled at random.
# It is 1 for a perfect classifier and 0 for chance. Of ten classes, chance gets a tenth
# right, so that kappa is just below the accuracy.
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

# The number of epochs is the training budget: reaching it needs no warning.
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
# Each row of the matrix has the images of one digit, each column those that were taken
# for one. The few errors are not spread evenly: some pairs, such as eights that were
# taken for ones, have several of them, and most pairs have none.
fig, ax = plt.subplots(figsize=(6.4, 5.6), layout="constrained")
ConfusionMatrixDisplay.from_predictions(y, y_pred, ax=ax, cmap="Blues", colorbar=False)
ax.set(xlabel="predicted digit", ylabel="true digit")
plt.show()

# %%
# One class that is rare
# ----------------------
#
# Now there are two classes, and few samples are of class 1. Most of those can't be told
# from the others, because part of the labels is noise. The same pipeline is put beside
# a dummy that always predicts the more frequent class.
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
# The accuracy of the network looks fine, until one sees that the dummy has nearly the
# same. Kappa gives the dummy exactly zero, for it is chance, and the network not much
# more. The matrices show why: the lower row has the samples of class 1, and nine in ten
# of them are missed.
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.6), layout="constrained")
for ax, (name, y_pred) in zip(axes, predictions.items(), strict=True):
    ConfusionMatrixDisplay.from_predictions(
        y, y_pred, ax=ax, cmap="Blues", colorbar=False
    )
    ax.set(title=name, xlabel="predicted class", ylabel="true class")
plt.show()

# %%
# Kappa is no better than accuracy as such: it is one number, too, and depends on how
# rare the classes are, so it compares classifiers on the same data, not data sets. To
# use it where scikit-learn takes a scorer, or for ``early_stopping_metric``, write
# ``make_scorer(cohen_kappa_score)``.
