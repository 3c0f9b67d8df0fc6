"""A robustness trial: every perturbation of every picture of a sample, scored with each encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from indexer.console.reporter import Reporter
from indexer.datasets.embed import encoder_names
from indexer.datasets.labels import read_labelled
from indexer.ingest.verdicts import has_picture_extension
from indexer.robustness.perturbations import PERTURBATIONS, RGB, Perturbation
from lookalike.api import Encoder, Vectors
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import ImageEmptyError, ImageError, SourceEmptyError, SourceError, UnsupportedFormatError
from lookalike.images import decode
from lookalike.images.transforms import resize
from lookalike.index.recall import SCORE_TOLERANCE
from lookalike.options import ImageLimits
from lookalike.sources.base import Entry, Source
from lookalike.thresholds import Threshold, normalise_score

MAX_SIDE = 640
"""Larger pictures are resized to this before they are perturbed: no encoder's input is larger."""

NOT_A_PICTURE = (UnsupportedFormatError, ImageEmptyError)
"""Errors of files that are no pictures; they are ignored unless the name is that of a picture."""


@dataclass(frozen=True, slots=True)
class PerturbationOutcome:
    """Effect of one perturbation on the scores of one encoder, as means over the pictures.

    ``cosine`` and ``normalized`` are of the perturbed picture with its original. ``recall`` is the share of perturbed
    pictures whose original scores best among all originals, ``similar`` the share that the threshold calls similar
    to its original.
    """

    cosine: float
    normalized: float
    recall: float
    similar: float


