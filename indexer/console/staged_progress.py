"""A progress callback for work that names its own steps: each is shown as a stage of its own."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

from indexer.console.reporter import Reporter, Stage


@dataclass
class StagedProgress:
    """A context manager whose ``report`` is a ``lookalike.index.base.ProgressCallback``."""

    reporter: Reporter
    name: str
    _open_stages: ExitStack = field(default_factory=ExitStack)
    _step: str = ""
    _count: int = 0
    _stage: Stage | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open_stages.close()

    def report(self, step: str, count: int, total: int) -> None:
        """``count`` of ``total`` are done; another step, or the same one restarted, ends the stage before it."""
        if self._stage is None or step != self._step or count < self._count:
            self._open_stages.close()
            self._stage = self._open_stages.enter_context(self.reporter.stage(f"{self.name}, {step}", total))
            self._step, self._count = step, 0
        self._stage.advance(count - self._count)
        self._count = count
