"""Writes the sample corpus: pictures, a manifest to index them with, ground truth, and a few query photos.

    folder/
      images/<kind>/<product_id>-<n>.jpg
      manifest.csv      path,key,title,product_id,category,colour,price,photo    ready to index
      truth.csv         path,product_id,category                                 one row per picture
      queries/          new photos of products that are in the manifest, and their own truth.csv

Paths in a table are relative to the table's folder. The marker file identifies a folder as a sample; it is written
again at the end to say that the sample is complete.
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
"""Version of the drawing: increased whenever the same seed gives other pictures."""

MARKER = ".lookalike-sample.json"
QUERIES = 8

_DETAIL_EVERY = 3
_MANIFEST = ("path", "key", "title", "product_id", "category", "colour", "price", "photo")
_TRUTH = ("path", "product_id", "category")

Progress = Callable[[int, int], None]
_Recipe = Callable[[random.Random, Pose], camera.Shot]
_RECIPES: dict[str, _Recipe] = {
    "studio": camera.studio_shot,
    "coloured": camera.paper_shot,
    "styled": camera.styled_shot,
    "everyday": camera.everyday_shot,
    "detail": camera.detail_shot,
}
"""Kinds of photo by name, which the manifest has in its column ``photo``."""


@dataclass(frozen=True)
class SampleSummary:
    """Contents of a sample folder. ``already_there``: it was complete before, and nothing was written."""

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
    """One planned picture: its path in the sample's folder, its product, and the name of its recipe."""

    path: str
    product: Product
    recipe: str
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
            self.recipe,
        )

    def truth_row(self, base: str) -> tuple[str, ...]:
        return self.path.removeprefix(base), self.product.product_id, self.product.kind.slug


def write_sample(
    folder: Path, *, products: int = 156, seed: int = 7, replace: bool = False, progress: Progress | None = None
) -> SampleSummary:
    """Draw the sample into ``folder``; the same seed gives the same bytes with the same version of Pillow.

    A complete sample of the same seed and size is left as it is, an unfinished one is written anew, and another one
    with ``replace`` only: its pictures are lost. Each file is written under another name and renamed. The callback
    ``progress`` gets (pictures written, pictures in all).

    Raises DataPathError if ``folder`` is a file, cannot be written, or holds another sample or something else,
    DiskFullError if the disk is full, and ValueError if ``products`` is outside 1 to ``MAX_PRODUCTS``.
    """
    if not 1 <= products <= MAX_PRODUCTS:
        raise ValueError(f"a sample has 1 to {MAX_PRODUCTS} products, not {products}")
    product_list = [invent(number, seed) for number in range(products)]
    photos = [photo for number, product in enumerate(product_list) for photo in _photos(number, product)]
    queries = _queries(product_list, seed)
    marker = {"version": VERSION, "seed": seed, "products": products, "complete": True}
    try:
        _check_folder(folder)
        is_present = _is_complete(folder, marker, photos + queries)
        if not is_present:
            if not replace:
                _check_no_other_sample(folder, marker)
            _write_all(folder, marker, photos, queries, progress)
        size = sum((folder / photo.path).stat().st_size for photo in photos + queries)
    except OSError as error:
        raise _path_error(error, folder) from error
    return SampleSummary(folder, seed, products, min(products, len(KINDS)), len(photos), len(queries), size, is_present)


def _photos(number: int, product: Product) -> Iterator[_Photo]:
    """Plan a product's pictures: four recipes, and for every third product a detail as well."""
    recipes = [name for name in _RECIPES if name != "detail" or number % _DETAIL_EVERY == 0]
    for count, recipe in enumerate(recipes, start=1):
        path = f"images/{product.kind.slug}/{product.product_id}-{count}.jpg"
        yield _Photo(path, product, recipe, f"photo-{count}")


def _queries(products: Sequence[Product], seed: int) -> list[_Photo]:
    """Plan new photos of up to ``QUERIES`` products, each of another kind."""
    candidates = list(products)
    random.Random(f"{seed}:queries").shuffle(candidates)
    product_by_kind: dict[str, Product] = {}
    for product in candidates:
        if len(product_by_kind) < QUERIES:
            product_by_kind.setdefault(product.kind.slug, product)
    recipes = ("everyday", "styled")
    return [
        _Photo(f"queries/query-{count}.jpg", product, recipes[count % 2], "query")
        for count, product in enumerate(product_by_kind.values(), start=1)
    ]


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise DataPathError(f"{folder} is a file; name a folder to write the sample into", subject=str(folder))
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise DataPathError(
            f"{folder} is not empty and is not a sample; name a new folder, nothing was written", subject=str(folder)
        )


def _check_no_other_sample(folder: Path, marker: Mapping[str, object]) -> None:
    """Raise DataPathError if the folder has a complete sample of another seed, size or version."""
    stored_marker = _read_marker(folder)
    if stored_marker is None or not stored_marker.get("complete") or stored_marker == marker:
        return
    products, seed = stored_marker.get("products"), stored_marker.get("seed")
    version = "" if stored_marker.get("version") == VERSION else ", drawn by another version of lookalike"
    raise DataPathError(
        f"{folder} has a sample of {products} products with seed {seed}{version}: name another folder, or say --force "
        "to draw this one in its place, which deletes its pictures",
        subject=str(folder),
    )


def _read_marker(folder: Path) -> dict[str, object] | None:
    """What the marker file says of the sample in a folder; None if it cannot be read."""
    try:
        content = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _is_complete(folder: Path, marker: Mapping[str, object], photos: Sequence[_Photo]) -> bool:
    tables = ("manifest.csv", "truth.csv", "queries/truth.csv")
    names = [*tables, *(photo.path for photo in photos)]
    return _read_marker(folder) == marker and all((folder / name).is_file() for name in names)


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

    photos_by_product: dict[str, list[_Photo]] = {}
    for photo in (*photos, *queries):
        photos_by_product.setdefault(photo.product.product_id, []).append(photo)
    written_count, total = 0, len(photos) + len(queries)
    for product_photos in photos_by_product.values():
        product = product_photos[0].product
        figure = product.draw()
        for photo in product_photos:
            rng = product.rng(photo.purpose)
            shot = _RECIPES[photo.recipe](rng, product.kind.pose)
            _write(folder / photo.path, camera.photograph(figure, product.kind.pose, shot, rng))
            written_count += 1
            if progress is not None:
                progress(written_count, total)

    _write(folder / "manifest.csv", _table(_MANIFEST, [photo.manifest_row() for photo in photos]))
    _write(folder / "truth.csv", _table(_TRUTH, [photo.truth_row("") for photo in photos]))
    _write(folder / "queries" / "truth.csv", _table(_TRUTH, [photo.truth_row("queries/") for photo in queries]))
    _write(folder / MARKER, json.dumps(marker).encode())


def _clear(folder: Path) -> None:
    """Remove an older sample's pictures; files with other names are kept."""
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
    """Write ``data`` to ``path`` atomically; with a fixed temporary name, so a broken run leaves at most one file."""
    partial = path.with_name(f"{path.name}.part")
    partial.write_bytes(data)
    partial.replace(path)


def _path_error(error: OSError, folder: Path) -> DataPathError | DiskFullError:
    subject = str(error.filename or folder)
    if error.errno in NO_ROOM:
        return DiskFullError(
            f"the disk is full: no room for the sample in {folder}; free some space and run again", subject=subject
        )
    return DataPathError(f"cannot write the sample at {subject}: {error.strerror}", subject=subject)
