"""A search for duplicates in a folder of files, with an encoder's answers given."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from lookalike.catalogue.database import Database
from lookalike.catalogue.duplicate_store import DuplicateStore
from lookalike.catalogue.records import ItemDraft, SourceRecord
from lookalike.duplicates.candidates import Numbers
from lookalike.duplicates.report import Action, DuplicateGroup, DuplicateReport
from lookalike.duplicates.search import Scores, SearchOptions, find_duplicates
from lookalike.duplicates.subjects import subjects_of
from lookalike.sources.folder import FolderSource


@dataclass
class DrawnVectors:
    """An encoder's view: the first ``neighbours`` pictures are neighbours of each other, pairs in ``similar`` alike."""

    neighbours: int = 0
    similar: set[frozenset[int]] = field(default_factory=set)

    def batches(self) -> Iterator[tuple[Numbers, Numbers, Scores]]:
        numbers = np.arange(self.neighbours)
        nearest = np.tile(numbers, (self.neighbours, 1))
        yield numbers, nearest, np.full(nearest.shape, 0.5, np.float32)

    def are_similar(self, first: int, second: int) -> bool:
        return frozenset((first, second)) in self.similar


def indexed_items(folder: Path) -> list[ItemDraft]:
    """The items that indexing the folder would give, sorted by key."""
    items = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        with Image.open(path) as image:
            size, format_name = image.size, image.format or ""
        key = path.relative_to(folder).as_posix()
        items.append(ItemDraft(key, key, hashlib.sha256(data).hexdigest(), len(data), *size, format_name))
    return items


def search_folder(
    folder: Path,
    *,
    options: SearchOptions | None = None,
    items: Sequence[ItemDraft] | None = None,
    vectors: DrawnVectors | None = None,
    references: Path | None = None,
    warnings: list[str] | None = None,
) -> DuplicateReport:
    """The report on a folder; what is remembered lies in a database beside it."""
    own = list(indexed_items(folder) if items is None else items)
    source = SourceRecord("folder", str(folder))
    subjects = subjects_of(own, source.path_of, FolderSource(folder).read, owner="own")
    if references is not None:
        subjects += subjects_of(
            indexed_items(references),
            SourceRecord("folder", str(references)).path_of,
            FolderSource(references).read,
            owner="reference",
            is_reference=True,
            first_number=len(subjects),
        )
    store = DuplicateStore(Database.open(folder.parent / f"{folder.name}.db"))
    try:
        return find_duplicates(
            subjects,
            vectors or DrawnVectors(),
            store,
            replace(options or SearchOptions(), threads=2),
            report=([] if warnings is None else warnings).append,
            progress=lambda *_: None,
        )
    finally:
        store.close()


def keys(group: DuplicateGroup, action: Action) -> set[str]:
    """Keys of the members of one action."""
    return {member.subject.key for member in group.members if member.action is action}
