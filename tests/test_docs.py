"""Tests that what the documentation names is there."""

import importlib.util
import inspect
import re
from pathlib import Path

import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skmlp import MLPClassifierScratch, MLPRegressorScratch
from skmlp.persistence import checkpoint, model
from skmlp.persistence.codec import _KINDS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def documentation():
    """The configuration of the documentation, as a module."""
    spec = importlib.util.spec_from_file_location("conf", ROOT / "docs/conf.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_tests_that_are_named_exist(page):
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:skmlp|tests|examples|docs)/[\w./]+)(?=[`:])", text):
        built = name.startswith("docs/_build")  # by the command beside it
        assert built or (ROOT / name).exists(), name
    for name in re.findall(r"^   \.\./(examples/\S+)$", text, re.M):  # thumbnails
        assert (ROOT / name).exists(), name
    for name, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)", text):
        source = (ROOT / name).read_text(encoding="utf-8")
        assert f"\ndef {test}(" in source, f"{name}::{test}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        other = page.parent / name if name else page
        if name.startswith("gallery/"):  # made of a script, or of a header
            script = name.removeprefix("gallery/").replace(".rst", ".py")
            other = ROOT / "examples" / script.replace("index.py", "GALLERY_HEADER.rst")
        assert other.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", other.read_text(encoding="utf-8"), re.M)
            anchors = [
                re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-")
                for title in titles
            ]
            assert anchor in anchors, target


def test_every_test_of_reliability_is_in_its_page():
    """A promise that is kept, and not made, helps nobody."""
    text = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    for name in ("determinism", "thread_safety", "memory", "numbers", "fuzz"):
        assert f"`tests/test_{name}.py" in text
    for path in ROOT.glob("tests/persistence/test_*.py"):
        assert f"`tests/persistence/{path.name}" in text


def test_the_table_of_parameters_is_that_of_the_signatures():
    text = (ROOT / "docs/scikit-learn.md").read_text(encoding="utf-8")
    row = r"^\| `(\w+)`(?: \((\w+)\))? \| (`.+?`|none) \| (`.+?`) \|"
    found = {
        (name, kind): (theirs.strip("`"), ours.strip("`"))
        for name, kind, theirs, ours in re.findall(row, text, re.M)
    }
    expected = {}
    for theirs, ours, kind in [
        (MLPClassifier, MLPClassifierScratch, "classifier"),
        (MLPRegressor, MLPRegressorScratch, "regressor"),
    ]:
        old, new = (inspect.signature(cls).parameters for cls in (theirs, ours))
        for name in old.keys() | new.keys():
            default = repr(old[name].default) if name in old else "none"
            pair = default, repr(new[name].default)
            if (name, kind) in found:
                expected[name, kind] = pair
            else:
                assert expected.setdefault((name, ""), pair) == pair
    assert found == expected


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("tests/test_a.py::test_b", ["tests/", "test_", "a.py::", "test_", "b"]),
        ("hidden_layer_sizes", ["hidden_", "layer_", "sizes"]),
        ("learning_rate=0.1", ["learning_", "rate=0.1"]),
        ("__sklearn_tags__", ["__sklearn_", "tags__"]),
        ("coefs_", ["coefs_"]),
    ],
)
def test_long_code_is_wrapped_between_words(code, parts):
    """The tables of the documentation then fit on narrow screens."""
    assert documentation().break_after(code) == parts


def test_every_public_name_is_in_the_reference():
    """The build of the documentation looks more closely, but is not always run."""
    pages = [path.read_text(encoding="utf-8") for path in ROOT.glob("docs/reference/*")]
    listed = set()
    for page in pages:
        module = None
        for line in page.splitlines():
            if match := re.match(r"\.\. currentmodule:: (\S+)", line):
                module = match[1]
            elif match := re.fullmatch(r"   ([\w.]+)", line):
                listed.add(f"{module}.{match[1]}")
    names = {name for name, _ in documentation().public_names()}
    assert len(names) > 50
    assert names <= listed


def test_the_file_format_is_documented():
    assert checkpoint.VERSION == model.VERSION
    text = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    assert f"- `format_version`: {model.VERSION}." in text
    kinds = text.split("The kinds are ")[1].split(".\n")[0]
    quoted = re.findall(r'"([^"]+)"', kinds.replace('".npy"', ""))
    assert set(quoted) == set(_KINDS)
