"""Tests that heat maps of searches show what the search has found."""

import re

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import MLPClassifierScratch

plt = pytest.importorskip("matplotlib.pyplot")

from skmlp.plotting import SearchHeatmapDisplay  # noqa: E402
from skmlp.plotting._style import COLORS  # noqa: E402
from skmlp.plotting.search_heatmap import _contrast, _labels  # noqa: E402

ALPHAS = [1.0, 1e-4, 1e-2]
RATES = [1e-3, 1e-2]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def results(**scores):
    """Results of a search over three parameters, with scores that all differ."""
    params = [
        {"alpha": alpha, "rate": rate, "activation": activation}
        for activation in ("relu", "tanh")
        for alpha in ALPHAS
        for rate in RATES
    ]
    score = np.array([3, 1, 4, 11, 5, 9, 2, 6, 12, 8, 10, 7]) / 20
    return {
        "params": params,
        "mean_fit_time": np.arange(12.0),
        "mean_test_score": score,
        "rank_test_score": 1 + np.argsort(np.argsort(-score)),
    } | scores


def pivot(cv_results, metric, activation):
    values = np.empty((len(RATES), len(ALPHAS)))
    for params, value in zip(cv_results["params"], cv_results[metric], strict=True):
        if params["activation"] == activation:
            i, j = RATES.index(params["rate"]), sorted(ALPHAS).index(params["alpha"])
            values[i, j] = value
    return values


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


@pytest.mark.parametrize("metric", ["mean_test_score", "mean_fit_time"])
def test_image_is_the_pivot_at_the_best_of_the_others(metric):
    cv_results = results()
    display = SearchHeatmapDisplay.from_cv_results(
        cv_results, x="alpha", y="rate", metric=metric
    )
    expected = pivot(cv_results, metric, "tanh")  # which has the best score, 0.6
    np.testing.assert_array_equal(display.values, expected)
    np.testing.assert_array_equal(display.image_.get_array(), expected)
    assert display.fixed == {"activation": "tanh"}
    assert display.ax_.get_title() == "activation=tanh"
    assert display.colorbar_.ax.get_ylabel() == metric
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("alpha", "rate")
    assert ticks(display.ax_.xaxis) == ["1e-4", "0.01", "1"]
    assert ticks(display.ax_.yaxis) == ["0.001", "0.01"]


def test_best_cell_is_framed():
    display = SearchHeatmapDisplay.from_cv_results(results(), x="alpha", y="rate")
    assert display.best == (0, 0)
    assert display.values[display.best] == 12 / 20
    assert display.best_.get_xy() == (-0.5, -0.5)
    assert display.best_.get_edgecolor() == plt.matplotlib.colors.to_rgba(COLORS[1])
    weights = [text.get_fontweight() for text in display.text_.flat]
    assert weights == ["bold", *["normal"] * 5]
    # Another best fixes the other parameters to others.
    display = SearchHeatmapDisplay.from_cv_results(
        results(), x="alpha", y="rate", best_index=5
    )
    assert display.fixed == {"activation": "relu"}
    assert display.best == (1, 1)


def test_texts():
    display = SearchHeatmapDisplay.from_cv_results(results(), x="alpha", y="rate")
    for (i, j), text in np.ndenumerate(display.text_):
        assert text.get_text() == f"{display.values[i, j]:#.3g}"
        assert text.get_position() == (j, i)
        cell = display.image_.to_rgba(display.values[i, j])
        assert text.get_color() == _contrast(cell)
    assert {text.get_color() for text in display.text_.flat} == {"black", "white"}
    display.plot(include_values=False, colorbar=False)
    assert display.colorbar_ is None
    assert not display.ax_.texts
    assert set(display.text_.flat) == {None}


def test_texts_fit_their_cells():
    values = np.random.RandomState(0).randn(12, 15) / 300
    display = SearchHeatmapDisplay(values, range(15), range(12)).plot()
    display.figure_.canvas.draw()
    cell = display.ax_.get_window_extent()
    for text in display.text_.flat:
        box = text.get_window_extent()
        assert box.width < cell.width / 15
        assert box.height < cell.height / 12
    _, ax = plt.subplots(figsize=(2, 2))  # too small for them
    assert set(display.plot(ax).text_.flat) == {None}


@pytest.mark.parametrize("n", range(0, 256, 15))
def test_contrast(n):
    """At least 4.5, as WCAG 2 asks for."""
    rgba = plt.get_cmap("viridis")(n)
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgba]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05
    assert (light / 0.05 if _contrast(rgba) == "black" else 1.05 / light) > 4.5


def test_missing_cells_are_hatched():
    cv_results = results()
    cv_results["mean_test_score"][7] = np.nan  # a fit that failed
    kept = [k for k in range(12) if k != 9]  # a candidate that was not tried
    cv_results = {key: [values[k] for k in kept] for key, values in cv_results.items()}
    display = SearchHeatmapDisplay.from_cv_results(cv_results, x="alpha", y="rate")
    assert np.argwhere(np.isnan(display.values)).tolist() == [[1, 0], [1, 2]]
    assert [patch.get_xy() for patch in display.missing_] == [(-0.5, 0.5), (1.5, 0.5)]
    assert all(patch.get_hatch() for patch in display.missing_)
    assert display.text_[1, 0] is None
    assert display.text_[1, 1].get_text() == "0.350"