@dataclass(frozen=True, slots=True)
class Row:
    """One perturbation of ``pictures``, with an outcome for each encoder; none if it applied to no picture."""

    perturbation: Perturbation
    pictures: int
    outcomes: tuple[PerturbationOutcome, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One encoder.

    ``unrelated_score`` is the mean normalised score of two originals of different labels, and ``unrelated_similar`` the
    share of such pairs that the threshold calls similar; they are the baseline for the scores of perturbed pictures.
    Where all have one label, pairs of it are taken.
    """

    name: str
    spec: EncoderSpec
    threshold: Threshold
    unrelated_score: float
    unrelated_similar: float


@dataclass(frozen=True)
class Example:
    """One picture, and for each perturbation the pixels (None if it does not apply) and a cosine for each encoder."""

    key: str
    original: RGB
    perturbations: tuple[tuple[Perturbation, RGB | None, tuple[float, ...]], ...]

    @property
    def is_complete(self) -> bool:
        """Whether every perturbation applies to it."""
        return all(pixels is not None for _, pixels, _ in self.perturbations)


@dataclass(frozen=True)
class Trial:
    """Results; ``rejected`` are keys and error codes of pictures that could not be read."""

    pictures: int
    rejections: tuple[tuple[str, str], ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    example: Example


@dataclass
class _Accumulator:
    """Collects vectors; memory grows by 15 vectors a picture for each encoder, but not by pixels."""

    originals: list[list[Vectors]]
    perturbed_vectors: list[list[list[Vectors]]]
    rows: list[list[int]]
    keys: list[str] = field(default_factory=list)
    rejections: list[tuple[str, str]] = field(default_factory=list)
    example: Example | None = None

    @property
    def pictures(self) -> int:
        return len(self.originals[0])


def run_trial(
    encoders: Sequence[Encoder], source: Source, *, limit: int, reporter: Reporter, limits: ImageLimits
) -> Trial:
    """Apply all perturbations to at most ``limit`` pictures of ``source``, and score them with each encoder.

    A sample has pictures of as many labels as there are. Sample and perturbations depend on the source alone: a second
    run gives the same numbers. Raises SourceEmptyError if fewer than two pictures can be read, and the errors of a
    calibration that is damaged.
    """
    thresholds = [encoder.threshold() for encoder in encoders]
    sample = read_labelled(source, limit=limit, least=1)
    label_by_key = dict(zip((entry.key for entry in sample.entries), sample.labels.values, strict=True))
    accumulator = _Accumulator(
        [[] for _ in encoders], [[[] for _ in PERTURBATIONS] for _ in encoders], [[] for _ in PERTURBATIONS]
    )
    accumulator.rejections.extend(sample.rejections)
    with reporter.stage("perturbing and encoding", len(sample.entries)) as stage:
        for entry, original in _read_pictures(source, sample.entries, limits, accumulator):
            if original is not None:
                _add_picture(encoders, entry.key, original, accumulator)
            stage.advance(rejected=len(accumulator.rejections))
    if accumulator.pictures < 2 or accumulator.example is None:
        raise SourceEmptyError(
            f"{source.location} has {accumulator.pictures} pictures that can be read, and a trial needs two: "
            "give a folder with more",
            subject=source.location,
        )
    original_vectors = [np.stack(vectors) for vectors in accumulator.originals]
    encoder_rows = zip(encoder_names(encoders), encoders, thresholds, original_vectors, strict=True)
    unrelated = _unrelated_pairs([label_by_key[key] for key in accumulator.keys])
    columns = tuple(
        _column(name, encoder.spec, threshold, (table @ table.T)[unrelated])
        for name, encoder, threshold, table in encoder_rows
    )
    rows = tuple(
        Row(
            perturbation,
            len(accumulator.rows[number]),
            tuple(
                outcome_of(np.stack(vectors_by_perturbation[number]), table, accumulator.rows[number], threshold)
                for vectors_by_perturbation, table, threshold in zip(
                    accumulator.perturbed_vectors, original_vectors, thresholds, strict=True
                )
                if accumulator.rows[number]
            ),
        )
        for number, perturbation in enumerate(PERTURBATIONS)
    )
    return Trial(accumulator.pictures, tuple(accumulator.rejections), columns, rows, accumulator.example)


def outcome_of(
    perturbed_vectors: Vectors, originals: Vectors, rows: Sequence[int], threshold: Threshold
) -> PerturbationOutcome:
    """Compare (m, D) unit vectors of perturbed pictures with (n, D) of all originals; ``rows`` are their originals.

    An original that ties for the best score counts as found: the other one is a copy of it.
    """
    scores = perturbed_vectors @ originals.T
    own_scores = scores[np.arange(len(rows)), list(rows)].clip(-1, 1)
    is_found = own_scores >= scores.max(axis=1) - SCORE_TOLERANCE
    similar = [threshold.similar(float(score)) for score in own_scores]
    cosine = float(own_scores.mean())
    return PerturbationOutcome(cosine, normalise_score(cosine), float(is_found.mean()), float(np.mean(similar)))


def seed_of(key: str, perturbation: str) -> int:
    """The seed for a perturbation of a picture; independent of the other pictures of the source."""
    return int.from_bytes(hashlib.sha256(f"{perturbation}\n{key}".encode()).digest()[:8], "big")


def _read_pictures(
    source: Source, entries: Sequence[Entry], limits: ImageLimits, accumulator: _Accumulator
) -> Iterator[tuple[Entry, RGB | None]]:
    for entry in entries:
        try:
            pixels = decode(source.read(entry.location, limits.max_bytes), limits=limits, name=entry.key).pixels
        except (ImageError, SourceError) as error:
            if has_picture_extension(entry.location) or not isinstance(error, NOT_A_PICTURE):
                accumulator.rejections.append((entry.key, error.code))
            yield entry, None
        else:
            yield entry, _limit_size(pixels)


def _limit_size(pixels: RGB) -> RGB:
    height, width = pixels.shape[:2]
    scale = MAX_SIDE / max(height, width)
    if scale >= 1:
        return pixels
    return resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)))


def _add_picture(encoders: Sequence[Encoder], key: str, original: RGB, accumulator: _Accumulator) -> None:
    row = accumulator.pictures
    accumulator.keys.append(key)
    perturbed_pictures = [
        perturbation.apply(original, seed_of(key, perturbation.name)) for perturbation in PERTURBATIONS
    ]
    applicable = [number for number, pixels in enumerate(perturbed_pictures) if pixels is not None]
    pictures = [original, *(pixels for pixels in perturbed_pictures if pixels is not None)]
    for number in applicable:
        accumulator.rows[number].append(row)
    scores: dict[int, list[float]] = {number: [] for number in applicable}
    for encoder, originals, perturbed_vectors in zip(
        encoders, accumulator.originals, accumulator.perturbed_vectors, strict=True
    ):
        vectors = encoder.encode(pictures, batch_size=len(pictures))
        originals.append(vectors[0])
        for number, vector in zip(applicable, vectors[1:], strict=True):
            perturbed_vectors[number].append(vector)
            scores[number].append(float((vector @ vectors[0]).clip(-1, 1)))
    if accumulator.example is None or not accumulator.example.is_complete:
        results = [
            (perturbation, perturbed_pictures[number], tuple(scores.get(number, ())))
            for number, perturbation in enumerate(PERTURBATIONS)
        ]
        example = Example(key, original, tuple(results))
        if accumulator.example is None or example.is_complete:
            accumulator.example = example


def _unrelated_pairs(labels: Sequence[str | None]) -> npt.NDArray[np.bool_]:
    """(n, n), true for each pair of pictures once, but for those that share a label; for all where all share one."""
    every_pair: npt.NDArray[np.bool_] = np.triu(np.ones((len(labels), len(labels)), bool), 1)
    same_label = np.array([[first is not None and first == second for second in labels] for first in labels])
    unrelated = every_pair & ~same_label
    return unrelated if unrelated.any() else every_pair


def _column(name: str, spec: EncoderSpec, threshold: Threshold, scores: npt.NDArray[np.float32]) -> Column:
    """``scores`` (p) are the cosines of pairs of unrelated originals."""
    similar = float(np.mean([threshold.similar(float(score)) for score in scores]))
    return Column(name, spec, threshold, normalise_score(float(scores.mean())), similar)
