"""Keeping the process as small as what it holds."""

from __future__ import annotations

import ctypes
import gc

_M_ARENA_MAX = -8
_ARENAS = 2
_YOUNG = 10_000


def few_arenas() -> None:
    """Let glibc keep two heaps for all threads instead of up to eight a core.

    Pictures are decoded in several threads, and each heap keeps the room of the largest that was ever in it. Has to
    be called before threads start; elsewhere than on glibc there is nothing to set.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)


def few_collections() -> None:
    """Let Python's garbage collector leave what is loaded alone, and come by less often.

    By itself it went through all modules every few hundred requests, which was an eighth of the time of a search by
    key. Has to be called when all is imported. What requests make is given back without it, cycles aside.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG)
