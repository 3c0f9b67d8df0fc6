"""Responses: JSON, with headers for the snapshot, the time that it took, and caching."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Hashable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from urllib.parse import quote

import msgspec
import numpy as np
import numpy.typing as npt
from cachetools import LRUCache
from fastapi import Request, Response
from pydantic import BaseModel

from lookalike.images import encode_png
from lookalike.options import MEBIBYTE
from service.telemetry.timing import server_timing

PRIVATE = "private, no-cache"
"""For what can change under its URL: a client asks each time, and is told 304 where its copy is current."""
CACHE_BYTES = 8 * MEBIBYTE
_LARGEST_CACHED = CACHE_BYTES // 64
_ENTRY_BYTES = 500
"""About the memory of an entry besides its JSON."""
_CACHED_KEYS = 4096
"""How many percent-encoded keys stay in memory: a response has one for each hit, and encoding one takes 1 µs."""


root_path: ContextVar[str] = ContextVar("root_path", default="")
"""The path below which clients see the service; the same for all requests of an application."""


class ResponseCache:
    """Responses to searches by key, as JSON without their times, those used last up to a number of bytes.

    They belong to one open snapshot, of which nothing ever changes, and go with it.
    """

    def __init__(self) -> None:
        self._bodies: LRUCache[Hashable, bytes] = LRUCache(CACHE_BYTES, getsizeof=lambda body: len(body) + _ENTRY_BYTES)

    def get(self, query: Hashable) -> bytes | None:
        """The cached response to this query; None if there is none."""
        return self._bodies.get(query)

    def keep(self, query: Hashable, body: bytes) -> None:
        """Keep the response to a query, unless it is so large that it would push out many others."""
        if len(body) <= _LARGEST_CACHED:
            self._bodies[query] = body


def item_urls(collection: str, key: str) -> tuple[str, str]:
    """The paths of an item's image and of its thumbnail, as a client sees them."""
    item = f"{root_path.get()}/collections/{collection}/items/{_quote_key(key)}"
    return f"{item}/image", f"{item}/thumbnail"


@lru_cache(maxsize=_CACHED_KEYS)
def _quote_key(key: str) -> str:
    return quote(key, safe="")


def encode_json(answer: object) -> bytes:
    """One of ``service.schemas.responses`` as JSON; numbers that are not finite become null."""
    if isinstance(answer, BaseModel):
        return answer.model_dump_json(by_alias=True).encode()
    return _ENCODER.encode(answer)


def _plain_model(value: object) -> object:
    """A pydantic model within a dataclass, for msgspec."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no form in JSON")


_ENCODER = msgspec.json.Encoder(enc_hook=_plain_model)


def json_response(
    answer: object, *, snapshot: int | None = None, took_ms: Mapping[str, float] | None = None
) -> Response:
    """A response of JSON; ``took_ms`` goes into the header Server-Timing, ``snapshot`` into X-Snapshot."""
    return _json_response(encode_json(answer), snapshot, took_ms)


def timed_response(untimed_body: bytes, *, snapshot: int, took_ms: Mapping[str, float]) -> Response:
    """A response of JSON that was encoded up to the value of its last field, ``took_ms``."""
    return _json_response(b"%b%b}" % (untimed_body, _ENCODER.encode(took_ms)), snapshot, took_ms)


def _json_response(body: bytes, snapshot: int | None, took_ms: Mapping[str, float] | None) -> Response:
    headers = {"Cache-Control": "no-store"}
    if snapshot is not None:
        headers["X-Snapshot"] = str(snapshot)
    if took_ms is not None:
        headers["Server-Timing"] = server_timing(took_ms)
    return Response(body, 200, headers, "application/json")


def tag_response(request: Request, response: Response) -> Response:
    """The response with an ETag of its content, or 304 if the client has it already."""
    tag = f'"{hashlib.sha256(bytes(response.body)).hexdigest()[:32]}"'
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = PRIVATE
    return not_modified(response.headers) if is_cached_by_client(request, tag) else response


def is_cached_by_client(request: Request, tag: str) -> bool:
    """Whether the client says that it has this version already."""
    header = request.headers.get("if-none-match", "")
    return tag in header or header.strip() == "*"  # a tag begins and ends with a quotation mark, and has none within


def not_modified(headers: Mapping[str, str]) -> Response:
    """304, with the headers that belong to it."""
    # A browser updates its cached copy with these: without its own policy, a page would get the one of the API.
    names = {
        "etag",
        "cache-control",
        "x-snapshot",
        "vary",
        "content-security-policy",
        "cross-origin-resource-policy",
        "access-control-allow-origin",
    }
    return Response(None, 304, {name: value for name, value in headers.items() if name.lower() in names})


def png_uri(heat: npt.NDArray[np.float32]) -> str:
    """A map (h, w) of numbers from 0 to 1 as a grey PNG in a ``data:`` URI."""
    grey = np.round(heat * 255).astype(np.uint8)
    return "data:image/png;base64," + base64.b64encode(encode_png(grey)).decode("ascii")
