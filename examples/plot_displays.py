"""
=======================================
Visualization: overview of the displays
=======================================

This example shows all plots of networks that skmlp provides, and explains how to read
them. They follow the conventions of scikit-learn's displays: a class method such as
``from_estimator`` computes the data and plots them, ``plot`` plots them again, ``ax``
sets the axes, and attributes store the Matplotlib objects.
"""

# %%
# Two networks
# ------------
# The first network classifies handwritten digits. It is trained with a validation set.
# The second network has a single input, so that its output can be plotted as a
# function. A :class:`~skmlp.callbacks.WeightRecorder` stores its weights after every
# fourth epoch.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, train_test_split

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.callbacks import WeightRecorder
from skmlp.plotting import (
    ActivationDisplay,
    LearnedFunctionDisplay,
    LossCurveDisplay,
    NetworkDisplay,
    SaliencyDisplay,
    SearchHeatmapDisplay,
    WeightEvolutionDisplay,
    WeightsDisplay,
    animate_training,
)

# Training is expected to reach the maximum number of epochs.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

X, y = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(X / 16, y, random_state=0)
clf = MLPClassifierScratch(
    (30, 20),
    learning_rate_init=0.005,
    early_stopping=True,
    early_stopping_metric="loss",
    random_state=0,
)
clf.fit(X_train, y_train, X_val=X_val, y_val=y_val)


def target(x):
    return np.sin(3 * x[:, 0])


x = np.linspace(-1.5, 1.5, 60)[:, np.newaxis]
t = target(x) + np.random.default_rng(0).normal(scale=0.2, size=len(x))
recorder = WeightRecorder(every=4)
reg = MLPRegressorScratch(
    hidden_layer_sizes=(20,),
    activation="tanh",
    batch_size="full",
    learning_rate="cosine",
    learning_rate_init=0.05,
    max_iter=400,
    n_iter_no_change=np.inf,
    callbacks=recorder,
    random_state=0,
).fit(x, t)

# %%
# Architecture of the network
# ---------------------------
# ``summary`` returns a table of the layers. In a notebook, it is also shown below the
# diagram of the estimator.
clf.summary()

# %%
# :class:`~skmlp.plotting.NetworkDisplay` draws the layers of a large network, or every
# unit and weight of a small one. Positive weights are blue and negative weights are
# vermilion. The width of a line is proportional to the size of the weight.
_, axes = plt.subplots(2, figsize=(7, 7), layout="constrained")
NetworkDisplay.from_estimator(clf, ax=axes[0])
NetworkDisplay.from_estimator(reg, ax=axes[1])
plt.show()

# %%
# Training
# --------
# :class:`~skmlp.plotting.LossCurveDisplay` plots the loss by epoch: solid lines for the
# training data, dashed lines for the validation data. A dot marks the epoch whose
# weights were kept. After this epoch, the training loss decreases further and the
# validation loss does not: the network starts to overfit. The score has a separate
# panel. The learning rate has one if it changes.
LossCurveDisplay.from_estimator(clf)
plt.show()

# %%
# :class:`~skmlp.plotting.LearnedFunctionDisplay` plots the output of a network with one
# or two inputs, after the training or after several epochs. The function of this
# network is almost linear at first and becomes more curved as the weights grow.
LearnedFunctionDisplay.from_recorder(
    recorder, reg, x, t, epochs=[4, 40, 100, 400], target=target
)
plt.show()

# %%
# :class:`~skmlp.plotting.WeightEvolutionDisplay` plots the recorded values: every
# weight and bias of each layer, the norm of the gradient, and the angle between
# consecutive recorded gradients. If the angle is near 0 degrees, consecutive steps have
# the same direction. If it is near 180 degrees, they have opposite directions, and the
# weights oscillate.
WeightEvolutionDisplay.from_recorder(recorder)
plt.show()

# %%
# :func:`~skmlp.plotting.animate_training` shows these values and the error on the
# samples as an animation. The argument ``path`` saves it to a file.
film = animate_training(recorder, reg, x, t, target=target, max_frames=20, fps=5)
plt.draw()  # the first frame, also where there is no window
plt.show()

# %%
# Weights, activations and gradients
# ----------------------------------
# :class:`~skmlp.plotting.WeightsDisplay` shows the weights of the first layer as
# images, one for each hidden unit. Dark pixels of the input activate a unit where its
# weights are red, and inhibit it where they are blue. The units with the largest
# weights are shown. The pixels at the left and right edges are almost always white, so
# that their weights depend mostly on the initialization and on a few images.
WeightsDisplay.from_estimator(clf, image_shape=(8, 8), n_units=12)
plt.show()

# %%
# Without an image shape, it shows histograms of the weights of each layer. Most weights
# in the peaks at zero hardly affect the loss: they belong to pixels that are almost
# always white and to dead units. Only the penalty acts on them.
WeightsDisplay.from_estimator(clf)
plt.show()

# %%
# :class:`~skmlp.plotting.ActivationDisplay` plots activation functions and their
# derivatives, computed by the code that trains the networks. GELU is a smooth variant
# of ReLU. Its derivative, the dashed line, is continuous.
ActivationDisplay.from_activation(["relu", "gelu"])
plt.show()

# %%
# For a fitted network, it shows the activations of each layer. The left panel shows
# their distribution, and the right panel shows possible problems. Dead units are 0 for
# all samples. Saturated activations have a derivative close to zero. For ReLU, these
# are the zeros, so that a large share of them is normal.
ActivationDisplay.from_estimator(clf, X_val)
plt.show()

# %%
# :class:`~skmlp.plotting.SaliencyDisplay` shows the derivative of the logit of the
# predicted class with respect to each pixel. With ``signed=True``, red pixels increase
# the logit when they become darker, and blue pixels decrease it.
SaliencyDisplay.from_estimator(clf, X_val[:4], image_shape=(8, 8), signed=True)
plt.show()

# %%
# Search results
# --------------
# :class:`~skmlp.plotting.SearchHeatmapDisplay` shows the results of a search over two
# parameters, by any of its metrics. A frame marks the best candidate. If it is at the
# edge of the grid, as here for ``alpha``, a larger grid may contain a better candidate.
grid = {"alpha": [1e-2, 1e0, 1e2], "learning_rate_init": [1e-4, 1e-3, 1e-2, 1e-1]}
mlp = MLPClassifierScratch((30,), max_iter=20, random_state=0)
search = GridSearchCV(mlp, grid, cv=3).fit(X_train, y_train)
SearchHeatmapDisplay.from_search(search)
plt.show()
