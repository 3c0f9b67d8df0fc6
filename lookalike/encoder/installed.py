"""Published weights on this machine: one folder a network, with its weights and a record of where they came from."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

from lookalike.encoder.registry import EncoderChoice
from lookalike.encoder.spec import EncoderSpec
from lookalike.encoder.weights import file_digest, invalid
from lookalike.errors import EncoderNotInstalledError, WeightsInvalidError

BOX = Path(str(resources.files("lookalike.encoder.bundled")))
WEIGHTS_FILE, RECORD_FILE = "weights.safetensors", "encoder.json"


@dataclass(frozen=True, slots=True)
class Record:
    """Where installed weights came from.

    ``source`` is a URL, ``revision`` the hub's commit (None for a plain file), ``digest`` the SHA-256 of the
    weights as they lie here, ``installed`` the day in ISO form.
    """

    name: str
    model: str
    source: str
    revision: str | None
    digest: str
    licence: str | None
    installed: str

    def write(self, folder: Path) -> None:
        """Write the record beside the weights."""
        (folder / RECORD_FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def installed_names(encoders_dir: Path) -> list[str]:
    """Names of the networks whose weights are in ``encoders_dir``, sorted."""
    return sorted(record.parent.name for record in encoders_dir.glob(f"[!.]*/{RECORD_FILE}"))


def read_record(name: str, encoders_dir: Path) -> Record:
    """The record of an installed network; raises EncoderNotInstalledError or WeightsInvalidError."""
    path = encoders_dir / name / RECORD_FILE
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise EncoderNotInstalledError(
            f"{name}'s weights are not on this machine (looked in {encoders_dir}): run "
            f"`python -m indexer encoders install {name}`",
            subject=name,
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise WeightsInvalidError(
            f"the record {path} cannot be read ({error}): run `python -m indexer encoders install {name}`",
            subject=str(path),
        ) from error


def verified_weights(name: str, encoders_dir: Path) -> tuple[Path, str]:
    """The installed weights file and its SHA-256, which was computed now and is the recorded one.

    Raises EncoderNotInstalledError, or WeightsInvalidError if the file is not what was installed.
    """
    record = read_record(name, encoders_dir)
    path = encoders_dir / name / WEIGHTS_FILE
    digest = file_digest(path)
    if digest != record.digest:
        raise invalid(
            path,
            f"is not what was installed (SHA-256 {digest[:12]}, recorded {record.digest[:12]}): delete its folder "
            f"and run `python -m indexer encoders install {name}`",
        )
    return path, digest


def bundled_weights() -> Path:
    """The weights file that ships with lookalike; raises WeightsInvalidError if the installation lacks it."""
    path = BOX / "resnet18.safetensors"
    if not path.is_file():
        raise invalid(path, "is missing from this installation; install lookalike again")
    return path


def find_weights(choice: EncoderChoice, encoders_dir: Path) -> tuple[Path, str]:
    """The weights file that a parsed name means and its SHA-256, computed now.

    Raises EncoderNotInstalledError and WeightsInvalidError.
    """
    if choice.weights == "hub" and choice.known is not None:
        return verified_weights(choice.known.name, encoders_dir)
    path = choice.weights if isinstance(choice.weights, Path) else bundled_weights()
    return path, file_digest(path)


def record_quantised(name: str, spec: EncoderSpec, origin: str, encoders_dir: Path) -> None:
    """Record that the int8 encoder ``name`` was made here of ``origin``; raises OSError as the disk does."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    record = Record(name, spec.backbone, f"quantised from {origin}", None, spec.weights_digest, None, today)
    record.write(encoders_dir / name)
