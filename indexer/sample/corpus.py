"""Writes the sample: pictures, the manifest that indexes them, the truth to judge by, and a few query photos.

    folder/
      images/<kind>/<product_id>-<n>.jpg
      manifest.csv      path,key,title,product_id,category,colour,price,photo    ready to index
      truth.csv         path,product_id,category                                 one row per picture
      queries/          new photos of products that are in the manifest, and their own truth.csv

Paths in a table are relative to the folder that the table lies in. The marker file makes a folder recognisable as
a sample, and says last of all that it is complete.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer.sample import camera
from indexer.sample.kinds import KINDS
from indexer.sample.look import Pose
from indexer.sample.product import MAX_PRODUCTS, Product, invent
from lookalike.errors import DataPathError, DiskFullError
from lookalike.storage import NO_ROOM

VERSION = 1
"""Raised whenever the same seed would give other pictures."""

MARKER = ".lookalike-sample.json"
QUERIES = 8

_DETAIL_EVERY = 3
_MANIFEST = ("path", "key", "title", "product_id", "category", "colour", "price", "photo")
_TRUTH = ("path", "product_id", "category")

Progress = Callable[[int, int], None]
_Recipe = Callable[[random.Random, Pose], camera.Shot]
_RECIPES: tuple[_Recipe, ...] = (camera.studio, camera.coloured, camera.styled, camera.everyday, camera.detail)


@dataclass(frozen=True)
class SampleSummary:
    """What a sample folder holds. ``already_there``: it was complete before, and nothing was written."""

    folder: Path
    seed: int
    products: int
    kinds: int
    pictures: int
    queries: int
    size_bytes: int
    already_there: bool


@dataclass(frozen=True)
class _Photo:
    """One planned picture: its path below the sample's folder, what it shows, and how it is taken."""

    path: str
    product: Product
    recipe: _Recipe
    purpose: str

    def manifest_row(self) -> tuple[str, ...]:
        product = self.product
        return (
            self.path,
            Path(self.path).stem,
            product.title,
            product.product_id,
            product.kind.slug,
            product.colour,
            product.price,
            self.recipe.__name__,
        )

    def truth_row(self, base: str) -> tuple[str, ...]:
        return self.path.removeprefix(base), self.product.product_id, self.product.kind.slug


def write_sample(
    folder: Path, *, products: int = 156, seed: int = 7, progress: Progress | None = None
) -> SampleSummary:
    """Draw the sample into ``folder``; the same seed gives the same bytes with the same version of Pillow.

    A complete sample of the same seed and size is left as it is; another or an unfinished one is written anew. Each
    file is written under another name and renamed, and ``progress`` is told (pictures done, pictures in all).

    Raises DataPathError if ``folder`` is a file, cannot be written, or holds something other than a sample,
    DiskFullError if the disk is full, and ValueError if ``products`` is outside 1 to ``MAX_PRODUCTS``.
    """
    if not 1 <= products <= MAX_PRODUCTS:
        raise ValueError(f"a sample has 1 to {MAX_PRODUCTS} products, not {products}")
    invented = [invent(number, seed) for number in range(products)]
    photos = [photo for number, product in enumerate(invented) for photo in _photos(number, product)]
    queries = _queries(invented, seed)
    marker = {"version": VERSION, "seed": seed, "products": products, "complete": True}
    try:
        _check_folder(folder)
        present = _is_complete(folder, marker, photos + queries)
        if not present:
            _write_all(folder, marker, photos, queries, progress)
        size = sum((folder / photo.path).stat().st_size for photo in photos + queries)
    except OSError as error:
        raise _readable(error, folder) from error
    return SampleSummary(folder, seed, products, min(products, len(KINDS)), len(photos), len(queries), size, present)


