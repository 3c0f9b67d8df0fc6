"""Verdicts on pairs of pictures: read on demand, cached, and judged on all that they have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Lock

from cachetools import LRUCache

from lookalike.copies import FinestDetail, Likeness, find_doubt, read_finest_detail
from lookalike.duplicates.marks import Marks
from lookalike.duplicates.noise import measure_noise
from lookalike.duplicates.sharpness import measure_sharpness
from lookalike.duplicates.subjects import Subject, changed_warning
from lookalike.errors import LookalikeError
from lookalike.images import decode, read_quantisation
from lookalike.options import MEBIBYTE, ImageLimits
from lookalike.tiers import PictureIdentity, Tier, TierVerdict, can_be_copies_at_all, identify_picture, judge_tier

CACHE_BYTES = 256 * MEBIBYTE
"""The most bytes of pixel fingerprints in memory."""
_OUTLINES_SHARE = 0.75
"""Share of it for outlines of fingerprints, by which most pairs are ruled out: there is room for ten times as many."""
LOSSLESS = frozenset({"PNG", "TIFF", "BMP", "PPM"})
"""Formats without loss."""
_LARGER_FILE = 1.1
"""How many times the bytes make one of two files the larger one."""
BURST_SECONDS = 10.0
"""Seconds between two photographs of one camera up to which they are shots of one scene."""


@dataclass(frozen=True, slots=True)
class ShownPart:
    """How a picture lies in another: ``covered`` is the share of what it shows, 0 to 1, that the other shows as well,
    ``added`` the share of its frame that is a border, banner or caption which the other does not have, ``ground`` that
    in which only a ground of one colour goes on that both have."""

    covered: float
    added: float
    ground: float = 0.0

    @property
    def more(self) -> float:
        """The share of what it shows that is not in the other."""
        return 1.0 - self.covered


_WHOLE = ShownPart(1.0, 0.0)


class Relation(StrEnum):
    """What two pictures are to each other."""

    COPY = "copy"
    EDITED = "edited"
    LOOK = "look"
    BURST = "burst"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """``tier`` and a text on why; ``parts`` says how the first and the second picture lie in the other.

    ``is_tilted`` says that one is turned by no quarter turn, ``is_mirrored`` that one is mirrored, and ``likeness``
    whether they look the same; None for equal files and pixels.
    """

    relation: Relation
    tier: Tier
    why: str
    parts: tuple[ShownPart, ShownPart]
    is_tilted: bool = False
    is_mirrored: bool = False
    likeness: Likeness | None = None

    def reversed(self) -> PairVerdict:
        """The same verdict with the two pictures exchanged."""
        return replace(self, parts=(self.parts[1], self.parts[0]))


@dataclass(frozen=True, slots=True, eq=False)
class PictureView:
    """A picture as it was read: its identity, its sharpness from 0 to 1, its noise in levels, and its finest detail."""

    identity: PictureIdentity
    sharpness: float
    noise: float
    finest_detail: FinestDetail | None

    def outline(self) -> PictureView:
        """The same without the detail of its fingerprint, and without the finest one."""
        return replace(self, identity=self.identity.outline(), finest_detail=None)


SAME_BYTES = PairVerdict(Relation.COPY, Tier.SAME_BYTES, "the files are equal", (_WHOLE, _WHOLE))
_SAME_PIXELS = PairVerdict(Relation.COPY, Tier.SAME_PIXELS, "the pixels are equal", (_WHOLE, _WHOLE))
_SAME_LOOK = PairVerdict(
    Relation.LOOK,
    Tier.NEAR_DUPLICATE,
    "they look alike, but have other frames, pages or hidden pixels",
    (_WHOLE, _WHOLE),
)
_BURST = PairVerdict(Relation.BURST, Tier.SIMILAR, "taken by one camera within seconds", (_WHOLE, _WHOLE))
_NO_COPY = PairVerdict(Relation.NONE, Tier.DIFFERENT, "no copies", (_WHOLE, _WHOLE))


class PairJudge:
    """Judges pairs of subjects; safe from several threads at once.

    ``report`` is called with a sentence, once for each picture that cannot be read or has changed since it was indexed;
    pairs with it have no verdict. ``marks`` has those of a subject by its number; ``are_similar`` says of two numbers
    whether the encoder's score reaches the threshold.
    """

    def __init__(
        self,
        marks: Sequence[Marks | None],
        are_similar: Callable[[int, int], bool],
        limits: ImageLimits,
        report: Callable[[str], None],
        *,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._marks, self._are_similar, self._limits, self._report = marks, are_similar, limits, report
        outline_bytes = _OUTLINES_SHARE * cache_bytes
        self._outlines: LRUCache[str, PictureView] = LRUCache(outline_bytes, getsizeof=_view_bytes)
        self._views: LRUCache[str, PictureView] = LRUCache(cache_bytes - outline_bytes, getsizeof=_view_bytes)
        self._verdicts: dict[tuple[int, int], PairVerdict] = {}
        self._lock = Lock()
        self.unreadable: dict[int, str] = {}

    def judge(self, first: Subject, second: Subject) -> PairVerdict | None:
        """The verdict on two subjects; None if one of them cannot be read."""
        if first.digest == second.digest:
            return SAME_BYTES
        if first.number > second.number:
            verdict = self.judge(second, first)
            return None if verdict is None else verdict.reversed()
        pair = first.number, second.number
        if (known_verdict := self._verdicts.get(pair)) is not None:
            return known_verdict
        verdict = self._judge_pixels(first, second)
        if verdict is not None and verdict.relation is not Relation.NONE:
            self._verdicts[pair] = verdict  # the others are many, and are not asked for again
        return verdict

    def find_doubt(self, keep: Subject, copy: Subject) -> str | None:
        """Why the one to keep of two copies of one frame may have been made of the other; None if nothing says so."""
        views = self.view(keep), self.view(copy)
        kept_detail, copy_detail = (None if view is None else view.finest_detail for view in views)
        if kept_detail is None or copy_detail is None:
            return None
        is_lossy = keep.item.format not in LOSSLESS and copy.item.format not in LOSSLESS
        is_larger_file = is_lossy and keep.item.byte_size > _LARGER_FILE * copy.item.byte_size
        return find_doubt(kept_detail, copy_detail, is_larger_file=is_larger_file)

    def outline(self, subject: Subject) -> PictureView | None:
        """A picture without the detail of its fingerprint, read now unless it is in the cache; None if it cannot be."""
        with self._lock:
            outline = self._outlines.get(subject.digest)
        if outline is not None and subject.number not in self.unreadable:
            return outline
        view = self.view(subject)
        return None if view is None else view.outline()

    def view(self, subject: Subject) -> PictureView | None:
        """A picture, read now unless it is in the cache; None if it cannot be read."""
        if subject.number in self.unreadable:
            return None
        with self._lock:
            view = self._views.get(subject.digest)
        if view is not None:
            return view
        try:
            data = subject.read(subject.item.location, self._limits.max_bytes)
            pixels = decode(data, limits=self._limits, name=subject.key).pixels
        except LookalikeError as error:
            self._exclude(subject, f"warning: {subject.key} cannot be checked: {error.message}")
            return None
        identity = identify_picture(data, pixels)
        if identity.content_digest != subject.digest:
            self._exclude(subject, changed_warning(subject))
            return None
        finest_detail = read_finest_detail(pixels, read_quantisation(data, self._limits))
        view = PictureView(identity, measure_sharpness(pixels), measure_noise(pixels), finest_detail)
        with self._lock:
            for cache, kept in ((self._views, view), (self._outlines, view.outline())):
                if _view_bytes(kept) <= cache.maxsize:
                    cache[subject.digest] = kept
        return view

    def _judge_pixels(self, first: Subject, second: Subject) -> PairVerdict | None:
        first_outline, second_outline = self.outline(first), self.outline(second)
        if first_outline is None or second_outline is None:
            return None
        if not can_be_copies_at_all(first_outline.identity, second_outline.identity):
            is_shot = self._are_burst(first, second) and self._are_similar(first.number, second.number)
            return _BURST if is_shot else _NO_COPY
        first_view, second_view = self.view(first), self.view(second)
        if first_view is None or second_view is None:
            return None
        # One place that differs is enough: no more is said of two pictures that are no copies to drop.
        verdict = judge_tier(first_view.identity, second_view.identity, similar=False, most_places=1)
        return self._verdict(first, second, verdict)

    def _verdict(self, first: Subject, second: Subject, verdict: TierVerdict) -> PairVerdict:
        if verdict.tier is Tier.SAME_PIXELS:
            return _SAME_PIXELS
        if verdict.tier is Tier.NEAR_DUPLICATE and verdict.copy_verdict is None:
            return _SAME_LOOK
        if self._are_burst(first, second):
            is_shot = verdict.tier.is_copy or self._are_similar(first.number, second.number)
            return _BURST if is_shot else _NO_COPY
        return _pixel_verdict(verdict, (self._strips(first), self._strips(second)))

    def _are_burst(self, first: Subject, second: Subject) -> bool:
        return is_burst(self._marks[first.number], self._marks[second.number])

    def _strips(self, subject: Subject) -> float:
        entry = self._marks[subject.number]
        return 0.0 if entry is None else entry.strips

    def _exclude(self, subject: Subject, warning: str) -> None:
        with self._lock:
            is_new = subject.number not in self.unreadable
            self.unreadable[subject.number] = subject.key
        if is_new:
            self._report(warning)


def _pixel_verdict(verdict: TierVerdict, strips: tuple[float, float]) -> PairVerdict:
    """The verdict of the check on pixels; ``strips`` is the share of either picture in added strips."""
    copy_verdict = verdict.copy_verdict
    if copy_verdict is None or copy_verdict.extents is None:
        return _NO_COPY
    relation = Relation.COPY
    if copy_verdict.differs_at:
        relation = Relation.EDITED
    elif verdict.keep_both is not None:
        relation = Relation.LOOK
    first_part, second_part = (
        ShownPart(min(1.0, extent.covered + strip), max(extent.added, min(strip, 1.0 - extent.covered)), extent.ground)
        for extent, strip in zip(copy_verdict.extents, strips, strict=True)
    )
    parts = (first_part, second_part)
    return PairVerdict(
        relation,
        Tier.NEAR_DUPLICATE,
        copy_verdict.why,
        parts,
        is_tilted=copy_verdict.is_tilted,
        is_mirrored=copy_verdict.is_mirrored,
        likeness=copy_verdict.likeness,
    )


def is_burst(first: Marks | None, second: Marks | None) -> bool:
    """Whether two photographs were taken by one camera within seconds, but not at the same time."""
    if (
        first is None
        or second is None
        or first.taken_at is None
        or second.taken_at is None
        or first.camera != second.camera
    ):
        return False
    return 0 < abs(first.taken_at - second.taken_at) <= BURST_SECONDS


def _view_bytes(view: PictureView) -> int:
    return view.identity.fingerprint.nbytes + (0 if view.finest_detail is None else view.finest_detail.nbytes)
