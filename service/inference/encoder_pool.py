"""A pool of loaded encoders: one instance of each, shared by all requests; the least recently used are released."""

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
MAX_LOADS = 8
"""Maximum number of encoders that are being loaded or queued for it."""


@dataclass(eq=False)
class _Load:
    """An encoder that is being loaded, and the number of callers that wait for it; without callers it is cancelled."""

    task: asyncio.Task[ImageEncoder]
    callers: int = 0


class EncoderPool:
    """Loads encoders in a thread of its own; all methods belong to the event loop's thread."""

    def __init__(self, encoders_dir: Path, capacity: int) -> None:
        """``capacity`` is the maximum number of encoders that stay loaded because requests named them."""
        self._folder = encoders_dir
        self._recent: LRUCache[EncoderRequest, ImageEncoder] = LRUCache(capacity)
        self._pinned: WeakValueDictionary[EncoderRequest, ImageEncoder] = WeakValueDictionary()
        self._alive: WeakValueDictionary[str, ImageEncoder] = WeakValueDictionary()
        self._loads: dict[EncoderRequest, _Load] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._pinned_thread = ThreadPoolExecutor(1, thread_name_prefix="load-pinned")

    async def get(self, request: EncoderRequest, *, pinned: bool = False) -> ImageEncoder:
        """The encoder, loaded first if it is not in the pool; concurrent requests for the same one share one load.

        ``pinned`` is for encoders of the service and its collections: they do not queue behind those that requests
        name, and stay while they are referenced. Raises the errors of ``load_encoder``, and OverloadedError if too many
        encoders are being loaded.
        """
        encoder = self._recent.get(request) or self._pinned.get(request)
        if encoder is not None:
            return encoder
        load = self._loads.get(request)
        if load is None:
            if not pinned and len(self._loads) >= MAX_LOADS:
                raise OverloadedError("too many encoders are being loaded; try again in 5 s", retry_after=5)
            load = self._loads[request] = _Load(asyncio.create_task(self._load(request, pinned=pinned)))
        load.callers += 1
        try:
            # The caller that started the load may be cancelled: the others still wait for it.
            return await asyncio.shield(load.task)
        finally:
            load.callers -= 1
            if load.callers == 0:
                load.task.cancel()
                if self._loads.get(request) is load:
                    del self._loads[request]

    def loaded_encoders(self) -> dict[str, ImageEncoder]:
        """The loaded encoders by name, those at their own input size if there are several."""
        by_name: dict[str, ImageEncoder] = {}
        for encoder in self._alive.values():
            by_name.setdefault(encoder.spec.name, encoder)
        for request, encoder in copy(self._recent).items():  # to read the cache itself would count as use
            if request.input_size is None and request.fusion is None:
                by_name[encoder.spec.name] = encoder
        return by_name

    def encoder_rows(self) -> list[EncoderRow]:
        """The encoders of the package, those that are installed, and those that can be installed. Reads the disk."""
        local_names = [*in_the_box(), *installed_names(self._folder)]
        loaded_encoders = self.loaded_encoders()
        names = [*local_names, *(encoder.name for encoder in KNOWN if encoder.name not in local_names)]
        return [self._row(name, loaded_encoders.get(name), name in local_names) for name in names]

    def threshold(self, spec: EncoderSpec, value: float | None = None) -> Threshold:
        """The score from which two pictures count as similar: ``value``, else the encoder's own. Reads the disk.

        Raises CalibrationInvalidError and CalibrationMismatchError.
        """
        return Threshold.choose(value, find_calibration(spec, self._folder))

    def close(self) -> None:
        """End the threads."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._pinned_thread.shutdown(wait=True, cancel_futures=True)

    async def _load(self, request: EncoderRequest, *, pinned: bool) -> ImageEncoder:
        thread = self._pinned_thread if pinned else self._thread
        encoder = await asyncio.get_running_loop().run_in_executor(thread, load_encoder, request, self._folder)
        # Two requests may mean the same encoder: "bundled", and "bundled" at the size that is its own.
        encoder = self._alive.setdefault(encoder.spec.digest, encoder)
        if pinned:
            self._pinned[request] = encoder
        else:
            self._recent[request] = encoder
        return encoder

    def _row(self, name: str, encoder: ImageEncoder | None, is_installed: bool) -> EncoderRow:
        return EncoderRow(
            name=name,
            installed=is_installed,
            loaded=encoder is not None,
            dimension=None if encoder is None else encoder.spec.dimension,
            input_size=None if encoder is None else encoder.spec.input_size,
            licence=self._licence(name, is_installed),
            threshold=None if encoder is None else ThresholdAnswer.of(self.threshold(encoder.spec)),
        )

    def _licence(self, name: str, is_installed: bool) -> str | None:
        """The licence of an encoder's weights, where it is recorded; None for lookalike's own encoders."""
        if name in in_the_box():
            return None
        if is_installed:
            return read_record(name, self._folder).licence
        encoder = find_known(name)
        return None if encoder is None else encoder.licence


def requested_encoder(name: str, input_size: int | None) -> EncoderRequest:
    """The encoder that a request names; a path of a file on the server is no name. Raises EncoderUnknownError."""
    if not _NAME.fullmatch(name):
        raise EncoderUnknownError(f"encoder {name[:80]!r} does not exist; GET /encoders lists them", subject="encoder")
    return EncoderRequest(name=name.removesuffix(":hub"), input_size=input_size)
