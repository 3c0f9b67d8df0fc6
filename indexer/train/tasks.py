"""The tasks of ``python -m indexer.train``: what to read, what to run, where the results go.

Everything a run makes lies in its work folder: the decoded pool, the teacher's targets, the checkpoint, the log.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from indexer.train import features
from indexer.train.closed_form import Affine, output_layer, ridge
from indexer.train.distil import Data, Distiller, Settings
from indexer.train.losses import Heads
from indexer.train.pool import Pool, decode_pool, describe, pictures, read_manifest
from indexer.train.quality import Figures, all_sets, colour_histogram, measure
from indexer.train.student import COLOUR_BINS, Student, load_backbone, new_student
from indexer.train.teacher import (
    INPUT_SIZE,
    Runtime,
    Targets,
    embed,
    embed_pixels,
    load_targets,
    load_teacher,
    runner,
    save_targets,
)
from lookalike.api import Encoder
from lookalike.encoder.installed import installed_names
from lookalike.encoder.registry import BUNDLED, BUNDLED_INT8
from lookalike.images import decode

SERVED_SIZE = 144
COLOUR_COMPONENTS = 96
HEAD_PICTURES = 4_000
HEAD_SIZE = 96

Log = Callable[[str], None]


@dataclass(frozen=True)
class Places:
    """The folder of the data (with ``pool/`` in it), the teacher's file, and the work folder."""

    data: Path
    teacher: Path
    work: Path

    @property
    def pool(self) -> Path:
        return self.data / "pool"

    @property
    def pixels(self) -> Path:
        return self.work / f"pool-{SERVED_SIZE}.npy"

    @property
    def targets(self) -> Path:
        return self.work / "targets.npz"

    @property
    def checkpoint(self) -> Path:
        return self.work / "checkpoint.pt"


def make_targets(places: Places, runtime: Runtime, log: Log) -> None:
    """Decodes the pool and asks the teacher about every picture of it; does what is not done yet."""
    rows = read_manifest(places.pool)
    places.work.mkdir(parents=True, exist_ok=True)
    decode_pool(places.pool, rows, SERVED_SIZE, places.pixels)
    log(f"{len(rows)} pictures decoded to {places.pixels}")
    if not places.targets.is_file():
        teacher = load_teacher(places.teacher)
        embedding, scores = embed(teacher, pictures(places.pool, rows), runner(teacher, runtime))
        save_targets(Targets(embedding, scores), places.targets)
    log(f"teacher's targets in {places.targets}")


def load_data(places: Places) -> tuple[Pool, Data]:
    """The pool and what training needs of it; raises SourceNotFoundError before ``make_targets`` was run."""
    rows = read_manifest(places.pool)
    targets = load_targets(places.targets)
    pool = describe(rows)
    data = Data(
        pixels=decode_pool(places.pool, rows, SERVED_SIZE, places.pixels),
        embedding=targets.centred(pool.trainable),
        scores=np.ascontiguousarray(targets.scores[:, 1:]),  # the first is the background, which nothing shows
        classes=pool.classes,
        sources=pool.sources,
        chosen=pool.trainable,
    )
    return pool, data


def fitted_heads(student: Student, data: Data, class_sources: npt.NDArray[np.int64], seed: int) -> Heads:
    """Heads, and an output layer, that fit the student's backbone, so that the first steps do not spoil it.

    The linear heads are ridge regressions on a sample of the pool, a class's vector is the mean of its pictures.
    """
    dimension = student.projection.out_features
    heads = Heads(dimension, data.embedding.shape[1], data.scores.shape[1], torch.from_numpy(class_sources))
    rows = sample(data.chosen, HEAD_PICTURES, seed)
    fit_output(student, data, rows, HEAD_SIZE)
    vectors = features.vectors(student, data.pixels[rows], HEAD_SIZE)
    with torch.no_grad():
        for head, wanted in ((heads.embedding, data.embedding), (heads.scores, data.scores)):
            set_linear(head, ridge(vectors, wanted[rows], strength=0.1))
        for number in np.unique(data.classes[rows]):
            if number >= 0:
                heads.classes[number] = torch.from_numpy(vectors[data.classes[rows] == number].mean(axis=0))
    return heads


def sample(chosen: npt.NDArray[np.int64], count: int, seed: int) -> npt.NDArray[np.int64]:
    """At most ``count`` of the positions ``chosen``, ascending."""
    return np.sort(np.random.default_rng(seed).permutation(chosen)[:count])


@torch.no_grad()
def set_linear(layer: torch.nn.Linear, affine: Affine) -> None:
    """Puts ``affine`` into ``layer``."""
    layer.weight.copy_(torch.from_numpy(affine.weight))
    layer.bias.copy_(torch.from_numpy(affine.bias))


