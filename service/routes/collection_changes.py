"""Collections that are made, deleted and published over HTTP; all need a key of scope write."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from lookalike.catalogue.records import CollectionSettings
from lookalike.collection.builder import CollectionEncoder
from lookalike.collection.index_command import DEFAULT_KEEP
from lookalike.collection.layout import CollectionLayout, check_name
from lookalike.collection.lifecycle import create_collection, delete_collection
from lookalike.errors import CollectionBusyError, CollectionExistsError
from lookalike.options import EncoderRequest
from lookalike.wiring import INDEX_TYPES, default_encoder, open_catalogue
from service.dependencies.admit import admit_form
from service.dependencies.auth import require
from service.errors import FieldInvalidError
from service.http.body import announced_bytes, refuse_body
from service.http.forms import form_schema
from service.http.path_params import Name
from service.http.responses import json_response
from service.http.strict_route import StrictRoute
from service.routes.collections import collection_answer
from service.schemas.change_requests import CollectionForm
from service.schemas.change_responses import CollectionDeletedAnswer
from service.schemas.responses import CollectionAnswer
from service.services import Services, ServicesDependency
from service.settings import Scope

router = APIRouter(
    prefix="/collections",
    tags=["changes"],
    dependencies=[Depends(require(Scope.WRITE))],
    route_class=StrictRoute,
)
FOLD_WAIT_SECONDS = 20.0


@router.put(
    "/{name}",
    operation_id="put_collection",
    response_model=CollectionAnswer,
    responses={201: {"model": CollectionAnswer}},
    openapi_extra=form_schema(CollectionForm),
)
async def put_collection(request: Request, services: ServicesDependency, name: Name) -> Response:
    """Make an empty collection; if there is one of this name with the same encoder, nothing changes."""
    check_name(name)
    if announced_bytes(request, default=0) == 0 and "transfer-encoding" not in request.headers:
        with services.admission.permit():
            return await _put(services, name, CollectionForm())
    async with admit_form(request, services, CollectionForm, pictures=0, weight=lambda _: 1) as form:
        return await _put(services, name, form)


@router.delete(
    "/{name}",
    operation_id="delete_collection",
    response_model=CollectionDeletedAnswer,
    dependencies=[Depends(refuse_body)],
)
async def delete_collection_route(
    services: ServicesDependency,
    name: Name,
    confirm: Annotated[str, Query(description="The collection's name once more, to be sure.", max_length=64)],
) -> Response:
    """Take a collection out of service. The command `restore` brings it back, `delete --purge` removes it for good."""
    if confirm != name:
        raise FieldInvalidError(f"say the name of the collection that is to be deleted: {name}", subject="confirm")
    with services.admission.permit():
        async with services.snapshots.lease(name) as snapshot:
            layout = snapshot.collection.layout
        await services.search_in_thread(_delete, services, layout)
        await services.snapshots.poll_all()
    return json_response(CollectionDeletedAnswer(collection=name, restorable=True))


@router.post(
    "/{name}/fold",
    operation_id="fold_collection",
    response_model=CollectionAnswer,
    responses={202: {"model": CollectionAnswer}},
    dependencies=[Depends(refuse_body)],
)
async def fold_collection(services: ServicesDependency, name: Name) -> Response:
    """Publish a snapshot that has the changes made by now; 202 if that takes longer than 20 seconds.

    The service does it by itself after a while; searches see changes with or without it.
    """
    with services.admission.permit():
        async with services.snapshots.lease(name):
            pass  # 404 for a collection that there is not
        status = 200
        try:
            async with asyncio.timeout(min(FOLD_WAIT_SECONDS, services.settings.request_timeout)):
                if not await services.folding.fold(name):
                    raise CollectionBusyError(
                        f"the changes of {name!r} cannot be folded in now: an indexer may be working on it; try again",
                        subject=name,
                    )
        except TimeoutError:
            status = 202
        async with services.snapshots.lease(name) as snapshot:
            response = json_response(collection_answer(snapshot), snapshot=snapshot.generation)
            response.status_code = status
            return response


async def _put(services: Services, name: str, form: CollectionForm) -> Response:
    encoder_request = EncoderRequest(form.encoder or default_encoder(None, form.input_size), None, form.input_size)
    if name in services.snapshots.names():
        return await _existing(services, name, encoder_request, is_asked=form.encoder is not None)
    encoder = await services.encoders.get(encoder_request)
    limits = services.settings.limits
    settings = CollectionSettings("auto", DEFAULT_KEEP, limits.max_bytes, limits.max_pixels)
    identity = CollectionEncoder(encoder_request, encoder.spec)
    await services.search_in_thread(_create, services, name, identity, settings)
    await services.snapshots.refresh(name)
    async with services.snapshots.lease(name) as snapshot:
        response = json_response(collection_answer(snapshot), snapshot=snapshot.generation)
        response.status_code = 201
        return response


async def _existing(services: Services, name: str, encoder: EncoderRequest, *, is_asked: bool) -> Response:
    async with services.snapshots.lease(name) as snapshot:
        if is_asked and snapshot.collection.manifest.encoder_request != encoder:
            raise CollectionExistsError(
                f"there is a collection {name!r} with the encoder {snapshot.collection.manifest.encoder.name}: choose "
                "another name, or leave encoder out",
                subject=name,
            )
        return json_response(collection_answer(snapshot), snapshot=snapshot.generation)


def _create(services: Services, name: str, encoder: CollectionEncoder, settings: CollectionSettings) -> None:
    places = services.settings.places
    catalogue = open_catalogue(places)
    try:
        layout = CollectionLayout.of(places.collections_dir, name)
        create_collection(layout, catalogue, encoder, settings, INDEX_TYPES)
    finally:
        catalogue.close()


def _delete(services: Services, layout: CollectionLayout) -> None:
    catalogue = open_catalogue(services.settings.places)
    try:
        delete_collection(layout, catalogue)
    finally:
        catalogue.close()
