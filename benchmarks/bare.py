"""The framework by itself: routes that answer a JSON of a given size at once, under the service's server settings.

``python -m benchmarks.bare PORT BYTES``; what ``benchmarks.service`` measures the service's own answers against.
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.datastructures import UploadFile

from service.cli import server_settings


def bare(size: int) -> FastAPI:
    """An application with the paths of a search by key, and one that reads a picture, and nothing behind them."""
    app = FastAPI(docs_url=None, redoc_url=None)
    body = b'{"filled": "' + b"x" * (size - 14) + b'"}'

    @app.get("/collections/{name}/items/{key:path}/similar")
    async def similar(name: str, key: str, k: int = 10) -> Response:  # noqa: ARG001  # checked as the service's are
        return Response(body, 200, {"Cache-Control": "no-store"}, "application/json")

    @app.post("/search")
    async def search(request: Request) -> Response:
        await request.body()
        return Response(body, 200, {"Cache-Control": "no-store"}, "application/json")

    @app.post("/upload")
    async def upload(request: Request) -> Response:
        """Reads a picture from a form as the framework does, and leaves it at that."""
        async with request.form() as form:
            image = form["image"]
            assert isinstance(image, UploadFile)
            await image.read()
        return Response(body, 200, {"Cache-Control": "no-store"}, "application/json")

    return app


if __name__ == "__main__":
    uvicorn.Server(
        uvicorn.Config(bare(int(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]), **server_settings())
    ).run()
