"""``explain``: why two pictures are as similar as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from indexer.commands.options import EncoderOption, FusionOption, InputSizeOption, PictureOption, encoder_request
from indexer.commands.session import Session, with_session
from indexer.reports.contact_sheet import Tile, write_picture
from indexer.reports.explanation_sheet import draw_explanation, words_of
from lookalike.api import Encoder
from lookalike.explanation import Explanation


@with_session("encoders_dir")
def explain(
    session: Session,
    first: Annotated[Path, typer.Argument(metavar="A", help="A picture.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another picture.")],
    out: PictureOption = Path("explanation.png"),
    encoder: EncoderOption = None,
    fusion: FusionOption = None,
    input_size: InputSizeOption = None,
) -> None:
    """Show why two pictures are similar: a score for each part of the encoder, and heat maps over both pictures."""
    request = encoder_request(encoder, fusion, input_size)
    image_encoder = Encoder.load(
        request.name, fusion=request.fusion, input_size=input_size, encoders_dir=session.places.encoders_dir
    )
    pixels = [image_encoder.pixels(picture) for picture in (first, second)]
    explanation = image_encoder.explain(pixels[0], pixels[1])
    title = f"cosine {explanation.score:.3f}, encoder {image_encoder.spec.name}"
    tiles = [Tile(picture, path.name) for picture, path in zip(pixels, (first, second), strict=True)]
    write_picture(out, draw_explanation(tiles[0], tiles[1], explanation, title))
    session.reporter.answer(
        _table(explanation, out),
        score=round(explanation.score, 6),
        parts=[
            {"name": part.name, "score": round(part.score, 6), "share": round(part.share, 6)}
            for part in explanation.parts
        ],
        rest=round(explanation.rest, 6),
        encoder=image_encoder.spec.name,
        path=str(out),
    )


def _table(explanation: Explanation, out: Path) -> str:
    lines = [f"cosine {explanation.score:.4f}", f"{'':<28}{'cosine':>8}{'adds':>8}"]
    for part in explanation.parts:
        lines.append(f"{words_of(part.name, len(explanation.parts)):<28}{part.score:>8.3f}{part.share:>+8.3f}")
    if abs(explanation.rest) >= 0.0005:
        lines.append(f"{'common to all pictures':<36}{explanation.rest:>+8.3f}")
    return "\n".join([*lines, str(out)])
