"""Output of the commands: text and progress on stderr, results on stdout, or with --json one JSON object a line."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from indexer.console.units import clock

REPORT_INTERVAL_S = 2.0  # seconds between two lines of progress where no terminal shows a bar
EVENT_INTERVAL_S = 1.0  # seconds between two ``progress`` events
Note = int | Mapping[str, int]
"""A running total to show, or several by name, which only events have."""


class Stage(Protocol):
    """A stage of a command's work that is running."""

    def advance(self, count: int = 1, **notes: Note) -> None:
        """Add ``count`` to the steps that are done; ``notes`` are running totals to show, such as rejected=3."""


class Reporter(Protocol):
    """Where a command's output goes."""

    def say(self, text: str) -> None:
        """Print a line for a person."""

    def answer(self, text: str, **fields: Any) -> None:
        """Write a result: ``text`` for a terminal or a pipe, ``fields`` as JSON."""

    def event(self, kind: str, **fields: Any) -> None:
        """Write an event for programs only."""

    def stage(self, name: str, total: int) -> AbstractContextManager[Stage]:
        """A context manager with the Stage; ``total`` is the number of its steps, 0 if that is not known."""


def rate_and_eta(count: int, total: int, seconds: float) -> tuple[float, float | None]:
    """Steps a second, and seconds left (None before the first step is done)."""
    rate = count / seconds if seconds > 0 else 0.0
    return rate, max(0, total - count) / rate if rate > 0 and total else None


def _stderr() -> Console:
    """A console that prints text unchanged: no markup, no emoji in place of ``:names:``."""
    return Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


@dataclass
class HumanReporter:
    """Text for a person; a live bar on a terminal, a line every two seconds elsewhere."""

    console: Console = field(default_factory=_stderr)
    out: TextIO = field(default_factory=lambda: sys.stdout)

    def say(self, text: str) -> None:
        """Print to stderr."""
        self.console.print(text, markup=False)

    def answer(self, text: str, **fields: Any) -> None:
        """Print to stdout; an empty answer prints no line, which a program that reads a pipe would take for a name."""
        del fields
        if not text:
            return
        encoding = self.out.encoding or "utf-8"
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=self.out, flush=True)

    def event(self, kind: str, **fields: Any) -> None:
        """Do nothing: text for a person goes through ``say``."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Stage]:
        """A bar, or lines."""
        if not self.console.is_terminal:
            yield _Lines(name, total, self.say)
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[notes]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            yield _Bar(progress, progress.add_task(name, total=total or None, pace="", notes=""))


class _Bar:
    def __init__(self, progress: Progress, task: Any) -> None:
        self._progress, self._task = progress, task
        self._start, self._count = time.monotonic(), 0

    def advance(self, count: int = 1, **notes: Note) -> None:
        self._count += count
        rate, _ = rate_and_eta(self._count, self._count, time.monotonic() - self._start)
        self._progress.update(self._task, advance=count, pace=f"{rate:.1f}/s", notes=_notes(notes))


class _Lines:
    def __init__(self, name: str, total: int, say: Any) -> None:
        self._name, self._total, self._say = name, total, say
        self._start = self._last_report = time.monotonic()
        self._count = 0

    def advance(self, count: int = 1, **notes: Note) -> None:
        self._count += count
        now = time.monotonic()
        if now - self._last_report < REPORT_INTERVAL_S:
            return
        self._last_report = now
        rate, left = rate_and_eta(self._count, self._total, now - self._start)
        progress = f"{self._count}/{self._total}" if self._total else f"{self._count}"
        words = [progress, f"{rate:.1f}/s", *([] if left is None else [f"{clock(left)} left"]), _notes(notes)]
        self._say(f"{self._name}: {', '.join(word for word in words if word)}")


def _notes(notes: dict[str, Note]) -> str:
    return ", ".join(f"{value} {name}" for name, value in notes.items() if value and isinstance(value, int))


@dataclass
class JsonReporter:
    """One JSON object a line on stdout; text for a person goes to stderr."""

    console: Console = field(default_factory=_stderr)
    out: TextIO = field(default_factory=lambda: sys.stdout)

    def say(self, text: str) -> None:
        """Print to stderr."""
        self.console.print(text, markup=False)

    def answer(self, text: str, **fields: Any) -> None:
        """Write an ``answer`` event."""
        del text
        self.event("answer", **fields)

    def event(self, kind: str, **fields: Any) -> None:
        """Write one line."""
        line = json.dumps({"event": kind, **fields}, ensure_ascii=False, allow_nan=False)
        try:
            line.encode(self.out.encoding or "utf-8")
        except UnicodeEncodeError:  # a file name that is not UTF-8, or a terminal that is not
            line = json.dumps({"event": kind, **fields}, allow_nan=False)
        print(line, file=self.out, flush=True)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Stage]:
        """``progress`` events: one at the start, one every second, one at the end."""
        stage = _Events(name, total, self.event)
        stage.report()
        yield stage
        stage.report()


class _Events:
    def __init__(self, name: str, total: int, event: Any) -> None:
        self._name, self._total, self._event = name, total, event
        self._start = self._last_report = time.monotonic()
        self._count = 0
        self._notes: dict[str, Note] = {}

    def advance(self, count: int = 1, **notes: Note) -> None:
        self._count += count
        self._notes = notes
        if time.monotonic() - self._last_report >= EVENT_INTERVAL_S:
            self.report()

    def report(self) -> None:
        self._last_report = time.monotonic()
        rate, left = rate_and_eta(self._count, self._total, self._last_report - self._start)
        self._event(
            "progress",
            stage=self._name,
            done=self._count,
            total=self._total,
            rate=round(rate, 2),
            eta_s=None if left is None else round(left, 1),
            **self._notes,
        )
