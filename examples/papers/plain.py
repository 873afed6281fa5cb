"""How the documents train: in plain NumPy, one sample after the other.

It is written to be read, and to be timed, and has no line of skmlp.
"""

import numpy as np


def sigmoid(z):
    """The logistic function."""
    return 1 / (1 + np.exp(-z))


def softmax(z):
    """Probabilities of the classes."""
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
    # With the cross-entropy, whose gradient by z is a - y: nothing is left of it.
    "softmax": (softmax, lambda z, a: np.ones_like(z)),
}


class PlainNetwork:
    """A multilayer perceptron that sees one sample at a time.

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
        """The activations of all layers, x first, and what they are functions of."""
        A, Z = [x], []
        for W, b, (g, _) in zip(
            self.coefs, self.intercepts, self.activations, strict=True
        ):
            Z.append(A[-1] @ W + b)
            A.append(g(Z[-1]))
        return A, Z

    def predict(self, X):
        """The output for each sample, one after the other."""
        return np.array([self.forward(x)[0][-1] for x in X])

    def gradient(self, x, y):
        """Gradient of half the squared error of one sample.

        After softmax, it is that of the cross-entropy.

        Returns
        -------
        coefs, intercepts : list of ndarray
        """
        A, Z = self.forward(x)
        coefs, intercepts = [], []
        delta = A[-1] - y
        for l in reversed(range(len(self.coefs))):
            delta = delta * self.activations[l][1](Z[l], A[l + 1])
            coefs.insert(0, np.outer(A[l], delta))
            intercepts.insert(0, delta)
            delta = self.coefs[l] @ delta
        return coefs, intercepts

    def train(self, X, Y, optimizer, n_epochs, batch_size=None, after_epoch=None):
        """Go through the samples, in their order, again and again.

        Parameters
        ----------
        X, Y : ndarray of shape (n_samples, n_features) and (n_samples, n_outputs)

        optimizer : callable
            From the mean gradient of a batch, a list of arrays, to the changes of
            the weights and biases.

        n_epochs : int

        batch_size : int, default=None
            Samples of a step; None for all.

        after_epoch : callable, default=None
            Called with the network after each epoch.
        """
        batch_size = batch_size or len(X)
        for _ in range(n_epochs):
            for start in range(0, len(X), batch_size):
                batch = slice(start, start + batch_size)
                grads = [np.zeros_like(p) for p in (*self.coefs, *self.intercepts)]
                for x, y in zip(X[batch], Y[batch], strict=True):
                    coefs, intercepts = self.gradient(x, y)
                    for grad, of_sample in zip(
                        grads, (*coefs, *intercepts), strict=True
                    ):
                        grad += of_sample
                n = len(X[batch])
                changes = optimizer([grad / n for grad in grads])
                for p, change in zip(
                    (*self.coefs, *self.intercepts), changes, strict=True
                ):
                    p += change
            if after_epoch is not None:
                after_epoch(self)
        return self


def gradient_descent(rate):
    """A step of `rate` times the gradient."""
    return lambda grads: [-rate * g for g in grads]


def rmsprop(rate, rho=0.99, epsilon=1e-8):
    """A step divided by a running root mean square of the gradient."""
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
    """Kingma and Ba's, with epsilon where scikit-learn has it."""
    m = v = None
    t = 0

    def step(grads):
        nonlocal m, v, t
        t += 1
        m = m or [np.zeros_like(g) for g in grads]
        v = v or [np.zeros_like(g) for g in grads]
        m = [beta_1 * a + (1 - beta_1) * g for a, g in zip(m, grads, strict=True)]
        v = [beta_2 * a + (1 - beta_2) * g**2 for a, g in zip(v, grads, strict=True)]
        size = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        return [-size * a / (np.sqrt(b) + epsilon) for a, b in zip(m, v, strict=True)]

    return step
