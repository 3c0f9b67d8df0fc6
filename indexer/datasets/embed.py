"""Vectors of many pictures from several encoders at once: each picture is read and decoded a single time."""

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
HELD_BYTES = 128 * MEBIBYTE
"""Decoded pictures held at once: a batch of very large ones is encoded before it is full."""

Decoded = dict[int | None, RGB]
"""A picture's pixels, by what the shorter side had to keep (see `EncoderSpec.decode_side`); None is all of them."""


@dataclass(frozen=True)
class Embedded:
    """What became of a list of entries.

    ``kept`` are the positions of those that could be read and decoded, rising. ``vectors`` has for each encoder, by
    its name as ``encoder_names`` gives it, (len(kept), D) float32 of unit length. ``milliseconds`` is what a picture
    costs each encoder from pixels to vector, as the median over batches; nothing else runs meanwhile. ``rejected``
    has key and error code of the others.
    """

    kept: tuple[int, ...]
    vectors: dict[str, Vectors]
    milliseconds: dict[str, float]
    rejected: tuple[tuple[str, str], ...]


def encoder_names(encoders: Sequence[Encoder]) -> tuple[str, ...]:
    """What to call each: the name in its spec, and where two share it, fusion and input size too."""
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
) -> Embedded:
    """Read, decode and encode ``entries`` of ``source``, ``change`` applied to the decoded pixels if it is given.

    ``workers`` threads read and decode; memory does not grow with the number of entries but for their vectors. A
    picture has the very vector that indexing gives it; a changed one is changed in full, before it is made smaller.
    """
    run = _Run(encoders, encoder_names(encoders), scaled=change is None)
    fits = {None} if change is not None else {encoder.spec.decode_side for encoder in encoders}
    with (
        ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool,
        reporter.stage("encoding", len(entries)) as stage,
    ):
        # Decoding stops while a batch is encoded: both would use all cores, and the encoders' times would be untrue.
        for start in range(0, len(entries), 2 * workers):
            group = entries[start : start + 2 * workers]
            decoded = pool.map(lambda entry: _pixels(source, entry, change, limits, fits), group)
            for place, pixels in enumerate(decoded, start):
                run.take(place, entries[place], pixels)
            run.encode_if_full()
            stage.advance(len(group), rejected=len(run.rejected))
        run.encode()
    return run.result()


@dataclass
class _Run:
    encoders: Sequence[Encoder]
    names: Sequence[str]
    scaled: bool
    kept: list[int] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    _waiting: list[Decoded] = field(default_factory=list)
    _parts: dict[str, list[Vectors]] = field(default_factory=dict)
    _seconds: dict[str, list[float]] = field(default_factory=dict)

    def take(self, place: int, entry: Entry, decoded: Decoded | ImageError | SourceError) -> None:
        if isinstance(decoded, ImageError | SourceError):
            self.rejected.append((entry.key, decoded.code))
            return
        self.kept.append(place)
        self._waiting.append(decoded)

    def encode_if_full(self) -> None:
        if len(self._waiting) >= BATCH or sum(map(_bytes, self._waiting)) >= HELD_BYTES:
            self.encode()

    def encode(self) -> None:
        if not self._waiting:
            return
        for name, encoder in zip(self.names, self.encoders, strict=True):
            pictures = [decoded[encoder.spec.decode_side if self.scaled else None] for decoded in self._waiting]
            start = time.perf_counter()
            self._parts.setdefault(name, []).append(encoder.encode(pictures, batch_size=BATCH))
            self._seconds.setdefault(name, []).append((time.perf_counter() - start) / len(self._waiting))
        self._waiting.clear()

    def result(self) -> Embedded:
        vectors, milliseconds = {}, {}
        for name, encoder in zip(self.names, self.encoders, strict=True):
            empty = np.empty((0, encoder.spec.dimension), np.float32)
            vectors[name] = np.concatenate([empty, *self._parts.get(name, [])])
            milliseconds[name] = 1000 * statistics.median(self._seconds.get(name, [0.0]))
        return Embedded(tuple(self.kept), vectors, milliseconds, tuple(self.rejected))


def _pixels(
    source: Source, entry: Entry, change: Callable[[RGB], RGB] | None, limits: ImageLimits, fits: Collection[int | None]
) -> Decoded | ImageError | SourceError:
    try:
        data = source.read(entry.location, limits.max_bytes)
        decoded = {fit: decode(data, limits=limits, name=entry.key, fit=fit).pixels for fit in fits}
    except (ImageError, SourceError) as error:
        return error
    return decoded if change is None else {fit: change(pixels) for fit, pixels in decoded.items()}


def _bytes(decoded: Decoded) -> int:
    return sum(pixels.nbytes for pixels in decoded.values())
