"""The calibration of a collection: what turns its scores into confidence."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from lookalike.collection.calibration_store import remove_calibration
from service.dependencies.auth import READERS, require
from service.errors import CalibrationMissingError
from service.http.body import refuse_body
from service.http.path_params import Name
from service.http.responses import json_response, tag_response
from service.http.strict_route import StrictRoute
from service.routes.collections import describe_collection
from service.schemas.responses import CollectionAnswer
from service.schemas.snapshot_responses import CalibrationCurveAnswer
from service.services import ServicesDependency
from service.settings import Scope

router = APIRouter(
    prefix="/collections/{name}/calibration", tags=["collections"], dependencies=READERS, route_class=StrictRoute
)


@router.get("", operation_id="get_calibration", response_model=CalibrationCurveAnswer)
async def get_calibration(request: Request, services: ServicesDependency, name: Name) -> Response:
    """The calibration in force, with its curve: the collection's own, or else that of its encoder; 404 without one."""
    async with services.snapshots.lease(name) as snapshot:
        if snapshot.calibration is None:
            raise CalibrationMissingError(
                f"neither the collection {name!r} nor its encoder is calibrated: run `python -m indexer calibrate "
                f"--collection {name}`",
                subject=name,
            )
        answer = CalibrationCurveAnswer.of(snapshot.calibration)
        return tag_response(request, json_response(answer, snapshot=snapshot.generation))


@router.delete(
    "",
    operation_id="delete_calibration",
    response_model=CollectionAnswer,
    dependencies=[Depends(require(Scope.WRITE)), Depends(refuse_body)],
)
async def delete_calibration(services: ServicesDependency, name: Name) -> Response:
    """Remove the collection's own calibration: that of its encoder holds again, if there is one; needs scope write."""
    with services.admission.permit():
        async with services.snapshots.lease(name) as snapshot:
            layout, spec = snapshot.collection.layout, snapshot.collection.manifest.encoder
        if not await services.search_in_thread(remove_calibration, layout, spec):
            raise CalibrationMissingError(
                f"the collection {name!r} has no calibration of its own for its encoder", subject=name
            )
        await services.snapshots.refresh(name)
        async with services.snapshots.lease(name) as snapshot:
            return json_response(await describe_collection(services, snapshot), snapshot=snapshot.generation)
