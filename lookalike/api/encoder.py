"""An encoder ready to use: pictures in, vectors, scores, verdicts and explanations out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from lookalike.api.pictures import Image, OpenPicture, check_many, open_picture
from lookalike.copies import Difference
from lookalike.encoder.base import RGB, ImageEncoder, Vectors
from lookalike.encoder.embed import encode_pictures
from lookalike.encoder.spec import EncoderSpec
from lookalike.encoder.tags import MIN_CONFIDENCE, Tag, require_head
from lookalike.errors import EncoderOptionsError
from lookalike.explanation import Explanation, explain
from lookalike.images import decode
from lookalike.options import EncoderRequest, ImageLimits, Places
from lookalike.short_repr import ShortRepr
from lookalike.thresholds import Threshold
from lookalike.tiers import Tier, identify_picture, judge_tier
from lookalike.wiring import default_encoder, find_calibration, load_encoder


@dataclass(frozen=True, slots=True, repr=False)
class Judgement(ShortRepr):
    """What can be said of two pictures: the cosine ``score``, whether they are ``similar``, and how closely (``tier``).

    Copies are similar whatever their score, and a picture of one colour is similar to none. ``confidence`` is the
    share of pairs with this score that show the same thing, not of how sure the verdict is. It is None if the
    encoder's scores are not calibrated, and where ``score_problem`` says why the score has no say. Of copies,
    ``keep_both`` says why neither can be dropped for the other (None if one can), and ``differs_at`` are the places
    in which they show something else, the largest first.
    """

    score: float
    threshold: Threshold
    similar: bool
    confidence: float | None
    tier: Tier
    score_problem: str | None = None
    keep_both: str | None = None
    differs_at: tuple[Difference, ...] = ()


class Encoder:
    """Turns pictures into embeddings whose inner product is their cosine score."""

    def __init__(
        self, port: ImageEncoder, *, encoders_dir: Path | None = None, limits: ImageLimits | None = None
    ) -> None:
        self._port = port
        self._encoders_dir = encoders_dir
        self._limits = limits or ImageLimits()

    def __repr__(self) -> str:
        spec = self.spec
        return (
            f"Encoder({spec.name!r}, {spec.dimension} numbers, {spec.input_size} px, {self.runtime.partition(',')[0]})"
        )

    @classmethod
    def load(
        cls,
        name: str | None = None,
        *,
        fusion: str | None = None,
        input_size: int | None = None,
        encoders_dir: str | os.PathLike[str] | None = None,
        limits: ImageLimits | None = None,
    ) -> Self:
        """An encoder by name: ``bundled``, ``resnet50:hub``, or ``resnet18:/path/weights.safetensors``.

        Without one it is the encoder in the box: ``bundled-int8``, or ``bundled`` at another fusion or size.

        ``fusion`` (``mean``, ``concat``, ``last``, ``moments``) and ``input_size`` (pixels) replace the encoder's own.
        ``encoders_dir`` is where ``python -m indexer encoders install`` put hub weights. Raises EncoderUnknownError,
        EncoderNotInstalledError, EncoderOptionsError and WeightsInvalidError.
        """
        request = EncoderRequest(name=name or default_encoder(fusion, input_size), fusion=fusion, input_size=input_size)
        places = Places(Path(), encoders=None if encoders_dir is None else Path(encoders_dir))
        return cls(load_encoder(request, places.encoders_dir), encoders_dir=places.encoders_dir, limits=limits)

    @property
    def spec(self) -> EncoderSpec:
        """What a vector of this encoder means."""
        return self._port.spec

    @property
    def runtime(self) -> str:
        """What runs the network, in words."""
        return self._port.runtime

    def encode(self, images: Iterable[Image], *, batch_size: int = 32) -> Vectors:
        """(n, D) float32 of unit length, for a list of paths, bytes of files, or upright (h, w, 3) RGB uint8 arrays.

        Raises a leaf of ImageError that names the picture, EntryMissingError, EntryUnreadableError,
        VectorsInvalidError for one picture in place of a list and for what is no picture, or EncoderOptionsError for a
        ``batch_size`` below 1.
        """
        if batch_size < 1:
            raise EncoderOptionsError(f"batch_size must be at least 1, got {batch_size}", subject="batch_size")
        return encode_pictures(self._port, (self.pixels(image) for image in check_many(images)), batch_size)

    def tags(self, image: Image, *, min_confidence: float = MIN_CONFIDENCE) -> list[Tag]:
        """Words for what a picture shows, from the most specific to the most general; none where nothing is sure.

        A word is right in at least ``min_confidence`` of the cases. Raises TagsUnavailableError for an encoder without
        words, EncoderOptionsError for a confidence outside 0 to 1, and what ``encode`` raises.
        """
        if not 0.0 <= min_confidence <= 1.0:
            raise EncoderOptionsError(
                f"min_confidence must be from 0 to 1, got {min_confidence}", subject="min_confidence"
            )
        head = require_head(self.spec)
        return head.tags(self.encode([image]), min_confidence)[0]

    def compare(self, first: Image, second: Image) -> float:
        """The cosine score of two pictures, in [-1, 1]."""
        vectors = self.encode([first, second])
        return float(np.clip(vectors[0] @ vectors[1], -1.0, 1.0))

    def threshold(self, value: float | None = None) -> Threshold:
        """From which normalised score on two pictures are similar: ``value``, or else the encoder's calibrated one.

        Without either it is the default, and its ``source`` says so. Raises CalibrationInvalidError and
        CalibrationMismatchError.
        """
        encoders_dir = self._encoders_dir or Places(Path()).encoders_dir
        return Threshold.choose(value, find_calibration(self.spec, encoders_dir))

    def judge(self, first: Image, second: Image, *, threshold: float | None = None) -> Judgement:
        """Score, verdict and tier of two pictures; ``threshold`` as in the method of that name.

        Arrays have no bytes of a file, so two that are equal have the same bytes.
        """
        limit = self.threshold(threshold)
        pair = [self._open(image) for image in (first, second)]
        score = self.compare(pair[0].pixels, pair[1].pixels)
        identities = [identify_picture(picture.data, self._all_pixels(picture)) for picture in pair]
        verdict = judge_tier(identities[0], identities[1], similar=limit.similar(score))
        confidence = limit.confidence(score) if verdict.score_problem is None else None
        is_similar = verdict.tier is not Tier.DIFFERENT
        return Judgement(
            score,
            limit,
            is_similar,
            confidence,
            verdict.tier,
            verdict.score_problem,
            verdict.keep_both,
            verdict.differs_at,
        )

    def explain(self, first: Image, second: Image) -> Explanation:
        """Why the two have the score that they have: by part of the encoder, and by place in either picture."""
        return explain(self._port, self.pixels(first), self.pixels(second))

    def pixels(self, image: Image) -> RGB:
        """The upright pixels (h, w, 3) uint8 that the encoder is given for a picture; fewer than a large file has."""
        return self._open(image).pixels

    def prepare(self, image: Image) -> RGB:
        """The square (S, S, 3) uint8 that the network sees of a picture, S ``spec.input_size``; errors as ``encode``.

        Exported networks take a batch of these.
        """
        return self._port.prepare(self.pixels(image))

    def _open(self, image: Image) -> OpenPicture:
        return open_picture(image, self._limits, self.spec.decode_side)

    def _all_pixels(self, picture: OpenPicture) -> RGB:
        if picture.whole:
            return picture.pixels
        return decode(picture.data, limits=self._limits, name=picture.name).pixels
