"""Items of a collection: pages of them, one row, its picture, its thumbnail, and what is like it."""

from __future__ import annotations

import base64
import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from lookalike.catalogue.records import ItemRecord
from lookalike.catalogue.snapshot_filter import Check
from service.cancellation import search_with_check
from service.dependencies.auth import READERS
from service.dependencies.fast_route import FastRoute
from service.embedding import read_item_picture
from service.errors import FieldInvalidError
from service.http.disconnect import run_while_connected
from service.http.media_type import media_type
from service.http.path_params import Key, Name
from service.http.responses import PRIVATE, is_cached_by_client, item_urls, json_response, not_modified, tag_response
from service.http.strict_route import StrictRoute
from service.item_changes import item_tag
from service.open_snapshot import OpenSnapshot
from service.schemas.refinement_fields import FilterField
from service.schemas.requests import SimilarQuery
from service.schemas.responses import ItemAnswer, ItemsAnswer
from service.schemas.search_responses import SearchAnswer
from service.search import TIERS_WEIGHT, KeyQuery
from service.search_options import FilterText, SearchOptions
from service.search_requests import run_search
from service.services import ServicesDependency

router = APIRouter(prefix="/collections/{name}/items", tags=["items"], dependencies=READERS, route_class=StrictRoute)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/*": _BINARY}}}
_JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": _BINARY}}}


@router.get("", operation_id="list_items", response_model=ItemsAnswer)
async def list_items(
    request: Request,
    services: ServicesDependency,
    name: Name,
    limit: Annotated[int, Query(ge=1, le=500, description="Items a page.")] = 50,
    cursor: Annotated[str | None, Query(max_length=80, description="`next_cursor` of the page before.")] = None,
    filter: Annotated[FilterField, Query()] = None,
) -> Response:
    """A collection's items that pass a filter, in the order in which they came.

    A cursor belongs to one snapshot: pages never shift.
    """
    filter_text = FilterText.of(filter, request.query_params.multi_items())

    async def work() -> Response:
        async with services.snapshots.lease(name) as snapshot:
            after = 0 if cursor is None else _position(cursor, snapshot)
            searcher = snapshot.collection.searcher

            def read(check: Check) -> tuple[list[ItemRecord], int]:
                if filter_text is None:
                    return searcher.page(after, limit + 1), len(searcher)
                condition = filter_text.condition(searcher)
                count = searcher.count(condition, check)
                return searcher.page(after, limit + 1, condition), count

            page, count = await search_with_check(services, read)
            answer = ItemsAnswer(
                collection=snapshot.name,
                snapshot=snapshot.generation,
                count=count,
                items=[item_answer(snapshot.name, item) for item in page[:limit]],
                next_cursor=_cursor(snapshot.generation, page[limit - 1].id) if len(page) > limit else None,
            )
            return tag_response(request, json_response(answer, snapshot=snapshot.generation))

    return await run_while_connected(request, work(), timeout=services.settings.request_timeout)


@router.get("/{key:path}/image", operation_id="get_item_image", response_class=Response, responses=_PICTURE)
async def get_item_image(request: Request, services: ServicesDependency, name: Name, key: Key) -> Response:
    """The item's file, as it is in the source."""

    async def work() -> Response:
        async with services.snapshots.lease(name) as snapshot:
            item = await services.search_in_thread(snapshot.collection.item, key)
            headers = {"ETag": f'"{item.draft.content_digest}"', "Cache-Control": PRIVATE}
            if is_cached_by_client(request, headers["ETag"]):
                return not_modified(headers)
            data = (await read_item_picture(services, snapshot, item)).read()
        # The file may have changed since it was indexed, and then it is not what the digest says.
        headers["ETag"] = f'"{await services.search_in_thread(_digest, data)}"'
        return Response(data, 200, headers, media_type(data))

    with services.reading.permit():
        return await run_while_connected(request, work(), timeout=services.settings.request_timeout)


@router.get("/{key:path}/thumbnail", operation_id="get_item_thumbnail", response_class=Response, responses=_JPEG)
async def get_item_thumbnail(
    request: Request,
    services: ServicesDependency,
    name: Name,
    key: Key,
    size: Annotated[int, Query(ge=64, le=1024, description="Side in pixels of the square that it fits into.")] = 256,
) -> Response:
    """The item's picture, upright, as a small JPEG."""

    async def work() -> Response:
        async with services.snapshots.lease(name) as snapshot:
            item = await services.search_in_thread(snapshot.collection.item, key)
            digest = item.draft.content_digest
            headers = {"ETag": f'"{digest}-{size}"', "Cache-Control": PRIVATE}
            if is_cached_by_client(request, headers["ETag"]):
                return not_modified(headers)
            source = await snapshot.source()
            jpeg = await services.decoder_pool.thumbnail(
                source, item.draft.location, digest, size, snapshot.collection.limits
            )
        return Response(jpeg, 200, headers, "image/jpeg")

    with services.reading.permit():
        return await run_while_connected(request, work(), timeout=services.settings.request_timeout)


async def get_similar_items(
    request: Request,
    services: ServicesDependency,
    name: Name,
    key: Key,
    parameters: Annotated[SimilarQuery, Query()],
) -> Response:
    """The k items most similar to this one, itself left out; nothing is encoded."""
    with services.admission.permit(TIERS_WEIGHT if parameters.tiers else 1):
        options = SearchOptions.from_request(parameters, request.query_params.multi_items())
        return await run_search(request, services, name, KeyQuery(key), options)


router.add_api_route(
    "/{key:path}/similar",
    get_similar_items,
    operation_id="get_similar_items",
    response_model=SearchAnswer,
    route_class_override=FastRoute,
)


@router.get("/{key:path}", operation_id="get_item", response_model=ItemAnswer)
async def get_item(request: Request, services: ServicesDependency, name: Name, key: Key) -> Response:
    """An item's row."""
    async with services.snapshots.lease(name) as snapshot:
        item = await services.search_in_thread(snapshot.collection.item, key)
        headers = {"ETag": item_tag(item), "Cache-Control": PRIVATE}
        if is_cached_by_client(request, headers["ETag"]):
            return not_modified(headers)
        response = json_response(item_answer(snapshot.name, item), snapshot=snapshot.generation)
        response.headers.update(headers)
        return response


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def item_answer(collection: str, item: ItemRecord) -> ItemAnswer:
    """An item's row as JSON."""
    draft = item.draft
    image_url, thumbnail_url = item_urls(collection, draft.key)
    return ItemAnswer(
        key=draft.key,
        title=draft.title,
        product_id=draft.product_id,
        metadata=dict(draft.metadata),
        width=draft.width,
        height=draft.height,
        format=draft.format,
        byte_size=draft.byte_size,
        content_digest=draft.content_digest,
        image_url=image_url,
        thumbnail_url=thumbnail_url,
    )


def _cursor(generation: int, last: int) -> str:
    return base64.urlsafe_b64encode(f"{generation}.{last}".encode()).decode().rstrip("=")


def _position(cursor: str, snapshot: OpenSnapshot) -> int:
    """The id after which the page begins; raises FieldInvalidError for a cursor of nothing, or of another snapshot."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        generation, last = (int(word) for word in text.split("."))
    except ValueError as error:
        raise FieldInvalidError("the cursor is invalid: send next_cursor unchanged", subject="cursor") from error
    if generation != snapshot.generation or not 0 <= last < 1 << 62:
        raise FieldInvalidError(
            f"the cursor belongs to snapshot {generation}, but snapshot {snapshot.generation} is current: start again "
            "without a cursor",
            subject="cursor",
        )
    return last
