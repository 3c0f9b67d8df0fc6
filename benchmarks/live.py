"""What live changes cost: a picture that is sent, beside its encoding alone; batches; and searches meanwhile.

    python -m benchmarks.live OUT [--items 2000] [--database URL]

One service over OUT. ``put_ms`` and ``embed_ms`` are wall milliseconds of PUT of an item and of POST /embed of the same
picture, in turns: their difference is what storing it and making it visible costs. ``changes_per_s`` are changes of
metadata in batches of 250, without encoding. ``search_ms`` are searches by key alone and while batches are made.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.soak import NAME, Node, picture

ROUNDS = 60
BATCH = 250
BATCHES = 8
SEARCHES = 400


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--database")
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results/live.json"))
    options = parser.parse_args()
    options.out.mkdir(parents=True)
    environment = dict(os.environ) | ({} if options.database is None else {"LOOKALIKE_DATABASE_URL": options.database})
    node = Node(options.out / "data", environment, fold_after=0)
    node.start()
    try:
        with httpx.Client(base_url=node.address, timeout=120) as http:
            figures = measure(http, options.items)
    finally:
        node.stop()
    options.results.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))


def measure(http: httpx.Client, count: int) -> dict[str, Any]:
    """All figures of one service; times are wall milliseconds."""
    http.put(f"/collections/{NAME}").raise_for_status()
    fill(http, count)
    http.post(f"/collections/{NAME}/fold").raise_for_status()
    pictures = [picture(10**8 + number) for number in range(ROUNDS)]
    put_ms, embed_ms = [], []
    for number, data in enumerate(pictures):
        put_ms.append(timed(lambda n=number, d=data: put(http, f"new/{n}", d)))
        embed_ms.append(timed(lambda d=data: http.post("/embed", files={"image": ("p.png", d)})))
    alone = search_times(http)
    start = time.perf_counter()
    for batch in range(BATCHES):
        change_metadata(http, batch, count)
    rate = BATCH * BATCHES / (time.perf_counter() - start)
    stop = threading.Event()
    writer = threading.Thread(target=write_until, args=(str(http.base_url), stop, count))
    writer.start()
    meanwhile = search_times(http)
    stop.set()
    writer.join()
    return {
        "items": count,
        "put_ms": summary(put_ms),
        "embed_ms": summary(embed_ms),
        "changes_per_s": round(rate),
        "search_ms": {"alone": summary(alone), "meanwhile": summary(meanwhile)},
    }


def fill(http: httpx.Client, count: int) -> None:
    """Put items in batches of 64 pictures."""
    for start in range(0, count, 64):
        numbers = range(start, min(start + 64, count))
        changes = [{"op": "put", "key": f"item/{n}", "image": f"{n}.png", "metadata": {"n": n}} for n in numbers]
        files = [("image", (f"{n}.png", picture(n))) for n in numbers]
        answer = http.post(f"/collections/{NAME}/items", data={"changes": json.dumps(changes)}, files=files)
        answer.raise_for_status()


def put(http: httpx.Client, key: str, data: bytes) -> httpx.Response:
    """One new item."""
    path = f"/collections/{NAME}/items/{key.replace('/', '%2F')}"
    return http.put(path, files={"image": ("p.png", data)}, data={"metadata": '{"n": 1}'}).raise_for_status()


def change_metadata(http: httpx.Client, number: int, count: int) -> None:
    """A batch of changes that need no encoding."""
    keys = [f"item/{(number * BATCH + place) % count}" for place in range(BATCH)]
    changes = [{"op": "patch", "key": key, "metadata": {"n": number}} for key in keys]
    http.post(f"/collections/{NAME}/items", data={"changes": json.dumps(changes)}).raise_for_status()


def write_until(address: str, stop: threading.Event, count: int) -> None:
    """Batches, one after the other, until told to stop."""
    number = BATCHES
    with httpx.Client(base_url=address, timeout=120) as http:
        while not stop.is_set():
            change_metadata(http, number, count)
            number += 1


def search_times(http: httpx.Client) -> list[float]:
    """Milliseconds of searches with indexed items, each once."""
    path = f"/collections/{NAME}/items/item%2F{{}}/similar?k=10"
    return [timed(lambda n=n: http.get(path.format(n)).raise_for_status()) for n in range(SEARCHES)]


def timed(work: Any) -> float:
    """Wall milliseconds of a call."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def summary(milliseconds: list[float]) -> dict[str, float]:
    """Median and 99th percentile."""
    return {f"p{share}": round(float(np.percentile(milliseconds, share)), 2) for share in (50, 99)}


if __name__ == "__main__":
    main()
