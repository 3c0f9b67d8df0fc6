"""``explain``: why two pictures are as similar as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from indexer.commands.options import (
    DEFAULT_DATA,
    EncoderOption,
    EncodersOption,
    FusionOption,
    InputSizeOption,
    JsonOption,
    encoder_request,
    make_session,
)
from indexer.reports.contact_sheet import Tile
from indexer.reports.explanation_sheet import draw_explanation, words_of
from lookalike.api import Encoder
from lookalike.explanation import Explanation
from lookalike.images import encode_png
from lookalike.storage import disk_errors, write_atomically


def explain(
    first: Annotated[Path, typer.Argument(metavar="A", help="A picture.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another picture.")],
    out: Annotated[Path, typer.Option("--out", "-o", envvar="LOOKALIKE_OUT", help="The PNG file to write.")] = Path(
        "explanation.png"
    ),
    encoder: EncoderOption = None,
    fusion: FusionOption = None,
    input_size: InputSizeOption = None,
    encoders_dir: EncodersOption = None,
    json: JsonOption = False,
) -> None:
    """Show why two pictures are alike: a score for each part of the encoder, and what it rests on in each picture."""
    session = make_session(DEFAULT_DATA, None, encoders_dir, json)
    request = encoder_request(encoder, fusion, input_size)
    loaded = Encoder.load(
        request.name, fusion=request.fusion, input_size=input_size, encoders_dir=session.places.encoders_dir
    )
    pixels = [loaded.pixels(picture) for picture in (first, second)]
    found = loaded.explain(pixels[0], pixels[1])
    title = f"cosine {found.score:.3f}, encoder {loaded.spec.name}"
    tiles = [Tile(picture, path.name) for picture, path in zip(pixels, (first, second), strict=True)]
    with disk_errors(out):
        write_atomically(out, encode_png(draw_explanation(tiles[0], tiles[1], found, title)))
    session.reporter.answer(
        _table(found, out),
        score=round(found.score, 6),
        parts=[
            {"name": part.name, "score": round(part.score, 6), "share": round(part.share, 6)} for part in found.parts
        ],
        rest=round(found.rest, 6),
        encoder=loaded.spec.name,
        path=str(out),
    )


def _table(found: Explanation, out: Path) -> str:
    lines = [f"cosine {found.score:.4f}", f"{'':<28}{'alike':>8}{'adds':>8}"]
    for part in found.parts:
        lines.append(f"{words_of(part.name, len(found.parts)):<28}{part.score:>8.3f}{part.share:>+8.3f}")
    if abs(found.rest) >= 0.0005:
        lines.append(f"{'what all pictures have':<36}{found.rest:>+8.3f}")
    return "\n".join([*lines, str(out)])
