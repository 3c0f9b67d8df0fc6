"""One comparison of two pictures, uploaded or indexed: their score, their tier, and what the score is made of."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.encoder.base import Evidence, ImageEncoder
from lookalike.encoder.spec import EncoderSpec
from lookalike.explanation import Explanation, explanation_of
from lookalike.thresholds import Threshold
from lookalike.tiers import PLAIN_PROBLEM
from lookalike.wiring import default_encoder
from service.embedding import (
    NO_FINGERPRINT,
    FingerprintOutcome,
    embed_picture,
    fingerprint_item,
    read_item_picture,
)
from service.http.body import Upload
from service.inference.copy_checker import check_unchanged
from service.inference.decoder_pool import PreparedPicture
from service.inference.encoder_pool import requested_encoder
from service.open_snapshot import OpenSnapshot
from service.schemas.requests import CompareForm, EmbedForm, TagsForm
from service.scores import TierOutcome, round_score
from service.services import Services
from service.telemetry.timing import Stopwatch


@dataclass(frozen=True, slots=True, eq=False)
class ComparedPicture:
    """One of two pictures: its vector (D,); ``prepared_picture`` is None where the vector is the stored one."""

    vector: npt.NDArray[np.float32]
    prepared_picture: PreparedPicture | None
    fingerprint: FingerprintOutcome


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPair:
    """Two pictures with their cosine score; ``encoder`` is None where two stored vectors were compared."""

    spec: EncoderSpec
    encoder: ImageEncoder | None
    pictures: tuple[ComparedPicture, ComparedPicture]
    score: float
    threshold: Threshold

    @property
    def is_plain(self) -> bool:
        """Whether a picture that was prepared is of one colour."""
        return any(
            picture.prepared_picture is not None and picture.prepared_picture.is_plain for picture in self.pictures
        )


@dataclass(frozen=True, slots=True, eq=False)
class _VectorSource:
    """Where the vectors come from: the ``snapshot``, for pictures by key, and the ``encoder`` of this ``spec``.

    ``encoder`` is None where both vectors are stored.
    """

    spec: EncoderSpec
    encoder: ImageEncoder | None
    snapshot: OpenSnapshot | None

    def loaded_encoder(self) -> ImageEncoder:
        """The encoder, for a picture that has to be encoded."""
        if self.encoder is None:
            raise TypeError("a picture to encode without an encoder")
        return self.encoder


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Comparison:
    """One comparison, timed by its stopwatch; ``with_fingerprints`` prepares ``decide_tier``."""

    services: Services
    form: CompareForm
    stopwatch: Stopwatch
    with_fingerprints: bool

    async def score(self) -> ScoredPair:
        """The pair's score.

        Raises leaves of ImageError, EncoderError, CollectionError and SourceError, ItemChangedError and EncodingError.
        """
        form = self.form
        async with AsyncExitStack() as stack:
            snapshot = None
            if form.collection is not None or isinstance(form.image_a, str) or isinstance(form.image_b, str):
                snapshot = await stack.enter_async_context(self.services.snapshots.lease(form.collection))
            source = await self._vector_source(snapshot)
            stopwatches = (Stopwatch(), Stopwatch())
            first, second = await asyncio.gather(
                self._embed(source, form.image_a, stopwatches[0]), self._embed(source, form.image_b, stopwatches[1])
            )
            self.stopwatch.merge_concurrent(*stopwatches)
            threshold = await self._threshold(source)
        score = round_score(float(first.vector @ second.vector))
        return ScoredPair(source.spec, source.encoder, (first, second), score, threshold)

    async def decide_tier(self, pair: ScoredPair) -> TierOutcome:
        """The pair's tier, or the reasons why it cannot be decided."""
        first, second = (picture.fingerprint for picture in pair.pictures)
        if first.identity is not None and second.identity is not None:
            with self.stopwatch.stage("pixels"):
                similar = pair.threshold.similar(pair.score)
                return TierOutcome.of(
                    await self.services.copy_checker.find_tier(first.identity, second.identity, similar=similar)
                )
        problem = "; ".join(side.problem for side in (first, second) if side.problem is not None)
        return TierOutcome(problem=problem, score_problem=PLAIN_PROBLEM if pair.is_plain else None)

    async def explain(self, pair: ScoredPair) -> Explanation:
        """What the pair's score is made of, by part of the encoder and by place; raises EncodingError."""
        first, second = (picture.prepared_picture for picture in pair.pictures)
        if first is None or second is None or pair.encoder is None:
            raise TypeError("a picture to explain that was not prepared")
        with self.stopwatch.stage("explain"):
            evidence: Evidence = await self.services.batcher.explain(pair.encoder, first.pixels, second.pixels)
            sizes = ((first.height, first.width), (second.height, second.width))
            return await self.services.search_in_thread(explanation_of, evidence, pair.spec, *sizes)

    async def _vector_source(self, snapshot: OpenSnapshot | None) -> _VectorSource:
        if snapshot is not None and self._needs_no_encoder():
            return _VectorSource(snapshot.collection.manifest.encoder, None, snapshot)
        with self.stopwatch.stage("load"):
            encoder = await load_requested_encoder(self.services, self.form, snapshot)
        return _VectorSource(encoder.spec, encoder, snapshot)

    def _needs_no_encoder(self) -> bool:
        """Whether two indexed pictures are compared by their stored vectors."""
        form = self.form
        by_key = isinstance(form.image_a, str) and isinstance(form.image_b, str)
        return by_key and form.encoder is None and form.input_size is None and not form.explain

    async def _threshold(self, source: _VectorSource) -> Threshold:
        """The collection's threshold if the encoder is the collection's, else the encoder's own."""
        snapshot, spec, request_threshold = source.snapshot, source.spec, self.form.threshold
        if snapshot is not None and spec.digest == snapshot.collection.manifest.encoder.digest:
            return snapshot.collection.threshold(request_threshold)
        return await self.services.search_in_thread(self.services.encoders.threshold, spec, request_threshold)

    async def _embed(self, source: _VectorSource, picture: Upload | str, stopwatch: Stopwatch) -> ComparedPicture:
        if isinstance(picture, str):
            return await self._embed_item(source, picture, stopwatch)
        vector, prepared_picture = await embed_picture(
            self.services, source.loaded_encoder(), picture, stopwatch, with_fingerprint=self.with_fingerprints
        )
        return ComparedPicture(vector, prepared_picture, FingerprintOutcome(prepared_picture.fingerprint))

    async def _embed_item(self, source: _VectorSource, key: str, stopwatch: Stopwatch) -> ComparedPicture:
        services, snapshot = self.services, source.snapshot
        if snapshot is None:
            raise TypeError("a key without a collection")
        item = await services.search_in_thread(snapshot.collection.item, key)
        if source.spec.digest == snapshot.collection.manifest.encoder.digest and not self.form.explain:
            fingerprint = NO_FINGERPRINT
            if self.with_fingerprints:
                with stopwatch.stage("pixels"):
                    fingerprint = await fingerprint_item(services, snapshot, item)
            vector = await services.search_in_thread(snapshot.collection.vector, item)
            return ComparedPicture(vector, None, fingerprint)
        with stopwatch.stage("decode"):
            upload = await read_item_picture(services, snapshot, item)
        vector, prepared_picture = await embed_picture(
            services, source.loaded_encoder(), upload, stopwatch, with_fingerprint=self.with_fingerprints
        )
        if prepared_picture.fingerprint is not None:
            # A response about another picture's pixels under an indexed key would not be true of the index.
            check_unchanged(prepared_picture.fingerprint, item.draft)
        return ComparedPicture(vector, prepared_picture, FingerprintOutcome(prepared_picture.fingerprint))


async def load_requested_encoder(
    services: Services, form: CompareForm | EmbedForm | TagsForm, snapshot: OpenSnapshot | None
) -> ImageEncoder:
    """The encoder that a form names, else the collection's, else the default one.

    Raises the errors of ``requested_encoder``, ``EncoderPool.get`` and ``OpenSnapshot.encoder``.
    """
    if snapshot is not None and form.encoder is None:
        return await snapshot.encoder(form.input_size)
    name = form.encoder or default_encoder(input_size=form.input_size)
    return await services.encoders.get(requested_encoder(name, form.input_size))
