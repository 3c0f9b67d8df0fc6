"""Commands that look at collections and keep them whole: ``collections``, ``verify``, ``rollback``, ``unpin``."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any

import numpy as np
import typer

from indexer.commands.options import CollectionOption
from indexer.commands.session import EXIT_FAILED, EXIT_STALE, Session, with_collections
from indexer.console.units import size
from indexer.ingest.verification import verify_self_match
from lookalike.catalogue.records import CollectionRecord
from lookalike.collection.builder import find_rolled_back
from lookalike.collection.encoder_check import describe_encoder
from lookalike.collection.index_command import reencode_command
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.pins import roll_back, take_pin_away
from lookalike.collection.snapshot import read_manifest
from lookalike.collection.snapshot_manifest import Manifest
from lookalike.errors import LookalikeError, SnapshotDamagedError
from lookalike.options import ImageLimits
from lookalike.wiring import INDEX_TYPES


@with_collections
def collections(
    session: Session,
) -> None:
    """List the collections: pictures, snapshots, encoder, source."""
    if session.has_no_data():
        records: list[CollectionRecord] = []
    else:
        with session.catalogue() as catalogue:
            records = catalogue.collections()
    if not records:
        session.reporter.say(
            f"no collection in {session.places.data} yet: "
            "run `python -m indexer index SOURCE --collection NAME` to make one"
        )
    failure_count = 0
    for record in records:
        try:
            _describe(session, record)
        except LookalikeError as error:
            failure_count += 1
            session.reporter.say(f"error: {record.name}: {error.message}")
            session.reporter.event("error", collection=record.name, code=error.code, message=error.message)
    if failure_count:
        raise typer.Exit(EXIT_FAILED)


def _describe(session: Session, record: CollectionRecord) -> None:
    layout = session.layout(record.name)
    current = layout.current_or_none()
    complete = layout.complete_generations()
    fields: dict[str, Any] = {"collection": record.name, "source": record.source.location, "snapshots": complete}
    if current is None:
        session.reporter.answer(f"{record.name}: nothing published yet (source {record.source.location})", **fields)
        return
    manifest = read_manifest(layout, current)
    volume = sum(stamp.bytes for stamp in manifest.files.values())
    fields |= {
        "snapshot": current,
        "items": manifest.count,
        "encoder": manifest.encoder.name,
        "dimension": manifest.dimension,
        "engine": manifest.engine,
        "recall": None if manifest.recall is None else manifest.recall.value,
        "bytes": volume,
        "created_at": manifest.created_at.isoformat(),
    }
    session.reporter.answer("\n".join(_lines(record, manifest, volume, complete)), **fields)


def _lines(record: CollectionRecord, manifest: Manifest, volume: int, complete: list[int]) -> list[str]:
    recall = manifest.recall
    recall_text = "" if recall is None else f", recall@{recall.k} {recall.value:.3f} over {recall.queries} queries"
    return [
        f"{record.name}: {manifest.count} pictures, {size(volume)}",
        f"  snapshot {manifest.generation} of {manifest.created_at:%Y-%m-%d %H:%M} UTC; "
        f"for rollback: {', '.join(str(g) for g in complete if g != manifest.generation) or 'none'}",
        f"  encoder {manifest.encoder.name}, {manifest.dimension} numbers; index {manifest.engine}{recall_text}",
        f"  source {record.source.location}",
    ]


@with_collections
def verify(
    session: Session,
    collection: CollectionOption,
    sample: Annotated[
        int | None,
        typer.Option("--sample", min=1, help="Check this many pictures instead of all."),
    ] = None,
) -> None:
    """Check the current snapshot: checksums, counts, and that every picture finds itself first, with score 1.000."""
    # The digest of each file is compared before it is decoded, so what was accepted once need not be limited again.
    limits = ImageLimits(max_bytes=2**62, max_pixels=2**62)
    with session.collection(collection, limits=limits, whole=True) as open_collection:
        session.reporter.say(f"{len(open_collection.manifest.files)} files match their checksums")
        open_collection.check_rows()
        session.reporter.say(f"{len(open_collection)} ids, vectors and catalogue rows agree")
        total = len(open_collection) if sample is None else min(sample, len(open_collection))
        sampled_positions = set(np.random.default_rng(0).permutation(len(open_collection))[:total].tolist())
        items = (item for position, item in enumerate(open_collection.items()) if position in sampled_positions)
        with session.source(collection) as source:
            result = verify_self_match(open_collection, source, items, total, session.reporter)
    for line in result.failures[:20]:
        session.reporter.say(f"failure: {line}")
    for line in result.stale[:20]:
        session.reporter.say(f"stale: {line}")
    match_count = result.checked_count - len(result.failures)
    text = f"{collection}: {match_count} of {result.checked_count} pictures find themselves"
    text += f" (lowest score {result.lowest:.4f})" if result.lowest is not None else ""
    text += f", {len(result.stale)} changed since they were indexed" if result.stale else ""
    session.reporter.answer(text, collection=collection, **result.fields())
    nothing_proved = result.items > 0 and result.checked_count == 0
    if result.failures or nothing_proved:
        raise typer.Exit(EXIT_FAILED)
    if result.stale:
        raise typer.Exit(EXIT_STALE)


@with_collections
def rollback(
    session: Session,
    collection: CollectionOption,
    to: Annotated[
        int | None,
        typer.Option("--to", help="Snapshot to go back to. Without it: the one before the current."),
    ] = None,
) -> None:
    """Make an older snapshot the current one, after checking it, until `unpin` or the next index of this collection.

    The job that brings all collections up to date leaves it there, and it takes no live changes.
    """
    layout = session.layout(collection)
    with session.catalogue(collection) as catalogue:
        record = catalogue.collection(collection)
        target = roll_back(layout, catalogue, INDEX_TYPES, to)
    session.reporter.answer(
        f"{collection}: snapshot {target} is current{_until(layout, record)}", collection=collection, snapshot=target
    )


@with_collections
def unpin(session: Session, collection: CollectionOption) -> None:
    """End a rollback: make the newest snapshot the current one again."""
    with session.catalogue(collection) as catalogue:
        newest = take_pin_away(session.layout(collection), catalogue)
    session.reporter.answer(f"{collection}: snapshot {newest} is current", collection=collection, snapshot=newest)


def _until(layout: CollectionLayout, record: CollectionRecord) -> str:
    """How long a rollback lasts, and the command that makes it last where another encoder made what is newer."""
    current = find_rolled_back(layout)
    if current is None:
        return ""
    newest = layout.complete_generations()[-1]
    text = f" until `unpin`, or an index of this collection, which goes on from snapshot {newest}"
    with suppress(SnapshotDamagedError):
        newest_encoder = read_manifest(layout, newest).encoder
        if newest_encoder.digest != current.encoder.digest:
            request = current.encoder_request
            command = reencode_command(layout.name, record.source, request, record.settings, layout.data)
            text += (
                f" and its encoder, {describe_encoder(newest_encoder)}; "
                f"to stay with {describe_encoder(current.encoder)} run `{command}`"
            )
    return text
