"""clip-retrieval: its inference over a folder, then its index, which autofaiss makes; on a ViT-B/32 by open_clip.

It runs no resnet18, so this is another network: 4.4 against 1.8 thousand million multiplications a picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.peers.scripts.common import mend_torchvision, pictures_in, versions
from benchmarks.peers.scripts.systems import run_system

# Here and not in __init__: its logger is a process of its own, which imports this module and then torchvision.
mend_torchvision()

MODEL = "open_clip:ViT-B-32/laion2b_s34b_b79k"


class ClipRetrieval:
    """``clip-retrieval inference`` and ``clip-retrieval index``, called in this process."""

    def __init__(self) -> None:
        from clip_retrieval.clip_index import clip_index
        from clip_retrieval.clip_inference.main import main

        self._infer: Any = main
        self._build: Any = clip_index

    def index(self, folder: Path, work: Path) -> int:
        """Embeddings, metadata, index; two processes prepare pictures, a batch for a processor."""
        self._infer(
            input_dataset=str(folder),
            output_folder=str(work / "embeddings"),
            clip_model=MODEL,
            enable_text=False,
            batch_size=32,
            num_prepro_workers=2,
        )
        self._build(embeddings_folder=str(work / "embeddings"), index_folder=str(work / "index"))
        return self._count(work / "embeddings", len(pictures_in(folder)))

    def _count(self, embeddings: Path, expected: int) -> int:
        import numpy as np

        count = sum(len(np.load(path)) for path in (embeddings / "img_emb").glob("*.npy"))
        if count != expected:
            raise RuntimeError(f"{count} of {expected} pictures have an embedding")
        return count


if __name__ == "__main__":
    run_system(
        ClipRetrieval,
        lambda: versions("clip-retrieval", "autofaiss", "open_clip_torch", "torch", "torchvision", "numpy"),
    )
