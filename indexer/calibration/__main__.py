"""``python -m indexer.calibration SOURCE...``: the calibration that ships with an encoder, from labelled pictures.

Text to stderr, the result as JSON to stdout.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from indexer.calibration.calibrate import calibrate, halves_of_labels
from indexer.calibration.fit import Rule
from indexer.calibration.labelled_set import LabelledSet
from indexer.calibration.report import write_report
from indexer.console.reporter import HumanReporter, JsonReporter, Reporter
from indexer.datasets.embed import embed_entries
from indexer.datasets.labels import read_labelled, source_name
from lookalike.api import Encoder
from lookalike.encoder.calibrations import SHIPPED, calibration_name
from lookalike.errors import LookalikeError
from lookalike.sources.open_source import open_source
from lookalike.storage import disk_errors, write_atomically


def parser() -> argparse.ArgumentParser:
    """The command line, every default visible in its help."""
    arguments = argparse.ArgumentParser(
        prog="python -m indexer.calibration",
        description="Fits an encoder's own calibration and writes it to where it is found.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    arguments.add_argument(
        "sources",
        nargs="+",
        type=Path,
        metavar="SOURCE",
        help="labelled pictures: a manifest with a label or product_id column, or class folders; each weighs the same",
    )
    arguments.add_argument("--encoder", help="whose scores are calibrated, if not those of the encoder in the box")
    arguments.add_argument("--input-size", type=int, help="pixels, if not the encoder's own")
    arguments.add_argument("--encoders-dir", type=Path, help="folder of installed weights")
    arguments.add_argument("--precision", type=float, help="take the lowest threshold with this precision, not best F1")
    arguments.add_argument("--limit", type=int, default=2000, help="pictures of a source, at most")
    arguments.add_argument("--folder", type=Path, default=SHIPPED, help="folder that the calibration goes to")
    arguments.add_argument("--report", type=Path, help="folder for curves and page")
    arguments.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="threads that read and decode")
    return arguments


def main(arguments: Sequence[str] | None = None) -> int:
    """Fits and writes; 0 when it is done, 1 with one sentence on stderr when it cannot be."""
    given = parser().parse_args(arguments)
    reporter = HumanReporter()
    try:
        encoder = Encoder.load(given.encoder, input_size=given.input_size, encoders_dir=given.encoders_dir)
        sets = [_embedded(encoder, source, given, reporter) for source in given.sources]
        fitted = calibrate(halves_of_labels(sets), encoder.spec, collection=None, rule=Rule(given.precision))
        path = given.folder / calibration_name(encoder.spec.digest)
        with disk_errors(given.folder):
            given.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, fitted.calibration.to_json().encode())
        if given.report is not None:
            write_report(fitted, given.report)
    except LookalikeError as error:
        reporter.say(f"error: {error.message}")
        return 1
    for warning in fitted.warnings:
        reporter.say(f"warning: {warning}")
    calibration = fitted.calibration
    reporter.say(f"{calibration.encoder}: {calibration.summary}")
    JsonReporter().answer(
        "",
        file=str(path),
        encoder=calibration.encoder,
        threshold=calibration.threshold,
        cosine=round(2 * calibration.threshold - 1, 4),
        rule=calibration.rule,
        **fitted.fields(),
        brier=round(calibration.brier, 4),
        calibration_error=round(calibration.calibration_error, 4),
        pairs=[calibration.positives, calibration.negatives],
    )
    return 0


def _embedded(encoder: Encoder, path: Path, given: argparse.Namespace, reporter: Reporter) -> LabelledSet:
    """The vectors and labels of a source's labelled pictures that could be read."""
    source = open_source(path)
    try:
        labelled = read_labelled(source, limit=given.limit)
        reporter.say(f"{source.location}: {labelled.labels.summary}")
        both = zip(labelled.entries, labelled.labels.values, strict=True)
        known = [(entry, label) for entry, label in both if label is not None]
        entries = [entry for entry, _ in known]
        embedded = embed_entries([encoder], source, entries, reporter=reporter, workers=given.workers)
    finally:
        source.close()
    (vectors,) = embedded.vectors.values()
    labels, keys = ([known[row][1] for row in embedded.kept], [entries[row].key for row in embedded.kept])
    return LabelledSet(source_name(path), vectors, labels, keys)


if __name__ == "__main__":
    sys.exit(main())
