r"""First-order optimizers, and searches.

An optimizer moves the flat parameter vector :math:`\theta`, in place, along a
gradient :math:`g`:

``step(theta, grad, work, prox=None)``

where `grad` and `work` may be overwritten. `prox(theta, step)`, when given, is
the proximal operator of a penalty that the gradient leaves out, to be applied
with the step size that the gradient was: a number, or an array of the shape of
theta (which it may overwrite).

An optimizer with `full_batch` evaluates the objective by itself, as often as it
likes, and so needs all samples at once. It has, instead of `step`,

``search(theta, grad, E, evaluate, work, prox=None, rng=None)``

To add an optimizer, write its class in a module that is imported here: naming
it enters it in `OPTIMIZERS`, `hyperparameters` are the parameters of the
estimators that it is built with, and `state` names what it remembers from step
to step.
"""

from skmlp.core.optimizers.adagrad import Adagrad, RMSProp
from skmlp.core.optimizers.adam import Adam, AdamW, AMSGrad, NAdam
from skmlp.core.optimizers.base import OPTIMIZERS, Optimizer
from skmlp.core.optimizers.searches import Armijo, RandomSearch
from skmlp.core.optimizers.sgd import SGD

__all__ = [
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
