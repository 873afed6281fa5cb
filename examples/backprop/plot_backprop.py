"""
============================
Backpropagation step by step
============================

A network is trained by repeating four steps: forward pass, backward pass, division by
the number of samples, and update of the parameters. This example implements each step
in a few lines of NumPy, next to its formula, and compares the result with that of the
package. A short loop then trains a network and gives the same weights as
:class:`~skmlp.MLPClassifierScratch`.

The notation is that of :doc:`the mathematical formulation </mathematics>`. The example
uses the core of the package. Its module ``skmlp/core/network.py`` implements the same
two passes without allocating memory in each step.
"""

# %%
# Network and parameters
# ----------------------
# The classes are a disc, a ring around it, and the area outside, so that they are not
# linearly separable. The network has two features, hidden layers of 8 and 5 units, and
# one output for each class. The targets :math:`Y` are 1 in the column of the class and
# 0 elsewhere.
#
# A :class:`~skmlp.core.network.Network` is a list of layers and a loss.
# :class:`~skmlp.core.parameters.Parameters` stores all numbers that are learned, in one
# flat vector :math:`\theta`. :math:`W^l` and :math:`b^l` are views of it.
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
from skmlp.core.network import Workspace
from skmlp.core.optimizers import SGD
from skmlp.core.parameters import Parameters
from skmlp.layers import make_mlp
from skmlp.plotting import LearnedFunctionDisplay

X, y = make_gaussian_quantiles(n_samples=600, n_classes=3, random_state=0)
X, X_test, y, y_test = train_test_split(X, y, random_state=0)
Y = np.eye(3)[y]
n = len(X)

tanh, softmax = ACTIVATIONS["tanh"], ACTIVATIONS["softmax"]
network = make_mlp([2, 8, 5, 3], [tanh, tanh, softmax], LogLoss())
theta = Parameters(network.layout)
initialize(theta, "glorot_uniform", np.random.RandomState(0))
print(f"theta has {theta.flat.size} numbers")

# %%
# Forward pass
# ------------
# Each layer applies a linear map and an activation function :math:`g_l`:
#
# .. math:: A^0 = X, \qquad Z^l = A^{l-1} W^l + b^l, \qquad A^l = g_l(Z^l)
#
# The output :math:`P = A^L` contains a probability for each class. All :math:`A^l` are
# stored, because the backward pass needs them. The objective :math:`E` is the mean of
# the losses :math:`\ell_i = -\log p` of the samples, where :math:`p` is the probability
# of the true class.
(W1, W2, W3), (b1, b2, b3) = theta.coefs, theta.intercepts

A1 = np.tanh(X @ W1 + b1)
A2 = np.tanh(A1 @ W2 + b2)
odds = np.exp(A2 @ W3 + b3)
P = odds / odds.sum(axis=1, keepdims=True)
print(f"loss before training: {-np.log(P[Y == 1]).mean():.4f}")
print(f"that of a guess:      {np.log(3):.4f}")

# %%
# Backward pass
# -------------
# The row :math:`\delta^l_i = \partial \ell_i / \partial Z^l_i` is the derivative of the
# loss of sample :math:`i` with respect to :math:`Z^l_i`. For softmax and cross-entropy,
# its value at the output is
#
# .. math:: \delta^L = P - Y
#
# The chain rule gives the values of the other layers, from the output to the input. It
# multiplies by the transposed weights and by the derivative of the activation function,
# which is :math:`g'(z) = 1 - g(z)^2` for tanh:
#
# .. math:: \delta^{l-1} = \delta^l (W^l)^T \odot g_{l-1}'(Z^{l-1})
D3 = P - Y
D2 = D3 @ W3.T * (1 - A2**2)
D1 = D2 @ W2.T * (1 - A1**2)

# %%
# The gradient of each layer is the product of the input of the layer and its delta:
#
# .. math::
#
#     \frac{\partial E}{\partial W^l} = \frac{1}{n} (A^{l-1})^T \delta^l, \qquad
#     \frac{\partial E}{\partial b^l} = \frac{1}{n} \sum_i \delta^l_i
#
# :math:`\delta^l` has the shape of :math:`A^l`, and the gradient has the shape of
# :math:`W^l`. The matrix product sums over the samples.
gradient = [X.T @ D1 / n, A1.T @ D2 / n, A2.T @ D3 / n]
gradient_b = [D1.sum(axis=0) / n, D2.sum(axis=0) / n, D3.sum(axis=0) / n]

print("l   A^(l-1)     delta^l     dE/dW^l   W^l")
for l, (A, D) in enumerate([(X, D1), (A1, D2), (A2, D3)], start=1):
    dW, W = gradient[l - 1], theta.coefs[l - 1]
    shapes = [str(array.shape) for array in (A, D, dW, W)]
    print(f"{l}   {shapes[0]:12}{shapes[1]:12}{shapes[2]:10}{shapes[3]}")

# %%
# Comparison with the package
# ---------------------------
# The methods ``forward`` and ``backward`` implement these lines for any number of
# layers and any activation function. A ``Workspace`` stores the results of the forward
# pass for the backward pass, and ``arrange`` returns the arrays of each layer. The two
# gradients differ by rounding only.
workspace, grad = Workspace(network, n, np.float64), theta.zeros_like()
arrays, grads = network.arrange(theta), network.arrange(grad)
network.forward(arrays, X, None, workspace)
network.backward(arrays, Y, None, workspace, grads)
grad.flat /= n

by_hand = np.concatenate([part.ravel() for part in gradient + gradient_b])
print(f"largest component of the gradient: {np.abs(grad.flat).max():.1e}")
print(f"largest difference:                {np.abs(grad.flat - by_hand).max():.1e}")

# %%
# One step of gradient descent
# ----------------------------
# The loss increases most in the direction of the gradient, so that an optimizer moves
# in the opposite direction. Without momentum, the step is :math:`\theta \leftarrow
# \theta - \eta g`. A short step decreases the loss. A long step may increase it.
for learning_rate in (0.1, 1.0, 100.0):
    moved = theta.copy()
    moved.flat -= learning_rate * grad.flat
    P = network.forward(network.arrange(moved), X, None, workspace)
    loss = network.mean_loss(Y, P, None)
    print(f"loss after a step of {learning_rate:5}: {loss:.4f}")

# %%
# Training loop
# -------------
# The loop runs 500 epochs of one step each, with Nesterov's momentum.
start = theta.copy()
optimizer = SGD(theta.flat, learning_rate=0.05, momentum=0.9)
work = np.empty_like(theta.flat)  # scratch memory for the optimizer
losses = []
for _ in range(500):
    P = network.forward(arrays, X, None, workspace)
    losses.append(network.mean_loss(Y, P, None))
    network.backward(arrays, Y, None, workspace, grads)
    grad.flat /= n
    optimizer.step(theta.flat, grad.flat, work)

# %%
# The estimator starts from the same weights and gives bitwise identical weights. In
# addition to the loop, it validates the input, draws the initial weights and
# mini-batches, and determines when to stop.

# The number of epochs is fixed, so that the training may not converge.
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
# The two loss curves are identical.
epochs = range(1, 501)
_, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
ax.plot(epochs, clf.loss_curve_, linewidth=5, alpha=0.4, label="the estimator")
ax.plot(epochs, losses, "k:", label="our loop")
ax.set(xlabel="epoch", ylabel="loss")
ax.legend()
plt.show()

# %%
# The following plot shows the learned classes and the test data.
LearnedFunctionDisplay.from_estimator(clf, X_test, y_test)
plt.show()

# %%
# See :func:`~skmlp.check_gradient` for how to find mistakes in the gradient.
