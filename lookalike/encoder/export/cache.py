"""The cache of exported networks on this machine: exported once, stored next to the weights, read without PyTorch.

``ENCODERS/exports/KEY/`` has ``model.onnx``, ``spec.json``, ``owner.json`` and, once it was measured, ``choice.json``;
for a runtime that was asked for by name, ``choice-NAME.json``.
The key is of all that decides the file, so another encoder or another version of the export has another folder. What
is of no more use is removed when the next folder is created.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.encoder.spec import NETWORK_DECODER, EncoderSpec
from lookalike.encoder.weights.installed import find_weights, resolve
from lookalike.options import EncoderRequest, RuntimeName
from lookalike.storage import LockedError, exclusive_lock, sha256_file, staged_folder, write_atomically, write_synced

_LOG = logging.getLogger(__name__)
EXPORT_VERSION = 2
"""To be raised when another lookalike exports another file of the same weights."""

EXPORTS, MODEL_FILE, SPEC_FILE, CHOICE_FILE = "exports", "model.onnx", "spec.json", "choice.json"
OWNER_FILE, _LOCK_FILE = "owner.json", ".lock"
_COMPILED_FILES = ("*.blob", "*.cl_cache")
"""Files that OpenVINO caches next to a model."""

_ABANDONED_AFTER_S = 24 * 3600.0
"""Age from which a staging folder, or one that is being removed, is taken to be of a killed process."""

_LONGEST_WAIT_S = 600.0
"""How long a process waits for another one's export before it makes its own; an export takes up to a minute."""


@dataclass(frozen=True)
class CachedExport:
    """An exported network in its folder, complete and verified; ``spec`` describes its vectors."""

    folder: Path
    spec: EncoderSpec

    @property
    def model(self) -> Path:
        """The ONNX file."""
        return self.folder / MODEL_FILE


def export_folder(request: EncoderRequest, encoders_dir: Path) -> Path:
    """The folder for the export of a request, whether it exists or not.

    Raises EncoderUnknownError, EncoderNotInstalledError and WeightsInvalidError.
    """
    digest = find_weights(resolve(request.name, encoders_dir), encoders_dir)[1]
    network = request.name.partition(":")[0]
    decides = [EXPORT_VERSION, NETWORK_DECODER, network, digest, request.fusion, request.input_size]
    key = hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:32]
    return encoders_dir / EXPORTS / key


