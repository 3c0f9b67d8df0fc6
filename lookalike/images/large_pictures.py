"""Large pictures are decoded one at a time, so that memory does not grow with the number of threads.

A decoder holds up to 20 bytes a pixel while it works, the pixels that remain have 3.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

LARGE_PIXELS = 25_000_000
"""Pixels above which a picture waits for its turn; most cameras and phones make fewer."""

_turn = threading.RLock()


@contextmanager
def turn_if_large(pixels: int) -> Iterator[None]:
    """Hold the turn while a picture that is decoded to so many pixels is being decoded."""
    if pixels <= LARGE_PIXELS:
        yield
        return
    with _turn:
        yield
