"""B: "Neural Networks - Fundamentals and MLPs" (guide and worked exercise)

The document explains the components of a multilayer perceptron and computes one step of
gradient descent by hand. Its closing example is meant to be compared with
scikit-learn's `MLPClassifier`. The document contains no results, and its exercise
contains no numbers. The exercise on this page uses 50 samples, weights drawn from N(0,
1), and a learning rate of 0.3.

The loss of the exercise is the mean squared error. The loss of `skmlp` is half the mean
squared error, so that the learning rate must be twice that of the document. In the
closing example, 20 % of the samples are test samples. The seed is 42 for the data and
for the training.
"""

import contextlib
import io
import sys

import matplotlib.pyplot as plt
import numpy as np
from plain import PlainNetwork, gradient_descent, sigmoid
from report import (
    GRADIENT_DESCENT,
    UNKNOWN,
    Figure,
    agreement,
    as_code,
    largest,
    main,
    side_by_side,
)
from scipy.special import comb
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from skmlp import MLPClassifierScratch
from skmlp.callbacks import WeightRecorder
from skmlp.plotting import LossCurveDisplay, SaliencyDisplay

CLOSING = {
    "hidden_layer_sizes": (10,),
    "activation": "relu",
    "solver": "adam",
    "learning_rate_init": 0.01,
    "max_iter": 1000,
    "random_state": 42,
}


def add_noise(X, rng):
    """Return a batch with added noise."""
    return X + rng.normal(0, 0.1, X.shape)


# Techniques of the document, and the corresponding parameters.
TECHNIQUES = {
    "(none)": {},
    "sigmoid": {"activation": "logistic"},
    "tanh": {"activation": "tanh"},
    "leaky ReLU, slope 0.01": {"activation": "leaky_relu"},
    "MSE": {"loss": "squared_error"},
    "batch gradient descent": {"solver": "sgd", "momentum": 0, "batch_size": "full"},
    "stochastic gradient descent": {"solver": "sgd", "momentum": 0, "batch_size": 1},
    "mini-batch gradient descent": {"solver": "sgd", "momentum": 0, "batch_size": 32},
    "momentum": {"solver": "sgd", "momentum": 0.9, "batch_size": 32},
    "step schedule": {"learning_rate": "step", "decay_epochs": 100},
    "exponential schedule": {"learning_rate": "exponential", "decay_rate": 0.99},
    "gradient clipping": {"clip_norm": 1.0},
    "dropout": {"dropout": 0.2},
    "L1": {"alpha": 1.0, "l1_ratio": 1.0},
    "L2": {"alpha": 1.0},
    "early stopping": {"early_stopping": True},
    "data augmentation": {"augment": add_noise},
    "batch normalization": {"batch_norm": True},
}
# Rules for the initial weights: name in skmlp and standard deviation.
RULES = {
    "small random": ("normal", lambda n: 0.01),
    "Xavier, N(0, 1/n)": ("lecun_normal", lambda n: np.sqrt(1 / n)),
    "He, N(0, 2/n)": ("he_normal", lambda n: np.sqrt(2 / n)),
}


def run(page):
    """Add all sections."""
    add_exercise(page)
    data = make_data()
    clf = add_closing_example(page, data)
    add_progress(page, data)
    add_techniques(page, data)
    add_initializations(page, data)
    add_search(page, data)
    add_transfer(page)
    add_interpretability(page, clf, data)


