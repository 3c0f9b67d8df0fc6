"""The last search for duplicates of a collection, as a file in its folder: what the service shows for review."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from lookalike.duplicates.report import Action, DuplicateGroup, DuplicateReport, GroupKind, Member
from lookalike.storage import disk_errors, write_atomically
from lookalike.tiers import Tier

FILE = "duplicates.json"
_VERSION = 1


class StoredMember(msgspec.Struct, frozen=True, kw_only=True):
    """A picture of a group: see ``report.Member``; ``location`` is its place in the source, ``digest`` its SHA-256."""

    key: str
    location: str
    digest: str
    action: Action
    tier: Tier | None
    reason: str
    width: int
    height: int
    byte_size: int
    shares_file: bool = False


class StoredGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group: see ``report.DuplicateGroup``."""

    kind: GroupKind
    members: tuple[StoredMember, ...]


class StoredReport(msgspec.Struct, frozen=True, kw_only=True):
    """A report on the snapshot ``generation``; ``pictures`` is how many were searched, ``unreadable`` are keys."""

    generation: int
    created_at: datetime
    pictures: int
    unreadable: tuple[str, ...]
    groups: tuple[StoredGroup, ...]
    version: int = _VERSION


def store_report(folder: Path, report: DuplicateReport, generation: int) -> None:
    """Write the report on a collection's snapshot into the collection's ``folder``, in place of the one before.

    Raises DataPathError if the folder cannot be written.
    """
    stored = StoredReport(
        generation=generation,
        created_at=datetime.now(UTC),
        pictures=report.pictures,
        unreadable=report.unreadable,
        groups=tuple(_stored_group(group) for group in report.groups),
    )
    path = folder / FILE
    with disk_errors(path):
        write_atomically(path, msgspec.json.encode(stored))


def load_report(folder: Path) -> StoredReport | None:
    """The last report of a collection, None if there is none, or one that another version of the program wrote."""
    try:
        content = (folder / FILE).read_bytes()
    except FileNotFoundError:
        return None
    try:
        report = msgspec.json.decode(content, type=StoredReport)
    except msgspec.DecodeError:
        return None
    return report if report.version == _VERSION else None


def _stored_group(group: DuplicateGroup) -> StoredGroup:
    return StoredGroup(kind=group.kind, members=tuple(_stored_member(member) for member in group.members))


def _stored_member(member: Member) -> StoredMember:
    item = member.subject.item
    return StoredMember(
        key=item.key,
        location=item.location,
        digest=item.content_digest,
        action=member.action,
        tier=member.tier,
        reason=member.reason,
        width=item.width,
        height=item.height,
        byte_size=item.byte_size,
        shares_file=member.shares_file,
    )
