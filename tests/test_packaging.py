"""Tests of how the extension is built, and of what happens where it is not."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import skmlp

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "skmlp/compiled"


def extension():
    with open(ROOT / "pyproject.toml", "rb") as file:
        (extension,) = tomllib.load(file)["tool"]["setuptools"]["ext-modules"]
    return extension


@pytest.mark.parametrize(
    ("key", "patterns"), [("sources", ["*.pyx", "src/*.c"]), ("depends", ["src/*.h"])]
)
def test_every_file_of_the_extension_is_named(key, patterns):
    """Or it would not be in the sdist, and a change of it would not be noticed."""
    files = [path for pattern in patterns for path in SOURCES.glob(pattern)]
    assert files
    assert sorted(extension()[key]) == sorted(
        path.relative_to(ROOT).as_posix() for path in files
    )


def test_the_sources_are_where_the_tests_look():
    suffixes = {path.suffix for path in (SOURCES / "src").iterdir()}
    assert suffixes == {".c", ".h"}


def test_the_extension_is_optional():
    assert extension()["optional"] is True


# Instead of the extension, an error; then a report, and a fit that works.
IMPORT = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "skmlp.compiled._engine":
            raise {error}

sys.meta_path.insert(0, Finder())
import skmlp
skmlp.MLPRegressorScratch(max_iter=2, solver="sgd").partial_fit([[0.0]], [1.0])
print(skmlp.compiled.UNAVAILABLE)
"""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            "ModuleNotFoundError('No module named _engine', name=name)",
            "it was not built when skmlp was installed, possibly without a C compiler",
        ),
        (
            "ImportError('undefined symbol: _ZGVdN4v_exp')",
            "it was built, but not for this Python and SciPy (undefined symbol: "
            "_ZGVdN4v_exp)",
        ),
        (
            "TypeError('dgemm has wrong signature')",
            "it was built, but not for this Python and SciPy (dgemm has wrong "
            "signature)",
        ),
    ],
)
def test_an_extension_that_does_not_load_is_no_error(error, reason):
    script = [sys.executable, "-c", IMPORT.format(error=error)]
    run = subprocess.run(script, capture_output=True, text=True, check=True)
    assert run.stdout == f"{reason}\n"


def test_the_marker_of_annotations_is_in_the_packages():
    """Type checkers ignore the annotations of packages without it (PEP 561)."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        setuptools = tomllib.load(file)["tool"]["setuptools"]
    assert "py.typed" in setuptools["package-data"]["skmlp"]
    assert (ROOT / "skmlp/py.typed").exists()


def test_the_citation_is_of_this_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {skmlp.__version__}\n" in text
