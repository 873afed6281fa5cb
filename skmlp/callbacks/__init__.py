"""Callbacks: objects that are told of training, and can steer it.

A callback has one or more of these methods, which are called hooks: `on_fit_begin`,
`on_epoch_begin`, `on_epoch_end`, `on_epoch_settled` and `on_fit_end`. It need not
derive from `Callback`. A function ``f(training)`` is also a callback, which is called
as `on_epoch_end`. Each hook is given the `skmlp.training.state.TrainingState`, whose
attributes it may read, and some of which it may change:

- `history`: the record of this run, a dict of lists with one value for each
  epoch so far (see `history_`);
- `n_iter`, `max_iter`: epochs done, and the largest number of them;
- `theta`: the weights and biases (`theta.coefs`, `theta.intercepts`,
  `theta.copy()`, `theta.assign(other)`);
- `optimizer.base_learning_rate`: the learning rate that a schedule scales;
- `gradient`: the gradient of the last batch, as one vector of the layout of
  `theta.flat`, if the callback has ``needs_gradient = True``;
- `estimator`: the estimator that is being fitted, whose fitted attributes are
  those of an earlier call, if it has any, until training has ended;
- `fitted_estimator()`: a copy of it that is ready to predict, as if training had
  ended here;
- `has_validation`: whether there is a validation set.

Each call of `fit` or `partial_fit` is a run of its own; the latter has one epoch,
so that what waits for several has no effect there.

Callbacks keep what they record, so that it can be read after training. `clone`, and
with it `GridSearchCV`, constructs them anew from their settings, without what was
recorded; `copy.deepcopy` and `pickle` keep the records. The settings are the parameters
of the constructor, which stores them unchanged under their names, as those of
scikit-learn's estimators do. A callback whose class does not follow this convention is
copied as a whole. `Callback.transient_attributes` names what cannot be copied.
"""

from skmlp.callbacks.base import Callback
from skmlp.callbacks.checkpoint import Checkpoint
from skmlp.callbacks.monitors import EarlyStopping, ReduceLROnPlateau
from skmlp.callbacks.progress_bar import ProgressBar
from skmlp.callbacks.weight_recorder import WeightRecorder

__all__ = [
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "ProgressBar",
    "ReduceLROnPlateau",
    "WeightRecorder",
]
