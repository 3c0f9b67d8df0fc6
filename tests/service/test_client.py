"""``lookalike.client`` over the real application: every operation, its answers field by field, sync and async alike."""

from __future__ import annotations

import inspect
import io
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import httpx2
import msgspec
import numpy as np
import pytest
from PIL import Image

from lookalike.client import (
    AsyncClient,
    Client,
    ConflictError,
    Delete,
    ForbiddenError,
    InvalidRequestError,
    ItemAnswer,
    Key,
    NotFoundError,
    Patch,
    PreconditionFailedError,
    Put,
    UnauthorizedError,
    answers,
    collection_answers,
    job_answers,
    options,
    recommend_answer,
    text_answers,
)
from lookalike.client.answer_base import Answer
from lookalike.client.options import CollectionsSearchOptions, SearchOptions
from lookalike.images import encode_png
from lookalike.testing import make_picture
from service.search_cursor import SearchCursor
from service.settings import ApiKeys
from tests.service.conftest import HARD_KEYS, PLAIN_KEYS, Shop, write_shop
from tests.service.harness import Service, index, serving

T = TypeVar("T")
NEW, OTHER = encode_png(make_picture(700)), encode_png(make_picture(701))
ADDRESS = "http://localhost"
LEFT_OUT = {
    "search_collection": "search with collection=...",
    "recommend_in_collection": "recommend with collection=...",
    "cosine_similarity_score": "/compare with the names of an earlier program, for its clients",
    "append_to_upload": "create_upload sends the pieces",
    "put_upload": "create_upload, which can go on after a lost connection",
    "override_upload_method": "for programs that can only POST",
    "post_cancel_job": "for programs that can only POST",
    "describe_uploads": "for tus clients that can do more than one version",
}
"""Operations that the client has no method of their own for, and why."""
OTHER_NAMES = {"name", "if-match", "if-none-match", "changes", "idempotency-key"}
"""Parameters that the client calls otherwise, or makes itself."""


class PortalTransport(httpx2.BaseTransport):
    """Requests from this thread to an application in the event loop of another."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()

        async def work() -> httpx2.Response:
            response = await httpx2.ASGITransport(self._service.app).handle_async_request(request)
            await response.aread()
            return response

        answer = self._service.call(work)
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)


def client_of(service: Service, api_key: str | None = None) -> Client:
    return Client(ADDRESS, api_key, transport=PortalTransport(service))


def run_async(service: Service, work: Callable[[AsyncClient], Awaitable[T]]) -> T:
    """What ``work`` gives with an asynchronous client, in the application's event loop."""

    async def run() -> T:
        async with AsyncClient(ADDRESS, transport=httpx2.ASGITransport(service.app)) as asking:
            return await work(asking)

    return service.call(run)


@pytest.fixture(scope="module")
def asking(service: Service) -> Iterator[Client]:
    """A client of the shop, in which nothing may be changed."""
    with client_of(service) as opened:
        yield opened


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Service]:
    """A service over a shop of the test's own."""
    write_shop(tmp_path / "source")
    index(tmp_path / "data", "shop", tmp_path / "source/shop.jsonl")
    with serving(tmp_path / "data") as running:
        yield running


@pytest.fixture(scope="module")
def document(service: Service) -> dict[str, Any]:
    loaded: dict[str, Any] = service.get("/openapi.json").json()
    return loaded


def operations_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation for methods in document["paths"].values() for operation in methods.values()
    }


def test_every_operation_of_the_service_has_a_method(document: dict[str, Any]) -> None:
    names = set(operations_of(document))
    missing = {name for name in names if not callable(getattr(Client, name, None))}
    assert missing == set(LEFT_OUT)
    methods = {name for name in dir(Client) if not name.startswith(("_", "iter_"))}
    assert methods - names == {"close", "search_collections"}, "the latter is another answer of search"


