"""
=======================
What a network looks at
=======================

The gradient of an output with respect to the input says which pixels a network is
sensitive to, and following it upwards shows the input that a unit responds to most.
This page draws both for a network that reads digits, beside the weights of its first
layer, and then puts the gradient to the test, to see what it tells and what it does
not.
"""

# %%
# A network that reads digits
# ---------------------------
#
# A part of MNIST is enough. A quarter of the images is held out: all that is shown or
# counted below is about images that the network was not trained on. The penalty is
# strong: without it, a weight of a pixel that is hardly ever inked stays at the random
# value that it started from, and the pictures are full of noise.
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

# The number of epochs is the training budget: reaching it needs no warning.
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
#
# Below each image is the gradient :math:`\partial f_k(x) / \partial x` of the logit
# :math:`f_k` of the class that is predicted for it. Red pixels raise the logit when
# they get darker, blue ones lower it. Look at the empty places, too: much of the
# gradient is where there is no ink. Blue says that ink there would speak against the
# digit, such as in the hole of the 0.
first_of_each = [int(np.flatnonzero(y_test == k)[0]) for k in (0, 3, 4, 7, 9)]
SaliencyDisplay.from_estimator(
    clf, X_test[first_of_each], image_shape=image_shape, signed=True
)
plt.show()

# %%
# What the first layer has learned
# --------------------------------
#
# A unit of the first hidden layer multiplies the image by its weights. Each of these
# pictures is one column of :math:`W^1`: the units are detectors of strokes here and
# gaps there, hardly ever of a whole digit.
WeightsDisplay.from_estimator(clf, image_shape=image_shape, n_units=16)
plt.show()

# %%
# The ideal input of a unit
# -------------------------
#
# :meth:`~skmlp.MLPClassifierScratch.reconstruct_input` climbs to an :math:`x` with a
# large :math:`f_k(x) - \frac{\lambda}{2} \lVert x \rVert_2^2`. For a unit of the first
# layer that is its weights again, up to a factor. It is the layers above whose weights
# say little by themselves: the upper row has three outputs, the lower one three units
# of the second hidden layer, each that with the largest weight to the output above it.
# A hidden unit with a ReLU that is off has no gradient to climb along, so the ascent
# starts from the image that activates the unit most.
#
# Each picture has a scale of its own, with red for ink that activates the unit and blue
# for ink that inhibits it. The outputs want ink along the strokes of their digit, and
# none where it would make another digit of it: the 3 is not to be closed on the left,
# as it would be in an 8.
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
# What the gradient tells, and what it does not
# ---------------------------------------------
#
# The gradient claims that the network is sensitive to these pixels. To test that, each
# held-out image takes a step :math:`d` of the same length against its gradient, or in a
# random direction. If the claim is true, the first does far more harm than the second.
# For small steps the gradient also says how much the logit must fall, which is
# :math:`-d \cdot \partial f_k / \partial x`.
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
# So the gradient does tell what the network is sensitive to: against it, a step far
# shorter than the image itself ruins the accuracy, while one in a random direction
# costs nothing. But
#
# - it holds at this image alone. The further the step, the more the logit differs from
#   what the gradient has promised, because other units of the ReLU layers are on there;
# - it is of one logit. The prediction changes where another logit gets larger;
# - it does not say how much a pixel has contributed to the prediction: an empty pixel
#   has contributed nothing, and can have a large gradient;
# - it does not say that the network sees what we see: small changes that mean nothing
#   to us are the ones that hurt it most.
