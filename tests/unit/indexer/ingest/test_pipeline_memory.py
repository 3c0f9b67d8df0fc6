"""How much memory a run of `index` holds: as much for many pictures as for few."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks.indexing import watched
from indexer.console.reporter import HumanReporter
from indexer.ingest import run
from indexer.ingest.pipeline import PipelineOptions
from indexer.ingest.run import IndexRequest, RunOptions, index_collection
from lookalike.catalogue.records import CollectionSettings
from lookalike.collection.builder import BuildOptions
from lookalike.encoder.base import RGB, Vectors
from lookalike.images import encode_jpeg, resize
from lookalike.options import EncoderRequest, Places
from lookalike.testing import TinyEncoder, make_picture
from lookalike.wiring import open_catalogue

FEW, MANY = 250, 750
SIDE = 256
GROWTH_MIB = 32
"""For the allocator's leftovers, and what measures recall; the squares of `MANY` - `FEW` pictures have 94 MiB."""


class Roomy(TinyEncoder):
    """A tiny encoder that is given squares of the size that real ones are given."""

    def prepare(self, image: RGB) -> RGB:
        return resize(image, SIDE, SIDE)

    def forward(self, batch: RGB) -> Vectors:
        return super().forward(np.ascontiguousarray(batch[:, ::8, ::8]))


def index(folder: Path, data: Path) -> dict[str, int]:
    """Index ``folder``: how many pictures were taken in, and this process's own memory at most meanwhile, in MiB."""
    settings = CollectionSettings("faiss-flat", 3, 1 << 20, 1 << 20)
    pipeline = PipelineOptions(batch=8, workers=1, encoders=1)
    request = IndexRequest("shop", str(folder), None, EncoderRequest("tiny"))
    with closing(open_catalogue(Places(data))) as catalogue, watched() as most:
        summary = index_collection(
            Places(data),
            request,
            catalogue=catalogue,
            options=RunOptions(pipeline, BuildOptions(settings)),
            reporter=HumanReporter(),
        )
    return {"pictures": summary.manifest.count, "own": most["own"]}


def test_three_times_the_pictures_take_no_more_memory(tmp_path: Path) -> None:
    for count in (FEW, MANY):
        folder = tmp_path / f"{count}"
        folder.mkdir()
        for number in range(count):
            (folder / f"{number}.jpg").write_bytes(encode_jpeg(make_picture(number, (40, 30)), 80))
    # In a process of its own: what other tests have left there could be used again, and would hide what is held.
    done = subprocess.run([sys.executable, "-m", __name__, str(tmp_path)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    few, many = (json.loads(line) for line in done.stdout.splitlines())
    assert (few["pictures"], many["pictures"]) == (FEW, MANY)
    assert (MANY - FEW) * SIDE**2 * 3 > 2.5 * GROWTH_MIB * 2**20, "else squares that are all kept would not be noticed"
    assert many["own"] < few["own"] + GROWTH_MIB


if __name__ == "__main__":
    with mock.patch.object(run, "load_encoder", return_value=Roomy()):
        for number in (FEW, MANY):
            found = index(Path(sys.argv[1], f"{number}"), Path(sys.argv[1], f"data-{number}"))
            sys.stdout.write(json.dumps(found) + "\n")
