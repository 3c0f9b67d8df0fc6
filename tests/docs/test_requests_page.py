"""The requests of docs/requests.md are answered by a service of its own process, over real HTTP."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.conftest import REPOSITORY, USERS_RUNTIME, ShareExports
from tools.docs.api_examples import ADDRESS, environment_of, served

PAGE = (REPOSITORY / "docs" / "requests.md").read_text(encoding="utf-8")
(BLOCK,) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)


def test_the_requests_of_the_page_do_what_it_says(tmp_path: Path, share_exports: ShareExports) -> None:
    for number, name in enumerate(("mug.jpg", "b.jpg")):
        (tmp_path / name).write_bytes(encode_jpeg(make_picture(number), 90))
    share_exports(tmp_path / "encoders")
    with served(tmp_path, environment_of(tmp_path) | {"LOOKALIKE_RUNTIME": USERS_RUNTIME}) as address:
        answers: list[Any] = []
        for command in BLOCK.replace(ADDRESS, address).splitlines():
            ended = subprocess.run(
                ["bash", "-o", "pipefail", "-c", command.replace("curl ", "curl -s --fail-with-body ")],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
            answers.append(json.loads(ended.stdout))
    created, put, patched, by_body, by_json, batch, compared = answers
    assert created["encoder"]["name"] == "bundled"
    assert put["item"]["title"] == "A mug"
    assert patched["item"]["metadata"] == {"category": "mug", "price": 12.5}
    for answer in (by_body, by_json):
        assert ([hit["key"] for hit in answer["results"]], answer["passing"]) == (["sku-1"], 1)
    assert by_body["best_score"] > by_json["best_score"], "a part of the picture is another picture"
    assert [entry["status"] for entry in batch["results"]] == ["created"]
    assert compared["tier"] in {"similar", "different"}
