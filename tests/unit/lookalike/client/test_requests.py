"""What the client sends: addresses that lead where they should, forms as the service takes them, batches that fit."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from lookalike.client import (
    AsyncClient,
    Change,
    ChangesInterruptedError,
    Client,
    Delete,
    ItemAnswer,
    Key,
    NotFoundError,
    Patch,
    PictureError,
    Put,
)
from lookalike.client.changes import MAX_BYTES
from tests.unit.lookalike.client.pretended import ADDRESS, VERSION, Pretended, answer, problem

GONE = answer(404, problem(404, "item-not-found"))
METHODS = [name for name in dir(Client) if not name.startswith("_") and name != "close"]


def test_both_clients_have_the_same_methods() -> None:
    assert [name for name in dir(AsyncClient) if not name.startswith("_") and name != "aclose"] == METHODS
    assert len(METHODS) > 30


@pytest.mark.parametrize("name", [*METHODS, "__init__"])
def test_a_method_of_both_takes_and_gives_the_same(name: str) -> None:
    one, other = getattr(Client, name), getattr(AsyncClient, name)
    signatures = [inspect.signature(method) for method in (one, other)]
    written = [str(signature).replace("Async", "") for signature in signatures]
    assert written[0] == written[1]
    assert one.__doc__ == other.__doc__
    if name != "__init__":
        is_iterator = name.startswith(("iter_", "follow_"))
        assert inspect.isasyncgenfunction(other) is is_iterator
        assert inspect.iscoroutinefunction(other) is not is_iterator


def test_it_loads_nothing_heavy() -> None:
    code = "import sys, lookalike.client; print(*sys.modules)"
    modules = set(
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    )
    heavy = {"torch", "faiss", "sqlalchemy", "numpy", "PIL", "pydantic", "scipy", "lark", "fastapi", "cv2"}
    assert modules & heavy == set()
    assert {name for name in modules if name.startswith("lookalike.") and "client" not in name} == set()


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("50% off?", "50%25%20off%3F"),
        ("a%2Fb", "a%252Fb"),
        ("日本#1", "%E6%97%A5%E6%9C%AC%231"),
        ("a.jpg", "a.jpg"),
    ],
)
def test_a_key_stays_one_part_of_the_path(key: str, path: str) -> None:
    service = Pretended([GONE])
    with service.client() as client, pytest.raises(NotFoundError):
        client.get_item("shop", key)
    assert service.paths == [f"GET /images/collections/shop/items/{path}"]


def test_an_empty_name_is_refused_before_it_is_another_address() -> None:
    service = Pretended([GONE])
    with service.client() as client:
        for name, key in (("shop", ""), ("", "a")):
            with pytest.raises(ValueError, match="must not be empty"):
                client.delete_item(name, key)
    assert service.requests == []


def test_an_api_key_and_a_name_are_sent_along() -> None:
    service = Pretended([answer(200, VERSION)])
    with service.client(api_key="secret") as client:
        client.version()
    headers = service.requests[0].headers
    assert headers["authorization"] == "Bearer secret"
    assert re.match(r"lookalike-client/\S+$", headers["user-agent"])


@pytest.mark.parametrize("address", ["shop.example", "ftp://shop.example", "http://", "/images"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="base_url must be"):
        Client(address)


def test_options_are_sent_as_the_service_reads_them() -> None:
    service = Pretended([GONE])
    with service.client() as client, pytest.raises(NotFoundError):
        client.search(
            key="a",
            collection="shop",
            k=3,
            tiers=True,
            filter={"price": {"lt": 60}},
            exclude_keys=["a,b", "ü"],
            facets=("colour",),
            boost={"field": "stars", "weight": 0.1},
            box=(0, 0.25, 1, 0.5),
            min_score=-0.5,
        )
    form = httpx2.QueryParams(service.requests[0].content.decode())
    assert dict(form) == {
        "key": "a",
        "k": "3",
        "tiers": "true",
        "filter": '{"price": {"lt": 60}}',
        "exclude_keys": '["a,b", "ü"]',
        "facets": '["colour"]',
        "boost": '{"field": "stars", "weight": 0.1}',
        "box": "0,0.25,1,0.5",
        "min_score": "-0.5",
    }
    assert service.paths == ["POST /images/collections/shop/search"]


def test_a_text_is_not_taken_for_a_list_of_letters() -> None:
    with Pretended([GONE]).client() as client:
        calls: list[Callable[[], Any]] = [
            lambda: client.search(key="a", exclude_keys="sku-1"),
            lambda: client.search(key="a", facets="colour"),
            lambda: client.get_facets("shop", "colour"),
            lambda: client.decide_duplicates("shop", "sku-1", "not-duplicates"),
        ]
        for call in calls:
            with pytest.raises(TypeError, match="must be a list"):
                call()


def test_an_option_that_a_method_does_not_have_is_named() -> None:
    service = Pretended([GONE])
    with service.client() as client:
        calls: dict[str, Callable[[], Any]] = {
            "unknown option 'collections': use search_collections; the options are boost, box": lambda: client.search(
                key="a",
                collections=["shop"],  # type: ignore[call-arg]  # which is what is tried
            ),
            "unknown option 'tiers': the options are box, combine": lambda: client.search_collections(
                ["shop"],
                key="a",
                tiers=True,  # type: ignore[call-arg]  # which is what is tried
            ),
            "unknown option 'limit': use k; the options are": lambda: client.search(key="a", limit=3),  # type: ignore[call-arg]
            "unknown option 'k': the options are filter, group_by, keys": lambda: client.list_items("shop", k=3),  # type: ignore[call-arg]
            "unknown option 'price': the options are if_match, metadata": lambda: client.patch_item(
                "shop", "a", price=3
            ),  # type: ignore[call-arg]
            "unknown option 'if_match': the options are metadata": lambda: client.patch_items(
                "shop",
                "price < 3",
                if_match="x",  # type: ignore[call-arg]  # which is what is tried
            ),
        }
        for message, call in calls.items():
            with pytest.raises(TypeError, match=message):
                call()
    assert service.requests == []


def test_dates_and_decimals_of_metadata_are_sent_as_json_has_them() -> None:
    metadata = {
        "since": date(2026, 5, 1),
        "seen": datetime(2026, 5, 1, 12, 30, tzinfo=UTC),
        "price": Decimal("19.90"),
        "sizes": (Decimal("2"), 3, True, None),
    }
    written = {"since": "2026-05-01", "seen": "2026-05-01T12:30:00+00:00", "price": 19.9, "sizes": [2, 3, True, None]}
    service = Pretended([GONE])
    with service.client() as client, pytest.raises(NotFoundError):
        client.patch_item("shop", "a", metadata=metadata)
    form = httpx2.QueryParams(service.requests[0].content.decode())
    assert json.loads(form["metadata"]) == written
    assert json.loads(json.dumps(Put(key="a", metadata=metadata).body()))["metadata"] == written


@pytest.mark.parametrize(
    ("value", "kind"),
    [(object(), TypeError), ({1}, TypeError), (float("nan"), ValueError), (Decimal("inf"), ValueError)],
)
def test_metadata_that_cannot_be_sent_names_its_column(value: object, kind: type[Exception]) -> None:
    with Pretended([GONE]).client() as client:
        for metadata in ({"colour": value}, {"colour": ["red", value]}):
            with pytest.raises(kind, match="column 'colour'"):
                client.put_item("shop", "a", metadata=metadata)
            with pytest.raises(kind, match="column 'colour'"):
                client.change_items("shop", [Patch(key="a", metadata=metadata)])


def test_numbers_must_be_finite() -> None:
    with Pretended([GONE]).client() as client, pytest.raises(ValueError, match="finite"):
        client.search(key="a", min_score=float("nan"))


def test_a_key_in_the_place_of_a_picture_is_sent_as_text() -> None:
    service = Pretended([GONE])
    with service.client() as client, pytest.raises(NotFoundError):
        client.compare(b"bytes", Key("sku-1"), collection="shop")
    content = service.requests[0].content.decode("latin-1")
    assert 'name="image_b"\r\n\r\nsku-1\r\n' in content
    assert 'name="image_a"; filename="picture"' in content


ITEM = ItemAnswer(
    key="a",
    metadata={},
    width=1,
    height=1,
    format="PNG",
    byte_size=1,
    content_digest="",
    image_url="",
    thumbnail_url="",
)


def test_an_item_of_a_list_cannot_be_matched() -> None:
    with Pretended([GONE]).client() as client, pytest.raises(ValueError, match="get_item"):
        client.delete_item("shop", "a", if_match=ITEM)


def test_an_item_is_either_new_or_a_version_that_was_read() -> None:
    with Pretended([GONE]).client() as client, pytest.raises(ValueError, match="give one of them"):
        client.put_item("shop", "a", only_new=True, if_match='"1"')


def respond_by(service: Pretended) -> Callable[[httpx2.Request], httpx2.Response]:
    """Answers each batch with as many entries as it has changes."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        request.read()
        service.requests.append(request)
        entries = [
            {"index": index, "key": change["key"], "status": "created", "problem": None}
            for index, change in enumerate(changes_of(request))
        ]
        return answer(200, {"collection": "shop", "results": entries})

    return handle


