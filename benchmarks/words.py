"""What full text search costs, and what titles add to pictures.

    python -m benchmarks.words OUT.json --folder FOLDER [--count 100000] [--database URL ...]
    python -m benchmarks.words OUT.json --folder FOLDER --grocery FOLDER --iconic FOLDER

Cost: items with titles of 6 words, descriptions of 20, 5 tags and a brand, of made-up words that are as unequally
common as those of a language (the n-th has a share of 1/n), stored as by a version without full text search. ``fill``
is what the first search does then; after it each query is timed on a reader of its own (``first``), and again
(``repeated``).
CPU milliseconds are those of this process and, of PostgreSQL, of the server's processes that work for it (Linux).

Precision@1: labelled pictures whose titles are MADE from the names of their classes: words of the name are left out at
random, a few words of sellers are added, and all are shuffled. Real titles are none of these.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import text as sql

from benchmarks.relevance_feedback import embed
from lookalike.catalogue.database import Database
from lookalike.catalogue.records import CollectionSettings, ItemDraft, NewItem, SourceRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.builder import Builder, BuildOptions, CollectionEncoder
from lookalike.collection.candidates import QueryVectors
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.refined_search import RefinedSearch
from lookalike.collection.refinement import Refinement
from lookalike.collection.searcher import Searcher
from lookalike.collection.snapshot import open_snapshot
from lookalike.options import EncoderRequest
from lookalike.testing import TinyEncoder
from lookalike.wiring import INDEX_TYPES
from lookalike.words.text_query import TextMatch, TextQuery

DIMENSION = 32
K = 10
QUERIES = 12
BATCH = 2000
LEFT_OUT = (0.3, 0.6)
SELLERS_WORDS = ("bio", "new", "offer", "1 l", "500 g", "fresh", "top quality", "pack", "imported")
Floats = npt.NDArray[np.float32]
NAMES = count()


def build(catalogue: Catalogue, folder: Path, drafts: Sequence[ItemDraft], vectors: Floats) -> CollectionLayout:
    """A published collection of these items."""
    layout = CollectionLayout.of(folder, f"words-{next(NAMES)}")
    spec = replace(TinyEncoder().spec, dimension=vectors.shape[1])
    options = BuildOptions(CollectionSettings("faiss-flat", 2, 1000, 1000))
    identity, source = CollectionEncoder(EncoderRequest("tiny"), spec), SourceRecord("folder", "/pictures")
    with Builder.open(layout, catalogue, source, identity, INDEX_TYPES, options) as (builder, _):
        for start in range(0, len(drafts), BATCH):
            batch = zip(drafts[start : start + BATCH], vectors[start : start + BATCH], strict=True)
            builder.store([NewItem(draft, vector) for draft, vector in batch])
        builder.publish()
    return layout


def open_searcher(catalogue: Catalogue, layout: CollectionLayout) -> Searcher:
    """A reader that has read nothing yet."""
    snapshot = open_snapshot(layout, layout.current())
    manifest = snapshot.manifest
    index = INDEX_TYPES.load(manifest.engine, snapshot.index_path, snapshot.vectors, manifest.settings)
    return Searcher.of(snapshot, index, catalogue, catalogue.collection(layout.name).id)


def find(searcher: Searcher, query: TextQuery | None, vectors: Floats, exclude: int | None = None) -> list[int]:
    """The ids of the first hits."""
    refinement = Refinement(text=query)
    search = RefinedSearch(searcher, QueryVectors(vectors), K, refinement, exclude=exclude)
    candidates = search.page(0, K)
    search.hits(candidates)
    return [candidate.item_id for candidate in candidates]


# What it costs


def made_words() -> npt.NDArray[np.str_]:
    """Words of two and three syllables, the common ones first."""
    syllables = ["".join(pair) for pair in product("bdfghjklmnprstvwz", "aeiou")]
    words = ["".join(parts) for parts in product(syllables, syllables)] + [
        "".join(parts) for parts in product(syllables[:40], syllables, syllables[:6])
    ]
    return np.random.default_rng(1).permutation(np.array(words))


def made_drafts(number: int, words: npt.NDArray[np.str_]) -> Iterator[ItemDraft]:
    """Items whose words are as unequally common as those of a language."""
    shares = 1 / np.arange(1, len(words) + 1)
    drawn = np.random.default_rng(2).choice(words, (number, 32), p=shares / shares.sum())
    for item, row in enumerate(drawn.tolist()):
        metadata = {"description": " ".join(row[6:26]), "tags": row[26:31], "brand": row[31], "price": item}
        key = f"photos/{item // 1000:03d}/{item:06d}.jpg"
        title = " ".join(row[:6]).capitalize()
        yield ItemDraft(key, key, f"{item:064x}", 40_000, 800, 600, "JPEG", title=title, metadata=metadata)


@dataclass(frozen=True)
class Meter:
    """Measures work in this process and in those of a database server."""

    catalogue: Catalogue

    def timed(self, work: Callable[[], object]) -> dict[str, float]:
        """CPU and wall milliseconds."""
        wall, cpu = time.perf_counter(), self._cpu_seconds()
        work()
        took = time.perf_counter() - wall
        return {"cpu_ms": 1000 * (self._cpu_seconds() - cpu), "wall_ms": 1000 * took}

    def _cpu_seconds(self) -> float:
        seconds = time.process_time()
        database = self.catalogue._database
        if database.dialect == "postgresql":
            with database.read_session() as session:
                pids = session.scalars(sql("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")).all()
            for pid in pids:
                seconds += int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9
        return seconds


def median(times: Sequence[dict[str, float]]) -> dict[str, float]:
    """Of each kind of time."""
    return {name: round(float(np.median([one[name] for one in times])), 2) for name in times[0]}


def measure_cost(url: str, folder: Path, number: int) -> dict[str, Any]:
    """Storing, filling, and queries of several kinds."""
    words = made_words()
    vectors = np.random.default_rng(3).standard_normal((number, DIMENSION), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    catalogue = Catalogue(Database.open(url))
    layout = build(catalogue, folder, list(made_drafts(number, words)), vectors)
    pages = forget_words(catalogue)
    began = time.perf_counter()
    timed = Meter(catalogue).timed
    fill = timed(lambda: find_filling(open_searcher(catalogue, layout), words[0], pages))
    waits = np.diff([began, *pages]) * 1000
    random = np.random.default_rng(4)

    def texts(low: int, high: int, write: Callable[[list[str]], str]) -> list[str]:
        """Queries of two words each, whose places by how common they are lie between these."""
        places = random.integers(low, high, (QUERIES, 2)).tolist()
        return [write([str(words[place]) for place in pair]) for pair in places]

    kinds = {
        "a rare word": texts(2000, 6000, lambda pair: f"{pair[0]} "),
        "a common word": texts(5, 20, lambda pair: f"{pair[0]} "),
        "two common words": texts(5, 40, lambda pair: f"{pair[0]} {pair[1]} "),
        "a phrase of common words": texts(0, 10, lambda pair: f'"{pair[0]} {pair[1]}"'),
        "a beginning of 3 letters": texts(20, 2000, lambda pair: pair[0][:3]),
        "a beginning of 1 letter": texts(20, 2000, lambda pair: pair[0][:1]),
    }
    result: dict[str, Any] = {
        "fill": {"cpu_s": round(fill["cpu_ms"] / 1000, 1), "wall_s": round(fill["wall_ms"] / 1000, 1)}
        | {"page_wall_ms": round(float(np.median(waits)), 1), "longest_page_wall_ms": round(float(waits.max()), 1)}
    }
    no_vectors = np.empty((0, DIMENSION), np.float32)
    for kind, queries in kinds.items():
        times: dict[str, list[dict[str, float]]] = {"first": [], "repeated": [], "with a picture": []}
        for text in queries:
            query, searcher = TextQuery.parse(text), open_searcher(catalogue, layout)
            searcher.item_filter.words.fill(lambda: None)
            assert searcher.item_filter.words.lengths  # read once for a snapshot
            times["first"].append(timed(lambda q=query, s=searcher: find(s, q, no_vectors)))  # type: ignore[misc]
            times["repeated"].append(timed(lambda q=query, s=searcher: find(s, q, no_vectors)))  # type: ignore[misc]
            times["with a picture"].append(timed(lambda q=query, s=searcher: find(s, q, vectors[:1])))  # type: ignore[misc]
        result[kind] = {name: median(one) for name, one in times.items()}
    searcher = open_searcher(catalogue, layout)
    result["a picture alone"] = median([timed(lambda: find(searcher, None, vectors[:1])) for _ in range(QUERIES)])
    result["lengths"] = timed(lambda: open_searcher(catalogue, layout).item_filter.words.lengths)
    catalogue.close()
    return result


def forget_words(catalogue: Catalogue) -> list[float]:
    """Leave the collection as a migration leaves it; for the times at which pages of words are stored."""
    with catalogue._database.write_session() as session:
        session.execute(sql("DELETE FROM item_words"))
        session.execute(sql("UPDATE collections SET wordless_id = (SELECT max(id) FROM items)"))
    return []


def find_filling(searcher: Searcher, word: str, pages: list[float]) -> None:
    """The first search for words, which notes when each page was begun."""
    query = Refinement(text=TextQuery.parse(str(word)))
    no_vectors = QueryVectors(np.empty((0, DIMENSION), np.float32))
    RefinedSearch(searcher, no_vectors, K, query, check=lambda: pages.append(time.perf_counter()))


# What titles add


def made_title(label: str, share: float, random: np.random.Generator) -> str:
    """Words of a class's name, of which this share is left out, with a few of a seller's, shuffled."""
    name = label.split("-")
    kept = [word for word in name if random.random() >= share] or [str(random.choice(name))]
    words = [*kept, *random.choice(SELLERS_WORDS, random.integers(0, 3), replace=False).tolist()]
    return " ".join(random.permutation(words))


def measure_precision(catalogue: Catalogue, folder: Path, grocery: Path, iconic: Path) -> dict[str, Any]:
    """Precision@1 by picture, by title, and by both, of photographs among each other and of clean pictures."""
    vectors, labels = embed(grocery, folder)
    icons, icon_labels = embed(iconic, folder)
    result = {}
    for share in LEFT_OUT:
        random = np.random.default_rng(6)
        titles = [made_title(label, share, random) for label in labels]
        drafts = [
            ItemDraft(f"{n}", f"{n}", f"{n:064x}", 10, 4, 4, "JPEG", title=title) for n, title in enumerate(titles)
        ]
        searcher = open_searcher(catalogue, build(catalogue, folder / "titles", drafts, vectors))
        label_of = dict(zip(searcher.snapshot.ids.tolist(), labels.tolist(), strict=True))
        among = [*zip(vectors, titles, labels, searcher.snapshot.ids.tolist(), strict=True)]
        clean = [*zip(icons, [label.replace("-", " ") for label in icon_labels], icon_labels, strict=True)]
        result[f"{share:.0%} of the words left out"] = {
            "photographs": precision(searcher, label_of, among),
            "clean pictures with whole names": precision(searcher, label_of, [(*one, None) for one in clean]),
        }
    return result


def precision(
    searcher: Searcher, label_of: dict[int, str], queries: Sequence[tuple[Floats, str, str, int | None]]
) -> dict[str, float]:
    """The share of queries whose first hit, the query's own item left out, is of the same class."""
    right = {"picture": 0, "title": 0, "both": 0}
    for vector, title, label, item_id in queries:
        query = TextQuery.parse(title + " ", match=TextMatch.ANY)
        no_vectors = np.empty((0, len(vector)), np.float32)
        for name, text, vectors in (
            ("picture", None, vector[None]),
            ("title", query, no_vectors),
            ("both", query, vector[None]),
        ):
            hits = find(searcher, text, vectors, item_id)
            right[name] += bool(hits) and label_of[hits[0]] == label
    return {"queries": len(queries)} | {name: round(number / len(queries), 4) for name, number in right.items()}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="for collections and vectors")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--database", action="append", default=[], help="URL of an empty database")
    parser.add_argument("--grocery", type=Path, help="labelled photographs")
    parser.add_argument("--iconic", type=Path, help="a clean picture of each class")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    result = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
    for url in options.database:
        result.setdefault("cost", {})[url.partition(":")[0]] = measure_cost(
            url, options.folder / url.partition(":")[0], options.count
        )
        result["count"] = options.count
    if options.grocery is not None and options.iconic is not None:
        catalogue = Catalogue(Database.open(f"sqlite:///{options.folder / 'titles.db'}"))
        result["precision_at_1"] = measure_precision(catalogue, options.folder, options.grocery, options.iconic)
        catalogue.close()
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
