"""
=====================
Weight initialization
=====================

The variance of the initial weights determines whether a deep network can be trained. If
it is too small, activations and gradients vanish. If it is too large, units saturate or
activations explode. This example measures both effects in each layer, and shows which
initialization suits which activation function.
"""

# %%
# Four initializations
# --------------------
# The network has 15 hidden layers of 64 units. Each unit computes a weighted sum of 64
# numbers. If the weights have a variance of :math:`1 / n_{in}`, the sum is about as
# large as the numbers. Two rules for ``init`` are based on this: ``"glorot_normal"``
# uses :math:`2 / (n_{in} + n_{out})`, which is the same in layers of equal size, and
# ``"he_normal"`` uses twice this variance, :math:`2 / n_{in}`, because a ReLU sets half
# of the numbers to zero. The other two initializers are custom functions whose standard
# deviation does not depend on the size of the layer.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skmlp import MLPClassifierScratch
from skmlp.callbacks import Callback
from skmlp.core.parameters import Parameters
from skmlp.plotting import LossCurveDisplay

# The number of epochs is fixed: some of these networks cannot converge.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)


def small(shape, random_state):
    return random_state.normal(0, 0.05, shape)


def large(shape, random_state):
    return random_state.normal(0, 0.3, shape)


INITS = {
    "small": small,
    "glorot_normal": "glorot_normal",
    "he_normal": "he_normal",
    "large": large,
}
STYLES = ["C0o-", "C1s--", "C4^-.", "kx:"]


def network(activation, init, **options):
    """Return a deep network."""
    return MLPClassifierScratch(
        (64,) * 15,
        activation=activation,
        init=init,
        solver="sgd",
        random_state=0,
        **options,
    )


# %%
# Activations and gradients before training
# -----------------------------------------
# For each layer, the following plots show the standard deviation of the activations
# :math:`A^l` and the gradient of the biases. This gradient is the mean of the deltas,
# and measures how much of the error reaches the layer:
#
# .. math:: \frac{\partial E}{\partial b^l} = \frac{1}{n} \sum_i \delta^l_i
#
# A callback can read the gradient, which is one vector. ``Parameters`` provides views
# for the layers. The training consists of a single step that is too short to change the
# results.


class BiasGradients(Callback):
    """Record the root mean square of the gradient of the biases of each layer."""

    needs_gradient = True

    def on_epoch_end(self, training):
        gradient = Parameters(training.theta.layout, flat=training.gradient)
        self.sizes_ = [np.sqrt(np.mean(b**2)) for b in gradient.intercepts[:-1]]


spreads, gradients = {}, {}
for activation in "tanh", "relu":
    for name, init in INITS.items():
        callback = BiasGradients()
        clf = network(
            activation,
            init,
            learning_rate_init=1e-12,
            max_iter=1,
            batch_size="full",
            callbacks=callback,
        )
        clf.fit(X_train, y_train)
        A = clf.hidden_activations(X_train)
        spreads[activation, name] = [layer.std() for layer in A]
        gradients[activation, name] = callback.sizes_


def plot_layers(values, ylabel):
    """Plot a panel for each activation function, with a line per initialization."""
    _, axes = plt.subplots(
        ncols=2, figsize=(8, 4.2), sharex=True, sharey=True, layout="constrained"
    )
    for ax, activation in zip(axes, ["tanh", "relu"], strict=True):
        for name, style in zip(INITS, STYLES, strict=True):
            line = values[activation, name]
            ax.semilogy(range(1, 16), line, style, markersize=4, label=name)
        ax.set(title=activation, xlabel="hidden layer", xticks=range(1, 16, 2))
        ax.grid(alpha=0.3)
    axes[0].set_ylabel(ylabel)
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].figure.legend(handles, labels, loc="outside lower center", ncols=4)


# %%
# The forward pass goes from left to right. With small weights, the activations decrease
# in each layer. With large weights, tanh units saturate, and ReLU activations, which
# are not bounded, explode. With ``"glorot_normal"``, tanh units do not saturate, but
# ReLU layers lose half of the variance in each layer. ``"he_normal"`` compensates for
# this.
plot_layers(spreads, "standard deviation of $A^l$")
plt.show()

# %%
# The backward pass goes from right to left, through the same weights. With small
# weights, the gradient of the first layers vanishes. With large weights, the gradient
# increases towards the first layers.
plot_layers(gradients, r"size of $\partial E / \partial b^l$ (root mean square)")
plt.show()

# %%
# Accuracy after training
# -----------------------
# The same networks are trained for 20 epochs. If the training diverges, ``fit`` raises
# an error.
trained = {}
print("activation  init            test accuracy")
for activation in "tanh", "relu":
    for name, init in INITS.items():
        clf = network(
            activation,
            init,
            learning_rate_init=0.01,
            max_iter=20,
            n_iter_no_change=np.inf,
            batch_size=64,
        )
        try:
            clf.fit(X_train, y_train)
        except ValueError as error:
            result = "diverged" if "diverged" in str(error) else str(error)
        else:
            result = f"{clf.score(X_test, y_test):.3f}"
            trained[activation, name] = clf
        print(f"{activation:12}{name:16}{result}")

# %%
# With tanh, both rules are suitable. With ReLU, the larger variance of ``"he_normal"``
# makes the network learn from the start, while ``"glorot_normal"`` needs many epochs
# before it learns. With small weights, the network does not learn: the loss stays at
# :math:`\log 10`, the dotted line, which is the loss of a random guess among ten
# digits.
display = LossCurveDisplay.from_estimators(
    {name: clf for (activation, name), clf in trained.items() if activation == "relu"}
)
display.ax_.axhline(np.log(10), color="black", linestyle=":")
display.ax_.set_title("relu")
plt.show()

# %%
# The default, ``init="auto"``, is the rule of scikit-learn. Its variance is that of
# ``"glorot_normal"``, except for logistic units. For networks with two or three layers,
# the two rules give similar results, because a factor of 2 in so few layers has little
# effect. Use ``"he_normal"`` for deep ReLU networks.
