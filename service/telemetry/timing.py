"""The time that each stage of a request takes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Stopwatch:
    """Milliseconds by stage, and in all since it was made."""

    def __init__(self, *stages: str) -> None:
        """``stages`` are reported as 0.0 even if they are skipped."""
        self._start = time.perf_counter()
        self.stages = dict.fromkeys(stages, 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time that passes inside to a stage."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + (time.perf_counter() - begin) * 1000

    def move(self, milliseconds: float, source: str, target: str) -> None:
        """Move milliseconds from one stage to another, where one call in a thread did the work of both."""
        self.stages[source] -= milliseconds
        self.stages[target] = self.stages.get(target, 0.0) + milliseconds

    def merge_concurrent(self, *stopwatches: Stopwatch) -> None:
        """Merge the stages of work that ran concurrently: of each stage the longest time counts."""
        for stopwatch in stopwatches:
            for name, value in stopwatch.stages.items():
                self.stages[name] = max(self.stages.get(name, 0.0), value)

    def took_ms(self) -> dict[str, float]:
        """Milliseconds of each stage and ``total`` until now, to a hundredth."""
        total = (time.perf_counter() - self._start) * 1000
        return {name: round(value, 2) for name, value in (self.stages | {"total": total}).items()}


def server_timing(took_ms: Mapping[str, float]) -> str:
    """The value of the header Server-Timing for these times."""
    return ", ".join(f"{name};dur={value}" for name, value in took_ms.items())
