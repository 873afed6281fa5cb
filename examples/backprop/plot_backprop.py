"""
=============================
Backpropagation on one screen
=============================

A network learns by four steps, over and over: forward, backward, divide, step. Here
each of them is a few lines of NumPy below its formula, and the result is compared with
what the package computes. A short loop then trains a network, and it ends at the very
weights of :class:`~skmlp.MLPClassifierScratch`.

The symbols are those of :doc:`the mathematics </mathematics>`. The code is built from
the package's core, whose ``skmlp/core/network.py`` has the same two passes, without new
memory in each step.
"""

# %%
# A network and its parameters
# ----------------------------
# The classes are a disc, a ring around it, and all that is outside, so that no straight
# line can tell them apart. The network has two features, hidden layers of 8 and 5
# units, and an output for each class. The targets :math:`Y` are 1 in the column of the
# class and 0 elsewhere.
#
# A :class:`~skmlp.core.network.Network` knows the shape and the functions, and
# :class:`~skmlp.core.parameters.Parameters` are all the numbers that are learned: one
# flat vector :math:`\theta`, of which :math:`W^l` and :math:`b^l` are views.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_gaussian_quantiles
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skmlp import MLPClassifierScratch
from skmlp.core.activations import ACTIVATIONS
from skmlp.core.initializers import initialize
from skmlp.core.losses import LogLoss
from skmlp.core.network import Network, Workspace
from skmlp.core.optimizers import SGD
from skmlp.core.parameters import Parameters
from skmlp.plotting import LearnedFunctionDisplay

X, y = make_gaussian_quantiles(n_samples=600, n_classes=3, random_state=0)
X, X_test, y, y_test = train_test_split(X, y, random_state=0)
Y = np.eye(3)[y]
n = len(X)

tanh, softmax = ACTIVATIONS["tanh"], ACTIVATIONS["softmax"]
network = Network([2, 8, 5, 3], [tanh, tanh, softmax], LogLoss())
theta = Parameters(network.layer_sizes)
initialize(theta, "glorot_uniform", np.random.RandomState(0))
print(f"theta has {theta.flat.size} numbers")

# %%
# Forward
# -------
# Each layer is a linear map and a function of each number, its activation :math:`g_l`:
#
# .. math:: A^0 = X, \qquad Z^l = A^{l-1} W^l + b^l, \qquad A^l = g_l(Z^l)
#
# The last one is the output, :math:`P = A^L`: a probability for each class. All the
# :math:`A^l` are kept, since the backward pass needs them. The objective :math:`E` is
# the mean over the samples of the loss :math:`\ell_i = -\log p`, with the probability
# :math:`p` of the true class.
(W1, W2, W3), (b1, b2, b3) = theta.coefs, theta.intercepts

A1 = np.tanh(X @ W1 + b1)
A2 = np.tanh(A1 @ W2 + b2)
odds = np.exp(A2 @ W3 + b3)
P = odds / odds.sum(axis=1, keepdims=True)
print(f"loss before training: {-np.log(P[Y == 1]).mean():.4f}")
print(f"that of a guess:      {np.log(3):.4f}")

# %%
# Backward
# --------
# The row :math:`\delta^l_i = \partial \ell_i / \partial Z^l_i` says how the loss of
# sample :math:`i` changes with its :math:`Z^l_i`. It begins at the output, where
# softmax and logarithm cancel out to
#
# .. math:: \delta^L = P - Y
#
# and goes down layer by layer, through the weights that :math:`A^{l-1}` went up
# through, and through the derivative of the activation, which for tanh is
# :math:`g'(z) = 1 - g(z)^2`. This is the chain rule:
#
# .. math:: \delta^{l-1} = \delta^l (W^l)^T \odot g_{l-1}'(Z^{l-1})
D3 = P - Y
D2 = D3 @ W3.T * (1 - A2**2)
D1 = D2 @ W2.T * (1 - A1**2)

# %%
# The gradient of each layer is then one product, of the layer's input and its delta:
#
# .. math::
#
#     \frac{\partial E}{\partial W^l} = \frac{1}{n} (A^{l-1})^T \delta^l, \qquad
#     \frac{\partial E}{\partial b^l} = \frac{1}{n} \sum_i \delta^l_i
#
# Note the shapes: :math:`\delta^l` has that of :math:`A^l`, and the gradient that of
# :math:`W^l`. The matrix product sums over the samples.
gradient = [X.T @ D1 / n, A1.T @ D2 / n, A2.T @ D3 / n]
gradient_b = [D1.sum(axis=0) / n, D2.sum(axis=0) / n, D3.sum(axis=0) / n]

