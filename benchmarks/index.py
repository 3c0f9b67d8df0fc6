"""Queries a second at equal recall, memory and build time: this index beside hnswlib, usearch and FAISS, one thread.

    python -m benchmarks.index --embeddings vectors.npy --queries queries.npy --count 100000 --out result.json
    python -m benchmarks.index --synthetic 1000000 --embeddings made.npy --only lookalike --out result.json

Times are medians of the CPU time of single queries, the contenders taking turns: a busy machine slows all alike.
Memory is what the process holds of its own (RssAnon) after building less before; this index reads its vectors from the
mapped file, which is counted apart. A contender that is not installed is named as such.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import re
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import faiss as untyped_faiss
import numpy as np
import numpy.typing as npt

from lookalike.index.base import IndexSettings, untold
from lookalike.index.choosing import choose_index, is_tunable
from lookalike.index.native import all_threads, threads
from lookalike.index.planner import IndexWish
from lookalike.wiring import build_index, load_index

faiss: Any = untyped_faiss
Vectors = npt.NDArray[np.float32]
Answers = npt.NDArray[np.int64]
Search = Callable[[Vectors, int], Answers]

K = 10
RESULT = Path(__file__).parent / "results" / "index.json"
LINKS, CONSTRUCTION = 16, 200
EFFORTS = (16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 192, 224, 256, 320, 384, 512)
TARGETS = (0.95, 0.99)
SINGLE = 200  # queries that are timed one by one at each effort
HAIR = 1e-5


@dataclass
class Contender:
    """One index: ``search`` takes queries and an effort; the curve has a row an effort."""

    name: str
    search: Search
    efforts: Sequence[int] = EFFORTS
    facts: dict[str, Any] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)


def lookalike_hnsw(vectors: Vectors) -> Contender:
    """This project's graph, over the mapped vectors; all that is kept is scored again."""
    index = build_index("faiss-hnsw", vectors, untold)
    assert is_tunable(index)

    def search(queries: Vectors, effort: int) -> Answers:
        index.settings = IndexSettings(effort, effort / K)
        return index.search(queries, K).positions

    facts = {"bytes_mapped": vectors.nbytes}
    return Contender("lookalike faiss-hnsw", search, facts=facts)


def lookalike_ivfpq(vectors: Vectors) -> Contender:
    """This project's lists of codes, over the mapped vectors."""
    index = build_index("faiss-ivfpq", vectors, untold)
    assert is_tunable(index)

    def search(queries: Vectors, effort: int) -> Answers:
        index.settings = IndexSettings(effort, 30.0)
        return index.search(queries, K).positions

    return Contender("lookalike faiss-ivfpq", search, index.efforts(), {"bytes_mapped": vectors.nbytes})


def faiss_hnsw(vectors: Vectors) -> Contender:
    """FAISS's graph over float32 vectors."""
    index = faiss.IndexHNSWFlat(vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = CONSTRUCTION
    with threads(all_threads()):
        index.add(vectors)

    def search(queries: Vectors, effort: int) -> Answers:
        answers: Answers = index.search(queries, K, params=faiss.SearchParametersHNSW(efSearch=effort))[1]
        return answers

    return Contender("faiss HNSW flat", search)


def hnswlib_index(vectors: Vectors) -> Contender:
    """hnswlib with inner products."""
    hnswlib: Any = import_module("hnswlib")
    index = hnswlib.Index(space="ip", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), M=LINKS, ef_construction=CONSTRUCTION)
    index.set_num_threads(1)
    index.add_items(vectors, num_threads=os.cpu_count())

    def search(queries: Vectors, effort: int) -> Answers:
        index.set_ef(effort)
        return np.asarray(index.knn_query(queries, k=K, num_threads=1)[0], dtype=np.int64)

    return Contender("hnswlib", search)


def usearch_index(vectors: Vectors) -> Contender:
    """usearch with inner products over half floats."""
    index = import_module("usearch.index").Index(
        ndim=vectors.shape[1], metric="ip", dtype="f16", connectivity=LINKS, expansion_add=CONSTRUCTION
    )
    index.add(np.arange(len(vectors)), vectors, threads=os.cpu_count())

    def search(queries: Vectors, effort: int) -> Answers:
        index.expansion_search = effort
        keys = index.search(queries, K, threads=1).keys
        return np.asarray(keys, dtype=np.int64).reshape(len(queries), K)

    return Contender("usearch f16", search)


def flat(vectors: Vectors) -> Contender:
    """An exact scan: this project's flat type, FAISS's own functions."""
    index = build_index("faiss-flat", vectors, untold)
    return Contender("flat", lambda queries, _: index.search(queries, K).positions, efforts=(1,))


