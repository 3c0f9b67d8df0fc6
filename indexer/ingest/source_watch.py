"""Indexing again whenever a source changes: changes that come together make one run.

The operating system tells of changes on local disks only; on network shares the environment variable
``WATCHFILES_FORCE_POLLING=1`` has them looked for instead.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from watchfiles import watch

from lookalike.options import SourceOptions
from lookalike.sources.exclusions import IGNORE_FILE, Exclusions

QUIET_MS = 1000
"""A run begins when nothing has changed for so long: a picture that is being copied is not read half."""
MAX_WAIT_MS = 15_000
"""A run begins so long after a change even if there are more."""
_FIRST_WAIT_MS = 100

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class SourceWatch:
    """Watches the files of a source: ``location`` is its folder or file, ``root`` where a manifest's paths start.

    Changes below ``ignored``, the data folder, which may lie within the source, and of excluded files are none.
    """

    location: Path
    root: Path | None
    ignored: Path
    options: SourceOptions
    _stop: threading.Event = field(default_factory=threading.Event)
    _is_running: bool = False

    def __post_init__(self) -> None:
        self.location, self.ignored = self.location.resolve(), self.ignored.resolve()
        self.root = None if self.root is None else self.root.resolve()

    def run(self, index: Callable[[], None]) -> None:
        """Call ``index`` now and after each change, until ``end`` or a signal, which interrupts it (KeyboardInterrupt).

        Changes that come while it runs are followed by another run.
        """
        exclusions = Exclusions(self.options, has_defaults=self.location.is_dir())
        is_first = True
        with self._handle_signals():
            for changes in watch(
                *self._paths(),
                watch_filter=lambda _change, path: self._is_relevant(Path(path), exclusions),
                debounce=MAX_WAIT_MS,
                step=QUIET_MS,
                stop_event=self._stop,
                rust_timeout=_FIRST_WAIT_MS,
                yield_on_timeout=True,
                raise_interrupt=False,
                recursive=self.location.suffix.lower() != ".zip",
            ):
                # The first run begins when the watch does, so that no change falls between the two.
                if is_first or changes:
                    is_first = False
                    self._index(index)

    def end(self) -> None:
        """Have ``run`` return when the call of ``index`` that goes on, if any, has; from any thread."""
        self._stop.set()

    def _index(self, index: Callable[[], None]) -> None:
        self._is_running = True
        try:
            index()
        finally:
            self._is_running = False

    def _paths(self) -> list[Path]:
        """The folders to watch: a file is watched by its folder, where another one may take its place."""
        if self.location.is_dir():
            return [self.location]
        folder = self.location.parent
        return [folder] if self.root is None or self.root.is_relative_to(folder) else [folder, self.root]

    def _is_relevant(self, path: Path, exclusions: Exclusions) -> bool:
        if path.is_relative_to(self.ignored):
            return False
        if self.location.suffix.lower() == ".zip" and not self.location.is_dir():
            return path == self.location
        if path == self.location or path.name == IGNORE_FILE:
            return True
        base = self.location if self.location.is_dir() else self.root or self.location.parent
        return path.is_relative_to(base) and exclusions.pattern_of(path.relative_to(base).as_posix()) is None

    @contextmanager
    def _handle_signals(self) -> Iterator[None]:
        handlers = {number: signal.signal(number, self._end_now) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _end_now(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.end()
        if self._is_running:
            raise KeyboardInterrupt