def add_exercise(page):
    """Add a gradient step for the weight from x1 to h2."""
    page.heading("Exercise: one step of gradient descent")
    rng = np.random.default_rng(0)
    n, rate = 50, 0.3
    X, y = rng.normal(size=(n, 2)), np.arange(n) % 2
    W1, b1 = rng.normal(size=(2, 3)), rng.normal(size=3)
    W2, b2 = rng.normal(size=(3, 1)), rng.normal(size=1)

    h = sigmoid(X @ W1 + b1)
    o, h2 = sigmoid(h @ W2 + b2)[:, 0], h[:, 1]
    by_formula = W1[0, 1] - rate * (2 / n) * np.sum(
        (o - y) * o * (1 - o) * W2[1, 0] * h2 * (1 - h2) * X[:, 0]
    )
    loop = PlainNetwork([W1, W2], [b1, b2], ["logistic", "logistic"])
    loop.train(X, y[:, None], gradient_descent(2 * rate), n_epochs=1)
    clf = MLPClassifierScratch(
        loss="squared_error",
        hidden_layer_sizes=(3,),
        activation="logistic",
        batch_size="full",
        learning_rate_init=2 * rate,
        max_iter=1,
        **GRADIENT_DESCENT,
    ).fit(X, y, coefs_init=[W1, W2], intercepts_init=[b1, b2])

    page.add(
        "The weight w1[1,2] connects the first input with the second of three hidden "
        "units. According to the document, its value after one step of gradient "
        "descent is `w - lr * (2/n) sum (o - y) o (1 - o) w2[2] h2 (1 - h2) x1`."
    )
    values = {
        "before the step": W1[0, 1],
        "formula of the document": by_formula,
        "plain loop": loop.coefs[0][0, 1],
        "skmlp": clf.coefs_[0][0, 1],
    }
    page.table(
        {
            "w1[1,2]": list(values),
            "value": [f"{value:.16f}" for value in values.values()],
            "difference from the formula": [
                "",
                "",
                *(f"{v - by_formula:.1g}" for v in list(values.values())[2:]),
            ],
        }
    )


def make_data():
    """Return the scaled training and test samples of the closing example."""
    X, y = make_classification(1000, n_features=10, random_state=42)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=42)
    scaler = StandardScaler().fit(X)
    return scaler.transform(X), y, scaler.transform(X_test), y_test


def add_closing_example(page, data):
    """Train the closing example with scikit-learn and skmlp."""
    X, y, X_test, y_test = data
    page.heading("Closing example")
    ours, seconds, theirs, their_seconds = side_by_side(
        lambda: MLPClassifierScratch(**CLOSING).fit(X, y),
        lambda: MLPClassifier(**CLOSING).fit(X, y),
    )
    our_result, their_result = (
        f"accuracy {clf.score(X_test, y_test):.3f} after {clf.n_iter_} epochs"
        for clf in (ours, theirs)
    )
    page.figures(
        [
            Figure(
                "10 ReLUs, Adam, rate 0.01, at most 1000 epochs",
                UNKNOWN,
                our_result,
                their_result,
                seconds,
                their_seconds,
            )
        ],
        peer="scikit-learn",
    )
    pair = ours.predict_proba(X_test), theirs.predict_proba(X_test)
    page.add(
        "The predicted probabilities of the test samples "
        f"{agreement(largest([pair]))}. Both libraries draw the same random numbers "
        "and execute the same computations up to rounding."
    )
    return ours


def add_progress(page, data):
    """Add the loss, printed every 100 epochs."""
    X, y, X_test, y_test = data
    page.heading("Printing the loss")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        clf = MLPClassifierScratch(**CLOSING, verbose=100).fit(
            X, y, X_val=X_test, y_val=y_test
        )
    page.add(
        "The document prints the loss every 100 epochs. With `verbose=100` and the "
        "test samples as `X_val` and `y_val`, the closing example prints:"
    )
    page.add(f"```text\n{printed.getvalue().rstrip()}\n```")
    display = LossCurveDisplay.from_estimator(clf, panels=["loss"])
    display.figure_.set_size_inches(8, 3.6)
    display.ax_.set_ylabel("loss (cross-entropy)")
    best = int(np.argmin(clf.history_["val_loss"])) + 1
    page.picture(
        display.figure_,
        "loss",
        "Loss of the closing example on the training and test samples. The test loss "
        f"is smallest after {best} of {clf.n_iter_} epochs.",
    )


