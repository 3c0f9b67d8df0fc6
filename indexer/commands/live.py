"""Collections that are changed live: ``create``, ``configure``, ``fold``, ``delete`` and ``restore``."""

from __future__ import annotations

from typing import Annotated

import typer

from indexer.commands.options import (
    AutoTagsOption,
    CollectionOption,
    EncoderOption,
    Engine,
    EngineOption,
    FusionOption,
    InputSizeOption,
    KeepOption,
    MaxMegabytesOption,
    MaxMegapixelsOption,
    RecallOption,
    encoder_request,
    image_limits,
)
from indexer.commands.session import Session, with_collections
from indexer.ingest.fold import fold_collection
from lookalike.catalogue.records import CollectionSettings
from lookalike.collection.builder import CollectionEncoder
from lookalike.collection.index_command import DEFAULT_KEEP, MAX_KEEP, MIN_KEEP
from lookalike.collection.lifecycle import (
    create_collection,
    delete_collection,
    purge_collection,
    restore_collection,
)
from lookalike.collection.snapshot import read_manifest
from lookalike.encoder.tags import require_head
from lookalike.filters.declared_columns import COLUMN_TYPES, parse_columns
from lookalike.filters.fields import ElementType
from lookalike.index.planner import DEFAULT_RECALL
from lookalike.wiring import INDEX_TYPES, load_encoder

ConfirmOption = Annotated[str, typer.Option("--confirm", help="The collection's name once more, to be sure.")]
PurgeOption = Annotated[
    bool,
    typer.Option(
        "--purge",
        help="Remove it from the disk for good, with all that were deleted under this name before. Without it: "
        "`restore` brings it back.",
    ),
]


ColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="NAME:TYPE",
        help=f"Declare a column of metadata with its type: {', '.join(COLUMN_TYPES)}. May be repeated.",
    ),
]
NewKeepOption = Annotated[
    int | None,
    typer.Option("--keep", min=MIN_KEEP, max=MAX_KEEP, help="Number of snapshots to keep from the next one on."),
]
DropColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--drop-column",
        metavar="NAME",
        help="Take the declaration of a column away; its values stay. May be repeated.",
    ),
]


@with_collections
def create(
    session: Session,
    collection: CollectionOption,
    encoder: EncoderOption = None,
    fusion: FusionOption = None,
    input_size: InputSizeOption = None,
    engine: EngineOption = Engine.AUTO,
    recall: RecallOption = DEFAULT_RECALL,
    column: ColumnOption = None,
    keep: KeepOption = None,
    auto_tags: AutoTagsOption = None,
    max_megabytes: MaxMegabytesOption = 64,
    max_megapixels: MaxMegapixelsOption = 100,
) -> None:
    """Make an empty collection, to be filled by sending pictures to the service.

    Whoever has a folder, a zip or a table needs no `create`: `index` makes the collection.
    """
    request = encoder_request(encoder, fusion, input_size)
    limits = image_limits(max_megabytes, max_megapixels)
    columns = {name: kind for name, kind in _columns(column).items() if kind is not None}
    settings = CollectionSettings(
        engine.value, keep or DEFAULT_KEEP, limits.max_bytes, limits.max_pixels, recall, auto_tags=bool(auto_tags)
    )
    identity = CollectionEncoder(request, load_encoder(request, session.places.encoders_dir).spec)
    with session.catalogue() as catalogue:
        manifest = create_collection(session.layout(collection), catalogue, identity, settings, INDEX_TYPES, columns)
    session.reporter.answer(
        f"{collection}: empty, with the encoder {manifest.encoder.name}; send pictures with "
        f"PUT /collections/{collection}/items/KEY",
        collection=collection,
        snapshot=manifest.generation,
        encoder=manifest.encoder.name,
    )


@with_collections
def configure(
    session: Session,
    collection: CollectionOption,
    column: ColumnOption = None,
    drop_column: DropColumnOption = None,
    keep: NewKeepOption = None,
    auto_tags: AutoTagsOption = None,
) -> None:
    """Declare columns of metadata, or change how many snapshots are kept, or whether pictures get tags from now on.

    Without a flag, say how all that is. `tag` gives the pictures that there are their tags.

    From then on no item is stored with a value of another type: sent ones are refused, a table's values are left out. A
    column of which items have values of another type is not declared.
    """
    columns = _columns(column)
    with session.catalogue(collection) as catalogue:
        before = catalogue.collection(collection)
        for name in drop_column or []:
            if name not in before.columns:
                raise typer.BadParameter(f"no column {name!r} is declared", param_hint="--drop-column")
            columns[name] = None
        if auto_tags:
            layout = session.layout(collection)
            require_head(read_manifest(layout, layout.current()).encoder)
        catalogue.collection_store().configure(before.id, columns, keep=keep, auto_tags=auto_tags)
        record = catalogue.collection(collection)
    declared = {name: str(kind) for name, kind in sorted(record.columns.items())}
    text = ", ".join(f"{name}: {kind}" for name, kind in declared.items()) or "none"
    session.reporter.answer(
        f"{collection}: declared columns: {text}; {record.settings.keep} snapshots are kept; pictures get "
        f"{'tags' if record.settings.auto_tags else 'no tags'}",
        collection=collection,
        columns=declared,
        keep=record.settings.keep,
        auto_tags=record.settings.auto_tags,
    )


def _columns(words: list[str] | None) -> dict[str, ElementType | None]:
    """The columns of ``NAME:TYPE`` words; raises BadParameter."""
    columns: dict[str, str] = {}
    for word in words or []:
        name, colon, kind = word.rpartition(":")
        if not colon:
            raise typer.BadParameter(f"{word!r} is no NAME:TYPE, such as price:number", param_hint="--column")
        columns[name] = kind
    try:
        return parse_columns(columns)
    except ValueError as error:
        raise typer.BadParameter(f"write NAME:TYPE; {error}", param_hint="--column") from error


@with_collections
def fold(session: Session, collection: CollectionOption) -> None:
    """Publish a snapshot that has the changes that were made live; the service does it by itself after a while."""
    manifest = fold_collection(session.places, collection, session.reporter)
    session.reporter.answer(
        f"{collection}: {manifest.count} pictures in snapshot {manifest.generation}",
        collection=collection,
        snapshot=manifest.generation,
        items=manifest.count,
    )


@with_collections
def delete(session: Session, collection: CollectionOption, confirm: ConfirmOption, purge: PurgeOption = False) -> None:
    """Take a collection out of service; it can be restored until it is purged. The source's files stay as they are."""
    if confirm != collection:
        raise typer.BadParameter(
            f"say the name of the collection that is to be deleted: {collection}", param_hint="--confirm"
        )
    layout = session.layout(collection)
    with session.catalogue(collection) as catalogue:
        is_there = catalogue.find_collection(collection) is not None
        purged = 0
        if (is_there or not purge) and not delete_collection(layout, catalogue):
            purged += 1
        if purge:
            purged += purge_collection(layout, catalogue)
        if not is_there and not purged:
            catalogue.collection(collection)  # says that there is none
    is_removed = purge or purged
    text = f"{collection}: removed for good" if is_removed else f"{collection}: deleted; `restore` brings it back"
    session.reporter.answer(text, collection=collection, purged=purged)


@with_collections
def restore(session: Session, collection: CollectionOption) -> None:
    """Bring back the collection that was deleted last under this name."""
    with session.catalogue(collection) as catalogue:
        restore_collection(session.layout(collection), catalogue)
    session.reporter.answer(f"{collection}: restored", collection=collection)
