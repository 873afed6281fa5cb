"""What skops has to trust."""

from skmlp import callbacks
from skmlp.core.activations import ACTIVATIONS
from skmlp.core.losses import LOSSES
from skmlp.core.network import Network
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.estimators.classifier import MLPClassifierScratch
from skmlp.estimators.regressor import MLPRegressorScratch
from skmlp.layers import LAYERS

_CLASSES = {
    MLPClassifierScratch,
    MLPRegressorScratch,
    Network,
    frozenset,
    *LAYERS.values(),
    *map(type, ACTIVATIONS.values()),
    *LOSSES.values(),
    *OPTIMIZERS.values(),
    *(getattr(callbacks, name) for name in callbacks.__all__),
}
# Where classes were defined that have moved since, by the names in older files.
_EARLIER_NAMES = {
    "skmlp.classifier.MLPClassifierScratch",
    "skmlp.regressor.MLPRegressorScratch",
    *(f"skmlp.callbacks.{name}" for name in callbacks.__all__),
}

SKOPS_TRUSTED = sorted(
    {f"{cls.__module__}.{cls.__qualname__}" for cls in _CLASSES} | _EARLIER_NAMES
)
"""Names of the classes that a model of skmlp's is made of, for `skops.io.load`.

None of them does anything but what skmlp does. `skops.io.load(path,
trusted=skmlp.SKOPS_TRUSTED)` still refuses all others.
"""
