"""Whether one picture was made from another, decided on pixels; the only importer of OpenCV.

    fingerprint ─▶ alignment: maps of one picture to the other ─▶ agreement: how well do they match ─▶ verdict
                                                      └─▶ difference: where do they show something else
                                                          provenance: which one may have been made of the other

A copy is the same photograph after a change of format, size, brightness, sharpness or colour to grey, cropped, with a
border, partly written over, mirrored or turned. Another photograph of the same thing is no copy. An embedding's score
cannot tell the two apart; a comparison of aligned pixels can.
"""

from lookalike.copies.difference import Difference
from lookalike.copies.fingerprint import Fingerprint, compute_fingerprint, is_plain_picture
from lookalike.copies.likeness import Likeness
from lookalike.copies.provenance import FinestDetail, find_doubt, read_finest_detail
from lookalike.copies.verdict import CopyVerdict, Extent, can_be_copies, check_copy

__all__ = [
    "CopyVerdict",
    "Difference",
    "Extent",
    "FinestDetail",
    "Fingerprint",
    "Likeness",
    "can_be_copies",
    "check_copy",
    "compute_fingerprint",
    "find_doubt",
    "is_plain_picture",
    "read_finest_detail",
]
