"""What a search for duplicates reports."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lookalike.duplicates.subjects import Subject
from lookalike.tiers import Tier


class GroupKind(StrEnum):
    """Why pictures are in one group. Only in a group of copies is any of them proposed for dropping.

    copies     all are copies of the one to keep
    edited     copies that differ in places: a number, a caption, a retouched face
    look       they look alike, but have other frames, pages or hidden pixels
    burst      shots of one scene by one camera within seconds
    """

    COPIES = "copies"
    EDITED = "edited"
    LOOK = "look"
    BURST = "burst"


class Action(StrEnum):
    """What is proposed for a picture.

    keep        the one that the others of its group are copies of
    drop        it may go, the kept one shows all of it
    same-file   a hard link or symbolic link to the kept file: dropping it frees nothing
    none        nothing: it shows or resolves more than the kept one, or its group is not one of copies
    """

    KEEP = "keep"
    DROP = "drop"
    SAME_FILE = "same-file"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Member:
    """A picture of a group; ``tier`` is that with the kept one, None for itself and where there is none.

    ``shares_file`` says that the file is a member before it as well, by another name: a link.
    """

    subject: Subject
    action: Action
    tier: Tier | None
    reason: str
    shares_file: bool = False

    @property
    def freed_bytes(self) -> int:
        """Bytes that dropping it frees, if it is proposed."""
        return self.subject.item.byte_size if self.action is Action.DROP and not self.shares_file else 0


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """At least two pictures; in a group of copies the first is the one to keep."""

    kind: GroupKind
    members: tuple[Member, ...]

    @property
    def keep(self) -> Subject | None:
        """The picture to keep, None unless the group is one of copies."""
        return next((member.subject for member in self.members if member.action is Action.KEEP), None)

    @property
    def dropped(self) -> list[Member]:
        """Those that may go."""
        return [member for member in self.members if member.action is Action.DROP]


@dataclass(frozen=True, slots=True)
class DuplicateReport:
    """All groups, those of copies first; ``unreadable`` are keys of pictures that took no part, sorted."""

    groups: tuple[DuplicateGroup, ...]
    pictures: int
    unreadable: tuple[str, ...]

    @property
    def dropped_count(self) -> int:
        """How many pictures may go."""
        return sum(len(group.dropped) for group in self.groups)

    @property
    def freed_bytes(self) -> int:
        """Bytes that dropping them frees."""
        return sum(member.freed_bytes for group in self.groups for member in group.members)
