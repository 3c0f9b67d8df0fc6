"""``POST /compare``, ``POST /embed``, ``POST /tags``, and ``/compare`` with the names of an earlier API."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from lookalike.encoder.base import Vectors
from lookalike.encoder.spec import EncoderSpec
from lookalike.encoder.tags import require_head
from lookalike.explanation import Explanation, Part
from lookalike.thresholds import normalise_score
from service.box import WHOLE_PICTURE
from service.comparison import Comparison, ScoredPair, load_requested_encoder
from service.dependencies.admit import admit_form
from service.dependencies.auth import READERS
from service.embedding import embed_picture
from service.http.disconnect import run_while_connected
from service.http.forms import form_schema
from service.http.responses import json_response, png_uri
from service.http.strict_route import StrictRoute
from service.schemas.check_responses import DifferenceAnswer
from service.schemas.requests import CompareForm, EmbedForm, ScoreForm, TagsForm
from service.schemas.responses import CompareAnswer, EmbedAnswer, PartAnswer, ScoreAnswer, TagAnswer, TagsAnswer
from service.schemas.search_responses import ThresholdAnswer
from service.scores import confidence_problem, is_similar, round_score, rounded_confidence
from service.services import Services, ServicesDependency
from service.telemetry.timing import Stopwatch

router = APIRouter(tags=["compare"], dependencies=READERS, route_class=StrictRoute)
STAGES = ("load", "decode", "encode")
EXPLANATION_WEIGHT = 4
"""How many permits a comparison with an explanation takes: both pictures go through the network once more."""


@router.post("/compare", operation_id="compare", response_model=CompareAnswer, openapi_extra=form_schema(CompareForm))
async def compare(request: Request, services: ServicesDependency) -> Response:
    """How alike two pictures are: cosine score, tier, whether they count as similar, and if asked for, why."""
    async with admit_form(request, services, CompareForm, pictures=2, weight=_permits) as form:
        answer = await run_while_connected(request, _compare(services, form), timeout=services.settings.request_timeout)
    services.metrics.observe_stages(answer.took_ms)
    return json_response(answer, took_ms=answer.took_ms)


def _permits(form: CompareForm) -> int:
    return EXPLANATION_WEIGHT if form.explain else 2


async def _compare(services: Services, form: CompareForm) -> CompareAnswer:
    stopwatch = Stopwatch("load", "decode", "pixels", "encode", *(["explain"] if form.explain else []))
    comparison = Comparison(services=services, form=form, stopwatch=stopwatch, with_fingerprints=True)
    pair = await comparison.score()
    outcome = await comparison.decide_tier(pair)
    parts: list[PartAnswer] | None = None
    rest: float | None = None
    heat_maps: tuple[str, str] | None = None
    if form.explain:
        explanation = await comparison.explain(pair)
        parts = [_part_answer(part) for part in explanation.parts]
        rest = round(explanation.rest, 6)
        with stopwatch.stage("explain"):
            heat_maps = await services.search_in_thread(_encode_heat_maps, explanation)
    return CompareAnswer(
        score=pair.score,
        normalized_score=round_score(normalise_score(pair.score)),
        similar=is_similar(pair.threshold, pair.score, outcome),
        confidence=rounded_confidence(pair.threshold, pair.score, outcome),
        confidence_problem=confidence_problem(pair.threshold, outcome),
        tier=outcome.tier,
        tier_problem=outcome.problem,
        keep_both=outcome.keep_both,
        differs_at=[DifferenceAnswer.of(difference) for difference in outcome.differs_at],
        threshold=ThresholdAnswer.of(pair.threshold),
        parts=parts,
        rest=rest,
        heat_maps=heat_maps,
        encoder=pair.spec.name,
        input_size=pair.spec.input_size,
        took_ms=stopwatch.took_ms(),
    )


def _part_answer(part: Part) -> PartAnswer:
    return PartAnswer(name=part.name, score=round_score(part.score), share=round(part.share, 6))


def _encode_heat_maps(explanation: Explanation) -> tuple[str, str]:
    first, second = explanation.heat_maps
    return png_uri(first), png_uri(second)


@router.post(
    "/cosine_similarity_score",
    operation_id="cosine_similarity_score",
    response_model=ScoreAnswer,
    openapi_extra=form_schema(ScoreForm),
)
async def cosine_similarity_score(
    request: Request,
    services: ServicesDependency,
    model_name: Annotated[
        str | None, Query(max_length=80, description="One of GET /encoders, if it is installed.")
    ] = None,
) -> Response:
    """``/compare`` for clients of an earlier similarity predictor, with its path and field names.

    It answers the normalised score, and whether that reaches the threshold; no tier is decided, and a picture of one
    colour is similar to none.
    """
    async with admit_form(request, services, ScoreForm, pictures=2) as form:
        stopwatch = Stopwatch(*STAGES)
        compare_form = CompareForm(image_a=form.image_1, image_b=form.image_2, encoder=model_name)
        comparison = Comparison(services=services, form=compare_form, stopwatch=stopwatch, with_fingerprints=False)
        pair = await run_while_connected(request, comparison.score(), timeout=services.settings.request_timeout)
    took_ms = stopwatch.took_ms()
    services.metrics.observe_stages(took_ms)
    return json_response(_score_answer(pair, took_ms["total"]), took_ms=took_ms)


def _score_answer(pair: ScoredPair, took_ms: float) -> ScoreAnswer:
    similar = "Yes" if pair.threshold.similar(pair.score) and not pair.is_plain else "No"
    return ScoreAnswer(score=round_score(normalise_score(pair.score)), similar=similar, took=took_ms)


@router.post("/embed", operation_id="embed", response_model=EmbedAnswer, openapi_extra=form_schema(EmbedForm))
async def embed(request: Request, services: ServicesDependency) -> Response:
    """A picture's embedding: numbers of unit length, whose inner product is the cosine score."""
    async with admit_form(request, services, EmbedForm, pictures=1) as form:
        answer = await run_while_connected(request, _embed(services, form), timeout=services.settings.request_timeout)
    services.metrics.observe_stages(answer.took_ms)
    return json_response(answer, took_ms=answer.took_ms)