def add_techniques(page, data):
    """Add the closing example with each technique of the document."""
    X, y, X_test, y_test = data
    page.heading("Other techniques")
    page.add(
        "The document explains the following techniques. In `skmlp`, each of them is a "
        "parameter. The table shows the closing example with this parameter and "
        f"otherwise unchanged. Training ends after {CLOSING['max_iter']} epochs, or if "
        "ten consecutive epochs have improved the loss by less than `tol`, as in "
        "scikit-learn. A classifier with three or more classes has a softmax output. "
        "`clip_norm` has an effect only if the norm of a gradient is larger. `augment` "
        "is a function of a batch; here, it adds noise from N(0, 0.1^2)."
    )
    clfs = [
        MLPClassifierScratch(**{**CLOSING, **params}).fit(X, y)
        for params in TECHNIQUES.values()
    ]
    page.table(
        {
            "technique": list(TECHNIQUES),
            "parameters": [as_code(params) for params in TECHNIQUES.values()],
            "epochs": [str(clf.n_iter_) for clf in clfs],
            "training accuracy": [f"{clf.score(X, y):.3f}" for clf in clfs],
            "test accuracy": [f"{clf.score(X_test, y_test):.3f}" for clf in clfs],
        }
    )


def add_initializations(page, data):
    """Compare the rules for the initial weights in a deep network."""
    X, y, X_test, y_test = data
    page.heading("Weight initialization and vanishing gradients")
    n_layers, n_units = 8, 50
    columns = {
        "rule": list(RULES),
        "parameter": [f"`init={name!r}`" for name, _ in RULES.values()],
        f"standard deviation for n = {n_units}": [
            f"{deviation(n_units):.4f}" for _, deviation in RULES.values()
        ],
        "standard deviation of the drawn weights": [],
        "norm of the first layer's gradient": [],
        "test accuracy": [],
    }
    for name, _ in RULES.values():
        clf = MLPClassifierScratch(
            hidden_layer_sizes=(n_units,) * n_layers,
            init=name,
            batch_size="full",
            max_iter=100,
            random_state=42,
        )
        coefs, gradient = first_gradient(clf, X, y)
        columns["standard deviation of the drawn weights"].append(
            f"{np.std(coefs[1:-1]):.4f}"
        )
        columns["norm of the first layer's gradient"].append(
            f"{np.linalg.norm(gradient[0]):.1e}"
        )
        clf.fit(X, y)
        columns["test accuracy"].append(f"{clf.score(X_test, y_test):.3f}")
    page.add(
        f"The table shows a network with {n_layers} hidden layers of {n_units} ReLU "
        f"units each, on the same data, with at most {clf.max_iter} epochs. The "
        "gradient is that of the first epoch. With small random weights, the gradient "
        "of the first layer vanishes."
    )
    page.table(columns)


def first_gradient(clf, X, y):
    """Return the initial weights of each layer and their gradient."""
    recorder = WeightRecorder()
    params = {**GRADIENT_DESCENT, "learning_rate_init": 1, "max_iter": 1}
    clone(clf).set_params(**params, callbacks=recorder).fit(X, y)
    start, end = recorder.coefs_  # a step at the rate 1 is the gradient
    return start, [a - b for a, b in zip(start, end, strict=True)]


def add_search(page, data):
    """Add a search with successive halving."""
    X, y, X_test, y_test = data
    page.heading("Hyperparameter tuning")
    search = HalvingRandomSearchCV(
        MLPClassifierScratch(random_state=42),
        {
            "learning_rate_init": loguniform(1e-4, 1e-1),
            "alpha": loguniform(1e-5, 1e1),
            "hidden_layer_sizes": [(10,), (50,), (50, 50)],
        },
        n_candidates=27,
        resource="max_iter",
        min_resources=5,
        max_resources=135,
        cv=3,
        random_state=42,
    ).fit(X, y)
    best = search.best_params_
    page.add(
        "scikit-learn provides grid search, randomized search and successive halving. "
        "`HalvingRandomSearchCV` with `resource='max_iter'` corresponds to one "
        "bracket of Hyperband: it trains many candidates for a few epochs, and the "
        f"best of them for more epochs. Here, {search.n_candidates_[0]} candidates "
        f"are trained for {search.n_resources_[0]} epochs, and "
        f"{search.n_candidates_[-1]} of them is trained for {search.n_resources_[-1]} "
        "epochs at the end. The best candidate has "
        f"`hidden_layer_sizes={best['hidden_layer_sizes']}`, "
        f"`learning_rate_init={best['learning_rate_init']:.2g}` and "
        f"`alpha={best['alpha']:.2g}`, and a test accuracy of "
        f"{search.score(X_test, y_test):.3f}. Bayesian optimizers, such as Optuna, "
        "can search the same parameters."
    )


