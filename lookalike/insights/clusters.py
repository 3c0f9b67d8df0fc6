"""The items of a collection in clusters of what looks alike, each with a representative and a name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import numpy.typing as npt

from lookalike.catalogue.records import ItemRecord
from lookalike.collection.searcher import Searcher
from lookalike.filters.builder import refuse
from lookalike.index.base import Positions, ProgressCallback, Vectors, ignore_progress
from lookalike.index.progress import count_steps
from lookalike.insights.cluster_names import ClusterValue, ValueCounts, name_clusters, value_texts
from lookalike.insights.kmeans import MAX_COUNT, MAX_FITTED, choose_count, fit_centres, nearest_centres, tried_counts
from lookalike.insights.subset import ItemSubset, read_records
from lookalike.sources.labels import PRODUCT, folder_labels

AUTO_TAGS = "auto_tags"
"""The metadata column, a list of texts, that clusters are named by if no column is given."""
NAME_COLUMNS = (AUTO_TAGS, "label", "category")
"""Columns that clusters are named by if none is given: the first in which any item has a value."""


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """``count`` is the most clusters, None for as many as fit; see ``kmeans.choose_count``.

    They are named by the values of a column, ``name_by``, or ``from_folders`` by the folders' names; without either by
    the first of ``NAME_COLUMNS`` that there is. Raises FilterInvalidError.
    """

    count: int | None = None
    name_by: str | None = None
    from_folders: bool = False

    def __post_init__(self) -> None:
        if self.count is not None and not 1 <= self.count <= MAX_COUNT:
            refuse("count", f"1 to {MAX_COUNT} clusters are possible, got {self.count}")
        if self.name_by is not None and self.from_folders:
            refuse("name_by", "a column and the names of folders exclude each other: name one of them")


@dataclass(frozen=True, slots=True, eq=False)
class ItemCluster:
    """Items that look alike: ``number`` from 1, the largest first.

    ``representative`` is the item nearest to the mean of all; ``cosine`` is the mean cosine of the items with it;
    ``values`` are those that tell it from the others, best first. ``ids`` (m,) are its items, the nearest to the mean
    first, and ``cosines`` (m,) theirs with it.
    """

    number: int
    name: str
    representative: ItemRecord
    cosine: float
    values: tuple[ClusterValue, ...]
    ids: Positions
    cosines: npt.NDArray[np.float32]

    @property
    def size(self) -> int:
        """How many items it has."""
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class Clustering:
    """The clusters of ``count`` items; ``named_by`` is the column of their names, "folder names", or None for none.

    ``is_count_chosen`` says that how many there are was not asked for.
    """

    searcher: Searcher
    clusters: tuple[ItemCluster, ...]
    count: int
    named_by: str | None
    is_count_chosen: bool

    def members(self, cluster: ItemCluster) -> Iterator[ItemRecord]:
        """The items of a cluster, the nearest to its mean first."""
        return read_records(self.searcher, cluster.ids)


def find_clusters(
    subset: ItemSubset, options: ClusterOptions, progress: ProgressCallback = ignore_progress
) -> Clustering:
    """The clusters of these items; none of an empty collection. The same each time.

    Centres are fitted to at most 20 000 of the vectors, at even distances in the collection's order. ``progress`` is
    called with a stage, steps done and steps in all. Raises FilterInvalidError for a column to name by that there is
    not, VectorsInvalidError, and SnapshotDamagedError.
    """
    name_by = _name_column(subset, options)
    is_count_chosen = options.count is None
    if not len(subset):
        return Clustering(subset.searcher, (), 0, None, is_count_chosen)
    centres = _fit(subset, options.count, progress)
    assignment = _assign(subset, centres, progress)
    counts = ValueCounts(len(assignment.means))
    texts = _name_values(subset, name_by, from_folders=options.from_folders)
    for cluster, item_texts in zip(assignment.labels.tolist(), texts, strict=True):
        counts.add(cluster, item_texts)
    values = [counts.telling_values(cluster) for cluster in range(len(assignment.means))]
    names = name_clusters(values)
    clusters = tuple(
        _cluster(subset, assignment, number, names[number], tuple(values[number])) for number in range(len(names))
    )
    named_by = "folder names" if options.from_folders else name_by
    return Clustering(subset.searcher, clusters, len(subset), named_by, is_count_chosen)


def _name_column(subset: ItemSubset, options: ClusterOptions) -> str | None:
    known = {summary.name for summary in subset.searcher.columns() if summary.count}
    if options.name_by is not None and options.name_by not in {*known, PRODUCT}:
        columns = f"there are: {', '.join(sorted(known)[:12])}" if known else "there are none"
        refuse("name_by", f"no item has a value in the column {options.name_by!r} ({columns})")
    if options.from_folders:
        return None
    return options.name_by or next((name for name in NAME_COLUMNS if name in known), None)


def _fit(subset: ItemSubset, count: int | None, progress: ProgressCallback) -> Vectors:
    vectors = subset.vectors(subset.sample(MAX_FITTED))
    if count is None:
        advance = count_steps(progress, "number of clusters chosen", tried_counts(len(vectors)))
        count = choose_count(vectors, advance)
    return fit_centres(vectors, count)


@dataclass(frozen=True, slots=True, eq=False)
class _Assignment:
    """The cluster (n,) of each item, 0 for the largest, its cosine (n,) with the mean, and the ``means`` (c, D)."""

    labels: npt.NDArray[np.int64]
    cosines: npt.NDArray[np.float32]
    means: Vectors


def _assign(subset: ItemSubset, centres: Vectors, progress: ProgressCallback) -> _Assignment:
    """In two passes over the vectors: which cluster each is in, and how near it is to the mean of that."""
    advance = count_steps(progress, "assigned", 2 * len(subset))
    labels = np.empty(len(subset), np.int64)
    sums = np.zeros(centres.shape, np.float64)
    for block, vectors in subset.blocks():
        labels[block] = nearest_centres(vectors, centres)
        np.add.at(sums, labels[block], vectors)
        advance(len(vectors))
    sizes = np.bincount(labels, minlength=len(centres))
    order = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
    numbers = np.empty(len(centres), np.int64)
    numbers[order] = np.arange(len(order))
    labels = numbers[labels]
    lengths = np.linalg.norm(sums[order], axis=1, keepdims=True)
    means = (sums[order] / np.maximum(lengths, 1e-12)).astype(np.float32)
    cosines = np.empty(len(subset), np.float32)
    for block, vectors in subset.blocks():
        cosines[block] = np.einsum("ij,ij->i", vectors, means[labels[block]])
        advance(len(vectors))
    return _Assignment(labels, cosines, means)


def _name_values(subset: ItemSubset, name_by: str | None, *, from_folders: bool) -> Iterator[Iterable[str]]:
    """For each item the texts that its cluster may be named by."""
    if from_folders:
        for folder in folder_labels(subset.all_records()).values:
            yield () if folder is None else (folder,)
    elif name_by is None:
        yield from repeat((), len(subset))
    else:
        for record in subset.all_records():
            yield value_texts(record.product_id if name_by == PRODUCT else record.metadata.get(name_by))


def _cluster(
    subset: ItemSubset, assignment: _Assignment, number: int, name: str, values: tuple[ClusterValue, ...]
) -> ItemCluster:
    places = np.flatnonzero(assignment.labels == number)
    cosines = assignment.cosines[places]
    order = np.argsort(-cosines, kind="stable")
    return ItemCluster(
        number + 1,
        name,
        subset.record(int(places[order[0]])),
        round(float(cosines.mean(dtype=np.float64)), 4),
        values,
        subset.ids(places[order]),
        cosines[order],
    )
