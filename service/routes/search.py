"""``POST /search`` and ``POST /search/batch``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar

from fastapi import APIRouter, Request, Response

from lookalike.errors import ImageError, ItemNotFoundError, SnapshotDamagedError
from service.box import WHOLE_PICTURE
from service.dependencies.admit import admit_form
from service.dependencies.fast_route import FastRoute
from service.errors import ImageMissingError, RequestError
from service.http.body import Upload
from service.http.disconnect import run_while_connected
from service.http.forms import form_schema
from service.http.problems import problem_of
from service.http.responses import json_answer, timed_answer
from service.open_snapshot import OpenSnapshot
from service.schemas.requests import BatchForm, SearchForm
from service.schemas.search_responses import BatchAnswer, BatchEntry, SearchAnswer
from service.search import STAGES, TIERS_WEIGHT, ItemPartQuery, KeyQuery, PictureQuery, Query, Search, SearchOptions
from service.search_json import EncodedResult, encode_result, search_answer
from service.services import Services, ServicesDependency
from service.telemetry.timing import Stopwatch

router = APIRouter(tags=["search"], route_class=FastRoute)
T = TypeVar("T")
BATCH_WEIGHT = 4
"""A batch may be as large as so many single pictures, and takes as many permits."""
CONCURRENT_PICTURES = 8
"""How many pictures of a batch are searched with at once: a single search waits behind these at most."""


@router.post("/search", operation_id="search", response_model=SearchAnswer, openapi_extra=form_schema(SearchForm))
async def search(request: Request, services: ServicesDependency) -> Response:
    """The k indexed pictures most similar to a picture, or to an indexed one, best first."""
    async with admit_form(request, services, SearchForm, pictures=1, weight=_permits) as form:
        options = SearchOptions.from_request(form)
        return await answer_search(request, services, form.collection, _query_of(form), options)


def _query_of(form: SearchForm) -> Query:
    if form.image is not None and form.key is None:
        return PictureQuery(form.image, form.box or WHOLE_PICTURE)
    if form.key is not None and form.image is None:
        return KeyQuery(form.key) if form.box is None else ItemPartQuery(form.key, form.box)
    raise ImageMissingError("send exactly one of image (a file) and key (of an indexed picture)")


def _permits(form: SearchForm) -> int:
    return TIERS_WEIGHT if form.tiers else 1


async def answer_search(
    request: Request,
    services: Services,
    collection: str | None,
    query: Query,
    options: SearchOptions,
) -> Response:
    """The response to one search; the caller holds its permits.

    A search that the current snapshot has answered before gets the same response from that snapshot's cache, unless
    ``Query.cache_key`` is None.
    """
    stopwatch = Stopwatch(*STAGES)
    cache_key = query.cache_key(options)
    result = None if cache_key is None else _find_cached(services.snapshots.current(collection), cache_key)

    async def search_snapshot(snapshot: OpenSnapshot) -> EncodedResult:
        one_search = Search(services=services, snapshot=snapshot, query=query, options=options, stopwatch=stopwatch)
        encoded_result = encode_result(await one_search.run())
        if cache_key is not None:
            snapshot.response_cache.keep(cache_key, encoded_result.body)
        return encoded_result

    if result is None:
        work = with_newest_snapshot(services, collection, search_snapshot)
        result = await run_while_connected(request, work, timeout=services.settings.request_timeout)
    took_ms = stopwatch.took_ms()
    services.metrics.observe_stages(took_ms)
    return timed_answer(result.body, snapshot=result.snapshot, took_ms=took_ms)


def _find_cached(snapshot: OpenSnapshot | None, cache_key: Hashable) -> EncodedResult | None:
    body = None if snapshot is None else snapshot.response_cache.get(cache_key)
    return None if snapshot is None or body is None else EncodedResult(body, snapshot.generation)


async def with_newest_snapshot(
    services: Services, collection: str | None, work: Callable[[OpenSnapshot], Awaitable[T]]
) -> T:
    """The result of ``work`` on a collection's current snapshot.

    An indexer that publishes more often than this service polls may have removed the rows of the current snapshot;
    then the newest one is opened and the work done again.
    """
    async with services.snapshots.lease(collection) as snapshot:
        try:
            return await work(snapshot)
        except (SnapshotDamagedError, ItemNotFoundError):
            name, generation = snapshot.name, snapshot.generation
            await services.snapshots.poll(name)
            newest = services.snapshots.current(name)
            if newest is None or newest.generation == generation:
                raise
    async with services.snapshots.lease(name) as snapshot:
        return await work(snapshot)


@router.post(
    "/search/batch", operation_id="search_batch", response_model=BatchAnswer, openapi_extra=form_schema(BatchForm)
)
async def search_batch(request: Request, services: ServicesDependency) -> Response:
    """``/search`` for up to 64 pictures; one that is bad has a problem in its place, and the others their answers."""
    async with admit_form(request, services, BatchForm, pictures=BATCH_WEIGHT) as form:
        stopwatch = Stopwatch()

        async def search_snapshot(snapshot: OpenSnapshot) -> BatchAnswer:
            return await _search_batch(request, services, snapshot, form, stopwatch)

        work = with_newest_snapshot(services, form.collection, search_snapshot)
        answer = await run_while_connected(request, work, timeout=services.settings.request_timeout)
    return json_answer(answer, snapshot=answer.snapshot, took_ms=answer.took_ms)


async def _search_batch(
    request: Request, services: Services, snapshot: OpenSnapshot, form: BatchForm, stopwatch: Stopwatch
) -> BatchAnswer:
    await snapshot.encoder()
    options = SearchOptions.from_request(form)
    semaphore = asyncio.Semaphore(CONCURRENT_PICTURES)

    async def search_picture(index: int, upload: Upload) -> BatchEntry:
        try:
            async with semaphore:
                answer = await _search_picture(services, snapshot, upload, options)
        except (ImageError, RequestError) as error:
            problem = problem_of(error, path=request.url.path, request_id=request.state.request_id)
            return BatchEntry(index=index, name=upload.name, answer=None, problem=problem)
        return BatchEntry(index=index, name=upload.name, answer=answer, problem=None)

    entries = await asyncio.gather(*(search_picture(index, upload) for index, upload in enumerate(form.image)))
    return BatchAnswer(
        collection=snapshot.name,
        snapshot=snapshot.generation,
        encoder=snapshot.collection.manifest.encoder.name,
        results=entries,
        took_ms=stopwatch.took_ms(),
    )


async def _search_picture(
    services: Services, snapshot: OpenSnapshot, upload: Upload, options: SearchOptions
) -> SearchAnswer:
    stopwatch = Stopwatch(*STAGES)
    one_search = Search(
        services=services, snapshot=snapshot, query=PictureQuery(upload), options=options, stopwatch=stopwatch
    )
    result = await one_search.run()
    took_ms = stopwatch.took_ms()
    services.metrics.observe_stages(took_ms)
    return search_answer(result, took_ms)