def test_every_parameter_of_an_operation_can_be_given(document: dict[str, Any]) -> None:
    for name, operation in operations_of(document).items():
        if name in LEFT_OUT:
            continue
        contents = operation.get("requestBody", {}).get("content", {}).values()
        sent = {field for content in contents for field in content["schema"].get("properties", ())}
        sent |= {parameter["name"] for parameter in operation.get("parameters", [])} - OTHER_NAMES
        parameters = inspect.signature(getattr(Client, name)).parameters
        accepted = set(parameters) | {"key" * ("keys" in parameters), "image" * ("images" in parameters)}
        for parameter in parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                name_of_options = str(parameter.annotation).removeprefix("Unpack[").removesuffix("]")
                accepted |= set(get_type_hints(getattr(options, name_of_options)))
        if name == "change_items":
            accepted |= {field for change in (Put, Patch, Delete) for field in change.__dataclass_fields__} | {
                "changes"
            }
        if name == "search":
            accepted |= {"collections", *get_type_hints(CollectionsSearchOptions)}
        assert sent - OTHER_NAMES <= accepted, name


def test_every_field_of_an_answer_is_in_its_struct(document: dict[str, Any]) -> None:
    modules = (answers, collection_answers, job_answers, recommend_answer, text_answers)
    structs = {
        kind.__name__: kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Answer) and kind is not Answer
    }
    assert len(structs) > 40
    for name, kind in structs.items():
        schema = document["components"]["schemas"][name]
        fields = {field.name for field in msgspec.structs.fields(kind)}
        own = {"etag"} if issubclass(kind, ItemAnswer) else set()
        assert fields - own == set(schema["properties"]), name
        nullable = {
            field
            for field, described in schema["properties"].items()
            if any(option.get("type") == "null" for option in described.get("anyOf", ()))
        }
        optional = {field.name for field in msgspec.structs.fields(kind) if not field.required} - own
        assert nullable <= optional, name


def test_a_picture_is_found_however_it_is_given(asking: Client, shop: Shop) -> None:
    key = "plain-1"
    data = shop.picture(key)
    with Image.open(io.BytesIO(data)) as image, shop.files[key].open("rb") as file:
        pixels = np.asarray(image.convert("RGB"))
        for picture in (shop.files[key], str(shop.files[key]), data, file, image, pixels):
            answer = asking.search(picture, collection="shop", k=1)
            assert [(hit.key, round(hit.score or 0, 3)) for hit in answer.results] == [(key, 1.0)]
    assert answer.threshold.value > 0
    assert asking.search(key=key, k=1).query.key == key


def test_a_search_takes_all_of_its_options(asking: Client, shop: Shop) -> None:
    answer = asking.search(
        shop.picture("plain-0"),
        collection="shop",
        k=5,
        filter={"price": {"lt": 60}},
        fallback="relax_filter",
        facets=["colour"],
        exclude_keys=["plain-0", "a,b"],
        boost=[{"field": "price", "weight": 0.1, "scale": 100}],
        diversity=0.2,
        dedupe=True,
        min_score=-1,
        box=(0, 0, 1, 0.5),
    )
    assert (answer.passing, answer.fallback) == (1, "relax_filter")
    assert answer.results[0].key == "shoes/red one.jpg"
    assert answer.results[0].boosted_score is not None
    assert answer.facets is not None
    assert [(value.value, value.count) for value in answer.facets["colour"].values] == [("red", 1)]
    assert "plain-0" not in {hit.key for hit in answer.results}
    moved = asking.search(shop.picture("plain-0"), like_keys=["plain-1"], unlike_keys=["plain-2"], include_liked=True)
    assert {"plain-0", "plain-1"} <= {hit.key for hit in moved.results if hit.feedback_score is not None}
    grouped = asking.search(shop.picture("plain-0"), k=3, group_by="product_id", group_score="mean")
    assert all(hit.group_score is not None for hit in grouped.results)
    merged = asking.search_collections(["shop"], key="plain-0", home="shop", rank_by="score", k=3, filter="key exists")
    assert [hit.collection for hit in merged.results] == ["shop"] * 3
    assert (merged.collections, merged.passing) == (("shop",), {"shop": len(shop.keys)})
    several = asking.search([shop.picture("plain-0"), shop.picture("plain-2")], k=2, combine="best")
    assert {hit.key for hit in several.results} == {"plain-0", "plain-2"}
    grouped = asking.get_similar_items("shop", "plain-0", group_by="product_id", k=3, filter="price exists")
    assert [hit.group for hit in grouped.results] == ["p-1"]


