"""Pictures to vectors and fingerprints: of uploads, and of the files of indexed items."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lookalike.catalogue.records import ItemRecord
from lookalike.encoder.base import ImageEncoder, Vectors
from lookalike.errors import ImageError, SourceError
from lookalike.tiers import PictureIdentity
from service.box import WHOLE_PICTURE, Box
from service.errors import ItemChangedError, UploadError
from service.http.body import Upload
from service.http.problems import detail_of
from service.inference.decoder_pool import PreparedPicture
from service.open_snapshot import OpenSnapshot
from service.services import Services
from service.telemetry.timing import Stopwatch

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class FingerprintOutcome:
    """What identifies copies of a picture, or why its file cannot be compared; neither where that was not asked for."""

    identity: PictureIdentity | None = None
    problem: str | None = None


NO_FINGERPRINT = FingerprintOutcome()


async def embed_picture(
    services: Services,
    encoder: ImageEncoder,
    upload: Upload,
    stopwatch: Stopwatch,
    *,
    box: Box = WHOLE_PICTURE,
    with_fingerprint: bool = False,
) -> tuple[Vectors, PreparedPicture]:
    """The (D,) vector of an uploaded picture, and the prepared picture, if asked for with what tells copies of it.

    Raises UploadError for a file of a form that cannot be used, a leaf of ImageError for another, and EncodingError.
    """
    (prepared_picture,) = await _prepare(services, upload, [encoder], stopwatch, box, with_fingerprint=with_fingerprint)
    if with_fingerprint:
        stopwatch.move(prepared_picture.fingerprint_ms, "decode", "pixels")
    with stopwatch.stage("encode"):
        vector = await services.batcher.encode(encoder, prepared_picture.pixels)
    return vector, prepared_picture


async def embed_for_encoders(
    services: Services, encoders: Sequence[ImageEncoder], upload: Upload, stopwatch: Stopwatch, box: Box
) -> tuple[list[Vectors], PreparedPicture]:
    """The (D,) vector of an uploaded picture by each encoder, and the picture as the first one takes it.

    It is decoded once, and encoded once by each. Raises what ``embed_picture`` raises.
    """
    pictures = await _prepare(services, upload, encoders, stopwatch, box)
    with stopwatch.stage("encode"):
        encoding = (
            services.batcher.encode(encoder, picture.pixels)
            for encoder, picture in zip(encoders, pictures, strict=True)
        )
        return await gather_to_end(encoding), pictures[0]


async def embed_each(
    uploads: Sequence[Upload], stopwatch: Stopwatch, embed: Callable[[Upload, Stopwatch], Awaitable[T]]
) -> list[T]:
    """What ``embed`` returns for each of several uploads, concurrently; raises what ``gather_to_end`` does."""
    stopwatches = [Stopwatch() for _ in uploads]
    try:
        return await gather_to_end(map(embed, uploads, stopwatches))
    finally:
        stopwatch.merge_concurrent(*stopwatches)


async def gather_to_end(work: Iterable[Awaitable[T]]) -> list[T]:
    """The results of concurrent work, or its first error: that is raised once all has ended, so that none goes on."""
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    results: list[T] = []
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        results.append(outcome)
    return results


async def _prepare(
    services: Services,
    upload: Upload,
    encoders: Sequence[ImageEncoder],
    stopwatch: Stopwatch,
    box: Box,
    *,
    with_fingerprint: bool = False,
) -> list[PreparedPicture]:
    try:
        with stopwatch.stage("decode"), services.batcher.announce():
            return await services.decoder_pool.prepare(upload, encoders, box, with_fingerprint=with_fingerprint)
    except ImageError as error:
        if not upload.field:
            raise
        raise UploadError(upload.field, error) from error


async def read_item_picture(services: Services, snapshot: OpenSnapshot, item: ItemRecord) -> Upload:
    """An indexed item's file; raises a leaf of SourceError if it can no longer be read."""
    source = await snapshot.source()
    data = await services.decoder_pool.read(source, item.draft.location, snapshot.collection.limits.max_bytes)
    return Upload.of(item.draft.key, data)


async def fingerprint_item(services: Services, snapshot: OpenSnapshot, item: ItemRecord) -> FingerprintOutcome:
    """What identifies copies of an indexed picture, or why its file cannot be compared."""
    try:
        source = await snapshot.source()
        return FingerprintOutcome(
            await services.copy_checker.fingerprint_item(source, item.draft, snapshot.collection.limits)
        )
    except (SourceError, ImageError, ItemChangedError) as error:
        return FingerprintOutcome(problem=detail_of(error))
