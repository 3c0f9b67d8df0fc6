"""Changes of items: pictures are stored and encoded, then the changes of a request are made in one transaction.

A change that depends on one before it of the same key, and what follows of that key, is made in the next one.

When a request is answered, every search of this process sees its changes; other processes see them at their next poll.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lookalike.api import Collection
from lookalike.api.live import find_exactly
from lookalike.catalogue.live_changes import ChangeOutcome, ChangeStatus, LiveChange
from lookalike.catalogue.records import ItemDraft, ItemRecord
from lookalike.collection.item_edit import ItemEdit
from lookalike.collection.picture_store import PictureStore
from lookalike.encoder.base import Vectors
from lookalike.errors import (
    ItemNotFoundError,
    LookalikeError,
    VersionMismatchError,
)
from service.embedding import embed_picture
from service.errors import ImageMissingError, RequestError, UploadError
from service.http.body import Upload
from service.open_snapshot import OpenSnapshot
from service.services import Services
from service.telemetry.timing import Stopwatch

_CONCURRENT_PICTURES = 8
_TRIES = 4
"""How often changes that keep a part of their item are made anew, where others came between all of them."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ItemChange:
    """One change of one item; what is None stays as it is.

    ``edit`` is what is said besides the picture. ``if_match`` are the tags of versions that the change is meant for,
    None for any; "*" is any version that there is. ``is_addition`` if there must be no item yet.
    """

    key: str
    is_removal: bool = False
    upload: Upload | None = None
    edit: ItemEdit = field(default_factory=ItemEdit)
    if_match: frozenset[str] | None = None
    is_addition: bool = False

    @property
    def keeps_a_part(self) -> bool:
        """Whether the new version depends on the one before."""
        return not self.is_removal and (self.upload is None or self.edit.keeps_a_part)

    @property
    def is_conditional(self) -> bool:
        """Whether the change is made only to what its sender expects."""
        return self.if_match is not None or self.is_addition


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A picture that was stored: its place, what is known of it, and its vector."""

    draft: ItemDraft
    vector: Vectors


ChangeResult = ChangeStatus | LookalikeError | RequestError | UploadError


def item_tag(item: ItemRecord) -> str:
    """What identifies a version of an item over HTTP, as the header ETag has it."""
    return f'"{item.id:x}-{item.draft.content_digest[:16]}"'


async def change_items(
    services: Services, snapshot: OpenSnapshot, changes: Sequence[ItemChange], stopwatch: Stopwatch
) -> list[ChangeResult]:
    """Make changes, those of a key in their order; for each a status, or why it was not made.

    Raises CollectionPinnedError, and the errors of ``OpenSnapshot.encoder`` and of the catalogue.
    """
    await services.search_in_thread(snapshot.collection.layout.require_unpinned)
    encoded = await _encode_all(services, snapshot, changes, stopwatch)
    results: list[ChangeResult | None] = [
        outcome if isinstance(outcome, (LookalikeError, RequestError, UploadError)) else None for outcome in encoded
    ]
    tries = 0
    while tries < _TRIES:
        open_places = [place for place, result in enumerate(results) if result is None]
        if not open_places:
            break
        await services.snapshots.take_changes(snapshot.name)
        with stopwatch.stage("catalogue"):
            outcomes = await services.search_in_thread(
                _apply, snapshot.collection, [(changes[place], encoded[place]) for place in open_places]
            )
        for place, outcome in zip(open_places, outcomes, strict=True):
            results[place] = outcome
        tries += all(outcome is None for outcome in outcomes)
    await services.snapshots.take_changes(snapshot.name)
    return [_busy(change) if result is None else result for change, result in zip(changes, results, strict=True)]


async def _encode_all(
    services: Services, snapshot: OpenSnapshot, changes: Sequence[ItemChange], stopwatch: Stopwatch
) -> list[Any]:
    """For each change its encoded picture, None without one, or the error of its picture."""
    if all(change.upload is None for change in changes):
        return [None] * len(changes)
    await snapshot.encoder()
    semaphore = asyncio.Semaphore(_CONCURRENT_PICTURES)

    async def encode(change: ItemChange) -> _Encoded | RequestError | UploadError | None:
        if change.upload is None:
            return None
        async with semaphore:
            try:
                return await _encode(services, snapshot, change.key, change.upload, stopwatch)
            except (RequestError, UploadError) as error:
                return error

    return list(await asyncio.gather(*(encode(change) for change in changes)))


async def _encode(
    services: Services, snapshot: OpenSnapshot, key: str, upload: Upload, stopwatch: Stopwatch
) -> _Encoded:
    vector, picture = await embed_picture(services, await snapshot.encoder(), upload, stopwatch)
    store = PictureStore(snapshot.collection.layout.pictures)
    size_and_format = (picture.width, picture.height, picture.format)
    draft = await services.search_in_thread(store.put, key, upload.read(), size_and_format)
    return _Encoded(draft, vector)


def _apply(collection: Collection, changes: Sequence[tuple[ItemChange, _Encoded | None]]) -> list[ChangeResult | None]:
    """One result for each change; None for one that has to be tried again."""
    results: list[ChangeResult | None] = [None] * len(changes)
    live_changes: list[tuple[int, LiveChange]] = []
    earlier: set[str] = set()
    waiting: set[str] = set()
    for place, (change, encoded) in enumerate(changes):
        if change.key in earlier and (change.keeps_a_part or change.is_conditional):
            # It depends on what a change before it in this request makes of the item: the next turn.
            waiting.add(change.key)
        if change.key in waiting:
            continue
        earlier.add(change.key)
        try:
            live_changes.append((place, _live_change(collection, change, encoded)))
        except (LookalikeError, RequestError) as error:
            results[place] = error
    outcomes = collection.change_items([live_change for _, live_change in live_changes])
    for (place, _), outcome in zip(live_changes, outcomes, strict=True):
        results[place] = _result(changes[place][0], outcome)
    return results


def _live_change(collection: Collection, change: ItemChange, encoded: _Encoded | None) -> LiveChange:
    """Raises ItemNotFoundError, VersionMismatchError, and ImageMissingError for a new item without a picture."""
    current = find_exactly(collection, change.key)
    _check_version(change, current)
    if change.is_removal:
        return LiveChange(change.key, expected_id=None if change.if_match is None or current is None else current.id)
    if current is None and (change.edit.is_patch or encoded is None):
        if change.edit.is_patch:
            raise ItemNotFoundError(f"there is no item {change.key!r} to change", subject=change.key)
        raise ImageMissingError(f"there is no item {change.key!r} yet: send its picture as image", subject="image")
    picture = encoded.draft if encoded is not None else _required(current).draft
    draft = change.edit.apply(picture, None if current is None else current.draft)
    vector = encoded.vector if encoded is not None else collection.vector(_required(current))
    depends = change.keeps_a_part or change.if_match is not None
    expected_id = current.id if depends and current is not None else None
    tags = change.edit.tags
    return LiveChange(change.key, draft, vector, expected_id, is_addition=change.is_addition, tags=tags)


def _check_version(change: ItemChange, current: ItemRecord | None) -> None:
    if change.is_addition and current is not None:
        raise _existing(change)
    if change.if_match is None:
        return
    if current is None or not change.if_match & {"*", item_tag(current)}:
        state = "there is none" if current is None else f"it is {item_tag(current)}"
        raise VersionMismatchError(
            f"the item {change.key!r} is not the version of If-Match ({state}): read it again", subject=change.key
        )


def _required(item: ItemRecord | None) -> ItemRecord:
    if item is None:
        raise TypeError("a change without a picture needs the item that it changes")
    return item


def _result(change: ItemChange, outcome: ChangeOutcome) -> ChangeResult | None:
    if outcome.problem is not None:
        return outcome.problem
    if outcome.status is ChangeStatus.CONFLICT:
        if change.is_addition:
            return _existing(change)
        return None if change.if_match is None else _mismatch(change)
    if outcome.status is ChangeStatus.MISSING:
        if not change.is_removal and change.if_match is None:
            return None  # it was removed meanwhile: looked at again
        return ItemNotFoundError(f"there is no item {change.key!r}", subject=change.key)
    return outcome.status


def _existing(change: ItemChange) -> VersionMismatchError:
    return VersionMismatchError(
        f"there is an item {change.key!r} already, and If-None-Match: * asks for none: without it the item is replaced",
        subject=change.key,
    )


def _mismatch(change: ItemChange) -> VersionMismatchError:
    return VersionMismatchError(f"the item {change.key!r} was changed meanwhile: read it again", subject=change.key)


def _busy(change: ItemChange) -> VersionMismatchError:
    return VersionMismatchError(
        f"the item {change.key!r} is being changed by others all the time: send the change again", subject=change.key
    )
