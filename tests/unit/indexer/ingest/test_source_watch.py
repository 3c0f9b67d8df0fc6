"""A source is indexed again when it changes, once for changes that come together, until somebody ends it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.ingest import source_watch
from indexer.ingest.source_watch import SourceWatch
from lookalike.options import SourceOptions

QUIET_MS = 150
INTERRUPTED = f"""
import signal, sys, time
from pathlib import Path
from indexer.ingest import source_watch
from lookalike.options import SourceOptions

source_watch.QUIET_MS = {QUIET_MS}
handlers = [signal.getsignal(number) for number in source_watch.SIGNALS]

def index():
    print("indexing", flush=True)
    if "busy" in sys.argv:
        time.sleep(60)

folder = Path(sys.argv[1])
try:
    source_watch.SourceWatch(folder, None, folder.parent / "data", SourceOptions()).run(index)
    print("returned")
except KeyboardInterrupt:
    print("interrupted")
assert [signal.getsignal(number) for number in source_watch.SIGNALS] == handlers
"""
"""Signals go to a process of their own: one that comes late would end the tests."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_watch, "QUIET_MS", QUIET_MS)


def count_runs(watch: SourceWatch, *steps: Callable[[], object]) -> int:
    """Runs of a watch that ends some time after ``steps``, of which one comes soon after each run, are used up."""
    remaining = [*steps, watch.end]
    timers = []

    def index() -> None:
        timers.append(threading.Timer(0.6, remaining.pop(0)))
        timers[-1].start()

    try:
        watch.run(index)
    finally:
        for timer in timers:
            timer.join()
    return len(timers)


def watching(location: Path, root: Path | None = None, **patterns: tuple[str, ...]) -> SourceWatch:
    return SourceWatch(location, root, location.parent / "data", SourceOptions(**patterns))  # type: ignore[arg-type]


def write_several(folder: Path) -> None:
    for number in range(5):
        (folder / f"{number}.jpg").write_bytes(b"x")
        time.sleep(0.02)


def test_changes_that_come_together_make_one_run(tmp_path: Path) -> None:
    (tmp_path / "pictures" / "deep").mkdir(parents=True)
    watch = watching(tmp_path / "pictures")
    assert count_runs(watch, lambda: write_several(tmp_path / "pictures" / "deep")) == 2


def test_changes_of_excluded_files_and_of_the_data_folder_are_none(tmp_path: Path) -> None:
    for name in ("pictures/@eaDir", "pictures/raw", "data"):
        (tmp_path / name).mkdir(parents=True)
    watch = watching(tmp_path / "pictures", exclude=("raw/",))

    def change_what_is_excluded() -> None:
        write_several(tmp_path / "pictures" / "@eaDir")
        write_several(tmp_path / "pictures" / "raw")
        time.sleep(0.6)
        watch.end()

    assert count_runs(watch, change_what_is_excluded) == 1
    of_all = SourceWatch(tmp_path, None, tmp_path / "data", SourceOptions())

    def change_data() -> None:
        write_several(tmp_path / "data")
        time.sleep(0.6)
        of_all.end()

    assert count_runs(of_all, change_data) == 1


def test_a_manifest_is_watched_with_its_pictures_wherever_they_are(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "img").mkdir()
    manifest = tmp_path / "tables" / "list.csv"
    manifest.write_text("path\n")
    watch = watching(manifest, root=tmp_path / "img")

    def replace() -> None:
        (manifest.parent / "new.csv").write_text("path\na.jpg\n")
        (manifest.parent / "new.csv").replace(manifest)

    def write_beside() -> None:
        (manifest.parent / "notes.txt").write_text("no part of it")
        time.sleep(0.6)
        watch.end()

    assert count_runs(watch, replace, lambda: write_several(tmp_path / "img"), write_beside) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("state", "outcome"), [("idle", "returned"), ("busy", "interrupted")])
def test_a_signal_ends_it_and_interrupts_a_run(
    number: signal.Signals, state: str, outcome: str, tmp_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    program = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "pictures"), state]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "indexing\n"
        time.sleep(0.3)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (out, err, process.returncode) == (f"{outcome}\n", "", 0)
