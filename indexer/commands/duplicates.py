"""The command that finds copies: ``duplicates``."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from indexer.commands.options import CollectionOption
from indexer.commands.session import Session, with_collections
from indexer.duplicates.grouping import CopyGroup, copy_groups
from indexer.duplicates.tier_reader import Reader
from lookalike.api import Collection
from lookalike.catalogue.records import ItemDraft, SourceRecord
from lookalike.storage import disk_errors, write_atomically

_BATCH = 256
_COLUMNS = ("group", "action", "key", "tier", "width", "height", "bytes", "path")

NeighboursOption = Annotated[
    int,
    typer.Option(
        "--neighbours",
        min=1,
        max=100,
        envvar="LOOKALIKE_NEIGHBOURS",
        help="Nearest neighbours of each to compare on pixels.",
    ),
]
TableOption = Annotated[Path | None, typer.Option("--out", "-o", help="Write the table to this CSV file as well.")]


@with_collections
def duplicates(
    session: Session,
    collection: CollectionOption,
    neighbours: NeighboursOption = 10,
    out: TableOption = None,
) -> None:
    """Find copies of one picture in a collection, and say which one of them to keep; nothing is removed.

    The table is CSV: group, action (keep or drop), key, tier, width, height, bytes, path (absolute).
    """
    with session.collection(collection) as open_collection, session.source(collection) as source:
        items = [item.draft for item in open_collection.items()]
        candidates = _candidates(open_collection, neighbours, session)
        reader = Reader(source.read, open_collection.limits, session.reporter.say)
        with session.reporter.stage("pictures checked", len(items)) as stage:
            groups = copy_groups(items, candidates, reader.tier, stage.advance)
    table = _table(groups, open_collection.origin)
    if out is not None:
        with disk_errors(out):
            write_atomically(out, table.encode())
    copies = sum(len(group.drop) for group in groups)
    session.reporter.say(
        f"{collection}: {copies} of {len(items)} pictures are copies, in {len(groups)} groups"
        + (f"; {len(reader.unreadable)} could not be read" if reader.unreadable else "")
    )
    session.reporter.answer(
        table.rstrip("\n"),
        collection=collection,
        pictures=len(items),
        copies=copies,
        unreadable=sorted(reader.unreadable),
        groups=[_fields(group, open_collection.origin) for group in groups],
    )


def _candidates(collection: Collection, neighbours: int, session: Session) -> dict[str, frozenset[str]]:
    """For each key, the keys of its nearest neighbours by the stored vectors."""
    candidates: dict[str, frozenset[str]] = {}
    items = collection.items()
    with session.reporter.stage("neighbours found", len(collection)) as stage:
        while batch := list(islice(items, _BATCH)):
            queries = np.stack([collection.vector(item) for item in batch])
            # One more than requested: the nearest neighbour of an item is mostly the item itself.
            batch_hits = collection.hits(collection.neighbours(queries, neighbours + 1))
            for item, hits in zip(batch, batch_hits, strict=True):
                nearest_keys = [hit.key for hit in hits if hit.key != item.draft.key][:neighbours]
                candidates[item.draft.key] = frozenset(nearest_keys)
            stage.advance(len(batch))
    return candidates


def _table(groups: Sequence[CopyGroup], origin: SourceRecord) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for number, group in enumerate(groups, start=1):
        rows = [("keep", group.keep, ""), *(("drop", copy.item, copy.tier) for copy in group.drop)]
        for action, item, tier in rows:
            path = origin.path_of(item.location)
            writer.writerow((number, action, item.key, tier, item.width, item.height, item.byte_size, path))
    return text.getvalue()


def _fields(group: CopyGroup, origin: SourceRecord) -> dict[str, object]:
    drop = [_names(copy.item, origin) | {"tier": copy.tier} for copy in group.drop]
    return {"keep": _names(group.keep, origin), "drop": drop}


def _names(item: ItemDraft, origin: SourceRecord) -> dict[str, str]:
    return {"key": item.key, "location": item.location, "path": origin.path_of(item.location)}
