"""Words for what pictures show: ``tags`` of pictures, and ``tag`` for those of a collection."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from indexer.commands.options import (
    EncoderOption,
    FusionOption,
    InputSizeOption,
    encoder_request,
)
from indexer.commands.session import Session, with_collections, with_session
from indexer.console.staged_progress import StagedProgress
from lookalike.api import Collection, Encoder
from lookalike.catalogue.records import AUTO_TAGS, MetadataValue
from lookalike.collection.lifecycle import tag_collection
from lookalike.encoder.tags import MIN_CONFIDENCE, Tag, require_head
from lookalike.wiring import INDEX_TYPES

MinConfidenceOption = Annotated[
    float,
    typer.Option("--min-confidence", min=0.0, max=1.0, help="Leave out words that are right in fewer of the cases."),
]
OffOption = Annotated[bool, typer.Option("--off", help="Take the tags away instead; corrections stay remembered.")]
KeyOption = Annotated[
    str | None, typer.Option("--key", help="Correct the tags of this item, with --add, --remove or --reset.")
]
AddOption = Annotated[
    list[str] | None, typer.Option("--add", metavar="WORD", help="A word that is right for the item; may be repeated.")
]
RemoveOption = Annotated[
    list[str] | None,
    typer.Option("--remove", metavar="WORD", help="A word that is wrong for the item; may be repeated."),
]
ResetOption = Annotated[bool, typer.Option("--reset", help="Forget what was corrected of the item.")]


@with_session("encoders_dir")
def tags(
    session: Session,
    images: Annotated[list[Path], typer.Argument(metavar="PICTURE...", help="Pictures to name.")],
    encoder: EncoderOption = None,
    fusion: FusionOption = None,
    input_size: InputSizeOption = None,
    min_confidence: MinConfidenceOption = MIN_CONFIDENCE,
) -> None:
    """Say in words what pictures show, from the most specific word to the most general; nothing where nothing is sure.

    The confidence of a word is the share of the cases in which a word is right that is given so surely.
    """
    request = encoder_request(encoder, fusion, input_size)
    image_encoder = Encoder.load(
        request.name, fusion=request.fusion, input_size=input_size, encoders_dir=session.places.encoders_dir
    )
    require_head(image_encoder.spec)
    for image in images:
        found = image_encoder.tags(image, min_confidence=min_confidence)
        session.reporter.answer(
            f"{image}: {_words(found)}",
            picture=str(image),
            tags=[{"word": tag.word, "confidence": tag.confidence} for tag in found],
            encoder=image_encoder.spec.name,
        )


@with_collections
def tag(
    session: Session,
    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="Name of the collection.")],
    off: OffOption = False,
    key: KeyOption = None,
    add: AddOption = None,
    remove: RemoveOption = None,
    reset: ResetOption = False,
) -> None:
    """Give all pictures of a collection their tags by the vectors that are stored, or correct those of one item.

    Nothing is encoded. From then on what is stored in the collection gets tags too.
    """
    is_correction = bool(add or remove or reset)
    if is_correction != (key is not None):
        raise typer.BadParameter("--key goes with --add, --remove or --reset", param_hint="--key")
    if key is not None:
        if off or (reset and (add or remove)):
            raise typer.BadParameter("--off and --reset go with nothing else", param_hint="--key")
        _correct(session, collection, key, add=add or [], remove=remove or [], reset=reset)
        return
    with session.catalogue(collection) as catalogue, StagedProgress(session.reporter, collection) as progress:
        manifest, changed = tag_collection(
            session.layout(collection), catalogue, INDEX_TYPES, auto_tags=not off, report_progress=progress.report
        )
    session.reporter.answer(
        f"{collection}: {changed} of {manifest.count} pictures have other tags now, in snapshot {manifest.generation}",
        collection=collection,
        snapshot=manifest.generation,
        items=manifest.count,
        changed=changed,
    )


def _correct(session: Session, name: str, key: str, *, add: list[str], remove: list[str], reset: bool) -> None:
    with session.collection(name, live=True) as collection:
        if not collection.settings.auto_tags:
            raise typer.BadParameter(
                f"{name} has no tags: run `python -m indexer tag {name}` first", param_hint="--key"
            )
        words = None if reset else _corrected(collection, key, add=add, remove=remove)
        item = collection.upsert(key, metadata={**collection.item(key).draft.metadata, AUTO_TAGS: words})
    found = [Tag(word, confidence) for word, confidence in item.draft.auto_tags or ()]
    session.reporter.answer(
        f"{item.key}: {_words(found)}",
        key=item.key,
        tags=[{"word": entry.word, "confidence": entry.confidence} for entry in found],
    )


def _corrected(collection: Collection, key: str, *, add: list[str], remove: list[str]) -> MetadataValue:
    words = [word for word, _ in collection.item(key).draft.auto_tags or ()]
    for word in remove:
        if word not in words:
            raise typer.BadParameter(f"{key} has no tag {word!r}; it has: {', '.join(words)}", param_hint="--remove")
    return [*add, *(word for word in words if word not in remove)]


def _words(tags: list[Tag]) -> str:
    return ", ".join(f"{tag.word} {tag.confidence:.2f}" for tag in tags) or "no word is sure enough"
