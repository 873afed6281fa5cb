"""Tests that the scripts of the gallery are what the gallery wants of them.

The build of the documentation runs them.
"""

import ast
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "examples"
SCRIPTS = sorted(FOLDER.glob("**/plot_*.py"))
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the examples are in the source repository only"
)


def name(path):
    return path.stem


def test_there_is_a_gallery():
    assert len(SCRIPTS) >= 20
    for folder in {path.parent for path in SCRIPTS}:
        assert (folder / "GALLERY_HEADER.rst").is_file(), folder


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_script_begins_with_its_purpose(path):
    """A title, and a paragraph whose beginning is the text of the thumbnail."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    over, title, under, blank, *lines = docstring.splitlines()
    assert over == under == "=" * len(title)
    assert not blank
    paragraph = " ".join(lines).strip()
    assert len(paragraph) > 100
    assert re.search(r"[a-z]\. |[a-z]\.$", paragraph)


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_a_script_uses_public_names_only(path):
    """What a reader copies goes on working."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("skmlp"):
            assert not re.search(r"(^|\.)_", node.module)
            assert not any(alias.name.startswith("_") for alias in node.names)
        elif isinstance(node, ast.Attribute):
            assert not re.match(r"_[a-z]", node.attr), node.attr


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_a_script_shows_its_figures(path):
    assert "plt.show()" in path.read_text(encoding="utf-8")
