"""Tests of the generators that are created for a seed."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.utils import check_random_state as expected_random_state

from skmlp._random import check_random_state


@pytest.mark.parametrize("seed", [0, 1, 42, 2**32 - 1, np.int64(7), True])
def test_an_integer_gives_the_numbers_of_scikit_learn(seed):
    rng, expected = check_random_state(seed), expected_random_state(seed)
    assert type(rng) is np.random.RandomState
    assert_array_equal(rng.get_state()[1], expected.get_state()[1])
    assert_array_equal(rng.permutation(100), expected.permutation(100))
    assert_array_equal(rng.normal(size=3), expected.normal(size=3))
    assert_array_equal(rng.randint(1000, size=9), expected.randint(1000, size=9))


def test_generators_and_none_are_returned_as_by_scikit_learn():
    rng = np.random.RandomState(0)
    assert check_random_state(rng) is rng
    assert check_random_state(None) is expected_random_state(None)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_has_the_same_error(seed):
    for check in expected_random_state, check_random_state:
        with pytest.raises(ValueError, match=r"Seed must be between 0 and 2\*\*32 - 1"):
            check(seed)


@pytest.mark.parametrize("seed", ["0", 1.5])
def test_what_is_no_seed_is_an_error(seed):
    with pytest.raises(ValueError, match="cannot be used to seed"):
        check_random_state(seed)


def test_a_pickled_generator_continues():
    rng = check_random_state(3)
    rng.rand(5)
    assert_array_equal(pickle.loads(pickle.dumps(rng)).rand(5), rng.rand(5))
