"""The requests of docs/live.md are answered by a service of its own process, over SQLite and over PostgreSQL."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.conftest import REPOSITORY, USERS_RUNTIME
from tools.docs.api_examples import ADDRESS, environment_of, served

PAGE = (REPOSITORY / "docs" / "live.md").read_text(encoding="utf-8")
BLOCKS = "".join(re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL))
(ANSWER,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


def test_the_requests_of_the_page_do_what_it_says(tmp_path: Path, database_url: str) -> None:
    for number, name in enumerate(("mug.jpg", "a.jpg")):
        (tmp_path / name).write_bytes(encode_jpeg(make_picture(number), 90))
    environment = environment_of(tmp_path) | {
        "LOOKALIKE_RUNTIME": USERS_RUNTIME,
        "LOOKALIKE_DATABASE_URL": database_url,
    }
    with served(tmp_path, environment) as address:
        commands = BLOCKS.replace("\\\n", " ").replace(ADDRESS, address).splitlines()
        answers: list[Any] = []
        for command in commands:
            words = [*shlex.split(command, comments=True), "--fail-with-body"]
            ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert ended.returncode == 0, f"{command}\n{ended.stdout}"
            answers.append(json.loads(ended.stdout))
    created, put, patched, removed, batch, counted, changed = answers
    assert created["count"] == 0
    assert put["item"]["metadata"] == {"category": "mug", "price": 12.5}
    assert patched["item"]["metadata"] == {"category": "mug", "price": 9.9, "sale": True}
    assert removed["status"] == "removed"
    assert [entry["status"] for entry in batch["results"]] == ["created", None]
    assert (counted["dry_run"], counted["passing"]) == (True, 0)
    assert changed == json.loads(ANSWER)
