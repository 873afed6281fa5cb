"""
=======================
Probability calibration
=======================

The predicted probabilities of an overfitted network are too extreme: they are closer to
0 and 1 than they should be. This example shows this in a calibration curve, and
compares three remedies: early stopping, label smoothing, and calibration after
training.
"""

# %%
# Four networks on noisy labels
# -----------------------------
# A tenth of the labels is random, so that no prediction can be certain. The first
# network has enough weights and epochs to memorize the training set, and its
# predictions on other samples are then too certain. The other networks differ from it
# in one setting each:
#
# - early stopping by the log loss uses a part of the training set as validation set and
#   keeps the weights of the best epoch;
# - label smoothing trains on targets that are never 0 or 1;
# - :class:`~sklearn.calibration.CalibratedClassifierCV` fits the same network and
#   calibrates its probabilities with cross-validated predictions.
import warnings

import matplotlib.pyplot as plt
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import brier_score_loss, log_loss
from sklearn.model_selection import train_test_split

from skmlp import MLPClassifierScratch

# Training is expected to reach the maximum number of epochs.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

X, y = make_classification(
    n_samples=6000, n_features=20, n_informative=10, flip_y=0.1, random_state=0
)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=1000, random_state=0
)
plain = MLPClassifierScratch((100, 100), max_iter=200, random_state=0)
stopping = MLPClassifierScratch(
    (100, 100),
    early_stopping=True,
    early_stopping_metric="loss",
    max_iter=200,
    random_state=0,
)
smoothing = MLPClassifierScratch(
    (100, 100), label_smoothing=0.2, max_iter=200, random_state=0
)
models = {
    "overfitted": plain,
    "early stopping": stopping,
    "label smoothing": smoothing,
    "calibrated": CalibratedClassifierCV(plain, ensemble=False),
}
for model in models.values():
    model.fit(X_train, y_train)
print(f"overfitted, accuracy on the training set: {plain.score(X_train, y_train):.3f}")

# %%
# Calibration curves
# ------------------
# The curves show the test samples in ten bins of the predicted probability. The
# vertical axis is the share of class 1 in each bin. A perfectly calibrated classifier
# is on the diagonal. The curve of the overfitted network is flatter than the diagonal:
# where it is almost certain of a class, it is wrong more often than it predicts. The
# curve of label smoothing is steeper than the diagonal: the probabilities of this
# network are not extreme enough.
fig, ax = plt.subplots(layout="constrained")
styles = (("o", "tab:blue"), ("s", "tab:orange"), ("D", "tab:purple"), ("^", "black"))
for (name, model), (marker, color) in zip(models.items(), styles, strict=True):
    CalibrationDisplay.from_estimator(
        model,
        X_test,
        y_test,
        n_bins=10,
        strategy="quantile",
        name=name,
        ax=ax,
        marker=marker,
        color=color,
    )
ax.set(xlabel="mean predicted probability", ylabel="share of class 1")
plt.show()

# %%
# Calibration metrics
# -------------------
# The confidence is the mean probability of the predicted class. It should be equal to
# the accuracy, but is much larger for the overfitted network. The Brier score and the
# log loss evaluate the probabilities as a whole. Smaller values are better. The log
# loss is large if wrong predictions are almost certain.
print(f"{'':16}{'accuracy':>10}{'confidence':>12}{'Brier score':>13}{'log loss':>10}")
for name, model in models.items():
    P = model.predict_proba(X_test)
    print(
        f"{name:16}{model.score(X_test, y_test):10.3f}{P.max(axis=1).mean():12.3f}"
        f"{brier_score_loss(y_test, P[:, 1]):13.3f}{log_loss(y_test, P):10.3f}"
    )

# %%
# All three remedies reduce the log loss considerably. Early stopping is the best of
# them here, because it prevents most of the overfitting, so that the accuracy also
# increases. Calibration after training changes the probabilities but almost no
# predicted class. It can also be applied to a network that cannot be trained again:
# wrap the network in a :class:`~sklearn.frozen.FrozenEstimator` and calibrate it on
# samples that were not used for training. Label smoothing takes no additional time, but
# its strength must be tuned. Here it is too strong, and the confidence is smaller than
# the accuracy.
