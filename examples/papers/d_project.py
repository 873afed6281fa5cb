"""D: "Project 2: Building a Neural Network code" (2025)

The document is a student project. It implements networks with an activation function
for each layer, three solvers, and L1 and L2 penalties. It trains them on the Runge
function $1 / (1 + 25 x^2)$ and on MNIST, and compares them with least squares,
scikit-learn and PyTorch.

The Runge data are 100 points on [-1, 1]. Data "with noise" have normal noise with a
standard deviation of 0.1. 20 % of the points are test samples. $x$ is standardized with
the mean and standard deviation of the training samples.

The document does not state all settings. The experiments on this page use equidistant
points, a split with seed 0, scikit-learn's initial weights, and a decay rate of 0.99
for RMSProp. They use full batches, so that an epoch is one step, unless stated
otherwise. Losses are half the mean squared error. "MSE" is the mean squared error. A
dash means that no published result is known.

Training always runs to the last epoch. Training on the Runge function uses one thread,
and training on MNIST uses one thread per core. The plain loop starts from the weights
of skmlp and processes the samples in the same order.
"""

import os
import sys

import matplotlib.pyplot as plt
import numpy as np
from d_common import HIDDEN, network, runge_split, standardized
from d_mnist import mnist
from d_peers import gradients, libraries
from d_runge import least_squares, penalty_maps, solver_maps, solvers
from d_validation import bias_and_variance, cross_validation
from report import main
from threadpoolctl import threadpool_limits

from skmlp.core.activations import ACTIVATIONS
from skmlp.plotting import ActivationDisplay
from skmlp.plotting.activation import Curve


def run(page):
    """Add all sections."""
    activations(page)
    gradients(page)
    least_squares(page)
    solvers(page)
    solver_maps(page)
    penalty_maps(page)
    libraries(page)
    cross_validation(page)
    bias_and_variance(page)
    with threadpool_limits(os.cpu_count()):
        mnist(page)


def activations(page):
    """Plot the activation functions, and train networks with several of them."""
    page.heading("Activation functions")
    fig, axes = plt.subplots(2, 3, figsize=(8.4, 4.8), layout="constrained")
    display = ActivationDisplay.from_activation(HIDDEN, ax=axes.flat[:5])
    z = display.curves[0].z
    ActivationDisplay([softmax_curve(z)]).plot(ax=axes.flat[5:])
    axes[1, 2].get_legend().remove()
    axes[0, 1].set_xlabel("")
    axes[0, 2].set_xlabel("")
    page.picture(
        fig,
        "activations",
        "Activation functions and their derivatives, computed by the code that trains "
        "the networks. For softmax, the probability of the first of three classes.",
    )
    X, X_test, y, y_test = standardized(*runge_split())
    columns = {"hidden layers": [], "output": [], "R² on the test samples": []}
    for output in ("identity", "logistic", "tanh"):
        reg = network(
            (50, 50),
            activation=["tanh", "logistic"],
            output_activation=output,
            batch_size=8,
        ).fit(X, y)
        columns["hidden layers"].append("50 tanh, 50 sigmoid")
        columns["output"].append(output.replace("logistic", "sigmoid"))
        columns["R² on the test samples"].append(f"{reg.score(X_test, y_test):.4f}")
    page.add(
        "Each layer, including the output layer, can have its own activation function. "
        "The table shows networks trained on the Runge function without noise, for 500 "
        "epochs of Adam with a learning rate of 5e-3 and batches of 8:"
    )
    page.table(columns)


def softmax_curve(z):
    """Return the first of three probabilities as a function of its logit."""
    softmax = ACTIVATIONS["softmax"]
    Z = z[:, np.newaxis] * [1, 0, 0]
    A = softmax.apply(Z.copy())
    delta = np.zeros_like(A)
    delta[:, 0] = 1
    softmax.backward(Z, A, delta, np.empty_like(A))
    return Curve("softmax of (z, 0, 0)", z, A[:, 0], delta[:, 0])


if __name__ == "__main__":
    main(sys.modules[__name__])
