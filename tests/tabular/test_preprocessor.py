"""Tests of TabularPreprocessor with arrays and data frames of pandas and polars."""

import datetime
import pickle
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, RobustScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skmlp import MLPClassifierScratch, TabularPreprocessor

AGES = [20.0, 30.0, None, 70.0, 40.0]
CITIES = ["Rome", "Oslo", "Rome", None, "Bonn"]
SMOKES = ["yes", "no", "no", "yes", "no"]
NAMES = [
    "age",
    "missingindicator_age",
    "city_Bonn",
    "city_Oslo",
    "city_Rome",
    "missingindicator_city",
    "smokes_yes",
]


@parametrize_with_checks(
    [
        TabularPreprocessor(),
        TabularPreprocessor(dtype="float64", clip=None),
        TabularPreprocessor(n_bins=3),
        TabularPreprocessor(n_bins="auto"),
    ]
)
def test_check_estimator(estimator, check):
    check(estimator)


def table(library):
    columns = {"age": AGES, "city": CITIES, "smokes": SMOKES}
    if library == "array":
        return np.array([*columns.values()], dtype=object).T
    if library == "list":
        return [list(row) for row in zip(*columns.values(), strict=True)]
    if library == "polars":
        return pl.DataFrame(columns)
    frame = pd.DataFrame(columns)
    if library == "pandas with category":
        frame["city"] = frame["city"].astype("category")
    if library == "pandas with nullable dtypes":
        frame = frame.convert_dtypes()
    if library == "polars with categories":
        frame = pl.DataFrame(columns)
        frame = frame.cast({"city": pl.Categorical, "age": pl.Int32})
    return frame


LIBRARIES = [
    "array",
    "list",
    "pandas",
    "pandas with category",
    "pandas with nullable dtypes",
    "polars",
    "polars with categories",
]


@pytest.mark.parametrize("library", LIBRARIES)
def test_all_kinds_of_tables_have_the_same_output(library):
    X = table(library)
    preprocessor = TabularPreprocessor(dtype="float64")
    out = preprocessor.fit_transform(X)
    # Median 35 and quartiles 27.5 and 47.5 of the ages.
    z = np.array([-15, -5, 0, 35, 5]) / 20
    expected = [
        z / np.sqrt(1 + (z / 3) ** 2),
        [0, 0, 1, 0, 0],
        [0, 0, 0, 0, 1],
        [0, 1, 0, 0, 0],
        [1, 0, 1, 0, 0],
        [0, 0, 0, 1, 0],
        [1, -1, -1, 1, -1],
    ]
    np.testing.assert_allclose(out, np.transpose(expected), rtol=1e-15, atol=1e-15)
    names = preprocessor.get_feature_names_out(["age", "city", "smokes"])
    assert list(names) == NAMES


def test_pandas_and_polars_can_take_turns():
    preprocessor = TabularPreprocessor().fit(table("pandas"))
    out = preprocessor.transform(table("polars"))
    np.testing.assert_array_equal(out, preprocessor.transform(table("pandas")))


def test_numbers_are_scaled_as_by_robust_scaler():
    X = np.random.RandomState(0).standard_cauchy((101, 4))
    out = TabularPreprocessor(clip=None, dtype="float64").fit_transform(X)
    np.testing.assert_allclose(out, RobustScaler().fit_transform(X), rtol=1e-13)


def test_large_numbers_are_clipped_smoothly():
    X = np.array([[-1e300], [-1.0], [0.0], [1.0], [1e300]])
    out = TabularPreprocessor(clip=3.0, dtype="float64").fit_transform(X)
    z = 1 / 2
    inside = z / np.sqrt(1 + (z / 3) ** 2)
    np.testing.assert_allclose(out[:, 0], [-3, -inside, 0, inside, 3])


def test_half_of_the_range_scales_a_column_without_interquartile_range():
    X = np.array([[0.0]] * 10 + [[8.0]])
    out = TabularPreprocessor(clip=None).fit_transform(X)
    np.testing.assert_array_equal(out[:, 0], [0] * 10 + [2])


@pytest.mark.parametrize("value", [7.0, np.nan])
def test_columns_without_information_become_zero(value):
    out = TabularPreprocessor(add_indicator=False).fit_transform(np.full((5, 1), value))
    np.testing.assert_array_equal(out, np.zeros((5, 1)))


