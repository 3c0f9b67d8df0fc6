"""autofaiss: it chooses the index itself; here on inner products, with the memory of its defaults."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import faiss
from autofaiss import build_index

from benchmarks.peers.scripts.common import versions
from benchmarks.peers.scripts.indexes import NEIGHBOURS, Positions, Vectors, run_index


class AutofaissIndex:
    """The index it made, with the parameters it found, and then with others for more recall."""

    def __init__(self) -> None:
        self._index: Any = None
        self._settings: list[dict[str, Any]] = []

    def build(self, vectors: Vectors, path: Path) -> None:
        """Index and notes into a folder."""
        path.mkdir()
        build_index(
            vectors,
            index_path=str(path / "knn.index"),
            index_infos_path=str(path / "infos.json"),
            metric_type="ip",
            verbose=30,
        )

    def open(self, path: Path, shape: tuple[int, int]) -> None:
        """Into memory."""
        del shape
        faiss.omp_set_num_threads(1)
        self._index = faiss.read_index(str(path / "knn.index"))
        infos = json.loads((path / "infos.json").read_text(encoding="utf-8"))
        tries = [f"efSearch={effort}" for effort in (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768)]
        if "IVF" in infos["index_key"]:
            tries = [f"nprobe={lists},ht=2048" for lists in (4, 8, 16, 32, 64, 128, 256)]
        self._settings = [
            {"index": infos["index_key"], "parameters": parameters} for parameters in (infos["index_param"], *tries)
        ]

    def settings(self) -> Sequence[dict[str, Any]]:
        """Its own choice first."""
        return self._settings

    def searcher(self, setting: dict[str, Any]) -> Callable[[Vectors], Positions]:
        """One query at a time."""
        faiss.ParameterSpace().set_index_parameters(self._index, setting["parameters"])

        def search(query: Vectors) -> Positions:
            found: Positions = self._index.search(query[None], NEIGHBOURS)[1][0]
            return found

        return search


if __name__ == "__main__":
    run_index(AutofaissIndex(), lambda: versions("autofaiss", "faiss-cpu", "numpy"))
