"""``embed``: the vectors of pictures, without a collection."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from indexer.commands.options import (
    DEFAULT_WORKERS,
    BatchOption,
    EncoderOption,
    ExcludeOption,
    FusionOption,
    IncludeOption,
    InputSizeOption,
    MaxMegabytesOption,
    MaxMegapixelsOption,
    WorkersOption,
    encoder_request,
    image_limits,
    source_options,
)
from indexer.commands.session import EXIT_REJECTED, Session, with_session
from indexer.console.reporter import Reporter
from indexer.ingest.embedding import EmbeddedPicture, PictureEmbedder, PictureSource, open_pictures
from indexer.ingest.pipeline import PipelineOptions
from indexer.ingest.vector_output import OUTPUT_SUFFIXES, WriteBlock, check_output, open_output, print_lines
from indexer.ingest.verdicts import Verdict
from lookalike.catalogue.records import ItemRecord
from lookalike.encoder.spec import EncoderSpec
from lookalike.item_export.selection import ItemBlock
from lookalike.wiring import load_encoder

_SHOWN = 20
_MANY = 1024
"""Vectors that are written at once: a row group of Parquet."""
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help=f"Write them to this file: {', '.join(OUTPUT_SUFFIXES)}. Beside an array of numpy, the keys of its "
        "rows are in a file of its name with .keys.jsonl. Without it: JSON lines on stdout.",
    ),
]


@with_session("encoders_dir")
def embed(
    session: Session,
    sources: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Pictures, folders, .zip files or manifests.")
    ],
    out: OutOption = None,
    encoder: EncoderOption = None,
    fusion: FusionOption = None,
    input_size: InputSizeOption = None,
    exclude: ExcludeOption = None,
    include: IncludeOption = None,
    max_megabytes: MaxMegabytesOption = 64,
    max_megapixels: MaxMegapixelsOption = 100,
    workers: WorkersOption = DEFAULT_WORKERS,
    batch: BatchOption = 32,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it is there.")] = False,
) -> None:
    """Write the vectors of pictures: those that indexing would give them, without a collection.

    They are in the order in which indexing takes them. A key is that which indexing would give; of several paths, it
    begins with the path. Files that cannot be used are named.
    """
    if out is not None:
        check_output(out, force)
    options = PipelineOptions(batch, workers, image_limits(max_megabytes, max_megapixels))
    reading = source_options(exclude, include, None)
    with ExitStack() as stack:
        opened = [(path, stack.enter_context(closing(open_pictures(path, reading)))) for path in sources]
        port = load_encoder(encoder_request(encoder, fusion, input_size), session.places.encoders_dir)
        embedder = PictureEmbedder(port, options)
        if out is None:
            run = _Run(embedder, session.reporter, print_lines(session.reporter), batch)
        else:
            write = stack.enter_context(open_output(out, port.spec))
            run = _Run(embedder, session.reporter, write, _MANY)
        for path, source in opened:
            run.take(source, prefix=None if len(sources) == 1 else path)
        run.flush()
    _answer(session, run, out, port.spec)
    if run.rejected_count:
        raise typer.Exit(EXIT_REJECTED)


@dataclass
class _Run:
    """Takes the pictures of sources, writes their vectors, and counts."""

    embedder: PictureEmbedder
    reporter: Reporter
    write: WriteBlock
    block: int
    count: int = 0
    rejected_count: int = 0
    ignored_count: int = 0
    _waiting: list[EmbeddedPicture] = field(default_factory=list)

    def take(self, source: PictureSource, prefix: Path | None) -> None:
        """Embed the pictures of one source; their keys get the ``prefix``."""
        with self.reporter.stage("embedding", 0) as stage:
            for result in self.embedder.embed(source):
                if isinstance(result, EmbeddedPicture):
                    self._waiting.append(result if prefix is None else _with_prefix(result, prefix))
                    if len(self._waiting) >= self.block:
                        self.flush()
                elif result.verdict is Verdict.IGNORED:
                    self.ignored_count += 1
                else:
                    self.rejected_count += 1
                    if self.rejected_count <= _SHOWN:
                        self.reporter.say(f"rejected: {result.key}: {result.error.message}")
                stage.advance(rejected=self.rejected_count)

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            items = [
                ItemRecord(self.count + number, picture.draft, "", 0, None)
                for number, picture in enumerate(self._waiting)
            ]
            self.write(ItemBlock(items, np.stack([picture.vector for picture in self._waiting])))
            self.count += len(self._waiting)
            self._waiting = []


def _with_prefix(picture: EmbeddedPicture, prefix: Path) -> EmbeddedPicture:
    key = prefix.as_posix()
    if picture.draft.key == key:  # a single picture, which is called so already
        return picture
    return replace(picture, draft=replace(picture.draft, key=f"{key.rstrip('/')}/{picture.draft.key}"))


def _answer(session: Session, run: _Run, out: Path | None, spec: EncoderSpec) -> None:
    text = f"{run.count} vectors of {spec.dimension} numbers by {spec.name}"
    text += f"; {run.rejected_count} files were rejected" if run.rejected_count else ""
    text += f"; {run.ignored_count} are no pictures" if run.ignored_count else ""
    fields = {"vectors": run.count, "rejected": run.rejected_count, "ignored": run.ignored_count}
    if out is None:
        session.reporter.say(text)
        session.reporter.event("summary", **fields)
    else:
        session.reporter.answer(f"{text} are in {out}", file=str(out), dimension=spec.dimension, **fields)