def test_grids_that_do_not_have_every_parameter():
    cv_results = {
        "params": [{"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 3}, {"b": 2, "c": 0}],
        "mean_test_score": [0.5, 0.6, 0.7, 0.8],
    }
    display = SearchHeatmapDisplay.from_cv_results(
        cv_results, x="a", y="b", best_index=1
    )
    np.testing.assert_array_equal(
        display.values, [[0.5, 0.6, np.nan], [np.nan, np.nan, np.nan]]
    )


def test_of_candidates_that_are_the_same_the_last_counts():
    cv_results = {
        "params": [{"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 1}],
        "mean_test_score": [0.5, 0.6, 0.7],
        "rank_test_score": [3, 2, 1],
    }
    display = SearchHeatmapDisplay.from_cv_results(cv_results)
    assert display.values.tolist() == [[0.7, 0.6]]
    assert display.best == (0, 0)


def test_results_as_a_data_frame():
    pd = pytest.importorskip("pandas")
    expected = SearchHeatmapDisplay.from_cv_results(results(), x="rate", y="alpha")
    display = SearchHeatmapDisplay.from_cv_results(
        pd.DataFrame(results()), x="rate", y="alpha"
    )
    np.testing.assert_array_equal(display.values, expected.values)
    assert display.best == expected.best


def test_several_scorers():
    other = np.arange(12.0)
    cv_results = results(mean_test_f1=other, rank_test_f1=12 - np.arange(12))
    for metric in "f1", "mean_test_f1":
        display = SearchHeatmapDisplay.from_cv_results(
            cv_results, x="alpha", y="rate", metric=metric
        )
        assert display.metric == "mean_test_f1"
        assert display.values[display.best] == 11
    display = SearchHeatmapDisplay.from_cv_results(
        cv_results, x="alpha", y="rate", metric="mean_fit_time"
    )
    assert display.values[display.best] == 8  # the best by the first scorer


def test_from_search(datasets, one_blas_thread):
    data = datasets["multiclass"]
    mlp = MLPClassifierScratch((4,), max_iter=2, random_state=0)
    search = GridSearchCV(
        Pipeline([("scale", StandardScaler()), ("mlp", mlp)]),
        {"mlp__alpha": [10, 0.1], "mlp__hidden_layer_sizes": [(4,), (2, 2)]},
        scoring=["accuracy", "neg_log_loss"],
        refit="neg_log_loss",
        cv=2,
    )
    with pytest.raises(NotFittedError):
        SearchHeatmapDisplay.from_search(search)
    search.fit(data.X, data.y)
    scores = search.cv_results_["mean_test_accuracy"].reshape(2, 2)
    _, ax = plt.subplots()
    display = SearchHeatmapDisplay.from_search(
        search, x="mlp__hidden_layer_sizes", y="mlp__alpha", metric="accuracy", ax=ax
    )
    np.testing.assert_array_equal(display.values, scores[::-1])
    assert ticks(display.ax_.xaxis) == ["(4,)", "(2, 2)"]
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    i, j = display.best
    best = {
        "mlp__alpha": [0.1, 10][i],
        "mlp__hidden_layer_sizes": [(4,), (2, 2)][j],
    }
    assert best == search.best_params_
    # Two parameters need not be named.
    display = SearchHeatmapDisplay.from_search(search, metric="mean_fit_time")
    assert (display.x, display.y) == ("mlp__alpha", "mlp__hidden_layer_sizes")


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (np.logspace(-5, 1, 4), ["1e-5", "0.001", "0.1", "10"]),
        ([1e-3, 3.16227766e-4], ["0.001", "3.16e-4"]),
        ([0.0, 1000.0, 1e6, np.inf], ["0", "1000", "1e6", "inf"]),
        ([0.12341, 0.12342], ["0.12341", "0.12342"]),
        ([None, True, "relu", np.tanh], ["None", "True", "relu", "tanh"]),
        (["x" * 30, 200], ["x" * 21 + "...", "200"]),
    ],
)
def test_labels(values, labels):
    assert _labels(values) == labels


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": "a", "y": "rate"}, "x must be one of the parameters of the search, "),
        ({"x": "alpha"}, "y must be one of the parameters .* got None"),
        (
            {"x": "rate", "y": "rate"},
            "x and y must be different parameters, got 'rate'",
        ),
        (
            {"x": "alpha", "y": "rate", "metric": "f1"},
            r"metric must be a key of cv_results, one of \['mean_fit_time', .* 'f1'",
        ),
        ({"x": "alpha", "y": "rate", "metric": "params"}, "metric must be a key"),
        (
            {"x": "alpha", "y": "rate", "best_index": 12},
            "best_index must be .* of the 12 candidates, from 0 to 11, got 12",
        ),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        SearchHeatmapDisplay.from_cv_results(results(), **arguments)


def test_invalid_search_results():
    with pytest.raises(ValueError, match="cv_results must be the cv_results_ of"):
        SearchHeatmapDisplay.from_cv_results({"alpha": [1]})
    with pytest.raises(ValueError, match="at least one candidate, got none"):
        SearchHeatmapDisplay.from_cv_results({"params": []})
    with pytest.raises(TypeError, match=r"search must be a fitted search .* got 3"):
        SearchHeatmapDisplay.from_search(3)
    with pytest.raises(ValueError, match=re.escape("shape (2, 3), got (2, 2)")):
        SearchHeatmapDisplay(np.eye(2), [1, 2, 3], [1, 2]).plot()
