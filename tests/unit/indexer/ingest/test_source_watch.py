"""A source is indexed again when it changes, once for changes that come together, until somebody ends it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indexer.ingest import source_watch
from indexer.ingest.source_watch import SourceWatch
from lookalike.options import SourceOptions

_timers: list[threading.Timer] = []
"""Those of the running test."""


def after(seconds: float, act: Callable[[], object]) -> None:
    """Call ``act`` later, from another thread, as changes come."""
    timer = threading.Timer(seconds, act)
    _timers.append(timer)
    timer.start()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Short waits; and a signal that comes when the watch has ended, as on a busy machine, ends no test."""
    monkeypatch.setattr(source_watch, "QUIET_MS", 150)
    handlers = {number: signal.signal(number, lambda *_: None) for number in source_watch.SIGNALS}
    try:
        yield
    finally:
        for timer in _timers:
            timer.cancel()
            timer.join()
        _timers.clear()
        for number, handler in handlers.items():
            signal.signal(number, handler)


class Runs:
    """Counts runs, and ends the watch by a signal once ``steps``, one for each run, are used up."""

    def __init__(self, *steps: Callable[[], object], number: signal.Signals = signal.SIGINT) -> None:
        self.count, self._steps, self._number = 0, list(steps), number

    def __call__(self) -> None:
        self.count += 1
        step = self._steps.pop(0) if self._steps else None
        act = step if step is not None else lambda: os.kill(os.getpid(), self._number)
        after(0.6, act)


def watched(location: Path, runs: Runs, root: Path | None = None, **patterns: tuple[str, ...]) -> int:
    options = SourceOptions(**patterns)  # type: ignore[arg-type]
    SourceWatch(location, root, location.parent / "data", options).run(runs)
    return runs.count


def write_several(folder: Path) -> None:
    for number in range(5):
        (folder / f"{number}.jpg").write_bytes(b"x")
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_changes_that_come_together_make_one_run(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "pictures" / "deep").mkdir(parents=True)
    handler = signal.getsignal(number)
    runs = Runs(lambda: write_several(tmp_path / "pictures" / "deep"), number=number)
    assert watched(tmp_path / "pictures", runs) == 2
    assert signal.getsignal(number) is handler, "and a signal means again what it meant before"


def test_changes_of_excluded_files_and_of_the_data_folder_are_none(tmp_path: Path) -> None:
    for name in ("pictures/@eaDir", "pictures/raw", "data"):
        (tmp_path / name).mkdir(parents=True)

    def change() -> None:
        write_several(tmp_path / "pictures" / "@eaDir")
        write_several(tmp_path / "pictures" / "raw")
        after(0.6, lambda: os.kill(os.getpid(), signal.SIGINT))

    assert watched(tmp_path / "pictures", Runs(change), exclude=("raw/",)) == 1
    data = SourceWatch(tmp_path, None, tmp_path / "data", SourceOptions())

    def change_data() -> None:
        write_several(tmp_path / "data")
        os.kill(os.getpid(), signal.SIGINT)

    runs = Runs(change_data)
    data.run(runs)
    assert runs.count == 1


def test_a_manifest_is_watched_with_its_pictures_wherever_they_are(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "img").mkdir()
    manifest = tmp_path / "tables" / "list.csv"
    manifest.write_text("path\n")

    def replace() -> None:
        (manifest.parent / "new.csv").write_text("path\na.jpg\n")
        (manifest.parent / "new.csv").replace(manifest)

    def write_beside() -> None:
        (manifest.parent / "notes.txt").write_text("no part of it")
        after(0.6, lambda: os.kill(os.getpid(), signal.SIGINT))

    runs = Runs(replace, lambda: write_several(tmp_path / "img"), write_beside)
    assert watched(manifest, runs, root=tmp_path / "img") == 3


def test_who_ends_it_during_a_run_interrupts_the_run(tmp_path: Path) -> None:
    def endless() -> None:
        after(0.2, lambda: os.kill(os.getpid(), signal.SIGTERM))
        time.sleep(20)

    with pytest.raises(KeyboardInterrupt):
        SourceWatch(tmp_path, None, tmp_path / "data", SourceOptions()).run(endless)
