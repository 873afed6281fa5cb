"""Colours of the displays."""

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
"""Colours of series of data, which colour-blind people can distinguish.

M. Okabe and K. Ito, "Color universal design", 2002, without the yellow, which is too
light on a white background.
"""

SEQUENTIAL = "viridis"
"""Colour map for values from small to large."""

DIVERGING = "RdBu_r"
"""Colour map for negative and positive values. Zero is white."""


def color(i: int) -> str:
    """Return the colour of series number i."""
    return COLORS[i % len(COLORS)]


def sequence(n: int) -> list:
    """Return colours of n ordered series that are not too light on white."""
    import matplotlib

    return matplotlib.colormaps[SEQUENTIAL](np.linspace(0, 0.88, n)).tolist()
