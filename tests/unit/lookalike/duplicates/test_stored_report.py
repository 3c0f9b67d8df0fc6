"""The last search for duplicates as a file: what was found comes back, and what cannot be read counts as none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lookalike.duplicates.report import Action, GroupKind
from lookalike.duplicates.stored_report import FILE, StoredReport, load_report, store_report
from lookalike.errors import DataPathError
from lookalike.tiers import Tier
from tests.helpers.duplicate_search import search_folder
from tests.helpers.scenes import draw_scene, jpeg, scaled, write_files

SCENE = draw_scene(1)


@pytest.fixture
def report(tmp_path: Path) -> StoredReport:
    """The stored report on two copies, a picture like no other, and a file that is no picture any more."""
    pictures = {"a/big.jpg": jpeg(SCENE), "small.jpg": jpeg(scaled(SCENE, 0.5)), "other.jpg": jpeg(draw_scene(9))}
    folder = write_files(tmp_path / "pictures", pictures)
    store_report(tmp_path, search_folder(folder), 7)
    stored = load_report(tmp_path)
    assert stored is not None
    return stored


def test_a_stored_report_has_all_that_the_search_found(report: StoredReport) -> None:
    assert (report.generation, report.pictures, report.unreadable) == (7, 3, ())
    assert report.created_at.utcoffset() is not None
    (group,) = report.groups
    assert group.kind is GroupKind.COPIES
    keep, drop = group.members
    assert (keep.key, keep.location, keep.action, keep.tier) == ("a/big.jpg", "a/big.jpg", Action.KEEP, None)
    assert (drop.key, drop.action, drop.tier) == ("small.jpg", Action.DROP, Tier.NEAR_DUPLICATE)
    assert drop.reason
    assert (drop.width, drop.height) == (keep.width // 2, keep.height // 2)
    assert len(drop.digest) == 64
    assert 0 < drop.byte_size < keep.byte_size


@pytest.mark.usefixtures("report")
def test_a_later_search_replaces_the_report(tmp_path: Path) -> None:
    store_report(tmp_path, search_folder(write_files(tmp_path / "one", {"one.jpg": jpeg(SCENE)})), 8)
    stored = load_report(tmp_path)
    assert stored is not None
    assert (stored.generation, stored.pictures, stored.groups) == (8, 1, ())


def test_without_a_search_there_is_no_report(tmp_path: Path) -> None:
    assert load_report(tmp_path) is None


@pytest.mark.usefixtures("report")
def test_a_report_of_another_version_or_a_damaged_one_counts_as_none(tmp_path: Path) -> None:
    path = tmp_path / FILE
    content = json.loads(path.read_bytes())
    path.write_text(json.dumps(content | {"version": 2}), encoding="utf-8")
    assert load_report(tmp_path) is None
    path.write_bytes(path.read_bytes()[:50])
    assert load_report(tmp_path) is None


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    report = search_folder(write_files(tmp_path / "one", {"one.jpg": jpeg(SCENE)}))
    with pytest.raises(DataPathError, match="nowhere"):
        store_report(tmp_path / "nowhere", report, 1)
