"""The subject of an evaluation: labelled pictures with vectors of one or more encoders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.console.reporter import Reporter
from indexer.datasets.embed import embed_entries, encoder_names
from indexer.datasets.labels import read_labelled, spread_sample
from indexer.ingest.verdicts import has_picture_extension
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
from lookalike.sources.labels import Labels, check_column, choose_labels

INDEX_QUERIES, INDEX_K = 1000, 10
SEED = 7
_NOT_A_PICTURE = frozenset({UnsupportedFormatError.code, ImageEmptyError.code})


@dataclass(frozen=True)
class EncoderFacts:
    """One encoder of an evaluation.

    ``milliseconds`` is the time from pixels to vector for one picture, ``weights_bytes`` the size of the weights file;
    both are None for a collection, whose vectors are stored.
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
    label"). ``unlabelled_count`` is the number of pictures without a label, which are left out; ``rejections`` has key
    and error code of unusable files. ``index_recall`` is the recall of the collection's index against exact search;
    None for a source.
    """

    title: str
    keys: tuple[str, ...]
    locations: tuple[str, ...]
    labels: tuple[str, ...]
    source_of_labels: str
    encoders: tuple[EncoderFacts, ...]
    vectors: Mapping[str, Vectors]
    unlabelled_count: int = 0
    rejections: tuple[tuple[str, str], ...] = ()
    index_recall: Recall | None = None

    @property
    def singletons(self) -> int:
        """Number of pictures whose label no other picture has; they are no queries."""
        return sum(count == 1 for count in Counter(self.labels).values())


@dataclass(frozen=True)
class SubjectOptions:
    """The ``column`` of labels (None: see ``choose_labels``), and the maximum number of pictures."""

    column: str | None = None
    limit: int | None = None


def subject_of_source(
    source: Source,
    encoders: Sequence[tuple[Encoder, Path]],
    options: SubjectOptions,
    *,
    workers: int,
    reporter: Reporter,
) -> Subject:
    """Read and encode the labelled pictures of ``source``; each encoder comes with its weights file.

    Files that are no pictures, and not named like one, are ignored, as ``index`` does. Raises LabelsMissingError,
    SourceEmptyError if no picture can be read, and what the source raises.
    """
    with reporter.stage("listing", 0) as stage:
        sample = read_labelled(source, options.column, options.limit)
        stage.advance(len(sample.entries))
    labelled_entries = list(zip(sample.entries, sample.labels.values, strict=True))
    labelled_pairs = [(entry, label) for entry, label in labelled_entries if label is not None]
    unlabelled_entries = [entry for entry, label in labelled_entries if label is None]
    if sample.entries:
        check_labels([label for _, label in labelled_pairs], source.location)
    reporter.say(f"{source.location}: {sample.labels.summary}")
    encoder_list = [encoder for encoder, _ in encoders]
    entries = [entry for entry, _ in labelled_pairs]
    embedding = embed_entries(encoder_list, source, entries, reporter=reporter, workers=workers)
    if not embedding.rows:
        raise SourceEmptyError(
            f"{source.location} has no picture that can be read{_rejection_counts(embedding.rejections)}: check the "
            "path",
            subject=source.location,
        )
    labels = tuple(labelled_pairs[row][1] for row in embedding.rows)
    check_labels(labels, source.location)
    locations = {entry.key: entry.location for entry in entries}
    rejections = [
        pair
        for pair in embedding.rejections
        if pair[1] not in _NOT_A_PICTURE or has_picture_extension(locations[pair[0]])
    ]
    return Subject(
        title=source.location,
        keys=tuple(entries[row].key for row in embedding.rows),
        locations=tuple(entries[row].location for row in embedding.rows),
        labels=labels,
        source_of_labels=str(sample.labels.place),
        encoders=tuple(
            _facts(name, encoder, embedding.milliseconds[name], weights)
            for name, (encoder, weights) in zip(encoder_names(encoder_list), encoders, strict=True)
        ),
        vectors=embedding.vectors,
        unlabelled_count=sum(has_picture_extension(entry.location) for entry in unlabelled_entries),
        rejections=(*sample.rejections, *rejections),
    )


def subject_of_collection(
    collection: Collection, index: VectorIndex, options: SubjectOptions, reporter: Reporter
) -> Subject:
    """The stored vectors of a collection and the labels of its rows; nothing is encoded.

    ``index`` is the snapshot's own: its recall@10 is measured against exact search over the same vectors, for up to
    1000 of them. Raises LabelsMissingError, SourceEmptyError if the collection is empty, and SnapshotDamagedError if
    rows and vectors do not belong together.
    """
    manifest = collection.manifest
    collection.check_rows()
    vectors = np.empty((len(collection), manifest.dimension), np.float32)
    keys, locations = [], []
    if options.column is not None:
        check_column(
            f"the collection {manifest.collection!r}", (item.draft for item in collection.items()), options.column
        )
    all_labels = choose_labels((item.draft for item in collection.items()), options.column)
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
    sampled_rows = range(len(keys)) if options.limit is None else spread_sample(all_labels.values, options.limit)
    labelled_rows = [row for row in sampled_rows if all_labels.values[row] is not None]
    row_labels = tuple(label for row in labelled_rows if (label := all_labels.values[row]) is not None)
    check_labels(row_labels, f"the collection {manifest.collection!r}")
    reporter.say(f"{manifest.collection}: {Labels(all_labels.place, row_labels).summary}")
    spec = manifest.encoder
    return Subject(
        title=manifest.collection,
        keys=tuple(keys[row] for row in labelled_rows),
        locations=tuple(locations[row] for row in labelled_rows),
        labels=row_labels,
        source_of_labels=str(all_labels.place),
        encoders=(EncoderFacts(spec.name, spec.digest, spec.dimension, spec.input_size),),
        vectors={spec.name: vectors[labelled_rows]},
        unlabelled_count=len(sampled_rows) - len(labelled_rows),
        index_recall=recall,
    )


def check_labels(labels: Sequence[str], source_name: str) -> None:
    """Raise LabelsMissingError unless there are two labels, and two pictures that share one."""
    counts = Counter(labels)
    if not counts:
        problem = "has no labels: put pictures into a folder for each class, or name the column with --label"
    elif len(counts) == 1:
        problem = f"has one label only, {labels[0]!r}: every answer would be right; add pictures of another"
    elif counts.most_common(1)[0][1] == 1:
        problem = "has a label of its own for each picture: no answer could be right; name another column with --label"
    else:
        return
    raise LabelsMissingError(f"{source_name} {problem}", subject=source_name)


def _index_recall(index: VectorIndex, vectors: Vectors) -> Recall:
    query_rows = np.random.default_rng(SEED).permutation(len(vectors))[:INDEX_QUERIES]
    return measure_recall(index, vectors, vectors[np.sort(query_rows)], INDEX_K)


def _facts(name: str, encoder: Encoder, milliseconds: float, weights: Path) -> EncoderFacts:
    spec = encoder.spec
    return EncoderFacts(name, spec.digest, spec.dimension, spec.input_size, milliseconds, weights.stat().st_size)


def _rejection_counts(rejections: Sequence[tuple[str, str]]) -> str:
    codes = Counter(code for _, code in rejections).most_common()
    return f" ({', '.join(f'{count} {code}' for code, count in codes)})" if codes else ""
