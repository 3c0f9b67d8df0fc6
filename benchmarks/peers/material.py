"""What all peers are given: one flat folder of pictures, one matrix of vectors, one folder of labelled copies."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.near_duplicates import NO_COPIES, ONE_PHOTOGRAPH
from benchmarks.peers.scripts.indexes import NEIGHBOURS

WARM = 32
ROWS = 200
ENDINGS = frozenset({".jpg", ".jpeg", ".png"})
Pair = tuple[str, str]


@dataclass(frozen=True)
class Pictures:
    """Copies under plain numbers as names, and a second folder with the first few of them to warm up on."""

    folder: Path
    warm: Path
    facts: dict[str, Any]


@dataclass(frozen=True)
class Matrix:
    """Unit vectors and queries as float32 files, and the score of each query's tenth nearest."""

    vectors: Path
    queries: Path
    truth: Path
    facts: dict[str, Any]


@dataclass(frozen=True)
class Copies:
    """A flat folder and the pairs in it that are copies of one picture."""

    folder: Path
    warm: Path
    pairs: frozenset[Pair]
    facts: dict[str, Any]


def stage_pictures(sources: list[Path], most: int, work: Path) -> Pictures:
    """Copy up to ``most`` pictures of the folders, taken in turns from all over them; raises ValueError for none."""
    found = [path for source in sources for path in sorted(source.rglob("*")) if path.suffix.lower() in ENDINGS]
    if not found:
        raise ValueError(f"no pictures in {', '.join(map(str, sources))}")
    chosen = [found[place * len(found) // min(most, len(found))] for place in range(min(most, len(found)))]
    whole, warm = _made(work / "pictures"), _made(work / "warm")
    for number, path in enumerate(chosen):
        for folder in (whole, warm) if number < WARM else (whole,):
            shutil.copyfile(path, folder / f"{number:06d}{path.suffix.lower()}")
    sizes = [path.stat().st_size for path in chosen]
    facts = {
        "count": len(chosen),
        "from": [source.name for source in sources],
        "kilobytes_each": round(float(np.mean(sizes)) / 1000, 1),
    }
    return Pictures(whole, warm, facts)


def stage_matrix(vectors: Path, queries: Path, most: int, asked: int, work: Path) -> Matrix:
    """The first ``most`` vectors, brought to unit length, and exact answers for the first ``asked`` queries."""
    made = Matrix(work / "vectors.npy", work / "queries.npy", work / "truth.npy", {})
    stored = _unit(np.load(vectors, mmap_mode="r")[:most])
    wanted = _unit(np.load(queries, mmap_mode="r")[:asked])
    tenth = [
        np.partition(wanted[start : start + ROWS] @ stored.T, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS]
        for start in range(0, len(wanted), ROWS)
    ]
    np.save(made.vectors, stored)
    np.save(made.queries, wanted)
    np.save(made.truth, np.concatenate(tenth))
    facts = {"count": len(stored), "dimension": stored.shape[1], "queries": len(wanted), "from": vectors.name}
    return Matrix(made.vectors, made.queries, made.truth, facts)


def stage_copies(source: Path, work: Path) -> Copies:
    """A labelled set (labels.csv: path, group, transform) in one folder, its groups as the set's check has them."""
    folder, warm = _made(work / "copies"), _made(work / "copies-warm")
    groups: dict[str, list[str]] = {}
    with (source / "labels.csv").open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            name = f"{number:04d}{Path(row['path']).suffix.lower()}"
            for place in (folder, warm) if number < WARM else (folder,):
                shutil.copyfile(source / row["path"], place / name)
            group = ONE_PHOTOGRAPH[0] if row["group"] in ONE_PHOTOGRAPH else row["group"]
            if group != NO_COPIES:
                groups.setdefault(group, []).append(name)
    pairs = frozenset(pair for names in groups.values() for pair in combinations(sorted(names), 2))
    facts = {"count": len(list(folder.iterdir())), "pairs": len(pairs), "from": source.name}
    return Copies(folder, warm, pairs, facts)


def _unit(vectors: Any) -> Any:
    rows = np.asarray(vectors, dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
