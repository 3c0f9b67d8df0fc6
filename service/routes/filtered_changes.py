"""Changes of all items that pass a filter, at the path that lists them; all need a key of scope write."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from lookalike.collection.item_edit import ItemEdit
from service.dependencies.admit import admit, admit_form
from service.dependencies.auth import require
from service.dependencies.idempotency import ONCE, answer_once, no_body
from service.errors import FieldInvalidError
from service.filtered_changes import FilteredChange, change_passing_items
from service.http.body import refuse_body
from service.http.forms import digest_form, form_schema
from service.http.path_params import Name
from service.http.responses import json_response
from service.http.strict_route import StrictRoute
from service.schemas.change_requests import DeleteItemsQuery, PatchItemsForm
from service.schemas.change_responses import FilteredChangesAnswer
from service.search_options import FilterText
from service.services import Services, ServicesDependency
from service.settings import Scope
from service.telemetry.timing import Stopwatch

router = APIRouter(
    prefix="/collections/{name}/items",
    tags=["changes"],
    dependencies=[Depends(require(Scope.WRITE)), ONCE],
    route_class=StrictRoute,
)


@router.delete(
    "",
    operation_id="delete_items",
    response_model=FilteredChangesAnswer,
    dependencies=[Depends(refuse_body)],
)
async def delete_items(
    request: Request, services: ServicesDependency, name: Name, parameters: Annotated[DeleteItemsQuery, Query()]
) -> Response:
    """Remove all items that pass a filter, in batches; with `dry_run` only count them."""
    change = FilteredChange(
        filter=_required(FilterText.of(parameters.filter, request.query_params.multi_items())),
        edit=None,
        at_most=parameters.at_most,
        dry_run=parameters.dry_run,
    )
    with admit(request, services):
        return await _change(request, services, name, change, no_body)


@router.patch(
    "",
    operation_id="patch_items",
    response_model=FilteredChangesAnswer,
    openapi_extra=form_schema(PatchItemsForm),
)
async def patch_items(request: Request, services: ServicesDependency, name: Name) -> Response:
    """Change columns of the metadata of all items that pass a filter, or their title or product, in batches."""
    async with admit_form(request, services, PatchItemsForm, pictures=0, weight=lambda _: 1) as form:
        if form.title is None and form.product_id is None and form.metadata is None:
            raise FieldInvalidError("send what is to be changed: metadata, title or product_id", subject="metadata")
        change = FilteredChange(
            filter=_required(FilterText.of(form.filter)),
            edit=ItemEdit(title=form.title, product_id=form.product_id, metadata=form.metadata, is_patch=True),
            at_most=form.at_most,
            dry_run=form.dry_run,
        )
        return await _change(request, services, name, change, partial(digest_form, form))


def _required(filter_text: FilterText | None) -> FilterText:
    """The filter; raises FieldInvalidError without one, so that nobody changes everything by leaving it out."""
    if filter_text is None:
        raise FieldInvalidError(
            "say which items, such as category = mug; all of them pass key exists", subject="filter"
        )
    return filter_text


async def _change(
    request: Request, services: Services, name: str, change: FilteredChange, body_digest: Callable[[], str]
) -> Response:
    stopwatch = Stopwatch()

    async def work() -> Response:
        outcome = await change_passing_items(services, name, change)
        answer = FilteredChangesAnswer(
            collection=name,
            dry_run=change.dry_run,
            passing=outcome.passing,
            changed=outcome.changed,
            unchanged=outcome.unchanged,
            remaining=outcome.remaining,
        )
        return json_response(answer, took_ms=stopwatch.took_ms())

    timeout = services.settings.request_timeout
    return await answer_once(request, services, work, body_digest=body_digest, timeout=timeout)
