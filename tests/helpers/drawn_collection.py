"""A collection whose vectors are drawn around a few directions: no pictures, no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lookalike import Collection
from lookalike.catalogue.records import ItemDraft, NewItem
from tests.helpers.shop_collection import SPEC, Shop


def directions(counts: Sequence[int], *, spread: float = 0.15, seed: int = 1) -> np.ndarray:
    """Unit vectors (n, 8): so many around each of the first axes, in this order."""
    random = np.random.default_rng(seed)
    axes = np.repeat(np.eye(SPEC.dimension)[: len(counts)], counts, axis=0)
    vectors = axes + random.normal(0, spread, axes.shape)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def drawn_collection(
    shop: Shop,
    vectors: np.ndarray,
    metadata: Sequence[Any] | None = None,
    *,
    keys: Sequence[str] | None = None,
) -> Collection:
    """Items "000", "001" ... with these vectors and metadata, published and open; the shop closes it."""
    keys = [f"{number:03d}" for number in range(len(vectors))] if keys is None else keys
    with shop.run() as builder:
        builder.store(
            [
                NewItem(
                    ItemDraft(
                        key, key, f"{number:064x}", 10, 400, 300, "PNG", metadata=metadata[number] if metadata else {}
                    ),
                    vector,
                )
                for number, (key, vector) in enumerate(zip(keys, vectors, strict=True))
            ]
        )
        builder.publish()
    record = shop.catalogue.collection(shop.layout.name)
    return Collection(shop.searcher(), record, shop.layout, encoders_dir=Path("encoders"), limits=None)
