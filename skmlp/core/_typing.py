"""Type aliases for annotations."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import sparray, spmatrix

Array: TypeAlias = np.ndarray
"""An array of NumPy, of any dtype and shape."""

MatrixLike: TypeAlias = npt.ArrayLike | sparray | spmatrix
"""Samples: anything that NumPy converts to an array, or a sparse matrix."""

Proximal: TypeAlias = Callable[[np.ndarray, float | np.ndarray], None]
"""A proximal operator, ``prox(theta, step)``, that works in place."""

Initializer: TypeAlias = Callable[
    [tuple[int, int], np.random.RandomState], npt.ArrayLike
]
"""A function that returns the initial weights of a layer."""
