"""Random configurations of scikit-learn's multilayer perceptrons.

A `Case` is an estimator with its parameters, data, and a sequence of calls of `fit` and
`partial_fit`. `draw_case` draws it from a seed.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils._param_validation import StrOptions

CLASSIFICATION = (
    "binary",
    "booleans",
    "two strings",
    "multiclass",
    "strings",
    "class column",
    "multilabel",
    "one label",
    "one class",
)
REGRESSION = ("regression", "integers", "column", "multioutput", "poisson", "counts")
LAYOUTS = (
    "C",
    "F",
    "list",
    "integers",
    "float32",
    "csr_matrix",
    "csr_array",
    "csc_matrix",
)
WEIGHTS = ("none", "positive", "some zeros", "zeros first", "all zero", "negative")
STYLES = ("fit", "warm start", "partial_fit", "mixed")


def options(Estimator, name):
    """Return the strings that scikit-learn's estimator takes for a parameter."""
    constraints = Estimator._parameter_constraints[name]
    return sorted(
        option
        for constraint in constraints
        if isinstance(constraint, StrOptions)
        for option in constraint.options
    )


HUGE = [1e60, 1e30, 1e3, 30.0, 1.0]  # learning rates at which training may diverge

# Values of the parameters. Half of the time, a parameter has the first one.
VALUES = {
    "hidden_layer_sizes": [(5,), (), 4, [3, 2], np.array([4, 3]), (2, 2, 2)],
    "activation": ["relu", *options(MLPClassifier, "activation")],
    "solver": ["adam", *options(MLPClassifier, "solver")],
    "alpha": [1e-4, 0, 0.1, 10.0],
    "batch_size": ["auto", 1, 4, 7, 16, 1000],
    "learning_rate": ["constant", *options(MLPClassifier, "learning_rate")],
    "learning_rate_init": [0.01, 0.001, 0.1, 0.7, 1e-5],
    "power_t": [0.5, 0, 0.1, 2],
    "max_iter": [6, 1, 2, 12, 30],
    "shuffle": [True, False],
    "random_state": [0, 1, None, "instance"],
    "tol": [1e-4, 0, 0.02, 10.0],
    "verbose": [False, True, 2],
    "warm_start": [False, True],
    "momentum": [0.9, 0, 0.5, 1],
    "nesterovs_momentum": [True, False],
    "early_stopping": [False, True],
    "validation_fraction": [0.1, 0.25, 0.5, 0.0, 0.95],
    "beta_1": [0.9, 0, 0.5],
    "beta_2": [0.999, 0, 0.5],
    "epsilon": [1e-8, 0.1],
    "n_iter_no_change": [10, 1, 2, np.inf],
    "max_fun": [15000, 1, 7],
    "loss": ["squared_error", *options(MLPRegressor, "loss")],
}
# Values that both refuse.
INVALID = {
    "hidden_layer_sizes": [(0,), 0, -1, (3, -2), None],
    "activation": ["no such", None],
    "solver": ["no such", None],
    "alpha": [-1, None],
    "batch_size": [0, "no such", 0.5],
    "learning_rate": ["no such", None],
    "learning_rate_init": [0, -1.0],
    "power_t": [-1],
    "max_iter": [0, 2.5],
    "shuffle": ["no such", None],
    "random_state": [-1, "no such"],
    "tol": [-1, None],
    "verbose": [-1, "no such"],
    "warm_start": [2, None],
    "momentum": [1.1, -0.1],
    "nesterovs_momentum": ["no such", None],
    "early_stopping": [None, 2],
    "validation_fraction": [1.0, -0.1],
    "beta_1": [1.0, -0.1],
    "beta_2": [1.0, -0.1],
    "epsilon": [0, -1],
    "n_iter_no_change": [0, 2.5],
    "max_fun": [0, 2.5],
    "loss": ["no such", None],
}
# Parameters that change between two calls.
CHANGING = [
    "solver",
    "alpha",
    "batch_size",
    "learning_rate",
    "learning_rate_init",
    "power_t",
    "max_iter",
    "shuffle",
    "tol",
    "momentum",
    "nesterovs_momentum",
    "early_stopping",
    "validation_fraction",
    "beta_1",
    "beta_2",
    "epsilon",
    "n_iter_no_change",
    "max_fun",
]


