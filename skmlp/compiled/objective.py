"""The objective on all samples, in compiled code."""

import numpy as np

from skmlp.compiled import threads
from skmlp.compiled._engine import Model, n_multiplications
from skmlp.core.objective import Objective


class CompiledObjective(Objective):
    """`Objective` in C, for searches and L-BFGS.

    The structures for the arrays of a call are reused if the next call has the same
    arrays.
    """

    _model = _arrays = None

    def __call__(self, X, Y, w, workspace):
        """Evaluate the objective and its gradient; see `Objective`."""
        return self._evaluate(X, Y, w, workspace, with_gradient=True)

    def value(self, X, Y, w, workspace):
        """Evaluate the objective without its gradient; see `Objective`."""
        return self._evaluate(X, Y, w, workspace, with_gradient=False)

    def _evaluate(self, X, Y, w, workspace, with_gradient):
        arrays = X, Y, w, workspace
        if self._arrays is None or any(
            one is not other for one, other in zip(arrays, self._arrays, strict=True)
        ):
            self._arrays = arrays
            self._model = Model(self, workspace, X, np.ascontiguousarray(Y), w)
        multiplications = 3 * workspace.n_samples * n_multiplications(self.network)
        n_threads = threads.n_threads(multiplications)
        loss, penalty, self.n, n_weighted = self._model.evaluate(
            with_gradient, n_threads, threads.is_fixed
        )
        self.E = loss + penalty
        workspace.n_weighted = n_weighted
        return loss / self.divisor + penalty
