"""
======================================
Replacing scikit-learn's MLPClassifier
======================================

A script that uses scikit-learn's neural networks gives the same results with skmlp, in
less time, if one import is changed. This example fits the same network with both
libraries, compares the results and the times, and then uses features that scikit-learn
does not have.
"""

# %%
# Fit the same network three times
# --------------------------------
# :class:`~skmlp.MLPClassifierScratch` has the parameters of
# :class:`~sklearn.neural_network.MLPClassifier`, and draws the same random numbers from
# the same ``random_state``. It is therefore sufficient to write ``from skmlp import
# MLPClassifierScratch as MLPClassifier``. skmlp has a NumPy engine and a compiled
# engine, which is used if it is installed.
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

# Training is expected to reach the maximum number of epochs.
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
# Compare the results
# -------------------
# The columns show the largest differences from scikit-learn's probabilities on the test
# set and from its loss curve, and the accuracy on the test set. The results of the
# NumPy engine are bitwise identical. The compiled engine computes sums in another
# order, so that its results differ by rounding.
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
# Compare the times
# -----------------
# The fits are timed in alternation, so that other processes affect all of them equally.
# The median reduces the effect of outliers. The times are those of the machine that has
# built this page. The speedup depends on the network. It is largest if the matrix
# products are small, as here, and smallest if they take most of the time.
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
# Use additional features
# -----------------------
# Additional features are also constructor parameters, so that they can be used in
# pipelines and searches. This example uses GELU, dropout, a cosine schedule of the
# learning rate, and label smoothing. The search selects the dropout rate by
# cross-validation, without the test set. With ``n_iter_no_change=np.inf``, training
# runs to the end of the schedule.
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
# Dropout does not improve the result here. :class:`~skmlp.plotting.LossCurveDisplay`
# plots the training history. A second panel shows the learning rate, because it
# changes.
LossCurveDisplay.from_estimator(search.best_estimator_[-1])
plt.show()
