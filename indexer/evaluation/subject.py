"""What is evaluated: labelled pictures with the vectors of one or more encoders, from a source or from a collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.console.reporter import Reporter
from indexer.datasets.embed import embed_entries, encoder_names
from indexer.datasets.labels import Labels, choose_labels, read_labelled, spread_sample
from indexer.ingest.verdicts import names_a_picture
from lookalike.api import Collection, Encoder, Vectors
from lookalike.errors import (
    ImageEmptyError,
    LabelsMissingError,
    SourceEmptyError,
    UnsupportedFormatError,
)
from lookalike.index.base import VectorIndex
from lookalike.index.recall import Recall, measure_recall
from lookalike.sources.base import Source

INDEX_QUERIES, INDEX_K = 1000, 10
SEED = 7
_NO_PICTURE = frozenset({UnsupportedFormatError.code, ImageEmptyError.code})


@dataclass(frozen=True)
class EncoderFacts:
    """One encoder of an evaluation.

    ``milliseconds`` is what a picture costs from pixels to vector, ``weights_bytes`` the size of the weights file;
    both are None where the vectors were stored already and no encoder was loaded.
    """

    name: str
    digest: str
    dimension: int
    input_size: int
    milliseconds: float | None = None
    weights_bytes: int | None = None


@dataclass(frozen=True)
class Subject:
    """n labelled pictures: row i of ``keys``, ``locations``, ``labels`` and of each encoder's (n, D) vectors.

    ``title`` says where they come from, ``source_of_labels`` where their labels do ("folder names", "the column
    label"). ``unlabelled`` counts pictures left out for want of a label, ``rejected``
    has key and error code of what could not be used. ``index_recall`` is the collection's index against exact
    search; None for a source, which has no index.
    """

    title: str
    keys: tuple[str, ...]
    locations: tuple[str, ...]
    labels: tuple[str, ...]
    source_of_labels: str
    encoders: tuple[EncoderFacts, ...]
    vectors: Mapping[str, Vectors]
    unlabelled: int = 0
    rejected: tuple[tuple[str, str], ...] = ()
    index_recall: Recall | None = None

    @property
    def alone(self) -> int:
        """How many pictures ask nothing because their label is theirs alone."""
        return sum(count == 1 for count in Counter(self.labels).values())


@dataclass(frozen=True)
class Choice:
    """Which pictures: labels from ``column`` (else as ``choose_labels`` finds them), at most ``limit`` of them."""

    column: str | None = None
    limit: int | None = None


def subject_of_source(
    source: Source, encoders: Sequence[tuple[Encoder, Path]], choice: Choice, *, workers: int, reporter: Reporter
) -> Subject:
    """Read and encode the labelled pictures of ``source``; each encoder comes with its weights file.

    Files that are no pictures, and not named like one, are passed over as ``index`` does. Raises LabelsMissingError,
    SourceEmptyError if no picture can be read, and what the source raises.
    """
    with reporter.stage("listing", 0) as stage:
        known = read_labelled(source, choice.column, choice.limit)
        stage.advance(len(known.entries))
    both = list(zip(known.entries, known.labels.values, strict=True))
    chosen = [(entry, label) for entry, label in both if label is not None]
    loose = [entry for entry, label in both if label is None]
    if known.entries:
        check_labels([label for _, label in chosen], source.location)
    reporter.say(f"{source.location}: {known.labels.summary}")
    loaded = [encoder for encoder, _ in encoders]
    entries = [entry for entry, _ in chosen]
    found = embed_entries(loaded, source, entries, reporter=reporter, workers=workers)
    if not found.kept:
        raise SourceEmptyError(
            f"{source.location} has no picture that can be read{_why(found.rejected)}: check the path",
            subject=source.location,
        )
    labels = tuple(chosen[row][1] for row in found.kept)
    check_labels(labels, source.location)
    locations = {entry.key: entry.location for entry in entries}
    rejected = [pair for pair in found.rejected if pair[1] not in _NO_PICTURE or names_a_picture(locations[pair[0]])]
    return Subject(
        title=source.location,
        keys=tuple(entries[row].key for row in found.kept),
        locations=tuple(entries[row].location for row in found.kept),
        labels=labels,
        source_of_labels=str(known.labels.place),
        encoders=tuple(
            _facts(name, encoder, found.milliseconds[name], weights)
            for name, (encoder, weights) in zip(encoder_names(loaded), encoders, strict=True)
        ),
        vectors=found.vectors,
        unlabelled=sum(names_a_picture(entry.location) for entry in loose),
        rejected=(*known.refused, *rejected),
    )


def subject_of_collection(collection: Collection, index: VectorIndex, choice: Choice, reporter: Reporter) -> Subject:
    """The stored vectors of a collection and the labels of its rows; nothing is encoded.

    ``index`` is the snapshot's own: its recall@10 is measured against exact search over the same vectors, for up to
    1000 of them. Raises LabelsMissingError, SourceEmptyError if the collection is empty, and SnapshotDamagedError if
    rows and vectors do not belong together.
    """
    manifest = collection.manifest
    collection.check_rows()
    vectors = np.empty((len(collection), manifest.dimension), np.float32)
    keys, locations = [], []
    every = choose_labels((item.draft for item in collection.items()), choice.column)
    with reporter.stage(f"{manifest.collection}: reading vectors", len(collection)) as stage:
        for row, item in enumerate(collection.items()):
            draft = item.draft
            vectors[row] = collection.vector(item)
            keys.append(draft.key)
            locations.append(draft.location)
            stage.advance()
    if not keys:
        raise SourceEmptyError(f"the collection {manifest.collection!r} has no pictures", subject=manifest.collection)
    recall = _index_recall(index, vectors)
    wanted = range(len(keys)) if choice.limit is None else spread_sample(every.values, choice.limit)
    kept = [row for row in wanted if every.values[row] is not None]
    known = tuple(label for row in kept if (label := every.values[row]) is not None)
    check_labels(known, f"the collection {manifest.collection!r}")
    reporter.say(f"{manifest.collection}: {Labels(every.place, known).summary}")
    spec = manifest.encoder
    return Subject(
        title=manifest.collection,
        keys=tuple(keys[row] for row in kept),
        locations=tuple(locations[row] for row in kept),
        labels=known,
        source_of_labels=str(every.place),
        encoders=(EncoderFacts(spec.name, spec.digest, spec.dimension, spec.input_size),),
        vectors={spec.name: vectors[kept]},
        unlabelled=len(wanted) - len(kept),
        index_recall=recall,
    )


def check_labels(labels: Sequence[str], where: str) -> None:
    """Raise LabelsMissingError unless there are two labels, and two pictures that share one."""
    counts = Counter(labels)
    if not counts:
        what = "has no labels: put pictures into a folder for each class, or name the column with --label"
    elif len(counts) == 1:
        what = f"has one label only, {labels[0]!r}: every answer would be right; add pictures of another"
    elif counts.most_common(1)[0][1] == 1:
        what = "has a label of its own for each picture: no answer could be right; name another column with --label"
    else:
        return
    raise LabelsMissingError(f"{where} {what}", subject=where)


def _index_recall(index: VectorIndex, vectors: Vectors) -> Recall:
    chosen = np.random.default_rng(SEED).permutation(len(vectors))[:INDEX_QUERIES]
    return measure_recall(index, vectors, vectors[np.sort(chosen)], INDEX_K)


def _facts(name: str, encoder: Encoder, milliseconds: float, weights: Path) -> EncoderFacts:
    spec = encoder.spec
    return EncoderFacts(name, spec.digest, spec.dimension, spec.input_size, milliseconds, weights.stat().st_size)


def _why(rejected: Sequence[tuple[str, str]]) -> str:
    codes = Counter(code for _, code in rejected).most_common()
    return f" ({', '.join(f'{count} {code}' for code, count in codes)})" if codes else ""
