"""A callback that shows a progress bar."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from skmlp.callbacks.base import Callback

if TYPE_CHECKING:
    from skmlp.training.state import TrainingState


class ProgressBar(Callback):
    """Show a progress bar of the epochs and the remaining time.

    It requires tqdm (``pip install "skmlp[progress]"``).

    Parameters
    ----------
    **options
        Parameters of `tqdm.auto.tqdm`, such as `file`, `leave` and `desc`. Copies
        share `file`. It is None after unpickling, which stands for standard error.
    """

    observes_only = True
    transient_attributes = ("file", "_bar")

    def __init__(self, **options: Any) -> None:
        self.options = options

    def on_fit_begin(self, training: TrainingState) -> None:
        try:
            from tqdm.auto import tqdm
        except ImportError as error:
            raise ImportError(
                'ProgressBar requires tqdm: pip install "skmlp[progress]".'
            ) from error
        options = {"desc": "epochs", "unit": "epoch", **self.options}
        self._bar = tqdm(
            total=training.max_iter, **{"initial": training.n_iter, **options}
        )

    def on_epoch_end(self, training: TrainingState) -> None:
        shown = {"loss": training.history["loss"][-1]}
        for name in ("val_loss", "val_score"):
            value = training.history[name][-1]
            if not math.isnan(value):
                shown[name] = value
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()

    def on_fit_end(self, training: TrainingState) -> None:
        bar = self.__dict__.pop("_bar", None)
        if bar is not None:
            bar.close()
