"""Arguments and results of the catalogue: plain frozen dataclasses, so that no module above it knows SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lookalike.filters.declared_columns import DeclaredColumns
from lookalike.filters.fields import ElementType
from lookalike.filters.values import ValueType
from lookalike.options import EncoderRequest, SourceOptions
from lookalike.short_repr import ShortRepr

MetadataValue = str | int | float | bool | list[str | int | float | bool] | None
Metadata = Mapping[str, MetadataValue]


AUTO_TAGS, AUTO_TAGS_CONFIDENCE = "auto_tags", "auto_tags_confidence"
"""The columns of automatic tags: words, from the most specific to the most general, and how sure each is."""
TAG_TYPES: DeclaredColumns = {
    AUTO_TAGS: ElementType(ValueType.TEXT, in_list=True),
    AUTO_TAGS_CONFIDENCE: ElementType(ValueType.NUMBER, in_list=True),
}
TAG_COLUMNS = frozenset(TAG_TYPES)

AutoTags = tuple[tuple[str, float], ...]
"""Words with their confidences, the most specific first."""

NO_SOURCE = "none"
"""The kind of source of a collection that is filled by sending pictures."""


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """Where a collection's pictures come from; ``root`` is the folder that a manifest's paths start at."""

    kind: str
    location: str
    root: str | None = None

    def path_of(self, location: str) -> str:
        """The absolute path of a picture by its location in this source; in a zip ``/path/of.zip!/member``."""
        if self.kind == "zip":
            return f"{self.location}!/{location}"
        folder = Path(self.location) if self.kind == "folder" else Path(self.root or Path(self.location).parent)
        return str(folder / location)


@dataclass(frozen=True, slots=True)
class CollectionSettings:
    """A collection's options, stored so that a scheduled run uses those of the last manual run.

    ``engine`` names the index type, or is "auto"; ``keep`` is how many snapshots stay on disk, with the current one: at
    least 2, so that a reader of the current one does not lose it when the next one is published; ``max_bytes`` and
    ``max_pixels`` are the limits on its pictures; ``target_recall`` is the least recall of its index, and ``memory``
    the most bytes that the index may take in a service, None for no limit; ``source_options`` say how its source
    is read. With ``auto_tags`` its pictures get words for what they show.
    """

    engine: str
    keep: int
    max_bytes: int
    max_pixels: int
    target_recall: float = 0.99
    memory: int | None = None
    source_options: SourceOptions = field(default_factory=SourceOptions)
    auto_tags: bool = False

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """What ``dataclasses.asdict`` made, also of an older version, and JSON has stored."""
        options: Mapping[str, Any] = fields.get("source_options", {})
        lists: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
        }
        return cls(**{**fields, "source_options": SourceOptions(**lists)})


@dataclass(frozen=True, slots=True)
class CollectionRecord:
    """One collection, as stored; ``columns`` are those that are declared."""

    id: int
    name: str
    source: SourceRecord
    encoder: EncoderRequest
    settings: CollectionSettings
    run: int
    created_at: datetime
    updated_at: datetime
    columns: DeclaredColumns = field(default_factory=dict)


def folder_of(location: str) -> str:
    """The folder in which a source has a picture, below the source; empty for one at the top."""
    folder = str(PurePosixPath(location.replace("\\", "/")).parent)
    return "" if folder == "." else folder


@dataclass(frozen=True, slots=True, repr=False)
class ItemDraft(ShortRepr):
    """A picture as its source describes it and with the size that it was decoded to, before it has an id.

    ``content_digest`` is the SHA-256 of the file's bytes; ``width`` and ``height`` are of the upright picture.
    ``metadata`` are what a source or somebody says of it; ``auto_tags`` is None where it is not tagged.
    """

    key: str
    location: str
    content_digest: str
    byte_size: int
    width: int
    height: int
    format: str
    title: str | None = None
    product_id: str | None = None
    metadata: Metadata = field(default_factory=dict)
    auto_tags: AutoTags | None = None

    @property
    def all_metadata(self) -> Metadata:
        """The metadata with the columns of the automatic tags."""
        if self.auto_tags is None:
            return self.metadata
        words, confidences = [word for word, _ in self.auto_tags], [confidence for _, confidence in self.auto_tags]
        return {**self.metadata, AUTO_TAGS: [*words], AUTO_TAGS_CONFIDENCE: [*confidences]}


@dataclass(frozen=True, slots=True)
class TagRequest:
    """What somebody sent as the tags of an item, unchecked: its words, or None to forget every correction."""

    value: object


@dataclass(frozen=True, slots=True, repr=False)
class ItemRecord(ShortRepr):
    """One version of one picture, as stored.

    ``change`` is the number of the live change that made it, None without one, and ``source_digest`` what the source
    said of its key before: see ``lookalike.catalogue.live_changes``.
    """

    id: int
    draft: ItemDraft
    encoder_digest: str
    created_generation: int
    removed_generation: int | None
    change: int | None = None
    source_digest: str | None = None

    @property
    def key(self) -> str:
        """Its name in the collection."""
        return self.draft.key

    @property
    def location(self) -> str:
        """Where its source has it: a path below the folder or the manifest's root, or a member of the zip."""
        return self.draft.location

    @property
    def folder(self) -> str:
        """The path of its folder below the source, empty at the top."""
        return folder_of(self.draft.location)

    @property
    def title(self) -> str | None:
        """The manifest's column of that name."""
        return self.draft.title

    @property
    def product_id(self) -> str | None:
        """The manifest's column of that name."""
        return self.draft.product_id

    @property
    def metadata(self) -> Metadata:
        """All other columns of the manifest, and the automatic tags."""
        return self.draft.all_metadata


@dataclass(frozen=True, slots=True)
class NewItem:
    """A draft with its unit-length vector, (D,) float32, and the id of the version that it replaces.

    ``source_digest`` is that of ``ItemRecord``: set where a version that was made live is encoded again.
    """

    draft: ItemDraft
    vector: npt.NDArray[np.float32]
    replaces: int | None = None
    source_digest: str | None = None
