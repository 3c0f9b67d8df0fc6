"""The table and the JSON of groups name every picture, what is proposed for it, and why."""

from __future__ import annotations

import csv
import io

from indexer.duplicates.table import COLUMNS, group_fields, table
from lookalike.catalogue.records import ItemDraft, SourceRecord
from lookalike.duplicates.report import Action, DuplicateGroup, GroupKind, Member
from lookalike.duplicates.subjects import subjects_of
from lookalike.tiers import Tier

ITEMS = [ItemDraft(key, f"in/{key}", key * 64, 100, 40, 30, "JPEG") for key in "abcd"]
SUBJECTS = subjects_of(ITEMS, SourceRecord("folder", "/p").path_of, lambda *_: b"", owner="shop")
COPIES = DuplicateGroup(
    GroupKind.COPIES,
    (
        Member(SUBJECTS[0], Action.KEEP, None, "has the most bytes"),
        Member(SUBJECTS[1], Action.DROP, Tier.NEAR_DUPLICATE, "is enlarged, by much"),
        Member(SUBJECTS[2], Action.SAME_FILE, Tier.SAME_BYTES, "the same file, frees nothing"),
    ),
)
EDITED = DuplicateGroup(
    GroupKind.EDITED, tuple(Member(subject, Action.NONE, None, "differs") for subject in SUBJECTS[2:])
)


def test_each_picture_has_a_row() -> None:
    rows = list(csv.DictReader(io.StringIO(table([COPIES, EDITED]))))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["group"], row["kind"], row["action"], row["key"]) for row in rows] == [
        ("1", "copies", "keep", "a"),
        ("1", "copies", "drop", "b"),
        ("1", "copies", "same-file", "c"),
        ("2", "edited", "none", "c"),
        ("2", "edited", "none", "d"),
    ]
    assert rows[1]["reason"] == "is enlarged, by much"
    assert (rows[1]["tier"], rows[1]["path"], rows[1]["from"]) == ("near-duplicate", "/p/in/b", "shop")


def test_json_has_the_kept_one_the_dropped_ones_and_all_others() -> None:
    fields = group_fields(COPIES)
    assert fields["keep"]["path"] == "/p/in/a"
    assert [member["key"] for member in fields["drop"]] == ["b"]
    assert [member["action"] for member in fields["others"]] == ["same-file"]
    edited = group_fields(EDITED)
    assert (edited["kind"], edited["keep"], edited["drop"]) == ("edited", None, [])
    assert [member["key"] for member in edited["others"]] == ["c", "d"]
