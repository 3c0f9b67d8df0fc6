"""Which folders a source has lost."""

from __future__ import annotations

from indexer.ingest.removals import MIN_LOST, lost_folders
from lookalike.catalogue.lost_items import LostItem


def lost(folder: str, count: int = MIN_LOST) -> list[LostItem]:
    return [LostItem(f"{folder}{number}", f"{folder}{number}.jpg") for number in range(count)]


def test_a_folder_is_lost_if_all_of_it_is() -> None:
    assert lost_folders(lost("b/"), ["a/1.jpg", "ba/1.jpg"]) == [("b", MIN_LOST)]
    assert lost_folders(lost("b/"), ["b/other.jpg"]) == []
    assert lost_folders(lost("b/"), ["b/c/other.jpg"]) == []


def test_a_folder_of_few_pictures_may_go_at_any_time() -> None:
    assert lost_folders(lost("b/", MIN_LOST - 1), ["a/1.jpg"]) == []


def test_the_outermost_folder_is_named_with_all_below_it() -> None:
    missing = [*lost("mnt/b/2023/"), *lost("mnt/b/2024/", 2), *lost("mnt/c/", 9)]
    assert lost_folders(missing, ["mnt/a/1.jpg"]) == [("mnt/c", 9), ("mnt/b", MIN_LOST + 2)]
    assert lost_folders(missing, []) == [("mnt", MIN_LOST + 11)]


def test_pictures_at_the_top_are_in_no_folder() -> None:
    assert lost_folders(lost(""), []) == []


def test_members_of_a_zip_may_have_the_other_slash() -> None:
    missing = [LostItem(str(number), f"b\\{number}.jpg") for number in range(MIN_LOST)]
    assert lost_folders(missing, ["a\\1.jpg"]) == [("b", MIN_LOST)]
    assert lost_folders(missing, ["b\\1.jpg"]) == []
