"""What a filter costs, and whether k stays k: a collection of a million made-up vectors, searched by key over HTTP.

    python -m benchmarks.filtered --folder FOLDER [--count 1000000]    (6 GB of disk, a quarter of an hour)

Items have a number of 0 to 9999 drawn for each, so that ``number < 100`` is passed by 1 % of them, whatever they look
like. Searches without a filter and with each of the filters go by turns; ``ratio`` is the median of a filter over that
of no filter. Recall is the share of the exact neighbours among what passes that come back.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
from sqlalchemy import create_engine, select

from benchmarks.large import NAME, Vectors, key_of, publish
from benchmarks.service import service_command, serving
from lookalike.catalogue.item_values import insert_values
from lookalike.catalogue.models import ItemRow
from lookalike.collection.layout import CollectionLayout
from lookalike.options import Places

RESULT = Path(__file__).parent / "results" / "filtered.json"
K = 10
NUMBERS = 10_000
SHARES = (0.001, 0.01, 0.1, 0.5)
ROUNDS = 200
CHECKED = 50
HAIR = 1e-5
_PAGE = 20_000


def number_of(item: int) -> int:
    """A number that has nothing to do with the item's place: a multiplicative hash of it."""
    return item * 2_654_435_761 % 2**32 * NUMBERS // 2**32


def add_values(data: Path, count: int) -> None:
    """Write the rows by which filters look items up, as the catalogue does for items that it is given."""
    items = ItemRow.__table__
    engine = create_engine(f"sqlite:///{data / 'catalogue.db'}")
    with engine.begin() as connection:
        for start in range(0, count, _PAGE):
            page = select(items).where(items.c.id > start, items.c.id <= start + _PAGE)
            insert_values(connection, ((row["id"], dict(row)) for row in connection.execute(page).mappings()))
    engine.dispose()


def measure(data: Path, count: int) -> dict[str, Any]:
    """Latencies by turns, and what comes back beside what is exact."""
    vectors: Vectors = np.load(
        CollectionLayout.of(Places(data).collections_dir, NAME).snapshot(1) / "vectors.npy", mmap_mode="r"
    )
    numbers = np.array([number_of(item) for item in range(count)])
    queries = np.random.default_rng(5).choice(count, ROUNDS, replace=False).tolist()
    seconds: dict[float | None, list[float]] = {share: [] for share in (None, *SHARES)}
    hits: dict[float, list[int]] = {share: [] for share in SHARES}
    first: dict[float, float] = {}
    with serving(*service_command(data)) as (port, _, _), httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:

        def ask(item: int, share: float | None) -> tuple[float, list[dict[str, Any]]]:
            parameters: dict[str, str | int] = {"k": K}
            if share is not None:
                parameters["filter"] = f"number < {round(share * NUMBERS)}"
            begun = time.perf_counter()
            answer = http.get(f"/collections/{NAME}/items/{key_of(item)}/similar", params=parameters, timeout=120)
            took = time.perf_counter() - begun
            return took, answer.raise_for_status().json()["results"]

        ask(queries[0], None)
        for share in SHARES:
            first[share] = ask(queries[0], share)[0]
        for turn, item in enumerate(queries):
            seconds[None].append(ask(item, None)[0])
            for share in SHARES:
                took, results = ask(item, share)
                seconds[share].append(took)
                if len(results) != K:
                    raise SystemExit(f"{len(results)} hits instead of {K} for number < {round(share * NUMBERS)}")
                if turn < CHECKED:
                    passing = np.flatnonzero(numbers < round(share * NUMBERS))
                    hits[share].append(count_right(vectors, passing, item, results))
    plain = statistics.median(seconds[None])
    return {
        "unfiltered_p50_ms": round(plain * 1000, 2),
        "filters": {
            f"{share:.2%}": {
                "passing": int(np.count_nonzero(numbers < round(share * NUMBERS))),
                "p50_ms": round(statistics.median(seconds[share]) * 1000, 2),
                "ratio": round(statistics.median(seconds[share]) / plain, 2),
                "first_time_ms": round(first[share] * 1000, 1),
                "recall": round(sum(hits[share]) / (K * len(hits[share])), 4),
            }
            for share in SHARES
        },
    }


def count_right(vectors: Vectors, passing: npt.NDArray[np.int64], item: int, results: list[dict[str, Any]]) -> int:
    """How many of the hits are among the exact best of those that pass, the query's item not among them."""
    scores = np.array(vectors[passing[passing != item]]) @ vectors[item]
    least = np.sort(scores)[-K]
    return sum(hit["score"] >= least - HAIR for hit in results)


def main() -> None:
    """Make it, serve it, write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, required=True, help="for the collection; what it holds is served again")
    parser.add_argument("--out", type=Path, default=RESULT, help="the file to write")
    options = parser.parse_args()
    finished = options.folder / "finished"
    if not finished.exists():
        options.folder.mkdir(parents=True)
        publish(options.folder, options.count, None, attributes_of=lambda item: {"number": number_of(item)})
        add_values(options.folder, options.count)
        finished.touch()
    result = {"count": options.count, "cores": os.cpu_count(), **measure(options.folder, options.count)}
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
