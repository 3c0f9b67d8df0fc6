"""Lists of codes whose nearest are found by a graph, as where there are very many of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lookalike.index.base import ignore_progress
from lookalike.index.engines import faiss_ivfpq
from lookalike.index.engines.faiss_ivfpq import FaissIvfPqIndex
from lookalike.index.faiss_ops import faiss


def test_many_lists_are_found_by_a_graph_and_answer_after_saving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faiss_ivfpq, "FLAT_LISTS", 8)
    rows = np.random.default_rng(5).normal(size=(6000, 24)).astype(np.float32)
    vectors = np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
    index = FaissIvfPqIndex.build(vectors, ignore_progress)
    quantizer = faiss.downcast_index(faiss.extract_index_ivf(index._index).quantizer)
    assert isinstance(quantizer, faiss.IndexHNSWFlat)
    assert quantizer.ntotal == index._lists > 8
    index.save(tmp_path / "index")
    loaded = FaissIvfPqIndex.load(tmp_path / "index", vectors, None)
    # A quarter of the lists: a list that the graph misses cannot be made up for by reading all of them.
    found = loaded.candidates(vectors[:200], index._lists // 4, 40)
    assert (found == np.arange(200)[:, None]).any(axis=1).mean() > 0.97
