"""How much alike two pictures are, in five tiers, the closest that holds.

    same-bytes       the files are equal
    same-pixels      the upright RGB pixels are equal: another format without loss, other metadata
    near-duplicate   one is a made copy of the other, or both of a third; decided on pixels, see ``lookalike.copies``
    similar          the encoder's score reaches the threshold
    different        none of these

Near-duplicate does not ask the encoder: a blurred copy may score below a stranger, and a copy stays one whichever
encoder is in use.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from lookalike.copies import CopyVerdict, Fingerprint, check_copy, compute_fingerprint
from lookalike.images import digest_pixels


class Tier(StrEnum):
    """From the closest to none; the values are what answers and reports say."""

    SAME_BYTES = "same-bytes"
    SAME_PIXELS = "same-pixels"
    NEAR_DUPLICATE = "near-duplicate"
    SIMILAR = "similar"
    DIFFERENT = "different"

    @property
    def is_copy(self) -> bool:
        """Whether one of two pictures of this tier can be dropped as a copy."""
        return self in (Tier.SAME_BYTES, Tier.SAME_PIXELS, Tier.NEAR_DUPLICATE)


@dataclass(frozen=True, slots=True, eq=False)
class Pictured:
    """What is kept of a picture to tell tiers: two SHA-256 in hexadecimal and its look, about 50 kB."""

    content_digest: str
    pixels_digest: str
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class TierVerdict:
    """``copy`` is what the check on pixels said; None where digests settled it."""

    tier: Tier
    copy: CopyVerdict | None


def pictured(data: bytes, decoded: npt.NDArray[np.uint8]) -> Pictured:
    """What to keep of a file's bytes and the upright (h, w, 3) uint8 RGB pixels that were decoded from them."""
    return Pictured(hashlib.sha256(data).hexdigest(), digest_pixels(decoded), compute_fingerprint(decoded))


def tier_of(first: Pictured, second: Pictured, *, similar: bool) -> Tier:
    """The closest tier that holds; ``similar`` is whether the encoder's score of the two reaches the threshold."""
    return explained_tier(first, second, similar=similar).tier


def explained_tier(first: Pictured, second: Pictured, *, similar: bool) -> TierVerdict:
    """``tier_of``, with what the check on pixels said."""
    if first.content_digest == second.content_digest:
        return TierVerdict(Tier.SAME_BYTES, None)
    if first.pixels_digest == second.pixels_digest:
        return TierVerdict(Tier.SAME_PIXELS, None)
    verdict = check_copy(first.fingerprint, second.fingerprint)
    if verdict.copy:
        return TierVerdict(Tier.NEAR_DUPLICATE, verdict)
    return TierVerdict(Tier.SIMILAR if similar else Tier.DIFFERENT, verdict)
