"""Tests that the documentation keeps up with the code."""

import inspect
import re
from pathlib import Path

import pytest

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.core.activations import HIDDEN_ACTIVATIONS
from skmlp.core.initializers import INITIALIZERS
from skmlp.core.losses import LOSSES
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.schedules import SCHEDULES

ESTIMATORS = [MLPClassifierScratch, MLPRegressorScratch]
parametrize_estimator = pytest.mark.parametrize("Estimator", ESTIMATORS)

# Where the two estimators have to say different things.
OWN_TEXT = {"loss", "output_activation", "early_stopping", "early_stopping_metric"}


def sections(Estimator):
    """Text of each parameter and attribute, by the section's and its own name."""
    found: dict = {}
    for name in "Parameters", "Attributes":
        text = inspect.getdoc(Estimator).split(f"{name}\n{'-' * len(name)}\n")[1]
        text = re.split(r"\n\n\S[^\n]*\n-+\n", text)[0]
        entries = re.split(r"^(?=\S)", text, flags=re.MULTILINE)
        found[name] = dict(
            re.fullmatch(r"([\w, ]+?) : (.+)", entry.strip(), re.DOTALL).groups()
            for entry in entries
            if entry.strip()
        )
    return found


@parametrize_estimator
def test_every_parameter_is_documented_with_its_default(Estimator):
    documented = sections(Estimator)["Parameters"]
    parameters = inspect.signature(Estimator).parameters
    assert set(documented) == set(parameters)
    for name, parameter in parameters.items():
        default = documented[name].splitlines()[0].split("default=")[1]
        assert eval(default) == parameter.default, name


@parametrize_estimator
def test_every_attribute_is_documented(Estimator):
    X = [[0.0], [1.0], [2.0], [3.0]] * 5
    y = [0, 1, 0, 1] * 5
    fitted = set()
    for params in ({"batch_norm": True}, {"layer_norm": True}, {"n_members": 2}):
        if Estimator is MLPRegressorScratch:
            params = {**params, "target_transform": "standardize"}
        estimator = Estimator(max_iter=2, early_stopping=True, **params).fit(X, y)
        fitted |= {a for a in vars(estimator) if a.endswith("_") and a[0] != "_"}
    names = {
        name
        for names in sections(Estimator)["Attributes"]
        for name in names.split(", ")
    }
    assert names - fitted == {"feature_names_in_"}
    assert fitted <= names


def test_shared_docstrings_are_equal():
    one, other = (sections(Estimator)["Parameters"] for Estimator in ESTIMATORS)
    for name in (one.keys() & other.keys()) - OWN_TEXT:
        assert one[name] == other[name], name


@parametrize_estimator
def test_every_choice_is_documented(Estimator):
    documented = sections(Estimator)["Parameters"]
    for parameter, registry in [
        ("activation", HIDDEN_ACTIVATIONS),
        ("solver", OPTIMIZERS),
        ("learning_rate", SCHEDULES),
        ("init", INITIALIZERS),
    ]:
        for name in registry:
            assert f"'{name}'" in documented[parameter], name


def test_every_formula_is_in_the_mathematics():
    page = Path(__file__).parents[1] / "docs" / "mathematics.md"
    text = page.read_text()
    for name in [*HIDDEN_ACTIVATIONS, *OPTIMIZERS, *SCHEDULES, *INITIALIZERS, *LOSSES]:
        assert f"`{name}`" in text, name
