"""A collection of many made-up vectors, published as the indexer does it, and served by the service itself.

    python -m benchmarks.large --count 10000000 --memory 2 --folder FOLDER    (27 GB of disk, three quarters of an hour)

Vectors are written straight into the snapshot, and rows straight into the catalogue, as indexing leaves them once it
has published: nobody encodes so many pictures for a benchmark. All else is the program's own: planning, building,
tuning, checksums, opening, searching. ``--vectors`` takes a file of vectors instead of made ones.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sqlite3
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from benchmarks.load import Tally, closed, own_bytes, search_request, similar_request
from benchmarks.service import service_command, serving
from lookalike.catalogue.records import CollectionRecord, CollectionSettings, SourceRecord
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.publisher import Publisher
from lookalike.collection.snapshot import Snapshot, read_manifest
from lookalike.encoder.spec import EncoderSpec
from lookalike.images import encode_jpeg
from lookalike.index.base import ProgressCallback
from lookalike.index.planner import IndexRequirements
from lookalike.options import EncoderRequest, Places
from lookalike.testing import make_picture
from lookalike.wiring import INDEX_TYPES, default_encoder, load_encoder, open_catalogue

RESULT = Path(__file__).parent / "results" / "large.json"
NAME = "bench"
K = 10
HAIR = 1e-5
ASKED = 200
CHECKED = 50
BLOCK = 50_000
Vectors = npt.NDArray[np.float32]
Attributes = Callable[[int], dict[str, Any]]
"""The metadata of the item of a number."""


def synthetic(path: Path, count: int, dimension: int) -> None:
    """Unit vectors as an encoder gives them, written block by block.

    They come in families of about three hundred and groups of about thirty, in no order, with cosines of 0.3 and 0.65
    within, and their components' variances fall as those of this project's embeddings do: 85 % are in the first 256 of
    608. Without that no index that leaves out components has anything to work with.
    """
    random = np.random.default_rng(7)
    spread = np.exp(-np.arange(dimension, dtype=np.float32) / (0.23 * dimension) / 2)

    def draw(rows: int, share: float) -> Vectors:
        drawn: Vectors = random.standard_normal((rows, dimension), dtype=np.float32)
        drawn *= spread * np.float32(np.sqrt(share))
        return drawn

    families, offsets = draw(max(10, count // 300), 0.3), draw(4093, 0.35)
    vectors = np.lib.format.open_memmap(path, "w+", np.float32, (count, dimension))
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        family, group = random.integers(0, len(families), size), random.integers(0, 10, size)
        block = draw(size, 0.35)
        block += families[family]
        block += offsets[(family * 10 + group) % len(offsets)]
        vectors[start : start + size] = block / np.linalg.norm(block, axis=1, keepdims=True)
    vectors.flush()


@dataclass(frozen=True, slots=True)
class Ready(Publisher):
    """A publisher whose vectors come from a file, or are made up, instead of out of the catalogue."""

    vectors: Path | None = None

    def _write_vectors(
        self, path: Path, ids: npt.NDArray[np.int64], _older: object, _tell: ProgressCallback
    ) -> Vectors:
        if self.vectors is not None:
            os.link(self.vectors, path)
        else:
            synthetic(path, len(ids), self.spec.dimension)
        return np.asarray(np.load(path, mmap_mode="r"))


def key_of(number: int) -> str:
    """What the picture of that number is called, as a shop would: a folder a thousand."""
    return f"photos/{number // 1000:05d}/{number:08d}.jpg"


def fill(catalogue: Path, record: CollectionRecord, spec: EncoderSpec, count: int, attributes_of: Attributes) -> None:
    """Write so many rows of the first snapshot."""
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None).isoformat(sep=" ")
    fixed = (record.id, spec.digest, 40_000, 800, 600, "JPEG", 1, record.run, now)

    def rows() -> Iterator[tuple[object, ...]]:
        for number in range(count):
            yield key_of(number), key_of(number), f"{number:064x}", json.dumps(attributes_of(number)), *fixed

    connection = sqlite3.connect(catalogue)
    connection.execute("PRAGMA journal_mode=OFF")  # a log of so many rows would be as large as the file
    with connection:
        connection.executemany(
            "INSERT INTO items (key, location, content_digest, attributes, collection_id, encoder_digest, byte_size,"
            " width, height, format, created_generation, seen_run, created_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            rows(),
        )
    connection.close()


class Watch(threading.Thread):
    """Looks several times a second how much of its own the process holds, and in which part of the work."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = self.before = own_bytes(os.getpid())
        self.began: dict[str, float] = {}
        self.over = threading.Event()

    def run(self) -> None:
        """Until it is told to end."""
        while not self.over.wait(0.2):
            self.peak = max(self.peak, own_bytes(os.getpid()))

    def tell(self, what: str, done: int, total: int) -> None:
        """Hear of the work, and say so now and then."""
        if what not in self.began or done == total:
            print(f"{what}: {done} of {total}, {(self.peak - self.before) / 1e9:.2f} GB at most", flush=True)
        self.began.setdefault(what, time.monotonic())


def no_attributes(_number: int) -> dict[str, Any]:
    """Items without metadata."""
    return {}


