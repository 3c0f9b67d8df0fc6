"""Fetches published weights from the model hub, or from a plain address where their publisher keeps them."""

from __future__ import annotations

import http.client
import os
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lookalike.encoder.registry import KnownEncoder
from lookalike.encoder.telemetry import import_huggingface_hub
from lookalike.encoder.weights.download import Fetched, Report
from lookalike.encoder.weights.publishers import Published
from lookalike.errors import DownloadError
from lookalike.storage import disk_full_error

_HUB_FILE = "model.safetensors"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGEST_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.pth$")
_CHUNK = 1 << 20
_PATIENCE_S = 30


def fetch(known: KnownEncoder, said: Published, folder: Path, endpoint: str | None, report: Report | None) -> Fetched:
    """Download a network's weights into ``folder``; ``endpoint`` is the address of a mirror of the hub.

    Raises DownloadError, and OSError for a full disk.
    """
    where = said.url if said.hub is None else f"{endpoint or 'the hub'}, repository {said.hub}"
    if where is None:
        raise DownloadError(
            f"nobody publishes weights for {known.name}: give a file, {known.name}:/path/to/weights.safetensors",
            subject=known.name,
        )
    # The hub's client raises its HTTP library's errors as they are, and has changed that library more than once;
    # its downloader in Rust has RuntimeError for everything.
    of_client: Any = (*import_huggingface_hub("errors").HfHubHTTPError.__bases__, RuntimeError)
    expected: tuple[type[Exception], ...] = (OSError, ValueError, http.client.HTTPException, *of_client)
    try:
        if said.hub is not None:
            return _from_hub(said.hub, folder, endpoint, report)
        return _from_url(where, folder, report)
    except expected as error:
        if full := disk_full_error(error):
            raise full from error
        reason = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
        raise DownloadError(
            f"{known.name}'s weights could not be fetched from {where} ({reason}): check the network"
            f"{'; or set HF_ENDPOINT to a mirror of the hub' if said.hub else ''}; or run the same command on a "
            f"machine with network and copy the folder {known.name} into the encoders folder here; or copy the file "
            f"by hand and name it: {known.name}:/path/to/{_HUB_FILE if said.hub else where.rpartition('/')[2]}",
            subject=known.name,
        ) from error


def _from_hub(repository: str, folder: Path, endpoint: str | None, report: Report | None) -> Fetched:
    client = import_huggingface_hub()
    url = client.hf_hub_url(repository, _HUB_FILE, endpoint=endpoint)
    found = client.get_hf_file_metadata(url, endpoint=endpoint)
    with _client_cache(folder / "client"):
        path = client.hf_hub_download(
            repository,
            _HUB_FILE,
            revision=found.commit_hash,
            local_dir=folder,
            endpoint=endpoint,
            tqdm_class=_progress_class(report),
        )
    announced = found.etag if found.etag and _SHA256.fullmatch(found.etag) else ""
    return Fetched(Path(path), url, found.commit_hash, announced)


@contextmanager
def _client_cache(folder: Path) -> Iterator[None]:
    """Where the client's downloader writes its log and cache, instead of the home, unless the user has said where."""
    if {"HF_XET_CACHE", "HF_HOME"} & os.environ.keys():
        yield
        return
    os.environ["HF_XET_CACHE"] = str(folder)
    try:
        yield
    finally:
        del os.environ["HF_XET_CACHE"]


def _progress_class(report: Report | None) -> Any:
    """A progress bar that draws nothing and tells ``report`` instead."""
    bar: Any = import_huggingface_hub("utils").tqdm

    class Reporter(bar):  # type: ignore[misc]  # its stubs hide it
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            if report is not None:
                report(int(self.n), None if self.total is None else int(self.total))

    return Reporter


def _from_url(url: str, folder: Path, report: Report | None) -> Fetched:
    """Fetch a plain file; PyTorch's own habit is to end its name with the first digits of its SHA-256."""
    path = folder / url.rpartition("/")[2]
    with urllib.request.urlopen(url, timeout=_PATIENCE_S) as answer, path.open("wb") as file:
        said = answer.headers.get("Content-Length")
        total = int(said) if said else None
        done = 0
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            done += len(chunk)
            if report is not None:
                report(done, total)
    if total is not None and done != total:
        raise ConnectionError(f"the connection ended after {done} of {total} bytes")
    announced = _DIGEST_IN_NAME.search(path.name)
    return Fetched(path, url, None, announced.group(1) if announced else "")
