"""The classes that skops must trust."""

from skmlp import callbacks
from skmlp.core.activations import ACTIVATIONS
from skmlp.core.losses import LOSSES
from skmlp.core.network import Network
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.estimators.classifier import MLPClassifierScratch
from skmlp.estimators.regressor import MLPRegressorScratch
from skmlp.layers import LAYERS
from skmlp.tabular.encoders import CategoryEncoder, NumericEncoder
from skmlp.tabular.preprocessor import TabularPreprocessor

_CLASSES = {
    MLPClassifierScratch,
    MLPRegressorScratch,
    TabularPreprocessor,
    NumericEncoder,
    CategoryEncoder,
    Network,
    frozenset,
    *LAYERS.values(),
    *map(type, ACTIVATIONS.values()),
    *LOSSES.values(),
    *OPTIMIZERS.values(),
    *(getattr(callbacks, name) for name in callbacks.__all__),
}
# Names of these classes in earlier versions, for files of these versions.
_EARLIER_NAMES = {
    "skmlp.classifier.MLPClassifierScratch",
    "skmlp.regressor.MLPRegressorScratch",
    *(f"skmlp.callbacks.{name}" for name in callbacks.__all__),
}

SKOPS_TRUSTED = sorted(
    {f"{cls.__module__}.{cls.__qualname__}" for cls in _CLASSES} | _EARLIER_NAMES
)
"""Names of the classes that a fitted estimator consists of, for `skops.io.load`.

All of them are classes of skmlp or Python. With ``trusted=skmlp.SKOPS_TRUSTED``,
`skops.io.load` still raises for other classes.
"""
