"""Items whose label does not agree with what they show.

A linear classifier is fitted to the vectors and the labels as they are, and says of each item what it would have said
without it (``lookalike.insights.ridge``). As in confident learning (C. Northcutt, L. Jiang, I. Chuang, "Confident
learning: estimating uncertainty in dataset labels", 2021) each label j has a threshold of its own, the mean score of j
over the items that are labelled j, and scores count in parts of it:

    margin of item i with the label y  =  t̄ · (max over j ≠ y of s_ij / t_j  -  s_iy / t_y)

with s_ij the leave-one-out score, t_j the threshold, at least 0.2, and t̄ the mean of all t_j. An item is suspect from a
margin of 0.35 on. The penalty is fitted to the labels that are there; rule and margin were chosen by measurement
(``benchmarks/mislabelled.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.catalogue.records import ItemRecord
from lookalike.errors import LabelsMissingError
from lookalike.filters.builder import refuse
from lookalike.index.base import ProgressCallback, Vectors, ignore_progress
from lookalike.index.progress import count_steps
from lookalike.insights.item_labels import UNLABELLED, ItemLabels
from lookalike.insights.ridge import Floats, Labels, Moments, RidgeClassifier
from lookalike.insights.subset import ItemSubset, Places

DEFAULT_MARGIN = 0.35
MIN_ITEMS = 3
"""Items that a label needs, so that those beside one say what is usual of it."""
MAX_LABELS = 10_000
_MIN_THRESHOLD = 0.2
_PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0)
_MAX_FITTED = 20_000
"""The most items that the penalty is fitted to; the classifier itself is fitted to all."""
_MAX_SCORES = 1 << 22
"""Scores that are in memory at a time."""
NEIGHBOURS = 5


@dataclass(frozen=True, slots=True)
class SuspectLabel:
    """An item, its ``label``, and the one that suits it better.

    ``margin`` is by how much, see the module. Scores estimate probabilities, so if one of the two labels is right, the
    suggested one is with the ``confidence`` (1 + margin) / 2, at most 1. ``neighbour_labels`` are those of its nearest
    labelled neighbours, the nearest first.
    """

    item: ItemRecord
    label: str
    suggested: str
    margin: float
    confidence: float
    neighbour_labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MislabelledReport:
    """The suspect labels, the surest first; ``total`` is how many there are, ``suspects`` the first of them.

    ``judged`` items were looked at; those of labels with fewer than three items, ``rare``, and the ``unlabelled`` were
    not. ``label_count`` labels of ``place`` took part, and ``rare_labels`` did not.
    """

    suspects: tuple[SuspectLabel, ...]
    total: int
    judged: int
    rare: int
    unlabelled: int
    label_count: int
    rare_labels: tuple[str, ...]
    place: str


def find_mislabelled(
    subset: ItemSubset,
    labels: ItemLabels,
    *,
    margin: float = DEFAULT_MARGIN,
    top: int | None = None,
    progress: ProgressCallback = ignore_progress,
) -> MislabelledReport:
    """The items whose label another one beats by ``margin`` or more, at most ``top`` of them.

    Raises LabelsMissingError unless two labels have three items each, FilterInvalidError for a margin that is not
    between 0 and 2, VectorsInvalidError and SnapshotDamagedError.
    """
    if not 0 <= margin <= 2:
        refuse("margin", f"must be from 0 to 2, got {margin}")
    if top is not None and top < 1:
        refuse("top", f"at least 1 item has to be listed, got {top}")
    judge = _LabelJudge.fit(subset, labels, progress)
    margins, best = judge.margins(progress)
    is_suspect = np.flatnonzero(margins >= margin)
    order = is_suspect[np.argsort(-margins[is_suspect], kind="stable")][:top]
    places = judge.places[order]
    neighbours = _neighbour_labels(subset, labels, places)
    suspects = tuple(
        SuspectLabel(
            item,
            labels.names[int(labels.numbers[place])],
            judge.names[int(best[row])],
            round(float(margins[row]), 4),
            round(min(1.0, (1 + float(margins[row])) / 2), 4),
            near,
        )
        for item, place, row, near in zip(
            subset.records(places), places.tolist(), order.tolist(), neighbours, strict=True
        )
    )
    unlabelled = int(np.count_nonzero(labels.numbers == UNLABELLED))
    rare_labels = tuple(name for name, size in zip(labels.names, labels.sizes(), strict=True) if size < MIN_ITEMS)
    judged = len(judge.places)
    rare = len(subset) - unlabelled - judged
    return MislabelledReport(
        suspects, len(is_suspect), judged, rare, unlabelled, len(judge.names), rare_labels, labels.place
    )


@dataclass(frozen=True, slots=True, eq=False)
class _LabelJudge:
    """The fitted classifier over the items at ``places`` (n,), which have the ``labels`` (n,) in ``names``."""

    subset: ItemSubset
    places: Places
    labels: Labels
    names: tuple[str, ...]
    classifier: RidgeClassifier
    penalty: float
    thresholds: Floats

    @classmethod
    def fit(cls, subset: ItemSubset, labels: ItemLabels, progress: ProgressCallback) -> _LabelJudge:
        """Raises LabelsMissingError."""
        sizes = labels.sizes()
        common = np.flatnonzero(sizes >= MIN_ITEMS)
        _check_label_count(labels, sizes, len(common))
        numbers = np.full(len(sizes) + 1, -1)  # the last one is that of items without a label
        numbers[common] = np.arange(len(common))
        common_labels = numbers[labels.numbers]
        places = np.flatnonzero(common_labels >= 0)
        own_labels = common_labels[places].astype(np.int64)
        names = tuple(labels.names[number] for number in common.tolist())
        moments = Moments(subset.searcher.snapshot.manifest.dimension, len(names))
        advance = count_steps(progress, "fitted", len(places))
        for rows, vectors in _blocks(subset, places, len(names)):
            moments.add(vectors, own_labels[rows])
            advance(len(vectors))
        classifier = RidgeClassifier.fit(moments)
        sample = np.linspace(0, len(places) - 1, min(len(places), _MAX_FITTED)).astype(np.int64)
        penalty = _choose_penalty(classifier, subset, places[sample], own_labels[sample])
        thresholds = np.zeros(len(names))
        for rows, vectors in _blocks(subset, places, len(names)):
            np.add.at(thresholds, own_labels[rows], classifier.own_scores(vectors, own_labels[rows], penalty))
        thresholds = np.maximum(thresholds / moments.counts, _MIN_THRESHOLD)
        return cls(subset, places, own_labels, names, classifier, penalty, thresholds)

    def relative_scores(self, rows: Places, vectors: Vectors) -> Floats:
        """The scores (m, C) in parts of the labels' thresholds, times their mean."""
        scores = self.classifier.scores(vectors, self.labels[rows], self.penalty)
        return np.asarray(scores / self.thresholds * self.thresholds.mean())

    def margins(self, progress: ProgressCallback) -> tuple[Floats, Labels]:
        """For each item by how much the best other label beats its own (n,), and which one that is (n,)."""
        margins = np.empty(len(self.places))
        best = np.empty(len(self.places), np.int64)
        advance = count_steps(progress, "judged", len(self.places))
        for rows, vectors in _blocks(self.subset, self.places, len(self.names)):
            scores = self.relative_scores(rows, vectors)
            lines = np.arange(len(rows))
            own = scores[lines, self.labels[rows]].copy()
            scores[lines, self.labels[rows]] = -np.inf
            best[rows] = scores.argmax(axis=1)
            margins[rows] = scores[lines, best[rows]] - own
            advance(len(vectors))
        return margins, best


