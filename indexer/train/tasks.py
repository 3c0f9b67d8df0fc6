"""The tasks of ``python -m indexer.train``: their inputs, runs and outputs.

All outputs of a run are in its work folder: the decoded pool, the published network's embeddings of it, the
checkpoint, and the synthetic sample for the measurement.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from indexer.sample.corpus import write_sample
from indexer.train import features
from indexer.train.closed_form import Affine, output_layer, ridge
from indexer.train.distil import Data, Distiller, Settings
from indexer.train.losses import Heads
from indexer.train.pool import Pool, Row, decode_pool, make_pool, pictures, read_manifest, squash
from indexer.train.quality import Figures, Places, all_sets, colour_histogram, measure
from indexer.train.student import (
    COLOUR_BINS,
    LITE2,
    NETWORKS,
    Architecture,
    Student,
    load_published_student,
    load_weights,
)
from indexer.train.teacher import INPUT_SIZE, Runtime, embed_pixels, load_teacher, make_runner
from lookalike.api import Encoder
from lookalike.encoder.int8.artifact import in_the_box
from lookalike.encoder.registry import KnownEncoder
from lookalike.encoder.weights.installed import installed_names, resolve, weights_path
from lookalike.images import decode

TEACHER_NETWORK = "efficientnet_lite2"
"""The published network that is the teacher, at the size of ``LITE2``; also the starting point if none is named."""

UNTRAINED_NETWORKS = ("efficientnet_lite0", "efficientnet_lite2")
"""Published networks that the table has as baselines: their embeddings at 224 px, minus the pool's mean."""

COLOUR_COMPONENTS = 96
HEAD_PICTURES = 4_000
MEAN_PICTURES = 2_000

VIEW_SHARE = 0.3
"""Share of the pictures of which the closed form is also fitted to views; with all of them recall@1 is .002 to .003
lower and mAP .004 higher."""

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Log = Callable[[str], None]


@dataclass(frozen=True)
class Work:
    """Paths of a run: the data (with ``pool/``), the old teacher's file, the output folder ``work``, and the folder of
    installed encoders. ``network`` is the name of the published network to start from, one of ``NETWORKS``."""

    data: Path
    teacher: Path
    work: Path
    encoders: Path
    network: str = TEACHER_NETWORK

    @property
    def architecture(self) -> Architecture:
        """That of the network to train."""
        return NETWORKS[self.network]

    @property
    def pool(self) -> Path:
        return self.data / "pool"

    @property
    def checkpoint(self) -> Path:
        return self.work / ("checkpoint.pt" if self.network == TEACHER_NETWORK else f"checkpoint-{self.network}.pt")

    def pixels(self, rows: tuple[Row, ...], size: int) -> Pixels:
        """The pool's pictures (n, size, size, 3), decoded at the first call."""
        return decode_pool(self.pool, rows, size, self.work / f"pool-{size}.npy")

    def embeddings(self, name: str) -> Path:
        """File of a network's embeddings of the pool, (n, 1280) float32."""
        return self.work / f"embeddings-{name}.npy"

    def published_weights(self, name: str) -> tuple[KnownEncoder, Path]:
        """A published network and its installed weights; raises EncoderNotInstalledError, which says how to install."""
        choice = resolve(name, self.encoders)
        assert choice.known is not None
        return choice.known, weights_path(choice, self.encoders)

    @property
    def places(self) -> Places:
        """Folders of the test sets; the synthetic sample is written if it is missing."""
        return Places(self.data, write_sample(self.work / "sample", replace=True).folder)


def make_targets(work: Work, log: Log) -> None:
    """Decode the pool and embed it with the teacher; steps that are done are skipped."""
    rows = read_manifest(work.pool)
    work.published_weights(work.network)  # nothing is decoded for a run that cannot be
    known_encoder, weights = work.published_weights(TEACHER_NETWORK)
    work.work.mkdir(parents=True, exist_ok=True)
    size = work.architecture.input_size
    work.pixels(rows, size)
    log(f"{len(rows)} pictures decoded to {size} pixels in {work.work}")
    path = work.embeddings(TEACHER_NETWORK)

    def embed() -> Floats:
        run = features.embedding_runner(known_encoder, weights, LITE2)
        return run(work.pixels(rows, LITE2.input_size))

    cached_rows(path, embed)
    log(f"the teacher's embeddings are in {path}")


