"""How well the strategies of recommendations find what else somebody likes, who likes three pictures of a kind.

    python -m benchmarks.recommendation OUT.json --cache FOLDER DATASET [DATASET ...]

A data set is a folder with labels.csv (path, label).

One taste: three pictures of a kind are liked by chance, ten times of each kind. Of the first ten hits of the mean
vector, the first up to three of other kinds are unliked. All rankings are of what was not marked. Counted is the share
of the first ten hits that is of the kind, in parts of what is possible where fewer than ten are left.

Two tastes: three pictures of each of two kinds are liked, of a thousand pairs of kinds. Counted are the share of the
first twenty hits that is of either kind, in parts of what is possible, and how many of the twenty are of the kind that
comes off worse, in parts of ten or of what is possible.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.relevance_feedback import Floats, embed
from lookalike.collection.candidates import QueryVectors
from lookalike.collection.feedback import move_by_preferences
from lookalike.collection.preferences import Preferences, Strategy, WeightedKey

LIKED, DRAWS, PAIRS = 3, 10, 1000
MOST_UNLIKED = 3
FEWEST = 2 * LIKED
"""Kinds with fewer pictures are left out."""

Numbers = npt.NDArray[np.int64]


def rank(vectors: Floats, liked: Numbers, unliked: Numbers, strategy: Strategy, left_out: Numbers) -> Numbers:
    """The places of all pictures but those that are ``left_out``, best first."""
    preferences = Preferences(
        like=tuple(WeightedKey(str(place)) for place in liked),
        unlike=tuple(WeightedKey(str(place)) for place in unliked),
        strategy=strategy,
    )
    scores = move_by_preferences(QueryVectors(vectors[liked]), vectors[unliked], preferences).scores(vectors)
    scores[left_out] = -np.inf
    return np.argsort(-scores, kind="stable")[: len(scores) - len(left_out)]


def share(labels: npt.NDArray[np.str_], hits: Numbers, label: str, left_out: Numbers, most: int) -> float:
    """How many hits have a label, in parts of ``most``, or of what is possible where fewer are left."""
    left_count = int(np.count_nonzero(labels == label) - np.count_nonzero(labels[left_out] == label))
    return np.count_nonzero(labels[hits] == label) / min(most, left_count)


def kinds_of(labels: npt.NDArray[np.str_]) -> list[str]:
    """The labels of enough pictures."""
    names, counts = np.unique(labels, return_counts=True)
    return names[counts >= FEWEST].tolist()  # type: ignore[no-any-return]  # numpy's stubs


def measure_one_taste(vectors: Floats, labels: npt.NDArray[np.str_]) -> dict[str, object]:
    """The mean precision of each way to rank."""
    random, none = np.random.default_rng(1), np.empty(0, np.int64)
    precisions: dict[str, list[float]] = {}
    for label in kinds_of(labels):
        for _ in range(DRAWS):
            liked = random.choice(np.flatnonzero(labels == label), LIKED, replace=False)
            first = rank(vectors, liked, none, Strategy.MEAN, liked)[:10]
            unliked = first[labels[first] != label][:MOST_UNLIKED]
            marked = np.concatenate([liked, unliked])
            rankings = {
                "single": rank(vectors, liked[:1], none, Strategy.MEAN, marked),
                "mean": rank(vectors, liked, none, Strategy.MEAN, marked),
                "best": rank(vectors, liked, none, Strategy.BEST, marked),
                "mean, unliked": rank(vectors, liked, unliked, Strategy.MEAN, marked),
                "best, unliked": rank(vectors, liked, unliked, Strategy.BEST, marked),
            }
            for name, hits in rankings.items():
                precisions.setdefault(name, []).append(share(labels, hits[:10], label, marked, 10))
    return {"draws": len(precisions["mean"])} | {name: round(float(np.mean(p)), 4) for name, p in precisions.items()}


def measure_two_tastes(vectors: Floats, labels: npt.NDArray[np.str_]) -> dict[str, object]:
    """The mean shares of either kind, and of the one that has fewer."""
    random, none = np.random.default_rng(2), np.empty(0, np.int64)
    kinds = kinds_of(labels)
    shares: dict[str, list[float]] = {}
    for _ in range(PAIRS):
        pair = random.choice(kinds, 2, replace=False)
        liked = np.concatenate([random.choice(np.flatnonzero(labels == label), LIKED, replace=False) for label in pair])
        is_either = np.isin(labels, pair).astype(np.str_)
        for strategy in Strategy:
            hits = rank(vectors, liked, none, strategy, liked)[:20]
            either = share(is_either, hits, "True", liked, 20)
            worse = min(share(labels, hits, label, liked, 10) for label in pair)
            shares.setdefault(f"{strategy}, either", []).append(either)
            shares.setdefault(f"{strategy}, worse", []).append(worse)
    return {name: round(float(np.mean(values)), 4) for name, values in shares.items()}


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("datasets", type=Path, nargs="+")
    parser.add_argument("--cache", type=Path, required=True)
    arguments = parser.parse_args()
    results = {}
    for dataset in arguments.datasets:
        vectors, labels = embed(dataset, arguments.cache)
        results[dataset.name] = {
            "pictures": len(labels),
            "kinds": len(kinds_of(labels)),
            "one_taste": measure_one_taste(vectors, labels),
            "two_tastes": measure_two_tastes(vectors, labels),
        }
        print(dataset.name, json.dumps(results[dataset.name], indent=1))
    arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
