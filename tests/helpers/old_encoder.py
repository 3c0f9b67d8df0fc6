"""A collection as an update leaves it that brings another network under the same name: its encoder is gone."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from lookalike.collection.layout import CollectionLayout
from lookalike.collection.snapshot import read_manifest
from lookalike.encoder.spec import EncoderSpec

OLD_WEIGHTS = "0" * 64


def age_encoder(data: Path, name: str) -> EncoderSpec:
    """Make the collection's current snapshot one of an encoder that nobody can load any more, and tell which."""
    layout = CollectionLayout.of(data / "collections", name)
    path = layout.snapshot(layout.current()) / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["encoder"]["weights_digest"] = OLD_WEIGHTS
    path.write_text(json.dumps(manifest))
    spec = read_manifest(layout, layout.current()).encoder
    with sqlite3.connect(data / "catalogue.db") as catalogue:
        catalogue.execute(
            "UPDATE items SET encoder_digest = ? WHERE collection_id = (SELECT id FROM collections WHERE name = ?)",
            (spec.digest, name),
        )
    catalogue.close()
    return spec
