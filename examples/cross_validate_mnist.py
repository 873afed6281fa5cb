"""Cross-validate a multi-layer perceptron on the MNIST digits.

Run a stratified k-fold ``cross_validate`` of a scaler and
:class:`skmlp.MLPClassifierScratch`, and a small ``GridSearchCV``. Print the accuracies
and a classification report, and save a confusion matrix. The report and the matrix use
out-of-fold predictions: every image is classified by the network that was not trained
on it.

If MNIST cannot be downloaded, the 8 x 8 digits of scikit-learn are used instead.
"""

import argparse
import os
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import ConfusionMatrixDisplay, classification_report
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import resample

from skmlp import MLPClassifierScratch
from skmlp.datasets import fetch_mnist

GRID_SEARCH_SAMPLES = 10_000
PARAM_GRID = {
    "mlp__alpha": [1e-4, 1e-2],
    "mlp__hidden_layer_sizes": [(256,), (256, 128)],
}


def main(argv=None):
    """Run the example with the command line arguments `argv`."""
    start = time.perf_counter()
    parser = make_parser()
    args = parser.parse_args(argv)
    plt = import_pyplot()
    if plt is not None:
        prepare_output(parser, args.output)

    name, X, y = load_data()
    if args.n_samples is not None:
        if args.n_samples > len(y):
            print(f"{name} has only {len(y)} images: using them all.")
        X, y = stratified_subset(X, y, args.n_samples)
    smallest_class = np.bincount(y).min()
    if smallest_class < args.folds:
        option = "--folds" if args.n_samples is None else "--n-samples"
        parser.error(
            f"argument {option}: {args.folds} folds need at least {args.folds} "
            f"images of every digit, but there is one with {smallest_class}"
        )

    with warnings.catch_warnings():
        # max_iter is the training budget here, and reaching it no cause for
        # concern. scikit-learn passes this filter on to its worker processes.
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        print(f"Cross-validating: {args.folds} folds, {len(y)} images of {name}")
        scores, y_pred = cross_validate_mlp(X, y, args.folds, args.n_jobs)
        X_search, y_search = stratified_subset(X, y, GRID_SEARCH_SAMPLES)
        print(f"Grid search: a subset of {len(y_search)} images")
        search = grid_search_mlp(X_search, y_search, args.folds, args.n_jobs)

    best = ", ".join(f"{key}={value}" for key, value in search.best_params_.items())
    print(f"\ngrid search: accuracy {search.best_score_:.4f} with {best}\n")
    for fold, score in enumerate(scores, start=1):
        print(f"fold {fold} accuracy: {score:.4f}")
    print(f"mean accuracy: {scores.mean():.4f}")
    print(f"wall time: {time.perf_counter() - start:.1f} s")
    print("\nClassification report, out-of-fold predictions:")
    print(classification_report(y, y_pred, digits=4, zero_division=0))
    if plt is None:
        print("No picture without matplotlib: pip install 'skmlp[plot]'")
    else:
        save_confusion_matrix(plt, y, y_pred, args.output, name)
        print(f"confusion matrix: {args.output}")


def make_parser():
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Cross-validate a multi-layer perceptron on the MNIST digits."
    )
    parser.add_argument(
        "--n-samples",
        type=integer(lambda value: value >= 1, "at least 1"),
        help="use a stratified subset of this many images (default: all 70000)",
    )
    parser.add_argument(
        "--folds",
        type=integer(lambda value: value >= 2, "at least 2"),
        default=5,
        help="number of folds, at least 2 (default: %(default)s)",
    )
    parser.add_argument(
        "--n-jobs",
        type=integer(lambda value: value != 0, "other than 0"),
        # On two cores, two processes are faster than one with two threads.
        default=2,
        help="number of networks to train at the same time, -1 for one per core "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=picture_path,
        default="confusion_matrix_mnist.png",
        help="where to save the confusion matrix, a .png, .pdf or .svg file; missing "
        "folders are created (default: %(default)s)",
    )
    return parser


