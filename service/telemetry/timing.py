"""How long each part of an answer took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Stopwatch:
    """Milliseconds by stage, from the moment it is made."""

    def __init__(self, *stages: str) -> None:
        """``stages`` are those that are told of even if they never come."""
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
        """Count so much of the time of one stage as another's: two parts of the same work in a thread."""
        self.stages[source] -= milliseconds
        self.stages[target] = self.stages.get(target, 0.0) + milliseconds

    def beside(self, *others: Stopwatch) -> None:
        """Take in the stages of work that went on side by side: of each stage the longest counts."""
        for other in others:
            for name, value in other.stages.items():
                self.stages[name] = max(self.stages.get(name, 0.0), value)

    def took_ms(self) -> dict[str, float]:
        """Milliseconds of each stage and ``total`` until now, to a hundredth."""
        total = (time.perf_counter() - self._start) * 1000
        return {name: round(value, 2) for name, value in (self.stages | {"total": total}).items()}


def server_timing(took_ms: Mapping[str, float]) -> str:
    """The same as the header Server-Timing has it."""
    return ", ".join(f"{name};dur={value}" for name, value in took_ms.items())
