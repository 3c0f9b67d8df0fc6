"""Charts and pages: what is drawn, that nothing is fetched, that hostile words stay words."""

from __future__ import annotations

import base64
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from indexer.reports.charts import Line, Mark, bar_chart, line_chart
from indexer.reports.page import check_place, picture, render, write_page
from lookalike.errors import DataPathError
from lookalike.images import decode

AWKWARD = '<b>$x$ & "猫"</b>'


def words(svg: str) -> list[str]:
    """What a chart says; raises if it is not well-formed."""
    return [element.text or "" for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]


def test_a_line_chart_says_its_title_axes_and_legend_as_text() -> None:
    lines = [Line("one", [1, 2, 3], [0.1, 0.5, 0.9]), Line(AWKWARD, [1, 2, 3], [0.2, 0.4, 0.6])]
    svg = line_chart(lines, title="Recall", x_label="k", y_label="share", marks=[Mark("here", 2, 0.5)])
    assert {"Recall", "k", "share", "one", AWKWARD, "here"} <= set(words(svg))


def test_one_curve_needs_no_legend() -> None:
    svg = line_chart([Line("one", [1, 2], [0.1, 0.9])], title="t", x_label="x", y_label="y")
    assert "one" not in words(svg)


def test_an_axis_of_shares_stays_within_zero_and_one() -> None:
    svg = line_chart([Line("one", [1, 2], [0.0, 1.0])], title="t", x_label="x", y_label="y")
    numbers = [float(word.replace("−", "-")) for word in words(svg) if word not in {"t", "x", "y"}]
    assert all(0 <= number <= 2 for number in numbers)
    assert 1.0 in numbers


def test_a_bar_chart_has_each_name_and_value() -> None:
    svg = bar_chart(["mirrored", AWKWARD], [0.25, 0.5], title="Scores", y_label="mean")
    assert {"mirrored", AWKWARD, "0.25", "0.5", "Scores"} <= set(words(svg))


def test_a_very_long_name_leaves_room_for_the_chart() -> None:
    long = "resnet18:/" + "a-folder/" * 40 + "mine.safetensors (mean, 64 px)"
    lines = [Line(long, [1, 2], [3, 4]), Line("short", [1, 2], [4, 3])]
    svg = line_chart(lines, title="t", x_label="x", y_label="y", marks=[Mark(long, 2, 4)])
    (legend, mark) = [word for word in words(svg) if word.startswith("resnet18")]
    assert legend == mark
    assert legend.endswith("mine.safetensors (mean, 64 px)"[-27:])
    assert len(legend) == 36
    assert any(len(word) == 36 for word in words(bar_chart([long], [1.0], title="t", y_label="y")))


def test_the_same_chart_is_the_same_text() -> None:
    def chart() -> str:
        return line_chart([Line("one", [1, 2], [3, 4])], title="t", x_label="x", y_label="y", unit_square=True)

    assert chart() == chart()


def test_charts_follow_the_theme_of_their_page() -> None:
    svg = bar_chart(["a"], [1.0], title="t", y_label="y")
    assert "fill: var(--series-1, #2b62b8)" in svg
    assert "var(--ink, " in svg


def test_a_thumbnail_stands_in_the_page() -> None:
    pixels = np.full((300, 600, 3), 80, dtype=np.uint8)
    head, _, data = picture(pixels, 100).partition(",")
    assert head == "data:image/jpeg;base64"
    shown = decode(base64.b64decode(data))
    assert (shown.width, shown.height) == (100, 50)


def test_a_page_is_written_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    place = tmp_path / "report.html"
    place.write_text("old")
    write_page(place, "new ✓")
    assert place.read_text(encoding="utf-8") == "new ✓"
    assert list(tmp_path.iterdir()) == [place]


@pytest.mark.parametrize("name", ["missing/report.html", "."])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataPathError, match="cannot be written"):
        check_place(tmp_path / name)
    with pytest.raises(DataPathError, match="cannot be written"):
        write_page(tmp_path / name, "page")


def test_the_base_page_may_fetch_nothing() -> None:
    page = render("base.html.j2")
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")
