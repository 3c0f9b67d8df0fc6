"""Commands that ask: ``compare`` and ``montage``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from indexer.commands.options import (
    CollectionOption,
    EncoderOption,
    FusionOption,
    ImagesArgument,
    InputSizeOption,
    KOption,
    PictureOption,
    ThresholdOption,
    encoder_request,
)
from indexer.commands.session import EXIT_DIFFERENT, Session, with_collections, with_session
from indexer.console.judgement_fields import confidence_fields, score_word, threshold_fields
from indexer.reports.contact_sheet import Tile, draw_montage, write_picture
from lookalike.api import RGB, Encoder, Judgement
from lookalike.calibration import percent
from lookalike.collection.hit import Hit
from lookalike.errors import LookalikeError
from lookalike.images import decode
from lookalike.options import ImageLimits
from lookalike.sources.base import Source
from lookalike.thresholds import normalise_score
from lookalike.tiers import Tier

COPIES = {
    Tier.SAME_BYTES: "the files are equal",
    Tier.SAME_PIXELS: "the pixels are equal",
    Tier.NEAR_DUPLICATE: "copies of one picture, decided on pixels",
}


@with_session("encoders_dir")
def compare(
    session: Session,
    first: Annotated[Path, typer.Argument(metavar="A", help="A picture.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another picture.")],
    encoder: EncoderOption = None,
    fusion: FusionOption = None,
    input_size: InputSizeOption = None,
    threshold: ThresholdOption = None,
) -> None:
    """Compare two pictures: score, verdict, tier; exits with 0 if they are similar and with 4 if not."""
    request = encoder_request(encoder, fusion, input_size)
    image_encoder = Encoder.load(
        request.name, fusion=request.fusion, input_size=input_size, encoders_dir=session.places.encoders_dir
    )
    judgement = image_encoder.judge(first, second, threshold=threshold)
    score, limit = judgement.score, judgement.threshold
    session.reporter.answer(
        "\n".join([_verdict(judgement), *_rule_lines(judgement, image_encoder.spec.name)]),
        score=round(score, 6),
        normalized_score=round(normalise_score(score), 6),
        similar=judgement.similar,
        tier=judgement.tier.value,
        keep_both=judgement.keep_both,
        differs_at=[asdict(difference) for difference in judgement.differs_at],
        **confidence_fields(judgement.confidence, judgement.score_problem),
        threshold=threshold_fields(limit),
        encoder=image_encoder.spec.name,
        input_size=image_encoder.spec.input_size,
    )
    if not judgement.similar:
        raise typer.Exit(EXIT_DIFFERENT)


def _verdict(judgement: Judgement) -> str:
    """The first line of ``compare``."""
    scores = f"cosine {judgement.score:.4f} (normalised {normalise_score(judgement.score):.4f})"
    if judgement.tier.is_copy:
        but = "" if judgement.keep_both is None else f", but {judgement.keep_both}"
        return f"similar ({judgement.tier.value}: {COPIES[judgement.tier]}{but}): {scores}"
    if judgement.score_problem is not None:
        return f"{judgement.tier.value}: {scores}, which does not count: {judgement.score_problem}"
    return f"{judgement.tier.value}: {scores}"


def _rule_lines(judgement: Judgement, encoder: str) -> list[str]:
    """What the verdict rests on, and what the score says beside it: a share of pairs, not how sure the verdict is."""
    limit, lines = judgement.threshold, []
    if judgement.confidence is not None:
        lines.append(f"{percent(judgement.confidence)} % of the pairs with this score show the same thing")
    rule = f"similar from {limit.words} on ({limit.source}); encoder {encoder}"
    lines.append(rule if judgement.score_problem is None else f"the score does not count here; else {rule}")
    if judgement.score_problem is None and limit.meaning is not None:
        lines.append(limit.meaning)
    return [f"  {line}" for line in lines]


@with_collections
def montage(
    session: Session,
    images: ImagesArgument,
    collection: CollectionOption,
    out: PictureOption = Path("montage.png"),
    k: KOption = 8,
) -> None:
    """Draw one or more pictures with their neighbours and scores, as one picture.

    The per cent beside a score is the share of pairs with that score that show the same thing.
    """
    with session.collection(collection, live=True) as open_collection:
        answers = open_collection.search_many(images, k)
        with session.source(collection) as source:
            rows = [_row(image, hits, source, session) for image, hits in zip(images, answers, strict=True)]
        title = f"{collection}: {len(open_collection)} pictures, encoder {open_collection.manifest.encoder.name}"
        threshold = open_collection.threshold()
        title += f"; similar from {threshold.cosine:.3f}"
    write_picture(out, draw_montage(rows, title=title))
    session.reporter.answer(str(out), path=str(out), queries=len(rows))


def _row(image: Path, hits: Sequence[Hit], source: Source, session: Session) -> list[Tile]:
    tiles = [Tile(decode(image.read_bytes(), name=str(image)).pixels, "query", image.name)]
    for hit in hits:
        tiles.append(Tile(_pixels(hit, source, session), _caption(hit), hit.title or hit.key))
    return tiles


def _caption(hit: Hit) -> str:
    share = "" if hit.confidence is None else f"  {100 * hit.confidence:.0f} %"
    return f"{hit.score:.3f}{share}  {score_word(similar=hit.similar, confidence=hit.confidence)}"


def _pixels(hit: Hit, source: Source, session: Session) -> RGB:
    """The neighbour's picture, or a grey square where the source no longer has it."""
    try:
        return decode(source.read(hit.location, ImageLimits().max_bytes), name=hit.key).pixels
    except LookalikeError as error:
        session.reporter.say(f"warning: {hit.key} cannot be drawn: {error.message}")
        return np.full((64, 64, 3), 200, dtype=np.uint8)
