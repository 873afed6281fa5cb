"""
============================
Are the probabilities right?
============================

An overfitted network is too sure of itself: the probabilities that it predicts are
closer to 0 and 1 than they should be. This page shows that in a calibration curve, and
compares three remedies: early stopping, label smoothing, and calibrating the network
afterwards.
"""

# %%
# Four networks on noisy labels
# -----------------------------
#
# A tenth of the labels is drawn at random, so nobody can be sure of any. The first
# network has weights enough, and epochs enough, to learn the training set by heart, and
# is then as certain of other samples. The others are the same network, but for one
# thing each:
#
# - early stopping by the log loss sets a part of the training set aside, and keeps the
#   weights of the epoch that was best on it;
# - label smoothing trains on targets that are never 0 or 1;
# - :class:`~sklearn.calibration.CalibratedClassifierCV` fits the network as it is,
#   and learns from cross-validated predictions what they are worth.
import warnings

import matplotlib.pyplot as plt
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import brier_score_loss, log_loss
from sklearn.model_selection import train_test_split

from skmlp import MLPClassifierScratch

# The number of epochs is the training budget: reaching it needs no warning.
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
#
# The curves are of the held-out samples, sorted into ten bins by their predicted
# probability: how many of each bin are really of class 1? On the diagonal, just as many
# as was predicted. The curve of the overfitted network is flatter than the diagonal.
# Where it is all but certain of a class, it is wrong more often than it says. That of
# label smoothing is steeper: this network is less sure than it could be.
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
# In numbers
# ----------
#
# The confidence is the mean probability of the class that is predicted. It should be
# equal to the accuracy, and is far above it for the overfitted network. The Brier
# score and the log loss, which are better the lower they are, judge the probabilities
# as a whole. The log loss is hard on those who are wrong and certain.
print(f"{'':16}{'accuracy':>10}{'confidence':>12}{'Brier score':>13}{'log loss':>10}")
for name, model in models.items():
    P = model.predict_proba(X_test)
    print(
        f"{name:16}{model.score(X_test, y_test):10.3f}{P.max(axis=1).mean():12.3f}"
        f"{brier_score_loss(y_test, P[:, 1]):13.3f}{log_loss(y_test, P):10.3f}"
    )

# %%
# All three remedies bring the log loss down by far, and early stopping is the best of
# them here, because it prevents most of the overfitting itself: the accuracy rises,
# too. Calibration afterwards changes the probabilities and hardly any decision. It is
# also the remedy for a network that can't be trained again: wrap that in a
# :class:`~sklearn.frozen.FrozenEstimator`, and calibrate it on samples that it has not
# seen. Label smoothing costs nothing, but how much of it is right is one more thing to
# be tuned: here it is too much, and the confidence is below the accuracy.
