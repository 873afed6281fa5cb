"""Tests of the storage of weights and biases in one flat vector."""

import pickle
from copy import deepcopy
from itertools import pairwise

import numpy as np
import pytest

from skmlp.core.parameters import Layout, Parameters


def numbered(dtype=np.float64):
    """Parameters of a 3-4-2 network, numbered as they lie in memory."""
    theta = Parameters([3, 4, 2], dtype)
    theta.flat[:] = np.arange(theta.flat.size)
    return theta


def assert_views(theta):
    """Every weight matrix and bias vector is memory of flat, and covers it."""
    for view in [theta.weights, *theta.coefs, *theta.intercepts]:
        assert np.shares_memory(view, theta.flat)
    theta.flat[:] = -1
    for view in theta.coefs + theta.intercepts:
        view[...] = 5
    assert (theta.flat == 5).all()


def test_flat_holds_every_weight_and_then_every_bias():
    theta = numbered()
    assert theta.flat.shape == (26,)
    np.testing.assert_array_equal(theta.coefs[0], np.arange(12).reshape(3, 4))
    np.testing.assert_array_equal(theta.coefs[1], np.arange(12, 20).reshape(4, 2))
    np.testing.assert_array_equal(theta.intercepts[0], np.arange(20, 24))
    np.testing.assert_array_equal(theta.intercepts[1], np.arange(24, 26))
    np.testing.assert_array_equal(theta.weights, np.arange(20))


