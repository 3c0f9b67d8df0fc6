"""Groups of duplicates as a CSV table and as JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from lookalike.duplicates.report import Action, DuplicateGroup, Member

COLUMNS = (
    "group",
    "kind",
    "action",
    "key",
    "tier",
    "reason",
    "width",
    "height",
    "bytes",
    "path",
    "from",
)


def table(groups: Sequence[DuplicateGroup]) -> str:
    """One row a picture, with a header; groups are numbered from 1."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, group in enumerate(groups, start=1):
        for member in group.members:
            item = member.subject.item
            words = (number, group.kind, member.action, item.key, member.tier or "", member.reason)
            size = (item.width, item.height, item.byte_size)
            writer.writerow((*words, *size, member.subject.path, member.subject.owner))
    return text.getvalue()


def group_fields(group: DuplicateGroup) -> dict[str, Any]:
    """A group as JSON: the picture to keep (null without one), those to drop, and all others."""
    members = {
        action: [_member_fields(member) for member in group.members if member.action is action] for action in Action
    }
    return {
        "kind": group.kind,
        "keep": next(iter(members[Action.KEEP]), None),
        "drop": members[Action.DROP],
        "others": [*members[Action.SAME_FILE], *members[Action.NONE]],
    }


def _member_fields(member: Member) -> dict[str, Any]:
    item = member.subject.item
    return {
        "key": item.key,
        "location": item.location,
        "path": member.subject.path,
        "from": member.subject.owner,
        "action": member.action,
        "tier": member.tier,
        "reason": member.reason,
        "width": item.width,
        "height": item.height,
        "bytes": item.byte_size,
    }
