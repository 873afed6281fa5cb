"""Tests that the packages of skmlp depend on each other in one direction only."""

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

# From the bottom to the top: a package imports itself and what is below it.
PACKAGES = [
    "skmlp._version",
    "skmlp._warnings",
    "skmlp._random",
    "skmlp._sklearn",
    "skmlp.core",
    "skmlp.layers",
    "skmlp.training",
    "skmlp.compiled",
    "skmlp.callbacks",
    "skmlp.persistence",
    "skmlp.estimators",
    "skmlp.tabular",
    "skmlp.plotting",
]
# What users import, and the import paths of old pickles.
TOP = {
    "skmlp.__init__",
    "skmlp._show_versions",
    "skmlp._trusted",
    "skmlp.classifier",
    "skmlp.datasets",
    "skmlp.regressor",
    "skmlp.summary",
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
    assert found, f"{package} was not found"
    return found


def test_every_module_is_in_a_package():
    in_packages = within(MODULES, *(f"{package}." for package in PACKAGES))
    assert set(MODULES) - set(in_packages) == TOP


@pytest.mark.parametrize(
    ("level", "module"),
    [(i, m) for i, package in enumerate(PACKAGES) for m in modules_in(package)],
)
def test_a_package_imports_itself_and_what_is_below_it(level, module):
    names = within(names_in(module), "skmlp.")
    below = [f"{package}." for package in PACKAGES[: level + 1]]
    assert names == within(names, *below)


@pytest.mark.parametrize("module", modules_in("skmlp.core"))
def test_the_core_does_not_import_scikit_learn(module):
    assert not within(names_in(module), "sklearn.")


@pytest.mark.parametrize("module", modules_in("skmlp.training"))
def test_training_does_not_import_scikit_learn_but_for_its_warnings(module):
    names = within(names_in(module), "sklearn.", "skmlp._sklearn.")
    assert names == within(names, "sklearn.exceptions.")


@pytest.mark.parametrize(
    "module",
    [
        m
        for package in PACKAGES[PACKAGES.index("skmlp.compiled") + 1 :]
        for m in modules_in(package)
        if m != "skmlp.estimators.engines"
    ],
)
def test_engines_are_imported_only_by_the_choice(module):
    assert not within(names_in(module), "skmlp.compiled.", "skmlp.training.engine.")


@pytest.mark.parametrize(
    "module", [m for m in MODULES if not within([m], "skmlp.plotting.")]
)
def test_matplotlib_is_imported_only_by_plotting(module):
    assert not within(names_in(module), "matplotlib.")


@pytest.mark.parametrize("module", modules_in("skmlp.plotting"))
def test_plotting_imports_no_engine(module):
    names = names_in(module)
    engines = "skmlp.estimators.engines.", "skmlp.compiled.", "skmlp.training."
    assert not within(names, *engines)


@pytest.mark.parametrize("module", MODULES)
def test_scikit_learns_own_network_is_not_imported(module):
    assert not within(names_in(module), "sklearn.neural_network.")


@pytest.mark.parametrize("module", [m for m in MODULES if m != "skmlp._sklearn"])
def test_private_names_of_scikit_learn_are_in_one_module(module):
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


@pytest.mark.parametrize("module", MODULES)
def test_modules_have_at_most_500_lines_without_docstrings(module):
    text = MODULES[module].read_text(encoding="utf-8")
    lines = set(range(text.count("\n")))
    for node in ast.walk(ast.parse(text)):
        kinds = ast.Module | ast.ClassDef | ast.FunctionDef
        if isinstance(node, kinds) and ast.get_docstring(node) is not None:
            lines -= set(range(node.body[0].lineno - 1, node.body[0].end_lineno))
    assert len(lines) <= 500


def test_importing_skmlp_loads_no_optional_package():
    script = "import sys, skmlp.plotting; print(*sys.modules, sep='\\n')"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(run.stdout.split())
    assert "skmlp.core.network" in loaded
    unwanted = {"torch", "matplotlib", "polars", "sklearn.neural_network"}
    assert not loaded & unwanted
