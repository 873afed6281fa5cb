"""Tests that pictures of networks show their layers, units and weights."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skmlp import MLPClassifierScratch

plt = pytest.importorskip("matplotlib.pyplot")

from matplotlib.colors import to_rgba  # noqa: E402

from skmlp.plotting import NetworkDisplay  # noqa: E402
from skmlp.plotting._style import COLORS  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_blas_thread")

SMALL = {"hidden_layer_sizes": (7, 4), "max_iter": 2, "random_state": 0}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def fitted(data, **params):
    return data.Estimator(**SMALL | data.params | params).fit(data.X, data.y)


def texts(artists):
    return [artist.get_text() for artist in artists]


def descriptions(display):
    return texts(display.ax_.get_xticklabels())


def lines(display, l):
    """The lines of a layer's weights by the units that they connect."""
    before, after = (
        [tuple(place) for place in display.nodes_[k].get_offsets()] for k in (l, l + 1)
    )
    edges = display.edges_[l]
    found = {}
    for (start, end), color, width in zip(
        edges.get_segments(), edges.get_colors(), edges.get_linewidths(), strict=True
    ):
        units = before.index(tuple(start)), after.index(tuple(end))
        found[units] = SimpleNamespace(color=color, width=width)
    return found


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "multioutput"])
@pytest.mark.parametrize("hidden", [(), (7, 4)])
def test_every_unit_and_weight_is_drawn(datasets, kind, hidden):
    est = fitted(datasets[kind], hidden_layer_sizes=hidden)
    display = NetworkDisplay.from_estimator(est)
    assert display.kind_ == "units"
    assert display.boxes_ == []
    sizes = [8, *hidden, est.n_outputs_]
    assert [len(nodes.get_offsets()) for nodes in display.nodes_] == sizes
    largest = max(np.abs(W).max() for W in est.coefs_)
    for l, W in enumerate(est.coefs_):
        drawn = lines(display, l)
        assert len(drawn) == W.size
        for (i, j), line in drawn.items():
            size = abs(W[i, j]) / largest
            color = to_rgba(COLORS[0] if W[i, j] >= 0 else COLORS[1], 0.1 + 0.8 * size)
            np.testing.assert_allclose(line.color, color)
            assert line.width == pytest.approx(0.3 + 2.7 * size)
        widths = display.edges_[l].get_linewidths()
        assert sorted(widths) == list(widths)  # the largest on top


def test_legend_names_the_signs(datasets):
    legend = NetworkDisplay.from_estimator(fitted(datasets["binary"])).ax_.get_legend()
    assert texts(legend.get_texts()) == ["positive weight", "negative weight"]
    assert [line.get_color() for line in legend.get_lines()] == list(COLORS[:2])


def test_weights_of_zero():
    est = MLPClassifierScratch((2,), max_iter=1).fit([[0.0], [1.0]], [0, 1])
    for W in est.coefs_:
        W[...] = 0
    edges = NetworkDisplay.from_estimator(est).edges_
    np.testing.assert_allclose(edges[0].get_linewidths(), 0.3)


@pytest.mark.parametrize("kind", ["units", "layers"])
def test_description_of_layers(datasets, kind):
    est = fitted(
        datasets["multiclass"],
        dropout=[0.5, 0],
        batch_norm=True,
        frozen_layers=[0],
        activation=["tanh", "relu"],
    )
    display = NetworkDisplay.from_estimator(est, kind=kind)
    assert descriptions(display) == [
        "input\n8 units",
        "hidden 1\n7 units\ntanh\n70 parameters\ndropout 0.5\nbatch norm\nfrozen",
        "hidden 2\n4 units\nrelu\n36 parameters\nbatch norm",
        "output\n3 units\nsoftmax\n15 parameters",
    ]


def test_description_of_other_layers(datasets):
    est = fitted(
        datasets["multiclass"],
        hidden_layer_sizes=(4, 4),
        layer_norm=True,
        residual=True,
    )
    hidden = descriptions(NetworkDisplay.from_estimator(est))[1:3]
    assert [text.split("parameters\n")[1] for text in hidden] == [
        "layer norm",
        "layer norm\nresidual",
    ]


def test_single_unit(datasets):
    display = NetworkDisplay.from_estimator(fitted(datasets["binary"]))
    assert descriptions(display)[-1] == "output\n1 unit\nlogistic\n5 parameters"


def test_layers_are_boxes():
    rng = np.random.RandomState(0)
    est = MLPClassifierScratch((60, 5), max_iter=1, random_state=0)
    est.fit(rng.randn(20, 40), np.arange(20) % 3)
    display = NetworkDisplay.from_estimator(est)
    assert display.kind_ == "layers"
    assert display.nodes_ == display.edges_ == []
    heights = [box.get_height() for box in display.boxes_]
    assert np.argsort(heights).tolist() == [3, 2, 0, 1]  # as 40, 60, 5, 3
    assert max(heights) == 1
    times = "\n\N{MULTIPLICATION SIGN}\n"
    written = ["40", "60", f"40{times}60", "5", f"60{times}5", "3", f"5{times}3"]
    assert texts(display.text_) == written