def load_data(work: Work) -> tuple[Pool, Data]:
    """Load the pool and its training data; raises SourceNotFoundError without the pool."""
    rows = read_manifest(work.pool)
    pool = make_pool(rows)
    embedding = np.load(work.embeddings(TEACHER_NETWORK), mmap_mode="r")
    data = Data(
        pixels=work.pixels(rows, work.architecture.input_size),
        embedding=_centre(embedding, pool.trainable),
        classes=pool.classes,
        sources=pool.sources,
        training_rows=pool.trainable,
    )
    return pool, data


def start_student(work: Work) -> Student:
    """Make a student with the published backbone and a random output layer."""
    return load_published_student(*work.published_weights(work.network), work.architecture)


def distil(work: Work, settings: Settings, log: Log) -> None:
    """Train from the work folder's checkpoint, else from the published network with its closed-form layer.

    SIGINT or SIGTERM stops it after the current step, with a checkpoint.
    """
    make_targets(work, log)
    pool, data = load_data(work)
    torch.manual_seed(settings.seed)
    is_resumed = work.checkpoint.is_file()
    student = start_student(work)
    heads = Heads(student.projection.out_features, data.embedding.shape[1], torch.from_numpy(pool.class_sources))
    if not is_resumed:
        fit_output(student, data, log)
        fit_heads(heads, student, data, settings.seed)
    run = Distiller(student, heads, data, settings)
    if is_resumed:
        run.load(work.checkpoint)
        log(f"resuming at step {run.steps_done} from {work.checkpoint}")
    signals: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        signals.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    run.run(work.checkpoint, lambda: bool(signals), log)


def finish(work: Work, student: Student, log: Log) -> None:
    """Replace the student's output layer by the closed form, fitted to all training pictures."""
    make_targets(work, log)
    _, data = load_data(work)
    fit_output(student, data, log)


def fit_output(student: Student, data: Data, log: Log) -> None:
    """Fit the closed form to the pictures of ``data`` and to views of some (see ``views_of``).

    The target of a view is that of its picture.
    """
    run = features.feature_runner(student)
    originals = run(data.pixels[row] for row in data.training_rows)
    log(f"features of {len(originals)} pictures")
    view_list = views_of(data)
    view_features = run(make_view_of(data, row, number, student.architecture.input_size) for row, number in view_list)
    log(f"features of {len(view_features)} views")
    rows = np.concatenate([data.training_rows, [row for row, _ in view_list]]).astype(np.int64)
    layer = output_layer(
        np.concatenate([originals, view_features]),
        data.embedding[rows],
        data.classes[rows],
        COLOUR_BINS**3,
        student.projection.out_features,
        COLOUR_COMPONENTS,
    )
    student.centre.copy_(torch.from_numpy(layer.centre))
    student.scale.copy_(torch.from_numpy(layer.scale))
    set_linear(student.projection, layer.affine)


def views_of(data: Data) -> list[tuple[int, int]]:
    """The views for the closed form, as (row, number of the view), of ``VIEW_SHARE`` of the pictures.

    Pictures with a plain background have three views, others one.
    """
    count = round(VIEW_SHARE * len(data.training_rows))
    rows = np.sort(np.random.default_rng(0).permutation(data.training_rows)[:count]).tolist()
    return [(row, number) for row in rows for number in ((0, 1, 2) if data.has_plain_background(row) else (0,))]


def make_view_of(data: Data, row: int, number: int, size: int) -> Pixels:
    """A view of a row's picture, deterministic for row and number."""
    return data.view(row, np.random.default_rng([number, row]), size)


