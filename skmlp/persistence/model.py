"""Models in files: `save` and `load`."""

import os
from itertools import pairwise
from numbers import Real

import numpy as np

from skmlp.classifier import MLPClassifierScratch
from skmlp.core.network import Network
from skmlp.core.optimizers import Optimizer
from skmlp.core.parameters import count_parameters
from skmlp.persistence import archive, codec
from skmlp.persistence.codec import check
from skmlp.regressor import MLPRegressorScratch

KIND, VERSION = "skmlp model", 1

_ESTIMATORS = {cls.__name__: cls for cls in (MLPClassifierScratch, MLPRegressorScratch)}

# Fitted attributes, each with the types that it can have.
_ATTRIBUTES: dict = {
    "coefs_": list,
    "intercepts_": list,
    "batch_norm_scales_": list,
    "batch_norm_means_": list,
    "batch_norm_variances_": list,
    "loss_": Real,
    "loss_curve_": list,
    "history_": dict,
    "best_loss_": Real | None,
    "validation_scores_": list | None,
    "best_validation_score_": Real | None,
    "n_iter_": int,
    "t_": int,
    "n_layers_": int,
    "n_outputs_": int,
    "out_activation_": str,
    "n_features_in_": int,
    "feature_names_in_": np.ndarray,
    "classes_": np.ndarray,
    "_network": Network,
    "_optimizer": Optimizer,
    "_rng": np.random.Generator | None,
    "_no_improvement_count": int,
    "_scored_on": tuple | None,
    "_sparse_y": bool,
    "_y_type": str,
}
_TRANSIENT = {"_trained_with"}  # the parameters anew
_BATCH_NORM = ("batch_norm_scales_", "batch_norm_means_", "batch_norm_variances_")
_NEEDED = {
    "coefs_",
    "intercepts_",
    "n_iter_",
    "n_layers_",
    "n_outputs_",
    "out_activation_",
    "n_features_in_",
    "_network",
}


def save(
    estimator: MLPClassifierScratch | MLPRegressorScratch, path: str | os.PathLike
) -> None:
    """Write an estimator to a file that can be read without running code.

    The file has arrays and JSON; docs/reliability.md describes it. It is written
    beside its place and renamed, so that it is never there in part.

    Parameters
    ----------
    estimator : MLPClassifierScratch or MLPRegressorScratch
        The estimator, fitted or not.

    path : str or os.PathLike
        The file, which is replaced if there is one.

    Raises
    ------
    TypeError
        If the estimator is of another class, or a parameter or an attribute cannot
        be stored without code: a function, one's own activation, loss or callback.
        The message names it. `pickle` or skops may store these.

    ValueError
        If fitted attributes were set to what does not fit together.

    OSError
        If the file cannot be written.

    See Also
    --------
    load : Read it.
    skmlp.callbacks.Checkpoint : Write what it takes to go on with a training.

    Examples
    --------
    >>> import os, tempfile
    >>> import skmlp
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = skmlp.MLPClassifierScratch(max_iter=500, random_state=0).fit(X, y)
    >>> path = os.path.join(tempfile.mkdtemp(), "iris.skmlp")
    >>> skmlp.save(clf, path)
    >>> bool((skmlp.load(path).predict(X) == clf.predict(X)).all())
    True
    """
    if type(estimator) not in _ESTIMATORS.values():
        raise TypeError(
            f"estimator must be one of {sorted(_ESTIMATORS)} itself, got "
            f"{estimator!r}. pickle or skops may store others."
        )
    parameters = estimator.get_params(deep=False)
    attributes = {
        name: value
        for name, value in vars(estimator).items()
        if name not in parameters and name not in _TRANSIENT
    }
    unknown = sorted(attributes.keys() - _ATTRIBUTES.keys())
    if unknown:
        raise TypeError(
            f"estimator must have no attributes that load does not know, got "
            f"{unknown}. pickle or skops may store these."
        )
    content: dict = {"estimator": type(estimator).__name__}
    arrays: dict = {}
    try:
        for part, values in {
            "parameters": parameters,
            "attributes": attributes,
        }.items():
            content[part] = {
                name: codec.encode(value, f"{part}/{name}", arrays)
                for name, value in values.items()
            }
    except TypeError as error:
        raise TypeError(
            f"estimator must have nothing that takes code to load, but {error}. pickle "
            "or skops may store it."
        ) from None
    with archive.refusing("estimator must be one that load would read"):
        _decode(content, arrays)  # somebody may have set coefs_ by hand
    archive.write(path, KIND, VERSION, content, arrays)


