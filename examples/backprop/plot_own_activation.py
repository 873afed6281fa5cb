"""
===========================
Custom activation functions
===========================

A custom activation function is a class with two methods. Instances of the class can be
used wherever the name of a built-in function can be used: in estimators, displays and
searches. This example implements the snake function, a straight line plus a periodic
function. A network with this function extrapolates a periodic signal, which a network
with ReLU or tanh does not.
"""

# %%
# Define the class
# ----------------
# The snake function with frequency :math:`a` and its derivative are
#
# .. math:: g(z) = z + \frac{\sin^2(a z)}{a}, \qquad g'(z) = 1 + \sin(2 a z)
#
# ``forward`` writes :math:`g(z)` into ``A``. ``backward`` multiplies ``delta`` by
# :math:`g'(z)` in place. ``needs_z`` keeps :math:`z` for the backward pass, because the
# derivative cannot be computed from :math:`g(z)` alone.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from skmlp import MLPRegressorScratch, check_gradient
from skmlp.core.activations import Activation
from skmlp.plotting import ActivationDisplay, SearchHeatmapDisplay


class Snake(Activation):
    """Activation function g(z) = z + sin(a z)^2 / a, with the frequency a."""

    needs_z = True

    def __init__(self, a=1.0):
        self.a = a

    def forward(self, Z, A):
        np.sin(self.a * Z, out=A)
        A *= A / self.a
        A += Z

    def backward(self, Z, A, delta, work):
        delta *= 1 + np.sin(2 * self.a * Z)


# %%
# :class:`~skmlp.plotting.ActivationDisplay` plots the results of the two methods.
ActivationDisplay.from_activation([Snake(), Snake(2.0), "tanh"])
plt.show()

# %%
# Data: a periodic signal
# -----------------------
# The signal is periodic, with a trend and noise. The last 100 samples are the test set,
# so that the network has to extrapolate. Time is not scaled to unit variance, so that
# it covers several periods of the snake function with the initial weights.
rng = np.random.RandomState(0)
t = np.sort(rng.uniform(-25, 25, 500))
clean = np.sin(2 * np.pi * t / 7) + 0.5 * np.sin(4 * np.pi * t / 7 + 1) + 0.02 * t
y = clean + 0.1 * rng.randn(len(t))
X = t[:, np.newaxis]
train, test = slice(0, 400), slice(400, None)

# %%
# :func:`~skmlp.check_gradient` verifies the derivative. It compares the gradient with
# finite differences of the objective, for each weight and bias.
reg = MLPRegressorScratch(
    hidden_layer_sizes=(60,),
    activation=Snake(),
    alpha=1.0,
    batch_size=50,
    learning_rate="cosine",
    max_iter=200,
    n_iter_no_change=np.inf,
    random_state=0,
)
error = check_gradient(reg, X[240:260], y[240:260]).max_relative_error
print(f"largest relative error of the gradient: {error:.0e}")

# %%
# Grid search over activation functions
# -------------------------------------
# :class:`~sklearn.model_selection.GridSearchCV` can select the activation function and
# its frequency. The folds of :class:`~sklearn.model_selection.TimeSeriesSplit`
# correspond to the test: the network predicts later values from earlier ones.
grid = {
    "activation": [Snake(1.0), Snake(2.0), Snake(4.0), "relu", "tanh"],
    "learning_rate_init": [0.01, 0.03],
}
search = GridSearchCV(
    reg,
    grid,
    scoring="neg_root_mean_squared_error",
    cv=TimeSeriesSplit(2, test_size=100),
)
search.fit(X[train], y[train])
print(f"chosen: {search.best_params_}")
print(f"standard deviation of the signal: {y[train].std():.2f}")
SearchHeatmapDisplay.from_search(search)
plt.show()

# %%
# The scores are negative errors; larger values are better. The errors of the built-in
# functions are larger than that of a constant prediction, which is about the standard
# deviation. Not every snake function is better: its frequency must be high enough for
# the signal.
#
# Test
# ----
# The selected network and the best network with a built-in function predict the signal
# to the right of the dotted line, where there are no training data. The network with
# the snake function has learned the main oscillation, but not its details, and
# continues it. In the same 200 epochs, the other network hardly fits the signal to the
# left of the line.
results = search.cv_results_
built_in = [isinstance(g, str) for g in results["param_activation"]]
best_built_in = np.argmax(np.where(built_in, results["mean_test_score"], -np.inf))
other = clone(reg).set_params(**results["params"][best_built_in])
models = {
    f"{search.best_params_['activation']}": search.best_estimator_,
    f"{other.activation}": other.fit(X[train], y[train]),
}

_, ax = plt.subplots(figsize=(8, 4.8), layout="constrained")
ax.plot(t, y, ".", color="0.6", markersize=4, label="samples")
for (name, model), style in zip(models.items(), ["C0-", "C1--"], strict=True):
    ax.plot(t, model.predict(X), style, label=name)
    score = model.score(X[test], y[test])
    print(f"R2 on the test samples, {name}: {score:.2f}")
ax.axvline(t[train][-1], color="black", linestyle=":", label="end of the training data")
ax.set(xlabel="time", ylabel="signal", ylim=(-3, 3))
ax.legend(ncols=4, loc="lower center", fontsize="small")
plt.show()

# %%
# .. rubric:: References
#
# Liu Ziyin, T. Hartwig and M. Ueda, "Neural networks fail to learn periodic functions
# and how to fix it", NeurIPS 2020.