@pytest.mark.parametrize("layer_sizes", [[3, 2], [3, 4, 2], (1, 1, 1, 1), (2, 9, 5, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_are_views_of_flat(layer_sizes, dtype):
    theta = Parameters(layer_sizes, dtype)
    assert theta.layer_sizes == tuple(layer_sizes)
    assert [W.shape for W in theta.coefs] == list(pairwise(layer_sizes))
    assert [b.shape for b in theta.intercepts] == [(size,) for size in layer_sizes[1:]]
    assert theta.flat.dtype == theta.coefs[0].dtype == theta.intercepts[0].dtype
    assert theta.flat.dtype == dtype
    assert not theta.flat.any()
    assert_views(theta)


def with_batch_norm(dtype=np.float64):
    """Parameters of a 3-4-5-2 network, numbered through, the statistics last."""
    layout = Layout.dense([3, 4, 5, 2])
    hidden = layout.parameters["intercepts"][:-1]
    parameters = {**layout.parameters, "batch_norm_scales": hidden}
    statistics = {"batch_norm_means": hidden, "batch_norm_variances": hidden}
    theta = Parameters(Layout(parameters, statistics), dtype)
    theta.flat[:] = np.arange(theta.flat.size)
    theta.running[:] = theta.flat.size + np.arange(theta.running.size)
    return theta


def test_scales_come_last_and_statistics_are_apart():
    """Only the hidden layers have them."""
    theta = with_batch_norm()
    assert theta.weights.size == 3 * 4 + 4 * 5 + 5 * 2
    assert theta.flat.shape == (42 + 11 + 9,)
    assert theta.intercepts[2].tolist() == [51, 52]
    assert [gamma.tolist() for gamma in theta.groups["batch_norm_scales"]] == [
        [53, 54, 55, 56],
        [57, 58, 59, 60, 61],
    ]
    assert [mean.tolist() for mean in theta.groups["batch_norm_means"]] == [
        [62, 63, 64, 65],
        [66, 67, 68, 69, 70],
    ]
    assert [variance.tolist() for variance in theta.groups["batch_norm_variances"]] == [
        [71, 72, 73, 74],
        [75, 76, 77, 78, 79],
    ]
    theta.flat[:] = theta.running[:] = -1
    for view in (
        theta.groups["batch_norm_scales"]
        + theta.groups["batch_norm_means"]
        + theta.groups["batch_norm_variances"]
    ):
        assert (view == -1).all()
    assert not np.shares_memory(theta.flat, theta.running)


def test_without_batch_normalization_there_are_neither():
    theta = numbered()
    assert list(theta.groups) == ["coefs", "intercepts"]
    assert theta.running.shape == (0,)


def test_statistics_are_copied_assigned_and_looked_at_as_well():
    theta = with_batch_norm(np.float32)
    for twin in (theta.copy(), deepcopy(theta), pickle.loads(pickle.dumps(theta))):
        assert twin.layout == theta.layout
        assert twin.running.dtype == np.float32
        np.testing.assert_array_equal(twin.flat, theta.flat)
        np.testing.assert_array_equal(twin.running, theta.running)
        twin.groups["batch_norm_variances"][1][...] = twin.groups["batch_norm_scales"][
            0
        ][...] = 7
        assert (theta.running == 62 + np.arange(18)).all()
        theta.assign(twin)
        assert theta.groups["batch_norm_variances"][1].tolist() == [7] * 5
        assert theta.groups["batch_norm_scales"][0].tolist() == [7] * 4
        theta = with_batch_norm(np.float32)
    zeros = theta.zeros_like()
    assert zeros.layout == theta.layout
    assert zeros.flat.shape == theta.flat.shape
    assert not zeros.running.any()
    theta.groups["batch_norm_means"][0][0] = np.nan
    assert not theta.isfinite()


def test_fill_takes_scales_and_statistics():
    source = with_batch_norm()
    theta = Parameters(source.layout).fill(source.groups)
    np.testing.assert_array_equal(theta.flat, source.flat)
    np.testing.assert_array_equal(theta.running, source.running)
    assert not np.shares_memory(theta.running, source.running)


def test_given_memory_is_used_as_it_is():
    flat = np.arange(26.0)
    theta = Parameters([3, 4, 2], flat=flat)
    assert theta.flat is flat
    assert_views(theta)


def test_fill_copies_in_any_memory_order():
    source = numbered()
    coefs = [np.asfortranarray(W) for W in source.coefs]
    theta = Parameters(source.layout, np.float32)
    theta.fill({"coefs": coefs, "intercepts": source.intercepts})
    assert theta.flat.dtype == np.float32
    np.testing.assert_array_equal(theta.flat, source.flat)
    assert_views(theta)
    assert (coefs[0] == np.arange(12).reshape(3, 4)).all()
    assert (source.flat == np.arange(26)).all()


def test_fill_raises_for_arrays_that_do_not_fit_together():
    theta = numbered()
    with pytest.raises(ValueError, match="zip"):
        theta.fill({"coefs": theta.coefs, "intercepts": theta.intercepts[:1]})
    with pytest.raises(ValueError, match="broadcast"):
        theta.fill({"coefs": theta.coefs, "intercepts": theta.intercepts[::-1]})


def test_zeros_like_has_the_same_layout_and_dtype_in_new_memory():
    theta = numbered(np.float32)
    zeros = theta.zeros_like()
    assert zeros.layer_sizes == theta.layer_sizes
    assert zeros.flat.dtype == np.float32
    assert not zeros.flat.any()
    assert_views(zeros)
    assert (theta.flat == np.arange(26)).all()


@pytest.mark.parametrize(
    "clone",
    [Parameters.copy, deepcopy, lambda theta: pickle.loads(pickle.dumps(theta))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_clones_are_independent_and_still_hold_views_of_one_vector(clone):
    theta = numbered(np.float32)
    twin = clone(theta)
    assert twin.layer_sizes == theta.layer_sizes
    assert twin.flat.dtype == np.float32
    np.testing.assert_array_equal(twin.flat, theta.flat)
    assert_views(twin)
    assert (theta.flat == np.arange(26)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [0, 12, 20, 25])
def test_isfinite_sees_every_weight_and_bias(bad, where):
    theta = numbered()
    assert theta.isfinite()
    theta.flat[where] = bad
    assert not theta.isfinite()
