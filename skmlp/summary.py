"""Import path of the summaries in earlier versions."""

from skmlp.estimators.summary import LayerSummary as LayerSummary
from skmlp.estimators.summary import NetworkSummary as NetworkSummary
