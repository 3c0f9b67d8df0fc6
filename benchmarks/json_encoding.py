"""JSON of search results: msgspec, as the service encodes them, beside byte templates, in whole requests by key.

``python -m benchmarks.json_encoding`` indexes small pictures, sends requests straight to the ASGI application (no
socket, no server), and writes ``benchmarks/results/json_encoding.json``. The variants take turns in one process; the
figures are medians over rounds of the CPU time of a request. Every request differs in a ``min_score`` that leaves
nothing out, so that none is answered from the cache. ``templates`` is how the service wrote its JSON before: a format
string of bytes for a hit, and a cache of what does not depend on the score.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from pydantic_core import to_json

from lookalike.images import encode_jpeg
from lookalike.options import Places
from lookalike.testing import make_picture
from service import search_requests
from service.app import create_app
from service.http.responses import item_urls
from service.schemas.search_responses import ThresholdAnswer
from service.scores import confidence_problem, is_similar, round_score, rounded_confidence
from service.search import SearchResult
from service.search_json import EncodedResult, encode_result
from service.settings import Settings

RESULT = Path(__file__).parent / "results" / "json_encoding.json"
PICTURES = 400
REQUESTS = {10: 400, 100: 100}
_ANSWER = (
    b'{"collection":%b,"snapshot":%d,"encoder":%b,"results":[%b],"threshold":%b,"query":%b,"best_score":%b,'
    b'"exhausted":%b,"next_cursor":%b,"passing":null,"facets":null,"fallback":null,"took_ms":'
)
_HIT = (
    b'{"rank":%d,%b,"score":%a,"normalized_score":%a,"similar":%b,"confidence":%b,'
    b'"confidence_problem":%b,"tier":%b,"tier_problem":%b,%b,"group":null,"passed_filter":true,"boosted_score":null}'
)
_rows: dict[str, tuple[bytes, bytes]] = {}


def encode_with_templates(result: SearchResult) -> EncodedResult:
    """The same JSON by format strings."""
    threshold, hits = result.threshold, []
    for hit, outcome in zip(result.ranking.hits, result.tiers, strict=True):
        if (row := _rows.get(hit.key)) is None:
            image_url, thumbnail_url = item_urls(result.snapshot.name, hit.key)
            fields: dict[str, Any] = {"title": hit.title, "product_id": hit.product_id, "metadata": dict(hit.metadata)}
            fields |= {"image_url": image_url, "thumbnail_url": thumbnail_url}
            row = _rows[hit.key] = (b'"key":' + to_json(hit.key), to_json(fields)[1:-1])
        confidence = rounded_confidence(threshold, hit.score, outcome)
        values = (
            hit.rank,
            row[0],
            round_score(hit.score),
            round_score(hit.normalized_score),
            b"true" if is_similar(threshold, hit.score, outcome) else b"false",
            b"null" if confidence is None else b"%a" % confidence,
            b"null" if confidence is not None else to_json(confidence_problem(threshold, outcome)),
            b"null" if outcome.tier is None else to_json(outcome.tier),
            b"null" if outcome.problem is None else to_json(outcome.problem),
            row[1],
        )
        hits.append(_HIT % values)
    best_score = result.ranking.best_score
    answer = _ANSWER % (
        to_json(result.snapshot.name),
        result.snapshot.generation,
        to_json(result.snapshot.collection.manifest.encoder.name),
        b",".join(hits),
        to_json(dataclasses.asdict(ThresholdAnswer.of(threshold))),
        to_json(result.query),
        b"null" if best_score is None else b"%a" % round_score(best_score),
        b"true" if result.ranking.exhausted else b"false",
        to_json(result.ranking.next_cursor),
    )
    return EncodedResult(answer, result.snapshot.generation)


VARIANTS: dict[str, Callable[[SearchResult], EncodedResult]] = {
    "templates": encode_with_templates,
    "msgspec": encode_result,
}


async def respond(app: FastAPI, method: str, path: str, query: str, form: bytes) -> bytes:
    """The body of the response to one request."""
    messages: list[Any] = []
    bodies = [form]

    async def receive() -> dict[str, Any]:
        if bodies:
            return {"type": "http.request", "body": bodies.pop(), "more_body": False}
        await asyncio.sleep(3600)  # the client stays
        raise AssertionError

    async def send(message: Any) -> None:
        messages.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/x-www-form-urlencoded")]
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
    }
    scope |= {"path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": ""}
    await app({**scope, "headers": headers}, receive, send)
    if messages[0]["status"] != 200:
        raise SystemExit(f"{path}: {messages[1]['body'].decode()}")
    body: bytes = messages[1]["body"]
    return body


async def measure(app: FastAPI, keys: list[str], rounds: int) -> list[dict[str, Any]]:
    """One row for each route and k: microseconds of CPU time for a request, by variant."""
    numbers = itertools.count()

    async def send_requests(route: str, k: int) -> bytes:
        body = b""
        for number in itertools.islice(numbers, REQUESTS[k]):
            key, options = quote(keys[number % len(keys)], safe=""), f"k={k}&min_score=-0.9{number:07d}"
            if route == "/similar":
                body = await respond(app, "GET", f"/collections/bench/items/{key}/similar", options, b"")
            else:
                body = await respond(app, "POST", "/search", "", f"key={key}&{options}".encode())
        return body

    rows = []
    for route, k in itertools.product(("/search", "/similar"), REQUESTS):
        times: dict[str, list[float]] = {name: [] for name in VARIANTS}
        size = 0
        for number in range(rounds + 1):
            for name, encode in VARIANTS.items():
                setattr(search_requests, "encode_result", encode)  # noqa: B010
                begin = time.process_time()
                size = len(await send_requests(route, k))
                if number:  # the first round fills caches
                    times[name].append((time.process_time() - begin) / REQUESTS[k] * 1e6)
        pairs = zip(times["msgspec"], times["templates"], strict=True)
        row: dict[str, Any] = {"route": route, "k": k, "bytes": size}
        row |= {f"{name}_us": round(statistics.median(values), 1) for name, values in times.items()}
        rows.append({**row, "msgspec_by_templates": round(statistics.median(new / old for new, old in pairs), 3)})
    return rows


async def run(data: Path, keys: list[str], rounds: int) -> list[dict[str, Any]]:
    """The rows, measured on an application over this data folder."""
    app = create_app(Settings(Places(data), allowed_hosts=()))
    async with app.router.lifespan_context(app):
        await app.state.services.snapshots.refresh("bench")
        return await measure(app, keys, rounds)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31, help="how often each variant has its turn")
    parser.add_argument("--out", type=Path, default=RESULT, help="the file to write")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus, data = Path(folder) / "pictures", Path(folder) / "data"
        corpus.mkdir()
        keys = [f"product {number:04d}.jpg" for number in range(PICTURES)]
        for number, key in enumerate(keys):
            (corpus / key).write_bytes(encode_jpeg(make_picture(number, size=(64, 64)), 80))
        lines = [f"{key},{key},Product number {number},p-{number},red,9.99" for number, key in enumerate(keys)]
        table = corpus / "manifest.csv"
        table.write_text("\n".join(["key,path,title,product_id,colour,price", *lines]), encoding="utf-8")
        command = [sys.executable, "-m", "indexer", "index", str(table), "--collection", "bench", "--data", str(data)]
        subprocess.run(command, check=True)
        rows = asyncio.run(run(data, keys, chosen.rounds))
    chosen.out.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
