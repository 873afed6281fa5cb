"""A callback that writes checkpoints of the training."""

from __future__ import annotations

import os
from numbers import Integral
from typing import TYPE_CHECKING

from sklearn.utils import check_scalar

from skmlp._warnings import warn
from skmlp.callbacks.base import Callback

if TYPE_CHECKING:
    from skmlp.training.state import TrainingState


class Checkpoint(Callback):
    """Write to a file, every so many epochs, all that it takes to go on from there.

    ``fit(X, y, resume_from=path)``, with the same parameters and data, goes on from
    the last epoch that was written. The result is that of a training that was never
    interrupted, to the last bit, if it is by the same engine; see
    docs/reliability.md.

    A file is complete or not there: it is written beside its place, flushed to the
    disk and renamed. It has arrays and JSON, and no code. Where writing fails, as on
    a full disk, there is a warning, and training goes on.

    Parameters
    ----------
    path : str or os.PathLike
        The file, in a directory that exists. It is replaced; two trainings at a time,
        such as those of a grid search, need one each.

    every : int, default=1
        Write after each `every` epochs, and at the end.

    Examples
    --------
    Here is a training that fails on the way, and goes on:

    >>> import os, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from skmlp import MLPClassifierScratch
    >>> from skmlp.callbacks import Callback, Checkpoint
    >>> class Failure(Callback):
    ...     observes_only = True
    ...
    ...     def on_epoch_end(self, training):
    ...         if training.n_iter == 7:
    ...             raise RuntimeError("power failure")
    >>> X, y = load_iris(return_X_y=True)
    >>> path = os.path.join(tempfile.mkdtemp(), "iris.skmlp")
    >>> clf = MLPClassifierScratch(max_iter=10, random_state=0)
    >>> clf.set_params(callbacks=[Checkpoint(path), Failure()]).fit(X, y)
    Traceback (most recent call last):
        ...
    RuntimeError: power failure
    >>> clf.set_params(callbacks=Checkpoint(path)).fit(X, y, resume_from=path).n_iter_
    10
    """

    observes_only = True

    def __init__(self, path: str | os.PathLike, every: int = 1) -> None:
        self.path = path
        self.every = every

    def on_fit_begin(self, training: TrainingState) -> None:
        check_scalar(self.every, "every", Integral, min_val=1)
        if not isinstance(self.path, str | os.PathLike):
            raise TypeError(f"path must be a str or os.PathLike, got {self.path!r}.")
        # Somebody may change the directory on the way.
        self._path = os.path.abspath(self.path)
        directory = os.path.dirname(self._path)
        if os.path.isdir(self._path) or not os.path.isdir(directory):
            raise ValueError(
                f"path must name a file in a directory that exists, got {self.path!r}."
            )
        if not os.access(directory, os.W_OK):
            raise ValueError(
                "path must be in a directory that can be written to, got "
                f"{self.path!r}."
            )
        if training.incremental:
            raise ValueError(
                "Checkpoint is for fit. After partial_fit, keep the estimator itself: "
                "skmlp.save(estimator, path)."
            )
        training.run.begin()
        self._is_tested = False

    def on_epoch_settled(self, training: TrainingState) -> None:
        """Write a checkpoint, after all callbacks and the stopping rules."""
        ends = training.done or training.n_iter == training.max_iter
        is_due = ends or training.n_iter % self.every == 0
        if not is_due and self._is_tested:
            return
        try:
            content = training.run.encode(training)
            self._is_tested = True
            if is_due:
                training.run.write_checkpoint(self._path, *content)
        except (OSError, TypeError) as error:
            if not self._is_tested:
                raise ValueError(
                    f"Checkpoint cannot store this training: {error}. A callback that "
                    "remembers it can say by state_dict what is to be stored, and take "
                    "it up again by load_state_dict."
                ) from error
            # The same words in each epoch: they are shown once.
            warn(
                f"A checkpoint could not be written: {error}. Training goes on; the "
                "file is what it was, and is tried again.",
                RuntimeWarning,
            )
