"""Searches and recommendations in all collections or in one, and the facets of one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi import Query as QueryString

from lookalike.catalogue.snapshot_filter import Check
from lookalike.collection.merged_search import check_merged
from lookalike.collection.refinement import PLAIN
from service.box import WHOLE_PICTURE
from service.cancellation import search_with_check
from service.dependencies.admit import admit_form
from service.dependencies.fast_route import FastRoute
from service.errors import FieldInvalidError, ImageMissingError
from service.http.disconnect import run_while_connected
from service.http.forms import form_schema
from service.http.path_params import Name
from service.http.responses import json_response
from service.schemas.recommend_form import CollectionRecommendForm, RecommendForm
from service.schemas.requests import BatchForm, CollectionSearchForm, FacetsQuery, SearchForm
from service.schemas.search_responses import (
    BatchAnswer,
    CollectionsSearchAnswer,
    FacetAnswer,
    FacetsAnswer,
    RecommendAnswer,
    SearchAnswer,
)
from service.search import (
    TIERS_WEIGHT,
    ItemPartQuery,
    KeyQuery,
    LikedQuery,
    PictureQuery,
    PicturesQuery,
    Query,
    WordsQuery,
)
from service.search_options import FilterText, SearchOptions, fields_checked
from service.search_requests import run_batch, run_merged_search, run_recommendation, run_search
from service.services import ServicesDependency

router = APIRouter(tags=["search"], route_class=FastRoute)
BATCH_WEIGHT = 4
"""A batch may be as large as so many single pictures, and takes as many permits."""


@router.post(
    "/search",
    operation_id="search",
    response_model=SearchAnswer | CollectionsSearchAnswer,
    openapi_extra=form_schema(SearchForm),
)
async def search(request: Request, services: ServicesDependency) -> Response:
    """The k indexed pictures most similar to a picture, or to an indexed one, best first; in one collection or several.

    With `text`, those that have its words, alone or ranked by both.

    With `collections` the answer has every hit's `collection`, and by collection what it else has once.
    """
    async with admit_form(request, services, SearchForm, pictures=1, weight=_permits) as form:
        options = SearchOptions.from_request(form, request.query_params.multi_items())
        if form.collections:
            _check_collections(form, options)
            return await run_merged_search(request, services, form, _query_of(form), options)
        if form.rank_by is not None:
            raise FieldInvalidError("rank_by needs collections, whose hits are ranked by it", subject="rank_by")
        return await run_search(request, services, form.collection, _query_of(form), options)


@router.post(
    "/collections/{name}/search",
    operation_id="search_collection",
    response_model=SearchAnswer,
    openapi_extra=form_schema(CollectionSearchForm),
)
async def search_collection(request: Request, services: ServicesDependency, name: Name) -> Response:
    """``/search`` in the collection of the path."""
    async with admit_form(request, services, CollectionSearchForm, pictures=1, weight=_permits) as form:
        options = SearchOptions.from_request(form, request.query_params.multi_items())
        return await run_search(request, services, name, _query_of(form), options)


def _check_collections(form: SearchForm, options: SearchOptions) -> None:
    """Raise FieldInvalidError for what a search in several collections cannot have."""
    if form.tiers:
        raise FieldInvalidError("tiers is possible in one collection only, not in several", subject="tiers")
    if form.key is None and form.collection is not None:
        raise FieldInvalidError("send collection or collections, not both", subject="collection")
    if form.key is not None and form.collection not in form.collections:
        names = ", ".join(form.collections)
        raise FieldInvalidError(
            f"with key and collections, collection is the one of them that has the item: {names}", subject="collection"
        )
    with fields_checked():
        check_merged(options.refinement or PLAIN)


def _query_of(form: CollectionSearchForm) -> Query:
    if form.like_keys and not form.image and form.key is None:
        return _liked_query(form)
    if form.text is not None and not form.image and form.key is None:
        return _words_query(form)
    if bool(form.image) is (form.key is not None):
        raise ImageMissingError(
            "send exactly one of image (a file) and key (of an indexed picture), or like_keys or text alone"
        )
    if form.key is not None:
        return KeyQuery(form.key) if form.box is None else ItemPartQuery(form.key, form.box)
    if len(form.image) == 1:
        return PictureQuery(form.image[0], form.box or WHOLE_PICTURE)
    for field, is_sent in (("box", form.box is not None), ("tiers", form.tiers)):
        if is_sent:
            raise FieldInvalidError(f"{field} is possible with one picture only, not with several", subject=field)
    return PicturesQuery(form.image, form.combine)


def _words_query(form: CollectionSearchForm) -> Query:
    others = {"box": form.box is not None, "tiers": form.tiers, "min_score": form.min_score is not None}
    for field, is_sent in others.items():
        if is_sent:
            raise FieldInvalidError(f"{field} is possible with a picture or a key, not with text alone", subject=field)
    return WordsQuery()


def _liked_query(form: CollectionSearchForm) -> Query:
    for field, is_sent in (("box", form.box is not None), ("tiers", form.tiers)):
        if is_sent:
            raise FieldInvalidError(
                f"{field} is possible with a picture or a key, not with like_keys alone", subject=field
            )
    return LikedQuery(form.like_keys, form.combine)


def _permits(form: CollectionSearchForm) -> int:
    """As many as pictures are decoded, up to those of a batch."""
    if form.tiers:
        return TIERS_WEIGHT
    collection_count = len(form.collections) if isinstance(form, SearchForm) else 1
    return max(1, min(len(form.image) * collection_count, BATCH_WEIGHT))


@router.post(
    "/search/batch", operation_id="search_batch", response_model=BatchAnswer, openapi_extra=form_schema(BatchForm)
)
async def search_batch(request: Request, services: ServicesDependency) -> Response:
    """``/search`` for up to 64 pictures; one that is bad has a problem in its place, and the others their answers."""
    async with admit_form(request, services, BatchForm, pictures=BATCH_WEIGHT) as form:
        return await run_batch(request, services, form)


@router.post(
    "/recommend", operation_id="recommend", response_model=RecommendAnswer, openapi_extra=form_schema(RecommendForm)
)
async def recommend(request: Request, services: ServicesDependency) -> Response:
    """The k items that suit what is liked best, less like what is not; representative ones where nothing is liked."""
    async with admit_form(request, services, RecommendForm, pictures=1, weight=_picture_permits) as form:
        options = SearchOptions.of_recommendation(form, request.query_params.multi_items())
        return await run_recommendation(request, services, form.collection, form.image, options)


@router.post(
    "/collections/{name}/recommend",
    operation_id="recommend_in_collection",
    response_model=RecommendAnswer,
    openapi_extra=form_schema(CollectionRecommendForm),
)
async def recommend_in_collection(request: Request, services: ServicesDependency, name: Name) -> Response:
    """``/recommend`` in the collection of the path."""
    async with admit_form(request, services, CollectionRecommendForm, pictures=1, weight=_picture_permits) as form:
        options = SearchOptions.of_recommendation(form, request.query_params.multi_items())
        return await run_recommendation(request, services, name, form.image, options)


def _picture_permits(form: CollectionRecommendForm) -> int:
    return max(1, min(len(form.image), BATCH_WEIGHT))


async def get_facets(
    request: Request,
    services: ServicesDependency,
    name: Name,
    parameters: Annotated[FacetsQuery, QueryString()],
) -> Response:
    """Counts of the values of columns, among all items or those that pass a filter."""
    filter_text = FilterText.of(parameters.filter, request.query_params.multi_items())

    async def work() -> Response:
        async with services.snapshots.lease(name) as snapshot:
            searcher = snapshot.collection.searcher

            def count(check: Check) -> FacetsAnswer:
                condition = None if filter_text is None else filter_text.condition(searcher)
                passing_count = len(searcher) if condition is None else searcher.count(condition, check)
                facets = searcher.live_filter.facets(condition, parameters.names, parameters.limit)
                return FacetsAnswer(
                    collection=snapshot.name,
                    snapshot=snapshot.generation,
                    count=passing_count,
                    facets={column: FacetAnswer.of(facet) for column, facet in facets.items()},
                )

            return json_response(await search_with_check(services, count), snapshot=snapshot.generation)

    with services.admission.permit():
        return await run_while_connected(request, work(), timeout=services.settings.request_timeout)


router.add_api_route(
    "/collections/{name}/facets", get_facets, operation_id="get_facets", response_model=FacetsAnswer, methods=["GET"]
)
