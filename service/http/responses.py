"""Answers on the wire: JSON, with the headers that say who answered, how long it took and whether it has changed."""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
from fastapi import Request, Response
from pydantic import TypeAdapter
from pydantic_core import to_json

from lookalike.collection.searcher import Hit
from lookalike.images import encode_png
from lookalike.options import MEBIBYTE
from service.telemetry.timing import server_timing

PRIVATE = "private, no-cache"
KEPT_BYTES = 8 * MEBIBYTE
_LARGEST_KEPT = KEPT_BYTES // 64
_ENTRY_BYTES = 500
"""About what an entry takes in memory beside its JSON."""
_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


class KeptAnswers:
    """Answers to searches by key, as JSON without their times, those asked for last: up to a number of bytes.

    They belong to one open snapshot, of which nothing ever changes, and go with it.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._held = 0

    def get(self, asked: Hashable) -> bytes | None:
        """The answer to this question, if it is there."""
        found = self._kept.get(asked)
        if found is not None:
            self._kept.move_to_end(asked)
        return found

    def keep(self, asked: Hashable, answer: bytes) -> None:
        """Keep the answer to a question, unless it is so large that it would push out many others."""
        if asked in self._kept or len(answer) > _LARGEST_KEPT:
            return
        self._kept[asked] = answer
        self._held += len(answer) + _ENTRY_BYTES
        while self._held > KEPT_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._held -= len(oldest) + _ENTRY_BYTES


class KeptRows:
    """What answers say of an item whatever its score is, as JSON, written once: of those that came last.

    They belong to one open snapshot, like the answers.
    """

    def __init__(self, collection: str) -> None:
        self._collection = collection
        self._kept: OrderedDict[str, tuple[bytes, bytes]] = OrderedDict()
        self._held = 0

    def of(self, hit: Hit) -> tuple[bytes, bytes]:
        """The fields of ``HitAnswer`` that stand before those of the score, and those behind."""
        found = self._kept.get(hit.key)
        if found is None:
            found = self._kept[hit.key] = self._written(hit)
            self._held += len(found[0]) + len(found[1]) + _ENTRY_BYTES
            while self._held > KEPT_BYTES:
                _, oldest = self._kept.popitem(last=False)
                self._held -= len(oldest[0]) + len(oldest[1]) + _ENTRY_BYTES
        return found

    def _written(self, hit: Hit) -> tuple[bytes, bytes]:
        rest = {
            "title": hit.title,
            "product_id": hit.product_id,
            "metadata": dict(hit.metadata),
            "image_url": item_url(self._collection, hit.key, "image"),
            "thumbnail_url": item_url(self._collection, hit.key, "thumbnail"),
        }
        return b'"key":' + as_json(hit.key), as_json(rest)[1:-1]


def item_url(collection: str, key: str, part: str) -> str:
    """The path of an item's image or thumbnail."""
    return f"/collections/{collection}/items/{quote(key, safe='')}/{part}"


def json_answer(answer: object, *, snapshot: int | None = None, took_ms: Mapping[str, float] | None = None) -> Response:
    """One of ``service.schemas.responses`` as JSON; numbers that are not finite leave as null."""
    kind = type(answer)
    adapter = _ADAPTERS.get(kind) or _ADAPTERS.setdefault(kind, TypeAdapter(kind))
    return _sent(adapter.dump_json(answer, by_alias=True), snapshot, took_ms)


def timed_answer(untimed: bytes, *, snapshot: int, took_ms: Mapping[str, float]) -> Response:
    """An answer whose JSON is there but for its times, which are its last field."""
    return _sent(timed(untimed, took_ms), snapshot, took_ms)


def timed(untimed: bytes, took_ms: Mapping[str, float]) -> bytes:
    """The JSON of an object whose last field is ``took_ms``, of all of it that comes before that."""
    times = ",".join(f'"{name}":{value!r}' for name, value in took_ms.items())
    return b'%b,"took_ms":{%b}}' % (untimed, times.encode("ascii"))


def as_json(value: object) -> bytes:
    """Plain data as JSON; numbers that are not finite as null."""
    return to_json(value, inf_nan_mode="null")


def _sent(body: bytes, snapshot: int | None, took_ms: Mapping[str, float] | None) -> Response:
    headers = {"Cache-Control": "no-store"}
    if snapshot is not None:
        headers["X-Snapshot"] = str(snapshot)
    if took_ms is not None:
        headers["Server-Timing"] = server_timing(took_ms)
    return Response(body, 200, headers, "application/json")


def tagged(request: Request, response: Response) -> Response:
    """The response with an ETag of its content, or 304 if the client has it already."""
    tag = f'"{hashlib.sha256(bytes(response.body)).hexdigest()[:32]}"'
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = PRIVATE
    return not_modified(response.headers) if has(request, tag) else response


def has(request: Request, tag: str) -> bool:
    """Whether the client says that it has this version already."""
    asked = request.headers.get("if-none-match", "")
    return tag in asked or asked.strip() == "*"  # a tag begins and ends with a quotation mark, and has none within


def not_modified(headers: Mapping[str, str]) -> Response:
    """304, with the headers that belong to it."""
    # A browser takes these over into what it holds: without its own policy, a page would get the one for answers.
    kept = {"etag", "cache-control", "x-snapshot", "vary", "content-security-policy"}
    return Response(None, 304, {name: value for name, value in headers.items() if name.lower() in kept})


def png_uri(heat: npt.NDArray[np.float32]) -> str:
    """A map (h, w) of numbers from 0 to 1 as a grey PNG in a ``data:`` URI."""
    grey = np.round(heat * 255).astype(np.uint8)
    return "data:image/png;base64," + base64.b64encode(encode_png(grey)).decode("ascii")
