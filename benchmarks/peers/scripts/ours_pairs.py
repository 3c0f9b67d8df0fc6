"""This project's ``index`` and ``duplicates`` on a folder: the pairs within the groups that it reports."""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any

from benchmarks.peers.scripts.common import (
    Clock,
    answer,
    peak_rss_mb,
    pictures_in,
    since_start,
    take_stdout,
    versions,
)


def main() -> None:
    """Read the command line, measure, write pairs and figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--warm", type=Path, required=True, help="Flat folder of a few, indexed first.")
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    stdout = take_stdout()
    table = options.work / "copies.csv"
    run("index", str(options.warm), "--collection", "warm", "--data", str(options.work))
    start = since_start()
    clock = Clock()
    run("index", str(options.pictures), "--collection", "peers", "--data", str(options.work))
    indexing = clock.figures()
    run("duplicates", "--collection", "peers", "--data", str(options.work), "--out", str(table))
    answer(
        stdout,
        {
            **clock.figures(),
            "indexing_seconds": indexing["seconds"],
            "pictures": len(pictures_in(options.pictures)),
            "start_seconds": round(start, 2),
            "peak_rss_mb": peak_rss_mb(),
            "pairs": pairs(table),
            "versions": versions("lookalike", "torch", "numpy"),
        },
    )


def run(*arguments: str) -> None:
    """One command; 3 means that some files were rejected, which a folder of real files may bring."""
    from indexer.cli import app

    command: Any = app
    code = command(args=list(arguments), prog_name="python -m indexer", standalone_mode=False)
    if code not in (None, 0, 3):
        raise RuntimeError(f"{arguments[0]} ended with exit code {code}")


def pairs(table: Path) -> list[list[str]]:
    """All pairs within each group of the table that ``duplicates`` wrote."""
    groups: dict[str, list[str]] = defaultdict(list)
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            groups[row["group"]].append(row["key"])
    return sorted(sorted(pair) for keys in groups.values() for pair in combinations(keys, 2))


if __name__ == "__main__":
    main()
