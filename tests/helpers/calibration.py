"""A small collection whose labels can be calibrated with, and the command that does it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import typer
from typer.testing import CliRunner, Result

from indexer.commands.calibrate import calibrate
from lookalike.api import RGB
from lookalike.images import encode_jpeg
from lookalike.testing import make_picture

LABELS, EACH = 8, 6


def view(label: int, number: int) -> RGB:
    """One of several pictures of the same thing: another light, another part of it."""
    random = np.random.default_rng([label, number])
    picture = make_picture(label, size=(96, 72))
    top, left = random.integers(0, 9, 2)
    lit = picture[top : top + 60, left : left + 84] * random.uniform(0.7, 1.2) + random.uniform(-15, 15, 3)
    return np.clip(lit, 0, 255).astype(np.uint8)


def write_labelled(folder: Path) -> Path:
    """LABELS things in EACH pictures, with a manifest whose keys do not tell the label; the manifest's path."""
    folder.mkdir(parents=True)
    manifest = folder / "pictures.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "key", "label", "colour"])
        for label in range(LABELS):
            for number in range(EACH):
                path = folder / f"{label}-{number}.jpg"
                path.write_bytes(encode_jpeg(view(label, number), 92))
                writer.writerow([path.name, path.stem, f"thing {label}", "red" if label % 2 else ""])
    return manifest


def run_calibrate(data: Path, *arguments: str | Path) -> Result:
    """``calibrate`` on the collection ``things`` of a data folder; errors of the library are raised."""
    app = typer.Typer()
    app.command()(calibrate)
    places = ["--collection", "things", "--data", str(data), "--encoders-dir", str(data / "encoders")]
    return CliRunner().invoke(app, [*places, *map(str, arguments)], catch_exceptions=False)
