"""Every file of the hostile set, sent to the service among others, gets the verdict that it has by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lookalike.errors import ImageError
from lookalike.images import decode
from service.http.problems import STATUS
from tests.conftest import running_on
from tests.service.conftest import Shop, write_shop
from tests.service.harness import Service, index, serving

pytestmark = pytest.mark.shared
TOGETHER = 32


@pytest.fixture(scope="module", autouse=True)
def users_runtime() -> Iterator[None]:
    """A thousand pictures are encoded here: on what is made to be quick."""
    with running_on():
        yield


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    root = tmp_path_factory.mktemp("shop")
    files = write_shop(root / "source")
    index(root / "data", "shop", root / "source/shop.jsonl", "bundled-int8")
    return Shop(root / "data", root / "source", files)


@pytest.fixture(scope="module")
def service(shop: Shop) -> Iterator[Service]:
    with serving(shop.data) as running:
        yield running


def verdict(path: Path, service: Service) -> str | None:
    """The code of what is wrong with a file; None if nothing is."""
    try:
        decode(path.read_bytes(), limits=service.settings.limits, name=path.name)
    except ImageError as error:
        return error.code
    return None


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_file_harms_the_service_or_those_beside_it(shared_dir: Path, service: Service, shop: Shop) -> None:
    paths = sorted(path for path in (shared_dir / "data" / "hostile").rglob("*") if path.is_file())
    known = shop.picture("plain-0")
    surprises: list[str] = []
    for start in range(0, len(paths), TOGETHER):
        group = paths[start : start + TOGETHER]
        files = [("image", (path.name, path.read_bytes())) for path in group] + [("image", ("known.png", known))]
        answered = service.post("/search/batch", files=files, data={"k": "1"})
        assert answered.status_code == 200, answered.text
        *found, last = answered.json()["results"]
        assert (last["answer"]["results"][0]["key"], last["answer"]["best_score"]) == ("plain-0", 1.0)
        for path, result in zip(group, found, strict=True):
            problem = result["problem"]
            code = problem and problem["code"]
            if code != verdict(path, service) or (problem and problem["status"] != STATUS[code]):
                surprises.append(f"{path}: {code}")
    assert not surprises, "\n".join(surprises)
    assert len(paths) >= 1000
    assert service.get("/health").json()["in_flight"] == 0
