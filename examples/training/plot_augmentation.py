"""
=================
Data augmentation
=================

The parameter ``augment`` is a function that changes each training batch in ways that do
not change the classes. This example shifts images of digits by one pixel at random, and
compares the accuracy with and without augmentation on original and on shifted test
images.
"""

# %%
# Define an augmentation function
# -------------------------------
# ``augment`` is called with each batch of X and with the random generator of the
# training. The augmentation is therefore determined by ``random_state``. The function
# returns an array of the same shape. This one shifts images by -1, 0 or 1 pixels in
# both directions, and does not change about half of them. Pixels that are shifted out
# of an image are lost.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skmlp import MLPClassifierScratch
from skmlp.plotting import LossCurveDisplay

# Training is expected to reach the maximum number of epochs.
warnings.filterwarnings("ignore", category=ConvergenceWarning)


def shift(X_batch, rng):
    images = np.pad(X_batch.reshape(-1, 8, 8), [(0, 0), (1, 1), (1, 1)])
    i = np.arange(len(images))[:, np.newaxis, np.newaxis]
    top, left = rng.integers(3, size=(2, len(images), 1, 1))
    rows, columns = top + np.arange(8)[:, np.newaxis], left + np.arange(8)
    return images[i, rows, columns].reshape(X_batch.shape)


def shift_half(X_batch, rng):
    is_shifted = rng.random((len(X_batch), 1)) < 0.5
    return np.where(is_shifted, shift(X_batch, rng), X_batch)


X, y = load_digits(return_X_y=True)
X_pool, X_test, y_pool, y_test = train_test_split(
    X / 16, y, test_size=0.5, stratify=y, random_state=0
)

# %%
# The first row shows six original images. The other rows show them as the network could
# see them in three epochs.
rng = np.random.default_rng(1)
rows = [X_pool[:6]] + [shift_half(X_pool[:6], rng) for _ in range(3)]
_, axes = plt.subplots(4, 6, figsize=(6.4, 4.4), layout="constrained")
for panels, images in zip(axes, rows, strict=True):
    for ax, image in zip(panels, images, strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r")
        ax.set(xticks=[], yticks=[])
for ax, name in zip(
    axes[:, 0], ["original", "epoch 1", "epoch 2", "epoch 3"], strict=True
):
    ax.set_ylabel(name)
plt.show()

# %%
# Train on 100 images
# -------------------
# The validation images are shifted once. Without augmentation, the network memorizes
# the training images: the training loss decreases almost to zero, and the validation
# loss soon increases. With augmentation, the validation loss decreases. The training
# loss is then computed on the augmented images.
params = {
    "hidden_layer_sizes": (100,),
    "batch_size": 20,
    "learning_rate_init": 0.002,
    "max_iter": 120,
    "n_iter_no_change": np.inf,
}
X_train, X_val, y_train, y_val = train_test_split(
    X_pool, y_pool, train_size=100, stratify=y_pool, random_state=0
)
X_val = shift(X_val, rng)
trained = {}
for name, augment in {"plain": None, "augmented": shift_half}.items():
    clf = MLPClassifierScratch(**params, augment=augment, random_state=0)
    trained[name] = clf.fit(X_train, y_train, X_val=X_val, y_val=y_val)
LossCurveDisplay.from_estimators(trained)
plt.show()

# %%
# Accuracy by number of training images
# -------------------------------------
# There are two test sets: the original images and the same images after a shift.
# Training sets of each size are drawn four times. The table shows means over the draws.
# The bands in the plot show standard deviations.
X_shifted = shift(X_test, rng)
tests = {"test images as they are": X_test, "shifted test images": X_shifted}
sizes = [50, 100, 200, 400]
scores = np.zeros((len(tests), 2, len(sizes), 4))
for i, size in enumerate(sizes):
    for seed in range(4):
        X_train, _, y_train, _ = train_test_split(
            X_pool, y_pool, train_size=size, stratify=y_pool, random_state=seed
        )
        for a, augment in enumerate([None, shift_half]):
            clf = MLPClassifierScratch(**params, augment=augment, random_state=seed)
            clf.fit(X_train, y_train)
            for t, X_seen in enumerate(tests.values()):
                scores[t, a, i, seed] = clf.score(X_seen, y_test)
for test, (plain, augmented) in zip(tests, scores.mean(axis=3), strict=True):
    print(f"{test:24}" + "".join(f"{size:6} images" for size in sizes))
    print(f"{'  plain':24}" + "".join(f"{score:13.3f}" for score in plain))
    print(f"{'  augmented':24}" + "".join(f"{score:13.3f}" for score in augmented))

# %%
# All original images are centered, and augmentation has little effect on them. On
# shifted images, it increases the accuracy considerably: the plain network has learned
# the pixel positions of centered digits. More images of the same kind do not help much.
# Use augmentation if new data will vary more than the training data.
_, axes = plt.subplots(
    1, 2, figsize=(8, 3.8), layout="constrained", sharex=True, sharey=True
)
for ax, test, values in zip(axes, tests, scores, strict=True):
    for name, value, marker in zip(["plain", "augmented"], values, "os", strict=True):
        mean, std = value.mean(axis=1), value.std(axis=1)
        ax.plot(sizes, mean, marker=marker, label=name)
        ax.fill_between(sizes, mean - std, mean + std, alpha=0.2)
    ax.set(title=test, xlabel="number of training images", xscale="log")
    ax.set_xticks(sizes, sizes)
    ax.minorticks_off()
axes[0].set_ylabel("accuracy")
axes[0].legend(loc="lower right")
plt.show()
