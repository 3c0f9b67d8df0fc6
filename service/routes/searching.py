"""``POST /search`` and ``POST /search/batch``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import APIRouter, Request, Response

from lookalike.errors import ImageError, ItemNotFoundError, SnapshotDamagedError
from service.answers import json_answer
from service.asking import STAGES, TIERS_WEIGHT, How, answer, answer_to_key, query_of_upload
from service.attending import attend
from service.bodies import Upload
from service.errors import ImageMissingError, RequestError
from service.forms import form_schema
from service.intake import taken_in
from service.problems import problem_of
from service.questions import BatchForm, SearchForm
from service.routing import PlainRoute
from service.schemas import BatchAnswer, BatchEntry, SearchAnswer
from service.snapshots import OpenSnapshot
from service.state import Services, Shared
from service.timing import Stopwatch

router = APIRouter(tags=["search"], route_class=PlainRoute)
T = TypeVar("T")
BATCH_WEIGHT = 4
"""A batch may be as large as so many single pictures, and takes as many permits."""
SIDE_BY_SIDE = 8


@router.post("/search", operation_id="search", response_model=SearchAnswer, openapi_extra=form_schema(SearchForm))
async def search(request: Request, services: Shared) -> Response:
    """The k indexed pictures most similar to a picture, or to an indexed one, best first."""
    async with taken_in(request, services, SearchForm, pictures=1, weight=_weight) as form:
        if (form.image is None) == (form.key is None):
            raise ImageMissingError("send exactly one of image (a file) and key (of an indexed picture)")
        found = await attend(request, _search(services, form), timeout=services.settings.request_timeout)
    services.metrics.stages(found.took_ms)
    return json_answer(found, snapshot=found.snapshot, took_ms=found.took_ms)


def _weight(form: SearchForm) -> int:
    return TIERS_WEIGHT if form.tiers else 1


async def _search(services: Services, form: SearchForm) -> SearchAnswer:
    watch = Stopwatch(*STAGES)
    how = How(form.k, form.min_score, form.threshold, form.tiers)

    async def once(held: OpenSnapshot) -> SearchAnswer:
        if form.image is None:
            return await answer_to_key(services, held, form.key or "", how, watch, form.box)
        query = await query_of_upload(services, held, form.image, watch, form.box, look=form.tiers)
        return await answer(services, held, query, how, watch)

    return await on_newest(services, form.collection, once)


async def on_newest(services: Services, collection: str | None, work: Callable[[OpenSnapshot], Awaitable[T]]) -> T:
    """What ``work`` makes of a collection's snapshot.

    An indexer that publishes faster than this service looks may have cleaned up the rows of the snapshot that
    serves; then the newest one is opened and the work done again.
    """
    async with services.snapshots.lease(collection) as held:
        try:
            return await work(held)
        except (SnapshotDamagedError, ItemNotFoundError):
            name, generation = held.name, held.generation
            await services.snapshots.look(name)
            newest = services.snapshots.serving(name)
            if newest is None or newest.generation == generation:
                raise
    async with services.snapshots.lease(name) as held:
        return await work(held)


@router.post(
    "/search/batch", operation_id="search_batch", response_model=BatchAnswer, openapi_extra=form_schema(BatchForm)
)
async def search_batch(request: Request, services: Shared) -> Response:
    """``/search`` for up to 64 pictures; one that is bad has a problem in its place, and the others their answers."""
    async with taken_in(request, services, BatchForm, pictures=BATCH_WEIGHT) as form:
        found = await attend(request, _search_batch(request, services, form), timeout=services.settings.request_timeout)
    return json_answer(found, snapshot=found.snapshot, took_ms=found.took_ms)


async def _search_batch(request: Request, services: Services, form: BatchForm) -> BatchAnswer:
    watch = Stopwatch()
    how = How(form.k, form.min_score, form.threshold)
    # Not all at once: a single search that comes meanwhile waits behind these at most.
    side_by_side = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(held: OpenSnapshot, index: int, upload: Upload) -> BatchEntry:
        try:
            async with side_by_side:
                own = Stopwatch(*STAGES)
                found = await answer(services, held, await query_of_upload(services, held, upload, own), how, own)
        except (ImageError, RequestError) as error:
            problem = problem_of(error, path=request.url.path, request_id=request.state.request_id)
            return BatchEntry(index=index, name=upload.name, answer=None, problem=problem)
        services.metrics.stages(found.took_ms)
        return BatchEntry(index=index, name=upload.name, answer=found, problem=None)

    async def all_of_them(held: OpenSnapshot) -> BatchAnswer:
        await held.encoder()
        results = await asyncio.gather(*(one(held, index, upload) for index, upload in enumerate(form.image)))
        return BatchAnswer(
            collection=held.name,
            snapshot=held.generation,
            encoder=held.collection.manifest.encoder.name,
            results=list(results),
            took_ms=watch.took_ms(),
        )

    return await on_newest(services, form.collection, all_of_them)
