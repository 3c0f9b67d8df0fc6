"""Groups of pictures that are related but no copies: edited ones, ones that only look alike, shots of one burst."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from lookalike.duplicates.disjoint_sets import DisjointSets
from lookalike.duplicates.forest import Pair
from lookalike.duplicates.picture_pairs import Relation
from lookalike.duplicates.report import Action, DuplicateGroup, GroupKind, Member
from lookalike.duplicates.subjects import Subject

_KINDS = {
    Relation.EDITED: (GroupKind.EDITED, "differs in places from another of the group"),
    Relation.LOOK: (GroupKind.LOOK, "looks like another of the group, but has other frames, pages or hidden pixels"),
    Relation.BURST: (GroupKind.BURST, "another shot by the same camera within seconds"),
}


def related_groups(
    subjects: Sequence[Subject],
    pairs: Mapping[Relation, Sequence[Pair]],
    copies: Sequence[DuplicateGroup],
    are_apart: Callable[[Subject, Subject], bool],
) -> Iterator[DuplicateGroup]:
    """For each relation the pictures that it connects; of a group of ``copies`` the kept one stands for all."""
    representatives = {
        member.subject.number: group.keep.number for group in copies if group.keep for member in group.members
    }
    for relation, (kind, reason) in _KINDS.items():
        connected = DisjointSets(len(subjects))
        numbers: set[int] = set()
        for first, second in pairs.get(relation, ()):
            if are_apart(subjects[first], subjects[second]):
                continue
            ends = representatives.get(first, first), representatives.get(second, second)
            connected.join(*ends)
            numbers.update(ends)
        for group in connected.sets(sorted(numbers)):
            members = (Member(subjects[number], Action.NONE, None, reason) for number in group)
            yield DuplicateGroup(kind, tuple(members))