@dataclass
class Call:
    """A call of `fit` or `partial_fit`."""

    method: str
    X: object
    y: np.ndarray
    weights: np.ndarray | None = None
    classes: np.ndarray | None = None  # of partial_fit
    changes: dict = field(default_factory=dict)  # parameters that are set before it

    def arguments(self):
        """Return the keyword arguments."""
        arguments = {"sample_weight": self.weights, "classes": self.classes}
        return {name: a for name, a in arguments.items() if a is not None}


@dataclass
class Case:
    """A configuration, with the calls that are made."""

    seed: int
    kind: str
    layout: str
    params: dict
    calls: list

    @property
    def regression(self):
        """Whether the estimator is a regressor."""
        return self.kind in REGRESSION


def draw_case(seed):
    """Return the case of a seed, a nonnegative integer."""
    rng = np.random.RandomState(seed)
    kind = _choose(rng, CLASSIFICATION + REGRESSION)
    overflows = rng.uniform() < 0.15
    if overflows:
        kind = _choose(rng, ["poisson", "poisson", "regression", "one label"])
    params = _draw_params(rng, kind)
    style = _choose(rng, STYLES, [0.4, 0.2, 0.2, 0.2])
    if style == "warm start":
        params["warm_start"] = True
    if overflows:
        params["learning_rate_init"] = _pick(rng, HUGE)
        params["solver"] = _choose(rng, ["adam", "sgd"])
        params["alpha"] = int(rng.randint(2))
        params["max_iter"] = int(rng.randint(2, 30))
        params["n_iter_no_change"] = int(rng.randint(1, 4))
    if style != "partial_fit" and rng.uniform() < 0.3:
        params["early_stopping"] = True
    if style == "partial_fit" and rng.uniform() < 0.9:
        params["early_stopping"] = False
        if params["solver"] == "lbfgs":
            params["solver"] = "sgd"
    layout = "C" if rng.uniform() < 0.5 else _choose(rng, LAYOUTS)
    n_samples = int(_choose(rng, [12, 30, 50, 230], [0.32, 0.32, 0.32, 0.04]))
    X = rng.normal(size=(n_samples, int(_choose(rng, [1, 3, 6]))))
    y = draw_targets(rng, kind, X)
    calls = []
    for method in _draw_methods(rng, style):
        rows = np.arange(n_samples)
        if method == "partial_fit" and kind != "multilabel" and rng.uniform() < 0.7:
            rows = rng.permutation(n_samples)[: n_samples // 2]
        call = Call(
            method,
            lay_out(X[rows], layout),
            y[rows],
            draw_weights(rng, len(rows)),
        )
        if method == "partial_fit" and kind in CLASSIFICATION:
            call.classes = classes_of(y)
        if calls and rng.uniform() < 0.4:
            call.changes = _draw_changes(rng)
        calls.append(call)
    if style == "warm start" and rng.uniform() < 0.2:  # L-BFGS, and back
        calls[1].changes = {"solver": "lbfgs"}
        if len(calls) > 2:
            calls[2].changes = {"solver": "adam"}
    if layout in ("float32", "F", "csc_matrix"):  # rounding is not to be magnified
        params["max_iter"] = 3
        params["learning_rate_init"] = 0.01
        params["beta_2"] = 0.999
        for call in calls:
            call.changes = {}
    if params["verbose"] and len(calls) > 1:
        params["verbose"] = bool(params["verbose"])
    return Case(seed, kind, layout, params, calls)


def overflow_cases():
    """Return cases of what is drawn too seldom: the outputs overflow."""
    defaults = {name: values[0] for name, values in VALUES.items()}
    unscored = {"activation": "logistic", "hidden_layer_sizes": 4, "max_iter": 1}
    unscored |= {"learning_rate_init": 1e3, "early_stopping": True}
    unscored |= {"validation_fraction": 0.5}
    weightless = {"hidden_layer_sizes": (), "max_iter": 12, "batch_size": 7}
    weightless |= {"learning_rate_init": 0.7, "beta_2": 0}
    weights = np.repeat([0.0, 1.0], [12, 18])
    cases = []
    for seed, changes, w in (1, unscored, None), (30, weightless, weights):
        rng = np.random.RandomState(seed)
        X = 2 * rng.normal(size=(30, 1))
        call = Call("fit", X, draw_targets(rng, "poisson", X), w)
        params = defaults | changes | {"loss": "poisson"}
        cases.append(Case(seed, "poisson", "C", params, [call]))
    return cases


def _draw_params(rng, kind):
    params = {}
    for name, values in VALUES.items():
        if name != "loss":
            params[name] = values[0] if rng.uniform() < 0.5 else _pick(rng, values)
    if kind in REGRESSION:
        params["loss"] = "squared_error"
        if kind in ("poisson", "counts") or rng.uniform() < 0.05:
            params["loss"] = "poisson"
    if rng.uniform() < 0.015:
        params["hidden_layer_sizes"] = (3.0, 2)
    if rng.uniform() < 0.05:
        name = _choose(rng, sorted(params))
        params[name] = _pick(rng, INVALID[name])
    return params


def _draw_methods(rng, style):
    if style == "fit":
        return ["fit"]
    length = int(rng.randint(2, 5))
    if style == "mixed":
        return [_choose(rng, ["fit", "partial_fit"]) for _ in range(length)]
    return ["fit" if style == "warm start" else "partial_fit"] * length


def _draw_changes(rng):
    names = rng.permutation(CHANGING)[: rng.randint(1, 3)]
    changes = {str(name): _pick(rng, VALUES[name]) for name in names}
    if rng.uniform() < 0.1:
        changes = {"alpha": _pick(rng, INVALID["alpha"])}
    elif rng.uniform() < 0.1:
        changes = {"hidden_layer_sizes": (6,)}
    return changes


def draw_targets(rng, kind, X):
    """Return targets of a kind."""
    n_samples = len(X)
    if kind in REGRESSION:
        Y = X @ rng.normal(size=(X.shape[1], 3)) + rng.normal(size=(n_samples, 3))
        if kind in ("poisson", "counts"):
            Y = rng.poisson(np.exp(np.clip(Y, -2, 2))).astype(float)
        return {
            "integers": (3 * Y[:, 0]).astype(int),
            "column": Y[:, :1],
            "multioutput": Y[:, : rng.randint(2, 4)],
            "counts": Y[:, :2],
        }.get(kind, Y[:, 0])
    if kind in ("multilabel", "one label"):
        labels = (X[:, :1] + rng.normal(size=(n_samples, 3)) > 0).astype(int)
        labels[:2] = [[0], [1]]  # each label has two values
        return labels[:, : 1 if kind == "one label" else rng.randint(2, 4)]
    n_classes = {"one class": 1, "multiclass": 4, "strings": 3, "class column": 3}
    n_classes = n_classes.get(kind, 2)
    y = (np.arange(n_samples) + (rng.uniform(size=n_samples) < 0.3)) % n_classes
    if rng.uniform() < 0.15:  # the last class has one sample
        y[y == n_classes - 1] = 0
        y[-1] = n_classes - 1
    if kind == "booleans":
        return y == 1
    if kind in ("two strings", "strings", "one class"):
        return np.array(["b", "a", "long name"], dtype=object)[y]
    return y[:, np.newaxis] if kind == "class column" else 3 * y - 2


def classes_of(y):
    """Return the `classes` argument of `partial_fit`."""
    return np.arange(y.shape[1]) if y.ndim == 2 and y.shape[1] > 1 else np.unique(y)


def draw_weights(rng, n_samples):
    """Return sample weights, or None."""
    kind = _choose(rng, WEIGHTS, [0.55, 0.22, 0.16, 0.04, 0.015, 0.015])
    weights = rng.uniform(0.1, 3, n_samples)
    if kind == "none":
        return None
    if kind == "some zeros":
        weights[rng.permutation(n_samples)[:2]] = 0
    elif kind == "zeros first":
        weights[: n_samples // 2] = 0
    elif kind == "all zero":
        weights[:] = 0
    elif kind == "negative":
        weights[0] = -0.5
    return weights


def lay_out(X, layout):
    """Return X in another container, order or dtype."""
    if layout == "C":
        return np.ascontiguousarray(X)
    if layout == "F":
        return np.asfortranarray(X)
    if layout == "list":
        return X.tolist()
    if layout == "integers":
        return np.round(2 * X).astype(int)
    if layout == "float32":
        return X.astype(np.float32)
    return getattr(sparse, layout)(np.where(X > 0, X, 0))


def _choose(rng, options, p=None):
    """Return one of some strings or numbers."""
    return options[rng.choice(len(options), p=p)]


def _pick(rng, values):
    return values[rng.randint(len(values))]
