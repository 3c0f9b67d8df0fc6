"""Recall, CPU time and memory of contenders that take turns."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.index.contenders import KINDS, Contender, K, Vectors, faiss
from benchmarks.load import own_bytes

TARGETS = (0.95, 0.99)
SINGLE = 200  # queries that are timed one by one at each effort
ENOUGH = 0.997  # recall from which on a contender is not asked any harder
HAIR = 1e-5


def private_bytes() -> int:
    """What this process holds of its own, files that are mapped and what it has freed left out."""
    ctypes.CDLL(None).malloc_trim(0)
    return own_bytes(os.getpid())


def weighed(name: str, vectors: Vectors, queries: Vectors, path: Path) -> Contender:
    """The contender, loaded, asked once and weighed: what it holds of its own, and all of its mapped index."""
    before = private_bytes()
    contender = KINDS[name].load(vectors, path)
    contender.search(queries, contender.efforts[0])
    contender.facts["memory_bytes"] = private_bytes() - before + contender.mapped
    return contender


def measure(contenders: list[Contender], vectors: Vectors, queries: Vectors) -> None:
    """Fill the curves, contender after contender at each step of effort."""
    kth = np.sort(truth_scores(vectors, queries), axis=1)[:, :1]
    for step in range(max(len(contender.efforts) for contender in contenders)):
        for contender in contenders:
            good = contender.curve and contender.curve[-1]["recall"] >= ENOUGH
            if step < len(contender.efforts) and not good:
                contender.curve.append(row(contender, contender.efforts[step], vectors, queries, kth))
                print(contender.name, contender.curve[-1], flush=True)


def truth_scores(vectors: Vectors, queries: Vectors) -> Vectors:
    """Scores of the k best, in no order."""
    scores: Vectors = faiss.knn(queries, vectors, K, metric=faiss.METRIC_INNER_PRODUCT)[0]
    return scores


def row(contender: Contender, effort: int, vectors: Vectors, queries: Vectors, kth: Vectors) -> dict[str, float]:
    """Recall@10 over all queries, and the CPU time of one by itself and of one in a batch."""
    exact = len(contender.efforts) == 1
    few = queries[: SINGLE // 10 if exact else SINGLE]
    started = time.thread_time()
    answers = contender.search(few if exact else queries, effort)
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
    others = [one for one in contenders if not one.name.startswith("lookalike")]
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
