"""Duplicates for review: the groups of the last search, what was decided about them, and where two pictures differ."""

from __future__ import annotations

from bisect import bisect_right
from itertools import combinations
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import TypeAdapter

from lookalike.catalogue.duplicate_store import digest_pair
from lookalike.catalogue.records import ItemRecord, SourceRecord
from lookalike.collection.layout import CollectionLayout
from lookalike.duplicates.report import GroupKind
from lookalike.duplicates.review import Review, ReviewGroup, SortKey, make_review
from lookalike.duplicates.stored_report import StoredMember, StoredReport
from service.dependencies.admit import admit_form
from service.dependencies.auth import READERS, require
from service.embedding import fingerprint_item
from service.errors import DuplicatesNotSearchedError, FieldInvalidError
from service.http.cursor_text import MAX_CURSOR, decode_cursor, encode_cursor
from service.http.disconnect import run_while_connected
from service.http.forms import form_schema
from service.http.path_params import Name
from service.http.responses import item_urls, json_response, tag_response
from service.http.strict_route import StrictRoute
from service.open_snapshot import OpenSnapshot
from service.schemas.check_responses import DifferenceAnswer
from service.schemas.duplicate_responses import (
    DecisionAnswer,
    DuplicateDifferenceAnswer,
    DuplicateGroupAnswer,
    DuplicateMemberAnswer,
    DuplicatesAnswer,
    DuplicateTotals,
)
from service.schemas.refinement_fields import EMPTY_IS_NOT_SENT
from service.schemas.requests import Decision, DecisionForm
from service.search_requests import with_newest_snapshot
from service.services import Services, ServicesDependency
from service.settings import Scope
from service.telemetry.timing import Stopwatch

router = APIRouter(
    prefix="/collections/{name}/duplicates", tags=["duplicates"], dependencies=READERS, route_class=StrictRoute
)
DIFFERENCE_WEIGHT = 2
"""How many permits a difference takes: two pictures are read."""
_CURSOR = TypeAdapter(tuple[str, int, int, str, str])
PictureKey = Annotated[str, Query(min_length=1, max_length=1024, description="The key of an indexed picture.")]


@router.get("", operation_id="list_duplicates", response_model=DuplicatesAnswer)
async def list_duplicates(
    request: Request,
    services: ServicesDependency,
    name: Name,
    limit: Annotated[int, Query(ge=1, le=100, description="Groups a page.")] = 50,
    cursor: Annotated[
        str | None,
        Query(max_length=MAX_CURSOR, description="`next_cursor` of the page before."),
        EMPTY_IS_NOT_SENT,
    ] = None,
    kind: Annotated[GroupKind | None, Query(description="Only groups of this kind.")] = None,
) -> Response:
    """The duplicates that the last `python -m indexer duplicates` found, those that free the most bytes first.

    Pictures that are gone or have changed since are left out, and so are pairs decided to be no duplicates. A cursor
    belongs to one search.
    """
    async with services.snapshots.lease(name) as snapshot:
        review = await services.search_in_thread(_load_review, services, snapshot)
        groups = review.of_kind(kind)
        start = 0
        if cursor is not None:
            start = bisect_right(groups, _read_cursor(cursor, review.report), key=lambda group: group.sort_key)
        page = groups[start : start + limit]
        has_more = start + limit < len(groups)
        answer = DuplicatesAnswer(
            collection=snapshot.name,
            snapshot=snapshot.generation,
            searched_snapshot=review.report.generation,
            outdated=review.report.generation != snapshot.generation or snapshot.searcher.overlay.pending_count > 0,
            left_out=review.left_out,
            created_at=review.report.created_at,
            pictures=review.report.pictures,
            unreadable=len(review.report.unreadable),
            folder=_folder(snapshot.collection.origin),
            totals=DuplicateTotals(
                groups=len(groups),
                drop=sum(len(group.dropped) for group in groups),
                freed_bytes=sum(group.freed_bytes for group in groups),
            ),
            groups_by_kind=review.count_by_kind(),
            groups=[_group_answer(snapshot.name, group) for group in page],
            next_cursor=_cursor(review.report, page[-1].sort_key) if has_more else None,
        )
        return tag_response(request, json_response(answer, snapshot=snapshot.generation))


@router.post(
    "/decisions",
    operation_id="decide_duplicates",
    response_model=DecisionAnswer,
    dependencies=[Depends(require(Scope.WRITE))],
    openapi_extra=form_schema(DecisionForm),
)
async def decide_duplicates(request: Request, services: ServicesDependency, name: Name) -> Response:
    """Remember that pictures are no duplicates of each other, or that they are after all; needs a key of scope write.

    It is remembered by content, for later searches too. To send it twice changes nothing.
    """
    async with admit_form(request, services, DecisionForm, pictures=0, weight=lambda _: 1) as form:

        async def decide(snapshot: OpenSnapshot) -> DecisionAnswer:
            return await services.search_in_thread(_store_decision, snapshot, form)

        work = with_newest_snapshot(services, name, decide)
        return json_response(await run_while_connected(request, work, timeout=services.settings.request_timeout))