def _choose_penalty(classifier: RidgeClassifier, subset: ItemSubset, places: Places, labels: Labels) -> float:
    """The penalty with the least sum of squared leave-one-out errors (D. Allen's PRESS, 1974)."""
    errors = np.zeros(len(_PENALTIES))
    for rows, vectors in _blocks(subset, places, len(classifier.shares)):
        for number, penalty in enumerate(_PENALTIES):
            scores = classifier.scores(vectors, labels[rows], penalty)
            scores[np.arange(len(rows)), labels[rows]] -= 1
            errors[number] += float((scores**2).sum())
    return _PENALTIES[int(errors.argmin())]


def _blocks(subset: ItemSubset, places: Places, label_count: int) -> Iterator[tuple[Places, Vectors]]:
    """Numbers of ``places`` in blocks with their vectors, so few that their scores of all labels fit into memory."""
    size = max(1, min(4096, _MAX_SCORES // label_count))
    for start in range(0, len(places), size):
        rows = np.arange(start, min(start + size, len(places)))
        yield rows, subset.vectors(places[rows])


def _check_label_count(labels: ItemLabels, sizes: npt.NDArray[np.int64], common_count: int) -> None:
    if common_count > MAX_LABELS:
        refuse(
            "label",
            f"{labels.place} has {common_count} labels; at most {MAX_LABELS} can be compared: name another column, or "
            "narrow the filter",
        )
    if len(labels.names) == 1:
        raise LabelsMissingError(
            f"label: all {int(sizes.sum())} labelled items have the label {labels.names[0]!r} ({labels.place}): there "
            "is no other that could be right; name another column",
            subject="label",
        )
    if common_count < 2:
        raise LabelsMissingError(
            f"label: of the {len(labels.names)} labels ({labels.place}) {common_count or 'none'} has {MIN_ITEMS} items "
            "or more, and two are needed: name another column",
            subject="label",
        )


def _neighbour_labels(subset: ItemSubset, labels: ItemLabels, places: Places) -> list[tuple[str, ...]]:
    if not len(places):
        return []
    near, _ = subset.nearest_of(places, min(NEIGHBOURS, len(subset) - 1))
    return [
        tuple(labels.names[labels.numbers[place]] for place in row if place >= 0 and labels.numbers[place] >= 0)
        for row in near.tolist()
    ]
