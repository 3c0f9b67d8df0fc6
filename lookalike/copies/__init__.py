"""Whether one picture is a made copy of another, decided on pixels; the one importer of OpenCV.

    look ─▶ alignment: where would the one lie on the other? ─▶ agreement: do they agree there? ─▶ verdict

A copy is the same photograph after a change of format, size, light, focus or colour to grey, cut, bordered, written
over in part, mirrored or turned. Another photograph of the same thing is none. An embedding's score cannot tell the
two apart; pixels that are laid upon each other can.
"""

from lookalike.copies.fingerprint import Fingerprint, compute_fingerprint
from lookalike.copies.verdict import CopyVerdict, check_copy

__all__ = ["CopyVerdict", "Fingerprint", "check_copy", "compute_fingerprint"]
