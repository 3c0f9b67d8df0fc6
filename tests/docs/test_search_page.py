"""The requests and the Python of docs/search.md run, over SQLite and over PostgreSQL."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.conftest import REPOSITORY, USERS_RUNTIME
from tools.docs.api_examples import ADDRESS, environment_of, served

PAGE = (REPOSITORY / "docs" / "search.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
FILL = """
import sys
from lookalike import Collection
from lookalike.testing import make_picture

for name in ("products", "archive"):
    with Collection.create("data", name, database_url=sys.argv[1]) as collection:
        for number in range(10):
            collection.upsert(
                f"sku-{number}",
                make_picture(number if name == "products" else 50 + number),
                product_id=f"p-{number // 2}",
                metadata={
                    "category": "mug",
                    "colour": "red",
                    "price": 10 * number,
                    "stars": number % 6,
                    "added": "2026-01-02",
                },
            )
"""


@pytest.fixture
def environment(tmp_path: Path, database_url: str) -> dict[str, str]:
    """Two collections, and the pictures that the page searches with, in the folder in which its examples run."""
    for number, name in enumerate(("mug.jpg", "front.jpg", "side.jpg")):
        (tmp_path / name).write_bytes(encode_jpeg(make_picture(number), 90))
    environment = environment_of(tmp_path) | {
        "LOOKALIKE_RUNTIME": USERS_RUNTIME,
        "LOOKALIKE_DATABASE_URL": database_url,
    }
    run(tmp_path, environment, FILL, database_url)
    return environment


def run(folder: Path, environment: dict[str, str], program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_requests_of_the_page_are_answered(tmp_path: Path, environment: dict[str, str]) -> None:
    answers: dict[str, Any] = {}
    with served(tmp_path, environment) as address:
        for command in "".join(BLOCKS).replace("\\\n", " ").replace(ADDRESS, address).splitlines():
            words = [*shlex.split(command, comments=True), "--fail-with-body"]
            ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert ended.returncode == 0, f"{command}\n{ended.stdout}"
            answers[command] = json.loads(ended.stdout)

    def results(*words: str) -> list[dict[str, Any]]:
        """The hits of the first request with these words."""
        found: list[dict[str, Any]] = next(
            answer["results"] for command, answer in answers.items() if all(word in command for word in words)
        )
        return found

    assert [hit["metadata"]["price"] < 60 for hit in results("-F filter")] == [True] * 6
    assert len(results("facets=category,colour")) == len(results("image=@side.jpg")) == 5
    assert {"sku-1", "sku-4", "sku-9"}.isdisjoint(hit["key"] for hit in results("image=@mug.jpg", "unlike_keys"))
    assert {"sku-1", "sku-4"}.isdisjoint(hit["key"] for hit in results("-d like_keys"))
    assert {hit["collection"] for hit in results("image=@mug.jpg", "collections=")} == {"products", "archive"}
    assert (len(results("k=20")), len(results("key=sku-1", "collections="))) == (20, 10)


def test_the_python_of_the_page_runs(tmp_path: Path, environment: dict[str, str], database_url: str) -> None:
    program = PROGRAM
    for name in ("products", "archive"):
        program = program.replace(f'open("data", "{name}")', f'open("data", "{name}", database_url={database_url!r})')
    printed = run(tmp_path, environment, program).splitlines()
    assert len(printed) == 1 + 10
    assert {line.split()[0] for line in printed[1:]} <= {"products", "archive"}
