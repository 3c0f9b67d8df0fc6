"""``python -m indexer.train``: targets, distil, finish, quality, table. Text to stderr, results to stdout."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from indexer.train import tasks
from indexer.train.distil import Settings
from indexer.train.export import export
from indexer.train.quality import quality_table
from indexer.train.student import load_weights
from lookalike.errors import LookalikeError
from lookalike.options import Places as Library

TEACHER = "mobilenet_edgetpu_224_1.0_uint8_dequantised.npz"


def parser() -> argparse.ArgumentParser:
    """The command line, every default visible in its help."""
    whole = argparse.ArgumentParser(
        prog="python -m indexer.train",
        description="Trains the encoder in the box.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    whole.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with pool/ and the test sets")
    whole.add_argument("--teacher", type=Path, default=Path("../shared/teacher") / TEACHER, help="teacher's .npz file")
    whole.add_argument("--work", type=Path, default=Path("../train"), help="folder for caches and checkpoints")
    whole.add_argument("--threads", type=int, default=2, help="threads for arithmetic")
    whole.add_argument("--seed", type=int, default=0, help="decides order, augmentation and samples")
    tasks_of = whole.add_subparsers(dest="task", required=True)

    targets = tasks_of.add_parser("targets", help="decode the pool and run the teacher over it, once")
    targets.add_argument("--runtime", choices=("openvino", "torch"), default="openvino", help="what runs the teacher")

    distil = tasks_of.add_parser("distil", help="train; goes on from the checkpoint in the work folder")
    distil.add_argument("--minutes", type=float, default=110.0, help="time to train in all, over all resumptions")
    distil.add_argument("--rate", type=float, default=Settings.rate, help="highest learning rate")
    distil.add_argument("--start", type=Path, help="file whose backbone to start from instead of random weights")

    finish = tasks_of.add_parser("finish", help="fit the output layer to trained weights and write the weights file")
    finish.add_argument("weights", type=Path, help="checkpoint (.pt) or weights file to finish")
    finish.add_argument("output", type=Path, help="weights file to write")

    rename = tasks_of.add_parser("export", help="write weights as they are in the product's format")
    rename.add_argument("weights", type=Path, help="checkpoint (.pt) or weights file")
    rename.add_argument("output", type=Path, help="weights file to write")

    quality = tasks_of.add_parser("quality", help="measure weights on the test sets; JSON to stdout")
    quality.add_argument("weights", type=Path, help="checkpoint (.pt) or weights file")

    table = tasks_of.add_parser("table", help="measure the encoders in the box and installed beside colour and teacher")
    table.add_argument("--encoders-dir", type=Path, help="folder of installed encoders, if not the usual one")
    table.add_argument("--json", type=Path, help="write the figures to this file too")
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one task; 0 when it is done, 1 with one sentence on stderr when it cannot be."""
    given = parser().parse_args(arguments)
    torch.set_num_threads(given.threads)
    try:
        run(given)
    except LookalikeError as error:
        say(f"{error.code}: {error.message}")
        return 1
    return 0


def run(given: argparse.Namespace) -> None:
    """The task that ``given`` names."""
    places = tasks.Places(given.data, given.teacher, given.work)
    if given.task == "targets":
        tasks.make_targets(places, given.runtime, say)
    elif given.task == "distil":
        settings = Settings(seconds=60 * given.minutes, seed=given.seed, rate=given.rate)
        tasks.distil(places, settings, given.start, say)
    elif given.task == "quality":
        report = {"student": tasks.quality(places, load_weights(given.weights), say)}
        sys.stdout.write(json.dumps(report, indent=1) + "\n")
    elif given.task == "table":
        folder = Library(Path(), encoders=given.encoders_dir).encoders_dir
        found = tasks.product_encoders(places, folder, say) | tasks.baselines(places, given.seed, say)
        if given.json is not None:
            given.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        sys.stdout.write(quality_table(found) + "\n")
    else:
        student = load_weights(given.weights)
        if given.task == "finish":
            tasks.finish(places, student, say)
        export(student, tasks.SERVED_SIZE, given.output)
        say(f"wrote {given.output}")


def say(line: str) -> None:
    """A line to stderr, at once."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
