"""Worked examples of docs/cli.md: each verb's task, a command, what it printed, and the fields of its answers.

``python -m tools.docs.cli_examples`` runs them in the order of the page, in one folder, and keeps what they print; a
test runs them again and compares all but the numbers.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from indexer.console.reporter import HumanReporter

RECORDED = Path(__file__).with_name("cli_examples.json")
HOME = "/home/me"
REPOSITORY = Path(__file__).resolve().parent.parent.parent
PROGRAM = "python -m indexer"


FIRST, SECOND = (f"shop/images/backpack/backpack-001-{number}.jpg" for number in (1, 2))


@dataclass(frozen=True, slots=True)
class Example:
    """``task`` is what somebody wants, in one sentence; ``lines`` is how many lines of a long output are shown.

    ``last_line`` is for a command that needs the network or minutes and is not run: what it prints in the end.
    ``before`` is done first, in the folder. ``related`` names verbs, and pages of docs/, to read next.
    """

    verb: str
    task: str
    command: str
    lines: int = 12
    last_line: str | None = None
    before: Callable[[Path], None] | None = None
    related: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        """Whether the command is run for the page."""
        return self.last_line is None


@dataclass(frozen=True, slots=True)
class Recording:
    """What an example printed, and the fields of its answers: their names, and below a list of objects their names."""

    printed: list[str]
    fields: dict[str, list[str]]


def _remove_a_picture(folder: Path) -> None:
    """A shop takes a product's photo down."""
    table = folder / "shop" / "manifest.csv"
    rows = table.read_text(encoding="utf-8").splitlines(keepends=True)
    table.write_text("".join(rows[:-1]), encoding="utf-8")


