"""How similar two pictures are, in five tiers; the closest that applies.

    same-bytes       the files are equal
    same-pixels      all upright pixels are equal, of every frame and page: another format without loss, other metadata
    near-duplicate   one is a made copy of the other, or both of a third; decided on pixels, see ``lookalike.copies``
    similar          the encoder's score reaches the threshold, and neither picture is plain
    different        none of these

Near-duplicates are found without the encoder: a blurred copy may score below an unrelated picture, and a copy is one
whichever encoder is in use. A plain picture, of one colour, shows nothing that a score could be of: all of them score
high with each other, so they are similar to none.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from lookalike.copies import CopyVerdict, Difference, Fingerprint, can_be_copies, check_copy, compute_fingerprint
from lookalike.images import digest_file

COPY_PROBLEM = "decided on pixels, whatever the score is"
PLAIN_PROBLEM = "a picture of one colour shows nothing that a score could tell by"
"""Why a score has no say: ``TierVerdict.score_problem``."""


SAME_FIRST_FRAMES = "their first frames or pages are equal, others differ"
SAME_LOOK = "they look the same, but transparent pixels or finer levels differ"
"""Why both of two pictures are kept that look the same and are not."""


class Tier(StrEnum):
    """From the closest to none; the values are those in responses and reports."""

    SAME_BYTES = "same-bytes"
    SAME_PIXELS = "same-pixels"
    NEAR_DUPLICATE = "near-duplicate"
    SIMILAR = "similar"
    DIFFERENT = "different"

    @property
    def is_copy(self) -> bool:
        """Whether one of two pictures of this tier is a copy of the other, or both of a third."""
        return self in (Tier.SAME_BYTES, Tier.SAME_PIXELS, Tier.NEAR_DUPLICATE)


@dataclass(frozen=True, slots=True, eq=False)
class PictureIdentity:
    """What tiers are decided on: three SHA-256 digests in hexadecimal and a pixel fingerprint, about 50 kB.

    ``pixels_digest`` is over all of a file: every frame and page, opacity and what it hides, all bits. The fingerprint
    and ``shown_digest`` are those of the upright RGB pixels that are shown. ``frames`` is the number of frames or
    pages: where there are several and ``shown_digest`` alone is equal, the first frames agree and others differ.
    """

    content_digest: str
    pixels_digest: str
    fingerprint: Fingerprint
    shown_digest: str
    frames: int = 1

    def outline(self) -> PictureIdentity:
        """The same with no more of the fingerprint than rules copies out: about a tenth of its bytes."""
        return replace(self, fingerprint=self.fingerprint.outline())


@dataclass(frozen=True, slots=True)
class TierVerdict:
    """``copy_verdict`` is the result of the check on pixels; None if the digests are equal.

    ``keep_both`` says why neither may be dropped for the other although they are copies; None if one may.
    ``score_problem`` says why the encoder's score has no say, and so no confidence; None where the score decides.
    """

    tier: Tier
    copy_verdict: CopyVerdict | None
    keep_both: str | None = None
    score_problem: str | None = None

    @property
    def differs_at(self) -> tuple[Difference, ...]:
        """Places where two copies show something else, the largest first."""
        return () if self.copy_verdict is None else self.copy_verdict.differs_at

    @property
    def is_redundant(self) -> bool:
        """Whether one of the two shows nothing that the other does not, and can be dropped."""
        return self.tier.is_copy and self.keep_both is None


def identify_picture(data: bytes, pixels: npt.NDArray[np.uint8]) -> PictureIdentity:
    """The identity of a file from its bytes and its upright (h, w, 3) uint8 RGB pixels at full resolution.

    Without a file, as for a part of a picture, ``data`` is empty, and the pixels are all there is.
    """
    digest = digest_file(data, pixels)
    return PictureIdentity(
        hashlib.sha256(data).hexdigest(),
        digest.pixels_digest,
        compute_fingerprint(pixels),
        digest.shown_digest,
        digest.frames,
    )


def tier_of(first: PictureIdentity, second: PictureIdentity, *, similar: bool) -> Tier:
    """The closest tier that applies; ``similar`` is whether the encoder's score of the two reaches the threshold."""
    return judge_tier(first, second, similar=similar).tier


def can_be_copies_at_all(first: PictureIdentity, second: PictureIdentity) -> bool:
    """Whether ``judge_tier`` may call them copies, by digests and the outlines of their fingerprints."""
    digests = ((first.pixels_digest, second.pixels_digest), (first.shown_digest, second.shown_digest))
    return any(one == other for one, other in digests) or can_be_copies(first.fingerprint, second.fingerprint)


def judge_tier(
    first: PictureIdentity, second: PictureIdentity, *, similar: bool, most_places: int | None = None
) -> TierVerdict:
    """``tier_of``, with the verdict of the check on pixels, which looks for ``most_places`` that differ, or for all."""
    if first.content_digest == second.content_digest:
        return TierVerdict(Tier.SAME_BYTES, None, score_problem=COPY_PROBLEM)
    if first.pixels_digest == second.pixels_digest:
        return TierVerdict(Tier.SAME_PIXELS, None, score_problem=COPY_PROBLEM)
    has_frames = first.frames > 1 or second.frames > 1
    if first.shown_digest == second.shown_digest:
        keep_both = SAME_FIRST_FRAMES if has_frames else SAME_LOOK
        return TierVerdict(Tier.NEAR_DUPLICATE, None, keep_both, score_problem=COPY_PROBLEM)
    verdict = check_copy(first.fingerprint, second.fingerprint, most_places=most_places)
    if verdict.is_copy:
        return TierVerdict(
            Tier.NEAR_DUPLICATE, verdict, _reason_to_keep_both(verdict, has_frames), score_problem=COPY_PROBLEM
        )
    if first.fingerprint.is_plain or second.fingerprint.is_plain:
        return TierVerdict(Tier.DIFFERENT, verdict, score_problem=PLAIN_PROBLEM)
    return TierVerdict(Tier.SIMILAR if similar else Tier.DIFFERENT, verdict)


def _reason_to_keep_both(verdict: CopyVerdict, has_frames: bool) -> str | None:
    """Why neither of two copies may be dropped; ``has_frames`` is whether one has several frames or pages."""
    if verdict.differs_at:
        count = len(verdict.differs_at)
        return f"they differ in {count} {'place' if count == 1 else 'places'}"
    return "their first frames or pages agree, others differ" if has_frames else None
