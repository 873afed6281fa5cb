"""Tests that the layers of the package depend on each other one way only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skmlp

ROOT = Path(skmlp.__file__).parent
MODULES = {
    ".".join(("skmlp", *path.relative_to(ROOT).with_suffix("").parts)): path
    for path in sorted(ROOT.rglob("*.py"))
}
# scikit-learn requires the last two.
REQUIRED = {"numpy", "scipy", "sklearn", "joblib", "threadpoolctl"}
ESTIMATORS = {
    "skmlp.base",
    "skmlp.build",
    "skmlp.callbacks",
    "skmlp.classifier",
    "skmlp.engines",
    "skmlp.gradcheck",
    "skmlp.inspection",
    "skmlp.regressor",
    "skmlp.validation",
}


def imported(tree):
    """Dotted names of what an import statement anywhere in the tree names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def at_import_time(node):
    """The statements that importing a module runs: no function's body."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from at_import_time(child)


def within(names, *packages):
    """Those of the names that are in one of the packages."""
    return [name for name in names if f"{name}.".startswith(tuple(packages))]


def names_in(module):
    return list(imported(ast.parse(MODULES[module].read_text(encoding="utf-8"))))


def modules_in(package):
    found = within(MODULES, f"{package}.")
    assert len(found) > 1, f"{package} was not found"
    return found


@pytest.mark.parametrize("module", modules_in("skmlp.core"))
def test_core_knows_neither_scikit_learn_nor_what_is_built_on_it(module):
    names = names_in(module)
    assert not within(names, "sklearn.")
    assert within(names, "skmlp.") == within(names, "skmlp.core.")


@pytest.mark.parametrize("module", modules_in("skmlp.training"))
def test_training_knows_the_core_but_no_estimator(module):
    names = within(names_in(module), "skmlp.")
    assert names == within(names, "skmlp.core.", "skmlp.training.")


@pytest.mark.parametrize("module", modules_in("skmlp.compiled"))
def test_the_compiled_engine_knows_training_but_no_estimator(module):
    names = within(names_in(module), "skmlp.")
    below = ("skmlp.core.", "skmlp.training.", "skmlp.compiled.", "skmlp._sklearn.")
    assert names == within(names, *below)


def test_the_choice_of_an_engine_knows_the_engines_but_no_estimator():
    names = within(names_in("skmlp.engines"), "skmlp.")
    below = ("skmlp.core.", "skmlp.training.", "skmlp.compiled.")
    assert names == within(names, *below)


@pytest.mark.parametrize("module", sorted(ESTIMATORS - {"skmlp.engines"}))
def test_the_estimators_know_an_engine_by_the_choice_alone(module):
    names = names_in(module)
    assert not within(names, "skmlp.compiled.", "skmlp.training.engine.")


def test_the_estimators_are_where_the_layers_end():
    """So that the tests above are about what they say."""
    assert set(MODULES) >= ESTIMATORS
    assert within(names_in("skmlp.base"), "skmlp.engines.")
    assert within(names_in("skmlp.base"), "skmlp.core.")
    assert within(names_in("skmlp.base"), "skmlp.training.")


@pytest.mark.parametrize(
    "module", [m for m in MODULES if not within([m], "skmlp.plotting.")]
)
def test_nothing_is_built_on_the_pictures(module):
    assert not within(names_in(module), "skmlp.plotting.", "matplotlib.")


@pytest.mark.parametrize("module", modules_in("skmlp.plotting"))
def test_the_pictures_know_no_engine(module):
    names = names_in(module)
    assert not within(names, "skmlp.engines.", "skmlp.compiled.", "skmlp.training.")


@pytest.mark.parametrize("module", MODULES)
def test_nothing_comes_from_scikit_learns_own_network(module):
    assert not within(names_in(module), "sklearn.neural_network.")


@pytest.mark.parametrize("module", [m for m in MODULES if m != "skmlp._sklearn"])
def test_private_names_of_scikit_learn_are_in_one_place(module):
    names = within(names_in(module), "sklearn.")
    assert not [name for name in names if "._" in name]


@pytest.mark.parametrize("module", MODULES)
def test_only_the_required_packages_are_imported_with_the_module(module):
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    statements = [
        node
        for node in at_import_time(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    names = imported(ast.Module(body=statements, type_ignores=[]))
    packages = {name.split(".")[0] for name in names} - {"skmlp"}
    assert packages - sys.stdlib_module_names <= REQUIRED


def test_importing_skmlp_loads_no_optional_package():
    script = "import sys, skmlp.plotting; print(*sys.modules, sep='\\n')"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(run.stdout.split())
    assert "skmlp.core.network" in loaded
    unwanted = {"torch", "matplotlib", "polars", "sklearn.neural_network"}
    assert not loaded & unwanted
