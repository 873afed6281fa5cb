"""
============================
Input gradients and saliency
============================

The gradient of an output with respect to the input shows which pixels a network is
sensitive to. Gradient ascent on the input finds the input that maximizes the activation
of a unit. This example plots both for a network that classifies digits, together with
the weights of its first layer, and then tests what the gradient explains and what it
does not.
"""

# %%
# Train a network on MNIST
# ------------------------
# The example uses a part of MNIST. A quarter of the images is the test set, and all
# results below are for test images. The penalty is strong. Without it, the weights of
# pixels that are almost always white keep their random initial values, and the plots
# are noisy.
import math
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skmlp import MLPClassifierScratch
from skmlp.datasets import fetch_mnist
from skmlp.plotting import SaliencyDisplay, WeightsDisplay

# Training is expected to reach the maximum number of epochs.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

try:
    X, y = fetch_mnist(return_X_y=True)
except OSError:  # no network, and no MNIST on this machine: smaller images
    X, y = load_digits(return_X_y=True)

image_shape = 2 * (math.isqrt(X.shape[1]),)
X, y = X[:12_000] / X.max(), y[:12_000]
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)

clf = MLPClassifierScratch((64, 32), alpha=1.0, max_iter=20, random_state=0).fit(
    X_train, y_train
)
print(f"images of {image_shape[0]} x {image_shape[1]} pixels")
print(f"accuracy on {len(X_test)} held-out images: {clf.score(X_test, y_test):.3f}")

# %%
# Input gradients
# ---------------
# Below each image is the gradient :math:`\partial f_k(x) / \partial x` of the logit
# :math:`f_k` of the predicted class. Darker red pixels increase the logit, and darker
# blue pixels decrease it. A large part of the gradient is in empty areas. Blue areas
# there mean that ink would decrease the logit, such as inside the 0.
first_of_each = [int(np.flatnonzero(y_test == k)[0]) for k in (0, 3, 4, 7, 9)]
SaliencyDisplay.from_estimator(
    clf, X_test[first_of_each], image_shape=image_shape, signed=True
)
plt.show()

# %%
# Weights of the first layer
# --------------------------
# A unit of the first hidden layer multiplies the image by its weights. Each picture
# shows one column of :math:`W^1`. The units detect strokes and gaps at certain
# positions, and almost never a complete digit.
WeightsDisplay.from_estimator(clf, image_shape=image_shape, n_units=16)
plt.show()

# %%
# Inputs that maximize the activation of a unit
# ---------------------------------------------
# :meth:`~skmlp.MLPClassifierScratch.reconstruct_input` maximizes :math:`f_k(x) -
# \frac{\lambda}{2} \lVert x \rVert_2^2` by gradient ascent. For a unit of the first
# layer, the result is proportional to its weights. The method is more useful for the
# following layers, whose weights are hard to interpret. The upper row shows three
# outputs. The lower row shows, for each of them, the unit of the second hidden layer
# with the largest weight to this output. The gradient of an inactive ReLU unit is zero,
# so that the ascent starts from the image that activates the unit most.
#
# Each picture has its own color scale. Ink activates the unit in red areas and inhibits
# it in blue areas. The outputs respond to ink along the strokes of their digit. They
# are inhibited by ink that would turn the digit into another one: the 3 must not be
# closed on the left, which would make it an 8.
digits = [0, 3, 7]
units = clf.coefs_[-1][:, digits].argmax(axis=0)
A = clf.hidden_activations(X_test)[1]
fig, axes = plt.subplots(2, 3, figsize=(6.4, 4.8), layout="constrained")
for (above, below), k, unit in zip(axes.T, digits, units, strict=True):
    start = X_test[[A[:, unit].argmax()]]
    ideals = (
        clf.reconstruct_input(k, l2=1.0, random_state=0),
        clf.reconstruct_input(unit, layer=1, X_init=start, l2=1.0),
    )
    above.set_title(f"output {k}")
    below.set_title(f"hidden unit {unit}, for {k}")
    for ax, x in zip((above, below), ideals, strict=True):
        limit = np.abs(x).max()
        ax.imshow(x.reshape(image_shape), cmap="RdBu_r", vmin=-limit, vmax=limit)
        ax.set(xticks=[], yticks=[])
plt.show()

# %%
# Test of the gradient
# --------------------
# The gradient states that the network is sensitive to certain pixels. To test this,
# each test image is moved by a step :math:`d` of the same length, either against its
# gradient or in a random direction. If the gradient is correct, the first reduces the
# accuracy much more than the second. For small steps, the gradient also predicts the
# decrease of the logit, :math:`-d \cdot \partial f_k / \partial x`.
G = clf.input_gradient(X_test)
R = np.random.RandomState(0).normal(size=G.shape)
G_unit, R_unit = (D / np.linalg.norm(D, axis=1, keepdims=True) for D in (G, R))
logits = clf.decision_function(X_test)
top = (np.arange(len(X_test)), logits.argmax(axis=1))
print(f"length of an image: {np.linalg.norm(X_test, axis=1).mean():.1f} on average\n")
print("length       accuracy after a step        mean fall of the logit")
print("of step  random  against the gradient      expected    actual")
for length in (0.1, 0.5, 1.0, 1.5, 2.0):
    X_step = X_test - length * G_unit
    accuracy = clf.score(X_step, y_test)
    random = clf.score(X_test + length * R_unit, y_test)
    expected = length * np.linalg.norm(G, axis=1).mean()
    actual = (logits - clf.decision_function(X_step))[top].mean()
    print(f"{length:7.1f}{random:8.3f}{accuracy:22.3f}{expected:14.2f}{actual:10.2f}")

# %%
# The gradient does show what the network is sensitive to: a step against it that is
# much shorter than the image destroys the accuracy, while a random step of the same
# length has no effect. The gradient has the following limitations:
#
# - It is valid only near the given image. The longer the step, the more the logit
#   differs from the prediction of the gradient, because other ReLU units become active.
# - It describes a single logit. The predicted class changes when another logit becomes
#   larger.
# - It does not measure the contribution of a pixel to the prediction. An empty pixel
#   contributes nothing, but can have a large gradient.
# - It does not mean that the network uses the same features as humans. Small changes
#   that are meaningless to humans have the largest effect.
