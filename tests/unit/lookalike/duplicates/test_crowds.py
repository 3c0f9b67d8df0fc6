"""Candidates among many pictures that are alike: copies stay, and the number of pairs stays small."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from lookalike.copies import compute_fingerprint
from lookalike.duplicates import crowds
from lookalike.duplicates.candidates import CandidatePairs
from lookalike.duplicates.crowds import CROWD, NEAREST, Layouts, layout, thin_crowds
from lookalike.duplicates.report import Action
from tests.helpers.duplicate_search import keys, search_folder
from tests.helpers.scenes import write_files

FORMS = CROWD + 12
COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "jpeg": lambda form: Image.open(io.BytesIO(_saved(form, "JPEG", 40))).convert("RGB"),
    "third": lambda form: form.resize((form.width // 3, form.height // 3)),
    "blurred": lambda form: form.filter(ImageFilter.GaussianBlur(1.5)),
    "darker": lambda form: ImageEnhance.Brightness(form).enhance(0.8),
    "paler": lambda form: ImageEnhance.Contrast(form).enhance(0.6),
}


def _draw_form(number: int) -> Image.Image:
    """A page whose only difference to others is a number at its head, a date, and a sum at its foot."""
    page = Image.new("RGB", (420, 594), (252, 251, 247))
    draw = ImageDraw.Draw(page)
    lines = np.random.default_rng(0)
    for row in range(12):
        words = " ".join("abcdefgh"[int(letter)] * 5 for letter in lines.integers(0, 8, 6))
        draw.text((30, 110 + row * 34), words, fill="black", font=ImageFont.load_default(16))
    own = np.random.default_rng(number)
    for place, digits in (((30, 30), 6), ((250, 60), 8), ((280, 540), 5)):
        text = "".join(str(digit) for digit in own.integers(0, 10, digits))
        draw.text(place, text, fill="black", font=ImageFont.load_default(22))
    return page


def _saved(image: Image.Image, format_name: str, quality: int = 90) -> bytes:
    data = io.BytesIO()
    image.save(data, format_name, quality=quality)
    return data.getvalue()


def _layout(image: Image.Image) -> Layouts:
    return layout(compute_fingerprint(np.asarray(image)))


def _all_pairs(count: int, distance: float = 0.1) -> CandidatePairs:
    pairs = np.array(list(combinations(range(count), 2)), np.int64)
    return CandidatePairs(pairs[:, 0], pairs[:, 1], np.full(len(pairs), distance, np.float32))


@pytest.fixture(scope="module")
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_in_a_crowd_stays_a_candidate_of_its_original(way: str, threads: Executor) -> None:
    forms = [_draw_form(number) for number in range(FORMS)]
    layouts = [_layout(form) for form in forms] + [_layout(COPIES[way](form)) for form in forms[:12]]
    pairs = _all_pairs(len(layouts))
    thinned = thin_crowds(pairs, len(layouts), lambda number: layouts[number], threads)
    assert len(thinned) <= NEAREST * len(layouts) < len(pairs) / 4
    assert {(number, FORMS + number) for number in range(12)} <= set(thinned)
    assert set(thinned) <= set(pairs)


def test_a_picture_with_few_like_it_keeps_them_all(threads: Executor) -> None:
    def no_layout(number: int) -> Layouts | None:
        raise AssertionError(f"picture {number} need not be read")

    few = _all_pairs(CROWD + 1)
    assert thin_crowds(few, CROWD + 1, no_layout, threads) is few


def test_of_a_crowd_and_one_at_its_edge_the_pairs_of_that_one_stay(threads: Executor) -> None:
    count = CROWD + 3
    pairs = _all_pairs(count - 1)
    edge = CandidatePairs(
        np.append(pairs.first, [0, 1]), np.append(pairs.second, [count - 1] * 2), np.append(pairs.distances, [0.1] * 2)
    )
    rows = np.random.default_rng(0).normal(size=(count, 48 * 48)).astype(np.float16)
    thinned = set(thin_crowds(edge, count, lambda number: rows[number], threads))
    assert {(0, count - 1), (1, count - 1)} <= thinned
    assert len(thinned) < len(edge)


def test_equal_hashes_and_neighbours_of_the_encoder_stay(threads: Executor) -> None:
    pairs = _all_pairs(CROWD + 10)
    pairs.distances[:5], pairs.distances[5:9] = 0.0, 1.3
    rows = np.random.default_rng(0).normal(size=(CROWD + 10, 48 * 48)).astype(np.float16)
    thinned = thin_crowds(pairs, CROWD + 10, lambda number: rows[number], threads)
    kept = dict(zip(zip(thinned.first.tolist(), thinned.second.tolist(), strict=True), thinned.distances, strict=True))
    assert [kept[0, number] for number in range(1, 10)] == pytest.approx([0.0] * 5 + [1.3] * 4)


def test_pictures_that_cannot_be_read_stop_nothing(threads: Executor) -> None:
    pairs = _all_pairs(CROWD + 10)
    rows = np.random.default_rng(0).normal(size=(CROWD + 10, 48 * 48)).astype(np.float16)
    thinned = thin_crowds(pairs, CROWD + 10, lambda number: rows[number] if number % 2 else None, threads)
    assert 0 < len(thinned) < len(pairs)
    assert np.isfinite(thinned.distances).all()


def test_of_a_folder_of_forms_only_the_copies_may_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "CROWD", 8)
    forms = {f"form-{number:02d}.png": _draw_form(number) for number in range(16)}
    files = {key: _saved(form, "PNG") for key, form in forms.items()}
    sent = {f"sent/{key[:-4]}.jpg": _saved(form, "JPEG", 80) for key, form in list(forms.items())[::4]}
    report = search_folder(write_files(tmp_path / "f", files | sent))
    dropped = {
        (member.subject.key, group.keep.key)
        for group in report.groups
        if group.keep is not None
        for member in group.dropped
    }
    assert dropped == {(key, f"{Path(key).stem}.png") for key in sent}
    assert not any(keys(group, Action.DROP) for group in report.groups if group.keep is None)
