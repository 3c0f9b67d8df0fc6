"""From one encoder to another and back, on a real collection: compared, built beside, switched, switched back."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.console.reporter import HumanReporter, Note, Stage
from indexer.ingest.pipeline import PipelineOptions
from indexer.ingest.run import IndexRequest, RunOptions, index_collection
from lookalike.api import Collection, Encoder, Vectors
from lookalike.catalogue.records import CollectionSettings
from lookalike.collection.builder import BuildOptions
from lookalike.errors import EncoderMismatchError
from lookalike.images import encode_jpeg
from lookalike.options import EncoderRequest, Places
from lookalike.testing import make_picture
from lookalike.wiring import load_encoder, open_catalogue
from tests.e2e.conftest import Ended, Run
from tests.helpers.encoder_files import TINY, write_tiny

pytestmark = pytest.mark.slow

PICTURES = 9


@dataclass(frozen=True)
class Stock:
    """Nine pictures in three folders, two encoders, and what each encoder makes of the pictures; not to be changed."""

    folder: Path
    encoders: Path
    old: str
    new: str
    keys: list[str]
    vectors: dict[str, Vectors]

    def load(self, encoder: str) -> Encoder:
        return Encoder.load(encoder, encoders_dir=self.encoders)


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    place = tmp_path_factory.mktemp("stock")
    encoders = place / "encoders"
    write_tiny(place / "old.safetensors", seed=0, projection=24)
    write_tiny(place / "new.safetensors", seed=1, projection=40)
    old, new = (f"{TINY}:{place / name}.safetensors" for name in ("old", "new"))
    for number in range(PICTURES):
        folder = place / "pictures" / "abc"[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:02d}.jpg").write_bytes(encode_jpeg(make_picture(number), 90))
    paths = sorted((place / "pictures").rglob("*.jpg"))
    keys = [path.relative_to(place / "pictures").as_posix() for path in paths]
    vectors = {name: Encoder.load(name, encoders_dir=encoders).encode(paths) for name in (old, new)}
    return Stock(place / "pictures", encoders, old, new, keys, vectors)


@dataclass(frozen=True)
class Shop:
    """The stock as a collection ``shop``, made by the encoder ``old``."""

    run: Run
    folder: Path
    data: Path
    stock: Stock

    @property
    def old(self) -> str:
        return self.stock.old

    @property
    def new(self) -> str:
        return self.stock.new

    @property
    def places(self) -> Places:
        """Where its parts lie."""
        return Places(self.data, encoders=self.stock.encoders)

    @property
    def query(self) -> Path:
        """The first of the keys."""
        return self.folder / "a" / "00.jpg"

    def answers(self) -> list[tuple[str, float]]:
        """Keys and scores of all items for the query, as the command line gives them."""
        found = self.run("search", self.query, "-c", "shop", "-k", str(PICTURES), "--json").answer["results"]
        return [(hit["key"], hit["score"]) for hit in found]

    def expected(self, encoder: str) -> list[tuple[str, float]]:
        """The same from nothing but the encoder's vectors."""
        vectors = self.stock.vectors[encoder]
        scores = vectors @ vectors[0]
        return [(self.stock.keys[row], float(scores[row])) for row in np.argsort(-scores)]

    def compare(self, *arguments: str) -> Ended:
        return self.run("encoders", "compare", self.old, self.new, "-c", "shop", "--workers", "1", *arguments)


@pytest.fixture(autouse=True, scope="module")
def loaded_once() -> Iterator[None]:
    """Each encoder is exported and loaded once for all tests here: it is not loading that they are about."""
    with pytest.MonkeyPatch.context() as patch:
        once = cache(load_encoder)
        for module in ("lookalike.api.encoder", "lookalike.api.collection", "indexer.ingest.run"):
            patch.setattr(f"{module}.load_encoder", once)
        yield


@pytest.fixture
def shop(run: Run, stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("LOOKALIKE_ENCODERS_DIR", str(stock.encoders))
    made = Shop(run, tmp_path / "pictures", tmp_path / "data", stock)
    shutil.copytree(stock.folder, made.folder)
    assert run("index", made.folder, "-c", "shop", "--encoder", stock.old, "--keep", "4").code == 0
    return made


def same(found: list[tuple[str, float]], wanted: list[tuple[str, float]]) -> bool:
    """Whether keys and their scores are the same; scores are printed to six decimals."""
    scores, others = dict(found), dict(wanted)
    return scores.keys() == others.keys() and all(abs(scores[key] - others[key]) < 1e-4 for key in scores)


def typed(command: str) -> list[str]:
    """The arguments of a command that was printed to be typed."""
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "indexer"]
    return words[3:]


