"""Encoders that are loaded: one of each, shared by all who need it, the last few kept."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from cachetools import LRUCache

from lookalike.encoder.base import ImageEncoder
from lookalike.encoder.int8.artifact import in_the_box
from lookalike.encoder.registry import KNOWN, find_known
from lookalike.encoder.spec import EncoderSpec
from lookalike.encoder.weights.installed import installed_names, read_record
from lookalike.errors import EncoderUnknownError
from lookalike.options import EncoderRequest
from lookalike.thresholds import Threshold
from lookalike.wiring import find_calibration, load_encoder
from service.errors import OverloadedError
from service.schemas.responses import EncoderRow
from service.schemas.search_responses import ThresholdAnswer

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}(:hub)?")
MOST_LOADING = 8
"""How many encoders may be loaded or wait for it at once."""


@dataclass(eq=False)
class _Loading:
    """An encoder on its way, and how many wait for it: one that nobody waits for is not loaded."""

    task: asyncio.Task[ImageEncoder]
    waiting: int = 0


class EncoderPool:
    """Loads encoders in a thread of its own; all methods belong to the event loop's thread."""

    def __init__(self, encoders_dir: Path, kept: int) -> None:
        """``kept`` is how many stay of those that clients have asked for."""
        self._folder = encoders_dir
        self._recent: LRUCache[EncoderRequest, ImageEncoder] = LRUCache(kept)
        self._own: WeakValueDictionary[EncoderRequest, ImageEncoder] = WeakValueDictionary()
        self._alive: WeakValueDictionary[str, ImageEncoder] = WeakValueDictionary()
        self._loading: dict[EncoderRequest, _Loading] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._own_thread = ThreadPoolExecutor(1, thread_name_prefix="load-own")

    async def get(self, request: EncoderRequest, *, own: bool = False) -> ImageEncoder:
        """The encoder, loaded now if it is not; who asks for the same meanwhile waits for the same loading.

        ``own`` is for what the service needs itself: it does not queue behind what clients ask for, and stays as long
        as somebody holds it. Raises the errors of ``load_encoder``, and OverloadedError if too many wait already.
        """
        encoder = self._recent.get(request) or self._own.get(request)
        if encoder is not None:
            return encoder
        loading = self._loading.get(request)
        if loading is None:
            if not own and len(self._loading) >= MOST_LOADING:
                raise OverloadedError("too many encoders are being loaded; try again in 5 s", retry_after=5)
            loading = self._loading[request] = _Loading(asyncio.create_task(self._load(request, own=own)))
        loading.waiting += 1
        try:
            # Whoever asked first may leave: the others still wait for the loading.
            return await asyncio.shield(loading.task)
        finally:
            loading.waiting -= 1
            if loading.waiting == 0:
                loading.task.cancel()
                if self._loading.get(request) is loading:
                    del self._loading[request]

    def loaded_encoders(self) -> dict[str, ImageEncoder]:
        """The loaded encoders by name, those at their own input size if there are several."""
        by_name: dict[str, ImageEncoder] = {}
        for encoder in self._alive.values():
            by_name.setdefault(encoder.spec.name, encoder)
        for request, encoder in copy(self._recent).items():  # a look at the cache itself would count as use
            if request.input_size is None and request.fusion is None:
                by_name[encoder.spec.name] = encoder
        return by_name

    def rows(self) -> list[EncoderRow]:
        """What there is to choose from: in the box, installed, and what could be installed. Reads the disk."""
        installed = installed_names(self._folder)
        loaded = self.loaded_encoders()
        names = [*in_the_box(), *installed, *(known.name for known in KNOWN if known.name not in installed)]
        return [self._row(name, loaded.get(name), name in in_the_box() or name in installed) for name in names]

    def threshold(self, spec: EncoderSpec, given: float | None = None) -> Threshold:
        """From which score on two pictures are similar to an encoder; ``given`` goes before its own. Reads the disk.

        Raises CalibrationInvalidError and CalibrationMismatchError.
        """
        return Threshold.choose(given, find_calibration(spec, self._folder))

    def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._own_thread.shutdown(wait=True, cancel_futures=True)

    async def _load(self, request: EncoderRequest, *, own: bool) -> ImageEncoder:
        thread = self._own_thread if own else self._thread
        encoder = await asyncio.get_running_loop().run_in_executor(thread, load_encoder, request, self._folder)
        # Two requests may mean the same encoder: "bundled", and "bundled" at the size that is its own.
        encoder = self._alive.setdefault(encoder.spec.digest, encoder)
        if own:
            self._own[request] = encoder
        else:
            self._recent[request] = encoder
        return encoder

    def _row(self, name: str, encoder: ImageEncoder | None, installed: bool) -> EncoderRow:
        return EncoderRow(
            name=name,
            installed=installed,
            loaded=encoder is not None,
            dimension=None if encoder is None else encoder.spec.dimension,
            input_size=None if encoder is None else encoder.spec.input_size,
            licence=self._licence(name, installed),
            threshold=None if encoder is None else ThresholdAnswer.of(self.threshold(encoder.spec)),
        )

    def _licence(self, name: str, installed: bool) -> str | None:
        """The licence of an encoder's weights, where it is recorded; what ships with lookalike has lookalike's own."""
        if name in in_the_box():
            return None
        if installed:
            return read_record(name, self._folder).licence
        known = find_known(name)
        return None if known is None else known.licence


def requested_encoder(name: str, input_size: int | None) -> EncoderRequest:
    """What a request means by an encoder's name; files of the server cannot be named. Raises EncoderUnknownError."""
    if not _NAME.fullmatch(name):
        raise EncoderUnknownError(f"encoder {name[:80]!r} does not exist; GET /encoders lists them", subject="encoder")
    return EncoderRequest(name=name.removesuffix(":hub"), input_size=input_size)
