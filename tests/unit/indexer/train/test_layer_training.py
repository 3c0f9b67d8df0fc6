"""Training the output layer by gradient: each term is lowered, colours count, and the result lies between."""

from __future__ import annotations

import json

import numpy as np
import pytest

from indexer.train.closed_form import Affine
from indexer.train.layer_training import WEIGHTS, LayerData, LayerSettings, LayerTraining

COUNT, WIDTH, DIMENSION = 60, 10, 6
SHAPES, COLOURS, NOISE = slice(0, 4), slice(4, 7), slice(7, 10)
SETTINGS = LayerSettings(epochs=12, batch=20, products=10, rate=0.01, warm_up_steps=2, share=1.0)


@pytest.fixture
def data() -> LayerData:
    """Pictures of six classes: a shape by class, a colour of their own, and noise that views change."""
    random = np.random.default_rng(0)
    classes = np.arange(COUNT) % 6
    shapes = random.normal(size=(6, 4))
    pictures = random.normal(size=(COUNT, WIDTH))
    pictures[:, SHAPES] = shapes[classes] + 0.1 * random.normal(size=(COUNT, 4))

    def view(rows: np.ndarray) -> np.ndarray:
        changed = rows.copy()
        changed[:, NOISE] = random.normal(size=(len(rows), 3))
        return changed

    products = np.arange(0, COUNT, 2)
    recoloured = pictures[products].copy()
    recoloured[:, COLOURS] = random.normal(size=(len(products), 3))
    return LayerData(
        pictures=pictures.astype(np.float32),
        views=view(pictures).astype(np.float32),
        classes=np.where(np.arange(COUNT) < 50, classes, -1),
        sources=classes // 3,
        class_sources=np.array([0, 0, 0, 1, 1, 1]),
        products=products,
        product_views=view(pictures[products]).astype(np.float32),
        recoloured=recoloured.astype(np.float32),
        recoloured_views=view(recoloured).astype(np.float32),
    )


@pytest.fixture
def start() -> Affine:
    weight = np.random.default_rng(1).normal(size=(DIMENSION, WIDTH))
    weight[:, COLOURS] *= 0.1
    return Affine(weight, np.zeros(DIMENSION))


def discard(_: str) -> None:
    """A log that keeps nothing."""


def all_losses(layer: Affine, data: LayerData) -> dict[str, float]:
    training = LayerTraining(layer, data, SETTINGS)
    terms = training.losses_of(np.arange(COUNT), np.arange(len(data.products)))
    return {name: term.item() for name, term in terms.items()}


def test_training_lowers_what_it_is_asked_for(start: Affine, data: LayerData) -> None:
    lines: list[str] = []
    trained = LayerTraining(start, data, SETTINGS).train(lines.append)
    before, after = all_losses(start, data), all_losses(trained, data)
    assert after["products"] < before["products"] - 0.3
    assert after["views"] < before["views"]
    logged = [json.loads(line) for line in lines]
    assert [line["epoch"] for line in logged] == list(range(1, 13))
    assert set(logged[0]) == {"epoch", *WEIGHTS}


def test_colours_count_more_and_what_views_change_counts_less(start: Affine, data: LayerData) -> None:
    trained = LayerTraining(start, data, SETTINGS).train(discard)

    def size(layer: Affine, part: slice) -> float:
        return float(np.linalg.norm(layer.weight[:, part]) / np.linalg.norm(layer.weight))

    assert size(trained, COLOURS) > size(start, COLOURS)
    assert size(trained, NOISE) < size(start, NOISE)


def test_the_result_lies_between_start_and_trained_layer(start: Affine, data: LayerData) -> None:
    def train(share: float) -> Affine:
        settings = LayerSettings(epochs=2, batch=20, products=10, rate=0.01, warm_up_steps=2, share=share)
        return LayerTraining(start, data, settings).train(discard)

    whole, half, none = train(1.0), train(0.5), train(0.0)
    np.testing.assert_allclose(none.weight, start.weight, atol=1e-6)
    np.testing.assert_allclose(half.weight, (start.weight + whole.weight) / 2, atol=1e-6)
    assert np.abs(whole.weight - start.weight).max() > 0.01


def test_the_start_changes_no_cosine(start: Affine, data: LayerData) -> None:
    assert all_losses(start, data)["similarities"] == pytest.approx(0, abs=1e-10)


def test_pictures_without_class_and_without_products_are_fine(start: Affine, data: LayerData) -> None:
    empty = np.zeros((0, WIDTH), np.float32)
    fields = {"products": np.zeros(0, np.int64), "product_views": empty, "recoloured": empty, "recoloured_views": empty}
    bare = LayerData(**{**vars(data), **fields, "classes": np.full(COUNT, -1)})
    losses = all_losses(start, bare)
    assert losses["classes"] == losses["products"] == 0
    assert np.isfinite(LayerTraining(start, bare, SETTINGS).train(discard).weight).all()
