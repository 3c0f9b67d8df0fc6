"""The requests and the Python of docs/search.md run, over SQLite and over PostgreSQL."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lookalike import Collection
from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.conftest import REPOSITORY, USERS_RUNTIME, running_on
from tests.helpers.databases import new_postgres_database
from tools.docs.api_examples import ADDRESS, environment_of, served

PAGE = (REPOSITORY / "docs" / "search.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
METADATA = {"category": "mug", "colour": "red", "added": "2026-01-02"}


@dataclass(frozen=True)
class Place:
    """A folder with the pictures that the page searches with and two collections, and the URL of their catalogue."""

    folder: Path
    database_url: str

    @property
    def environment(self) -> dict[str, str]:
        return environment_of(self.folder) | {
            "LOOKALIKE_RUNTIME": USERS_RUNTIME,
            "LOOKALIKE_DATABASE_URL": self.database_url,
        }


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Where the examples of the page run; they only search."""
    folder = tmp_path_factory.mktemp("search")
    url = f"sqlite:///{folder / 'catalogue.db'}"
    if request.param == "postgresql":
        url = new_postgres_database(request.getfixturevalue("postgres"))
    for number, name in enumerate(("mug.jpg", "front.jpg", "side.jpg")):
        (folder / name).write_bytes(encode_jpeg(make_picture(number), 90))
    with running_on():
        for name, start in (("products", 0), ("archive", 50)):
            with Collection.create(folder / "data", name, database_url=url) as collection:
                for number in range(10):
                    collection.upsert(
                        f"sku-{number}",
                        make_picture(start + number),
                        product_id=f"p-{number // 2}",
                        metadata=METADATA | {"price": 10 * number, "stars": number % 6},
                    )
    place = Place(folder, url)
    command = [sys.executable, "-m", "indexer", "duplicates", "-c", "products", "--data", str(folder / "data")]
    subprocess.run(command, cwd=folder, env=place.environment, check=True, capture_output=True)
    return place


def test_the_requests_of_the_page_are_answered(place: Place) -> None:
    answers: dict[str, Any] = {}
    with served(place.folder, place.environment) as address:
        for command in "".join(BLOCKS).replace("\\\n", " ").replace(ADDRESS, address).splitlines():
            words = [*shlex.split(command, comments=True), "--fail-with-body"]
            ended = subprocess.run(words, cwd=place.folder, capture_output=True, text=True, check=False)
            assert ended.returncode == 0, f"{command}\n{ended.stdout}"
            answers[command] = json.loads(ended.stdout)

    def results(*words: str) -> list[dict[str, Any]]:
        """The hits of the first request with these words."""
        hits: list[dict[str, Any]] = next(
            answer["results"] for command, answer in answers.items() if all(word in command for word in words)
        )
        return hits

    assert [hit["metadata"]["price"] < 60 for hit in results("-F filter")] == [True] * 6
    assert len(results("facets=category,colour")) == len(results("image=@side.jpg")) == 5
    assert {"sku-1", "sku-4", "sku-9"}.isdisjoint(hit["key"] for hit in results("image=@mug.jpg", "unlike_keys"))
    assert {"sku-1", "sku-4"}.isdisjoint(hit["key"] for hit in results("-d like_keys"))
    assert {hit["collection"] for hit in results("image=@mug.jpg", "collections=")} == {"products", "archive"}
    assert (len(results("k=20")), len(results("key=sku-1", "collections="))) == (20, 10)


def test_the_python_of_the_page_runs(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = PROGRAM
    for name in ("products", "archive"):
        opened = f'open("data", "{name}", database_url={place.database_url!r})'
        program = program.replace(f'open("data", "{name}")', opened)
    monkeypatch.chdir(place.folder)
    with running_on():
        exec(compile(program, "search.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 10 + 3 + 1 + 10
    assert [line.split()[-1] for line in printed[:13]] == ["1"] * 10 + ["2"] * 3
    assert {line.split()[0] for line in printed[14:]} <= {"products", "archive"}
