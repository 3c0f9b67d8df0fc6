"""Requests to search, from the permit to the response: cached responses, the newest snapshot, deadlines and batches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AsyncExitStack
from typing import TypeVar

from fastapi import Request, Response

from lookalike.collection.merged_search import RankBy
from lookalike.errors import ItemNotFoundError, SnapshotDamagedError
from service.cancellation import search_with_check
from service.errors import CollectionFailedError, RequestError, UploadError
from service.http.body import Upload
from service.http.disconnect import run_while_connected
from service.http.problems import problem_of
from service.http.responses import json_response, timed_response
from service.merged_search import CollectionsSearch, MergedResult
from service.open_snapshot import OpenSnapshot
from service.recommendation import Recommendation
from service.schemas.requests import BatchForm, SearchForm
from service.schemas.search_responses import BatchAnswer, BatchEntry, SearchAnswer
from service.search import STAGES, PictureQuery, Query, Search
from service.search_json import EncodedResult, encode_result, merged_answer, search_answer
from service.search_options import SearchOptions
from service.services import Services
from service.telemetry.timing import Stopwatch

T = TypeVar("T")
CONCURRENT_PICTURES = 8
"""How many pictures of a batch are searched with at once: a single search waits behind these at most."""


async def run_search(
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

    def begin(snapshot: OpenSnapshot) -> Search:
        return Search(services=services, snapshot=snapshot, query=query, options=options, stopwatch=stopwatch)

    return await _run_cached(request, services, collection, query.cache_key(options), begin, stopwatch)


async def run_recommendation(
    request: Request, services: Services, collection: str | None, uploads: Sequence[Upload], options: SearchOptions
) -> Response:
    """The response to one recommendation; the caller holds its permits. Cached without pictures and stacks."""
    stopwatch = Stopwatch(*STAGES)

    def begin(snapshot: OpenSnapshot) -> Recommendation:
        return Recommendation(
            services=services, snapshot=snapshot, uploads=uploads, options=options, stopwatch=stopwatch
        )

    cache_key = None if uploads or options.has_stacks else options
    return await _run_cached(request, services, collection, cache_key, begin, stopwatch)


async def _run_cached(
    request: Request,
    services: Services,
    collection: str | None,
    cache_key: Hashable | None,
    begin: Callable[[OpenSnapshot], Search | Recommendation],
    stopwatch: Stopwatch,
) -> Response:
    result = None if cache_key is None else _find_cached(services.snapshots.current(collection), cache_key)

    async def search_snapshot(snapshot: OpenSnapshot) -> EncodedResult:
        search = begin(snapshot)
        encoded_result = encode_result(await search.run())
        if cache_key is not None and search.collection is snapshot.collection:
            snapshot.response_cache.keep((cache_key, search.collection.change), encoded_result.body)
        return encoded_result

    if result is None:
        work = with_newest_snapshot(services, collection, search_snapshot)
        result = await run_while_connected(request, work, timeout=services.settings.request_timeout)
    took_ms = stopwatch.took_ms()
    services.metrics.observe_stages(took_ms)
    return timed_response(result.body, snapshot=result.snapshot, took_ms=took_ms)


async def run_merged_search(
    request: Request, services: Services, form: SearchForm, query: Query, options: SearchOptions
) -> Response:
    """The response to one search in several collections; the caller holds its permits.

    If one of them cannot be searched, the request fails with what is wrong with it: what looks like the best of all
    collections is that.
    """
    stopwatch = Stopwatch(*STAGES)

    async def search_snapshots(snapshots: Sequence[OpenSnapshot]) -> MergedResult:
        home = next((snapshot for snapshot in snapshots if snapshot.name == form.collection), None)
        search = CollectionsSearch(
            services=services,
            snapshots=snapshots,
            home=home,
            query=query,
            options=options,
            rank_by=form.rank_by or RankBy.CONFIDENCE,
            stopwatch=stopwatch,
        )
        return await search.run()

    work = with_newest_snapshots(services, form.collections, search_snapshots)
    result = await run_while_connected(request, work, timeout=services.settings.request_timeout)
    took_ms = stopwatch.took_ms()
    services.metrics.observe_stages(took_ms)
    return json_response(merged_answer(result, took_ms), took_ms=took_ms)


async def run_batch(request: Request, services: Services, form: BatchForm) -> Response:
    """The response to searches with many pictures; the caller holds its permits."""
    stopwatch = Stopwatch()

    async def search_snapshot(snapshot: OpenSnapshot) -> BatchAnswer:
        return await _search_batch(request, services, snapshot, form, stopwatch)

    work = with_newest_snapshot(services, form.collection, search_snapshot)
    answer = await run_while_connected(request, work, timeout=services.settings.request_timeout)
    return json_response(answer, snapshot=answer.snapshot, took_ms=answer.took_ms)


def _find_cached(snapshot: OpenSnapshot | None, cache_key: Hashable) -> EncodedResult | None:
    body = None if snapshot is None else snapshot.response_cache.get((cache_key, snapshot.collection.change))
    return None if snapshot is None or body is None else EncodedResult(body, snapshot.generation)


async def with_newest_snapshot(
    services: Services, collection: str | None, work: Callable[[OpenSnapshot], Awaitable[T]]
) -> T:
    """As ``with_newest_snapshots``, for one collection; None is the only one that there is."""

    async def work_on_first(snapshots: Sequence[OpenSnapshot]) -> T:
        return await work(snapshots[0])

    return await with_newest_snapshots(services, [collection], work_on_first)


async def with_newest_snapshots(
    services: Services, collections: Sequence[str | None], work: Callable[[Sequence[OpenSnapshot]], Awaitable[T]]
) -> T:
    """The result of ``work`` on the current snapshots of collections, in their order.

    An indexer that publishes more often than this service polls may have removed the rows of a current snapshot; then
    the newest ones are opened and the work done again.
    """
    generations: dict[str, int] = {}

    async def try_once() -> T:
        async with AsyncExitStack() as leases:
            snapshots = [
                await leases.enter_async_context(services.snapshots.lease(collection)) for collection in collections
            ]
            generations.update({snapshot.name: snapshot.generation for snapshot in snapshots})
            return await work(snapshots)

    try:
        return await try_once()
    except (CollectionFailedError, SnapshotDamagedError, ItemNotFoundError) as error:
        if isinstance(error, CollectionFailedError) and not isinstance(error.error, SnapshotDamagedError):
            raise
        for name in generations:
            await services.snapshots.poll(name)
        current = {name: services.snapshots.current(name) for name in generations}
        if all(snapshot is None or snapshot.generation == generations[name] for name, snapshot in current.items()):
            raise
    return await try_once()


async def _search_batch(
    request: Request, services: Services, snapshot: OpenSnapshot, form: BatchForm, stopwatch: Stopwatch
) -> BatchAnswer:
    await snapshot.encoder()
    options = SearchOptions.from_request(form, request.query_params.multi_items())
    await _prepare_filter(services, snapshot, options)
    semaphore = asyncio.Semaphore(CONCURRENT_PICTURES)

    async def search_picture(index: int, upload: Upload) -> BatchEntry:
        try:
            async with semaphore:
                answer = await _search_picture(services, snapshot, upload, options)
        except (UploadError, RequestError) as error:
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


async def _prepare_filter(services: Services, snapshot: OpenSnapshot, options: SearchOptions) -> None:
    """Ask the catalogue once for what the pictures have in common; raises FilterInvalidError for all of them."""
    filter_text, searcher = options.filter, snapshot.collection.searcher
    if filter_text is not None:
        await search_with_check(services, lambda check: searcher.count(filter_text.condition(searcher), check))


async def _search_picture(
    services: Services, snapshot: OpenSnapshot, upload: Upload, options: SearchOptions
) -> SearchAnswer:
    stopwatch = Stopwatch(*STAGES)
    query = PictureQuery(upload)
    result = await Search(services=services, snapshot=snapshot, query=query, options=options, stopwatch=stopwatch).run()
    took_ms = stopwatch.took_ms()
    services.metrics.observe_stages(took_ms)
    return search_answer(result, took_ms)