MAKERS: dict[str, Callable[[Vectors], Contender]] = {
    "lookalike": lookalike_hnsw,
    "ivfpq": lookalike_ivfpq,
    "faiss": faiss_hnsw,
    "hnswlib": hnswlib_index,
    "usearch": usearch_index,
    "flat": flat,
}


def private_bytes() -> int:
    """What this process holds of its own, files that are mapped and what it has freed left out."""
    ctypes.CDLL(None).malloc_trim(0)
    return held_bytes()


def held_bytes() -> int:
    """The same, with what was freed and not given back."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


class Watch(threading.Thread):
    """Looks several times a second how much the process holds, as long as the block lasts."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = held_bytes()
        self._over = threading.Event()

    def run(self) -> None:
        """Until it is told to end."""
        while not self._over.wait(0.2):
            self.peak = max(self.peak, held_bytes())

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


def make(name: str, vectors: Vectors) -> Contender | str:
    """The contender, built and weighed, or why it cannot be."""
    before, started = private_bytes(), time.process_time()
    try:
        contender = MAKERS[name](vectors)
    except ImportError as error:
        return f"{name}: not installed ({error})"
    contender.facts |= {"build_cpu_s": time.process_time() - started, "memory_bytes": private_bytes() - before}
    return contender


def measure(contenders: list[Contender], vectors: Vectors, queries: Vectors) -> None:
    """Fill the curves, contender after contender at each step of effort."""
    kth = np.sort(truth_scores(vectors, queries), axis=1)[:, :1]
    for step in range(max(len(contender.efforts) for contender in contenders)):
        for contender in contenders:
            if step < len(contender.efforts):
                contender.curve.append(row(contender, contender.efforts[step], vectors, queries, kth))
                print(contender.name, contender.curve[-1], flush=True)


def truth_scores(vectors: Vectors, queries: Vectors) -> Vectors:
    """Scores of the k best, in no order."""
    scores: Vectors = faiss.knn(queries, vectors, K, metric=faiss.METRIC_INNER_PRODUCT)[0]
    return scores


