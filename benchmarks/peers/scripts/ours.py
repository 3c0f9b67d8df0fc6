"""This project, by its own command ``index`` and its public search."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.peers.scripts.common import versions
from benchmarks.peers.scripts.systems import run_system


class Ours:
    """``python -m indexer index`` in this process; flags after ``index`` come from PEERS_INDEX_FLAGS."""

    def __init__(self) -> None:
        from indexer.cli import app
        from lookalike.api import Collection

        self._app = app
        self._open = Collection.open
        self._flags = os.environ.get("PEERS_INDEX_FLAGS", "").split()
        self._collection: Collection | None = None

    def index(self, folder: Path, work: Path) -> int:
        """A collection of the folder in a data folder of its own."""
        arguments = ["index", str(folder), "--collection", "peers", "--data", str(work), *self._flags]
        code = self._app(args=arguments, prog_name="python -m indexer", standalone_mode=False)
        if code:
            raise RuntimeError(f"indexing ended with exit code {code}")
        self._collection = self._open(work, "peers")
        return len(self._collection)

    def search(self, picture: Path) -> list[str]:
        """Keys are file names, because the folder is flat."""
        if self._collection is None:
            raise RuntimeError("nothing has been indexed")
        return [hit.key for hit in self._collection.search(picture, 10)]


if __name__ == "__main__":
    run_system(Ours, lambda: versions("lookalike", "torch", "faiss-cpu", "numpy"))
