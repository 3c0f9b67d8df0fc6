"""Copies made of real photographs are found, and photographs of the same product or class are not taken for copies."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from lookalike.copies import Fingerprint, check_copy, compute_fingerprint
from lookalike.images import decode

pytestmark = pytest.mark.shared

KINDS = ("banner", "blur", "border", "bright", "crop80", "gray", "half", "hflip", "jpeg20", "rot10")
GROUPS = 15


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _fingerprint(folder: Path, row: dict[str, str]) -> Fingerprint:
    return compute_fingerprint(decode((folder / row["path"]).read_bytes()).pixels)


@pytest.fixture(scope="module")
def copies(shared_dir: Path) -> list[dict[str, Fingerprint]]:
    """Fifteen photographs, each with its copies by kind."""
    folder = shared_dir / "data" / "near_duplicates"
    groups: dict[str, dict[str, Fingerprint]] = defaultdict(dict)
    for row in _rows(folder):
        group = row["group"]
        if group.startswith("bsds_") and row["transform"] != "distractor" and (group in groups or len(groups) < GROUPS):
            groups[group][row["transform"]] = _fingerprint(folder, row)
    return list(groups.values())


@pytest.mark.parametrize("kind", KINDS)
def test_nearly_every_copy_of_a_kind_is_found(copies: list[dict[str, Fingerprint]], kind: str) -> None:
    missed = [place for place, group in enumerate(copies) if not check_copy(group["orig"], group[kind]).is_copy]
    assert len(copies) == GROUPS
    assert len(missed) <= 1


def test_copies_of_two_photographs_are_kept_apart(copies: list[dict[str, Fingerprint]]) -> None:
    flagged = [
        (place, kind)
        for place in range(GROUPS)
        for kind in KINDS
        if check_copy(copies[place][kind], copies[place - 1]["orig"]).is_copy
    ]
    assert flagged == []


@pytest.mark.parametrize("name", ["grocery_test", "trashnet_eval", "clothing_test"])
def test_photographs_of_one_class_are_no_copies(shared_dir: Path, name: str) -> None:
    folder = shared_dir / "data" / name
    classes: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in _rows(folder):
        classes[row["label"]].append(row)
    pairs = []
    for members in list(classes.values())[:12]:
        shown = [_fingerprint(folder, row) for row in members[:6]]
        pairs += [(one, other) for place, one in enumerate(shown) for other in shown[:place]]
    assert len(pairs) >= 80
    assert sum(check_copy(one, other).is_copy for one, other in pairs) <= len(pairs) // 100