def test_a_recommendation_takes_all_of_its_options(asking: Client, shop: Shop) -> None:
    answer = asking.recommend(
        [("plain-0", 2), "a/image"],
        ["plain-2"],
        image=[shop.picture("plain-1")],
        collection="shop",
        strategy="best",
        include_liked=True,
        k=20,
        fallback="relax_filter",
        filter={"price": {"lt": 60}},
        facets=["colour"],
        exclude_keys=["similar"],
        boost={"field": "price", "weight": 0.1, "scale": 100},
        diversity=0.2,
        dedupe=True,
        min_score=-1,
        threshold=0.7,
    )
    assert (answer.basis, answer.strategy, answer.passing, answer.fallback) == ("liked", "best", 1, "relax_filter")
    assert {hit.key for hit in answer.results} == set(shop.keys) - {"plain-2", "similar"}
    assert all(hit.feedback_score is not None for hit in answer.results)
    assert answer.threshold.value == 0.7
    assert answer.facets is not None
    pages = list(asking.iter_recommend(["plain-0"], collection="shop", k=5))
    keys = [hit.key for page in pages for hit in page.results]
    assert keys == [hit.key for hit in asking.recommend(["plain-0"], k=100).results]
    assert len(keys) == len(shop.keys) - 1


def test_an_asynchronous_client_recommends_too(service: Service, shop: Shop) -> None:
    async def work(other: AsyncClient) -> tuple[str, list[str]]:
        answer = await other.recommend(group_by="product_id", k=3)
        pages = other.iter_recommend(image=shop.files["plain-0"], unlike=["plain-1"], k=4)
        return answer.basis, [hit.key async for page in pages for hit in page.results]

    basis, keys = run_async(service, work)
    assert basis == "representative"
    assert (keys[0], sorted(keys)) == ("plain-0", sorted(set(shop.keys) - {"plain-1"}))


