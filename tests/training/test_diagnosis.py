"""Tests of the sentences that say why a training did not converge."""

import re
import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix
from sklearn.preprocessing import StandardScaler, scale

from skmlp.core.activations import ACTIVATIONS
from skmlp.core.inference import activations
from skmlp.core.losses import LOSSES, SquaredError
from skmlp.core.parameters import Parameters
from skmlp.layers import make_mlp
from skmlp.training import diagnosis
from skmlp.training.diagnosis import (
    Diagnosis,
    accuracy,
    choose_rows,
    describe_fall,
    describe_features,
    describe_rate,
    describe_targets,
    describe_units,
    draw_rows,
    draw_sample,
    find_causes,
    find_complaint,
    is_correlated,
    moments,
)

RNG = np.random.default_rng(0)
X = scale(RNG.normal(size=(200, 3)))
Y = scale(X @ [[1.0], [-1.0], [0.5]])
ONES = np.ones(200)


def build(hidden=10, activation="relu", loss="squared_error", output="identity"):
    """A network for X and Y with random weights."""
    sizes = (3, hidden, 1)
    network = make_mlp(
        sizes, [ACTIVATIONS[activation], ACTIVATIONS[output]], LOSSES[loss]()
    )
    theta = Parameters(sizes)
    theta.flat[:] = np.random.default_rng(1).normal(size=theta.flat.size) / 2
    return network, theta


def diagnose(X=X, Y=Y, w=None, rows=None, is_regression=True, has_rate=True, **options):
    network, theta = build(**options)
    return Diagnosis(network, theta, X, Y, w, rows, is_regression, has_rate)


# The sample.


@pytest.mark.parametrize(("n_samples", "n_rows"), [(10, 10), (10, 20), (10**7, 500)])
def test_rows_are_distinct_sorted_and_spread(n_samples, n_rows):
    rows = draw_rows(n_samples, n_rows)
    assert len(rows) == min(n_samples, n_rows)
    assert (np.diff(rows) > 0).all()
    assert 0 <= rows[0]
    assert rows[-1] < n_samples
    assert np.diff(rows).max() <= 2 * max(1, n_samples / n_rows)


@pytest.mark.parametrize("period", [2, 7, 10])
def test_rows_do_not_follow_a_period(period):
    counts = np.bincount(draw_rows(500 * period, 500) % period, minlength=period)
    assert counts.min() > 0.7 * counts.mean()


@pytest.mark.parametrize("share", [0.001, 0.1, 0.9])
@pytest.mark.parametrize("part", [None, np.arange(5000)[::-1]])
def test_rows_of_zero_weight_are_not_chosen(share, part):
    w = np.zeros((10_000, 1))
    w[:: int(1 / share) if share < 0.5 else 1] = 1.0
    chosen = choose_rows(10_000, w, part, 100)
    assert len(chosen) > 0
    assert len(chosen) <= 100
    assert (w[chosen] > 0).all()
    assert part is None or np.isin(chosen, part).all()


def test_a_sample_of_few_rows_has_all_of_them():
    sample = draw_sample(X, Y, None, None)
    np.testing.assert_array_equal(sample.X, X)
    np.testing.assert_array_equal(sample.Y, Y)


# Features and targets.


@pytest.mark.parametrize("convert", [np.asarray, csr_matrix, csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("unit", [1.0, 1e-30, 1e30])
def test_moments_are_those_of_scikit_learn(convert, dtype, unit):
    A = (X * (X > 0) + [0, 0, 3]).astype(dtype) * dtype(unit)
    w = RNG.random(200) + 0.1
    mean, deviation = moments(convert(A), w)
    scaler = StandardScaler().fit(A.astype(np.float64) / unit, sample_weight=w)
    np.testing.assert_allclose(mean / unit, scaler.mean_, rtol=1e-5)
    np.testing.assert_allclose(deviation / unit, scaler.scale_, rtol=1e-5)


def test_moments_of_extreme_columns():
    A = np.array([[1e308, 0.0, 1.0, 5e-324], [-1e308, 0.0, 1.0 + 1e-12, 0.0]])
    _, deviation = moments(A, np.ones(2))
    assert np.isfinite(deviation).all()
    np.testing.assert_allclose(deviation[0], 1e308)
    assert deviation[1] == deviation[2] == 0


@pytest.mark.parametrize("convert", [np.asarray, csr_matrix])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ([1, 1, 1], ""),
        ([10, 1, 0.1], ""),
        ([1e6, 1, 1], r"deviations from 1 \(column . of X\) to 1e\+06 \(column 0\)"),
        ([1, 1e-5, 1], r"deviations from 1e-05 \(column 1 of X\) to 1 \(column"),
        ([1e-4, 1e-4, 1e-4], r"deviations from 0\.0001 .* to 0\.0001"),
        ([0, 1e3, 0], r"Column 1 of X has a standard deviation of 1e\+03"),
        ([0, 0, 0], ""),
    ],
)
def test_scales_of_features(change, expected, convert):
    sentence = describe_features(convert(X * change), ONES)
    assert re.search(expected, sentence) if expected else sentence == ""
    if expected:
        scaler = "StandardScaler" if convert is np.asarray else "MaxAbsScaler"
        assert sentence.endswith(f"scale X, for example with {scaler}.")


