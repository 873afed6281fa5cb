"""Training in plain NumPy, one sample after the other, as in the documents.

The code is independent of skmlp.
"""

import math

import numpy as np


def sigmoid(z):
    """Return the logistic function."""
    return 1 / (1 + np.exp(-z))


def softmax(z):
    """Return the probabilities of the classes."""
    exp = np.exp(z - z.max())
    return exp / exp.sum()


# Each activation, and its derivative as a function of z and a = g(z).
ACTIVATIONS = {
    "identity": (lambda z: z, lambda z, a: np.ones_like(z)),
    "logistic": (sigmoid, lambda z, a: a * (1 - a)),
    "tanh": (np.tanh, lambda z, a: 1 - a**2),
    "relu": (lambda z: np.maximum(z, 0), lambda z, a: (z > 0) * 1.0),
    "leaky_relu": (
        lambda z: np.where(z > 0, z, 0.01 * z),
        lambda z, a: np.where(z > 0, 1, 0.01),
    ),
    # Softmax with cross-entropy: the gradient with respect to z is a - y already.
    "softmax": (softmax, lambda z, a: np.ones_like(z)),
}


class PlainNetwork:
    """A multilayer perceptron that processes one sample at a time.

    Parameters
    ----------
    coefs, intercepts : list of ndarray
        Weights of shape (n_in, n_out) and biases of shape (n_out,) of each layer.

    activations : list of str
        One for each layer.
    """

    def __init__(self, coefs, intercepts, activations):
        self.coefs = [W.copy() for W in coefs]
        self.intercepts = [b.copy() for b in intercepts]
        self.activations = [ACTIVATIONS[name] for name in activations]

    def forward(self, x):
        """Return the activations A of all layers, starting with x, and all Z."""
        A, Z = [x], []
        for W, b, (g, _) in zip(
            self.coefs, self.intercepts, self.activations, strict=True
        ):
            Z.append(A[-1] @ W + b)
            A.append(g(Z[-1]))
        return A, Z

    def predict(self, X):
        """Return the output for each sample, one after the other."""
        return np.array([self.forward(x)[0][-1] for x in X])

    def gradient(self, x, y):
        """Return the gradient of half the squared error of one sample.

        With a softmax output, it is that of the cross-entropy.

        Returns
        -------
        coefs, intercepts : list of ndarray
        """
        A, Z = self.forward(x)
        coefs, intercepts = [], []
        error = A[-1] - y
        for l in reversed(range(len(self.coefs))):
            delta = error * self.activations[l][1](Z[l], A[l + 1])
            coefs.insert(0, np.outer(A[l], delta))
            intercepts.insert(0, delta)
            if l > 0:  # error of the previous layer
                error = self.coefs[l] @ delta
        return coefs, intercepts

    def mean_gradient(self, X, Y):
        """Return the mean gradient of several samples, weights before biases."""
        total = [np.zeros_like(p) for p in (*self.coefs, *self.intercepts)]
        for x, y in zip(X, Y, strict=True):
            coefs, intercepts = self.gradient(x, y)
            for sum_, grad in zip(total, (*coefs, *intercepts), strict=True):
                sum_ += grad
        return [sum_ / len(X) for sum_ in total]

    def train(self, X, Y, optimizer, n_epochs, batch_size=None, after_epoch=None):
        """Train for several epochs, with the samples in the given order.

        Parameters
        ----------
        X, Y : ndarray of shape (n_samples, n_features) and (n_samples, n_outputs)

        optimizer : callable
            Takes the mean gradient of a batch, a list of arrays, and returns the
            changes of the weights and biases.

        n_epochs : int

        batch_size : int, default=None
            Number of samples in a batch; None for all of them.

        after_epoch : callable, default=None
            Called with the network after each epoch.
        """
        batch_size = batch_size or len(X)
        for _ in range(n_epochs):
            for start in range(0, len(X), batch_size):
                batch = slice(start, start + batch_size)
                changes = optimizer(self.mean_gradient(X[batch], Y[batch]))
                for p, change in zip(
                    (*self.coefs, *self.intercepts), changes, strict=True
                ):
                    p += change
            if after_epoch is not None:
                after_epoch(self)
        return self


def gradient_descent(rate):
    """Return an optimizer that steps by `rate` times the negative gradient."""
    return lambda grads: [-rate * g for g in grads]


def rmsprop(rate, rho=0.99, epsilon=1e-8):
    """Return an optimizer that divides the gradient by its running RMS."""
    v = None

    def step(grads):
        nonlocal v
        v = v or [np.zeros_like(g) for g in grads]
        v = [rho * a + (1 - rho) * g**2 for a, g in zip(v, grads, strict=True)]
        return [
            -rate * g / (np.sqrt(a) + epsilon) for a, g in zip(v, grads, strict=True)
        ]

    return step


def adam(rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    """Return the Adam optimizer, with epsilon at the same place as in scikit-learn."""
    m = v = None
    t = 0

    def step(grads):
        nonlocal m, v, t
        t += 1
        m = m or [np.zeros_like(g) for g in grads]
        v = v or [np.zeros_like(g) for g in grads]
        m = [beta_1 * a + (1 - beta_1) * g for a, g in zip(m, grads, strict=True)]
        v = [beta_2 * a + (1 - beta_2) * g**2 for a, g in zip(v, grads, strict=True)]
        # Use math: a NumPy scalar would convert float32 to float64.
        size = rate * math.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        return [-size * a / (np.sqrt(b) + epsilon) for a, b in zip(m, v, strict=True)]

    return step
