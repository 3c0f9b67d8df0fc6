"""Stacks by the last search for duplicates: the groups of its report, as a collection has their pictures now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import NoReturn

from lookalike.catalogue.duplicate_store import DigestPair
from lookalike.collection.refinement import StackKind
from lookalike.collection.searcher import Searcher
from lookalike.collection.stacks import Stacks
from lookalike.duplicates.report import GroupKind
from lookalike.duplicates.review import ReviewGroup, Stamp, group_id, is_group, report_stamp, without_decided
from lookalike.duplicates.stored_report import StoredGroup, StoredReport, load_report
from lookalike.filters.builder import refuse

_KINDS = {
    StackKind.COPIES: (GroupKind.COPIES,),
    # Of a group of copies the one to keep stands for all in a burst.
    StackKind.BURSTS: (GroupKind.COPIES, GroupKind.BURST),
}
_Key = tuple[Stamp | None, StackKind, int, int, frozenset[DigestPair]]


class StackCache:
    """The stacks of the state of a collection that was asked for last; safe from several threads at once."""

    def __init__(self) -> None:
        self._entry: tuple[_Key, Stacks] | None = None
        self._lock = Lock()

    def stacks(self, folder: Path, searcher: Searcher, kind: StackKind) -> Stacks:
        """The stacks of a kind, by the report in a collection's ``folder``.

        Pictures that are gone or have changed since are in none, and neither are those of which somebody has decided
        that they are no duplicates. Raises FilterInvalidError where nobody has searched for duplicates yet.
        """
        stamp = report_stamp(folder)
        decided = searcher.catalogue.duplicate_store().not_duplicates(searcher.collection_id)
        key = (stamp, kind, searcher.snapshot.manifest.generation, searcher.overlay.change, decided)
        with self._lock:
            if self._entry is None or self._entry[0] != key:
                report = None if stamp is None else load_report(folder)
                if report is None:
                    _refuse_unsearched(searcher.snapshot.manifest.collection)
                self._entry = (key, make_stacks(report, searcher, kind, decided))
            return self._entry[1]


def make_stacks(
    report: StoredReport, searcher: Searcher, kind: StackKind, not_duplicates: frozenset[DigestPair]
) -> Stacks:
    """The stacks of a kind by a report; reads the items of its groups."""
    stored = [group for group in report.groups if group.kind in _KINDS[kind]]
    keys = [member.key for group in stored for member in group.members]
    items = searcher.items_by_key(list(dict.fromkeys(keys)))
    current = {key: (item.draft.content_digest, item.id) for key, item in items.items()}
    digests = frozenset(digest for pair in not_duplicates for digest in pair)
    members: dict[str, list[int]] = {}
    for group in _current_groups(stored, current, not_duplicates, digests):
        ids = [current[member.key][1] for member in group.members]
        # In a group of copies the one to keep is the first; of a burst the first that came is shown.
        members[group.id] = [ids[0], *sorted(ids[1:])] if group.kind is GroupKind.COPIES else sorted(ids)
    if kind is StackKind.BURSTS:
        members = _join(members)
    return Stacks.of(members, searcher, f"{report.created_at.isoformat()} {_digest(not_duplicates)}")


def _current_groups(
    stored: Iterable[StoredGroup],
    current: dict[str, tuple[str, int]],
    not_duplicates: frozenset[DigestPair],
    decided: frozenset[str],
) -> Iterator[ReviewGroup]:
    """The groups that are left of those of a report, without pictures that have changed or were decided about."""
    for group in stored:
        members = tuple(member for member in group.members if current.get(member.key, ("", 0))[0] == member.digest)
        if is_group(group.kind, members):
            left = without_decided(ReviewGroup(group_id(group), group.kind, members), not_duplicates, decided)
            if left is not None:
                yield left


def _join(members: dict[str, list[int]]) -> dict[str, list[int]]:
    """Groups that share an item as one, by the name of the last of them: a burst, with the copies of its shots.

    A group of copies that is in no burst stays as it is.
    """
    joined: dict[str, list[int]] = {}
    owner: dict[int, str] = {}
    for name, ids in members.items():
        others = {owner[item_id] for item_id in ids if item_id in owner}
        all_ids = set(ids).union(*(joined.pop(other) for other in others))
        joined[name] = sorted(all_ids) if others else ids
        owner |= dict.fromkeys(all_ids, name)
    return joined


def _digest(not_duplicates: frozenset[DigestPair]) -> str:
    text = "\n".join(f"{first} {second}" for first, second in sorted(not_duplicates))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _refuse_unsearched(collection: str) -> NoReturn:
    refuse(
        "stack",
        f"the collection {collection!r} has not been searched for duplicates yet: run `python -m indexer duplicates "
        f"--collection {collection}`, or send a job of the kind duplicates",
    )