def test_bins_are_those_of_k_bins_discretizer():
    """A column is at the end of all bins below that of the value, and 0 for NaN."""
    X = np.random.RandomState(0).exponential(size=(101, 1))
    discretizer = KBinsDiscretizer(
        4, encode="ordinal", quantile_method="inverted_cdf", subsample=None
    ).fit(X)
    edges = discretizer.bin_edges_[0]
    preprocessor = TabularPreprocessor(n_bins=4, dtype="float64").fit(X)
    bins = preprocessor.transform(X)[:, 1:]
    assert preprocessor.get_feature_names_out().tolist() == [
        "x0",
        *(f"x0_bin{t}" for t in range(4)),
    ]
    np.testing.assert_allclose(
        bins[:, 1], np.interp(X[:, 0], edges[1:3], [-0.5, 0.5]), atol=1e-12
    )
    k = discretizer.transform(X)[:, 0]
    assert ((bins == 0.5).sum(axis=1) >= k).all()
    width = np.diff(edges)
    np.testing.assert_allclose((bins + 0.5) @ width, X[:, 0] - edges[0], atol=1e-12)
    far = preprocessor.transform([[1e9], [-1e9], [np.nan]])[:, 1:]
    np.testing.assert_array_equal(far, [[0.5] * 4, [-0.5] * 4, [0] * 4])


def test_there_are_at_most_as_many_bins_as_intervals_of_values():
    X = np.array([[0, 1, 0.0], [1, 1, 1], [2, 1, 0], [0, 1, 1]])
    names = TabularPreprocessor(n_bins=50).fit(X).get_feature_names_out()
    assert names.tolist() == ["x0", "x0_bin0", "x0_bin1", "x1", "x2"]


@pytest.mark.parametrize(("n_samples", "expected"), [(30, 4), (2500, 10), (10_000, 16)])
def test_number_of_bins_grows_with_the_number_of_samples(n_samples, expected):
    X = np.arange(n_samples).reshape(-1, 1)
    preprocessor = TabularPreprocessor(n_bins="auto").fit(X)
    assert len(preprocessor.get_feature_names_out()) == 1 + expected


def test_categories_are_encoded_as_by_one_hot_encoder():
    rng = np.random.RandomState(0)
    X = np.array(list("abcde"), dtype=object)[rng.randint(5, size=(50, 3))]
    encoder = OneHotEncoder(sparse_output=False).fit(X)
    preprocessor = TabularPreprocessor(dtype="float64").fit(X)
    np.testing.assert_array_equal(preprocessor.transform(X), encoder.transform(X))
    names = preprocessor.get_feature_names_out()
    assert list(names) == list(encoder.get_feature_names_out())


def test_the_most_frequent_of_many_categories_have_columns():
    values = ["a"] * 1 + ["b"] * 2 + ["c"] * 4 + ["d"] * 4
    X = pd.DataFrame({"x": values})
    preprocessor = TabularPreprocessor(max_categories=2, dtype="float64").fit(X)
    names = preprocessor.get_feature_names_out()
    assert list(names) == ["x_c", "x_d", "frequency_x"]
    out = preprocessor.transform(X)
    np.testing.assert_array_equal(out[:, 0], X["x"] == "c")
    np.testing.assert_array_equal(out[:, 1], X["x"] == "d")
    log_n = np.log1p([1] * 1 + [2] * 2 + [4] * 8)
    expected = (log_n - log_n.mean()) / log_n.std()
    np.testing.assert_allclose(out[:, 2], expected, rtol=1e-12)
    unknown = preprocessor.transform(pd.DataFrame({"x": ["z", None]}))
    np.testing.assert_allclose(unknown[0], [0, 0, -log_n.mean() / log_n.std()])
    np.testing.assert_array_equal(unknown[1], [0, 0, 0])


def test_unknown_categories_and_new_missing_values_become_zero():
    X = pd.DataFrame({"number": [1.0, 2.0], "binary": ["a", "b"]})
    preprocessor = TabularPreprocessor().fit(X)
    new = pd.DataFrame({"number": [np.nan], "binary": ["c"]})
    np.testing.assert_array_equal(preprocessor.transform(new), [[0, 0]])


@pytest.mark.parametrize("which", [["b"], [1], [-2], [False, True, False]])
def test_numeric_columns_can_have_categories(which):
    X = pd.DataFrame({"a": [1, 2, 3], "b": [5, 7, 9], "c": [0, 0, 1]})
    preprocessor = TabularPreprocessor(categorical_features=which).fit(X)
    names = preprocessor.get_feature_names_out()
    assert list(names) == ["a", "b_5.0", "b_7.0", "b_9.0", "c"]
    np.testing.assert_array_equal(preprocessor.transform(X)[:, 1:4], np.eye(3))


