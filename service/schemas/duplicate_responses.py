"""The responses of the review of duplicates."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from lookalike.duplicates.report import Action, GroupKind
from lookalike.tiers import Tier
from service.schemas.check_responses import DiffersAt, KeepBoth
from service.schemas.requests import Decision
from service.schemas.search_responses import Milliseconds, TierField, TierProblem


class DuplicateMemberAnswer(BaseModel):
    """A picture of a group."""

    key: str
    action: Action = Field(
        description="What is proposed: keep (the others are copies of it), drop (the kept one shows all of it), "
        "same-file (a link to the kept file: dropping it frees nothing), none."
    )
    tier: Tier | None = Field(description="That of the picture and the kept one; null for the kept one itself.")
    reason: str = Field(description="Why, in words.")
    width: int
    height: int
    byte_size: int
    shares_file: bool = Field(
        description="Whether a member before it is the same file by another name: dropping both frees its bytes once."
    )
    content_digest: str = Field(description="SHA-256 of the file.")
    location: str = Field(
        description="Its place in the source: a path below `folder`, or a member of the zip. `stored:` and a digest "
        "for a picture that was sent to the collection."
    )
    image_url: str
    thumbnail_url: str


class DuplicateGroupAnswer(BaseModel):
    """At least two pictures; in a group of copies the first is the one to keep."""

    id: str = Field(description="The same in every response about one report, also when pictures leave the group.")
    kind: GroupKind = Field(
        description="copies (of the one to keep), edited (copies that differ in places), look (alike, but with other "
        "frames, pages or hidden pixels), burst (shots of one scene). Only in copies is anything proposed for dropping."
    )
    freed_bytes: int = Field(description="What dropping the proposed pictures frees.")
    members: list[DuplicateMemberAnswer]


class DuplicateTotals(BaseModel):
    """Sums over all groups of the requested kind, on whichever page."""

    groups: int
    drop: int = Field(description="Pictures proposed for dropping.")
    freed_bytes: int


class DuplicatesAnswer(BaseModel):
    """A page of the groups that the last search for duplicates found, those that free the most bytes first."""

    collection: str
    snapshot: int = Field(description="The current snapshot.")
    searched_snapshot: int = Field(description="The snapshot that was searched.")
    outdated: bool = Field(description="Whether the collection has changed since the search.")
    left_out: int = Field(
        description="Pictures of the report that are gone or have changed since, and are in no group any more; groups "
        "whose kept picture is one of them are left out."
    )
    created_at: datetime = Field(description="When the search ended.")
    pictures: int = Field(description="How many pictures were searched.")
    unreadable: int = Field(description="How many of them could not be read and took no part.")
    folder: str | None = Field(description="The folder that each `location` is below; null where they are in a zip.")
    totals: DuplicateTotals
    groups_by_kind: dict[GroupKind, int] = Field(description="How many groups of each kind there are.")
    groups: list[DuplicateGroupAnswer]
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last.")


class DecisionAnswer(BaseModel):
    """A decision that is remembered."""

    collection: str
    decision: Decision
    pairs: int = Field(description="How many pairs of different files, or of equal ones, the keys make.")
    changed: int = Field(description="How many of them were not decided so before.")


class DuplicateDifferenceAnswer(BaseModel):
    """Where two indexed pictures differ."""

    collection: str
    snapshot: int
    first: str
    second: str
    tier: TierField
    tier_problem: TierProblem
    keep_both: KeepBoth
    differs_at: DiffersAt
    took_ms: Milliseconds
