"""How well vectors find pictures of the same label, when every picture asks for the others.

``judge`` ranks everything for every query and keeps a few numbers of each ranking; ``summary`` and ``confusion``
say what they come to. Memory grows with the number of pictures, not with its square.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.index.recall import wilson_interval

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ANSWERS = 5
CURVE = 50
RESAMPLES = 1000
SEED = 1979
BLOCK_BYTES = 64 << 20
"""What the rankings of one block of queries may take, at 8 bytes a pair."""

_STEPS = 1_000_000
_LAST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Judged:
    """Rankings of q queries among n pictures, each number belonging to the query of its row.

    ``names`` are the distinct labels, sorted, and ``labels`` (n,) each picture's place among them. ``queries`` (q,)
    are the positions of the pictures that asked: those whose label another picture has too. ``first_right`` (q,) is
    the rank of the first right answer, from 1; ``right_of_5`` (q,) how many of the first five were right;
    ``average_precision`` (q,) as ``judge`` defines it. ``answers`` and ``scores`` (q, up to 5) are the first
    answers' positions and cosines.
    """

    names: tuple[str, ...]
    labels: Ints
    queries: Ints
    first_right: Ints
    right_of_5: Ints
    average_precision: Doubles
    answers: Ints
    scores: Floats

    def only(self, label: int) -> Judged:
        """The queries of one label alone, by its place in ``names``."""
        rows = self.labels[self.queries] == label
        return Judged(
            self.names,
            self.labels,
            self.queries[rows],
            self.first_right[rows],
            self.right_of_5[rows],
            self.average_precision[rows],
            self.answers[rows],
            self.scores[rows],
        )


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def fields(self) -> dict[str, float]:
        """Rounded to four decimals, for JSON output."""
        return {"value": round(self.value, 4), "low": round(self.low, 4), "high": round(self.high, 4)}


@dataclass(frozen=True)
class Summary:
    """What the rankings of ``queries`` come to; see ``summary``."""

    queries: int
    recall_at_1: Estimate
    recall_at_5: Estimate
    recall_at_10: Estimate
    precision_at_5: Estimate
    mean_average_precision: Estimate


@dataclass(frozen=True)
class Confusion:
    """What the first answer shows.

    ``pairs`` are label asked, label answered and how often, where the two differ; most frequent first. ``names`` are
    the labels that asked or were answered, sorted, and ``matrix`` (c, c) how often a query of the label of the row
    had a first answer of the label of the column.
    """

    pairs: tuple[tuple[str, str, int], ...]
    names: tuple[str, ...]
    matrix: Ints


def judge(vectors: Floats, labels: Sequence[str], advance: Callable[[int], None] | None = None) -> Judged:
    """Let each of ``vectors`` (n, d), of unit length, search the others; n at least 2, one label twice.

    Average precision is the mean of the precision at each right answer's rank, over the whole ranking (Manning,
    Raghavan and Schütze, 2008, section 8.4). Pictures whose label is theirs alone ask nothing. Scores that are the
    same to six decimals, which is what float32 holds of them, keep the order of the rows. ``advance`` is told how
    many queries more have been answered.
    """
    names = tuple(sorted(set(labels)))
    at = {name: place for place, name in enumerate(names)}
    places = np.array([at[label] for label in labels])
    shared = np.flatnonzero(np.bincount(places)[places] > 1)
    block = max(1, BLOCK_BYTES // (8 * len(places)))
    parts = []
    for start in range(0, len(shared), block):
        queries = shared[start : start + block]
        parts.append(_judge_block(vectors, places, queries))
        if advance is not None:
            advance(len(queries))
    first, right, average, answers, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Judged(names, places, shared, first, right, average, answers, scores)


def _judge_block(vectors: Floats, places: Ints, queries: Ints) -> tuple[Ints, Ints, Doubles, Ints, Floats]:
    similarity = vectors[queries] @ vectors.T
    # Score and position in one whole number, so that one fast sort ranks by falling score, then by position.
    keys = (-np.rint(similarity * _STEPS)).astype(np.int64) << 32 | np.arange(len(places))
    keys[np.arange(len(queries)), queries] = _LAST
    keys.sort(axis=1)
    order = keys[:, :-1] & 0xFFFFFFFF
    rows, ranks = np.nonzero(places[order] == places[queries][:, None])
    counts = np.bincount(rows, minlength=len(queries))
    starts = np.cumsum(counts) - counts
    nth = np.arange(len(rows)) - starts[rows] + 1  # this is the nth right answer of its query
    average = np.bincount(rows, nth / (ranks + 1), len(queries)) / counts
    right = np.bincount(rows[ranks < 5], minlength=len(queries))
    answers = order[:, :ANSWERS].copy()
    return ranks[starts] + 1, right, average, answers, np.take_along_axis(similarity, answers, axis=1)


def summary(judged: Judged) -> Summary:
    """Recall@1, 5 and 10 (the share of queries with a right answer so early), precision@5 and mean average precision.

    Precision@5 divides by five even where a label has fewer others. The intervals are Wilson's for the recalls,
    which are shares, and the 2.5th and 97.5th percentiles of a bootstrap over queries (Efron, 1979) for the others;
    they tell how far other queries to the same pictures would agree.
    """
    means = np.stack([judged.right_of_5 / 5, judged.average_precision], axis=1)
    low, high = bootstrap(means)
    precision, average = (Estimate(*map(float, three)) for three in zip(means.mean(axis=0), low, high, strict=True))
    return Summary(
        len(judged.queries),
        _recall(judged, 1),
        _recall(judged, 5),
        _recall(judged, 10),
        precision,
        average,
    )


def _recall(judged: Judged, k: int) -> Estimate:
    hits, total = int(np.count_nonzero(judged.first_right <= k)), len(judged.queries)
    return Estimate(hits / total, *wilson_interval(hits, total))


def bootstrap(values: Doubles) -> tuple[Doubles, Doubles]:
    """The 95 % percentile intervals of the means of ``values`` (q, m): lower ends (m,) and upper ends (m,).

    1000 resamples of the rows with a fixed seed.
    """
    chance = np.random.default_rng(SEED)
    count = len(values)
    held = max(1, 1_000_000 // count)
    means = [
        values[chance.integers(0, count, (min(held, RESAMPLES - start), count))].mean(axis=1)
        for start in range(0, RESAMPLES, held)
    ]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5], axis=0)
    return low, high


def by_class(judged: Judged) -> dict[str, Summary]:
    """``summary`` of each label's own queries, in the order of the labels; labels that asked nothing are left out."""
    asked = np.unique(judged.labels[judged.queries])
    return {judged.names[label]: summary(judged.only(label)) for label in asked.tolist()}


