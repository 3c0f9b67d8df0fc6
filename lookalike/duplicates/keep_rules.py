"""Which of several equally complete copies is kept: rules that narrow the choice, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

from lookalike.duplicates.subjects import FileStatus, Subject


class KeepRule(StrEnum):
    """Rules that a caller may put first, in any order."""

    PIXELS = "pixels"
    BYTES = "bytes"
    SHARPNESS = "sharpness"
    OLDEST = "oldest"
    FOLDER = "folder"


COLOUR_SHARE, PIXEL_SHARE, _SHARPNESS_SHARE = 0.5, 0.6, 0.85
"""Shares of the best from which a picture has as much colour, resolution or sharpness as the best."""
CLIPPED_DIFFERENCE = 0.01
"""Share of the pixels by which a picture may be clipped more than the one with most tones."""


@dataclass(frozen=True, slots=True)
class KeepCandidate:
    """What the rules go by: ``sharpness`` from 0 to 1, the marks' ``colourfulness`` and ``clipped``, whether EXIF data
    says when it was taken, and the status of the file where it is one."""

    subject: Subject
    sharpness: float
    colourfulness: float
    clipped: float
    has_capture: bool
    status: FileStatus | None

    @property
    def resolved_pixels(self) -> float:
        """Pixels that its detail makes use of: an enlarged picture has no more of them than before."""
        return self.subject.pixels * self.sharpness**2


Narrow = Callable[[Sequence[KeepCandidate]], list[KeepCandidate]]


@dataclass(frozen=True, slots=True)
class KeepRules:
    """``order`` are the rules that come first after colour, ``folders`` the absolute paths of ``KeepRule.FOLDER``.

    After them come resolution, sharpness, EXIF data, bytes, age and at last the key, so that one is always chosen.
    """

    order: tuple[KeepRule, ...] = ()
    folders: tuple[str, ...] = ()

    def choose(self, candidates: Sequence[KeepCandidate]) -> tuple[KeepCandidate, str]:
        """The one to keep, and in words why it and not the others; "" if there is only one."""
        reason = ""
        left = list(candidates)
        for narrow, words in self._steps():
            if len(left) == 1:
                break
            narrowed = narrow(left)
            if len(narrowed) < len(left):
                left, reason = narrowed, words
        return left[0], reason

    def _steps(self) -> list[tuple[Narrow, str]]:
        chosen = {
            KeepRule.PIXELS: (_with_most_pixels, "has the highest resolution"),
            KeepRule.BYTES: (_with_most_bytes, "has the most bytes"),
            KeepRule.SHARPNESS: (_sharpest, "is the sharpest, not enlarged or blurred"),
            KeepRule.OLDEST: (_oldest, "is the oldest file"),
            KeepRule.FOLDER: (self._in_first_folder, "is in a preferred folder"),
        }
        usual = (KeepRule.FOLDER, KeepRule.PIXELS, KeepRule.SHARPNESS)
        order = dict.fromkeys((*self.order, *usual))
        last: list[tuple[Narrow, str]] = [
            (_with_most_tones, "has its tones, not clipped"),
            (_with_capture, "says when it was taken"),
            chosen[KeepRule.BYTES],
            chosen[KeepRule.OLDEST],
            (_no_links, "is no link"),
            (_first_by_key, "comes first by name"),
        ]
        return [(_with_colour, "has its colours"), *(chosen[rule] for rule in order), *last]

    def _in_first_folder(self, candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
        for folder in self.folders:
            inside = [entry for entry in candidates if PurePath(entry.subject.path).is_relative_to(folder)]
            if inside:
                return inside
        return list(candidates)


def _with_colour(candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
    return _at_least(candidates, lambda entry: entry.colourfulness, COLOUR_SHARE)


def _with_most_pixels(candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
    return _at_least(candidates, lambda entry: entry.resolved_pixels, PIXEL_SHARE)


def _sharpest(candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
    return _at_least(candidates, lambda entry: entry.sharpness, _SHARPNESS_SHARE)


def _with_most_tones(candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
    most = min(entry.clipped for entry in candidates) + CLIPPED_DIFFERENCE
    return [entry for entry in candidates if entry.clipped <= most]


def _with_capture(candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
    return [entry for entry in candidates if entry.has_capture] or list(candidates)


def _with_most_bytes(candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
    return _at_least(candidates, lambda entry: entry.subject.item.byte_size, 1.0)


def _oldest(candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
    times = [entry.status.modified_at for entry in candidates if entry.status is not None]
    if len(times) < len(candidates):
        return list(candidates)
    return [entry for entry in candidates if entry.status is not None and entry.status.modified_at == min(times)]


def _no_links(candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
    return [entry for entry in candidates if entry.status is None or not entry.status.is_link] or list(candidates)


def _first_by_key(candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
    return [min(candidates, key=lambda entry: (entry.subject.key, entry.subject.number))]


def _at_least(
    candidates: Sequence[KeepCandidate], value: Callable[[KeepCandidate], float], share: float
) -> list[KeepCandidate]:
    least = share * max(value(entry) for entry in candidates)
    return [entry for entry in candidates if value(entry) >= least]
