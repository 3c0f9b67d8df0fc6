"""``python -m indexer.train``: the tasks that made the encoders in the box. Text to stderr, results to stdout."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from indexer.train import layer_task, tag_head, tag_words, tasks
from indexer.train.distil import Settings, phases_up_to
from indexer.train.export import export
from indexer.train.quality import quality_table
from indexer.train.student import NETWORKS
from indexer.train.tag_quality import measure_tags, quality_lines
from lookalike.api import Encoder
from lookalike.errors import LookalikeError
from lookalike.options import Places as Library

TAG_TASKS = frozenset({"words", "tags", "tag-quality"})
TEACHER = "mobilenet_edgetpu_224_1.0_uint8_dequantised.npz"


def make_parser() -> argparse.ArgumentParser:
    """The command-line parser; its help shows every default."""
    parser = argparse.ArgumentParser(
        prog="python -m indexer.train",
        description="Train the bundled encoder.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with pool/ and the test sets")
    parser.add_argument("--teacher", type=Path, default=Path("../shared/teacher") / TEACHER, help="teacher's .npz file")
    parser.add_argument("--work", type=Path, default=Path("../train"), help="folder for caches and checkpoints")
    parser.add_argument(
        "--network",
        choices=NETWORKS,
        default=tasks.TEACHER_NETWORK,
        help="published network to start from, which is installed",
    )
    parser.add_argument("--threads", type=int, default=2, help="threads for computing")
    parser.add_argument("--seed", type=int, default=0, help="seed of the order, the augmentation and the samples")
    parser.add_argument("--encoders-dir", type=Path, help="folder of installed encoders, if not the default")
    parser.add_argument(
        "--runtime", choices=("openvino", "torch"), default="openvino", help="runtime of the old teacher in the table"
    )
    subparsers = parser.add_subparsers(dest="task", required=True)

    subparsers.add_parser("targets", help="decode the pool and embed it with the published network; skipped if done")

    distil_parser = subparsers.add_parser("distil", help="train; resumes from the checkpoint in the work folder")
    distil_parser.add_argument("--minutes", type=float, default=110.0, help="total time to train, over all resumptions")
    distil_parser.add_argument("--rate", type=float, default=Settings.rate, help="highest learning rate")

    finish_parser = subparsers.add_parser(
        "finish", help="fit the output layer to trained weights and write the weights file"
    )
    finish_parser.add_argument("output", type=Path, help="weights file to write")
    finish_parser.add_argument(
        "--weights", type=Path, help="checkpoint (.pt) or weights file; else the published network"
    )

    tune_parser = subparsers.add_parser("tune", help="train the output layer of a weights file that `finish` wrote")
    tune_parser.add_argument("output", type=Path, help="weights file to write")
    tune_parser.add_argument("--weights", type=Path, required=True, help="weights file to start from")

    export_parser = subparsers.add_parser("export", help="convert weights, unchanged, to the product's format")
    export_parser.add_argument("weights", type=Path, help="checkpoint (.pt) or weights file")
    export_parser.add_argument("output", type=Path, help="weights file to write")

    _add_tag_parsers(subparsers)

    quality_parser = subparsers.add_parser("quality", help="measure weights on the test sets; JSON to stdout")
    quality_parser.add_argument("weights", type=Path, help="checkpoint (.pt) or weights file")

    table_parser = subparsers.add_parser("table", help="measure bundled and installed encoders, and the baselines")
    table_parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser


def _add_tag_parsers(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    words_parser = subparsers.add_parser("words", help="write the file of words for tags")
    words_parser.add_argument("nouns", type=Path, help="data.noun of WordNet 3.0")
    words_parser.add_argument("output", type=Path, help="file of words to write")

    tags_parser = subparsers.add_parser("tags", help="fit the head that gives an encoder's vectors words")
    tags_parser.add_argument("output", type=Path, help="head to write")
    tags_parser.add_argument(
        "--encoder", required=True, nargs="+", help="encoder to fit it to, and other forms of it that may use it"
    )

    tag_quality_parser = subparsers.add_parser("tag-quality", help="measure the tags of encoders; a table to stdout")
    tag_quality_parser.add_argument("--encoder", required=True, nargs="+", help="encoders to measure")
    tag_quality_parser.add_argument("--json", type=Path, help="also write the figures to this file")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one task; exit status 0, or 1 with one sentence on stderr."""
    options = make_parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    try:
        run(options)
    except LookalikeError as error:
        say(f"{error.code}: {error.message}")
        return 1
    return 0


def run(options: argparse.Namespace) -> None:
    """Run the task that ``options`` names."""
    encoders = Library(Path(), encoders=options.encoders_dir).encoders_dir
    work = tasks.Work(options.data, options.teacher, options.work, encoders, options.network)
    if options.task == "targets":
        tasks.make_targets(work, say)
    elif options.task == "distil":
        phases = phases_up_to(work.architecture.input_size)
        settings = Settings(seconds=60 * options.minutes, seed=options.seed, rate=options.rate, phases=phases)
        tasks.distil(work, settings, say)
    elif options.task in TAG_TASKS:
        run_tags(options, work)
    elif options.task == "quality":
        report = {"student": tasks.measure_student(work, tasks.load_student(options.weights, work), say)}
        sys.stdout.write(json.dumps(report, indent=1) + "\n")
    elif options.task == "table":
        figures = tasks.measure_product_encoders(work, say) | tasks.measure_baselines(work, options.runtime, say)
        if options.json is not None:
            options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        sys.stdout.write(quality_table(figures) + "\n")
    else:
        student = tasks.load_student(options.weights, work)
        if options.task == "finish":
            tasks.finish(work, student, say)
        elif options.task == "tune":
            layer_task.tune(work, student, say)
        export(student, options.output)
        say(f"wrote {options.output}")


def run_tags(options: argparse.Namespace, work: tasks.Work) -> None:
    """Run one of the tasks about tags."""
    if options.task == "words":
        tag_words.write_words(options.nouns, options.output)
        return
    encoders = [Encoder.load(name, encoders_dir=work.encoders) for name in options.encoder]
    if options.task == "tags":
        tag_head.make_tags(work, encoders, options.output, say)
        return
    classify = tag_head.classifier_runner(work)
    report = {encoder.spec.name: measure_tags(work.data, encoder, classify) for encoder in encoders}
    for name, figures in report.items():
        sys.stdout.write(f"{name}\n\n{quality_lines(figures)}\n\n")
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def say(line: str) -> None:
    """Write a line to stderr and flush it."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
