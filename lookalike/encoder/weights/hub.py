"""Downloads published weights from the model hub, or from their publisher's own URL."""

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
from lookalike.encoder.weights.download import DownloadedFile, Report
from lookalike.encoder.weights.publishers import PublishedWeights
from lookalike.errors import DownloadError
from lookalike.storage import disk_full_error

_HUB_FILE = "model.safetensors"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGEST_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.pth$")
_CHUNK = 1 << 20
_TIMEOUT_S = 30


def fetch(
    encoder: KnownEncoder,
    published_weights: PublishedWeights,
    folder: Path,
    endpoint: str | None,
    report: Report | None,
) -> DownloadedFile:
    """Download a network's weights into ``folder``; ``endpoint`` is the address of a mirror of the hub.

    Raises DownloadError, and OSError for a full disk.
    """
    address = (
        published_weights.url
        if published_weights.hub is None
        else f"{endpoint or 'the hub'}, repository {published_weights.hub}"
    )
    if address is None:
        raise DownloadError(
            f"nobody publishes weights for {encoder.name}: give a file, {encoder.name}:/path/to/weights.safetensors",
            subject=encoder.name,
        )
    # The hub's client passes on the errors of its HTTP library, which it has changed more than once; its downloader in
    # Rust raises RuntimeError for everything.
    client_errors: Any = (*import_huggingface_hub("errors").HfHubHTTPError.__bases__, RuntimeError)
    fetch_errors: tuple[type[Exception], ...] = (OSError, ValueError, http.client.HTTPException, *client_errors)
    try:
        if published_weights.hub is not None:
            return _fetch_from_hub(published_weights.hub, folder, endpoint, report)
        return _fetch_from_url(address, folder, report)
    except fetch_errors as error:
        if full := disk_full_error(error):
            raise full from error
        reason = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
        mirror_advice = "; or set HF_ENDPOINT to a mirror of the hub" if published_weights.hub else ""
        file_name = _HUB_FILE if published_weights.hub else address.rpartition("/")[2]
        raise DownloadError(
            f"{encoder.name}'s weights could not be fetched from {address} ({reason}): check the network"
            f"{mirror_advice}; or run the same command on a "
            f"machine with network and copy the folder {encoder.name} into the encoders folder here; or copy the file "
            f"by hand and name it: {encoder.name}:/path/to/{file_name}",
            subject=encoder.name,
        ) from error


def _fetch_from_hub(repository: str, folder: Path, endpoint: str | None, report: Report | None) -> DownloadedFile:
    client = import_huggingface_hub()
    url = client.hf_hub_url(repository, _HUB_FILE, endpoint=endpoint)
    file_metadata = client.get_hf_file_metadata(url, endpoint=endpoint)
    with _client_cache(folder / "client"):
        path = client.hf_hub_download(
            repository,
            _HUB_FILE,
            revision=file_metadata.commit_hash,
            local_dir=folder,
            endpoint=endpoint,
            tqdm_class=_progress_class(report),
        )
    digest = file_metadata.etag if file_metadata.etag and _SHA256.fullmatch(file_metadata.etag) else ""
    return DownloadedFile(Path(path), url, file_metadata.commit_hash, digest)


@contextmanager
def _client_cache(folder: Path) -> Iterator[None]:
    """Let the client's downloader write its log and cache to ``folder``, unless the user has set another place."""
    if {"HF_XET_CACHE", "HF_HOME"} & os.environ.keys():
        yield
        return
    os.environ["HF_XET_CACHE"] = str(folder)
    try:
        yield
    finally:
        del os.environ["HF_XET_CACHE"]


def _progress_class(report: Report | None) -> Any:
    """A class of progress bars that call ``report`` instead of drawing."""
    bar: Any = import_huggingface_hub("utils").tqdm

    class Reporter(bar):  # type: ignore[misc]  # its stubs hide it
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            if report is not None:
                report(int(self.n), None if self.total is None else int(self.total))

    return Reporter


def _fetch_from_url(url: str, folder: Path, report: Report | None) -> DownloadedFile:
    """Download a file by its URL; PyTorch's file names end with the first digits of their SHA-256."""
    path = folder / url.rpartition("/")[2]
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response, path.open("wb") as file:
        content_length = response.headers.get("Content-Length")
        total = int(content_length) if content_length else None
        byte_count = 0
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            byte_count += len(chunk)
            if report is not None:
                report(byte_count, total)
    if total is not None and byte_count != total:
        raise ConnectionError(f"the connection ended after {byte_count} of {total} bytes")
    digest_match = _DIGEST_IN_NAME.search(path.name)
    return DownloadedFile(path, url, None, digest_match.group(1) if digest_match else "")
