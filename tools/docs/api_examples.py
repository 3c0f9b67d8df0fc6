"""Worked examples of docs/api.md: for each route a curl command, and what it answered when it was run here.

``python -m tools.docs.api_examples`` indexes a sample, serves it, runs them and keeps the answers; a test runs them
again and compares fields and kinds of values.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).with_name("api_examples.json")
ADDRESS = "http://127.0.0.1:8000"
REPOSITORY = Path(__file__).resolve().parent.parent.parent
_QUERY, _OTHER = "shop/queries/query-1.jpg", "shop/images/backpack/backpack-001-1.jpg"
_ITEM = f"{ADDRESS}/collections/shop/items/backpack-001-1"

PREPARATION = (
    "sample shop --products 8",
    "index shop/manifest.csv --collection shop",
    "duplicates --collection shop",
    "map --collection shop",
)
"""Arguments of the indexer, run before the examples: they make the collection that is served."""
EXAMPLES: dict[str, str] = {
    "POST /search": f"curl -s -F image=@{_QUERY} -F k=1 {ADDRESS}/search",
    "POST /search/batch": f"curl -s -F image=@{_QUERY} -F image=@{_OTHER} -F k=1 {ADDRESS}/search/batch",
    "POST /recommend": f"curl -s -d like=backpack-001-1 -d k=1 {ADDRESS}/recommend",
    "POST /compare": f"curl -s -F image_a=@{_QUERY} -F image_b=@{_OTHER} {ADDRESS}/compare",
    "POST /cosine_similarity_score": (
        f"curl -s -F image_1=@{_QUERY} -F image_2=@{_OTHER} {ADDRESS}/cosine_similarity_score"
    ),
    "POST /embed": f"curl -s -F image=@{_QUERY} {ADDRESS}/embed",
    "POST /tags": f"curl -s -F image=@{_OTHER} -F min_confidence=0.5 {ADDRESS}/tags",
    "GET /collections": f"curl -s {ADDRESS}/collections",
    "GET /collections/{name}": f"curl -s {ADDRESS}/collections/shop",
    "POST /collections/{name}/refresh": f"curl -s -X POST {ADDRESS}/collections/shop/refresh",
    "POST /collections/{name}/check": f"curl -s -F image=@{_OTHER} -F k=1 {ADDRESS}/collections/shop/check",
    "GET /collections/{name}/duplicates": f"curl -s '{ADDRESS}/collections/shop/duplicates?limit=1'",
    "POST /collections/{name}/duplicates/decisions": (
        f"curl -s -d key=backpack-001-1 -d key=backpack-001-2 -d decision=duplicates-after-all "
        f"{ADDRESS}/collections/shop/duplicates/decisions"
    ),
    "GET /collections/{name}/duplicates/difference": (
        f"curl -s '{ADDRESS}/collections/shop/duplicates/difference?first=backpack-001-1&second=backpack-001-2'"
    ),
    "GET /collections/{name}/map": f"curl -s '{ADDRESS}/collections/shop/map?field=product_id&groups=1&limit=2'",
    "GET /collections/{name}/items": f"curl -s '{ADDRESS}/collections/shop/items?limit=1'",
    "GET /collections/{name}/items/{key}/image": f"curl -s -o picture.jpg {_ITEM}/image",
    "GET /collections/{name}/items/{key}/thumbnail": f"curl -s -o small.jpg {_ITEM}/thumbnail",
    "GET /collections/{name}/items/{key}/similar": f"curl -s '{_ITEM}/similar?k=1'",
    "GET /collections/{name}/items/{key}": f"curl -s {_ITEM}",
    "GET /health": f"curl -s {ADDRESS}/health",
    "GET /ready": f"curl -s {ADDRESS}/ready",
    "GET /version": f"curl -s {ADDRESS}/version",
    "GET /metrics": f"curl -s {ADDRESS}/metrics",
    "GET /encoders": f"curl -s {ADDRESS}/encoders",
    "POST /collections/{name}/search": (
        f"curl -s -F image=@{_QUERY} -F k=1 -F 'filter=price < 60' -F group_by=product_id "
        f"{ADDRESS}/collections/shop/search"
    ),
    "POST /collections/{name}/recommend": (
        f"curl -s -d like=backpack-001-1 -d strategy=best -d group_by=product_id -d k=1 "
        f"{ADDRESS}/collections/shop/recommend"
    ),
    "GET /collections/{name}/facets": f"curl -s '{ADDRESS}/collections/shop/facets?names=product_id&limit=2'",
    "PUT /collections/{name}": f"curl -s -X PUT {ADDRESS}/collections/mugs",
    "PUT /collections/{name}/items/{key}": (
        f"curl -s -X PUT -F image=@{_OTHER} -F title='A mug' {ADDRESS}/collections/mugs/items/sku-1"
    ),
    "PATCH /collections/{name}/items/{key}": (
        f"curl -s -X PATCH -d 'metadata={{\"price\": 9.9}}' {ADDRESS}/collections/mugs/items/sku-1"
    ),
    "POST /collections/{name}/items": (
        f'curl -s -F \'changes=[{{"op": "delete", "key": "sku-2"}}]\' {ADDRESS}/collections/mugs/items'
    ),
    "PATCH /collections/{name}/items": (
        f"curl -s -X PATCH -d 'filter=price < 10' -d 'metadata={{\"sale\": true}}' {ADDRESS}/collections/mugs/items"
    ),
    "DELETE /collections/{name}/items": (
        f"curl -s -X DELETE '{ADDRESS}/collections/mugs/items?filter[price][gt]=100&dry_run=true' -g"
    ),
    "PATCH /collections/{name}": (
        f'curl -s -X PATCH -d \'columns={{"price": "number"}}\' -d keep=5 {ADDRESS}/collections/mugs'
    ),
    "POST /collections/{name}/fold": f"curl -s -X POST {ADDRESS}/collections/mugs/fold",
    "GET /collections/{name}/snapshots": f"curl -s {ADDRESS}/collections/mugs/snapshots",
    "PUT /collections/{name}/pin": f"curl -s -X PUT -d snapshot=1 {ADDRESS}/collections/mugs/pin",
    "DELETE /collections/{name}/pin": f"curl -s -X DELETE {ADDRESS}/collections/mugs/pin",
    "GET /collections/{name}/calibration": f"curl -s {ADDRESS}/collections/mugs/calibration",
    "DELETE /collections/{name}/calibration": f"curl -s -X DELETE {ADDRESS}/collections/mugs/calibration",
    "DELETE /collections/{name}/items/{key}": f"curl -s -X DELETE {ADDRESS}/collections/mugs/items/sku-1",
    "DELETE /collections/{name}": f"curl -s -X DELETE '{ADDRESS}/collections/mugs?confirm=mugs'",
    "POST /collections/{name}/restore": f"curl -s -X POST {ADDRESS}/collections/mugs/restore",
    "OPTIONS /uploads": f"curl -s -X OPTIONS -o answer.txt -w '%{{http_code}}' {ADDRESS}/uploads",
    "POST /uploads": (
        f"curl -s -X POST -H 'Tus-Resumable: 1.0.0' -H 'Upload-Length: 4' '{ADDRESS}/uploads?filename=shop.csv'"
    ),
    "PATCH /uploads/{upload_id}": (
        "curl -s -X PATCH -H 'Content-Type: application/offset+octet-stream' -H 'Upload-Offset: 0' -d path "
        f"{ADDRESS}/uploads/UPLOAD"
    ),
    "GET /uploads/{upload_id}": f"curl -s {ADDRESS}/uploads/UPLOAD",
    "POST /uploads/{upload_id}": f"curl -s -X POST -H 'X-HTTP-Method-Override: DELETE' {ADDRESS}/uploads/UPLOAD",
    "PUT /uploads/{filename}": f"curl -s -T shop/manifest.csv {ADDRESS}/uploads/",
    "DELETE /uploads/{upload_id}": f"curl -s -X DELETE {ADDRESS}/uploads/UPLOAD",
    "POST /collections/{name}/jobs": f"curl -s -d kind=evaluate -d label=product_id {ADDRESS}/collections/shop/jobs",
    "GET /jobs/{job_id}/events": f"curl -s {ADDRESS}/jobs/JOB/events",
    "GET /jobs/{job_id}": f"curl -s {ADDRESS}/jobs/JOB",
    "GET /jobs/{job_id}/report": f"curl -s '{ADDRESS}/jobs/JOB/report?format=csv'",
    "GET /jobs/{job_id}/file": f"curl -s {ADDRESS}/jobs/JOB/file",
    "GET /jobs": f"curl -s '{ADDRESS}/jobs?limit=1'",
    "GET /collections/{name}/jobs": f"curl -s '{ADDRESS}/collections/shop/jobs?state=succeeded'",
    "DELETE /jobs/{job_id}": f"curl -s -X DELETE {ADDRESS}/jobs/JOB",
    "POST /jobs/{job_id}/cancel": f"curl -s -X POST {ADDRESS}/jobs/JOB/cancel",
}
"""``JOB`` and ``UPLOAD`` stand for the ids of those that were made last."""
BEFORE = {
    "GET /jobs/{job_id}/file": (
        f"curl -s -d kind=export -d vectors=false {ADDRESS}/collections/shop/jobs",
        f"curl -s {ADDRESS}/jobs/JOB/events",
    ),
}
"""Requests that are sent before the example of a route, and not shown."""
_LONGEST_LIST, _LONGEST_TEXT, _LINES = 2, 72, 6
_MOST_LINES = 56
"""Of an answer on the page."""
_WIDTH = 117
"""Characters in a line of a hit."""
_FIXED: dict[str, Any] = {"created_at": "2026-01-02T03:04:05Z", "Time taken in milliseconds": 20.0}


def run_examples(folder: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """What each route answers, by title: JSON where it is JSON, else lines of text; run in ``folder``."""
    indexer = [sys.executable, "-m", "indexer"]
    for arguments in PREPARATION:
        subprocess.run(
            [*indexer, *shlex.split(arguments)], cwd=folder, env=environment, check=True, capture_output=True
        )
    answers: dict[str, Any] = {}
    ids: dict[str, str] = {}
    with served(folder, environment) as address:
        for title, shown_command in EXAMPLES.items():
            for command in (*BEFORE.get(title, ()), shown_command):
                for name, value in (ids | {ADDRESS: address}).items():
                    command = command.replace(name, value)  # noqa: PLW2901  # the same command
                answers[title] = answer = _answer(command, folder)
                if isinstance(answer, dict) and "id" in answer:
                    ids["UPLOAD" if "filename" in answer else "JOB"] = answer["id"]
    return answers


def environment_of(folder: Path) -> dict[str, str]:
    """This process's environment for programs that run in ``folder``, without settings of lookalike."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOOKALIKE_")}
    return kept | {"PYTHONPATH": str(REPOSITORY), "LOOKALIKE_ENCODERS_DIR": str(folder / "encoders")}


