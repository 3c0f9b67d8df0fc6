"""``make demo``: the whole way in one go, from pictures to verified neighbours that one can look at."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from indexer.__main__ import main as run_cli

SAMPLE_QUERIES = 6
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


def step(title: str, *arguments: str | Path) -> None:
    """Say what comes, run one command of the command line, and stop the demo if it fails."""
    words = [str(argument) for argument in arguments]
    sys.stderr.write(f"\n== {title}\n$ python -m indexer {' '.join(words)}\n")
    sys.argv = ["indexer", *words]
    try:
        run_cli()
    except SystemExit as stop:
        if stop.code not in (None, 0, 3):
            raise


def own_queries(folder: Path) -> list[Path]:
    """A few pictures of a folder, spread over it, to search with."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    return found[:: max(1, len(found) // SAMPLE_QUERIES)][:SAMPLE_QUERIES]


def main() -> None:
    """Index a sample corpus, or the given folder, prove it, search it, and draw the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("demo/data"))
    parser.add_argument("--images", type=Path, help="a folder of your own pictures instead of the sample")
    chosen = parser.parse_args()
    if chosen.images is None:
        corpus = chosen.data.parent / "sample"
        name, source = "sample", corpus / "manifest.csv"
        step("draw a sample corpus of made-up products", "sample", corpus)
        queries = sorted((corpus / "queries").glob("*.jpg"))[:SAMPLE_QUERIES]
    else:
        name, source = "pictures", chosen.images
        queries = own_queries(chosen.images) if chosen.images.is_dir() else []
    place = ("--collection", name, "--data", chosen.data)
    step("index it", "index", source, *place)
    step("prove that every picture finds itself", "verify", *place)
    if queries:
        sheet = chosen.data.parent / f"{name}-montage.png"
        step("search with a few pictures", "search", *queries, *place, "-k", "5")
        step("draw the neighbours", "montage", *queries, *place, "-k", "7", "--out", sheet)
        again = f".venv/bin/python -m indexer search PICTURE --collection {name} --data {chosen.data}"
        sys.stderr.write(f"\nLook at {sheet}. Search with a picture of yours: {again}\n")


if __name__ == "__main__":
    main()
