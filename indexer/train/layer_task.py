"""``python -m indexer.train tune``: train the output layer by gradient, on features that are computed once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from indexer.train import features
from indexer.train.closed_form import Affine, centre_and_deviation
from indexer.train.distil import Data
from indexer.train.layer_training import LayerData, LayerSettings, LayerTraining
from indexer.train.student import COLOUR_BINS, Student
from indexer.train.tasks import (
    COLOUR_COMPONENTS,
    Log,
    Work,
    cached_rows,
    load_data,
    make_targets,
    make_view_of,
    set_linear,
)
from indexer.train.views import make_view, recolour

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

PRODUCT_VIEW, RECOLOURED, RECOLOURED_VIEW = 1, 77, 5
"""Numbers that make the random streams of these pictures differ; pictures and their first views have 0."""


@dataclass(frozen=True)
class FeatureCache:
    """A backbone's features of pictures as files in ``folder``, float16, computed on the first call.

    Their names have the ``digest`` of backbone and input size, so that those of another are never taken for them.
    """

    folder: Path
    digest: str
    run: features.Run
    log: Log

    @classmethod
    def of(cls, student: Student, folder: Path, log: Log) -> FeatureCache:
        """The cache of a student's backbone at its input size."""
        digest = hashlib.sha256(str(student.architecture.input_size).encode())
        for name, tensor in sorted(student.backbone.state_dict().items()):
            digest.update(name.encode() + tensor.numpy().tobytes())
        return cls(folder, digest.hexdigest()[:12], features.feature_runner(student), log)

    def features_of(self, kind: str, pictures: Iterable[Pixels]) -> Floats:
        """Features (n, width) float32 of ``pictures``, which ``kind`` names; read from the file if it is there."""
        path = self.folder / f"features-{self.digest}-{kind}.npy"
        rows: Floats = cached_rows(path, lambda: self.run(pictures).astype(np.float16)).astype(np.float32)
        self.log(f"features of {len(rows)} {kind.replace('-', ' ')}")
        return rows


def tune(work: Work, student: Student, log: Log, settings: LayerSettings | None = None) -> None:
    """Train the student's output layer on, from where it is; its backbone stays."""
    make_targets(work, log)
    pool, data = load_data(work)
    cache = FeatureCache.of(student, work.work, log)
    pictures = cache.features_of("pictures", (data.pixels[row] for row in data.training_rows))
    centre, deviation = centre_and_deviation(pictures, COLOUR_BINS**3, COLOUR_COMPONENTS)
    weight = student.weight().numpy().astype(np.float64)
    moved = student.projection.bias.detach().numpy() + weight @ (centre - student.centre.numpy())
    layer_data = load_layer_data(cache, data, pool.class_sources, pictures, (centre, deviation))
    layer = LayerTraining(Affine(weight * deviation, moved), layer_data, settings or LayerSettings()).train(log)
    student.centre.copy_(torch.from_numpy(centre))
    student.scale.copy_(torch.from_numpy(1.0 / deviation))
    set_linear(student.projection, layer)


def load_layer_data(
    cache: FeatureCache,
    data: Data,
    class_sources: npt.NDArray[np.int64],
    pictures: Floats,
    scaling: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
) -> LayerData:
    """Scaled features of the training pictures, of their views, and of the products that can be recoloured."""
    size, rows = data.pixels.shape[1], data.training_rows
    centre, deviation = scaling

    def scale(unscaled: Floats) -> Floats:
        return ((unscaled - centre) / deviation).astype(np.float32)

    # Kept like the features of these products: to try all pictures takes minutes.
    products = np.array(cached_rows(cache.folder / f"recolourable-products-{size}.npy", lambda: find_products(data)))
    recolourable = [int(row) for row in rows[products]]
    return LayerData(
        pictures=scale(pictures),
        views=scale(cache.features_of("views", (make_view_of(data, int(row), 0, size) for row in rows))),
        classes=data.classes[rows],
        sources=data.sources[rows],
        class_sources=class_sources,
        products=products,
        product_views=scale(
            cache.features_of("product-views", (make_view_of(data, row, PRODUCT_VIEW, size) for row in recolourable))
        ),
        recoloured=scale(
            cache.features_of("recoloured-products", (required_recoloured(data, row) for row in recolourable))
        ),
        recoloured_views=scale(
            cache.features_of("recoloured-views", (make_recoloured_view(data, row, size) for row in recolourable))
        ),
    )


def find_products(data: Data) -> npt.NDArray[np.int64]:
    """Positions among the training rows whose product can be recoloured, (m,) int64, ascending."""
    return np.array(
        [place for place, row in enumerate(data.training_rows) if recoloured_picture(data, int(row)) is not None],
        np.int64,
    )


def recoloured_picture(data: Data, row: int) -> Pixels | None:
    """The row's product in another colour, deterministic for the row; None if it cannot be recoloured."""
    return recolour(data.pixels[row], np.random.default_rng([RECOLOURED, row]))


def required_recoloured(data: Data, row: int) -> Pixels:
    """The same for a row that can be recoloured; raises ValueError for another."""
    picture = recoloured_picture(data, row)
    if picture is None:
        raise ValueError(f"row {row} has no product that can be recoloured")
    return picture


def make_recoloured_view(data: Data, row: int, size: int) -> Pixels:
    """A view of the row's recoloured product, deterministic for the row."""
    random = np.random.default_rng([RECOLOURED_VIEW, row])
    return make_view(
        required_recoloured(data, row), random, lambda: data.pixels[random.choice(data.training_rows)], size
    )
