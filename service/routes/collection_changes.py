"""Collections that are made, configured, deleted and published over HTTP; all need a key of scope write."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from lookalike.catalogue.records import CollectionRecord, CollectionSettings
from lookalike.collection.builder import CollectionEncoder
from lookalike.collection.index_command import DEFAULT_KEEP
from lookalike.collection.layout import CollectionLayout, check_name
from lookalike.collection.lifecycle import create_collection, delete_collection, restore_collection
from lookalike.encoder.tags import require_head
from lookalike.errors import CollectionBusyError, CollectionExistsError
from lookalike.filters.declared_columns import DeclaredColumns
from lookalike.options import EncoderRequest
from lookalike.wiring import INDEX_TYPES, default_encoder, open_catalogue
from service.dependencies.admit import admit, admit_form
from service.dependencies.auth import require
from service.dependencies.idempotency import ONCE, answer_once
from service.errors import FieldInvalidError
from service.http.accepted import await_or_accept
from service.http.body import has_body, refuse_body
from service.http.forms import digest_form, form_schema
from service.http.path_params import Name
from service.http.responses import json_response
from service.http.strict_route import StrictRoute
from service.routes.collections import describe_collection
from service.schemas.change_requests import CollectionForm, CollectionPatchForm
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


@router.put(
    "/{name}",
    operation_id="put_collection",
    response_model=CollectionAnswer,
    dependencies=[ONCE],
    responses={201: {"model": CollectionAnswer}},
    openapi_extra=form_schema(CollectionForm),
)
async def put_collection(request: Request, services: ServicesDependency, name: Name) -> Response:
    """Make an empty collection; if there is one of this name with the same encoder, nothing changes.

    One of which nothing was published yet, because its first run failed or was cancelled, is replaced.
    """
    check_name(name)
    if not has_body(request):
        with admit(request, services):
            return await _put_once(request, services, name, CollectionForm())
    async with admit_form(request, services, CollectionForm, pictures=0, weight=lambda _: 1) as form:
        return await _put_once(request, services, name, form)


@router.patch(
    "/{name}",
    operation_id="patch_collection",
    response_model=CollectionAnswer,
    dependencies=[ONCE],
    openapi_extra=form_schema(CollectionPatchForm),
)
async def patch_collection(request: Request, services: ServicesDependency, name: Name) -> Response:
    """Declare columns of the metadata, or change how many snapshots are kept, or whether items get tags.

    What is not sent stays as it is.

    A column of which items have values of another type is not declared: 409, with their number and the first.
    """
    async with admit_form(request, services, CollectionPatchForm, pictures=0, weight=lambda _: 1) as form:
        work = partial(_patch, services, name, form)
        timeout = services.settings.request_timeout
        return await answer_once(request, services, work, body_digest=partial(digest_form, form), timeout=timeout)


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
    """Take a collection out of service; `restore` brings it back, the command `delete --purge` removes it for good.

    Its jobs are cancelled first; 409 if one that runs does not stop in time. One of which nothing was published yet is
    removed for good: `restorable` is false.
    """
    if confirm != name:
        raise FieldInvalidError(f"say the name of the collection that is to be deleted: {name}", subject="confirm")
    layout = await services.snapshots.layout(name)
    await _stop_jobs(services, name)
    with services.admission.permit():
        is_restorable = await services.search_in_thread(_delete, services, layout)
        await services.snapshots.poll_all()
    return json_response(CollectionDeletedAnswer(collection=name, restorable=is_restorable))


@router.post(
    "/{name}/restore",
    operation_id="restore_collection",
    response_model=CollectionAnswer,
    dependencies=[Depends(refuse_body)],
)
async def restore_deleted_collection(services: ServicesDependency, name: Name) -> Response:
    """Bring the collection that was deleted last under this name back."""
    check_name(name)
    with services.admission.permit():
        await services.search_in_thread(_restore, services, name)
        await services.snapshots.refresh(name)
        async with services.snapshots.lease(name) as snapshot:
            return json_response(await describe_collection(services, snapshot), snapshot=snapshot.generation)


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
        layout = await services.snapshots.layout(name)
        await services.search_in_thread(layout.current)  # raises what a fold would find out later
        await services.search_in_thread(layout.require_unpinned)
        status = await await_or_accept(_fold(services, name), timeout=services.settings.request_timeout)
        async with services.snapshots.lease(name) as snapshot:
            response = json_response(await describe_collection(services, snapshot), snapshot=snapshot.generation)
            response.status_code = status
            return response


async def _fold(services: Services, name: str) -> None:
    if not await services.folding.fold(name):
        raise CollectionBusyError(
            f"the changes of {name!r} cannot be folded in now: an indexer may be working on it; try again",
            subject=name,
        )


async def _stop_jobs(services: Services, name: str) -> None:
    """Without this a job would make the collection anew; raises CollectionBusyError."""
    try:
        async with asyncio.timeout(services.settings.request_timeout):
            await services.jobs.stop_all(name)
    except TimeoutError as error:
        raise CollectionBusyError(
            f"a job of {name!r} runs and has not stopped yet, it is being cancelled: try again", subject=name
        ) from error


async def _put_once(request: Request, services: Services, name: str, form: CollectionForm) -> Response:
    work = partial(_put, services, name, form)
    return await answer_once(request, services, work, body_digest=partial(digest_form, form), timeout=None)


async def _put(services: Services, name: str, form: CollectionForm) -> Response:
    encoder_request = EncoderRequest(form.encoder or default_encoder(None, form.input_size), None, form.input_size)
    if await _is_published(services, name):
        return await _existing(services, name, encoder_request, form)
    encoder = await services.encoders.get(encoder_request)
    limits = services.settings.limits
    settings = CollectionSettings("auto", form.keep or DEFAULT_KEEP, limits.max_bytes, limits.max_pixels)
    settings = replace(settings, auto_tags=bool(form.auto_tags))
    identity = CollectionEncoder(encoder_request, encoder.spec)
    await services.search_in_thread(_create, services, name, identity, settings, _declared(form))
    await services.snapshots.refresh(name)
    async with services.snapshots.lease(name) as snapshot:
        response = json_response(await describe_collection(services, snapshot), snapshot=snapshot.generation)
        response.status_code = 201
        return response


async def _is_published(services: Services, name: str) -> bool:
    """Whether there is a collection of this name that more is left of than a first run that failed."""
    if name not in services.snapshots.names():
        return False
    layout = CollectionLayout.of(services.settings.places.collections_dir, name)
    return await services.search_in_thread(layout.current_or_none) is not None


async def _patch(services: Services, name: str, form: CollectionPatchForm) -> Response:
    async with services.snapshots.lease(name) as snapshot:
        searcher = snapshot.searcher
        store = searcher.catalogue.collection_store()
        if form.auto_tags:
            require_head(snapshot.collection.manifest.encoder)
        change = partial(
            store.configure, searcher.collection_id, form.columns or {}, keep=form.keep, auto_tags=form.auto_tags
        )
        await services.search_in_thread(change)
    await services.snapshots.take_changes(name)
    async with services.snapshots.lease(name) as snapshot:
        answer = await describe_collection(services, snapshot, with_columns=True)
        return json_response(answer, snapshot=snapshot.generation)


async def _existing(services: Services, name: str, encoder: EncoderRequest, form: CollectionForm) -> Response:
    async with services.snapshots.lease(name) as snapshot:
        if form.encoder is not None and snapshot.collection.manifest.encoder_request != encoder:
            raise CollectionExistsError(
                f"there is a collection {name!r} with the encoder {snapshot.collection.manifest.encoder.name}: choose "
                "another name, or leave encoder out",
                subject=name,
            )
        record = await services.search_in_thread(snapshot.searcher.catalogue.collection, name)
        differing = _differing_field(form, record)
        if differing is not None:
            raise CollectionExistsError(
                f"there is a collection {name!r} with other {differing}: change it with PATCH /collections/{name}",
                subject=name,
            )
        return json_response(await describe_collection(services, snapshot), snapshot=snapshot.generation)


def _differing_field(form: CollectionForm, record: CollectionRecord) -> str | None:
    """The setting of a form that is not that of the collection; None if it says the same."""
    if form.columns is not None and record.columns != _declared(form):
        return "columns"
    settings = record.settings
    if form.keep not in (None, settings.keep):
        return "keep"
    return "auto_tags" if form.auto_tags not in (None, settings.auto_tags) else None


def _declared(form: CollectionForm) -> DeclaredColumns:
    return {name: kind for name, kind in (form.columns or {}).items() if kind is not None}


def _create(
    services: Services,
    name: str,
    encoder: CollectionEncoder,
    settings: CollectionSettings,
    columns: DeclaredColumns,
) -> None:
    places = services.settings.places
    catalogue = open_catalogue(places)
    try:
        layout = CollectionLayout.of(places.collections_dir, name)
        create_collection(layout, catalogue, encoder, settings, INDEX_TYPES, columns)
    finally:
        catalogue.close()


def _delete(services: Services, layout: CollectionLayout) -> bool:
    catalogue = open_catalogue(services.settings.places)
    try:
        return delete_collection(layout, catalogue)
    finally:
        catalogue.close()


def _restore(services: Services, name: str) -> None:
    places = services.settings.places
    catalogue = open_catalogue(places, collection=name)
    try:
        restore_collection(CollectionLayout.of(places.collections_dir, name), catalogue)
    finally:
        catalogue.close()