@router.post("/tags", operation_id="tag_picture", response_model=TagsAnswer, openapi_extra=form_schema(TagsForm))
async def tag_picture(request: Request, services: ServicesDependency) -> Response:
    """Words for what a picture shows, from the most specific to the most general; none where nothing is sure.

    422 for an encoder that has no words.
    """
    async with admit_form(request, services, TagsForm, pictures=1) as form:
        answer = await run_while_connected(request, _tag(services, form), timeout=services.settings.request_timeout)
    services.metrics.observe_stages(answer.took_ms)
    return json_response(answer, took_ms=answer.took_ms)


async def _tag(services: Services, form: TagsForm) -> TagsAnswer:
    stopwatch = Stopwatch(*STAGES)
    spec, vector = await _encode(services, form, stopwatch, check=require_head)
    tags = require_head(spec).tags(vector[None], form.min_confidence)[0]
    answers = [TagAnswer(word=tag.word, confidence=tag.confidence) for tag in tags]
    return TagsAnswer(tags=answers, encoder=spec.name, took_ms=stopwatch.took_ms())


async def _encode(
    services: Services,
    form: EmbedForm | TagsForm,
    stopwatch: Stopwatch,
    check: Callable[[EncoderSpec], object] = lambda _: None,
) -> tuple[EncoderSpec, Vectors]:
    """The vector (D,) of a form's picture by the encoder that it asks for; ``check`` may refuse that one first."""
    async with AsyncExitStack() as stack:
        snapshot = None
        if form.collection is not None:
            snapshot = await stack.enter_async_context(services.snapshots.lease(form.collection))
        with stopwatch.stage("load"):
            encoder = await load_requested_encoder(services, form, snapshot)
        check(encoder.spec)
        box = form.box or WHOLE_PICTURE
        vector, _ = await embed_picture(services, encoder, form.image, stopwatch, box=box)
        return encoder.spec, vector


async def _embed(services: Services, form: EmbedForm) -> EmbedAnswer:
    stopwatch = Stopwatch(*STAGES)
    spec, vector = await _encode(services, form, stopwatch)
    return EmbedAnswer(
        vector=vector.tolist(),
        dimension=spec.dimension,
        encoder=spec.name,
        input_size=spec.input_size,
        encoder_digest=spec.digest,
        took_ms=stopwatch.took_ms(),
    )
