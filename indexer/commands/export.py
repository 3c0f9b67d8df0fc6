"""``export`` gives an encoder to other programs: the whole way from a prepared picture's bytes to its vector."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from indexer.commands.options import FusionOption, InputSizeOption, encoder_request
from indexer.commands.session import Session, with_session
from indexer.console.units import size
from lookalike.encoder.registry import BUNDLED
from lookalike.storage import disk_errors

ExportedOption = Annotated[
    str,
    typer.Option(
        "--encoder",
        envvar="LOOKALIKE_ENCODER",
        help="bundled, bundled-int8, bundled-fast, bundled-resnet18, NAME (once installed), or NAME:/path/to/weights. "
        "int8 ones, bundled-fast among them: --format onnx only.",
    ),
]


class FormatName(StrEnum):
    """Kinds of files that an encoder can be written to."""

    ONNX = "onnx"
    ONNX_OPERATOR = "onnx-operator"
    TORCHSCRIPT = "torchscript"


@with_session("encoders_dir")
def export(
    session: Session,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write; OUT.json says what is in it.")],
    encoder: ExportedOption = BUNDLED,
    fusion: FusionOption = None,
    input_size: InputSizeOption = None,
    kind: Annotated[
        FormatName,
        typer.Option(
            "--format",
            help="onnx: standard operators only. onnx-operator: the fusion as a node of its own, with a function that "
            "says what it computes; OpenVINO wants an extension (docs/export.md). torchscript: for old programs.",
        ),
    ] = FormatName.ONNX,
) -> None:
    """Write an encoder to a file that other programs can run: pictures (n, S, S, 3) uint8 in, unit vectors out.

    An int8 encoder is written as the ONNX file that it is. How a picture becomes such a square, and what its vector
    means, is in OUT.json.
    """
    from lookalike.wiring import export_encoder

    request = encoder_request(encoder, fusion, input_size)
    with session.reporter.stage(f"{encoder}: exporting", 0), disk_errors(out):
        spec = export_encoder(request, session.places.encoders_dir, out, kind.value)
    byte_count = out.stat().st_size
    text = f"{encoder} is in {out} ({size(byte_count)}); {out}.json says how to prepare a picture"
    if kind is FormatName.ONNX_OPERATOR:
        text += "; OpenVINO reads it after core.add_extension(lookalike.encoder.openvino_extension.path())"
    session.reporter.answer(
        text,
        file=str(out),
        format=kind.value,
        bytes=byte_count,
        digest=spec.digest,
        dimension=spec.dimension,
        input_size=spec.input_size,
    )
