"""The tasks of ``python -m indexer.train``: what to read, what to run, where the results go.

Everything a run makes lies in its work folder: the decoded pool, the published network's embeddings of it, the
checkpoint, the drawn sample that is measured on.
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

from indexer.sample.corpus import write_sample
from indexer.train import features
from indexer.train.closed_form import Affine, output_layer, ridge
from indexer.train.distil import Data, Distiller, Settings
from indexer.train.losses import Heads
from indexer.train.pool import Pool, decode_pool, describe, pictures, read_manifest, squash
from indexer.train.quality import Figures, Places, all_sets, colour_histogram, measure
from indexer.train.student import COLOUR_BINS, LITE2, Student, load_weights, published_student
from indexer.train.teacher import INPUT_SIZE, Runtime, embed_pixels, load_teacher, runner
from lookalike.api import Encoder
from lookalike.encoder.int8.artifact import in_the_box
from lookalike.encoder.registry import KnownEncoder
from lookalike.encoder.weights.installed import installed_names, resolve, weights_path
from lookalike.images import decode

START = "efficientnet_lite2"
"""The published network that training starts from and is taught by."""

UNTRAINED = ("efficientnet_lite0", "efficientnet_lite2")
"""Published networks that the table shows as they are: their embeddings at 224 px, the pool's mean taken off."""

COLOUR_COMPONENTS = 96
HEAD_PICTURES = 4_000
MEAN_PICTURES = 2_000

VIEW_SHARE = 0.3
"""Of how many pictures the closed form sees a view beside the picture: with all of them recall@1 falls by .002 to .003
and mAP rises by .004."""
SERVED_SIZE = LITE2.input_size

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Log = Callable[[str], None]


@dataclass(frozen=True)
class Work:
    """Where a run reads and writes: the data (``pool/`` in it), the old teacher's file, its own folder ``work``, and
    the folder of installed encoders."""

    data: Path
    teacher: Path
    work: Path
    encoders: Path

    @property
    def pool(self) -> Path:
        return self.data / "pool"

    @property
    def pixels(self) -> Path:
        return self.work / f"pool-{SERVED_SIZE}.npy"

    @property
    def checkpoint(self) -> Path:
        return self.work / "checkpoint.pt"

    def embeddings(self, name: str) -> Path:
        """What a network says of each row of the pool, (n, 1280) float32."""
        return self.work / f"embeddings-{name}.npy"

    def published(self, name: str) -> tuple[KnownEncoder, Path]:
        """A published network and its installed weights; raises EncoderNotInstalledError, which says how to install."""
        choice = resolve(name, self.encoders)
        assert choice.known is not None
        return choice.known, weights_path(choice, self.encoders)

    @property
    def places(self) -> Places:
        """Where the sets lie that are measured on; the sample is drawn if it is not there."""
        return Places(self.data, write_sample(self.work / "sample").folder)


def make_targets(work: Work, log: Log) -> None:
    """Decodes the pool and asks the published network about every picture of it; does what is not done yet."""
    rows = read_manifest(work.pool)
    known, weights = work.published(START)
    work.work.mkdir(parents=True, exist_ok=True)
    pixels = decode_pool(work.pool, rows, SERVED_SIZE, work.pixels)
    log(f"{len(rows)} pictures decoded to {work.pixels}")
    _embed_pool(work, START, lambda: features.embedding_runner(known, weights, LITE2)(pixels))
    log(f"the published network's embeddings are in {work.embeddings(START)}")


def load_data(work: Work) -> tuple[Pool, Data]:
    """The pool and what training needs of it; raises SourceNotFoundError without the pool."""
    rows = read_manifest(work.pool)
    pool = describe(rows)
    embedding = np.load(work.embeddings(START), mmap_mode="r")
    data = Data(
        pixels=decode_pool(work.pool, rows, SERVED_SIZE, work.pixels),
        embedding=_centred(embedding, pool.trainable),
        classes=pool.classes,
        sources=pool.sources,
        chosen=pool.trainable,
    )
    return pool, data


def start_student(work: Work) -> Student:
    """The published backbone; its output layer is still random."""
    return published_student(*work.published(START))


def distil(work: Work, settings: Settings, log: Log) -> None:
    """Trains on from the work folder's checkpoint, else from the published network with its closed-form layer.

    An interrupt or a termination signal ends it after the current step, with a checkpoint.
    """
    make_targets(work, log)
    pool, data = load_data(work)
    torch.manual_seed(settings.seed)
    resumed = work.checkpoint.is_file()
    student = start_student(work)
    heads = Heads(student.projection.out_features, data.embedding.shape[1], torch.from_numpy(pool.class_sources))
    if not resumed:
        fit_output(student, data, log)
        fit_heads(heads, student, data, settings.seed)
    run = Distiller(student, heads, data, settings)
    if resumed:
        run.load(work.checkpoint)
        log(f"going on at step {run.steps_done} from {work.checkpoint}")
    stopped: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        stopped.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    run.run(work.checkpoint, lambda: bool(stopped), log)


def finish(work: Work, student: Student, log: Log) -> None:
    """Replaces the student's output layer by the closed form, fitted on all that training may use."""
    make_targets(work, log)
    _, data = load_data(work)
    fit_output(student, data, log)


