"""
====================================
Transfer learning: digits 0-4 to 5-9
====================================

Weights that were learned on one task can help with a similar task, but they can also
reduce the accuracy if the tasks differ too much. This example pretrains a network on
the digits 0 to 4. It then trains the network on few images of the digits 5 to 9, and on
few images of the digits 0 to 4 from a different camera.
"""

# %%
# Source and target tasks
# -----------------------
# The source task is to classify the digits 0 to 4, with half of their images. The first
# target task has new classes, the digits 5 to 9. The second target task has the same
# classes as the source, but new images of a low-quality sensor: every pixel has a fixed
# offset and noise. Half of the images of a target task are its test set. Small training
# sets are drawn from the other half.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skmlp import MLPClassifierScratch

# Training is expected to reach the maximum number of epochs.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

X, y = load_digits(return_X_y=True)
X = X / 16
small = y < 5
X_source, X_rest, y_source, y_rest = train_test_split(
    X[small], y[small], test_size=0.5, random_state=0
)
rng = np.random.default_rng(0)
offsets = rng.uniform(-1, 1, size=X.shape[1])
X_sensor = X_rest + offsets + rng.normal(scale=0.3, size=X_rest.shape)
split = {"test_size": 0.5, "random_state": 0}
tasks = {
    "new classes": train_test_split(X[~small], y[~small], **split),
    "a bad sensor": train_test_split(X_sensor, y_rest, **split),
}
_, axes = plt.subplots(1, 3, figsize=(6.4, 2.4), layout="constrained")
images = {"source": X_source} | {name: task[0] for name, task in tasks.items()}
for ax, (name, rows) in zip(axes, images.items(), strict=True):
    tiles = np.pad(rows[:12].reshape(3, 4, 8, 8), [(0, 0), (0, 0), (1, 1), (1, 1)])
    tiles = tiles.swapaxes(1, 2).reshape(30, 40)
    ax.imshow(tiles, cmap="gray_r", vmin=0, vmax=1)
    ax.set(title=name, xticks=[], yticks=[])
plt.show()

# %%
# Pretraining and fine-tuning
# ---------------------------
# The arguments ``coefs_init`` and ``intercepts_init`` of ``fit`` are the initial
# weights. None stands for a layer that is drawn at random. For new classes, only the
# first layer is transferred. For the classes of the source task, all layers are
# transferred.
#
# The training has two stages. In the first stage, ``frozen_layers`` keeps the first
# layer fixed. In the second stage, ``warm_start=True`` continues the training of all
# layers with half the learning rate. This avoids large changes of the transferred
# layers by the initially large gradients of new layers. The network that is trained
# from scratch has as many epochs as both stages together.
params = {
    "hidden_layer_sizes": (128, 32),
    "batch_size": 10,
    "n_iter_no_change": np.inf,
}
source = MLPClassifierScratch(**params, max_iter=20, random_state=0)
source.fit(X_source, y_source)


def from_scratch(X, y, seed):
    clf = MLPClassifierScratch(**params, max_iter=40, random_state=seed)
    return clf.fit(X, y)


def fine_tuned(X, y, seed):
    coefs, intercepts = list(source.coefs_), list(source.intercepts_)
    if set(y) != set(source.classes_):
        coefs[1:] = intercepts[1:] = [None, None]
    clf = MLPClassifierScratch(
        **params, max_iter=20, frozen_layers=[0], random_state=seed
    )
    clf.fit(X, y, coefs_init=coefs, intercepts_init=intercepts)
    clf.set_params(frozen_layers=(), warm_start=True, learning_rate_init=5e-4)
    return clf.fit(X, y)


# %%
# Accuracy by number of samples
# -----------------------------
# Each training set is drawn six times, and both methods use the same training sets. The
# table shows means and standard deviations of the test accuracy over the draws. Random
# guessing has an accuracy of 0.2. On the images of the low-quality sensor, the source
# network can also be tested without further training, because it has the same classes.
ways = {"from scratch": from_scratch, "fine-tuned": fine_tuned}
sizes = [10, 20, 50, 100, 180]
n_draws = 6
results = {}
as_it_is = source.score(*tasks["a bad sensor"][1::2])
for task, (X_pool, X_test, y_pool, y_test) in tasks.items():
    print(f"{task:16}" + "".join(f"{name:>20}" for name in ways))
    scores = np.zeros((len(ways), len(sizes), n_draws))
    for i, size in enumerate(sizes):
        for seed in range(n_draws):
            X_train, _, y_train, _ = train_test_split(
                X_pool, y_pool, train_size=size, stratify=y_pool, random_state=seed
            )
            for way, fit in enumerate(ways.values()):
                clf = fit(X_train, y_train, seed)
                scores[way, i, seed] = clf.score(X_test, y_test)
        cells = (f"{s.mean():11.3f} +- {s.std():5.3f}" for s in scores[:, i])
        print(f"{size:8} samples" + "".join(f"{cell:>20}" for cell in cells))
    results[task] = scores
print(f"a bad sensor, the source network as it is: {as_it_is:.3f}")

# %%
# With new classes, transfer reduces the accuracy, and more so with fewer samples:
# features that separate the digits 0 to 4 do not separate the digits 5 to 9, and images
# this small can easily be learned from scratch. With the low-quality sensor, transfer
# increases the accuracy, and more so with fewer samples: the shapes of the digits are
# already known, and only the offsets have to be learned. Always compare transfer
# learning with training from scratch. Without this comparison, the result in the left
# panel would also look good.
_, axes = plt.subplots(
    1, 2, figsize=(8, 3.8), layout="constrained", sharex=True, sharey=True
)
for ax, (task, scores) in zip(axes, results.items(), strict=True):
    for name, values, marker in zip(ways, scores, "os", strict=True):
        mean, std = values.mean(axis=1), values.std(axis=1)
        ax.plot(sizes, mean, marker=marker, label=name)
        ax.fill_between(sizes, mean - std, mean + std, alpha=0.2)
    ax.set(title=task, xlabel="number of training samples", xscale="log")
    ax.set_xticks(sizes, sizes)
    ax.minorticks_off()
axes[1].axhline(as_it_is, color="black", linestyle=":", label="source as it is")
axes[0].set_ylabel("test accuracy")
axes[1].legend(loc="center right")
plt.show()
