"""timm and FAISS glued by hand: a resnet18 without its head, a flat index. PEERS_VARIANT says how it is fed.

``loop``: one picture after the other, as most examples do. ``loader``: torch's DataLoader with two processes, batches
of 32, as careful people do.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.peers.scripts.common import mend_torchvision, pictures_in, versions
from benchmarks.peers.scripts.systems import run_system

BATCH = 32
WORKERS = 2


class Pictures(torch.utils.data.Dataset[torch.Tensor]):
    """The files of a folder as tensors."""

    def __init__(self, paths: list[Path], transform: Any) -> None:
        self._paths, self._transform = paths, transform

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, place: int) -> torch.Tensor:
        tensor: torch.Tensor = self._transform(Image.open(self._paths[place]).convert("RGB"))
        return tensor


class TimmFaiss:
    """The network with its own transform at 224 pixels."""

    def __init__(self) -> None:
        mend_torchvision()
        import faiss
        import timm

        self._faiss: Any = faiss
        self._model: Any = timm.create_model("resnet18", pretrained=False, num_classes=0).eval()
        config = timm.data.resolve_model_data_config(self._model)
        self._transform = timm.data.create_transform(**config, is_training=False)
        self._variant = os.environ["PEERS_VARIANT"]
        self._index: Any = None
        self._names: list[str] = []

    @torch.inference_mode()
    def index(self, folder: Path, work: Path) -> int:
        """Encode, normalise, add, write."""
        paths = pictures_in(folder)
        index = self._faiss.IndexFlatIP(self._model.num_features)
        for batch in self._batches(Pictures(paths, self._transform)):
            index.add(self._encode(batch))
        self._faiss.write_index(index, str(work / "index.faiss"))
        self._index, self._names = index, [path.name for path in paths]
        return int(index.ntotal)

    @torch.inference_mode()
    def search(self, picture: Path) -> list[str]:
        """Encode one, ask the index."""
        query = self._encode(self._transform(Image.open(picture).convert("RGB"))[None])
        return [self._names[place] for place in self._index.search(query, 10)[1][0]]

    def _batches(self, pictures: Pictures) -> Any:
        if self._variant == "loop":
            return (pictures[place][None] for place in range(len(pictures)))
        return torch.utils.data.DataLoader(pictures, batch_size=BATCH, num_workers=WORKERS)

    def _encode(self, batch: torch.Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
        vectors: np.ndarray[Any, np.dtype[np.float32]] = self._model(batch).numpy()
        self._faiss.normalize_L2(vectors)
        return vectors


if __name__ == "__main__":
    run_system(TimmFaiss, lambda: versions("timm", "faiss-cpu", "torch", "torchvision", "numpy"))
