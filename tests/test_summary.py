"""Tests of the table of layers, as text and in notebooks."""

from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import MLPClassifierScratch, MLPRegressorScratch, load, save
from skmlp.callbacks import Callback
from skmlp.core.activations import ACTIVATIONS

pytestmark = pytest.mark.usefixtures("one_blas_thread")

SMALL = {"hidden_layer_sizes": (7, 4), "max_iter": 2, "random_state": 0}
EVERYTHING = {
    "dropout": [0.5, 0.25],
    "input_dropout": 0.1,
    "batch_norm": True,
    "frozen_layers": [0],
    "dtype": "float32",
}


def fitted(data, **params):
    return data.Estimator(**SMALL | data.params | params).fit(data.X, data.y)


class Parser(HTMLParser):
    """Collects the cells of tables, and holds that every tag is closed."""

    def __init__(self, html):
        super().__init__()
        self.open, self.seen, self.cells = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "multioutput"])
@pytest.mark.parametrize("params", [{}, EVERYTHING, {"hidden_layer_sizes": ()}])
def test_counts_are_those_of_the_arrays(datasets, kind, params):
    est = fitted(datasets[kind], **params)
    arrays = [*est.coefs_, *est.intercepts_, *getattr(est, "batch_norm_scales_", [])]
    running = [
        *getattr(est, "batch_norm_means_", []),
        *getattr(est, "batch_norm_variances_", []),
    ]
    summary = est.summary()
    assert summary.n_parameters == sum(A.size for A in arrays)
    assert summary.n_parameters == sum(layer.parameters for layer in summary.layers)
    assert summary.n_bytes == sum(A.nbytes for A in arrays + running)
    assert summary.dtype == est.coefs_[0].dtype
    hidden = est.hidden_layer_sizes
    sizes = [est.n_features_in_, *hidden, est.n_outputs_]
    assert [layer.units for layer in summary.layers] == sizes
    assert [layer.weights for layer in summary.layers[1:]] == [
        W.shape for W in est.coefs_
    ]
    assert summary.layers[0].weights is None
    assert [layer.activation for layer in summary.layers] == [
        None,
        *["relu"] * len(hidden),
        est.out_activation_,
    ]


def test_layer_arrays_and_shapes(datasets):
    layers = fitted(datasets["multiclass"], **EVERYTHING).summary().layers
    assert [layer.name for layer in layers] == [
        "input",
        "hidden 1",
        "hidden 2",
        "output",
    ]
    assert [layer.dropout for layer in layers] == [0.1, 0.5, 0.25, 0]
    assert [layer.batch_norm for layer in layers] == [False, True, True, False]
    assert [layer.frozen for layer in layers] == [False, True, False, False]


def test_trainable(datasets):
    summary = fitted(datasets["multiclass"], **EVERYTHING).summary()
    frozen = 8 * 7 + 7 + 7  # weights, biases and scales of the first layer
    assert summary.n_parameters - summary.n_trainable == frozen
    assert f"{summary.n_trainable} trainable" in str(summary)
    assert "all trainable" in str(fitted(datasets["multiclass"]).summary())


def test_text(datasets):
    text = str(fitted(datasets["multiclass"], **EVERYTHING).summary())
    assert text.splitlines() == [
        "layer     units  activation  weights  parameters  dropout  batch norm  frozen",
        "-----------------------------------------------------------------------------",
        "input         8                                       0.1",
        "hidden 1      7  relu        8 x 7            70      0.5  yes         yes",
        "hidden 2      4  relu        7 x 4            36     0.25  yes",
        "output        3  softmax     4 x 3            15",
        "-----------------------------------------------------------------------------",
        "121 parameters, 51 trainable; 572 bytes in float32",
    ]


def test_columns_that_no_layer_has_are_left_out(datasets):
    text = str(fitted(datasets["regression"]).summary())
    assert not any(title in text for title in ("dropout", "batch norm", "frozen"))


def test_large_numbers_are_readable():
    X = np.zeros((10, 1000))
    clf = MLPClassifierScratch((600,), max_iter=1).fit(X, np.arange(10) % 2)
    text = str(clf.summary())
    assert "1,000 x 600" in text
    assert "601,201 parameters, all trainable; 4.6 MiB in float64" in text