def distil(places: Places, settings: Settings, start: Path | None, log: Log) -> None:
    """Trains from the backbone in ``start`` (or from random weights), or goes on from the work folder's checkpoint.

    An interrupt or a termination signal ends it after the current step, with a checkpoint.
    """
    pool, data = load_data(places)
    torch.manual_seed(settings.seed)
    resumed = places.checkpoint.is_file()
    student = new_student() if start is None or resumed else load_backbone(start)
    if resumed or start is None:
        heads = Heads(
            student.projection.out_features,
            data.embedding.shape[1],
            data.scores.shape[1],
            torch.from_numpy(pool.class_sources),
        )
    else:
        heads = fitted_heads(student, data, pool.class_sources, settings.seed)
    run = Distiller(student, heads, data, settings)
    if resumed:
        run.load(places.checkpoint)
        log(f"going on at step {run.steps_done} from {places.checkpoint}")
    stopped: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        stopped.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    run.run(places.checkpoint, lambda: bool(stopped), log)


def fit_output(student: Student, data: Data, rows: npt.NDArray[np.int64], size: int) -> None:
    """Replaces the student's output layer by the closed form, fitted on the pictures ``rows`` at ``size`` pixels."""
    found = features.fused(student, data.pixels[rows], size)
    dimension = student.projection.out_features
    layer = output_layer(found, data.embedding[rows], data.classes[rows], COLOUR_BINS**3, dimension, COLOUR_COMPONENTS)
    student.centre.copy_(torch.from_numpy(layer.centre))
    student.scale.copy_(torch.from_numpy(layer.scale))
    set_linear(student.projection, layer.affine)


def finish(places: Places, student: Student, log: Log) -> None:
    """Replaces the student's output layer by the closed form, fitted on all that training may use, at the served size.

    How many pictures it is fitted to decides more than anything else about it.
    """
    _, data = load_data(places)
    fit_output(student, data, data.chosen, SERVED_SIZE)
    log(f"output layer fitted to {len(data.chosen)} pictures at {SERVED_SIZE} px")


def quality(places: Places, student: Student, log: Log) -> Figures:
    """Figures of ``student`` on every test set, at the size that is served."""
    sets = all_sets(places.data, describe(read_manifest(places.pool)), SERVED_SIZE)
    found = measure(lambda pixels: features.vectors(student, np.asarray(pixels), SERVED_SIZE), sets)
    log("student measured")
    return found


def baselines(places: Places, seed: int, log: Log) -> dict[str, Figures]:
    """Figures of what an encoder is measured against: colour alone, random weights, and the teacher."""
    pool = describe(read_manifest(places.pool))
    report = {"colour_histogram": measure(colour_histogram, all_sets(places.data, pool, SERVED_SIZE))}
    torch.manual_seed(seed)
    stranger = new_student()
    report["random_weights"] = measure(
        lambda pixels: features.mean_fused(stranger, np.asarray(pixels), SERVED_SIZE),
        all_sets(places.data, pool, SERVED_SIZE),
    )
    log("colour histogram and random weights measured")
    teacher = load_teacher(places.teacher)
    run = runner(teacher, "torch")
    mean = load_targets(places.targets).embedding[pool.trainable].mean(axis=0)
    report["teacher"] = measure(
        lambda pixels: unit(embed_pixels(teacher, np.asarray(pixels), run) - mean),
        all_sets(places.data, pool, INPUT_SIZE),
    )
    log("teacher measured")
    return report


def product_encoders(places: Places, encoders_dir: Path, log: Log) -> dict[str, Figures]:
    """Figures of the encoders that a user has: the one in the box and those installed, each at its own input size."""
    pool = describe(read_manifest(places.pool))
    report: dict[str, Figures] = {}
    for name in (BUNDLED, BUNDLED_INT8, *installed_names(encoders_dir)):
        encoder = Encoder.load(name, encoders_dir=encoders_dir)
        # An encoder that squashes gives the same vector for a picture that was squashed to its size before.
        size = encoder.spec.input_size if encoder.spec.resize == "squash" else None
        read = partial(_as_served, side=encoder.spec.decode_side)
        report[name] = measure(encoder.encode, all_sets(places.data, pool, size, read))
        log(f"{name} measured")
    return report


def _as_served(data: bytes, side: int | None) -> Image.Image:
    """A picture as the programs decode it: no larger than the encoder needs."""
    return Image.fromarray(decode(data, fit=side).pixels)


def unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """``rows`` at unit length."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
