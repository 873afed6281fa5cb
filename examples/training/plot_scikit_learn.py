"""
=================
Change one import
=================

A script with scikit-learn's neural networks gets the same numbers from skmlp, and gets
them sooner, when one import is changed. This page fits the same network with both,
compares the numbers and the times, and then uses what scikit-learn's networks do not
have.
"""

# %%
# The same network three times
# ----------------------------
# :class:`~skmlp.MLPClassifierScratch` has the parameters of
# :class:`~sklearn.neural_network.MLPClassifier`, and draws the same random numbers from
# the same ``random_state``. So ``from skmlp import MLPClassifierScratch as
# MLPClassifier`` is all that a script has to change. There are two engines: one in
# NumPy, and a compiled one, which is used wherever it is installed.
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import MLPClassifierScratch
from skmlp.plotting import LossCurveDisplay

# The number of epochs is the training budget: reaching it needs no warning.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)

params = {
    "hidden_layer_sizes": (50,),
    "batch_size": 32,
    "max_iter": 20,
    "random_state": 0,
}
classifiers = {
    "scikit-learn": MLPClassifier(**params),
    'skmlp, engine="numpy"': MLPClassifierScratch(**params, engine="numpy"),
    'skmlp, engine="auto"': MLPClassifierScratch(**params),
}

# %%
# The same numbers
# ----------------
# The columns are the largest differences from scikit-learn's probabilities on the test
# set and from its loss curve, and the accuracy on the test set. With NumPy the numbers
# are equal to the last bit. The compiled engine adds up its sums in another order, so
# that it differs by rounding, and by nothing else.
reference = classifiers["scikit-learn"].fit(X_train, y_train)
print(f"{'':24}{'probabilities':>15}{'loss curve':>13}{'accuracy':>10}")
for name, clf in classifiers.items():
    clf.fit(X_train, y_train)
    difference = clf.predict_proba(X_test) - reference.predict_proba(X_test)
    losses = np.subtract(clf.loss_curve_, reference.loss_curve_)
    print(
        f"{name:24}{np.abs(difference).max():15.1e}{np.abs(losses).max():13.1e}"
        f"{clf.score(X_test, y_test):10.4f}"
    )

# %%
# The time of a fit
# -----------------
# The rounds alternate, so that whatever else the machine does slows all of them alike,
# and the median leaves out the outliers. The times are those of the machine on which
# this page was built. How much is gained depends on the network: most where the matrix
# products are small, as here, and least where they take nearly all of the time.
seconds = {name: [] for name in classifiers}
for _ in range(7):
    for name, clf in classifiers.items():
        start = time.perf_counter()
        clf.fit(X_train, y_train)
        seconds[name].append(time.perf_counter() - start)
medians = {name: np.median(times) for name, times in seconds.items()}
for name, median in medians.items():
    speed = medians["scikit-learn"] / median
    print(f"{name:24}{1000 * median:8.1f} ms, {speed:5.2f} times as fast")

_, ax = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
bars = ax.barh(list(medians), [1000 * median for median in medians.values()])
ax.bar_label(bars, fmt="%.0f ms", padding=4)
ax.invert_yaxis()
ax.margins(x=0.2)
ax.set(xlabel="median time of fit (ms)", title="The same fit, three times")
plt.show()

# %%
# What scikit-learn's networks do not have
# ----------------------------------------
# Everything else is a constructor parameter as well. So it goes into a pipeline and a
# search like any other: here GELU, dropout, a learning rate that falls along a cosine,
# and label smoothing. Whether dropout helps is for the search to say; the test set has
# no part in it. ``n_iter_no_change=np.inf`` lets the schedule run to its end.
pipeline = make_pipeline(
    StandardScaler(),
    MLPClassifierScratch(
        (100,),
        activation="gelu",
        solver="adamw",
        learning_rate="cosine",
        learning_rate_init=0.003,
        label_smoothing=0.05,
        batch_size=64,
        max_iter=30,
        n_iter_no_change=np.inf,
        random_state=0,
    ),
)
grid = {"mlpclassifierscratch__dropout": [0.0, 0.25, 0.5]}
search = GridSearchCV(pipeline, grid, cv=5).fit(X_train, y_train)
for candidate, score in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    dropout = candidate["mlpclassifierscratch__dropout"]
    print(f"dropout {dropout:4.2f}: mean accuracy {score:.4f} in cross-validation")
print(f"test accuracy of the best: {search.score(X_test, y_test):.4f}")

# %%
# Dropout does not help here. The history of the training is kept, and drawn by
# :class:`~skmlp.plotting.LossCurveDisplay`. The learning rate, which varies, has a
# panel of its own.
LossCurveDisplay.from_estimator(search.best_estimator_[-1])
plt.show()