def changes_of(request: httpx2.Request) -> list[dict[str, Any]]:
    """The changes of a batch as they were sent."""
    text = request.content.decode("latin-1")
    if request.headers["content-type"].startswith("multipart"):
        found = re.search(r'name="changes"\r\n\r\n(.*?)\r\n--', text, re.DOTALL)
        assert found is not None
        return json.loads(found[1])  # type: ignore[no-any-return]
    return json.loads(httpx2.QueryParams(text)["changes"])  # type: ignore[no-any-return]


def test_any_number_of_changes_goes_in_batches_that_the_service_takes() -> None:
    service = Pretended([])
    changes: list[Change] = [
        *(Put(key=f"p{number}", image=b"%d" % number) for number in range(70)),
        *(Patch(key=f"m{number}", metadata={"n": number}) for number in range(300)),
        Delete(key="d"),
    ]
    with Client(ADDRESS, transport=httpx2.MockTransport(respond_by(service))) as client:
        results = client.change_items("shop", iter(changes))
    assert [result.index for result in results] == list(range(371))
    assert [result.key for result in results] == [change.key for change in changes]
    sizes = [len(changes_of(request)) for request in service.requests]
    assert sizes == [64, 256, 51]
    pictures = [request.content.count(b'name="image"') for request in service.requests]
    assert pictures == [64, 6, 0]
    assert changes_of(service.requests[-1])[-1] == {"op": "delete", "key": "d"}


