"""What both clients are set up with."""

from __future__ import annotations

import uuid
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import httpx2

from lookalike.client.retries import RetryPolicy

DEFAULT_TIMEOUT = 60.0
"""Seconds: twice what a service takes for a request by default, after which it answers by itself."""
_CONNECT_TIMEOUT = 10.0
DEFAULT_RETRIES = 3


def http_arguments(base_url: str, api_key: str | None, timeout: float) -> dict[str, Any]:
    """The arguments of httpx2's clients."""
    url = httpx2.URL(base_url)
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError(f"base_url must be an address such as https://images.example.org, not {base_url!r}")
    headers = {"Accept": "application/json, */*;q=0.5", "User-Agent": f"lookalike-client/{_version()}"}
    if api_key is not None:
        headers["Authorization"] = f"Bearer {api_key}"
    limits = httpx2.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT))
    return {"base_url": url, "headers": headers, "timeout": limits}


def retry_policy(retries: int) -> RetryPolicy:
    """The policy with so many retries; raises ValueError."""
    if retries < 0:
        raise ValueError(f"retries must be 0 or more, not {retries}")
    return RetryPolicy(retries)


def part_path(out: Path) -> Path:
    """Where a file is written until all of it has arrived."""
    return out.with_name(f".{out.name}.{uuid.uuid4().hex}.part")


@cache
def _version() -> str:
    try:
        return version("lookalike")
    except PackageNotFoundError:
        return "unknown"  # run from a checkout
