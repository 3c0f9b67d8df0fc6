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


def make_parser() -> argparse.ArgumentParser:
    """The command-line parser; its help shows every default."""
    parser = argparse.ArgumentParser(
        prog="python -m indexer.calibration",
        description="Fit an encoder's default calibration and write it to the folder that it is read from.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "sources",
        nargs="+",
        type=Path,
        metavar="SOURCE",
        help="labelled pictures: a manifest with a label or product_id column, or class folders; all weigh the same",
    )
    parser.add_argument("--encoder", help="encoder to calibrate, if not the bundled one")
    parser.add_argument("--input-size", type=int, help="pixels, if not the encoder's own")
    parser.add_argument("--encoders-dir", type=Path, help="folder of installed weights")
    parser.add_argument("--precision", type=float, help="take the lowest threshold with this precision, not best F1")
    parser.add_argument("--limit", type=int, default=2000, help="greatest number of pictures of a source")
    parser.add_argument("--folder", type=Path, default=SHIPPED, help="folder to write the calibration to")
    parser.add_argument("--report", type=Path, help="folder for charts and page")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="threads that read and decode")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit and write a calibration; exit status 0, or 1 with one sentence on stderr."""
    options = make_parser().parse_args(arguments)
    reporter = HumanReporter()
    try:
        encoder = Encoder.load(options.encoder, input_size=options.input_size, encoders_dir=options.encoders_dir)
        sets = [_embed_labelled(encoder, source, options, reporter) for source in options.sources]
        result = calibrate(halves_of_labels(sets), encoder.spec, collection=None, rule=Rule(options.precision))
        path = options.folder / calibration_name(encoder.spec.digest)
        with disk_errors(options.folder):
            options.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, result.calibration.to_json().encode())
        if options.report is not None:
            write_report(result, options.report)
    except LookalikeError as error:
        reporter.say(f"error: {error.message}")
        return 1
    for warning in result.warnings:
        reporter.say(f"warning: {warning}")
    calibration = result.calibration
    reporter.say(f"{calibration.encoder}: {calibration.summary}")
    JsonReporter().answer(
        "",
        file=str(path),
        encoder=calibration.encoder,
        threshold=calibration.threshold,
        cosine=round(2 * calibration.threshold - 1, 4),
        rule=calibration.rule,
        **result.fields(),
        brier=round(calibration.brier, 4),
        calibration_error=round(calibration.calibration_error, 4),
        pairs=[calibration.positives, calibration.negatives],
    )
    return 0


def _embed_labelled(encoder: Encoder, path: Path, options: argparse.Namespace, reporter: Reporter) -> LabelledSet:
    """Embed the labelled pictures of a source that can be read."""
    source = open_source(path)
    try:
        sample = read_labelled(source, limit=options.limit)
        reporter.say(f"{source.location}: {sample.labels.summary}")
        labelled_entries = zip(sample.entries, sample.labels.values, strict=True)
        labelled_pairs = [(entry, label) for entry, label in labelled_entries if label is not None]
        entries = [entry for entry, _ in labelled_pairs]
        embedding = embed_entries([encoder], source, entries, reporter=reporter, workers=options.workers)
    finally:
        source.close()
    (vectors,) = embedding.vectors.values()
    labels, keys = ([labelled_pairs[row][1] for row in embedding.rows], [entries[row].key for row in embedding.rows])
    return LabelledSet(source_name(path), vectors, labels, keys)


if __name__ == "__main__":
    sys.exit(main())