def test_offsets_of_features():
    sentence = describe_features(X + np.array([0, 2000, 0]), ONES)
    assert re.search(r"Column 1 of X has a mean of 2e\+03 and .* of 1:", sentence)
    assert describe_features(X + np.array([0, 20, 0]), ONES) == ""


@pytest.mark.parametrize(
    ("factor", "offset", "hopeless", "expected"),
    [
        (1, 0, False, ""),
        (1, 0, True, ""),
        (77, 152, False, ""),
        (77, 152, True, "mean of 152 and a standard deviation of 77,"),
        (1e8, 0, False, r"mean of 0 and a standard deviation of 1e\+08,"),
        (1, 1e6, False, r"mean of 1e\+06 and a standard deviation of 1,"),
        (1e-5, 0, False, "standard deviation of 1e-05,"),
        (0, 1, True, ""),
        (0, 1e6, True, r"mean of 1e\+06 and a standard deviation of 0,"),
    ],
)
def test_scales_of_targets(factor, offset, hopeless, expected):
    sentence = describe_targets(Y * factor + offset, ONES, hopeless)
    assert re.search(expected, sentence) if expected else sentence == ""
    if expected:
        assert sentence.endswith("TransformedTargetRegressor and StandardScaler.")


def test_the_target_with_the_largest_scale_is_named():
    sentence = describe_targets(np.hstack([Y, Y * 1e5, Y]), ONES)
    assert sentence.startswith("Output 1 of the targets has")


def test_weights_count_in_the_scales():
    Y_outlier = Y.copy()
    Y_outlier[0] = 1e9
    w = ONES.copy()
    assert describe_targets(Y_outlier, w)
    w[0] = 1e-30
    assert describe_targets(Y_outlier, w) == ""


# Units.


@pytest.mark.parametrize(
    ("activation", "shift", "expected"),
    [
        ("relu", 0, ""),
        ("relu", -100, "10 of 10 relu units give 0 for all training samples"),
        ("relu", 100, ""),
        ("leaky_relu", -100, ""),
        ("tanh", 100, "10 of 10 tanh units have a derivative below 0.001"),
        ("logistic", -100, "10 of 10 logistic units have a derivative below 0.001"),
        ("gelu", -100, "10 of 10 gelu units"),
        ("identity", 100, ""),
    ],
)
def test_units_that_do_not_learn(activation, shift, expected):
    network, theta = build(activation=activation)
    theta.intercepts[0] += shift
    before = theta.flat.copy()
    sentence = describe_units(
        theta, list(activations(network, network.arrange(theta), X))
    )
    assert (expected in sentence) if expected else sentence == ""
    np.testing.assert_array_equal(theta.flat, before)


def test_a_few_dead_units_are_ordinary():
    network, theta = build()
    theta.intercepts[0][:6] -= 100
    assert (
        describe_units(theta, list(activations(network, network.arrange(theta), X)))
        == ""
    )
    theta.intercepts[0][:8] -= 100
    outputs = list(activations(network, network.arrange(theta), X))
    assert "8 of 10" in describe_units(theta, outputs)
    assert "learning_rate_init" in describe_units(theta, outputs)
    assert "learning_rate_init" not in describe_units(theta, outputs, has_rate=False)


