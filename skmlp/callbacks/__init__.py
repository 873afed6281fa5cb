"""Callbacks: objects whose methods are called during training.

A callback has one or more of these methods, which are called hooks: `on_fit_begin`,
`on_epoch_begin`, `on_epoch_end`, `on_epoch_settled` and `on_fit_end`. It does not have
to derive from `Callback`. A function ``f(training)`` is also a callback. It is called
in place of `on_epoch_end`. The argument of each hook is the
`skmlp.training.state.TrainingState`. A hook can read its attributes and change some of
them:

- `history`: the history of this run, a dict of lists with one value per epoch
  (see `history_`);
- `n_iter`, `max_iter`: number of completed epochs, and maximum number of epochs;
- `theta`: the weights and biases (`theta.coefs`, `theta.intercepts`,
  `theta.copy()`, `theta.assign(other)`);
- `optimizer.base_learning_rate`: the learning rate that a schedule scales;
- `gradient`: the gradient of the last batch, as one vector of the layout of
  `theta.flat`, if the callback has ``needs_gradient = True``;
- `estimator`: the estimator that is being fitted. Until training has ended, its
  fitted attributes are those of an earlier call, if there was one;
- `fitted_estimator()`: returns a copy of the estimator with the current weights and
  biases, which can predict;
- `has_validation`: whether there is a validation set.

Each call of `fit` or `partial_fit` is a separate run. A run of `partial_fit` has one
epoch, so a callback that waits for several epochs has no effect there.

Callbacks keep their records, so that users can read them after training. `clone`, and
therefore `GridSearchCV`, constructs a new callback with the same parameters and without
the records. `copy.deepcopy` and `pickle` keep the records. The constructor stores its
parameters unchanged under their names, like the constructors of scikit-learn's
estimators. A callback whose class does not follow this convention is copied with all
its attributes. `Callback.transient_attributes` lists attributes that cannot be copied.
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