@pytest.mark.parametrize(
    ("sizes", "kind"),
    [
        ((32, 31, 1), "layers"),  # too many weights
        ((32, 20, 5), "units"),
        ((33, 2, 1), "layers"),
    ],
)
def test_which_kind_is_drawn(sizes, kind):
    rng = np.random.RandomState(0)
    est = MLPClassifierScratch(sizes[1:], max_iter=1, random_state=0)
    est.fit(rng.randn(10, sizes[0]), np.arange(10) % 2)
    assert NetworkDisplay.from_estimator(est).kind_ == kind
    assert NetworkDisplay.from_estimator(est, kind="units").kind_ == "units"


# names


def test_names_of_classes(datasets):
    three = NetworkDisplay.from_estimator(fitted(datasets["strings"]))
    assert texts(three.text_) == ["a", "setosa", "versicolor"]
    two = NetworkDisplay.from_estimator(fitted(datasets["binary"]))
    assert texts(two.text_) == ["1"]
    assert NetworkDisplay.from_estimator(fitted(datasets["multioutput"])).text_ == []


def test_names_of_features(datasets):
    pd = pytest.importorskip("pandas")
    data = datasets["multiclass"]
    names = [f"feature ${j}$" for j in range(7)] + ["of a name that is too long to fit"]
    X = pd.DataFrame(data.X, columns=names)
    clf = MLPClassifierScratch(**SMALL)
    shown = [*names[:7], "of a name that is too..."]
    for est in clf, make_pipeline(StandardScaler(), clf):
        display = NetworkDisplay.from_estimator(est.fit(X, data.y))
        assert texts(display.text_) == [*shown, "0", "1", "2"]
        places = [text.xy for text in display.text_[:8]]
        np.testing.assert_array_equal(places, display.nodes_[0].get_offsets())
        display.figure_.canvas.draw()  # a dollar sign is no formula
    pipe = make_pipeline(PCA(2), clf).fit(X, data.y)
    display = NetworkDisplay.from_estimator(pipe)
    assert texts(display.text_)[:2] == ["pca0", "pca1"]
    pipe = make_pipeline(FunctionTransformer(np.asarray), clf).fit(X, data.y)
    display = NetworkDisplay.from_estimator(pipe)
    assert texts(display.text_) == ["0", "1", "2"]


def test_names_that_are_given(datasets):
    display = NetworkDisplay.from_estimator(
        fitted(datasets["regression"]), feature_names=range(8), output_names=["y"]
    )
    assert texts(display.text_) == [*"01234567", "y"]


def test_names_that_do_not_fit_are_left_out(datasets):
    display = NetworkDisplay.from_estimator(fitted(datasets["strings"]))
    _, ax = plt.subplots(figsize=(2, 0.7))
    assert display.plot(ax).text_ == []


@pytest.mark.parametrize("kind", ["units", "layers"])
@pytest.mark.parametrize("hidden", [(3,), (30, 8), (10,) * 8])
def test_no_texts_overlap(datasets, kind, hidden):
    est = fitted(datasets["strings"], hidden_layer_sizes=hidden, dropout=0.5)
    display = NetworkDisplay.from_estimator(
        est, kind=kind, feature_names=["a long name of a feature"] * 8
    )
    display.figure_.canvas.draw()
    artists = [
        *display.text_,
        *display.ax_.get_xticklabels(),
        *([display.ax_.get_legend()] if kind == "units" else []),
    ]
    boxes = [artist.get_window_extent() for artist in artists]
    for k, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:k])
        figure = display.figure_.bbox
        assert figure.x0 <= box.x0
        assert box.x1 <= figure.x1
        assert figure.y0 <= box.y0
        assert box.y1 <= figure.y1


# arguments


def test_axes_are_used_again(datasets):
    est = fitted(datasets["binary"])
    _, ax = plt.subplots()
    display = NetworkDisplay.from_estimator(est, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    again = display.plot()
    assert again is display
    assert display.ax_ is not ax


def test_data_of_the_display_are_those_of_the_estimator(datasets):
    est = fitted(datasets["binary"])
    display = NetworkDisplay.from_estimator(est)
    assert display.layers == est.summary().layers
    assert display.coefs is est.coefs_


def test_bad_arguments(datasets):
    est = fitted(datasets["binary"])
    with pytest.raises(ValueError, match=r"kind must be 'auto', .* got 'nodes'"):
        NetworkDisplay.from_estimator(est, kind="nodes")
    with pytest.raises(ValueError, match=r"feature_names .* of the 8 inputs, got 2"):
        NetworkDisplay.from_estimator(est, feature_names=["a", "b"])
    with pytest.raises(ValueError, match=r"output_names .* of the 1 outputs, got 2"):
        NetworkDisplay.from_estimator(est, output_names=["a", "b"], kind="layers")
    with pytest.raises(NotFittedError):
        NetworkDisplay.from_estimator(MLPClassifierScratch())
    for other in LogisticRegression(), make_pipeline(LogisticRegression()), 3:
        with pytest.raises(TypeError, match="estimator must be an MLPClassifierSc"):
            NetworkDisplay.from_estimator(other)


def test_too_many_weights_to_draw():
    est = MLPClassifierScratch((400, 300), max_iter=1).fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ValueError, match=r"more than 100,000 weights, got .* 120,700"):
        NetworkDisplay.from_estimator(est, kind="units")
