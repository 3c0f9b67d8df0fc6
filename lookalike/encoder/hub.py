"""The one place that downloads weights, and only when asked to: fetch, verify, then rename into place.

Whatever stops an installation (no network, a full disk, Ctrl-C) leaves the encoders folder as it was. Only a killed
process leaves its unfinished folder, which the next installation of the same network removes.
"""

from __future__ import annotations

import datetime
import errno
import fcntl
import http.client
import importlib
import os
import re
import shutil
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from lookalike.encoder.installed import RECORD_FILE, WEIGHTS_FILE, Record, read_record, verified_weights
from lookalike.encoder.registry import KnownEncoder, Published, find, published
from lookalike.encoder.weights import file_digest
from lookalike.errors import (
    DataPathError,
    DiskFullError,
    DownloadError,
    EncoderNotInstalledError,
    WeightsInvalidError,
)

Report = Callable[[int, int | None], None]
"""Called with the bytes that have arrived and the bytes in all, None while nobody said how many."""

_HUB_FILE = "model.safetensors"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGEST_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.pth$")
_CHUNK = 1 << 20
_PATIENCE_S = 30
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A downloaded file, where it came from, and what its SHA-256 must begin with (empty: nobody said)."""

    path: Path
    source: str
    revision: str | None
    digest_start: str


def install(name: str, encoders_dir: Path, *, endpoint: str | None = None, report: Report | None = None) -> Path:
    """Download the published weights of a network into ``encoders_dir/<name>`` and return that folder.

    ``name`` is a network's name, alias or timm name; ``endpoint`` is the address of a mirror of the hub (None: the
    hub's client decides). What arrives must have the announced digest and fill the network before it is put in
    place. Weights that are there, intact and of the model that the name stands for now, are left alone.

    Raises EncoderUnknownError, DownloadError, WeightsInvalidError, DiskFullError, DataPathError.
    """
    known = find(name)
    final = encoders_dir / known.name
    if _is_installed(known, encoders_dir):
        return final
    said = published(known)
    try:
        _remove_abandoned(final)
        with _staged(final) as stage:
            _fill(stage, known, said, endpoint, report)
            if final.exists():
                shutil.rmtree(final)
            stage.rename(final)
            _sync(encoders_dir)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DiskFullError(
                f"there is no room for {known.name}'s weights in {encoders_dir}; nothing was changed",
                subject=str(encoders_dir),
            ) from error
        raise DataPathError(
            f"{known.name}'s weights cannot be put into {encoders_dir} ({error}); check that it may be written",
            subject=str(encoders_dir),
        ) from error
    return final


def _is_installed(known: KnownEncoder, encoders_dir: Path) -> bool:
    """Whether the weights are there, intact and of the pinned model; an earlier release may have pinned another."""
    try:
        if read_record(known.name, encoders_dir).model != known.model:
            return False
        verified_weights(known.name, encoders_dir)
    except (EncoderNotInstalledError, WeightsInvalidError):
        return False
    return True


@contextmanager
def _staged(final: Path) -> Iterator[Path]:
    """A new folder beside ``final``, locked for the block and gone after it unless it was renamed."""
    stage = final.with_name(f".{final.name}-{uuid.uuid4().hex}")
    try:
        stage.mkdir(parents=True)
        with _locked(stage):
            yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _remove_abandoned(final: Path) -> None:
    """Remove what killed processes left of this network: the system has let go of their locks."""
    ours = re.compile(rf"\.{re.escape(final.name)}-[0-9a-f]{{32}}")
    for stage in [path for path in final.parent.glob(".*") if ours.fullmatch(path.name)]:
        try:
            with _locked(stage):
                shutil.rmtree(stage, ignore_errors=True)
        except (BlockingIOError, FileNotFoundError):
            continue  # another process works in it, or has this moment finished


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock for the block; raises BlockingIOError at once if another process holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _fill(stage: Path, known: KnownEncoder, said: Published, endpoint: str | None, report: Report | None) -> None:
    """Make ``stage`` a complete, verified installation."""
    from safetensors.torch import save_file

    from lookalike.encoder.backbone import build_backbone, deepest_stages
    from lookalike.encoder.published import load_published, read_published

    downloads = stage / "downloads"
    downloads.mkdir()
    fetched = _fetch(known, said, downloads, endpoint, report)
    digest = file_digest(fetched.path)
    if not digest.startswith(fetched.digest_start):
        raise DownloadError(
            f"{fetched.source} arrived damaged (SHA-256 {digest[:12]}, announced {fetched.digest_start[:12]}): "
            f"try again",
            subject=known.name,
        )
    weights = stage / WEIGHTS_FILE
    if fetched.path.suffix == ".safetensors":
        fetched.path.rename(weights)
    else:
        tensors = read_published(fetched.path)
        try:
            save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, weights)
        except SafetensorError as error:
            raise _full_disk(error) or OSError(errno.EIO, str(error)) from error
    shutil.rmtree(downloads)
    stages = known.stages or deepest_stages(known.architecture)
    load_published(build_backbone(known.architecture, stages)[0], known, weights)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    Record(
        name=known.name,
        model=known.model,
        source=fetched.source,
        revision=fetched.revision,
        digest=file_digest(weights),
        licence=said.licence,
        installed=today,
    ).write(stage)
    shutil.copymode(stage / RECORD_FILE, weights)  # its writers make it for its owner alone, whatever the umask says
    for file in [*stage.iterdir(), stage]:
        _sync(file)


def _fetch(known: KnownEncoder, said: Published, folder: Path, endpoint: str | None, report: Report | None) -> _Fetched:
    from huggingface_hub.errors import HfHubHTTPError

    where = said.url if said.hub is None else f"{endpoint or 'the hub'}, repository {said.hub}"
    if where is None:
        raise DownloadError(
            f"nobody publishes weights for {known.name}: give a file, {known.name}:/path/to/weights.safetensors",
            subject=known.name,
        )
    # The hub's client raises its HTTP library's errors as they are, and has changed that library more than once;
    # its downloader in Rust has RuntimeError for everything.
    of_client: Any = (*HfHubHTTPError.__bases__, RuntimeError)
    expected: tuple[type[Exception], ...] = (OSError, ValueError, http.client.HTTPException, *of_client)
    try:
        if said.hub is not None:
            return _from_hub(said.hub, folder, endpoint, report)
        return _from_url(where, folder, report)
    except expected as error:
        if full := _full_disk(error):
            raise full from error
        reason = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
        raise DownloadError(
            f"{known.name}'s weights could not be fetched from {where} ({reason}): check the network"
            f"{'; or set HF_ENDPOINT to a mirror of the hub' if said.hub else ''}; or run the same command on a "
            f"machine with network and copy the folder {known.name} into the encoders folder here; or copy the file "
            f"by hand and name it: {known.name}:/path/to/{_HUB_FILE if said.hub else where.rpartition('/')[2]}",
            subject=known.name,
        ) from error


def _full_disk(error: Exception) -> OSError | None:
    """The system's own error if it is that no room is left; what is written in Rust has it in its words only."""
    for code in _NO_ROOM:
        words = os.strerror(code)
        if error.errno == code if isinstance(error, OSError) else words in str(error):
            return OSError(code, words)
    return None


def _from_hub(repository: str, folder: Path, endpoint: str | None, report: Report | None) -> _Fetched:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    url = hf_hub_url(repository, _HUB_FILE, endpoint=endpoint)
    found = get_hf_file_metadata(url, endpoint=endpoint)
    path = hf_hub_download(
        repository,
        _HUB_FILE,
        revision=found.commit_hash,
        local_dir=folder,
        endpoint=endpoint,
        tqdm_class=_progress_class(report),
    )
    announced = found.etag if found.etag and _SHA256.fullmatch(found.etag) else ""
    return _Fetched(Path(path), url, found.commit_hash, announced)


def _progress_class(report: Report | None) -> Any:
    """A progress bar that draws nothing and tells ``report`` instead."""
    bar: Any = importlib.import_module("huggingface_hub.utils").tqdm

    class Reporter(bar):  # type: ignore[misc]  # its stubs hide it
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            if report is not None:
                report(int(self.n), None if self.total is None else int(self.total))

    return Reporter


def _from_url(url: str, folder: Path, report: Report | None) -> _Fetched:
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
    return _Fetched(path, url, None, announced.group(1) if announced else "")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
