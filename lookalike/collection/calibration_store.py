"""The calibrations of a collection on disk: one file for each encoder that its vectors were ever made with.

``calibrations/kept.json`` lists the digests of what was put there, so that a file that is lost is missed.
"""

from __future__ import annotations

import json

from lookalike.calibration import Calibration, read_calibration
from lookalike.collection.layout import CollectionLayout
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import CalibrationInvalidError
from lookalike.storage import disk_errors, write_atomically


def collection_calibration(layout: CollectionLayout, spec: EncoderSpec) -> Calibration | None:
    """The collection's calibration for this encoder, None if it was never given one.

    Raises CalibrationInvalidError for a damaged or lost file, and CalibrationMismatchError for one that another
    encoder's calibration has been put in the place of.
    """
    path = layout.calibration(spec.digest)
    if not path.exists():
        if spec.digest not in _kept(layout):
            return None
        raise CalibrationInvalidError(
            f"the calibration {path} is lost: calibrate again with `python -m indexer calibrate --collection "
            f"{layout.name}`, or do without with `--remove`",
            subject=str(path),
        )
    calibration = read_calibration(path)
    calibration.check_encoder(spec.name, spec.digest)
    return calibration


def keep_calibration(layout: CollectionLayout, spec: EncoderSpec, calibration: Calibration) -> None:
    """Put a calibration in force for the collection's scores by this encoder; replaces the one that was.

    Raises CalibrationMismatchError for another encoder's, DiskFullError and DataPathError.
    """
    calibration.check_encoder(spec.name, spec.digest)
    path = layout.calibration(spec.digest)
    kept = _kept(layout)
    with disk_errors(path):
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, calibration.to_json().encode())
        _write_kept(layout, kept | {spec.digest})


def remove_calibration(layout: CollectionLayout, spec: EncoderSpec) -> bool:
    """Take the collection's calibration for this encoder away, damaged ones too; whether there was one."""
    path = layout.calibration(spec.digest)
    kept = _kept(layout)
    there = path.exists() or spec.digest in kept
    if there:
        with disk_errors(path):
            _write_kept(layout, kept - {spec.digest})
            path.unlink(missing_ok=True)
    return there


def _kept(layout: CollectionLayout) -> frozenset[str]:
    """The digests of what must be there; none before the first calibration."""
    path = layout.kept_calibrations
    try:
        return frozenset(map(str, json.loads(path.read_text(encoding="utf-8"))))
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError, TypeError) as error:
        raise CalibrationInvalidError(
            f"{path} cannot be read ({error}): delete it and calibrate again", subject=str(path)
        ) from error


def _write_kept(layout: CollectionLayout, digests: frozenset[str]) -> None:
    write_atomically(layout.kept_calibrations, (json.dumps(sorted(digests), indent=2) + "\n").encode())