def publish(
    data: Path, count: int, memory: int | None, vectors: Path | None = None, attributes_of: Attributes = no_attributes
) -> dict[str, Any]:
    """Make the collection; how long that took and what it held."""
    places = Places(data)
    request = EncoderRequest(default_encoder())
    spec = load_encoder(request, places.encoders_dir).spec
    layout = CollectionLayout.of(places.collections_dir, NAME)
    layout.create_folders()
    catalogue = open_catalogue(places)
    settings = CollectionSettings("auto", 2, 10**8, 10**8, memory=memory)
    source = SourceRecord("folder", str(data), None)
    record = catalogue.start_run(NAME, source, request, settings)
    catalogue.close()
    begun = time.monotonic()
    fill(data / "catalogue.db", record, spec, count, attributes_of)
    filled = time.monotonic()
    catalogue = open_catalogue(places)
    watch = Watch()
    watch.start()
    cpu, clock = time.process_time(), time.monotonic()
    older: list[Snapshot] = []
    Ready(layout, catalogue, record, request, spec, 1, vectors).write(
        older, IndexRequirements(memory=memory), INDEX_TYPES, watch.tell
    )
    published = time.monotonic()
    cpu = time.process_time() - cpu
    watch.over.set()
    layout.point_to(1)
    catalogue.update_collection(record.id, source, request, settings)
    catalogue.close()
    manifest = read_manifest(layout, 1)
    moments = [("vectors and training", clock), *watch.began.items(), ("the end", published)]
    return {
        "rows_s": filled - begun,
        "publish_s": published - clock,
        "publish_cpu_s": cpu,
        "parts_s": {name: until - since for (name, since), (_, until) in pairwise(moments)},
        "peak_bytes": watch.peak - watch.before,
        "plan": manifest.plan,
        "engine": manifest.engine,
        "recall": None if manifest.recall is None else [manifest.recall.value, manifest.recall.low],
        "files": {name: stamp.bytes for name, stamp in manifest.files.items()},
        "catalogue_bytes": (data / "catalogue.db").stat().st_size,
    }


def served(data: Path, count: int) -> dict[str, Any]:
    """The service over it: start, latencies, memory, and answers beside exact ones."""
    numbers = np.random.default_rng(5).choice(count, 3 * ASKED, replace=False).tolist()
    first, second, many = (numbers[at : at + ASKED] for at in range(0, 3 * ASKED, ASKED))
    pictures = [search_request(encode_jpeg(make_picture(number, size=(500, 375)), 90)) for number in range(ASKED)]
    with serving(*service_command(data)) as (port, process, took):
        found: dict[str, Any] = {"start_s": took, "memory_at_start_bytes": own_bytes(process)}

        def similar(chosen: list[int], clients: int) -> dict[str, Any]:
            return asked(port, process, [similar_request(key_of(number)) for number in chosen], clients)

        found["similar"] = similar(first, 1)
        found["similar_from_8"] = similar(many, 8)
        found["search"] = asked(port, process, pictures, 1)
        found["search_from_8"] = asked(port, process, pictures, 8)
        found["recall"] = checked(port, data, second[:CHECKED])
        found["memory_bytes"] = own_bytes(process)
    return found


def asked(port: int, process: int, requests: list[bytes], clients: int) -> dict[str, Any]:
    """Each request once, from so many clients; raises SystemExit unless all are answered well."""
    tally: Tally = closed(port, process, requests, clients, count=len(requests))
    if set(tally.statuses) != {200}:
        raise SystemExit(f"not all answers are good: {tally.statuses}")
    return {"clients": clients, **tally.row()}


def checked(port: int, data: Path, numbers: list[int]) -> float:
    """The share of the exact neighbours' scores that the service's answers to searches by key reach."""
    layout = CollectionLayout.of(Places(data).collections_dir, NAME)
    vectors: Vectors = np.asarray(np.load(layout.snapshot(1) / "vectors.npy", mmap_mode="r"))
    queries = np.array(vectors[numbers])
    exact = np.full((len(numbers), K + 1), -1.0, np.float32)  # itself as well
    for start in range(0, len(vectors), BLOCK):  # in order, as the system reads ahead
        found = faiss.knn(queries, np.array(vectors[start : start + BLOCK]), K + 1, metric=faiss.METRIC_INNER_PRODUCT)[
            0
        ]
        exact = np.sort(np.concatenate([exact, found], axis=1), axis=1)[:, -K - 1 :]
    hits = 0
    for number, kth in zip(numbers, exact[:, 0], strict=True):
        address = f"http://127.0.0.1:{port}/collections/{NAME}/items/{key_of(number)}/similar?k={K}"
        with urllib.request.urlopen(address) as answer:
            scores = [hit["score"] for hit in json.load(answer)["results"]]
        hits += sum(score >= kth - HAIR for score in scores)
    return hits / (K * len(numbers))


def main() -> None:
    """Make it, serve it, write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000_000)
    parser.add_argument("--memory", type=float, default=2.0, help="gigabytes that the index may take in a service")
    parser.add_argument("--folder", type=Path, required=True, help="for the collection; what it holds is served again")
    parser.add_argument("--vectors", type=Path, help="float32 .npy of unit vectors of the encoder's dimension")
    parser.add_argument("--out", type=Path, default=RESULT, help="the file to write")
    options = parser.parse_args()
    made = options.folder / "made.json"
    if not made.exists():
        options.folder.mkdir(parents=True, exist_ok=True)
        facts = publish(options.folder, options.count, int(options.memory * 1e9), options.vectors)
        made.write_text(json.dumps(facts))
    result = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": platform.processor() or platform.machine(), "cores": os.cpu_count(),
        "count": options.count, "memory_planned_bytes": int(options.memory * 1e9),
        "made": json.loads(made.read_text()), "served": served(options.folder, options.count),
    }  # fmt: skip
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["served"], indent=2))


if __name__ == "__main__":
    main()
