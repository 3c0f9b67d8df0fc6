"""Which pictures of a collection go together as copies, which one is kept, and what an unreadable one does."""

from __future__ import annotations

import pytest

from indexer.duplicates.grouping import copy_groups
from indexer.duplicates.tier_reader import Reader
from lookalike.catalogue.records import ItemDraft
from lookalike.errors import EntryMissingError
from lookalike.images import encode_jpeg, encode_png
from lookalike.options import ImageLimits
from lookalike.testing import make_picture
from lookalike.tiers import Tier


def _item(key: str, side: int = 10, size: int = 100, digest: str | None = None) -> ItemDraft:
    return ItemDraft(key, key, digest or key, size, side, side, "JPEG")


def _groups(items: list[ItemDraft], copies: set[frozenset[str]]) -> list[tuple[str, list[str]]]:
    """Every item a candidate of every other, and those pairs copies."""
    keys = frozenset(item.key for item in items)

    def tier(first: ItemDraft, second: ItemDraft) -> Tier:
        return Tier.NEAR_DUPLICATE if frozenset((first.key, second.key)) in copies else Tier.DIFFERENT

    found = copy_groups(items, {key: keys - {key} for key in keys}, tier)
    return [(group.keep.key, [dropped.item.key for dropped in group.drop]) for group in found]


def _pairs(*pairs: str) -> set[frozenset[str]]:
    return {frozenset(pair) for pair in pairs}


def test_a_copy_of_a_copy_is_not_drawn_into_a_group() -> None:
    items = [_item("a", 30), _item("b", 20), _item("c", 10)]
    assert _groups(items, _pairs("ab", "bc")) == [("a", ["b"])]
    assert _groups(items, _pairs("ab", "bc", "ac")) == [("a", ["b", "c"])]


def test_the_picture_with_most_pixels_is_kept_and_of_equals_the_one_with_most_bytes() -> None:
    items = [_item("small", 10, 900), _item("thin", 20, 100), _item("full", 20, 500)]
    every = {frozenset(pair) for pair in (("small", "thin"), ("small", "full"), ("thin", "full"))}
    assert _groups(items, every) == [("full", ["thin", "small"])]


def test_pictures_without_a_copy_are_in_no_group() -> None:
    assert _groups([_item("a"), _item("b")], set()) == []


def test_a_candidate_named_from_one_side_only_is_enough() -> None:
    items = [_item("a", 20), _item("b", 10)]
    found = copy_groups(items, {"b": frozenset({"a"})}, lambda *_: Tier.SAME_PIXELS)
    assert [(group.keep.key, group.drop[0].item.key, group.drop[0].tier) for group in found] == [
        ("a", "b", Tier.SAME_PIXELS)
    ]


class _Shelf:
    """Pictures by location, and how often each was read."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.reads = files, 0

    def read(self, location: str, max_bytes: int) -> bytes:
        self.reads += 1
        assert max_bytes == ImageLimits().max_bytes
        if location not in self.files:
            raise EntryMissingError(f"there is no file {location}", subject=location)
        return self.files[location]


@pytest.fixture
def shelf() -> _Shelf:
    picture = make_picture(1, (200, 160))
    return _Shelf(
        {"a": encode_png(picture), "b": encode_jpeg(picture, 50), "c": encode_png(make_picture(2, (200, 160)))}
    )


def test_the_reader_tells_tiers_and_reads_each_picture_once(shelf: _Shelf) -> None:
    reader = Reader(shelf.read, ImageLimits(), pytest.fail)
    assert reader.tier(_item("a"), _item("b")) is Tier.NEAR_DUPLICATE
    assert reader.tier(_item("b"), _item("c")) is Tier.DIFFERENT
    assert reader.tier(_item("b"), _item("a")) is Tier.NEAR_DUPLICATE
    assert shelf.reads == 3


def test_equal_files_need_no_reading(shelf: _Shelf) -> None:
    reader = Reader(shelf.read, ImageLimits(), pytest.fail)
    assert reader.tier(_item("a", digest="same"), _item("z", digest="same")) is Tier.SAME_BYTES
    assert shelf.reads == 0


def test_a_picture_that_is_gone_is_told_once_and_passed_over(shelf: _Shelf) -> None:
    told: list[str] = []
    reader = Reader(shelf.read, ImageLimits(), told.append)
    assert reader.tier(_item("a"), _item("gone")) is None
    assert reader.tier(_item("gone"), _item("b")) is None
    assert reader.unreadable == {"gone"}
    assert len(told) == 1
    assert "gone" in told[0]


def test_a_reader_with_little_room_reads_again_and_says_the_same(shelf: _Shelf) -> None:
    reader = Reader(shelf.read, ImageLimits(), pytest.fail, cache_size=1)
    found = [reader.tier(_item(one), _item(other)) for one, other in ("ab", "bc", "ac")]
    assert found == [Tier.NEAR_DUPLICATE, Tier.DIFFERENT, Tier.DIFFERENT]
    assert shelf.reads > 3
