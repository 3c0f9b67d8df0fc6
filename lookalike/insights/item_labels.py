"""The label of each item of a subset: the value of a column, or the name of its folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from lookalike.errors import LabelsMissingError
from lookalike.filters.builder import refuse
from lookalike.insights.subset import ItemSubset
from lookalike.sources.labels import COLUMNS, PRODUCT, choose_labels, folder_labels

UNLABELLED = -1


@dataclass(frozen=True, slots=True, eq=False)
class ItemLabels:
    """The ``numbers`` (n,) of the items' labels in ``names``, ``UNLABELLED`` for none; ``place`` is their source."""

    numbers: npt.NDArray[np.int64]
    names: tuple[str, ...]
    place: str

    @classmethod
    def read(cls, subset: ItemSubset, column: str | None, *, from_folders: bool) -> Self:
        """The labels of a column, of the folders, or without either of the first that there is.

        That is the column label, product_id, or the folders. Raises LabelsMissingError where no item has a label, and
        FilterInvalidError for a column of lists.
        """
        if column is not None and from_folders:
            refuse("label", "a column and the names of folders exclude each other: name one of them")
        _refuse_lists(subset, column)
        records = subset.all_records()
        labels = folder_labels(records) if from_folders else choose_labels(records, column)
        if labels.place is None or not labels.labelled_count:
            raise _missing(subset, column, from_folders=from_folders)
        names = tuple(labels.names)
        numbers = {name: number for number, name in enumerate(names)}
        values = (UNLABELLED if value is None else numbers[value] for value in labels.values)
        return cls(np.fromiter(values, np.int64, len(subset)), names, labels.place)

    def sizes(self) -> npt.NDArray[np.int64]:
        """How many items have each label (c,)."""
        return np.bincount(self.numbers[self.numbers >= 0], minlength=len(self.names))


def _refuse_lists(subset: ItemSubset, column: str | None) -> None:
    for name in COLUMNS if column is None else (column,):
        types = subset.searcher.live_filter.fields.columns.get(name, frozenset())
        if name != PRODUCT and any(kind.in_list for kind in types):
            refuse("label", f"the column {name!r} has lists, and a label is one value: name another column")


def _missing(subset: ItemSubset, column: str | None, *, from_folders: bool) -> LabelsMissingError:
    name = subset.searcher.snapshot.manifest.collection
    columns = sorted(subset.searcher.live_filter.fields.columns)
    known = f"there are: {', '.join(columns[:12])}" if columns else "there are none"
    if from_folders:
        reason = "lie in no folders whose names could be labels: name a column as label"
    elif column is not None:
        reason = f"have no value in the column {column!r} to take as label ({known})"
    else:
        reason = f"have no labels: no column {' or '.join(COLUMNS)} and no folders; name a column as label ({known})"
    return LabelsMissingError(f"the {len(subset)} items of {name!r} that are examined {reason}", subject="label")
