"""``POST /search`` and ``POST /search/batch``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import APIRouter, Request, Response

from lookalike.errors import ImageError, ItemNotFoundError, SnapshotDamagedError
from service.dependencies.admit import taken_in
from service.dependencies.fast_route import PlainRoute
from service.errors import ImageMissingError, RequestError
from service.http.body import Upload
from service.http.disconnect import attend
from service.http.forms import Box, form_schema
from service.http.problems import problem_of
from service.http.responses import as_json, timed, timed_answer
from service.open_snapshot import OpenSnapshot
from service.schemas.requests import BatchForm, SearchForm
from service.schemas.responses import BatchAnswer, SearchAnswer
from service.search import STAGES, TIERS_WEIGHT, Answer, How, answer, answer_to_key, query_of_upload
from service.services import Services, Shared
from service.telemetry.timing import Stopwatch

router = APIRouter(tags=["search"], route_class=PlainRoute)
T = TypeVar("T")
BATCH_WEIGHT = 4
"""A batch may be as large as so many single pictures, and takes as many permits."""
SIDE_BY_SIDE = 8
_BATCH = b'{"collection":%b,"snapshot":%d,"encoder":%b,"results":[%b]'
_ENTRY = b'{"index":%d,"name":%b,"answer":%b,"problem":%b}'


@router.post("/search", operation_id="search", response_model=SearchAnswer, openapi_extra=form_schema(SearchForm))
async def search(request: Request, services: Shared) -> Response:
    """The k indexed pictures most similar to a picture, or to an indexed one, best first."""
    async with taken_in(request, services, SearchForm, pictures=1, weight=_weight) as form:
        if (form.image is None) == (form.key is None):
            raise ImageMissingError("send exactly one of image (a file) and key (of an indexed picture)")
        if form.image is None:
            how = How(form.k, form.min_score, form.threshold, form.tiers)
            return await search_by_key(request, services, form.collection, form.key or "", how, form.box)
        watch = Stopwatch(*STAGES)
        work = _search(services, form, form.image, watch)
        found = await attend(request, work, timeout=services.settings.request_timeout)
    return _answered(services, found, watch)


async def search_by_key(
    request: Request, services: Services, collection: str | None, key: str, how: How, box: Box | None = None
) -> Response:
    """The answer to a search with an indexed picture; the caller holds the permits.

    What the snapshot that serves has answered before it answers again as it did. Copies are looked for each time: that
    is about files, which may change; and a part of a picture is encoded each time.
    """
    watch = Stopwatch(*STAGES)
    asked = (key, how)
    keeps = box is None and not how.tiers
    kept = services.snapshots.kept_answer(collection, asked) if keeps else None
    ready = None if kept is None else Answer(*kept)
    if ready is None:

        async def work(held: OpenSnapshot) -> Answer:
            found = await answer_to_key(services, held, key, how, watch, box)
            if keeps:
                held.answers.keep(asked, found.untimed)
            return found

        found = on_newest(services, collection, work)
        ready = await attend(request, found, timeout=services.settings.request_timeout)
    return _answered(services, ready, watch)


def _answered(services: Services, found: Answer, watch: Stopwatch) -> Response:
    took_ms = watch.took_ms()
    services.metrics.stages(took_ms)
    return timed_answer(found.untimed, snapshot=found.snapshot, took_ms=took_ms)


def _weight(form: SearchForm) -> int:
    return TIERS_WEIGHT if form.tiers else 1


async def _search(services: Services, form: SearchForm, image: Upload, watch: Stopwatch) -> Answer:
    how = How(form.k, form.min_score, form.threshold, form.tiers)

    async def once(held: OpenSnapshot) -> Answer:
        query = await query_of_upload(services, held, image, watch, form.box, look=form.tiers)
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
        watch = Stopwatch()
        work = _search_batch(request, services, form)
        found = await attend(request, work, timeout=services.settings.request_timeout)
    return timed_answer(found.untimed, snapshot=found.snapshot, took_ms=watch.took_ms())


async def _search_batch(request: Request, services: Services, form: BatchForm) -> Answer:
    how = How(form.k, form.min_score, form.threshold)
    # Not all at once: a single search that comes meanwhile waits behind these at most.
    side_by_side = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(held: OpenSnapshot, index: int, upload: Upload) -> bytes:
        name = as_json(upload.name)
        try:
            async with side_by_side:
                own = Stopwatch(*STAGES)
                found = await answer(services, held, await query_of_upload(services, held, upload, own), how, own)
        except (ImageError, RequestError) as error:
            problem = problem_of(error, path=request.url.path, request_id=request.state.request_id)
            return _ENTRY % (index, name, b"null", problem.model_dump_json().encode())
        took_ms = own.took_ms()
        services.metrics.stages(took_ms)
        return _ENTRY % (index, name, timed(found.untimed, took_ms), b"null")

    async def all_of_them(held: OpenSnapshot) -> Answer:
        await held.encoder()
        entries = await asyncio.gather(*(one(held, index, upload) for index, upload in enumerate(form.image)))
        encoder = as_json(held.collection.manifest.encoder.name)
        return Answer(_BATCH % (as_json(held.name), held.generation, encoder, b",".join(entries)), held.generation)

    return await on_newest(services, form.collection, all_of_them)
