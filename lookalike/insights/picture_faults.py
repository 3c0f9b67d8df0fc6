"""Pictures that are blurred, dark, overexposed, nearly empty, tiny or of an odd shape, each with its measured number.

The limits were set by measurement on versions of real pictures: ``benchmarks/outliers.py``. Measures are remembered by
the content of the files, together with the marks of the search for duplicates: a second run reads no picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice

from lookalike.catalogue.records import ItemDraft, ItemRecord
from lookalike.duplicates.mark_reader import MarkReader
from lookalike.duplicates.quality import PictureQuality
from lookalike.duplicates.subjects import subjects_of
from lookalike.filters.builder import refuse
from lookalike.index.base import ProgressCallback, ignore_progress
from lookalike.index.progress import count_steps
from lookalike.insights.subset import ItemSubset
from lookalike.options import ImageLimits

MAX_BLUR = 0.5
MIN_LIGHTEST = 100.0
MAX_BURNT = 0.12
MIN_SPREAD = 6.0
MIN_SIDE = 64
MAX_ASPECT = 3.0
_AT_ONCE = 4096
"""Items whose pictures are looked up together."""


class FaultKind(StrEnum):
    """What may be wrong with a picture.

    blurred      out of focus, or the camera moved
    dark         nothing on it is light
    overexposed  colours are burnt out
    empty        one colour, or nearly so
    tiny         few pixels
    shape        much longer one way than the other
    """

    BLURRED = "blurred"
    DARK = "dark"
    OVEREXPOSED = "overexposed"
    EMPTY = "empty"
    TINY = "tiny"
    SHAPE = "shape"


@dataclass(frozen=True, slots=True)
class PictureFault:
    """One fault: the measured ``value``, the ``limit`` that it passes, and a sentence.

    ``severity`` is how many times beyond the limit the value is, at least 1.
    """

    kind: FaultKind
    value: float
    limit: float
    reason: str

    @property
    def severity(self) -> float:
        """See the class."""
        larger, smaller = max(self.value, self.limit), min(self.value, self.limit)
        return larger / max(smaller, 1e-3)


@dataclass(frozen=True, slots=True)
class FaultyPicture:
    """An item whose picture has faults, the gravest first."""

    item: ItemRecord
    faults: tuple[PictureFault, ...]


@dataclass(frozen=True, slots=True)
class QualityReport:
    """The faulty pictures, the gravest first; ``total`` is how many there are, ``pictures`` the first of them.

    ``counts`` are by kind of fault, ``checked`` the pictures that could be read, ``unreadable`` keys of the others.
    """

    pictures: tuple[FaultyPicture, ...]
    total: int
    counts: dict[FaultKind, int]
    checked: int
    unreadable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PictureAccess:
    """How pictures are read: bytes of a location, given the most that they may be, and the absolute path of one.

    ``threads`` read and decode; ``report`` is called with a sentence on each picture that is left out.
    """

    read: Callable[[str, int], bytes]
    path_of: Callable[[str], str]
    limits: ImageLimits
    threads: int = 1
    report: Callable[[str], None] = field(default=lambda _: None)


def find_faulty_pictures(
    subset: ItemSubset,
    access: PictureAccess,
    *,
    top: int | None = None,
    progress: ProgressCallback = ignore_progress,
) -> QualityReport:
    """The items whose pictures have faults, at most ``top`` of them.

    A picture that cannot be read, or has changed since it was indexed, is among the unreadable ones. Raises
    FilterInvalidError, SnapshotDamagedError and the catalogue's errors.
    """
    if top is not None and top < 1:
        refuse("top", f"at least 1 item has to be listed, got {top}")
    store = subset.searcher.catalogue.duplicate_store()
    faulty: list[FaultyPicture] = []
    unreadable: list[str] = []
    advance = count_steps(progress, "pictures measured", len(subset))
    name = subset.searcher.snapshot.manifest.collection
    records = subset.all_records()
    with ThreadPoolExecutor(access.threads) as threads:
        reader = MarkReader(store, access.limits, threads, access.report)
        for items in _chunks(records):
            subjects = subjects_of([item.draft for item in items], access.path_of, access.read, owner=name)
            for item, marks in zip(items, reader.read(subjects, lambda _: None), strict=True):
                if marks is None or marks.quality is None:
                    unreadable.append(item.key)
                elif faults := find_faults(item.draft, marks.quality):
                    faulty.append(FaultyPicture(item, faults))
            advance(len(items))
    store.drop_unused_marks()
    faulty.sort(key=lambda picture: -picture.faults[0].severity)
    counts = {
        kind: sum(any(fault.kind is kind for fault in picture.faults) for picture in faulty) for kind in FaultKind
    }
    return QualityReport(
        tuple(faulty[:top]), len(faulty), counts, len(subset) - len(unreadable), tuple(sorted(unreadable))
    )


def find_faults(item: ItemDraft, quality: PictureQuality) -> tuple[PictureFault, ...]:
    """The faults of a picture, the gravest first: by its measures, and by the size that it was indexed with."""
    faults = [*_faults_of_size(item.width, item.height), *_faults_of_pixels(quality)]
    return tuple(sorted(faults, key=lambda fault: -fault.severity))


def _faults_of_size(width: int, height: int) -> Iterator[PictureFault]:
    shorter, longer = sorted((width, height))
    if shorter < MIN_SIDE:
        reason = f"tiny: {width} × {height} pixels (usual: {MIN_SIDE} or more each way)"
        yield PictureFault(FaultKind.TINY, shorter, MIN_SIDE, reason)
    aspect = round(longer / max(shorter, 1), 2)
    if aspect > MAX_ASPECT:
        words = "wide as high" if width > height else "high as wide"
        reason = f"odd shape: {aspect:g} times as {words} (usual: up to {MAX_ASPECT:g})"
        yield PictureFault(FaultKind.SHAPE, aspect, MAX_ASPECT, reason)


def _faults_of_pixels(quality: PictureQuality) -> Iterator[PictureFault]:
    if quality.spread < MIN_SPREAD:  # there is nothing that could be blurred or too light
        reason = f"nearly empty: its levels vary by {quality.spread:g} of 255 (usual: {MIN_SPREAD:g} or more)"
        yield PictureFault(FaultKind.EMPTY, quality.spread, MIN_SPREAD, reason)
        return
    if quality.blur >= MAX_BLUR:
        reason = (
            f"blurred: another blur takes away {1 - quality.blur:.0%} of its fine differences "
            f"(usual: over {1 - MAX_BLUR:.0%})"
        )
        yield PictureFault(FaultKind.BLURRED, quality.blur, MAX_BLUR, reason)
    if quality.lightest < MIN_LIGHTEST:
        reason = (
            f"dark: 95 % of it is below the grey level {quality.lightest:g} of 255 (usual: {MIN_LIGHTEST:g} or more)"
        )
        yield PictureFault(FaultKind.DARK, quality.lightest, MIN_LIGHTEST, reason)
    if quality.burnt >= MAX_BURNT:
        reason = f"overexposed: colours are burnt out on {quality.burnt:.0%} of it (usual: under {MAX_BURNT:.0%})"
        yield PictureFault(FaultKind.OVEREXPOSED, quality.burnt, MAX_BURNT, reason)


def _chunks(records: Iterator[ItemRecord]) -> Iterator[list[ItemRecord]]:
    while items := list(islice(records, _AT_ONCE)):
        yield items
