"""A collection with metadata of all kinds, some of its pictures of one product, to filter, group and change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.page.shop import SIZE, run_indexer, starting

CATEGORIES = ["mug", "mug", "mug", "mug", "mug", "tea pot", "tea pot", "tea pot", "tea pot", "bowl", "bowl", "bowl"]
KEYS = [f"ware-{number:02d}" for number in range(len(CATEGORIES))]
PRICES = [5.0 + 5 * number for number in range(len(CATEGORIES))]
"""From 5 to 60."""


def product_of(number: int) -> str:
    """Two pictures of each product."""
    return f"product-{number // 2}"


def is_sold(number: int) -> bool:
    """Every third is in the sale."""
    return number % 3 == 0


def make_wares(folder: Path) -> Path:
    """Draw and index the collection ``wares``; the data folder."""
    folder.mkdir(parents=True)
    rows = []
    for number, key in enumerate(KEYS):
        (folder / f"{key}.jpg").write_bytes(encode_jpeg(make_picture(200 + number, SIZE), 92))
        row = {
            "path": f"{key}.jpg",
            "key": key,
            "title": f"Ware {number}",
            "product_id": product_of(number),
            "category": CATEGORIES[number],
            "price": PRICES[number],
            "sale": is_sold(number),
            "added": f"2024-05-{number + 1:02d}",
            "tags": ["red", "new"] if number < 4 else ["blue"],
            "maker": f"maker {number:02d} of many",
        }
        rows.append(json.dumps(row))
    manifest = folder / "manifest.jsonl"
    manifest.write_text("\n".join(rows), encoding="utf-8")
    run_indexer("index", str(manifest), "-c", "wares", "--data", str(folder / "data"))
    return folder / "data"


@contextmanager
def serving_wares(folder: Path, **settings: str) -> Iterator[str]:
    """A service of its own over a collection of its own, which tests may change; the address of its page."""
    with starting(make_wares(folder), folder / "encoders", **settings) as service:
        yield service.ready()
