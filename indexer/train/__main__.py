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
    whole.add_argument("--encoders-dir", type=Path, help="folder of installed encoders, if not the usual one")
    whole.add_argument(
        "--runtime", choices=("openvino", "torch"), default="openvino", help="what runs the old teacher for the table"
    )
    tasks_of = whole.add_subparsers(dest="task", required=True)

    tasks_of.add_parser("targets", help="decode the pool and run the published network over it, once")

    distil = tasks_of.add_parser("distil", help="train; goes on from the checkpoint in the work folder")
    distil.add_argument("--minutes", type=float, default=110.0, help="time to train in all, over all resumptions")
    distil.add_argument("--rate", type=float, default=Settings.rate, help="highest learning rate")

    finish = tasks_of.add_parser("finish", help="fit the output layer to trained weights and write the weights file")
    finish.add_argument("output", type=Path, help="weights file to write")
    finish.add_argument("--weights", type=Path, help="checkpoint (.pt) or weights file; else the published network")

    rename = tasks_of.add_parser("export", help="write weights as they are in the product's format")
    rename.add_argument("weights", type=Path, help="checkpoint (.pt) or weights file")
    rename.add_argument("output", type=Path, help="weights file to write")

    quality = tasks_of.add_parser("quality", help="measure weights on the test sets; JSON to stdout")
    quality.add_argument("weights", type=Path, help="checkpoint (.pt) or weights file")

    table = tasks_of.add_parser("table", help="measure the encoders in the box and installed beside colour and teacher")
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
    encoders = Library(Path(), encoders=given.encoders_dir).encoders_dir
    work = tasks.Work(given.data, given.teacher, given.work, encoders)
    if given.task == "targets":
        tasks.make_targets(work, say)
    elif given.task == "distil":
        tasks.distil(work, Settings(seconds=60 * given.minutes, seed=given.seed, rate=given.rate), say)
    elif given.task == "quality":
        report = {"student": tasks.quality(work, tasks.load_student(given.weights, work), say)}
        sys.stdout.write(json.dumps(report, indent=1) + "\n")
    elif given.task == "table":
        figures = tasks.product_encoders(work, say) | tasks.baselines(work, given.runtime, say)
        if given.json is not None:
            given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        sys.stdout.write(quality_table(figures) + "\n")
    else:
        student = tasks.load_student(given.weights, work)
        if given.task == "finish":
            tasks.finish(work, student, say)
        export(student, given.output)
        say(f"wrote {given.output}")


def say(line: str) -> None:
    """A line to stderr, at once."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
