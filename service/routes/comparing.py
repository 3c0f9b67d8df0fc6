"""``POST /compare``, ``POST /embed``, and ``/compare`` in the words of the similarity predictor's report."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request, Response

from lookalike.encoder.base import ImageEncoder
from lookalike.encoder.registry import BUNDLED
from lookalike.thresholds import Threshold, normalized
from service.answers import json_answer
from service.asking import clean, embed, file_of, in_searchers
from service.attending import attend
from service.bodies import Upload
from service.encoders import requested_encoder
from service.forms import form_schema
from service.intake import taken_in
from service.schemas import (
    CompareAnswer,
    CompareForm,
    EmbedAnswer,
    EmbedForm,
    ScoreAnswer,
    ScoreForm,
    ThresholdAnswer,
)
from service.snapshots import OpenSnapshot
from service.state import Services, Shared
from service.timing import Stopwatch

router = APIRouter(tags=["compare"])
STAGES = ("load", "decode", "encode")


@router.post("/compare", operation_id="compare", response_model=CompareAnswer, openapi_extra=form_schema(CompareForm))
async def compare(request: Request, services: Shared) -> Response:
    """How alike two pictures are: cosine score, normalised score, and whether they count as similar."""
    async with taken_in(request, services, CompareForm, pictures=2) as form:
        found = await attend(request, _compare(services, form), timeout=services.settings.request_timeout)
    services.metrics.stages(found.took_ms)
    return json_answer(found, took_ms=found.took_ms)


@router.post(
    "/cosine_similarity_score",
    operation_id="cosine_similarity_score",
    response_model=ScoreAnswer,
    openapi_extra=form_schema(ScoreForm),
)
async def cosine_similarity_score(
    request: Request,
    services: Shared,
    model_name: Annotated[str, Query(max_length=80, description="One of GET /encoders, if it is installed.")] = BUNDLED,
) -> Response:
    """``/compare`` in the words of the similarity predictor's report; its score is the normalised one."""
    async with taken_in(request, services, ScoreForm, pictures=2) as form:
        pair = CompareForm(image_a=form.image_1, image_b=form.image_2, encoder=model_name)
        found = await attend(request, _compare(services, pair), timeout=services.settings.request_timeout)
    services.metrics.stages(found.took_ms)
    words = ScoreAnswer(
        score=found.normalized_score, similar="Yes" if found.similar else "No", took=found.took_ms["total"]
    )
    return json_answer(words, took_ms=found.took_ms)


@router.post("/embed", operation_id="embed", response_model=EmbedAnswer, openapi_extra=form_schema(EmbedForm))
async def embed_picture(request: Request, services: Shared) -> Response:
    """A picture's embedding: numbers of unit length, whose inner product is the cosine score."""
    async with taken_in(request, services, EmbedForm, pictures=1) as form:
        found = await attend(request, _embed(services, form), timeout=services.settings.request_timeout)
    services.metrics.stages(found.took_ms)
    return json_answer(found, took_ms=found.took_ms)


async def _compare(services: Services, form: CompareForm) -> CompareAnswer:
    watch = Stopwatch(*STAGES)
    pictures = (form.image_a, form.image_b)
    async with AsyncExitStack() as stack:
        held = None
        if form.collection is not None or any(isinstance(picture, str) for picture in pictures):
            held = await stack.enter_async_context(services.snapshots.lease(form.collection))
        with watch.stage("load"):
            encoder = await _encoder(services, form, held)
        watches = (Stopwatch(), Stopwatch())
        first, second = await asyncio.gather(
            *(_vector(services, encoder, picture, held, own) for picture, own in zip(pictures, watches, strict=True))
        )
        watch.beside(*watches)
    score = clean(float(first @ second))
    threshold = Threshold.given(form.threshold)
    return CompareAnswer(
        score=score,
        normalized_score=clean(normalized(score)),
        similar=threshold.similar(score),
        threshold=ThresholdAnswer.of(threshold),
        encoder=encoder.spec.name,
        input_size=encoder.spec.input_size,
        took_ms=watch.took_ms(),
    )


async def _encoder(services: Services, form: CompareForm | EmbedForm, held: OpenSnapshot | None) -> ImageEncoder:
    if held is not None and form.encoder is None:
        return await held.encoder(form.input_size)
    return await services.encoders.get(requested_encoder(form.encoder or BUNDLED, form.input_size))


async def _vector(
    services: Services, encoder: ImageEncoder, picture: Upload | str, held: OpenSnapshot | None, watch: Stopwatch
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    if isinstance(picture, str):
        if held is None:
            raise TypeError("a key without a collection")
        item = await in_searchers(services, held.collection.item, picture)
        if encoder is await held.encoder():
            return await in_searchers(services, held.collection.vector, item)
        with watch.stage("decode"):
            picture = await file_of(services, held, item)
    vector, _, _ = await embed(services, encoder, picture, watch)
    return vector


async def _embed(services: Services, form: EmbedForm) -> EmbedAnswer:
    watch = Stopwatch(*STAGES)
    async with AsyncExitStack() as stack:
        held = None
        if form.collection is not None:
            held = await stack.enter_async_context(services.snapshots.lease(form.collection))
        with watch.stage("load"):
            encoder = await _encoder(services, form, held)
        vector, _, _ = await embed(services, encoder, form.image, watch, form.box)
    spec = encoder.spec
    return EmbedAnswer(
        vector=vector.tolist(),
        dimension=spec.dimension,
        encoder=spec.name,
        input_size=spec.input_size,
        encoder_digest=spec.digest,
        took_ms=watch.took_ms(),
    )
