"""Admission by permits: requests up to a limit are accepted, others are refused with a time to try again.

A permit stands for a unit of work, or for a byte of memory.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import OverloadedError

_SMOOTHING = 0.9
"""Weight of earlier requests in the moving average of a request's seconds; the newest has the rest."""


class Admission:
    """A number of permits, used from one thread only (the event loop's)."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.in_flight = 0
        self._seconds = 0.5

    @contextmanager
    def permit(self, weight: int = 1) -> Iterator[None]:
        """Hold permits within the context; raises OverloadedError at once if too few are free.

        A single request whose weight exceeds the capacity takes all permits.
        """
        self.check(weight)
        weight = min(weight, self.capacity)
        self.in_flight += weight
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.in_flight -= weight
            self._seconds = _SMOOTHING * self._seconds + (1 - _SMOOTHING) * (time.perf_counter() - begin)

    def check(self, weight: int = 1) -> None:
        """Raise OverloadedError if that many permits are not free now."""
        if self.in_flight + min(weight, self.capacity) > self.capacity:
            raise OverloadedError(
                f"the service is at capacity; try again in {self.retry_after} s",
                retry_after=self.retry_after,
            )

    @property
    def retry_after(self) -> int:
        """Whole seconds, 1 to 30, after which about half of the current requests should be done."""
        return min(30, max(1, math.ceil(self._seconds / 2)))