def test_the_whole_act_by_the_commands_that_compare_prints(shop: Shop) -> None:
    before = shop.answers()
    assert same(before, shop.expected(shop.old))
    said = shop.compare("--json").answer
    assert shop.answers() == before, "comparing changes nothing"

    rebuilt = shop.run(*typed(said["commands"]["rebuild"]), "--json")
    assert (rebuilt.code, rebuilt.answer["encoded"], rebuilt.answer["snapshot"]) == (0, PICTURES, 2)
    assert shop.run(*typed(said["commands"]["verify"])).code == 0
    assert same(shop.answers(), shop.expected(shop.new))

    assert shop.run(*typed(said["commands"]["back"])).code == 0
    assert shop.answers() == before

    assert shop.run("--json").code == 0, "the next run over all collections"
    assert same(shop.answers(), before), "leaves it where it was rolled back to"

    assert shop.run(*typed(said["commands"]["stay"])).code == 0
    assert same(shop.answers(), before)
    assert shop.run("--json").code == 0
    assert same(shop.answers(), before), "and stays"


def test_a_rollback_over_a_change_of_encoder_says_how_long_it_lasts_and_how_to_stay(shop: Shop) -> None:
    assert shop.run("index", shop.folder, "-c", "shop", "--encoder", shop.new, "--reencode").code == 0
    rolled_back = shop.run("rollback", "-c", "shop")
    assert "snapshot 1 is current until `unpin`, or an index of this collection, which goes on from" in rolled_back.out
    stay = rolled_back.out.split("`")[3]

    refused = shop.run("index", shop.folder, "-c", "shop", "--encoder", shop.old, "--json")
    message = refused.events[-1]["message"]
    assert (refused.code, refused.events[-1]["code"]) == (1, "encoder-mismatch")
    assert "rolled back to snapshot 1, which this encoder" in message
    assert message.split("`")[1::2] == [stay, "python -m indexer reindex"]

    stayed = shop.run(*typed(stay))
    assert stayed.code == 0
    assert "the rollback to snapshot 1 ends with this run, which goes on from snapshot 2" in stayed.err
    assert same(shop.answers(), shop.expected(shop.old))
    assert "rolled back" not in shop.run("rollback", "-c", "shop", "--to", "3").out


@dataclass
class Watching(HumanReporter):
    """A reporter that asks a question whenever it is told that one more picture is encoded."""

    ask: Callable[[], Any] = int
    heard: list[Any] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Stage]:
        del total
        watching = self

        class Asking:
            def advance(self, count: int = 1, **notes: Note) -> None:
                del count, notes
                if name == "shop: encoding":
                    watching.heard.append(watching.ask())

        yield Asking()


def test_the_old_snapshot_answers_until_the_new_one_is_whole(shop: Shop) -> None:
    old, new = (shop.stock.vectors[name][:1] for name in (shop.old, shop.new))

    def ask(query: Vectors = old) -> tuple[int, list[tuple[str, float]]]:
        with Collection.open(shop.data, "shop", encoders_dir=shop.stock.encoders) as opened:
            hits = opened.search_vectors(query, k=PICTURES)[0]
            return opened.manifest.generation, [(hit.key, hit.score) for hit in hits]

    before = shop.expected(shop.old)
    reporter = Watching(ask=ask)
    settings = CollectionSettings("faiss-flat", 4, 2**26, 10**8)
    options = RunOptions(PipelineOptions(batch=2, workers=1), BuildOptions(settings, allow_other_encoder=True))
    request = IndexRequest("shop", str(shop.folder), None, EncoderRequest(shop.new))
    catalogue = open_catalogue(shop.places)
    with Collection.open(shop.data, "shop", encoders_dir=shop.stock.encoders) as held:
        index_collection(shop.places, request, catalogue=catalogue, options=options, reporter=reporter)
        assert [hit.key for hit in held.search(shop.query, k=3)] == [key for key, _ in before[:3]], "open all the while"
    catalogue.close()
    assert len(reporter.heard) == PICTURES
    assert all(generation == 1 and same(found, before) for generation, found in reporter.heard)
    generation, found = ask(new)
    assert generation == 2
    assert same(found, shop.expected(shop.new))