@pytest.mark.parametrize("Estimator", [MLPClassifierScratch, MLPRegressorScratch])
def test_not_fitted(Estimator):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        Estimator().summary()


def test_a_loaded_network_has_the_same_summary(datasets, tmp_path):
    clf = fitted(datasets["multiclass"], **EVERYTHING)
    save(clf, tmp_path / "clf.skmlp")
    assert load(tmp_path / "clf.skmlp").summary() == clf.summary()


# HTML


def test_html_has_the_cells_of_the_text(datasets):
    summary = fitted(datasets["multiclass"], **EVERYTHING).summary()
    cells = Parser(summary._repr_html_()).cells
    assert cells[:8] == [
        "layer",
        "units",
        "activation",
        "weights",
        "parameters",
        "dropout",
        "batch norm",
        "frozen",
    ]
    assert cells[16:24] == ["hidden 1", "7", "relu", "8 x 7", "70", "0.5", "yes", "yes"]


def test_html_sets_no_colour(datasets):
    """The page may be light or dark."""
    html = fitted(datasets["multiclass"]).summary()._repr_html_()
    assert "color: inherit" in html
    assert "#" not in html


def test_estimator_shows_its_diagram_and_then_the_summary(datasets):
    clf = fitted(datasets["multiclass"])
    bundle = clf._repr_mimebundle_()
    assert bundle["text/plain"] == repr(clf)
    for html in clf._repr_html_(), bundle["text/html"]:
        diagram, summary = html.split('<details class="skmlp-details"')
        assert "sk-top-container" in diagram
        assert "Layers: 8, 7, 4, 3; 110 parameters" in summary
        Parser(f"<details {summary}")
        assert clf.summary()._repr_html_() in summary


def test_many_layers_are_one_short_line(datasets):
    html = fitted(datasets["binary"], hidden_layer_sizes=[2] * 20)._repr_html_()
    assert "Layers: 8, 2, 2, 2, ..., 2, 2, 1; " in html


def test_only_the_diagram_without_a_network():
    assert "skmlp-details" not in MLPClassifierScratch()._repr_html_()


def test_diagram_during_the_first_training(datasets):
    shown = []

    class Show(Callback):
        def on_epoch_end(self, training):
            shown.append(training.estimator._repr_html_())

    fitted(datasets["multiclass"], callbacks=[Show()])
    assert len(shown) == 2
    assert not any("skmlp-details" in html for html in shown)


def test_display_of_text(datasets):
    clf = fitted(datasets["multiclass"])
    with config_context(display="text"):
        assert not hasattr(clf, "_repr_html_")
        assert "text/html" not in clf._repr_mimebundle_()


def test_html_of_a_meta_estimator_contains_the_diagram(datasets):
    data = datasets["multiclass"]
    pipe = make_pipeline(StandardScaler(), MLPClassifierScratch(**SMALL))
    search = GridSearchCV(pipe, {"mlpclassifierscratch__alpha": [0.1, 1]}, cv=2)
    for est in pipe, search.fit(data.X, data.y):
        html = est._repr_html_()
        assert "MLPClassifierScratch" in html
        assert "skmlp-details" not in html
    assert "skmlp-details" in search.best_estimator_[-1]._repr_html_()


def test_names_are_escaped(datasets):
    class Evil(type(ACTIVATIONS["tanh"])):
        name = "<script>alert('&')</script>"

    summary = fitted(datasets["multiclass"], activation=Evil()).summary()
    assert Evil.name in str(summary)
    html = Parser(summary._repr_html_())
    assert "script" not in html.seen
    assert Evil.name in html.cells


def test_names_of_features_and_classes_run_no_script(datasets):
    pd = pytest.importorskip("pandas")
    evil = "<script>alert(1)</script>"
    data = datasets["multiclass"]
    X = pd.DataFrame(data.X, columns=[f"{evil}{j}" for j in range(8)])
    y = np.array(["a", "b", evil])[data.y]
    html = MLPClassifierScratch(**SMALL).fit(X, y)._repr_html_()
    assert evil not in html