def find_export(folder: Path, name: str) -> CachedExport | None:
    """The export in ``folder`` for the encoder that is called ``name`` now; None if there is none, or a damaged one."""
    try:
        fields = json.loads((folder / SPEC_FILE).read_text(encoding="utf-8"))
        spec = EncoderSpec.from_dict(fields["spec"])
        is_intact = sha256_file(folder / MODEL_FILE) == fields["model"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return CachedExport(folder, dataclasses.replace(spec, name=name)) if is_intact else None


def store_export(folder: Path, model: bytes, spec: EncoderSpec) -> CachedExport:
    """Store an export in its folder atomically; another process may do the same meanwhile.

    Raises OSError if it cannot be written.
    """
    with staged_folder(folder) as stage:
        write_synced(stage / MODEL_FILE, model)
        description = {"spec": spec.to_dict(), "model": sha256_file(stage / MODEL_FILE)}
        write_synced(stage / SPEC_FILE, (json.dumps(description, indent=2) + "\n").encode())
        _write_owner(stage, spec)
        if folder.exists() and find_export(folder, spec.name) is None:
            shutil.rmtree(folder, ignore_errors=True)  # damaged
        try:
            stage.rename(folder)
        except OSError:
            if find_export(folder, spec.name) is None:  # and not another process's, made in the meantime
                raise
    remove_stale(folder, spec)
    return CachedExport(folder, spec)


@contextmanager
def hold_export_lock(encoders_dir: Path) -> Iterator[None]:
    """Hold the lock under which one process exports at a time; waits for it at most ``_LONGEST_WAIT_S``.

    The lock only saves time and memory: two processes may export at once with the same result. So a file system without
    locks, or a process that hangs with the lock, is no error. Raises OSError if the folder cannot be created.
    """
    (encoders_dir / EXPORTS).mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with suppress(LockedError, OSError):
            stack.enter_context(exclusive_lock(encoders_dir / EXPORTS / _LOCK_FILE, timeout_s=_LONGEST_WAIT_S))
        yield


def claim(folder: Path, spec: EncoderSpec) -> None:
    """Create the folder for the measurements of a network whose file is elsewhere, unless it exists.

    Raises OSError if it cannot be created.
    """
    owner = folder / OWNER_FILE
    if owner.is_file():
        return
    try:
        with staged_folder(folder) as stage:
            _write_owner(stage, spec)
            if folder.is_dir():
                (stage / OWNER_FILE).replace(owner)
            else:
                stage.rename(folder)
    except OSError:
        if not owner.is_file():  # and not another process's, made in the meantime
            raise
    remove_stale(folder, spec)


def remove_stale(folder: Path, spec: EncoderSpec) -> None:
    """Remove the folders next to ``folder``, which is that of ``spec``, that are of no more use.

    These are exports of the same encoder with other weights or another decoder, and of older versions of the export.
    Those of another fusion or input size of the same weights stay. A process that has such a file open can go on
    reading it; what cannot be removed is logged and stays.
    """
    for neighbour in folder.parent.iterdir():
        try:
            if neighbour != folder and neighbour.is_dir() and _is_stale(neighbour, spec):
                _remove(neighbour)
        except FileNotFoundError:
            continue  # another process was faster
        except OSError as error:
            _LOG.warning("%s is of no more use and cannot be removed: %s", neighbour, error)


def remove_compiled(folder: Path) -> None:
    """Remove what OpenVINO compiled into ``folder``, which it can compile again; raises OSError."""
    for pattern in _COMPILED_FILES:
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


def _is_stale(folder: Path, spec: EncoderSpec) -> bool:
    if folder.name.startswith("."):
        return time.time() - folder.stat().st_mtime > _ABANDONED_AFTER_S
    try:
        fields = json.loads((folder / OWNER_FILE).read_text(encoding="utf-8"))
        version, encoder, made_of = int(fields["version"]), fields["encoder"], fields["made_of"]
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return True  # older versions wrote no such file
    own_fields = _owner(spec)
    return version < EXPORT_VERSION or (encoder == own_fields["encoder"] and made_of != own_fields["made_of"])


def _remove(folder: Path) -> None:
    """Rename the folder first, so that no process finds it half removed."""
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    folder.rename(aside)
    shutil.rmtree(aside)


def _owner(spec: EncoderSpec) -> dict[str, Any]:
    network, _, weights = spec.name.partition(":")
    return {
        "version": EXPORT_VERSION,
        "encoder": network if weights in {"", "hub"} else f"{network}:{Path(weights).absolute()}",
        "made_of": [spec.weights_digest, spec.decoder],
    }


def _write_owner(folder: Path, spec: EncoderSpec) -> None:
    write_synced(folder / OWNER_FILE, (json.dumps(_owner(spec), indent=2) + "\n").encode())


def read_choice(folder: Path, runtime: RuntimeName = RuntimeName.AUTO) -> dict[str, Any]:
    """What was chosen for a requested runtime; empty if nothing was yet, or nothing that can be read."""
    try:
        fields = json.loads(_choice_file(folder, runtime).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    is_complete = isinstance(fields, dict) and fields.keys() >= {"runtime", "reason", "depends"}
    return fields if is_complete else {}


def write_choice(folder: Path, choice: dict[str, Any], runtime: RuntimeName = RuntimeName.AUTO) -> None:
    """Keep what was chosen for a requested runtime; raises OSError if it cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(_choice_file(folder, runtime), (json.dumps(choice, indent=2) + "\n").encode())


def _choice_file(folder: Path, runtime: RuntimeName) -> Path:
    return folder / (CHOICE_FILE if runtime == RuntimeName.AUTO else f"choice-{runtime}.json")
