"""``POST /compare``, ``POST /embed``, and ``/compare`` in the words of the similarity predictor's report."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from lookalike.encoder.base import Evidence, ImageEncoder
from lookalike.encoder.spec import EncoderSpec
from lookalike.explanation import Explanation, Part, explanation_of
from lookalike.thresholds import Threshold, normalized
from lookalike.tiers import Pictured
from lookalike.wiring import default_encoder
from service.dependencies.admit import taken_in
from service.dependencies.auth import READERS
from service.http.body import Upload
from service.http.disconnect import attend
from service.http.forms import form_schema
from service.http.responses import json_answer, png_uri
from service.inference.copy_checker import check_unchanged
from service.inference.decoder_pool import Prepared
from service.inference.encoder_pool import requested_encoder
from service.open_snapshot import OpenSnapshot
from service.schemas.requests import CompareForm, EmbedForm, ScoreForm
from service.schemas.responses import CompareAnswer, EmbedAnswer, PartAnswer, ScoreAnswer, ThresholdAnswer
from service.search import Told, Vectors, clean, confidence, embed, file_of, in_searchers, is_similar, seen_item
from service.services import Services, Shared
from service.telemetry.timing import Stopwatch

router = APIRouter(tags=["compare"], dependencies=READERS)
STAGES = ("load", "decode", "encode")
EXPLAINED_WEIGHT = 4
"""How many permits a comparison takes that is to be explained: both pictures go through the network once more."""


@router.post("/compare", operation_id="compare", response_model=CompareAnswer, openapi_extra=form_schema(CompareForm))
async def compare(request: Request, services: Shared) -> Response:
    """How alike two pictures are: cosine score, tier, whether they count as similar, and if asked for, why."""
    async with taken_in(request, services, CompareForm, pictures=2, weight=_weight) as form:
        found = await attend(request, _compare(services, form), timeout=services.settings.request_timeout)
    services.metrics.stages(found.took_ms)
    return json_answer(found, took_ms=found.took_ms)


def _weight(form: CompareForm) -> int:
    return EXPLAINED_WEIGHT if form.explain else 2


@router.post(
    "/cosine_similarity_score",
    operation_id="cosine_similarity_score",
    response_model=ScoreAnswer,
    openapi_extra=form_schema(ScoreForm),
)
async def cosine_similarity_score(
    request: Request,
    services: Shared,
    model_name: Annotated[
        str | None, Query(max_length=80, description="One of GET /encoders, if it is installed.")
    ] = None,
) -> Response:
    """``/compare`` in the words of the similarity predictor's report: the normalised score, and its verdict alone."""
    async with taken_in(request, services, ScoreForm, pictures=2) as form:
        pair = CompareForm(image_a=form.image_1, image_b=form.image_2, encoder=model_name)
        found = await attend(request, _score(services, pair), timeout=services.settings.request_timeout)
    services.metrics.stages(found.took_ms)
    words = ScoreAnswer(
        score=clean(normalized(found.score)),
        similar="Yes" if found.threshold.similar(found.score) else "No",
        took=found.took_ms["total"],
    )
    return json_answer(words, took_ms=found.took_ms)


@router.post("/embed", operation_id="embed", response_model=EmbedAnswer, openapi_extra=form_schema(EmbedForm))
async def embed_picture(request: Request, services: Shared) -> Response:
    """A picture's embedding: numbers of unit length, whose inner product is the cosine score."""
    async with taken_in(request, services, EmbedForm, pictures=1) as form:
        found = await attend(request, _embed(services, form), timeout=services.settings.request_timeout)
    services.metrics.stages(found.took_ms)
    return json_answer(found, took_ms=found.took_ms)


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One of two pictures; ``prepared`` is None where an indexed picture's stored vector served."""

    vector: Vectors
    prepared: Prepared | None
    seen: Pictured | str | None


@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    """A comparison by score alone; ``encoder`` is None where two stored vectors were compared."""

    spec: EncoderSpec
    encoder: ImageEncoder | None
    sides: tuple[_Side, _Side]
    score: float
    threshold: Threshold
    took_ms: dict[str, float]


async def _compare(services: Services, form: CompareForm) -> CompareAnswer:
    watch = Stopwatch("load", "decode", "pixels", "encode", *(["explain"] if form.explain else []))
    found = await _score(services, form, watch, look=True)
    told = await _tier(services, found, watch)
    explained, heat_maps = await _explained(services, found, watch) if form.explain else (None, None)
    score, threshold = found.score, found.threshold
    return CompareAnswer(
        score=score,
        normalized_score=clean(normalized(score)),
        similar=is_similar(threshold, score, told.tier),
        confidence=confidence(threshold, score),
        tier=told.tier,
        tier_problem=told.problem,
        threshold=ThresholdAnswer.of(threshold),
        parts=None if explained is None else [_part(part) for part in explained.parts],
        rest=None if explained is None else round(explained.rest, 6),
        heat_maps=heat_maps,
        encoder=found.spec.name,
        input_size=found.spec.input_size,
        took_ms=watch.took_ms(),
    )


def _part(part: Part) -> PartAnswer:
    return PartAnswer(name=part.name, score=clean(part.score), share=round(part.share, 6))