@torch.no_grad()
def fit_heads(heads: Heads, student: Student, data: Data, seed: int) -> None:
    """Initialise the heads on a sample of the pool, so that the first steps do not degrade the student.

    The linear head is a ridge regression; a class's vector is the mean over its pictures.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(data.training_rows)[:HEAD_PICTURES])
    vectors = features.vector_runner(student)(data.pixels[row] for row in rows)
    set_linear(heads.embedding, ridge(vectors, data.embedding[rows], strength=0.1))
    for number in np.unique(data.classes[rows]):
        if number >= 0:
            heads.classes[number] = torch.from_numpy(vectors[data.classes[rows] == number].mean(axis=0))


@torch.no_grad()
def set_linear(layer: torch.nn.Linear, affine: Affine) -> None:
    """Copy ``affine`` into ``layer``."""
    layer.weight.copy_(torch.from_numpy(affine.weight))
    layer.bias.copy_(torch.from_numpy(affine.bias))


def measure_student(work: Work, student: Student, log: Log) -> Figures:
    """Measure ``student`` on every test set, at the served input size."""
    run = features.vector_runner(student)
    sets = all_sets(work.places, make_pool(read_manifest(work.pool)), student.architecture.input_size)
    figures = measure(lambda pixels: run(iter(pixels)), sets)
    log("student measured")
    return figures


def measure_baselines(work: Work, runtime: Runtime, log: Log) -> dict[str, Figures]:
    """Measure the baselines: colour histogram, untrained published networks, and the old teacher."""
    rows = read_manifest(work.pool)
    pool = make_pool(rows)
    report = {"colour_histogram": measure(colour_histogram, all_sets(work.places, pool, LITE2.input_size))}
    log("colour histogram measured")
    for name in UNTRAINED_NETWORKS:
        run = features.embedding_runner(*work.published_weights(name), LITE2)
        report[f"{name}, untrained"] = _measure_centred_embeddings(work, pool, run)
        log(f"{name} measured")
    teacher = load_teacher(work.teacher)
    run_teacher = make_runner(teacher, runtime)
    report["teacher"] = _measure_centred_embeddings(
        work, pool, lambda stack: embed_pixels(teacher, np.stack(list(stack)), run_teacher)
    )
    log("teacher measured")
    return report


def measure_product_encoders(work: Work, log: Log) -> dict[str, Figures]:
    """Measure the bundled and the installed encoders, each at its own input size.

    Those of ``UNTRAINED_NETWORKS`` are among the baselines.
    """
    pool = make_pool(read_manifest(work.pool))
    report: dict[str, Figures] = {}
    for name in (*in_the_box(), *(name for name in installed_names(work.encoders) if name not in UNTRAINED_NETWORKS)):
        encoder = Encoder.load(name, encoders_dir=work.encoders)
        # For an encoder that squashes, a picture that is already squashed to its size gives the same vector.
        size = encoder.spec.input_size if encoder.spec.resize == "squash" else None
        read = partial(_decode_as_served, side=encoder.spec.decode_side)
        report[name] = measure(encoder.encode, all_sets(work.places, pool, size, read))
        log(f"{name} measured")
    return report


def load_student(path: Path | None, work: Work) -> Student:
    """Load the student from a file, or make the untrained one."""
    return start_student(work) if path is None else load_weights(path, work.architecture)


def _measure_centred_embeddings(work: Work, pool: Pool, run: features.Run) -> Figures:
    """Measure a network's embeddings minus their mean over a sample of the pool, at unit length."""
    row_numbers = np.sort(np.random.default_rng(0).permutation(pool.trainable)[:MEAN_PICTURES])
    sample = pictures(work.pool, [pool.rows[place] for place in row_numbers])
    mean = run(squash(picture, INPUT_SIZE) for picture in sample).mean(axis=0)
    sets = all_sets(work.places, pool, INPUT_SIZE)
    return measure(lambda pixels: unit(run(iter(pixels)) - mean), sets)


def cached_rows(path: Path, compute: Callable[[], npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """The array in a .npy file, mapped read-only; computed and written on the first call."""
    if not path.is_file():
        partial_path = path.with_suffix(".partial.npy")
        np.save(partial_path, compute())
        partial_path.replace(path)
    rows: npt.NDArray[Any] = np.load(path, mmap_mode="r")
    return rows


def _centre(embedding: Floats, mean_of: Rows) -> Floats:
    """Subtract the mean of the rows ``mean_of`` and normalise, which spreads the cosines."""
    return unit(embedding - embedding[mean_of].mean(axis=0))


def _decode_as_served(data: bytes, side: int | None) -> Image.Image:
    """Decode a picture as the product does, no larger than the encoder needs."""
    return Image.fromarray(decode(data, fit=side).pixels)


def unit(rows: Floats) -> Floats:
    """Normalise ``rows`` to unit length."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
