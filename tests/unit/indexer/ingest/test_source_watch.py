"""A source is indexed again when it changes, once for changes that come together, until somebody ends it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.ingest import source_watch
from indexer.ingest.source_watch import SourceWatch
from lookalike.options import SourceOptions


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_watch, "QUIET_MS", 150)


class Runs:
    """Counts runs, and ends the watch by a signal once ``steps``, one for each run, are used up."""

    def __init__(self, *steps: Callable[[], object], number: signal.Signals = signal.SIGINT) -> None:
        self.count, self._steps, self._number = 0, list(steps), number

    def __call__(self) -> None:
        self.count += 1
        step = self._steps.pop(0) if self._steps else None
        # Later than the run, from another thread, as changes come.
        act = step if step is not None else lambda: os.kill(os.getpid(), self._number)
        threading.Timer(0.6, act).start()


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
        threading.Timer(0.6, lambda: os.kill(os.getpid(), signal.SIGINT)).start()

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
        threading.Timer(0.6, lambda: os.kill(os.getpid(), signal.SIGINT)).start()

    runs = Runs(replace, lambda: write_several(tmp_path / "img"), write_beside)
    assert watched(manifest, runs, root=tmp_path / "img") == 3


def test_who_ends_it_during_a_run_interrupts_the_run(tmp_path: Path) -> None:
    def endless() -> None:
        threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
        time.sleep(20)

    with pytest.raises(KeyboardInterrupt):
        SourceWatch(tmp_path, None, tmp_path / "data", SourceOptions()).run(endless)
