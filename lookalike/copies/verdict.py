"""The verdict: whether any way of laying the one picture upon the other makes them agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lookalike.copies.agreement import Agreement, agreement
from lookalike.copies.alignment import alignments
from lookalike.copies.fingerprint import Fingerprint

_SHARED = 0.95
_AGREES = 0.85
_CLOSELY = 0.6
_CONTRADICTS = 0.04
_COVERED = 0.75
"""Of the detail: what a banner may hide, lest a symbol on a plain ground be all that is left."""
_TONED = 0.1
_COLOUR = 0.8
_PLACES = 5.0
_PLAIN_SPREAD = 2.0
_PLAIN_DIFFERENCE = 4
"""Grey levels, and steps of CIELAB's a and b, by which JPEG may change a plain picture."""


@dataclass(frozen=True, slots=True)
class CopyVerdict:
    """``why`` is for people; ``strength`` is the share, 0 to 1, of the common detail that agrees; 0 without any."""

    copy: bool
    why: str
    strength: float


def check_copy(first: Fingerprint, second: Fingerprint) -> CopyVerdict:
    """Whether one of two pictures is a made copy of the other, or both of a third; the order does not matter.

    Changes that are seen through: format, size, stretch up to 2.5, brightness, contrast, blur, loss of colour, cutting
    down to about a quarter of the area, borders, banners, mirroring, turning. Two plain pictures are copies if they are
    of one colour and shape.
    """
    if _order(second) < _order(first):
        first, second = second, first
    plain = _is_plain(first), _is_plain(second)
    if all(plain):
        return _compare_plain(first, second)
    if any(plain):
        return CopyVerdict(False, "one of the pictures is plain", 0.0)
    best = CopyVerdict(False, "no way was found to lay one picture upon the other", 0.0)
    for guess in alignments(first, second):
        found = agreement(first, second, guess.matrix)
        if found is None:
            continue
        objection = _objection(found)
        if objection is None:
            words = f"laid upon each other ({guess.how}), {found.agrees:.0%} of their detail agrees"
            covered = f", with {found.covered:.0%} covered" if found.covered >= 0.02 else ""
            return CopyVerdict(True, words + covered, found.agrees)
        if found.agrees > best.strength:
            best = CopyVerdict(False, f"laid upon each other ({guess.how}), {objection}", found.agrees)
    return best


def _objection(found: Agreement) -> str | None:
    """What speaks against a copy, in words, or None."""
    detail = found.detailed * (1 - found.covered)
    objections = (
        (found.agrees < _AGREES, f"{found.agrees:.0%} of their detail agrees, too little"),
        (found.closely < _CLOSELY, f"{found.closely:.0%} of their detail agrees closely, too little"),
        (found.contradicts > _CONTRADICTS, f"{found.contradicts:.0%} of their detail contradicts"),
        (found.shared < _SHARED, f"each shows something beside the other's edge ({found.shared:.0%} is shared)"),
        (found.covered > _COVERED * detail, f"{found.covered:.0%} is blank or of another tone in one of them"),
        (found.places < _PLACES, "too little detail is shared to tell"),
        (found.toned > _TONED, f"{found.toned:.0%} is darker or lighter in one of them"),
        (found.colour is not None and found.colour < _COLOUR, "the colours differ"),
    )
    return next((words for objects, words in objections if objects), None)


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


def _order(fingerprint: Fingerprint) -> tuple[tuple[int, ...], bytes, bytes]:
    return fingerprint.grey.shape, fingerprint.grey.tobytes(), fingerprint.colour.tobytes()
