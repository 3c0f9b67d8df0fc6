"""The map of a collection: its items in two dimensions, with the values of one field."""

from __future__ import annotations

import gzip
from typing import Annotated

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Query, Request, Response

from lookalike.map.current_map import Places
from service.dependencies.auth import READERS
from service.http.disconnect import run_while_connected
from service.http.path_params import Name
from service.http.responses import json_response, tag_response
from service.http.strict_route import StrictRoute
from service.open_snapshot import OpenSnapshot
from service.schemas.map_responses import MapAnswer, MapGroupAnswer
from service.services import ServicesDependency

router = APIRouter(prefix="/collections/{name}/map", tags=["map"], dependencies=READERS, route_class=StrictRoute)
MOST = 100_000
"""Items of one response: about what a page draws smoothly."""
_SIDE = 65_535
"""The largest coordinate."""
_FAST = 1
"""A level of compression: a higher one takes several times as long, and saves little of what is mostly numbers."""
_SMALL = 512
"""Bytes; less is not worth compressing."""


@router.get("", operation_id="get_map", response_model=MapAnswer)
async def get_map(
    request: Request,
    services: ServicesDependency,
    name: Name,
    field: Annotated[
        str | None, Query(max_length=1024, description="A field, such as a column of the metadata: its values.")
    ] = None,
    groups: Annotated[int, Query(ge=1, le=1000, description="How many values, the most frequent ones.")] = 20,
    limit: Annotated[int, Query(ge=1, le=MOST, description="The most items.")] = MOST,
) -> Response:
    """A collection's items in two dimensions, those that are alike near each other.

    `python -m indexer map`, or a job of the kind map, lays them out. Items that came since are put among their
    neighbours, items that are gone are left out. It is compressed if the request accepts gzip.
    """

    async def work() -> Response:
        async with services.snapshots.lease(name) as snapshot:
            answer = await services.search_in_thread(_read, snapshot, field, groups, limit)
            response = await services.search_in_thread(_encode, answer, _accepts_gzip(request))
            response.headers["Vary"] = "Accept-Encoding"
            return tag_response(request, response)

    return await run_while_connected(request, work(), timeout=services.settings.request_timeout)


def _read(snapshot: OpenSnapshot, field: str | None, limit: int, most: int) -> MapAnswer:
    searcher = snapshot.searcher  # one state of the collection: a live change replaces the snapshot's
    located = snapshot.map_cache.current(snapshot.collection.layout, searcher)
    count = len(located.keys)
    # Evenly spread over the items in the order in which they came; the same ones each time.
    shown = np.arange(count) if count <= most else np.arange(most) * count // most
    coordinates = _to_grid(located.places)[shown]
    values: list[MapGroupAnswer] = []
    codes = np.empty(0, np.int64)
    if field is not None:
        groups = searcher.live_filter.groups(field, limit)
        codes = groups.codes[located.rows]
        counts = np.bincount(codes + 1, minlength=len(groups.values) + 2).tolist()
        values = [MapGroupAnswer(facet.value, counts[code + 1]) for code, facet in enumerate(groups.values)]
    return MapAnswer(
        collection=snapshot.name,
        snapshot=snapshot.generation,
        map_snapshot=located.head.generation,
        created_at=located.head.created_at,
        items=count,
        placed=located.placed,
        missing=located.missing,
        field=field,
        values=values,
        others=int(np.count_nonzero(codes == len(values))) if field is not None else 0,
        without=int(np.count_nonzero(codes == -1)),
        keys=[located.keys[row] for row in shown.tolist()],
        x=coordinates[:, 0].tolist(),
        y=coordinates[:, 1].tolist(),
        groups=codes[shown].tolist() if field is not None else [],
    )


def _to_grid(places: Places) -> npt.NDArray[np.int64]:
    """Places (n, 2) as coordinates from 0 to 65535, in one scale for both axes."""
    if not len(places):
        return np.empty((0, 2), np.int64)
    low = places.min(axis=0)
    span = float((places.max(axis=0) - low).max())
    grid: npt.NDArray[np.int64] = np.rint((places - low) * (_SIDE / span if span > 0 else 0)).astype(np.int64)
    return grid


def _encode(answer: MapAnswer, is_compressed: bool) -> Response:
    response = json_response(answer, snapshot=answer.snapshot)
    body = bytes(response.body)
    if is_compressed and len(body) > _SMALL:
        response.body = gzip.compress(body, _FAST, mtime=0)  # without a time, so that equal answers have equal tags
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Length"] = str(len(response.body))
    return response


def _accepts_gzip(request: Request) -> bool:
    """Whether the header Accept-Encoding names gzip, and does not refuse it."""
    for part in request.headers.get("accept-encoding", "").split(","):
        coding, _, quality = part.replace(" ", "").partition(";")
        if coding.lower() == "gzip":
            return quality not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
