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
    """Write the state of the training to a file after every few epochs.

    ``fit(X, y, resume_from=path)``, with the same parameters and data, continues from
    the last epoch that was written. With the same engine, the result is bitwise equal
    to that of an uninterrupted training; see docs/reliability.md.

    The file is never incomplete: the callback writes a temporary file in the same
    directory, flushes it to the disk and renames it. The file contains arrays and JSON,
    and no code. If writing fails, for example because the disk is full, there is a
    warning, and training continues.

    Parameters
    ----------
    path : str or os.PathLike
        The file, in an existing directory. An existing file is replaced. Trainings
        that run at the same time, such as those of a grid search, need different
        files.

    every : int, default=1
        Number of epochs between two writes. The last epoch is always written.

    Examples
    --------
    Resume a training that failed:

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
        # The working directory can change during training.
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
                "Checkpoint is not supported by partial_fit. Save the estimator after "
                "partial_fit with skmlp.save(estimator, path)."
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
                    f"Checkpoint cannot store this training: {error}. A callback with "
                    "a state needs the methods state_dict, which returns values that "
                    "can be stored, and load_state_dict."
                ) from error
            # Equal messages of several epochs are shown once.
            warn(
                f"A checkpoint could not be written: {error}. Training continues. The "
                "file is unchanged, and writing is tried again after a later epoch.",
                RuntimeWarning,
            )
