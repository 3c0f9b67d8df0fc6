"""The Python and the requests of docs/export-items.md run, and what it says of columns is so."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from lookalike import Collection
from lookalike.catalogue.records import MetadataValue
from lookalike.item_export.export import ExportFormat
from lookalike.sources.manifest_rows import FIXED_COLUMNS, LEFT_OUT_COLUMNS
from lookalike.testing import make_picture
from tests.conftest import REPOSITORY, USERS_RUNTIME, running_on
from tools.docs.api_examples import ADDRESS, environment_of, served

PAGE = (REPOSITORY / "docs" / "export-items.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the collection ``products``, whose pictures were sent."""
    place = tmp_path_factory.mktemp("export")
    with running_on(), Collection.create(place / "data", "products") as products:
        for number in range(3):
            metadata: dict[str, MetadataValue] = {"category": "mug", "price": 40 * number}
            products.upsert(f"sku-{number}", make_picture(number), metadata=metadata)
    return place


def test_the_python_of_the_page_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    exec(compile(PROGRAM, "export-items.md", "exec"), {})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["sku-0", "sku-1"]
    rows = [json.loads(line) for line in (folder / "products.jsonl").read_text().splitlines()]
    assert [set(row) for row in rows] == [{"key", "path", "price", "_vector"}] * 3


def test_the_requests_of_the_page_are_answered(folder: Path, tmp_path: Path) -> None:
    (requests,) = [block for block in BLOCKS if ADDRESS in block]
    environment = environment_of(folder) | {"LOOKALIKE_RUNTIME": USERS_RUNTIME}
    with served(folder, environment) as address:
        script = "set -e -o pipefail\n" + requests.replace(ADDRESS, address)
        ended = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "products.parquet").read_bytes().startswith(b"PAR1")


def test_every_format_and_column_is_on_the_page() -> None:
    assert [name for name in (*ExportFormat, *FIXED_COLUMNS, *LEFT_OUT_COLUMNS) if f"`{name}`" not in PAGE] == []
