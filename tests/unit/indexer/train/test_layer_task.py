"""The task ``tune``: features are computed once, and the layer is trained on from where it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from indexer.train import features, layer_task, tasks
from indexer.train.distil import Data
from indexer.train.layer_training import LayerSettings
from indexer.train.pool import Pool
from indexer.train.student import Student
from tests.unit.indexer.train.test_layer_training import discard
from tests.unit.indexer.train.test_tasks import SIZE, data, student, work_in

__all__ = ["data", "student"]  # fixtures


@pytest.fixture
def recolourable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products of these small pictures are large enough."""
    monkeypatch.setattr("indexer.train.views.MIN_RECOLOURED_PIXELS", 50)


def test_features_are_computed_once_for_a_backbone(student: Student, data: Data, tmp_path: Path) -> None:
    pictures = [data.pixels[0], data.pixels[1]]
    first = layer_task.FeatureCache.of(student, tmp_path, discard).features_of("pictures", pictures)
    again = layer_task.FeatureCache.of(student, tmp_path, discard).features_of("pictures", [])
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first, features.feature_runner(student)(iter(pictures)), atol=2e-3)
    with torch.no_grad():
        next(student.backbone.parameters()).add_(1.0)
    other = layer_task.FeatureCache.of(student, tmp_path, discard).features_of("pictures", pictures)
    assert not np.allclose(first, other)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.usefixtures("recolourable")
def test_the_layer_is_trained_on_from_where_it_is(
    student: Student, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool((), data.classes, data.sources, np.zeros(len(data.classes), bool), np.array([0, 0, 0]))
    monkeypatch.setattr(layer_task, "make_targets", lambda *_: None)
    monkeypatch.setattr(layer_task, "load_data", lambda _: (pool, data))
    work = work_in(tmp_path)
    work.work.mkdir(parents=True)
    tasks.fit_output(student, data, discard)
    pictures = [data.pixels[row] for row in data.training_rows]
    before = features.vector_runner(student)(iter(pictures))
    layer_task.tune(work, student, discard, LayerSettings(epochs=1, batch=16, products=4, share=0.0))
    # Float16 features give another centre and scale, and the same map.
    np.testing.assert_allclose(features.vector_runner(student)(iter(pictures)), before, atol=1e-3)
    lines: list[str] = []
    layer_task.tune(work, student, lines.append, LayerSettings(epochs=2, batch=16, products=4, rate=0.01))
    assert np.abs(features.vector_runner(student)(iter(pictures)) - before).max() > 0.01
    assert sum('"products"' in line for line in lines) == 2


@pytest.mark.usefixtures("recolourable")
def test_recoloured_pictures_and_their_views_follow_from_the_row(data: Data) -> None:
    recoloured = layer_task.required_recoloured(data, 2)
    np.testing.assert_array_equal(recoloured, layer_task.required_recoloured(data, 2))
    assert not np.array_equal(recoloured, data.pixels[2])
    view = layer_task.make_recoloured_view(data, 2, SIZE)
    np.testing.assert_array_equal(view, layer_task.make_recoloured_view(data, 2, SIZE))
    with pytest.raises(ValueError, match="row 1 has no product"):
        layer_task.required_recoloured(data, 1)