print("l   A^(l-1)     delta^l     dE/dW^l   W^l")
for l, (A, D) in enumerate([(X, D1), (A1, D2), (A2, D3)], start=1):
    dW, W = gradient[l - 1], theta.coefs[l - 1]
    shapes = [str(array.shape) for array in (A, D, dW, W)]
    print(f"{l}   {shapes[0]:12}{shapes[1]:12}{shapes[2]:10}{shapes[3]}")

# %%
# The same by the package
# -----------------------
# ``forward`` and ``backward`` are these lines for any number of layers and any
# activation. A ``Workspace`` holds what the first leaves for the second. The two
# gradients differ by rounding only.
workspace, grad = Workspace(network, n, np.float64), theta.zeros_like()
network.forward(theta, X, None, workspace)
network.backward(theta, Y, None, workspace, grad)
grad.flat /= n

by_hand = np.concatenate([part.ravel() for part in gradient + gradient_b])
print(f"largest component of the gradient: {np.abs(grad.flat).max():.1e}")
print(f"largest difference:                {np.abs(grad.flat - by_hand).max():.1e}")

# %%
# One step
# --------
# The gradient points to where the loss rises most steeply, so an optimizer goes the
# other way. Without momentum, that is :math:`\theta \leftarrow \theta - \eta g`. A
# short step makes the loss smaller; a long one need not.
for learning_rate in (0.1, 1.0, 100.0):
    moved = theta.copy()
    moved.flat -= learning_rate * grad.flat
    loss = network.mean_loss(Y, network.forward(moved, X, None, workspace), None)
    print(f"loss after a step of {learning_rate:5}: {loss:.4f}")

# %%
# The loop
# --------
# This is all of it: 500 epochs of one step each, with Nesterov's momentum.
start = theta.copy()
optimizer = SGD(theta.flat, learning_rate=0.05, momentum=0.9)
work = np.empty_like(theta.flat)  # scratch memory for the optimizer
losses = []
for _ in range(500):
    P = network.forward(theta, X, None, workspace)
    losses.append(network.mean_loss(Y, P, None))
    network.backward(theta, Y, None, workspace, grad)
    grad.flat /= n
    optimizer.step(theta.flat, grad.flat, work)

# %%
# The estimator does the same, from the same weights, and comes to the same weights, to
# the last bit. What it adds is around the loop: it checks the input, draws the weights
# and the mini-batches, and knows when to stop.

# The number of epochs is fixed here: the loss need not have converged.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

clf = MLPClassifierScratch(
    (8, 5),
    activation="tanh",
    solver="sgd",
    learning_rate_init=0.05,
    alpha=0.0,
    batch_size="full",
    max_iter=500,
    n_iter_no_change=500,
    engine="numpy",
)
clf.fit(X, y, coefs_init=start.coefs, intercepts_init=start.intercepts)

theirs = clf.coefs_ + clf.intercepts_
ours = theta.coefs + theta.intercepts
same = all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
print(f"loss of our loop:      {losses[0]:.4f} -> {losses[-1]:.4f}")
print(f"loss of the estimator: {clf.loss_curve_[0]:.4f} -> {clf.loss_curve_[-1]:.4f}")
print(
    f"largest difference:    {np.abs(np.subtract(losses, clf.loss_curve_)).max():.0e}"
)
print(f"same weights:          {same}")
print(f"accuracy on test data: {clf.score(X_test, y_test):.3f}")

# %%
# One curve lies on the other.
epochs = range(1, 501)
_, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
ax.plot(epochs, clf.loss_curve_, linewidth=5, alpha=0.4, label="the estimator")
ax.plot(epochs, losses, "k:", label="our loop")
ax.set(xlabel="epoch", ylabel="loss")
ax.legend()
plt.show()

# %%
# What the network has learned, with the test data: the disc, the ring, and the rest.
LearnedFunctionDisplay.from_estimator(clf, X_test, y_test)
plt.show()

# %%
# How would one find a mistake in the lines above? By a gradient that needs none of
# them: see :func:`~skmlp.check_gradient`.
