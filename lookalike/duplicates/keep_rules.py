"""Which of several equally complete copies is kept: rules that narrow the choice, one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

from lookalike.duplicates.picture_pairs import LOSSLESS
from lookalike.duplicates.subjects import FileStatus, Subject


class KeepRule(StrEnum):
    """Rules that a caller may put first, in any order."""

    PIXELS = "pixels"
    BYTES = "bytes"
    SHARPNESS = "sharpness"
    OLDEST = "oldest"
    FOLDER = "folder"


COLOUR_SHARE, PIXEL_SHARE, _SHARPNESS_SHARE = 0.5, 0.9, 0.6
"""Shares of the best from which a picture has as much colour, as many pixels or as much sharpness as the best."""
_SMALLER, _ENLARGED, _ENLARGED_ALONE = 0.8, 1.1, 2.0
"""A picture is enlarged if it resolves at most the second times what another one does that has at most the first share
of its pixels; at most the third times, where most copies are of that other one's size and few of its own."""
NOISE = 3.0
"""Levels of noise that one picture has more than another from which it is the noisy one."""
_CLIPPED_FACTOR, _CLIPPED_PIXELS = 1.3, 0.01
"""A picture has as many tones as another if it is clipped so many times as much, and so large a share more."""


@dataclass(frozen=True, slots=True)
class KeepCandidate:
    """What the rules go by: ``sharpness`` from 0 to 1, ``noise`` in levels, the marks' ``colourfulness`` and
    ``clipped``, when it was taken if EXIF data say so, the digest of all pixels ("" if unknown), and the status of the
    file where it is one."""

    subject: Subject
    sharpness: float
    noise: float
    colourfulness: float
    clipped: float
    taken_at: float | None
    pixels_digest: str
    status: FileStatus | None

    @property
    def size(self) -> tuple[int, int]:
        """Its sides, the shorter one first: those of a turned copy are the same."""
        shorter, longer = sorted((self.subject.item.width, self.subject.item.height))
        return shorter, longer

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
        first: list[tuple[Narrow, str]] = [
            (_with_colour, "has its colours"),
            (_not_unpacked, "is the compressed file whose pixels another one has"),
        ]
        order = dict.fromkeys((*self.order, *usual))
        last: list[tuple[Narrow, str]] = [
            (_with_capture, "says when it was taken"),
            # The even ground of a lossless picture counts as clipped, and less of it once JPEG has made it uneven.
            (_without_loss, "is stored without loss"),
            (_with_most_tones, "has its tones, not clipped"),
            (_smallest_of_equal_pixels, "is the smallest file of the same pixels"),
            chosen[KeepRule.BYTES],
            chosen[KeepRule.OLDEST],
            (_no_links, "is no link"),
            (_first_by_key, "comes first by name"),
        ]
        # Of one resolution the camera's own file comes first; and noise looks sharp, so the noisy ones go before the
        # sharpest are looked for.
        before_sharpness: list[tuple[Narrow, str]] = [
            (_with_capture, "says when it was taken"),
            (_without_noise, "has no noise added"),
        ]
        steps = [*first, *(chosen[rule] for rule in order), *last]
        place = steps.index(chosen[KeepRule.SHARPNESS])
        return steps if KeepRule.SHARPNESS in self.order else [*steps[:place], *before_sharpness, *steps[place:]]

    def _in_first_folder(self, candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
        for folder in self.folders:
            inside = [entry for entry in candidates if PurePath(entry.subject.path).is_relative_to(folder)]
            if inside:
                return inside
        return list(candidates)


def _with_colour(candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
    return _at_least(candidates, lambda entry: entry.colourfulness, COLOUR_SHARE)


def _with_most_pixels(candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
    counts = Counter(entry.size for entry in candidates)
    genuine = [entry for entry in candidates if not any(_is_enlarged(entry, other, counts) for other in candidates)]
    return _at_least(genuine or candidates, lambda entry: entry.subject.pixels, PIXEL_SHARE)


def _is_enlarged(entry: KeepCandidate, other: KeepCandidate, counts: Counter[tuple[int, int]]) -> bool:
    """Whether a picture adds only pixels to another one; ``counts`` is how many copies there are of each size."""
    if other.subject.pixels > _SMALLER * entry.subject.pixels or counts[other.size] < counts[entry.size]:
        return False
    limit = _ENLARGED_ALONE if counts[other.size] > counts[entry.size] else _ENLARGED
    return entry.resolved_pixels <= limit * other.resolved_pixels


def _not_unpacked(candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
    """Without lossless files of the pixels of a JPEG: a JPEG made of such a file has other pixels."""
    jpeg_digests = {entry.pixels_digest for entry in candidates if entry.subject.item.format == "JPEG"} - {""}
    return [
        entry for entry in candidates if entry.subject.item.format == "JPEG" or entry.pixels_digest not in jpeg_digests
    ]


def _sharpest(candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
    return _at_least(candidates, lambda entry: entry.sharpness, _SHARPNESS_SHARE)


def _without_noise(candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
    least = min(entry.noise for entry in candidates)
    return [entry for entry in candidates if entry.noise <= least + NOISE]


def _with_most_tones(candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
    most = most_clipped(min(entry.clipped for entry in candidates))
    return [entry for entry in candidates if entry.clipped <= most]


def most_clipped(least: float) -> float:
    """The share of clipped pixels up to which a picture has as many tones as one with the share ``least``."""
    return _CLIPPED_FACTOR * least + _CLIPPED_PIXELS


def _with_capture(candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
    return [entry for entry in candidates if entry.taken_at is not None] or list(candidates)


def _without_loss(candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
    return [entry for entry in candidates if entry.subject.item.format in LOSSLESS] or list(candidates)


def _smallest_of_equal_pixels(candidates: Sequence[KeepCandidate]) -> list[KeepCandidate]:
    """Of several lossless files of the same pixels the smallest: bytes say nothing of these."""
    digests = {entry.pixels_digest for entry in candidates}
    if len(digests) > 1 or digests == {""} or any(entry.subject.item.format not in LOSSLESS for entry in candidates):
        return list(candidates)
    smallest = min(entry.subject.item.byte_size for entry in candidates)
    return [entry for entry in candidates if entry.subject.item.byte_size == smallest]


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