def load(path: str | os.PathLike) -> MLPClassifierScratch | MLPRegressorScratch:
    """Read an estimator that `save` has written.

    Nothing in the file is run, and nothing is larger than the file: it may come from
    anywhere. What it predicts is another question.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    estimator : MLPClassifierScratch or MLPRegressorScratch
        As it was saved.

    Raises
    ------
    OSError
        If the file cannot be opened.

    ValueError
        If it is not a model, damaged, of a later version, or its parts do not fit
        together.

    See Also
    --------
    save : Write it, with an example.
    """
    content, arrays = archive.read(path, KIND, VERSION)
    with archive.refusing(f"{os.fspath(path)!r} cannot be loaded as a model"):
        return _decode(content, arrays)


def _decode(content: dict, arrays: dict) -> MLPClassifierScratch | MLPRegressorScratch:
    name = content["estimator"]
    check(name in _ESTIMATORS, f"it is a {name!r}")
    cls = _ESTIMATORS[name]
    values = {
        part: {key: codec.decode(value, arrays) for key, value in content[part].items()}
        for part in ("parameters", "attributes")
    }
    unknown = values["parameters"].keys() - set(cls._get_param_names())
    check(not unknown, f"it has parameters that there are not: {sorted(unknown)}")
    attributes = values["attributes"]
    for key, value in attributes.items():
        check(key in _ATTRIBUTES, f"it has an attribute {key!r}")
        check(isinstance(value, _ATTRIBUTES[key]), f"its {key} is a {type(value)}")
        if _ATTRIBUTES[key] is int:
            check(codec.is_count(value), f"its {key} is {value!r}")
        elif isinstance(value, Real):
            codec.check_number(value, f"its {key}")
    if attributes:
        codec.check_earlier(attributes)
        _check_fitted(attributes)
        _check_targets(attributes, is_classifier=cls is MLPClassifierScratch)
    estimator = cls(**values["parameters"])
    estimator.__dict__.update(attributes)
    return estimator


def _check_fitted(fitted: dict) -> None:
    """Refuse weights that are not those of the network."""
    missing = _NEEDED - fitted.keys()
    check(not missing, f"it lacks {sorted(missing)}")
    network = fitted["_network"]
    sizes = network.layer_sizes
    hidden = [(size,) for size in sizes[1:-1]]
    shapes = {
        "coefs_": list(pairwise(sizes)),
        "intercepts_": [(size,) for size in sizes[1:]],
    }
    batch_norm = network.batch_norm_epsilon is not None
    for name in _BATCH_NORM:
        check((name in fitted) == batch_norm, "its batch normalization is not complete")
        if batch_norm:
            shapes[name] = hidden
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
        n_parameters = count_parameters(sizes, batch_norm)
        for name, value in fitted["_optimizer"].state_dict().items():
            if isinstance(value, np.ndarray):
                check(
                    value.shape == (n_parameters,), f"its optimizer has another {name}"
                )


def _check_targets(fitted: dict, is_classifier: bool) -> None:
    """Refuse classes that are not those of the network's output."""
    names = {"classes_", "_y_type", "_sparse_y"}
    found = names & fitted.keys()
    check(found == (names if is_classifier else set()), "its classes are not complete")
    if not is_classifier:
        return
    n_classes, n_outputs = len(fitted["classes_"]), fitted["n_outputs_"]
    check(
        np.array_equal(np.unique(fitted["classes_"]), fitted["classes_"])
        and {
            "binary": n_classes in (1, 2) and n_outputs == 1,
            "multiclass": n_classes == n_outputs > 2,
            "multilabel-indicator": n_classes == n_outputs,
        }.get(fitted["_y_type"], False),
        f"{n_classes} classes of {fitted['_y_type']!r} targets do not go with "
        f"{n_outputs} outputs",
    )