EXAMPLES = (
    Example(
        "sample",
        "Draw pictures to try things on.",
        "sample shop --products 16",
        related=("index",),
    ),
    Example(
        "index",
        "Make a collection of a table of products.",
        "index shop/manifest.csv --collection shop",
        related=("search", "verify", "reindex", "plan"),
    ),
    Example(
        "search",
        "Find the pictures most like one of yours.",
        "search shop/queries/query-7.jpg --collection shop -k 3",
        related=("montage", "evaluate", "calibrate", "quality.md", "text.md"),
    ),
    Example(
        "recommend",
        "Find what suits the pictures that somebody likes.",
        "recommend --collection shop --like backpack-001-1 --like backpack-002-1 --group-by product_id -k 3",
        related=("search", "recommend.md"),
    ),
    Example(
        "tags",
        "Name what a picture shows.",
        f"tags {FIRST} --min-confidence 0.5",
        related=("tag", "tags.md"),
    ),
    Example(
        "compare",
        "Ask whether two pictures are similar.",
        f"compare {FIRST} {SECOND}",
        related=("explain", "duplicates", "quality.md"),
    ),
    Example(
        "explain",
        "See why two pictures are similar.",
        f"explain {FIRST} {SECOND} --out why.png",
        related=("compare", "quality.md"),
    ),
    Example(
        "montage",
        "See the neighbours of a picture.",
        "montage shop/queries/query-7.jpg --collection shop -k 5 --out montage.png",
        related=("search",),
    ),
    Example(
        "duplicates",
        "Find copies of one picture.",
        "duplicates --collection shop",
        related=("compare",),
    ),
    Example(
        "cluster",
        "See what a collection is made of.",
        "cluster --collection shop --name-by category",
        lines=6,
        related=("outliers", "insights.md"),
    ),
    Example(
        "outliers",
        "Find what looks like nothing else.",
        "outliers --collection shop --nearest 3 --top 3",
        related=("cluster", "mislabelled", "insights.md"),
    ),
    Example(
        "mislabelled",
        "Find wrong labels.",
        "mislabelled --collection shop --label category --margin 0.1",
        related=("outliers", "evaluate", "insights.md"),
    ),
    Example(
        "map",
        "Lay a collection out in two dimensions, for the page.",
        "map --collection shop",
        related=("duplicates", "map.md"),
    ),
    Example(
        "evaluate",
        "Measure how good the answers are on your pictures.",
        "evaluate shop/manifest.csv --label product_id --encoder bundled-int8 --encoder bundled-resnet18",
        lines=7,
        related=("calibrate", "robustness", "encoders compare", "quality.md"),
    ),
    Example(
        "robustness",
        "Measure what crop, light, blur and other changes of a picture cost.",
        "robustness shop/manifest.csv --limit 2",
        lines=12,
        related=("evaluate", "quality.md"),
    ),
    Example(
        "calibrate",
        "Fit the threshold and the confidences to your labels.",
        "calibrate --collection shop --label product_id",
        related=("evaluate", "quality.md"),
    ),
    Example(
        "plan",
        "See which index a million pictures would get.",
        "plan --count 1000000 --memory 8",
        related=("index",),
    ),
    Example(
        "collections",
        "List what is indexed.",
        "collections",
        related=("verify", "rollback"),
    ),
    Example(
        "verify",
        "Check that a collection is intact.",
        "verify --collection shop",
        related=("doctor", "rollback"),
    ),
    Example(
        "reindex",
        "Bring every collection up to date (here the table has lost its last row).",
        "reindex",
        before=_remove_a_picture,
        related=("index", "rollback"),
    ),
    Example(
        "rollback",
        "Serve the snapshot before.",
        "rollback --collection shop",
        related=("unpin", "collections", "reindex", "operations.md"),
    ),
    Example(
        "unpin",
        "Serve the newest snapshot again after a rollback.",
        "unpin --collection shop",
        related=("rollback",),
    ),
    Example(
        "create",
        "Make an empty collection, to send pictures to.",
        "create --collection mugs",
        related=("fold", "delete", "live.md"),
    ),
    Example(
        "configure",
        "Declare what columns of the metadata are.",
        "configure --collection mugs --column price:number --column 'tags:list of text'",
        related=("create", "index", "filters.md"),
    ),
    Example(
        "fold",
        "Publish a snapshot with the changes that were made live.",
        "fold --collection mugs",
        related=("create", "live.md"),
    ),
    Example(
        "tag",
        "Give the pictures of a collection words for what they show.",
        "tag mugs",
        related=("tags", "tags.md"),
    ),
    Example(
        "delete",
        "Take a collection out of service.",
        "delete --collection mugs --confirm mugs",
        related=("restore", "live.md"),
    ),
    Example(
        "restore",
        "Bring a deleted collection back.",
        "restore --collection mugs",
        related=("delete",),
    ),
    Example(
        "fetch",
        "Download pictures to try things on.",
        "fetch imagenette pictures",
        last_line="pictures/imagenette2-160: index it with `python -m indexer index pictures/imagenette2-160/train "
        "--collection imagenette`",
        related=("index", "evaluate"),
    ),
    Example(
        "stats",
        "Measure the colours of a corpus.",
        "stats shop/manifest.csv",
        related=("evaluate",),
    ),
    Example(
        "doctor",
        "Check the installation.",
        "doctor",
        related=("verify", "operations.md"),
    ),
    Example(
        "embed",
        "Get vectors of pictures without a collection.",
        "embed shop/images/backpack shop/queries/query-7.jpg --out vectors.npy",
        related=("export-items", "export", "compare"),
    ),
    Example(
        "export-items",
        "Give items, metadata and vectors to another program.",
        "export-items shop.parquet --collection shop --where 'product_id = backpack-001'",
        related=("index", "search", "export-items.md"),
    ),
    Example(
        "export",
        "Use an encoder in another program.",
        "export encoder.onnx --encoder bundled-int8",
        related=("encoders", "export.md"),
    ),
    Example(
        "encoders",
        "See which encoders there are.",
        "encoders",
        lines=8,
        related=("encoders install", "encoders compare", "model-card.md"),
    ),
    Example(
        "encoders install",
        "Install the published weights of a network.",
        "encoders install resnet50",
        last_line=f"resnet50 is installed in {HOME}/.cache/lookalike/encoders/resnet50",
        related=("encoders quantise", "encoders compare"),
    ),
    Example(
        "encoders quantise",
        "Make an installed encoder faster.",
        "encoders quantise resnet50 --pictures ~/Pictures",
        last_line="resnet50-int8 is installed: cosine to float32 0.9950 on average over 500 pictures, 0.9850 at the "
        "first percentile, 0.9700 at least",
        related=("encoders compare", "export"),
    ),
    Example(
        "encoders compare",
        "See what another encoder would change, before anything is rebuilt.",
        "encoders compare bundled-int8 bundled-resnet18 --collection shop --sample 20",
        lines=20,
        related=("encoders install", "index", "quality.md"),
    ),
)