@pytest.mark.parametrize("which", [["d"], [3], [True], 1.5, [0.5]])
def test_categorical_features_must_be_features(which):
    X = pd.DataFrame({"a": [1, 2, 3], "b": [5, 7, 9], "c": [0, 0, 1]})
    with pytest.raises(ValueError, match="categorical_features"):
        TabularPreprocessor(categorical_features=which).fit(X)


DAYS = [datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)]


@pytest.mark.parametrize(
    "X",
    [
        pd.DataFrame({"day": pd.to_datetime(DAYS)}),
        pd.DataFrame({"day": pd.to_datetime(DAYS).tz_localize("UTC")}),
        pd.DataFrame({"day": pd.to_datetime(DAYS) - pd.Timestamp("2000-01-01")}),
        pd.DataFrame({"day": pd.to_datetime(DAYS).to_period("D")}),
        pd.DataFrame({"day": DAYS}),
        pl.DataFrame({"day": DAYS}),
    ],
)
def test_dates_raise_an_error_that_says_what_to_do(X):
    with pytest.raises(ValueError, match=r"dates in column 'day'.*Convert them to"):
        TabularPreprocessor().fit(X)


def test_arrays_of_dates_raise():
    X = np.array([["2020-01-01"], ["2020-01-02"]], dtype="datetime64[D]")
    with pytest.raises(ValueError, match=r"dates in column 'x0'"):
        TabularPreprocessor().fit(X)


def test_infinity_raises():
    X = pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, np.inf]})
    with pytest.raises(ValueError, match="infinity, got it in column 'b'"):
        TabularPreprocessor().fit(X)


def test_strings_in_a_numeric_column_raise():
    preprocessor = TabularPreprocessor().fit(pd.DataFrame({"a": [1.0, 2.0]}))
    with pytest.raises(ValueError, match="numbers in column 'a', as in fit"):
        preprocessor.transform(pd.DataFrame({"a": ["1", "2"]}))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_empty_frames_raise(frame):
    with pytest.raises(ValueError, match=r"0 sample\(s\) \(shape=\(0, 1\)\)"):
        TabularPreprocessor().fit(frame({"a": []}))


def test_other_names_raise():
    preprocessor = TabularPreprocessor().fit(pd.DataFrame({"a": [1.0, 2.0]}))
    with pytest.raises(ValueError, match="feature names should match"):
        preprocessor.transform(pd.DataFrame({"b": [1.0, 2.0]}))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output(library):
    preprocessor = TabularPreprocessor().set_output(transform=library)
    out = preprocessor.fit_transform(table(library))
    assert type(out) is {"pandas": pd.DataFrame, "polars": pl.DataFrame}[library]
    assert list(out.columns) == NAMES


def test_object_columns_of_numbers_are_numeric():
    X = np.array([[1, True], [None, False], [3.5, np.nan]], dtype=object)
    preprocessor = TabularPreprocessor().fit(X)
    assert list(preprocessor.get_feature_names_out()) == [
        "x0",
        "missingindicator_x0",
        "x1",
        "missingindicator_x1",
    ]


def test_numbers_and_strings_of_one_column_are_different_categories():
    X = np.array([["1"], [1], ["a"]], dtype=object)
    preprocessor = TabularPreprocessor().fit(X)
    np.testing.assert_array_equal(preprocessor.transform(X).sum(axis=0), [1, 1, 1])


def test_clone_and_pickle():
    preprocessor = TabularPreprocessor(max_categories=2)
    X = table("pandas")
    out = preprocessor.fit_transform(X)
    copy = pickle.loads(pickle.dumps(preprocessor))
    np.testing.assert_array_equal(copy.transform(X), out)
    np.testing.assert_array_equal(clone(preprocessor).fit_transform(X), out)


def test_transform_needs_memory_for_its_output_and_a_few_columns():
    rng = np.random.RandomState(0)
    X = pd.DataFrame(rng.randn(20_000, 50))
    preprocessor = TabularPreprocessor().fit(X)
    tracemalloc.start()
    out = preprocessor.transform(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < out.nbytes + 8 * X[0].to_numpy().nbytes


def test_in_a_pipeline():
    X = table("pandas")
    model = make_pipeline(
        TabularPreprocessor(), MLPClassifierScratch(max_iter=300, random_state=0)
    )
    assert model.fit(X, SMOKES).score(X, SMOKES) == 1
