"""Tests of the order of the samples and of their gathering into batches."""

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix, issparse
from sklearn.utils import shuffle

from skmlp.training.batches import EpochOrder, gatherer

ROWS = np.array([7, 2, 9, 4, 0])


@pytest.mark.parametrize("rows", [None, ROWS], ids=["all", "subset"])
def test_order_is_that_of_scikit_learns_shuffle(rows):
    """Which its MLP applies to the order of the epoch before."""
    order = EpochOrder(10, rows, np.random.RandomState(3))
    random_state = np.random.RandomState(3)
    expected = np.arange(10) if rows is None else rows
    for _ in range(5):
        expected = shuffle(expected, random_state=random_state)
        np.testing.assert_array_equal(order.draw(), expected)


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
@pytest.mark.parametrize(("rows", "n_samples"), [(None, 10), (ROWS, 5)])
def test_every_epoch_has_every_sample_once(rows, n_samples, random_state):
    order = EpochOrder(10, rows, random_state)
    assert order.n_samples == n_samples
    for _ in range(3):
        drawn = order.draw()
        if rows is None and random_state is None:
            assert drawn is None  # all rows as they lie
        else:
            expected = range(10) if rows is None else sorted(rows)
            np.testing.assert_array_equal(np.sort(drawn), expected)


def test_rows_keep_their_order_without_shuffling_and_are_never_changed():
    rows = ROWS.copy()
    np.testing.assert_array_equal(EpochOrder(10, rows).draw(), ROWS)
    shuffled = EpochOrder(10, rows, np.random.RandomState(0))
    for _ in range(3):
        shuffled.draw()
    np.testing.assert_array_equal(rows, ROWS)


SOURCE = np.arange(30.0).reshape(10, 3)
SOURCES = {
    "C": SOURCE,
    "Fortran": np.asfortranarray(SOURCE),
    "every other column": np.repeat(SOURCE, 2, axis=1)[:, ::2],
    "backwards": SOURCE[::-1].copy()[::-1],
    "one column": SOURCE[:, :1],
    "float32": SOURCE.astype(np.float32),
    "bool": SOURCE % 2 == 0,
    "csr_matrix": csr_matrix(SOURCE),
    "csr_array": csr_array(SOURCE),
}


@pytest.mark.parametrize("name", SOURCES)
def test_gathered_rows_are_correct(name):
    source = SOURCES[name]
    gather = gatherer(source, 4)
    for rows in ([3, 1, 9, 1], [0, 0, 2, 5]):
        batch = gather(np.array(rows))
        assert batch.dtype == source.dtype
        assert issparse(batch) == issparse(source)
        expected = source[rows]
        if issparse(source):
            batch, expected = batch.toarray(), expected.toarray()
        np.testing.assert_array_equal(batch, expected)


@pytest.mark.parametrize("name", ["C", "Fortran"])
def test_gathering_uses_the_same_memory_and_layout_again(name):
    source = SOURCES[name]
    gather = gatherer(source, 4)
    first, second = gather(np.array([3, 1, 9, 1])), gather(np.array([0, 0, 2, 5]))
    assert np.shares_memory(first, second)
    assert not np.shares_memory(first, source)
    assert first.flags.f_contiguous == source.flags.f_contiguous


def test_no_weights_stay_no_weights():
    assert gatherer(None, 4)(np.array([3, 1, 9, 1])) is None