@contextlib.contextmanager
def served(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """The address of a service over the folder's collections, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "service", "--port", str(port)]
    service = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"{address}/ready")
                break
            time.sleep(0.2)
        yield address
    finally:
        service.terminate()
        service.wait()


def _answer(command: str, folder: Path) -> Any:
    text = subprocess.run(shlex.split(command), cwd=folder, check=True, capture_output=True, text=True).stdout
    try:
        return _short(json.loads(text))
    except ValueError:
        lines = text.splitlines()
        return lines if len(lines) <= _LINES else [*lines[:_LINES], "..."]


def _short(value: Any) -> Any:
    """An answer with its long lists and texts cut, and times that are always the same."""
    if isinstance(value, dict):
        return {name: _FIXED.get(name, _short(inner)) for name, inner in value.items()}
    if isinstance(value, list):
        most = 4 if all(isinstance(inner, float) for inner in value) else _LONGEST_LIST
        shown = [_short(inner) for inner in value[:most]]
        return shown if len(value) <= most else [*shown, "..."]
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return f"{value[:_LONGEST_TEXT]}..."
    return value


def kinds(value: Any) -> Any:
    """The fields of an answer and the kinds of their values: what machines have in common; None may be any."""
    if isinstance(value, dict):
        return {name: kinds(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [kinds(inner) for inner in value[:1]]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def shown(title: str) -> list[str]:
    """The command of a route and what it answered, as the page shows them."""
    answer = recorded()[title]
    lines = answer if isinstance(answer, list) else json.dumps(answer, indent=2, ensure_ascii=False).splitlines()
    cut = lines if len(lines) <= _MOST_LINES else [*lines[:_MOST_LINES], "..."]
    return ["```console", f"$ {EXAMPLES[title]}", *cut, "```", ""]


def hit_lines(title: str) -> list[str]:
    """The first hit that a route answered with, as a page shows it: valid JSON, several fields a line."""
    fields = [
        json.dumps({name: value}, ensure_ascii=False)[1:-1] for name, value in recorded()[title]["results"][0].items()
    ]
    lines = [""]
    for field in fields:
        if len(lines[-1]) + len(field) > _WIDTH:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else ''}{field}{',' if field is not fields[-1] else ''}"
    return ["```json", f"{{{lines[0]}", *(f" {line}" for line in lines[1:-1]), f" {lines[-1]}}}", "```"]


def recorded() -> dict[str, Any]:
    """What the routes answered when the examples were run last, by title."""
    answers: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return answers


def main() -> None:
    """Run the examples and keep the answers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = json.dumps(run_examples(folder, environment_of(folder)), indent=1, ensure_ascii=False)
        text = text.replace(str(folder.resolve()), "/home/me")
    RECORDED.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
