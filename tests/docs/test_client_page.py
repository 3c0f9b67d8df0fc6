"""The examples of docs/client.md run in their order, against a service of its own process."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lookalike.client import Client, Put, errors
from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.conftest import REPOSITORY, USERS_RUNTIME
from tests.helpers.archives import picture_files, zip_of
from tools.docs.api_examples import ADDRESS, environment_of, served

PAGE = (REPOSITORY / "docs" / "client.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PICTURES = ("cat.jpg", "dog.jpg", "front.jpg", "side.jpg")


def test_the_examples_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(PICTURES):
        Path(name).write_bytes(encode_jpeg(make_picture(number), 90))
    Path("pictures.zip").write_bytes(zip_of(picture_files(2)))
    with served(tmp_path, environment_of(tmp_path) | {"LOOKALIKE_RUNTIME": USERS_RUNTIME}) as address:
        with Client(address) as client:
            client.put_collection("pictures")
            client.put_collection("mugs")
            metadata = {"price": 9.5, "category": "mug"}
            client.change_items(
                "pictures",
                [Put(key=f"sku-{number}", image=name, metadata=metadata) for number, name in enumerate(PICTURES)],
            )
        names: dict[str, Any] = {}
        printed = []
        for block in BLOCKS:
            exec(compile(block.replace(ADDRESS, address), "client.md", "exec"), names)
            printed.append(capsys.readouterr().out.splitlines())
        names["client"].close()
    assert len(BLOCKS) == 9
    first, several, searches, _, items, changes, settings, jobs, refusal = printed
    assert first[0].startswith("1 sku-0 1.0 True {")
    assert [line.split()[0] for line in several] == ["sku-0", "sku-1"]
    assert searches == ["4", "cat.jpg sku-0", "dog.jpg sku-1"]
    assert items == ["sku-9 Mug"]
    assert [line.split()[:2] for line in changes[:2]] == [["sku-1", "created"], ["sku-9", "replaced"]]
    assert "sku-404" in changes[2]
    assert settings == ["[2, 1]"]
    assert jobs[-2] == "succeeded"
    assert refusal[0].startswith("422 field-invalid ")
    assert refusal[1].startswith("[('k', ")


def test_the_table_has_every_exception() -> None:
    rows = {name for row in re.findall(r"(?m)^\| (`.*?) \|", PAGE) for name in re.findall(r"`(\w+Error)`", row)}
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert rows == kinds - {"ClientError", "ServiceError"}
