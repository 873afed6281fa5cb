r"""First-order optimizers and searches.

An optimizer moves the flat parameter vector :math:`\theta`, in place, along a
gradient :math:`g`:

``step(theta, grad, work, prox=None)``

`grad` and `work` may be overwritten. If `prox` is given, ``prox(theta, step)`` is the
proximal operator of a penalty that is not part of the gradient. It is applied with the
step size of the gradient: a number, or an array of the shape of theta, which may be
overwritten.

An optimizer with `full_batch` evaluates the objective itself, any number of times, and
uses all samples at once. Instead of `step` it defines

``search(theta, grad, E, evaluate, work, prox=None, rng=None)``

To use an optimizer of your own, derive a class from `Optimizer` and pass an instance as
`solver` to an estimator. To add an optimizer to the package, write its class in a
module that is imported here, and give it a name, which enters it in `OPTIMIZERS`.
"""

from skmlp.core.optimizers.adagrad import Adagrad, RMSProp
from skmlp.core.optimizers.adam import Adam, AdamW, AMSGrad, NAdam
from skmlp.core.optimizers.base import NO_PARAMETERS, OPTIMIZERS, Optimizer
from skmlp.core.optimizers.searches import Armijo, RandomSearch
from skmlp.core.optimizers.sgd import SGD

__all__ = [
    "NO_PARAMETERS",
    "OPTIMIZERS",
    "SGD",
    "AMSGrad",
    "Adagrad",
    "Adam",
    "AdamW",
    "Armijo",
    "NAdam",
    "Optimizer",
    "RMSProp",
    "RandomSearch",
]
