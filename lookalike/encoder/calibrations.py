"""The calibrations that come with encoders: in the box, and beside the weights of installed ones."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from lookalike.calibration import Calibration, read_calibration
from lookalike.encoder.spec import EncoderSpec

SHIPPED = Path(str(resources.files("lookalike.encoder.bundled"))) / "calibrations"


def default_calibration(spec: EncoderSpec, encoders_dir: Path) -> Calibration | None:
    """The encoder's own calibration, from the box or from ``encoders_dir/*/calibrations/``; None if it has none.

    A digest says all that decides a vector, so where a file lies does not matter. Raises CalibrationInvalidError for
    a damaged file and CalibrationMismatchError for one whose name is not that of its encoder.
    """
    name = calibration_name(spec.digest)
    for path in (SHIPPED / name, *sorted(encoders_dir.glob(f"[!.]*/calibrations/{name}"))):
        if path.exists():
            calibration = read_calibration(path)
            calibration.check_encoder(spec.name, spec.digest)
            return calibration
    return None


def calibration_name(digest: str) -> str:
    """What the file of an encoder's calibration is called."""
    return f"{digest[:16]}.json"
