"""int8 encoders: a quantised network in a file of its own, and beside it what its vectors mean.

One is an encoder like any other, with a digest of its own. ``bundled-int8`` and ``bundled-fast`` are in the box;
``NAME-int8`` lies in the folder of encoders once ``python -m indexer encoders quantise NAME`` has made it. PyTorch
never runs them.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.encoder.base import Vectors
from lookalike.encoder.export_formats import Format, description
from lookalike.encoder.registry import BUNDLED_NETWORKS, BUNDLED_QUANTISED
from lookalike.encoder.spec import DECODERS, EncoderSpec
from lookalike.encoder.weights.file_format import file_digest, invalid_weights_error, read_recipe
from lookalike.encoder.weights.installed import BOX, bundled_weights
from lookalike.errors import EncoderNotInstalledError, EncoderOptionsError, LookalikeError
from lookalike.options import EncoderRequest

SUFFIX = "-int8"
MODEL_FILE = "model.onnx"
FORMAT, VERSION = "lookalike-int8", 1


@dataclass(frozen=True, eq=False)
class Quantised:
    """An int8 encoder's files, checked.

    ``origin`` is the float32 encoder that it was made of, None if only its maker had that. ``check`` (8, D) float32 are
    the vectors that it gave of ``synthetic_pictures`` where it was made. ``measured`` says how far it is from its
    origin.
    """

    model: Path
    spec: EncoderSpec
    origin: EncoderRequest | None
    check: Vectors
    measured: dict[str, Any]

    @property
    def or_origin(self) -> str:
        """The end of a message that asks for something else: ", or name NAME" of the origin, if there is one."""
        return f", or name {self.origin.name}" if self.origin else ""


def is_quantised(name: str) -> bool:
    """Whether an encoder's name is that of an int8 one."""
    return name in BUNDLED_QUANTISED or (name.endswith(SUFFIX) and ":" not in name)


def float_name(name: str) -> str | None:
    """The name of the float32 encoder of which an int8 one is made; None if only the int8 one is part of lookalike."""
    return name.removesuffix(SUFFIX) if name.endswith(SUFFIX) else None


def in_the_box() -> list[str]:
    """Names of the encoders that ship with lookalike: the default in float32 and int8, and the others."""
    first, *others = BUNDLED_NETWORKS
    return [first, *(name for name in BUNDLED_QUANTISED if model_path(name, BOX).is_file()), *others]


def dimension_in_the_box(name: str, encoders_dir: Path) -> int:
    """How many numbers a vector of one of ``in_the_box()`` has, as its file says; raises WeightsInvalidError."""
    if is_quantised(name):
        return read_quantised(name, encoders_dir).spec.dimension
    path = bundled_weights(name)
    recipe = read_recipe(path)
    if recipe is None:
        raise invalid_weights_error(path, "was not written by lookalike; install lookalike again")
    return recipe.dimension


def model_path(name: str, encoders_dir: Path) -> Path:
    """Where the network of the int8 encoder ``name`` lies, or would lie; its description is beside it."""
    if name in BUNDLED_QUANTISED:
        return BOX / f"{name}.onnx"
    return encoders_dir / name / MODEL_FILE


def read_quantised(name: str, encoders_dir: Path) -> Quantised:
    """The int8 encoder of that name; raises EncoderNotInstalledError, and WeightsInvalidError for a damaged one."""
    model = model_path(name, encoders_dir)
    path = model.with_suffix(".json")
    if not path.is_file():
        raise _missing_error(name, path)
    float32 = float_name(name)
    advice = f"quantise {float32} again" if float32 else "install lookalike again"
    try:
        description_fields = json.loads(path.read_text(encoding="utf-8"))
        if (description_fields["format"], description_fields["version"]) != (FORMAT, VERSION):
            raise ValueError(f"format {description_fields['format']!r}, version {description_fields['version']!r}")
        spec = EncoderSpec.from_dict(description_fields["spec"])
        check = np.array([row.split() for row in description_fields["check"]], np.float32)
        origin = EncoderRequest(**origin_fields) if (origin_fields := description_fields["origin"]) else None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise invalid_weights_error(path, f"cannot be read ({error}); {advice}") from error
    if file_digest(model) != spec.weights_digest:
        raise invalid_weights_error(model, f"is not the one that {path.name} describes; {advice}")
    if spec.decoder not in DECODERS:
        raise invalid_weights_error(
            path,
            f"wants pictures decoded by {spec.decoder!r}, and this lookalike knows {' and '.join(DECODERS)} only: "
            f"install a newer one, or {advice}",
        )
    return Quantised(model, dataclasses.replace(spec, name=name), origin, check, description_fields.get("measured", {}))


def _missing_error(name: str, path: Path) -> LookalikeError:
    """The error for an int8 encoder whose description ``path`` is missing."""
    float32 = float_name(name)
    if float32 is None:
        return invalid_weights_error(path, "is missing from this installation; install lookalike again")
    return EncoderNotInstalledError(
        f"{name} is not on this machine (looked for {path}): run `python -m indexer encoders quantise {float32}`",
        subject=name,
    )


def check_form(made: Quantised, request: EncoderRequest) -> None:
    """Raise EncoderOptionsError for another fusion or size than the int8 network's own."""
    size = made.spec.input_size
    if request.fusion not in {None, made.spec.fusion} or request.input_size not in {None, size}:
        raise EncoderOptionsError(
            f"{made.spec.name} has the fusion {made.spec.fusion} at {size} pixels and no other: leave both out"
            f"{made.or_origin}",
            subject="fusion",
        )


def write_network(made: Quantised, path: Path, kind: Format) -> None:
    """Copy the network to ``path``, and write what its vectors mean to ``path`` + ``.json``, as any export has it.

    An int8 network is an ONNX file of standard operators already. Raises EncoderOptionsError for another format, and
    OSError as the disk does.
    """
    if kind != "onnx":
        raise EncoderOptionsError(
            f"{made.spec.name} is an int8 network, which there is as onnx only, not as {kind}: choose onnx"
            f"{made.or_origin}",
            subject="format",
        )
    shutil.copyfile(made.model, path)
    path.with_name(f"{path.name}.json").write_text(description(made.spec, kind), encoding="utf-8")


def write_description(made: Quantised) -> None:
    """Write the description beside the network, which is in place; raises OSError as the disk does."""
    fields = {
        "format": FORMAT,
        "version": VERSION,
        "spec": made.spec.to_dict(),
        "origin": dataclasses.asdict(made.origin) if made.origin else None,
        "measured": made.measured,
        "check": [" ".join(f"{value:.4f}" for value in row) for row in made.check],
    }
    made.model.with_suffix(".json").write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")
