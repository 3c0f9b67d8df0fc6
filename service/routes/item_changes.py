"""Changes of a collection's items, visible when the answer returns; all need a key of scope write."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from lookalike.catalogue.live_changes import ChangeStatus
from lookalike.collection.item_edit import ItemEdit
from lookalike.errors import ItemNotFoundError, LookalikeError
from service.dependencies.admit import admit, admit_form
from service.dependencies.auth import require
from service.dependencies.idempotency import ONCE, answer_once, no_body
from service.errors import FieldInvalidError, RequestError, UploadError
from service.http.body import Upload, refuse_body
from service.http.forms import digest_form, form_schema
from service.http.path_params import Key, Name
from service.http.problems import problem_of
from service.http.responses import json_response
from service.http.strict_route import StrictRoute
from service.item_changes import ChangeResult, ItemChange, change_items, item_tag
from service.open_snapshot import OpenSnapshot
from service.routes.items import item_answer
from service.schemas.change_requests import Change, ChangesForm, ItemForm, ItemPatchForm, Operation
from service.schemas.change_responses import ChangeEntry, ChangesAnswer, ItemChangeAnswer
from service.services import Services, ServicesDependency
from service.settings import Scope
from service.telemetry.timing import Stopwatch

router = APIRouter(
    prefix="/collections/{name}/items",
    tags=["changes"],
    dependencies=[Depends(require(Scope.WRITE)), ONCE],
    route_class=StrictRoute,
)
STAGES = ("decode", "encode", "catalogue")
BATCH_WEIGHT = 4
"""How many pictures' memory and permits a batch takes, as a batch of searches does."""
IfMatch = Annotated[
    str | None,
    Header(description="Make the change only if the item's ETag is one of these; * for any item that is there."),
]
IfNoneMatch = Annotated[
    str | None,
    Header(description="* makes the change only if there is no such item yet; nothing else may be sent."),
]


