"""Tests that what the documentation names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_tests_that_are_named_exist(page):
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:skmlp|tests|examples|docs)/[\w./]+)(?=[`:])", text):
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
