"""Every file of the hostile set, sent to the service among others, gets the verdict that it has by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from lookalike.errors import ImageError
from lookalike.images import decode
from service.problems import STATUS
from tests.service.conftest import Shop, one_network, service, shop
from tests.service.harness import Service

__all__ = ["one_network", "service", "shop"]

pytestmark = pytest.mark.shared
TOGETHER = 32


def verdict(path: Path, service: Service) -> str | None:
    """The code of what is wrong with a file; None if nothing is."""
    try:
        decode(path.read_bytes(), limits=service.settings.limits, name=path.name)
    except ImageError as error:
        return error.code
    return None


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