def test_units_without_weights_are_not_dead():
    """A penalty can make all weights of a unit zero."""
    network, theta = build()
    theta.coefs[0][...] = 0
    theta.intercepts[0][...] = -1
    assert (
        describe_units(theta, list(activations(network, network.arrange(theta), X)))
        == ""
    )


# Losses.


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([], ""),
        ([1.0], ""),
        (np.geomspace(1, 0.1, 30), ""),
        ([1.0] * 30, ""),
        ([0.5, 0.4, 0.41, 0.39, 0.4, 0.38] * 5, ""),
        ([0.3, 0.8] * 10, "oscillates, between 0.3 and 0.8 in the last 20 epochs"),
        (np.geomspace(0.1, 50, 12), "rose from 0.1 in epoch 1 to 50 in epoch 12"),
        ([0.69, 1e30, 1e30], r"The loss is 1e\+30, and that of a constant"),
        ([0.69, np.inf], ""),
        ([0.69, np.nan], ""),
    ],
)
def test_a_learning_rate_that_is_too_large(losses, expected):
    sentence = describe_rate(list(losses), constant=0.69)
    assert re.search(expected, sentence) if expected else sentence == ""
    if expected:
        assert sentence.endswith("use a smaller learning_rate_init.")


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([], ""),
        ([1.0], ""),
        ([1.0, 0.5], "from 1 to 0.5 in the last 2 epochs"),
        (np.geomspace(1, 0.1, 30), "in the last 20 epochs"),
        (1 - 1e-4 * np.arange(50), "from 0.997 to 0.9951 in the last 20"),
        ([1.0] + [0.1] * 30, ""),
        ([1.0, *(0.1 + 1e-6 * np.arange(30)[::-1])], ""),
        (np.geomspace(0.1, 1, 30), ""),
        ([1.0, np.nan], ""),
    ],
)
def test_a_loss_that_still_falls(losses, expected):
    sentence = describe_fall(list(losses))
    assert (expected in sentence) if expected else sentence == ""
    if expected:
        assert sentence.endswith("increase max_iter or learning_rate_init.")


def test_the_remedy_suits_the_solver():
    losses = list(np.geomspace(1, 0.1, 30))
    assert describe_fall(losses, has_rate=False).endswith("increase max_iter.")
    losses[-3] *= 1.2  # a larger rate would make it worse
    assert describe_fall(losses).endswith("increase max_iter.")


# All together.


def test_an_ordinary_training_has_no_cause():
    assert find_causes(diagnose(), []) == []
    assert find_complaint(diagnose(), np.inf, []) == ""


def test_targets_of_classes_have_no_scale():
    labels = (np.arange(200) < 1).astype(float)[:, np.newaxis] * 1e-3
    assert find_causes(diagnose(Y=labels, is_regression=False), []) == []
    assert "targets" in find_causes(diagnose(Y=labels), [])[0]


def test_a_complaint_needs_a_loss_above_that_of_the_mean():
    large = diagnose(Y=Y + 1000)
    mean_loss = float(np.var(Y) / 2)
    assert find_complaint(large, 0.99 * mean_loss, []) == ""
    assert (
        "are not better than a constant, the mean of y. The targets"
        in find_complaint(large, 1.01 * mean_loss, [])
    )


def test_accuracy_of_several_kinds_of_labels():
    multiclass, P = np.eye(3)[[0, 1, 2, 2]], np.eye(3)[[0, 1, 1, 2]] * 0.4
    assert accuracy(multiclass, P, np.ones(4)) == 0.75
    multilabel = np.array([[1, 1], [0, 0], [1, 0], [0, 1]])
    assert accuracy(multilabel, np.full((4, 2), 0.6), np.ones(4)) == 0.5
    assert accuracy(multilabel[:, :1], np.array([[1], [1], [0], [0]]), ONES[:4]) == 0.5


@pytest.mark.parametrize("convert", [np.asarray, csr_matrix])
def test_random_targets_are_not_correlated(convert):
    sample = draw_sample(convert(X), Y, None, None)
    assert is_correlated(sample)
    assert not is_correlated(sample._replace(Y=RNG.permutation(Y)))
    assert not is_correlated(sample._replace(X=convert(np.ones_like(X))))
    assert not is_correlated(sample._replace(Y=np.ones_like(Y)))


