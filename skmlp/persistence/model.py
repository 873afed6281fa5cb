"""Models in files: `save` and `load`."""

import os
from numbers import Real
from typing import Any, TypeVar

from sklearn.base import BaseEstimator

from skmlp.persistence import archive, codec
from skmlp.persistence.checks import (
    check,
    check_earlier,
    check_number,
    is_count,
)

KIND, VERSION = "skmlp model", 2

_ESTIMATORS: dict = {}
_Class = TypeVar("_Class", bound=type)


def register_estimator(cls: _Class) -> _Class:
    """Register a class of estimators that `save` and `load` support. A decorator.

    Parameters
    ----------
    cls : type
        A class of scikit-learn's estimators, with the attributes

        - ``_fitted``: a dict that maps the name of each fitted attribute that is
          stored to an object with the attributes ``types`` (the types of the value) and
          ``is_required``;
        - ``_transient``: the names of attributes that are not stored;
        - ``_check_fitted(attributes)``: a static method that raises ValueError if the
          attributes are not consistent.

    Returns
    -------
    cls : type
    """
    _ESTIMATORS[cls.__name__] = cls
    return cls


def save(estimator: BaseEstimator, path: str | os.PathLike) -> None:
    """Write an estimator to a file that can be read without running code.

    The file contains arrays and JSON; docs/reliability.md describes its format. It is
    written under a temporary name and then renamed, so that `path` never contains an
    incomplete file.

    Parameters
    ----------
    estimator : MLPClassifierScratch or MLPRegressorScratch
        The estimator, fitted or not.

    path : str or os.PathLike
        The file. An existing file is replaced.

    Raises
    ------
    TypeError
        If the estimator is of another class, or a parameter or an attribute cannot be
        stored without code, such as a function or a custom activation, loss or
        callback. The message names it. Use `pickle` or skops instead.

    ValueError
        If fitted attributes were changed and are not consistent.

    OSError
        If the file cannot be written.

    See Also
    --------
    load : Read the file.
    skmlp.callbacks.Checkpoint : Write files from which training can be resumed.

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
            f"estimator must be an instance of one of {sorted(_ESTIMATORS)}, and not "
            f"of a derived class, got {estimator!r}. Use pickle or skops for others."
        )
    parameters = estimator.get_params(deep=False)
    attributes = {
        name: value
        for name, value in vars(estimator).items()
        if name not in parameters and name not in estimator._transient
    }
    unknown = sorted(attributes.keys() - estimator._fitted.keys())
    if unknown:
        raise TypeError(
            f"estimator must have no attributes that load does not know, got "
            f"{unknown}. Use pickle or skops to store them."
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
            "estimator must not contain objects that cannot be loaded without code, "
            f"but {error}. Use pickle or skops to store it."
        ) from None
    with archive.value_errors("estimator must be one that load can read"):
        _decode(content, arrays)  # the user may have set coefs_
    archive.write(path, KIND, VERSION, content, arrays)


def load(path: str | os.PathLike) -> Any:
    """Read an estimator from a file that `save` has written.

    The file may be from an untrusted source: no code in it is run, and no array is
    larger than the file. This does not mean that the predictions can be trusted.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    estimator : MLPClassifierScratch or MLPRegressorScratch
        The estimator that was saved.

    Raises
    ------
    OSError
        If the file cannot be opened.

    ValueError
        If the file is not a model, is damaged or was written by a later version, or if
        its parts are not consistent.

    See Also
    --------
    save : Write the file, with an example.
    """
    content, arrays = archive.read(path, KIND, VERSION)
    with archive.value_errors(f"{os.fspath(path)!r} cannot be loaded as a model"):
        return _decode(content, arrays)


def _decode(content: dict, arrays: dict) -> Any:
    name = content["estimator"]
    check(name in _ESTIMATORS, f"it is a {name!r}")
    cls = _ESTIMATORS[name]
    values = {
        part: {key: codec.decode(value, arrays) for key, value in content[part].items()}
        for part in ("parameters", "attributes")
    }
    unknown = values["parameters"].keys() - set(cls._get_param_names())
    check(not unknown, f"it has unknown parameters: {sorted(unknown)}")
    attributes = values["attributes"]
    for key, value in attributes.items():
        check(key in cls._fitted, f"it has an attribute {key!r}")
        types = cls._fitted[key].types
        check(isinstance(value, types), f"its {key} is a {type(value)}")
        if types is int:
            check(is_count(value), f"its {key} is {value!r}")
        elif isinstance(value, Real):
            check_number(value, f"its {key}")
    if attributes:
        required = {name for name, fitted in cls._fitted.items() if fitted.is_required}
        missing = sorted(required - attributes.keys())
        check(not missing, f"it lacks {missing}")
        check_earlier(attributes)
        cls._check_fitted(attributes)
    estimator = cls(**values["parameters"])
    estimator.__dict__.update(attributes)
    return estimator
