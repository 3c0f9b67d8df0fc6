"""``python -m benchmarks.peers``: other programs and this one, in one run, on the same pictures and vectors.

    python -m benchmarks.peers --pictures FOLDER --embeddings FILE.npy --queries FILE.npy --copies FOLDER

Makes an environment for each peer (the network is used for that alone), runs everything in turns, and writes
``benchmarks/results/peers.json``. A peer that cannot be installed or run is in it with what it said. Weights are random
where a peer would download them, written as files where it looks for them; see ``scripts/random_weights.py``. A
comparison whose material is not given is left as it was in the file.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.peers.environments import Environments
from benchmarks.peers.material import stage_copies, stage_matrix, stage_pictures
from benchmarks.peers.measuring import compare_copies, compare_indexes, compare_systems

RESULT = Path(__file__).resolve().parents[1] / "results" / "peers.json"
BUSY = 1.3
"""A load of so many running programs a core, before this one starts, makes its figures doubtful."""


def main() -> None:
    """Read the command line, measure, write."""
    options = arguments()
    environments = Environments(options.envs)
    results: dict[str, Any] = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {}
    with tempfile.TemporaryDirectory(prefix="lookalike-peers-") as name:
        work = Path(name)
        if options.pictures:
            pictures = stage_pictures(options.pictures, options.count, work)
            before = machine()
            compared = compare_systems(environments, pictures, options.rounds, work / "run")
            write(results, "systems", {"machine": before, **compared}, options.out)
        if options.embeddings:
            matrix = stage_matrix(options.embeddings, options.queries, options.vectors, options.asked, work)
            before = machine()
            (work / "indexes").mkdir()
            compared = compare_indexes(environments, matrix, options.rounds, work / "indexes")
            write(results, "indexes", {"machine": before, **compared}, options.out)
        if options.copies:
            copies = stage_copies(options.copies, work)
            before = machine()
            compared = compare_copies(environments, copies, work / "run")
            write(results, "copies", {"machine": before, **compared}, options.out)


def arguments() -> argparse.Namespace:
    """The command line; ``--quick`` sets what was not said otherwise."""
    description = __doc__.splitlines()[0] if __doc__ else None
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=description)
    parser.add_argument("--envs", type=Path, default=Path.home() / ".cache" / "lookalike-peers")
    parser.add_argument("--pictures", type=Path, action="append", help="Folder of pictures to index; may be repeated.")
    parser.add_argument("--count", type=int, help="At most so many of them.")
    parser.add_argument("--embeddings", type=Path, help="(n, d) .npy to build indexes of.")
    parser.add_argument("--queries", type=Path, help="(q, d) .npy to ask them.")
    parser.add_argument("--vectors", type=int, help="At most so many of the embeddings.")
    parser.add_argument("--asked", type=int, default=500, help="At most so many of the queries.")
    parser.add_argument("--copies", type=Path, help="Folder with labels.csv: path, group, transform.")
    parser.add_argument("--rounds", type=int, help="How often each is run.")
    parser.add_argument("--quick", action="store_true", help="Few pictures, few vectors, one round.")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.embeddings and not options.queries:
        parser.error("--embeddings needs --queries")
    usual = {"count": 200, "vectors": 10_000, "rounds": 1} if options.quick else {}
    for name, value in ({"count": 2000, "vectors": 100_000, "rounds": 2} | usual).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def machine() -> dict[str, Any]:
    """What the figures were measured on, and how busy others kept it."""
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return {
        "cpu": _processor(),
        "cores": cores,
        "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "load_before": round(load, 1),
        "contended": load > BUSY * cores,
    }


def write(results: dict[str, Any], name: str, compared: dict[str, Any], out: Path) -> None:
    """Put one comparison into the file as soon as it is there."""
    results[name] = compared
    out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    main()
