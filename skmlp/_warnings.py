"""Warnings that point to the line of the user's code that called skmlp."""

import os
import sys
import warnings
from types import FrameType

import sklearn.base

_INNER = (
    os.path.dirname(os.path.abspath(__file__)) + os.sep,
    sklearn.base.__file__,  # defines the decorator of `fit` and `partial_fit`
)


def warn(message, category=UserWarning):
    """Issue a warning with the location of the innermost frame outside of skmlp.

    Parameters
    ----------
    message : str
        The message.

    category : type, default=UserWarning
        Class of the warning.
    """
    stacklevel = 2
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_INNER):
        stacklevel, frame = stacklevel + 1, frame.f_back
    warnings.warn(message, category, stacklevel=stacklevel)
