"""Charts as SVG, inside a page or standalone; the one importer of matplotlib.

It is imported when the first chart is drawn, since it takes a second to load. Colours are CSS variables with a
fallback, and text stays text: inside a page a chart follows the page's theme, standalone it is dark on transparent.
"""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from lookalike.options import cache_folder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SERIES = ("#2b62b8", "#c0562b", "#2f8a57", "#8a4fb0", "#b38a10", "#1d8c99", "#b03a6a", "#6a6f78")
_INK, _FAINT = "#23262d", "#c9cbd1"
_CSS_VARIABLES = {
    _INK: "ink",
    _FAINT: "line",
    **{colour: f"series-{number}" for number, colour in enumerate(SERIES, 1)},
}
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "lookalike",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # for measuring only; the page's own font is drawn
    "font.size": 11,
    "text.parse_math": False,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.titlesize": 12,
    "axes.titlecolor": _INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": _FAINT,
    "grid.linewidth": 0.6,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
}
MAX_NAME_LENGTH = 36
"""Greatest number of characters of a name in a chart."""

_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}


@dataclass(frozen=True)
class Line:
    """A curve through points, in the given order."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Mark:
    """A labelled point."""

    label: str
    x: float
    y: float


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    x_label: str,
    y_label: str,
    marks: Sequence[Mark] = (),
    unit_square: bool = False,
) -> str:
    """Curves and marked points as SVG text; ``unit_square`` shows 0 to 1 on both axes, as wide as high."""
    with _settings():
        figure, axes = _figure((5.0, 4.6) if unit_square else (6.6, 4.0), title, y_label)
        axes.set_xlabel(x_label)
        for number, line in enumerate(lines):
            axes.plot(line.x, line.y, label=_short(line.label), color=SERIES[number % len(SERIES)], linewidth=2)
        for mark in marks:
            axes.plot([mark.x], [mark.y], marker="o", markersize=7, color=_INK, linestyle="none")
        if unit_square:
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        else:
            axes.margins(x=0.04, y=0.12)
            _limit_to_shares(axes, [y for line in lines for y in line.y] + [mark.y for mark in marks])
        _write_mark_labels(axes, marks, above=not lines)
        if len(lines) > 1:
            axes.legend(loc="best")
        return _svg(figure, title)


def bar_chart(names: Sequence[str], values: Sequence[float], *, title: str, y_label: str) -> str:
    """A bar for each name, with its value on top, as SVG text; the axis starts at 0."""
    with _settings():
        figure, axes = _figure((max(4.0, 1.2 + 0.55 * len(names)), 4.0), title, y_label)
        positions = range(len(names))
        bars = axes.bar(positions, values, color=SERIES[0], width=0.65)
        axes.bar_label(bars, labels=[f"{value:.3g}" for value in values], padding=2, fontsize=9)
        names = [_short(name) for name in names]
        is_slanted = max((len(name) for name in names), default=0) > 6
        axes.set_xticks(positions, names, rotation=35 if is_slanted else 0, ha="right" if is_slanted else "center")
        axes.grid(visible=False, axis="x")
        axes.margins(y=0.12)
        return _svg(figure, title)


def _settings() -> AbstractContextManager[None]:
    # Matplotlib caches a list of fonts, by default in two folders in the user's home.
    os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))
    import matplotlib as mpl

    return mpl.rc_context(_SETTINGS)


def _figure(size: tuple[float, float], title: str, y_label: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left")
    axes.set_ylabel(y_label)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6))
    return figure, axes


def _limit_to_shares(axes: Axes, heights: Sequence[float]) -> None:
    """Keep an axis of shares between 0 and 1."""
    if heights and min(heights) >= 0 and max(heights) <= 1:
        bottom, top = axes.get_ylim()
        axes.set_ylim(max(-0.005, bottom), min(1.005, top))


def _write_mark_labels(axes: Axes, marks: Sequence[Mark], *, above: bool) -> None:
    """Write each mark's label on the side with more room, and below a curve rather than across it."""
    left, right = axes.get_xlim()
    for mark in marks:
        is_right_half = mark.x > (left + right) / 2
        axes.annotate(
            _short(mark.label),
            (mark.x, mark.y),
            xytext=(-8 if is_right_half else 8, 8 if above else -16),
            textcoords="offset points",
            ha="right" if is_right_half else "left",
        )


def _short(name: str) -> str:
    """``name`` with its middle left out if it is too long: the end of a path is the most specific."""
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[:8]}…{name[9 - MAX_NAME_LENGTH :]}"


def _svg(figure: Figure, title: str) -> str:
    file = io.StringIO()
    figure.patch.set_alpha(0)
    for axes in figure.axes:
        axes.patch.set_alpha(0)
    with warnings.catch_warnings():
        # The browser draws the text, with fonts that have the missing glyphs.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(file, format="svg", metadata=_NO_METADATA)
    text = file.getvalue()
    text = f'<svg role="img" aria-label={quoteattr(title)}{text[text.index("<svg") + 4 :]}'
    # In a page with two charts, ids of groups would not be unique.
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    for colour, name in _CSS_VARIABLES.items():
        text = re.sub(colour, f"var(--{name}, {colour})", text, flags=re.IGNORECASE)
    return text.replace("'DejaVu Sans'", "inherit").strip()