def fit_output(student: Student, data: Data, log: Log) -> None:
    """The closed form, on the pictures of ``data`` and views of some, each of which should say what its picture says.

    Which have views: see ``views_of``.
    """
    run = features.feature_runner(student)
    originals = run(data.pixels[row] for row in data.chosen)
    log(f"features of {len(originals)} pictures")
    viewed = views_of(data)
    changed = run(make_view_of(data, row, number, student.architecture.input_size) for row, number in viewed)
    log(f"features of {len(changed)} views")
    rows = np.concatenate([data.chosen, [row for row, _ in viewed]]).astype(np.int64)
    layer = output_layer(
        np.concatenate([originals, changed]),
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
    """Which views the closed form is fitted to, (row, number of the view): of ``VIEW_SHARE`` of the pictures.

    Those on a plain ground have three, the others one.
    """
    count = round(VIEW_SHARE * len(data.chosen))
    rows = np.sort(np.random.default_rng(0).permutation(data.chosen)[:count]).tolist()
    return [(row, number) for row in rows for number in ((0, 1, 2) if data.has_plain_ground(row) else (0,))]


def make_view_of(data: Data, row: int, number: int, size: int) -> Pixels:
    """A view of a row's picture, the same at each call."""
    return data.view(row, np.random.default_rng([number, row]), size)


@torch.no_grad()
def fit_heads(heads: Heads, student: Student, data: Data, seed: int) -> None:
    """Makes the heads fit the student on a sample of the pool, so that the first steps do not spoil it.

    The linear head is a ridge regression, a class's vector is the mean of its pictures.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(data.chosen)[:HEAD_PICTURES])
    vectors = features.vector_runner(student)(data.pixels[row] for row in rows)
    set_linear(heads.embedding, ridge(vectors, data.embedding[rows], strength=0.1))
    for number in np.unique(data.classes[rows]):
        if number >= 0:
            heads.classes[number] = torch.from_numpy(vectors[data.classes[rows] == number].mean(axis=0))


@torch.no_grad()
def set_linear(layer: torch.nn.Linear, affine: Affine) -> None:
    """Puts ``affine`` into ``layer``."""
    layer.weight.copy_(torch.from_numpy(affine.weight))
    layer.bias.copy_(torch.from_numpy(affine.bias))


def quality(work: Work, student: Student, log: Log) -> Figures:
    """Figures of ``student`` on every test set, at the size that is served."""
    run = features.vector_runner(student)
    sets = all_sets(work.places, describe(read_manifest(work.pool)), SERVED_SIZE)
    figures = measure(lambda pixels: run(iter(pixels)), sets)
    log("student measured")
    return figures


def baselines(work: Work, runtime: Runtime, log: Log) -> dict[str, Figures]:
    """Figures of what an encoder is measured against: colour alone, published networks as they are, the old teacher."""
    rows = read_manifest(work.pool)
    pool = describe(rows)
    report = {"colour_histogram": measure(colour_histogram, all_sets(work.places, pool, SERVED_SIZE))}
    log("colour histogram measured")
    for name in UNTRAINED:
        run = features.embedding_runner(*work.published(name), LITE2)
        report[f"{name}, untrained"] = _measure_centred(work, pool, run)
        log(f"{name} measured")
    teacher = load_teacher(work.teacher)
    ask = runner(teacher, runtime)
    report["teacher"] = _measure_centred(work, pool, lambda many: embed_pixels(teacher, np.stack(list(many)), ask))
    log("teacher measured")
    return report


def product_encoders(work: Work, log: Log) -> dict[str, Figures]:
    """Figures of the encoders that a user has: those in the box and those installed, each at its own input size.

    Those of ``UNTRAINED`` are among the baselines.
    """
    pool = describe(read_manifest(work.pool))
    report: dict[str, Figures] = {}
    for name in (*in_the_box(), *(name for name in installed_names(work.encoders) if name not in UNTRAINED)):
        encoder = Encoder.load(name, encoders_dir=work.encoders)
        # An encoder that squashes gives the same vector for a picture that was squashed to its size before.
        size = encoder.spec.input_size if encoder.spec.resize == "squash" else None
        read = partial(_as_served, side=encoder.spec.decode_side)
        report[name] = measure(encoder.encode, all_sets(work.places, pool, size, read))
        log(f"{name} measured")
    return report


def load_student(path: Path | None, work: Work) -> Student:
    """The student in a file, or the untrained one."""
    return start_student(work) if path is None else load_weights(path)


def _measure_centred(work: Work, pool: Pool, run: features.Run) -> Figures:
    """Figures of a network's embeddings minus their mean over a sample of the pool, at unit length."""
    places = np.sort(np.random.default_rng(0).permutation(pool.trainable)[:MEAN_PICTURES])
    sample = pictures(work.pool, [pool.rows[place] for place in places])
    mean = run(squash(picture, INPUT_SIZE) for picture in sample).mean(axis=0)
    sets = all_sets(work.places, pool, INPUT_SIZE)
    return measure(lambda pixels: unit(run(iter(pixels)) - mean), sets)


def _embed_pool(work: Work, name: str, embed_pool: Callable[[], Floats]) -> Floats:
    """A network's embeddings of the pool, kept once they were computed."""
    path = work.embeddings(name)
    if not path.is_file():
        partial_path = path.with_suffix(".partial.npy")
        np.save(partial_path, embed_pool())
        partial_path.replace(path)
    embeddings: Floats = np.load(path, mmap_mode="r")
    return embeddings


def _centred(embedding: Floats, mean_of: Rows) -> Floats:
    """Embeddings minus the mean of the rows ``mean_of``, at unit length: the form whose cosines spread."""
    return unit(embedding - embedding[mean_of].mean(axis=0))


def _as_served(data: bytes, side: int | None) -> Image.Image:
    """A picture as the programs decode it: no larger than the encoder needs."""
    return Image.fromarray(decode(data, fit=side).pixels)


def unit(rows: Floats) -> Floats:
    """``rows`` at unit length."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
