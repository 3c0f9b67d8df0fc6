"""What lays out a map of a collection: time, and how well neighbours stay together in two dimensions.

    python -m benchmarks.layouts OUT.json --cache FOLDER DATASET [DATASET ...]

A data set is a folder with labels.csv (path, label). Beside this project's layout it measures umap-learn and PaCMAP,
with their own defaults and a seed, where they are installed. ``purity`` is the share of the ten nearest on the map that
have a picture's label, ``trustworthiness`` scikit-learn's for twelve neighbours; ``vectors`` is the purity of the ten
nearest vectors. The first layouts of umap-learn and PaCMAP in a process compile them, which is in their times.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.relevance_feedback import Floats, embed
from lookalike.index.base import Positions, ignore_progress
from lookalike.map.layout import lay_out

SEED = 1
NEAREST = 10
TRUSTED = 12


def lay_out_here(vectors: Floats) -> Floats:
    """This project's layout."""

    def read(positions: Positions) -> Floats:
        return vectors[positions]

    return lay_out(len(vectors), read, seed=SEED, threads=1, report_progress=ignore_progress)[0]


def lay_out_by_umap(vectors: Floats) -> Floats:
    """umap-learn's."""
    import umap

    places: Floats = umap.UMAP(random_state=SEED, n_jobs=1).fit_transform(vectors)
    return places


def lay_out_by_pacmap(vectors: Floats) -> Floats:
    """PaCMAP's."""
    import pacmap

    places: Floats = pacmap.PaCMAP(random_state=SEED).fit_transform(vectors, init="pca")
    return places


LAYOUTS: dict[str, tuple[str, Callable[[Floats], Floats]]] = {
    "t-SNE": ("openTSNE", lay_out_here),
    "UMAP": ("umap", lay_out_by_umap),
    "PaCMAP": ("pacmap", lay_out_by_pacmap),
}
"""By name: the module that it needs, and the layout."""


def purity(points: Floats, labels: npt.NDArray[np.str_]) -> float:
    """The share of the ten nearest others of each point that have its label."""
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=NEAREST).fit(points).kneighbors(return_distance=False)
    return float((labels[nearest] == labels[:, None]).mean())


def measure(vectors: Floats, labels: npt.NDArray[np.str_]) -> dict[str, Any]:
    """Each layout that is installed, of one data set."""
    from sklearn.manifold import trustworthiness

    results: dict[str, Any] = {"pictures": len(labels), "vectors": round(purity(vectors, labels), 4)}
    for name, (module, layout) in LAYOUTS.items():
        if find_spec(module) is None:
            continue
        begin, begin_cpu = time.perf_counter(), time.process_time()
        places = layout(vectors)
        results[name] = {
            "seconds": round(time.perf_counter() - begin, 1),
            "cpu_seconds": round(time.process_time() - begin_cpu, 1),
            "purity": round(purity(places, labels), 4),
            "trustworthiness": round(float(trustworthiness(vectors, places, n_neighbors=TRUSTED)), 4),
        }
    return results


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
        print(dataset.name, json.dumps(results[dataset.name], indent=1))
    arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
