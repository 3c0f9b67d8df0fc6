"""The trial: every change done to every picture of a sample, and what it does to the scores of each encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from indexer.console.reporter import Reporter
from indexer.datasets.embed import encoder_names
from indexer.datasets.labels import read_labelled
from indexer.ingest.verdicts import names_a_picture
from indexer.robustness.perturbations import CHANGES, RGB, Change
from lookalike.api import Encoder, Vectors
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import ImageEmptyError, ImageError, SourceEmptyError, SourceError, UnsupportedFormatError
from lookalike.images import decode
from lookalike.images.transforms import resize
from lookalike.index.recall import HAIR
from lookalike.options import ImageLimits
from lookalike.sources.base import Entry, Source
from lookalike.thresholds import Threshold, normalized

LONGEST = 640
"""Larger pictures are brought to so many pixels before they are changed: no encoder sees more."""

NO_PICTURE = (UnsupportedFormatError, ImageEmptyError)
"""What a file that is no picture, and is not named like one, is passed over for without a word."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one change did to the scores of one encoder, as means over the pictures.

    ``cosine`` and ``normalized`` are of the changed picture with its original. ``recall`` is the share of changed
    pictures whose original scores best among all originals, ``similar`` the share that the threshold calls similar
    to its original.
    """

    cosine: float
    normalized: float
    recall: float
    similar: float


@dataclass(frozen=True, slots=True)
class Row:
    """One change on so many ``pictures``; an outcome for each encoder, and none where it applied to no picture."""

    change: Change
    pictures: int
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One encoder.

    ``strangers`` is the mean normalised score of two different originals, and ``strangers_similar`` the share of such
    pairs that the threshold calls similar: without these the scores of changed pictures say nothing.
    """

    name: str
    spec: EncoderSpec
    threshold: Threshold
    strangers: float
    strangers_similar: float


@dataclass(frozen=True)
class Example:
    """One picture, and for each change the changed pixels and a cosine for each encoder; None where none applies."""

    key: str
    original: RGB
    changed: tuple[tuple[Change, RGB | None, tuple[float, ...]], ...]

    @property
    def complete(self) -> bool:
        """Whether every change applies to it."""
        return all(pixels is not None for _, pixels, _ in self.changed)


