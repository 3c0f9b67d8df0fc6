"""Two services of their own processes over one folder and database: pins, declared columns and Idempotency-Keys."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.conftest import USERS_RUNTIME
from tests.e2e.processes import eventually
from tools.docs.api_examples import environment_of, served

PICTURES = [encode_jpeg(make_picture(number), 90) for number in range(4)]


@pytest.fixture
def services(tmp_path: Path, database_url: str) -> Iterator[list[httpx.Client]]:
    """A client of each."""
    environment = environment_of(tmp_path) | {
        "LOOKALIKE_RUNTIME": USERS_RUNTIME,
        "LOOKALIKE_DATABASE_URL": database_url,
        "LOOKALIKE_FOLD_AFTER": "0",
    }
    with ExitStack() as stack:
        addresses = [stack.enter_context(served(tmp_path, environment)) for _ in range(2)]
        yield [
            stack.enter_context(httpx.Client(base_url=address, timeout=60, trust_env=False)) for address in addresses
        ]


def put(client: httpx.Client, key: str, picture: bytes, once: str | None = None, **metadata: Any) -> httpx.Response:
    headers = {} if once is None else {"Idempotency-Key": once}
    return client.put(
        f"/collections/mugs/items/{key}",
        data={"metadata": json.dumps(metadata)},
        files={"image": ("mug.jpg", picture)},
        headers=headers,
    )


def keys(client: httpx.Client) -> list[str]:
    return [item["key"] for item in client.get("/collections/mugs/items").json()["items"]]


def test_what_one_process_is_told_holds_in_the_other(services: list[httpx.Client]) -> None:
    one, two = services
    columns = json.dumps({"price": "number", "since": "date"})
    assert one.put("/collections/mugs", data={"columns": columns, "keep": "4"}).status_code == 201
    eventually(lambda: two.get("/collections/mugs").status_code == 200, "the other process sees the collection")

    first = put(one, "a", PICTURES[0], "key-a", price=5)
    again = put(two, "a", PICTURES[0], "key-a", price=5)
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert [answer.headers.get("Idempotent-Replayed") for answer in (first, again)] == [None, "true"]
    assert put(two, "a", PICTURES[0], "key-a", price=6).json()["code"] == "idempotency-mismatch"
    refused = put(two, "b", PICTURES[1], "key-b", price="5.00")
    assert (refused.status_code, refused.json()["code"]) == (422, "metadata-invalid")
    for word in ("'b'", "'price'", "number", "'5.00'"):
        assert word in refused.json()["detail"]

    assert one.post("/collections/mugs/fold").json()["snapshot"] == 2
    put(one, "b", PICTURES[1], price=7)
    assert one.post("/collections/mugs/fold").json()["snapshot"] == 3
    put(one, "c", PICTURES[2])
    eventually(lambda: keys(two) == ["a", "b", "c"], "the other process sees all")

    pinned = two.put("/collections/mugs/pin", data={"snapshot": "2"})
    assert (pinned.status_code, pinned.json()["pinned"]) == (200, True)
    assert keys(two) == ["a"], "at once"
    eventually(lambda: keys(one) == ["a"], "the first process follows the pin")
    assert put(one, "d", PICTURES[3]).json()["code"] == "collection-pinned"
    assert one.post("/collections/mugs/fold").json()["code"] == "collection-pinned"
    rows = one.get("/collections/mugs/snapshots").json()
    assert (rows["pinned"], [(row["snapshot"], row["is_current"]) for row in rows["snapshots"]]) == (
        True,
        [(3, False), (2, True), (1, False)],
    )
    assert one.delete("/collections/mugs/pin").json()["pinned"] is False
    assert keys(one) == ["a", "b", "c"], "at once, with the change that no snapshot has"
    eventually(lambda: keys(two) == ["a", "b", "c"], "the other process follows")


def _has_changed(client: httpx.Client) -> bool:
    return bool(client.get("/collections/mugs").json()["change"] > 0)


def test_of_many_who_send_the_same_at_once_one_is_served(services: list[httpx.Client]) -> None:
    assert services[0].put("/collections/mugs").status_code == 201
    eventually(lambda: services[1].get("/collections/mugs").status_code == 200, "the other one sees the collection")

    def send(number: int) -> httpx.Response:
        return put(services[number % 2], "a", PICTURES[0], "the-same", price=5)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send, range(16)))
    kinds = Counter((answer.status_code, answer.headers.get("Idempotent-Replayed")) for answer in answers)
    assert kinds[201, None] == 1, [(answer.status_code, answer.text) for answer in answers]
    assert set(kinds) <= {(201, None), (201, "true"), (409, None)}
    bodies = [answer.content for answer in answers if answer.status_code == 201]
    assert len(set(bodies)) == 1
    for client in services:
        eventually(partial(_has_changed, client), "both see the change")
        assert client.get("/collections/mugs").json()["change"] == 1, "it was made once"
        assert put(client, "a", PICTURES[0], "the-same", price=5).content == bodies[0]
