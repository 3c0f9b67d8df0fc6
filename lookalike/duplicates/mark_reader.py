"""The marks of all pictures: those that are remembered, and of the others by reading them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import islice

from lookalike.catalogue.duplicate_store import DuplicateStore
from lookalike.duplicates.marks import MARKS_VERSION, Marks, compute_marks
from lookalike.duplicates.subjects import Subject, changed_warning
from lookalike.errors import LookalikeError
from lookalike.images import decode
from lookalike.images.capture import read_capture
from lookalike.options import ImageLimits

_FIT = 256
"""Pixels that the shorter side of a reduced JPEG has at least: four times what a hash is computed of."""
_AT_ONCE = 512
"""Pictures whose marks are stored together."""


@dataclass(frozen=True, slots=True)
class MarkReader:
    """Reads marks, remembering them in ``store``; ``report`` is called with a sentence on each picture left out."""

    store: DuplicateStore
    limits: ImageLimits
    threads: Executor
    report: Callable[[str], None]

    def read(self, subjects: Sequence[Subject], advance: Callable[[int], object]) -> list[Marks | None]:
        """For each subject its marks, None if it cannot be read or has changed.

        ``advance`` is called with how many more are done.
        """
        first_subjects: dict[str, Subject] = {}
        for subject in subjects:
            first_subjects.setdefault(subject.digest, subject)
        stored = self.store.marks(list(first_subjects), MARKS_VERSION)
        marks: dict[str, Marks | None] = {digest: Marks.from_bytes(data) for digest, data in stored.items()}
        advance(len(marks))
        unread = (subject for digest, subject in first_subjects.items() if digest not in marks)
        for batch in _batches(unread):
            new_marks = dict(
                zip((subject.digest for subject in batch), self.threads.map(self._compute, batch), strict=True)
            )
            storable = {
                subject.digest: entry.to_bytes()
                for subject in batch
                if (entry := new_marks[subject.digest]) is not None and not subject.is_reference
            }
            self.store.store_marks(storable, MARKS_VERSION)
            marks |= new_marks
            advance(len(batch))
        return [marks[subject.digest] for subject in subjects]

    def _compute(self, subject: Subject) -> Marks | None:
        try:
            data = subject.read(subject.item.location, self.limits.max_bytes)
            if hashlib.sha256(data).hexdigest() != subject.digest:
                self.report(changed_warning(subject))
                return None
            pixels = decode(data, limits=self.limits, name=subject.key, fit=_FIT).pixels
        except LookalikeError as error:
            self.report(f"warning: {subject.key} cannot be checked: {error.message}")
            return None
        capture = read_capture(data)
        return compute_marks(pixels, taken_at=capture.taken_at, camera=capture.camera)


def _batches(subjects: Iterator[Subject]) -> Iterator[list[Subject]]:
    while batch := list(islice(subjects, _AT_ONCE)):
        yield batch
