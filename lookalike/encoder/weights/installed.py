"""Published weights on this machine: one folder a network, with its weights and a record of their source.

The registry's table and these records alone decide what an encoder's name means here, without timm or PyTorch.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

from lookalike.encoder.registry import (
    BUNDLED_NETWORKS,
    BUNDLED_QUANTISED,
    EncoderChoice,
    KnownEncoder,
    find_known,
    unknown_encoder,
)
from lookalike.encoder.spec import EncoderSpec
from lookalike.encoder.weights.file_format import file_digest, invalid_weights_error
from lookalike.errors import EncoderNotInstalledError, EncoderUnknownError, WeightsInvalidError

BOX = Path(str(resources.files("lookalike.encoder.bundled")))
WEIGHTS_FILE, RECORD_FILE = "weights.safetensors", "encoder.json"


@dataclass(frozen=True, slots=True)
class Record:
    """Where installed weights came from.

    ``source`` is a URL, ``revision`` the hub's commit (None for a plain file), ``digest`` the SHA-256 of the
    installed weights, ``installed`` the day in ISO form. ``input_size`` and ``input_size_fixed`` are the
    network's, as in ``KnownEncoder``; records of earlier releases lack them.
    """

    name: str
    model: str
    source: str
    revision: str | None
    digest: str
    licence: str | None
    installed: str
    input_size: int | None = None
    input_size_fixed: bool = False

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


def resolve(text: str, encoders_dir: Path) -> EncoderChoice:
    """The encoder that a name means on this machine.

    A name with a file may be of any network of timm's, which is checked when the file is loaded. Without a file it is a
    network of the registry's table or an installed one. Raises EncoderUnknownError, which lists similar names,
    and WeightsInvalidError for a record that cannot be read.
    """
    if text in BUNDLED_NETWORKS:
        return EncoderChoice(text, None, "bundled")
    name, _, weights = text.partition(":")
    if weights not in {"", "hub"}:
        if name in (*BUNDLED_NETWORKS, *BUNDLED_QUANTISED):
            raise EncoderUnknownError(
                f"{name} is in the box and takes no file: name it without one, or give the network of the file, as in "
                "resnet50:/path/to/weights",
                subject=text,
            )
        if not name:
            raise _unknown_encoder_error(text, encoders_dir)
        encoder = find_known(name) or KnownEncoder(name, name, stages=None, input_size=None, licence=None)
        return EncoderChoice(text, encoder, Path(weights))
    return EncoderChoice(text, find_known(name) or _installed_network(name, encoders_dir), "hub")


def weights_path(choice: EncoderChoice, encoders_dir: Path) -> Path:
    """The weights file of an encoder; its content is not checked.

    Raises EncoderNotInstalledError, and WeightsInvalidError for a record that cannot be read, or that is of another
    model than the name means now: in an earlier release it may have meant another one.
    """
    if choice.weights == "bundled" or choice.known is None:
        return bundled_weights(choice.text)
    if isinstance(choice.weights, Path):
        return choice.weights
    name, model = choice.known.name, choice.known.model
    record = read_record(name, encoders_dir)
    path = encoders_dir / name / WEIGHTS_FILE
    if record.model != model:
        raise invalid_weights_error(
            path, f"is of {record.model}, and {name} is {model}: run `python -m indexer encoders install {name}`"
        )
    return path


def find_weights(choice: EncoderChoice, encoders_dir: Path) -> tuple[Path, str]:
    """The weights file of an encoder and its SHA-256, computed now.

    Raises EncoderNotInstalledError, and WeightsInvalidError if an installed file has changed since.
    """
    path = weights_path(choice, encoders_dir)
    digest = file_digest(path)
    if choice.weights == "hub" and choice.known is not None:
        name = choice.known.name
        record = read_record(name, encoders_dir)
        if digest != record.digest:
            raise invalid_weights_error(
                path,
                f"is not what was installed (SHA-256 {digest[:12]}, recorded {record.digest[:12]}): delete its folder "
                f"and run `python -m indexer encoders install {name}`",
            )
    return path, digest


def bundled_weights(name: str) -> Path:
    """The weights file of one of ``BUNDLED_NETWORKS``; raises WeightsInvalidError if the installation lacks it."""
    path = BOX / f"{name}.safetensors"
    if not path.is_file():
        raise invalid_weights_error(path, "is missing from this installation; install lookalike again")
    return path


def _installed_network(name: str, encoders_dir: Path) -> KnownEncoder:
    """An installed network that is not in the table, from its record."""
    if name not in installed_names(encoders_dir):
        raise _unknown_encoder_error(name, encoders_dir)
    record = read_record(name, encoders_dir)
    return KnownEncoder(
        name,
        record.model,
        stages=None,
        input_size=record.input_size,
        input_size_fixed=record.input_size_fixed,
        licence=record.licence,
    )


def _unknown_encoder_error(name: str, encoders_dir: Path) -> EncoderUnknownError:
    return unknown_encoder(
        name,
        installed_names(encoders_dir),
        "`python -m indexer encoders` lists them, and others of timm's can be installed",
    )


def record_quantised(name: str, spec: EncoderSpec, origin: str, encoders_dir: Path) -> None:
    """Record that the int8 encoder ``name`` was quantised from ``origin``; raises OSError if it cannot be written."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    record = Record(name, spec.backbone, f"quantised from {origin}", None, spec.weights_digest, None, today)
    record.write(encoders_dir / name)
