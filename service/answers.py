"""Answers on the wire: JSON, with the headers that say who answered, how long it took and whether it has changed."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from fastapi import Request, Response
from pydantic import TypeAdapter

from lookalike.images import encode_png
from service.timing import server_timing

PRIVATE = "private, no-cache"
_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def json_answer(answer: object, *, snapshot: int | None = None, took_ms: Mapping[str, float] | None = None) -> Response:
    """One of ``service.schemas`` as JSON; numbers that are not finite leave as null."""
    headers = {"Cache-Control": "no-store"}
    if snapshot is not None:
        headers["X-Snapshot"] = str(snapshot)
    if took_ms is not None:
        headers["Server-Timing"] = server_timing(dict(took_ms))
    kind = type(answer)
    adapter = _ADAPTERS.get(kind) or _ADAPTERS.setdefault(kind, TypeAdapter(kind))
    return Response(adapter.dump_json(answer, by_alias=True), 200, headers, "application/json")


def tagged(request: Request, response: Response) -> Response:
    """The response with an ETag of its content, or 304 if the client has it already."""
    tag = f'"{hashlib.sha256(bytes(response.body)).hexdigest()[:32]}"'
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = PRIVATE
    return not_modified(response.headers) if has(request, tag) else response


def has(request: Request, tag: str) -> bool:
    """Whether the client says that it has this version already."""
    asked = request.headers.get("if-none-match", "")
    return any(word.strip().removeprefix("W/") in {tag, "*"} for word in asked.split(","))


def not_modified(headers: Mapping[str, str]) -> Response:
    """304, with the headers that belong to it."""
    # A browser takes these over into what it holds: without its own policy, a page would get the one for answers.
    kept = {"etag", "cache-control", "x-snapshot", "vary", "content-security-policy"}
    return Response(None, 304, {name: value for name, value in headers.items() if name.lower() in kept})


def png_uri(heat: npt.NDArray[np.float32]) -> str:
    """A map (h, w) of numbers from 0 to 1 as a grey PNG in a ``data:`` URI."""
    grey = np.round(heat * 255).astype(np.uint8)
    return "data:image/png;base64," + base64.b64encode(encode_png(grey)).decode("ascii")
