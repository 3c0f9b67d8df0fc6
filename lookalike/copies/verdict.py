"""The verdict: whether two pictures agree under any of the candidate alignments."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lookalike.copies.agreement import Agreement, measure_agreement
from lookalike.copies.alignment import Alignment, propose_alignments
from lookalike.copies.difference import DetailComparison, Difference, compare_details
from lookalike.copies.fingerprint import Fingerprint
from lookalike.copies.likeness import Likeness, flat_share, measure_shifts, stretch_of

# Limits on the fields of `Agreement`; the correlations from which a window agrees are in `agreement`.
_MIN_OVERLAP = 0.95
_MIN_AGREEING = 0.85
_MIN_CLOSELY_AGREEING = 0.6
_MAX_CONTRADICTING = 0.04
_MAX_OCCLUDED = 0.75
"""As a share of the detail: a banner may not hide all but a symbol on a plain background."""
_MAX_TONE_CHANGED = 0.1
_MIN_COLOUR_COSINE = 0.8
_MIN_WINDOWS = 5.0
_CLOSE_ENOUGH, _CLOSER = 0.9, 0.05
"""Closeness from which no other alignment is tried, and by how much another one must be closer to be taken."""
_MIN_SIDE = 16
_COVERED = 0.02
"""Share of a picture from which it counts that a banner or caption covers it."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What one of two copies shows: the share that the other shows too, and that of its frame which was added.

    ``covered`` is 1 where nothing was cut from the other; ``added`` is a border or banner that the other does not have,
    and ``ground`` the share of its frame in which only a ground of one colour goes on that both have.
    """

    covered: float
    added: float
    ground: float = 0.0


@dataclass(frozen=True, slots=True)
class CopyVerdict:
    """``why`` is a text for people; ``strength`` is the share, 0 to 1, of their common detail that agrees.

    ``differs_at`` are places where two copies show something else, the largest first; ``extents`` is what the first and
    the second show, None if they are no copies; ``is_tilted`` says that one is turned, by no quarter turn, and
    ``is_mirrored`` that one is mirrored; ``likeness`` says of copies whether they look the same.
    """

    is_copy: bool
    why: str
    strength: float
    differs_at: tuple[Difference, ...] = ()
    extents: tuple[Extent, Extent] | None = None
    is_tilted: bool = False
    is_mirrored: bool = False
    likeness: Likeness | None = None

    def swapped(self) -> CopyVerdict:
        """The verdict of the second and the first."""
        differs_at = tuple(Difference(place.second, place.first) for place in self.differs_at)
        extents = None if self.extents is None else self.extents[::-1]
        return replace(self, differs_at=differs_at, extents=extents)


def check_copy(first: Fingerprint, second: Fingerprint, *, most_places: int | None = None) -> CopyVerdict:
    """Whether one of two pictures is a made copy of the other, or both of a third; the order does not matter.

    Changes that a copy may have: format, size, stretch up to 2.5, brightness, contrast, blur, loss of colour, cropping
    to about a quarter of the area, borders, banners, mirroring, rotation. A copy that shows something else in places
    is one too, and the verdict says where. A plain or tiny picture is a copy of none. With ``most_places`` no more
    places than so many are looked for.
    """
    if _sort_key(second) < _sort_key(first):
        return _check_sorted(second, first, most_places).swapped()
    return _check_sorted(first, second, most_places)


def can_be_copies(first: Fingerprint, second: Fingerprint) -> bool:
    """Whether ``check_copy`` may call them copies, by their outlines alone; where it does not, it would not."""
    if _sort_key(second) < _sort_key(first):
        first, second = second, first
    return not isinstance(_find_alignment(first, second), CopyVerdict)


def _check_sorted(first: Fingerprint, second: Fingerprint, most_places: int | None) -> CopyVerdict:
    for fingerprint in (first, second):
        if min(fingerprint.detail.shape) < _MIN_SIDE:
            return CopyVerdict(False, f"a picture of less than {_MIN_SIDE} pixels a side shows too little to tell", 0.0)
    found = _find_alignment(first, second)
    if isinstance(found, CopyVerdict):
        return found
    alignment, agreement = found
    details = compare_details(first, second, alignment.matrix, most=most_places)
    return _accept(first, second, alignment, agreement, details)


def _find_alignment(first: Fingerprint, second: Fingerprint) -> tuple[Alignment, Agreement] | CopyVerdict:
    """How the two lie on each other, and how well they agree so; or the verdict that they are no copies."""
    if first.is_plain or second.is_plain:
        return CopyVerdict(False, "a plain picture shows nothing to tell a copy by", 0.0)
    refused = CopyVerdict(False, "no alignment of the two pictures was found", 0.0)
    accepted: tuple[Alignment, Agreement] | None = None
    for alignment in propose_alignments(first, second):
        agreement = measure_agreement(first, second, alignment.matrix)
        if agreement is None:
            continue
        objection = _find_objection(agreement)
        if objection is not None:
            if agreement.agreeing > refused.strength:
                refused = CopyVerdict(False, f"aligned ({alignment.description}), {objection}", agreement.agreeing)
        elif accepted is None or _closeness(agreement) > _closeness(accepted[1]) + _CLOSER:
            accepted = alignment, agreement
        if accepted is not None and _closeness(accepted[1]) >= _CLOSE_ENOUGH:
            break
    return accepted or refused


def _closeness(agreement: Agreement) -> float:
    """How well two copies lie on each other: frames of which one has a border do so only roughly."""
    return agreement.closely_agreeing - agreement.occluded


def _accept(
    first: Fingerprint, second: Fingerprint, alignment: Alignment, agreement: Agreement, details: DetailComparison
) -> CopyVerdict:
    reason = f"aligned ({alignment.description}), {agreement.agreeing:.0%} of their detail agrees"
    occlusion = f", with {agreement.occluded:.0%} covered" if agreement.occluded >= _COVERED else ""
    count = len(details.differences)
    places = f"; they differ in {count} {'place' if count == 1 else 'places'}" if count else ""
    return CopyVerdict(
        True,
        reason + occlusion + places,
        agreement.agreeing,
        details.differences,
        (_extent(agreement, details, 0), _extent(agreement, details, 1)),
        alignment.is_tilted,
        alignment.is_mirrored,
        Likeness(
            *measure_shifts(first, second, alignment.matrix),
            stretch_of(alignment.matrix),
            agreement.windows,
            max(flat_share(first), flat_share(second)),
            is_covered=agreement.occluded >= _COVERED or max(details.banners) >= _COVERED,
        ),
    )


def _find_objection(agreement: Agreement) -> str | None:
    """Why the pictures are no copies, or None."""
    detail = agreement.detail_share * (1 - agreement.occluded)
    objections = (
        (agreement.agreeing < _MIN_AGREEING, f"{agreement.agreeing:.0%} of their detail agrees, too little"),
        (
            agreement.closely_agreeing < _MIN_CLOSELY_AGREEING,
            f"{agreement.closely_agreeing:.0%} of their detail agrees closely, too little",
        ),
        (agreement.contradicting > _MAX_CONTRADICTING, f"{agreement.contradicting:.0%} of their detail contradicts"),
        (
            max(agreement.covered) < _MIN_OVERLAP,
            f"each shows something beside the other's edge ({max(agreement.covered):.0%} is shared)",
        ),
        (
            agreement.occluded > _MAX_OCCLUDED * detail,
            f"{agreement.occluded:.0%} is blank or of another tone in one of them",
        ),
        (agreement.windows < _MIN_WINDOWS, "too little detail is shared to tell"),
        (
            agreement.tone_changed > _MAX_TONE_CHANGED,
            f"{agreement.tone_changed:.0%} is darker or lighter in one of them",
        ),
        (agreement.colour_cosine is not None and agreement.colour_cosine < _MIN_COLOUR_COSINE, "the colours differ"),
    )
    return next((text for is_objection, text in objections if is_objection), None)


def _extent(agreement: Agreement, details: DetailComparison, which: int) -> Extent:
    added = min(1.0, agreement.borders[which] + details.banners[which])
    return Extent(agreement.covered[which], added, agreement.grounds[which])


def _sort_key(fingerprint: Fingerprint) -> tuple[tuple[int, ...], bytes, bytes]:
    return fingerprint.grey.shape, fingerprint.grey.tobytes(), fingerprint.colour.tobytes()
