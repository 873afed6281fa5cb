"""The colours that all pictures have in common."""

import numpy as np

COLORS = (
    "#0072B2",  # blue
    "#D55E00",  # vermilion
    "#009E73",  # bluish green
    "#CC79A7",  # reddish purple
    "#E69F00",  # orange
    "#56B4E9",  # sky blue
    "#000000",
)
"""For series of data: people who do not see red and green apart can tell them apart.

M. Okabe and K. Ito, "Color universal design", 2002, without the yellow, which is too
light on white.
"""

SEQUENTIAL = "viridis"
"""Colour map of values from small to large."""

DIVERGING = "RdBu_r"
"""Colour map of values on both sides of zero, which is white."""


def color(i: int) -> str:
    """Colour of series number i."""
    return COLORS[i % len(COLORS)]


def sequence(n: int) -> list:
    """Colours of n series in an order, without those that are too light on white."""
    import matplotlib

    return matplotlib.colormaps[SEQUENTIAL](np.linspace(0, 0.88, n)).tolist()
