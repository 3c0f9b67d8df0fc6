"""Keeping the process as small as what it holds."""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8
_ARENAS = 2


def few_arenas() -> None:
    """Let glibc keep two heaps for all threads instead of up to eight a core.

    Pictures are decoded in several threads, and each heap keeps the room of the largest that was ever in it. Has to
    be called before threads start; elsewhere than on glibc there is nothing to set.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
