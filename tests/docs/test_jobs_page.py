"""The commands of docs/jobs.md do what the page says, over SQLite; `make test-full` runs them over PostgreSQL too."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lookalike.images import encode_png
from lookalike.testing import make_picture
from service.jobs.kinds import KINDS
from service.schemas.job_responses import JobAnswer, UploadAnswer
from tests.conftest import REPOSITORY, USERS_RUNTIME
from tests.e2e.conftest import write_pictures
from tests.helpers.archives import picture_files, zip_of
from tools.docs.api_examples import ADDRESS, environment_of, served

PAGE = (REPOSITORY / "docs" / "jobs.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)


def class_files() -> dict[str, bytes]:
    """Eight classes of eight pictures that differ in a stripe."""
    files = {}
    for label in range(8):
        for number in range(8):
            picture = np.array(make_picture(label * 10))
            picture[: 4 + number] = number * 30
            files[f"class {label}/{number}.png"] = encode_png(picture)
    return files


@pytest.mark.parametrize("database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True)
def test_the_commands_of_the_page_do_what_it_says(tmp_path: Path, database_url: str) -> None:
    pictures, classes = picture_files(8) | {"broken.jpg": b"no picture"}, class_files()
    (tmp_path / "pictures.zip").write_bytes(zip_of(pictures))
    (tmp_path / "classes.zip").write_bytes(zip_of(classes))
    (tmp_path / "query.jpg").write_bytes(pictures["003.jpg"])
    write_pictures(tmp_path / "new-pictures", 2, start=90)
    environment = environment_of(tmp_path) | {
        "LOOKALIKE_RUNTIME": USERS_RUNTIME,
        "LOOKALIKE_DATABASE_URL": database_url,
        "LOOKALIKE_ALLOW_SOURCES": str(tmp_path),
    }
    with served(tmp_path, environment) as address:
        outputs = []
        for block in BLOCKS:
            script = "set -e -o pipefail\n" + ID + block.replace(ADDRESS, address)
            ended = subprocess.run(
                ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert ended.returncode == 0, f"{block}\n{ended.stdout}\n{ended.stderr}"
            outputs.append(ended.stdout)
    indexed, trained, resumed, others = outputs
    assert '"state":"succeeded"' in indexed
    assert "broken.jpg,rejected,unsupported-format," in indexed
    assert '"key":"003.jpg"' in indexed
    assert trained.count('"state":"succeeded"') == 3
    answer = json.loads(trained[trained.rindex('{"collection"') :])
    assert answer["results"][0]["confidence"] is not None
    assert "upload-offset: 1000" in resumed.lower()
    assert resumed.rstrip().rpartition("{")[2].count('"complete":true') == 1
    assert '"mode":"add"' in others
    assert others.count('"state":"succeeded"') >= 3


ID, *_ = re.findall(r"^(id\(\) .*\n)", PAGE, re.MULTILINE)


def test_every_kind_option_and_field_is_on_the_page() -> None:
    for name, kind in KINDS.items():
        (row,) = re.findall(rf"^\| `{name}` \|.*$", PAGE, re.MULTILINE)
        assert [option for option in kind.options.model_fields if f"`{option}`" not in row] == []
    fields = [*JobAnswer.model_fields, *UploadAnswer.model_fields]
    assert [field for field in fields if f"`{field}`" not in PAGE] == []
