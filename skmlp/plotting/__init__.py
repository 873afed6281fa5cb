"""Pictures of networks and of how they learn.

Each display is built by a class method, `from_estimator`, `from_history` or the like,
which computes what there is to be seen and plots it; `plot(ax=...)` draws it again.
What was drawn is in attributes, as Matplotlib's objects, to be changed.

They need Matplotlib (``pip install "skmlp[plot]"``), which is imported when something
is plotted.
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
