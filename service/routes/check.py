"""``POST /collections/{name}/check``: a picture before it is added."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from service.check import Check, CheckResult, Match
from service.dependencies.admit import admit_form
from service.dependencies.auth import READERS
from service.http.disconnect import run_while_connected
from service.http.forms import form_schema
from service.http.path_params import Name
from service.http.responses import item_urls, json_response
from service.http.strict_route import StrictRoute
from service.open_snapshot import OpenSnapshot
from service.schemas.check_responses import CheckAnswer, DifferenceAnswer, MatchAnswer
from service.schemas.requests import CheckForm
from service.schemas.search_responses import ThresholdAnswer
from service.scores import round_score
from service.search_requests import with_newest_snapshot
from service.services import ServicesDependency
from service.telemetry.timing import Stopwatch

router = APIRouter(prefix="/collections", tags=["collections"], dependencies=READERS, route_class=StrictRoute)
CHECK_WEIGHT = 8
"""How many permits a check takes: a picture is encoded in eight orientations, and up to 24 others are read."""


@router.post(
    "/{name}/check",
    operation_id="check_picture",
    response_model=CheckAnswer,
    openapi_extra=form_schema(CheckForm),
)
async def check_picture(request: Request, services: ServicesDependency, name: Name) -> Response:
    """Whether a picture is new to the collection, or a copy of an indexed one (turned and mirrored too), or similar.

    The nearest 24 pictures at most are compared on pixels. Nothing is stored.
    """
    async with admit_form(request, services, CheckForm, pictures=1, weight=lambda _: CHECK_WEIGHT) as form:
        stopwatch = Stopwatch("decode", "pixels", "encode", "search", "catalogue")

        async def check_in(snapshot: OpenSnapshot) -> CheckAnswer:
            check = Check(
                services=services,
                snapshot=snapshot,
                upload=form.image,
                threshold=form.threshold,
                stopwatch=stopwatch,
            )
            return _check_answer(snapshot, await check.run(), form.k, stopwatch)

        work = with_newest_snapshot(services, name, check_in)
        answer = await run_while_connected(request, work, timeout=services.settings.request_timeout)
    services.metrics.observe_stages(answer.took_ms)
    return json_response(answer, snapshot=answer.snapshot, took_ms=answer.took_ms)


def _check_answer(snapshot: OpenSnapshot, result: CheckResult, k: int, stopwatch: Stopwatch) -> CheckAnswer:
    return CheckAnswer(
        collection=snapshot.name,
        snapshot=snapshot.generation,
        verdict=str(result.matches[0].verdict.tier) if result.matches else "new",
        redundant=any(match.verdict.is_redundant for match in result.matches),
        matches=[_match_answer(snapshot.name, match) for match in result.matches[:k]],
        unread=result.unread,
        threshold=ThresholdAnswer.of(result.threshold),
        took_ms=stopwatch.took_ms(),
    )


def _match_answer(collection: str, match: Match) -> MatchAnswer:
    draft, verdict = match.item.draft, match.verdict
    image_url, thumbnail_url = item_urls(collection, draft.key)
    return MatchAnswer(
        key=draft.key,
        title=draft.title,
        product_id=draft.product_id,
        tier=verdict.tier,
        score=round_score(match.score),
        redundant=verdict.is_redundant,
        keep_both=verdict.keep_both,
        differs_at=[DifferenceAnswer.of(difference) for difference in verdict.differs_at],
        image_url=image_url,
        thumbnail_url=thumbnail_url,
    )
