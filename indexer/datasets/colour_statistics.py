"""Colour statistics of a corpus, with which a network's input is normalised."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from indexer.console.reporter import Reporter
from indexer.ingest.verdicts import has_picture_extension
from lookalike.encoder.network.operators import channel_moments
from lookalike.errors import LookalikeError, SourceEmptyError
from lookalike.images import decode
from lookalike.options import ImageLimits
from lookalike.sources.base import RefusedEntry, Source


@dataclass(frozen=True, slots=True)
class CorpusStatistics:
    """Mean and standard deviation of red, green and blue on 0..1, over all pixels of all pictures."""

    pictures: int
    refused: int
    pixels: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def fields(self) -> dict[str, Any]:
        """For JSON output."""
        return asdict(self)


def corpus_statistics(source: Source, limits: ImageLimits, reporter: Reporter) -> CorpusStatistics:
    """Compute mean and standard deviation with the compiled operator, on all threads, from exact integer sums.

    Unusable pictures are left out and reported. Raises SourceEmptyError if none can be used.
    """
    sums, pixels, pictures, refused_count = np.zeros((2, 3)), 0, 0, 0
    total = sum(1 for _ in source.entries())
    with reporter.stage("reading", total) as stage:
        for entry in source.entries():
            try:
                if isinstance(entry, RefusedEntry):
                    raise entry.error
                data = source.read(entry.location, limits.max_bytes)
                picture = decode(data, limits=limits, name=entry.key).pixels
            except LookalikeError as error:
                refused_count += 1
                if isinstance(entry, RefusedEntry) or has_picture_extension(entry.location):
                    reporter.say(f"left out: {error.message}")
            else:
                sums += channel_moments(picture[None])
                pixels += picture.shape[0] * picture.shape[1]
                pictures += 1
            stage.advance()
    if pixels == 0:
        raise SourceEmptyError(f"{source.location} has no picture that can be read", subject=source.location)
    mean = sums[0] / pixels / 255
    # Var(x) = E(x²) - E(x)²; both sums are exact, so cancellation costs no more than the last rounding.
    deviation = np.sqrt(np.maximum(sums[1] / pixels / 255**2 - mean**2, 0))
    return CorpusStatistics(
        pictures,
        refused_count,
        pixels,
        tuple(float(value) for value in mean),
        tuple(float(value) for value in deviation),
    )
