"""Plots of networks and of their training.

Class methods such as `from_estimator` and `from_history` compute the data of a display
and plot it. The method `plot` plots the same data again. Attributes of the display hold
the Matplotlib objects, so that users can change them.

The displays require Matplotlib (``pip install "skmlp[plot]"``). It is imported when a
display is plotted.
"""

from skmlp.plotting.activation import ActivationDisplay
from skmlp.plotting.animation import animate_training
from skmlp.plotting.learned_function import LearnedFunctionDisplay
from skmlp.plotting.loss_curve import LossCurveDisplay
from skmlp.plotting.network import NetworkDisplay
from skmlp.plotting.saliency import SaliencyDisplay
from skmlp.plotting.search_heatmap import SearchHeatmapDisplay
from skmlp.plotting.weight_evolution import WeightEvolutionDisplay
from skmlp.plotting.weights import WeightsDisplay

__all__ = [
    "ActivationDisplay",
    "LearnedFunctionDisplay",
    "LossCurveDisplay",
    "NetworkDisplay",
    "SaliencyDisplay",
    "SearchHeatmapDisplay",
    "WeightEvolutionDisplay",
    "WeightsDisplay",
    "animate_training",
]
