"""Models in files: `save` and `load`."""

import os
from numbers import Real
from typing import Any, TypeVar

from sklearn.base import BaseEstimator

from skmlp.persistence import archive, codec
from skmlp.persistence.codec import check

KIND, VERSION = "skmlp model", 2

_ESTIMATORS: dict = {}
_Class = TypeVar("_Class", bound=type)


def register_estimator(cls: _Class) -> _Class:
    """Let `save` and `load` store a class of estimators; for use as a decorator.

    Parameters
    ----------
    cls : type
        A class of scikit-learn's estimators, with the attributes

        - ``_fitted``: a dict that maps the name of each fitted attribute that is
          stored to an object with the attributes ``types`` (the types that it can
          have) and ``is_required``;
        - ``_transient``: the names of attributes that are not stored;
        - ``_check_fitted(attributes)``: a static method that raises ValueError if the
          attributes, each of its type, do not fit together.

    Returns
    -------
    cls : type
    """
    _ESTIMATORS[cls.__name__] = cls
    return cls


def save(estimator: BaseEstimator, path: str | os.PathLike) -> None:
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
        if name not in parameters and name not in estimator._transient
    }
    unknown = sorted(attributes.keys() - estimator._fitted.keys())
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


def load(path: str | os.PathLike) -> Any:
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


def _decode(content: dict, arrays: dict) -> Any:
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
        check(key in cls._fitted, f"it has an attribute {key!r}")
        types = cls._fitted[key].types
        check(isinstance(value, types), f"its {key} is a {type(value)}")
        if types is int:
            check(codec.is_count(value), f"its {key} is {value!r}")
        elif isinstance(value, Real):
            codec.check_number(value, f"its {key}")
    if attributes:
        required = {name for name, fitted in cls._fitted.items() if fitted.is_required}
        missing = sorted(required - attributes.keys())
        check(not missing, f"it lacks {missing}")
        codec.check_earlier(attributes)
        cls._check_fitted(attributes)
    estimator = cls(**values["parameters"])
    estimator.__dict__.update(attributes)
    return estimator
