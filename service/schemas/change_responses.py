"""Responses to changes of items."""

from __future__ import annotations

from pydantic import BaseModel, Field

from lookalike.catalogue.live_changes import ChangeStatus
from service.http.problems import Problem
from service.schemas.responses import ItemAnswer


class ItemChangeAnswer(BaseModel):
    """What became of one change; from now on every search sees it."""

    collection: str
    key: str
    status: ChangeStatus = Field(description="created, replaced or removed.")
    item: ItemAnswer | None = Field(description="The item as it is now; null if it was removed.")


class ChangeEntry(BaseModel):
    """What became of one change of a batch: a status, or a problem in its place."""

    index: int
    key: str
    status: ChangeStatus | None
    problem: Problem | None


class ChangesAnswer(BaseModel):
    """What became of each change of a batch, in their order."""

    collection: str
    results: list[ChangeEntry]


class FilteredChangesAnswer(BaseModel):
    """What became of the items that passed a filter when the request began; from now on every search sees it."""

    collection: str
    dry_run: bool
    passing: int = Field(description="How many items passed.")
    changed: int
    unchanged: int = Field(description="How many were already as they were to be.")
    remaining: int = Field(
        description="How many were not reached within the request's time or limit, or were changed by others "
        "meanwhile: send the request again until it is 0."
    )


class CollectionDeletedAnswer(BaseModel):
    """A collection that is out of service."""

    collection: str
    restorable: bool = Field(description="Whether the command `restore` can bring it back.")
