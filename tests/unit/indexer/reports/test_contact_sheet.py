"""Contact sheets: tiles where a reader expects them, captions that stay within their tile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import ImageFont

from indexer.reports.contact_sheet import BACKGROUND, Tile, draw_montage, replace_missing_glyphs, shorten, write_picture

Pixels = npt.NDArray[np.uint8]

_MARGIN, _GAP, _CAPTIONS = 16, 12, 40


def _flat(colour: tuple[int, int, int], height: int = 50, width: int = 50) -> Pixels:
    return np.full((height, width, 3), colour, np.uint8)


def _is_background(area: Pixels) -> bool:
    return bool((area == np.asarray(BACKGROUND, np.uint8)).all())


def test_a_sheet_has_room_for_the_longest_row_and_every_row() -> None:
    tile = Tile(_flat((10, 20, 30)), "one")
    sheet = draw_montage([[tile, tile, tile], [tile]], side=100)
    assert sheet.dtype == np.uint8
    assert sheet.shape == (2 * _MARGIN + 2 * (100 + _CAPTIONS) + _GAP, 2 * _MARGIN + 3 * 100 + 2 * _GAP, 3)


def test_a_title_adds_a_line_on_top() -> None:
    tile = Tile(_flat((10, 20, 30)), "one")
    plain, titled = draw_montage([[tile]]), draw_montage([[tile]], title="Neighbours")
    assert titled.shape[0] > plain.shape[0]
    assert titled.shape[1] == plain.shape[1]
    assert not _is_background(titled[_MARGIN : titled.shape[0] - plain.shape[0]])


def test_the_query_is_framed_and_its_neighbours_are_not() -> None:
    tile = Tile(_flat((10, 20, 30)), "")
    sheet = draw_montage([[tile, tile]], side=100)
    neighbour = _MARGIN + 100 + _GAP
    assert tuple(sheet[_MARGIN + 3, _MARGIN + 50]) != (10, 20, 30)
    assert tuple(sheet[_MARGIN + 3, neighbour + 50]) == (10, 20, 30)


def test_a_wide_picture_is_fitted_between_bars_without_distortion() -> None:
    sheet = draw_montage([[Tile(_flat((9, 9, 9)), ""), Tile(_flat((200, 30, 30), height=40, width=80), "")]], side=100)
    left = _MARGIN + 100 + _GAP
    column = sheet[_MARGIN : _MARGIN + 100, left + 50]
    red = (column == (200, 30, 30)).all(axis=1)
    assert red.sum() == 50
    assert red[25:75].all()


@pytest.mark.parametrize("text", ["W" * 200, "a rather long title of a product that goes on and on", "x" * 41])
def test_a_long_caption_stays_within_its_tile(text: str) -> None:
    sheet = draw_montage([[Tile(_flat((10, 20, 30)), text, text)]], side=100)
    assert _is_background(sheet[:, _MARGIN + 100 :])
    assert _is_background(sheet[:, :_MARGIN])
    assert not _is_background(sheet[_MARGIN + 100 :, _MARGIN : _MARGIN + 100])


def test_a_title_stays_within_the_sheet() -> None:
    sheet = draw_montage([[Tile(_flat((10, 20, 30)), "")]], side=64, title="Neighbours of everything " * 9)
    assert _is_background(sheet[:, -_MARGIN:])


def test_a_short_caption_is_kept_and_a_long_one_is_cut_in_the_middle() -> None:
    font = ImageFont.load_default(13)
    text = "Striped ochre mug, tall, with a saucer"
    assert shorten(text, font, 1000) == text
    cut = shorten(text, font, 120)
    head, tail = cut.split("…")
    assert text.startswith(head)
    assert text.endswith(tail)
    assert min(len(head), len(tail)) > 4
    assert 100 < font.getlength(cut) <= 120


def test_a_path_that_is_too_long_keeps_the_name_of_its_file() -> None:
    cut = shorten("shop/2024/autumn/collection/shoes/red-boot-0017.jpg", ImageFont.load_default(13), 130)
    assert cut.startswith("…")
    assert cut.endswith("red-boot-0017.jpg")


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.jpg", b"\xff\xd8"), ("A.JPEG", b"\xff\xd8")])
def test_a_picture_is_written_in_the_format_of_its_name(tmp_path: Path, name: str, start: bytes) -> None:
    write_picture(tmp_path / name, _flat((10, 20, 30)))
    assert (tmp_path / name).read_bytes().startswith(start)


def test_line_breaks_in_a_caption_become_spaces() -> None:
    assert shorten("two\nlines\t here", ImageFont.load_default(13), 1000) == "two lines here"


def test_characters_that_the_font_lacks_are_spelt_without_boxes() -> None:
    assert replace_missing_glyphs("café, 12.50 | naïve") == "cafe, 12.50 | naive"
    assert replace_missing_glyphs("猫") == "?"


def test_a_right_and_a_wrong_neighbour_are_marked_differently() -> None:
    tiles = [Tile(_flat((10, 20, 30)), "", good=good) for good in (None, None, True, False)]
    sheet = draw_montage([tiles], side=100)
    step = 100 + _GAP
    bars = [tuple(int(v) for v in sheet[_MARGIN + 97, _MARGIN + step * i + 50]) for i in range(1, 4)]
    assert bars[0] == (10, 20, 30)
    assert bars[1][1] > bars[1][0]
    assert bars[2][0] > bars[2][1]


def test_an_empty_sheet_or_row_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        draw_montage([])
    with pytest.raises(ValueError, match="row 2"):
        draw_montage([[Tile(_flat((1, 2, 3)), "")], []])


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((5, 5), np.uint8),
        np.zeros((5, 5, 4), np.uint8),
        np.zeros((5, 5, 3), np.float32),
        np.zeros((0, 5, 3), np.uint8),
    ],
)
def test_pixels_that_are_no_picture_are_refused_by_caption(pixels: Pixels) -> None:
    with pytest.raises(ValueError, match="broken one"):
        draw_montage([[Tile(pixels, "broken one")]])


def test_a_side_too_small_to_read_is_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        draw_montage([[Tile(_flat((1, 2, 3)), "")]], side=31)
