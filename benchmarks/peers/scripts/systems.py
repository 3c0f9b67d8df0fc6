"""The course of a run of a whole system: warm up, index a folder, ask for some of its pictures again."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from benchmarks.peers.scripts.common import Clock, answer, peak_rss_mb, pictures_in, since_start, take_stdout


class System(Protocol):
    """Something that makes an index of a folder of pictures."""

    def index(self, folder: Path, work: Path) -> int:
        """Index the pictures of a flat folder, with room for files in ``work``; how many are in the index."""


class SearchingSystem(System, Protocol):
    """A system that also answers a picture."""

    def search(self, picture: Path) -> list[str]:
        """File names of the nearest in the index made last, best first."""


def run_system(make: Callable[[], System], packages: Callable[[], dict[str, str]]) -> None:
    """Read the command line, measure, write the figures.

    ``make`` loads whatever loads once. A first folder of a few pictures is indexed before the clock starts, so that
    neither a peer's nor our own start is in the rate; the start is a figure of its own.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=Path, required=True, help="Flat folder to index.")
    parser.add_argument("--warm", type=Path, required=True, help="Flat folder of a few, indexed first.")
    parser.add_argument("--work", type=Path, required=True, help="Empty folder for what is written.")
    parser.add_argument("--searches", type=int, default=50)
    options = parser.parse_args()
    stdout = take_stdout()
    system = make()
    system.index(options.warm, _made(options.work / "warm"))
    start = since_start()
    clock = Clock()
    count = system.index(options.pictures, _made(options.work / "whole"))
    figures: dict[str, Any] = {**clock.figures(), "pictures": count, "start_seconds": round(start, 2)}
    figures["pictures_per_second"] = round(count / figures["seconds"], 2)
    figures["pictures_per_cpu_second"] = round(count / figures["cpu_seconds"], 2)
    search = getattr(system, "search", None)
    if search is not None:
        figures.update(_searches(search, pictures_in(options.pictures), options.searches))
    figures["peak_rss_mb"] = peak_rss_mb()
    figures["versions"] = packages()
    answer(stdout, figures)


def _searches(search: Callable[[Path], list[str]], pictures: list[Path], count: int) -> dict[str, float]:
    """Median milliseconds of a search by picture, and the share that found itself first: proof that it works."""
    milliseconds, itself = [], 0
    asked = pictures[:: max(1, len(pictures) // count)][:count]
    search(asked[0])
    for picture in asked:
        start = time.perf_counter()
        names = search(picture)
        milliseconds.append((time.perf_counter() - start) * 1000)
        itself += names[:1] == [picture.name]
    return {"search_ms": round(statistics.median(milliseconds), 2), "found_itself": round(itself / len(asked), 3)}


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
