"""One comparison from beginning to end: the encoders, the pictures, their vectors, and what these say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from indexer.console.reporter import Reporter
from indexer.datasets.embed import embed_entries, encoder_names
from indexer.datasets.labels import Labels
from indexer.encoder_comparison.comparison import Comparison, Subject, compare
from indexer.encoder_comparison.sample import Sample, draw
from lookalike.api import Collection, Encoder
from lookalike.catalogue.records import EncoderRequest
from lookalike.collection.layout import CollectionLayout
from lookalike.errors import EncoderMismatchError, EncoderOptionsError, LabelsMissingError, SourceEmptyError
from lookalike.sources.base import Source
from lookalike.thresholds import Threshold
from lookalike.wiring import find_calibration


@dataclass(frozen=True, slots=True)
class Choice:
    """How much of the collection is tried, how many answers are looked at, and which column has labels."""

    limit: int
    k: int
    column: str | None = None


@dataclass(frozen=True)
class Outcome:
    """The comparison, the pictures that it was made on, and keys and error codes of those that could not be read."""

    collection: str
    comparison: Comparison
    sample: Sample
    rejected: tuple[tuple[str, str], ...]


def present_encoder(collection: Collection, request: EncoderRequest, encoders_dir: Path) -> Encoder:
    """The collection's encoder, which ``request`` must name; raises EncoderMismatchError if it names another."""
    manifest = collection.manifest
    made = EncoderRequest(**manifest.encoder_request)
    if request.name == made.name:
        return collection.encoder
    loaded = Encoder.load(request.name, encoders_dir=encoders_dir)
    differences = loaded.spec.differences(manifest.encoder)
    if differences:
        raise EncoderMismatchError(
            f"the collection {manifest.collection!r} answers with {made.name!r}, and {request.name!r} differs from it: "
            f"{'; '.join(differences)}. Compare {made.name} with another encoder",
            subject=request.name,
        )
    return loaded


def other_encoder(present: Encoder, request: EncoderRequest, encoders_dir: Path) -> Encoder:
    """The encoder to change to; raises EncoderOptionsError if it makes the same vectors as the present one."""
    loaded = Encoder.load(request.name, fusion=request.fusion, input_size=request.input_size, encoders_dir=encoders_dir)
    if loaded.spec.digest == present.spec.digest:
        raise EncoderOptionsError(
            f"{request.name} makes the same vectors as {present.spec.name}: there is nothing to change; name another "
            "encoder, or give it another --fusion or --input-size",
            subject=request.name,
        )
    return loaded


def try_change(
    collection: Collection,
    source: Source,
    encoders: tuple[Encoder, Encoder],
    choice: Choice,
    *,
    places: tuple[CollectionLayout, Path],
    workers: int,
    reporter: Reporter,
) -> Outcome:
    """Encode pictures of ``collection`` with both encoders, as ``source`` has them now, and compare the answers.

    ``places`` are the collection's and the folder of encoders, where calibrations lie. Raises LabelsMissingError for
    a column that no picture has, SourceEmptyError if fewer than two pictures can be read, and calibration errors.
    """
    name = collection.manifest.collection
    layout, encoders_dir = places
    thresholds = [Threshold.choose(None, find_calibration(each.spec, encoders_dir, layout)) for each in encoders]
    sample = draw(collection, choice.limit, choice.column)
    if choice.column is not None and not sample.labels.labelled:
        raise LabelsMissingError(
            f"no picture of the collection {name!r} has a value in the column {choice.column!r}: name another with "
            "--label, or leave it out",
            subject=choice.column,
        )
    reporter.say(f"{name}: {sample.labels.summary}")
    found = embed_entries(
        encoders, source, sample.entries, reporter=reporter, workers=workers, limits=collection.limits
    )
    if len(found.kept) < 2:
        raise SourceEmptyError(
            f"{source.location} has {len(found.kept)} pictures of the collection {name!r} that can be read, and a "
            "comparison needs two: is a disk not mounted?",
            subject=source.location,
        )
    kept = Sample(
        tuple(sample.entries[row] for row in found.kept),
        Labels(sample.labels.place, tuple(sample.labels.values[row] for row in found.kept)),
        sample.of,
    )
    before, after = (
        Subject(called, each.spec, threshold, found.vectors[called], found.milliseconds[called])
        for called, each, threshold in zip(encoder_names(encoders), encoders, thresholds, strict=True)
    )
    return Outcome(name, compare(before, after, kept.labels.values, choice.k), kept, found.rejected)