def test_sparse_samples_have_the_sentences_of_dense_ones():
    scaled = X * [1e6, 1, 1] * (X > 0)
    dense, sparse = (
        find_causes(diagnose(X=A), []) for A in (scaled, csr_matrix(scaled))
    )
    assert [s.replace("StandardScaler", "MaxAbsScaler") for s in dense] == sparse


def test_rows_of_zero_weight_do_not_matter():
    w = np.ones((200, 1))
    w[::3] = 0
    nasty_X, nasty_Y = X.copy(), Y.copy()
    nasty_X[::3], nasty_Y[::3] = 1e200, 1e200
    losses = [3.0, 2.0, 1.0]
    expected = find_causes(diagnose(w=w), losses)
    assert find_causes(diagnose(X=nasty_X, Y=nasty_Y, w=w), losses) == expected
    assert len(expected) == 1


NASTY = {
    "nan parameters": {"theta": np.nan},
    "infinite parameters": {"theta": np.inf},
    "large parameters": {"theta": 1e300},
    "constant": {"X": np.ones((200, 3)), "Y": np.ones((200, 1))},
    "zeros": {"X": np.zeros((200, 3)), "Y": np.zeros((200, 1))},
    "float32": {"X": X.astype(np.float32), "Y": Y.astype(np.float32)},
    "huge": {"X": X * 1e300, "Y": Y * 1e300},
    "tiny": {"X": X * 1e-310, "Y": Y * 1e-310},
    "one row": {"X": X[:1], "Y": Y[:1]},
    "one weight": {"w": np.eye(200)[:, :1] * 1e-300},
    "empty sparse": {"X": csr_matrix((200, 3))},
    "part": {"rows": np.arange(7)},
}


@pytest.mark.parametrize("losses", [[], [np.nan], [np.inf, np.nan], [1.0] * 30])
@pytest.mark.parametrize("case", NASTY)
@pytest.mark.parametrize(
    ("loss", "output"), [("squared_error", "identity"), ("poisson", "exp")]
)
@pytest.mark.filterwarnings("error")
def test_nothing_is_raised(case, losses, loss, output):
    """Not even by the functions that are not guarded."""
    options = dict(NASTY[case])
    factor = options.pop("theta", 1.0)
    if loss == "poisson":
        options["Y"] = np.abs(options.get("Y", Y))
    it = diagnose(loss=loss, output=output, **options)
    it.theta.flat[:] *= factor
    with diagnosis.ignore_floating_point_errors():
        assert all(isinstance(s, str) for s in find_causes(it, losses))
        assert isinstance(find_complaint(it, np.inf, losses), str)


def test_error_of_a_custom_loss_in_the_diagnosis_does_not_end_training():
    class Failing(SquaredError):
        def pointwise(self, Y, P, out):
            raise RuntimeError("on purpose")

    it = diagnose(X=X * 1e6)
    it.network.loss = Failing()
    with pytest.raises(RuntimeError, match="on purpose"):
        find_causes(it, [])
    assert it.causes([1.0]) == []
    assert it.complaint() == ""


@pytest.mark.parametrize("share", [1.0, 0.75, 0.01])
def test_a_large_memory_map_takes_little_memory(tmp_path, share):
    """Also if few of the rows have a positive weight."""
    n_samples = 1_500_000
    path = tmp_path / "X.npy"
    large = np.lib.format.open_memmap(path, "w+", np.float32, (n_samples, 8))
    values = np.tile(np.float32([1, 2, 3e6, 4, 5]), 8 * n_samples // 5)
    large[:] = values.reshape(n_samples, 8)
    large.flush()
    mapped = np.load(path, mmap_mode="r")
    targets = np.tile(np.float32([1e8, 0, 3e8]), n_samples // 3)[:, np.newaxis]
    w = (np.arange(n_samples) % 101 < 101 * share).astype(np.float32)[:, np.newaxis]
    w = None if share == 1 else w
    network = make_mlp(
        (8, 100, 1), [ACTIVATIONS["relu"], ACTIVATIONS["identity"]], SquaredError()
    )
    theta = Parameters((8, 100, 1), np.float32)
    theta.flat[:] = 0.1
    it = Diagnosis(network, theta, mapped, targets, w, None, True, True)
    tracemalloc.start()
    causes, complaint = it.causes([2.0, 1.0]), it.complaint()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [c.split(" ")[1] for c in causes[:2]] == ["targets", "features"]
    assert isinstance(complaint, str)
    assert peak < 0.1 * mapped.nbytes
