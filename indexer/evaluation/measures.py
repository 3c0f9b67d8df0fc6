"""Retrieval metrics of labelled vectors, where every picture is a query among the others.

``rank_queries`` ranks all pictures for every query and keeps a few numbers of each ranking; ``summary`` and
``confusion`` aggregate them. Memory grows linearly with the number of pictures.
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
"""Memory for the rankings of one block of queries, at 8 bytes a pair."""

_STEPS = 1_000_000
_LAST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Rankings:
    """Rankings of q queries among n pictures.

    ``names`` are the distinct labels, sorted, and ``labels`` (n,) each picture's index into them. ``queries`` (q,) are
    the rows of the queries: pictures whose label another picture has too. ``first_right`` (q,) is the rank of the
    first right answer, from 1; ``right_of_5`` (q,) the number of right ones among the first five;
    ``average_precision`` (q,) as ``rank_queries`` defines it. ``answers`` and ``scores`` (q, up to 5) are the rows and
    cosines of the first answers.
    """

    names: tuple[str, ...]
    labels: Ints
    queries: Ints
    first_right: Ints
    right_of_5: Ints
    average_precision: Doubles
    answers: Ints
    scores: Floats

    def of_label(self, label: int) -> Rankings:
        """The queries of one label, by its index in ``names``."""
        rows = self.labels[self.queries] == label
        return Rankings(
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
    """Metrics over ``queries`` rankings; see ``summary``."""

    queries: int
    recall_at_1: Estimate
    recall_at_5: Estimate
    recall_at_10: Estimate
    precision_at_5: Estimate
    mean_average_precision: Estimate


@dataclass(frozen=True)
class Confusion:
    """Confusion of labels by the first answer.

    ``pairs`` are the query's label, the first answer's label and the count, where the two differ; most frequent first.
    ``names`` are the labels of queries or first answers, sorted, and ``matrix`` (c, c) counts queries of the row's
    label whose first answer has the column's label.
    """

    pairs: tuple[tuple[str, str, int], ...]
    names: tuple[str, ...]
    matrix: Ints


def rank_queries(vectors: Floats, labels: Sequence[str], advance: Callable[[int], None] | None = None) -> Rankings:
    """Rank the others for each of ``vectors`` (n, d), of unit length; n at least 2, one label twice.

    Average precision is the mean of the precision at each right answer's rank, over the whole ranking (Manning,
    Raghavan and Schütze, 2008, section 8.4). Pictures whose label no other has are not queries. Scores that are the
    same to six decimals, which is what float32 holds of them, keep the order of the rows. The progress
    callback ``advance`` gets the number of queries of each block.
    """
    names = tuple(sorted(set(labels)))
    label_index = {name: place for place, name in enumerate(names)}
    label_codes = np.array([label_index[label] for label in labels])
    query_rows = np.flatnonzero(np.bincount(label_codes)[label_codes] > 1)
    block = max(1, BLOCK_BYTES // (8 * len(label_codes)))
    parts = []
    for start in range(0, len(query_rows), block):
        queries = query_rows[start : start + block]
        parts.append(_rank_block(vectors, label_codes, queries))
        if advance is not None:
            advance(len(queries))
    first_right, right, average, answers, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Rankings(names, label_codes, query_rows, first_right, right, average, answers, scores)


def _rank_block(vectors: Floats, label_codes: Ints, queries: Ints) -> tuple[Ints, Ints, Doubles, Ints, Floats]:
    similarity = vectors[queries] @ vectors.T
    # Score and row in one integer, so that one fast sort ranks by falling score, then by row.
    keys = (-np.rint(similarity * _STEPS)).astype(np.int64) << 32 | np.arange(len(label_codes))
    keys[np.arange(len(queries)), queries] = _LAST
    keys.sort(axis=1)
    ranked_rows = keys[:, :-1] & 0xFFFFFFFF
    rows, ranks = np.nonzero(label_codes[ranked_rows] == label_codes[queries][:, None])
    counts = np.bincount(rows, minlength=len(queries))
    starts = np.cumsum(counts) - counts
    hit_numbers = np.arange(len(rows)) - starts[rows] + 1  # counts the right answers of a query from 1
    average = np.bincount(rows, hit_numbers / (ranks + 1), len(queries)) / counts
    right = np.bincount(rows[ranks < 5], minlength=len(queries))
    answers = ranked_rows[:, :ANSWERS].copy()
    return ranks[starts] + 1, right, average, answers, np.take_along_axis(similarity, answers, axis=1)


def summary(rankings: Rankings) -> Summary:
    """Recall@1, 5 and 10 (the share of queries with a right answer so early), precision@5 and mean average precision.

    Precision@5 divides by five even where a label has fewer others. The intervals are Wilson's for the recalls,
    which are shares, and the 2.5th and 97.5th percentiles of a bootstrap over queries (Efron, 1979) for the others:
    the variation over other queries to the same pictures.
    """
    means = np.stack([rankings.right_of_5 / 5, rankings.average_precision], axis=1)
    low, high = bootstrap(means)
    precision, average = (Estimate(*map(float, values)) for values in zip(means.mean(axis=0), low, high, strict=True))
    return Summary(
        len(rankings.queries),
        _recall(rankings, 1),
        _recall(rankings, 5),
        _recall(rankings, 10),
        precision,
        average,
    )


def _recall(rankings: Rankings, k: int) -> Estimate:
    hits, total = int(np.count_nonzero(rankings.first_right <= k)), len(rankings.queries)
    return Estimate(hits / total, *wilson_interval(hits, total))


def bootstrap(values: Doubles) -> tuple[Doubles, Doubles]:
    """The 95 % percentile intervals of the means of ``values`` (q, m): lower ends (m,) and upper ends (m,).

    1000 resamples of the rows with a fixed seed.
    """
    generator = np.random.default_rng(SEED)
    count = len(values)
    batch_size = max(1, 1_000_000 // count)
    means = [
        values[generator.integers(0, count, (min(batch_size, RESAMPLES - start), count))].mean(axis=1)
        for start in range(0, RESAMPLES, batch_size)
    ]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5], axis=0)
    return low, high


def by_class(rankings: Rankings) -> dict[str, Summary]:
    """``summary`` of each label's queries, in the order of the labels; labels without queries are left out."""
    query_labels = np.unique(rankings.labels[rankings.queries])
    return {rankings.names[label]: summary(rankings.of_label(label)) for label in query_labels.tolist()}


