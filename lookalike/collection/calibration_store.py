"""The calibrations of a collection on disk: one file for each encoder that its vectors were ever made with.

``calibrations/kept.json`` lists the digests of the encoders that have one, so that a lost file is noticed.
"""

from __future__ import annotations

import json

from lookalike.calibration import Calibration, read_calibration
from lookalike.collection.layout import CollectionLayout
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import CalibrationInvalidError
from lookalike.storage import disk_errors, write_atomically


def collection_calibration(layout: CollectionLayout, spec: EncoderSpec) -> Calibration | None:
    """The collection's calibration for this encoder, None if it has none.

    Raises CalibrationInvalidError for a damaged or lost file, and CalibrationMismatchError for a file with another
    encoder's calibration.
    """
    path = layout.calibration(spec.digest)
    if not path.exists():
        if spec.digest not in _read_stored_digests(layout):
            return None
        raise CalibrationInvalidError(
            f"the calibration {path} is lost: calibrate again with `python -m indexer calibrate --collection "
            f"{layout.name}`, or do without with `--remove`",
            subject=str(path),
        )
    calibration = read_calibration(path)
    calibration.check_encoder(spec.name, spec.digest)
    return calibration


def store_calibration(layout: CollectionLayout, spec: EncoderSpec, calibration: Calibration) -> None:
    """Store a calibration for the collection's scores by this encoder; replaces an older one.

    Raises CalibrationMismatchError for another encoder's, DiskFullError and DataPathError.
    """
    calibration.check_encoder(spec.name, spec.digest)
    path = layout.calibration(spec.digest)
    stored_digests = _read_stored_digests(layout)
    with disk_errors(path):
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, calibration.to_json().encode())
        _write_stored_digests(layout, stored_digests | {spec.digest})


def remove_calibration(layout: CollectionLayout, spec: EncoderSpec) -> bool:
    """Remove the collection's calibration for this encoder, a damaged one too; returns whether there was one."""
    path = layout.calibration(spec.digest)
    stored_digests = _read_stored_digests(layout)
    exists = path.exists() or spec.digest in stored_digests
    if exists:
        with disk_errors(path):
            _write_stored_digests(layout, stored_digests - {spec.digest})
            path.unlink(missing_ok=True)
    return exists


def _read_stored_digests(layout: CollectionLayout) -> frozenset[str]:
    """The digests of encoders whose calibration must exist; none before the first calibration."""
    path = layout.stored_digests
    try:
        return frozenset(map(str, json.loads(path.read_text(encoding="utf-8"))))
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError, TypeError) as error:
        raise CalibrationInvalidError(
            f"{path} cannot be read ({error}): delete it and calibrate again", subject=str(path)
        ) from error


def _write_stored_digests(layout: CollectionLayout, digests: frozenset[str]) -> None:
    write_atomically(layout.stored_digests, (json.dumps(sorted(digests), indent=2) + "\n").encode())
