"""The snapshots of a collection: listed, and one of them pinned until the pin is taken away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from fastapi import APIRouter, Depends, Request, Response

from lookalike.catalogue.repository import Catalogue
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.pins import list_snapshots, roll_back, take_pin_away
from lookalike.errors import LookalikeError, SnapshotNotFoundError
from lookalike.wiring import INDEX_TYPES, open_catalogue
from service.dependencies.admit import admit_form
from service.dependencies.auth import READERS, require
from service.errors import SnapshotUnknownError
from service.http.accepted import await_or_accept
from service.http.body import refuse_body
from service.http.forms import form_schema
from service.http.path_params import Name
from service.http.responses import json_response, tag_response
from service.http.strict_route import StrictRoute
from service.schemas.change_requests import PinForm
from service.schemas.snapshot_responses import SnapshotRow, SnapshotsAnswer
from service.services import Services, ServicesDependency
from service.settings import Scope

_LOG = logging.getLogger(__name__)
router = APIRouter(prefix="/collections/{name}", dependencies=READERS, route_class=StrictRoute)
WRITERS = [Depends(require(Scope.WRITE))]


@router.get("/snapshots", operation_id="list_snapshots", response_model=SnapshotsAnswer, tags=["collections"])
async def get_snapshots(request: Request, services: ServicesDependency, name: Name) -> Response:
    """The snapshots on the disk, newest first, also of a collection that cannot be served at present."""
    return tag_response(request, await _snapshots_response(services, await services.snapshots.layout(name)))


@router.put(
    "/pin",
    operation_id="pin_collection",
    response_model=SnapshotsAnswer,
    responses={202: {"model": SnapshotsAnswer}},
    tags=["changes"],
    dependencies=WRITERS,
    openapi_extra=form_schema(PinForm),
)
async def pin_collection(request: Request, services: ServicesDependency, name: Name) -> Response:
    """Go back to a snapshot and stay there, whatever is published, until the pin is taken away; needs scope write.

    The snapshot's files are checked first: 202 if that takes longer than 20 seconds. While a collection is pinned it
    takes no changes; those made before are not lost.
    """
    async with admit_form(request, services, PinForm, pictures=0, weight=lambda _: 1) as form:

        def pin(layout: CollectionLayout, catalogue: Catalogue) -> None:
            roll_back(layout, catalogue, INDEX_TYPES, form.snapshot, pins_newest=True)

        return await _change_pin(services, name, pin)


@router.delete(
    "/pin",
    operation_id="unpin_collection",
    response_model=SnapshotsAnswer,
    responses={202: {"model": SnapshotsAnswer}},
    tags=["changes"],
    dependencies=[*WRITERS, Depends(refuse_body)],
)
async def unpin_collection(services: ServicesDependency, name: Name) -> Response:
    """Take the pin away: the newest snapshot is served again, with all changes; needs a key of scope write."""
    with services.admission.permit():
        return await _change_pin(services, name, take_pin_away)


async def _change_pin(
    services: Services, name: str, change: Callable[[CollectionLayout, Catalogue], object]
) -> Response:
    layout = await services.snapshots.layout(name)

    async def work() -> None:
        try:
            # Not in a search thread: all files of a snapshot are read.
            await asyncio.to_thread(_with_catalogue, services, layout, change)
            await services.snapshots.refresh(name)
        except LookalikeError as error:
            _LOG.warning("pin not changed", extra={"collection": name, "code": error.code, "why": error.message})
            raise

    try:
        run = services.snapshots.run_to_end(work())
        status = await await_or_accept(run, timeout=services.settings.request_timeout)
    except SnapshotNotFoundError as error:
        raise SnapshotUnknownError(error.message, subject="snapshot") from error
    response = await _snapshots_response(services, layout)
    response.status_code = status
    return response


def _with_catalogue(
    services: Services, layout: CollectionLayout, change: Callable[[CollectionLayout, Catalogue], object]
) -> None:
    catalogue = open_catalogue(services.settings.places, collection=layout.name)
    try:
        change(layout, catalogue)
    finally:
        catalogue.close()


async def _snapshots_response(services: Services, layout: CollectionLayout) -> Response:
    def read() -> SnapshotsAnswer:
        rows = [SnapshotRow.of(summary) for summary in list_snapshots(layout)]
        return SnapshotsAnswer(collection=layout.name, pinned=layout.is_pinned(), snapshots=rows)

    answer = await services.search_in_thread(read)
    current = next((row.snapshot for row in answer.snapshots if row.is_current), None)
    return json_response(answer, snapshot=current)
