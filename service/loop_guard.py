"""Loops in the background that survive a defect."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from types import TracebackType

_LOG = logging.getLogger(__name__)


class LoopGuard(AbstractContextManager[None]):
    """A context for each round of a loop: an error that nobody expected is logged, and the loop goes on.

    It is logged with its trace when it first happens, and not again until a round has succeeded. ``work`` says what the
    loop does, as the subject of a sentence.
    """

    def __init__(self, work: str) -> None:
        self.work = work
        self.is_failing = False

    def __enter__(self) -> None:
        """Begin a round."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """End a round; only what is no Exception, such as a cancellation, is raised."""
        if error is not None and not isinstance(error, Exception):
            return False
        if error is not None and not self.is_failing:
            extra = {"work": self.work, "error": type(error).__name__}
            _LOG.error("background work failed", exc_info=error, extra=extra)
        self.is_failing = error is not None
        return True