_PROGRESS = re.compile(r"^.*: \d+(/\d+)?, [\d.]+/s(, .*)?$")
_UNSTABLE = (
    (re.compile(r"(encoded in|run took) (less than a second|\d+ min \d+ s|\d+ s)"), r"\1 2 s"),
    (re.compile(r"\d+\.\d pictures a second"), "40.0 pictures a second"),
    (re.compile(r"(reading|decoding|encoding|writing) [\d.]+ s"), r"\1 0.5 s"),
    (re.compile(r"\d{8}T\d{6}\.\d{6}"), "20260102T030405.678901"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "2026-01-02 03:04 UTC"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00"), "2026-01-02T03:04:05+00:00"),
    (re.compile(r"[\d.]+ [GT]B free"), "100.0 GB free"),
    (re.compile(r"\d+ cores, [\d.]+ [GT]B"), "4 cores, 16.0 GB"),
    (re.compile(r"--memory \d\.\d+"), "--memory 8.0"),
    (re.compile(r"[\d.]+ ms of CPU"), "10.0 ms of CPU"),
)


def run_examples(folder: Path) -> dict[str, Recording]:
    """What each example that runs prints, stdout and stderr as they came, run one after the other in ``folder``."""
    recordings: dict[str, Recording] = {}
    with contextlib.chdir(folder):
        for example in EXAMPLES:
            if example.runs:
                if example.before is not None:
                    example.before(folder)
                with _recorded_answers() as answers:
                    text = _run(shlex.split(example.command))
                recordings[example.verb] = Recording(_stable(text, folder), _fields(answers))
    return recordings


@contextlib.contextmanager
def _recorded_answers() -> Iterator[list[dict[str, Any]]]:
    """The fields of every answer given meanwhile, which ``--json`` would write."""
    answers: list[dict[str, Any]] = []
    print_answer = HumanReporter.answer

    def record(reporter: HumanReporter, text: str, **fields: Any) -> None:
        answers.append(fields)
        print_answer(reporter, text, **fields)

    with mock.patch.object(HumanReporter, "answer", record):
        yield answers


def _fields(answers: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Names of the answers' fields, in order; of a list of objects the names of these."""
    names: dict[str, list[str]] = {}
    for answer in answers:
        for name, value in answer.items():
            inner = names.setdefault(name, [])
            objects = [item for item in value if isinstance(item, dict)] if isinstance(value, list | tuple) else []
            inner += [key for item in objects[:1] for key in item if key not in inner]
    return names


def mask(lines: list[str]) -> list[str]:
    """``lines`` without numbers, the spaces that align them and what ``doctor`` found: what machines have in common."""
    checks = [re.sub(r"^(ok  |BAD |note) ([\w ]+):.*", r"\2", line) for line in lines]
    return [re.sub(r"[\s-]+", " ", re.sub(r"[+-]?\d[\d.,]*", "#", line)).strip() for line in checks]


def shown(example: Example, printed: list[str]) -> list[str]:
    """The lines of an example's output that the page shows."""
    return printed if len(printed) <= example.lines else [*printed[: example.lines], "..."]


def example_lines(verb: str) -> list[str]:
    """A verb's command and what it printed, as a page shows them."""
    (example,) = (example for example in EXAMPLES if example.verb == verb)
    if example.last_line is not None:
        printed = ["...", example.last_line]
        remark = [
            "",
            "It was not run for this page, because it needs the network or minutes; the last line shows its form.",
        ]
    else:
        printed, remark = shown(example, recorded()[verb].printed), []
    return ["```console", f"$ {PROGRAM} {example.command}", *printed, "```", *remark]


def _run(words: list[str]) -> str:
    from indexer.__main__ import main

    screen, argv = io.StringIO(), sys.argv
    try:
        sys.argv = ["indexer", *words]
        with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen), contextlib.suppress(SystemExit):
            main()
    finally:
        sys.argv = argv
    return screen.getvalue()


def _stable(text: str, folder: Path) -> list[str]:
    """Lines without progress, in which times, dates and places are always the same."""
    for place, name in ((folder.resolve(), HOME), (folder, HOME), (REPOSITORY, "/srv/lookalike")):
        text = text.replace(str(place), name)
    for pattern, replacement in _UNSTABLE:
        text = pattern.sub(replacement, text)
    return [line.rstrip() for line in text.rstrip().splitlines() if not _PROGRESS.match(line)]


def recorded() -> dict[str, Recording]:
    """What came of the examples when they were run last, by verb."""
    recordings: dict[str, dict[str, Any]] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return {verb: Recording(**recording) for verb, recording in recordings.items()}


def main() -> None:
    """Run the examples and keep what they print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for variable in [variable for variable in os.environ if variable.startswith("LOOKALIKE_")]:
            del os.environ[variable]
        os.environ["LOOKALIKE_ENCODERS_DIR"] = str(folder / ".cache" / "lookalike" / "encoders")
        recordings = {verb: asdict(recording) for verb, recording in run_examples(folder).items()}
    RECORDED.write_text(json.dumps(recordings, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
