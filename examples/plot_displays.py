"""
==============================
See it learn: all the displays
==============================

This page shows every picture that skmlp draws of a network, and how to read it. They
are displays in scikit-learn's manner: a class method, ``from_estimator`` or the like,
computes what it shows and plots it, ``plot`` draws it again, ``ax=`` says where, and
what was drawn is in attributes.
"""

# %%
# Two networks
# ------------
# The first one tells handwritten digits apart, and is given validation samples on which
# to watch it learn. The second one has a single input, so that all that it computes can
# be drawn; a :class:`~skmlp.callbacks.WeightRecorder` keeps its weights of every fourth
# epoch.
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

# The number of epochs is the training budget: reaching it needs no warning.
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
# The network
# -----------
# ``summary`` is a table of the layers. In a notebook it is also shown below the diagram
# of the estimator.
clf.summary()

# %%
# :class:`~skmlp.plotting.NetworkDisplay` draws the layers of a large network, or every
# unit and every weight of a small one. There, blue is positive, vermilion negative, and
# the thicker a line, the larger the weight.
_, axes = plt.subplots(2, figsize=(7, 7), layout="constrained")
NetworkDisplay.from_estimator(clf, ax=axes[0])
NetworkDisplay.from_estimator(reg, ax=axes[1])
plt.show()

# %%
# How it learns
# -------------
# :class:`~skmlp.plotting.LossCurveDisplay` shows the loss over the epochs: solid on the
# training data, dashed on the validation data. A dot marks the epoch whose weights were
# kept. To the right of it the training loss goes on falling, and the validation loss
# does not: the network begins to overfit. The score has a panel of its own, as has the
# learning rate where it varies.
LossCurveDisplay.from_estimator(clf)
plt.show()

# %%
# :class:`~skmlp.plotting.LearnedFunctionDisplay` shows what a network with one or two
# inputs makes of them, after the training or at several epochs of it. This one begins
# nearly as a straight line, and its bends grow as the weights do.
LearnedFunctionDisplay.from_recorder(
    recorder, reg, x, t, epochs=[4, 40, 100, 400], target=target
)
plt.show()

# %%
# :class:`~skmlp.plotting.WeightEvolutionDisplay` shows what the recorder has seen:
# every weight and bias of each layer, the norm of the gradient, and the angle between
# one recorded gradient and the next. Where it is near 0 degrees, the steps add up;
# where it is near 180, they go to and fro across a valley.
WeightEvolutionDisplay.from_recorder(recorder)
plt.show()

# %%
# :func:`~skmlp.plotting.animate_training` shows all of it as a film, with the error on
# the samples. With ``path=`` it is saved.
film = animate_training(recorder, reg, x, t, target=target, max_frames=20, fps=5)
plt.draw()  # the first frame, also where there is no window
plt.show()

# %%
# Weights, activations, gradients
# -------------------------------
# :class:`~skmlp.plotting.WeightsDisplay` shows the weights of the first layer as
# images, one for each hidden unit: ink activates it where they are red, and inhibits it
# where they are blue. Here are the units with the largest weights. The pixels at the
# left and right edges are nearly always white: their weights owe more to the random
# start, and to a few images, than to the digits.
WeightsDisplay.from_estimator(clf, image_shape=(8, 8), n_units=12)
plt.show()

# %%
# Without the shape of the images it shows the weights of each layer as a histogram.
# Most weights in the peaks at zero are those that the loss hardly depends on, of pixels
# that are nearly always white and of dead units: only the penalty acts on them.
WeightsDisplay.from_estimator(clf)
plt.show()

# %%
# :class:`~skmlp.plotting.ActivationDisplay` draws activation functions with their
# derivatives, both computed by the code that trains. GELU is a smooth ReLU: its
# derivative, dashed, has no jump.
ActivationDisplay.from_activation(["relu", "gelu"])
plt.show()

# %%
# For a fitted network, it shows what the activations are like in each layer: on the
# left their distribution, on the right what may be wrong with them. Dead units are 0
# for all samples; saturated activations have almost no slope. For ReLU the latter are
# just its zeros, so that many of them are no cause for alarm.
ActivationDisplay.from_estimator(clf, X_val)
plt.show()

# %%
# :class:`~skmlp.plotting.SaliencyDisplay` shows which inputs the logit of the predicted
# class depends on, as the derivative with respect to each pixel. With ``signed=True``,
# more ink at a red pixel speaks for the predicted class, at a blue one against it.
SaliencyDisplay.from_estimator(clf, X_val[:4], image_shape=(8, 8), signed=True)
plt.show()

# %%
# A search
# --------
# :class:`~skmlp.plotting.SearchHeatmapDisplay` shows a finished search over two
# parameters, by any of its metrics, with a frame around the best candidate. It tells
# whether that one is inside the grid, or at an edge, as here for ``alpha``, where a
# wider grid might have a better one.
grid = {"alpha": [1e-2, 1e0, 1e2], "learning_rate_init": [1e-4, 1e-3, 1e-2, 1e-1]}
mlp = MLPClassifierScratch((30,), max_iter=20, random_state=0)
search = GridSearchCV(mlp, grid, cv=3).fit(X_train, y_train)
SearchHeatmapDisplay.from_search(search)
plt.show()
