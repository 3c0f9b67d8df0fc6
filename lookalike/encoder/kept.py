"""Exported networks on this machine: made once, kept beside the weights, found again without loading PyTorch.

``ENCODERS/exports/KEY/`` has ``model.onnx``, ``spec.json`` and, once it was measured, ``choice.json``. The key is of
all that decides the file, so another encoder or another version of the export has another folder.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.encoder.installed import find_weights
from lookalike.encoder.registry import parse
from lookalike.encoder.spec import NETWORK_DECODER, EncoderSpec
from lookalike.encoder.weights import file_digest

EXPORT_VERSION = 2
"""To be raised when another lookalike exports another file of the same weights."""

EXPORTS, MODEL_FILE, SPEC_FILE, CHOICE_FILE = "exports", "model.onnx", "spec.json", "choice.json"


@dataclass(frozen=True)
class Kept:
    """An exported network in its folder, whole and checked; ``spec`` is what its vectors mean."""

    folder: Path
    spec: EncoderSpec

    @property
    def model(self) -> Path:
        """The ONNX file."""
        return self.folder / MODEL_FILE


def export_folder(name: str, fusion: str | None, input_size: int | None, encoders_dir: Path) -> Path:
    """Where the export of a request is kept, made or not.

    Raises EncoderUnknownError, EncoderNotInstalledError and WeightsInvalidError.
    """
    digest = find_weights(parse(name), encoders_dir)[1]
    decides = [EXPORT_VERSION, NETWORK_DECODER, name.partition(":")[0], digest, fusion, input_size]
    key = hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:32]
    return encoders_dir / EXPORTS / key


def find_kept(folder: Path, name: str) -> Kept | None:
    """The export in ``folder`` for the encoder that is called ``name`` now; None if there is none, or a damaged one."""
    try:
        said = json.loads((folder / SPEC_FILE).read_text(encoding="utf-8"))
        spec = EncoderSpec.from_dict(said["spec"])
        whole = hashlib.sha256((folder / MODEL_FILE).read_bytes()).hexdigest() == said["model"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return Kept(folder, dataclasses.replace(spec, name=name)) if whole else None


def keep(folder: Path, model: bytes, spec: EncoderSpec) -> Kept:
    """Put an export into its folder, whole or not at all; another process may do the same meanwhile.

    Raises OSError as the disk does.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        making.chmod(0o755)
        write_synced(making / MODEL_FILE, model)
        said = {"spec": spec.to_dict(), "model": file_digest(making / MODEL_FILE)}
        write_synced(making / SPEC_FILE, (json.dumps(said, indent=2) + "\n").encode())
        if folder.exists() and find_kept(folder, spec.name) is None:
            shutil.rmtree(folder, ignore_errors=True)  # damaged
        try:
            making.rename(folder)
        except OSError:
            if find_kept(folder, spec.name) is None:  # and not another process's, made in the meantime
                raise
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return Kept(folder, spec)


def read_choice(folder: Path) -> dict[str, Any]:
    """What was measured of the runtimes; empty if nothing was, or nothing readable."""
    try:
        said = json.loads((folder / CHOICE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def write_choice(folder: Path, choice: dict[str, Any]) -> None:
    """Keep what was measured; raises OSError as the disk does."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{CHOICE_FILE}.{os.getpid()}.tmp"
    write_synced(temporary, (json.dumps(choice, indent=2) + "\n").encode())
    temporary.replace(folder / CHOICE_FILE)


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and bring it to the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
