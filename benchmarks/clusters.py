"""How well clusters agree with labels, and how many are chosen.

    python -m benchmarks.clusters OUT.json --cache FOLDER DATASET [DATASET ...]

A data set is a folder with labels.csv (path, label); vectors of the encoder bundled are kept in the cache. Agreement is
the normalised mutual information and the adjusted Rand index of clusters and labels: of the number of clusters that is
chosen, and of as many as there are labels; beside it the k-means of FAISS, whose first centres are drawn by chance, and
HDBSCAN, in which what is noise is a cluster of its own.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.relevance_feedback import Floats, embed
from lookalike.index.clusters import cluster
from lookalike.insights.kmeans import choose_count, fit_centres, nearest_centres

MIN_CLUSTER_SIZE = 5


def measure(vectors: Floats, labels: npt.NDArray[np.str_]) -> dict[str, float]:
    """The figures of one set."""
    from sklearn.cluster import HDBSCAN
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    label_count = len(np.unique(labels))
    chosen_count = choose_count(vectors)
    chosen = nearest_centres(vectors, fit_centres(vectors, chosen_count))
    as_many = nearest_centres(vectors, fit_centres(vectors, label_count))
    by_chance = cluster(vectors, label_count).labels
    by_density = HDBSCAN(min_cluster_size=MIN_CLUSTER_SIZE, copy=True).fit_predict(vectors)
    figures = {
        "pictures": len(labels),
        "labels": label_count,
        "chosen": chosen_count,
        "chosen_nmi": normalized_mutual_info_score(labels, chosen),
        "chosen_ari": adjusted_rand_score(labels, chosen),
        "as_many_nmi": normalized_mutual_info_score(labels, as_many),
        "as_many_ari": adjusted_rand_score(labels, as_many),
        "faiss_ari": adjusted_rand_score(labels, by_chance),
        "hdbscan_ari": adjusted_rand_score(labels, by_density),
        "hdbscan_noise": float((by_density < 0).mean()),
    }
    return {name: round(value, 3) for name, value in figures.items()}


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("datasets", type=Path, nargs="+")
    parser.add_argument("--cache", type=Path, required=True)
    arguments = parser.parse_args()
    results = {}
    for dataset in arguments.datasets:
        results[dataset.name] = measure(*embed(dataset, arguments.cache))
        print(dataset.name, json.dumps(results[dataset.name]))
    arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
