"""Duplicates for review: the last report on a collection, without what has changed or was decided since."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from pathlib import Path

from msgspec.structs import replace

from lookalike.catalogue.duplicate_store import DigestPair, digest_pair
from lookalike.catalogue.visible_items import VisibleItems
from lookalike.duplicates.report import Action, GroupKind
from lookalike.duplicates.stored_report import FILE, StoredGroup, StoredMember, StoredReport, load_report

_KINDS = tuple(GroupKind)

SortKey = tuple[int, int, str, str]


@dataclass(frozen=True)
class ReviewGroup:
    """At least two pictures; in a group of copies the first is the one to keep.

    The ``id`` is that of the group in its report, and stays when pictures leave it.
    """

    id: str
    kind: GroupKind
    members: tuple[StoredMember, ...]

    @cached_property
    def dropped(self) -> list[StoredMember]:
        """Those that may go."""
        return [member for member in self.members if member.action is Action.DROP]

    @cached_property
    def freed_bytes(self) -> int:
        """Bytes that dropping them frees."""
        return sum(member.byte_size for member in self.dropped if not member.shares_file)

    @cached_property
    def sort_key(self) -> SortKey:
        """Ascending where groups free less and less."""
        return (-self.freed_bytes, _KINDS.index(self.kind), self.members[0].key, self.id)


@dataclass(frozen=True, slots=True)
class CurrentReport:
    """A report as one snapshot has its pictures; ``left_out`` is how many of its pictures are gone or have changed."""

    report: StoredReport
    groups: tuple[ReviewGroup, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Review:
    """The groups to review, those that free the most bytes first."""

    report: StoredReport
    groups: tuple[ReviewGroup, ...]
    left_out: int

    def of_kind(self, kind: GroupKind | None) -> Sequence[ReviewGroup]:
        """The groups of one kind, or all."""
        return self.groups if kind is None else [group for group in self.groups if group.kind is kind]

    def count_by_kind(self) -> dict[GroupKind, int]:
        """How many groups of each kind there are."""
        counts = Counter(group.kind for group in self.groups)
        return {kind: counts[kind] for kind in GroupKind}


Stamp = tuple[int, int, int]


def report_stamp(folder: Path) -> Stamp | None:
    """What differs between two reports in a collection's ``folder``; None if there is none."""
    try:
        stat = (folder / FILE).stat()
    except FileNotFoundError:
        return None
    return (stat.st_ino, stat.st_mtime_ns, stat.st_size)


class ReportCache:
    """The last report that was read for one open snapshot: a file of many megabytes in a large collection."""

    def __init__(self) -> None:
        self._entry: tuple[Stamp, CurrentReport | None] | None = None

    def current(self, folder: Path, generation: int, items: VisibleItems) -> CurrentReport | None:
        """The report in a collection's ``folder`` as its snapshot has the pictures; None if there is none.

        For the threads of the catalogue. Raises the catalogue's errors.
        """
        stamp = report_stamp(folder)
        if stamp is None:
            return None
        entry = self._entry
        if entry is None or entry[0] != stamp:
            report = load_report(folder)
            entry = (stamp, None if report is None else _current_report(report, generation, items))
            self._entry = entry
        return entry[1]


def make_review(current: CurrentReport, not_duplicates: frozenset[DigestPair]) -> Review:
    """The groups without those pictures of which somebody has decided that they are no duplicates."""
    groups: Iterable[ReviewGroup] = current.groups
    if not_duplicates:
        decided = frozenset(digest for pair in not_duplicates for digest in pair)
        remaining = (without_decided(group, not_duplicates, decided) for group in groups)
        groups = [group for group in remaining if group is not None]
    return Review(current.report, tuple(sorted(groups, key=lambda group: group.sort_key)), current.left_out)


def _current_report(report: StoredReport, generation: int, items: VisibleItems) -> CurrentReport:
    if report.generation == generation:
        groups = tuple(ReviewGroup(group_id(group), group.kind, group.members) for group in report.groups)
        return CurrentReport(report, groups, left_out=0)
    digests = {member.key: member.digest for group in report.groups for member in group.members}
    present = {
        key: item.draft.location
        for key, item in items.by_keys(list(digests)).items()
        if item.draft.content_digest == digests[key]
    }
    remaining = []
    for group in report.groups:
        members = tuple(
            replace(member, location=present[member.key]) for member in group.members if member.key in present
        )
        if is_group(group.kind, members):
            remaining.append(ReviewGroup(group_id(group), group.kind, members))
    return CurrentReport(report, tuple(remaining), left_out=len(digests) - len(present))


def is_group(kind: GroupKind, members: Sequence[StoredMember]) -> bool:
    """Whether members still make a group: copies are known to be copies of the one to keep, not of each other."""
    return len(members) > 1 and (kind is not GroupKind.COPIES or members[0].action is Action.KEEP)


def without_decided(
    group: ReviewGroup, not_duplicates: frozenset[DigestPair], decided: frozenset[str]
) -> ReviewGroup | None:
    """The group without each member that was decided to be no duplicate of one before it; None if that ends it."""
    digests = [member.digest for member in group.members if member.digest in decided]
    if not any(digest_pair(*pair) in not_duplicates for pair in combinations_with_replacement(digests, 2)):
        return group
    members: list[StoredMember] = []
    for member in group.members:
        if not any(digest_pair(member.digest, other.digest) in not_duplicates for other in members):
            members.append(member)
    return ReviewGroup(group.id, group.kind, tuple(members)) if is_group(group.kind, members) else None


def group_id(group: StoredGroup) -> str:
    """A name for a group of a report, which stays when pictures leave it."""
    text = "\n".join([group.kind, *sorted(f"{member.digest} {member.key}" for member in group.members)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
