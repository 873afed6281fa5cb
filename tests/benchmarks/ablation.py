"""Measure what each choice of the pipelines for tables contributes.

The benchmark is not run by pytest. It needs the packages of the extra `tables` and
prints a page in Markdown::

    python tests/benchmarks/ablation.py > docs/ablation.md   # in about an hour
    python tests/benchmarks/ablation.py --tables iris cps --variants "one member"

`--cache` names a file that keeps the results, as in tables.py.
"""

import argparse
from functools import partial
from sys import stderr

import numpy as np
from compare import cpu, table_head, table_line, versions
from table_data import SOURCES, load_table
from tables import Results, tabular

# What a variant changes: parameters of the pipeline. Those that only one of the two
# estimators has are ignored for the other one.
VARIANTS = {
    "default": {},
    "Ensemble": None,
    "1 member": {"mlp__n_members": 1},
    "4 members": {"mlp__n_members": 4},
    "16 members": {"mlp__n_members": 16},
    "Preprocessing": None,
    "no bins": {"preprocessor__n_bins": None},
    "4 bins": {"preprocessor__n_bins": 4},
    "4 to 16 bins, by the number of samples": {"preprocessor__n_bins": "auto"},
    "at most 32 categories": {"preprocessor__max_categories": 32},
    "Network": None,
    "1 hidden layer": {"mlp__hidden_layer_sizes": (128,)},
    "3 hidden layers": {"mlp__hidden_layer_sizes": (128, 128, 128)},
    "256 units": {"mlp__hidden_layer_sizes": (256, 256)},
    "activation silu": {"mlp__activation": "silu"},
    "layer normalization": {"mlp__layer_norm": True},
    "Regularization": None,
    "no dropout": {"mlp__dropout": 0.0},
    "dropout 0.1": {"mlp__dropout": 0.1},
    "dropout 0.2": {"mlp__dropout": 0.2},
    "weight decay 0.01": {"mlp__weight_decay": 0.01},
    "weight decay 2": {"mlp__weight_decay": 2.0},
    "label smoothing 0.1": {"mlp__label_smoothing": 0.1},
    "Training": None,
    "targets not standardized": {"mlp__target_transform": None},
    "learning rate 0.001": {"mlp__learning_rate_init": 0.001},
    "learning rate 0.01": {"mlp__learning_rate_init": 0.01},
    "constant learning rate": {"mlp__learning_rate": "constant"},
    "beta_2 0.95": {"mlp__beta_2": 0.95},
    "no minimum of batches": {"mlp__min_batches": 1},
    "40 epochs": {"mlp__max_iter": 40},
    "mean of the last weights (swa)": {"mlp__averaging": "swa"},
    "best epoch on 20 % of the samples": {
        "mlp__early_stopping": True,
        "mlp__validation_fraction": 0.2,
    },
}

INTRODUCTION = """\
# Ablation of the pipelines for tables

This page shows what the choices of `make_tabular_mlp_classifier` and
`make_tabular_mlp_regressor` contribute. It is printed by
`python tests/benchmarks/ablation.py`, with the tables, folds and errors of the
[comparison](tables.md). Each variant differs from `effort="default"` in one parameter.

"error" is the mean of the logarithm of the variant's error divided by the default's:
with 0.02, errors are 2 % larger than those of the default. 0.01 is added to all
errors, so that tables with few errors do not dominate. "±" is the standard error of
the mean. The mean is over the tables whose predictions the variant changes. "log
loss" is the same for classification."""


def make(changes, table):
    """Return the pipeline of a variant."""
    pipeline = tabular("default", table)
    known = pipeline.get_params()
    return pipeline.set_params(**{k: v for k, v in changes.items() if k in known})


def log_ratios(results, variant, tables, metric, offset):
    """Return the logarithms of a metric divided by the default's, for each table."""
    values = [
        [results.get(name, t)[metric] + offset for t in tables]
        for name in (variant, "default")
    ]
    return np.log(values[0]) - np.log(values[1])


def mean_and_error(ratios):
    """Return a mean and its standard error as text."""
    error = np.std(ratios, ddof=1) / np.sqrt(len(ratios)) if len(ratios) > 1 else np.nan
    return [f"{np.mean(ratios):+.4f}", f"{error:.4f}"]


def without_time(results, variant, table):
    """Return the results of a variant that do not depend on the machine."""
    values = results.get(variant, table)
    return [value for name, value in values.items() if name != "seconds"]


def variant_line(results, variant, tables):
    """Return a line of the table."""
    changed = [
        t
        for t in tables
        if without_time(results, variant, t) != without_time(results, "default", t)
    ]
    errors = log_ratios(results, variant, changed, "error", 0.01)
    classification = [t for t in changed if t.is_classification]
    log_loss = log_ratios(results, variant, classification, "log_loss", 0.01)
    cells = [
        *mean_and_error(errors),
        f"{np.sum(errors < 0)} / {np.sum(errors > 0)}",
        *(mean_and_error(log_loss) if classification else ["", ""]),
    ]
    return table_line([variant, *cells])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [name for name, changes in VARIANTS.items() if changes]
    parser.add_argument("--tables", nargs="+", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--variants", nargs="+", choices=names, default=names)
    parser.add_argument("--cache", help="file of results")
    args = parser.parse_args()
    makers = {
        name: partial(make, changes)
        for name, changes in VARIANTS.items()
        if changes is not None
    }
    results = Results(args.cache, makers)
    tables = [load_table(name) for name in args.tables]
    for variant in ["default", *args.variants]:
        for t in tables:
            results.get(variant, t)
        print(variant, file=stderr, flush=True)
    print(INTRODUCTION)
    header = ["error", "±", "better / worse", "log loss", "±"]
    for name, changes in VARIANTS.items():
        if changes is None:
            print(f"\n## {name}\n")
            print(*table_head("variant", *header), sep="\n")
        elif name in args.variants:
            print(variant_line(results, name, tables))
    print("\n## Machine\n")
    print(f"{cpu()}, with {versions(['skmlp', 'sklearn'])}.")


if __name__ == "__main__":
    main()
