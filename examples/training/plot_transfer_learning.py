"""
====================================
Transfer learning: digits 0-4 to 5-9
====================================

Weights that were learned on one task help with another where the two have much in
common, and may do harm where they have not. Here a network that knows the digits 0 to 4
goes on to the digits 5 to 9, and to a camera with a bad sensor, with few images to
learn from.
"""

# %%
# One source task, two target tasks
# ---------------------------------
# The source task is to tell the digits 0 to 4 apart, on half of their images. The first
# target task has new classes, the digits 5 to 9. The second one has the classes of the
# source, in new images by a bad sensor: each of its pixels has an offset of its own,
# and noise besides. Half of the images of a target task are its test set. The training
# sets, which are small, are drawn from the other half.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skmlp import MLPClassifierScratch

# The number of epochs is the training budget: reaching it needs no warning.
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
# ``coefs_init`` and ``intercepts_init`` of ``fit`` are the weights to begin with, where
# None stands for a layer that is drawn afresh. For new classes, the first layer is
# carried over, whose units look at the images, and the layers above it are new. For the
# classes of the source, all layers are carried over. The training has two stages: at
# first, ``frozen_layers`` keeps the first layer as it is. Then, with ``warm_start``,
# all layers are trained, at half the learning rate. So the large gradients of new
# layers do not spoil at once what was carried over. From scratch, the network gets as
# many epochs as both stages have.
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
# Accuracy against the number of samples
# --------------------------------------
# Each training set is drawn six times, and both ways learn from the same draws. The
# numbers are means and standard deviations over the draws, of the accuracy on the test
# set; chance is 0.2. On the images of the bad sensor, the source network can be tested
# as it is, too, for its classes are the same.
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
# With new classes nothing is gained, and the fewer the samples, the more accuracy is
# lost: what tells 0 to 4 apart is not what tells 5 to 9 apart, and images this small
# and clean are easily learned from scratch. With the bad sensor the gain is the larger,
# the fewer the samples: what the digits look like is known already, and only the
# offsets are to be learned. The source network as it is does not know them. To call a
# transfer a success, compare it with training from scratch: without that curve, the
# left panel would look like a success, too.
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
