"""``POST /search`` and ``POST /search/batch``."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from service.box import WHOLE_PICTURE
from service.dependencies.admit import admit_form
from service.dependencies.fast_route import FastRoute
from service.errors import ImageMissingError
from service.http.forms import form_schema
from service.schemas.requests import BatchForm, SearchForm
from service.schemas.search_responses import BatchAnswer, SearchAnswer
from service.search import TIERS_WEIGHT, ItemPartQuery, KeyQuery, PictureQuery, Query, SearchOptions
from service.search_requests import run_batch, run_search
from service.services import ServicesDependency

router = APIRouter(tags=["search"], route_class=FastRoute)
BATCH_WEIGHT = 4
"""A batch may be as large as so many single pictures, and takes as many permits."""


@router.post("/search", operation_id="search", response_model=SearchAnswer, openapi_extra=form_schema(SearchForm))
async def search(request: Request, services: ServicesDependency) -> Response:
    """The k indexed pictures most similar to a picture, or to an indexed one, best first."""
    async with admit_form(request, services, SearchForm, pictures=1, weight=_permits) as form:
        options = SearchOptions.from_request(form)
        return await run_search(request, services, form.collection, _query_of(form), options)


def _query_of(form: SearchForm) -> Query:
    if form.image is not None and form.key is None:
        return PictureQuery(form.image, form.box or WHOLE_PICTURE)
    if form.key is not None and form.image is None:
        return KeyQuery(form.key) if form.box is None else ItemPartQuery(form.key, form.box)
    raise ImageMissingError("send exactly one of image (a file) and key (of an indexed picture)")


def _permits(form: SearchForm) -> int:
    return TIERS_WEIGHT if form.tiers else 1


@router.post(
    "/search/batch", operation_id="search_batch", response_model=BatchAnswer, openapi_extra=form_schema(BatchForm)
)
async def search_batch(request: Request, services: ServicesDependency) -> Response:
    """``/search`` for up to 64 pictures; one that is bad has a problem in its place, and the others their answers."""
    async with admit_form(request, services, BatchForm, pictures=BATCH_WEIGHT) as form:
        return await run_batch(request, services, form)
