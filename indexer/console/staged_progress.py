"""Work that names its own steps, shown one stage after the other."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

from indexer.console.reporter import Reporter, Stage


@dataclass
class Steps:
    """A context manager; ``tell`` goes where the library takes a ``lookalike.index.base.ProgressCallback``."""

    reporter: Reporter
    name: str
    _open: ExitStack = field(default_factory=ExitStack)
    _what: str = ""
    _done: int = 0
    _stage: Stage | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def tell(self, what: str, done: int, total: int) -> None:
        """So much of a step is done; another step, or the same begun anew, ends the stage before it."""
        if self._stage is None or what != self._what or done < self._done:
            self._open.close()
            self._stage = self._open.enter_context(self.reporter.stage(f"{self.name}, {what}", total))
            self._what, self._done = what, 0
        self._stage.advance(done - self._done)
        self._done = done
