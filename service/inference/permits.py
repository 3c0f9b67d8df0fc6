"""Admission by permit: work is taken in up to a limit, and what comes beyond is told when to come again.

A permit may stand for a request, or for a byte of what is held in memory for one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import OverloadedError

_MEMORY = 0.9
"""How much of the estimate of an answer's seconds the past decides; the newest answer decides the rest."""


class Admission:
    """A number of permits, all used from one thread (the event loop's)."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.in_flight = 0
        self._seconds = 0.5

    @contextmanager
    def permit(self, weight: int = 1) -> Iterator[None]:
        """Hold permits while working; raises OverloadedError at once if there are not enough.

        A single request heavier than the capacity takes all of it.
        """
        self.check(weight)
        weight = min(weight, self.capacity)
        self.in_flight += weight
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.in_flight -= weight
            self._seconds = _MEMORY * self._seconds + (1 - _MEMORY) * (time.perf_counter() - begin)

    def check(self, weight: int = 1) -> None:
        """Raise OverloadedError if so many permits could not be had now."""
        if self.in_flight + min(weight, self.capacity) > self.capacity:
            raise OverloadedError(
                f"the service has as much to do as it takes in; try again in {self.retry_after} s",
                retry_after=self.retry_after,
            )

    @property
    def retry_after(self) -> int:
        """Whole seconds until about half of what is in flight should be done, from 1 to 30."""
        return min(30, max(1, math.ceil(self._seconds / 2)))