def recall_curve(rankings: Rankings, longest: int = CURVE) -> list[float]:
    """Recall@k for k = 1 to ``longest``, or to the number of other pictures if there are fewer."""
    longest = min(longest, len(rankings.labels) - 1)
    early = np.bincount(np.minimum(rankings.first_right, longest + 1), minlength=longest + 2)
    curve: list[float] = (np.cumsum(early)[1 : longest + 1] / len(rankings.queries)).tolist()
    return curve


def confusion(rankings: Rankings) -> Confusion:
    """Count the labels of queries and of their first answers."""
    query_labels, answer_labels = rankings.labels[rankings.queries], rankings.labels[rankings.answers[:, 0]]
    labels_present = np.unique(np.concatenate([query_labels, answer_labels]))
    matrix = np.zeros((len(labels_present), len(labels_present)), dtype=np.int64)
    np.add.at(
        matrix, (np.searchsorted(labels_present, query_labels), np.searchsorted(labels_present, answer_labels)), 1
    )
    names = tuple(rankings.names[label] for label in labels_present.tolist())
    error_counts = Counter(
        {(names[row], names[column]): int(matrix[row, column]) for row, column in np.argwhere(matrix) if row != column}
    )
    return Confusion(tuple((*pair, count) for pair, count in error_counts.most_common()), names, matrix)


def worst(rankings: Rankings, count: int) -> list[int]:
    """Rows of the ``count`` queries of lowest average precision, the lowest first."""
    rows: list[int] = np.argsort(rankings.average_precision, kind="stable")[:count].tolist()
    return rows


def retrieval_metrics(vectors: Floats, names: Sequence[str]) -> dict[str, float]:
    """Recall@1, precision@5 and mean average precision, without intervals."""
    rankings = rank_queries(vectors, names)
    return {
        "recall_at_1": float((rankings.first_right == 1).mean()),
        "precision_at_5": float(rankings.right_of_5.mean() / 5),
        "mean_average_precision": float(rankings.average_precision.mean()),
    }
