"""What ``Collection`` says of itself: its clusters, what does not fit in it, and labels that may be wrong."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial

from lookalike.api.searchable import SearchableCollection
from lookalike.catalogue.live_changes import ChangeOutcome, LiveChange
from lookalike.catalogue.records import NO_SOURCE, SourceRecord
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.origin import find_path
from lookalike.filters import Where
from lookalike.index.base import ProgressCallback, ignore_progress
from lookalike.insights.cluster_column import ColumnOptions, WriteAs, WrittenColumn, write_column
from lookalike.insights.clusters import Clustering, ClusterOptions, find_clusters
from lookalike.insights.item_labels import ItemLabels
from lookalike.insights.mislabelled import DEFAULT_MARGIN, MislabelledReport, find_mislabelled
from lookalike.insights.outliers import DEFAULT_NEIGHBOURS, OutlierReport, find_outliers
from lookalike.insights.picture_faults import PictureAccess, QualityReport, find_faulty_pictures
from lookalike.insights.subset import ItemSubset
from lookalike.options import ImageLimits
from lookalike.sources.base import Source
from lookalike.wiring import open_origin


class ExaminedCollection(SearchableCollection):
    """What ``Collection`` finds among its items, or those that pass a filter, in the state that it has now.

    ``progress`` is called with a stage, steps done and steps in all.
    """

    @property
    @abstractmethod
    def layout(self) -> CollectionLayout:
        """Where its files are."""

    @property
    @abstractmethod
    def origin(self) -> SourceRecord:
        """Where the pictures came from."""

    @property
    @abstractmethod
    def limits(self) -> ImageLimits:
        """What its pictures may cost."""

    @abstractmethod
    def change_items(self, changes: Sequence[LiveChange]) -> list[ChangeOutcome]:
        """Make changes in one transaction, one outcome each."""

    def clusters(
        self,
        count: int | None = None,
        *,
        where: Where | None = None,
        name_by: str | None = None,
        names_from_folders: bool = False,
        progress: ProgressCallback = ignore_progress,
    ) -> Clustering:
        """The items in clusters of what looks alike: at most ``count``, or as many as fit.

        They are named by the values of the column ``name_by``, or the names of folders, that are commoner in them than
        elsewhere; without either by the column auto_tags, label or category. The same each time. Raises
        FilterInvalidError.
        """
        options = ClusterOptions(count, name_by, names_from_folders)
        return find_clusters(self.subset(where), options, progress)

    def write_clusters(
        self,
        clusters: Clustering,
        column: str,
        *,
        as_number: bool = False,
        replace: bool = False,
        progress: ProgressCallback = ignore_progress,
    ) -> WrittenColumn:
        """Write the name or number of each item's cluster into a metadata column, by live changes.

        Searches and filters see it after ``with_live_changes``. Raises ColumnConflictError for a column with values
        unless ``replace`` is set, MetadataInvalidError, FilterInvalidError and CollectionPinnedError.
        """
        options = ColumnOptions(column, WriteAs.NUMBER if as_number else WriteAs.NAME, replace)
        return write_column(self, clusters, options, progress)

    def outliers(
        self,
        top: int = 20,
        *,
        where: Where | None = None,
        neighbours: int = DEFAULT_NEIGHBOURS,
        progress: ProgressCallback = ignore_progress,
    ) -> OutlierReport:
        """The ``top`` items that are furthest from others, by the distance from their nearest neighbour of this number.

        Raises FilterInvalidError.
        """
        return find_outliers(self.subset(where), top=top, neighbours=neighbours, progress=progress)

    def faulty_pictures(
        self,
        top: int | None = None,
        *,
        where: Where | None = None,
        threads: int | None = None,
        progress: ProgressCallback = ignore_progress,
    ) -> QualityReport:
        """The pictures that are blurred, dark, overexposed, nearly empty, tiny or of an odd shape, and how much so.

        They are read from their source, each once: what was measured is remembered. Raises FilterInvalidError, and
        leaves of SourceError where the source is gone.
        """
        source = open_origin(self.origin, self.layout)
        try:
            if self.origin.kind != NO_SOURCE:
                source.open()
            access = self.picture_access(source, threads or os.cpu_count() or 1)
            return find_faulty_pictures(self.subset(where), access, top=top, progress=progress)
        finally:
            source.close()

    def mislabelled(
        self,
        label: str | None = None,
        *,
        labels_from_folders: bool = False,
        where: Where | None = None,
        margin: float = DEFAULT_MARGIN,
        top: int | None = None,
        progress: ProgressCallback = ignore_progress,
    ) -> MislabelledReport:
        """The items whose label another one suits better, with that one and a confidence, the surest first.

        Labels are the values of the column ``label``, or the names of folders; without either of the column label,
        product_id, or the folders. Raises LabelsMissingError unless two labels have three items each, and
        FilterInvalidError.
        """
        subset = self.subset(where)
        labels = ItemLabels.read(subset, label, from_folders=labels_from_folders)
        return find_mislabelled(subset, labels, margin=margin, top=top, progress=progress)

    def picture_access(
        self, source: Source, threads: int, report: Callable[[str], None] = lambda _: None
    ) -> PictureAccess:
        """How pictures are read from the collection's open source; ``report`` gets a sentence on those left out."""
        path_of = partial(find_path, source=self.origin, layout=self.layout)
        return PictureAccess(source.read, path_of, self.limits, threads, report)

    def subset(self, where: Where | None) -> ItemSubset:
        """The items that pass a filter, as what examines them takes them; raises FilterInvalidError."""
        return ItemSubset.of(self.searcher, self._condition(where))