@router.put(
    "/{key:path}",
    operation_id="put_item",
    response_model=ItemChangeAnswer,
    responses={201: {"model": ItemChangeAnswer}},
    openapi_extra=form_schema(ItemForm),
)
async def put_item(
    request: Request,
    services: ServicesDependency,
    name: Name,
    key: Key,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Add an item, or replace its picture, its metadata or both; what is not sent stays as it is."""
    is_addition = _is_addition(if_match, if_none_match)
    async with admit_form(request, services, ItemForm, pictures=1) as form:
        change = ItemChange(
            key=key,
            upload=form.image,
            edit=ItemEdit(title=form.title, product_id=form.product_id, metadata=form.metadata),
            if_match=_tags(if_match),
            is_addition=is_addition,
        )
        return await _change_one(request, services, name, change, partial(digest_form, form))


@router.patch(
    "/{key:path}", operation_id="patch_item", response_model=ItemChangeAnswer, openapi_extra=form_schema(ItemPatchForm)
)
async def patch_item(
    request: Request, services: ServicesDependency, name: Name, key: Key, if_match: IfMatch = None
) -> Response:
    """Change columns of an item's metadata, and its title or product; nothing is encoded."""
    async with admit_form(request, services, ItemPatchForm, pictures=0, weight=lambda _: 1) as form:
        change = ItemChange(
            key=key,
            edit=ItemEdit(title=form.title, product_id=form.product_id, metadata=form.metadata, is_patch=True),
            if_match=_tags(if_match),
        )
        return await _change_one(request, services, name, change, partial(digest_form, form))


@router.delete(
    "/{key:path}",
    operation_id="delete_item",
    response_model=ItemChangeAnswer,
    dependencies=[Depends(refuse_body)],
)
async def delete_item(
    request: Request, services: ServicesDependency, name: Name, key: Key, if_match: IfMatch = None
) -> Response:
    """Remove an item; it comes back only if its source changes it, or if it is sent again."""
    with admit(request, services):
        change = ItemChange(key=key, is_removal=True, if_match=_tags(if_match))
        return await _change_one(request, services, name, change, no_body)


@router.post("", operation_id="change_items", response_model=ChangesAnswer, openapi_extra=form_schema(ChangesForm))
async def change_several_items(request: Request, services: ServicesDependency, name: Name) -> Response:
    """Up to 256 changes, those of a key in order: for each its status or problem; one that fails stops no other."""
    async with admit_form(request, services, ChangesForm, pictures=BATCH_WEIGHT) as form:
        changes = _batch(form)
        stopwatch = Stopwatch(*STAGES)

        async def work() -> Response:
            async with services.snapshots.lease(name) as snapshot:
                results = await change_items(services, snapshot, changes, stopwatch)
                entries = [
                    _entry(request, index, change.key, result)
                    for index, (change, result) in enumerate(zip(changes, results, strict=True))
                ]
                answer = ChangesAnswer(collection=snapshot.name, results=entries)
                return json_response(answer, took_ms=stopwatch.took_ms())

        timeout = services.settings.request_timeout
        return await answer_once(request, services, work, body_digest=partial(digest_form, form), timeout=timeout)


async def _change_one(
    request: Request, services: Services, name: str, change: ItemChange, body_digest: Callable[[], str]
) -> Response:
    stopwatch = Stopwatch(*STAGES)

    async def work() -> Response:
        async with services.snapshots.lease(name) as snapshot:
            (result,) = await change_items(services, snapshot, [change], stopwatch)
            if not isinstance(result, ChangeStatus):
                raise result
            return await _answer(services, snapshot, change.key, result, stopwatch)

    timeout = services.settings.request_timeout
    return await answer_once(request, services, work, body_digest=body_digest, timeout=timeout)


async def _answer(
    services: Services, snapshot: OpenSnapshot, key: str, status: ChangeStatus, stopwatch: Stopwatch
) -> Response:
    item = None
    if status is not ChangeStatus.REMOVED:
        try:
            item = await services.search_in_thread(snapshot.collection.item, key)
        except ItemNotFoundError:
            item = None  # removed by somebody else in the same moment
    answer = ItemChangeAnswer(
        collection=snapshot.name,
        key=key,
        status=status,
        item=None if item is None else item_answer(snapshot.name, item),
    )
    response = json_response(answer, snapshot=snapshot.generation, took_ms=stopwatch.took_ms())
    response.status_code = 201 if status is ChangeStatus.CREATED else 200
    if item is not None:
        response.headers["ETag"] = item_tag(item)
    return response


def _tags(if_match: str | None) -> frozenset[str] | None:
    return None if if_match is None else frozenset(tag.strip() for tag in if_match.split(","))


def _is_addition(if_match: str | None, if_none_match: str | None) -> bool:
    """Raises FieldInvalidError for an If-None-Match that has no meaning for a change."""
    if if_none_match is None:
        return False
    if if_none_match.strip() != "*":
        raise FieldInvalidError(
            f"If-None-Match of a PUT must be *, for an item that is not there yet; got {if_none_match[:60]!r}",
            subject="If-None-Match",
        )
    if if_match is not None:
        raise FieldInvalidError(
            "If-Match asks for a version that is there, and If-None-Match: * for none: send one of them",
            subject="If-None-Match",
        )
    return True


def _batch(form: ChangesForm) -> list[ItemChange]:
    """The changes of a batch with their pictures; raises FieldInvalidError for one that has none, or a wrong one."""
    uploads: dict[str, Upload] = {}
    for upload in form.image:
        if upload.name in uploads:
            raise FieldInvalidError(f"two pictures are called {upload.name!r}: give each its own name", subject="image")
        uploads[upload.name] = upload
    used = {change.image for change in form.changes}
    unused = next((name for name in uploads if name not in used), None)
    if unused is not None:
        raise FieldInvalidError(f"no change names the picture {unused!r} as its image", subject="image")
    return [_batch_change(index, change, uploads) for index, change in enumerate(form.changes)]


def _batch_change(index: int, change: Change, uploads: dict[str, Upload]) -> ItemChange:
    place = f"changes[{index}].image"
    if change.image is not None and change.op is not Operation.PUT:
        raise FieldInvalidError(f"{place}: only a put has a picture", subject=place)
    if change.image is not None and change.image not in uploads:
        raise FieldInvalidError(f"{place}: no picture of the name {change.image!r} was sent as image", subject=place)
    return ItemChange(
        key=change.key,
        is_removal=change.op is Operation.DELETE,
        upload=None if change.image is None else uploads[change.image],
        edit=ItemEdit(
            title=change.title,
            product_id=change.product_id,
            metadata=change.metadata,
            is_patch=change.op is Operation.PATCH,
        ),
    )


def _entry(request: Request, index: int, key: str, result: ChangeResult) -> ChangeEntry:
    if isinstance(result, (LookalikeError, RequestError, UploadError)):
        problem = problem_of(result, path=request.url.path, request_id=request.state.request_id)
        return ChangeEntry(index=index, key=key, status=None, problem=problem)
    return ChangeEntry(index=index, key=key, status=result, problem=None)
