"""Comparison of two encoders on the same pictures: overlap of their answers, and spread of their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.evaluation.measures import Summary, rank_queries, summary
from lookalike.api import Vectors
from lookalike.encoder.spec import EncoderSpec
from lookalike.thresholds import Threshold, normalise_score

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MAX_UNRELATED_PAIRS = 50_000
"""Number of unrelated pairs that are drawn; if there are fewer pairs in all, each is taken."""

MAX_QUERIES = 10
BLOCK = 256
SEED = 5
_STEPS = 1_000_000


@dataclass(frozen=True, slots=True)
class Subject:
    """One encoder with (n, D) unit vectors of the same n pictures."""

    name: str
    spec: EncoderSpec
    threshold: Threshold
    vectors: Vectors
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and quantiles (of QUANTILES) of normalised scores, and the share that the threshold calls similar."""

    mean: float
    quantiles: tuple[float, ...]
    similar: float


@dataclass(frozen=True, slots=True)
class Side:
    """Results of one encoder: scores of first answers and of unrelated pairs, and metrics if there are labels."""

    name: str
    spec: EncoderSpec
    threshold: Threshold
    milliseconds: float
    first: Spread
    unrelated_scores: Spread
    quality: Summary | None


@dataclass(frozen=True, slots=True)
class Query:
    """A query by its row, the overlap of its k answers, and the first answers of both encoders: rows and cosines."""

    row: int
    overlap: float
    before: tuple[tuple[int, float], ...]
    after: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Comparison:
    """Comparison over ``pictures``, each a query among the others.

    ``overlap`` is the mean over queries of the share of the ``k`` answers that both give, ``first_stays`` the share of
    queries whose first answer is the same. ``labelled_count`` counts the pictures whose labels were used; 0 if the
    labels cannot be used. ``changed_queries`` are the queries whose answers changed most.
    """

    pictures: int
    k: int
    overlap: float
    first_stays: float
    labelled_count: int
    before: Side
    after: Side
    changed_queries: tuple[Query, ...]


def compare(before: Subject, after: Subject, labels: Sequence[str | None], k: int) -> Comparison:
    """Search with each of n pictures (at least 2) among the others with both encoders; ``k`` is at most n - 1.

    ``labels`` has one for each picture, or None. They are used if there are two different ones and two pictures that
    share one: then unrelated pairs have different labels, else they are any two pictures.
    """
    count = len(labels)
    k = min(k, count - 1)
    label_rows = usable_label_rows(labels)
    pairs = unrelated_pairs(labels if label_rows else [None] * count)
    (rows_a, scores_a), (rows_b, scores_b) = answers(before.vectors, k), answers(after.vectors, k)
    overlaps = np.array([len(set(a) & set(b)) for a, b in zip(rows_a.tolist(), rows_b.tolist(), strict=True)]) / k
    order = np.argsort(overlaps, kind="stable")[:MAX_QUERIES]
    return Comparison(
        pictures=count,
        k=k,
        overlap=float(overlaps.mean()),
        first_stays=float((rows_a[:, 0] == rows_b[:, 0]).mean()),
        labelled_count=len(label_rows),
        before=_summarise_side(before, scores_a, pairs, label_rows, labels),
        after=_summarise_side(after, scores_b, pairs, label_rows, labels),
        changed_queries=tuple(
            Query(
                row, float(overlaps[row]), _top_hits(rows_a[row], scores_a[row]), _top_hits(rows_b[row], scores_b[row])
            )
            for row in order.tolist()
        ),
    )


def answers(vectors: Vectors, k: int) -> tuple[Ints, Floats]:
    """The k best other rows for each of (n, D) unit vectors, and their cosines, best first; both (n, k).

    Scores that are the same to six decimals, which is what float32 holds of them, are ordered by row, so that copies
    of a picture do not count as changed answers.
    """
    rows = np.empty((len(vectors), k), dtype=np.int64)
    scores = np.empty((len(vectors), k), dtype=np.float32)
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK] @ vectors.T
        diagonal = np.arange(len(block))
        keys = (-np.rint(block * _STEPS)).astype(np.int64)
        keys[diagonal, diagonal + start] = _STEPS * 2  # after every cosine
        best_rows = np.argsort(keys, axis=1, kind="stable")[:, :k]
        rows[start : start + BLOCK] = best_rows
        scores[start : start + BLOCK] = np.take_along_axis(block, best_rows, axis=1).clip(-1, 1)
    return rows, scores


def usable_label_rows(labels: Sequence[str | None]) -> list[int]:
    """The rows that have a label, if there are two different labels and one that two rows share; else none."""
    rows = [row for row, label in enumerate(labels) if label is not None]
    distinct = {labels[row] for row in rows}
    return rows if 2 <= len(distinct) < len(rows) else []


def unrelated_pairs(labels: Sequence[str | None]) -> tuple[Ints, Ints]:
    """Pairs of different rows, with different labels if there are labels; deterministic.

    Raises ValueError for fewer than two rows.
    """
    count = len(labels)
    if count < 2:
        raise ValueError("unrelated pairs need two rows")
    if count * (count - 1) // 2 <= MAX_UNRELATED_PAIRS:
        first, second = np.triu_indices(count, 1)
    else:
        generator = np.random.default_rng(SEED)
        first = generator.integers(0, count, MAX_UNRELATED_PAIRS)
        second = (first + generator.integers(1, count, MAX_UNRELATED_PAIRS)) % count
    if any(label is not None for label in labels):
        label_codes = {label: place for place, label in enumerate(dict.fromkeys(labels))}
        codes = np.array([-1 if label is None else label_codes[label] for label in labels])
        differ = (codes[first] >= 0) & (codes[second] >= 0) & (codes[first] != codes[second])
        first, second = first[differ], second[differ]
    return first, second


def _summarise_side(
    subject: Subject, first: Floats, pairs: tuple[Ints, Ints], label_rows: Sequence[int], labels: Sequence[str | None]
) -> Side:
    # Pair by pair: the vectors of all pairs at once would take a hundred times the memory of the pictures' vectors.
    unrelated_cosines = np.array(
        [
            subject.vectors[first_row] @ subject.vectors[second_row]
            for first_row, second_row in zip(*pairs, strict=True)
        ],
        dtype=np.float32,
    )
    names = [label for row in label_rows if (label := labels[row]) is not None]
    return Side(
        subject.name,
        subject.spec,
        subject.threshold,
        subject.milliseconds,
        _score_spread(first[:, 0], subject.threshold),
        _score_spread(unrelated_cosines.clip(-1, 1), subject.threshold),
        summary(rank_queries(subject.vectors[list(label_rows)], names)) if label_rows else None,
    )


def _score_spread(scores: Floats, threshold: Threshold) -> Spread:
    normalised_scores = normalise_score(scores.astype(np.float64))  # type: ignore[arg-type]
    quantiles = tuple(float(value) for value in np.quantile(normalised_scores, QUANTILES))
    return Spread(float(np.mean(normalised_scores)), quantiles, float(np.mean(normalised_scores >= threshold.value)))


def _top_hits(rows: Ints, scores: Floats) -> tuple[tuple[int, float], ...]:
    return tuple((int(row), float(score)) for row, score in zip(rows[:5], scores[:5], strict=True))
