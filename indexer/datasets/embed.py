"""Embed many pictures with several encoders; each picture is read and decoded once."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from indexer.console.reporter import Reporter
from lookalike.api import RGB, Encoder, Vectors
from lookalike.errors import ImageError, SourceError
from lookalike.images import decode
from lookalike.options import MEBIBYTE, ImageLimits
from lookalike.sources.base import Entry, Source

BATCH = 32
MAX_BUFFER_BYTES = 128 * MEBIBYTE
"""Limit of decoded pictures in memory: a batch of very large ones is encoded before it is full."""

DecodedSizes = dict[int | None, RGB]
"""A picture's pixels by decode side (see `EncoderSpec.decode_side`); None is the full size."""


@dataclass(frozen=True)
class Embeddings:
    """Vectors of a list of entries.

    ``rows`` are the positions of the entries that could be read and decoded, ascending. ``vectors`` has for each
    encoder, by its name from ``encoder_names``, (len(rows), D) float32 of unit length. ``milliseconds`` is each
    encoder's time from pixels to vector for one picture, the median over batches, measured while nothing else runs.
    ``rejections`` has key and error code of the other entries.
    """

    rows: tuple[int, ...]
    vectors: dict[str, Vectors]
    milliseconds: dict[str, float]
    rejections: tuple[tuple[str, str], ...]


def encoder_names(encoders: Sequence[Encoder]) -> tuple[str, ...]:
    """A distinct name for each: the name in its spec, with fusion and input size if two share it."""
    names = Counter(encoder.spec.name for encoder in encoders)
    return tuple(
        spec.name if names[spec.name] == 1 else f"{spec.name} ({spec.fusion}, {spec.input_size} px)"
        for spec in (encoder.spec for encoder in encoders)
    )


def embed_entries(
    encoders: Sequence[Encoder],
    source: Source,
    entries: Sequence[Entry],
    *,
    reporter: Reporter,
    workers: int,
    change: Callable[[RGB], RGB] | None = None,
    limits: ImageLimits = ImageLimits(),  # noqa: B008 - frozen
) -> Embeddings:
    """Read, decode and encode ``entries`` of ``source``, ``change`` applied to the decoded pixels if it is given.

    ``workers`` threads read and decode; memory grows with the number of entries only by their vectors. A picture
    gets the same vector as in indexing; ``change`` is applied at full size, before resizing.
    """
    run = _Run(encoders, encoder_names(encoders), is_scaled=change is None)
    decode_sides = {None} if change is not None else {encoder.spec.decode_side for encoder in encoders}
    with (
        ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool,
        reporter.stage("encoding", len(entries)) as stage,
    ):
        # Decoding pauses while a batch is encoded: both use all cores, and would distort the encoders' times.
        for start in range(0, len(entries), 2 * workers):
            group = entries[start : start + 2 * workers]
            results = pool.map(lambda entry: _decode_entry(source, entry, change, limits, decode_sides), group)
            for position, pixels in enumerate(results, start):
                run.take(position, entries[position], pixels)
            run.encode_if_full()
            stage.advance(len(group), rejected=len(run.rejections))
        run.encode()
    return run.result()


@dataclass
class _Run:
    encoders: Sequence[Encoder]
    names: Sequence[str]
    is_scaled: bool
    rows: list[int] = field(default_factory=list)
    rejections: list[tuple[str, str]] = field(default_factory=list)
    _buffer: list[DecodedSizes] = field(default_factory=list)
    _parts: dict[str, list[Vectors]] = field(default_factory=dict)
    _seconds: dict[str, list[float]] = field(default_factory=dict)

    def take(self, position: int, entry: Entry, result: DecodedSizes | ImageError | SourceError) -> None:
        if isinstance(result, ImageError | SourceError):
            self.rejections.append((entry.key, result.code))
            return
        self.rows.append(position)
        self._buffer.append(result)

    def encode_if_full(self) -> None:
        if len(self._buffer) >= BATCH or sum(map(_byte_count, self._buffer)) >= MAX_BUFFER_BYTES:
            self.encode()

    def encode(self) -> None:
        if not self._buffer:
            return
        for name, encoder in zip(self.names, self.encoders, strict=True):
            pictures = [
                decoded_sizes[encoder.spec.decode_side if self.is_scaled else None] for decoded_sizes in self._buffer
            ]
            start = time.perf_counter()
            self._parts.setdefault(name, []).append(encoder.encode(pictures, batch_size=BATCH))
            self._seconds.setdefault(name, []).append((time.perf_counter() - start) / len(self._buffer))
        self._buffer.clear()

    def result(self) -> Embeddings:
        vectors, milliseconds = {}, {}
        for name, encoder in zip(self.names, self.encoders, strict=True):
            empty = np.empty((0, encoder.spec.dimension), np.float32)
            vectors[name] = np.concatenate([empty, *self._parts.get(name, [])])
            milliseconds[name] = 1000 * statistics.median(self._seconds.get(name, [0.0]))
        return Embeddings(tuple(self.rows), vectors, milliseconds, tuple(self.rejections))


def _decode_entry(
    source: Source,
    entry: Entry,
    change: Callable[[RGB], RGB] | None,
    limits: ImageLimits,
    decode_sides: Collection[int | None],
) -> DecodedSizes | ImageError | SourceError:
    try:
        data = source.read(entry.location, limits.max_bytes)
        decoded_sizes = {
            decode_side: decode(data, limits=limits, name=entry.key, fit=decode_side).pixels
            for decode_side in decode_sides
        }
    except (ImageError, SourceError) as error:
        return error
    return (
        decoded_sizes
        if change is None
        else {decode_side: change(pixels) for decode_side, pixels in decoded_sizes.items()}
    )


def _byte_count(decoded_sizes: DecodedSizes) -> int:
    return sum(pixels.nbytes for pixels in decoded_sizes.values())
