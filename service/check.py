"""The check of a picture before it is added: which indexed pictures it is a copy of, or similar to.

A turned or mirrored copy has another vector, so the collection is searched with all eight orientations of the picture;
what is found is then compared on pixels.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.catalogue.records import ItemRecord
from lookalike.collection.hit import Hit
from lookalike.thresholds import Threshold
from lookalike.tiers import PictureIdentity, Tier, TierVerdict
from service.embedding import embed_picture, fingerprint_item
from service.http.body import Upload
from service.open_snapshot import OpenSnapshot
from service.services import Services
from service.telemetry.timing import Stopwatch

UPRIGHT_CANDIDATES, TURNED_CANDIDATES = 10, 2
"""Neighbours of the picture as it is, and of each other orientation of it, that are compared on pixels."""
_CONCURRENT_COMPARISONS = 4
_TIERS = tuple(Tier)


@dataclass(frozen=True, slots=True)
class Match:
    """An indexed item, the cosine of the orientation that found it, and the verdict on the two pictures."""

    item: ItemRecord
    score: float
    verdict: TierVerdict


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The matches, closest first; ``unread`` are keys of candidates whose files could not be compared."""

    matches: list[Match]
    unread: list[str]
    threshold: Threshold


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Check:
    """One check in one snapshot, timed by its stopwatch; ``threshold`` is normalised, None for the collection's own."""

    services: Services
    snapshot: OpenSnapshot
    upload: Upload
    threshold: float | None
    stopwatch: Stopwatch

    async def run(self) -> CheckResult:
        """The matches of the picture.

        Raises SnapshotDamagedError, EncodingError, leaves of ImageError, and the errors of ``OpenSnapshot.encoder``.
        """
        encoder = await self.snapshot.encoder()
        vector, picture = await embed_picture(
            self.services, encoder, self.upload, self.stopwatch, with_fingerprint=True
        )
        if picture.fingerprint is None:
            raise TypeError("a picture that was prepared without its fingerprint")
        with self.stopwatch.stage("encode"):
            turned = [self.services.batcher.encode(encoder, square) for square in orientations(picture.pixels)[1:]]
            vectors = np.stack([vector, *await asyncio.gather(*turned)])
        candidates = await self.services.search_in_thread(self._find_candidates, vectors)
        threshold = self.snapshot.collection.threshold(self.threshold)
        with self.stopwatch.stage("pixels"):
            semaphore = asyncio.Semaphore(_CONCURRENT_COMPARISONS)
            verdicts = await asyncio.gather(
                *(
                    self._judge(picture.fingerprint, item, threshold.similar(score), semaphore)
                    for item, score in candidates
                )
            )
        judged = list(zip(candidates, verdicts, strict=True))
        matches = [
            Match(item, score, verdict)
            for (item, score), verdict in judged
            if verdict is not None and verdict.tier is not Tier.DIFFERENT
        ]
        matches.sort(key=lambda match: (_TIERS.index(match.verdict.tier), -match.score, match.item.draft.key))
        unread = [item.draft.key for (item, _), verdict in judged if verdict is None]
        return CheckResult(matches, unread, threshold)

    def _find_candidates(self, vectors: npt.NDArray[np.float32]) -> list[tuple[ItemRecord, float]]:
        """Items to compare, with their best score over the orientations ``vectors`` (8, D)."""
        collection = self.snapshot.collection
        with self.stopwatch.stage("search"):
            neighbours = collection.neighbours(vectors, UPRIGHT_CANDIDATES)
        with self.stopwatch.stage("catalogue"):
            hits_by_orientation = collection.hits(neighbours)
            best: dict[str, Hit] = {}
            for orientation, hits in enumerate(hits_by_orientation):
                for hit in hits[: UPRIGHT_CANDIDATES if orientation == 0 else TURNED_CANDIDATES]:
                    if hit.key not in best or best[hit.key].score < hit.score:
                        best[hit.key] = hit
            return [(collection.item(key), hit.score) for key, hit in best.items()]

    async def _judge(
        self, picture: PictureIdentity, item: ItemRecord, similar: bool, semaphore: asyncio.Semaphore
    ) -> TierVerdict | None:
        async with semaphore:
            outcome = await fingerprint_item(self.services, self.snapshot, item)
            if outcome.identity is None:
                return None
            return await self.services.copy_checker.find_tier(picture, outcome.identity, similar=similar)


def orientations(square: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.uint8]]:
    """A prepared picture (S, S, 3) as it is, turned by 90, 180 and 270 degrees, and the mirror images of those."""
    turned = [np.ascontiguousarray(np.rot90(square, turns)) for turns in range(4)]
    return turned + [np.ascontiguousarray(picture[:, ::-1]) for picture in turned]