def add_transfer(page):
    """Add transfer learning: start from trained weights, train the last layer."""
    page.heading("Transfer learning")
    n_splits, n_samples = 5, 10
    scores = [transfer(n_samples, seed) for seed in range(n_splits)]
    with_transfer, alone = np.mean(scores, axis=0)
    page.add(
        "A network is trained to classify the ten digits on half of the digits "
        "dataset. A second network classifies digits as even or odd. It is trained on "
        f"{n_samples} images of the other half. It starts from the two hidden layers "
        "of the first network (`coefs_init` and `intercepts_init`), and only its last "
        "layer is trained (`frozen_layers=[0, 1]`). Its accuracy on the remaining "
        f"images is {with_transfer:.3f}. The accuracy of a network trained from "
        f"scratch on the same {n_samples} images is {alone:.3f}. Both are means over "
        f"{n_splits} splits."
    )


def transfer(n_samples, seed):
    """Return the accuracy on a new task, with and without transfer."""
    X, y = load_digits(return_X_y=True)
    X_source, X, y_source, y = train_test_split(
        X / 16, y, test_size=0.5, random_state=seed
    )
    X, X_test, y, y_test = train_test_split(
        X, y % 2, train_size=n_samples, stratify=y % 2, random_state=seed
    )
    params = {"hidden_layer_sizes": (64, 32), "max_iter": 300, "random_state": 0}
    params["learning_rate_init"] = 0.01
    source = MLPClassifierScratch(**params).fit(X_source, y_source)
    clf = MLPClassifierScratch(**params, frozen_layers=[0, 1]).fit(
        X,
        y,
        coefs_init=[*source.coefs_[:2], None],
        intercepts_init=[*source.intercepts_[:2], None],
    )
    alone = MLPClassifierScratch(**params).fit(X, y)
    return clf.score(X_test, y_test), alone.score(X_test, y_test)


def shapley_values(function, x, background):
    """Return the Shapley values of the features of one sample, by definition.

    Features that are left out have the values of the background samples, as in SHAP.
    """
    n = len(x)
    indices = np.arange(2**n)
    is_in = indices[:, None] >> np.arange(n) & 1 == 1
    values = np.array([function(np.where(S, x, background)).mean() for S in is_in])
    sizes = is_in.sum(axis=1)
    shapley = np.zeros(n)
    for i in range(n):
        without = indices[~is_in[:, i]]
        weights = 1 / (n * comb(n - 1, sizes[without]))
        shapley[i] = weights @ (values[without | 1 << i] - values[without])
    return shapley


def add_interpretability(page, clf, data):
    """Add SHAP values and saliency."""
    X, _, X_test, _ = data
    page.heading("Interpretability")
    x, background = X_test[0], X[:100]

    def probability(X):
        return clf.predict_proba(X)[:, 1]

    shapley = shapley_values(probability, x, background)
    start, end = probability(background).mean(), probability(x[None])[0]
    page.add(
        "Tools that explain scikit-learn classifiers by means of `predict_proba` can "
        "be used. The closing example has only ten features, so that SHAP values can "
        "be computed from their definition, over all sets of features. The values of "
        f"the first test sample add up to {shapley.sum():.4f}. As required, this is "
        f"the difference between its probability, {end:.4f}, and the mean probability "
        f"of the {len(background)} background samples, {start:.4f}. The method "
        "`input_gradient` computes saliency, and `reconstruct_input` computes feature "
        "visualizations."
    )
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    SaliencyDisplay.from_estimator(clf, X_test, ax=left)
    left.set_title("Saliency: all test samples")
    order = np.argsort(-np.abs(shapley))
    right.barh([f"x{i}" for i in order], shapley[order], color="#0072B2")
    right.axvline(0, color="black", linewidth=0.8)
    right.invert_yaxis()
    right.grid(axis="x", alpha=0.3)
    right.set_axisbelow(True)
    right.set_xlabel("SHAP value (change of the probability)")
    right.set_title("SHAP values: one test sample")
    page.picture(
        fig,
        "interpretability",
        "Sensitivity of the output of the closing example to each feature, and the "
        "contribution of each feature to the probability of one sample.",
    )


if __name__ == "__main__":
    main(sys.modules[__name__])