def row(contender: Contender, effort: int, vectors: Vectors, queries: Vectors, kth: Vectors) -> dict[str, float]:
    """Recall@10 over all queries, and the CPU time of one by itself and of one in a batch."""
    few = queries[: SINGLE if len(contender.efforts) > 1 else SINGLE // 10]
    started = time.thread_time()
    answers = contender.search(queries if len(contender.efforts) > 1 else few, effort)
    batch = (time.thread_time() - started) / len(answers)
    scores = np.stack([vectors[found] @ query for found, query in zip(answers, queries, strict=False)])
    single = []
    for number in range(len(few)):
        started = time.thread_time()
        contender.search(few[number : number + 1], effort)
        single.append(time.thread_time() - started)
    return {
        "effort": effort,
        "recall": float((scores >= kth[: len(answers)] - HAIR).mean()),
        "single_us": 1e6 * float(np.median(single)),
        "batch_us": 1e6 * batch,
    }


def at_recall(contender: Contender, target: float) -> dict[str, float] | None:
    """The quickest row that reaches the target."""
    good = [row for row in contender.curve if row["recall"] >= target]
    return min(good, key=lambda row: row["single_us"]) if good else None


def compared(contenders: list[Contender]) -> dict[str, Any]:
    """This index against the best of the others that are approximate, at each target."""
    ours = next((one for one in contenders if one.name == "lookalike faiss-hnsw"), None)
    others = [one for one in contenders if not one.name.startswith("lookalike") and one.name != "flat"]
    if ours is None or not others:
        return {}
    result: dict[str, Any] = {}
    for target in TARGETS:
        mine = at_recall(ours, target)
        rows = {one.name: found for one in others if (found := at_recall(one, target)) is not None}
        if mine is None or not rows:
            continue
        best = min(rows, key=lambda name: rows[name]["single_us"])
        result[str(target)] = {
            "best": best,
            "times_as_fast": rows[best]["single_us"] / mine["single_us"],
            "times_as_fast_in_batches": min(row["batch_us"] for row in rows.values()) / mine["batch_us"],
        }
    result["memory_share"] = ours.facts["memory_bytes"] / min(one.facts["memory_bytes"] for one in others)
    return result


def synthetic(path: Path, count: int, dimension: int) -> None:
    """Clustered unit vectors, written block by block: a thousand centres an hundred thousand, 24 directions each."""
    random = np.random.default_rng(7)
    centres = random.standard_normal((max(10, count // 100), dimension)).astype(np.float32)
    turns = random.standard_normal((16, 24, dimension)).astype(np.float32)
    vectors = np.lib.format.open_memmap(path, "w+", np.float32, (count, dimension))
    for start in range(0, count, 50_000):
        size = min(50_000, count - start)
        kinds = random.integers(0, len(centres), size)
        block = centres[kinds]
        for turn in range(len(turns)):
            rows = kinds % len(turns) == turn
            block[rows] += 0.2 * random.standard_normal((int(rows.sum()), 24)).astype(np.float32) @ turns[turn]
        vectors[start : start + size] = block / np.linalg.norm(block, axis=1, keepdims=True)
    vectors.flush()


def whole(vectors: Vectors, queries: Vectors, wish: IndexWish) -> dict[str, Any]:
    """The way that publishing goes: plan, build, tune, save, map, serve; with what it holds."""
    before, started, clock = private_bytes(), time.process_time(), time.monotonic()
    watch = Watch()

    def tell(what: str, done: int, total: int) -> None:
        print(f"{what}: {done} of {total}, {(watch.peak - before) / 1e9:.1f} GB at most", flush=True)

    with watch:
        chosen = choose_index(vectors, wish, build_index, seed=1, tell=tell)
    facts: dict[str, Any] = {
        "engine": chosen.engine,
        "reasons": chosen.reasons,
        "settings": None if chosen.settings is None else vars_of(chosen.settings),
        "recall": None if chosen.recall is None else [chosen.recall.value, chosen.recall.low],
        "build_and_tune_cpu_s": time.process_time() - started,
        "build_and_tune_s": time.monotonic() - clock,
        "memory_bytes": private_bytes() - before,
        "peak_bytes": watch.peak - before,
    }
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder) / "index.bin"
        chosen.index.save(path)
        facts["file_bytes"] = path.stat().st_size
        index = load_index(chosen.engine, path, vectors, chosen.settings)
        served = Contender("served", lambda rows, _: index.search(rows, K).positions, efforts=(1, 1))
        facts["served"] = row(served, 1, vectors, queries, np.sort(truth_scores(vectors, queries), axis=1)[:, :1])
    return facts


def vars_of(settings: IndexSettings) -> dict[str, float]:
    """Settings as JSON has them."""
    return {"effort": settings.effort, "factor": settings.factor}


def main() -> None:
    """Read the options, measure, write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--embeddings", type=Path, required=True, help="float32 .npy of unit vectors, (n, D)")
    parser.add_argument("--queries", type=Path, help="the same for queries; without it, vectors moved by chance")
    parser.add_argument("--count", type=int, help="so many of the vectors")
    parser.add_argument("--synthetic", type=int, help="first write so many clustered vectors to --embeddings")
    parser.add_argument("--dimension", type=int, default=608, help="of synthetic vectors")
    parser.add_argument("--only", nargs="*", default=list(MAKERS), choices=list(MAKERS))
    parser.add_argument("--whole", action="store_true", help="plan, build, tune and serve this index alone")
    parser.add_argument("--memory", type=float, help="gigabytes that --whole may plan with")
    parser.add_argument("--asked", type=int, default=1000, help="so many queries")
    parser.add_argument("--out", type=Path, default=RESULT, help="the file to write")
    options = parser.parse_args()
    if options.synthetic:
        synthetic(options.embeddings, options.synthetic, options.dimension)
    vectors: Vectors = np.asarray(np.load(options.embeddings, mmap_mode="r")[: options.count])
    queries = asked(vectors, options.queries, options.asked)
    result: dict[str, Any] = {
        "count": len(vectors), "dimension": vectors.shape[1], "queries": len(queries), "k": K,
        "machine": platform.processor() or platform.machine(), "cores": os.cpu_count(),
        "links": LINKS, "construction": CONSTRUCTION,
    }  # fmt: skip
    if options.whole:
        memory = None if options.memory is None else int(options.memory * 1e9)
        result["whole"] = whole(vectors, queries, IndexWish(memory=memory))
    else:
        faiss.omp_set_num_threads(1)
        made = [make(name, vectors) for name in options.only]
        contenders = [one for one in made if isinstance(one, Contender)]
        measure(contenders, vectors, queries)
        result["missing"] = [one for one in made if isinstance(one, str)]
        result["contenders"] = [
            {"name": one.name, **one.facts, "curve": one.curve, "at": {str(t): at_recall(one, t) for t in TARGETS}}
            for one in contenders
        ]
        result["compared"] = compared(contenders)
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result.get("compared", result.get("whole")), indent=2))


def asked(vectors: Vectors, path: Path | None, count: int) -> Vectors:
    """Queries from a file, or vectors of the collection moved by as much as they differ from each other."""
    if path is not None:
        return np.ascontiguousarray(np.load(path, mmap_mode="r")[:count], dtype=np.float32)
    random = np.random.default_rng(11)
    rows = np.array(vectors[np.sort(random.choice(len(vectors), count, replace=False))])
    moved = rows + 0.5 * rows[random.permutation(count)]
    return np.ascontiguousarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), dtype=np.float32)


if __name__ == "__main__":
    main()
