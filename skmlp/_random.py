"""Random number generators of scikit-learn, created in less time."""

from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from sklearn.utils import check_random_state as _check_random_state


class _Zeros(ISeedSequence):
    """Initial words of a generator that is seeded afterwards."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        """Return an array of zeros."""
        return np.zeros(n_words, dtype)


def check_random_state(seed: Any) -> np.random.RandomState:
    """Return a RandomState, like `sklearn.utils.check_random_state`.

    For an integer, `RandomState(seed)` first gathers entropy, which the seed replaces.
    This takes longer than one epoch of the training of a small network.

    Parameters
    ----------
    seed : int, RandomState instance or None
        The seed of a new generator, a generator, or None for NumPy's global one.

    Returns
    -------
    random_state : RandomState

    Raises
    ------
    ValueError
        If `seed` is none of these, or a negative integer.
    """
    if not isinstance(seed, int | np.integer):
        return _check_random_state(seed)
    zeros: Any = _Zeros()
    random_state = np.random.RandomState(np.random.MT19937(zeros))
    random_state.seed(seed)
    return random_state