def test_a_batch_has_no_more_bytes_than_fit() -> None:
    service = Pretended([])
    picture = b"x" * (MAX_BYTES // 2 - 1)
    with Client(ADDRESS, transport=httpx2.MockTransport(respond_by(service))) as client:
        client.change_items("shop", [Put(key=str(number), image=picture) for number in range(3)])
    assert [len(changes_of(request)) for request in service.requests] == [2, 1]


def test_what_became_of_the_batches_before_a_refusal_is_not_lost() -> None:
    first = {"index": 0, "key": "a", "status": "created", "problem": None}
    service = Pretended(
        [answer(200, {"collection": "shop", "results": [first] * 256}), answer(409, problem(409, "collection-pinned"))]
    )
    changes = [Patch(key="a", title=str(number)) for number in range(300)]
    with service.client() as client, pytest.raises(ChangesInterruptedError, match="collection-pinned") as stopped:
        client.change_items("shop", changes)
    assert len(stopped.value.results) == 256

    async def work(client: AsyncClient) -> None:
        await client.change_items("shop", [*changes[:256], Put(key="b", image="/nowhere/a.jpg")])

    service = Pretended([answer(200, {"collection": "shop", "results": [first] * 256})])
    with pytest.raises(ChangesInterruptedError, match=r"a\.jpg") as stopped:
        service.run_async(work)
    assert isinstance(stopped.value.__cause__, PictureError)