def recall_curve(judged: Judged, longest: int = CURVE) -> list[float]:
    """Recall@k for k = 1 to ``longest``, or to the number of other pictures where there are fewer."""
    longest = min(longest, len(judged.labels) - 1)
    early = np.bincount(np.minimum(judged.first_right, longest + 1), minlength=longest + 2)
    curve: list[float] = (np.cumsum(early)[1 : longest + 1] / len(judged.queries)).tolist()
    return curve


def confusion(judged: Judged) -> Confusion:
    """What the first answers show, by label."""
    asked, answered = judged.labels[judged.queries], judged.labels[judged.answers[:, 0]]
    shown = np.unique(np.concatenate([asked, answered]))
    matrix = np.zeros((len(shown), len(shown)), dtype=np.int64)
    np.add.at(matrix, (np.searchsorted(shown, asked), np.searchsorted(shown, answered)), 1)
    names = tuple(judged.names[label] for label in shown.tolist())
    wrong = Counter(
        {(names[row], names[column]): int(matrix[row, column]) for row, column in np.argwhere(matrix) if row != column}
    )
    return Confusion(tuple((*pair, count) for pair, count in wrong.most_common()), names, matrix)


def worst(judged: Judged, count: int) -> list[int]:
    """Rows of the ``count`` queries of lowest average precision, the lowest first."""
    rows: list[int] = np.argsort(judged.average_precision, kind="stable")[:count].tolist()
    return rows


def retrieval(vectors: Floats, names: Sequence[str]) -> dict[str, float]:
    """Recall@1, precision@5 and mean average precision of ``judge``, as plain numbers."""
    judged = judge(vectors, names)
    return {
        "recall_at_1": float((judged.first_right == 1).mean()),
        "precision_at_5": float(judged.right_of_5.mean() / 5),
        "mean_average_precision": float(judged.average_precision.mean()),
    }
