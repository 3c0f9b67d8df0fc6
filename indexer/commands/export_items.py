"""``export-items`` gives the items of a collection to other programs: their metadata, vectors and pictures.

It is a verb of its own beside ``export``, which writes an encoder: the two share no option but where collections are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from indexer.commands.options import CollectionOption
from indexer.commands.session import EXIT_REJECTED, Session, with_collections
from indexer.console.units import size
from lookalike.api.exporting import export_items as write_items
from lookalike.api.exporting import read_options, select_items
from lookalike.item_export.export import ExportFormat, ExportResult, check_free

_SHOWN = 20
WhereOption = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="FILTER",
        envvar="LOOKALIKE_WHERE",
        help='Only items whose metadata pass: "category = mug and price < 60"; see docs/filters.md.',
    ),
]
FieldsOption = Annotated[
    str | None,
    typer.Option(
        "--fields",
        metavar="NAME,...",
        help="Only these fields, besides the key: path, title, product_id, width, height, format, byte_size, "
        "content_digest, and columns of metadata. Without it: all.",
    ),
]
FormatOption = Annotated[
    ExportFormat | None,
    typer.Option(
        "--format",
        help="jsonl, csv, parquet: a table. imagefolder: a folder with the pictures, for Hugging Face datasets. "
        "fiftyone: a data set of FiftyOne. Without it: a table, by the end of OUT's name.",
    ),
]
VectorsOption = Annotated[
    bool | None,
    typer.Option(
        "--vectors/--no-vectors", help="Write vectors as well. Without it: in jsonl and parquet, not in the others."
    ),
]
AbsoluteOption = Annotated[
    bool,
    typer.Option(
        "--absolute-paths", help="Write where files are on this machine as path, rather than below their source."
    ),
]
LinksOption = Annotated[
    bool, typer.Option("--hard-links", help="Link pictures rather than copy them, where the disk allows it.")
]


@with_collections
def export_items(
    session: Session,
    collection: CollectionOption,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file, or the folder, to write.")],
    kind: FormatOption = None,
    where: WhereOption = None,
    fields: FieldsOption = None,
    vectors: VectorsOption = None,
    absolute_paths: AbsoluteOption = False,
    hard_links: LinksOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace OUT if it is there: a file, or a folder that was exported.")
    ] = False,
) -> None:
    """Write a collection's items to a table, or with their pictures to a data set that other programs load.

    They are those that a search finds: of the current snapshot, with all live changes. A table can be indexed again.
    """
    options = read_options(
        out,
        None if kind is None else kind.value,
        None if fields is None else _read_fields(fields),
        vectors=vectors,
        absolute_paths=absolute_paths,
        hard_links=hard_links,
        force=force,
    )
    check_free(out, options)
    with session.collection(collection, live=True) as open_collection:
        selection = select_items(open_collection, where)
        with session.reporter.stage(f"{collection}: exporting", len(selection)) as stage:
            result = write_items(open_collection, selection, out, options, stage.advance)
    _answer(session, collection, result)
    if result.left_out_count:
        raise typer.Exit(EXIT_REJECTED)


def _read_fields(text: str) -> list[str]:
    """Names between commas, or in a JSON list where one has a comma."""
    if not text.lstrip().startswith("["):
        return [name.strip() for name in text.split(",") if name.strip()]
    try:
        names = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"it is no valid JSON: {error}", param_hint="--fields") from error
    if not all(isinstance(name, str) for name in names):
        raise typer.BadParameter("it must be a list of texts", param_hint="--fields")
    return list(names)


def _answer(session: Session, collection: str, result: ExportResult) -> None:
    for left_out in result.left_out[:_SHOWN]:
        session.reporter.say(f"left out: {left_out.key}: {left_out.error.message}")
    if result.left_out_count > _SHOWN:
        session.reporter.say(f"left out: {result.left_out_count - _SHOWN} more")
    text = f"{result.items} items of {collection} are in {result.path} ({size(result.bytes)})"
    text += f"; {result.converted} pictures were written as PNG" if result.converted else ""
    text += (
        f"; {result.left_out_count} were left out, since their picture cannot be read" if result.left_out_count else ""
    )
    session.reporter.answer(
        text,
        collection=collection,
        file=str(result.path),
        format=result.format.value,
        items=result.items,
        bytes=result.bytes,
        converted=result.converted,
        left_out=result.left_out_count,
        left_out_keys=[left_out.key for left_out in result.left_out],
    )
