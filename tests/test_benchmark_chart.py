"""Tests that the chart of the benchmark shows what its table says."""

import math
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMPARE = ROOT / "tests/benchmarks/compare.py"
THEMES = ("light", "dark")

TABLE = """\
# A page

<!-- benchmark -->
Some text.

| case | dtype | scikit-learn | JAX |
| --- | --- | --- | --- |
| first | float32 | 20.00 | 0.50 |
| second & last | float64 | 4.00 |  |

Medians on some machine, 2 cores, with Python 3.11.7, numpy 2.4.6.
<!-- /benchmark -->
"""


def run(*args):
    command = [sys.executable, str(COMPARE), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True)


def draw(page, folder):
    """Return the SVG of each theme, drawn from the table in a page."""
    done = run("--from-table", page, "--chart", folder / "speed")
    assert done.returncode == 0, done.stderr
    return {
        theme: (folder / f"speed-{theme}.svg").read_text(encoding="utf-8")
        for theme in THEMES
    }


def lines_of(svg):
    """Return the y, the start and the end of each horizontal line."""
    found = re.findall(r'"M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"', svg)
    return [(float(y1), float(x1), float(x2)) for x1, y1, x2, y2 in found if y1 == y2]


def tick_positions(svg):
    found = re.findall(r'<text x="([\d.]+)" [^>]*middle">([\d.]+)<', svg)
    return {float(label): float(x) for x, label in found}


def test_the_committed_chart_is_that_of_the_table_in_the_readme(tmp_path):
    """After a new measurement, draw it again: see tests/benchmarks/compare.py."""
    for theme, svg in draw(ROOT / "README.md", tmp_path).items():
        committed = ROOT / f"docs/_static/speed-{theme}.svg"
        assert svg == committed.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "folder"), [("README.md", "docs/_static"), ("docs/index.md", "_static")]
)
def test_the_front_pages_show_the_chart_of_each_theme(page, folder):
    text = (ROOT / page).read_text(encoding="utf-8")
    for theme in THEMES:
        assert f"{folder}/speed-{theme}.svg" in text


def test_the_table_in_the_readme_has_the_medians_of_the_benchmarks():
    block = (ROOT / "README.md").read_text(encoding="utf-8")
    block = block.partition("<!-- benchmark -->")[2].partition("<!-- /benchmark -->")[0]
    page = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S+) \| (float\d\d) \|(.*)\|$", block, re.M)
    assert len(rows) == 12
    for case, dtype, cells in rows:
        ratios = re.findall(r"[\d.]+", cells)
        # The row of the case that has ratios, with their range in parentheses.
        name = rf"\| {re.escape(case)} \|(?: {dtype} \|)?"
        medians = [
            re.findall(r"([\d.]+) \([\d.]+ to [\d.]+\)", line)
            for line in re.findall(rf"^{name}.*\(.*$", page, re.M)
        ]
        assert ratios in medians


def test_a_chart_has_every_ratio_of_the_table_on_a_logarithmic_scale(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(TABLE, encoding="utf-8")
    for svg in draw(page, tmp_path).values():
        ticks = tick_positions(svg)
        per_decade = ticks[10] - ticks[1]
        for tick, x in ticks.items():
            assert x == pytest.approx(ticks[1] + per_decade * math.log10(tick), abs=0.2)
        lines = sorted(lines_of(svg))
        assert [start for _, start, _ in lines] == [ticks[1]] * 3
        ends = [ticks[1] + per_decade * math.log10(ratio) for ratio in (20, 0.5, 4)]
        assert [end for *_, end in lines] == pytest.approx(ends, abs=0.2)


def test_a_chart_names_the_cases_the_libraries_and_the_machine(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(TABLE, encoding="utf-8")
    for svg in draw(page, tmp_path).values():
        texts = {element.text for element in ElementTree.fromstring(svg).iter()}
        assert {
            "first",
            "second & last",
            "float32",
            "float64",
            "against scikit-learn",
            "against JAX",
            "Medians on some machine, 2 cores",
        } <= texts


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--quick", "--chart", "x"], "not --quick"),
        (["--from-table", ROOT / "README.md"], "--from-table needs --chart"),
        (
            ["--from-table", ROOT / "CHANGELOG.md", "--chart", "x"],
            "has no <!-- benchmark -->",
        ),
    ],
)
def test_command_that_cannot_draw_reports_the_reason(args, message):
    done = run(*args)
    assert done.returncode == 2
    assert message in done.stderr
