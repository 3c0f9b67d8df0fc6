"""Collections: what there is, and what each serves."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Depends, Request, Response

from lookalike.catalogue.records import CollectionSettings
from lookalike.catalogue.snapshot_filter import ColumnSummary
from service.cancellation import search_with_check
from service.dependencies.auth import READERS, require
from service.http.body import refuse_body
from service.http.disconnect import run_while_connected
from service.http.path_params import Name
from service.http.problems import problem_of
from service.http.responses import json_response, tag_response
from service.http.strict_route import StrictRoute
from service.open_snapshot import OpenSnapshot
from service.schemas.responses import (
    CalibrationAnswer,
    CollectionAnswer,
    CollectionProblem,
    CollectionRow,
    CollectionsAnswer,
    ColumnAnswer,
    EncoderAnswer,
    SourceAnswer,
)
from service.schemas.search_responses import ThresholdAnswer
from service.services import Services, ServicesDependency
from service.settings import Scope

router = APIRouter(prefix="/collections", tags=["collections"], dependencies=READERS, route_class=StrictRoute)


@router.get("", operation_id="list_collections", response_model=CollectionsAnswer)
async def list_collections(request: Request, services: ServicesDependency) -> Response:
    """All collections, those that cannot serve at present too. 503 while the service is starting."""
    services.check_started()
    rows = [_row(services, name, request.url.path) for name in services.snapshots.names()]
    return tag_response(request, json_response(CollectionsAnswer(collections=rows)))


@router.get("/{name}", operation_id="get_collection", response_model=CollectionAnswer)
async def get_collection(request: Request, services: ServicesDependency, name: Name) -> Response:
    """A collection: its snapshot, encoder, index, columns, measured recall and threshold."""

    async def work() -> Response:
        async with services.snapshots.lease(name) as snapshot:
            answer = await describe_collection(services, snapshot, with_columns=True)
            return tag_response(request, json_response(answer, snapshot=snapshot.generation))

    return await run_while_connected(request, work(), timeout=services.settings.request_timeout)


@router.post(
    "/{name}/refresh",
    operation_id="refresh_collection",
    response_model=CollectionAnswer,
    dependencies=[Depends(require(Scope.WRITE)), Depends(refuse_body)],
)
async def refresh_collection(services: ServicesDependency, name: Name) -> Response:
    """Serve the newest snapshot at once instead of at the next poll; takes no body, and needs a key of scope write."""
    with services.admission.permit():
        await services.snapshots.refresh(name)
    async with services.snapshots.lease(name) as snapshot:
        return json_response(await describe_collection(services, snapshot), snapshot=snapshot.generation)


def _row(services: Services, name: str, path: str) -> CollectionRow:
    current, error = services.snapshots.current(name), services.snapshots.problem(name)
    problem = None
    if error is not None:
        details = problem_of(error, path=path, request_id="")
        problem = CollectionProblem(code=details.code, detail=details.detail)
    if current is None:
        return CollectionRow(
            name=name,
            ready=False,
            count=None,
            snapshot=None,
            encoder=None,
            created_at=None,
            problem=problem,
            searchable_by_picture=False,
            picture_problem=None,
        )
    manifest, picture_problem = current.collection.manifest, current.picture_problem
    return CollectionRow(
        name=name,
        ready=True,
        count=len(current.collection),
        snapshot=manifest.generation,
        encoder=manifest.encoder.name,
        created_at=manifest.created_at,
        problem=problem,
        searchable_by_picture=picture_problem is None,
        picture_problem=picture_problem,
    )


def _column(column: ColumnSummary) -> ColumnAnswer:
    return ColumnAnswer(
        name=column.name, types=sorted(map(str, column.types)), declared=column.is_declared, count=column.count
    )


async def describe_collection(
    services: Services, snapshot: OpenSnapshot, *, with_columns: bool = False
) -> CollectionAnswer:
    """A collection as JSON; ``with_columns`` counts the values of its columns. Raises the errors of the catalogue."""
    columns = None
    if with_columns:
        columns = [_column(column) for column in await search_with_check(services, snapshot.searcher.columns)]
    record = await services.search_in_thread(snapshot.searcher.catalogue.collection, snapshot.name)
    is_pinned = await services.search_in_thread(snapshot.collection.layout.is_pinned)
    return _collection_answer(snapshot, columns, record.settings, is_pinned=is_pinned)


def _collection_answer(
    snapshot: OpenSnapshot, columns: list[ColumnAnswer] | None, settings: CollectionSettings, *, is_pinned: bool
) -> CollectionAnswer:
    manifest, origin = snapshot.collection.manifest, snapshot.collection.origin
    spec, picture_problem = manifest.encoder, snapshot.picture_problem
    return CollectionAnswer(
        name=manifest.collection,
        count=len(snapshot.collection),
        snapshot=manifest.generation,
        change=snapshot.collection.change,
        pending=snapshot.searcher.overlay.pending_count,
        created_at=manifest.created_at,
        made_by=manifest.made_by,
        encoder=EncoderAnswer(
            name=spec.name,
            backbone=spec.backbone,
            fusion=spec.fusion,
            dimension=spec.dimension,
            input_size=spec.input_size,
            digest=spec.digest,
        ),
        engine=manifest.engine,
        plan=manifest.plan,
        recall=None if manifest.recall is None else asdict(manifest.recall),
        columns=columns,
        threshold=ThresholdAnswer.of(snapshot.collection.threshold()),
        calibration=None if snapshot.calibration is None else CalibrationAnswer.of(snapshot.calibration),
        keep=settings.keep,
        auto_tags=settings.auto_tags,
        pinned=is_pinned,
        bytes=sum(stamp.bytes for stamp in manifest.files.values()),
        source=SourceAnswer(kind=origin.kind, location=origin.location),
        searchable_by_picture=picture_problem is None,
        picture_problem=picture_problem,
    )
