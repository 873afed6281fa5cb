"""The fitted attributes of the estimators, each declared once.

To add a fitted attribute, add a line here. The line declares whether `skmlp.save`
requires the attribute, whether training continues from it, and whether it is stored in
checkpoints.
"""

from numbers import Real
from types import UnionType
from typing import NamedTuple

import numpy as np

from skmlp.core.network import Network
from skmlp.core.optimizers import Optimizer
from skmlp.estimators.target_scale import TARGET_ATTRIBUTES
from skmlp.layers import LAYERS
from skmlp.persistence.checks import check


class Fitted(NamedTuple):
    """Declaration of a fitted attribute.

    Attributes
    ----------
    types : type or union of types
        Types of the value.

    is_required : bool
        Whether every fitted estimator has the attribute.

    is_progress : bool
        Whether training with `warm_start` or `partial_fit` continues from the
        attribute. It is deleted when training starts anew.

    is_extended : bool
        Whether training appends to the attribute. A checkpoint stores its value from
        earlier calls.
    """

    types: type | UnionType
    is_required: bool = False
    is_progress: bool = False
    is_extended: bool = False


ARRAYS = tuple(
    dict.fromkeys(
        f"{group}_"
        for layer in LAYERS.values()
        for group in (*layer.parameter_groups, *layer.statistic_groups)
    )
)
"""Fitted attributes that hold the parameters and statistics of layers."""

FITTED = {
    **{name: Fitted(list, name in ("coefs_", "intercepts_")) for name in ARRAYS},
    "loss_": Fitted(Real),
    "loss_curve_": Fitted(list, is_progress=True, is_extended=True),
    "history_": Fitted(dict, is_progress=True, is_extended=True),
    "best_loss_": Fitted(Real | None, is_progress=True),
    "validation_scores_": Fitted(list | None, is_progress=True, is_extended=True),
    "best_validation_score_": Fitted(Real | None, is_progress=True),
    **{name: Fitted(np.ndarray, is_extended=True) for name in TARGET_ATTRIBUTES},
    "n_iter_": Fitted(int, is_required=True),
    "t_": Fitted(int, is_progress=True),
    "n_layers_": Fitted(int, is_required=True),
    "n_outputs_": Fitted(int, is_required=True),
    "out_activation_": Fitted(str, is_required=True),
    "n_features_in_": Fitted(int, is_required=True),
    "feature_names_in_": Fitted(np.ndarray),
    "_network": Fitted(Network, is_required=True),
    "_optimizer": Fitted(Optimizer, is_progress=True),
    "_rng": Fitted(np.random.Generator | None, is_progress=True),
    "_no_improvement_count": Fitted(int, is_progress=True),
    "_scored_on": Fitted(tuple | None, is_progress=True),
}
"""Fitted attributes of both estimators."""

FITTED_OF_CLASSIFIER = {
    "classes_": Fitted(np.ndarray, is_required=True),
    "_sparse_y": Fitted(bool, is_required=True),
    "_y_type": Fitted(str, is_required=True),
}

TRANSIENT = {"_trained_with"}
"""Attributes that are not stored, because they repeat the parameters."""

PROGRESS = tuple(name for name, fitted in FITTED.items() if fitted.is_progress)
EXTENDED = tuple(name for name, fitted in FITTED.items() if fitted.is_extended)


def check_weights(fitted):
    """Raise if the weights do not fit to the network.

    Parameters
    ----------
    fitted : dict
        Fitted attributes of one of the estimators, of the declared types.

    Raises
    ------
    ValueError
        If the attributes are not consistent.
    """
    network = fitted["_network"]
    sizes = network.layer_sizes
    shapes = {f"{k}_": list(v) for k, v in network.layout.groups.items()}
    for name in ARRAYS:
        check((name in fitted) == (name in shapes), f"it must not have or lack {name}")
    dtype = getattr(fitted["coefs_"][0], "dtype", None)
    check(dtype in (np.float32, np.float64), f"its dtype is {dtype}")
    for name, expected in shapes.items():
        found = [array.shape for array in fitted[name] if array.dtype == dtype]
        check(
            found == expected,
            f"its {name} have the shapes {found} in {dtype}, and a network with "
            f"{list(sizes)} units has {expected}",
        )
    for name, expected in {
        "n_features_in_": sizes[0],
        "n_outputs_": sizes[-1],
        "n_layers_": len(sizes),
        "out_activation_": network.activations[-1].name,
    }.items():
        check(fitted[name] == expected, f"its {name} is {fitted[name]!r}")
    if "feature_names_in_" in fitted:
        names = fitted["feature_names_in_"]
        check(
            names.shape == (sizes[0],) and all(isinstance(name, str) for name in names),
            f"it names {names.size} features",
        )
    if "_optimizer" in fitted:
        n_parameters = network.layout.n_parameters
        for name, value in fitted["_optimizer"].state_dict().items():
            if isinstance(value, np.ndarray):
                check(
                    value.shape == (n_parameters,),
                    f"its optimizer has a {name} of another shape",
                )


def check_classes(fitted):
    """Raise if the classes do not fit to the output of the network.

    Parameters
    ----------
    fitted : dict
        Fitted attributes of the classifier, of the declared types.

    Raises
    ------
    ValueError
        If the attributes are not consistent.
    """
    n_classes, n_outputs = len(fitted["classes_"]), fitted["n_outputs_"]
    check(
        np.array_equal(np.unique(fitted["classes_"]), fitted["classes_"])
        and {
            "binary": n_classes in (1, 2) and n_outputs == 1,
            "multiclass": n_classes == n_outputs > 2,
            "multilabel-indicator": n_classes == n_outputs,
        }.get(fitted["_y_type"], False),
        f"{n_classes} classes of {fitted['_y_type']!r} targets do not fit to "
        f"{n_outputs} outputs",
    )
