"""One open snapshot of a collection: its index, its rows, and the encoder of its vectors, if that is available."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace

from cachetools import LRUCache

from lookalike.api import Collection
from lookalike.calibration import Calibration
from lookalike.collection.encoder_check import describe_encoder
from lookalike.collection.index_command import reencode_command
from lookalike.collection.refinement import StackKind
from lookalike.collection.searcher import Searcher
from lookalike.collection.stacks import Stacks
from lookalike.duplicates.review import ReportCache
from lookalike.duplicates.stacks import StackCache
from lookalike.encoder.base import ImageEncoder
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import EncoderError, EncoderMismatchError
from lookalike.options import EncoderRequest
from lookalike.sources.base import Source
from lookalike.wiring import open_origin
from service.collection_map import MapCache
from service.http.problems import detail_of
from service.http.responses import ResponseCache
from service.inference.encoder_pool import EncoderPool
from service.page_cache import PageCache
from service.schemas.responses import PictureProblem

_LOG = logging.getLogger(__name__)
_EARLIER_STATES = 4
"""A state holds the vectors of all items that were changed since the snapshot."""


@dataclass(eq=False)
class OpenSnapshot:
    """A collection at one snapshot, with its calibration, its caches and the number of its leases.

    Where the encoder that made its vectors is not available, ``encoder_problem`` says why, in words for clients;
    requests that need no encoder are still answered.
    """

    collection: Collection
    encoders: EncoderPool
    calibration: Calibration | None = None
    response_cache: ResponseCache = field(default_factory=ResponseCache)
    page_cache: PageCache = field(default_factory=PageCache)
    report_cache: ReportCache = field(default_factory=ReportCache)
    stack_cache: StackCache = field(default_factory=StackCache)
    map_cache: MapCache = field(default_factory=MapCache)
    leases: int = 0
    is_retired: bool = False
    encoder_problem: EncoderError | None = None
    _earlier: LRUCache[int, Collection] = field(default_factory=lambda: LRUCache(_EARLIER_STATES))
    _encoder: ImageEncoder | None = None
    _mismatch: str = ""
    _source: Source | None = None
    _source_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def name(self) -> str:
        """The collection's name."""
        return self.collection.manifest.collection

    @property
    def searcher(self) -> Searcher:
        """The collection's read side, which knows what it can answer without the catalogue."""
        return self.collection.searcher

    @property
    def generation(self) -> int:
        """The snapshot's number."""
        return self.collection.manifest.generation

    def stacks(self, kind: StackKind, searcher: Searcher) -> Stacks:
        """The stacks of a state of the collection; for search threads. Raises FilterInvalidError."""
        return self.stack_cache.stacks(self.collection.layout.root, searcher, kind)

    async def at_change(self, change: int) -> Collection | None:
        """The collection as it was after this live change; None if that can no longer be said.

        States that were asked for last stay in memory, for all pages of a search.
        """
        current = self.collection
        if change == current.change:
            return current
        earlier: Collection | None = self._earlier.get(change)
        if earlier is None:
            earlier = await asyncio.to_thread(current.at_change, change)
            if earlier is not None:
                self._earlier[change] = earlier
        return earlier

    async def encoder(self, input_size: int | None = None) -> ImageEncoder:
        """The encoder that made the vectors; with ``input_size`` the same at another input size, not for searching.

        Raises ``encoder_problem``, EncoderOptionsError and the errors of loading.
        """
        if self.encoder_problem is not None:
            # Without this it would reference the frames of every request that it was ever raised in.
            raise self.encoder_problem.with_traceback(None)
        encoder = self._encoder or await self.load_encoder()
        return encoder if input_size is None else await self.encoders.get(replace(self._request, input_size=input_size))

    async def load_encoder(self) -> ImageEncoder:
        """Load the encoder if it is not loaded; sets and raises ``encoder_problem`` if it does not fit the vectors."""
        previous = self.encoder_problem
        try:
            encoder = await self.encoders.get(self._request, pinned=True)
            self._mismatch = _mismatch(self.collection.manifest.encoder, encoder.spec)
            self.collection.check_encoder(encoder.spec)
        except EncoderError as error:
            if previous is None or previous.code != error.code:
                _LOG.error("encoder refused", extra={"collection": self.name, "code": error.code, "why": error.message})
            self.encoder_problem = self._public(error)
            raise self.encoder_problem from error
        self._encoder, self.encoder_problem = encoder, None
        return encoder

    def refuse_as_newest(self) -> None:
        """Raise ``encoder_problem``, if there is one, in words for a snapshot that does not become current for it."""
        if isinstance(self.encoder_problem, EncoderMismatchError):
            raise EncoderMismatchError(
                f"snapshot {self.generation} of the collection {self.name!r} {self._mismatch}: start this service "
                "again if lookalike has been updated since it started; until then the snapshot before answers",
                subject=self.name,
            )
        if self.encoder_problem is not None:
            raise self.encoder_problem

    @property
    def picture_problem(self) -> PictureProblem | None:
        """Why pictures cannot be searched with, and the command that repairs it; None if they can."""
        error = self.encoder_problem
        if error is None:
            return None
        if not isinstance(error, EncoderMismatchError):
            return PictureProblem(code=error.code, detail=detail_of(error), command=None)
        command = reencode_command(self.name, self.collection.origin, self._request, self.collection.settings)
        detail = f"the collection {self.name!r} {self._mismatch}"
        return PictureProblem(code=error.code, detail=detail, command=command)

    async def source(self) -> Source:
        """Where the pictures are read from, opened once; raises a leaf of SourceError."""
        async with self._source_lock:
            if self._source is None:
                self._source = await asyncio.to_thread(open_origin, self.collection.origin, self.collection.layout)
            return self._source

    def close(self) -> None:
        """Close the collection and the source."""
        self.collection.close()
        if self._source is not None:
            self._source.close()

    @property
    def _request(self) -> EncoderRequest:
        return self.collection.manifest.encoder_request

    def _public(self, error: EncoderError) -> EncoderError:
        """The error without the server's folders, which the command in a mismatch names; the log has the full text."""
        if not isinstance(error, EncoderMismatchError):
            return error
        return EncoderMismatchError(
            f"pictures cannot be searched with here: the collection {self.name!r} {self._mismatch}. Whoever runs this "
            f"service can encode it again: `python -m indexer index SOURCE --collection {self.name} --reencode`. "
            "Searches by key go on",
            subject=self.name,
        )


def _mismatch(collection_encoder: EncoderSpec, encoder: EncoderSpec) -> str:
    return (
        f"was made by {describe_encoder(collection_encoder)}, and the {encoder.name} that is here is another encoder, "
        f"{describe_encoder(encoder)}"
    )