def integer(condition, requirement):
    """Return a converter of command line arguments to integers with a condition."""

    def convert(text):
        value = int(text)
        if not condition(value):
            raise argparse.ArgumentTypeError(f"must be {requirement}, got {text}")
        return value

    convert.__name__ = "int"  # argparse says "invalid int value: 'x'"
    return convert


def picture_path(text):
    """Convert a command line argument to the path of a picture."""
    path = Path(text)
    if path.suffix not in (".pdf", ".png", ".svg"):
        raise argparse.ArgumentTypeError(f"must end in .pdf, .png or .svg, got {text}")
    return path


def import_pyplot():
    """Return matplotlib.pyplot for use without a screen, None if not installed."""
    try:
        import matplotlib
    except ImportError:
        return None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def prepare_output(parser, path):
    """Make the folder of `path`; exit now, not after the training, if that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        parser.error(f"argument --output: {exc}")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        parser.error(f"argument --output: cannot write {path}")


def load_data():
    """Return the name, the images and the labels of MNIST or of its stand-in."""
    try:
        return "MNIST", *fetch_mnist(return_X_y=True)
    except OSError as exc:
        print(f"Using scikit-learn's load_digits instead of MNIST: {exc}")
        X, y = load_digits(return_X_y=True)
        return "load_digits", X.astype(np.float32), y


def stratified_subset(X, y, n_samples):
    """Return `n_samples` random rows with the class frequencies of `y`."""
    if n_samples >= len(y):
        return X, y
    # Unlike train_test_split, resample does not need all classes in what is left.
    return resample(
        X, y, n_samples=n_samples, replace=False, stratify=y, random_state=0
    )


def make_model(n_samples):
    """Return a pipeline with a training budget that suits `n_samples` images."""
    mlp = MLPClassifierScratch(
        hidden_layer_sizes=(256, 128),
        # Large batches are fast and end up at a steady accuracy. Small sets need
        # smaller ones, and more passes over the data, for a sufficient number of
        # updates.
        batch_size=min(500, n_samples // 4),
        learning_rate_init=1.5e-3,
        max_iter=min(max(12, 200_000 // n_samples), 100),
        random_state=0,
    )
    return Pipeline([("scale", MinMaxScaler()), ("mlp", mlp)])


def cross_validate_mlp(X, y, n_folds, n_jobs):
    """Return the accuracy on each fold and the out-of-fold predictions."""
    cv = cross_validate(
        make_model(len(y)),
        X,
        y,
        cv=StratifiedKFold(n_folds, shuffle=True, random_state=0),
        n_jobs=n_jobs,
        return_estimator=True,
        return_indices=True,
        error_score="raise",
    )
    y_pred = np.empty_like(y)
    for estimator, test in zip(cv["estimator"], cv["indices"]["test"], strict=True):
        y_pred[test] = estimator.predict(X[test])
    return cv["test_score"], y_pred


def grid_search_mlp(X, y, n_folds, n_jobs):
    """Return a grid search that has been fitted on `X` and `y`."""
    search = GridSearchCV(
        make_model(len(y)),
        PARAM_GRID,
        cv=StratifiedKFold(min(n_folds, 3), shuffle=True, random_state=0),
        n_jobs=n_jobs,
        refit=False,
        error_score="raise",
    )
    return search.fit(X, y)


def save_confusion_matrix(plt, y, y_pred, path, name):
    """Save a picture of the confusion matrix of `y` and `y_pred` as `path`."""
    fig, ax = plt.subplots(figsize=(7, 6.2), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(
        y,
        y_pred,
        ax=ax,
        cmap="Blues",
        # Errors are rare: on a linear scale, they would all look like zeros.
        im_kw={"norm": "symlog"},
    )
    ax.set_title(f"{name}, out-of-fold predictions of {len(y)} images")
    fig.savefig(path, dpi=150)
    plt.close(fig)


if __name__ == "__main__":
    main()
