"""Two encoders over the same pictures: how far their answers agree, and what becomes of the scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.evaluation.measures import Summary, judge, summary
from lookalike.api import Vectors
from lookalike.encoder.spec import EncoderSpec
from lookalike.thresholds import Threshold, normalized

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
PAIRS = 50_000
"""Two pictures that have nothing to do with each other are drawn so often, or all pairs are taken if they are fewer."""

SHOWN = 10
BLOCK = 256
SEED = 5
_STEPS = 1_000_000


@dataclass(frozen=True, slots=True)
class Subject:
    """One encoder's part: what it is called, and (n, D) unit vectors of the same n pictures."""

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
    """What one encoder gives: its first answers, its strangers, and how well it does on labels if there are any."""

    name: str
    spec: EncoderSpec
    threshold: Threshold
    milliseconds: float
    first: Spread
    strangers: Spread
    quality: Summary | None


@dataclass(frozen=True, slots=True)
class Query:
    """A picture by its row, how much of its k answers stays, and the first answers of both: rows and cosines."""

    row: int
    overlap: float
    before: tuple[tuple[int, float], ...]
    after: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Comparison:
    """``pictures`` of them, each a query among the others.

    ``overlap`` is the mean over queries of the share of the ``k`` answers that both give, ``first_stays`` the share of
    queries whose first answer is the same. ``labelled`` counts the pictures whose labels were used; 0 if there are
    none that can be. ``changed`` are the queries whose answers changed most.
    """

    pictures: int
    k: int
    overlap: float
    first_stays: float
    labelled: int
    before: Side
    after: Side
    changed: tuple[Query, ...]


def compare(before: Subject, after: Subject, labels: Sequence[str | None], k: int) -> Comparison:
    """Let each of n pictures (at least 2) search the others with both encoders; ``k`` is cut to n - 1.

    ``labels`` has one for each picture, or None. They are used if there are two different ones and two pictures that
    share one: then strangers are two pictures of different labels, else any two different pictures.
    """
    count = len(labels)
    k = min(k, count - 1)
    known = usable(labels)
    pairs = stranger_pairs(labels if known else [None] * count)
    (rows_a, scores_a), (rows_b, scores_b) = answers(before.vectors, k), answers(after.vectors, k)
    shared = np.array([len(set(a) & set(b)) for a, b in zip(rows_a.tolist(), rows_b.tolist(), strict=True)]) / k
    order = np.argsort(shared, kind="stable")[:SHOWN]
    return Comparison(
        pictures=count,
        k=k,
        overlap=float(shared.mean()),
        first_stays=float((rows_a[:, 0] == rows_b[:, 0]).mean()),
        labelled=len(known),
        before=_side(before, scores_a, pairs, known, labels),
        after=_side(after, scores_b, pairs, known, labels),
        changed=tuple(
            Query(row, float(shared[row]), _named(rows_a[row], scores_a[row]), _named(rows_b[row], scores_b[row]))
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
        own = np.arange(len(block))
        keys = (-np.rint(block * _STEPS)).astype(np.int64)
        keys[own, own + start] = _STEPS * 2  # behind every cosine
        best = np.argsort(keys, axis=1, kind="stable")[:, :k]
        rows[start : start + BLOCK] = best
        scores[start : start + BLOCK] = np.take_along_axis(block, best, axis=1).clip(-1, 1)
    return rows, scores


def usable(labels: Sequence[str | None]) -> list[int]:
    """The rows that have a label, if there are two different labels and one that two rows share; else none."""
    known = [row for row, label in enumerate(labels) if label is not None]
    distinct = {labels[row] for row in known}
    return known if 2 <= len(distinct) < len(known) else []


def stranger_pairs(labels: Sequence[str | None]) -> tuple[Ints, Ints]:
    """Pairs of different rows: of different labels where there are labels, else any; the same ones each time.

    Raises ValueError for fewer than two rows.
    """
    count = len(labels)
    if count < 2:
        raise ValueError("strangers need two rows")
    if count * (count - 1) // 2 <= PAIRS:
        first, second = np.triu_indices(count, 1)
    else:
        chance = np.random.default_rng(SEED)
        first = chance.integers(0, count, PAIRS)
        second = (first + chance.integers(1, count, PAIRS)) % count
    if any(label is not None for label in labels):
        places = {label: place for place, label in enumerate(dict.fromkeys(labels))}
        codes = np.array([-1 if label is None else places[label] for label in labels])
        apart = (codes[first] >= 0) & (codes[second] >= 0) & (codes[first] != codes[second])
        first, second = first[apart], second[apart]
    return first, second


def _side(
    subject: Subject, first: Floats, pairs: tuple[Ints, Ints], known: Sequence[int], labels: Sequence[str | None]
) -> Side:
    # Row by row, since the vectors of all pairs at once would be a hundred times those of the pictures.
    strangers = np.array(
        [subject.vectors[one] @ subject.vectors[other] for one, other in zip(*pairs, strict=True)], dtype=np.float32
    )
    names = [label for row in known if (label := labels[row]) is not None]
    return Side(
        subject.name,
        subject.spec,
        subject.threshold,
        subject.milliseconds,
        _spread(first[:, 0], subject.threshold),
        _spread(strangers.clip(-1, 1), subject.threshold),
        summary(judge(subject.vectors[list(known)], names)) if known else None,
    )


def _spread(scores: Floats, threshold: Threshold) -> Spread:
    shown = normalized(scores.astype(np.float64))  # type: ignore[arg-type]
    quantiles = tuple(float(value) for value in np.quantile(shown, QUANTILES))
    return Spread(float(np.mean(shown)), quantiles, float(np.mean(shown >= threshold.value)))


def _named(rows: Ints, scores: Floats) -> tuple[tuple[int, float], ...]:
    return tuple((int(row), float(score)) for row, score in zip(rows[:5], scores[:5], strict=True))