@pytest.mark.parametrize(
    ("like", "error"),
    [("plain-0", TypeError), ([("plain-0",)], ValueError), ([("plain-0", float("nan"))], ValueError)],
)
def test_likes_that_cannot_be_sent_are_told(asking: Client, like: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        asking.recommend(like)
    with pytest.raises(InvalidRequestError, match="finite number above 0"):
        asking.recommend([("plain-0", 0)])
    with pytest.raises(NotFoundError, match="none such"):
        asking.recommend(["none such"])


def test_options_are_missing_for_several_collections_where_the_service_refuses_them(service: Service) -> None:
    values = {
        "fallback": "relax_filter",
        "group_score": "mean",
        "diversity": "0.5",
        "boost": '{"field": "price", "weight": 0.1}',
        "like_keys": "plain-1",
        "unlike_keys": "plain-1",
        "stack": "copies",
        "tiers": "true",
        "text": "mug",
    }
    missing = set(get_type_hints(SearchOptions)) - set(get_type_hints(CollectionsSearchOptions))
    assert missing == {*values, "include_liked", "text_match", "text_weight"}, "which say nothing without another"
    for name, value in values.items():
        form = {"key": "plain-0", "collection": "shop", "collections": "shop", name: value}
        form |= {"group_by": "product_id"} if name == "group_score" else {}
        response = service.post("/search", data=form)
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == name


def test_pages_go_on_until_there_are_no_more(asking: Client, service: Service, shop: Shop) -> None:
    pages = list(asking.iter_search(io.BytesIO(shop.picture("plain-0")), collection="shop", k=4))
    keys = [hit.key for page in pages for hit in page.results]
    assert len(pages) > 2
    assert sorted(keys) == sorted(shop.keys)
    assert keys[0] == "plain-0"
    listed = [item.key for item in asking.iter_items("shop", limit=5)]
    assert listed == shop.keys
    assert [item.key for item in asking.iter_items("shop", filter="colour = red")] == ["shoes/red one.jpg"]

    async def work(other: AsyncClient) -> tuple[list[str], list[str]]:
        searched = [hit.key async for page in other.iter_search(shop.files["plain-0"], k=4) for hit in page.results]
        return searched, [item.key async for item in other.iter_items("shop", limit=5)]

    assert run_async(service, work) == (keys, listed)


def test_a_batch_has_a_problem_where_a_picture_is_bad(asking: Client, shop: Shop) -> None:
    answer = asking.search_batch([shop.files["plain-0"], b"no picture"], k=1, filter="not price > 1")
    good, bad = answer.results
    assert good.answer is not None
    assert (good.name, good.answer.results[0].key) == (shop.files["plain-0"].name, "plain-0")
    assert bad.problem is not None
    assert (bad.answer, bad.problem.code) == (None, "unsupported-format")


def test_two_pictures_are_compared_embedded_and_checked(asking: Client, shop: Shop) -> None:
    same = asking.compare(shop.files["plain-0"], Key("plain-0"), collection="shop", explain=True)
    assert (same.tier, same.similar, round(same.score, 3)) == ("same-bytes", True, 1.0)
    assert same.parts is not None
    assert same.heat_maps is not None
    words = asking.tag_picture(shop.files["plain-0"], collection="shop", min_confidence=0.0)
    assert (words.encoder, len(words.tags)) == ("bundled", 8)
    vector = asking.embed(shop.files["plain-0"], collection="shop")
    assert len(vector.vector) == vector.dimension
    assert sum(number * number for number in vector.vector) == pytest.approx(1, abs=1e-3)
    check = asking.check_picture("shop", shop.files["plain-0"], k=1)
    assert (check.verdict, check.matches[0].key) == ("same-bytes", "plain-0")


@pytest.mark.parametrize("key", HARD_KEYS)
def test_an_item_is_reached_whatever_its_key_is(asking: Client, shop: Shop, key: str) -> None:
    item = asking.get_item("shop", key)
    assert (item.key, item.byte_size) == (key, len(shop.picture(key)))
    assert item.etag is not None
    assert asking.get_item_image("shop", key) == shop.picture(key)
    with Image.open(io.BytesIO(asking.get_item_thumbnail("shop", key, size=64))) as small:
        assert max(small.size) <= 64
    assert asking.get_similar_items("shop", key, k=1).results[0].key != key


def test_the_service_tells_of_itself(asking: Client) -> None:
    assert asking.health().collections["shop"] == 1
    assert asking.ready().ready
    assert asking.version().version
    assert "# HELP" in asking.metrics()
    assert [(row.name, row.ready) for row in asking.list_collections()] == [("shop", True)]
    assert "bundled" in {row.name for row in asking.list_encoders()}
    collection = asking.get_collection("shop")
    assert collection.columns is not None
    assert {column.name for column in collection.columns} >= {"colour", "price"}
    facets = asking.get_facets("shop", ["colour"], filter={"price": {"exists": True}}, limit=1)
    assert (facets.count, facets.facets["colour"].distinct) == (1, 1)


def test_a_collection_is_made_filled_changed_and_removed(own: Service) -> None:
    with client_of(own) as asking:
        assert asking.put_collection("mugs").count == 0
        added = asking.put_item("mugs", "a/1", NEW, title="A mug", product_id="p", metadata={"price": 9.5})
        assert (added.status, added.item and added.item.title) == ("created", "A mug")
        assert added.item is not None
        with pytest.raises(PreconditionFailedError):
            asking.put_item("mugs", "a/1", NEW, only_new=True)
        assert asking.put_item("mugs", "a/2", NEW, only_new=True).status == "created"
        asking.delete_item("mugs", "a/2")
        changed = asking.patch_item("mugs", "a/1", metadata={"price": 8, "sale": True}, if_match=added.item)
        assert changed.item is not None
        assert changed.item.metadata == {"price": 8, "sale": True}
        with pytest.raises(PreconditionFailedError):
            asking.delete_item("mugs", "a/1", if_match=added.item)
        (hit,) = asking.search(NEW, collection="mugs", filter="sale = true").results
        assert (hit.key, round(hit.score or 0, 3)) == ("a/1", 1.0)
        assert asking.fold_collection("mugs").pending == 0
        assert asking.refresh_collection("mugs").snapshot == 2
        assert asking.delete_item("mugs", "a/1", if_match=changed.item).status == "removed"
        assert list(asking.iter_items("mugs")) == []
        with pytest.raises(InvalidRequestError, match="confirm"):
            asking.delete_collection("mugs", confirm="mug")
        assert asking.delete_collection("mugs", confirm="mugs").restorable
        with pytest.raises(NotFoundError):
            asking.get_collection("mugs")


def test_a_collection_is_configured_pinned_and_brought_back(own: Service) -> None:
    with client_of(own) as asking:
        collection = asking.put_collection("mugs", columns={"price": "number"}, keep=4)
        assert (collection.keep, collection.pinned) == (4, False)
        changed = asking.patch_collection("mugs", columns={"price": None, "size": "text"}, keep=5)
        assert changed.columns is not None
        assert [(column.name, column.declared) for column in changed.columns] == [("size", True)]
        assert changed.keep == 5
        asking.put_item("mugs", "a", NEW)
        asking.fold_collection("mugs")
        assert [(row.snapshot, row.is_current, row.count) for row in asking.list_snapshots("mugs").snapshots] == [
            (2, True, 1),
            (1, False, 0),
        ]
        assert asking.pin_collection("mugs", 1).pinned
        assert asking.get_collection("mugs").count == 0
        with pytest.raises(ConflictError, match="collection-pinned"):
            asking.put_item("mugs", "b", OTHER)
        with pytest.raises(NotFoundError, match="snapshot-unknown"):
            asking.pin_collection("mugs", 9)
        assert not asking.unpin_collection("mugs").pinned
        asking.delete_collection("mugs", confirm="mugs")
        assert asking.restore_collection("mugs").count == 1
        for call in (asking.get_calibration, asking.delete_calibration):
            with pytest.raises(NotFoundError, match="calibration-missing"):
                call("mugs")


def test_a_change_whose_answer_was_lost_is_made_once(own: Service) -> None:
    """The first answer gets lost on its way, and the change with it would be refused the second time."""

    class Lossy(PortalTransport):
        count = 0

        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            answer = super().handle_request(request)
            self.count += 1
            if self.count == 1:
                raise httpx2.ReadError("it was lost", request=request)
            return answer

    with client_of(own) as asking:
        item = asking.get_item("shop", "plain-0")
    for lost in (Lossy(own), Lossy(own)):
        with Client(ADDRESS, transport=lost) as asking:
            if lost.count == 0 and item.title is None:
                answer = asking.patch_item("shop", "plain-0", title="Once", if_match=item)
                assert answer.item is not None
                item = answer.item
            else:
                assert asking.delete_item("shop", "plain-0", if_match=item).status == "removed"
        assert lost.count == 2


def test_many_changes_are_made_whatever_their_number(own: Service) -> None:
    changes = [
        *(Put(key=f"n{number}", image=NEW if number % 2 else OTHER) for number in range(70)),
        Put(key="bad", image=b"no picture"),
        *(Patch(key="plain-0", metadata={"n": number}) for number in range(250)),
        Delete(key="plain-1"),
    ]
    with client_of(own) as asking:
        results = asking.change_items("shop", changes)
        assert [result.index for result in results] == list(range(len(changes)))
        statuses = [result.status or (result.problem and result.problem.code) for result in results]
        assert statuses == ["created"] * 70 + ["unsupported-format"] + ["replaced"] * 250 + ["removed"]
        assert asking.get_item("shop", "plain-0").metadata == {"n": 249}

    async def work(other: AsyncClient) -> list[str | None]:
        return [
            result.status for result in await other.change_items("shop", [Delete(key="n0"), Put(key="n1", image=OTHER)])
        ]

    assert run_async(own, work) == ["removed", "replaced"]


def test_a_page_of_another_snapshot_has_a_code_of_its_own(own: Service) -> None:
    with client_of(own) as asking:
        first = asking.get_similar_items("shop", "plain-0", k=1)
        assert first.next_cursor is not None
        asking.patch_item("shop", "plain-1", metadata={"n": 1})
        assert asking.get_similar_items("shop", "plain-0", k=1, cursor=first.next_cursor).results[0].rank == 2
        older = replace(SearchCursor.parse(first.next_cursor), generation=0)
        with pytest.raises(ConflictError) as outdated:
            asking.get_similar_items("shop", "plain-0", k=1, cursor=str(older))
        assert outdated.value.code == "cursor-outdated"
        with pytest.raises(InvalidRequestError) as malformed:
            asking.get_similar_items("shop", "plain-0", k=1, cursor="no cursor")
        assert malformed.value.code == "field-invalid"


def test_all_items_that_pass_are_changed_and_listed(own: Service) -> None:
    with client_of(own) as asking:
        assert asking.patch_items("shop", "key prefix plain", metadata={"n": 1}, dry_run=True).passing == 3
        assert asking.patch_items("shop", {"key": {"prefix": "plain"}}, metadata={"n": 1}).changed == 3
        listed = asking.list_items("shop", order_by="key", order="desc", filter="n = 1", limit=2, vectors=True)
        assert [item.key for item in listed.items] == ["plain-2", "plain-1"]
        assert listed.items[0].vector is not None
        assert asking.list_items("shop", keys=["plain-0", "nowhere"]).missing == ("nowhere",)
        assert [item.key for item in asking.iter_items("shop", filter="n = 1", limit=1)] == PLAIN_KEYS
        assert asking.delete_items("shop", "n = 1", at_most=3).changed == 3
        assert list(asking.iter_items("shop", filter="key prefix plain")) == []


def test_what_is_refused_is_an_exception_of_its_kind(asking: Client, service: Service) -> None:
    with pytest.raises(NotFoundError) as refused:
        asking.get_item("shop", "nowhere")
    assert (refused.value.code, refused.value.status) == ("item-not-found", 404)
    assert refused.value.request_id
    with pytest.raises(InvalidRequestError) as refused_form:
        asking.search(key="plain-0", k=0)
    assert [error.field for error in refused_form.value.errors] == ["k"]
    assert "at least 1" in str(refused_form.value)
    with pytest.raises(InvalidRequestError, match="filter-invalid"):
        asking.search(key="plain-0", filter="nothing = 1")
    with pytest.raises(ConflictError, match="encoder-not-installed"):
        asking.embed(NEW, encoder="resnet50")
    with pytest.raises(NotFoundError, match="duplicates-not-searched"):
        list(asking.iter_duplicates("shop"))

    async def work(other: AsyncClient) -> None:
        await other.get_item("shop", "nowhere")

    with pytest.raises(NotFoundError):
        run_async(service, work)


def test_a_decision_about_duplicates_is_remembered(own: Service) -> None:
    with client_of(own) as asking:
        decision = asking.decide_duplicates("shop", ["plain-0", "plain-1"], "not-duplicates")
        assert (decision.pairs, decision.changed) == (1, 1)
        difference = asking.get_duplicate_difference("shop", "plain-0", "plain-1")
        assert (difference.first, difference.second, difference.differs_at) == ("plain-0", "plain-1", ())


def test_keys_open_what_they_are_for(shop: Shop) -> None:
    keys = ApiKeys.parse(["read:reading-key-0123456789", "write:writing-key-0123456789"])
    with serving(shop.data, keys=keys) as service:
        with client_of(service) as asking, pytest.raises(UnauthorizedError):
            asking.list_collections()
        with client_of(service, "reading-key-0123456789") as asking:
            assert asking.search(key="plain-0", k=1).results
            with pytest.raises(ForbiddenError):
                asking.patch_item("shop", "plain-0", title="x")
        with client_of(service, "writing-key-0123456789") as asking:
            assert asking.refresh_collection("shop").snapshot == 1
