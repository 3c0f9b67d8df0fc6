"""The web page, the API's reference and its OpenAPI document; all of it from this machine.

The pages themselves take any query parameter: browsers, links and proxies add some.
"""

from __future__ import annotations

from pathlib import Path

import fastapi_offline
from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from starlette.staticfiles import StaticFiles

from service.http.responses import is_cached_by_client, not_modified, tag_response
from service.http.strict_route import StrictRoute

router = APIRouter(include_in_schema=False)
STATIC = Path(__file__).resolve().parent.parent / "static"
REFERENCE_FILES = Path(fastapi_offline.__file__).parent / "static"
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# The reference's own scripts set styles inline and draw icons from data.
_REFERENCE_POLICY = PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
_REFERENCE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>lookalike: API reference</title>
<link rel="icon" href="static/mark.svg" type="image/svg+xml">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
</head>
<body>
<div id="reference"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="static/reference.js"></script>
</body>
</html>
"""


@router.get("/")
async def page(request: Request) -> Response:
    """The page."""
    path = STATIC / "index.html"
    headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}
    response = FileResponse(path, headers=headers, stat_result=path.stat())
    return not_modified(response.headers) if is_cached_by_client(request, response.headers["ETag"]) else response


async def openapi_document(request: Request) -> Response:
    """The OpenAPI document."""
    return tag_response(request, JSONResponse(request.app.openapi()))


router.add_api_route("/openapi.json", openapi_document, route_class_override=StrictRoute, include_in_schema=False)


@router.get("/docs")
async def reference() -> Response:
    """The API's reference, which the browser builds from /openapi.json."""
    return HTMLResponse(_REFERENCE, headers={"Content-Security-Policy": _REFERENCE_POLICY, "Cache-Control": "no-cache"})


@router.get("/widget.js")
async def widget(request: Request) -> Response:
    """The element that shows similar pictures on the pages of a shop, which are of another origin."""
    path = STATIC / "widget.js"
    headers = {
        "Cache-Control": "public, max-age=3600",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Access-Control-Allow-Origin": "*",
    }
    response = FileResponse(path, headers=headers, media_type="text/javascript", stat_result=path.stat())
    return not_modified(response.headers) if is_cached_by_client(request, response.headers["ETag"]) else response


@router.get("/favicon.ico")
async def favicon(request: Request) -> Response:
    """The icon that browsers request by themselves."""
    headers = {"Cache-Control": "max-age=86400", "ETag": '"icon"'}
    if is_cached_by_client(request, headers["ETag"]):
        return not_modified(headers)
    return FileResponse(STATIC / "mark.svg", media_type="image/svg+xml", headers=headers)


class PageFiles(StaticFiles):
    """Static files that a browser revalidates each time, so that an upgrade shows at once."""

    def file_response(self, *arguments: object, **options: object) -> Response:
        """See StaticFiles."""
        response = super().file_response(*arguments, **options)  # type: ignore[arg-type]  # passed on as it came
        response.headers["Cache-Control"] = "no-cache"
        return response
