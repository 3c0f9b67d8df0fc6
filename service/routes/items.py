"""Items of a collection: pages of them, one row, its picture, its thumbnail, and what is like it."""

from __future__ import annotations

import hashlib
from itertools import repeat
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from lookalike.catalogue.records import ItemRecord
from service.cancellation import search_with_check
from service.dependencies.auth import READERS
from service.dependencies.fast_route import FastRoute
from service.embedding import read_item_picture
from service.http.disconnect import run_while_connected
from service.http.media_type import media_type
from service.http.path_params import Key, Name
from service.http.responses import PRIVATE, is_cached_by_client, item_urls, json_response, not_modified, tag_response
from service.http.strict_route import StrictRoute
from service.item_changes import item_tag
from service.item_listing import Listing
from service.schemas.requests import ItemsQuery, SimilarQuery
from service.schemas.responses import ItemAnswer, ItemsAnswer, ListedItemAnswer
from service.schemas.search_responses import SearchAnswer
from service.search import TIERS_WEIGHT, KeyQuery
from service.search_options import SearchOptions
from service.search_requests import run_search
from service.services import ServicesDependency

router = APIRouter(prefix="/collections/{name}/items", tags=["items"], dependencies=READERS, route_class=StrictRoute)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/*": _BINARY}}}
_JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": _BINARY}}}


async def list_items(
    request: Request, services: ServicesDependency, name: Name, parameters: Annotated[ItemsQuery, Query()]
) -> Response:
    """A collection's items that pass a filter, in the order in which they came or of a field; or those of some keys.

    A cursor belongs to one snapshot. Pages in the order in which items came list each item that was there at the first
    page, and still is, once, as it is now; with order_by, an item whose field was changed may be listed again.
    """
    listing = Listing.of(parameters, request.query_params.multi_items())

    async def work() -> Response:
        async with services.snapshots.lease(name) as snapshot:
            if listing.change > snapshot.searcher.overlay.change:
                # Another process sent the page before, and has changes that this one has not read yet.
                await services.snapshots.take_changes(snapshot.name)
            page = await search_with_check(services, listing.reader(snapshot))
            answer = ItemsAnswer(
                collection=snapshot.name,
                snapshot=snapshot.generation,
                count=page.count,
                items=[
                    ListedItemAnswer(
                        **item_answer(snapshot.name, item).model_dump(),
                        vector=vector,
                        group=None if group is None else group.value,
                        group_count=None if group is None else group.count,
                    )
                    for item, vector, group in zip(
                        page.items, page.vectors or repeat(None), page.groups or repeat(None), strict=False
                    )
                ],
                passing=page.passing,
                next_cursor=page.next_cursor,
                missing=page.missing,
            )
            return tag_response(request, json_response(answer, snapshot=snapshot.generation))

    return await run_while_connected(request, work(), timeout=services.settings.request_timeout)


router.add_api_route(
    "", list_items, operation_id="list_items", response_model=ItemsAnswer, route_class_override=FastRoute
)


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
        metadata=dict(draft.all_metadata),
        width=draft.width,
        height=draft.height,
        format=draft.format,
        byte_size=draft.byte_size,
        content_digest=draft.content_digest,
        image_url=image_url,
        thumbnail_url=thumbnail_url,
    )
