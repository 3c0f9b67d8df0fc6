"""Changes of many items, split into batches that the service takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lookalike.client.answers import ChangeEntry, ChangesAnswer
from lookalike.client.errors import ChangesInterruptedError, ClientError, PictureError
from lookalike.client.options import Metadata, metadata_values
from lookalike.client.pictures import Picture, PictureFile, read_picture

MAX_CHANGES = 256
MAX_PICTURES = 64
MAX_BYTES = 64 << 20
"""Of the pictures of one batch, unless one alone is larger: what a service takes for a single picture by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of one item; one of the classes below."""

    key: str

    def body(self) -> dict[str, Any]:
        """The change as JSON, without its picture."""
        fields = {name: getattr(self, name, None) for name in ("title", "product_id", "metadata")}
        if fields["metadata"] is not None:
            fields["metadata"] = metadata_values(fields["metadata"])
        return {"op": self.operation, "key": self.key} | {
            name: value for name, value in fields.items() if value is not None
        }

    @property
    def operation(self) -> str:
        """put, patch or delete."""
        return type(self).__name__.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Put(Change):
    """Add an item, or replace its picture, its metadata or both; what is not given stays as it is."""

    image: Picture | None = None
    title: str | None = None
    product_id: str | None = None
    metadata: Metadata | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch(Change):
    """Change columns of an item's metadata, and its title or product."""

    title: str | None = None
    product_id: str | None = None
    metadata: Metadata | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete(Change):
    """Remove an item."""


@dataclass(slots=True)
class Batch:
    """Changes that go together: as the service takes them, and their pictures by name."""

    changes: list[Mapping[str, Any]] = field(default_factory=list)
    files: list[PictureFile] = field(default_factory=list)
    byte_count: int = 0

    def has_room_for(self, file: PictureFile | None) -> bool:
        """Whether another change goes into this batch."""
        if not self.changes:
            return True
        if len(self.changes) == MAX_CHANGES:
            return False
        return file is None or (len(self.files) < MAX_PICTURES and self.byte_count + len(file.data) <= MAX_BYTES)

    def add(self, change: Change, file: PictureFile | None) -> None:
        """Take a change in."""
        body = change.body()
        if file is not None:
            body["image"] = file.name
            self.files.append(file)
            self.byte_count += len(file.data)
        self.changes.append(body)


def split_changes(changes: Iterable[Change]) -> Iterator[Batch]:
    """Batches of changes in their order; pictures are read as they are needed. Raises PictureError."""
    batch = Batch()
    for number, change in enumerate(changes):
        image = change.image if isinstance(change, Put) else None
        try:
            file = None if image is None else read_picture(image, str(number))
        except PictureError:
            if batch.changes:
                yield batch  # all before the one that cannot be read are made
            raise
        if not batch.has_room_for(file):
            yield batch
            batch = Batch()
        batch.add(change, file)
    if batch.changes:
        yield batch


def number_entries(answer: ChangesAnswer, results: Sequence[ChangeEntry]) -> list[ChangeEntry]:
    """The entries of a batch, numbered on from those of the batches before."""
    return [msgspec.structs.replace(entry, index=len(results) + entry.index) for entry in answer.results]


def interrupted(error: ClientError, results: Sequence[ChangeEntry]) -> ChangesInterruptedError:
    """The exception for what ended a list of changes after some had been made."""
    return ChangesInterruptedError(f"the first {len(results)} changes were answered, and then: {error}", results)