@router.get("/difference", operation_id="get_duplicate_difference", response_model=DuplicateDifferenceAnswer)
async def get_duplicate_difference(
    request: Request, services: ServicesDependency, name: Name, first: PictureKey, second: PictureKey
) -> Response:
    """The places where two indexed pictures differ; their files are read."""

    async def compare(snapshot: OpenSnapshot) -> DuplicateDifferenceAnswer:
        return await _difference(services, snapshot, first, second)

    with services.admission.permit(DIFFERENCE_WEIGHT):
        work = with_newest_snapshot(services, name, compare)
        answer = await run_while_connected(request, work, timeout=services.settings.request_timeout)
    services.metrics.observe_stages(answer.took_ms)
    return json_response(answer, snapshot=answer.snapshot, took_ms=answer.took_ms)


def _load_review(services: Services, snapshot: OpenSnapshot) -> Review:
    searcher = snapshot.searcher
    folder = CollectionLayout.of(services.settings.places.collections_dir, snapshot.name).root
    current = snapshot.report_cache.current(folder, snapshot.generation, searcher.visible_items)
    if current is None:
        raise DuplicatesNotSearchedError(
            f"the collection {snapshot.name!r} has not been searched for duplicates yet: run `python -m indexer "
            f"duplicates --collection {snapshot.name}` on the machine that has its data",
            subject=snapshot.name,
        )
    return make_review(current, searcher.catalogue.duplicate_store().not_duplicates(searcher.collection_id))


def _group_answer(collection: str, group: ReviewGroup) -> DuplicateGroupAnswer:
    return DuplicateGroupAnswer(
        id=group.id,
        kind=group.kind,
        freed_bytes=group.freed_bytes,
        members=[_member_answer(collection, member) for member in group.members],
    )


def _member_answer(collection: str, member: StoredMember) -> DuplicateMemberAnswer:
    image_url, thumbnail_url = item_urls(collection, member.key)
    return DuplicateMemberAnswer(
        key=member.key,
        action=member.action,
        tier=member.tier,
        reason=member.reason,
        width=member.width,
        height=member.height,
        byte_size=member.byte_size,
        shares_file=member.shares_file,
        content_digest=member.digest,
        location=member.location,
        image_url=image_url,
        thumbnail_url=thumbnail_url,
    )


def _folder(origin: SourceRecord) -> str | None:
    return None if origin.kind == "zip" else origin.path_of("")


def _store_decision(snapshot: OpenSnapshot, form: DecisionForm) -> DecisionAnswer:
    searcher = snapshot.searcher
    items = {item.id: item for item in map(snapshot.collection.item, form.key)}
    if len(items) < 2:
        raise FieldInvalidError("send the keys of at least two pictures", subject="key")
    digests = [item.draft.content_digest for item in items.values()]
    pairs = {digest_pair(*pair) for pair in combinations(digests, 2)}
    store = searcher.catalogue.duplicate_store()
    change = store.add_not_duplicates if form.decision is Decision.NOT_DUPLICATES else store.remove_not_duplicates
    return DecisionAnswer(
        collection=snapshot.name,
        decision=form.decision,
        pairs=len(pairs),
        changed=change(searcher.collection_id, pairs),
    )


async def _difference(services: Services, snapshot: OpenSnapshot, first: str, second: str) -> DuplicateDifferenceAnswer:
    stopwatch = Stopwatch("catalogue", "pixels")
    with stopwatch.stage("catalogue"):
        items, similar = await services.search_in_thread(_load_pair, snapshot, first, second)
    with stopwatch.stage("pixels"):
        outcomes = [await fingerprint_item(services, snapshot, item) for item in items]
        identities = [outcome.identity for outcome in outcomes if outcome.identity is not None]
        verdict = None
        if len(identities) == 2:
            verdict = await services.copy_checker.find_tier(*identities, similar=similar)
    return DuplicateDifferenceAnswer(
        collection=snapshot.name,
        snapshot=snapshot.generation,
        first=items[0].draft.key,
        second=items[1].draft.key,
        tier=None if verdict is None else verdict.tier,
        tier_problem="; ".join(outcome.problem for outcome in outcomes if outcome.problem is not None) or None,
        keep_both=None if verdict is None else verdict.keep_both,
        differs_at=[] if verdict is None else [DifferenceAnswer.of(difference) for difference in verdict.differs_at],
        took_ms=stopwatch.took_ms(),
    )


def _load_pair(snapshot: OpenSnapshot, first: str, second: str) -> tuple[tuple[ItemRecord, ItemRecord], bool]:
    """Two items, and whether their score reaches the collection's threshold."""
    collection = snapshot.collection
    items = (collection.item(first), collection.item(second))
    vectors = [collection.vector(item) for item in items]
    return items, collection.threshold().similar(float(vectors[0] @ vectors[1]))


def _cursor(report: StoredReport, last: SortKey) -> str:
    return encode_cursor(report.created_at.isoformat(), *last)


def _read_cursor(cursor: str, report: StoredReport) -> SortKey:
    """The sort key of the last group of the page before; raises FieldInvalidError."""
    created_at, freed, kind, key, group_id = decode_cursor(cursor, _CURSOR)
    if created_at != report.created_at.isoformat():
        raise FieldInvalidError(
            "the cursor belongs to an earlier search for duplicates: start again without a cursor", subject="cursor"
        )
    return freed, kind, key, group_id
