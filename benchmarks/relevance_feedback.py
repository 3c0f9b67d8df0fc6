"""What liked and unliked hits add to a search, by their weights: how ``lookalike.collection.feedback`` was set.

    python -m benchmarks.relevance_feedback OUT.json --cache FOLDER DATASET [DATASET ...]

A data set is a folder with labels.csv (path, label). Each picture is searched with among all others; of the first ten
hits the first of the same label are liked, and the first of other labels unliked, up to three of each. Then all hits
that were marked are left out, and the ranking of the rest is compared with the one without feedback by mean average
precision: the residual collection method. Searches whose first ten have no hit of the same label, or no other picture
of that label behind them, are left out.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lookalike import Encoder
from lookalike.collection.candidates import QueryVectors
from lookalike.collection.feedback import move_query

LIKED_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
UNLIKED_WEIGHTS = (0.0, 0.05, 0.15, 0.25, 0.5)
FIRST_HITS, MOST_MARKED = 10, 3

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Feedback:
    """One search: the places of its query, of the hits that were marked, and whether each other picture fits it."""

    query: int
    liked: list[int]
    unliked: list[int]
    is_relevant: npt.NDArray[np.bool_]


def embed(dataset: Path, cache: Path) -> tuple[Floats, npt.NDArray[np.str_]]:
    """The vectors and labels of a data set; vectors come from the cache where it has them."""
    with (dataset / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = np.array([row["label"] for row in rows])
    path = cache / f"{dataset.name}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        np.save(path, Encoder.load("bundled").encode([dataset / row["path"] for row in rows]))
    return np.load(path), labels


def mark_hits(vectors: Floats, labels: npt.NDArray[np.str_]) -> list[Feedback]:
    """What a user marks among the first hits of each search."""
    searches = []
    for query in range(len(labels)):
        scores = vectors @ vectors[query]
        scores[query] = -np.inf
        first = np.argsort(-scores, kind="stable")[:FIRST_HITS].tolist()
        liked = [place for place in first if labels[place] == labels[query]][:MOST_MARKED]
        unliked = [place for place in first if labels[place] != labels[query]][:MOST_MARKED]
        is_relevant = labels == labels[query]
        is_relevant[[query, *liked, *unliked]] = False
        if liked and is_relevant.any():
            searches.append(Feedback(query, liked, unliked, is_relevant))
    return searches


def average_precision(scores: Floats, search: Feedback) -> float:
    """Of the ranking of what was not marked."""
    scores = scores.copy()
    scores[[search.query, *search.liked, *search.unliked]] = -np.inf
    hits = search.is_relevant[np.argsort(-scores, kind="stable")]
    ranks = np.flatnonzero(hits) + 1
    return float((np.arange(1, len(ranks) + 1) / ranks).mean())


def mean_precision(vectors: Floats, searches: list[Feedback], weights: tuple[float, float]) -> float:
    """The mean over all searches, with these weights of liked and of unliked hits."""
    precisions = []
    for search in searches:
        query = QueryVectors(vectors[search.query][None])
        moved = move_query(query, vectors[search.liked], vectors[search.unliked], weights)
        precisions.append(average_precision(vectors @ moved.vectors[0], search))
    return float(np.mean(precisions))


def measure(dataset: Path, cache: Path) -> dict[str, object]:
    """Mean average precision by weights, in one data set."""
    vectors, labels = embed(dataset, cache)
    searches = mark_hits(vectors, labels)
    grid = {
        f"{liked}, {unliked}": round(mean_precision(vectors, searches, (liked, unliked)), 4)
        for liked, unliked in product(LIKED_WEIGHTS, UNLIKED_WEIGHTS)
    }
    return {"pictures": len(labels), "searches": len(searches), "mean_average_precision": grid}


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("datasets", type=Path, nargs="+")
    parser.add_argument("--cache", type=Path, required=True)
    arguments = parser.parse_args()
    results = {dataset.name: measure(dataset, arguments.cache) for dataset in arguments.datasets}
    arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for name, result in results.items():
        print(name, result["searches"], "searches")
        for weights, precision in result["mean_average_precision"].items():  # type: ignore[attr-defined]
            print(f"  {weights:>10}  {precision:.4f}")


if __name__ == "__main__":
    main()
