"""Groups of copies in which every two were confirmed, and which one of a group to keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lookalike.catalogue.records import ItemDraft
from lookalike.tiers import Tier


@dataclass(frozen=True, slots=True)
class Dropped:
    """A copy, and how close it is to the one that is kept."""

    item: ItemDraft
    tier: Tier


@dataclass(frozen=True, slots=True)
class CopyGroup:
    """Copies of one picture: the one to keep and, best first, those that can go."""

    keep: ItemDraft
    drop: tuple[Dropped, ...]


def worth(item: ItemDraft) -> tuple[int, int, str]:
    """Sorts the one to keep first: most pixels, then most bytes, then by key."""
    return -item.width * item.height, -item.byte_size, item.key


def copy_groups(
    items: Sequence[ItemDraft],
    candidates: Mapping[str, frozenset[str]],
    tier: Callable[[ItemDraft, ItemDraft], Tier | None],
    advance: Callable[[], object] = lambda: None,
) -> list[CopyGroup]:
    """Groups of at least two, the best picture of each kept.

    ``candidates`` names, for a key, the keys that may be its copies, one way or both; ``tier`` settles two items, or is
    None where one cannot be read; ``advance`` is called once an item. An item joins a group only if it is a copy of
    everything in it: a copy of a copy that is no copy of the rest starts a group of its own.
    """
    by_key = {item.key: item for item in items}
    near = _both_ways(candidates)
    grouped: set[str] = set()
    groups = []
    for keep in sorted(items, key=worth):
        advance()
        if keep.key in grouped:
            continue
        members, dropped = [keep], []
        free = (by_key[key] for key in near.get(keep.key, ()) if key in by_key and key not in grouped)
        for item in sorted(free, key=worth):
            found = tier(keep, item)
            if found is None or not found.is_copy:
                continue
            if all(_are_copies(tier(member, item)) for member in members[1:]):
                members.append(item)
                dropped.append(Dropped(item, found))
        if dropped:
            grouped |= {member.key for member in members}
            groups.append(CopyGroup(keep, tuple(dropped)))
    return groups


def _are_copies(tier: Tier | None) -> bool:
    return tier is not None and tier.is_copy


def _both_ways(candidates: Mapping[str, frozenset[str]]) -> dict[str, set[str]]:
    near: dict[str, set[str]] = {}
    for key, others in candidates.items():
        for other in others:
            if other != key:
                near.setdefault(key, set()).add(other)
                near.setdefault(other, set()).add(key)
    return near