def test_vectors_of_two_encoders_never_meet(shop: Shop) -> None:
    refused = shop.run("index", shop.folder, "-c", "shop", "--encoder", shop.new, "--json")
    assert (refused.code, refused.events[-1]["code"]) == (1, "encoder-mismatch")
    with pytest.raises(EncoderMismatchError, match=r"'shop' was made by .*old\.safetensors.*dimension 40, not 24"):
        Collection.open(shop.data, "shop", encoder=shop.stock.load(shop.new))
    assert shop.run("index", shop.folder, "-c", "shop", "--encoder", shop.new, "--reencode").code == 0
    with pytest.raises(EncoderMismatchError, match=r"dimension 24, not 40"):
        Collection.open(shop.data, "shop", encoder=shop.stock.load(shop.old))
    with pytest.raises(EncoderMismatchError, match=r"dimension 40, not 24"):
        Collection.open(shop.data, "shop", generation=1, encoder=shop.stock.load(shop.new))
    for generation, dimension in ((1, 24), (2, 40)):
        with Collection.open(shop.data, "shop", generation=generation, encoders_dir=shop.stock.encoders) as opened:
            assert {opened.vector(item).shape for item in opened.items()} == {(dimension,)}


def test_what_would_change_is_said_with_figures_and_pictures(shop: Shop, tmp_path: Path) -> None:
    ended = shop.compare("--k", "3", "--out", str(tmp_path / "report.html"), "--json")
    said = ended.answer
    assert (ended.code, said["pictures"], said["gallery_is_a_sample"]) == (0, PICTURES, False)
    assert said["labels_from"] == "folder names"
    assert "shop: labels: folder names, " in ended.err
    ranked = []
    for name in (shop.old, shop.new):
        scores = shop.stock.vectors[name] @ shop.stock.vectors[name].T
        np.fill_diagonal(scores, -2)
        ranked.append(np.argsort(-scores, axis=1)[:, :3])
    shared = [len(set(old) & set(new)) / 3 for old, new in zip(*map(np.ndarray.tolist, ranked), strict=True)]
    assert said["overlap"] == pytest.approx(np.mean(shared))
    assert said["first_stays"] == pytest.approx((ranked[0][:, 0] == ranked[1][:, 0]).mean())
    folders = [key[0] for key in shop.stock.keys]
    right = [folders[row] == folders[first] for row, first in enumerate(ranked[1][:, 0])]
    assert said["after"]["quality"]["recall_at_1"]["value"] == pytest.approx(np.mean(right))
    assert (said["before"]["numbers"], said["after"]["numbers"]) == (24, 40)
    assert said["after"]["milliseconds"] > 0
    page = (tmp_path / "report.html").read_text()
    assert page.count('class="pair"') == PICTURES
    assert page.count("data:image/jpeg") == PICTURES * (1 + 3 + 3)
    assert "http" not in page.replace("http-equiv", "")


def test_a_sample_is_called_a_sample_and_a_lost_picture_is_counted(shop: Shop) -> None:
    (shop.folder / "b" / "01.jpg").unlink()
    assert shop.compare("--json").answer["rejected"] == [{"key": "b/01.jpg", "code": "entry-missing"}]
    sampled = shop.compare("--sample", "6")
    assert f"of {PICTURES} pictures" in sampled.out
    assert shop.compare("--sample", "6", "--json").answer["gallery_is_a_sample"] is True


def test_what_makes_no_sense_to_compare_is_refused(shop: Shop) -> None:
    swapped = shop.run("encoders", "compare", shop.new, shop.old, "-c", "shop", "--json")
    assert (swapped.code, swapped.events[-1]["code"]) == (1, "encoder-mismatch")
    assert f"answers with {shop.old!r}" in swapped.events[-1]["message"]
    same_again = shop.run("encoders", "compare", shop.old, shop.old, "-c", "shop", "--json")
    assert (same_again.code, same_again.events[-1]["code"]) == (1, "encoder-options-invalid")
    typo = shop.compare("--label", "colour", "--json")
    assert (typo.code, typo.events[-1]["code"]) == (1, "labels-missing")
