"""For operators of the service: health, readiness, version, metrics and encoders."""

from __future__ import annotations

import asyncio
import platform
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from service.access import current_access
from service.dependencies.auth import require
from service.http.disconnect import run_while_connected
from service.http.responses import json_response, tag_response
from service.http.strict_route import StrictRoute
from service.schemas.responses import EncodersAnswer, HealthAnswer, OperatorAnswer, ReadyAnswer, VersionAnswer
from service.services import ServicesDependency, find_operator_status
from service.settings import Scope

router = APIRouter(tags=["operations"], route_class=StrictRoute)
READY_WITHIN = 10.0
_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("/health", operation_id="health", response_model=HealthAnswer)
async def health(services: ServicesDependency) -> Response:
    """Whether the process runs: always 200. ``problems`` lists what is wrong with it, if anything.

    No database is queried: one that cannot be reached shows in the next request that needs it, and here once a
    snapshot could not be opened. Where there are API keys, collections are named only to requests with one for them.
    """
    access = current_access.get()
    states = services.snapshots.states()
    problems = services.problems()
    for state in states:
        if state.problem is not None:
            problems.append(f"{state.name if access.covers(state.name) else 'a collection'}: {state.problem.code}")
    current = {state.name: state.current for state in states}
    key_only = {
        name: why for name, snapshot in current.items() if snapshot is not None and (why := snapshot.picture_problem)
    }
    for name, why in key_only.items():
        problems.append(f"{name if access.covers(name) else 'a collection'}: {why.code}, so it is searched by key only")
    encoder, status = services.encoder, find_operator_status()
    operator = None
    if encoder is not None and status is not None:
        operator = OperatorAnswer(available=status.available, detail=status.text)
        if not status.available:
            problems.append("the compiled operator is missing; its slower Python implementation is used")
    answer = HealthAnswer(
        status="degraded" if problems else "ok",
        operator=operator,
        runtime=None if encoder is None else encoder.runtime,
        collections={
            name: None if snapshot is None else snapshot.generation
            for name, snapshot in current.items()
            if access.covers(name)
        },
        searchable_by_key_only={name: why for name, why in key_only.items() if access.covers(name)},
        in_flight=services.admission.in_flight,
        capacity=services.admission.capacity,
        uploading=services.uploads.in_flight,
        problems=problems,
    )
    return json_response(answer)


@router.get("/ready", operation_id="ready", response_model=ReadyAnswer)
async def ready(request: Request, services: ServicesDependency) -> Response:
    """Whether the service is ready: it encodes a small picture. 503 while it is starting."""
    took = await run_while_connected(request, services.ready(), timeout=READY_WITHIN)
    return json_response(ReadyAnswer(ready=True, took_ms=round(took, 2)))


@router.get("/version", operation_id="version", response_model=VersionAnswer)
async def get_version(request: Request) -> Response:
    """The versions of this service and of its main dependencies."""
    answer = VersionAnswer(
        version=version("lookalike"),
        python=platform.python_version(),
        torch=version("torch"),
        faiss=version("faiss-cpu"),
    )
    return tag_response(request, json_response(answer))


@router.get(
    "/metrics",
    operation_id="metrics",
    response_class=Response,
    responses=_TEXT,
    dependencies=[Depends(require(Scope.READ, every_collection=True))],
)
async def metrics(services: ServicesDependency) -> Response:
    """Metrics in Prometheus's text format, of the whole service: a key for some collections does not open them."""
    return Response(services.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get(
    "/encoders",
    operation_id="list_encoders",
    response_model=EncodersAnswer,
    dependencies=[Depends(require(Scope.READ))],
)
async def list_encoders(request: Request, services: ServicesDependency) -> Response:
    """The encoders that requests can name, and those that can be installed."""
    return tag_response(
        request, json_response(EncodersAnswer(encoders=await asyncio.to_thread(services.encoders.encoder_rows)))
    )
