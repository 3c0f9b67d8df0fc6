"""DeepImageSearch with its own loop and flat index, on a resnet18 by timm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.peers.scripts.common import mend_torchvision, pictures_in, versions
from benchmarks.peers.scripts.systems import run_system


class DeepImageSearchSystem:
    """``Search_Setup``, its face since version 2."""

    def __init__(self) -> None:
        mend_torchvision()
        from DeepImageSearch import Search_Setup

        self._make: Any = Search_Setup
        self._setup: Any = None

    def index(self, folder: Path, work: Path) -> int:
        """Its own loop over batches of 64. The network is kept from one folder to the next, as it is for all here."""
        paths = [str(path) for path in pictures_in(folder)]
        if self._setup is None:
            self._setup = self._make(image_list=paths, model_name="resnet18", metadata_dir=str(work))
        self._setup.image_list = paths
        self._setup.run_index(force_reindex=True)
        return int(self._setup.vector_store.count())

    def search(self, picture: Path) -> list[str]:
        """By path."""
        found = self._setup.get_similar_images(str(picture), 10)
        return [Path(path).name for path in found.values()]


if __name__ == "__main__":
    run_system(
        DeepImageSearchSystem, lambda: versions("DeepImageSearch", "timm", "faiss-cpu", "torch", "torchvision", "numpy")
    )