@dataclass(frozen=True)
class Trial:
    """All of it; ``rejected`` are the keys and error codes of pictures that could not be read."""

    pictures: int
    rejected: tuple[tuple[str, str], ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    example: Example


@dataclass
class _Gathered:
    """Vectors as they come; memory grows by 15 vectors a picture for each encoder, and by no pixels."""

    originals: list[list[Vectors]]
    changed: list[list[list[Vectors]]]
    places: list[list[int]]
    rejected: list[tuple[str, str]] = field(default_factory=list)
    example: Example | None = None

    @property
    def pictures(self) -> int:
        return len(self.originals[0])


def run_trial(
    encoders: Sequence[Encoder], source: Source, *, limit: int, reporter: Reporter, limits: ImageLimits
) -> Trial:
    """Change at most ``limit`` pictures of ``source`` in all ways, and score them with each encoder.

    The sample and the changes depend on the source alone: a second run gives the same numbers. Raises
    SourceEmptyError if fewer than two pictures can be read, and the errors of a calibration that is damaged.
    """
    thresholds = [encoder.threshold() for encoder in encoders]
    labelled = read_labelled(source, limit=limit)
    gathered = _Gathered([[] for _ in encoders], [[[] for _ in CHANGES] for _ in encoders], [[] for _ in CHANGES])
    gathered.rejected.extend(labelled.refused)
    with reporter.stage("changing and encoding", len(labelled.entries)) as stage:
        for entry, original in _pictures(source, labelled.entries, limits, gathered):
            if original is not None:
                _take(encoders, entry.key, original, gathered)
            stage.advance(rejected=len(gathered.rejected))
    if gathered.pictures < 2 or gathered.example is None:
        raise SourceEmptyError(
            f"{source.location} has {gathered.pictures} pictures that can be read, and a trial needs two: "
            "give a folder with more",
            subject=source.location,
        )
    tables = [np.stack(vectors) for vectors in gathered.originals]
    named = zip(encoder_names(encoders), encoders, thresholds, tables, strict=True)
    columns = tuple(_column(name, encoder.spec, threshold, table) for name, encoder, threshold, table in named)
    rows = tuple(
        Row(
            change,
            len(gathered.places[number]),
            tuple(
                outcome_of(np.stack(changed[number]), table, gathered.places[number], threshold)
                for changed, table, threshold in zip(gathered.changed, tables, thresholds, strict=True)
                if gathered.places[number]
            ),
        )
        for number, change in enumerate(CHANGES)
    )
    return Trial(gathered.pictures, tuple(gathered.rejected), columns, rows, gathered.example)


def outcome_of(changed: Vectors, originals: Vectors, places: Sequence[int], threshold: Threshold) -> Outcome:
    """(m, D) unit vectors of changed pictures against (n, D) of all originals; ``places`` says whose copy each is.

    An original that shares the best score with another has been found: they are the same picture twice.
    """
    scores = changed @ originals.T
    own = scores[np.arange(len(places)), list(places)].clip(-1, 1)
    found = own >= scores.max(axis=1) - HAIR
    similar = [threshold.similar(float(score)) for score in own]
    cosine = float(own.mean())
    return Outcome(cosine, normalized(cosine), float(found.mean()), float(np.mean(similar)))


def seed_of(key: str, change: str) -> int:
    """The seed of a change of a picture: the same in every run, whatever else the source has."""
    return int.from_bytes(hashlib.sha256(f"{change}\n{key}".encode()).digest()[:8], "big")


def _pictures(
    source: Source, entries: Sequence[Entry], limits: ImageLimits, gathered: _Gathered
) -> Iterator[tuple[Entry, RGB | None]]:
    for entry in entries:
        try:
            pixels = decode(source.read(entry.location, limits.max_bytes), limits=limits, name=entry.key).pixels
        except (ImageError, SourceError) as error:
            if names_a_picture(entry.location) or not isinstance(error, NO_PICTURE):
                gathered.rejected.append((entry.key, error.code))
            yield entry, None
        else:
            yield entry, _reduced(pixels)


def _reduced(pixels: RGB) -> RGB:
    height, width = pixels.shape[:2]
    scale = LONGEST / max(height, width)
    if scale >= 1:
        return pixels
    return resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)))


def _take(encoders: Sequence[Encoder], key: str, original: RGB, gathered: _Gathered) -> None:
    place = gathered.pictures
    made = [change.apply(original, seed_of(key, change.name)) for change in CHANGES]
    applied = [number for number, pixels in enumerate(made) if pixels is not None]
    pictures = [original, *(pixels for pixels in made if pixels is not None)]
    for number in applied:
        gathered.places[number].append(place)
    scores: dict[int, list[float]] = {number: [] for number in applied}
    for encoder, originals, changed in zip(encoders, gathered.originals, gathered.changed, strict=True):
        vectors = encoder.encode(pictures, batch_size=len(pictures))
        originals.append(vectors[0])
        for number, vector in zip(applied, vectors[1:], strict=True):
            changed[number].append(vector)
            scores[number].append(float((vector @ vectors[0]).clip(-1, 1)))
    if gathered.example is None or not gathered.example.complete:
        shown = [(change, made[number], tuple(scores.get(number, ()))) for number, change in enumerate(CHANGES)]
        example = Example(key, original, tuple(shown))
        if gathered.example is None or example.complete:
            gathered.example = example


def _column(name: str, spec: EncoderSpec, threshold: Threshold, originals: Vectors) -> Column:
    pairs: npt.NDArray[np.float32] = (originals @ originals.T)[np.triu_indices(len(originals), 1)]
    similar = float(np.mean([threshold.similar(float(score)) for score in pairs]))
    return Column(name, spec, threshold, normalized(float(pairs.mean())), similar)
