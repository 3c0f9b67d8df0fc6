"""Runs a comparison of two encoders on a sample of a collection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from indexer.console.reporter import Reporter
from indexer.datasets.embed import embed_entries, encoder_names
from indexer.encoder_comparison.comparison import Comparison, Subject, compare
from indexer.encoder_comparison.sample import Sample, draw_sample
from lookalike.api import Collection, Encoder
from lookalike.collection.layout import CollectionLayout
from lookalike.errors import EncoderMismatchError, EncoderOptionsError, LabelsMissingError, SourceEmptyError
from lookalike.options import EncoderRequest
from lookalike.sources.base import Source
from lookalike.sources.labels import Labels
from lookalike.thresholds import Threshold
from lookalike.wiring import find_calibration


@dataclass(frozen=True, slots=True)
class ComparisonOptions:
    """The maximum number of pictures, the number ``k`` of neighbours to compare, and the column of labels."""

    limit: int
    k: int
    column: str | None = None


@dataclass(frozen=True)
class ComparisonResult:
    """The comparison, its sample, and keys and error codes of pictures that could not be read."""

    collection: str
    comparison: Comparison
    sample: Sample
    rejections: tuple[tuple[str, str], ...]


def present_encoder(collection: Collection, request: EncoderRequest, encoders_dir: Path) -> Encoder:
    """The collection's encoder, which ``request`` must name; raises EncoderMismatchError if it names another."""
    manifest = collection.manifest
    current_request = manifest.encoder_request
    if request.name == current_request.name:
        return collection.encoder
    encoder = Encoder.load(request.name, encoders_dir=encoders_dir)
    differences = encoder.spec.differences(manifest.encoder)
    if differences:
        raise EncoderMismatchError(
            f"the collection {manifest.collection!r} answers with {current_request.name!r}, and {request.name!r} "
            f"differs from it: {'; '.join(differences)}. Compare {current_request.name} with another encoder",
            subject=request.name,
        )
    return encoder


def other_encoder(present: Encoder, request: EncoderRequest, encoders_dir: Path) -> Encoder:
    """The encoder to change to; raises EncoderOptionsError if it makes the same vectors as the present one."""
    encoder = Encoder.load(
        request.name, fusion=request.fusion, input_size=request.input_size, encoders_dir=encoders_dir
    )
    if encoder.spec.digest == present.spec.digest:
        raise EncoderOptionsError(
            f"{request.name} makes the same vectors as {present.spec.name}: there is nothing to compare; name another "
            "encoder, or give it another --fusion or --input-size",
            subject=request.name,
        )
    return encoder


def try_change(
    collection: Collection,
    source: Source,
    encoders: tuple[Encoder, Encoder],
    options: ComparisonOptions,
    *,
    places: tuple[CollectionLayout, Path],
    workers: int,
    reporter: Reporter,
) -> ComparisonResult:
    """Encode pictures of ``collection``, read again from ``source``, with both encoders, and compare the answers.

    ``places`` are the collection's layout and the folder of encoders, both of which may have calibrations. Raises
    LabelsMissingError for a column that no picture has, SourceEmptyError if fewer than two pictures can be read, and
    calibration errors.
    """
    name = collection.manifest.collection
    layout, encoders_dir = places
    thresholds = [Threshold.choose(None, find_calibration(encoder.spec, encoders_dir, layout)) for encoder in encoders]
    sample = draw_sample(collection, options.limit, options.column)
    if options.column is not None and not sample.labels.labelled_count:
        raise LabelsMissingError(
            f"no picture of the collection {name!r} has a value in the column {options.column!r}: name another with "
            "--label, or leave it out",
            subject=options.column,
        )
    reporter.say(f"{name}: {sample.labels.summary}")
    embedding = embed_entries(
        encoders, source, sample.entries, reporter=reporter, workers=workers, limits=collection.limits
    )
    if len(embedding.rows) < 2:
        raise SourceEmptyError(
            f"{source.location} has {len(embedding.rows)} pictures of the collection {name!r} that can be read, and a "
            "comparison needs two: is a disk not mounted?",
            subject=source.location,
        )
    embedded_sample = Sample(
        tuple(sample.entries[row] for row in embedding.rows),
        Labels(sample.labels.place, tuple(sample.labels.values[row] for row in embedding.rows)),
        sample.collection_size,
    )
    before, after = (
        Subject(
            encoder_name, encoder.spec, threshold, embedding.vectors[encoder_name], embedding.milliseconds[encoder_name]
        )
        for encoder_name, encoder, threshold in zip(encoder_names(encoders), encoders, thresholds, strict=True)
    )
    return ComparisonResult(
        name, compare(before, after, embedded_sample.labels.values, options.k), embedded_sample, embedding.rejections
    )
