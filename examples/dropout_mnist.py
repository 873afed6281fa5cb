"""Measure the effect of dropout and a max-norm constraint on MNIST.

Train the same network with and without them on the first 60 000 images, and print
its accuracy on the last 10 000 images, which are the test set. The number of epochs is
fixed in advance.
"""

import argparse
import time
import warnings

from sklearn.exceptions import ConvergenceWarning

from skmlp import MLPClassifierScratch
from skmlp.datasets import fetch_mnist

N_TRAIN = 60_000

SHARED = {
    "hidden_layer_sizes": (800, 800),
    "alpha": 0.0,
    "batch_size": 128,
    "learning_rate": "one_cycle",
    "random_state": 0,
}
CONFIGURATIONS = {
    "plain": {**SHARED, "learning_rate_init": 1e-3},
    "dropout and max-norm": {
        **SHARED,
        "learning_rate_init": 2e-3,
        "dropout": 0.5,
        "input_dropout": 0.2,
        "max_norm": 2.0,
    },
}


def main(argv=None):
    """Run the example with the command line arguments `argv`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=30, help="default: 30")
    parser.add_argument(
        "--n-train",
        type=int,
        default=N_TRAIN,
        help="train on the first of the 60 000 images only",
    )
    parser.add_argument("--only", choices=CONFIGURATIONS, help="run one of the two")
    args = parser.parse_args(argv)

    X, y = fetch_mnist(return_X_y=True)
    X /= 255
    X_train, y_train = X[: args.n_train], y[: args.n_train]
    X_test, y_test = X[N_TRAIN:], y[N_TRAIN:]
    # Training is expected to reach the maximum number of epochs.
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    for name, parameters in CONFIGURATIONS.items():
        if args.only not in (None, name):
            continue
        start = time.perf_counter()
        clf = MLPClassifierScratch(
            **parameters, max_iter=args.epochs, n_iter_no_change=args.epochs
        )
        clf.fit(X_train, y_train)
        print(
            f"{name}: accuracy {clf.score(X_test, y_test):.4f} on {len(y_test)} images "
            f"after {clf.n_iter_} epochs of {len(y_train)}, "
            f"{time.perf_counter() - start:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
