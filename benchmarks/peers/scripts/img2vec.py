"""img2vec-pytorch, 32 pictures at a time; it stores and searches nothing, so a matrix and a product stand in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.peers.scripts.common import mend_torchvision, pictures_in, versions
from benchmarks.peers.scripts.systems import run_system

BATCH = 32


class Img2VecSystem:
    """A resnet18, its pooled last layer."""

    def __init__(self) -> None:
        mend_torchvision()
        from img2vec_pytorch import Img2Vec

        self._encoder: Any = Img2Vec(cuda=False, model="resnet18")
        self._names: list[str] = []
        self._vectors = np.empty((0, 512), dtype=np.float32)

    def index(self, folder: Path, work: Path) -> int:
        """Batches of PIL images, as its README does; unit vectors into one file."""
        paths = pictures_in(folder)
        parts = []
        for start in range(0, len(paths), BATCH):
            images = [Image.open(path).convert("RGB") for path in paths[start : start + BATCH]]
            parts.append(self._encoder.get_vec(images))
        vectors = np.concatenate(parts)
        self._vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        self._names = [path.name for path in paths]
        np.save(work / "vectors.npy", self._vectors)
        return len(paths)

    def search(self, picture: Path) -> list[str]:
        """Cosines with all."""
        query = self._encoder.get_vec(Image.open(picture).convert("RGB"))
        scores = self._vectors @ (query / np.linalg.norm(query))
        return [self._names[place] for place in np.argsort(-scores)[:10]]


if __name__ == "__main__":
    run_system(Img2VecSystem, lambda: versions("img2vec-pytorch", "torch", "torchvision", "numpy"))
