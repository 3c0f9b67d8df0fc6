"""Requests of pages of other sites and without a key, many probes, and a folder that is no collection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.settings import ApiKeys
from tests.service.conftest import Shop
from tests.service.harness import Service, serving

KEY = "a-key-that-is-long-enough"


@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("same-origin", 200), ("none", 200), (None, 200)])
def test_a_page_of_another_site_cannot_make_a_browser_search(service: Service, site: str | None, status: int) -> None:
    headers = {} if site is None else {"sec-fetch-site": site}
    assert service.post("/search", headers=headers, data={"key": "plain-0"}).status_code == status
    assert service.get("/health", headers=headers).status_code == 200


@pytest.fixture(scope="module")
def keyed(shop: Shop) -> Iterator[Service]:
    """The shop behind a key."""
    with serving(shop.data, keys=ApiKeys.parse([f"read:{KEY}"])) as running:
        yield running


def test_health_names_collections_only_to_who_may_read_them(keyed: Service) -> None:
    assert keyed.get("/health").json()["collections"] == {}
    assert keyed.get("/health", headers={"authorization": f"Bearer {KEY}"}).json()["collections"] == {"shop": 1}


def test_many_who_ask_whether_it_is_ready_cost_one_picture(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    probes: list[float] = []
    probe = service.services._probe

    async def counted() -> float:
        probes.append(await probe())
        return probes[-1]

    monkeypatch.setattr(service.services, "_probe", counted)
    monkeypatch.setattr("service.services.PROBE_SECONDS", 3600.0)
    service.services._last_probe = (float("-inf"), 0.0)
    assert [service.get("/ready").status_code for _ in range(5)] == [200] * 5
    assert len(probes) == 1


def test_a_collection_that_cannot_be_looked_at_stops_no_other(tmp_path: Path, shop: Shop) -> None:
    data = tmp_path / "data"
    (data / "collections" / "aaa").mkdir(parents=True)
    (data / "collections" / "aaa" / "current.json").symlink_to("current.json")
    (data / "collections" / "shop").symlink_to(shop.data / "collections" / "shop")
    (data / "catalogue.db").symlink_to(shop.data / "catalogue.db")
    with serving(data) as service:
        assert service.get("/health").json()["problems"] == ["aaa: snapshot-damaged"]
        assert service.post("/search", data={"collection": "shop", "key": "plain-0"}).status_code == 200
        assert service.post("/search", data={"collection": "aaa", "key": "plain-0"}).status_code == 503
