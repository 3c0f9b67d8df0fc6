"""Queries a second at equal recall, memory and build time: this index beside hnswlib, usearch and FAISS, one thread.

    python -m benchmarks.index --embeddings vectors.npy --queries queries.npy --count 100000 --out result.json

Every contender is built by a process of its own into a file, and loaded from there. Times are medians of the CPU time
of single queries, the contenders taking turns: a busy machine slows all alike. Memory is what the process holds of its
own (RssAnon) after loading and a round of queries, less before; of this index, all of its mapped file counts as well,
and the vectors, which it reads from the snapshot's file, are told apart. What is not installed is named as such.
``python -m benchmarks.large`` is for more vectors than fit into memory.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.index.contenders import CONSTRUCTION, KINDS, LINKS, Contender, K, Vectors, faiss
from benchmarks.index.measuring import TARGETS, at_recall, compared, measure, weighed

RESULT = Path(__file__).parents[1] / "results" / "index.json"


def build(name: str, vectors: Vectors, path: Path) -> None:
    """Write the contender's file, and beside it what that took."""
    started = time.process_time()
    facts: dict[str, Any]
    try:
        KINDS[name].build(vectors, path)
        facts = {"build_cpu_s": time.process_time() - started}
    except ImportError as error:
        facts = {"missing": f"{name}: not installed ({error})"}
    path.with_suffix(".json").write_text(json.dumps(facts))


def loaded(options: argparse.Namespace, folder: Path, vectors: Vectors, queries: Vectors) -> list[Contender | str]:
    """Each contender, built if its file is not in the folder yet, or why it cannot be had."""
    made: list[Contender | str] = []
    for name in options.only:
        path = folder / f"{name}-{len(vectors)}.index"
        record = path.with_suffix(".json")
        if not record.exists():
            command = [sys.executable, "-m", "benchmarks.index", "--embeddings", str(options.embeddings)]
            subprocess.run([*command, "--count", str(len(vectors)), "--build", name, str(path)], check=True)
        facts = json.loads(record.read_text())
        if "missing" in facts:
            made.append(facts["missing"])
            continue
        contender = weighed(name, vectors, queries, path)
        contender.facts |= facts
        made.append(contender)
    return made


def asked(vectors: Vectors, path: Path | None, count: int) -> Vectors:
    """Queries from a file, or vectors of the collection moved by as much as they differ from each other."""
    if path is not None:
        return np.ascontiguousarray(np.load(path, mmap_mode="r")[:count], dtype=np.float32)
    random = np.random.default_rng(11)
    rows = np.array(vectors[np.sort(random.choice(len(vectors), count, replace=False))])
    moved = rows + 0.5 * rows[random.permutation(count)]
    return np.ascontiguousarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), dtype=np.float32)


def measured(options: argparse.Namespace, vectors: Vectors, queries: Vectors) -> dict[str, Any]:
    """The result file's part on contenders."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        made = loaded(options, options.keep or Path(folder), vectors, queries)
        contenders = [one for one in made if isinstance(one, Contender)]
        measure(contenders, vectors, queries)
    return {
        "missing": [one for one in made if isinstance(one, str)],
        "contenders": [
            {"name": one.name, **one.facts, "curve": one.curve, "at": {str(t): at_recall(one, t) for t in TARGETS}}
            for one in contenders
        ],
        "compared": compared(contenders),
    }


def main() -> None:
    """Read the options, measure, write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--embeddings", type=Path, required=True, help="float32 .npy of unit vectors, (n, D)")
    parser.add_argument("--queries", type=Path, help="the same for queries; without it, vectors moved by chance")
    parser.add_argument("--count", type=int, help="so many of the vectors")
    parser.add_argument("--only", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument(
        "--keep", type=Path, help="folder for the built indexes; those that it holds are not built again"
    )
    parser.add_argument("--build", nargs=2, metavar=("NAME", "FILE"), help="only build one contender into a file")
    parser.add_argument("--asked", type=int, default=1000, help="so many queries")
    parser.add_argument("--out", type=Path, default=RESULT, help="the file to write")
    options = parser.parse_args()
    vectors: Vectors = np.asarray(np.load(options.embeddings, mmap_mode="r")[: options.count])
    if options.build:
        build(options.build[0], vectors, Path(options.build[1]))
        return
    queries = asked(vectors, options.queries, options.asked)
    faiss.omp_set_num_threads(1)
    result: dict[str, Any] = {
        "count": len(vectors), "dimension": vectors.shape[1], "queries": len(queries), "k": K,
        "machine": platform.processor() or platform.machine(), "cores": os.cpu_count(),
        "links": LINKS, "construction": CONSTRUCTION,
    }  # fmt: skip
    result |= measured(options, vectors, queries)
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["compared"], indent=2))


if __name__ == "__main__":
    main()
