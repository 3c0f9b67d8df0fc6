"""The verdict: whether two pictures agree under any of the candidate alignments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lookalike.copies.agreement import Agreement, measure_agreement
from lookalike.copies.alignment import propose_alignments
from lookalike.copies.fingerprint import Fingerprint

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
_PLAIN_SPREAD = 2.0
_PLAIN_DIFFERENCE = 4
"""Grey levels, and steps of CIELAB's a and b, by which JPEG may change a plain picture."""


@dataclass(frozen=True, slots=True)
class CopyVerdict:
    """``why`` is a text for people; ``strength`` is the share, 0 to 1, of their common detail that agrees."""

    is_copy: bool
    why: str
    strength: float


def check_copy(first: Fingerprint, second: Fingerprint) -> CopyVerdict:
    """Whether one of two pictures is a made copy of the other, or both of a third; the order does not matter.

    Changes that a copy may have: format, size, stretch up to 2.5, brightness, contrast, blur, loss of colour, cropping
    to about a quarter of the area, borders, banners, mirroring, rotation. Two plain pictures are copies if they have
    the same colour and aspect ratio.
    """
    if _sort_key(second) < _sort_key(first):
        first, second = second, first
    plain = _is_plain(first), _is_plain(second)
    if all(plain):
        return _compare_plain(first, second)
    if any(plain):
        return CopyVerdict(False, "one of the pictures is plain", 0.0)
    best = CopyVerdict(False, "no alignment of the two pictures was found", 0.0)
    for alignment in propose_alignments(first, second):
        agreement = measure_agreement(first, second, alignment.matrix)
        if agreement is None:
            continue
        objection = _find_objection(agreement)
        if objection is None:
            reason = f"aligned ({alignment.description}), {agreement.agreeing:.0%} of their detail agrees"
            occlusion = f", with {agreement.occluded:.0%} covered" if agreement.occluded >= 0.02 else ""
            return CopyVerdict(True, reason + occlusion, agreement.agreeing)
        if agreement.agreeing > best.strength:
            best = CopyVerdict(False, f"aligned ({alignment.description}), {objection}", agreement.agreeing)
    return best


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
            agreement.overlap < _MIN_OVERLAP,
            f"each shows something beside the other's edge ({agreement.overlap:.0%} is shared)",
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


def _is_plain(fingerprint: Fingerprint) -> bool:
    colour_spread = float(fingerprint.colour.std(axis=(0, 1)).max())
    return float(fingerprint.grey.std()) < _PLAIN_SPREAD and colour_spread < _PLAIN_SPREAD


def _compare_plain(first: Fingerprint, second: Fingerprint) -> CopyVerdict:
    if first.grey.shape != second.grey.shape:
        return CopyVerdict(False, "both pictures are plain, and of other proportions", 0.0)
    tone = np.abs(first.grey.astype(int) - second.grey.astype(int)).max()
    colour = np.abs(first.colour.astype(int) - second.colour.astype(int)).max()
    if max(tone, colour) > _PLAIN_DIFFERENCE:
        return CopyVerdict(False, "both pictures are plain, and of other colours", 0.0)
    return CopyVerdict(True, "both pictures are plain and of one colour", 1.0)


def _sort_key(fingerprint: Fingerprint) -> tuple[tuple[int, ...], bytes, bytes]:
    return fingerprint.grey.shape, fingerprint.grey.tobytes(), fingerprint.colour.tobytes()
