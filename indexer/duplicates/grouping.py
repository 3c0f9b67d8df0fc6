"""Groups of pairwise confirmed copies, and which picture of a group to keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lookalike.catalogue.records import ItemDraft
from lookalike.tiers import Tier


@dataclass(frozen=True, slots=True)
class DroppedCopy:
    """A copy to drop, and its tier relative to the picture that is kept."""

    item: ItemDraft
    tier: Tier


@dataclass(frozen=True, slots=True)
class CopyGroup:
    """Copies of one picture: the one to keep, and those to drop, best first."""

    keep: ItemDraft
    drop: tuple[DroppedCopy, ...]


def worth(item: ItemDraft) -> tuple[int, int, str]:
    """Sort key that puts the picture to keep first: most pixels, then most bytes, then by key."""
    return -item.width * item.height, -item.byte_size, item.key


def copy_groups(
    items: Sequence[ItemDraft],
    candidates: Mapping[str, frozenset[str]],
    tier: Callable[[ItemDraft, ItemDraft], Tier | None],
    advance: Callable[[], object] = lambda: None,
) -> list[CopyGroup]:
    """Groups of at least two copies, each with the best picture to keep.

    ``candidates`` has for a key the keys that may be its copies, in one direction or both; ``tier`` compares two items,
    with None if one cannot be read; the progress callback ``advance`` is called once an item. An item joins a group
    only if it is a copy of each member, so that groups do not chain.
    """
    by_key = {item.key: item for item in items}
    candidate_keys = _make_symmetric(candidates)
    grouped_keys: set[str] = set()
    groups = []
    for keep in sorted(items, key=worth):
        advance()
        if keep.key in grouped_keys:
            continue
        members, copies = [keep], []
        ungrouped_items = (
            by_key[key] for key in candidate_keys.get(keep.key, ()) if key in by_key and key not in grouped_keys
        )
        for item in sorted(ungrouped_items, key=worth):
            copy_tier = tier(keep, item)
            if copy_tier is None or not copy_tier.is_copy:
                continue
            if all(_are_copies(tier(member, item)) for member in members[1:]):
                members.append(item)
                copies.append(DroppedCopy(item, copy_tier))
        if copies:
            grouped_keys |= {member.key for member in members}
            groups.append(CopyGroup(keep, tuple(copies)))
    return groups


def _are_copies(tier: Tier | None) -> bool:
    return tier is not None and tier.is_copy


def _make_symmetric(candidates: Mapping[str, frozenset[str]]) -> dict[str, set[str]]:
    symmetric: dict[str, set[str]] = {}
    for key, candidate_keys in candidates.items():
        for candidate in candidate_keys:
            if candidate != key:
                symmetric.setdefault(key, set()).add(candidate)
                symmetric.setdefault(candidate, set()).add(key)
    return symmetric