async def _score(
    services: Services, form: CompareForm, watch: Stopwatch | None = None, *, look: bool = False
) -> _Scored:
    """The pair's score; with ``look`` also what tells copies of either picture."""
    watch = watch or Stopwatch(*STAGES)
    pictures = (form.image_a, form.image_b)
    async with AsyncExitStack() as stack:
        held = None
        if form.collection is not None or any(isinstance(picture, str) for picture in pictures):
            held = await stack.enter_async_context(services.snapshots.lease(form.collection))
        encoder = None
        if held is not None and _is_stored(form):
            spec = held.collection.manifest.encoder
        else:
            with watch.stage("load"):
                encoder = await _encoder(services, form, held)
            spec = encoder.spec
        watches = (Stopwatch(), Stopwatch())
        wanted = _Wanted(spec, encoder, held, look=look, explain=form.explain)
        first, second = await asyncio.gather(
            *(_side(services, wanted, picture, own) for picture, own in zip(pictures, watches, strict=True))
        )
        watch.beside(*watches)
        threshold = await _threshold(services, spec, held, form.threshold)
    score = clean(float(first.vector @ second.vector))
    return _Scored(spec, encoder, (first, second), score, threshold, watch.took_ms())


def _is_stored(form: CompareForm) -> bool:
    """Whether two indexed pictures are compared as they are indexed, for which nothing has to be encoded."""
    by_key = isinstance(form.image_a, str) and isinstance(form.image_b, str)
    return by_key and form.encoder is None and form.input_size is None and not form.explain


async def _tier(services: Services, found: _Scored, watch: Stopwatch) -> Told:
    first, second = (side.seen for side in found.sides)
    if isinstance(first, Pictured) and isinstance(second, Pictured):
        with watch.stage("pixels"):
            similar = found.threshold.similar(found.score)
            return Told(await services.looks.tier(first, second, similar=similar))
    return Told(problem="; ".join(seen for seen in (first, second) if isinstance(seen, str)))


async def _explained(services: Services, found: _Scored, watch: Stopwatch) -> tuple[Explanation, tuple[str, str]]:
    """Why the pair has its score, and the heat maps as they are answered."""
    first, second = (side.prepared for side in found.sides)
    if first is None or second is None or found.encoder is None:
        raise TypeError("a picture to explain that was not prepared")
    with watch.stage("explain"):
        evidence = await services.batcher.explain(found.encoder, first.pixels, second.pixels)
        sizes = ((first.height, first.width), (second.height, second.width))
        return await in_searchers(services, _drawn, evidence, found.spec, *sizes)


def _drawn(
    evidence: Evidence, spec: EncoderSpec, first: tuple[int, int], second: tuple[int, int]
) -> tuple[Explanation, tuple[str, str]]:
    found = explanation_of(evidence, spec, first, second)
    return found, (png_uri(found.heat_maps[0]), png_uri(found.heat_maps[1]))


async def _encoder(services: Services, form: CompareForm | EmbedForm, held: OpenSnapshot | None) -> ImageEncoder:
    if held is not None and form.encoder is None:
        return await held.encoder(form.input_size)
    return await services.encoders.get(
        requested_encoder(form.encoder or default_encoder(input_size=form.input_size), form.input_size)
    )


async def _threshold(
    services: Services, spec: EncoderSpec, held: OpenSnapshot | None, given: float | None
) -> Threshold:
    """The collection's threshold if the encoder is the collection's, else the encoder's own."""
    if held is not None and spec.digest == held.collection.manifest.encoder.digest:
        return held.collection.threshold(given)
    return await in_searchers(services, services.encoders.threshold, spec, given)


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    """What is needed of either picture, beside its vector by the encoder of this ``spec``.

    ``encoder`` is None where both vectors are stored.
    """

    spec: EncoderSpec
    encoder: ImageEncoder | None
    held: OpenSnapshot | None
    look: bool
    explain: bool

    @property
    def loaded(self) -> ImageEncoder:
        """The encoder, for a picture that has to be encoded."""
        if self.encoder is None:
            raise TypeError("a picture to encode without an encoder")
        return self.encoder


async def _side(services: Services, wanted: _Wanted, picture: Upload | str, watch: Stopwatch) -> _Side:
    if isinstance(picture, str):
        return await _side_of_item(services, wanted, picture, watch)
    vector, prepared = await embed(services, wanted.loaded, picture, watch, look=wanted.look)
    return _Side(vector, prepared, prepared.seen)


async def _side_of_item(services: Services, wanted: _Wanted, key: str, watch: Stopwatch) -> _Side:
    held = wanted.held
    if held is None:
        raise TypeError("a key without a collection")
    item = await in_searchers(services, held.collection.item, key)
    if wanted.spec.digest == held.collection.manifest.encoder.digest and not wanted.explain:
        seen = await seen_item(services, held, item, watch) if wanted.look else None
        return _Side(await in_searchers(services, held.collection.vector, item), None, seen)
    with watch.stage("decode"):
        upload = await file_of(services, held, item)
    vector, prepared = await embed(services, wanted.loaded, upload, watch, look=wanted.look)
    if prepared.seen is not None:
        # Another picture's pixels under an indexed one's name: nothing said of them would be true of the index.
        check_unchanged(prepared.seen, item.draft)
    return _Side(vector, prepared, prepared.seen)


async def _embed(services: Services, form: EmbedForm) -> EmbedAnswer:
    watch = Stopwatch(*STAGES)
    async with AsyncExitStack() as stack:
        held = None
        if form.collection is not None:
            held = await stack.enter_async_context(services.snapshots.lease(form.collection))
        with watch.stage("load"):
            encoder = await _encoder(services, form, held)
        vector, _ = await embed(services, encoder, form.image, watch, form.box)
    spec = encoder.spec
    return EmbedAnswer(
        vector=vector.tolist(),
        dimension=spec.dimension,
        encoder=spec.name,
        input_size=spec.input_size,
        encoder_digest=spec.digest,
        took_ms=watch.took_ms(),
    )
