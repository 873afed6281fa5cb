"""Standardized targets of a regressor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from skmlp.core._typing import Array
from skmlp.persistence.checks import check


class TargetScale(NamedTuple):
    r"""The unit of the targets of a regressor, for each output.

    The network learns :math:`(y - \mu) / \sigma`. Predictions are transformed back, and
    clipped to the range of the targets.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_outputs,)
        Mean and standard deviation. The scale of constant targets is 1.

    low, high : ndarray of shape (n_outputs,)
        Range of the targets.
    """

    mean: Array
    scale: Array
    low: Array
    high: Array

    @classmethod
    def of(cls, y: Array, w: Array | None) -> Self:
        """Return the scale of targets with weights.

        Parameters
        ----------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        w : ndarray of shape (n_samples,) or None
            Sample weights. Targets of weight zero are ignored.
        """
        Y = y.reshape(len(y), -1).astype(np.float64)
        if w is not None:
            Y, w = Y[w > 0], w[w > 0]
        low, high = Y.min(axis=0), Y.max(axis=0)
        # The unit avoids an overflow of the squares.
        unit = np.maximum(np.abs(low), np.abs(high))
        unit[unit == 0] = 1
        Y /= unit
        mean = np.average(Y, axis=0, weights=w)
        scale = np.sqrt(np.average((Y - mean) ** 2, axis=0, weights=w))
        scale[(low == high) | (scale == 0)] = 1
        return cls(mean * unit, scale * unit, low, high)

    def extend(self, other: Self) -> Self:
        """Return the same scale with the range of further targets."""
        low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        return self._replace(low=low, high=high)

    def standardize(self, y: Array) -> Array:
        """Return standardized targets, of shape (n_samples, n_outputs)."""
        return (y.reshape(len(y), -1) - self.mean) / self.scale

    def restore(self, Z: Array) -> Array:
        """Return the predictions for outputs of the network, in their dtype."""
        Y = np.clip(Z * self.scale + self.mean, self.low, self.high)
        return Y.astype(Z.dtype, copy=False)

    @property
    def attributes(self) -> dict[str, Array]:
        """The fitted attributes of the estimator."""
        return {f"target_{name}_": value for name, value in self._asdict().items()}

    @classmethod
    def from_attributes(cls, fitted: Mapping[str, Any]) -> Self | None:
        """Return the scale in fitted attributes, or None."""
        if "target_mean_" not in fitted:
            return None
        return cls(*(fitted[f"target_{name}_"] for name in cls._fields))


TARGET_ATTRIBUTES = tuple(f"target_{name}_" for name in TargetScale._fields)


def check_target_scale(fitted: Mapping[str, Any]) -> None:
    """Raise if the fitted attributes of the targets are not valid."""
    has = [name in fitted for name in TARGET_ATTRIBUTES]
    check(all(has) or not any(has), "it does not have the whole scale of the targets")
    for name in TARGET_ATTRIBUTES * all(has):
        value = fitted[name]
        check(
            value.shape == (fitted["n_outputs_"],)
            and value.dtype == np.float64
            and bool(np.isfinite(value).all())
            and (name != "target_scale_" or bool((value > 0).all())),
            f"its {name} is not valid",
        )