def _photos(number: int, product: Product) -> Iterator[_Photo]:
    """A product's own pictures: four recipes, and for every third product a detail as well."""
    recipes = _RECIPES if number % _DETAIL_EVERY == 0 else _RECIPES[:-1]
    for count, recipe in enumerate(recipes, start=1):
        path = f"images/{product.kind.slug}/{product.product_id}-{count}.jpg"
        yield _Photo(path, product, recipe, f"photo-{count}")


def _queries(invented: Sequence[Product], seed: int) -> list[_Photo]:
    """Fresh photos of up to ``QUERIES`` products, each of another kind."""
    shuffled = list(invented)
    random.Random(f"{seed}:queries").shuffle(shuffled)
    chosen: dict[str, Product] = {}
    for product in shuffled:
        if len(chosen) < QUERIES:
            chosen.setdefault(product.kind.slug, product)
    recipes = (camera.everyday, camera.styled)
    return [
        _Photo(f"queries/query-{count}.jpg", product, recipes[count % 2], "query")
        for count, product in enumerate(chosen.values(), start=1)
    ]


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise DataPathError(f"{folder} is a file; name a folder to write the sample into", subject=str(folder))
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise DataPathError(
            f"{folder} is not empty and is not a sample; name a new folder, nothing was written", subject=str(folder)
        )


def _is_complete(folder: Path, marker: Mapping[str, object], photos: Sequence[_Photo]) -> bool:
    tables = ("manifest.csv", "truth.csv", "queries/truth.csv")
    try:
        found = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    names = [*tables, *(photo.path for photo in photos)]
    return bool(found == marker) and all((folder / name).is_file() for name in names)


def _write_all(
    folder: Path,
    marker: Mapping[str, object],
    photos: Sequence[_Photo],
    queries: Sequence[_Photo],
    progress: Progress | None,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / MARKER, json.dumps({**marker, "complete": False}).encode())
    _clear(folder)
    (folder / "queries").mkdir(exist_ok=True)
    for slug in {photo.product.kind.slug for photo in photos}:
        (folder / "images" / slug).mkdir(parents=True, exist_ok=True)

    drawn: dict[str, list[_Photo]] = {}
    for photo in (*photos, *queries):
        drawn.setdefault(photo.product.product_id, []).append(photo)
    done, total = 0, len(photos) + len(queries)
    for shown in drawn.values():
        product = shown[0].product
        figure = product.draw()
        for photo in shown:
            rng = product.rng(photo.purpose)
            shot = photo.recipe(rng, product.kind.pose)
            _write(folder / photo.path, camera.photograph(figure, product.kind.pose, shot, rng))
            done += 1
            if progress is not None:
                progress(done, total)

    _write(folder / "manifest.csv", _table(_MANIFEST, [photo.manifest_row() for photo in photos]))
    _write(folder / "truth.csv", _table(_TRUTH, [photo.truth_row("") for photo in photos]))
    _write(folder / "queries" / "truth.csv", _table(_TRUTH, [photo.truth_row("queries/") for photo in queries]))
    _write(folder / MARKER, json.dumps(marker).encode())


def _clear(folder: Path) -> None:
    """Remove an older sample's pictures, and only files that bear the names this module gives."""
    for kind in KINDS:
        for path in (folder / "images" / kind.slug).glob(f"{kind.slug}-[0-9]*-[0-9].jpg"):
            path.unlink()
    for path in (folder / "queries").glob("query-[0-9].jpg"):
        path.unlink()


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def _write(path: Path, data: bytes) -> None:
    """All of ``data`` under ``path`` or nothing; one fixed temporary name, so a broken run leaves at most one."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(data)
    part.replace(path)


def _readable(error: OSError, folder: Path) -> DataPathError | DiskFullError:
    subject = str(error.filename or folder)
    if error.errno in NO_ROOM:
        return DiskFullError(f"no room left for the sample in {folder}; free some and run again", subject=subject)
    return DataPathError(f"cannot write the sample at {subject}: {error.strerror}", subject=subject)
