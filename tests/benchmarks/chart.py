"""Draw the ratios of a Markdown table as a chart in SVG, for light and dark pages.

`compare.py --chart` calls this. The SVG is written directly, and not by Matplotlib, so
that the same table gives the same file, whatever versions are installed.
"""

import math
from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH = 400
LEFT, RIGHT = 134, 382  # of the axis
TOP = 74  # of the first row
ROW = 30
LANE = 8  # between the libraries of a row
RADIUS = 3.6

FONT = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
TITLE = "Speed of fit: skmlp compared with other libraries"


@dataclass(frozen=True)
class Theme:
    """Colors of the text, of the grid and of each library in turn."""

    text: str
    muted: str
    grid: str
    libraries: tuple


# The colors of a library differ in lightness and in hue, also for the color-blind.
THEMES = {
    "light": Theme("#1f2328", "#59636e", "#d1d9e0", ("#bf4b00", "#0067b0", "#00795a")),
    "dark": Theme("#f0f6fc", "#a3adb8", "#3d444d", ("#ff9a57", "#63b5f6", "#3fd0a4")),
}


@dataclass(frozen=True)
class Table:
    """Ratios by row and library, and the machine on which they were measured."""

    libraries: list
    rows: list  # of (case, dtype, ratios), where a ratio may be None
    machine: str


def parse_table(lines):
    """Return the `Table` in the lines that `compare.headline` made."""
    lines = list(lines)
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("|")
    ]
    (_, _, *libraries), _, *rows = cells
    (caption,) = [line for line in lines if line.startswith("Medians on ")]
    return Table(
        libraries,
        [
            (case, dtype, [float(ratio) if ratio else None for ratio in ratios])
            for case, dtype, *ratios in rows
        ],
        machine=caption.partition(", with ")[0],
    )


def axis_ticks(ratios):
    """Return 1, 2, 5, 10, ... around all ratios and 1."""
    low, high = min(1, *ratios), max(1, *ratios)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
    first = max(tick for tick in ticks if tick <= low)
    last = min(tick for tick in ticks if tick >= high)
    return [tick for tick in ticks if first <= tick <= max(last, 2 * first)]


def marker(number, x, y, color):
    """Return a circle, a square or a diamond around a point."""
    r = RADIUS
    if number == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" fill="{color}"/>'
    if number == 1:
        side = 1.8 * r
        return (
            f'<rect x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" '
            f'width="{side:.1f}" height="{side:.1f}" fill="{color}"/>'
        )
    d = 1.3 * r
    return (
        f'<path d="M{x:.1f} {y - d:.1f}l{d:.1f} {d:.1f}l-{d:.1f} {d:.1f}'
        f'l-{d:.1f}-{d:.1f}z" fill="{color}"/>'
    )


def text(x, y, content, color, size=12, anchor="start", weight=None):
    """Return a line of text."""
    bold = f' font-weight="{weight}"' if weight else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}" '
        f'text-anchor="{anchor}"{bold}>{escape(content)}</text>'
    )


def line(x1, y1, x2, y2, color, width=1):
    """Return a straight line."""
    return (
        f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{color}" '
        f'stroke-width="{width}"/>'
    )


def draw(table, theme):
    """Return the SVG of a table."""
    ticks = axis_ticks(
        [ratio for *_, ratios in table.rows for ratio in ratios if ratio is not None]
    )
    scale = (RIGHT - LEFT) / math.log(ticks[-1] / ticks[0])

    def position(ratio):
        return LEFT + scale * math.log(ratio / ticks[0])

    bottom = TOP + ROW * len(table.rows)
    height = bottom + 54
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" font-family="{FONT}">',
        f"<title>{TITLE}</title>",
        text(8, 18, TITLE, theme.text, size=14, weight=600),
    ]
    x = 14.0
    for number, library in enumerate(table.libraries):
        color = theme.libraries[number]
        parts.append(marker(number, x, 40, color))
        parts.append(text(x + 9, 44, f"against {library}", theme.text))
        x += 9 + 6.6 * len(f"against {library}") + 14
    for tick in ticks:
        x, one = position(tick), tick == 1
        color = theme.muted if one else theme.grid
        parts.append(line(x, TOP - 4, x, bottom, color, 1.5 if one else 1))
        for y in (TOP - 9, bottom + 15):
            parts.append(text(x, y, f"{tick:g}", theme.muted, 11, "middle"))
    for row, (case, dtype, ratios) in enumerate(table.rows):
        top = TOP + ROW * row
        middle = top + ROW / 2
        parts.append(text(LEFT - 10, middle - 1, case, theme.text, 12, "end"))
        parts.append(text(LEFT - 10, middle + 11, dtype, theme.muted, 10, "end"))
        for number, ratio in enumerate(ratios):
            if ratio is None:
                continue
            x, y = position(ratio), middle + LANE * (number - (len(ratios) - 1) / 2)
            color = theme.libraries[number]
            parts.append(line(position(1), y, x, y, color, 2))
            parts.append(marker(number, x, y, color))
    parts.append(
        text(
            RIGHT + 10,
            bottom + 32,
            "How many times as fast (logarithmic scale; 1 is equal)",
            theme.text,
            11,
            "end",
        )
    )
    parts.append(text(RIGHT + 10, bottom + 47, table.machine, theme.muted, 11, "end"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def write_charts(lines, prefix):
    """Write PREFIX-light.svg and PREFIX-dark.svg from the lines of a table."""
    table = parse_table(lines)
    for name, theme in THEMES.items():
        path = Path(f"{prefix}-{name}.svg")
        path.write_text(draw(table, theme), encoding="utf-8")
